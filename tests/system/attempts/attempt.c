/* SPDX-License-Identifier: MIT */
/*
 * attempt list [GROUP...]       the table
 * attempt run [GROUP...]        carries the attempts out, one after the other
 * attempt control [GROUP...]    the same for those that succeed for root without a sandbox, each in
 *                               namespaces of its own, so that it is no more than seen to succeed
 * attempt one NAME              carries one out in this very process: for a debugger or strace
 * attempt exhaust|flood KIND    see exhaust.c
 * attempt --privileges          ends with 0 if it has gained any: the attempts' set-id programs
 *
 * One line an attempt, fields separated by tabs:
 *
 *     GROUP NAME ANSWER EXPECTED FLAGS ABOUT
 *
 * ANSWER is "succeeded", the name of an errno or of the signal that it died of, "untried", "hung",
 * or
 * "-" in a list. FLAGS: c, succeeds in the control run; d, counts as a door; "-", none.
 */
#include "tests/system/attempts/attempt.h"

#include "policy/own.h"
#include "tests/system/attempts/exhaust.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define ATTEMPT_SEC 20 /* for one: they take no time, but some machines are slow */

static const struct attempt_group *const groups[] = {
	&group_mounts,	&group_namespaces, &group_processes, &group_identity, &group_kernel,
	&group_abi,	&group_sockets,	   &group_ioctls,    &group_files,    &group_proc,
	&group_devices, &group_neighbours, &group_open,
};

/* --- for attempts ----------------------------------------------------------------------------- */

int try_open(const char *path, int flags)
{
	_cleanup_close_ int fd = open(path, flags | O_CLOEXEC, 0600);

	return answer(fd);
}

int try_write(const char *path, const char *text)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd < 0 ? -errno : answer(write(fd, text, strlen(text)));
}

int try_read(const char *path)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	char byte;
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, &byte, 1);
	return n == 0 ? -ENODATA : answer(n);
}

const char *bait_path(const char *variable, const char *name)
{
	static char path[512];
	const char *directory = getenv(variable);

	if (directory == NULL)
		return NULL;
	snprintf(path, sizeof(path), "%s/%s", directory, name);
	return path;
}

long bait_number(const char *variable)
{
	const char *text = getenv(variable);

	return text != NULL ? strtol(text, NULL, 10) : 0;
}

/* What the child has answered, or which signal it died of: 1000 + its number. */
static int collect(pid_t child, int pipe_end)
{
	int result = -ECANCELED, status = 0;
	ssize_t n = read(pipe_end, &result, sizeof(result));

	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	if (n == sizeof(result))
		return result;
	return WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : -ECANCELED;
}

int in_child(int (*act)(void *argument), void *argument)
{
	int ends[2], result;
	pid_t child;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	child = fork();
	if (child < 0)
		return -errno;
	if (child == 0) {
		alarm(ATTEMPT_SEC);
		result = act(argument);
		(void)!write(ends[1], &result, sizeof(result));
		_exit(0);
	}
	close(ends[1]);
	result = collect(child, ends[0]);
	close(ends[0]);
	return result;
}

/* --- the table -------------------------------------------------------------------------------- */

static int carry_out(void *argument)
{
	const struct attempt *attempt = argument;
	const long *a = attempt->arguments;

	if (attempt->act != NULL)
		return attempt->act();
	return answer(syscall(attempt->number, a[0], a[1], a[2], a[3], a[4], a[5]));
}

/* Nobody else sees what is mounted, or how the machine is called. */
static int carry_out_apart(void *attempt)
{
	if (unshare(CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return -ECHILD;
	return carry_out(attempt);
}

static const char *answer_text(int result)
{
	static char text[32];

	if (result == 1000 + SIGALRM)
		return "hung";
	if (result == NOT_TRIED)
		return "untried";
	if (result == 0)
		return "succeeded";
	if (result > 1000)
		snprintf(text, sizeof(text), "SIG%s", sigabbrev_np(result - 1000));
	else if (strerrorname_np(-result) != NULL)
		snprintf(text, sizeof(text), "%s", strerrorname_np(-result));
	else
		snprintf(text, sizeof(text), "%d", -result);
	return text;
}

static void tell(const struct attempt_group *group, const struct attempt *attempt,
		 const char *result)
{
	const char *flags =
		attempt->control ? (attempt->door ? "cd" : "c") : (attempt->door ? "d" : "-");

	printf("%s\t%s\t%s\t%s\t%s\t%s\n", group->name, attempt->name, result,
	       attempt->expected != NULL ? attempt->expected : REFUSED, flags,
	       attempt->about != NULL ? attempt->about : group->about);
	fflush(stdout);
}

static bool is_named(const char *name, char *const *names)
{
	if (*names == NULL)
		return true;
	for (; *names != NULL; names++)
		if (strcmp(name, *names) == 0)
			return true;
	return false;
}

/* act NULL: lists them. */
static void go_through(char *const *names, int (*act)(void *attempt))
{
	for (size_t i = 0; i < ARRAY_SIZE(groups); i++) {
		if (!is_named(groups[i]->name, names))
			continue;
		for (size_t k = 0; k < groups[i]->count; k++) {
			const struct attempt *attempt = &groups[i]->attempts[k];

			if (act == carry_out_apart && !attempt->control)
				continue;
			tell(groups[i], attempt,
			     act != NULL ? answer_text(in_child(act, (void *)attempt)) : "-");
		}
	}
}

static int run_one(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(groups); i++)
		for (size_t k = 0; k < groups[i]->count; k++)
			if (strcmp(groups[i]->attempts[k].name, name) == 0) {
				puts(answer_text(carry_out((void *)&groups[i]->attempts[k])));
				return 0;
			}
	fprintf(stderr, "attempt: no attempt is named %s\n", name);
	return 2;
}

/* --- privileges ------------------------------------------------------------------------------- */

static int has_privileges(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = { 0 };

	if (syscall(SYS_capget, &header, sets) < 0)
		return true;
	return geteuid() == 0 || getegid() == 0 || sets[0].permitted != 0 ||
	       sets[1].permitted != 0 || sets[0].inheritable != 0;
}

static const struct {
	const char *name;
	int (*act)(void *attempt);
} modes[] = { { "list", NULL }, { "run", carry_out }, { "control", carry_out_apart } };

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "--privileges") == 0)
		return has_privileges() ? 0 : 1;
	if (argc == 3 && strcmp(argv[1], "one") == 0)
		return run_one(argv[2]);
	if (argc == 3 && strcmp(argv[1], "exhaust") == 0)
		return exhaust(argv[2]);
	if (argc == 3 && strcmp(argv[1], "flood") == 0)
		return flood(argv[2]);
	for (size_t i = 0; argc >= 2 && i < ARRAY_SIZE(modes); i++)
		if (strcmp(argv[1], modes[i].name) == 0) {
			go_through(argv + 2, modes[i].act);
			return 0;
		}
	fprintf(stderr, "usage: attempt list|run|control [GROUP...], one NAME, "
			"or exhaust|flood KIND\n");
	return 2;
}
