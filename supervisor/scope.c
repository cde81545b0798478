/* SPDX-License-Identifier: MIT */
/*
 * systemd is asked on its own socket, as systemctl asks it for root: a message bus in between makes
 * four process switches of each two. Where that socket isn't, the system bus is there.
 *
 * OOMPolicy= (systemd 253) is not given: with Delegate=yes its default is the one we need, that an
 * OOM kill in an app does not stop the scope (scope_add_extras() in systemd's scope.c).
 */
#include "supervisor/scope.h"

#include "policy/own.h"
#include "supervisor/clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>

#define SYSTEMD_ADDRESS "unix:path=/run/systemd/private"
#define SYSTEMD_NAME	"org.freedesktop.systemd1"
#define SYSTEMD_PATH	"/org/freedesktop/systemd1"
#define SYSTEMD_MANAGER SYSTEMD_NAME ".Manager"

struct scope_start {
	char *unit;
	uint64_t deadline; /* CLOCK_MONOTONIC, of the whole talk */
	sd_bus *bus;
	sd_bus_slot *signals, *call;
	bool answered;
	char *job;	 /* object path of the job, NULL if it is refused */
	char result[32]; /* of the job: "done", "failed", ... "" while it runs */
	int refused;	 /* a negative errno, and why */
	char refusal[ERROR_TEXT_MAX / 2];
};

static void cleanup_bus(sd_bus **bus)
{
	sd_bus_close_unref(*bus);
}

static void cleanup_message(sd_bus_message **message)
{
	sd_bus_message_unref(*message);
}

static void start_free(struct scope_start *start)
{
	if (start == NULL)
		return;
	sd_bus_slot_unref(start->signals);
	sd_bus_slot_unref(start->call);
	sd_bus_close_unref(start->bus);
	free(start->unit);
	free(start->job);
	free(start);
}

static void cleanup_start(struct scope_start *const *start)
{
	start_free(*start);
}
#define _cleanup_start_ __attribute__((cleanup(cleanup_start)))

/* --- what is heard -------------------------------------------------------------------------- */

/* Comes after the answer that names the job. */
static int on_job_removed(sd_bus_message *message, void *userdata, sd_bus_error *bus_error)
{
	struct scope_start *start = userdata;
	const char *path, *unit, *result;
	uint32_t id;
	(void)bus_error;

	if (sd_bus_message_read(message, "uoss", &id, &path, &unit, &result) < 0)
		return 0;
	if (start->job != NULL && strcmp(start->job, path) == 0)
		snprintf(start->result, sizeof(start->result), "%s", result);
	return 0;
}

static int on_answer(sd_bus_message *message, void *userdata, sd_bus_error *bus_error)
{
	struct scope_start *start = userdata;
	const sd_bus_error *refusal = sd_bus_message_get_error(message);
	const char *path;
	(void)bus_error;

	start->answered = true;
	if (refusal != NULL) {
		start->refused = sd_bus_error_has_name(refusal, SYSTEMD_NAME ".UnitExists")
					 ? -EEXIST
					 : -sd_bus_error_get_errno(refusal);
		snprintf(start->refusal, sizeof(start->refusal), "%s",
			 refusal->message != NULL ? refusal->message : refusal->name);
		return 0;
	}
	if (sd_bus_message_read(message, "o", &path) >= 0)
		start->job = strdup(path);
	if (start->job == NULL)
		start->refused = -EBADMSG;
	return 0;
}

/* --- what is said --------------------------------------------------------------------------- */

struct request {
	const char *unit, *description;
	pid_t pid;
	uint64_t stop_usec;
	const char *after;
};

static int append_properties(sd_bus_message *call, const struct request *request)
{
	int r = sd_bus_message_open_container(call, 'a', "(sv)");

	if (r >= 0)
		r = sd_bus_message_append(call, "(sv)", "Description", "s", request->description);
	if (r >= 0)
		r = sd_bus_message_append(call, "(sv)", "Slice", "s", SCOPE_SLICE);
	if (r >= 0)
		r = sd_bus_message_append(call, "(sv)", "Delegate", "b", 1);
	/* the default is a share of the machine's, for all apps together */
	if (r >= 0)
		r = sd_bus_message_append(call, "(sv)", "TasksMax", "t", UINT64_MAX);
	if (r >= 0)
		r = sd_bus_message_append(call, "(sv)", "TimeoutStopUSec", "t", request->stop_usec);
	if (r >= 0)
		r = sd_bus_message_append(call, "(sv)", "CollectMode", "s", "inactive-or-failed");
	if (r >= 0 && request->after != NULL)
		r = sd_bus_message_append(call, "(sv)", "After", "as", 1, request->after);
	if (r >= 0)
		r = sd_bus_message_append(call, "(sv)", "PIDs", "au", 1, (uint32_t)request->pid);
	if (r >= 0)
		r = sd_bus_message_close_container(call);
	return r;
}

static int send_request(struct scope_start *start, const struct request *request)
{
	__attribute__((cleanup(cleanup_message))) sd_bus_message *call = NULL;
	int r;

	/* subscribe before asking */
	r = sd_bus_match_signal_async(start->bus, &start->signals, SYSTEMD_NAME, SYSTEMD_PATH,
				      SYSTEMD_MANAGER, "JobRemoved", on_job_removed, NULL, start);
	if (r >= 0)
		r = sd_bus_message_new_method_call(start->bus, &call, SYSTEMD_NAME, SYSTEMD_PATH,
						   SYSTEMD_MANAGER, "StartTransientUnit");
	if (r >= 0)
		r = sd_bus_message_append(call, "ss", request->unit, "fail");
	if (r >= 0)
		r = append_properties(call, request);
	if (r >= 0)
		r = sd_bus_message_append(call, "a(sa(sv))", 0);
	if (r >= 0)
		r = sd_bus_call_async(start->bus, &start->call, call, on_answer, start,
				      SCOPE_TIMEOUT_USEC);
	return r;
}

/* --- the talk ------------------------------------------------------------------------------- */

/* One step of it; waits for the other side if there is none to be made. */
static int step(sd_bus *bus, uint64_t deadline)
{
	uint64_t now = clock_monotonic_usec();
	int r = now < deadline ? sd_bus_process(bus, NULL) : -ETIMEDOUT;

	if (r == 0)
		r = sd_bus_wait(bus, deadline - now);
	return r == -EINTR ? 0 : r;
}

/* To open a bus only begins: whoever accepts the connection may then say nothing. */
static int make_ready(sd_bus *bus)
{
	uint64_t deadline = clock_monotonic_usec() + SCOPE_CONNECT_USEC;
	int r = 0;

	while (r >= 0 && sd_bus_is_ready(bus) == 0)
		r = step(bus, deadline);
	return r;
}

sd_bus *scope_connect(void)
{
	__attribute__((cleanup(cleanup_bus))) sd_bus *bus = NULL;

	if (sd_bus_new(&bus) < 0 || sd_bus_set_address(bus, SYSTEMD_ADDRESS) < 0 ||
	    sd_bus_start(bus) < 0)
		return NULL;
	return TAKE_PTR(bus);
}

void scope_disconnect(sd_bus *bus)
{
	sd_bus_close_unref(bus);
}

static int connect_bus(sd_bus *begun, sd_bus **ret)
{
	__attribute__((cleanup(cleanup_bus))) sd_bus *bus =
		begun != NULL ? sd_bus_ref(begun) : scope_connect();
	int r = bus != NULL ? make_ready(bus) : -ENOTCONN;

	if (r >= 0) {
		*ret = TAKE_PTR(bus);
		return 0;
	}
	bus = sd_bus_close_unref(bus);
	r = sd_bus_open_system(&bus);
	if (r >= 0)
		r = make_ready(bus);
	if (r >= 0)
		*ret = TAKE_PTR(bus);
	return r;
}

int scope_begin(sd_bus *bus, const char *unit, const char *description, pid_t pid,
		uint64_t stop_usec, const char *after, struct scope_start **ret, struct error *err)
{
	const struct request request = { unit, description, pid, stop_usec, after };
	struct scope_start *start _cleanup_start_ = calloc(1, sizeof(*start));
	int r;

	if (start == NULL)
		return error_no_memory(err);
	start->deadline = clock_monotonic_usec() + SCOPE_TIMEOUT_USEC;
	start->unit = strdup(unit);
	if (start->unit == NULL)
		return error_no_memory(err);
	r = connect_bus(bus, &start->bus);
	if (r < 0)
		return error_set(
			err, ERROR_UNREACHABLE, -r,
			"systemd's D-Bus does not answer (check `systemctl status dbus`, or give "
			"a cgroup v2 directory of your own with --cgroup-root)");
	r = send_request(start, &request);
	/* what the socket takes at once is on its way */
	if (r >= 0)
		r = sd_bus_process(start->bus, NULL);
	if (r < 0)
		return error_set(err, ERROR_UNREACHABLE, -r, "scope %s: ask systemd", unit);
	*ret = TAKE_PTR(start);
	return 0;
}

int scope_finish(struct scope_start *begun, struct error *err)
{
	struct scope_start *start _cleanup_start_ = begun;

	while (!start->answered || (start->refused == 0 && start->result[0] == '\0')) {
		int r = step(start->bus, start->deadline);

		if (r < 0)
			return error_set(err, ERROR_UNREACHABLE, -r, "scope %s: wait for systemd",
					 start->unit);
	}
	if (start->refused < 0) {
		int refused = start->refused;

		error_set(err, ERROR_UNREACHABLE, start->refusal[0] != '\0' ? 0 : -refused,
			  "systemd does not start scope %s%s%s", start->unit,
			  start->refusal[0] != '\0' ? ": " : "", start->refusal);
		return refused;
	}
	if (strcmp(start->result, "done") != 0)
		return error_set(err, ERROR_SYSTEM, 0,
				 "scope %s: systemd answers \"%s\": see `journalctl -u %s`",
				 start->unit, start->result, start->unit);
	return 0;
}

void scope_abandon(struct scope_start *start)
{
	start_free(start);
}

int scope_start(const char *unit, const char *description, pid_t pid, uint64_t stop_usec,
		const char *after, struct error *err)
{
	struct scope_start *start = NULL;
	int r = scope_begin(NULL, unit, description, pid, stop_usec, after, &start, err);

	return r < 0 ? r : scope_finish(start, err);
}
