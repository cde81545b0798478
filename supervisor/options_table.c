/* SPDX-License-Identifier: MIT */
/* The options of `pysbx run`: one setter each, and the table. A setter's error does not name the
 * option: the parser does. */
#include "policy/own.h"
#include "policy/path.h"
#include "policy/wall.h"
#include "supervisor/options.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* --- what setters share ----------------------------------------------------------------------- */

static int set_text(char **text, const char *value, struct error *err)
{
	char *copy = strdup(value);

	if (copy == NULL)
		return error_no_memory(err);
	free(*text);
	*text = copy;
	return 0;
}

static int set_path(const struct run_options *options, char **path, const char *value,
		    struct error *err)
{
	char *absolute;
	int r = path_resolve(options->cwd, value, &absolute, err);

	if (r < 0)
		return r;
	free(*path);
	*path = absolute;
	return 0;
}

static int add_path(const struct run_options *options, struct strings *paths, const char *value,
		    struct error *err)
{
	_cleanup_free_ char *absolute = NULL;
	int r = path_resolve(options->cwd, value, &absolute, err);

	return r < 0 ? r : strings_append(paths, absolute, err);
}

/* --- limits ----------------------------------------------------------------------------------- */

static int set_mem(struct run_options *options, const char *value, struct error *err)
{
	return quantity_parse_size(value, &options->spec.limits.memory_max, err);
}

static int set_mem_high(struct run_options *options, const char *value, struct error *err)
{
	return quantity_parse_size(value, &options->spec.limits.memory_high, err);
}

static int set_swap(struct run_options *options, const char *value, struct error *err)
{
	return quantity_parse_size(value, &options->spec.limits.memory_swap_max, err);
}

static int set_cpu(struct run_options *options, const char *value, struct error *err)
{
	return quantity_parse_cpu(value, &options->spec.limits.cpu_max, err);
}

static int set_cpu_weight(struct run_options *options, const char *value, struct error *err)
{
	return quantity_parse_count(value, 1, SPEC_CPU_WEIGHT_MAX, false,
				    &options->spec.limits.cpu_weight, err);
}

static int set_io(struct run_options *options, const char *value, struct error *err)
{
	struct limits *limits = &options->spec.limits;
	int r = spec_parse_io(value, limits, err);
	char *path;

	if (r < 0)
		return r;
	path = limits->io[limits->io_count - 1].path;
	r = path_resolve(options->cwd, path, &limits->io[limits->io_count - 1].path, err);
	if (r == 0)
		free(path);
	return r;
}

static int set_pids(struct run_options *options, const char *value, struct error *err)
{
	return quantity_parse_count(value, 1, SPEC_PIDS_LIMIT, true, &options->spec.limits.pids_max,
				    err);
}

static int set_nofile(struct run_options *options, const char *value, struct error *err)
{
	return quantity_parse_count(value, SPEC_NOFILE_MIN, SPEC_NOFILE_LIMIT, false,
				    &options->spec.limits.nofile, err);
}

static int set_tmp_size(struct run_options *options, const char *value, struct error *err)
{
	return quantity_parse_size(value, &options->spec.limits.tmp_size, err);
}

/* --- the process ------------------------------------------------------------------------------ */

static int set_name(struct run_options *options, const char *value, struct error *err)
{
	return set_text(&options->spec.name, value, err);
}

static int set_user(struct run_options *options, const char *value, struct error *err)
{
	return set_text(&options->spec.user, value, err);
}

static int set_group(struct run_options *options, const char *value, struct error *err)
{
	return strings_append(&options->spec.groups, value, err);
}

static int set_chdir(struct run_options *options, const char *value, struct error *err)
{
	return set_path(options, &options->spec.directory, value, err);
}

static int set_env(struct run_options *options, const char *value, struct error *err)
{
	return strings_append(&options->spec.environment, value, err);
}

static int set_env_file(struct run_options *options, const char *value, struct error *err)
{
	return add_path(options, &options->spec.environment_files, value, err);
}

/* --- the sandbox ------------------------------------------------------------------------------ */

static int set_ro(struct run_options *options, const char *value, struct error *err)
{
	return add_path(options, &options->spec.isolation.readable, value, err);
}

static int set_rw(struct run_options *options, const char *value, struct error *err)
{
	return add_path(options, &options->spec.isolation.writable, value, err);
}

/* The name of a service, or a path. */
static int set_unix_socket(struct run_options *options, const char *value, struct error *err)
{
	if (spec_socket_directory(value) != NULL)
		return strings_append(&options->spec.isolation.sockets, value, err);
	return add_path(options, &options->spec.isolation.sockets, value, err);
}

static int set_require(struct run_options *options, const char *value, struct error *err)
{
	enum wall_id wall;
	int r = wall_parse(value, &wall, err);

	return r < 0 ? r : strings_append(&options->spec.isolation.require, value, err);
}

static int set_network(struct run_options *options, const char *value, struct error *err)
{
	return spec_network_parse(value, &options->spec.isolation.network, err);
}

static int set_egress(struct run_options *options, const char *value, struct error *err)
{
	return strings_append(&options->spec.isolation.egress, value, err);
}

static int set_listen(struct run_options *options, const char *value, struct error *err)
{
	return strings_append(&options->spec.listen, value, err);
}

static int set_syscalls(struct run_options *options, const char *value, struct error *err)
{
	if (strchr(value, '/') != NULL)
		return set_path(options, &options->spec.syscalls.profile, value, err);
	return set_text(&options->spec.syscalls.profile, value, err);
}

static int set_syscalls_mode(struct run_options *options, const char *value, struct error *err)
{
	return spec_syscalls_mode_parse(value, &options->spec.syscalls.mode, err);
}

/* --- learning --------------------------------------------------------------------------------- */

static int set_output(struct run_options *options, const char *value, struct error *err)
{
	return set_path(options, &options->learn.output, value, err);
}

static int set_base(struct run_options *options, const char *value, struct error *err)
{
	if (strchr(value, '/') != NULL)
		return set_path(options, &options->learn.base, value, err);
	return set_text(&options->learn.base, value, err);
}

static int set_allow_dangerous(struct run_options *options, const char *value, struct error *err)
{
	(void)value, (void)err;
	options->learn.dangerous = true;
	return 0;
}

/* --- end and restart -------------------------------------------------------------------------- */

static int set_restart(struct run_options *options, const char *value, struct error *err)
{
	return spec_restart_mode_parse(value, &options->spec.restart.mode, err);
}

static int set_max_restarts(struct run_options *options, const char *value, struct error *err)
{
	return quantity_parse_count(value, 0, SPEC_RESTARTS_LIMIT, true,
				    &options->spec.restart.max_restarts, err);
}

/* FIRST[/MAX]. A FIRST above the default MAX lifts it. */
static int set_pressure(struct run_options *options, const char *value, struct error *err)
{
	struct pressure_policy *pressure = &options->spec.pressure;
	size_t length = strcspn(value, "=");
	const char *share = value[length] == '=' ? value + length + 1 : "";

	if (strcmp(value, "off") == 0) {
		for (unsigned step = 0; step < PRESSURE_STEP_COUNT; step++)
			pressure->at[step] = LIMIT_MAX;
		return 0;
	}
	for (unsigned step = 0; step < PRESSURE_STEP_COUNT; step++) {
		const char *name = pressure_step_name((enum pressure_step)step);

		if (strlen(name) == length && strncmp(value, name, length) == 0)
			return quantity_parse_percent(share, &pressure->at[step], err);
	}
	if (length == strlen("cooldown") && strncmp(value, "cooldown", length) == 0)
		return quantity_parse_time(share, &pressure->cooldown_usec, err);
	return error_set(err, ERROR_INVALID, 0,
			 "write STEP=SHARE with notify, reclaim, recycle, restart or kill and a "
			 "share of the memory limit, for example recycle=90%%; cooldown=TIME; or "
			 "off");
}

static int set_backoff(struct run_options *options, const char *value, struct error *err)
{
	struct restart_policy *restart = &options->spec.restart;
	const char *slash = strchr(value, '/');
	size_t length = slash != NULL ? (size_t)(slash - value) : strlen(value);
	_cleanup_free_ char *first = strndup(value, length);
	uint64_t first_usec, max_usec;
	int r;

	if (first == NULL)
		return error_no_memory(err);
	r = quantity_parse_time(first, &first_usec, err);
	if (r < 0)
		return r;
	max_usec = first_usec > SPEC_BACKOFF_MAX_DEFAULT ? first_usec : SPEC_BACKOFF_MAX_DEFAULT;
	if (slash != NULL)
		r = quantity_parse_time(slash + 1, &max_usec, err);
	if (r < 0)
		return r;
	if (max_usec < first_usec)
		return error_set(err, ERROR_INVALID, 0,
				 "the first delay, %s, is above the last, %s", first, slash + 1);
	restart->backoff_usec = first_usec;
	restart->backoff_max_usec = max_usec;
	return 0;
}

static int set_oom(struct run_options *options, const char *value, struct error *err)
{
	return spec_oom_policy_parse(value, &options->spec.oom, err);
}

static int set_no_tripwire(struct run_options *options, const char *value, struct error *err)
{
	(void)value, (void)err;
	options->spec.tripwire = false;
	return 0;
}

static int set_grace(struct run_options *options, const char *value, struct error *err)
{
	return quantity_parse_time(value, &options->spec.stop.grace_usec, err);
}

static int set_kill_signal(struct run_options *options, const char *value, struct error *err)
{
	return spec_signal_parse(value, &options->spec.stop.signal, err);
}

/* --- health check ----------------------------------------------------------------------------- */

static int set_health(struct run_options *options, const char *value, struct error *err)
{
	return set_text(&options->spec.health.http, value, err);
}

static int set_health_host(struct run_options *options, const char *value, struct error *err)
{
	return set_text(&options->spec.health.host, value, err);
}

static int set_health_interval(struct run_options *options, const char *value, struct error *err)
{
	return quantity_parse_time(value, &options->spec.health.interval_usec, err);
}

static int set_health_timeout(struct run_options *options, const char *value, struct error *err)
{
	return quantity_parse_time(value, &options->spec.health.timeout_usec, err);
}

static int set_health_failures(struct run_options *options, const char *value, struct error *err)
{
	return quantity_parse_count(value, 1, SPEC_HEALTH_FAILURES_MAX, false,
				    &options->spec.health.failures, err);
}

static int set_health_start_period(struct run_options *options, const char *value,
				   struct error *err)
{
	return quantity_parse_time(value, &options->spec.health.start_usec, err);
}

static int set_health_restart(struct run_options *options, const char *value, struct error *err)
{
	return spec_health_restart_parse(value, &options->spec.health.restart, err);
}

/* --- what pysbx itself does ------------------------------------------------------------------- */

static int set_report(struct run_options *options, const char *value, struct error *err)
{
	return set_path(options, &options->report_path, value, err);
}

static int set_on_incident(struct run_options *options, const char *value, struct error *err)
{
	return set_path(options, &options->on_incident, value, err);
}

static int set_cgroup_root(struct run_options *options, const char *value, struct error *err)
{
	return set_path(options, &options->cgroup_root, value, err);
}

static int set_print_plan(struct run_options *options, const char *value, struct error *err)
{
	(void)value, (void)err;
	options->print_plan = true;
	return 0;
}

static int set_json(struct run_options *options, const char *value, struct error *err)
{
	(void)value, (void)err;
	options->json = true;
	return 0;
}

static int set_quiet(struct run_options *options, const char *value, struct error *err)
{
	(void)value, (void)err;
	options->quiet = true;
	return 0;
}

static int set_verbose(struct run_options *options, const char *value, struct error *err)
{
	(void)value, (void)err;
	options->verbose = true;
	return 0;
}

static int set_version(struct run_options *options, const char *value, struct error *err)
{
	(void)value, (void)err;
	options->version = true;
	return 0;
}

static int set_help(struct run_options *options, const char *value, struct error *err)
{
	(void)value, (void)err;
	options->help = true;
	return 0;
}

/* ---------------------------------------------------------------------------------------------- */

const struct option_row run_option_rows[] = {
	{ .group = "Limits (SIZE: 256M, 1.5G, bytes or max)",
	  .name = "mem",
	  .argument = "SIZE",
	  .help = "memory, at which the kernel's OOM killer ends a process of the app (memory.max)",
	  .field = FIELD_MEMORY,
	  .set = set_mem },
	{ .name = "mem-high",
	  .argument = "SIZE",
	  .help = "memory above which the app is slowed down and reclaimed from (memory.high)",
	  .field = FIELD_MEMORY_HIGH,
	  .set = set_mem_high },
	{ .name = "swap",
	  .argument = "SIZE",
	  .help = "swap on top of --mem (memory.swap.max; 0 where --mem is given)",
	  .field = FIELD_MEMORY_SWAP,
	  .set = set_swap },
	{ .name = "cpu",
	  .argument = "CPU",
	  .help = "CPU time: 150% or 1.5 is one core and a half (cpu.max)",
	  .field = FIELD_CPU,
	  .set = set_cpu },
	{ .name = "cpu-weight",
	  .argument = "N",
	  .help = "share against others when CPU is short, 1 to 10000, 100 is the kernel's "
		  "default (cpu.weight)",
	  .field = FIELD_CPU_WEIGHT,
	  .set = set_cpu_weight },
	{ .name = "io",
	  .argument = "PATH=RBPS/WBPS[/RIOPS/WIOPS]",
	  .help = "bytes and operations a second on the disk that PATH is on, '-' for none of "
		  "one kind: /srv=20M/10M/-/200 (io.max)",
	  .field = FIELD_IO,
	  .repeatable = true,
	  .set = set_io },
	{ .name = "pids",
	  .argument = "N",
	  .help = "processes and threads, or max (pids.max; default 1024)",
	  .field = FIELD_PIDS,
	  .set = set_pids },
	{ .name = "nofile",
	  .argument = "N",
	  .help = "open files of each process (RLIMIT_NOFILE; default 65536)",
	  .field = FIELD_NOFILE,
	  .set = set_nofile },
	{ .name = "tmp-size",
	  .argument = "SIZE",
	  .help = "size of the app's own /tmp, which counts as its memory (default 64M, at most "
		  "a quarter of --mem)",
	  .field = FIELD_TMP_SIZE,
	  .set = set_tmp_size },

	{ .group = "Process",
	  .name = "name",
	  .argument = "NAME",
	  .help = "name of the app (default: from COMMAND)",
	  .field = FIELD_NAME,
	  .set = set_name },
	{ .name = "user",
	  .argument = "USER|UID[:GID]",
	  .help = "who to run as, never root (default: an id of its own)",
	  .field = FIELD_USER,
	  .set = set_user },
	{ .name = "group",
	  .argument = "GROUP",
	  .help = "a supplementary group, by name (default: none, whatever groups the user has)",
	  .field = FIELD_GROUPS,
	  .repeatable = true,
	  .set = set_group },
	{ .name = "chdir",
	  .argument = "DIR",
	  .help = "the app's directory, read-only to it (default: the current one)",
	  .field = FIELD_DIRECTORY,
	  .set = set_chdir },
	{ .name = "env",
	  .argument = "NAME[=VALUE]",
	  .help = "set a variable, or pass the caller's own on",
	  .field = FIELD_ENVIRONMENT,
	  .repeatable = true,
	  .set = set_env },
	{ .name = "env-file",
	  .argument = "FILE",
	  .help = "set the variables of a file of NAME=VALUE lines; --env wins over it",
	  .field = FIELD_ENVIRONMENT_FILES,
	  .repeatable = true,
	  .set = set_env_file },

	{ .group = "Sandbox",
	  .name = "ro",
	  .argument = "PATH",
	  .help = "show PATH to the app, read-only",
	  .field = FIELD_READABLE,
	  .repeatable = true,
	  .set = set_ro },
	{ .name = "rw",
	  .argument = "PATH",
	  .help = "show PATH to the app, writable",
	  .field = FIELD_WRITABLE,
	  .repeatable = true,
	  .set = set_rw },
	{ .name = "unix-socket",
	  .argument = "NAME|PATH",
	  .help = "let the app reach the unix sockets of a service (mysql, postgresql, redis ...) "
		  "or in a directory",
	  .field = FIELD_SOCKETS,
	  .repeatable = true,
	  .set = set_unix_socket },
	{ .name = "syscalls",
	  .argument = "PROFILE",
	  .help = "system calls allowed: a profile's name, or the path of one (default "
		  "python-web)",
	  .field = FIELD_SYSCALLS,
	  .set = set_syscalls },
	{ .name = "syscalls-mode",
	  .argument = "MODE",
	  .choices = "enforce|log|canary",
	  .help = "what is not allowed fails (enforce, default), or is made and told (log), or "
		  "fails at first and is made when that happens often (canary)",
	  .set = set_syscalls_mode },
	{ .name = "network",
	  .argument = "MODE",
	  .choices = "host|none|private",
	  .help = "host (default); none: only a loopback of its own; private: that, and "
		  "--listen",
	  .field = FIELD_NETWORK,
	  .set = set_network },
	{ .name = "egress",
	  .argument = "ADDRESS",
	  .help = "let the app connect nowhere else: 10.0.0.5:5432, 10.1.0.0/16, "
		  "[2001:db8::1]:443, localhost, dns, any or none",
	  .field = FIELD_EGRESS,
	  .repeatable = true,
	  .set = set_egress },
	{ .name = "listen",
	  .argument = "SOCKET",
	  .help = "hold a listening socket and hand it to the app (LISTEN_FDS), over restarts: "
		  "127.0.0.1:8000, [::1]:8000 or unix:/run/pysbx/listen/blog.sock",
	  .field = FIELD_LISTEN,
	  .repeatable = true,
	  .set = set_listen },

	{ .name = "require",
	  .argument = "WALL",
	  .help = "do not start without this wall of the sandbox: landlock, abstract-sockets",
	  .field = FIELD_REQUIRE,
	  .repeatable = true,
	  .set = set_require },

	{ .group = "End and restart (TIME: 5s, 500ms, 1min 30s; a bare number is seconds)",
	  .name = "restart",
	  .argument = "WHEN",
	  .choices = "always|on-failure|never",
	  .help = "after which ends to start again (default on-failure)",
	  .field = FIELD_RESTART,
	  .set = set_restart },
	{ .name = "max-restarts",
	  .argument = "N",
	  .help = "restarts in a row before giving up, or max (default 5); a run of 1min starts "
		  "a new row",
	  .field = FIELD_MAX_RESTARTS,
	  .set = set_max_restarts },
	{ .name = "backoff",
	  .argument = "FIRST[/MAX]",
	  .help = "delay before a restart, doubled each time up to MAX (default 1s/1min)",
	  .field = FIELD_BACKOFF,
	  .set = set_backoff },
	{ .name = "oom",
	  .argument = "WHOM",
	  .choices = "worker|app",
	  .help = "when the kernel kills one process for memory: leave it to its master (worker, "
		  "default) or restart the app",
	  .field = FIELD_OOM,
	  .set = set_oom },
	{ .name = "no-tripwire",
	  .help = "do not look at the app when it comes close to its memory limit, which stops it "
		  "for milliseconds each time",
	  .field = FIELD_TRIPWIRE,
	  .repeatable = true,
	  .set = set_no_tripwire },
	{ .name = "pressure",
	  .argument = "STEP=SHARE",
	  .help = "what to do when that share of --mem can't be given back: notify=70% and "
		  "reclaim=80% (default), recycle= a worker, restart= or kill= the app, or off; "
		  "cooldown=30s between two of them",
	  .field = FIELD_PRESSURE_COOLDOWN,
	  .repeatable = true,
	  .set = set_pressure },
	{ .name = "grace",
	  .argument = "TIME",
	  .help = "how long a stop waits before it kills (default 35s)",
	  .field = FIELD_STOP_GRACE,
	  .set = set_grace },
	{ .name = "kill-signal",
	  .argument = "SIGNAL",
	  .help = "what asks the app to stop (default TERM)",
	  .field = FIELD_STOP_SIGNAL,
	  .set = set_kill_signal },

	{ .group = "Health check",
	  .name = "health",
	  .argument = "URL",
	  .help = "ask the app: http://127.0.0.1:8000/healthz, http://[::1]:8000/ or "
		  "http://unix:/run/app.sock:/healthz",
	  .field = FIELD_HEALTH_HTTP,
	  .set = set_health },
	{ .name = "health-host",
	  .argument = "NAME",
	  .help = "the Host header of that request",
	  .field = FIELD_HEALTH_HOST,
	  .set = set_health_host },
	{ .name = "health-interval",
	  .argument = "TIME",
	  .help = "from one check to the next (default 10s)",
	  .field = FIELD_HEALTH_INTERVAL,
	  .set = set_health_interval },
	{ .name = "health-timeout",
	  .argument = "TIME",
	  .help = "how long an answer may take (default 2s)",
	  .field = FIELD_HEALTH_TIMEOUT,
	  .set = set_health_timeout },
	{ .name = "health-failures",
	  .argument = "N",
	  .help = "so many failures in a row make it unhealthy (default 3)",
	  .field = FIELD_HEALTH_FAILURES,
	  .set = set_health_failures },
	{ .name = "health-start-period",
	  .argument = "TIME",
	  .help = "how long after a start failures don't count (default 1min)",
	  .field = FIELD_HEALTH_START,
	  .set = set_health_start_period },
	{ .name = "health-restart",
	  .argument = "WHEN",
	  .choices = "hung|unhealthy|never",
	  .help = "restart an unhealthy app that makes no progress (hung, default), any "
		  "(unhealthy) or none",
	  .field = FIELD_HEALTH_RESTART,
	  .set = set_health_restart },

	{ .group = "Output",
	  .name = "report",
	  .argument = "FILE",
	  .help = "append each incident to FILE, one JSON object a line",
	  .set = set_report },
	{ .name = "on-incident",
	  .argument = "PROGRAM",
	  .help = "run PROGRAM, unprivileged, with each incident as JSON on its standard input",
	  .set = set_on_incident },
	{ .name = "print-plan",
	  .help = "print the sandbox plan as JSON and run nothing",
	  .repeatable = true,
	  .set = set_print_plan },
	{ .name = "cgroup-root",
	  .argument = "DIR",
	  .help = "make the app's cgroups below DIR instead of a systemd scope",
	  .set = set_cgroup_root },
	{ .name = "json",
	  .help = "messages and incidents on standard error as JSON",
	  .repeatable = true,
	  .set = set_json },
	{ .name = "quiet",
	  .help = "only errors and incidents",
	  .repeatable = true,
	  .set = set_quiet },
	{ .name = "verbose", .help = "say what is done", .repeatable = true, .set = set_verbose },
	{ .name = "version", .help = "print the version", .repeatable = true, .set = set_version },
	{ .name = "help", .help = "print this", .repeatable = true, .set = set_help },
};

const size_t run_option_count = ARRAY_SIZE(run_option_rows);

const struct option_row learn_option_rows[] = {
	{ .group = "What is learnt",
	  .name = "output",
	  .argument = "FILE",
	  .help = "write the profile to FILE, not to standard output, which then is the "
		  "command's again",
	  .set = set_output },
	{ .name = "base",
	  .argument = "PROFILE",
	  .help = "the profile that it is made of: its rules as far as they are used, and all "
		  "that it refuses (default python-web)",
	  .set = set_base },
	{ .name = "allow-dangerous",
	  .help = "take in also what that profile refuses by a rule of its own",
	  .repeatable = true,
	  .set = set_allow_dangerous },
};

const size_t learn_option_count = ARRAY_SIZE(learn_option_rows);
static_assert(ARRAY_SIZE(run_option_rows) + ARRAY_SIZE(learn_option_rows) <= RUN_OPTIONS_MAX,
	      "given options fit a 64-bit set");
