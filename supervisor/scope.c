/* SPDX-License-Identifier: MIT */
#include "supervisor/scope.h"

#include "policy/own.h"
#include "supervisor/clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>

#define SYSTEMD_NAME	"org.freedesktop.systemd1"
#define SYSTEMD_PATH	"/org/freedesktop/systemd1"
#define SYSTEMD_MANAGER SYSTEMD_NAME ".Manager"

/* OOMPolicy= of a scope is known from this version on. */
#define OOM_POLICY_VERSION 253

static void cleanup_bus(sd_bus **bus)
{
	sd_bus_close_unref(*bus);
}
static void cleanup_message(sd_bus_message **message)
{
	sd_bus_message_unref(*message);
}
static void cleanup_slot(sd_bus_slot **slot)
{
	sd_bus_slot_unref(*slot);
}

/* What the wait for the job's end has heard. */
struct job {
	const char *path; /* object path of the job, borrowed from the reply */
	char result[32];  /* "done", "failed", ... "" while it runs */
};

static int on_job_removed(sd_bus_message *message, void *userdata, sd_bus_error *bus_error)
{
	struct job *job = userdata;
	const char *path, *unit, *result;
	uint32_t id;
	(void)bus_error;

	if (sd_bus_message_read(message, "uoss", &id, &path, &unit, &result) < 0)
		return 0;
	if (job->path != NULL && strcmp(job->path, path) == 0)
		snprintf(job->result, sizeof(job->result), "%s", result);
	return 0;
}

struct request {
	const char *unit, *description;
	pid_t pid;
	uint64_t stop_usec;
	const char *after;
	uint64_t deadline; /* CLOCK_MONOTONIC, of the whole talk */
};

/* Never 0: that would be sd-bus's own 25 s. */
static uint64_t time_left(uint64_t deadline)
{
	uint64_t now = clock_monotonic_usec();

	return now < deadline ? deadline - now : 1;
}

static unsigned systemd_version(sd_bus *bus)
{
	_cleanup_free_ char *text = NULL;

	if (sd_bus_get_property_string(bus, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_MANAGER, "Version",
				       NULL, &text) < 0)
		return 0;
	return (unsigned)strtoul(text, NULL, 10); /* "252.39-1~deb12u1" */
}

static int append_properties(sd_bus_message *call, const struct request *request, unsigned version)
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
	/* an OOM kill in an app must not stop the scope */
	if (r >= 0 && version >= OOM_POLICY_VERSION)
		r = sd_bus_message_append(call, "(sv)", "OOMPolicy", "s", "continue");
	if (r >= 0 && request->after != NULL)
		r = sd_bus_message_append(call, "(sv)", "After", "as", 1, request->after);
	if (r >= 0)
		r = sd_bus_message_append(call, "(sv)", "PIDs", "au", 1, (uint32_t)request->pid);
	if (r >= 0)
		r = sd_bus_message_close_container(call);
	return r;
}

static int request_start(sd_bus *bus, const struct request *request, sd_bus_message **ret_reply,
			 struct error *err)
{
	const char *unit = request->unit;
	__attribute__((cleanup(cleanup_message))) sd_bus_message *call = NULL;
	sd_bus_error bus_error = SD_BUS_ERROR_NULL;
	int r;

	(void)sd_bus_set_method_call_timeout(bus, time_left(request->deadline));
	r = sd_bus_message_new_method_call(bus, &call, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_MANAGER,
					   "StartTransientUnit");
	if (r >= 0)
		r = sd_bus_message_append(call, "ss", unit, "fail");
	if (r >= 0)
		r = append_properties(call, request, systemd_version(bus));
	if (r >= 0)
		r = sd_bus_message_append(call, "a(sa(sv))", 0);
	if (r < 0)
		return error_set(err, ERROR_INTERNAL, -r, "scope %s: compose the request", unit);

	r = sd_bus_call(bus, call, time_left(request->deadline), &bus_error, ret_reply);
	if (r < 0) {
		if (sd_bus_error_has_name(&bus_error, SYSTEMD_NAME ".UnitExists"))
			r = -EEXIST;
		error_set(err, ERROR_UNREACHABLE, bus_error.message != NULL ? 0 : -r,
			  "systemd does not start scope %s%s%s", unit,
			  bus_error.message != NULL ? ": " : "",
			  bus_error.message != NULL ? bus_error.message : "");
		sd_bus_error_free(&bus_error);
	}
	return r;
}

static int wait_for_job(sd_bus *bus, struct job *job, const char *unit, uint64_t deadline,
			struct error *err)
{
	while (job->result[0] == '\0') {
		uint64_t now = clock_monotonic_usec();
		int r = now < deadline ? sd_bus_process(bus, NULL) : -ETIMEDOUT;

		if (r == 0)
			r = sd_bus_wait(bus, deadline - now);
		if (r < 0 && r != -EINTR)
			return error_set(err, ERROR_UNREACHABLE, -r, "scope %s: wait for systemd",
					 unit);
	}
	if (strcmp(job->result, "done") != 0)
		return error_set(err, ERROR_SYSTEM, 0,
				 "scope %s: systemd answers \"%s\": see `journalctl -u %s`", unit,
				 job->result, unit);
	return 0;
}

/* sd_bus_open_system() only begins: whoever accepts the connection may then say nothing. */
static int connect_bus(sd_bus **ret)
{
	__attribute__((cleanup(cleanup_bus))) sd_bus *bus = NULL;
	uint64_t deadline = clock_monotonic_usec() + SCOPE_CONNECT_USEC;
	int r;

	r = sd_bus_open_system(&bus);
	while (r >= 0 && sd_bus_is_ready(bus) == 0) {
		uint64_t now = clock_monotonic_usec();

		r = now < deadline ? sd_bus_process(bus, NULL) : -ETIMEDOUT;
		if (r == 0)
			r = sd_bus_wait(bus, deadline - now);
		if (r == -EINTR)
			r = 0;
	}
	if (r >= 0)
		*ret = TAKE_PTR(bus);
	return r;
}

int scope_start(const char *unit, const char *description, pid_t pid, uint64_t stop_usec,
		const char *after, struct error *err)
{
	const struct request request = { unit,	description,
					 pid,	stop_usec,
					 after, clock_monotonic_usec() + SCOPE_TIMEOUT_USEC };
	__attribute__((cleanup(cleanup_bus))) sd_bus *bus = NULL;
	__attribute__((cleanup(cleanup_slot))) sd_bus_slot *slot = NULL;
	__attribute__((cleanup(cleanup_message))) sd_bus_message *reply = NULL;
	struct job job = { 0 };
	int r;

	r = connect_bus(&bus);
	if (r >= 0)
		r = sd_bus_set_method_call_timeout(bus, time_left(request.deadline));
	/* subscribe before asking; sd_bus_call() below queues what comes meanwhile */
	if (r >= 0)
		r = sd_bus_match_signal(bus, &slot, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_MANAGER,
					"JobRemoved", on_job_removed, &job);
	if (r < 0)
		return error_set(
			err, ERROR_UNREACHABLE, -r,
			"systemd's D-Bus does not answer (check `systemctl status dbus`, or give "
			"a cgroup v2 directory of your own with --cgroup-root)");
	r = request_start(bus, &request, &reply, err);
	if (r < 0)
		return r;
	r = sd_bus_message_read(reply, "o", &job.path);
	if (r < 0)
		return error_set(err, ERROR_SYSTEM, -r, "scope %s: read systemd's reply", unit);
	return wait_for_job(bus, &job, unit, request.deadline, err);
}
