/* SPDX-License-Identifier: MIT */
#include "tests/system/harness.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <libgen.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define CGROUP_ROOT	"/sys/fs/cgroup"
#define TRANSIENT_UNITS "/run/systemd/transient"
#define FILE_TEXT_MAX	(32 << 20)
/* Below the kernel's range for outgoing connections (32768 and up). */
#define PORT_FIRST 20000
#define PORT_COUNT 12000

int64_t clock_msec(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void pause_msec(int msec)
{
	struct timespec pause = { msec / 1000, (msec % 1000) * 1000000L };

	while (nanosleep(&pause, &pause) < 0 && errno == EINTR)
		;
}

char *read_text(const char *path)
{
	_cleanup_fclose_ FILE *file = fopen(path, "re");
	size_t size = 0, capacity = 4096;
	char *text = malloc(capacity);

	cr_assert_not_null(text);
	while (file != NULL && size < FILE_TEXT_MAX) {
		size_t n = fread(text + size, 1, capacity - size - 1, file);

		if (n == 0)
			break;
		size += n;
		if (size + 1 == capacity) {
			char *larger = realloc(text, capacity * 2);

			cr_assert_not_null(larger);
			text = larger;
			capacity *= 2;
		}
	}
	text[size] = '\0';
	return text;
}

void write_text(const char *path, const char *text, mode_t mode)
{
	FILE *file = fopen(path, "we");

	cr_assert_not_null(file, "%s: %s", path, strerror(errno));
	cr_assert(fputs(text, file) >= 0 && fclose(file) == 0, "%s: %s", path, strerror(errno));
	cr_assert_eq(chmod(path, mode), 0, "%s: %s", path, strerror(errno));
}

/* --- bench ------------------------------------------------------------------------------------ */

/* Where the sample apps are: beside the test binary when it is installed, else in the source. */
static void find_apps(char *ret_path)
{
	char self[BENCH_PATH_MAX - 32];
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
	const char *directory;

	cr_assert_gt(length, 0);
	self[length] = '\0';
	directory = dirname(self);
	snprintf(ret_path, BENCH_PATH_MAX, "%s/apps", directory);
	if (access(ret_path, F_OK) != 0)
		snprintf(ret_path, BENCH_PATH_MAX, "%s/../../tests/system/apps", directory);
	cr_assert_eq(access(ret_path, F_OK), 0, "no sample apps: %s", ret_path);
}

static void copy_file(const char *from, const char *to, const char *name)
{
	char path[BENCH_PATH_MAX * 3];
	char *text;

	snprintf(path, sizeof(path), "%s/%s", from, name);
	text = read_text(path);
	snprintf(path, sizeof(path), "%s/%s", to, name);
	write_text(path, text, 0644);
	free(text);
}

static void copy_apps(const char *to)
{
	char from[BENCH_PATH_MAX];
	struct dirent *entry;
	DIR *directory;

	find_apps(from);
	directory = opendir(from);
	cr_assert_not_null(directory, "%s: %s", from, strerror(errno));
	while ((entry = readdir(directory)) != NULL)
		if (entry->d_type == DT_REG)
			copy_file(from, to, entry->d_name);
	closedir(directory);
}

static bool port_is_free(int port)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_port = htons((uint16_t)port),
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	_cleanup_close_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
}

/* Test processes that run at the same time have different pids, so different ports. */
static int pick_port(void)
{
	int port = PORT_FIRST + getpid() * 3 % PORT_COUNT;

	while (!port_is_free(port))
		port = port + 1 < PORT_FIRST + PORT_COUNT ? port + 1 : PORT_FIRST;
	return port;
}

void bench_open(struct bench *bench, const char *word)
{
	*bench = (struct bench){ 0 };
	cr_assert_eq(geteuid(), 0, "the system tests need root");
	/* the pid makes it this test's own; "-t" ends it, so that no name begins with another */
	snprintf(bench->name, sizeof(bench->name), "%s-%d-t", word, (int)getpid());
	snprintf(bench->directory, sizeof(bench->directory), "/srv/pysbx-test-%s", bench->name);
	snprintf(bench->apps, sizeof(bench->apps), "/srv/pysbx-test-%s/apps", bench->name);
	snprintf(bench->data, sizeof(bench->data), "/srv/pysbx-test-%s/data", bench->name);
	snprintf(bench->report, sizeof(bench->report), "/srv/pysbx-test-%s/report", bench->name);
	cr_assert(mkdir("/srv", 0755) == 0 || errno == EEXIST);
	cr_assert_eq(mkdir(bench->directory, 0755), 0, "%s: %s", bench->directory, strerror(errno));
	cr_assert_eq(mkdir(bench->apps, 0755), 0);
	cr_assert_eq(mkdir(bench->data, 0755), 0);
	cr_assert_eq(chmod(bench->data, 0777), 0); /* whatever the umask is */
	copy_apps(bench->apps);
	bench->port = pick_port();
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

void bench_close(struct bench *bench)
{
	bench_expect_nothing_left(bench);
	cr_expect_eq(nftw(bench->directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS), 0,
		     "%s could not be removed: %s", bench->directory, strerror(errno));
	strings_clear(&bench->texts);
}

const char *bench_format(struct bench *bench, const char *format, ...)
{
	_cleanup_free_ char *text = NULL;
	struct error err = { 0 };
	va_list args;

	va_start(args, format);
	cr_assert_geq(vasprintf(&text, format, args), 0);
	va_end(args);
	cr_assert_eq(strings_append(&bench->texts, text, &err), 0, "%s", err.text);
	return bench->texts.items[bench->texts.count - 1];
}

/* --- leftovers -------------------------------------------------------------------------------- */

struct findings {
	const struct bench *bench;
	FILE *out;
};

static bool names_bench(const struct bench *bench, const char *text)
{
	return strstr(text, bench->name) != NULL;
}

static void tell_process(const struct findings *findings, const char *pid)
{
	_cleanup_free_ char *comm_path = NULL, *cgroup_path = NULL, *command_path = NULL;
	_cleanup_free_ char *comm = NULL, *cgroup = NULL, *command = NULL;

	cr_assert(asprintf(&comm_path, "/proc/%s/comm", pid) > 0 &&
		  asprintf(&cgroup_path, "/proc/%s/cgroup", pid) > 0 &&
		  asprintf(&command_path, "/proc/%s/cmdline", pid) > 0);
	cgroup = read_text(cgroup_path);
	command = read_text(command_path);
	if (!names_bench(findings->bench, cgroup) && !names_bench(findings->bench, command))
		return;
	comm = read_text(comm_path);
	fprintf(findings->out, "process %s, %.*s, in %.*s\n", pid, (int)strcspn(comm, "\n"), comm,
		(int)strcspn(cgroup, "\n"), cgroup);
}

static void find_processes(const struct findings *findings)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;

	cr_assert_not_null(proc);
	while ((entry = readdir(proc)) != NULL) {
		long pid = strtol(entry->d_name, NULL, 10);

		if (pid > 0 && pid != getpid())
			tell_process(findings, entry->d_name);
	}
	closedir(proc);
}

/* All entries below path that carry the app's name, by depth-first search. */
static void find_names(const struct findings *findings, const char *path, int depth)
{
	DIR *directory = depth > 0 ? opendir(path) : NULL;
	struct dirent *entry;

	while (directory != NULL && (entry = readdir(directory)) != NULL) {
		char below[1024];

		if (entry->d_name[0] == '.')
			continue;
		snprintf(below, sizeof(below), "%s/%s", path, entry->d_name);
		if (names_bench(findings->bench, entry->d_name))
			fprintf(findings->out, "%s\n", below);
		else if (entry->d_type == DT_DIR)
			find_names(findings, below, depth - 1);
	}
	if (directory != NULL)
		closedir(directory);
}

static void find_mounts(const struct findings *findings)
{
	_cleanup_fclose_ FILE *mounts = fopen("/proc/self/mountinfo", "re");
	char line[4096];

	cr_assert_not_null(mounts);
	while (fgets(line, sizeof(line), mounts) != NULL)
		if (names_bench(findings->bench, line))
			fprintf(findings->out, "mount %s", line);
}

char *bench_leftovers(const struct bench *bench)
{
	struct findings findings = { .bench = bench };
	char *text = NULL;
	size_t size = 0;

	findings.out = open_memstream(&text, &size);
	cr_assert_not_null(findings.out);
	find_processes(&findings);
	find_names(&findings, CGROUP_ROOT, 6);
	find_names(&findings, TRANSIENT_UNITS, 2);
	find_names(&findings, "/run/pysbx", 4);
	find_mounts(&findings);
	fclose(findings.out);
	return text;
}

static bool is_clean(const struct bench *bench)
{
	_cleanup_free_ char *left = bench_leftovers(bench);

	return left[0] == '\0';
}

void bench_expect_nothing_left(const struct bench *bench)
{
	if (!AWAIT(is_clean(bench), REACTION_MSEC)) {
		_cleanup_free_ char *left = bench_leftovers(bench);

		cr_assert_fail("left behind:\n%s", left);
	}
}
