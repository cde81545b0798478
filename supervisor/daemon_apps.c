/* SPDX-License-Identifier: MIT */
#include "supervisor/daemon.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

/* --- the list ------------------------------------------------------------------------------- */

/* The place of the name, or where it would be. */
static size_t place_of(const struct daemon *daemon, const char *name, bool *ret_found)
{
	size_t low = 0, high = daemon->app_count;

	*ret_found = false;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(daemon->apps[middle]->spec.name, name);

		if (order == 0) {
			*ret_found = true;
			return middle;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct app *daemon_find_app(const struct daemon *daemon, const char *name)
{
	bool found;
	size_t place = place_of(daemon, name, &found);

	return found ? daemon->apps[place] : NULL;
}

static int make_room(struct daemon *daemon, struct error *err)
{
	size_t wanted = daemon->app_allocated == 0 ? 16 : daemon->app_allocated * 2;
	struct app **larger;

	if (daemon->app_count == DAEMON_APPS_MAX)
		return error_set(err, ERROR_TOO_MANY, 0, "there are %d apps: no more are taken",
				 DAEMON_APPS_MAX);
	if (daemon->app_count < daemon->app_allocated)
		return 0;
	larger = reallocarray(daemon->apps, wanted, sizeof(struct app *));
	if (larger == NULL)
		return error_no_memory(err);
	daemon->apps = larger;
	daemon->app_allocated = wanted;
	return 0;
}

int daemon_add_app(struct daemon *daemon, struct app_spec *spec, enum config_source source,
		   struct app **ret, struct error *err)
{
	struct app *app = NULL;
	size_t place;
	bool found;
	int r;

	r = make_room(daemon, err);
	if (r >= 0)
		r = app_new(&daemon->host, spec, source, &app, err);
	if (r < 0)
		return r;
	place = place_of(daemon, app->spec.name, &found);
	memmove(&daemon->apps[place + 1], &daemon->apps[place],
		(daemon->app_count - place) * sizeof(struct app *));
	daemon->apps[place] = app;
	daemon->app_count++;
	*ret = app;
	return 0;
}

size_t daemon_count_apps(const struct daemon *daemon, const char *tenant)
{
	size_t count = 0;

	for (size_t i = 0; i < daemon->app_count; i++) {
		const char *of = daemon->apps[i]->spec.tenant;

		/* those that are being removed, too: they use what they use until they end */
		count += of != NULL && strcmp(of, tenant) == 0;
	}
	return count;
}

/* --- removing ------------------------------------------------------------------------------- */

static void forget_queued(struct daemon *daemon, const struct app *app)
{
	for (size_t i = 0; i < daemon->queue_count; i++) {
		struct app **at =
			&daemon->queue[(daemon->queue_first + i) % daemon->queue_allocated];

		if (*at == app)
			*at = NULL;
	}
}

/* Whoever is in the middle of a step with the app has finished when this runs. */
static int on_reap(sd_event_source *source, void *userdata)
{
	struct daemon *daemon = userdata;
	size_t kept = 0;

	for (size_t i = 0; i < daemon->app_count; i++) {
		struct app *app = daemon->apps[i];

		if (!app->remove || app_state_has_process(app_state(app))) {
			daemon->apps[kept++] = app;
			continue;
		}
		events_publish(daemon->events, "app.removed", app->spec.name, app->spec.tenant,
			       NULL);
		forget_queued(daemon, app);
		app_free(app);
	}
	daemon->app_count = kept;
	daemon_save_soon(daemon);
	(void)sd_event_source_set_enabled(source, SD_EVENT_OFF);
	return 0;
}

void daemon_reap_soon(struct daemon *daemon)
{
	if (daemon->reaper == NULL)
		(void)sd_event_add_defer(daemon->event, &daemon->reaper, on_reap, daemon);
	(void)sd_event_source_set_enabled(daemon->reaper, SD_EVENT_ONESHOT);
}

void daemon_remove_app(struct daemon *daemon, struct app *app)
{
	app->remove = true;
	app->start_again = false;
	/* a second word would mean "at once" */
	if (app_state(app) != APP_STOPPING)
		app_stop(app);
	if (!app_state_has_process(app_state(app)))
		daemon_reap_soon(daemon);
	daemon_save_soon(daemon);
}

void daemon_keep_app(struct daemon *daemon, struct app *app)
{
	if (!app->remove)
		return;
	app_keep(app);
	if (!app->spec.enabled)
		return;
	if (app_state_has_process(app_state(app)))
		app_start(app); /* when it has ended */
	else
		daemon_queue_app(daemon, app);
}

/* --- memory --------------------------------------------------------------------------------- */

static int on_trimmer(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct daemon *daemon = userdata;
	(void)source, (void)usec;

	daemon->trimmer = sd_event_source_disable_unref(daemon->trimmer);
	(void)malloc_trim(0);
	return 0;
}

void daemon_trim_soon(struct daemon *daemon)
{
	if (daemon->trimmer == NULL)
		(void)sd_event_add_time_relative(daemon->event, &daemon->trimmer, CLOCK_MONOTONIC,
						 DAEMON_TRIM_DELAY_USEC, USEC_PER_SEC, on_trimmer,
						 daemon);
}

/* --- starting ------------------------------------------------------------------------------- */

void daemon_start_app(struct app *app)
{
	app_set_queued(app, false);
	app_start(app);
}

static bool has_turn(const struct daemon *daemon)
{
	return daemon->queue_count > 0 && daemon->starting < DAEMON_STARTS_AT_A_TIME &&
	       !daemon->leaving;
}

static int on_scope_again(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct daemon *daemon = userdata;
	(void)source, (void)usec;

	daemon->scope_again = sd_event_source_disable_unref(daemon->scope_again);
	daemon_start_more(daemon);
	return 0;
}

/* Without a scope all in the queue would fail, one after the other: they wait for it. */
static bool must_wait_for_scope(struct daemon *daemon)
{
	struct error err;
	int r = daemon_need_scope(daemon, &err);

	if (r != -EAGAIN) {
		daemon->scope_told = false;
		return false;
	}
	if (!daemon->scope_told)
		log_message(&daemon->log, LOG_LEVEL_WARNING, NULL, "%zu apps wait to start: %s",
			    daemon->queue_count, err.text);
	daemon->scope_told = true;
	if (daemon->scope_again == NULL)
		(void)sd_event_add_time_relative(daemon->event, &daemon->scope_again,
						 CLOCK_MONOTONIC, DAEMON_SCOPE_PAUSE_USEC,
						 USEC_PER_SEC, on_scope_again, daemon);
	return true;
}

static int on_starter(sd_event_source *source, void *userdata)
{
	struct daemon *daemon = userdata;
	unsigned started = 0;
	bool waits = has_turn(daemon) && must_wait_for_scope(daemon);

	/* also when each fails at once: the loop has other things to do in between */
	while (!waits && has_turn(daemon) && started < DAEMON_STARTS_AT_A_TIME) {
		struct app *app = daemon->queue[daemon->queue_first];

		daemon->queue_first = (daemon->queue_first + 1) % daemon->queue_allocated;
		daemon->queue_count--;
		if (app == NULL || !app->queued)
			continue;
		daemon_start_app(app);
		started++;
	}
	(void)sd_event_source_set_enabled(source, !waits && has_turn(daemon) ? SD_EVENT_ONESHOT
									     : SD_EVENT_OFF);
	return 0;
}

void daemon_start_more(struct daemon *daemon)
{
	if (!has_turn(daemon) || (daemon->scope_again != NULL && daemon->scope.fd < 0))
		return;
	if (daemon->starter == NULL) {
		(void)sd_event_add_defer(daemon->event, &daemon->starter, on_starter, daemon);
		/* those that run already and the socket come first */
		(void)sd_event_source_set_priority(daemon->starter, SD_EVENT_PRIORITY_IDLE);
	}
	(void)sd_event_source_set_enabled(daemon->starter, SD_EVENT_ONESHOT);
}

/* The ring is made anew when it is full. */
static bool make_queue_room(struct daemon *daemon)
{
	size_t wanted = daemon->queue_allocated == 0 ? 64 : daemon->queue_allocated * 2;
	struct app **larger;

	if (daemon->queue_count < daemon->queue_allocated)
		return true;
	larger = calloc(wanted, sizeof(struct app *));
	if (larger == NULL)
		return false;
	for (size_t i = 0, at = daemon->queue_first; i < daemon->queue_count; i++) {
		larger[i] = daemon->queue[at];
		at = at + 1 < daemon->queue_allocated ? at + 1 : 0;
	}
	free(daemon->queue);
	daemon->queue = larger;
	daemon->queue_allocated = wanted;
	daemon->queue_first = 0;
	return true;
}

void daemon_queue_app(struct daemon *daemon, struct app *app)
{
	if (app->queued)
		return;
	if (!make_queue_room(daemon)) {
		daemon_start_app(app);
		return;
	}
	app_set_queued(app, true);
	daemon->queue[(daemon->queue_first + daemon->queue_count++) % daemon->queue_allocated] =
		app;
	daemon_start_more(daemon);
}
