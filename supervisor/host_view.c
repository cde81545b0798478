/* SPDX-License-Identifier: MIT */
#include "supervisor/host_view.h"

#include "policy/own.h"
#include "policy/plan.h"
#include "supervisor/clone_run.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Where the empty directory stands until it is the root: as in sandbox/root.c. */
#define STAGING_DIRECTORY "/proc"

/* --- in the new namespace: as in clone_run.h, with our descriptors as well ---------------------
 */

/* A tmpfs with the host's mount point in it; or -1 with errno. */
static int make_root(void)
{
	_cleanup_close_ int context = fsopen("tmpfs", FSOPEN_CLOEXEC);
	_cleanup_close_ int root = -1;

	if (context < 0 || fsconfig(context, FSCONFIG_SET_STRING, "source", "pysbx", 0) < 0 ||
	    fsconfig(context, FSCONFIG_SET_STRING, "nr_inodes", "4", 0) < 0 ||
	    fsconfig(context, FSCONFIG_SET_STRING, "mode", "0755", 0) < 0 ||
	    fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -1;
	root = fsmount(context, FSMOUNT_CLOEXEC,
		       MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	if (root < 0 || mkdirat(root, &PLAN_HOST_DIRECTORY[1], 0755) < 0)
		return -1;
	return TAKE_FD(root);
}

/* The last step would be refused to a launcher as well. */
static int turn_around(int root)
{
	struct mount_attr attributes = { .attr_set = MOUNT_ATTR_RDONLY };

	if (move_mount(root, "", AT_FDCWD, STAGING_DIRECTORY, MOVE_MOUNT_F_EMPTY_PATH) < 0 ||
	    fchdir(root) < 0 || syscall(SYS_pivot_root, ".", &PLAN_HOST_DIRECTORY[1]) < 0 ||
	    mount_setattr(root, "", AT_EMPTY_PATH, &attributes, sizeof(attributes)) < 0 ||
	    chroot(&PLAN_HOST_DIRECTORY[1]) < 0)
		return -1;
	return 0;
}

/* Nothing that is mounted here reaches the host, what is mounted there arrives here. */
static int make_view(int slot)
{
	_cleanup_close_ int root = -1;
	_cleanup_close_ int own = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);

	if (own < 0 || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		return -1;
	root = make_root();
	if (root < 0 || turn_around(root) < 0)
		return -1;
	return dup3(own, slot, O_CLOEXEC);
}

/* Its end tells errno, 0 for none. */
__attribute__((no_sanitize("address"))) static void in_new_namespace(const void *argument)
{
	const int *slot = argument;

	_exit(make_view(*slot) < 0 ? errno : 0);
}

/* ---------------------------------------------------------------------------------------------- */

/* A number for the child to put the namespace at: its descriptors are ours. */
static int reserve(struct error *err)
{
	int slot = open("/dev/null", O_RDONLY | O_CLOEXEC);

	return slot < 0 ? error_set(err, ERROR_SYSTEM, errno, "host view: /dev/null") : slot;
}

static int make(struct host_view *view, struct error *err)
{
	const struct clone_args args = { .flags = CLONE_NEWNS | CLONE_FILES };
	_cleanup_close_ int slot = reserve(err);
	int status = 0;
	pid_t pid;

	if (slot < 0)
		return slot;
	pid = clone_run(&args, in_new_namespace, &slot);
	if (pid < 0)
		return error_set(err, ERROR_SYSTEM, -pid, "host view: clone3");
	while (waitpid(pid, &status, __WALL) < 0)
		if (errno != EINTR)
			return error_set(err, ERROR_SYSTEM, errno, "host view: waitpid");
	if (!WIFEXITED(status))
		return error_set(err, ERROR_SYSTEM, EIO, "host view: its maker was killed");
	if (WEXITSTATUS(status) != 0)
		return error_set(err, ERROR_SYSTEM, WEXITSTATUS(status),
				 "host view: mount the host's tree below an empty directory%s",
				 WEXITSTATUS(status) == EPERM ? " (needs CAP_SYS_CHROOT)" : "");
	view->namespace_fd = TAKE_FD(slot);
	return 0;
}

/* Since this was asked the last time. */
static bool have_mounts_changed(const struct host_view *view)
{
	struct pollfd poller = { .fd = view->mounts_fd, .events = POLLPRI };

	return poll(&poller, 1, 0) != 0;
}

int host_view_open(struct host_view *ret, struct error *err)
{
	int r;

	*ret = HOST_VIEW_NONE;
	ret->mounts_fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	if (ret->mounts_fd < 0)
		return error_set(err, ERROR_SYSTEM, errno, "host view: /proc/self/mountinfo");
	/* asked first: a change while it is made is seen afterwards */
	(void)have_mounts_changed(ret);
	r = make(ret, err);
	if (r < 0)
		host_view_close(ret);
	return r;
}

int host_view_refresh(struct host_view *view, struct error *err)
{
	int r;

	if (view->mounts_fd < 0 || !have_mounts_changed(view))
		return view->namespace_fd >= 0;
	close_and_clear(&view->namespace_fd);
	r = make(view, err);
	return r < 0 ? r : 1;
}

void host_view_close(struct host_view *view)
{
	close_and_clear(&view->namespace_fd);
	close_and_clear(&view->mounts_fd);
}
