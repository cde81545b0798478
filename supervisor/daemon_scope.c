/* SPDX-License-Identifier: MIT */
/* The scope that all apps live in: having one, and what happens to it. */
#include "supervisor/clock.h"
#include "supervisor/daemon.h"

#include <errno.h>
#include <unistd.h>

/* `systemctl stop` of the scope, or the host shuts down: systemd has told everyone in it. */
static void stop_all(struct daemon *daemon)
{
	log_event(&daemon->log, LOG_EVENT_DAEMON_STOPPING, NULL,
		  "systemd stops " APPS_SCOPE_UNIT ": so all apps are stopped");
	for (size_t i = 0; i < daemon->app_count; i++) {
		app_set_queued(daemon->apps[i], false);
		app_stop(daemon->apps[i]);
	}
}

/* The anchor alone was killed: apps live on, and so must the scope. */
static bool replace_anchor(struct daemon *daemon)
{
	struct error err;

	if (apps_scope_renew_anchor(&daemon->scope, DAEMON_KEEPERS, &err) < 0) {
		log_event(&daemon->log, LOG_EVENT_SCOPE_LOST, NULL,
			  "the anchor of " APPS_SCOPE_UNIT " was killed, and the scope is gone: "
			  "the next start of an app makes it again (%s)",
			  err.text);
		return false;
	}
	log_event(&daemon->log, LOG_EVENT_SCOPE_LOST, NULL,
		  "the anchor of " APPS_SCOPE_UNIT " was killed: it has a new one, apps go on");
	daemon_use_scope(daemon);
	return true;
}

static int on_anchor(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct daemon *daemon = userdata;
	char word;
	(void)source, (void)revents;

	if (read(fd, &word, 1) == 1) {
		daemon->scope_stops = true;
		stop_all(daemon);
		return 0;
	}
	daemon->anchor_source = sd_event_source_disable_unref(daemon->anchor_source);
	if (daemon->scope_stops)
		log_message(&daemon->log, LOG_LEVEL_INFO, NULL,
			    APPS_SCOPE_UNIT " has ended: the next start of an app makes it again");
	else if (replace_anchor(daemon))
		return 0;
	daemon->scope_stops = false;
	apps_scope_close(&daemon->scope);
	daemon_use_scope(daemon);
	return 0;
}

static void tell_missing(struct daemon *daemon)
{
	const struct apps_scope *scope = &daemon->scope;

	if (scope->fd < 0 || scope->missing == 0 || daemon->missing_told)
		return;
	daemon->missing_told = true;
	log_message(
		&daemon->log, LOG_LEVEL_WARNING, NULL,
		"%s: has no controller for%s%s: of such limits none can be had, and %s of an app "
		"can't be told",
		scope->path, (scope->missing & CONTROLLER_MEMORY) != 0 ? " memory" : "",
		(scope->missing & CONTROLLER_PIDS) != 0 ? " pids" : "",
		scope->missing == CONTROLLER_PIDS     ? "refused forks"
		: scope->missing == CONTROLLER_MEMORY ? "OOM kills"
						      : "OOM kills and refused forks");
}

void daemon_use_scope(struct daemon *daemon)
{
	tell_missing(daemon);
	daemon->host.instance.root_fd = daemon->scope.fd;
	daemon->host.instance.init_cgroup_fd = daemon->scope.init_fd;
	daemon->host.instance.root_path = daemon->scope.path;
	daemon->host.instance.root_cgroup = cgroup_path_of_kernel(daemon->scope.path);
	for (size_t i = 0; daemon->scope.fd < 0 && i < daemon->app_count; i++)
		daemon->apps[i]->has_slice = false;
	if (daemon->scope.anchor.socket < 0 || daemon->anchor_source != NULL)
		return;
	(void)sd_event_add_io(daemon->event, &daemon->anchor_source, daemon->scope.anchor.socket,
			      EPOLLIN, on_anchor, daemon);
	/* systemd ends the workers in the same breath: the request is to be heard before that */
	(void)sd_event_source_set_priority(daemon->anchor_source, SD_EVENT_PRIORITY_IMPORTANT - 10);
}

int daemon_check_scope(const struct daemon *daemon, struct error *err)
{
	if (!daemon->scope_stops)
		return 0;
	return error_set(err, ERROR_CONFLICT, ECANCELED,
			 "systemd stops " APPS_SCOPE_UNIT
			 ", and with it all apps: start it when that is done");
}

/* What passes by itself: systemd or its bus is not there yet, or says no for now. */
static bool may_pass(const struct error *err)
{
	return err->kind == ERROR_UNREACHABLE || (err->kind == ERROR_SYSTEM && err->errnum == 0);
}

int daemon_need_scope(struct daemon *daemon, struct error *err)
{
	int r = daemon_check_scope(daemon, err);

	if (r < 0 || daemon->scope.fd >= 0)
		return r;
	if (clock_monotonic_usec() < daemon->scope_again_usec) {
		*err = daemon->scope_error;
		return -EAGAIN;
	}
	r = apps_scope_open(daemon->options.cgroup_root, DAEMON_KEEPERS, &daemon->scope, err);
	if (r >= 0) {
		daemon_use_scope(daemon);
		return r;
	}
	if (!may_pass(err))
		return r;
	err->errnum = EAGAIN; /* a shortage: the app is tried again */
	daemon->scope_error = *err;
	daemon->scope_again_usec = clock_monotonic_usec() + DAEMON_SCOPE_PAUSE_USEC;
	return -EAGAIN;
}
