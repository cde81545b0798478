/* SPDX-License-Identifier: MIT */
/* What happens: log lines, events, incidents. */
#include "policy/incident_customer.h"
#include "policy/own.h"
#include "supervisor/ctl.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#define RECONNECT_PAUSE_MSEC 200
#define RECONNECT_TRIES	     150 /* 30 s: a restart or an upgrade of the daemon is over by then */

/* --- over a restart of the daemon ------------------------------------------------------------- */

static void pause_briefly(void)
{
	struct timespec pause = { .tv_nsec = RECONNECT_PAUSE_MSEC * 1000000L };

	nanosleep(&pause, NULL);
}

/* The connection is lost: `ask` asks again on another one, until somebody answers. */
static int reconnect(struct ctl *ctl,
		     int (*ask)(struct ctl *ctl, void *userdata, struct error *err), void *userdata,
		     struct error *err)
{
	int r = -ECONNRESET;

	fflush(ctl->out);
	fprintf(ctl->errors, "pysbx: pysbxd has closed the connection: trying again\n");
	fflush(ctl->errors);
	for (int tries = 0; tries < RECONNECT_TRIES; tries++) {
		rpc_client_close(TAKE_PTR(ctl->client));
		pause_briefly();
		r = ask(ctl, userdata, err);
		if (r >= 0 || err->kind != ERROR_UNREACHABLE)
			break;
	}
	return r;
}

/* --- logs ------------------------------------------------------------------------------------- */

static void put_log(struct ctl *ctl, const json_t *line)
{
	if (ctl_given(ctl, CTL_JSON))
		ctl_put_json_line(ctl, line);
	else
		ctl_view_log(&ctl->view, line);
}

/* Up to the end of the connection. */
static int follow_log(struct ctl *ctl, struct error *err)
{
	for (;;) {
		_cleanup_json_ json_t *line = NULL;
		int r;

		fflush(ctl->out);
		r = ctl_next(ctl, "log", true, &line, err);
		if (r < 0)
			return r;
		put_log(ctl, line);
	}
}

static int ask_logs(struct ctl *ctl, bool with_lines, json_t **ret, struct error *err)
{
	json_t *params = json_pack("{s:s}", "name", ctl->words[0]);

	if (with_lines)
		json_object_set_new(params, "lines", json_integer((json_int_t)ctl->options.lines));
	if (ctl_given(ctl, CTL_FOLLOW))
		json_object_set_new(params, "follow", json_true());
	return ctl_call(ctl, "app.logs", params, ret, err);
}

static void put_logs(struct ctl *ctl, const json_t *result)
{
	const json_t *line;
	size_t index;

	json_array_foreach(json_object_get(result, "lines"), index, line) put_log(ctl, line);
}

/* A new daemon keeps what was written since the old one ended: so much is told. */
static int ask_logs_again(struct ctl *ctl, void *userdata, struct error *err)
{
	_cleanup_json_ json_t *result = NULL;
	int r = ask_logs(ctl, false, &result, err);
	(void)userdata;

	if (r >= 0)
		put_logs(ctl, result);
	return r;
}

int ctl_logs(struct ctl *ctl, struct error *err)
{
	_cleanup_json_ json_t *result = NULL;
	bool follow = ctl_given(ctl, CTL_FOLLOW);
	int r = ask_logs(ctl, ctl_given(ctl, CTL_LINES), &result, err);

	if (r < 0)
		return r;
	if (ctl_given(ctl, CTL_JSON) && !follow) {
		ctl_put_json(ctl, result);
		return 0;
	}
	put_logs(ctl, result);
	while (follow && r >= 0) {
		r = follow_log(ctl, err);
		if (r < 0 && err->kind == ERROR_UNREACHABLE)
			r = reconnect(ctl, ask_logs_again, NULL, err);
	}
	return r;
}

/* --- events ----------------------------------------------------------------------------------- */

/* How far the events have been told. */
struct reading {
	bool known;
	json_int_t cursor;
};

/* Tells what was missed, if anything. */
static int subscribe(struct ctl *ctl, const struct reading *reading, struct error *err)
{
	_cleanup_json_ json_t *result = NULL;
	json_t *params = json_pack("{s:s*}", "app", ctl->options.app);
	json_int_t missed;
	int r;

	if (reading->known)
		json_object_set_new(params, "cursor", json_integer(reading->cursor));
	r = ctl_call(ctl, "events.subscribe", params, &result, err);
	if (r < 0)
		return r;
	missed = json_integer_value(json_object_get(result, "missed"));
	/* without a cursor of one's own, everything before the oldest is no loss */
	if (missed > 0 && reading->known && reading->cursor > 0)
		fprintf(ctl->errors,
			"pysbx: at least %" JSON_INTEGER_FORMAT
			" events were missed: the daemon keeps the last ones only\n",
			missed);
	return 0;
}

/* From where we were. */
static int subscribe_again(struct ctl *ctl, void *userdata, struct error *err)
{
	return subscribe(ctl, userdata, err);
}

static void put_event(struct ctl *ctl, struct reading *reading, const json_t *event)
{
	const json_t *cursor = json_object_get(event, "cursor");

	if (json_is_integer(cursor))
		*reading = (struct reading){ true, json_integer_value(cursor) };
	if (ctl_given(ctl, CTL_JSON))
		ctl_put_json_line(ctl, event);
	else
		ctl_view_event(&ctl->view, event);
}

/* Up to the end of the connection. */
static int follow_events(struct ctl *ctl, struct reading *reading, struct error *err)
{
	for (;;) {
		_cleanup_json_ json_t *event = NULL;
		int r;

		fflush(ctl->out);
		r = ctl_next(ctl, "event", true, &event, err);
		if (r < 0)
			return r;
		put_event(ctl, reading, event);
	}
}

/* What has come by now. Returns how many. */
static int tell_ready_events(struct ctl *ctl, struct reading *reading, struct error *err)
{
	for (int count = 0;; count++) {
		_cleanup_json_ json_t *event = NULL;
		int r = ctl_next(ctl, "event", false, &event, err);

		if (r < 0)
			return r;
		if (event == NULL)
			return count;
		put_event(ctl, reading, event);
	}
}

/* What is kept. The daemon sends as much as the connection takes, and its answer to a call behind
 * that: when no event came before an answer, there is none left. Any answer will do. */
static int tell_kept_events(struct ctl *ctl, struct reading *reading, struct error *err)
{
	int r;

	do {
		_cleanup_json_ json_t *result = NULL;

		r = ctl_call(ctl, "daemon.info", json_object(), &result, err);
		if (r < 0 && err->kind == ERROR_UNREACHABLE)
			return r;
		r = tell_ready_events(ctl, reading, err);
	} while (r > 0);
	return r;
}

int ctl_events(struct ctl *ctl, struct error *err)
{
	bool follow = ctl_given(ctl, CTL_FOLLOW), given = ctl_given(ctl, CTL_CURSOR);
	/* from the oldest on that is kept, unless only what comes is asked for */
	struct reading reading = { given || !follow, given ? (json_int_t)ctl->options.cursor : 0 };
	int r = subscribe(ctl, &reading, err);

	if (r < 0)
		return r;
	if (!follow)
		return tell_kept_events(ctl, &reading, err);
	do {
		r = follow_events(ctl, &reading, err);
		if (r < 0 && err->kind == ERROR_UNREACHABLE)
			r = reconnect(ctl, subscribe_again, &reading, err);
	} while (r >= 0);
	return r;
}

/* --- incidents -------------------------------------------------------------------------------- */

int ctl_incidents(struct ctl *ctl, struct error *err)
{
	_cleanup_json_ json_t *result = NULL;
	json_t *params = json_pack("{s:s*}", "app", ctl->word_count > 0 ? ctl->words[0] : NULL);
	int r;

	if (ctl_given(ctl, CTL_LINES))
		json_object_set_new(params, "limit", json_integer((json_int_t)ctl->options.lines));
	r = ctl_call(ctl, "incident.list", params, &result, err);
	if (r < 0)
		return r;
	if (ctl_given(ctl, CTL_JSON))
		ctl_put_json(ctl, result);
	else
		r = ctl_view_incidents(&ctl->view, result, err);
	return r;
}

int ctl_incident(struct ctl *ctl, struct error *err)
{
	_cleanup_json_ json_t *result = NULL, *shown = NULL;
	int r = ctl_call(ctl, "incident.get", json_pack("{s:s}", "id", ctl->words[0]), &result,
			 err);

	if (r < 0)
		return r;
	shown = ctl_given(ctl, CTL_CUSTOMER) ? incident_for_customer(result) : json_incref(result);
	if (shown == NULL)
		return error_no_memory(err);
	if (ctl_given(ctl, CTL_JSON))
		ctl_put_json(ctl, shown);
	else if (ctl_given(ctl, CTL_MARKDOWN))
		ctl_view_incident_markdown(&ctl->view, shown);
	else
		ctl_view_incident(&ctl->view, shown);
	return 0;
}
