/* SPDX-License-Identifier: MIT */
#include "supervisor/apps_scope.h"

#include "policy/own.h"
#include "supervisor/file.h"
#include "supervisor/scope.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#define DIRECTORY_NAME	"pysbx-apps"
#define FORGET_MSEC	2000
#define LOOK_AGAIN_MSEC 50
#define INIT_WEIGHT	"10000"				      /* the most; 100 is the default */
#define CONTROLLERS	(CONTROLLER_MEMORY | CONTROLLER_PIDS) /* watching needs them */

static const struct apps_scope closed = { .fd = -1,
					  .init_fd = -1,
					  .anchor = { .pidfd = -1, .socket = -1 } };

void apps_scope_close(struct apps_scope *scope)
{
	close_and_clear(&scope->fd);
	close_and_clear(&scope->init_fd);
	anchor_leave(&scope->anchor);
	*scope = closed;
}

static void name_it(const char *cgroup_root, struct apps_scope *scope)
{
	if (cgroup_root != NULL)
		snprintf(scope->path, sizeof(scope->path), "%s/" DIRECTORY_NAME, cgroup_root);
	else
		snprintf(scope->path, sizeof(scope->path),
			 CGROUP_MOUNT "/" SCOPE_SLICE "/" APPS_SCOPE_UNIT);
}

static int open_or_make(int parent, const char *name, int *ret_fd, struct error *err)
{
	if (mkdirat(parent, name, 0755) < 0 && errno != EEXIST)
		return error_set(err, ERROR_SYSTEM, errno, "cgroup: mkdir %s", name);
	return cgroup_open(parent, name, ret_fd, err);
}

/* What watching needs is required, but where the place was chosen by hand: then it is noted. */
static int enable_watched(struct apps_scope *scope, bool by_hand, struct error *err)
{
	unsigned available = CONTROLLERS;
	int r = 0;

	if (by_hand)
		r = cgroup_controllers(scope->fd, &available, err);
	if (r >= 0)
		r = cgroup_enable(scope->fd, CONTROLLERS & available, scope->path, err);
	scope->missing = CONTROLLERS & ~available;
	return r;
}

/* The two directories, and in them the controllers that there are. cpu and io are asked for again
 * by the app that needs them, which is then told if they are missing. */
static int open_directories(struct apps_scope *scope, bool by_hand, struct error *err)
{
	struct error ignored;
	int r = 0;

	if (scope->fd < 0)
		r = cgroup_open(AT_FDCWD, scope->path, &scope->fd, err);
	if (r >= 0)
		r = open_or_make(scope->fd, ANCHOR_INIT_CGROUP, &scope->init_fd, err);
	if (r >= 0 && scope->anchor.pid > 0)
		r = cgroup_move(scope->init_fd, scope->anchor.pid, err);
	if (r >= 0)
		r = enable_watched(scope, by_hand, err);
	if (r < 0)
		return r;
	(void)cgroup_enable(scope->fd, CONTROLLER_CPU, scope->path, &ignored);
	(void)cgroup_enable(scope->fd, CONTROLLER_IO, scope->path, &ignored);
	/* who lives there sleeps, but for a start, which the daemon waits for (clone_run.h): that
	 * must not stand behind a thousand busy apps */
	(void)file_write_at(scope->init_fd, "cpu.weight", INIT_WEIGHT, &ignored);
	return 0;
}

int apps_scope_renew_anchor(struct apps_scope *scope, const char *keeper_directory,
			    struct error *err)
{
	char path[CGROUP_PATH_MAX];
	int r;

	anchor_leave(&scope->anchor);
	snprintf(path, sizeof(path), "%s/" APPS_SCOPE_ANCHOR, keeper_directory);
	r = anchor_spawn(ANCHOR_PATH, -1, &scope->anchor, err);
	if (r < 0)
		return r;
	r = cgroup_move(scope->init_fd, scope->anchor.pid, err);
	if (r >= 0)
		r = anchor_charge_keep(&scope->anchor, scope->fd, path, err);
	if (r < 0)
		anchor_finish(&scope->anchor, 0);
	return r;
}

static bool is_populated(const char *path)
{
	char file[CGROUP_PATH_MAX + 16], text[FILE_KERNEL_MAX];
	struct error ignored;

	snprintf(file, sizeof(file), "%s/cgroup.events", path);
	return file_read_at(AT_FDCWD, file, text, sizeof(text), &ignored) >= 0 &&
	       strstr(text, "populated 1") != NULL;
}

/* One whose anchor was killed is kept for the sake of those who live in it. */
static bool find_anchor(struct apps_scope *scope, const char *keeper_directory)
{
	char path[CGROUP_PATH_MAX];
	struct error ignored;

	snprintf(path, sizeof(path), "%s/" APPS_SCOPE_ANCHOR, keeper_directory);
	return anchor_adopt(path, &scope->anchor, &ignored) >= 0 ||
	       (is_populated(scope->path) &&
		apps_scope_renew_anchor(scope, keeper_directory, &ignored) >= 0);
}

bool apps_scope_find(const char *cgroup_root, const char *keeper_directory, struct apps_scope *ret)
{
	struct apps_scope scope = closed;
	struct error ignored;

	name_it(cgroup_root, &scope);
	if (access(scope.path, F_OK) < 0 ||
	    open_directories(&scope, cgroup_root != NULL, &ignored) < 0 ||
	    (cgroup_root == NULL && !find_anchor(&scope, keeper_directory))) {
		apps_scope_close(&scope);
		*ret = closed;
		return false;
	}
	*ret = scope;
	return true;
}

static int make_directory(const char *cgroup_root, struct apps_scope *scope, struct error *err)
{
	_cleanup_close_ int parent = -1;
	unsigned available;
	int r;

	r = cgroup_open(AT_FDCWD, cgroup_root, &parent, err);
	if (r >= 0)
		r = cgroup_controllers(parent, &available, err);
	if (r >= 0)
		r = cgroup_enable(parent, CONTROLLERS & available, cgroup_root, err);
	if (r >= 0)
		r = open_or_make(parent, DIRECTORY_NAME, &scope->fd, err);
	if (r < 0)
		error_prefix(err, "--cgroup-root");
	return r;
}

/* systemd forgets a scope some time after its end, and until then starts no other one. One with
 * somebody in it, although no anchor answers, has lost its anchor: it gets this one. */
static int start_scope(const struct apps_scope *scope, struct error *err)
{
	int r = -EEXIST;

	for (int i = 0; r == -EEXIST && i < FORGET_MSEC / LOOK_AGAIN_MSEC; i++) {
		if (i > 0)
			(void)poll(NULL, 0, LOOK_AGAIN_MSEC);
		r = scope_start(APPS_SCOPE_UNIT, "Apps of pysbxd", scope->anchor.pid,
				APPS_SCOPE_STOP_USEC, APPS_SCOPE_SERVICE, err);
		if (r == -EEXIST && is_populated(scope->path))
			r = 0;
	}
	return r;
}

static int make_scope(const char *keeper_directory, struct apps_scope *scope, struct error *err)
{
	char anchor[CGROUP_PATH_MAX];
	int r;

	r = cgroup_check_mount(err);
	if (r >= 0)
		r = anchor_spawn(ANCHOR_PATH, -1, &scope->anchor, err);
	if (r >= 0)
		r = start_scope(scope, err);
	if (r >= 0)
		r = open_directories(scope, false, err);
	if (r < 0)
		return r;
	snprintf(anchor, sizeof(anchor), "%s/" APPS_SCOPE_ANCHOR, keeper_directory);
	return anchor_charge_keep(&scope->anchor, scope->fd, anchor, err);
}

int apps_scope_open(const char *cgroup_root, const char *keeper_directory, struct apps_scope *ret,
		    struct error *err)
{
	struct apps_scope scope = closed;
	int r;

	if (apps_scope_find(cgroup_root, keeper_directory, ret))
		return 0;
	if (cgroup_root == NULL && sd_booted() <= 0)
		return error_set(err, ERROR_UNSUPPORTED, 0,
				 "systemd is not PID 1 here: name a cgroup v2 directory for the "
				 "apps with --cgroup-root");
	name_it(cgroup_root, &scope);
	if (cgroup_root != NULL) {
		r = make_directory(cgroup_root, &scope, err);
		if (r >= 0)
			r = open_directories(&scope, true, err);
	} else {
		r = make_scope(keeper_directory, &scope, err);
	}
	if (r < 0) {
		if (scope.anchor.pid > 0)
			anchor_finish(&scope.anchor, 0);
		apps_scope_close(&scope);
		return r;
	}
	*ret = scope;
	return 0;
}
