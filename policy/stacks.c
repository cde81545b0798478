/* SPDX-License-Identifier: MIT */
#include "policy/stacks.h"

#include "policy/document.h"
#include "policy/escape.h"
#include "policy/own.h"
#include "policy/path.h"
#include "policy/phrase.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

/* --- who allocates -------------------------------------------------------------------------- */

/* The object of an array with this number under `key`; NULL if there is none. */
static const json_t *find_numbered(const json_t *array, const char *key, json_int_t value)
{
	const json_t *item;
	size_t index;

	json_array_foreach(array, index, item)
	{
		if (document_number(item, key) == value)
			return item;
	}
	return NULL;
}

static json_int_t faults_before(const json_t *before, json_int_t pid, json_int_t tid)
{
	const json_t *process = find_numbered(json_object_get(before, "processes"), "pid", pid);

	return document_number(find_numbered(json_object_get(process, "threads"), "tid", tid),
			       "minor_faults");
}

int stacks_mark_allocating(const json_t *before, json_t *after)
{
	json_int_t most = STACKS_ALLOCATING_LEAST - 1;
	json_t *found = NULL, *process, *thread;
	size_t i, j;

	if (before == NULL)
		return 0;
	json_array_foreach(json_object_get(after, "processes"), i, process)
	{
		json_array_foreach(json_object_get(process, "threads"), j, thread)
		{
			json_int_t tid = document_number(thread, "tid");
			json_int_t moved = document_number(thread, "minor_faults");

			if (tid != 0)
				moved -=
					faults_before(before, document_number(process, "pid"), tid);
			if (tid != 0 && moved > most) {
				most = moved;
				found = thread;
			}
		}
	}
	if (found == NULL)
		return 0;
	return json_object_set_new(found, "allocating", json_true()) < 0 ? -ENOMEM : 1;
}

/* --- one line ------------------------------------------------------------------------------- */

/* Higher tells more; 0: nothing. */
static unsigned rank_thread(const json_t *thread)
{
	if (json_array_size(json_object_get(thread, "frames")) == 0)
		return 0;
	if (json_is_true(json_object_get(thread, "allocating")))
		return 4;
	if (json_is_true(json_object_get(thread, "gil")))
		return 3;
	return document_string(thread, "state")[0] == 'R' ? 2 : 1;
}

static const json_t *find_thread(const json_t *result, json_int_t pid)
{
	const json_t *process, *thread, *found = NULL;
	unsigned best = 0;
	size_t i, j;

	json_array_foreach(json_object_get(result, "processes"), i, process)
	{
		if (pid != 0 && document_number(process, "pid") != pid)
			continue;
		json_array_foreach(json_object_get(process, "threads"), j, thread)
		{
			unsigned rank = rank_thread(thread);

			if (rank > best) {
				best = rank;
				found = thread;
			}
		}
	}
	return found;
}

/* Of Python itself, of what was installed into it, or the script of a server. */
static bool is_library(const char *file)
{
	static const char *const marks[] = { "/lib/python", "/lib64/python", "/bin/",
					     "/site-packages/", "/dist-packages/" };

	for (size_t i = 0; i < ARRAY_SIZE(marks); i++)
		if (strstr(file, marks[i]) != NULL)
			return true;
	return file[0] == '<';
}

/* The innermost frame of the app's own; a thread without one is told of by its innermost. */
static const json_t *find_frame(const json_t *frames)
{
	const json_t *frame;
	size_t index;

	json_array_foreach(frames, index, frame)
	{
		if (!is_library(document_string(frame, "file")))
			return frame;
	}
	return json_array_get(frames, 0);
}

static void add_place(struct phrase *line, const json_t *frame, const char *file)
{
	const json_t *at = json_object_get(frame, "line");
	const char *function = document_string(frame, "function");
	char safe[STACKS_LINE_MAX];

	phrase_add(line, "%s", escape_string(file, ESCAPE_FOR_TERMINAL, safe, sizeof(safe)));
	if (json_is_integer(at))
		phrase_add(line, ":%lld", (long long)json_integer_value(at));
	phrase_add(line, " in %s%s",
		   escape_string(function, ESCAPE_FOR_TERMINAL, safe, sizeof(safe)),
		   function[0] == '<' ? "" : "()");
}

static const char *write_line(const json_t *thread, char *text, size_t size)
{
	const json_t *frame = find_frame(json_object_get(thread, "frames"));
	struct phrase line = phrase_on(text, size);

	if (frame == NULL)
		return NULL;
	add_place(&line, frame, path_base_name(document_string(frame, "file")));
	return text;
}

const char *stacks_line(const json_t *result, json_int_t pid, char *text, size_t size)
{
	return write_line(find_thread(result, pid), text, size);
}

const char *stacks_thread_line(const json_t *result, json_int_t tid, char *text, size_t size)
{
	const json_t *process, *thread = NULL;
	size_t index;

	json_array_foreach(json_object_get(result, "processes"), index, process)
	{
		if (thread == NULL)
			thread = find_numbered(json_object_get(process, "threads"), "tid", tid);
	}
	return write_line(thread, text, size);
}
