/* SPDX-License-Identifier: MIT */
/*
 * The pressure ladder of one instance: takes the recorder's samples, asks policy/pressure.h, and
 * does what that says. Each step is told in the same words to the journal, to subscribers and to
 * the next incident: its reading, and what came of it. What may take long is a chore's, so that the
 * loop goes on; there is one at a time.
 */
#include "policy/own.h"
#include "supervisor/clock.h"
#include "supervisor/instance.h"
#include "supervisor/reclaim.h"
#include "supervisor/recycle.h"

#include <stdlib.h>
#include <string.h>

struct instance_pressure {
	struct instance *instance;
	struct pressure_state state;
	struct chore *chore;		  /* NULL: nothing is under way */
	enum pressure_step step;	  /* that it does */
	char reading[PRESSURE_TEXT_MAX];  /* of that step */
	char notified[PRESSURE_TEXT_MAX]; /* of the newest PRESSURE_NOTIFY */
};

/* --- telling -------------------------------------------------------------------------------- */

static void remember(struct instance *instance, enum pressure_step step, const char *reading,
		     const char *result)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	diagnosis_add_step(&instance->diagnosis,
			   json_pack("{s:o, s:s, s:s, s:s}", "time", diagnosis_stamp(&now), "step",
				     pressure_step_name(step), "reading", reading, "result",
				     result));
}

static void tell(struct instance *instance, enum pressure_step step, const char *reading,
		 const char *result)
{
	const struct log_subject subject = instance_subject(instance);

	remember(instance, step, reading, result);
	log_event(instance->host->log, LOG_EVENT_MEMORY_PRESSURE, &subject, "%s: %s: %s", reading,
		  pressure_step_name(step), result);
	if (instance->host->on_pressure != NULL)
		instance->host->on_pressure(instance, step, reading, result);
}

/* An app that does not watch is told nothing: an incident shows that, the journal need not. */
void instance_hear_told(struct instance *instance, uint32_t count)
{
	struct instance_pressure *pressure = instance->pressure;
	char result[64];

	if (pressure == NULL || pressure->notified[0] == '\0')
		return;
	snprintf(result, sizeof(result), "told %u who watch", (unsigned)count);
	if (count == 0)
		remember(instance, PRESSURE_NOTIFY, pressure->notified,
			 "nothing in the app watches MEMORY_PRESSURE_WATCH");
	else
		tell(instance, PRESSURE_NOTIFY, pressure->notified, result);
	pressure->notified[0] = '\0';
}

/* --- chores --------------------------------------------------------------------------------- */

static void on_chore_done(const char *result, void *userdata)
{
	struct instance_pressure *pressure = userdata;

	pressure->chore = NULL;
	tell(pressure->instance, pressure->step, pressure->reading,
	     result[0] != '\0' ? result : "took too long, and was given up");
}

static int reclaim(struct instance_pressure *pressure, uint64_t bytes, struct error *err)
{
	const struct instance *instance = pressure->instance;

	return reclaim_take_back(instance->host->event, instance->host->root_fd, instance->app_path,
				 bytes, on_chore_done, pressure, &pressure->chore, err);
}

static int recycle(struct instance_pressure *pressure, const struct pressure_reading *reading,
		   struct error *err)
{
	const struct instance *instance = pressure->instance;
	const struct recycle recycle = { instance->worker_pid, pressure_worth_bytes(reading) };
	_cleanup_close_ int leaf = -1;
	int r = instance_open_leaf(instance, &leaf, err);

	return r < 0 ? r
		     : chore_start(instance->host->event, leaf, recycle_largest, &recycle,
				   RECYCLE_PATIENCE_USEC, on_chore_done, pressure, &pressure->chore,
				   err);
}

/* --- steps ---------------------------------------------------------------------------------- */

static void end_app(struct instance *instance, enum pressure_step step, const char *reading)
{
	char text[PRESSURE_TEXT_MAX + 64];

	snprintf(text, sizeof(text), "%s (pressure.%s)", reading, pressure_step_name(step));
	if (step == PRESSURE_KILL) {
		tell(instance, step, reading, "killed");
		instance_end_for(instance, CAUSE_PRESSURE, text);
	} else {
		tell(instance, step, reading, "asked to stop, to be started again");
		instance_stop_for(instance, CAUSE_PRESSURE, text);
	}
}

static void act(struct instance_pressure *pressure, const struct pressure_reading *reading)
{
	struct instance *instance = pressure->instance;
	uint64_t bytes = pressure_reclaim_bytes(&instance->spec->pressure, reading);
	struct error err;
	int r = 0;

	switch (pressure->step) {
	case PRESSURE_NOTIFY:
		/* what comes back is the answer to this: none does if it was not sent */
		r = launcher_send(&instance->launcher, LAUNCH_PRESSURE, 0, &err);
		if (r >= 0)
			memcpy(pressure->notified, pressure->reading, sizeof(pressure->notified));
		break;
	case PRESSURE_RECLAIM:
		if (bytes > 0)
			r = reclaim(pressure, bytes, &err);
		else
			remember(instance, PRESSURE_RECLAIM, pressure->reading,
				 "there is nothing that could be given back");
		break;
	case PRESSURE_RECYCLE:
		r = recycle(pressure, reading, &err);
		break;
	case PRESSURE_RESTART:
	case PRESSURE_KILL:
		end_app(instance, pressure->step, pressure->reading);
		break;
	case PRESSURE_STEP_COUNT:
		break;
	}
	if (r < 0)
		instance_say_error(instance, &err);
}

static struct pressure_reading reading_of(const struct instance *instance,
					  const struct recording_sample *sample)
{
	const struct limits *limits = &instance->spec->limits;
	uint64_t fixed = recording_unreclaimable(sample);

	return (struct pressure_reading){
		.limit = pressure_limit(limits->memory_max, limits->memory_high),
		.fixed = fixed,
		.reclaimable = sample->memory_current > fixed ? sample->memory_current - fixed : 0,
		.full_avg10 = (uint32_t)sample->memory_full_avg10,
	};
}

/* Not allocated before an app comes near: a thousand of them never do. */
static struct instance_pressure *need_state(struct instance *instance,
					    const struct pressure_reading *reading)
{
	if (instance->pressure == NULL && pressure_is_near(&instance->spec->pressure, reading)) {
		instance->pressure = calloc(1, sizeof(*instance->pressure));
		if (instance->pressure != NULL)
			instance->pressure->instance = instance;
	}
	return instance->pressure;
}

void instance_see_pressure(struct instance *instance, const struct recording_sample *sample)
{
	struct pressure_reading reading = reading_of(instance, sample);
	struct instance_pressure *pressure;

	if (instance->state != APP_RUNNING || instance->ended_cause != 0 ||
	    instance->last_words.type != 0)
		return;
	pressure = need_state(instance, &reading);
	if (pressure == NULL || pressure->chore != NULL)
		return;
	pressure->step = pressure_next(&instance->spec->pressure, &pressure->state, &reading,
				       clock_monotonic_usec());
	if (pressure->step == PRESSURE_NONE)
		return;
	(void)pressure_describe(&reading, pressure->reading);
	act(pressure, &reading);
}

void instance_forget_pressure(struct instance *instance)
{
	if (instance->pressure == NULL)
		return;
	chore_cancel(instance->pressure->chore);
	free(TAKE_PTR(instance->pressure));
}
