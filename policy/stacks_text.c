/* SPDX-License-Identifier: MIT */
/* Stacks as a person reads them: innermost first, as a debugger has it. Every word of a worker goes
 * out through policy/layout.h, one line a frame, so that none can forge another. */
#include "policy/document.h"
#include "policy/figure.h"
#include "policy/layout.h"
#include "policy/own.h"
#include "policy/phrase.h"
#include "policy/stacks.h"

#include <limits.h>
#include <string.h>

#define LINE_MAX_BYTES 2048
#define STEP	       2 /* by which what belongs to something is indented */

struct text {
	FILE *out;
	unsigned indent, columns;
};

static bool is_true(const json_t *object, const char *key)
{
	return json_is_true(json_object_get(object, key));
}

static void put(const struct text *text, unsigned depth, const char *line)
{
	unsigned margin = text->indent + depth * STEP;

	fprintf(text->out, "%*s", (int)margin, "");
	layout_put_cut(text->out, line,
		       text->columns == UINT_MAX    ? UINT_MAX
		       : text->columns > margin + 8 ? text->columns - margin
						    : 8);
	fputc('\n', text->out);
}

static void put_frame(const struct text *text, const json_t *frame)
{
	const json_t *at = json_object_get(frame, "line");
	char line[LINE_MAX_BYTES];
	struct phrase phrase = phrase_on(line, sizeof(line));

	phrase_add(&phrase, "%s at %s", document_string(frame, "function"),
		   document_string(frame, "file"));
	if (json_is_integer(at))
		phrase_add(&phrase, ":%lld", (long long)json_integer_value(at));
	put(text, 2, line);
}

static void put_frames(const struct text *text, const json_t *thread)
{
	const json_t *frames = json_object_get(thread, "frames");
	size_t count = json_array_size(frames);
	char line[64];

	for (size_t i = 0; i < count; i++) {
		if (i == STACKS_TEXT_INNER && count > STACKS_TEXT_INNER + STACKS_TEXT_OUTER) {
			i = count - STACKS_TEXT_OUTER;
			snprintf(line, sizeof(line), "... %zu more ...",
				 count - STACKS_TEXT_INNER - STACKS_TEXT_OUTER);
			put(text, 2, line);
		}
		put_frame(text, json_array_get(frames, i));
	}
	if (is_true(thread, "truncated"))
		put(text, 2, "... (the rest was not read)");
}

static const char *state_word(const char *state)
{
	switch (state[0]) {
	case 'R':
		return "running";
	case 'S':
		return "waiting";
	case 'D':
		return "waiting for a device or the kernel";
	case 'T':
	case 't':
		return "stopped";
	case 'Z':
	case 'X':
		return "ended";
	default:
		return state;
	}
}

/* "thread 4124 (worker): running, holds the GIL, allocates, 3.2s of processor time" */
static void put_thread(const struct text *text, const json_t *thread)
{
	char line[LINE_MAX_BYTES], time[QUANTITY_TEXT_MAX];
	struct phrase phrase = phrase_on(line, sizeof(line));
	const char *name = document_string(thread, "name"),
		   *state = document_string(thread, "state");
	json_int_t used = document_number(thread, "cpu_usec");

	phrase_add(&phrase, "thread");
	if (document_number(thread, "tid") != 0)
		phrase_add(&phrase, " %lld", (long long)document_number(thread, "tid"));
	if (document_number(thread, "tid_inside") != 0)
		phrase_add(&phrase, " (%lld inside)",
			   (long long)document_number(thread, "tid_inside"));
	if (name[0] != '\0')
		phrase_add(&phrase, " %s", name);
	phrase_add(&phrase, ": %s", state[0] != '\0' ? state_word(state) : "state unknown");
	if (is_true(thread, "gil"))
		phrase_add(&phrase, ", holds the GIL");
	if (is_true(thread, "allocating"))
		phrase_add(&phrase, ", allocates");
	if (document_number(thread, "interpreter") != 0)
		phrase_add(&phrase, ", of subinterpreter %lld",
			   (long long)document_number(thread, "interpreter"));
	if (used > 0)
		phrase_add(&phrase, ", %s of processor time", figure_time((uint64_t)used, time));
	put(text, 1, line);
	put_frames(text, thread);
}

/* Threads without Python are only counted: a pool of workers of some library says nothing. */
static void put_threads(const struct text *text, const json_t *process)
{
	const json_t *threads = json_object_get(process, "threads"), *thread;
	bool is_python = document_number(process, "interpreters") > 0;
	size_t index, native = 0;
	char line[64];

	json_array_foreach(threads, index, thread)
	{
		if (is_python && json_array_size(json_object_get(thread, "frames")) == 0 &&
		    !is_true(thread, "allocating") && !is_true(thread, "truncated"))
			native++;
		else
			put_thread(text, thread);
	}
	if (native > 0) {
		snprintf(line, sizeof(line), "%zu thread%s without Python code", native,
			 native == 1 ? "" : "s");
		put(text, 1, line);
	}
	if (is_true(process, "truncated"))
		put(text, 1, "there are more threads");
}

static void put_process(const struct text *text, const json_t *process)
{
	char line[LINE_MAX_BYTES];
	struct phrase phrase = phrase_on(line, sizeof(line));
	const char *name = document_string(process, "name"),
		   *python = document_string(process, "python");

	phrase_add(&phrase, "process %lld", (long long)document_number(process, "pid"));
	if (document_number(process, "pid_inside") != 0)
		phrase_add(&phrase, " (%lld inside)",
			   (long long)document_number(process, "pid_inside"));
	if (name[0] != '\0')
		phrase_add(&phrase, " %s", name);
	if (python[0] != '\0')
		phrase_add(&phrase, ", CPython %s", python);
	if (json_object_get(process, "error") != NULL)
		phrase_add(&phrase, ": no stacks: %s", document_string(process, "error"));
	put(text, 0, line);
	put_threads(text, process);
}

void stacks_text(const json_t *result, unsigned indent, unsigned columns, FILE *out)
{
	const struct text text = { out, indent, columns };
	const json_t *process;
	size_t index;

	json_array_foreach(json_object_get(result, "processes"), index, process)
	{
		put_process(&text, process);
	}
}
