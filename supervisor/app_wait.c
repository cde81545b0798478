/* SPDX-License-Identifier: MIT */
/* Calls that wait until an app is in some state. */
#include "supervisor/app.h"

#include <errno.h>
#include <stdlib.h>

struct app_waiter {
	struct app *app;
	struct app_wait wait;
	sd_event_source *timer;
	struct app_waiter *previous, *next;
};

static void link_waiter(struct app *app, struct app_waiter *waiter)
{
	waiter->next = app->waiters;
	if (waiter->next != NULL)
		waiter->next->previous = waiter;
	app->waiters = waiter;
	app->waiter_count++;
}

static void unlink_waiter(struct app *app, struct app_waiter *waiter)
{
	if (app->next_waiter == waiter)
		app->next_waiter = waiter->next;
	if (waiter->next != NULL)
		waiter->next->previous = waiter->previous;
	if (waiter->previous != NULL)
		waiter->previous->next = waiter->next;
	else
		app->waiters = waiter->next;
	app->waiter_count--;
}

static void answer(struct app *app, struct app_waiter *waiter, int result)
{
	unlink_waiter(app, waiter);
	sd_event_source_disable_unref(waiter->timer);
	waiter->wait.callback(app, result, waiter->wait.userdata);
	free(waiter);
}

/* A callback may wait again, and then stands first: it is not asked in this round. One that changes
 * the state has all asked in a round of its own, after which nothing is left to do in this one. */
void app_answer_waiters(struct app *app, unsigned states, int result)
{
	struct app_waiter *waiter;

	app->next_waiter = app->waiters;
	while ((waiter = app->next_waiter) != NULL) {
		app->next_waiter = waiter->next;
		if (result < 0 || (waiter->wait.states & states) != 0)
			answer(app, waiter, result);
	}
}

static bool has_gone(const struct app_wait *wait)
{
	return wait->is_gone != NULL && wait->is_gone(wait->userdata);
}

static void drop_gone_waiters(struct app *app)
{
	struct app_waiter *next;

	for (struct app_waiter *waiter = app->waiters; waiter != NULL; waiter = next) {
		next = waiter->next;
		if (has_gone(&waiter->wait))
			answer(app, waiter, -ECANCELED);
	}
}

int app_can_wait(struct app *app, bool admin, struct error *err)
{
	drop_gone_waiters(app);
	if (app->waiter_count < APP_WAITERS_MAX + (admin ? APP_WAITERS_RESERVED : 0))
		return 0;
	return error_set(err, ERROR_TOO_MANY, 0,
			 "%u calls wait for app %s already: try again when some of them are done",
			 app->waiter_count, app->spec.name);
}

static int on_wait_over(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct app_waiter *waiter = userdata;
	(void)source, (void)usec;

	answer(waiter->app, waiter, -ETIMEDOUT);
	return 0;
}

unsigned app_state_bits(const struct app *app)
{
	bool at_rest = app_state(app) == APP_STOPPED || app_state(app) == APP_FAILED;

	return 1U << app_state(app) | (at_rest && !app->start_again ? APP_SETTLED : 0);
}

int app_wait(struct app *app, const struct app_wait *wait, struct error *err)
{
	struct app_waiter *waiter;
	int r;

	if ((wait->states & app_state_bits(app)) != 0) {
		wait->callback(app, 0, wait->userdata);
		return 0;
	}
	r = app_can_wait(app, wait->admin, err);
	if (r < 0)
		return r;
	waiter = calloc(1, sizeof(*waiter));
	if (waiter == NULL)
		return error_no_memory(err);
	*waiter = (struct app_waiter){ .app = app, .wait = *wait };
	if (wait->usec > 0)
		r = sd_event_add_time_relative(app->host->instance.event, &waiter->timer,
					       CLOCK_MONOTONIC, wait->usec, 1, on_wait_over,
					       waiter);
	if (r < 0) {
		free(waiter);
		return error_set(err, ERROR_SYSTEM, -r, "a timer");
	}
	link_waiter(app, waiter);
	return 0;
}
