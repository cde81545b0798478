/* SPDX-License-Identifier: MIT */
/*
 * Changing what is seen of the file system. Nearly every escape that is not a hole in the kernel
 * begins with a mount.
 */
#include "tests/system/attempts/attempt.h"

#include "policy/own.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef OPEN_TREE_CLONE
#define OPEN_TREE_CLONE 1
#endif

static const struct mount_attr writable = { .attr_clr = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID };

/* Through a directory held open, with the root moved below it: the classic. */
static int leave_chroot(void)
{
	_cleanup_close_ int root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	(void)mkdir("/tmp/jail", 0700);
	if (root < 0 || chroot("/tmp/jail") < 0 || fchdir(root) < 0)
		return -errno;
	for (int i = 0; i < 64; i++)
		if (chdir("..") < 0)
			return -errno;
	(void)rmdir("tmp/jail");
	return answer(chroot("."));
}

/* The high half of a register is no argument of the kernel's, but a filter may look at it. */
static int remount_with_high_bits(void)
{
	return answer(syscall(SYS_mount, NULL, "/", NULL,
			      MS_REMOUNT | MS_BIND | MS_NOATIME | 1L << 32, NULL));
}

/* release_agent is a file of cgroup v1: its program is run by the kernel, as root, outside. */
static int mount_cgroup_v1(void)
{
	static const char *const controllers[] = { "rdma", "misc", "memory", "cpu" };
	int r = -EPERM;

	for (size_t i = 0; i < ARRAY_SIZE(controllers); i++) {
		r = answer(mount("none", "/tmp", "cgroup", 0, controllers[i]));
		if (r == 0)
			break;
	}
	return r;
}

static const struct attempt attempts[] = {
	{ .name = "mount_tmpfs",
	  .control = true,
	  .door = true,
	  CALL(SYS_mount, P("none"), P("/tmp"), P("tmpfs")) },
	{ .name = "mount_bind",
	  .control = true,
	  CALL(SYS_mount, P("/usr"), P("/tmp"), 0, MS_BIND) },
	{ .name = "mount_proc",
	  .about = "masked paths: a whole /proc, without subset=pid",
	  .control = true,
	  CALL(SYS_mount, P("proc"), P("/tmp"), P("proc")) },
	{ .name = "mount_sysfs",
	  .about = "masked paths: /sys with its switches",
	  CALL(SYS_mount, P("sysfs"), P("/tmp"), P("sysfs")) },
	{ .name = "mount_cgroup2",
	  .about = "writing cgroup files",
	  CALL(SYS_mount, P("cgroup2"), P("/tmp"), P("cgroup2")) },
	{ .name = "mount_cgroup_v1",
	  .about = "release_agent, CVE-2022-0492",
	  .act = mount_cgroup_v1 },
	{ .name = "mount_overlay",
	  .about = "overlayfs, CVE-2021-3493 and CVE-2023-0386",
	  CALL(SYS_mount, P("overlay"), P("/tmp"), P("overlay"), 0,
	       P("lowerdir=/usr,upperdir=/tmp,workdir=/tmp")) },
	{ .name = "remount_writable", CALL(SYS_mount, 0, P("/usr"), 0, MS_REMOUNT | MS_BIND) },
	{ .name = "remount_with_high_bits", .act = remount_with_high_bits },
	{ .name = "make_shared",
	  .about = "propagation to the host",
	  .control = true,
	  CALL(SYS_mount, 0, P("/"), 0, MS_SHARED | MS_REC) },
	{ .name = "umount_tmp", CALL(SYS_umount2, P("/tmp"), MNT_DETACH) },
	{ .name = "umount_proc",
	  .about = "masked paths: what a mount covers",
	  CALL(SYS_umount2, P("/proc"), MNT_DETACH) },
	{ .name = "umount_root",
	  .about = "what the new root covers: the old one",
	  CALL(SYS_umount2, P("/"), MNT_DETACH) },
	{ .name = "open_tree",
	  .control = true,
	  .door = true,
	  CALL(SYS_open_tree, AT_FDCWD, P("/"), OPEN_TREE_CLONE) },
	{ .name = "fsopen", .control = true, .door = true, CALL(SYS_fsopen, P("tmpfs")) },
	{ .name = "fspick", .control = true, .door = true, CALL(SYS_fspick, AT_FDCWD, P("/")) },
	{ .name = "fsconfig",
	  .about = "fsconfig, CVE-2022-0185",
	  .door = true,
	  CALL(SYS_fsconfig, -1, 1) },
	{ .name = "fsmount", .door = true, CALL(SYS_fsmount, -1) },
	{ .name = "move_mount",
	  .door = true,
	  CALL(SYS_move_mount, AT_FDCWD, P("/usr"), AT_FDCWD, P("/tmp")) },
	{ .name = "mount_setattr",
	  .about = "mount flags, changed afterwards",
	  .door = true,
	  CALL(SYS_mount_setattr, AT_FDCWD, P("/usr"), 0, P(&writable), sizeof(writable)) },
	{ .name = "pivot_root", .door = true, CALL(SYS_pivot_root, P("/tmp"), P("/tmp")) },
	{ .name = "chroot", .control = true, .door = true, CALL(SYS_chroot, P("/tmp")) },
	{ .name = "leave_chroot",
	  .about = "chroot escape by an open directory",
	  .control = true,
	  .act = leave_chroot },
};

const struct attempt_group group_mounts = { "mounts", "a change of the file system that is seen",
					    attempts, ARRAY_SIZE(attempts) };
