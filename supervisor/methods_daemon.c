/* SPDX-License-Identifier: MIT */
/* daemon.*, and the list of all tables. */
#include "policy/own.h"
#include "supervisor/clock.h"
#include "supervisor/methods.h"

#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

static json_t *count_states(const struct daemon *daemon)
{
	size_t counts[APP_STATE_COUNT] = { 0 };
	json_t *states = json_object();

	for (size_t i = 0; i < daemon->app_count; i++)
		counts[app_state(daemon->apps[i])]++;
	for (size_t i = 0; i < APP_STATE_COUNT; i++)
		(void)json_object_set_new(states, app_state_name((enum app_state)i),
					  json_integer((json_int_t)counts[i]));
	return states;
}

static int get_info(struct call *call, const json_t *params, void *userdata, struct error *err)
{
	const struct daemon *daemon = userdata;
	struct utsname kernel = { 0 };
	(void)params, (void)err;

	(void)uname(&kernel);
	call_reply(call, json_pack("{s:s, s:i, s:o, s:I, s:o, s:s, s:b, s:s?, s:s, s:I}", "version",
				   PYSBX_VERSION, "pid", (int)getpid(), "started",
				   methods_time(daemon->started_usec), "apps",
				   (json_int_t)daemon->app_count, "states", count_states(daemon),
				   "kernel", kernel.release, "systemd", sd_booted() > 0, "cgroup",
				   daemon->scope.fd >= 0 ? daemon->scope.path : NULL, "log_level",
				   settings_log_level_name(
					   (enum settings_log_level)daemon->log.threshold),
				   "clients", (json_int_t)control_client_count(daemon->control)));
	return 0;
}

static json_t *pack_names(const struct strings *names)
{
	json_t *array = json_array();

	for (size_t i = 0; i < names->count; i++)
		(void)json_array_append_new(array, json_string(names->items[i]));
	return array;
}

/* systemd shows "reloading" meanwhile, and waits for READY=1. */
static int reload(struct call *call, const json_t *params, void *userdata, struct error *err)
{
	struct daemon *daemon = userdata;
	struct daemon_changes changes;
	int r;
	(void)params;

	(void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu",
			 (unsigned long long)clock_monotonic_usec());
	r = daemon_reload(daemon, NULL, &changes, err);
	(void)sd_notifyf(0, "READY=1\nSTATUS=%zu apps%s", daemon->app_count,
			 r < 0 ? "; the last reload was refused, see the journal" : "");
	if (r < 0)
		return r;
	call_reply(call,
		   json_pack("{s:o, s:o, s:o, s:I}", "added", pack_names(&changes.added), "changed",
			     pack_names(&changes.changed), "removed", pack_names(&changes.removed),
			     "unchanged", (json_int_t)changes.unchanged));
	daemon_changes_clear(&changes);
	return 0;
}

static int log_level(struct call *call, const json_t *params, void *userdata, struct error *err)
{
	const char *level = rpc_params_string(params, "level", NULL);
	struct daemon *daemon = userdata;
	enum settings_log_level parsed;

	if (level != NULL) {
		int r = settings_log_level_parse(level, &parsed, err);

		if (r < 0)
			return r;
		daemon->log.threshold = (enum log_level)parsed;
	}
	call_reply(call, json_pack("{s:s}", "level",
				   settings_log_level_name(
					   (enum settings_log_level)daemon->log.threshold)));
	return 0;
}

static const char *const level_choices[] = { "error", "warning", "info", "debug", NULL };
static const struct rpc_param level_params[] = {
	{ .name = "level",
	  .type = RPC_STRING,
	  .choices = level_choices,
	  .help = "What is said from now on, until a reload or restart" },
};

const struct control_method methods_daemon[] = {
	{ .name = "daemon.info",
	  .summary = "Tells what this daemon is and how many apps it has",
	  .result = "version, pid, started, apps, states, kernel, systemd, cgroup, log_level, "
		    "clients",
	  .flags = METHOD_ADMIN,
	  .handle = get_info },
	{ .name = "daemon.reload",
	  .summary = "Reads all files again and applies the differences, or nothing",
	  .result = "added, changed, removed: names of apps; unchanged: their number",
	  .flags = METHOD_ADMIN,
	  .handle = reload },
	{ .name = "daemon.log_level",
	  .summary = "Tells or sets how much the daemon says",
	  .result = "level",
	  .flags = METHOD_ADMIN,
	  .params = level_params,
	  .param_count = ARRAY_SIZE(level_params),
	  .handle = log_level },
};
const size_t methods_daemon_count = ARRAY_SIZE(methods_daemon);

size_t daemon_method_tables(struct daemon *daemon, struct control_table tables[DAEMON_TABLES])
{
	const struct control_table all[] = {
		{ methods_daemon, methods_daemon_count, daemon },
		{ methods_apps, methods_apps_count, daemon },
		{ methods_app_life, methods_app_life_count, daemon },
		{ methods_app_change, methods_app_change_count, daemon },
		{ methods_config, methods_config_count, daemon },
		{ methods_incidents, methods_incidents_count, daemon },
		{ methods_stacks, methods_stacks_count, daemon },
		{ methods_history, methods_history_count, daemon },
		{ events_methods, EVENTS_METHOD_COUNT, daemon->events },
	};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		tables[i] = all[i];
	return ARRAY_SIZE(all);
}
