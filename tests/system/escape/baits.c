/* SPDX-License-Identifier: MIT */
#include "tests/system/escape/baits.h"

#include "tests/system/harness_daemon.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <linux/keyctl.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define KEY_EVERYBODY 0x3f3f3f3fL
#define STATE_LINES   4096

/* --- laying ----------------------------------------------------------------------------------- */

static void add_variable(struct baits *baits, const char *text)
{
	cr_assert_lt(baits->count, BAIT_VARIABLES);
	baits->variables[baits->count++] = text;
}

/* Programs and files in the app's directory and in the writable one. The modes let everybody do
 * everything: it is the sandbox that says no. */
static void lay_files(struct baits *baits)
{
	struct bench *bench = baits->bench;
	char self[BENCH_PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);

	cr_assert_gt(length, 0);
	self[length] = '\0';
	free(shell_output("set -e; cp %s/attempt %s/attempt; cd %s; chmod 755 attempt\n"
			  "for name in set-uid set-gid file-caps; do cp attempt $name; done\n"
			  "chmod 4755 set-uid; chmod 2755 set-gid\n"
			  "/usr/sbin/setcap cap_sys_admin,cap_net_raw+eip file-caps\n"
			  "cp attempt %s/set-uid; chmod 4755 %s/set-uid\n"
			  "echo word >word; chmod 666 word; chmod 777 .\n"
			  "mkdir -m 755 ../other; echo secret >../other/secret\n"
			  "chmod 666 ../other/secret; mknod -m 666 %s/node c 1 5",
			  dirname(self), bench->apps, bench->apps, bench->data, bench->data,
			  bench->data));
	snprintf(baits->file, sizeof(baits->file), "/var/lib/pysbx-bait-%s", bench->name);
	write_text(baits->file, "bait\n", 0644);
	add_variable(baits, bench_format(bench, "ATTEMPT_BAIT=%s", baits->file));
	add_variable(baits, bench_format(bench, "ATTEMPT_CODE=%s", bench->apps));
	add_variable(baits, bench_format(bench, "ATTEMPT_DATA=%s", bench->data));
	add_variable(baits, bench_format(bench, "ATTEMPT_OTHER=%s/other", bench->directory));
}

/* Shows in its pending signals whether any has reached it. */
static void lay_victim(struct baits *baits)
{
	baits->victim = fork();
	cr_assert_geq(baits->victim, 0);
	if (baits->victim == 0) {
		sigset_t user;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		sigemptyset(&user);
		sigaddset(&user, SIGUSR1);
		sigprocmask(SIG_BLOCK, &user, NULL);
		for (;;)
			pause();
	}
	add_variable(baits, bench_format(baits->bench, "ATTEMPT_VICTIM=%d", (int)baits->victim));
}

static void lay_abstract_socket(struct baits *baits)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int length = snprintf(address.sun_path + 1, sizeof(address.sun_path) - 1, "pysbx-bait-%s",
			      baits->bench->name);

	baits->abstract = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(bind(baits->abstract, (struct sockaddr *)&address,
			  (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length)),
		     0, "%s", strerror(errno));
	cr_assert_eq(listen(baits->abstract, 8), 0);
	add_variable(baits,
		     bench_format(baits->bench, "ATTEMPT_ABSTRACT=%s", address.sun_path + 1));
}

static void lay_key(struct baits *baits)
{
	baits->key =
		syscall(SYS_add_key, "user", "pysbx-bait", "value", 5, KEY_SPEC_SESSION_KEYRING);
	cr_assert_gt(baits->key, 0, "add_key: %s", strerror(errno));
	cr_assert_eq(syscall(SYS_keyctl, KEYCTL_SETPERM, baits->key, KEY_EVERYBODY), 0, "%s",
		     strerror(errno));
	add_variable(baits, bench_format(baits->bench, "ATTEMPT_KEY=%ld", baits->key));
}

/* --- the accomplice --------------------------------------------------------------------------- */

static void hand_out(int client)
{
	char letter = 0, control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec data = { &letter, 1 };
	struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1, .msg_control = control };
	struct cmsghdr *header;
	int fd;

	if (read(client, &letter, 1) != 1)
		return;
	fd = open(letter == 'n' ? "/proc/self/ns/uts" : "/", O_RDONLY | O_CLOEXEC);
	message.msg_controllen = sizeof(control);
	header = CMSG_FIRSTHDR(&message);
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(header), &fd, sizeof(fd));
	(void)sendmsg(client, &message, MSG_NOSIGNAL);
	close(fd);
}

static void lay_accomplice(struct baits *baits)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/accomplice", baits->bench->data);
	cr_assert_eq(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0, "%s: %s",
		     address.sun_path, strerror(errno));
	cr_assert_eq(chmod(address.sun_path, 0777), 0);
	cr_assert_eq(listen(listener, 8), 0);
	baits->accomplice = fork();
	cr_assert_geq(baits->accomplice, 0);
	if (baits->accomplice == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;) {
			int client = accept(listener, NULL, NULL);

			hand_out(client);
			close(client);
		}
	}
	close(listener);
}

void baits_lay(struct baits *baits, struct bench *bench)
{
	*baits = (struct baits){ .bench = bench };
	lay_files(baits);
	lay_victim(baits);
	lay_abstract_socket(baits);
	lay_key(baits);
	lay_accomplice(baits);
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

void baits_take_away(struct baits *baits)
{
	end(baits->victim);
	end(baits->accomplice);
	close(baits->abstract);
	syscall(SYS_keyctl, KEYCTL_UNLINK, baits->key, KEY_SPEC_SESSION_KEYRING);
	cr_expect_eq(unlink(baits->file), 0);
}

/* --- the host --------------------------------------------------------------------------------- */

/* Whole files that nobody else changes while a test runs. */
static const char *const switches[] = {
	"/proc/self/mountinfo",
	"/proc/swaps",
	"/proc/sysvipc/shm",
	"/proc/sysvipc/msg",
	"/proc/sysvipc/sem",
	"/proc/sys/kernel/hostname",
	"/proc/sys/kernel/domainname",
	"/proc/sys/kernel/core_pattern",
	"/proc/sys/kernel/modprobe",
	"/proc/sys/kernel/randomize_va_space",
	"/proc/sys/kernel/sysrq",
	"/proc/sys/kernel/ctrl-alt-del",
	"/proc/sys/vm/overcommit_memory",
	"/proc/sys/net/ipv4/ip_forward",
	"/sys/class/net/lo/flags",
	"/sys/fs/cgroup/cgroup.subtree_control",
};

/* Directories whose entries are listed, with what would tell of a change. */
static const char *const places[] = { "/",    "/etc",	   "/usr", "/usr/libexec/pysbx",
				      "/dev", "/etc/pysbx" };

static void tell_file(FILE *out, const char *path)
{
	_cleanup_free_ char *text = read_text(path);
	char *rest = text, *line;

	while ((line = strsep(&rest, "\n")) != NULL)
		fprintf(out, "%s: %s\n", path, line);
}

/* Directories' times change when a file is replaced, as daemons do: their names are enough. */
static void tell_entry(FILE *out, const char *directory, const char *name)
{
	char path[PATH_MAX];
	struct stat file;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	if (lstat(path, &file) < 0)
		return;
	fprintf(out, "%s: mode %o, owner %u:%u, %u links", path, file.st_mode, file.st_uid,
		file.st_gid, S_ISDIR(file.st_mode) ? 0 : (unsigned)file.st_nlink);
	if (S_ISREG(file.st_mode))
		fprintf(out, ", %lld bytes, changed %lld.%09ld", (long long)file.st_size,
			(long long)file.st_ctim.tv_sec, file.st_ctim.tv_nsec);
	fputc('\n', out);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static void tell_directory(FILE *out, const char *path)
{
	struct dirent **entries;
	int count = scandir(path, &entries, NULL, by_name);

	for (int i = 0; i < count; i++) {
		if (strcmp(entries[i]->d_name, ".") != 0 && strcmp(entries[i]->d_name, "..") != 0)
			tell_entry(out, path, entries[i]->d_name);
		free(entries[i]);
	}
	if (count >= 0)
		free(entries);
}

/* Of its status what others could change. */
static void tell_victim(FILE *out, pid_t pid)
{
	static const char *const fields[] = { "State:",	 "TracerPid:",	  "SigPnd:",
					      "ShdPnd:", "Cpus_allowed:", "Uid:" };
	char path[64];
	_cleanup_free_ char *status = NULL;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	status = read_text(path);
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		const char *line = strstr(status, fields[i]);

		fprintf(out, "victim: %.*s\n", line != NULL ? (int)strcspn(line, "\n") : 0,
			line != NULL ? line : "");
	}
	fprintf(out, "victim: nice %d, io priority %ld\n", getpriority(PRIO_PROCESS, (id_t)pid),
		syscall(SYS_ioprio_get, 1, pid));
}

/* The names alone: the rest of a line changes with use. pysbx itself asks for sockets. */
static void tell_modules(FILE *out)
{
	_cleanup_free_ char *names =
		shell_output("cut -d' ' -f1 /proc/modules | grep -v _diag | sort | tr '\\n' ' '");

	fprintf(out, "modules: %s\n", names);
}

char *host_state(const struct baits *baits)
{
	const struct bench *bench = baits->bench;
	char other[BENCH_PATH_MAX + 8], *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	cr_assert_not_null(out);
	for (size_t i = 0; i < ARRAY_SIZE(switches); i++)
		tell_file(out, switches[i]);
	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		tell_directory(out, places[i]);
	snprintf(other, sizeof(other), "%s/other", bench->directory);
	tell_directory(out, other);
	tell_directory(out, bench->apps);
	tell_directory(out, bench->data);
	tell_victim(out, baits->victim);
	tell_modules(out);
	cr_assert_eq(fclose(out), 0);
	return text;
}

void expect_same_host(const char *before, const char *after)
{
	while (*before != '\0' || *after != '\0') {
		size_t old = strcspn(before, "\n"), new = strcspn(after, "\n");

		if (old != new || strncmp(before, after, old) != 0) {
			cr_expect_fail("the host has changed: \"%.*s\" was \"%.*s\"", (int)new,
				       after, (int)old, before);
			return;
		}
		before += old + (before[old] == '\n');
		after += new + (after[new] == '\n');
	}
}
