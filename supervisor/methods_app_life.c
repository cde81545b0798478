/* SPDX-License-Identifier: MIT */
/* app.*: telling apps what to do. What takes time is answered when it is done. */
#include "policy/own.h"
#include "supervisor/methods.h"

#include <errno.h>

/* The app that the call names, if it may be started. */
static struct app *find_to_start(const struct daemon *daemon, const struct call *call,
				 const json_t *params, struct error *err)
{
	struct app *app = methods_find_app(daemon, call, params, err);

	if (app == NULL || methods_check_waiting(app, call, err) < 0 ||
	    daemon_check_scope(daemon, err) < 0)
		return NULL;
	if (!app->remove)
		return app;
	(void)error_set(err, ERROR_CONFLICT, 0, "app %s is being removed", app->spec.name);
	return NULL;
}

static int start(struct call *call, const json_t *params, void *userdata, struct error *err)
{
	struct app *app = find_to_start(userdata, call, params, err);

	if (app == NULL)
		return -ENOENT;
	daemon_start_app(app);
	return methods_answer_when(call, app, METHODS_STARTED | METHODS_BIT(APP_SUSPENDED),
				   METHODS_BIT(APP_RUNNING) | METHODS_BIT(APP_SUSPENDED), NULL,
				   err);
}

static int stop(struct call *call, const json_t *params, void *userdata, struct error *err)
{
	struct app *app = methods_find_app(userdata, call, params, err);

	if (app == NULL || methods_check_waiting(app, call, err) < 0)
		return -ENOENT;
	app_set_queued(app, false);
	if (app_state(app) == APP_STOPPING && rpc_params_boolean(params, "force", false))
		app_kill(app);
	else
		app_stop(app);
	return methods_answer_when(call, app, METHODS_STOPPED,
				   METHODS_STOPPED | METHODS_BIT(APP_STOPPED), NULL, err);
}

static int restart(struct call *call, const json_t *params, void *userdata, struct error *err)
{
	struct app *app = find_to_start(userdata, call, params, err);

	if (app == NULL)
		return -ENOENT;
	if (app_state_has_process(app_state(app)))
		app_restart(app);
	else
		daemon_start_app(app);
	return methods_answer_when(call, app, METHODS_STARTED, METHODS_BIT(APP_RUNNING), NULL, err);
}

static int send_signal(struct call *call, const json_t *params, void *userdata, struct error *err)
{
	struct app *app = methods_find_app(userdata, call, params, err);
	int number, r;

	if (app == NULL)
		return -ENOENT;
	r = spec_signal_parse(rpc_params_string(params, "signal", ""), &number, err);
	if (r < 0) {
		error_prefix(err, "signal");
		error_set_path(err, "params.signal");
		return r;
	}
	if (!app_state_has_process(app_state(app)))
		return error_set(err, ERROR_CONFLICT, 0, "app %s is %s: there is no process",
				 app->spec.name, app_state_name(app_state(app)));
	instance_signal(&app->instance, number);
	call_reply(call, methods_name_and_state(app));
	return 0;
}

static int suspend_or_resume(struct call *call, const json_t *params, void *userdata,
			     enum app_state wanted, struct error *err)
{
	struct app *app = methods_find_app(userdata, call, params, err);
	enum app_state before;

	if (app == NULL)
		return -ENOENT;
	before = app_state(app);
	if (wanted == APP_SUSPENDED)
		instance_suspend(&app->instance);
	else
		instance_resume(&app->instance);
	if (app_state(app) != wanted)
		return error_set(err, ERROR_CONFLICT, 0, "app %s is %s, and can't be %s",
				 app->spec.name, app_state_name(app_state(app)),
				 wanted == APP_SUSPENDED ? "suspended" : "resumed");
	/* what was so before is on record, or somebody else waits for it */
	if (before != wanted)
		daemon_save_due(userdata);
	call_reply(call, methods_name_and_state(app));
	return 0;
}

static int suspend(struct call *call, const json_t *params, void *userdata, struct error *err)
{
	return suspend_or_resume(call, params, userdata, APP_SUSPENDED, err);
}

static int resume(struct call *call, const json_t *params, void *userdata, struct error *err)
{
	return suspend_or_resume(call, params, userdata, APP_RUNNING, err);
}

/* --- the table ------------------------------------------------------------------------------ */

#define NAME                                                                            \
	{                                                                               \
		.name = "name", .type = RPC_STRING, .required = true, .help = "The app" \
	}

static const struct rpc_param name_only[] = { NAME };
static const struct rpc_param stop_params[] = {
	NAME,
	{ .name = "force",
	  .type = RPC_BOOLEAN,
	  .help = "Of one that is stopping already: kill it now" }
};
static const struct rpc_param signal_params[] = {
	NAME,
	{ .name = "signal",
	  .type = RPC_STRING,
	  .required = true,
	  .help = "A name as in HUP, or a number" },
};

#define PARAMS(table) .params = (table), .param_count = ARRAY_SIZE(table)

const struct control_method methods_app_life[] = {
	{ .name = "app.start",
	  .summary = "Starts an app, and answers when it runs",
	  .result = "name, state",
	  .flags = METHOD_TENANT,
	  PARAMS(name_only),
	  .handle = start },
	{ .name = "app.stop",
	  .summary = "Stops an app, with its grace, and answers when it has ended",
	  .result = "name, state",
	  .flags = METHOD_TENANT,
	  PARAMS(stop_params),
	  .handle = stop },
	{ .name = "app.restart",
	  .summary = "Stops an app if it runs, starts it, and answers when it runs",
	  .result = "name, state",
	  .flags = METHOD_TENANT,
	  PARAMS(name_only),
	  .handle = restart },
	{ .name = "app.signal",
	  .summary = "Sends a signal to the app's main process",
	  .result = "name, state",
	  .flags = METHOD_TENANT,
	  PARAMS(signal_params),
	  .handle = send_signal },
	{ .name = "app.suspend",
	  .summary = "Freezes an app: it keeps its memory and gets no CPU",
	  .result = "name, state",
	  .flags = METHOD_TENANT,
	  PARAMS(name_only),
	  .handle = suspend },
	{ .name = "app.resume",
	  .summary = "Thaws a suspended app",
	  .result = "name, state",
	  .flags = METHOD_TENANT,
	  PARAMS(name_only),
	  .handle = resume },
};
const size_t methods_app_life_count = ARRAY_SIZE(methods_app_life);
