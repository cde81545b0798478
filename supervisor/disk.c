/* SPDX-License-Identifier: MIT */
/*
 * st_dev is the block device for ext4, xfs and their like. btrfs shows an anonymous device (major
 * 0) for each subvolume, and mountinfo a third number; so there the mount is found by its id
 * (statx, Linux 5.8) and its source taken, if that is a block device. What has none has no disk
 * that io.max could slow down.
 */
#include "supervisor/disk.h"

#include "policy/own.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define BLOCK_DIRECTORY	 "/sys/dev/block"
#define DEVICE_TEXT_MAX	 32
#define BLOCK_PATH_MAX	 512
#define OCTAL_ESCAPE_LEN 4 /* "\040" */

static bool read_device_number(const char *path, struct disk *ret)
{
	_cleanup_fclose_ FILE *file = fopen(path, "re");
	unsigned major, minor;
	char text[DEVICE_TEXT_MAX], *end;

	if (file == NULL || fgets(text, sizeof(text), file) == NULL)
		return false;
	major = (unsigned)strtoul(text, &end, 10);
	if (end == text || *end != ':')
		return false;
	minor = (unsigned)strtoul(end + 1, &end, 10);
	if (*end != '\n' && *end != '\0')
		return false;
	*ret = (struct disk){ major, minor };
	return true;
}

int disk_of_device(const char *block_directory, struct disk device, struct disk *ret,
		   struct error *err)
{
	char path[BLOCK_PATH_MAX];
	struct disk whole;

	snprintf(path, sizeof(path), "%s/%u:%u", block_directory, device.major, device.minor);
	if (access(path, F_OK) < 0)
		return error_set(err, ERROR_INVALID, 0, "%u:%u is no block device that %s knows",
				 device.major, device.minor, block_directory);
	snprintf(path, sizeof(path), "%s/%u:%u/partition", block_directory, device.major,
		 device.minor);
	if (access(path, F_OK) < 0) {
		*ret = device;
		return 0;
	}
	/* the entry is a symlink to .../block/sda/sda1, so ".." is the disk */
	snprintf(path, sizeof(path), "%s/%u:%u/../dev", block_directory, device.major,
		 device.minor);
	if (!read_device_number(path, &whole))
		return error_set(err, ERROR_SYSTEM, 0, "%s cannot be read", path);
	*ret = whole;
	return 0;
}

/* The next word of a mountinfo line, its octal escapes undone (proc(5)); false at the end. One that
 * does not fit is cut. */
static bool next_word(const char **line, char *word)
{
	size_t length = 0;
	const char *at = *line + strspn(*line, " ");

	if (*at == '\0' || *at == '\n')
		return false;
	while (*at != '\0' && *at != ' ' && *at != '\n') {
		char c = *at++;

		if (c == '\\' && strspn(at, "01234567") >= OCTAL_ESCAPE_LEN - 1) {
			c = (char)((at[0] - '0') * 64 + (at[1] - '0') * 8 + (at[2] - '0'));
			at += OCTAL_ESCAPE_LEN - 1;
		}
		if (length < MOUNT_TEXT_MAX - 1)
			word[length++] = c;
	}
	word[length] = '\0';
	*line = at;
	return true;
}

bool disk_read_mount_line(const char *line, uint64_t mount_id, struct mount_line *ret)
{
	struct mount_line found;
	char word[MOUNT_TEXT_MAX];
	char *end;

	/* "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw": any number of optional
	 * fields ends with the dash */
	if (!next_word(&line, word))
		return false;
	if (strtoull(word, &end, 10) != mount_id || end == word || *end != '\0')
		return false;
	while (next_word(&line, word))
		if (strcmp(word, "-") == 0) {
			if (!next_word(&line, found.type) || !next_word(&line, found.source))
				return false;
			*ret = found;
			return true;
		}
	return false;
}

static int find_mount(const char *path, struct mount_line *ret, struct error *err)
{
	_cleanup_fclose_ FILE *file = fopen("/proc/self/mountinfo", "re");
	_cleanup_free_ char *line = NULL;
	struct statx stx;
	size_t size = 0;

	if (file == NULL)
		return error_set(err, ERROR_SYSTEM, errno, "%s: /proc/self/mountinfo", path);
	if (statx(AT_FDCWD, path, 0, STATX_MNT_ID, &stx) < 0 || (stx.stx_mask & STATX_MNT_ID) == 0)
		return error_set(err, ERROR_SYSTEM, errno, "%s: its mount cannot be found", path);
	while (getline(&line, &size, file) >= 0)
		if (disk_read_mount_line(line, stx.stx_mnt_id, ret))
			return 0;
	return error_set(err, ERROR_SYSTEM, 0, "%s: its mount is not in /proc/self/mountinfo",
			 path);
}

/* The device that a mount with an anonymous st_dev stands on. */
static int source_device(const char *path, struct disk *ret, struct error *err)
{
	struct mount_line mount = { 0 };
	struct stat st;
	int r;

	r = find_mount(path, &mount, err);
	if (r < 0)
		return r;
	if (mount.source[0] != '/' || stat(mount.source, &st) < 0 || !S_ISBLK(st.st_mode))
		return error_set(err, ERROR_INVALID, 0,
				 "%s is on %s, which has no disk of its own that could be limited",
				 path, mount.type);
	*ret = (struct disk){ major(st.st_rdev), minor(st.st_rdev) };
	return 0;
}

int disk_of_path(const char *path, struct disk *ret, struct error *err)
{
	struct disk device;
	struct stat st;
	int r;

	if (stat(path, &st) < 0 && (errno == ENOENT || errno == ENOTDIR))
		return error_set(err, ERROR_INVALID, 0, "%s does not exist", path);
	if (stat(path, &st) < 0)
		return error_set(err, ERROR_INVALID, errno, "%s", path);
	device = (struct disk){ major(st.st_dev), minor(st.st_dev) };
	if (S_ISBLK(st.st_mode)) {
		device = (struct disk){ major(st.st_rdev), minor(st.st_rdev) };
	} else if (device.major == 0) {
		r = source_device(path, &device, err);
		if (r < 0)
			return r;
	}
	r = disk_of_device(BLOCK_DIRECTORY, device, ret, err);
	if (r < 0)
		error_prefix(err, "%s", path);
	return r;
}
