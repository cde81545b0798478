/* SPDX-License-Identifier: MIT */
#include "policy/spec_row.h"

#include "policy/egress.h"
#include "policy/listen.h"
#include "policy/own.h"

#include <assert.h>

static_assert(sizeof(enum network) == sizeof(unsigned) &&
		      sizeof(enum restart_mode) == sizeof(unsigned) &&
		      sizeof(enum oom_policy) == sizeof(unsigned) &&
		      sizeof(enum log_target) == sizeof(unsigned) &&
		      sizeof(enum syscalls_mode) == sizeof(unsigned) &&
		      sizeof(enum health_restart) == sizeof(unsigned),
	      "members read and written as unsigned");

#define IN(member) offsetof(struct app_spec, member)

/* In the order that people read and write them. */
const struct spec_row spec_rows[] = {
	{ FIELD_NAME, ROW_REQUIRED, NULL, "name", &spec_codec_text, IN(name), 0, 0 },
	{ FIELD_TENANT, 0, NULL, "tenant", &spec_codec_text, IN(tenant), 0, 0 },
	/* a plan gives limits, and those say themselves what they need */
	{ FIELD_PLAN, ROW_LIVE, NULL, "plan", &spec_codec_text, IN(plan), 0, 0 },
	{ FIELD_COMMAND, ROW_REQUIRED, NULL, "command", &spec_codec_list, IN(command), 0,
	  SPEC_ARGV_MAX },
	{ FIELD_DIRECTORY, ROW_REQUIRED, NULL, "directory", &spec_codec_text, IN(directory), 0, 0 },
	{ FIELD_USER, 0, NULL, "user", &spec_codec_text, IN(user), 0, 0 },
	{ FIELD_GROUPS, 0, NULL, "groups", &spec_codec_list, IN(groups), 0, SPEC_GROUPS_MAX },
	{ FIELD_LISTEN, 0, NULL, "listen", &spec_codec_list, IN(listen), 0, LISTEN_MAX },
	{ FIELD_ENVIRONMENT, 0, NULL, "environment", &spec_codec_variables, IN(environment), 0,
	  SPEC_ENVIRONMENT_MAX },
	{ FIELD_ENVIRONMENT_FILES, 0, NULL, "environment_files", &spec_codec_list,
	  IN(environment_files), 0, SPEC_PATHS_MAX },

	{ FIELD_MEMORY, ROW_LIVE, "limits", "memory", &spec_codec_size, IN(limits.memory_max), 0,
	  0 },
	{ FIELD_MEMORY_HIGH, ROW_LIVE, "limits", "memory_high", &spec_codec_size,
	  IN(limits.memory_high), 0, 0 },
	{ FIELD_MEMORY_SWAP, ROW_LIVE, "limits", "memory_swap", &spec_codec_size,
	  IN(limits.memory_swap_max), 0, 0 },
	{ FIELD_CPU, ROW_LIVE, "limits", "cpu", &spec_codec_cpu, IN(limits.cpu_max), 0, 0 },
	{ FIELD_CPU_WEIGHT, ROW_LIVE, "limits", "cpu_weight", &spec_codec_count,
	  IN(limits.cpu_weight), 1, SPEC_CPU_WEIGHT_MAX },
	{ FIELD_PIDS, ROW_LIVE | ROW_MAX, "limits", "pids", &spec_codec_count, IN(limits.pids_max),
	  1, SPEC_PIDS_LIMIT },
	/* of a process that is started already */
	{ FIELD_NOFILE, 0, "limits", "nofile", &spec_codec_count, IN(limits.nofile),
	  SPEC_NOFILE_MIN, SPEC_NOFILE_LIMIT },
	/* follows from the memory, which is changed live: it waits for the next start */
	{ FIELD_TMP_SIZE, ROW_LIVE, "limits", "tmp_size", &spec_codec_size, IN(limits.tmp_size), 0,
	  0 },
	{ FIELD_IO, ROW_LIVE, "limits", "io", &spec_codec_io, IN(limits), 0, SPEC_IO_MAX },

	{ FIELD_READABLE, 0, "isolation", "readable", &spec_codec_list, IN(isolation.readable), 0,
	  SPEC_PATHS_MAX },
	{ FIELD_WRITABLE, 0, "isolation", "writable", &spec_codec_list, IN(isolation.writable), 0,
	  SPEC_PATHS_MAX },
	{ FIELD_SOCKETS, 0, "isolation", "sockets", &spec_codec_list, IN(isolation.sockets), 0,
	  SPEC_PATHS_MAX },
	{ FIELD_NETWORK, 0, "isolation", "network", &spec_codec_choice, IN(isolation.network), 0,
	  0 },
	/* the programs on the slice are exchanged */
	{ FIELD_EGRESS, ROW_LIVE, "isolation", "egress", &spec_codec_egress, IN(isolation.egress),
	  0, EGRESS_ENTRIES_MAX },
	{ FIELD_REQUIRE, 0, "isolation", "require", &spec_codec_list, IN(isolation.require), 0,
	  SPEC_PATHS_MAX },
	{ FIELD_SYSCALLS, 0, NULL, "syscalls", &spec_codec_syscalls, IN(syscalls), 0, 0 },

	{ FIELD_RESTART, ROW_LIVE, "restart", "mode", &spec_codec_choice, IN(restart.mode), 0, 0 },
	{ FIELD_MAX_RESTARTS, ROW_LIVE | ROW_MAX, "restart", "max_restarts", &spec_codec_count,
	  IN(restart.max_restarts), 0, SPEC_RESTARTS_LIMIT },
	{ FIELD_BACKOFF, ROW_LIVE, "restart", "backoff", &spec_codec_time, IN(restart.backoff_usec),
	  0, 0 },
	{ FIELD_BACKOFF_MAX, ROW_LIVE, "restart", "backoff_max", &spec_codec_time,
	  IN(restart.backoff_max_usec), 0, 0 },
	{ FIELD_STABLE, ROW_LIVE, "restart", "stable", &spec_codec_time, IN(restart.stable_usec), 0,
	  0 },
	/* memory.oom.group of the leaf is written anew */
	{ FIELD_OOM, ROW_LIVE, NULL, "oom", &spec_codec_choice, IN(oom), 0, 0 },
	{ FIELD_TRIPWIRE, ROW_LIVE, NULL, "tripwire", &spec_codec_bool, IN(tripwire), 0, 0 },
	/* the socket that it is told at is made with the sandbox */
	{ FIELD_PRESSURE_NOTIFY, ROW_LIVE, "pressure", "notify", &spec_codec_percent,
	  IN(pressure.at[PRESSURE_NOTIFY]), 0, 0 },
	{ FIELD_PRESSURE_RECLAIM, ROW_LIVE, "pressure", "reclaim", &spec_codec_percent,
	  IN(pressure.at[PRESSURE_RECLAIM]), 0, 0 },
	{ FIELD_PRESSURE_RECYCLE, ROW_LIVE, "pressure", "recycle", &spec_codec_percent,
	  IN(pressure.at[PRESSURE_RECYCLE]), 0, 0 },
	{ FIELD_PRESSURE_RESTART, ROW_LIVE, "pressure", "restart", &spec_codec_percent,
	  IN(pressure.at[PRESSURE_RESTART]), 0, 0 },
	{ FIELD_PRESSURE_KILL, ROW_LIVE, "pressure", "kill", &spec_codec_percent,
	  IN(pressure.at[PRESSURE_KILL]), 0, 0 },
	{ FIELD_PRESSURE_COOLDOWN, ROW_LIVE, "pressure", "cooldown", &spec_codec_time,
	  IN(pressure.cooldown_usec), 0, 0 },
	/* the daemon stops its workers itself; what their launchers were told is for its own end */
	{ FIELD_STOP_SIGNAL, ROW_LIVE, "stop", "signal", &spec_codec_signal, IN(stop.signal), 0,
	  0 },
	{ FIELD_STOP_GRACE, ROW_LIVE, "stop", "grace", &spec_codec_time, IN(stop.grace_usec), 0,
	  0 },

	/* who asks is the daemon: it asks anew */
	{ FIELD_HEALTH_HTTP, ROW_LIVE, "health", "http", &spec_codec_text, IN(health.http), 0, 0 },
	{ FIELD_HEALTH_HOST, ROW_LIVE | ROW_HEALTH, "health", "host", &spec_codec_text,
	  IN(health.host), 0, 0 },
	{ FIELD_HEALTH_INTERVAL, ROW_LIVE | ROW_HEALTH, "health", "interval", &spec_codec_time,
	  IN(health.interval_usec), 0, 0 },
	{ FIELD_HEALTH_TIMEOUT, ROW_LIVE | ROW_HEALTH, "health", "timeout", &spec_codec_time,
	  IN(health.timeout_usec), 0, 0 },
	{ FIELD_HEALTH_FAILURES, ROW_LIVE | ROW_HEALTH, "health", "failures", &spec_codec_count,
	  IN(health.failures), 1, SPEC_HEALTH_FAILURES_MAX },
	{ FIELD_HEALTH_START, ROW_LIVE | ROW_HEALTH, "health", "start_period", &spec_codec_time,
	  IN(health.start_usec), 0, 0 },
	{ FIELD_HEALTH_RESTART, ROW_LIVE | ROW_HEALTH, "health", "restart", &spec_codec_choice,
	  IN(health.restart), 0, 0 },

	{ FIELD_LOG_TARGET, ROW_LIVE, "log", "target", &spec_codec_choice, IN(log.target), 0, 0 },
	{ FIELD_LOG_MAX_SIZE, ROW_LIVE, "log", "max_size", &spec_codec_size, IN(log.max_size), 0,
	  0 },
	{ FIELD_LOG_KEEP, ROW_LIVE, "log", "keep", &spec_codec_count, IN(log.keep), 0,
	  SPEC_LOG_KEEP_LIMIT },
	{ FIELD_LOG_RATE, ROW_LIVE | ROW_MAX, "log", "rate", &spec_codec_count, IN(log.rate), 1,
	  SPEC_LOG_RATE_LIMIT },
	{ FIELD_ENABLED, ROW_LIVE, NULL, "enabled", &spec_codec_bool, IN(enabled), 0, 0 },
};
static_assert(ARRAY_SIZE(spec_rows) == FIELD_COUNT - 1, "a row for each field");
static_assert(FIELD_COUNT <= 64, "a set of fields is one number");
const size_t spec_row_count = ARRAY_SIZE(spec_rows);
