/* SPDX-License-Identifier: MIT */
/*
 * Files outside, by whatever way leads there, and writing to what is read-only.
 *
 * ATTEMPT_BAIT is the path of a file of the host that everybody may read, and that no sandbox
 * shows. ATTEMPT_DATA is a directory that the worker may write to, ATTEMPT_CODE one that it may
 * read only, ATTEMPT_OTHER that of another tenant, with the file "secret" in it.
 */
#include "tests/system/attempts/attempt.h"

#include "policy/own.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#define FDS_MAX 1024

static int read_bait_below(const char *prefix)
{
	const char *bait = getenv("ATTEMPT_BAIT");
	char path[PATH_MAX];

	if (bait == NULL)
		return NOT_TRIED;
	snprintf(path, sizeof(path), "%s%s", prefix, bait);
	return try_read(path);
}

static int bait_by_path(void)
{
	return read_bait_below("");
}

static int bait_above_root(void)
{
	return read_bait_below("/../../../../..");
}

static int bait_by_root_of_init(void)
{
	return read_bait_below("/proc/1/root");
}

static int bait_by_cwd_of_init(void)
{
	return read_bait_below("/proc/1/cwd/../../../..");
}

static int bait_by_own_root(void)
{
	return read_bait_below("/proc/self/root");
}

/* The directory that the worker was started in: CVE-2024-21626. */
static int bait_above_cwd(void)
{
	return read_bait_below("../../../../../../../..");
}

static int bait_by_cwd_link(void)
{
	return read_bait_below("/proc/self/cwd/../../../../../..");
}

static int bait_by_leftover_fds(void)
{
	char prefix[64];

	if (getenv("ATTEMPT_BAIT") == NULL)
		return NOT_TRIED;
	for (int fd = 0; fd < FDS_MAX; fd++) {
		snprintf(prefix, sizeof(prefix), "/proc/self/fd/%d/../../../../..", fd);
		if (read_bait_below(prefix) == 0)
			return 0;
	}
	return -ENOENT;
}

/* Open files of its own that nobody has closed. */
static int any_leftover_fd(void)
{
	for (int fd = 3; fd < FDS_MAX; fd++) {
		int flags = fcntl(fd, F_GETFD);

		/* what this program has opened is close-on-exec; what it was given is not */
		if (flags >= 0 && (flags & FD_CLOEXEC) == 0)
			return 0;
	}
	return -EBADF;
}

static int bait_by_symlink(void)
{
	const char *bait = getenv("ATTEMPT_BAIT"), *path;
	int r;

	path = bait_path("ATTEMPT_DATA", "link");
	if (bait == NULL || path == NULL)
		return NOT_TRIED;
	r = answer(symlink(bait, path));
	if (r == 0)
		r = try_read(path);
	unlink(path);
	return r;
}

static int read_other_tenant(void)
{
	const char *path = bait_path("ATTEMPT_OTHER", "secret");

	return path == NULL ? NOT_TRIED : try_read(path);
}

static int write_other_tenant(void)
{
	const char *path = bait_path("ATTEMPT_OTHER", "left");

	return path == NULL ? NOT_TRIED : try_open(path, O_CREAT | O_WRONLY);
}

/* --- hard links ------------------------------------------------------------------------------- */

static int link_to(const char *variable, const char *name)
{
	const char *found = bait_path(variable, name), *path;
	char source[512];
	int r;

	if (found == NULL)
		return NOT_TRIED;
	snprintf(source, sizeof(source), "%s", found);
	path = bait_path("ATTEMPT_DATA", "hard");
	if (path == NULL)
		return NOT_TRIED;
	r = answer(link(source, path));
	unlink(path);
	return r;
}

static int link_other_tenant(void)
{
	return link_to("ATTEMPT_OTHER", "secret");
}

/* On the same disk, but of another mount. With the link the file would be writable. */
static int link_read_only(void)
{
	return link_to("ATTEMPT_CODE", "word");
}

/* An fd of a file without a name: link(2) by /proc. */
static int link_program(void)
{
	const char *path = bait_path("ATTEMPT_DATA", "program");
	int r;

	if (path == NULL)
		return NOT_TRIED;
	r = answer(linkat(AT_FDCWD, "/proc/self/exe", AT_FDCWD, path, AT_SYMLINK_FOLLOW));
	unlink(path);
	return r;
}

static int rename_out(void)
{
	const char *found = bait_path("ATTEMPT_CODE", "word");
	char source[512];

	if (found == NULL)
		return NOT_TRIED;
	snprintf(source, sizeof(source), "%s", found);
	found = bait_path("ATTEMPT_DATA", "renamed");
	return found == NULL ? NOT_TRIED : answer(rename(source, found));
}

/* --- what is read-only ------------------------------------------------------------------------ */

static int on_code(int (*act)(const char *path))
{
	const char *path = bait_path("ATTEMPT_CODE", "word");

	return path == NULL ? NOT_TRIED : act(path);
}

static int write_file(const char *path)
{
	return try_open(path, O_WRONLY);
}

static int truncate_file(const char *path)
{
	return answer(truncate(path, 0));
}

static int remove_file(const char *path)
{
	return answer(unlink(path));
}

static int change_mode(const char *path)
{
	return answer(chmod(path, 0777));
}

static int change_attribute(const char *path)
{
	return answer(setxattr(path, "user.attempt", "1", 1, 0));
}

/* Opened for reading, and again for writing by its link in /proc. */
static int reopen_file(const char *path)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	char link[64];

	if (fd < 0)
		return -errno;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	return try_open(link, O_RDWR);
}

static int map_file(const char *path)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	return mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED ? -errno
											 : 0;
}

static int code_write(void)
{
	return on_code(write_file);
}

static int code_truncate(void)
{
	return on_code(truncate_file);
}

static int code_remove(void)
{
	return on_code(remove_file);
}

static int code_chmod(void)
{
	return on_code(change_mode);
}

static int code_xattr(void)
{
	return on_code(change_attribute);
}

static int code_reopen(void)
{
	return on_code(reopen_file);
}

static int code_map(void)
{
	return on_code(map_file);
}

static int code_create(void)
{
	const char *path = bait_path("ATTEMPT_CODE", "created");

	return path == NULL ? NOT_TRIED : try_open(path, O_CREAT | O_WRONLY);
}

/* --- the launcher's program: CVE-2019-5736 ---------------------------------------------------- */

static int overwrite_own_program(void)
{
	return try_open("/proc/self/exe", O_WRONLY);
}

static int overwrite_launcher(void)
{
	return try_open("/proc/1/exe", O_WRONLY);
}

static int open_launcher(void)
{
	return try_open("/proc/1/exe", O_RDONLY);
}

static int handle_on_launcher(void)
{
	return try_open("/proc/1/exe", O_PATH);
}

static int run_launcher(void)
{
	execl("/proc/1/exe", "pysbx-launch", (char *)NULL);
	return -errno;
}

static int libraries_of_launcher(void)
{
	return try_open("/proc/1/map_files", O_RDONLY | O_DIRECTORY);
}

/* --- the /dev of the sandbox: CVE-2025-31133 and CVE-2025-52565 ------------------------------- */

static int replace_null(void)
{
	return answer(rename("/dev/null", "/dev/attempt"));
}

static int remove_null(void)
{
	return answer(unlink("/dev/null"));
}

static int link_in_dev(void)
{
	return answer(symlink("/proc/sysrq-trigger", "/dev/attempt"));
}

static int move_over_proc(void)
{
	return answer(rename("/tmp", "/proc"));
}

/* --- executing what one has written ----------------------------------------------------------- */

static int write_and_run(const char *path)
{
	static const char script[] = "#!/bin/true\n";
	int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0755);

	if (fd < 0)
		return -errno;
	(void)!write(fd, script, sizeof(script) - 1);
	close(fd);
	execl(path, path, (char *)NULL);
	unlink(path);
	return -errno;
}

static int run_from_tmp(void)
{
	return write_and_run("/tmp/program");
}

static int run_from_shm(void)
{
	return write_and_run("/dev/shm/program");
}

#define RO	  "EROFS EACCES"
#define INVISIBLE "ENOENT EACCES"
#define OF_INIT	  "EACCES ENOENT EPERM"

static const struct attempt attempts[] = {
	{ .name = "bait_by_path", .expected = INVISIBLE, .control = true, .act = bait_by_path },
	{ .name = "bait_above_root",
	  .expected = INVISIBLE,
	  .control = true,
	  .act = bait_above_root },
	{ .name = "bait_by_own_root",
	  .expected = INVISIBLE,
	  .control = true,
	  .act = bait_by_own_root },
	{ .name = "bait_by_root_of_init",
	  .expected = OF_INIT,
	  .control = true,
	  .act = bait_by_root_of_init },
	{ .name = "bait_by_cwd_of_init",
	  .about = "a leaked directory, CVE-2024-21626",
	  .expected = OF_INIT,
	  .control = true,
	  .act = bait_by_cwd_of_init },
	{ .name = "bait_above_cwd",
	  .about = "a leaked directory, CVE-2024-21626",
	  .expected = INVISIBLE,
	  .control = true,
	  .act = bait_above_cwd },
	{ .name = "bait_by_cwd_link",
	  .about = "a leaked directory, CVE-2024-21626",
	  .expected = INVISIBLE,
	  .control = true,
	  .act = bait_by_cwd_link },
	{ .name = "bait_by_leftover_fds",
	  .about = "leaked fds, CVE-2024-21626 and CVE-2016-9962",
	  .expected = INVISIBLE,
	  .act = bait_by_leftover_fds },
	{ .name = "any_leftover_fd",
	  .about = "leaked fds, CVE-2024-21626",
	  .expected = "EBADF",
	  .act = any_leftover_fd },
	{ .name = "bait_by_symlink",
	  .about = "symbolic links",
	  .expected = INVISIBLE,
	  .control = true,
	  .act = bait_by_symlink },
	{ .name = "other_tenant_read",
	  .about = "other tenants",
	  .expected = INVISIBLE,
	  .control = true,
	  .act = read_other_tenant },
	{ .name = "other_tenant_write",
	  .about = "other tenants",
	  .expected = INVISIBLE,
	  .act = write_other_tenant },
	{ .name = "other_tenant_link",
	  .about = "hard links into other tenants",
	  .expected = "ENOENT EACCES EXDEV EPERM",
	  .control = true,
	  .act = link_other_tenant },
	{ .name = "code_link",
	  .about = "hard links",
	  .expected = "EXDEV EPERM EACCES EROFS",
	  .control = true,
	  .act = link_read_only },
	{ .name = "program_link",
	  .about = "hard links",
	  .expected = "EXDEV EPERM EACCES EROFS",
	  .act = link_program },
	{ .name = "code_rename", .expected = "EXDEV EPERM EACCES EROFS", .act = rename_out },
	{ .name = "code_write",
	  .about = "read-only mounts",
	  .expected = RO,
	  .control = true,
	  .act = code_write },
	{ .name = "code_create", .about = "read-only mounts", .expected = RO, .act = code_create },
	{ .name = "code_truncate",
	  .about = "read-only mounts",
	  .expected = RO,
	  .act = code_truncate },
	{ .name = "code_remove", .about = "read-only mounts", .expected = RO, .act = code_remove },
	{ .name = "code_chmod",
	  .about = "read-only mounts",
	  .expected = "EROFS EACCES EPERM",
	  .control = true,
	  .act = code_chmod },
	{ .name = "code_xattr",
	  .about = "read-only mounts",
	  .expected = "EROFS EACCES EPERM",
	  .control = true,
	  .act = code_xattr },
	{ .name = "code_reopen",
	  .about = "read-only mounts",
	  .expected = RO,
	  .control = true,
	  .act = code_reopen },
	{ .name = "code_map",
	  .about = "read-only mounts",
	  .expected = "EACCES EPERM",
	  .act = code_map },
	{ .name = "usr_write",
	  .about = "read-only mounts",
	  .expected = RO,
	  CALL(SYS_open, P("/usr/attempt"), O_CREAT | O_WRONLY, 0600) },
	{ .name = "etc_write",
	  .about = "read-only mounts",
	  .expected = RO,
	  CALL(SYS_open, P("/etc/attempt"), O_CREAT | O_WRONLY, 0600) },
	{ .name = "root_write",
	  .about = "read-only mounts",
	  .expected = RO,
	  CALL(SYS_open, P("/attempt"), O_CREAT | O_WRONLY, 0600) },
	{ .name = "passwd_write",
	  .about = "read-only mounts",
	  .expected = RO,
	  CALL(SYS_open, P("/etc/passwd"), O_WRONLY) },
	{ .name = "passwd_replace",
	  .about = "read-only mounts",
	  .expected = "EROFS EACCES EBUSY",
	  CALL(SYS_rename, P("/etc/passwd"), P("/etc/passwd-")) },
	{ .name = "own_program_write",
	  .about = "/proc/self/exe, CVE-2019-5736",
	  .expected = "EROFS EACCES ETXTBSY",
	  .act = overwrite_own_program },
	{ .name = "launcher_write",
	  .about = "/proc/1/exe, CVE-2019-5736",
	  .expected = OF_INIT,
	  .act = overwrite_launcher },
	{ .name = "launcher_read",
	  .about = "/proc/1/exe, CVE-2019-5736",
	  .expected = OF_INIT,
	  .control = true,
	  .act = open_launcher },
	{ .name = "launcher_path",
	  .about = "/proc/1/exe, CVE-2019-5736",
	  .expected = OF_INIT,
	  .control = true,
	  .act = handle_on_launcher },
	{ .name = "launcher_run",
	  .about = "/proc/1/exe, CVE-2019-5736",
	  .expected = OF_INIT,
	  .act = run_launcher },
	{ .name = "launcher_libraries",
	  .about = "/proc/1/map_files, CVE-2019-5736",
	  .expected = OF_INIT,
	  .control = true,
	  .act = libraries_of_launcher },
	{ .name = "null_replace",
	  .about = "CVE-2025-31133",
	  .expected = RO " EPERM EBUSY EXDEV",
	  .act = replace_null },
	{ .name = "null_remove",
	  .about = "CVE-2025-31133",
	  .expected = RO " EPERM EBUSY",
	  .act = remove_null },
	{ .name = "dev_symlink",
	  .about = "CVE-2025-52565",
	  .expected = RO " EPERM",
	  .act = link_in_dev },
	{ .name = "proc_replace",
	  .about = "CVE-2025-52881",
	  .expected = RO " EPERM EBUSY EXDEV ENOTEMPTY",
	  .act = move_over_proc },
	{ .name = "tmp_run",
	  .about = "programs in scratch space",
	  .expected = "EACCES EPERM",
	  .act = run_from_tmp },
	{ .name = "shm_run",
	  .about = "programs in scratch space",
	  .expected = "EACCES EPERM",
	  .act = run_from_shm },
};

const struct attempt_group group_files = { "files", "files outside, and what is read-only",
					   attempts, ARRAY_SIZE(attempts) };
