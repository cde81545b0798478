/* SPDX-License-Identifier: MIT */
/*
 * To make a sandbox takes a launcher longer than it takes us to judge a death, tell it and put it
 * on record, and does not depend on that. So if a life has ended after which the next one would
 * begin at once, the next launcher is started first, with a plan that says `ahead`: it stops short
 * of the worker. When the next life begins the plan is made again; if it is the same to the byte,
 * the launcher is told to go on, with the new leaf. In every other case it is killed, and nobody
 * has seen it.
 *
 * It has no place in the records: it listens nowhere before its turn, and ends with us. A daemon
 * that is killed meanwhile leaves the former life's launcher, which still has the end to tell, and
 * that alone.
 */
#include "policy/own.h"
#include "policy/restart.h"
#include "supervisor/cgroup.h"
#include "supervisor/instance.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* What a launcher is given beside its plan, by inode numbers: a descriptor's may be another file's
 * by then. */
struct given {
	ino_t app, filter, listeners[LISTEN_MAX];
};

struct instance_successor {
	struct launcher launcher;
	struct bytes plan; /* as it was encoded */
	struct given given;
};

static ino_t inode_of(int fd)
{
	struct stat file;

	return fstat(fd, &file) == 0 ? file.st_ino : 0;
}

static void look_at_given(const struct instance *instance, int app, int filter, struct given *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->app = inode_of(app);
	ret->filter = inode_of(filter);
	for (size_t i = 0; i < instance->listeners.count; i++)
		ret->listeners[i] = inode_of(instance->listeners.fds[i]);
}

static bool is_expected(const struct instance *instance, const struct launch_message *end)
{
	const struct instance_host *host = instance->host;
	uint64_t ran_nsec =
		end->ended_nsec > end->started_nsec ? end->ended_nsec - end->started_nsec : 0;

	return end->type == LAUNCH_ENDED && host->keeper_directory != NULL &&
	       host->prepare != NULL && host->root_fd >= 0 && instance->state == APP_RUNNING &&
	       !instance->stop_requested &&
	       restart_is_at_once(&instance->spec->restart, ran_nsec / 1000, end->wait_status != 0);
}

static int begin(struct instance *instance, struct instance_successor *ret, struct error *err)
{
	_cleanup_plan_ struct plan *plan = NULL;
	_cleanup_close_ int app = -1;
	struct launcher_start start = { .image_fd = instance->host->image_fd,
					.slots = instance->host->slots,
					.init_cgroup_fd = instance->host->init_cgroup_fd,
					.listeners = &instance->listeners };
	int r;

	r = instance_make_plan(instance, &plan, &start.filter_fd, err);
	if (r >= 0)
		r = cgroup_open(instance->host->root_fd, instance->app_path, &app, err);
	if (r < 0)
		return r;
	/* else the next life has to open them first; and see begin_life() */
	if (plan->listeners != instance->listeners.count || cgroup_is_frozen(start.init_cgroup_fd))
		return error_set(err, ERROR_SYSTEM, EAGAIN, "successor: not now");
	look_at_given(instance, app, start.filter_fd, &ret->given);
	plan->ahead = true;
	start.plan = plan;
	start.leaf_cgroup_fd = app;
	return launcher_spawn_ahead(&start, &ret->launcher, &ret->plan, err);
}

void instance_begin_successor(struct instance *instance, const struct launch_message *end)
{
	struct instance_successor *successor;
	struct error ignored;

	if (instance->successor != NULL || !is_expected(instance, end))
		return;
	successor = calloc(1, sizeof(*successor));
	if (successor == NULL)
		return;
	successor->launcher = (struct launcher){ .pidfd = -1, .socket = -1 };
	instance->successor = successor;
	if (begin(instance, successor, &ignored) < 0)
		instance_drop_successor(instance);
}

/* The very same cgroup, filter and sockets. */
static bool is_given_the_same(const struct instance *instance, int filter_fd)
{
	_cleanup_close_ int app = -1;
	struct error ignored;
	struct given given;

	if (cgroup_open(instance->host->root_fd, instance->app_path, &app, &ignored) < 0)
		return false;
	look_at_given(instance, app, filter_fd, &given);
	return memcmp(&given, &instance->successor->given, sizeof(given)) == 0;
}

static bool is_as_planned(const struct instance_successor *successor, struct plan *plan)
{
	_cleanup_bytes_ struct bytes encoded = { 0 };
	struct error ignored;
	int r;

	plan->ahead = true;
	r = plan_encode(plan, &encoded, &ignored);
	plan->ahead = false;
	return r >= 0 && encoded.length == successor->plan.length &&
	       memcmp(bytes_front(&encoded), bytes_front(&successor->plan), encoded.length) == 0;
}

bool instance_take_successor(struct instance *instance, struct plan *plan, int filter_fd, int leaf,
			     const char *keeper_path)
{
	struct instance_successor *successor = instance->successor;
	struct error ignored;

	if (successor == NULL)
		return false;
	if (is_given_the_same(instance, filter_fd) && is_as_planned(successor, plan) &&
	    launcher_go(&successor->launcher, leaf, keeper_path, &ignored) >= 0) {
		instance->launcher = successor->launcher;
		successor->launcher = (struct launcher){ .pidfd = -1, .socket = -1 };
	}
	instance_drop_successor(instance);
	return instance->launcher.pid > 0;
}

void instance_drop_successor(struct instance *instance)
{
	struct instance_successor *successor = TAKE_PTR(instance->successor);

	if (successor == NULL)
		return;
	launcher_kill(&successor->launcher);
	launcher_close(&successor->launcher);
	bytes_clear(&successor->plan);
	free(successor);
}
