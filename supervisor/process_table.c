/* SPDX-License-Identifier: MIT */
#include "supervisor/process_table.h"

#include "policy/own.h"
#include "supervisor/cgroup.h"
#include "supervisor/file.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* "NSpid:\t191\t3" in /proc/PID/status: one number for each PID namespace, the innermost last. */
static pid_t read_pid_inside(pid_t pid)
{
	char status[4096], *line, *end;

	if (file_read_proc(pid, "status", status, sizeof(status)) == 0)
		return 0;
	line = strstr(status, "\nNSpid:");
	end = line != NULL ? strchr(line + 1, '\n') : NULL;
	if (end == NULL)
		return 0;
	*end = '\0';
	line = strrchr(line, '\t');
	return line != NULL ? (pid_t)strtol(line + 1, NULL, 10) : 0;
}

/* comm, statm and status are the kernel's own words: reading them takes no lock of the worker's. */
static void read_description(struct process *process)
{
	char comm[sizeof(process->comm)], statm[128];
	unsigned long total, resident;

	if (file_read_proc(process->pid, "comm", comm, sizeof(comm)) > 0) {
		comm[strcspn(comm, "\n")] = '\0';
		if (strcmp(comm, process->comm) != 0)
			process->asked = 0;
		memcpy(process->comm, comm, sizeof(comm));
	}
	if (file_read_proc(process->pid, "statm", statm, sizeof(statm)) > 0 &&
	    sscanf(statm, "%lu %lu", &total, &resident) == 2 && resident > 0)
		process->rss_bytes = (uint64_t)resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static struct process *find(struct process_table *table, pid_t pid)
{
	for (size_t i = 0; i < table->count; i++) {
		if (table->items[i].pid == pid && !table->items[i].gone)
			return &table->items[i];
	}
	return NULL;
}

static bool has_ended(const struct process *process)
{
	struct pollfd poller = { .fd = process->pidfd, .events = POLLIN };

	return poll(&poller, 1, 0) > 0;
}

#define FIRST_ALLOCATION 2

/* A new last item, or NULL: the table is full, or there is no memory. */
static struct process *add_item(struct process_table *table)
{
	if (table->count == PROCESS_TABLE_MAX)
		return NULL;
	if (table->count == table->allocated) {
		size_t wanted = table->allocated == 0 ? FIRST_ALLOCATION : table->allocated * 2;
		struct process *larger = reallocarray(table->items, wanted, sizeof(*table->items));

		if (larger == NULL)
			return NULL;
		table->items = larger;
		table->allocated = wanted;
	}
	return &table->items[table->count++];
}

static bool see_process(pid_t pid, void *userdata)
{
	struct process_table *table = userdata;
	struct process *process = find(table, pid);

	if (process != NULL && has_ended(process)) {
		process->gone = true;
		process = NULL; /* the number is another's now */
	}
	if (process == NULL) {
		_cleanup_close_ int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);

		if (pidfd < 0)
			return true;
		process = add_item(table);
		if (process == NULL)
			return false;
		*process = (struct process){ .pid = pid,
					     .pid_inside = read_pid_inside(pid),
					     .pidfd = TAKE_FD(pidfd) };
	}
	read_description(process);
	return true;
}

void process_table_take_answers(struct process_table *table, const struct reader *reader)
{
	struct reader_answer answer;

	while (reader_take(reader, &answer)) {
		struct process *process = find(table, answer.pid);

		if (process != NULL && answer.question == READER_PSS)
			process->pss_bytes = answer.pss_bytes;
		else if (process != NULL && answer.text[0] != '\0')
			memcpy(process->command_line, answer.text, sizeof(answer.text));
	}
}

void process_table_refresh(struct process_table *table, int dir, struct reader *reader)
{
	struct error ignored;

	process_table_take_answers(table, reader);
	(void)cgroup_each_process(dir, see_process, table, &ignored);
	for (size_t i = 0; i < table->count; i++) {
		if (table->items[i].asked < PROCESS_ASK_MAX) {
			table->items[i].asked++;
			reader_ask(reader, table->items[i].pid, READER_COMMAND_LINE);
		}
	}
}

const struct process *process_table_find_dead(struct process_table *table, pid_t main_pid)
{
	const struct process *largest = NULL;

	for (size_t i = 0; i < table->count; i++) {
		struct process *process = &table->items[i];

		process->gone = process->gone || has_ended(process);
		if (process->gone && process->pid != main_pid &&
		    (largest == NULL || process->rss_bytes > largest->rss_bytes))
			largest = process;
	}
	return largest;
}

const struct process *process_table_find(const struct process_table *table, pid_t pid)
{
	for (size_t i = 0; i < table->count; i++) {
		if (table->items[i].pid == pid)
			return &table->items[i];
	}
	return NULL;
}

void process_table_forget_dead(struct process_table *table)
{
	size_t kept = 0;

	for (size_t i = 0; i < table->count; i++) {
		if (table->items[i].gone || has_ended(&table->items[i]))
			close_and_clear(&table->items[i].pidfd);
		else
			table->items[kept++] = table->items[i];
	}
	table->count = kept;
}

void process_table_clear(struct process_table *table)
{
	for (size_t i = 0; i < table->count; i++)
		close_and_clear(&table->items[i].pidfd);
	free(table->items);
	*table = (struct process_table){ 0 };
}
