/* SPDX-License-Identifier: MIT */
/* The memory of an incident in words: what it was made of, what grew, and where. */
#include "policy/incident.h"

#include "policy/figure.h"
#include "policy/history.h"
#include "policy/own.h"
#include "policy/phrase.h"

#include <inttypes.h>

#define WORDS_MAX	   300
#define GROWTH_WINDOW_MSEC 20000
#define GROWTH_LEAST	   (INT64_C(1) << 20)
/* A part that is less than so much of the whole is not worth a line, in percent. */
#define PART_LEAST 10
/* Of an end that memory was not the cause of: only if so much of the limit was in use, in percent.
 */
#define NEAR_LIMIT 80

static bool is_about_memory(const struct incident *incident)
{
	uint64_t limit = incident->memory_max;

	if (incident->verdict.cause == CAUSE_OOM || incident->verdict.cause == CAUSE_STALLED ||
	    incident->verdict.cause == CAUSE_PRESSURE)
		return true;
	return limit < LIMIT_UNSET && incident->before.valid &&
	       incident->before.current / 100 >= limit / 10000 * NEAR_LIMIT;
}

static int add_part(const struct incident *incident, const char *name, uint64_t bytes,
		    const char *meaning, struct strings *ret, struct error *err)
{
	uint64_t whole = incident->memory_max < LIMIT_UNSET ? incident->memory_max
							    : incident->before.current;
	char size[QUANTITY_TEXT_MAX], limit[QUANTITY_TEXT_MAX];

	if (bytes == 0 || bytes / PART_LEAST < whole / 100)
		return 0;
	return strings_appendf(ret, err, "%s %s of %s: %s", name, figure_size(bytes, size),
			       incident->memory_max < LIMIT_UNSET
				       ? quantity_format_size(whole, limit)
				       : figure_size(whole, limit),
			       meaning);
}

static int add_parts(const struct incident *incident, struct strings *ret, struct error *err)
{
	const struct incident_memory *memory = &incident->before;
	uint64_t kernel = memory->slab_reclaimable + memory->slab_unreclaimable +
			  memory->kernel_stack + memory->pagetables + memory->sock;
	uint64_t cache = memory->file > memory->shmem ? memory->file - memory->shmem : 0;
	const struct {
		const char *name;
		uint64_t bytes;
		const char *meaning;
	} parts[] = {
		{ "anon", memory->anon,
		  "what the processes hold themselves, Python objects above all" },
		{ "shmem", memory->shmem, "files in /dev/shm and /tmp, and shared memory" },
		{ "file", cache, "cache of files that could not be dropped in time" },
		{ "kernel", kernel,
		  "page tables, stacks, sockets and what the kernel keeps for files" },
	};
	int r = 0;

	for (size_t i = 0; r >= 0 && memory->valid && i < ARRAY_SIZE(parts); i++)
		r = add_part(incident, parts[i].name, parts[i].bytes, parts[i].meaning, ret, err);
	return r;
}

/* ", in thread 3 (exporter), at export.py:88 in load()" */
static void add_place(struct phrase *line, const struct incident *incident)
{
	const json_t *process = NULL, *threads, *other, *thread, *name;
	char frame[WORDS_MAX];
	size_t i, number = 0;

	thread = diagnosis_last_thread(incident->diagnosis, incident->victim.pid,
				       incident->time.tv_sec, &process);
	if (!json_is_true(json_object_get(thread, "allocating")))
		return;
	threads = json_object_get(process, "threads");
	json_array_foreach(threads, i, other) if (other == thread) number = i + 1;
	name = json_object_get(thread, "name");
	phrase_add(line, ", in thread %zu", number);
	if (json_is_string(name))
		phrase_add(line, " (%s)", json_string_value(name));
	diagnosis_write_frame(json_array_get(json_object_get(thread, "frames"), 0), frame,
			      sizeof(frame));
	phrase_add(line, ", at %s", frame);
}

static int add_growth(const struct incident *incident, const char *key, const char *name,
		      bool with_place, struct strings *ret, struct error *err)
{
	char size[QUANTITY_TEXT_MAX], time[QUANTITY_TEXT_MAX], text[WORDS_MAX];
	struct phrase line = phrase_on(text, sizeof(text));
	struct history_growth growth;
	struct history series;

	if (!history_of(incident->diagnosis->history, key, &series) ||
	    !history_growth(&series, GROWTH_WINDOW_MSEC, &growth) || growth.by < GROWTH_LEAST)
		return 0;
	phrase_add(&line, "%s grew %s in %s", name, figure_size((uint64_t)growth.by, size),
		   figure_time((uint64_t)growth.msec * USEC_PER_MSEC, time));
	if (with_place)
		add_place(&line, incident);
	return strings_append(ret, text, err);
}

int incident_memory_words(const struct incident *incident, struct strings *ret, struct error *err)
{
	int r;

	if (!is_about_memory(incident))
		return 0;
	r = add_parts(incident, ret, err);
	if (incident->diagnosis == NULL)
		return r;
	if (r >= 0)
		r = add_growth(incident, "memory_anon", "anon", true, ret, err);
	if (r >= 0)
		r = add_growth(incident, "memory_shmem", "shmem", false, ret, err);
	return r;
}
