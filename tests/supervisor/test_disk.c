/* SPDX-License-Identifier: MIT */
#include "policy/own.h"
#include "supervisor/disk.h"
#include "tests/supervisor/tree.h"

#include <sys/sysmacros.h>
#include <sys/vfs.h>

TestSuite(disk, .init = tree_make, .fini = tree_remove);

static const struct disk untouched = { 999, 998 };

/* As sysfs has it: /sys/dev/block/8:1 -> ../../devices/pci/block/sda/sda1 */
static void make_sysfs(void)
{
	tree_file("devices/pci/block/sda/dev", 0444, "8:0\n");
	tree_file("devices/pci/block/sda/sda1/dev", 0444, "8:1\n");
	tree_file("devices/pci/block/sda/sda1/partition", 0444, "1\n");
	tree_file("devices/virtual/block/dm-0/dev", 0444, "253:0\n");
	tree_file("devices/bad/block/sdb/dev", 0444, "no number\n");
	tree_file("devices/bad/block/sdb/sdb1/partition", 0444, "1\n");
	tree_link("dev/block/8:0", "../../devices/pci/block/sda");
	tree_link("dev/block/8:1", "../../devices/pci/block/sda/sda1");
	tree_link("dev/block/253:0", "../../devices/virtual/block/dm-0");
	tree_link("dev/block/8:17", "../../devices/bad/block/sdb/sdb1");
}

Test(disk, a_partition_is_on_its_disk_and_a_disk_on_itself)
{
	static const struct {
		struct disk device, whole;
	} samples[] = {
		{ { 8, 1 }, { 8, 0 } },
		{ { 8, 0 }, { 8, 0 } },
		{ { 253, 0 }, { 253, 0 } },
	};

	make_sysfs();
	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		struct disk whole = untouched;
		struct error err;

		cr_assert_eq(
			disk_of_device(tree_path("dev/block"), samples[i].device, &whole, &err), 0,
			"%s", err.text);
		cr_expect_eq(whole.major, samples[i].whole.major);
		cr_expect_eq(whole.minor, samples[i].whole.minor);
	}
}

Test(disk, a_device_that_sysfs_lacks_or_garbles_is_an_error)
{
	static const struct disk devices[] = { { 9, 9 }, { 8, 2 }, { 8, 17 } };

	make_sysfs();
	for (size_t i = 0; i < ARRAY_SIZE(devices); i++) {
		struct disk whole = untouched;
		struct error err;

		cr_expect_lt(disk_of_device(tree_path("dev/block"), devices[i], &whole, &err), 0);
		cr_expect_eq(whole.major, untouched.major);
		cr_expect_eq(whole.minor, untouched.minor);
	}
}

Test(disk, finds_source_and_type_of_a_mount_by_its_id)
{
	static const struct {
		const char *line, *type, *source;
	} samples[] = {
		{ "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root "
		  "rw,errors=continue\n",
		  "ext3", "/dev/root" },
		{ "36 35 0:50 / /a rw shared:1 master:2 unbindable - btrfs /dev/vda2 "
		  "rw,subvol=/@\n",
		  "btrfs", "/dev/vda2" },
		{ "36 35 0:50 / / rw - overlay overlay rw,lowerdir=/l\n", "overlay", "overlay" },
		{ "36 35 0:50 / /a\\040b rw - nfs4 server:/my\\040export rw\n", "nfs4",
		  "server:/my export" },
		{ "36 35 0:50 / /a rw - tmpfs tmpfs", "tmpfs", "tmpfs" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		struct mount_line mount;

		cr_assert(disk_read_mount_line(samples[i].line, 36, &mount), "%s", samples[i].line);
		cr_expect_str_eq(mount.type, samples[i].type);
		cr_expect_str_eq(mount.source, samples[i].source);
		cr_expect_not(disk_read_mount_line(samples[i].line, 35, &mount));
		cr_expect_not(disk_read_mount_line(samples[i].line, 3, &mount));
	}
}

Test(disk, a_broken_mount_line_is_none)
{
	static const char *const lines[] = {
		"",
		"\n",
		"36",
		"36 35 98:0 / / rw",
		"36 - ext4\n",
		"36x 35 98:0 / / rw - ext4 /dev/sda1 rw\n",
		"36 -\n",
		"x 35 98:0 / / rw - ext4 /dev/sda1 rw\n",
	};

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		struct mount_line mount = { .type = "untouched" };

		cr_expect_not(disk_read_mount_line(lines[i], 36, &mount), "%s", lines[i]);
		cr_expect_str_eq(mount.type, "untouched");
	}
}

Test(disk, a_long_source_is_cut_and_not_overrun)
{
	struct mount_line mount;
	char line[2000] = "36 35 0:1 / / rw - fuse ";
	size_t start = strlen(line);

	memset(line + start, 's', sizeof(line) - start - 1);
	line[sizeof(line) - 1] = '\0';
	cr_assert(disk_read_mount_line(line, 36, &mount));
	cr_expect_eq(strlen(mount.source), MOUNT_TEXT_MAX - 1);
}

Test(disk, a_path_that_does_not_exist_says_so)
{
	struct disk disk = untouched;
	struct error err;

	cr_assert_lt(disk_of_path("/nonexistent/x", &disk, &err), 0);
	cr_expect_eq(err.kind, ERROR_INVALID);
	cr_expect_str_eq(err.text, "/nonexistent/x does not exist");
	cr_expect_eq(disk.major, untouched.major);
}

Test(disk, a_file_system_without_a_disk_is_named)
{
	struct disk disk = untouched;
	struct error err;

	cr_assert_lt(disk_of_path("/proc/self/status", &disk, &err), 0);
	cr_expect_eq(err.kind, ERROR_INVALID);
	cr_expect_str_eq(err.text, "/proc/self/status is on proc, which has no disk of its own "
				   "that could be limited");
	cr_expect_eq(disk.major, untouched.major);
}

Test(disk, the_disk_of_a_real_path_is_one_that_the_kernel_lists)
{
	struct disk disk = untouched;
	struct error err;
	struct stat st;
	char path[64];

	cr_assert_eq(stat("/usr", &st), 0);
	if (major(st.st_dev) == 0)
		cr_skip_test("/usr is on no block device here");
	cr_assert_eq(disk_of_path("/usr", &disk, &err), 0, "%s", err.text);
	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u", disk.major, disk.minor);
	cr_expect_eq(access(path, F_OK), 0);
	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/partition", disk.major, disk.minor);
	cr_expect_eq(access(path, F_OK), -1);
}

/* "DEVNAME=vda" in uevent: the kernel's name for the node in /dev. */
static bool find_node(struct disk disk, char *node, size_t size)
{
	char path[64], line[128];
	bool found = false;
	FILE *file;

	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/uevent", disk.major, disk.minor);
	file = fopen(path, "re");
	while (file != NULL && !found && fgets(line, sizeof(line), file) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		found = strncmp(line, "DEVNAME=", 8) == 0;
		snprintf(node, size, "/dev/%s", line + 8);
	}
	if (file != NULL)
		fclose(file);
	return found && access(node, F_OK) == 0;
}

Test(disk, a_block_device_stands_for_itself)
{
	struct disk disk = untouched, again = untouched;
	struct error err;
	char node[160];

	if (disk_of_path("/usr", &disk, &err) < 0 || !find_node(disk, node, sizeof(node)))
		cr_skip_test("no node in /dev for the disk of /usr");
	cr_assert_eq(disk_of_path(node, &again, &err), 0, "%s", err.text);
	cr_expect_eq(again.major, disk.major);
	cr_expect_eq(again.minor, disk.minor);
}
