/* SPDX-License-Identifier: MIT */
/*
 * Taking all there is of something, and doing something as often as one can. Each says in one line
 * what it has come to, "KIND COUNT ERRNO" or "KIND floods", and goes on until it is killed.
 */
#include "tests/system/attempts/exhaust.h"

#include "policy/own.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TAKES_MAX     1000000L
#define CHUNK	      65536
#define STACK_BYTES   65536
#define FLOOD_FORKS   8
#define LINE_LENGTH   100
#define LINES_A_WRITE 40
#define LOGGER_NSEC   50000 /* a line */
#define LONG_LINE     32768
#define BURST_SEC     5 /* as APP_LOG_BURST_SEC */
#define BURST_LINES   (333 * BURST_SEC)
#define PATH_LENGTH   64

/* --- taking all: each takes one more, and answers with 0 or a negative errno ------------------ */

static int take_file(void)
{
	return open("/dev/null", O_RDONLY) < 0 ? -errno : 0;
}

static int take_inotify(void)
{
	return inotify_init1(IN_CLOEXEC) < 0 ? -errno : 0;
}

/* All that there is to write on: /tmp, then /dev/shm. */
static int take_tmpfs(void)
{
	static const char *const paths[] = { "/tmp/full", "/dev/shm/full" };
	static char chunk[CHUNK];
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		_cleanup_close_ int fd = open(paths[i], O_CREAT | O_APPEND | O_WRONLY, 0600);

		r = fd < 0 || write(fd, chunk, sizeof(chunk)) != sizeof(chunk) ? -errno : 0;
		if (r == 0)
			return 0;
	}
	return r != 0 ? r : -ENOSPC;
}

static int take_inode(void)
{
	static long count;
	char path[PATH_LENGTH];

	snprintf(path, sizeof(path), "/tmp/file-%ld", count++);
	return mknod(path, S_IFREG | 0600, 0) < 0 ? -errno : 0;
}

static int take_process(void)
{
	pid_t child = fork();

	if (child == 0)
		for (;;)
			pause();
	return child < 0 ? -errno : 0;
}

static void *sleep_on(void *argument)
{
	for (;;)
		pause();
	return argument;
}

static int take_thread(void)
{
	pthread_attr_t attributes;
	pthread_t thread;
	int r;

	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_BYTES);
	r = pthread_create(&thread, &attributes, sleep_on, NULL);
	pthread_attr_destroy(&attributes);
	return -r;
}

static int take_terminal(void)
{
	return open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC) < 0 ? -errno : 0;
}

static const struct {
	const char *kind;
	int (*take)(void);
} kinds[] = {
	{ "files", take_file },		{ "inotify", take_inotify },   { "tmpfs", take_tmpfs },
	{ "inodes", take_inode },	{ "processes", take_process }, { "threads", take_thread },
	{ "terminals", take_terminal },
};

int exhaust(const char *kind)
{
	long count = 0;
	int r = -EINVAL;

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (strcmp(kinds[i].kind, kind) == 0)
			while (count < TAKES_MAX && (r = kinds[i].take()) == 0)
				count++;
	printf("%s %ld %s\n", kind, count, strerrorname_np(-r));
	fflush(stdout);
	if (r == -EINVAL)
		return 2;
	for (;;)
		pause();
}

/* --- floods ----------------------------------------------------------------------------------- */

static void flood_denied(void)
{
	(void)mount("none", "/tmp", "tmpfs", 0, NULL);
}

/* Each time from another place, so that none looks like the one before. */
static void flood_denied_variously(void)
{
	static const long calls[] = { SYS_mount,  SYS_unshare,	       SYS_ptrace, SYS_bpf,
				      SYS_keyctl, SYS_perf_event_open, SYS_setns,  SYS_reboot };
	static unsigned next;

	(void)syscall(calls[next++ % ARRAY_SIZE(calls)], 0, 0, 0, 0, 0, 0);
}

static void flood_lines(void)
{
	static char lines[LINE_LENGTH * LINES_A_WRITE];

	if (lines[0] == '\0')
		for (size_t i = 0; i < sizeof(lines); i++)
			lines[i] = i % LINE_LENGTH == LINE_LENGTH - 1 ? '\n' : 'x';
	(void)!write(STDOUT_FILENO, lines, sizeof(lines));
	(void)!write(STDERR_FILENO, lines, sizeof(lines));
}

static int64_t now_nsec(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* As Python's logging does: each line by itself, and some work before the next. Who reads can keep
 * up with that, line by line. */
static void flood_logger(void)
{
	static char line[LINE_LENGTH];
	int64_t until = now_nsec() + LOGGER_NSEC;

	memset(line, 'x', sizeof(line) - 1);
	line[sizeof(line) - 1] = '\n';
	(void)!write(STDERR_FILENO, line, sizeof(line));
	while (now_nsec() < until)
		;
}

/* As many as log.rate lets through at once, and then none until it does so again. */
static void flood_bursts(void)
{
	for (size_t i = 0; i < BURST_LINES / (2 * LINES_A_WRITE); i++)
		flood_lines();
	sleep(BURST_SEC);
}

/* Few and large, of letters that can't be compressed much. */
static void flood_long_lines(void)
{
	static char line[LONG_LINE];
	static unsigned seed = 1;

	for (size_t i = 0; i < sizeof(line); i++) {
		seed = seed * 1103515245U + 12345U;
		line[i] = (char)('0' + (seed >> 16) % 64);
	}
	line[sizeof(line) - 1] = '\n';
	(void)!write(STDOUT_FILENO, line, sizeof(line));
}

static void flood_forks(void)
{
	pid_t children[FLOOD_FORKS];

	for (size_t i = 0; i < FLOOD_FORKS; i++) {
		children[i] = fork();
		if (children[i] == 0)
			_exit(0);
	}
	for (size_t i = 0; i < FLOOD_FORKS; i++)
		if (children[i] > 0)
			waitpid(children[i], NULL, 0);
}

/* Orphans: each is init's to bury. */
static void flood_orphans(void)
{
	pid_t child = fork();

	if (child == 0) {
		for (size_t i = 0; i < FLOOD_FORKS; i++)
			if (fork() == 0)
				_exit(0);
		_exit(0);
	}
	if (child > 0)
		waitpid(child, NULL, 0);
}

/* To whoever is said to listen; else to a name that nobody has. */
static void flood_notifications(void)
{
	static const char text[] = "READY=1\nSTATUS=flood\nWATCHDOG=1\n";
	static struct sockaddr_un address = { .sun_family = AF_UNIX };
	static int fd = -1;
	const char *path = getenv("NOTIFY_SOCKET");

	if (fd < 0) {
		fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		snprintf(address.sun_path, sizeof(address.sun_path), "%s",
			 path != NULL ? path : "/run/systemd/notify");
	}
	(void)sendto(fd, text, sizeof(text) - 1, MSG_DONTWAIT | MSG_NOSIGNAL,
		     (const struct sockaddr *)&address, sizeof(address));
}

static const struct {
	const char *kind;
	void (*again)(void);
} floods[] = {
	{ "denied", flood_denied },
	{ "various", flood_denied_variously },
	{ "lines", flood_lines },
	{ "logger", flood_logger },
	{ "long-lines", flood_long_lines },
	{ "bursts", flood_bursts },
	{ "forks", flood_forks },
	{ "orphans", flood_orphans },
	{ "notifications", flood_notifications },
};

int flood(const char *kind)
{
	for (size_t i = 0; i < ARRAY_SIZE(floods); i++)
		if (strcmp(floods[i].kind, kind) == 0) {
			printf("%s floods\n", kind);
			fflush(stdout);
			for (;;)
				floods[i].again();
		}
	return 2;
}
