/* SPDX-License-Identifier: MIT */
/* app.stacks: where the Python code of a running app is. Each reading is a process for some
 * milliseconds, so they are bounded: a tenant's clients have one of an app at a time and two in
 * all, at the expense of what its apps may have read (supervisor/stacks.h); administrators have
 * places that no tenant takes. */
#include "policy/own.h"
#include "supervisor/cgroup.h"
#include "supervisor/methods.h"
#include "supervisor/stacks.h"

#include <errno.h>
#include <string.h>

struct stacks_call {
	struct call *call; /* NULL: this one is free */
	struct stacks_request *request;
	char *app;    /* by name: it may be removed first */
	char *tenant; /* whose client it is; NULL: an administrator's */
};

static void release(struct stacks_call *slot)
{
	free(slot->app);
	free(slot->tenant);
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
	int leaf; /* the cgroup that they were found in; owned; -1: none */
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
	int r = 0;

	ret->leaf = -1;
	ret->count = 0;
	if (app_pid(app) <= 0)
		return error_set(err, ERROR_CONFLICT, 0, "app %s is %s: it has no process",
				 app->spec.name, app_state_name(app_state(app)));
	r = instance_open_leaf(&app->instance, &ret->leaf, err);
	if (r >= 0)
		r = cgroup_each_process(ret->leaf, add_pid, ret, err);
	if (r >= 0 && ret->count == 0)
		r = error_set(err, ERROR_CONFLICT, 0, "app %s has no process", app->spec.name);
	return r;
}

static bool is_same(const char *tenant, const char *other)
{
	return tenant != NULL && other != NULL ? strcmp(tenant, other) == 0 : tenant == other;
}

/* How many readings are under way. */
struct load {
	unsigned all, of_tenants, of_this;
	bool same_app; /* and one of them for whoever asks, of this app */
};

static struct load count_load(const struct daemon *daemon, const char *app, const char *tenant)
{
	struct load load = { 0 };

	for (size_t i = 0; i < DAEMON_STACKS_MAX; i++) {
		const struct stacks_call *slot = &daemon->stacks[i];

		if (slot->call == NULL)
			continue;
		load.all++;
		load.of_tenants += slot->tenant != NULL;
		if (is_same(slot->tenant, tenant)) {
			load.of_this++;
			load.same_app = load.same_app || strcmp(slot->app, app) == 0;
		}
	}
	return load;
}

static int check_load(const struct load *load, const char *app, const char *tenant,
		      struct error *err)
{
	if (load->same_app)
		return error_set(err, ERROR_TOO_MANY, 0, "stacks of app %s are being read already",
				 app);
	if (tenant != NULL && load->of_this >= DAEMON_STACKS_TENANT_MAX)
		return error_set(err, ERROR_TOO_MANY, 0,
				 "stacks of %d apps of tenant %s are being read already",
				 DAEMON_STACKS_TENANT_MAX, tenant);
	if (load->all >= DAEMON_STACKS_MAX ||
	    (tenant != NULL && load->of_tenants >= DAEMON_STACKS_MAX - DAEMON_STACKS_ADMIN))
		return error_set(err, ERROR_TOO_MANY, 0, "stacks of %u apps are being read already",
				 load->all);
	return 0;
}

/* A place for one more; NULL: err says why there is none. */
static struct stacks_call *find_slot(struct daemon *daemon, const char *app, const char *tenant,
				     struct error *err)
{
	struct stacks_call *slot;
	struct load load;

	if (daemon->stacks == NULL)
		daemon->stacks = calloc(DAEMON_STACKS_MAX, sizeof(*daemon->stacks));
	if (daemon->stacks == NULL) {
		(void)error_no_memory(err);
		return NULL;
	}
	load = count_load(daemon, app, tenant);
	if (check_load(&load, app, tenant, err) < 0)
		return NULL;
	for (slot = daemon->stacks; slot->call != NULL; slot++)
		;
	return slot;
}

/* slot: a free one, which is taken if that succeeds. */
static int begin(struct daemon *daemon, struct stacks_call *slot, struct call *call,
		 const struct app *app, const struct pids *pids, struct error *err)
{
	const char *tenant = call_tenant(call);
	const struct stacks_question question = {
		.pids = pids->items,
		.count = pids->count,
		.leaf = pids->leaf,
		.app = tenant != NULL ? app->spec.name : NULL,
		.tenant = tenant,
	};
	int r = 0;

	slot->app = strdup(app->spec.name);
	if (tenant != NULL)
		slot->tenant = strdup(tenant);
	if (slot->app == NULL || (tenant != NULL && slot->tenant == NULL))
		r = error_no_memory(err);
	if (r >= 0)
		r = stacks_read(&daemon->stack_readers, &question, on_done, slot, &slot->request,
				err);
	if (r < 0)
		release(slot);
	else
		slot->call = call;
	return r;
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
	if (r >= 0) {
		slot = find_slot(daemon, app->spec.name, call_tenant(call), err);
		r = slot == NULL ? -EBUSY : begin(daemon, slot, call, app, &pids, err);
	}
	close_and_clear(&pids.leaf);
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
