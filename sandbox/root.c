/* SPDX-License-Identifier: MIT */
/*
 * The new root is a small tmpfs. Each step of the plan puts one thing below it; a table says how.
 *
 * Nothing is done by path where somebody could exchange the path meanwhile (CVE-2021-30465 and its
 * kin): a source is opened once, without following a symbolic link, and cloned from that fd; its
 * attributes are set while it is still detached, in one step; a target is opened below the new root
 * as its root, and the mount is moved onto that fd.
 *
 * Mount points that are missing are made on file systems that were made here, never on the host's:
 * a target within a bind must exist there.
 */
#include "sandbox/root.h"

#include "policy/own.h"
#include "policy/path.h"
#include "sandbox/mount.h"
#include "sandbox/pressure.h"

#include <assert.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

/* Where the new root stands until it is pivoted to, if the host's tree is the root: a directory
 * that every system has, and that is nobody's source. Sources are opened while it is covered. */
#define STAGING_DIRECTORY "/proc"
/* The root itself holds mount points and the plan's small files only. */
#define ROOT_SIZE   "8M"
#define ROOT_INODES "16384"

#define ALWAYS (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV)

struct root {
	const struct plan *plan;
	int fd;
	int host;			/* the top of the host's tree in a host view, else -1 */
	int pressure;			/* listens; -1: no step asked for it yet */
	dev_t own[PLAN_MOUNTS_MAX + 1]; /* file systems made here */
	size_t own_count;
	/* the directory of the last target, which is often the next one's as well */
	struct {
		int fd; /* -1: none */
		char path[PATH_MAX];
		bool own;
	} kept;
};

static uint64_t attributes_of(const struct mount_step *step, uint64_t base)
{
	if (step->flags & MOUNT_READ_ONLY)
		base |= MOUNT_ATTR_RDONLY;
	if (step->flags & MOUNT_NOEXEC)
		base |= MOUNT_ATTR_NOEXEC;
	return base;
}

/* --- targets ----------------------------------------------------------------------------------*/

static int root_remember(struct root *root, int tree, struct error *err)
{
	struct stat file;

	if (fstat(tree, &file) < 0)
		return error_set(err, ERROR_SYSTEM, errno, "fstat of a new mount");
	assert(root->own_count < ARRAY_SIZE(root->own));
	root->own[root->own_count++] = file.st_dev;
	return 0;
}

static bool is_own(const struct root *root, int directory)
{
	struct stat file;

	if (directory == root->fd)
		return true;
	if (fstat(directory, &file) < 0)
		return false;
	for (size_t i = 0; i < root->own_count; i++)
		if (root->own[i] == file.st_dev)
			return true;
	return false;
}

static int raise_not_own(const char *name, struct error *err)
{
	return error_set(err, ERROR_INVALID, ENOENT,
			 "\"%s\" must exist already in the directory of the host that is mounted "
			 "there: nothing is created on the host",
			 name);
}

/* The directory `name` in `parent`, made if need be. *made: parent has just been made; then it is
 * ours, and nothing is in it. */
static int open_or_make(const struct root *root, int parent, const char *name, bool *made,
			int *ret_fd, struct error *err)
{
	const int flags = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	int fd = -1;

	if (!*made) {
		fd = openat(parent, name, flags);
		*made = fd < 0 && errno == ENOENT;
		if (*made && !is_own(root, parent))
			return raise_not_own(name, err);
	}
	if (*made) {
		if (mkdirat(parent, name, 0755) < 0)
			return error_set(err, ERROR_SYSTEM, errno, "make directory \"%s\"", name);
		fd = openat(parent, name, flags);
	}
	if (fd < 0)
		return error_set(err, ERROR_SYSTEM, errno, "open directory \"%s\"", name);
	*ret_fd = fd;
	return 0;
}

/* Opens path (relative, of directories) component by component, and makes what is missing. */
static int open_all(const struct root *root, const char *path, int *ret_fd, struct error *err)
{
	_cleanup_close_ int opened = -1;
	int parent = root->fd;
	char name[NAME_MAX + 1];
	bool made = false;

	for (;;) {
		size_t length = strcspn(path, "/");
		int next = -1, r;

		if (length >= sizeof(name))
			return error_set(err, ERROR_INVALID, ENAMETOOLONG, "%s", path);
		memcpy(name, path, length);
		name[length] = '\0';
		r = open_or_make(root, parent, name, &made, &next, err);
		if (r < 0)
			return r;
		close_and_clear(&opened);
		opened = parent = next;
		if (path[length] == '\0')
			break;
		path += length + 1;
	}
	*ret_fd = TAKE_FD(opened);
	return 0;
}

/* Where something is to be put: `name` in the directory `parent`, which is the root's. */
struct spot {
	int parent;
	const char *name;
	bool own; /* things may be created there */
};

static int keep_directory(struct root *root, const char *directory, struct error *err)
{
	int r;

	close_and_clear(&root->kept.fd);
	r = mount_open_beneath(root->fd, directory + 1, &root->kept.fd, err);
	if (r == -ENOENT)
		r = open_all(root, directory + 1, &root->kept.fd, err);
	if (r < 0)
		return r;
	snprintf(root->kept.path, sizeof(root->kept.path), "%s", directory);
	root->kept.own = is_own(root, root->kept.fd);
	return 0;
}

/* A mount on it, or on what it lies in, hides the directory that is kept. */
static void forget_hidden(struct root *root, const char *target)
{
	if (root->kept.fd >= 0 && path_is_within(root->kept.path, target))
		close_and_clear(&root->kept.fd);
}

static int open_spot(struct root *root, const char *target, struct spot *ret, struct error *err)
{
	const char *slash = strrchr(target, '/');
	char directory[PATH_MAX];
	int r = 0;

	*ret = (struct spot){ .parent = root->fd, .name = slash + 1, .own = true };
	if (slash == target)
		return 0;
	snprintf(directory, sizeof(directory), "%.*s", (int)(slash - target), target);
	if (root->kept.fd < 0 || strcmp(root->kept.path, directory) != 0)
		r = keep_directory(root, directory, err);
	if (r < 0)
		return r;
	ret->parent = root->kept.fd;
	ret->own = root->kept.own;
	return 0;
}

/* open_spot for what is made there, not mounted. */
static int open_own_spot(struct root *root, const char *target, struct spot *ret, struct error *err)
{
	int r = open_spot(root, target, ret, err);

	if (r == 0 && !ret->own)
		return raise_not_own(ret->name, err);
	return r;
}

/* On what was there already, which may be anything. */
static int attach_to_existing(const struct spot *spot, int tree, struct error *err)
{
	_cleanup_close_ int mount_point = -1;
	int r = mount_open_beneath(spot->parent, spot->name, &mount_point, err);

	if (r == -ENOENT)
		return raise_not_own(spot->name, err);
	return r < 0 ? r : mount_attach(tree, mount_point, err);
}

/* Moves the mount to its target; its mount point, an empty directory or file, is made if need be.
 */
static int attach(struct root *root, int tree, const char *target, bool directory,
		  struct error *err)
{
	struct spot spot;
	bool made = false;
	int r;

	r = open_spot(root, target, &spot, err);
	if (r < 0)
		return r;
	if (spot.own) {
		r = directory ? mkdirat(spot.parent, spot.name, 0755)
			      : mknodat(spot.parent, spot.name, S_IFREG | 0444, 0);
		if (r < 0 && errno != EEXIST)
			return error_set(err, ERROR_SYSTEM, errno, "make the mount point");
		made = r == 0;
	}
	/* what was just made is what it is: nobody else is there yet */
	r = made ? mount_attach_at(tree, spot.parent, spot.name, err)
		 : attach_to_existing(&spot, tree, err);
	if (r == 0)
		forget_hidden(root, target);
	return r;
}

/* --- one function per kind --------------------------------------------------------------------*/

/* 1 with *ret_fd and *ret_file; 0 if the source is missing, but optional. */
static int open_source(const struct mount_step *step, int *ret_fd, struct stat *ret_file,
		       struct error *err)
{
	int r = mount_open_source(step->source, ret_fd, err);

	if (r == -ENOENT && (step->flags & MOUNT_OPTIONAL) != 0)
		return 0;
	if (r < 0)
		return r;
	if (fstat(*ret_fd, ret_file) < 0)
		return error_set(err, ERROR_SYSTEM, errno, "fstat of the source");
	return 1;
}

static int make_bind(struct root *root, const struct mount_step *step, struct error *err)
{
	_cleanup_close_ int source = -1, tree = -1;
	struct stat file;
	int r;

	r = open_source(step, &source, &file, err);
	if (r <= 0)
		return r;
	if (!S_ISDIR(file.st_mode) && !S_ISREG(file.st_mode) && !S_ISSOCK(file.st_mode))
		return error_set(err, ERROR_INVALID, 0, "source %s is no directory, file or socket",
				 step->source);
	r = mount_clone(source, S_ISDIR(file.st_mode), attributes_of(step, ALWAYS), &tree, err);
	return r < 0 ? r : attach(root, tree, step->target, S_ISDIR(file.st_mode), err);
}

/* Read-only keeps the node's mode and times from change; it does not keep a device from being
 * written to (fs/open.c takes write access to the mount for no special file). */
static int make_device(struct root *root, const struct mount_step *step, struct error *err)
{
	_cleanup_close_ int source = -1, tree = -1;
	struct stat file;
	int r;

	r = open_source(step, &source, &file, err);
	if (r <= 0)
		return r;
	if (!S_ISCHR(file.st_mode))
		return error_set(err, ERROR_INVALID, 0, "source %s is no character device",
				 step->source);
	r = mount_clone(source, false, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_RDONLY,
			&tree, err);
	return r < 0 ? r : attach(root, tree, step->target, false, err);
}

static int make_tmpfs(struct root *root, const struct mount_step *step, struct error *err)
{
	_cleanup_close_ int tree = -1;
	char size[24], inodes[24], mode[8], uid[12], gid[12];
	const struct mount_option options[] = {
		{ "size", size }, { "nr_inodes", inodes }, { "mode", mode },
		{ "uid", uid },	  { "gid", gid },
	};
	int r;

	/* a file that holds anything takes a page; some more for directories and empty files, whose
	 * inodes cost kernel memory */
	snprintf(inodes, sizeof(inodes), "%" PRIu64, step->size / 4096 + 1024);
	snprintf(size, sizeof(size), "%" PRIu64, step->size);
	snprintf(mode, sizeof(mode), "%" PRIo32, step->mode);
	snprintf(uid, sizeof(uid), "%u", root->plan->uid);
	snprintf(gid, sizeof(gid), "%u", root->plan->gid);
	r = mount_create("tmpfs", options, ARRAY_SIZE(options), attributes_of(step, ALWAYS), &tree,
			 err);
	if (r == 0)
		r = attach(root, tree, step->target, true, err);
	return r < 0 ? r : root_remember(root, tree, err);
}

static int make_proc(struct root *root, const struct mount_step *step, struct error *err)
{
	static const struct mount_option options[] = {
		{ "source", "proc" },
		{ "hidepid", "invisible" },
		{ "subset", "pid" },
	};
	_cleanup_close_ int tree = -1;
	int r;

	r = mount_create("proc", options, ARRAY_SIZE(options), ALWAYS | MOUNT_ATTR_NOEXEC, &tree,
			 err);
	return r < 0 ? r : attach(root, tree, step->target, true, err);
}

static int make_devpts(struct root *root, const struct mount_step *step, struct error *err)
{
	static const struct mount_option options[] = {
		{ "source", "devpts" }, { "newinstance", NULL }, { "ptmxmode", "0666" },
		{ "mode", "0620" },	{ "max", "64" }, /* kernel.pty.max is one number for the
							    whole machine */
	};
	_cleanup_close_ int tree = -1;
	int r;

	r = mount_create("devpts", options, ARRAY_SIZE(options),
			 MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, &tree, err);
	return r < 0 ? r : attach(root, tree, step->target, true, err);
}

/* The leaf that the worker lives in has no limits of its own, those are its parent's. Nothing else
 * of the host's cgroups may be shown, whatever path the plan has. */
static int make_cgroup(struct root *root, const struct mount_step *step, struct error *err)
{
	_cleanup_close_ int source = -1, tree = -1;
	struct stat wanted, found;
	int r;

	r = mount_open_source(step->source, &source, err);
	if (r < 0)
		return r;
	if (fstatat(LAUNCH_FD_CGROUP, "..", &wanted, 0) < 0 || fstat(source, &found) < 0)
		return error_set(err, ERROR_SYSTEM, errno, "find the app's cgroup");
	if (found.st_dev != wanted.st_dev || found.st_ino != wanted.st_ino)
		return error_set(err, ERROR_SYSTEM, ESTALE, "%s is not the app's cgroup",
				 step->source);
	r = mount_clone(source, false, ALWAYS | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_RDONLY, &tree, err);
	return r < 0 ? r : attach(root, tree, step->target, true, err);
}

static int make_symlink(struct root *root, const struct mount_step *step, struct error *err)
{
	struct spot spot;
	int r = open_own_spot(root, step->target, &spot, err);

	if (r == 0 && symlinkat(step->source, spot.parent, spot.name) < 0)
		return error_set(err, ERROR_SYSTEM, errno, "make symbolic link to %s",
				 step->source);
	return r;
}

static int make_file(struct root *root, const struct mount_step *step, struct error *err)
{
	struct spot spot;
	_cleanup_close_ int fd = -1;
	const char *rest = step->content;
	int r;

	r = open_own_spot(root, step->target, &spot, err);
	if (r < 0)
		return r;
	fd = openat(spot.parent, spot.name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444);
	if (fd < 0)
		return error_set(err, ERROR_SYSTEM, errno, "create file");
	for (size_t left = strlen(rest); left > 0;) {
		ssize_t n = write(fd, rest, left);

		if (n < 0)
			return error_set(err, ERROR_SYSTEM, errno, "write file");
		rest += n;
		left -= (size_t)n;
	}
	return 0;
}

/* One that is there already, as the parent of an earlier step, gets the mode. */
static int make_directory(struct root *root, const struct mount_step *step, struct error *err)
{
	struct spot spot;
	_cleanup_close_ int fd = -1;
	int r;

	r = open_own_spot(root, step->target, &spot, err);
	if (r < 0)
		return r;
	if (mkdirat(spot.parent, spot.name, step->mode) == 0)
		return 0;
	if (errno != EEXIST)
		return error_set(err, ERROR_SYSTEM, errno, "make directory");
	fd = openat(spot.parent, spot.name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return error_set(err, ERROR_SYSTEM, errno, "open directory");
	if (!is_own(root, fd))
		return raise_not_own(spot.name, err);
	if (fchmod(fd, step->mode) < 0)
		return error_set(err, ERROR_SYSTEM, errno, "change mode");
	return 0;
}

static int make_pressure(struct root *root, const struct mount_step *step, struct error *err)
{
	struct spot spot;
	int r;

	if (root->pressure >= 0)
		return error_set(err, ERROR_INVALID, 0, "there is one already");
	r = open_own_spot(root, step->target, &spot, err);
	return r < 0 ? r : pressure_listen(spot.parent, spot.name, &root->pressure, err);
}

static int (*const makers[])(struct root *root, const struct mount_step *step,
			     struct error *err) = {
	[MOUNT_BIND] = make_bind,     [MOUNT_TMPFS] = make_tmpfs,
	[MOUNT_PROC] = make_proc,     [MOUNT_DEVPTS] = make_devpts,
	[MOUNT_DEVICE] = make_device, [MOUNT_SYMLINK] = make_symlink,
	[MOUNT_FILE] = make_file,     [MOUNT_DIRECTORY] = make_directory,
	[MOUNT_CGROUP] = make_cgroup, [MOUNT_PRESSURE] = make_pressure,
};
static_assert(ARRAY_SIZE(makers) == MOUNT_KIND_COUNT, "a maker for each kind");

/* --- the whole --------------------------------------------------------------------------------*/

/* In a host view (supervisor/host_view.h): the host's tree becomes what absolute paths are looked
 * up in, and *ret_place the empty directory that it lies below. */
static int enter_host(struct root *root, int *ret_place, struct error *err)
{
	const int flags = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	_cleanup_close_ int place = open("/", flags);

	root->host = open(PLAN_HOST_DIRECTORY, flags);
	if (place < 0 || root->host < 0 || fchdir(root->host) < 0 || chroot(".") < 0)
		return error_set(err, ERROR_SYSTEM, errno, "enter the host's tree");
	*ret_place = TAKE_FD(place);
	return 0;
}

/* Where the new root is put. */
static int open_place(struct root *root, int *ret_place, struct error *err)
{
	if (root->plan->host_view)
		return enter_host(root, ret_place, err);
	return mount_open_source(STAGING_DIRECTORY, ret_place, err);
}

static int open_root(struct root *root, struct error *err)
{
	static const struct mount_option options[] = {
		{ "source", "pysbx" },
		{ "size", ROOT_SIZE },
		{ "nr_inodes", ROOT_INODES },
		{ "mode", "0755" },
	};
	_cleanup_close_ int place = -1;
	int r;

	r = mount_create("tmpfs", options, ARRAY_SIZE(options), ALWAYS | MOUNT_ATTR_NOEXEC,
			 &root->fd, err);
	if (r == 0)
		r = root_remember(root, root->fd, err);
	if (r == 0)
		r = open_place(root, &place, err);
	return r < 0 ? r : mount_attach(root->fd, place, err);
}

/* pivot_root(2), "pivot_root(".", ".")": the old root ends up on top of the new one, and goes. The
 * working directory moves with it, so that no name leads back (CVE-2024-21626). */
static int pivot(const struct root *root, struct error *err)
{
	if (fchdir(root->fd) < 0)
		return error_set(err, ERROR_SYSTEM, errno, "enter the new root");
	if (syscall(SYS_pivot_root, ".", ".") < 0)
		return error_set(err, ERROR_SYSTEM, errno, "pivot_root");
	return mount_detach(".", err);
}

/* The new root covers the empty directory already, which is all that is left below it when the
 * host's tree is gone: nothing to pivot. */
static int leave_host(const struct root *root, struct error *err)
{
	int r;

	if (fchdir(root->host) < 0)
		return error_set(err, ERROR_SYSTEM, errno, "enter the host's tree");
	r = mount_detach(".", err);
	if (r < 0)
		return r;
	if (fchdir(root->fd) < 0 || chroot(".") < 0)
		return error_set(err, ERROR_SYSTEM, errno, "enter the new root");
	return 0;
}

static int enter(const struct root *root, struct error *err)
{
	int r = root->plan->host_view ? leave_host(root, err) : pivot(root, err);

	if (r == 0 && chdir("/") < 0)
		return error_set(err, ERROR_SYSTEM, errno, "chdir /");
	return r < 0 ? r : mount_make_read_only(root->fd, err);
}

static int build(struct root *root, struct error *err)
{
	int r = open_root(root, err);

	for (size_t i = 0; r == 0 && i < root->plan->mount_count; i++) {
		const struct mount_step *step = &root->plan->mounts[i];

		r = makers[step->kind](root, step, err);
		if (r < 0)
			error_prefix(err, "mount %s", step->target);
	}
	return r < 0 ? r : enter(root, err);
}

int root_build(struct launcher *launcher, struct error *err)
{
	_cleanup_free_ struct root *root = calloc(1, sizeof(*root));
	int r;

	if (root == NULL)
		return error_no_memory(err);
	root->plan = launcher->plan;
	root->fd = root->host = root->kept.fd = root->pressure = -1;
	r = build(root, err);
	launcher->pressure = root->pressure;
	close_and_clear(&root->kept.fd);
	close_and_clear(&root->host);
	close_and_clear(&root->fd);
	return r;
}
