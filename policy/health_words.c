/* SPDX-License-Identifier: MIT */
/* What a health check has found, in words and as JSON. */
#include "policy/health.h"

#include "policy/figure.h"
#include "policy/own.h"
#include "policy/phrase.h"
#include "policy/setting.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

static const char *const state_names[] = {
	[HEALTH_STARTING] = "starting",
	[HEALTH_HEALTHY] = "healthy",
	[HEALTH_FAILING] = "failing",
	[HEALTH_UNHEALTHY] = "unhealthy",
};
static_assert(ARRAY_SIZE(state_names) == HEALTH_STATE_COUNT, "a name for each state");

static const char *const outcome_names[] = {
	[HEALTH_WELL] = "well",		  [HEALTH_BAD_STATUS] = "bad-status",
	[HEALTH_NO_ANSWER] = "no-answer", [HEALTH_NO_CONNECTION] = "no-connection",
	[HEALTH_REFUSED] = "refused",	  [HEALTH_CLOSED] = "closed",
	[HEALTH_NOT_HTTP] = "not-http",	  [HEALTH_NOT_OURS] = "not-its-own",
	[HEALTH_NOT_ASKED] = "not-asked",
};
static_assert(ARRAY_SIZE(outcome_names) == HEALTH_OUTCOME_COUNT, "a name for each outcome");

static const char *const reason_names[] = {
	[HEALTH_REASON_ANSWERS] = "answers",
	[HEALTH_REASON_NEVER_THERE] = "not-listening",
	[HEALTH_REASON_CPU_THROTTLED] = "cpu-throttled",
	[HEALTH_REASON_IO_THROTTLED] = "io-throttled",
	[HEALTH_REASON_MEMORY] = "memory",
	[HEALTH_REASON_WAITING] = "waiting",
	[HEALTH_REASON_SPINNING] = "spinning",
	[HEALTH_REASON_BUSY] = "busy",
};
static_assert(ARRAY_SIZE(reason_names) == HEALTH_REASON_COUNT, "a name for each reason");

const char *health_state_name(enum health_state state)
{
	return state < HEALTH_STATE_COUNT ? state_names[state] : "unknown";
}

const char *health_outcome_name(enum health_outcome outcome)
{
	return outcome < HEALTH_OUTCOME_COUNT ? outcome_names[outcome] : "unknown";
}

const char *health_reason_name(enum health_reason reason)
{
	return reason < HEALTH_REASON_COUNT ? reason_names[reason] : "unknown";
}

const char *health_result_text(const struct health_result *result,
			       const struct health_policy *policy,
			       char text[static HEALTH_TEXT_MAX])
{
	struct phrase phrase = phrase_on(text, HEALTH_TEXT_MAX);
	char time[QUANTITY_TEXT_MAX];

	switch (result->outcome) {
	case HEALTH_WELL:
	case HEALTH_BAD_STATUS:
		phrase_add(&phrase, "answered %d", result->status);
		break;
	case HEALTH_NO_ANSWER:
		phrase_add(&phrase, "no answer within %s",
			   quantity_format_time(policy->timeout_usec, time));
		break;
	case HEALTH_NO_CONNECTION:
		phrase_add(&phrase, "no connection within %s",
			   quantity_format_time(policy->timeout_usec, time));
		break;
	case HEALTH_REFUSED:
		phrase_add(&phrase, "nobody listens there");
		break;
	case HEALTH_CLOSED:
		phrase_add(&phrase, "closed the connection without an answer");
		break;
	case HEALTH_NOT_HTTP:
		phrase_add(&phrase, "answered with something other than HTTP/1");
		break;
	case HEALTH_NOT_OURS:
		phrase_add(&phrase, "who listens there is not this app");
		break;
	default:
		phrase_add(&phrase, "could not be asked");
		break;
	}
	return text;
}

/* --- throttled ------------------------------------------------------------------------------ */

static unsigned percent(uint64_t part, uint64_t whole)
{
	return whole > 0 ? (unsigned)((part * 100 + whole / 2) / whole) : 0;
}

/* What it was kept from would have run at once: throttled_usec counts each CPU on which something
 * of it was ready to run. So used and kept back together are what it asks for; "or more", since
 * threads of it that wait for the same CPU are counted as one. */
static void say_cpu(struct phrase *phrase, const struct health_facts *facts)
{
	const uint64_t quota_usec = facts->wall_usec / CPU_MILLI_PER_CORE * facts->quota_milli;
	const uint64_t wanted = facts->quota_cpu_usec + facts->throttled_usec;
	const uint64_t tenths = (wanted * 10 + facts->wall_usec / 2) / facts->wall_usec;
	char limit[QUANTITY_TEXT_MAX];

	if (facts->tenant != NULL)
		phrase_add(phrase, "all apps of tenant %s together: ", facts->tenant);
	phrase_add(phrase,
		   "uses %u %% of its %s of cpu, and is kept from running %u %% of the time; "
		   "without that limit it would use %" PRIu64 ".%" PRIu64 " cores or more",
		   percent(facts->quota_cpu_usec, quota_usec),
		   quantity_format_cpu(facts->quota_milli, limit),
		   percent(facts->throttled_usec, wanted), tenths / 10, tenths % 10);
}

/* "3.9M of 4M a second", "120 of 100 requests a second" */
static void say_rate(struct phrase *phrase, const struct io_use *use, uint64_t wall_usec)
{
	const bool is_bytes = use->key == IO_RBPS || use->key == IO_WBPS;
	const uint64_t moved = use->moved * USEC_PER_MSEC / (wall_usec / USEC_PER_MSEC + 1);
	char rate[QUANTITY_TEXT_MAX], limit[QUANTITY_TEXT_MAX];

	if (is_bytes)
		phrase_add(phrase, "%s of %s a second", figure_size(moved, rate),
			   quantity_format_size(use->limit, limit));
	else
		phrase_add(phrase, "%" PRIu64 " of %" PRIu64 " requests a second", moved,
			   use->limit);
}

static const char *verb_of(enum io_key key)
{
	static const char *const verbs[] = {
		[IO_RBPS] = "read",
		[IO_WBPS] = "wrote",
		[IO_RIOPS] = "made reading",
		[IO_WIOPS] = "made writing",
	};
	static_assert(ARRAY_SIZE(verbs) == IO_KEY_COUNT, "a verb for each key");

	return verbs[key];
}

/* What it would move without the limit nobody knows; the wait is what a higher one shortens. */
static void say_io_limit(struct phrase *phrase, const struct health_facts *facts,
			 enum spec_door door)
{
	const bool reads = facts->io.key == IO_RBPS || facts->io.key == IO_RIOPS;
	char time[QUANTITY_TEXT_MAX];

	phrase_add(phrase, "is held back by io.max%s%s: %s ",
		   facts->io_tenant != NULL ? " of tenant " : "",
		   facts->io_tenant != NULL ? facts->io_tenant : "", verb_of(facts->io.key));
	say_rate(phrase, &facts->io, facts->wall_usec);
	phrase_add(phrase,
		   " for %s, and waited for it %u %% of the time (PSI io full); raise %s "
		   "of disk %u:%u in %s%s%s, or let it %s less",
		   figure_time(facts->wall_usec, time),
		   percent(facts->io_full_usec, facts->wall_usec), io_key_name(facts->io.key),
		   facts->io.major, facts->io.minor,
		   facts->io_tenant != NULL ? "limits.io" : setting_name(door, FIELD_IO),
		   facts->io_tenant != NULL ? " of tenant " : "",
		   facts->io_tenant != NULL ? facts->io_tenant : "", reads ? "read" : "write");
}

static void say_io(struct phrase *phrase, const struct health_facts *facts, enum spec_door door)
{
	const uint64_t a_second =
		facts->io_bytes * USEC_PER_MSEC / (facts->wall_usec / USEC_PER_MSEC + 1);
	char rate[QUANTITY_TEXT_MAX];

	if (facts->io.reached) {
		say_io_limit(phrase, facts, door);
		return;
	}
	phrase_add(phrase,
		   "waits for disks %u %% of the time (PSI io full), and moves %s a second; ",
		   percent(facts->io_full_usec, facts->wall_usec), figure_size(a_second, rate));
	if (facts->io.limit == 0) {
		phrase_add(phrase, "no limit of its own is in the way");
		return;
	}
	phrase_add(phrase, "io.max lets more through (%s ", verb_of(facts->io.key));
	say_rate(phrase, &facts->io, facts->wall_usec);
	phrase_add(phrase, "): the disk is slow, or busy with others");
}

const char *health_throttled_text(const struct health_facts *facts, enum health_reason reason,
				  enum spec_door door, char text[static HEALTH_TEXT_MAX])
{
	struct phrase phrase = phrase_on(text, HEALTH_TEXT_MAX);

	assert(facts->wall_usec > 0);
	if (reason == HEALTH_REASON_CPU_THROTTLED)
		say_cpu(&phrase, facts);
	else
		say_io(&phrase, facts, door);
	return text;
}

/* --- JSON ----------------------------------------------------------------------------------- */

json_t *health_time(uint64_t usec)
{
	const time_t seconds = (time_t)(usec / USEC_PER_SEC);
	char text[64];
	struct tm utc;

	if (gmtime_r(&seconds, &utc) == NULL)
		return json_null();
	(void)snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02d.%03uZ",
		       utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min,
		       utc.tm_sec, (unsigned)(usec % USEC_PER_SEC / USEC_PER_MSEC));
	return json_string(text);
}

static json_t *pack_result(const struct health_result *result)
{
	json_t *object = json_pack("{s:o, s:s, s:I}", "time", health_time(result->time_usec),
				   "outcome", health_outcome_name(result->outcome), "took_usec",
				   (json_int_t)result->took_usec);

	if (result->status > 0)
		(void)json_object_set_new(object, "status", json_integer(result->status));
	return object;
}

json_t *health_to_json(const struct health_tracker *tracker, const struct health_policy *policy,
		       uint64_t since_usec)
{
	json_t *history = json_array();

	for (unsigned i = 0; i < tracker->count; i++) {
		unsigned at = (tracker->newest + HEALTH_HISTORY - tracker->count + 1 + i) %
			      HEALTH_HISTORY;

		(void)json_array_append_new(history, pack_result(&tracker->results[at]));
	}
	return json_pack("{s:s, s:I, s:o, s:s?, s:o}", "state", health_state_name(tracker->state),
			 "failures", (json_int_t)tracker->failures, "since",
			 health_time(since_usec), "http", policy->http, "history", history);
}
