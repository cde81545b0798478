/* SPDX-License-Identifier: MIT */
/* app.stacks: where the Python code of a running app is. Each reading is a process for some
 * milliseconds, so they are bounded: an app has one at a time, the daemon a few. */
#include "policy/own.h"
#include "supervisor/cgroup.h"
#include "supervisor/methods.h"
#include "supervisor/stacks.h"

#include <errno.h>
#include <string.h>

struct stacks_call {
	struct call *call; /* NULL: this one is free */
	struct stacks_request *request;
	char *app; /* by name: it may be removed first */
};

static void release(struct stacks_call *slot)
{
	free(slot->app);
	*slot = (struct stacks_call){ 0 };
}

static void on_done(json_t *result, const struct error *err, void *userdata)
{
	struct stacks_call *slot = userdata;
	struct call *call = slot->call;

	release(slot);
	if (result != NULL)
		call_reply(call, json_incref(result));
	else
		call_fail(call, err);
}

/* --- whose ---------------------------------------------------------------------------------- */

struct pids {
	size_t count;
	pid_t items[STACKS_PIDS_MAX];
};

static bool add_pid(pid_t pid, void *userdata)
{
	struct pids *pids = userdata;

	pids->items[pids->count++] = pid;
	return pids->count < STACKS_PIDS_MAX;
}

static int find_pids(const struct app *app, struct pids *ret, struct error *err)
{
	_cleanup_close_ int leaf = -1;
	int r = 0;

	ret->count = 0;
	if (app_pid(app) <= 0)
		return error_set(err, ERROR_CONFLICT, 0, "app %s is %s: it has no process",
				 app->spec.name, app_state_name(app_state(app)));
	r = instance_open_leaf(&app->instance, &leaf, err);
	if (r >= 0)
		r = cgroup_each_process(leaf, add_pid, ret, err);
	if (r >= 0 && ret->count == 0)
		r = error_set(err, ERROR_CONFLICT, 0, "app %s has no process", app->spec.name);
	return r;
}

/* A place for one more; NULL: err says why there is none. */
static struct stacks_call *find_slot(struct daemon *daemon, const char *app, struct error *err)
{
	struct stacks_call *found = NULL;

	if (daemon->stacks == NULL)
		daemon->stacks = calloc(DAEMON_STACKS_MAX, sizeof(*daemon->stacks));
	if (daemon->stacks == NULL) {
		(void)error_no_memory(err);
		return NULL;
	}
	for (size_t i = 0; i < DAEMON_STACKS_MAX; i++) {
		struct stacks_call *slot = &daemon->stacks[i];

		if (slot->call == NULL) {
			found = slot;
		} else if (strcmp(slot->app, app) == 0) {
			(void)error_set(err, ERROR_TOO_MANY, 0,
					"stacks of app %s are being read already", app);
			return NULL;
		}
	}
	if (found == NULL)
		(void)error_set(err, ERROR_TOO_MANY, 0, "stacks of %d apps are being read already",
				DAEMON_STACKS_MAX);
	return found;
}

/* --- the method ----------------------------------------------------------------------------- */

static int get_stacks(struct call *call, const json_t *params, void *userdata, struct error *err)
{
	struct daemon *daemon = userdata;
	const struct app *app = methods_find_app(daemon, call, params, err);
	struct stacks_call *slot;
	struct pids pids;
	int r;

	if (app == NULL)
		return -ENOENT;
	r = find_pids(app, &pids, err);
	if (r < 0)
		return r;
	slot = find_slot(daemon, app->spec.name, err);
	if (slot == NULL)
		return -EBUSY;
	*slot = (struct stacks_call){ .app = strdup(app->spec.name) };
	r = slot->app == NULL ? error_no_memory(err)
			      : stacks_read(daemon->event, pids.items, pids.count, on_done, slot,
					    &slot->request, err);
	if (r < 0)
		release(slot);
	else
		slot->call = call;
	return r;
}

void daemon_stop_stacks(struct daemon *daemon)
{
	struct error err;

	(void)error_set(&err, ERROR_UNREACHABLE, 0, "the daemon ends");
	for (size_t i = 0; daemon->stacks != NULL && i < DAEMON_STACKS_MAX; i++) {
		struct call *call = daemon->stacks[i].call;

		if (call == NULL)
			continue;
		stacks_cancel(daemon->stacks[i].request);
		release(&daemon->stacks[i]);
		call_fail(call, &err);
	}
	free(TAKE_PTR(daemon->stacks));
}

static const struct rpc_param stacks_params[] = {
	{ .name = "name", .type = RPC_STRING, .required = true, .help = "Name of the app" },
};

const struct control_method methods_stacks[] = {
	{ .name = "app.stacks",
	  .summary = "Shows where the Python code of a running app is",
	  .result = "processes: objects of pid, python, threads with their frames",
	  .flags = METHOD_TENANT,
	  .params = stacks_params,
	  .param_count = ARRAY_SIZE(stacks_params),
	  .handle = get_stacks },
};
const size_t methods_stacks_count = ARRAY_SIZE(methods_stacks);
