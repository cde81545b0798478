/* SPDX-License-Identifier: MIT */
#include "sandbox/mount.h"

#include "policy/own.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>

#define KERNEL_MESSAGE_MAX 200
/* MNT_DETACH is in sys/mount.h alone, which glibc before 2.37 can't have beside linux/mount.h */
#define UMOUNT_DETACH 2

static int raise_errno(struct error *err, int errnum, const char *call)
{
	if (errnum == ENOSYS)
		return error_set(err, ERROR_UNSUPPORTED, ENOSYS,
				 "%s: pysbx needs Linux 5.14 or later", call);
	return error_set(err, ERROR_SYSTEM, errnum, "%s", call);
}

/* By syscall(2), these and those below: musl has functions for none of them. */
static int set_attributes(int dir, const char *path, unsigned flags, const struct mount_attr *attr)
{
	return (int)syscall(SYS_mount_setattr, dir, path, flags, attr, sizeof(*attr));
}

static int configure(int context, unsigned command, const char *key, const char *value)
{
	return (int)syscall(SYS_fsconfig, context, command, key, value, 0);
}

int mount_open_source(const char *path, int *ret_fd, struct error *err)
{
	const struct open_how how = {
		/* no O_NOFOLLOW: with it and O_PATH a link at the end would be opened itself */
		.flags = O_PATH | O_CLOEXEC,
		.resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	long fd = syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));

	if (fd < 0 && errno == ELOOP)
		return error_set(err, ERROR_SYSTEM, ELOOP,
				 "source %s is, or passes through, a symbolic link", path);
	if (fd < 0 && errno == ENOENT)
		return error_set(err, ERROR_SYSTEM, ENOENT, "source %s", path);
	if (fd < 0)
		return raise_errno(err, errno, "openat2 of the source");
	*ret_fd = (int)fd;
	return 0;
}

int mount_open_beneath(int root, const char *path, int *ret_fd, struct error *err)
{
	const struct open_how how = {
		.flags = O_PATH | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	long fd = syscall(SYS_openat2, root, path, &how, sizeof(how));

	if (fd < 0 && errno == ELOOP)
		return error_set(err, ERROR_SYSTEM, ELOOP,
				 "the target is, or passes through, a symbolic link");
	if (fd < 0)
		return raise_errno(err, errno, "openat2 of the target");
	*ret_fd = (int)fd;
	return 0;
}

int mount_clone(int source_fd, bool recursive, uint64_t attributes, int *ret_tree,
		struct error *err)
{
	const unsigned deep = recursive ? AT_RECURSIVE : 0;
	struct mount_attr attr = { .attr_set = attributes, .propagation = MS_PRIVATE };
	_cleanup_close_ int tree = -1;

	tree = (int)syscall(SYS_open_tree, source_fd, "",
			    AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | deep);
	if (tree < 0)
		return raise_errno(err, errno, "open_tree");
	if (set_attributes(tree, "", AT_EMPTY_PATH | deep, &attr) < 0)
		return raise_errno(err, errno, "mount_setattr");
	*ret_tree = TAKE_FD(tree);
	return 0;
}

/* What the kernel itself says about a bad option, such as "e tmpfs: Bad value for 'size'". */
static int raise_from_context(int context, struct error *err, const char *type)
{
	char message[KERNEL_MESSAGE_MAX];
	int errnum = errno;
	ssize_t n;

	n = read(context, message, sizeof(message) - 1);
	raise_errno(err, errnum, type);
	if (n > 0) {
		message[n] = '\0';
		message[strcspn(message, "\n")] = '\0';
		error_prefix(err, "%s", message);
	}
	return -errnum;
}

int mount_create(const char *type, const struct mount_option *options, size_t count,
		 uint64_t attributes, int *ret_tree, struct error *err)
{
	_cleanup_close_ int context = -1;
	int tree;

	context = (int)syscall(SYS_fsopen, type, FSOPEN_CLOEXEC);
	if (context < 0)
		return raise_errno(err, errno, "fsopen");
	for (size_t i = 0; i < count; i++) {
		unsigned command =
			options[i].value == NULL ? FSCONFIG_SET_FLAG : FSCONFIG_SET_STRING;

		if (configure(context, command, options[i].key, options[i].value) < 0)
			return raise_from_context(context, err, type);
	}
	if (configure(context, FSCONFIG_CMD_CREATE, NULL, NULL) < 0)
		return raise_from_context(context, err, type);
	tree = (int)syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC, (unsigned)attributes);
	if (tree < 0)
		return raise_from_context(context, err, type);
	*ret_tree = tree;
	return 0;
}

int mount_attach(int tree, int target_fd, struct error *err)
{
	if (syscall(SYS_move_mount, tree, "", target_fd, "",
		    MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
		return raise_errno(err, errno, "move_mount");
	return 0;
}

int mount_attach_at(int tree, int parent, const char *name, struct error *err)
{
	if (syscall(SYS_move_mount, tree, "", parent, name, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return raise_errno(err, errno, "move_mount");
	return 0;
}

int mount_make_read_only(int tree, struct error *err)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };

	if (set_attributes(tree, "", AT_EMPTY_PATH, &attr) < 0)
		return raise_errno(err, errno, "mount_setattr");
	return 0;
}

int mount_detach(const char *path, struct error *err)
{
	if (syscall(SYS_umount2, path, UMOUNT_DETACH) < 0)
		return raise_errno(err, errno, "umount2");
	return 0;
}

int mount_make_all_private(struct error *err)
{
	struct mount_attr attr = { .propagation = MS_PRIVATE };

	if (set_attributes(AT_FDCWD, "/", AT_RECURSIVE, &attr) < 0)
		return raise_errno(err, errno, "make all mounts private");
	return 0;
}
