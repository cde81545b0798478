/* SPDX-License-Identifier: MIT */
#include "supervisor/snapshot.h"

#include "policy/diagnosis.h"
#include "policy/escape.h"
#include "policy/figure.h"
#include "policy/largest.h"
#include "policy/own.h"
#include "policy/phrase.h"

#include <time.h>

size_t snapshot_largest(const struct process_table *table,
			const struct process *ret[static SNAPSHOT_PROCESSES])
{
	struct largest largest[SNAPSHOT_PROCESSES];
	size_t count = 0;

	for (size_t i = 0; i < table->count; i++)
		if (!table->items[i].gone)
			count = largest_add(largest, count, SNAPSHOT_PROCESSES,
					    table->items[i].rss_bytes, i);
	for (size_t i = 0; i < count; i++)
		ret[i] = &table->items[largest[i].index];
	return count;
}

uint64_t snapshot_unreclaimable(const struct incident_memory *memory)
{
	return memory->anon + memory->shmem + memory->slab_unreclaimable + memory->kernel_stack +
	       memory->pagetables + memory->sock;
}

const char *snapshot_reading_text(const struct watch_reading *reading, uint64_t limit, char *text,
				  size_t size)
{
	struct phrase line = phrase_on(text, size);
	char bound[QUANTITY_TEXT_MAX], fixed[QUANTITY_TEXT_MAX];
	uint64_t share =
		limit_is_set(limit) && limit > 0 ? reading->memory.current * 100 / limit : 0;

	figure_size(snapshot_unreclaimable(&reading->memory), fixed);
	if (limit_is_set(limit))
		phrase_add(&line, "memory %llu %% of %s (%s can't be reclaimed)",
			   (unsigned long long)share, quantity_format_size(limit, bound), fixed);
	else
		phrase_add(&line, "memory %s (%s can't be reclaimed)",
			   figure_size(reading->memory.current, bound), fixed);
	if (reading->pressure_valid)
		phrase_add(&line, ", full avg10 %.1f", reading->memory_pressure.full_avg10 / 100.0);
	return text;
}

static json_t *memory_json(const struct snapshot *snapshot)
{
	json_t *object = incident_memory_to_json(&snapshot->reading->memory);

	if (limit_is_set(snapshot->limit))
		(void)json_object_set_new(object, "limit",
					  json_integer((json_int_t)snapshot->limit));
	return object;
}

static json_t *process_json(const struct process *process)
{
	char comm[sizeof(process->comm) * 4];
	json_t *object =
		json_pack("{s:i, s:s, s:I}", "pid", (int)process->pid, "comm",
			  escape_string(process->comm, ESCAPE_FOR_JSON, comm, sizeof(comm)), "rss",
			  (json_int_t)process->rss_bytes);

	if (process->pss_bytes > 0)
		(void)json_object_set_new(object, "pss",
					  json_integer((json_int_t)process->pss_bytes));
	if (process->pid_inside > 0)
		(void)json_object_set_new(object, "pid_inside", json_integer(process->pid_inside));
	return object;
}

static json_t *processes_json(const struct process_table *table)
{
	const struct process *largest[SNAPSHOT_PROCESSES];
	size_t count = snapshot_largest(table, largest);
	json_t *array = json_array();

	for (size_t i = 0; i < count; i++)
		(void)json_array_append_new(array, process_json(largest[i]));
	return array;
}

json_t *snapshot_make(const struct snapshot *snapshot)
{
	struct timespec now;
	json_t *object;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	object = json_pack("{s:o, s:s, s:o, s:I, s:o}", "time", diagnosis_stamp(&now), "reason",
			   snapshot->reason, "memory", memory_json(snapshot), "frozen_usec",
			   (json_int_t)snapshot->frozen_usec, "processes",
			   processes_json(snapshot->processes));
	if (object != NULL && snapshot->tenant.limit > 0)
		(void)json_object_set_new(object, "tenant",
					  json_pack("{s:I, s:I}", "current",
						    (json_int_t)snapshot->tenant.current, "limit",
						    (json_int_t)snapshot->tenant.limit));
	if (object != NULL && snapshot->stacks != NULL)
		(void)json_object_set(object, "stacks", snapshot->stacks);
	return object;
}
