/* SPDX-License-Identifier: MIT */
/*
 * /run/pysbx/state.json: what the next daemon has to know and can't find out by itself. Written
 * soon after every change, and at once when a death has been judged (supervisor/instance.h). It is
 * on tmpfs: it lives as long as the processes that it is about.
 *
 * {"version": 1, "generation": N, "cursor": N, "closed": BOOL, "kernel_sequence": N,
 *  "apps": {NAME: record, ...}}
 *
 * closed: the daemon has ended as it should, and `cursor` was its last.
 *
 * With a thousand apps that takes milliseconds, and a death has to be on record before its app can
 * start again. So what has just been judged goes into /run/pysbx/state.log at once, a line each,
 *
 * {"generation": N, "cursor": N, "kernel_sequence": N, "name": NAME, "record": record}
 *
 * and into the file when that is written next. A line counts only with the file of its generation;
 * a last one that is cut off was told to nobody.
 *
 * When it is lost or damaged, launchers are still found by their sockets, NAME.N.sock: then the
 * counters begin anew, and nothing else is lost.
 */
#include "policy/document.h"
#include "policy/own.h"
#include "supervisor/app_record.h"
#include "supervisor/clock.h"
#include "supervisor/daemon.h"
#include "supervisor/file.h"
#include "supervisor/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STATE_NAME     "state"
#define STATE_FILE     DAEMON_RUN "/" STATE_NAME ".json"
#define STATE_VERSION  1
#define RECORDS_FILE   DAEMON_RUN "/state.log"
#define STATE_SIZE_MAX ((size_t)64 * 1024 * 1024)
#define SOCKET_SUFFIX  ".0.sock" /* of an app's one instance */

/* --- writing -------------------------------------------------------------------------------- */

static int write_state(FILE *out, struct daemon *daemon, struct error *err)
{
	const char *separator = "";

	fprintf(out,
		"{\"version\":%d,\"generation\":%llu,\"cursor\":%llu,\"closed\":%s,"
		"\"kernel_sequence\":%llu,\"apps\":{",
		STATE_VERSION, (unsigned long long)daemon->state_generation,
		(unsigned long long)events_cursor(daemon->events),
		daemon->leaving ? "true" : "false",
		(unsigned long long)daemon->kernel_log.sequence);
	for (size_t i = 0; i < daemon->app_count; i++) {
		struct app *app = daemon->apps[i];
		int r = app_record_make(app, err);

		if (r < 0)
			return r;
		/* the characters of a name need no escapes */
		fprintf(out, "%s\n\"%s\":", separator, app->spec.name);
		fwrite(app->saved, 1, app->saved_length, out);
		separator = ",";
	}
	fprintf(out, "}}\n");
	return 0;
}

static int save(struct daemon *daemon, struct error *err)
{
	_cleanup_free_ char *text = NULL;
	size_t length = 0;
	FILE *out = open_memstream(&text, &length);
	int r;

	if (out == NULL)
		return error_no_memory(err);
	daemon->state_generation = clock_monotonic_usec(); /* no two files have the same */
	r = write_state(out, daemon, err);
	if (fclose(out) != 0 && r >= 0)
		r = error_no_memory(err);
	if (r >= 0)
		r = store_write_text(DAEMON_RUN, STATE_NAME, text, length, false, err);
	/* its lines are in the file, and count no more; after a failure the old ones still do */
	if (r >= 0 && daemon->records_fd >= 0)
		(void)!ftruncate(daemon->records_fd, 0);
	daemon->records_matter = r >= 0;
	return r;
}

static int add_record(struct daemon *daemon, struct app *app, struct error *err)
{
	_cleanup_free_ char *line = NULL;
	ssize_t written;
	int r, length;

	if (daemon->records_fd < 0)
		daemon->records_fd = open(
			RECORDS_FILE,
			O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (daemon->records_fd < 0)
		return error_set(err, ERROR_SYSTEM, errno, "open " RECORDS_FILE);
	r = app_record_make(app, err);
	if (r < 0)
		return r;
	length = asprintf(&line,
			  "{\"generation\":%llu,\"cursor\":%llu,\"kernel_sequence\":%llu,"
			  "\"name\":\"%s\",\"record\":%s}\n",
			  (unsigned long long)daemon->state_generation,
			  (unsigned long long)events_cursor(daemon->events),
			  (unsigned long long)daemon->kernel_log.sequence, app->spec.name,
			  app->saved);
	if (length < 0) {
		line = NULL;
		return error_no_memory(err);
	}
	written = write(daemon->records_fd, line, (size_t)length);
	return written == length ? 0
				 : error_set(err, ERROR_SYSTEM, written < 0 ? errno : ENOSPC,
					     "write " RECORDS_FILE);
}

void daemon_save_app(struct daemon *daemon, struct app *app)
{
	struct error ignored;

	/* a file that could not be written is the next thing to be tried again */
	if (daemon->restored && daemon->records_matter && add_record(daemon, app, &ignored) >= 0)
		daemon_save_soon(daemon);
	else
		daemon_save(daemon);
}

void daemon_save(struct daemon *daemon)
{
	uint64_t started = clock_monotonic_usec();
	struct error err;
	int r;

	if (!daemon->restored)
		return;
	r = save(daemon, &err);
	daemon->save_took_usec = clock_monotonic_usec() - started;
	if (daemon->saver != NULL)
		(void)sd_event_source_set_enabled(daemon->saver, SD_EVENT_OFF);
	daemon_trim_soon(daemon);
	if (r < 0 && !daemon->save_failed)
		log_message(&daemon->log, LOG_LEVEL_ERROR, NULL,
			    "%s: a restart of pysbxd would not know what it knows now", err.text);
	daemon->save_failed = r < 0;
}

static int on_saver(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)source, (void)usec;
	daemon_save(userdata);
	return 0;
}

static bool is_save_due(const struct daemon *daemon)
{
	int enabled = SD_EVENT_OFF;

	if (daemon->saver != NULL)
		(void)sd_event_source_get_enabled(daemon->saver, &enabled);
	return enabled != SD_EVENT_OFF;
}

void daemon_save_due(struct daemon *daemon)
{
	if (is_save_due(daemon))
		daemon_save(daemon);
}

void daemon_save_soon(struct daemon *daemon)
{
	uint64_t delay = DAEMON_SAVE_DELAY_USEC + DAEMON_SAVE_SHARE * daemon->save_took_usec;

	if (daemon->saver == NULL) {
		(void)sd_event_add_time_relative(daemon->event, &daemon->saver, CLOCK_MONOTONIC,
						 delay, 1, on_saver, daemon);
		return;
	}
	if (is_save_due(daemon))
		return;
	(void)sd_event_source_set_time_relative(daemon->saver, delay);
	(void)sd_event_source_set_enabled(daemon->saver, SD_EVENT_ONESHOT);
}

/* --- reading -------------------------------------------------------------------------------- */

/* What is damaged is put aside, for whoever wants to know why. */
static void tell_damaged(struct daemon *daemon, const struct error *err)
{
	log_event(&daemon->log, LOG_EVENT_STATE_UNREADABLE, NULL,
		  "%s: it is moved to " STATE_FILE
		  ".bad; apps that run are found by their sockets, "
		  "counters begin anew",
		  err->text);
	(void)rename(STATE_FILE, STATE_FILE ".bad");
}

/* A line that is later than the file. */
static void take_line(json_t *state, const json_t *line)
{
	json_t *record = json_object_get(line, "record");
	const char *name = json_string_value(json_object_get(line, "name"));

	if (!json_equal(json_object_get(line, "generation"), json_object_get(state, "generation")))
		return;
	if (name != NULL && json_is_object(record))
		(void)json_object_set(json_object_get(state, "apps"), name, record);
	(void)json_object_set(state, "cursor", json_object_get(line, "cursor"));
	(void)json_object_set(state, "kernel_sequence", json_object_get(line, "kernel_sequence"));
}

void daemon_state_take_lines(json_t *state, const char *text, size_t length)
{
	const char *at, *end;
	struct error ignored;
	int r = 0;

	for (at = text; r >= 0 && (end = memchr(at, '\n', length)) != NULL; at = end + 1) {
		_cleanup_json_ json_t *line = NULL;

		r = document_parse(at, (size_t)(end - at), STATE_SIZE_MAX, &line, &ignored);
		if (r >= 0)
			take_line(state, line);
		length -= (size_t)(end + 1 - at);
	}
}

static void take_records(json_t *state)
{
	_cleanup_free_ char *text = NULL;
	struct error ignored;
	size_t length;

	if (file_read_whole(RECORDS_FILE, STATE_SIZE_MAX, &text, &length, &ignored) >= 0)
		daemon_state_take_lines(state, text, length);
}

json_t *daemon_read_state(struct daemon *daemon)
{
	json_t *state = NULL;
	struct error err;
	int r = store_read(STATE_FILE, STATE_SIZE_MAX, &state, &err);

	if (r == -ENOENT)
		return NULL;
	if (r >= 0 && json_integer_value(json_object_get(state, "version")) == STATE_VERSION &&
	    json_is_object(json_object_get(state, "apps"))) {
		take_records(state);
		return state;
	}
	if (r >= 0)
		(void)error_set(&err, ERROR_INVALID, 0, STATE_FILE ": is not of version %d",
				STATE_VERSION);
	json_decref(state);
	tell_damaged(daemon, &err);
	return NULL;
}

/* A daemon that was killed may have told events after the state file was written. None of their
 * cursors is used again: a client that comes back with one would miss as many. */
uint64_t daemon_state_cursor(const json_t *state)
{
	uint64_t cursor = (uint64_t)json_integer_value(json_object_get(state, "cursor"));

	if (state == NULL || json_is_true(json_object_get(state, "closed")))
		return cursor;
	return cursor + DAEMON_CURSOR_GAP;
}

/* --- taking over ---------------------------------------------------------------------------- */

void daemon_renew_tenant(struct daemon *daemon, const struct tenant *tenant)
{
	struct error err;

	if (daemon->scope.fd >= 0 &&
	    app_cgroup_renew_tenant_limits(daemon->scope.fd, tenant, &err) < 0)
		log_message(&daemon->log, LOG_LEVEL_ERROR, NULL, "tenant %s: %s", tenant->name,
			    err.text);
	daemon_renew_tripwire(daemon, tenant);
}

/* The scope was stopped while no daemon was there, or the machine has put it away: nothing runs. */
static bool all_has_ended(const struct daemon *daemon)
{
	return daemon->options.cgroup_root == NULL && daemon->scope.fd < 0;
}

/* No death of its own, and nobody can say more about it. True: it is to start again, as at boot. */
static bool end_unseen(struct app *app)
{
	bool starts = app_state(app) != APP_STOPPING || app->start_again;

	app->instance.state = APP_STOPPED;
	app->start_again = app->has_slice = false;
	return starts && app->spec.enabled;
}

/* False: the record is of no use. */
static bool restore(struct daemon *daemon, struct app *app, const json_t *record)
{
	bool undeclared = app->remove, same = true, was_queued;
	struct error err;

	if (app_record_read(app, record, &same, &err) < 0) {
		log_event(&daemon->log, LOG_EVENT_STATE_UNREADABLE, NULL, "%s", err.text);
		return false;
	}
	/* its filter was lifted as a canary's: another declaration begins anew */
	if (!same)
		instance_forget_denials(&app->instance);
	app->remove |= undeclared;
	was_queued = app->queued;
	if (all_has_ended(daemon) && app_state_has_process(app_state(app)))
		was_queued = end_unseen(app);
	app->queued = false;
	daemon->starting += app_state(app) == APP_STARTING;
	app_adopt(app);
	app_renew_limits(app);
	if (app->remove)
		daemon_remove_app(daemon, app);
	else if (!same && app_is_up(app))
		app_restart(app);
	else if (was_queued && !app_state_has_process(app_state(app)))
		daemon_queue_app(daemon, app);
	return true;
}

/* Where it is declared, if it is: then the file was refused. */
static bool find_declaration(const struct daemon *daemon, const char *name,
			     enum config_source *ret_source, char path[CONFIG_PATH_MAX])
{
	for (int source = 0; source < SOURCE_COUNT; source++) {
		config_file(daemon->config, CONFIG_APPS, (enum config_source)source, name, path);
		if (access(path, F_OK) == 0 || errno != ENOENT) {
			*ret_source = (enum config_source)source;
			return true;
		}
	}
	return false;
}

static int add_nameless(struct daemon *daemon, const char *name, const char *tenant,
			enum config_source source, struct app **ret, struct error *err)
{
	struct app_spec spec;
	int r;

	r = spec_init(&spec, err);
	if (r < 0)
		return r;
	spec.name = strdup(name);
	spec.tenant = tenant != NULL ? strdup(tenant) : NULL;
	if (spec.name == NULL || (tenant != NULL && spec.tenant == NULL))
		r = error_no_memory(err);
	if (r >= 0)
		r = daemon_add_app(daemon, &spec, source, ret, err);
	if (r < 0)
		spec_clear(&spec);
	return r;
}

/* An app that is on record or runs, and that the configuration has not. If nobody has declared it
 * any more it is stopped as what it was. If its file was refused it is not to pay for that: it goes
 * on, and is held. */
static struct app *add_undeclared(struct daemon *daemon, const char *name, const char *tenant)
{
	enum config_source source = SOURCE_SOCKET;
	char path[CONFIG_PATH_MAX];
	bool held = find_declaration(daemon, name, &source, path);
	struct app *app = NULL;
	struct error err;

	if (add_nameless(daemon, name, tenant, source, &app, &err) < 0) {
		log_message(&daemon->log, LOG_LEVEL_ERROR, name, "%s", err.text);
		return NULL;
	}
	app->held = held;
	app->remove = !held;
	if (held)
		log_event(&daemon->log, LOG_EVENT_CONFIG_REFUSED, NULL,
			  "app %s stays as it is, because %s can't be used: correct it, and reload",
			  name, path);
	return app;
}

static void restore_undeclared(struct daemon *daemon, const char *name, const json_t *record)
{
	const char *tenant = json_string_value(json_object_get(record, "tenant"));
	struct error err;
	struct app *app;

	if (spec_validate_name(name, &err) < 0 ||
	    (tenant != NULL && spec_validate_name(tenant, &err) < 0))
		return;
	app = add_undeclared(daemon, name, tenant);
	if (app == NULL)
		return;
	if (!restore(daemon, app, record) && app->remove)
		daemon_remove_app(daemon, app);
}

/* A launcher that the state file does not know, or of a life that began after it was written: it
 * runs, that is all that is known. */
static void restore_unknown(struct daemon *daemon, const char *name)
{
	struct app *app = daemon_find_app(daemon, name);

	if (app == NULL)
		app = add_undeclared(daemon, name, NULL);
	if (app == NULL || app_state_has_process(app_state(app)))
		return;
	app_set_queued(app, false);
	app->instance.judged = app->instance.stop_requested = false;
	app->instance.spawned_usec = clock_monotonic_usec(); /* RUNNING says it better */
	app->instance.state = APP_RUNNING;
	app->has_slice = true;
	app_adopt(app);
	/* what happened before is not told again */
	instance_explain_all(&app->instance);
	app_renew_limits(app);
	if (app->remove)
		daemon_remove_app(daemon, app);
}

static void look_for_unknown(struct daemon *daemon)
{
	DIR *stream = opendir(DAEMON_KEEPERS);
	struct dirent *entry;

	while (stream != NULL && (entry = readdir(stream)) != NULL) {
		size_t length = strlen(entry->d_name), suffix = strlen(SOCKET_SUFFIX);
		struct error ignored;

		if (length <= suffix || strcmp(entry->d_name + length - suffix, SOCKET_SUFFIX) != 0)
			continue;
		entry->d_name[length - suffix] = '\0';
		if (spec_validate_name(entry->d_name, &ignored) >= 0)
			restore_unknown(daemon, entry->d_name);
	}
	if (stream != NULL)
		closedir(stream);
}

void daemon_restore(struct daemon *daemon, const json_t *state)
{
	json_t *records = json_object_get(state, "apps"), *record;
	const char *name;
	void *next;

	for (size_t i = 0; i < daemon->config->tenant_count; i++)
		daemon_renew_tenant(daemon, &daemon->config->tenants[i].tenant);
	json_object_foreach_safe(records, next, name, record)
	{
		struct app *app = daemon_find_app(daemon, name);

		if (app == NULL)
			restore_undeclared(daemon, name, record);
		else if (!restore(daemon, app, record))
			(void)json_object_del(records, name);
	}
	if (!all_has_ended(daemon))
		look_for_unknown(daemon);
	/* neither known nor running: it starts when its turn comes, as at boot */
	for (size_t i = 0; i < daemon->app_count; i++) {
		struct app *app = daemon->apps[i];

		if (app->spec.enabled && !app->remove && app_state(app) == APP_STOPPED &&
		    json_object_get(records, app->spec.name) == NULL)
			daemon_queue_app(daemon, app);
	}
	daemon->restored = true;
	daemon_save(daemon);
}
