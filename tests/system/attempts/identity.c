/* SPDX-License-Identifier: MIT */
/*
 * Becoming somebody else: ids, capabilities, set-id programs, and taking back what was given up.
 * ATTEMPT_CODE is a read-only directory of the app and ATTEMPT_DATA a writable one; both hold
 * copies of this program, made by root outside: "set-uid", "set-gid" and "file-caps".
 */
#include "tests/system/attempts/attempt.h"

#include "policy/own.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <signal.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define SET_ID_BITS 06000

/* --- ids -------------------------------------------------------------------------------------- */

static int become_root_by_setgroups(void)
{
	gid_t root = 0;

	return answer(setgroups(1, &root));
}

/* setfsuid has no errors: it returns who one was, and now is. */
static int become_root_for_files(void)
{
	setfsuid(0);
	return setfsuid((uid_t)-1) == 0 ? 0 : -EPERM;
}

static int become_root_group_for_files(void)
{
	setfsgid(0);
	return setfsgid((gid_t)-1) == 0 ? 0 : -EPERM;
}

/* --- capabilities ----------------------------------------------------------------------------- */

static int set_capabilities(unsigned permitted, unsigned inheritable)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = {
		{ .permitted = permitted, .effective = permitted, .inheritable = inheritable }
	};

	return answer(syscall(SYS_capset, &header, sets));
}

static int take_capabilities(void)
{
	return set_capabilities(1U << CAP_SYS_ADMIN | 1U << CAP_DAC_OVERRIDE, 0);
}

static int take_inheritable(void)
{
	return set_capabilities(0, 1U << CAP_NET_RAW);
}

/* Of any of the sets: what a runtime forgot to clear. */
static int has_any_capability(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = { 0 };
	bool any = false;

	if (syscall(SYS_capget, &header, sets) < 0)
		return -errno;
	for (size_t i = 0; i < ARRAY_SIZE(sets); i++)
		any |= (sets[i].permitted | sets[i].effective | sets[i].inheritable) != 0;
	return any ? 0 : -EPERM;
}

static int has_bounding_set(void)
{
	for (unsigned long capability = 0; capability <= CAP_LAST_CAP; capability++)
		if (prctl(PR_CAPBSET_READ, capability, 0, 0, 0) == 1)
			return 0;
	return -EPERM;
}

static int raise_ambient(void)
{
	return answer(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_RAW, 0, 0));
}

/* --- programs that bring privileges ----------------------------------------------------------- */

/* A variable's program, asked what it has gained: 0 if anything. */
static int execute_bait(const char *directory, const char *name)
{
	const char *path = bait_path(directory, name);
	int status = 0;
	pid_t child;

	if (path == NULL)
		return NOT_TRIED;
	child = fork();
	if (child == 0) {
		execl(path, path, "--privileges", (char *)NULL);
		_exit(100 + (errno == EPERM || errno == EACCES));
	}
	if (child < 0 || waitpid(child, &status, 0) < 0)
		return -errno;
	if (!WIFEXITED(status))
		return 1000 + WTERMSIG(status);
	if (WEXITSTATUS(status) == 100)
		return -ENOEXEC;
	return WEXITSTATUS(status) == 0 ? 0 : -EPERM;
}

static int run_set_uid(void)
{
	return execute_bait("ATTEMPT_CODE", "set-uid");
}

static int run_set_gid(void)
{
	return execute_bait("ATTEMPT_CODE", "set-gid");
}

static int run_file_caps(void)
{
	return execute_bait("ATTEMPT_CODE", "file-caps");
}

static int run_set_uid_in_data(void)
{
	return execute_bait("ATTEMPT_DATA", "set-uid");
}

/* --- leaving a set-id file behind, for an accomplice outside ---------------------------------- */

/* 0 if the file is there with a set-user-id bit, or with a set-group-id bit when it is to count. */
static int left_behind(const char *path, int result, mode_t bits)
{
	struct stat file;
	bool there = stat(path, &file) == 0 && (file.st_mode & bits) != 0;

	unlink(path);
	return there ? 0 : result < 0 ? result : -EPERM;
}

static int create_set_uid(void)
{
	const char *path = bait_path("ATTEMPT_DATA", "created");
	int r;

	if (path == NULL)
		return NOT_TRIED;
	umask(0);
	r = answer(syscall(SYS_openat, AT_FDCWD, path, O_CREAT | O_WRONLY, 06755));
	return left_behind(path, r, SET_ID_BITS);
}

static int creat_set_uid(void)
{
	const char *path = bait_path("ATTEMPT_DATA", "creat");
	int r;

	if (path == NULL)
		return NOT_TRIED;
	umask(0);
	r = answer(syscall(SYS_creat, path, 06755));
	return left_behind(path, r, SET_ID_BITS);
}

static int mknod_set_uid(void)
{
	const char *path = bait_path("ATTEMPT_DATA", "mknod");
	int r;

	if (path == NULL)
		return NOT_TRIED;
	umask(0);
	r = answer(mknod(path, S_IFREG | 06755, 0));
	return left_behind(path, r, SET_ID_BITS);
}

static const char *make_plain(const char *name, int *ret_fd)
{
	const char *path = bait_path("ATTEMPT_DATA", name);

	if (path != NULL)
		*ret_fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0755);
	return path;
}

static int chmod_set_uid(void)
{
	_cleanup_close_ int fd = -1;
	const char *path = make_plain("chmod", &fd);

	return path == NULL ? NOT_TRIED : left_behind(path, answer(chmod(path, 04755)), S_ISUID);
}

static int fchmod_set_uid(void)
{
	_cleanup_close_ int fd = -1;
	const char *path = make_plain("fchmod", &fd);

	return path == NULL ? NOT_TRIED : left_behind(path, answer(fchmod(fd, 04755)), S_ISUID);
}

static int fchmodat_set_uid(void)
{
	_cleanup_close_ int fd = -1;
	const char *path = make_plain("fchmodat", &fd);

	return path == NULL
		       ? NOT_TRIED
		       : left_behind(path, answer(fchmodat(AT_FDCWD, path, 04755, 0)), S_ISUID);
}

/* The kernel takes 16 bits of a mode; a filter may look at 64. */
static int chmod_with_high_bits(void)
{
	_cleanup_close_ int fd = -1;
	const char *path = make_plain("high", &fd);

	if (path == NULL)
		return NOT_TRIED;
	return left_behind(path, answer(syscall(SYS_chmod, path, 04755 | 1L << 32 | 1L << 20)),
			   S_ISUID);
}

static int tmpfile_set_uid(void)
{
	const char *path = bait_path("ATTEMPT_DATA", ".");
	_cleanup_close_ int fd = -1;
	struct stat file;

	if (path == NULL)
		return NOT_TRIED;
	umask(0);
	fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_TMPFILE | O_RDWR, 06755);
	if (fd < 0)
		return -errno;
	return fstat(fd, &file) == 0 && (file.st_mode & SET_ID_BITS) != 0 ? 0 : -EPERM;
}

static int set_file_caps(void)
{
	/* VFS_CAP_REVISION_2 with all permitted */
	static const unsigned char caps[20] = { 1, 0, 0, 2, 0xff, 0xff, 0xff, 0xff };
	_cleanup_close_ int fd = -1;
	const char *path = make_plain("caps", &fd);
	int r;

	if (path == NULL)
		return NOT_TRIED;
	r = answer(syscall(SYS_fsetxattr, fd, "security.capability", caps, sizeof(caps), 0));
	unlink(path);
	return r;
}

static int give_file_to_root(void)
{
	_cleanup_close_ int fd = -1;
	const char *path = make_plain("given", &fd);
	int r;

	if (path == NULL)
		return NOT_TRIED;
	r = geteuid() == 0 ? -EINVAL : answer(fchown(fd, 0, 0));
	unlink(path);
	return r;
}

/* --- taking back ------------------------------------------------------------------------------ */

static struct sock_filter allow_all[] = { BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW) };
static const struct sock_fprog allow_program = { ARRAY_SIZE(allow_all), allow_all };

/* A filter that allows all, laid over ours: the strictest one decides, so nothing is won. Nor does
 * it hide what ours would tell. */
static int mount_under_own_filter(void)
{
	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	(void)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &allow_program);
	return answer(mount("none", "/tmp", "tmpfs", 0, NULL));
}

static int install_filter(void)
{
	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	return answer(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &allow_program));
}

static int install_filter_by_prctl(void)
{
	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	return answer(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &allow_program, 0, 0));
}

/* A listener of its own would get the notifications that are meant for pysbx. */
static int install_listener(void)
{
	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	return answer(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
			      SECCOMP_FILTER_FLAG_NEW_LISTENER, &allow_program));
}

static int undo_no_new_privs(void)
{
	(void)prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0);
	return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0 ? 0 : -EINVAL;
}

static int undo_securebits(void)
{
	return answer(prctl(PR_SET_SECUREBITS, 0, 0, 0, 0));
}

static int raise_limit(int resource)
{
	struct rlimit limit;

	if (getrlimit((__rlimit_resource_t)resource, &limit) < 0)
		return -errno;
	limit.rlim_max = limit.rlim_max == RLIM_INFINITY ? RLIM_INFINITY : limit.rlim_max + 1;
	return answer(setrlimit((__rlimit_resource_t)resource, &limit));
}

static int raise_nofile(void)
{
	return raise_limit(RLIMIT_NOFILE);
}

static int raise_core(void)
{
	return raise_limit(RLIMIT_CORE);
}

static int raise_memlock(void)
{
	return raise_limit(RLIMIT_MEMLOCK);
}

static const struct attempt attempts[] = {
	{ .name = "setuid_root", .control = true, CALL(SYS_setuid, 0) },
	{ .name = "setresuid_root", .control = true, CALL(SYS_setresuid, 0, 0, 0) },
	{ .name = "setreuid_root", .control = true, CALL(SYS_setreuid, 0, 0) },
	{ .name = "setgid_root", .control = true, CALL(SYS_setgid, 0) },
	{ .name = "setgroups_root", .control = true, .act = become_root_by_setgroups },
	{ .name = "setfsuid_root", .control = true, .act = become_root_for_files },
	{ .name = "setfsgid_root", .control = true, .act = become_root_group_for_files },
	{ .name = "capset", .control = true, .act = take_capabilities },
	{ .name = "capset_inheritable",
	  .about = "inheritable capabilities, CVE-2022-27650",
	  .control = true,
	  .act = take_inheritable },
	{ .name = "any_capability",
	  .about = "capabilities that were left, CVE-2022-27650",
	  .control = true,
	  .act = has_any_capability },
	{ .name = "bounding_set", .control = true, .act = has_bounding_set },
	{ .name = "ambient", .act = raise_ambient },
	{ .name = "set_uid_program",
	  .about = "set-user-id programs",
	  .control = true,
	  .act = run_set_uid },
	{ .name = "set_gid_program",
	  .about = "set-user-id programs",
	  .control = true,
	  .act = run_set_gid },
	{ .name = "file_caps_program",
	  .about = "file capabilities",
	  .control = true,
	  .act = run_file_caps },
	{ .name = "set_uid_program_in_data",
	  .about = "set-user-id programs",
	  .control = true,
	  .act = run_set_uid_in_data },
	{ .name = "create_set_uid",
	  .about = "set-id files for an accomplice",
	  .control = true,
	  .act = create_set_uid },
	{ .name = "creat_set_uid",
	  .about = "set-id files for an accomplice",
	  .control = true,
	  .act = creat_set_uid },
	{ .name = "mknod_set_uid",
	  .about = "set-id files for an accomplice",
	  .control = true,
	  .act = mknod_set_uid },
	{ .name = "tmpfile_set_uid",
	  .about = "set-id files for an accomplice",
	  .control = true,
	  .act = tmpfile_set_uid },
	{ .name = "chmod_set_uid",
	  .about = "set-id files for an accomplice",
	  .control = true,
	  .act = chmod_set_uid },
	{ .name = "fchmod_set_uid",
	  .about = "set-id files for an accomplice",
	  .control = true,
	  .act = fchmod_set_uid },
	{ .name = "fchmodat_set_uid",
	  .about = "set-id files for an accomplice",
	  .control = true,
	  .act = fchmodat_set_uid },
	{ .name = "chmod_set_uid_with_high_bits",
	  .about = "set-id files for an accomplice",
	  .control = true,
	  .act = chmod_with_high_bits },
	{ .name = "set_file_caps",
	  .about = "file capabilities",
	  .control = true,
	  .act = set_file_caps },
	{ .name = "give_file_to_root", .act = give_file_to_root },
	{ .name = "no_new_privs_undo", .expected = "EINVAL EPERM", .act = undo_no_new_privs },
	{ .name = "securebits_undo", .control = true, .act = undo_securebits },
	{ .name = "seccomp_filter",
	  .about = "a filter of its own",
	  .control = true,
	  .door = true,
	  .act = install_filter },
	{ .name = "seccomp_filter_by_prctl",
	  .about = "a filter of its own",
	  .control = true,
	  .act = install_filter_by_prctl },
	{ .name = "seccomp_listener",
	  .about = "a filter of its own",
	  .control = true,
	  .door = true,
	  .act = install_listener },
	{ .name = "seccomp_overwrite",
	  .about = "a filter of its own",
	  .control = true,
	  .act = mount_under_own_filter },
	{ .name = "raise_nofile", .control = true, .act = raise_nofile },
	{ .name = "raise_core",
	  .about = "core handlers, run by the kernel as root",
	  .control = true,
	  .act = raise_core },
	{ .name = "raise_memlock", .control = true, .act = raise_memlock },
};

const struct attempt_group group_identity = { "identity", "becoming somebody else", attempts,
					      ARRAY_SIZE(attempts) };
