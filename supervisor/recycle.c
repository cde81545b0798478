/* SPDX-License-Identifier: MIT */
#include "supervisor/recycle.h"

#include "policy/figure.h"
#include "policy/own.h"
#include "policy/server.h"
#include "policy/spec.h"
#include "supervisor/cgroup.h"
#include "supervisor/file.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define STATUS_MAX 4096

struct candidate {
	pid_t pid;
	uint64_t started; /* clock ticks since boot: with it a pid means one process */
	uint64_t own_bytes;
};

struct search {
	pid_t main;
	int signal;
	unsigned seen, children;
	struct candidate largest; /* pid 0: none */
};

/* --- what /proc says ------------------------------------------------------------------------ */

/* Parent and start of a process; comm, which is its own word, may hold blanks and parentheses. */
static bool read_stat(pid_t pid, pid_t *ret_parent, uint64_t *ret_started)
{
	char text[1024], *end;
	int parent = 0;

	if (file_read_proc(pid, "stat", text, sizeof(text)) == 0)
		return false;
	end = strrchr(text, ')');
	/* fields 3, 4 and 22 of proc(5) */
	if (end == NULL ||
	    sscanf(end + 1,
		   " %*c %d %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s "
		   "%" SCNu64,
		   &parent, ret_started) != 2)
		return false;
	*ret_parent = (pid_t)parent;
	return true;
}

static uint64_t read_caught(pid_t pid)
{
	static const char key[] = "\nSigCgt:\t";
	char status[STATUS_MAX];
	const char *at;

	if (file_read_proc(pid, "status", status, sizeof(status)) == 0)
		return 0;
	at = strstr(status, key);
	return at != NULL ? strtoull(at + strlen(key), NULL, 16) : 0;
}

/* What goes when it goes: not what it shares with its siblings as files. */
static uint64_t read_own_bytes(pid_t pid)
{
	unsigned long total, resident, shared;
	char text[128];

	if (file_read_proc(pid, "statm", text, sizeof(text)) == 0 ||
	    sscanf(text, "%lu %lu %lu", &total, &resident, &shared) != 3 || resident < shared)
		return 0;
	return (uint64_t)(resident - shared) * (uint64_t)sysconf(_SC_PAGESIZE);
}

static enum server read_server(pid_t pid)
{
	char text[RECYCLE_COMMAND_BYTES], *words[RECYCLE_ARGUMENTS_MAX + 1];
	size_t length = file_read_proc(pid, "cmdline", text, sizeof(text));
	struct strings command = { .items = words };

	for (size_t at = 0; at < length && command.count < RECYCLE_ARGUMENTS_MAX;
	     at += strlen(&text[at]) + 1)
		words[command.count++] = &text[at];
	words[command.count] = NULL;
	return server_of_command(&command);
}

/* --- who ------------------------------------------------------------------------------------ */

/* Only one that catches the signal: others, like the helpers that servers have beside their
 * workers, would die of it. */
static bool look_at(pid_t pid, void *userdata)
{
	struct search *search = userdata;
	struct candidate candidate = { .pid = pid };
	pid_t parent;

	if (search->seen++ >= RECYCLE_PROCESSES_MAX)
		return false;
	if (!read_stat(pid, &parent, &candidate.started) || parent != search->main ||
	    !server_has_signal(read_caught(pid), search->signal))
		return true;
	search->children++;
	candidate.own_bytes = read_own_bytes(pid);
	if (candidate.own_bytes > search->largest.own_bytes)
		search->largest = candidate;
	return true;
}

/* A number can have been given to another since it was looked at: so it is looked at again once the
 * process is held. */
static bool send_signal(const struct search *search)
{
	const struct candidate *worker = &search->largest;
	_cleanup_close_ int pidfd = (int)syscall(SYS_pidfd_open, worker->pid, 0);
	uint64_t started;
	pid_t parent;

	return pidfd >= 0 && read_stat(worker->pid, &parent, &started) && parent == search->main &&
	       started == worker->started &&
	       syscall(SYS_pidfd_send_signal, pidfd, search->signal, NULL, 0) == 0;
}

static void say_asked(enum server server, const struct search *search, char *result)
{
	char size[QUANTITY_TEXT_MAX], signal[32];

	snprintf(result, CHORE_RESULT_MAX,
		 "asked %s's worker %d, with %s the largest of %u, to end (%s): the main process "
		 "starts another",
		 server_name(server), (int)search->largest.pid,
		 figure_size(search->largest.own_bytes, size), search->children,
		 spec_signal_name(search->signal, signal));
}

static void say_small(const struct search *search, uint64_t worth_bytes, char *result)
{
	char size[QUANTITY_TEXT_MAX], worth[QUANTITY_TEXT_MAX];

	snprintf(result, CHORE_RESULT_MAX,
		 "skipped: the largest of its %u workers has %s of its own, less than %s",
		 search->children, figure_size(search->largest.own_bytes, size),
		 figure_size(worth_bytes, worth));
}

void recycle_largest(int leaf, const void *argument, char result[static CHORE_RESULT_MAX])
{
	const struct recycle *recycle = argument;
	enum server server = read_server(recycle->main);
	struct search search = { .main = recycle->main, .signal = server_recycle_signal(server) };
	struct error err;

	if (search.signal == 0)
		snprintf(result, CHORE_RESULT_MAX,
			 "skipped: of %s no single worker can be asked to end",
			 server_name(server));
	else if (!server_replaces_workers(server, read_caught(recycle->main)))
		snprintf(result, CHORE_RESULT_MAX,
			 "skipped: this %s starts no other worker for one that ends (too old, or "
			 "without a master)",
			 server_name(server));
	else if (cgroup_each_process(leaf, look_at, &search, &err) < 0)
		snprintf(result, CHORE_RESULT_MAX, "skipped: %.*s", CHORE_RESULT_MAX / 2, err.text);
	else if (search.largest.pid == 0)
		snprintf(result, CHORE_RESULT_MAX, "skipped: %s has no worker now",
			 server_name(server));
	else if (search.largest.own_bytes < recycle->worth_bytes)
		say_small(&search, recycle->worth_bytes, result);
	else if (!send_signal(&search))
		snprintf(result, CHORE_RESULT_MAX, "skipped: the largest worker, %d, has ended",
			 (int)search.largest.pid);
	else
		say_asked(server, &search, result);
}
