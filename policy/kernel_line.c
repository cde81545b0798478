/* SPDX-License-Identifier: MIT */
/*
 * The two lines of an OOM kill (mm/oom_kill.c, 5.0 and later; X = "Memory cgroup out of memory",
 * "Out of memory" or "Out of memory (oom_kill_allocating_task)"):
 *
 *   oom-kill:constraint=C,nodemask=N,cpuset=S,mems_allowed=M,oom_memcg=A,task_memcg=B,task=COMM,pid=P,uid=U
 *   X: Killed process P (COMM) total-vm:...
 *
 * Without a memcg at its limit, ",global_oom" stands in the place of ",oom_memcg=A". COMM is up to
 * 15 bytes of the victim's choice. A comm can hold ",task_memcg=/x" or ",pid=1": so the paths are
 * found from the front, where the victim has no say, and pid and uid from the end, after the comm.
 * (The front is not beyond all doubt either: a cpuset named by another user comes before. Such a
 * user could add lines to an incident, no more: lines decide nothing.)
 */
#include "policy/kernel_line.h"

#include "policy/own.h"

#include <string.h>

struct span {
	const char *start, *end;
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Reads digits, no more than a 64-bit number holds. False if there is none, or more. */
static bool take_number(struct span *in, uint64_t *ret)
{
	uint64_t value = 0;
	const char *at = in->start;

	for (; at < in->end && is_digit(*at); at++) {
		uint64_t digit = (uint64_t)(*at - '0');

		if (value > (UINT64_MAX - digit) / 10)
			return false;
		value = value * 10 + digit;
	}
	if (at == in->start)
		return false;
	in->start = at;
	*ret = value;
	return true;
}

static bool take_word(struct span *in, const char *word)
{
	size_t length = strlen(word);

	if ((size_t)(in->end - in->start) < length || memcmp(in->start, word, length) != 0)
		return false;
	in->start += length;
	return true;
}

static bool take_pid(struct span *in, int *ret)
{
	uint64_t value = 0;

	if (!take_number(in, &value) || value == 0 || value > INT32_MAX)
		return false;
	*ret = (int)value;
	return true;
}

/* Where word begins first, or last; NULL if it is nowhere. */
static const char *find_first(struct span in, const char *word)
{
	return memmem(in.start, (size_t)(in.end - in.start), word, strlen(word));
}

static const char *find_last(struct span in, const char *word)
{
	size_t length = strlen(word);

	for (const char *at = in.end; at-- > in.start;)
		if ((size_t)(in.end - at) >= length && memcmp(at, word, length) == 0)
			return at;
	return NULL;
}

/* A path that does not fit is left out: half of it might be the name of another cgroup. */
static void copy_whole(struct span in, char *out, size_t size)
{
	size_t length = (size_t)(in.end - in.start);

	if (length >= size)
		length = 0;
	memcpy(out, in.start, length);
	out[length] = '\0';
}

/* The kernel escapes what is not printable ASCII as \xNN (devkmsg_read), yet nothing here depends
 * on that. */
static void copy_printable(struct span in, char *out, size_t size)
{
	size_t used = 0;

	for (const char *at = in.start; at < in.end && used + 1 < size; at++)
		out[used++] = (char)(*at >= ' ' && *at <= '~' ? *at : '?');
	out[used] = '\0';
}

/* ",pid=P,uid=U" at the very end; gives where it begins. */
static bool read_ids(struct span line, int *ret_pid, const char **ret_start)
{
	const char *start = find_last(line, ",pid=");
	uint64_t uid = 0;

	if (start == NULL)
		return false;
	struct span ids = { start, line.end };
	if (!take_word(&ids, ",pid=") || !take_pid(&ids, ret_pid) || !take_word(&ids, ",uid=") ||
	    !take_number(&ids, &uid) || ids.start != ids.end)
		return false;
	*ret_start = start;
	return true;
}

static bool read_constraint_line(struct span line, struct kernel_line *ret)
{
	const char *memcg, *task, *ids, *oom;
	int pid = 0;

	if (!take_word(&line, "oom-kill:constraint=") || !read_ids(line, &pid, &ids))
		return false;
	line.end = ids;
	memcg = find_first(line, ",task_memcg=");
	if (memcg == NULL)
		return false;
	oom = find_first((struct span){ line.start, memcg }, ",oom_memcg=");

	struct span rest = { memcg, line.end };
	take_word(&rest, ",task_memcg=");
	task = find_first(rest, ",task=");
	if (task == NULL)
		return false;
	copy_whole((struct span){ rest.start, task }, ret->task_memcg, sizeof(ret->task_memcg));
	copy_printable((struct span){ task + strlen(",task="), line.end }, ret->comm,
		       sizeof(ret->comm));
	if (oom != NULL)
		copy_whole((struct span){ oom + strlen(",oom_memcg="), memcg }, ret->oom_memcg,
			   sizeof(ret->oom_memcg));
	ret->pid = pid;
	return true;
}

static bool read_killed_line(struct span line, struct kernel_line *ret)
{
	static const char *const openings[] = {
		"Memory cgroup out of memory: Killed process ",
		"Out of memory: Killed process ",
		"Out of memory (oom_kill_allocating_task): Killed process ",
	};
	const char *comm_end;
	bool opened = false;
	int pid = 0;

	for (size_t i = 0; !opened && i < ARRAY_SIZE(openings); i++)
		opened = take_word(&line, openings[i]);
	if (!opened || !take_pid(&line, &pid) || !take_word(&line, " ("))
		return false;
	comm_end = find_last(line, ") total-vm:");
	if (comm_end == NULL)
		return false;
	copy_printable((struct span){ line.start, comm_end }, ret->comm, sizeof(ret->comm));
	ret->pid = pid;
	return true;
}

/* "prio,seq,usec,flags[,more];": prio is facility * 8 + level. */
static bool read_header(struct span *in, uint64_t *ret_prio, struct kernel_line *ret)
{
	const char *semicolon;

	if (!take_number(in, ret_prio) || !take_word(in, ",") || !take_number(in, &ret->sequence) ||
	    !take_word(in, ",") || !take_number(in, &ret->time_usec) || !take_word(in, ","))
		return false;
	semicolon = memchr(in->start, ';', (size_t)(in->end - in->start));
	if (semicolon == NULL)
		return false;
	in->start = semicolon + 1;
	return true;
}

bool kernel_line_parse(const char *record, size_t length, struct kernel_line *ret)
{
	struct span line = { record, record + length };
	struct kernel_line result = { 0 };
	uint64_t prio = 0;
	const char *end = length > 0 ? memchr(record, '\n', length) : NULL;

	if (end != NULL)
		line.end = end;
	if (!read_header(&line, &prio, &result))
		return false;
	copy_printable(line, result.text, sizeof(result.text));
	/* Facility 0 is the kernel's alone: what a process writes to /dev/kmsg gets another
	 * (devkmsg_write), so it cannot make up a kill. */
	if (prio < 8)
		result.is_oom_kill =
			read_constraint_line(line, &result) || read_killed_line(line, &result);
	*ret = result;
	return true;
}
