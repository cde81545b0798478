/* SPDX-License-Identifier: MIT */
#include "supervisor/health.h"

#include "policy/escape.h"
#include "policy/figure.h"
#include "policy/own.h"
#include "policy/phrase.h"
#include "policy/stacks.h"
#include "supervisor/cgroup.h"
#include "supervisor/clock.h"
#include "supervisor/file.h"
#include "supervisor/health_look.h"
#include "supervisor/health_reading.h"
#include "supervisor/instance.h"
#include "supervisor/probe.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct health {
	struct instance *instance; /* borrowed */
	struct health_target target;
	char *host; /* owned: a question may be under way while the spec is exchanged; NULL: none */
	struct health_tracker tracker;
	struct probe probe;
	sd_event_source *timer;	     /* of the next question */
	uint64_t asked_usec;	     /* CLOCK_MONOTONIC, of the last one */
	uint64_t since_usec;	     /* CLOCK_REALTIME, of the state */
	struct health_reading first; /* at the first failure of the row; usec 0: none */
	struct health_look *look;    /* NULL: none is under way */
	/* what came of it: */
	bool is_judged;
	enum health_reason reason;
	char why[HEALTH_TEXT_MAX];
	uint64_t throttled_told_usec, unhealthy_told_usec; /* CLOCK_MONOTONIC; 0: not yet */
	uint64_t stacks_usec;				   /* as well: when they were read */
};

static const struct health_policy *policy_of(const struct health *health)
{
	return &health->instance->spec->health;
}

const struct health_tracker *health_tracker(const struct health *health)
{
	return &health->tracker;
}

json_t *health_describe(const struct health *health)
{
	char text[HEALTH_TEXT_MAX];
	json_t *object = health_to_json(&health->tracker, policy_of(health), health->since_usec);

	if (health_last(&health->tracker) != NULL)
		(void)json_object_set_new(
			object, "last",
			json_string(health_result_text(health_last(&health->tracker),
						       policy_of(health), text)));
	if (health->is_judged)
		(void)json_object_set_new(object, "reason",
					  json_string(health_reason_name(health->reason)));
	if (health->why[0] != '\0')
		(void)json_object_set_new(object, "why", json_string(health->why));
	return object;
}

/* --- reading -------------------------------------------------------------------------------- */

static void read_now(const struct health *health, struct health_reading *ret)
{
	const struct instance *instance = health->instance;
	_cleanup_close_ int slice = -1, tenant = -1;
	char path[INSTANCE_CGROUP_MAX];
	struct error ignored;
	char *slash;

	snprintf(path, sizeof(path), "%s", instance->app_path);
	(void)cgroup_open(instance->host->root_fd, path, &slice, &ignored);
	slash = strrchr(path, '/');
	if (instance->spec->tenant != NULL && slash != NULL) {
		*slash = '\0';
		(void)cgroup_open(instance->host->root_fd, path, &tenant, &ignored);
	}
	health_read(slice, tenant, ret);
}

/* --- telling -------------------------------------------------------------------------------- */

static void enter(struct health *health, enum health_state from)
{
	struct instance *instance = health->instance;
	const struct log_subject subject = instance_subject(instance);
	char text[HEALTH_TEXT_MAX];

	health->since_usec = clock_realtime_usec();
	if (health->tracker.state == HEALTH_HEALTHY && from == HEALTH_UNHEALTHY &&
	    (health->unhealthy_told_usec != 0 || health->throttled_told_usec != 0))
		log_event(
			instance->host->log, LOG_EVENT_APP_HEALTHY, &subject,
			"is healthy again: its health check %s",
			health_result_text(health_last(&health->tracker), policy_of(health), text));
	if (instance->host->on_health != NULL)
		instance->host->on_health(instance, from);
}

/* "its health check failed 3 times in a row (no answer within 2s)" */
static void say_failures(const struct health *health, struct phrase *phrase)
{
	char text[HEALTH_TEXT_MAX];

	phrase_add(phrase, "its health check failed %u times in a row (%s)",
		   health->tracker.failures,
		   health_result_text(health_last(&health->tracker), policy_of(health), text));
}

/* CLOCK_MONOTONIC; *told_usec is 0 before the first time. */
static bool is_due(uint64_t *told_usec, uint64_t interval_usec)
{
	uint64_t now = clock_monotonic_usec();

	if (*told_usec != 0 && now - *told_usec < interval_usec)
		return false;
	*told_usec = now;
	return true;
}

static void warn_throttled(struct health *health)
{
	struct instance *instance = health->instance;
	const struct log_subject subject = instance_subject(instance);

	if (!is_due(&health->throttled_told_usec, HEALTH_THROTTLED_INTERVAL_USEC))
		return;
	log_event(instance->host->log, LOG_EVENT_APP_THROTTLED, &subject, "is slow, not hung: %s",
		  health->why);
	if (instance->host->on_throttled != NULL)
		instance->host->on_throttled(instance, health->why);
}

static void warn_unhealthy(struct health *health)
{
	const struct log_subject subject = instance_subject(health->instance);

	if (is_due(&health->unhealthy_told_usec, HEALTH_UNHEALTHY_INTERVAL_USEC))
		log_event(health->instance->host->log, LOG_EVENT_APP_UNHEALTHY, &subject,
			  "is unhealthy: %s", health->why);
}

/* --- judging -------------------------------------------------------------------------------- */

/* How long it has not been well, at least. */
static uint64_t ill_usec(const struct health *health)
{
	return clock_monotonic_usec() - health->tracker.row_usec;
}

/* "waiting at views.py:42 in get() for 31s (its health check failed ...)" */
static void explain_hung(struct health *health, struct phrase *phrase,
			 const struct health_sight *sight)
{
	const struct instance *instance = health->instance;
	bool spins = health->reason == HEALTH_REASON_SPINNING;
	char place[STACKS_LINE_MAX], time[QUANTITY_TEXT_MAX];
	const char *line =
		health_look_place(sight, spins ? sight->busiest : 0, instance->worker_pid,
				  instance->spec->directory, place, sizeof(place));

	phrase_add(phrase, "%s%s%s for %s", spins ? "spinning" : "waiting",
		   line != NULL ? " at " : "", line != NULL ? line : "",
		   figure_time(ill_usec(health), time));
	phrase_add(phrase, " (");
	say_failures(health, phrase);
	phrase_add(phrase, ")");
}

static void explain(struct health *health, const struct health_facts *facts,
		    const struct health_sight *sight)
{
	struct phrase phrase = phrase_on(health->why, sizeof(health->why));
	char text[HEALTH_TEXT_MAX];

	if (health_reason_is_throttled(health->reason)) {
		phrase_add(&phrase, "it %s",
			   health_throttled_text(facts, health->reason,
						 health->instance->spec->door, text));
		return;
	}
	if (health_reason_is_hung(health->reason)) {
		explain_hung(health, &phrase, sight);
		return;
	}
	say_failures(health, &phrase);
	if (health->reason == HEALTH_REASON_MEMORY)
		phrase_add(&phrase, ", and it waits for memory to be given back");
	else if (health->reason == HEALTH_REASON_NEVER_THERE && !health->tracker.was_well)
		phrase_add(&phrase, ", nor was it ever well: is %s what it should be?",
			   setting_name(health->instance->spec->door, FIELD_HEALTH_HTTP));
	else if (health->reason == HEALTH_REASON_BUSY && facts->wall_usec > 0)
		phrase_add(&phrase, ", and it is busy: it used %llu %% of a core",
			   (unsigned long long)(facts->cpu_usec * 100 / facts->wall_usec));
}

/* The first stacks as a snapshot, so that the report has both. */
static void keep_stacks(struct health *health, const struct health_sight *sight)
{
	struct diagnosis *diagnosis = &health->instance->diagnosis;

	if (sight->first != NULL)
		diagnosis_add_snapshot(
			diagnosis, json_pack("{s:o, s:s, s:O}", "time",
					     health_time(clock_realtime_usec() - HEALTH_LOOK_USEC),
					     "reason", "hung", "stacks", sight->first));
	if (sight->second != NULL)
		diagnosis_set_stacks(diagnosis, json_incref(sight->second));
}

static void end_it(struct health *health, const struct health_sight *sight)
{
	struct instance *instance = health->instance;

	keep_stacks(health, sight);
	diagnosis_set_health(&instance->diagnosis, health_describe(health));
	instance_end_for(instance,
			 health_reason_is_hung(health->reason) ? CAUSE_HUNG : CAUSE_UNHEALTHY,
			 health->why);
}

static void judge(struct health *health, struct health_sight *sight)
{
	const struct app_spec *spec = health->instance->spec;
	const enum health_reason before = health->is_judged ? health->reason : HEALTH_REASON_COUNT;
	struct health_facts facts = sight->facts;
	struct health_reading now;

	read_now(health, &now);
	health_compare(health->first.usec < sight->begun.usec ? &health->first : &sight->begun,
		       &now, spec->tenant, &facts);
	health->reason = health_judge(&health->tracker, &facts);
	health->is_judged = true;
	explain(health, &facts, sight);
	if (health_is_end(policy_of(health), health->reason))
		end_it(health, sight);
	else if (health_reason_is_throttled(health->reason))
		warn_throttled(health);
	else if (before != health->reason)
		warn_unhealthy(health);
}

static void on_looked(struct health_sight *sight, void *userdata)
{
	struct health *health = userdata;

	health->look = NULL;
	if (health->instance->state == APP_RUNNING)
		judge(health, sight);
}

/* Stacks cost two processes: only where they may be needed, and where nobody ends for it, not
 * often.
 */
static bool needs_stacks(struct health *health, const struct health_reading *now)
{
	const struct app_spec *spec = health->instance->spec;
	struct health_facts facts = { 0 };
	enum health_reason reason;

	health_compare(&health->first, now, spec->tenant, &facts);
	reason = health_judge(&health->tracker, &facts);
	/* one failure was enough: nothing is known yet */
	if (facts.wall_usec >= HEALTH_LOOK_USEC && !health_reason_is_hung(reason))
		return false;
	return health_is_end(policy_of(health), reason) ||
	       is_due(&health->stacks_usec, HEALTH_STACKS_INTERVAL_USEC);
}

static void look_closely(struct health *health)
{
	struct instance *instance = health->instance;
	struct health_scene scene = { .main = instance->worker_pid,
				      .app = instance->spec->name,
				      .tenant = instance->spec->tenant };
	_cleanup_close_ int leaf = -1;
	struct health_reading now;
	struct error err;
	int r;

	/* what a tripwire has frozen looks as if it hung */
	if (health->look != NULL || instance->trip != NULL)
		return;
	read_now(health, &now);
	r = instance_open_leaf(instance, &leaf, &err);
	scene.leaf = leaf;
	if (r >= 0 && needs_stacks(health, &now))
		scene.stacks = instance->host->stacks;
	if (r >= 0)
		r = health_look_start(instance->host->event, &scene, &now, on_looked, health,
				      &health->look, &err);
	if (r < 0)
		instance_say_error(instance, &err);
}

static void end_look(struct health *health)
{
	health_look_cancel(TAKE_PTR(health->look));
}

/* --- asking --------------------------------------------------------------------------------- */

static void forget_row(struct health *health)
{
	health->first.usec = 0;
	health->is_judged = false;
	health->why[0] = '\0';
	end_look(health);
}

void health_forget(struct health *health)
{
	if (health == NULL)
		return;
	probe_stop(&health->probe);
	health_forget_row(&health->tracker, clock_monotonic_usec());
	forget_row(health);
}

static void on_answer(const struct health_result *result, void *userdata)
{
	struct health *health = userdata;
	struct instance *instance = health->instance;
	const enum health_state from = health->tracker.state;
	bool changed;

	if (instance->state != APP_RUNNING)
		return;
	changed = health_add(&health->tracker, policy_of(health), result, health->asked_usec,
			     clock_monotonic_usec());
	instance->was_well = health->tracker.was_well;
	if (health->tracker.failures == 0)
		forget_row(health);
	else if (health->first.usec == 0)
		read_now(health, &health->first);
	if (changed)
		enter(health, from);
	if (health->tracker.state == HEALTH_UNHEALTHY && result->outcome != HEALTH_NOT_ASKED)
		look_closely(health);
}

static bool is_held(const struct health *health)
{
	const struct health_target *target = &health->target;
	struct listen_address address = { .ipv6 = target->ipv6, .port = target->port };

	static_assert(sizeof(address.path) == sizeof(target->path), "any path fits");
	memcpy(address.address, target->address, sizeof(address.address));
	memcpy(address.path, target->path, sizeof(address.path));
	return listeners_serve(&health->instance->listeners, &address);
}

static void ask(struct health *health)
{
	struct instance *instance = health->instance;
	const struct app_spec *spec = instance->spec;
	_cleanup_close_ int leaf = -1;
	bool held = is_held(health);
	struct probe_question question = {
		.target = &health->target,
		.host = health->host,
		.timeout_usec = spec->health.timeout_usec,
		.place = { .own_network = !held && spec->isolation.network != NETWORK_HOST,
			   .held = held,
			   .worker = instance->worker_pid },
	};
	struct error err;
	int r;

	health->asked_usec = clock_monotonic_usec();
	r = instance_open_leaf(instance, &leaf, &err);
	question.place.leaf = leaf;
	if (r >= 0)
		r = probe_ask(&health->probe, &question, on_answer, health, &err);
	if (r < 0)
		log_message(instance->host->log, LOG_LEVEL_ERROR, spec->name, "%s", err.text);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct health *health = userdata;
	const struct instance *instance = health->instance;
	(void)usec;

	(void)sd_event_source_set_time_relative(source, policy_of(health)->interval_usec);
	(void)sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
	if (instance->state == APP_SUSPENDED) {
		health_forget(health);
	} else if (instance->state == APP_RUNNING && instance->last_words.type == 0 &&
		   !probe_is_busy(&health->probe)) {
		ask(health);
	}
	return 0;
}

int health_new(struct instance *instance, struct health **ret, struct error *err)
{
	const struct health_policy *policy = &instance->spec->health;
	struct health *health = calloc(1, sizeof(*health));
	uint64_t now = clock_monotonic_usec(), first;
	int r;

	if (health == NULL)
		return error_no_memory(err);
	r = health_target_parse(policy->http, &health->target, err);
	if (r == 0 && policy->host != NULL && (health->host = strdup(policy->host)) == NULL)
		r = error_no_memory(err);
	if (r < 0) {
		free(health);
		return r;
	}
	health->instance = instance;
	health->since_usec = clock_realtime_usec();
	health_begin(&health->tracker, instance->spawned_usec, now);
	health->tracker.was_well = instance->was_well;
	probe_init(&health->probe, instance->host->event);
	/* a thousand apps that were started together are not asked together */
	first = policy->interval_usec / 4 +
		instance->host->random() % (policy->interval_usec / 2 + 1);
	r = sd_event_add_time_relative(instance->host->event, &health->timer, CLOCK_MONOTONIC,
				       first, policy->interval_usec / 50, on_timer, health);
	if (r < 0) {
		health_free(health);
		return error_set(err, ERROR_SYSTEM, -r, "health check: timer");
	}
	*ret = health;
	return 0;
}

void health_free(struct health *health)
{
	if (health == NULL)
		return;
	end_look(health);
	health->timer = sd_event_source_disable_unref(health->timer);
	probe_stop(&health->probe);
	free(health->host);
	free(health);
}
