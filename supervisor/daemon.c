/* SPDX-License-Identifier: MIT */
/*
 * The order of a start: one daemon at a time (a lock); the configuration, in which a wrong file
 * costs only itself; what an earlier daemon has left is taken over; the socket; READY=1. Only then
 * is systemd asked for a scope, if there is none: it waits for us as we would for it.
 */
#include "supervisor/daemon.h"

#include "policy/own.h"
#include "supervisor/clock.h"
#include "supervisor/log_file.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#define LOCK_FILE	    DAEMON_RUN "/pysbxd.lock"
#define FLUSH_PATIENCE_MSEC 1000

static uint32_t random_number(void)
{
	uint32_t number = 0;

	/* only makes names unique; whoever makes the file refuses one that is there */
	if (getrandom(&number, sizeof(number), GRND_NONBLOCK) != (ssize_t)sizeof(number))
		number = (uint32_t)clock_monotonic_usec();
	return number;
}

/* --- who speaks ----------------------------------------------------------------------------- */

void daemon_find_admins(struct daemon *daemon)
{
	const struct group *group;

	errno = 0;
	group = getgrnam(DAEMON_GROUP);
	/* a database that does not answer has not said that there is none */
	if (group == NULL && errno != 0 && errno != ENOENT)
		return;
	daemon->has_admins = group != NULL;
	daemon->admins = group != NULL ? group->gr_gid : 0;
}

static bool is_admin(const struct daemon *daemon, const struct peer *peer)
{
	if (peer->uid == 0)
		return true;
	if (!daemon->has_admins)
		return false;
	for (size_t i = 0; i < peer->group_count; i++)
		if (peer->groups[i] == daemon->admins)
			return true;
	return peer->gid == daemon->admins;
}

static int identify(const struct peer *peer, void *userdata, const char **ret_tenant,
		    struct error *err)
{
	const struct daemon *daemon = userdata;
	const struct config_tenant *tenant;

	if (is_admin(daemon, peer)) {
		*ret_tenant = NULL;
		return 0;
	}
	tenant = config_tenant_of_uid(daemon->config, peer->uid);
	if (tenant == NULL)
		return error_set(err, ERROR_DENIED, 0,
				 "uid %u is neither root, nor in the group " DAEMON_GROUP
				 ", nor a user of a tenant",
				 peer->uid);
	*ret_tenant = tenant->tenant.name;
	return 0;
}

/* --- signals -------------------------------------------------------------------------------- */

/* `systemctl stop` and `restart`: the apps stay. At the host's shutdown their scope goes first, so
 * by now they have ended. */
static int on_leave(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata)
{
	struct daemon *daemon = userdata;
	(void)source, (void)info;

	daemon->leaving = true;
	log_event(&daemon->log, LOG_EVENT_DAEMON_STOPPING, NULL,
		  "stopping; apps that run go on, and are found again");
	(void)sd_notify(0, "STOPPING=1");
	return sd_event_exit(daemon->event, 0);
}

static int on_hangup(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata)
{
	struct daemon *daemon = userdata;
	struct daemon_changes changes;
	struct error err;
	(void)source, (void)info;

	if (daemon_reload(daemon, NULL, &changes, &err) >= 0)
		daemon_changes_clear(&changes);
	return 0;
}

static int attach_signals(struct daemon *daemon, struct error *err)
{
	static const struct {
		int signal;
		sd_event_signal_handler_t handler;
	} handlers[] = { { SIGTERM, on_leave }, { SIGINT, on_leave }, { SIGHUP, on_hangup } };
	sigset_t set;

	(void)signal(SIGPIPE, SIG_IGN);
	/* inherited as ignored, no child could be waited for */
	(void)signal(SIGCHLD, SIG_DFL);
	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(handlers); i++) {
		int r;

		sigaddset(&set, handlers[i].signal);
		(void)sigprocmask(SIG_BLOCK, &set, NULL);
		r = sd_event_add_signal(daemon->event, NULL, handlers[i].signal,
					handlers[i].handler, daemon);
		if (r < 0)
			return error_set(err, ERROR_SYSTEM, -r, "watch signal %d",
					 handlers[i].signal);
	}
	return 0;
}

/* --- places --------------------------------------------------------------------------------- */

static int make_directories(struct error *err)
{
	static const struct {
		const char *path;
		mode_t mode;
	} wanted[] = { { DAEMON_RUN, 0755 }, { DAEMON_KEEPERS, 0700 }, { DAEMON_LIB, 0700 } };

	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
		if (mkdir(wanted[i].path, wanted[i].mode) < 0 && errno != EEXIST)
			return error_set(err, ERROR_SYSTEM, errno, "make directory %s",
					 wanted[i].path);
	/* whoever made it: nobody but root may connect to a launcher */
	return chmod(DAEMON_KEEPERS, 0700) < 0
		       ? error_set(err, ERROR_SYSTEM, errno, "%s", DAEMON_KEEPERS)
		       : 0;
}

static int take_lock(struct daemon *daemon, struct error *err)
{
	daemon->lock_fd = open(LOCK_FILE, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (daemon->lock_fd < 0)
		return error_set(err, ERROR_SYSTEM, errno, "open " LOCK_FILE);
	if (flock(daemon->lock_fd, LOCK_EX | LOCK_NB) < 0)
		return error_set(err, ERROR_CONFLICT, errno == EWOULDBLOCK ? 0 : errno,
				 "another pysbxd is running: `systemctl status pysbxd`");
	return 0;
}

static int open_logs(struct daemon *daemon, struct error *err)
{
	int r = journal_open(&daemon->journal, JOURNAL_SOCKET, err);

	if (r >= 0)
		journal_attach(&daemon->journal, daemon->event);
	if (r >= 0 && daemon->options.to_stderr)
		r = output_open(&daemon->err_out, STDERR_FILENO, err);
	daemon->log = (struct log){ .journal = &daemon->journal, .threshold = LOG_LEVEL_INFO };
	if (daemon->options.to_stderr)
		daemon->log.output = &daemon->err_out;
	return r;
}

/* --- the hosts of apps ---------------------------------------------------------------------- */

static int fill_host(struct daemon *daemon, struct error *err)
{
	struct error complaint;
	int r, directory;

	daemon->host = (struct app_host){
		.config = &daemon->config,
		.filters = &daemon->filters,
		.instance = { .event = daemon->event,
			      .log = &daemon->log,
			      .image_fd = -1,
			      .root_fd = -1,
			      .init_cgroup_fd = -1,
			      .root_cgroup = "",
			      .reader = &daemon->reader,
			      .kernel_log = &daemon->kernel_log,
			      .recorders = &daemon->recorders,
			      .stacks = &daemon->stack_readers,
			      .incident_directory = DAEMON_INCIDENTS,
			      .random = random_number,
			      .notifier = &daemon->notifier,
			      .view = &daemon->view,
			      .slots = &daemon->slots,
			      .keeper_directory = DAEMON_KEEPERS },
		.log = { .event = daemon->event,
			 .log = &daemon->log,
			 .journal = &daemon->journal,
			 .directory_fd = -1,
			 .now_usec = clock_monotonic_usec },
	};
	recorders_init(&daemon->recorders, daemon->event, false);
	stacks_readers_init(&daemon->stack_readers, daemon->event);
	daemon_set_callbacks(daemon);
	directory = log_file_open_directory(LOG_FILE_DIRECTORY, &complaint);
	if (directory < 0)
		log_message(&daemon->log, LOG_LEVEL_ERROR, NULL, "%s", complaint.text);
	daemon->host.log.directory_fd = directory;
	r = launcher_slots_open(&daemon->slots, err);
	if (r >= 0)
		r = launcher_image(LAUNCHER_PATH, &daemon->host.instance.image_fd, err);
	if (host_view_open(&daemon->view, &complaint) < 0)
		log_message(&daemon->log, LOG_LEVEL_WARNING, NULL, "%s", complaint.text);
	if (r >= 0)
		r = incident_hook_new(daemon->event, &daemon->log, &daemon->hook, err);
	daemon->host.instance.hook = daemon->hook;
	if (r >= 0)
		r = watch_notifier_open(&daemon->notifier, daemon->event, err);
	return r;
}

/* What is left of an earlier daemon. */
static int take_over(struct daemon *daemon, struct error *err)
{
	json_t *state = daemon_read_state(daemon);
	struct error ignored;
	uint64_t sequence;
	int r;

	sequence = (uint64_t)json_integer_value(json_object_get(state, "kernel_sequence"));
	(void)kernel_log_open(&daemon->kernel_log, sequence, &ignored);
	r = events_new(&daemon->events, daemon_state_cursor(state), &daemon->log, err);
	if (r >= 0)
		r = uids_load(&daemon->uids, DAEMON_LIB, err);
	if (r >= 0)
		r = daemon_load(daemon, err);
	if (r >= 0) {
		if (apps_scope_find(daemon->options.cgroup_root, DAEMON_KEEPERS, &daemon->scope))
			daemon_use_scope(daemon);
		daemon_note_uids(daemon, json_object_get(state, "apps"));
		daemon_restore(daemon, state);
		daemon_give_uids(daemon);
	}
	json_decref(state);
	return r;
}

static int open_socket(struct daemon *daemon, struct error *err)
{
	struct control_table tables[DAEMON_TABLES];
	struct control_config config = { .listen_fd = -1,
					 .path = DAEMON_SOCKET,
					 .tables = tables,
					 .table_count = daemon_method_tables(daemon, tables),
					 .identify = identify,
					 .userdata = daemon,
					 .log = &daemon->log };

	if (sd_listen_fds(0) > 0 &&
	    sd_is_socket_unix(SD_LISTEN_FDS_START, SOCK_STREAM, 1, NULL, 0) > 0)
		config.listen_fd = SD_LISTEN_FDS_START;
	return control_start(&daemon->control, daemon->event, &config, err);
}

static int open_all(struct daemon *daemon, struct error *err)
{
	int r = sd_event_new(&daemon->event);

	if (r < 0)
		return error_set(err, ERROR_SYSTEM, -r, "event loop");
	r = open_logs(daemon, err);
	if (r >= 0 && daemon->options.to_stderr)
		r = output_attach(&daemon->err_out, daemon->event, err);
	if (r >= 0)
		r = make_directories(err);
	if (r >= 0)
		r = take_lock(daemon, err);
	if (r >= 0)
		r = attach_signals(daemon, err);
	if (r >= 0)
		r = fill_host(daemon, err);
	if (r >= 0)
		r = take_over(daemon, err);
	if (r >= 0)
		r = incident_sweep_start(daemon->event, DAEMON_INCIDENTS,
					 &daemon->host.instance.incidents,
					 INCIDENT_SWEEP_FIRST_USEC, &daemon->sweep, err);
	if (r >= 0)
		r = open_socket(daemon, err);
	return r;
}

/* It is there to be passed on to pysbx-stacks, which executes with what is permitted here. Without
 * it nothing is lost but stacks. */
static void lower_ptrace(void)
{
	const cap_value_t ptrace = CAP_SYS_PTRACE;
	cap_t caps = cap_get_proc();

	if (caps != NULL && cap_set_flag(caps, CAP_EFFECTIVE, 1, &ptrace, CAP_CLEAR) == 0)
		(void)cap_set_proc(caps);
	(void)cap_free(caps);
}

static void close_all(struct daemon *daemon)
{
	daemon_save(daemon);
	control_stop(daemon->control);
	daemon_stop_stacks(daemon);
	for (size_t i = 0; i < daemon->app_count; i++)
		app_free(daemon->apps[i]);
	free(daemon->apps);
	free(daemon->queue);
	events_free(daemon->events);
	daemon->anchor_source = sd_event_source_disable_unref(daemon->anchor_source);
	daemon->starter = sd_event_source_disable_unref(daemon->starter);
	daemon->reaper = sd_event_source_disable_unref(daemon->reaper);
	daemon->saver = sd_event_source_disable_unref(daemon->saver);
	daemon->trimmer = sd_event_source_disable_unref(daemon->trimmer);
	daemon->scope_again = sd_event_source_disable_unref(daemon->scope_again);
	tenant_tripwires_clear(&daemon->tripwires);
	apps_scope_close(&daemon->scope);
	reader_stop(&daemon->reader);
	watch_notifier_close(&daemon->notifier);
	recorders_clear(&daemon->recorders);
	stacks_readers_clear(&daemon->stack_readers);
	kernel_log_close(&daemon->kernel_log);
	filter_cache_clear(&daemon->filters);
	host_system_clear(&daemon->system);
	incident_sweep_stop(daemon->sweep);
	incident_hook_free(daemon->hook);
	mask_free(daemon->mask);
	config_free(daemon->config);
	uids_clear(&daemon->uids);
	close_and_clear(&daemon->host.instance.image_fd);
	launcher_slots_close(&daemon->slots);
	host_view_close(&daemon->view);
	close_and_clear(&daemon->host.log.directory_fd);
	if (daemon->options.to_stderr) {
		output_flush(&daemon->err_out, FLUSH_PATIENCE_MSEC);
		output_close(&daemon->err_out);
	}
	journal_close(&daemon->journal);
	close_and_clear(&daemon->records_fd);
	close_and_clear(&daemon->lock_fd);
	sd_event_unref(daemon->event);
}

int daemon_run(const struct daemon_options *options, struct error *err)
{
	struct daemon daemon = {
		.options = *options,
		.lock_fd = -1,
		.records_fd = -1,
		.started_usec = clock_realtime_usec(),
		.scope = { .fd = -1, .init_fd = -1, .anchor = { .pidfd = -1, .socket = -1 } },
		.kernel_log = { .fd = -1 },
		.notifier = { .fd = -1 },
		.slots = LAUNCHER_SLOTS_NONE,
		.view = HOST_VIEW_NONE,
		.journal = { .fd = -1 },
		.host = { .instance = { .image_fd = -1 }, .log = { .directory_fd = -1 } },
	};
	int r;

	umask(022);
	lower_ptrace();
	r = open_all(&daemon, err);
	if (r >= 0) {
		(void)sd_event_set_watchdog(daemon.event, true);
		log_event(&daemon.log, LOG_EVENT_DAEMON_STARTED, NULL,
			  "pysbxd " PYSBX_VERSION " with %zu apps", daemon.app_count);
		(void)sd_notifyf(0, "READY=1\nSTATUS=%zu apps", daemon.app_count);
		r = sd_event_loop(daemon.event);
		if (r < 0)
			error_set(err, ERROR_SYSTEM, -r, "event loop");
	}
	close_all(&daemon);
	return r;
}
