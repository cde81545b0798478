/* SPDX-License-Identifier: MIT */
/*
 * pysbx itself ends a life that makes no progress, or is about to meet its memory limit. What is
 * judged later has to know that it was us, a later daemon too: so it is on record before anything
 * is killed.
 */
#include "policy/escape.h"
#include "policy/own.h"
#include "supervisor/cgroup.h"
#include "supervisor/instance.h"

#include <stdlib.h>
#include <string.h>

/* A process in uninterruptible sleep holds up the launcher, which is its PID 1: that one is killed
 * too, and waited for no longer than for any other. */
static int on_still_there(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct instance *instance = userdata;
	const struct log_subject subject = instance_subject(instance);
	(void)source, (void)usec;

	instance->deadline = sd_event_source_disable_unref(instance->deadline);
	log_event(instance->host->log, LOG_EVENT_APP_LOST, &subject,
		  "still there after SIGKILL: killing its launcher too");
	instance_kill_launcher(instance);
	(void)instance_expect_end(instance);
	return 0;
}

static void kill_leaf(struct instance *instance)
{
	_cleanup_close_ int leaf = -1;
	struct error err;

	if (instance_open_leaf(instance, &leaf, &err) < 0 || cgroup_kill(leaf, &err) < 0)
		instance_say_error(instance, &err);
	(void)instance_arm(instance, &instance->deadline, INSTANCE_KILL_PATIENCE_USEC,
			   on_still_there);
}

static int on_grace_over(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct instance *instance = userdata;
	(void)source, (void)usec;

	instance->deadline = sd_event_source_disable_unref(instance->deadline);
	kill_leaf(instance);
	return 0;
}

static void ask_to_stop(struct instance *instance)
{
	const struct app_spec *spec = instance->spec;
	struct error err;

	if (launcher_send(&instance->launcher, LAUNCH_SIGNAL, spec->stop.signal, &err) < 0)
		instance_say_error(instance, &err);
	(void)instance_arm(instance, &instance->deadline, spec->stop.grace_usec, on_grace_over);
}

/* The one cause that lets it end by itself: after a new daemon it gets its grace once more. */
void instance_carry_out_end(struct instance *instance)
{
	if (instance->ended_cause == 0 || instance->last_words.type != 0)
		return;
	if (instance->ended_cause == CAUSE_PRESSURE)
		ask_to_stop(instance);
	else
		kill_leaf(instance);
}

/* False: it ends already, or doesn't run. */
static bool set_cause(struct instance *instance, enum cause cause, const char *text)
{
	char shown[VERDICT_TEXT_MAX];

	if (instance->state != APP_RUNNING || instance->ended_cause != 0 ||
	    instance->last_words.type != 0)
		return false;
	instance->ended_cause = cause;
	/* without memory for the text the cause is still told */
	instance->ended_for = strdup(escape_string(text, ESCAPE_FOR_JSON, shown, sizeof(shown)));
	if (instance->host->record != NULL)
		instance->host->record(instance);
	return true;
}

void instance_end_for(struct instance *instance, enum cause cause, const char *text)
{
	if (set_cause(instance, cause, text))
		kill_leaf(instance);
}

void instance_stop_for(struct instance *instance, enum cause cause, const char *text)
{
	if (set_cause(instance, cause, text))
		ask_to_stop(instance);
}

void instance_forget_end(struct instance *instance)
{
	instance->ended_cause = 0;
	free(TAKE_PTR(instance->ended_for));
}
