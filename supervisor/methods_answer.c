/* SPDX-License-Identifier: MIT */
/* Answers that come later: the call waits for a state of the app. */
#include "policy/own.h"
#include "supervisor/methods.h"

#include <errno.h>
#include <stdlib.h>

/* A call, and what it is answered when the app is where it was to be. */
struct pending {
	struct call *call;
	json_t *result; /* NULL: name and state */
	unsigned wanted;
	bool save; /* the answer is only true once it is on record */
};

void methods_answer_state(struct call *call, json_t *result, const struct app *app)
{
	if (result == NULL)
		result = methods_name_and_state(app);
	else
		(void)json_object_set_new(result, "state",
					  json_string(app_state_name(app_state(app))));
	call_reply(call, result);
}

static void on_there(struct app *app, int result, void *userdata)
{
	struct pending *pending = userdata;
	struct error err;

	if (result == 0 && pending->save)
		daemon_save_due(app->host->userdata);
	if (result == 0 && (pending->wanted & METHODS_BIT(app_state(app))) != 0) {
		methods_answer_state(pending->call, TAKE_PTR(pending->result), app);
	} else if (result == 0) {
		(void)error_set(&err, ERROR_FAILED, 0, "app %s is %s%s%s", app->spec.name,
				app_state_name(app_state(app)), app->last != NULL ? ": " : "",
				app->last != NULL ? app->last->sentence : "");
		call_fail(pending->call, &err);
	} else {
		(void)error_set(&err, ERROR_NOT_FOUND, 0, "app %s was removed meanwhile",
				app->spec.name);
		call_fail(pending->call, &err);
	}
	json_decref(pending->result);
	free(pending);
}

static bool is_gone(const void *userdata)
{
	const struct pending *pending = userdata;

	return methods_is_gone(pending->call);
}

int methods_check_waiting(struct app *app, const struct call *call, struct error *err)
{
	return app_can_wait(app, call_tenant(call) == NULL, err);
}

int methods_answer_when(struct call *call, struct app *app, unsigned states, unsigned wanted,
			json_t *result, struct error *err)
{
	struct pending *pending = malloc(sizeof(*pending));
	int r;

	if (pending == NULL) {
		json_decref(result);
		return error_no_memory(err);
	}
	*pending = (struct pending){ call, result, wanted, states == METHODS_STOPPED };
	r = app_wait(app,
		     &(struct app_wait){ .states = states,
					 .callback = on_there,
					 .is_gone = is_gone,
					 .admin = call_tenant(call) == NULL,
					 .userdata = pending },
		     err);
	if (r < 0) {
		json_decref(result);
		free(pending);
	}
	return r;
}
