/* SPDX-License-Identifier: MIT */
/*
 * `pysbx run`: one app in the foreground, without a daemon.
 *
 * What can be refused is refused before anything is made: options, command, directory, user, disks.
 * Then systemd is asked for the delegation, and while it works plan and filter are made; then the
 * limits, the loop; and at its end, however it came, everything that was made is removed again.
 * What a SIGKILL leaves is the anchor's to remove (supervisor/anchor.h).
 */
#include "supervisor/run.h"

#include "policy/own.h"
#include "policy/plan_build.h"
#include "supervisor/app_cgroup.h"
#include "supervisor/clock.h"
#include "supervisor/delegation.h"
#include "supervisor/egress.h"
#include "supervisor/filter.h"
#include "supervisor/filter_store.h"
#include "supervisor/host.h"
#include "supervisor/identity.h"
#include "supervisor/instance.h"
#include "supervisor/kernel_log.h"
#include "supervisor/learning.h"
#include "supervisor/options.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#define INCIDENT_DIRECTORY  "/var/lib/pysbx/incidents"
#define UID_LOCK_DIRECTORY  "/run/pysbx/uid"
#define FLUSH_PATIENCE_MSEC 2000

struct run {
	struct run_options options;
	struct log log;
	struct output out, err_out;
	struct relay_outputs worker_output; /* the same two */
	struct identity identity;
	struct host_facts facts;
	struct plan *plan; /* until the instance takes it over */
	struct disk disks[SPEC_IO_MAX];
	int filter_fd;
	int app_fd; /* NAME.slice */
	char slice_name[SPEC_NAME_MAX + 8];
	struct limits limits; /* borrows from the spec */
	struct delegation_request request;
	sd_bus *bus;
	struct delegation delegation;
	struct reader reader;
	struct kernel_log kernel_log;
	struct recorders recorders;
	struct stacks_readers stacks;
	struct instance_host host;
	struct settings_incidents incidents;
	struct mask *mask;
	struct incident_hook *hook;
	struct learning learning; /* if options.learn.on */
	struct instance instance;
	bool instance_ready;
	sd_event *event;
	sd_event_source *anchor_source;
};

static uint32_t random_number(void)
{
	uint32_t number = 0;

	/* only makes names unique; whoever makes the file or cgroup refuses one that is there */
	if (getrandom(&number, sizeof(number), GRND_NONBLOCK) != (ssize_t)sizeof(number))
		number = (uint32_t)clock_monotonic_usec();
	return number;
}

/* --- before anything is made ---------------------------------------------------------------- */

static int check_root(struct error *err)
{
	if (geteuid() == 0)
		return 0;
	return error_set(
		err, ERROR_DENIED, 0,
		"must be run as root (it makes cgroups and namespaces; the command itself runs "
		"unprivileged): try sudo");
}

static int find_disks(struct run *run, struct error *err)
{
	int r = app_cgroup_find_disks(&run->options.spec.limits, run->disks, err);

	if (r < 0)
		error_prefix(err, "--io");
	return r;
}

static int look_around(struct run *run, struct error *err)
{
	const struct app_spec *spec = &run->options.spec;
	int r;

	r = identity_resolve(spec->user, spec->name, UID_LOCK_DIRECTORY, &run->identity, err);
	if (r >= 0)
		r = identity_add_groups(&spec->groups, &run->identity, err);
	if (r >= 0)
		r = host_facts_gather(spec, &run->identity, environ, NULL, &run->facts, err);
	if (r >= 0)
		r = find_disks(run, err);
	return r;
}

static int make_plan(struct run *run, struct error *err)
{
	const struct app_spec *spec = &run->options.spec;
	int r = plan_build(spec, 0, &run->facts, &run->plan, err);

	if (r < 0)
		return r;
	run->plan->end_with_supervisor = true;
	if (!run->options.learn.on)
		return filter_compile_kept(FILTER_STORE_DIRECTORY, spec->syscalls.profile,
					   &run->filter_fd, err);
	run->plan->refusals = REFUSALS_PERMITTED;
	return learning_begin(run->options.learn.base != NULL ? run->options.learn.base
							      : SPEC_SYSCALLS_DEFAULT,
			      &run->learning, &run->filter_fd, err);
}

static int print_plan(const struct run *run, struct error *err)
{
	_cleanup_free_ char *text = NULL;
	int r = plan_to_json(run->plan, &text, err);

	if (r < 0)
		return r;
	if (printf("%s\n", text) < 0 || fflush(stdout) != 0)
		return error_set(err, ERROR_SYSTEM, errno, "write the plan");
	return 0;
}

/* --- the cgroups ---------------------------------------------------------------------------- */

static void on_swept(const char *id, void *userdata)
{
	struct run *run = userdata;

	log_message(&run->log, LOG_LEVEL_WARNING, NULL,
		    "swept what a killed run (%s) had left behind", id);
}

static void tell_missing(struct run *run, unsigned missing)
{
	if (missing != 0)
		log_message(&run->log, LOG_LEVEL_WARNING, NULL,
			    "%s: has no controller for%s%s: what it would tell of (OOM kills, "
			    "refused forks) is not told",
			    run->options.cgroup_root,
			    (missing & CONTROLLER_MEMORY) != 0 ? " memory" : "",
			    (missing & CONTROLLER_PIDS) != 0 ? " pids" : "");
}

/* From the moment in which something is there to be cleaned up no signal may just end us: they wait
 * for the loop. */
static void block_signals(void)
{
	static const int signals[] = { SIGTERM, SIGINT,	  SIGHUP,  SIGUSR1,
				       SIGUSR2, SIGWINCH, SIGTTIN, SIGTTOU };
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		sigaddset(&set, signals[i]);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
}

/* From here on there is something to be cleaned up. */
static int ask_for_cgroup(struct run *run, struct error *err)
{
	const struct app_spec *spec = &run->options.spec;

	run->limits = spec->limits;
	limits_leave_open(&run->limits);
	run->request = (struct delegation_request){
		.app = spec->name,
		.bus = run->bus,
		.cgroup_root = run->options.cgroup_root,
		.required = limits_controllers(&run->limits),
		.watched = CONTROLLER_MEMORY | CONTROLLER_PIDS,
		.grace_usec = spec->stop.grace_usec,
		.keep_fd = run->identity.lock_fd,
		.random = random_number(),
	};
	block_signals();
	return delegation_begin(&run->request, &run->delegation, err);
}

static int make_cgroups(struct run *run, struct error *err)
{
	const struct app_spec *spec = &run->options.spec;
	const struct delegation_request *request = &run->request;
	struct limit_write writes[LIMIT_WRITES_MAX];
	struct error sweep_error;
	size_t count;
	int r;

	if (runs_sweep(RUNS_DIRECTORY, on_swept, run, &sweep_error) < 0)
		log_message(&run->log, LOG_LEVEL_WARNING, NULL, "sweep: %s", sweep_error.text);
	r = delegation_open(request, &run->delegation, err);
	if (r < 0)
		return r;
	tell_missing(run, request->watched & ~run->delegation.controllers);
	snprintf(run->slice_name, sizeof(run->slice_name), "%s.slice", spec->name);
	r = cgroup_make(run->delegation.fd, run->slice_name, &run->app_fd, err);
	if (r >= 0)
		r = cgroup_enable(run->app_fd, run->delegation.controllers, run->slice_name, err);
	if (r >= 0 && spec->isolation.egress.count > 0)
		r = egress_apply(run->app_fd, &spec->isolation.egress, err);
	if (r < 0)
		return r;
	count = limits_writes(&run->limits, run->disks, (uint64_t)sysconf(_SC_PAGESIZE), writes);
	return cgroup_apply(run->app_fd, writes, count, err);
}

/* --- learning ------------------------------------------------------------------------------- */

static void learn(struct instance *instance, const struct seccomp_data *data)
{
	struct run *run = instance->userdata;

	learning_add(&run->learning, data);
}

/* Of one that never ran there is nothing to be learnt. */
static int write_learnt(struct run *run, struct error *err)
{
	const struct run_options *options = &run->options;

	if (!options->learn.on || run->learning.count == 0)
		return 0;
	output_flush(&run->err_out, FLUSH_PATIENCE_MSEC);
	return learning_finish(&run->learning, options->learn.output, options->learn.dangerous,
			       &run->log, err);
}

/* --- the loop ------------------------------------------------------------------------------- */

static int on_stop_signal(sd_event_source *source, const struct signalfd_siginfo *info,
			  void *userdata)
{
	struct run *run = userdata;
	int signal = (int)info->ssi_signo;
	(void)source;

	/* ^C reaches the worker as what it is; SIGTERM as the app's own stop signal */
	instance_stop(&run->instance, signal == SIGTERM ? run->options.spec.stop.signal : signal);
	return 0;
}

static int on_forwarded_signal(sd_event_source *source, const struct signalfd_siginfo *info,
			       void *userdata)
{
	struct run *run = userdata;
	(void)source;

	instance_signal(&run->instance, (int)info->ssi_signo);
	return 0;
}

/* `systemctl stop` of the scope, told by the anchor; or the anchor was killed, which ends the scope
 * as soon as nothing else lives in it. */
static int on_anchor(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct run *run = userdata;
	char word;
	(void)revents;

	if (read(fd, &word, 1) != 1) {
		(void)sd_event_source_set_enabled(source, SD_EVENT_OFF);
		log_message(&run->log, LOG_LEVEL_ERROR, run->options.spec.name,
			    "the anchor of the cgroup was killed: stopping");
	}
	/* at shutdown systemd ends us and the scope at once: that is no second request */
	if (run->instance.state != APP_STOPPING)
		instance_stop(&run->instance, run->options.spec.stop.signal);
	return 0;
}

static void on_settled(struct instance *instance, void *userdata)
{
	struct run *run = userdata;
	(void)instance;

	(void)sd_event_exit(run->event, 0);
}

static bool is_ignored(int number)
{
	struct sigaction action;

	return sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

static int attach_signals(struct run *run, struct error *err)
{
	static const struct {
		int signal;
		sd_event_signal_handler_t handler;
	} handlers[] = {
		{ SIGTERM, on_stop_signal },	  { SIGINT, on_stop_signal },
		{ SIGHUP, on_forwarded_signal },  { SIGUSR1, on_forwarded_signal },
		{ SIGUSR2, on_forwarded_signal }, { SIGWINCH, on_forwarded_signal },
		{ SIGTTIN, on_forwarded_signal }, { SIGTTOU, on_forwarded_signal },
	};

	for (size_t i = 0; i < ARRAY_SIZE(handlers); i++) {
		int r;

		/* nohup, and a shell's `&`, ignore what is not meant for us */
		if (handlers[i].signal != SIGTERM && is_ignored(handlers[i].signal))
			continue;
		r = sd_event_add_signal(run->event, NULL, handlers[i].signal, handlers[i].handler,
					run);
		if (r < 0)
			return error_set(err, ERROR_SYSTEM, -r, "watch signal %d",
					 handlers[i].signal);
	}
	return 0;
}

static void set_dispositions(void)
{
	(void)signal(SIGPIPE, SIG_IGN);
	/* inherited as ignored, no child could be waited for */
	(void)signal(SIGCHLD, SIG_DFL);
	/* a stopped pysbx watches nothing and drains no pipe, which would stop the worker too */
	(void)signal(SIGTSTP, SIG_IGN);
}

static int make_loop(struct run *run, struct error *err)
{
	int r = sd_event_new(&run->event);

	if (r >= 0)
		r = sd_event_add_io(run->event, &run->anchor_source, run->delegation.anchor.socket,
				    EPOLLIN, on_anchor, run);
	/* systemd ends the worker in the same breath: the request is to be heard before its end */
	if (r >= 0)
		r = sd_event_source_set_priority(run->anchor_source, SD_EVENT_PRIORITY_IMPORTANT);
	if (r < 0)
		return error_set(err, ERROR_SYSTEM, -r, "event loop");
	r = output_attach(&run->out, run->event, err);
	return r < 0 ? r : output_attach(&run->err_out, run->event, err);
}

static int make_hook(struct run *run, struct error *err)
{
	struct strings command _cleanup_strings_ = { 0 };
	int r = incident_hook_new(run->event, &run->log, &run->hook, err);

	if (r >= 0 && run->options.on_incident != NULL)
		r = strings_append(&command, run->options.on_incident, err);
	return r < 0 ? r : incident_hook_configure(run->hook, &command, NULL, err);
}

static int run_instance(struct run *run, struct error *err)
{
	struct error ignored;
	int r;

	recorders_init(&run->recorders, run->event, true);
	stacks_readers_init(&run->stacks, run->event);
	settings_incidents_init(&run->incidents);
	r = mask_new(NULL, &run->mask, err);
	if (r >= 0)
		r = make_hook(run, err);
	if (r < 0)
		return r;
	run->host = (struct instance_host){
		.event = run->event,
		.log = &run->log,
		.image_fd = -1,
		.file_fd = -1,
		.root_fd = run->delegation.fd,
		.init_cgroup_fd = run->delegation.init_fd,
		.root_path = run->delegation.path,
		.root_cgroup = cgroup_path_of_kernel(run->delegation.path),
		.reader = &run->reader,
		.kernel_log = &run->kernel_log,
		.recorders = &run->recorders,
		.stacks = &run->stacks,
		.incident_directory = INCIDENT_DIRECTORY,
		.report_path = run->options.report_path,
		.incidents = &run->incidents,
		.mask = run->mask,
		.hook = run->hook,
		.random = random_number,
		.learn = run->options.learn.on ? learn : NULL,
	};
	r = launcher_file(LAUNCHER_PATH, &run->host.file_fd, err);
	if (r < 0)
		return r;
	(void)kernel_log_open(&run->kernel_log, 0, &ignored);
	instance_init(&run->instance, &run->host, &run->options.spec, run->slice_name, 0,
		      TAKE_PTR(run->plan), run->filter_fd);
	run->worker_output = (struct relay_outputs){ { &run->out, &run->err_out } };
	/* stdout is the profile's */
	if (run->options.learn.on && run->options.learn.output == NULL)
		run->worker_output.outputs[0] = &run->err_out;
	run->instance.sink = relay_to_outputs(&run->worker_output);
	run->instance.on_settled = on_settled;
	run->instance.userdata = run;
	run->instance_ready = true;
	instance_start(&run->instance);
	/* while the launcher builds the sandbox; the signals are blocked since the first cgroup */
	r = attach_signals(run, err);
	if (r < 0)
		return r;
	r = sd_event_loop(run->event);
	incident_hook_finish(run->hook);
	return r < 0 ? error_set(err, ERROR_SYSTEM, -r, "event loop") : 0;
}

/* --- all of it ------------------------------------------------------------------------------ */

static int clean_up(struct run *run, struct error *err)
{
	int r;

	run->anchor_source = sd_event_source_disable_unref(run->anchor_source);
	if (run->instance_ready)
		instance_clear(&run->instance);
	recorders_clear(&run->recorders);
	stacks_readers_clear(&run->stacks);
	/* it and the anchor end at the same time */
	reader_kill(&run->reader);
	close_and_clear(&run->app_fd);
	kernel_log_close(&run->kernel_log);
	r = delegation_close(&run->delegation, err);
	scope_disconnect(run->bus);
	close_and_clear(&run->host.file_fd);
	reader_stop(&run->reader);
	identity_clear(&run->identity);
	host_facts_clear(&run->facts);
	plan_free(run->plan);
	learning_clear(&run->learning);
	mask_free(run->mask);
	incident_hook_free(run->hook);
	close_and_clear(&run->filter_fd);
	return r;
}

static int run_all(struct run *run, struct error *err)
{
	struct error clean_error;
	int r;

	r = check_root(err);
	if (r >= 0 && run->options.cgroup_root == NULL && !run->options.print_plan)
		run->bus = scope_connect();
	if (r >= 0)
		r = look_around(run, err);
	/* what follows can be done while systemd works */
	if (r >= 0 && !run->options.print_plan)
		r = ask_for_cgroup(run, err);
	if (r >= 0)
		r = make_plan(run, err);
	if (r >= 0 && run->options.print_plan)
		r = print_plan(run, err);
	else if (r >= 0) {
		r = make_cgroups(run, err);
		if (r >= 0)
			r = make_loop(run, err);
		if (r >= 0)
			r = run_instance(run, err);
		if (r >= 0)
			r = write_learnt(run, err);
	}
	if (clean_up(run, &clean_error) < 0)
		log_message(&run->log, LOG_LEVEL_ERROR, NULL, "clean up: %s", clean_error.text);
	return r;
}

static void tell_dropped(struct run *run)
{
	uint64_t dropped = run->out.dropped_lines + run->err_out.dropped_lines;

	if (dropped > 0)
		log_message(&run->log, LOG_LEVEL_WARNING, run->options.spec.name,
			    "%llu lines of output were dropped: whoever reads it was too slow",
			    (unsigned long long)dropped);
}

static int run_with_options(struct run *run)
{
	struct error err;
	int code, r;

	if (output_open(&run->out, STDOUT_FILENO, &err) < 0 ||
	    output_open(&run->err_out, STDERR_FILENO, &err) < 0) {
		fprintf(stderr, "pysbx: %s\n", err.text);
		return error_exit_code(err.kind);
	}
	run->log = (struct log){
		.output = &run->err_out,
		.json = run->options.json,
		.threshold = run->options.quiet	    ? LOG_LEVEL_WARNING
			     : run->options.verbose ? LOG_LEVEL_DEBUG
						    : LOG_LEVEL_INFO,
	};
	r = run_all(run, &err);
	if (r < 0)
		log_message(&run->log, LOG_LEVEL_ERROR, NULL, "%s", err.text);
	code = r < 0 ? error_exit_code(err.kind) : run->instance.exit_code;
	output_flush(&run->out, FLUSH_PATIENCE_MSEC);
	tell_dropped(run);
	output_flush(&run->err_out, FLUSH_PATIENCE_MSEC);
	output_close(&run->out);
	output_close(&run->err_out);
	sd_event_unref(run->event);
	return code;
}

typedef int parse_options(int argc, char *const argv[], const char *cwd, struct run_options *ret,
			  struct error *err);

static int start(int argc, char *argv[], parse_options *parse, void (*help)(FILE *out))
{
	_cleanup_free_ char *cwd = getcwd(NULL, 0);
	struct run run = {
		.filter_fd = -1,
		.app_fd = -1,
		.identity = { .lock_fd = -1 },
		.delegation = DELEGATION_NONE,
		.host = { .image_fd = -1, .file_fd = -1 },
		.kernel_log = { .fd = -1 },
	};
	struct error err;
	int code = 0;

	umask(022);
	set_dispositions();
	if (cwd == NULL) {
		fprintf(stderr, "pysbx: the working directory is gone: cd somewhere else\n");
		return error_exit_code(ERROR_SYSTEM);
	}
	if (parse(argc, argv, cwd, &run.options, &err) < 0) {
		fprintf(stderr, "pysbx: %s\n", err.text);
		return error_exit_code(err.kind);
	}
	if (run.options.help)
		help(stdout);
	else if (run.options.version)
		printf("pysbx " PYSBX_VERSION "\n");
	else
		code = run_with_options(&run);
	run_options_clear(&run.options);
	return code;
}

int run_command(int argc, char *argv[])
{
	return start(argc - 1, argv + 1, run_options_parse, run_options_help);
}

int learn_command(int argc, char *argv[])
{
	return start(argc - 2, argv + 2, learn_options_parse, learn_options_help);
}
