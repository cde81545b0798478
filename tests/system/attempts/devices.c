/* SPDX-License-Identifier: MIT */
/*
 * Devices: those that are there, and those that one might make. ATTEMPT_DATA holds "node", a device
 * node that root has made there, open to everybody: /dev/zero by another name.
 */
#include "tests/system/attempts/attempt.h"

#include "policy/own.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define NO_NODE "ENOENT EACCES EPERM ENXIO"

static int make_node(const char *path, mode_t kind, unsigned major_, unsigned minor_)
{
	int r = answer(syscall(SYS_mknod, path, kind | 0600, makedev(major_, minor_)));

	unlink(path);
	return r;
}

static int make_disk(void)
{
	return make_node("/tmp/disk", S_IFBLK, 8, 0);
}

static int make_memory(void)
{
	return make_node("/tmp/memory", S_IFCHR, 1, 1);
}

/* Where a container's rules say which devices may be used, 0:0 may be made: overlayfs's whiteout.
 */
static int make_whiteout(void)
{
	return make_node("/tmp/whiteout", S_IFCHR, 0, 0);
}

static int make_in_data(void)
{
	const char *path = bait_path("ATTEMPT_DATA", "made");

	return path == NULL ? NOT_TRIED : make_node(path, S_IFCHR, 1, 5);
}

static int make_at(void)
{
	int r = answer(syscall(SYS_mknodat, AT_FDCWD, "/tmp/at", S_IFBLK | 0600, makedev(8, 0)));

	unlink("/tmp/at");
	return r;
}

/* Type and permissions are 16 bits; a filter may look at 64. */
static int make_with_high_bits(void)
{
	int r = answer(syscall(SYS_mknod, "/tmp/high", S_IFCHR | 0600 | 1L << 32, makedev(1, 5)));

	unlink("/tmp/high");
	return r;
}

static int use_node_in_data(void)
{
	const char *path = bait_path("ATTEMPT_DATA", "node");

	return path == NULL ? NOT_TRIED : try_open(path, O_RDONLY);
}

static int root_disk(void)
{
	static const char *const disks[] = { "/dev/nvme0n1", "/dev/vda", "/dev/sda", "/dev/vdb",
					     "/dev/block/259:0" };
	int r = -ENOENT;

	for (size_t i = 0; i < ARRAY_SIZE(disks) && r != 0; i++)
		r = try_open(disks[i], O_RDONLY);
	return r;
}

#define OPEN(path, flags) .expected = NO_NODE, CALL(SYS_open, P(path), flags)

static const struct attempt attempts[] = {
	{ .name = "mknod_disk", .control = true, .act = make_disk },
	{ .name = "mknod_memory", .control = true, .act = make_memory },
	{ .name = "mknod_whiteout", .control = true, .door = true, .act = make_whiteout },
	{ .name = "mknod_in_data", .control = true, .act = make_in_data },
	{ .name = "mknodat", .control = true, .act = make_at },
	{ .name = "mknod_with_high_bits", .control = true, .act = make_with_high_bits },
	{ .name = "node_in_data",
	  .about = "device nodes that are there",
	  .expected = "EACCES",
	  .control = true,
	  .act = use_node_in_data },
	{ .name = "root_disk",
	  .about = "the disk",
	  .expected = NO_NODE,
	  .control = true,
	  .act = root_disk },
	{ .name = "kmsg_read",
	  .about = "/dev/kmsg",
	  .control = true,
	  .door = true,
	  OPEN("/dev/kmsg", O_RDONLY) },
	{ .name = "kmsg_write",
	  .about = "/dev/kmsg: forged lines of the kernel",
	  .control = true,
	  OPEN("/dev/kmsg", O_WRONLY) },
	{ .name = "mem", .about = "/dev/mem", .control = true, OPEN("/dev/mem", O_RDWR) },
	{ .name = "port", .about = "/dev/port", OPEN("/dev/port", O_RDWR) },
	{ .name = "fuse", .about = "/dev/fuse", .door = true, OPEN("/dev/fuse", O_RDWR) },
	{ .name = "tun", .about = "/dev/net/tun", .door = true, OPEN("/dev/net/tun", O_RDWR) },
	{ .name = "kvm", .about = "/dev/kvm", .door = true, OPEN("/dev/kvm", O_RDWR) },
	{ .name = "loop_control",
	  .about = "/dev/loop-control",
	  .door = true,
	  OPEN("/dev/loop-control", O_RDWR) },
	{ .name = "userfaultfd_device",
	  .about = "/dev/userfaultfd",
	  .door = true,
	  OPEN("/dev/userfaultfd", O_RDWR) },
	{ .name = "hardware_random", .about = "/dev/hwrng", OPEN("/dev/hwrng", O_RDONLY) },
	{ .name = "console",
	  .about = "/dev/console, CVE-2025-52565",
	  .control = true,
	  OPEN("/dev/console", O_WRONLY | O_NOCTTY) },
	{ .name = "first_terminal",
	  .about = "terminals of others",
	  .control = true,
	  OPEN("/dev/ttyS0", O_WRONLY | O_NOCTTY | O_NONBLOCK) },
	{ .name = "virtual_terminal",
	  .about = "terminals of others",
	  OPEN("/dev/tty0", O_WRONLY | O_NOCTTY) },
	{ .name = "controlling_terminal",
	  .about = "terminals of others",
	  OPEN("/dev/tty", O_RDWR | O_NOCTTY) },
	{ .name = "host_ptys",
	  .about = "terminals of others",
	  OPEN("/dev/pts/0", O_WRONLY | O_NOCTTY) },
};

const struct attempt_group group_devices = { "devices", "devices and mknod", attempts,
					     ARRAY_SIZE(attempts) };
