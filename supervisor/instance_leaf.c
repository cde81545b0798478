/* SPDX-License-Identifier: MIT */
/* The cgroup that an instance's processes are in, below its app's slice. */
#include "policy/own.h"
#include "supervisor/cgroup.h"
#include "supervisor/file.h"
#include "supervisor/instance.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static const char *leaf_path(const struct instance *instance, char path[INSTANCE_CGROUP_MAX])
{
	snprintf(path, INSTANCE_CGROUP_MAX, "%s/%s", instance->app_path, instance->leaf_name);
	return path;
}

int instance_open_leaf(const struct instance *instance, int *ret_fd, struct error *err)
{
	char path[INSTANCE_CGROUP_MAX];

	return cgroup_open(instance->host->root_fd, leaf_path(instance, path), ret_fd, err);
}

/* What a daemon that was killed in the middle of a start has left. Whoever runs has been looked for
 * before, and found. */
static int remake_leaf(const struct instance *instance, const char *path, int *ret_fd,
		       struct error *err)
{
	int r = cgroup_destroy(instance->host->root_fd, path, INSTANCE_LEAF_PATIENCE_MSEC, err);

	return r < 0 ? r : cgroup_make(instance->host->root_fd, path, ret_fd, err);
}

int instance_make_leaf(struct instance *instance, int *ret_fd, struct error *err)
{
	_cleanup_close_ int leaf = -1;
	char path[INSTANCE_CGROUP_MAX];
	int r;

	leaf_path(instance, path);
	r = cgroup_make(instance->host->root_fd, path, &leaf, err);
	if (r == -EEXIST)
		r = remake_leaf(instance, path, &leaf, err);
	/* one worker's OOM kill takes the whole app with it, if that is wanted; a new leaf has 0 */
	if (r >= 0 && instance->spec->oom == OOM_APP) {
		r = file_write_at(leaf, "memory.oom.group", "1", err);
		if (r == -ENOENT)
			(void)error_set(err, ERROR_UNSUPPORTED, 0,
					"oom: there is no memory controller here, so no OOM kill "
					"can take the whole app: say \"worker\"");
	}
	if (r < 0)
		return r;
	*ret_fd = TAKE_FD(leaf);
	return 0;
}

bool instance_remove_empty_leaf(const struct instance *instance)
{
	char path[INSTANCE_CGROUP_MAX];

	return unlinkat(instance->host->root_fd, leaf_path(instance, path), AT_REMOVEDIR) == 0 ||
	       errno == ENOENT;
}

void instance_remove_leaf(struct instance *instance)
{
	_cleanup_close_ int app = -1;
	struct error err;

	/* the former: gone with the scope */
	if (instance->host->root_fd < 0 || instance_remove_empty_leaf(instance))
		return;
	/* its processes are gone with the launcher, so this does not wait but for those in state D
	 */
	if (cgroup_open(instance->host->root_fd, instance->app_path, &app, &err) >= 0 &&
	    cgroup_destroy(app, instance->leaf_name, INSTANCE_LEAF_PATIENCE_MSEC, &err) >= 0)
		return;
	instance_say_error(instance, &err);
	instance->lost_leaves++;
	snprintf(instance->leaf_name, sizeof(instance->leaf_name), "%u-%u", instance->number,
		 instance->lost_leaves);
}

void instance_set_frozen(struct instance *instance, bool frozen)
{
	_cleanup_close_ int leaf = -1;
	struct error err;
	int r;

	r = instance_open_leaf(instance, &leaf, &err);
	if (r >= 0)
		r = file_write_at(leaf, "cgroup.freeze", frozen ? "1" : "0", &err);
	if (r < 0)
		instance_say_error(instance, &err);
}
