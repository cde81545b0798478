/* SPDX-License-Identifier: MIT */
#include "policy/spec_row.h"

#include "policy/own.h"

#include <assert.h>

static_assert(sizeof(enum network) == sizeof(unsigned) &&
		      sizeof(enum restart_mode) == sizeof(unsigned) &&
		      sizeof(enum oom_policy) == sizeof(unsigned) &&
		      sizeof(enum log_target) == sizeof(unsigned),
	      "members read and written as unsigned");

#define IN(member) offsetof(struct app_spec, member)

/* In the order that people read and write them. */
const struct spec_row spec_rows[] = {
	{ FIELD_NAME, NULL, "name", &spec_codec_text, IN(name), ROW_REQUIRED, 0, 0 },
	{ FIELD_TENANT, NULL, "tenant", &spec_codec_text, IN(tenant), 0, 0, 0 },
	/* a plan gives limits, and those say themselves what they need */
	{ FIELD_PLAN, NULL, "plan", &spec_codec_text, IN(plan), ROW_LIVE, 0, 0 },
	{ FIELD_COMMAND, NULL, "command", &spec_codec_list, IN(command), ROW_REQUIRED, 0,
	  SPEC_ARGV_MAX },
	{ FIELD_DIRECTORY, NULL, "directory", &spec_codec_text, IN(directory), ROW_REQUIRED, 0, 0 },
	{ FIELD_USER, NULL, "user", &spec_codec_text, IN(user), 0, 0, 0 },
	{ FIELD_ENVIRONMENT, NULL, "environment", &spec_codec_variables, IN(environment), 0, 0,
	  SPEC_ENVIRONMENT_MAX },
	{ FIELD_ENVIRONMENT_FILES, NULL, "environment_files", &spec_codec_list,
	  IN(environment_files), 0, 0, SPEC_PATHS_MAX },

	{ FIELD_MEMORY, "limits", "memory", &spec_codec_size, IN(limits.memory_max), ROW_LIVE, 0,
	  0 },
	{ FIELD_MEMORY_HIGH, "limits", "memory_high", &spec_codec_size, IN(limits.memory_high),
	  ROW_LIVE, 0, 0 },
	{ FIELD_MEMORY_SWAP, "limits", "memory_swap", &spec_codec_size, IN(limits.memory_swap_max),
	  ROW_LIVE, 0, 0 },
	{ FIELD_CPU, "limits", "cpu", &spec_codec_cpu, IN(limits.cpu_max), ROW_LIVE, 0, 0 },
	{ FIELD_CPU_WEIGHT, "limits", "cpu_weight", &spec_codec_count, IN(limits.cpu_weight),
	  ROW_LIVE, 1, SPEC_CPU_WEIGHT_MAX },
	{ FIELD_PIDS, "limits", "pids", &spec_codec_count, IN(limits.pids_max), ROW_LIVE | ROW_MAX,
	  1, SPEC_PIDS_LIMIT },
	/* of a process that is started already */
	{ FIELD_NOFILE, "limits", "nofile", &spec_codec_count, IN(limits.nofile), 0,
	  SPEC_NOFILE_MIN, SPEC_NOFILE_LIMIT },
	/* follows from the memory, which is changed live: it waits for the next start */
	{ FIELD_TMP_SIZE, "limits", "tmp_size", &spec_codec_size, IN(limits.tmp_size), ROW_LIVE, 0,
	  0 },
	{ FIELD_IO, "limits", "io", &spec_codec_io, IN(limits), ROW_LIVE, 0, SPEC_IO_MAX },

	{ FIELD_READABLE, "isolation", "readable", &spec_codec_list, IN(isolation.readable), 0, 0,
	  SPEC_PATHS_MAX },
	{ FIELD_WRITABLE, "isolation", "writable", &spec_codec_list, IN(isolation.writable), 0, 0,
	  SPEC_PATHS_MAX },
	{ FIELD_NETWORK, "isolation", "network", &spec_codec_choice, IN(isolation.network), 0, 0,
	  0 },
	{ FIELD_SYSCALLS, NULL, "syscalls", &spec_codec_text, IN(syscalls), 0, 0, 0 },

	{ FIELD_RESTART, "restart", "mode", &spec_codec_choice, IN(restart.mode), ROW_LIVE, 0, 0 },
	{ FIELD_MAX_RESTARTS, "restart", "max_restarts", &spec_codec_count,
	  IN(restart.max_restarts), ROW_LIVE | ROW_MAX, 0, SPEC_RESTARTS_LIMIT },
	{ FIELD_BACKOFF, "restart", "backoff", &spec_codec_time, IN(restart.backoff_usec), ROW_LIVE,
	  0, 0 },
	{ FIELD_BACKOFF_MAX, "restart", "backoff_max", &spec_codec_time,
	  IN(restart.backoff_max_usec), ROW_LIVE, 0, 0 },
	{ FIELD_STABLE, "restart", "stable", &spec_codec_time, IN(restart.stable_usec), ROW_LIVE, 0,
	  0 },
	/* memory.oom.group of the leaf is written anew */
	{ FIELD_OOM, NULL, "oom", &spec_codec_choice, IN(oom), ROW_LIVE, 0, 0 },
	/* the daemon stops its workers itself; what their launchers were told is for its own end */
	{ FIELD_STOP_SIGNAL, "stop", "signal", &spec_codec_signal, IN(stop.signal), ROW_LIVE, 0,
	  0 },
	{ FIELD_STOP_GRACE, "stop", "grace", &spec_codec_time, IN(stop.grace_usec), ROW_LIVE, 0,
	  0 },

	{ FIELD_LOG_TARGET, "log", "target", &spec_codec_choice, IN(log.target), ROW_LIVE, 0, 0 },
	{ FIELD_LOG_MAX_SIZE, "log", "max_size", &spec_codec_size, IN(log.max_size), ROW_LIVE, 0,
	  0 },
	{ FIELD_LOG_KEEP, "log", "keep", &spec_codec_count, IN(log.keep), ROW_LIVE, 0,
	  SPEC_LOG_KEEP_LIMIT },
	{ FIELD_LOG_RATE, "log", "rate", &spec_codec_count, IN(log.rate), ROW_LIVE | ROW_MAX, 1,
	  SPEC_LOG_RATE_LIMIT },
	{ FIELD_ENABLED, NULL, "enabled", &spec_codec_bool, IN(enabled), ROW_LIVE, 0, 0 },
};
static_assert(ARRAY_SIZE(spec_rows) == FIELD_COUNT - 1, "a row for each field");
static_assert(FIELD_COUNT <= 64, "a set of fields is one number");
const size_t spec_row_count = ARRAY_SIZE(spec_rows);
