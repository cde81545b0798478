/* SPDX-License-Identifier: MIT */
/*
 * Schema 2. What is not known is null, never a zero in its place; no limit is "max", as in the
 * kernel's files. jansson takes valid UTF-8 only: every foreign word passes json_words(), and the
 * output is plain ASCII (the rest is \u-escaped), so that a report may be read with cat.
 *
 * What an incident is listed by comes before "log", which whoever lists many reads no further than
 * (INCIDENT_HEAD_MAX); what can be large comes last.
 *
 * jansson keeps no error: an object that misses a key because memory ran out must not pass for a
 * whole one. So each step says whether it went well, and one failure fails all.
 */
#include "policy/incident.h"

#include "policy/escape.h"
#include "policy/own.h"

#include <inttypes.h>
#include <jansson.h>
#include <string.h>

/* Takes `value` over in any case. False if it could not be made or put in. */
static bool put(json_t *object, const char *key, json_t *value)
{
	return value != NULL && json_object_set_new_nocheck(object, key, value) == 0;
}

static json_t *json_words(const char *words)
{
	_cleanup_free_ char *valid = NULL;
	size_t size;

	if (words == NULL)
		return json_null();
	size = strlen(words) * strlen("\\xff") + 1;
	valid = malloc(size);
	if (valid == NULL)
		return NULL;
	return json_string(escape_string(words, ESCAPE_FOR_JSON, valid, size));
}

static json_t *json_words_or_null(const char *words)
{
	return words != NULL && words[0] != '\0' ? json_words(words) : json_null();
}

/* jansson's integers are signed. */
static json_t *json_count(uint64_t value)
{
	return json_integer(value > INT64_MAX ? INT64_MAX : (json_int_t)value);
}

static json_t *json_count_or_null(uint64_t value)
{
	return value != 0 ? json_count(value) : json_null();
}

static json_t *json_limit(uint64_t value)
{
	if (value == LIMIT_UNSET)
		return json_null();
	return value == LIMIT_MAX ? json_string("max") : json_count(value);
}

struct counter {
	const char *key;
	uint64_t value;
};

static json_t *json_counters(const struct counter *counters, size_t count)
{
	json_t *object = json_object();
	bool ok = object != NULL;

	for (size_t i = 0; ok && i < count; i++)
		ok = put(object, counters[i].key, json_count(counters[i].value));
	if (ok)
		return object;
	json_decref(object);
	return NULL;
}

json_t *incident_memory_to_json(const struct incident_memory *memory)
{
	const struct counter counters[] = {
		{ "current", memory->current },
		{ "swap", memory->swap },
		{ "anon", memory->anon },
		{ "file", memory->file },
		{ "shmem", memory->shmem },
		{ "slab_reclaimable", memory->slab_reclaimable },
		{ "slab_unreclaimable", memory->slab_unreclaimable },
		{ "kernel_stack", memory->kernel_stack },
		{ "pagetables", memory->pagetables },
		{ "sock", memory->sock },
	};

	return json_counters(counters, ARRAY_SIZE(counters));
}

static json_t *json_memory(const struct incident_memory *memory)
{
	return memory->valid ? incident_memory_to_json(memory) : json_null();
}

static json_t *json_memory_events(const struct memory_events *events)
{
	const struct counter counters[] = {
		{ "low", events->low },		  { "high", events->high },
		{ "max", events->max },		  { "oom", events->oom },
		{ "oom_kill", events->oom_kill }, { "oom_group_kill", events->oom_group_kill },
	};

	return json_counters(counters, ARRAY_SIZE(counters));
}

static json_t *json_percent(uint32_t percent_times_100)
{
	return percent_times_100 == UINT32_MAX ? json_null() : json_real(percent_times_100 / 100.0);
}

static json_t *json_pressure(const struct incident_pressure *pressure)
{
	json_t *object = json_object();

	if (put(object, "some_avg10", json_percent(pressure->some_avg10)) &&
	    put(object, "full_avg10", json_percent(pressure->full_avg10)))
		return object;
	json_decref(object);
	return NULL;
}

static json_t *json_lines(const char *const *lines, size_t count)
{
	json_t *array = json_array();
	bool ok = array != NULL;

	for (size_t i = 0; ok && i < count; i++)
		ok = json_array_append_new(array, json_words(lines[i])) == 0;
	if (ok)
		return array;
	json_decref(array);
	return NULL;
}

/* {"code": 3}, {"signal": 9, "name": "SIGKILL", "core_dumped": false}, or null */
static json_t *json_exit(const struct incident *incident)
{
	int status = incident->wait_status;
	char name[32];

	if (!incident->has_wait_status)
		return json_null();
	if (WIFEXITED(status))
		return json_pack("{s:i}", "code", WEXITSTATUS(status));
	if (!WIFSIGNALED(status))
		return json_null();
	return json_pack("{s:i, s:s, s:b}", "signal", WTERMSIG(status), "name",
			 spec_signal_name(WTERMSIG(status), name), "core_dumped",
			 WCOREDUMP(status) ? 1 : 0);
}

/* The one place where arguments leave pysbx. */
static json_t *json_command_line(const struct incident *incident)
{
	const char *words = incident->victim.command_line;
	char shown[MASK_TEXT_MAX];

	if (words == NULL || words[0] == '\0')
		return json_null();
	return json_words(mask_apply(incident->mask, MASK_ARGUMENTS, words, shown, sizeof(shown)));
}

static json_t *json_victim(const struct incident *incident)
{
	const struct incident_process *victim = &incident->victim;
	json_t *object = json_object();

	if (put(object, "pid", json_count_or_null(victim->pid > 0 ? (uint64_t)victim->pid : 0)) &&
	    put(object, "pid_inside",
		json_count_or_null(victim->pid_inside > 0 ? (uint64_t)victim->pid_inside : 0)) &&
	    put(object, "comm", json_words_or_null(victim->comm)) &&
	    put(object, "command_line", json_command_line(incident)) &&
	    put(object, "main", json_boolean(victim->is_main)) &&
	    put(object, "rss_bytes", json_count_or_null(victim->rss_bytes)))
		return object;
	json_decref(object);
	return NULL;
}

/* Of the ended worker and the children it waited for; null while it lives. */
static json_t *json_usage(const struct incident *incident)
{
	const struct counter counters[] = {
		{ "user_usec", incident->user_usec },
		{ "system_usec", incident->system_usec },
		{ "maxrss_bytes", incident->maxrss_bytes },
	};

	if (incident->maxrss_bytes == 0)
		return json_null();
	return json_counters(counters, ARRAY_SIZE(counters));
}

static json_t *json_limits(const struct incident *incident)
{
	json_t *object = json_object();

	if (put(object, "memory_max", json_limit(incident->memory_max)) &&
	    put(object, "memory_high", json_limit(incident->memory_high)) &&
	    put(object, "pids_max", json_limit(incident->pids_max)))
		return object;
	json_decref(object);
	return NULL;
}

/* memory.peak is read with each reading, and is missing before 5.19. */
static uint64_t memory_peak(const struct incident *incident)
{
	uint64_t before = incident->before.valid ? incident->before.peak : 0;
	uint64_t after = incident->after.valid ? incident->after.peak : 0;

	return before > after ? before : after;
}

static json_t *json_memory_words(const struct incident *incident)
{
	struct strings words _cleanup_strings_ = { 0 };
	struct error ignored;

	if (incident_memory_words(incident, &words, &ignored) < 0)
		return NULL;
	return json_lines((const char *const *)words.items, words.count);
}

static json_t *json_memory_readings(const struct incident *incident)
{
	json_t *object = json_object();

	if (put(object, "before", json_memory(&incident->before)) &&
	    put(object, "after", json_memory(&incident->after)) &&
	    put(object, "peak", json_count_or_null(memory_peak(incident))) &&
	    put(object, "words", json_memory_words(incident)))
		return object;
	json_decref(object);
	return NULL;
}

static json_t *json_events(const struct event_deltas *events)
{
	json_t *object = json_object();

	if (put(object, "leaf_local", json_memory_events(&events->leaf_local)) &&
	    put(object, "app_local", json_memory_events(&events->app_local)) &&
	    put(object, "app", json_memory_events(&events->app)) &&
	    put(object, "above", json_memory_events(&events->above)) &&
	    put(object, "pids_max", json_count(events->pids_max)))
		return object;
	json_decref(object);
	return NULL;
}

static json_t *json_pressures(const struct incident *incident)
{
	json_t *object = json_object();

	if (put(object, "memory", json_pressure(&incident->memory_pressure)) &&
	    put(object, "cpu", json_pressure(&incident->cpu_pressure)) &&
	    put(object, "io", json_pressure(&incident->io_pressure)))
		return object;
	json_decref(object);
	return NULL;
}

static json_t *json_log_lines(const struct incident *incident)
{
	json_t *array = json_array();
	bool ok = array != NULL;

	for (size_t i = 0; ok && i < incident->log_line_count; i++) {
		char shown[MASK_TEXT_MAX];

		ok = json_array_append_new(array, json_words(mask_apply(incident->mask, MASK_LINE,
									incident->log_lines[i],
									shown, sizeof(shown)))) ==
		     0;
	}
	if (ok)
		return array;
	json_decref(array);
	return NULL;
}

static json_t *json_log(const struct incident *incident)
{
	json_t *object = json_object();

	if (put(object, "lines", json_log_lines(incident)) &&
	    put(object, "dropped", json_count(incident->log_lines_dropped)))
		return object;
	json_decref(object);
	return NULL;
}

static json_t *json_decision(const struct incident *incident)
{
	const struct verdict *verdict = &incident->verdict;
	bool restart = verdict->decision == DECISION_RESTART;
	json_t *object = json_object();

	if (put(object, "action", json_string(decision_name(verdict->decision))) &&
	    put(object, "delay_usec",
		restart ? json_count(verdict->restart_delay_usec) : json_null()) &&
	    put(object, "text", json_words(verdict->why)) &&
	    put(object, "restarts", json_count(incident->restarts)))
		return object;
	json_decref(object);
	return NULL;
}

static json_t *json_level(enum oom_level level)
{
	return level == OOM_LEVEL_NONE ? json_null() : json_string(oom_level_name(level));
}

/* What is shared stays as it is. */
static json_t *json_shared(json_t *value)
{
	return value != NULL ? json_incref(value) : json_null();
}

static bool put_diagnosis(json_t *root, const struct diagnosis *diagnosis)
{
	static const struct diagnosis none = { 0 };

	if (diagnosis == NULL)
		diagnosis = &none;
	return put(root, "history", json_shared(diagnosis->history)) &&
	       put(root, "snapshots", json_shared(diagnosis->snapshots)) &&
	       put(root, "stacks", json_shared(diagnosis->stacks)) &&
	       put(root, "steps", json_shared(diagnosis->steps)) &&
	       put(root, "health", json_shared(diagnosis->health));
}

static bool put_all(json_t *root, const struct incident *incident)
{
	const struct verdict *verdict = &incident->verdict;

	return put(root, "schema", json_integer(INCIDENT_SCHEMA)) &&
	       put(root, "id", json_words(incident->id)) &&
	       put(root, "app", json_words(incident->app)) &&
	       put(root, "tenant", json_words(incident->tenant)) &&
	       put(root, "directory", json_words(incident->directory)) &&
	       put(root, "instance", json_count(incident->instance)) &&
	       put(root, "time", diagnosis_stamp(&incident->time)) &&
	       put(root, "cause", json_string(cause_name(verdict->cause))) &&
	       put(root, "sentence", json_words(verdict->sentence)) &&
	       put(root, "level", json_level(verdict->level)) &&
	       put(root, "victim", json_victim(incident)) &&
	       put(root, "exit", json_exit(incident)) &&
	       put(root, "uptime_usec", json_count(incident->uptime_usec)) &&
	       put(root, "usage", json_usage(incident)) &&
	       put(root, "limits", json_limits(incident)) &&
	       put(root, "memory", json_memory_readings(incident)) &&
	       put(root, "events", json_events(&incident->events)) &&
	       put(root, "pressure", json_pressures(incident)) &&
	       put(root, "decision", json_decision(incident)) &&
	       put(root, "advice", json_words_or_null(verdict->advice)) &&
	       put(root, "log", json_log(incident)) &&
	       put(root, "kernel",
		   json_lines(incident->kernel_lines, incident->kernel_line_count)) &&
	       put_diagnosis(root, incident->diagnosis);
}

int incident_to_json(const struct incident *incident, bool pretty, char **ret_text,
		     struct error *err)
{
	size_t flags = JSON_ENSURE_ASCII | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(6) |
		       (pretty ? JSON_INDENT(2) : JSON_COMPACT);
	json_t *root = json_object();
	char *text = NULL;

	if (root != NULL && put_all(root, incident))
		text = json_dumps(root, flags);
	json_decref(root);
	if (text == NULL)
		return error_no_memory(err);
	*ret_text = text;
	return 0;
}
