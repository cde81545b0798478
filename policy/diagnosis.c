/* SPDX-License-Identifier: MIT */
#include "policy/diagnosis.h"

#include "policy/own.h"
#include "policy/path.h"
#include "policy/phrase.h"

#include <stdio.h>
#include <string.h>

/* What is cut first when stacks are too large: the outer frames, then threads, then processes. */
#define FRAMES_AT_FIRST	   64
#define FRAMES_AT_LAST	   8
#define THREADS_AT_FIRST   64
#define THREADS_AT_LAST	   4
#define PROCESSES_AT_FIRST 32

/* --- how much ------------------------------------------------------------------------------- */

static bool fits(const json_t *value, size_t bytes)
{
	return json_dumpb(value, NULL, 0, JSON_COMPACT) <= bytes;
}

/* True if something was cut. */
static bool cut_array(json_t *array, size_t most)
{
	size_t count = json_array_size(array);

	for (size_t i = count; i > most; i--)
		(void)json_array_remove(array, i - 1);
	return count > most;
}

static void cut_threads(json_t *threads, size_t frames)
{
	json_t *thread;
	size_t i;

	json_array_foreach(threads, i,
			   thread) if (cut_array(json_object_get(thread, "frames"), frames))(void)
		json_object_set_new(thread, "truncated", json_true());
}

static void cut_processes(json_t *stacks, size_t frames, size_t threads, size_t processes)
{
	json_t *list = json_object_get(stacks, "processes"), *process;
	size_t i;

	if (cut_array(list, processes))
		(void)json_object_set_new(stacks, "truncated", json_true());
	json_array_foreach(list, i, process)
	{
		json_t *of = json_object_get(process, "threads");

		if (cut_array(of, threads))
			(void)json_object_set_new(process, "truncated", json_true());
		cut_threads(of, frames);
	}
}

/* `whole` is the value that has to fit, `stacks` is it or in it. False: it does not fit. */
static bool fit_stacks(const json_t *whole, json_t *stacks)
{
	size_t frames = FRAMES_AT_FIRST, threads = THREADS_AT_FIRST, processes = PROCESSES_AT_FIRST;

	for (;;) {
		cut_processes(stacks, frames, threads, processes);
		if (fits(whole, DIAGNOSIS_STACKS_BYTES))
			return true;
		if (frames > FRAMES_AT_LAST)
			frames /= 2;
		else if (threads > THREADS_AT_LAST)
			threads /= 2;
		else if (processes > 1)
			processes /= 2;
		else
			return false;
	}
}

/* --- what is kept --------------------------------------------------------------------------- */

/* The newest `most` stay. Without memory the newest is lost. */
static void append(json_t **array, json_t *value, size_t most)
{
	if (*array == NULL)
		*array = json_array();
	if (*array == NULL) {
		json_decref(value);
		return;
	}
	(void)json_array_append_new(*array, value);
	while (json_array_size(*array) > most)
		(void)json_array_remove(*array, 0);
}

static void replace(json_t **place, json_t *value)
{
	json_decref(*place);
	*place = value;
}

void diagnosis_add_snapshot(struct diagnosis *diagnosis, json_t *snapshot)
{
	json_t *stacks = json_object_get(snapshot, "stacks");

	if (snapshot == NULL)
		return;
	if (!fit_stacks(snapshot, stacks))
		(void)json_object_set_new(snapshot, "stacks", json_null());
	if (!fits(snapshot, DIAGNOSIS_STACKS_BYTES))
		(void)json_object_set_new(snapshot, "processes", json_null());
	if (fits(snapshot, DIAGNOSIS_STACKS_BYTES))
		append(&diagnosis->snapshots, snapshot, DIAGNOSIS_SNAPSHOTS_MAX);
	else
		json_decref(snapshot);
}

void diagnosis_add_step(struct diagnosis *diagnosis, json_t *step)
{
	if (step == NULL)
		return;
	if (fits(step, DIAGNOSIS_STEP_BYTES))
		append(&diagnosis->steps, step, DIAGNOSIS_STEPS_MAX);
	else
		json_decref(step);
}

void diagnosis_set_stacks(struct diagnosis *diagnosis, json_t *stacks)
{
	if (stacks == NULL)
		return;
	if (fit_stacks(stacks, stacks))
		replace(&diagnosis->stacks, stacks);
	else
		json_decref(stacks);
}

void diagnosis_set_health(struct diagnosis *diagnosis, json_t *health)
{
	if (health == NULL)
		return;
	if (fits(health, DIAGNOSIS_STEP_BYTES))
		replace(&diagnosis->health, health);
	else
		json_decref(health);
}

void diagnosis_set_history(struct diagnosis *diagnosis, json_t *history)
{
	if (history == NULL)
		return;
	if (fits(history, DIAGNOSIS_HISTORY_BYTES))
		replace(&diagnosis->history, history);
	else
		json_decref(history);
}

void diagnosis_clear(struct diagnosis *diagnosis)
{
	json_decref(diagnosis->snapshots);
	json_decref(diagnosis->steps);
	json_decref(diagnosis->stacks);
	json_decref(diagnosis->health);
	json_decref(diagnosis->history);
	*diagnosis = (struct diagnosis){ 0 };
}

/* --- what it says --------------------------------------------------------------------------- */

time_t diagnosis_time(const json_t *time)
{
	const char *text = json_string_value(time);
	struct tm utc = { 0 };

	if (text == NULL || sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d", &utc.tm_year, &utc.tm_mon,
				   &utc.tm_mday, &utc.tm_hour, &utc.tm_min, &utc.tm_sec) != 6)
		return 0;
	utc.tm_year -= 1900;
	utc.tm_mon--;
	return timegm(&utc);
}

/* 0: it has nothing to tell. */
static unsigned rank(const json_t *thread)
{
	if (json_array_size(json_object_get(thread, "frames")) == 0)
		return 0;
	if (json_is_true(json_object_get(thread, "allocating")))
		return 3;
	return json_is_true(json_object_get(thread, "gil")) ? 2 : 1;
}

const json_t *diagnosis_find_thread(const json_t *stacks, int pid, const json_t **ret_process)
{
	const json_t *processes = json_object_get(stacks, "processes"), *best = NULL, *process,
		     *thread;
	unsigned best_rank = 0;
	size_t i, j;

	json_array_foreach(processes, i, process)
	{
		bool wanted = pid > 0 && json_integer_value(json_object_get(process, "pid")) == pid;

		json_array_foreach(json_object_get(process, "threads"), j, thread)
		{
			unsigned ranked = rank(thread);

			/* the one that died before all others */
			if (ranked > 0 && wanted)
				ranked += 4;
			if (ranked <= best_rank)
				continue;
			best_rank = ranked;
			best = thread;
			if (ret_process != NULL)
				*ret_process = process;
		}
	}
	return best;
}

static bool is_of(const json_t *process, int pid)
{
	return pid <= 0 || json_integer_value(json_object_get(process, "pid")) == pid;
}

/* The last look of all may have come when its victim was being killed already. */
const json_t *diagnosis_last_thread(const struct diagnosis *diagnosis, int pid, time_t end,
				    const json_t **ret_process)
{
	const json_t *newest = NULL;

	*ret_process = NULL;
	if (json_is_object(diagnosis->stacks))
		return diagnosis_find_thread(diagnosis->stacks, pid, ret_process);
	for (size_t i = json_array_size(diagnosis->snapshots); i > 0; i--) {
		const json_t *snapshot = json_array_get(diagnosis->snapshots, i - 1), *thread;
		const json_t *process = NULL;

		if (diagnosis_time(json_object_get(snapshot, "time")) + DIAGNOSIS_FRESH_SEC < end)
			continue;
		thread = diagnosis_find_thread(json_object_get(snapshot, "stacks"), pid, &process);
		if (thread == NULL || (newest != NULL && !is_of(process, pid)))
			continue;
		newest = thread;
		*ret_process = process;
		if (is_of(process, pid))
			break;
	}
	return newest;
}

void diagnosis_write_frame(const json_t *frame, char *text, size_t size)
{
	struct phrase line = phrase_on(text, size);
	const char *file = json_string_value(json_object_get(frame, "file"));
	const char *function = json_string_value(json_object_get(frame, "function"));

	phrase_add(&line, "%s", file != NULL ? path_base_name(file) : "?");
	if (json_is_integer(json_object_get(frame, "line")))
		phrase_add(&line, ":%" JSON_INTEGER_FORMAT,
			   json_integer_value(json_object_get(frame, "line")));
	phrase_add(&line, " in %s()", function != NULL ? function : "?");
}

bool diagnosis_locate(const struct diagnosis *diagnosis, time_t end, int pid, char *text,
		      size_t size)
{
	const json_t *process = NULL;
	const json_t *thread = diagnosis_last_thread(diagnosis, pid, end, &process);

	text[0] = '\0';
	if (!json_is_true(json_object_get(thread, "allocating")))
		return false;
	diagnosis_write_frame(json_array_get(json_object_get(thread, "frames"), 0), text, size);
	return true;
}

json_t *diagnosis_stamp(const struct timespec *time)
{
	char text[64];
	struct tm utc;

	if (gmtime_r(&time->tv_sec, &utc) == NULL)
		return json_null();
	snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02d.%03ldZ", utc.tm_year + 1900,
		 utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec,
		 time->tv_nsec / 1000000);
	return json_string(text);
}
