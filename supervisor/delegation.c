/* SPDX-License-Identifier: MIT */
#include "supervisor/delegation.h"

#include "policy/own.h"
#include "supervisor/file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#define OWN_LEAF	    "pysbx-supervisor"
#define CLOSE_PATIENCE_MSEC 10000
#define ANCHOR_MARGIN_MSEC  2000
#define LOOK_AGAIN_MSEC	    1

/* --- a scope of systemd --------------------------------------------------------------------- */

static int begin_scope(const struct delegation_request *request, struct delegation *d,
		       struct error *err)
{
	char unit[RUN_ID_MAX + 32], description[RUN_ID_MAX + 64];
	int r;

	r = cgroup_check_mount(err);
	if (r < 0)
		return r;
	snprintf(unit, sizeof(unit), "pysbx-run-%s.scope", d->id);
	snprintf(description, sizeof(description), "pysbx run: %s", request->app);
	/* noted before it is made: what is killed in between is still found by the next run */
	snprintf(d->path, sizeof(d->path), CGROUP_MOUNT "/" SCOPE_SLICE "/%s", unit);
	r = runs_note_cgroup(d->lock_fd, d->path, err);
	if (r >= 0)
		r = scope_begin(request->bus, unit, description, d->anchor.pid,
				request->grace_usec + 5 * USEC_PER_SEC, NULL, &d->scope, err);
	return r;
}

static int open_scope(struct delegation *d, struct error *err)
{
	char below[CGROUP_PATH_MAX];
	int r;

	r = scope_finish(TAKE_PTR(d->scope), err);
	if (r >= 0)
		r = cgroup_of_process(d->anchor.pid, below, sizeof(below), err);
	if (r < 0)
		return r;
	if ((size_t)snprintf(d->path, sizeof(d->path), CGROUP_MOUNT "%s", below) >= sizeof(d->path))
		return error_set(err, ERROR_SYSTEM, ENAMETOOLONG, "cgroup path of the scope");
	r = cgroup_open(AT_FDCWD, d->path, &d->fd, err);
	if (r >= 0)
		r = cgroup_make(d->fd, ANCHOR_INIT_CGROUP, &d->init_fd, err);
	/* no process may stay in a cgroup whose children have controllers (cgroup-v2.rst,
	 * "No Internal Process Constraint") */
	if (r >= 0)
		r = cgroup_move(d->init_fd, d->anchor.pid, err);
	return r;
}

/* --- a directory ---------------------------------------------------------------------------- */

static bool count_process(pid_t pid, void *userdata)
{
	unsigned *others = userdata;

	if (pid != getpid())
		(*others)++;
	return true;
}

/* Our own cgroup can give controllers to its children only when no process is in it: we move to a
 * leaf below, if we and our anchor are alone. */
static int vacate_own_cgroup(struct delegation *d, const char *path, struct error *err)
{
	_cleanup_close_ int leaf = -1;
	unsigned others = 0;
	int r;

	r = cgroup_each_process(d->parent_fd, count_process, &others, err);
	if (r < 0)
		return r;
	if (others > 1)
		return error_set(
			err, ERROR_UNSUPPORTED, 0,
			"cgroup %s holds %u other processes, so it cannot give limits to a child: "
			"start pysbx alone in a cgroup, or name one with --cgroup-root",
			path, others - 1);
	if (mkdirat(d->parent_fd, OWN_LEAF, 0755) < 0 && errno != EEXIST)
		return error_set(err, ERROR_SYSTEM, errno, "cgroup: mkdir %s/" OWN_LEAF, path);
	r = cgroup_open(d->parent_fd, OWN_LEAF, &leaf, err);
	if (r >= 0)
		r = cgroup_move(leaf, d->anchor.pid, err);
	if (r >= 0)
		r = cgroup_move(leaf, getpid(), err);
	if (r >= 0)
		snprintf(d->own_leaf, sizeof(d->own_leaf), OWN_LEAF);
	return r;
}

static int open_parent(const char *root, struct delegation *d, char *ret_path, size_t size,
		       struct error *err)
{
	char below[CGROUP_PATH_MAX - 2 * RUN_ID_MAX];
	struct statfs fs;
	int r;

	if (root == NULL) {
		r = cgroup_check_mount(err);
		if (r >= 0)
			r = cgroup_of_process(0, below, sizeof(below), err);
		if (r < 0)
			return r;
		snprintf(ret_path, size, CGROUP_MOUNT "%s", strcmp(below, "/") == 0 ? "" : below);
	} else if ((size_t)snprintf(ret_path, size, "%s", root) >= size) {
		return error_set(err, ERROR_INVALID, ENAMETOOLONG, "--cgroup-root");
	}
	d->parent_fd = open(ret_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (d->parent_fd < 0)
		return error_set(err, ERROR_INVALID, errno, "--cgroup-root: %s", ret_path);
	if (fstatfs(d->parent_fd, &fs) < 0 || (unsigned long)fs.f_type != CGROUP2_SUPER_MAGIC)
		return error_set(err, ERROR_INVALID, 0,
				 "--cgroup-root: %s is not a directory of a cgroup v2 file system",
				 ret_path);
	return 0;
}

/* A place that was chosen by hand may be one whose controllers cgroup v1 holds. */
static int choose_controllers(const struct delegation_request *request, struct delegation *d,
			      struct error *err)
{
	unsigned available;
	int r;

	if (request->cgroup_root == NULL)
		return 0;
	r = cgroup_controllers(d->parent_fd, &available, err);
	if (r >= 0)
		d->controllers = request->required | (request->watched & available);
	return r;
}

static int open_directory(const struct delegation_request *request, struct delegation *d,
			  struct error *err)
{
	char parent[CGROUP_PATH_MAX - RUN_ID_MAX - 16], name[RUN_ID_MAX + 16];
	int r;

	r = open_parent(request->cgroup_root, d, parent, sizeof(parent), err);
	if (r < 0)
		return r;
	snprintf(name, sizeof(name), "pysbx-run-%s", d->id);
	snprintf(d->path, sizeof(d->path), "%s/%s", parent, name);
	r = choose_controllers(request, d, err);
	if (r >= 0)
		r = cgroup_enable(d->parent_fd, d->controllers, parent, err);
	if (r == -EBUSY && request->cgroup_root == NULL) {
		r = vacate_own_cgroup(d, parent, err);
		if (r >= 0)
			r = cgroup_enable(d->parent_fd, d->controllers, parent, err);
	} else if (r == -EBUSY) {
		error_set(err, ERROR_INVALID, 0,
			  "--cgroup-root: %s holds processes, so its children cannot have limits: "
			  "name a cgroup without processes",
			  parent);
	}
	if (r >= 0)
		r = runs_note_cgroup(d->lock_fd, d->path, err);
	if (r >= 0)
		r = cgroup_make(d->parent_fd, name, &d->fd, err);
	if (r >= 0)
		r = cgroup_make(d->fd, ANCHOR_INIT_CGROUP, &d->init_fd, err);
	return r;
}

/* --- both ----------------------------------------------------------------------------------- */

static const char *run_name(const struct delegation *d)
{
	return strrchr(d->path, '/') + 1;
}

static int begin_all(const struct delegation_request *request, struct delegation *d,
		     struct error *err)
{
	bool in_scope = request->cgroup_root == NULL && sd_booted() > 0;
	int r;

	r = runs_register(RUNS_DIRECTORY, d->id, &d->lock_fd, err);
	if (r >= 0)
		r = anchor_spawn(ANCHOR_PATH, d->lock_fd, &d->anchor, err);
	return r >= 0 && in_scope ? begin_scope(request, d, err) : r;
}

static int open_all(const struct delegation_request *request, struct delegation *d,
		    struct error *err)
{
	uint64_t patience = request->grace_usec / USEC_PER_MSEC + ANCHOR_MARGIN_MSEC;
	bool in_scope = d->scope != NULL;
	int r;

	r = in_scope ? open_scope(d, err) : open_directory(request, d, err);
	if (r >= 0)
		r = cgroup_enable(d->fd, d->controllers, d->path, err);
	if (r >= 0)
		r = anchor_charge(&d->anchor, d->fd, request->keep_fd, d->parent_fd,
				  in_scope ? NULL : run_name(d), d->own_leaf,
				  patience < UINT32_MAX ? (uint32_t)patience : UINT32_MAX, err);
	return r;
}

int delegation_begin(const struct delegation_request *request, struct delegation *ret,
		     struct error *err)
{
	struct delegation d = DELEGATION_NONE;
	struct error ignored;
	int r;

	d.controllers = request->required | request->watched;
	snprintf(d.id, sizeof(d.id), "%s-%08x", request->app, request->random);
	snprintf(d.app, sizeof(d.app), "%s", request->app);
	r = begin_all(request, &d, err);
	if (r < 0) {
		(void)delegation_close(&d, &ignored);
		return r;
	}
	*ret = d;
	return 0;
}

int delegation_open(const struct delegation_request *request, struct delegation *d,
		    struct error *err)
{
	struct error ignored;
	int r = open_all(request, d, err);

	if (r < 0) {
		(void)delegation_close(d, &ignored);
		*d = DELEGATION_NONE;
	}
	return r;
}

/* Back to where we were, so that the leaf can go. Best effort: others may have come meanwhile. */
static void leave_own_leaf(struct delegation *d)
{
	if (d->own_leaf[0] != '\0')
		cgroup_leave_leaf(d->parent_fd, d->own_leaf);
}

/* systemd removes an empty scope by itself, in its own time. */
static int wait_until_gone(const char *path, struct error *err)
{
	for (int waited = 0; waited < CLOSE_PATIENCE_MSEC; waited += LOOK_AGAIN_MSEC) {
		if (access(path, F_OK) < 0)
			return 0;
		(void)poll(NULL, 0, LOOK_AGAIN_MSEC);
	}
	return error_set(err, ERROR_SYSTEM, ETIMEDOUT, "%s is still there after %d s", path,
			 CLOSE_PATIENCE_MSEC / 1000);
}

/* All that we know of is removed here, so that nothing is left for the anchor to do: what is not in
 * a scope as a whole, and of a scope the app. The rest is systemd's, as soon as nobody is in it. */
static bool remove_all(struct delegation *d)
{
	char slice[sizeof(d->id) + 8];
	struct error ignored;
	int r = -ENOENT;

	snprintf(slice, sizeof(slice), "%s.slice", d->app);
	if (d->parent_fd >= 0 && d->fd >= 0)
		r = cgroup_destroy(d->parent_fd, run_name(d), CLOSE_PATIENCE_MSEC, &ignored);
	else if (d->fd >= 0)
		r = cgroup_destroy(d->fd, slice, CLOSE_PATIENCE_MSEC, &ignored);
	if (r >= 0)
		anchor_kill(&d->anchor);
	return r >= 0;
}

/* Asked for, and then not needed: it comes, and goes with the anchor. */
static void forget_scope(struct delegation *d)
{
	struct error ignored;

	if (d->scope != NULL && scope_finish(TAKE_PTR(d->scope), &ignored) >= 0)
		(void)cgroup_open(AT_FDCWD, d->path, &d->fd, &ignored);
}

int delegation_close(struct delegation *d, struct error *err)
{
	int r = 0;

	forget_scope(d);
	if (!remove_all(d)) {
		/* it tries, too, and kills who still is in its way */
		anchor_finish(&d->anchor, CLOSE_PATIENCE_MSEC);
		if (d->parent_fd >= 0 && d->fd >= 0)
			r = cgroup_destroy(d->parent_fd, run_name(d), CLOSE_PATIENCE_MSEC, err);
	}
	if (d->parent_fd < 0 && d->fd >= 0)
		r = wait_until_gone(d->path, err);
	leave_own_leaf(d);
	close_and_clear(&d->init_fd);
	close_and_clear(&d->fd);
	close_and_clear(&d->parent_fd);
	if (d->lock_fd >= 0)
		runs_unregister(RUNS_DIRECTORY, d->id);
	close_and_clear(&d->lock_fd);
	anchor_finish(&d->anchor, CLOSE_PATIENCE_MSEC);
	return r;
}
