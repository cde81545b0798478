/* SPDX-License-Identifier: MIT */
#include "policy/incident_customer.h"

#include "policy/own.h"
#include "policy/path.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define PARTS_SHOWN 2 /* of a path outside the app */
#define NUMBER_MAX  32

static const char host_advice[] = "this was not the app's own limit: nothing in the app has to "
				  "change; whoever runs the host has "
				  "to make room";

/* What should be an object and is none has nothing to hide. Takes value over. */
static bool set(json_t *object, const char *key, json_t *value)
{
	if (value != NULL && !json_is_object(object)) {
		json_decref(value);
		return true;
	}
	return json_object_set_new(object, key, value) == 0;
}

/* --- words ---------------------------------------------------------------------------------- */

/* Takes `what` out of the text, or puts `instead` in its place. */
static void replace_in(char *text, const char *what, const char *instead)
{
	size_t length = strlen(what), by = strlen(instead);
	char *at = text;

	/* never longer than it was */
	while (by <= length && (at = strstr(at, what)) != NULL) {
		for (size_t i = 0; i < by; i++)
			at[i] = instead[i];
		memmove(at + by, at + length, strlen(at + length) + 1);
		at += by;
	}
}

/* "gunicorn (pid 4711, 3 inside)" becomes "gunicorn (pid 3)", "gunicorn (pid 4711)" just
 * "gunicorn". */
static bool clean_words(json_t *object, const char *key, json_int_t pid, json_int_t inside)
{
	const char *words = json_string_value(json_object_get(object, key));
	char both[2 * NUMBER_MAX + 16], one[NUMBER_MAX + 16], alone[NUMBER_MAX + 16];
	_cleanup_free_ char *text = words != NULL ? strdup(words) : NULL;

	if (words == NULL || pid <= 0)
		return true;
	if (text == NULL)
		return false;
	snprintf(both, sizeof(both), "(pid %lld, %lld inside)", (long long)pid, (long long)inside);
	snprintf(one, sizeof(one), "(pid %lld)", (long long)inside);
	replace_in(text, both, inside > 0 ? one : "");
	snprintf(one, sizeof(one), " (pid %lld)", (long long)pid);
	replace_in(text, one, "");
	snprintf(alone, sizeof(alone), "process %lld", (long long)pid);
	replace_in(text, alone, "a process");
	return set(object, key, json_string(text));
}

/* "SIGTERM to pid 4711" becomes "SIGTERM to pid ?". */
static bool hide_pids(json_t *object, const char *key)
{
	static const char mark[] = "pid ";
	const char *words = json_string_value(json_object_get(object, key));
	_cleanup_free_ char *text = words != NULL ? strdup(words) : NULL;
	char *at = text;

	if (words == NULL)
		return true;
	if (text == NULL)
		return false;
	while ((at = strstr(at, mark)) != NULL) {
		size_t digits = strspn(at + strlen(mark), "0123456789");

		at += strlen(mark);
		if (digits == 0)
			continue;
		*at = '?';
		memmove(at + 1, at + digits, strlen(at + digits) + 1);
	}
	return set(object, key, json_string(text));
}

static bool clean_steps(json_t *steps)
{
	json_t *step;
	size_t i;

	json_array_foreach(steps, i, step) if (!hide_pids(step, "reading") ||
					       !hide_pids(step, "result")) return false;
	return true;
}

/* --- stacks --------------------------------------------------------------------------------- */

/* "/usr/lib/python3/dist-packages/requests/api.py" becomes ".../requests/api.py". */
static bool clean_path(json_t *frame, const char *directory)
{
	const char *file = json_string_value(json_object_get(frame, "file"));
	const char *at;
	unsigned parts = 0;

	if (file == NULL || file[0] != '/' ||
	    (directory != NULL && path_is_within(file, directory)))
		return true;
	for (at = file + strlen(file); at > file; at--)
		if (at[-1] == '/' && ++parts == PARTS_SHOWN)
			break;
	return set(frame, "file", json_sprintf("...%s", at > file ? at - 1 : file));
}

static bool clean_thread(json_t *thread, size_t index, const char *directory)
{
	json_t *frame;
	size_t i;

	if (json_object_get(thread, "tid") != NULL &&
	    !set(thread, "tid", json_integer((json_int_t)index + 1)))
		return false;
	json_array_foreach(json_object_get(thread, "frames"), i,
			   frame) if (!clean_path(frame, directory)) return false;
	return true;
}

static bool clean_processes(json_t *processes, const char *directory)
{
	json_t *process, *thread;
	size_t i, j;

	json_array_foreach(processes, i, process)
	{
		if (json_object_get(process, "pid") != NULL && !set(process, "pid", json_null()))
			return false;
		/* it may name files of the host's */
		if (json_object_get(process, "error") != NULL &&
		    !set(process, "error", json_string("its stacks could not be read")))
			return false;
		json_array_foreach(json_object_get(process, "threads"), j,
				   thread) if (!clean_thread(thread, j, directory)) return false;
	}
	return true;
}

/* Of those that the recorder saw nothing but the host's number tells which is which: the name does.
 */
static void clean_history(json_t *history)
{
	json_t *process;
	size_t i;

	json_array_foreach(json_object_get(history, "processes"), i, process)(void)
		json_object_del(process, "pid");
}

static bool clean_stacks(json_t *stacks, const char *directory)
{
	return clean_processes(json_object_get(stacks, "processes"), directory);
}

static bool clean_snapshots(json_t *snapshots, const char *directory)
{
	json_t *snapshot;
	size_t i;

	json_array_foreach(
		snapshots, i,
		snapshot) if (!clean_processes(json_object_get(snapshot, "processes"), directory) ||
			      !clean_stacks(json_object_get(snapshot, "stacks"),
					    directory)) return false;
	return true;
}

/* --- the whole ------------------------------------------------------------------------------ */

static bool is_of_host(const char *level)
{
	return level != NULL && (strcmp(level, "host") == 0 || strcmp(level, "above") == 0);
}

static bool clean(json_t *incident)
{
	const char *directory = json_string_value(json_object_get(incident, "directory"));
	const char *level = json_string_value(json_object_get(incident, "level"));
	json_t *victim = json_object_get(incident, "victim");
	json_t *events = json_object_get(incident, "events");
	json_int_t pid = json_integer_value(json_object_get(victim, "pid"));
	json_int_t inside = json_integer_value(json_object_get(victim, "pid_inside"));

	clean_history(json_object_get(incident, "history"));
	return clean_words(incident, "sentence", pid, inside) &&
	       clean_words(incident, "advice", pid, inside) &&
	       (!is_of_host(level) || set(incident, "advice", json_string(host_advice))) &&
	       (victim == NULL || set(victim, "pid", json_null())) &&
	       (events == NULL || set(events, "above", json_null())) &&
	       set(incident, "kernel", json_array()) &&
	       clean_steps(json_object_get(incident, "steps")) &&
	       clean_stacks(json_object_get(incident, "stacks"), directory) &&
	       clean_snapshots(json_object_get(incident, "snapshots"), directory);
}

json_t *incident_for_customer(const json_t *incident)
{
	json_t *copy = json_deep_copy(incident);

	if (copy != NULL && json_is_object(copy) && !clean(copy)) {
		json_decref(copy);
		return NULL;
	}
	return copy;
}
