/* SPDX-License-Identifier: MIT */
#include "policy/recording_processes.h"

#include "policy/escape.h"
#include "policy/largest.h"
#include "policy/own.h"
#include "policy/recording.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* --- /proc/PID/stat -------------------------------------------------------------------------- */

/* "PID (COMM) S PPID ...": the name may hold anything, parentheses and blanks too, so what follows
 * is found from the end. Fields as proc(5) numbers them: 14 utime, 15 stime, 22 starttime, 24 rss.
 */
bool process_stat_read(const char *text, struct process_seen *ret)
{
	const char *open = strchr(text, '('), *close = strrchr(text, ')');
	struct process_seen seen = { 0 };
	uint64_t user, system;
	int64_t rss;
	size_t length;

	if (open == NULL || close == NULL || close < open || sscanf(text, "%d", &seen.pid) != 1 ||
	    seen.pid <= 0)
		return false;
	if (sscanf(close + 1,
		   " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %" SCNu64 " %" SCNu64
		   " %*d %*d %*d %*d %*d %*d %" SCNu64 " %*u %" SCNd64,
		   &user, &system, &seen.started_ticks, &rss) != 4)
		return false;
	length = (size_t)(close - open - 1);
	if (length >= sizeof(seen.comm))
		length = sizeof(seen.comm) - 1;
	memcpy(seen.comm, open + 1, length);
	seen.cpu_ticks = user + system;
	seen.rss_pages = rss > 0 ? (uint64_t)rss : 0;
	*ret = seen;
	return true;
}

/* --- the table ------------------------------------------------------------------------------- */

static struct recording_process *find(const struct recording_processes *processes,
				      const struct process_seen *seen)
{
	assert(processes->count == 0 || processes->items != NULL);
	for (size_t i = 0; i < processes->count; i++)
		if (processes->items[i].seen.pid == seen->pid &&
		    processes->items[i].seen.started_ticks == seen->started_ticks)
			return &processes->items[i];
	return NULL;
}

/* Most apps have one process, and there may be a thousand apps: room grows with their number. */
static struct recording_process *make_place(struct recording_processes *processes)
{
	size_t size = processes->allocated == 0 ? 1 : processes->allocated * 4;
	struct recording_process *items;

	if (processes->count == processes->allocated) {
		if (size > RECORDING_PROCESSES_MAX)
			size = RECORDING_PROCESSES_MAX;
		items = realloc(processes->items, size * sizeof(*items));
		if (items == NULL)
			return NULL;
		processes->items = items;
		processes->allocated = size;
	}
	return &processes->items[processes->count++];
}

/* Whose place can be had: who is gone, else who is smaller; of these the smallest. */
static struct recording_process *find_place(struct recording_processes *processes,
					    const struct process_seen *seen, uint64_t now_usec)
{
	struct recording_process *place = NULL;
	bool place_gone = false;

	if (processes->count < RECORDING_PROCESSES_MAX)
		return make_place(processes);
	for (size_t i = 0; i < processes->count; i++) {
		struct recording_process *one = &processes->items[i];
		bool gone = one->last_usec != now_usec;

		if (!gone && one->seen.rss_pages >= seen->rss_pages)
			continue;
		if (place == NULL || gone > place_gone ||
		    (gone == place_gone && one->seen.rss_pages < place->seen.rss_pages)) {
			place = one;
			place_gone = gone;
		}
	}
	return place;
}

static void add_point(struct recording_process *process, uint64_t now_usec, uint64_t page_size)
{
	uint64_t kib = process->seen.rss_pages * page_size / 1024;

	if (process->points > 0 && now_usec < process->point_usec + RECORDING_PROCESS_STEP_USEC)
		return;
	process->point_usec = now_usec;
	process->point_kib[process->next] = kib < UINT32_MAX ? (uint32_t)kib : UINT32_MAX;
	process->next = (uint8_t)((process->next + 1) % RECORDING_PROCESS_POINTS);
	if (process->points < RECORDING_PROCESS_POINTS)
		process->points++;
}

static void mark_known(const struct recording_processes *processes, const struct process_seen *seen,
		       size_t count, uint64_t now_usec)
{
	for (size_t i = 0; i < count; i++) {
		struct recording_process *process = find(processes, &seen[i]);

		if (process != NULL) {
			process->seen = seen[i];
			process->last_usec = now_usec;
		}
	}
}

void recording_processes_note(struct recording_processes *processes,
			      const struct process_seen *seen, size_t count, uint64_t now_usec,
			      uint64_t page_size)
{
	if (count == 0)
		return;
	recording_processes_expire(processes, now_usec);
	mark_known(processes, seen, count, now_usec);
	for (size_t i = 0; i < count; i++) {
		struct recording_process *process = find(processes, &seen[i]);

		if (process == NULL) {
			process = find_place(processes, &seen[i], now_usec);
			if (process == NULL)
				continue;
			*process = (struct recording_process){ .seen = seen[i],
							       .first_usec = now_usec,
							       .last_usec = now_usec };
		}
		add_point(process, now_usec, page_size);
	}
}

/* --- PSS ------------------------------------------------------------------------------------- */

size_t recording_processes_ask(struct recording_processes *processes, uint64_t now_usec,
			       int ret_pids[static RECORDING_SHARES_MAX])
{
	struct largest largest[RECORDING_SHARES_MAX];
	size_t count = 0, asked = 0;

	for (size_t i = 0; i < processes->count; i++) {
		const struct recording_process *one = &processes->items[i];

		if (one->last_usec == now_usec &&
		    now_usec >= one->first_usec + RECORDING_SHARE_AFTER_USEC)
			count = largest_add(largest, count, RECORDING_SHARES_MAX,
					    one->seen.rss_pages, i);
	}
	for (size_t i = 0; i < count; i++) {
		struct recording_process *one = &processes->items[largest[i].index];

		if (one->asked_usec != 0 && now_usec < one->asked_usec + RECORDING_SHARE_USEC)
			continue;
		one->asked = true;
		one->asked_usec = now_usec;
		ret_pids[asked++] = one->seen.pid;
	}
	return asked;
}

bool recording_processes_tell(struct recording_processes *processes, int pid, uint64_t pss_bytes)
{
	for (size_t i = 0; i < processes->count; i++) {
		struct recording_process *one = &processes->items[i];

		if (one->seen.pid != pid || !one->asked)
			continue;
		one->asked = false;
		one->pss_bytes = pss_bytes;
		return true;
	}
	return false;
}

/* --- the end --------------------------------------------------------------------------------- */

void recording_processes_expire(struct recording_processes *processes, uint64_t now_usec)
{
	size_t kept = 0, before = processes->count;

	for (size_t i = 0; i < processes->count; i++)
		if (processes->items[i].last_usec + RECORDING_SPAN_USEC >= now_usec)
			processes->items[kept++] = processes->items[i];
	processes->count = kept;
	if (kept == 0 && before > 0)
		recording_processes_clear(processes);
}

void recording_processes_clear(struct recording_processes *processes)
{
	free(processes->items);
	*processes = (struct recording_processes){ 0 };
}

/* --- JSON ------------------------------------------------------------------------------------ */

static json_t *pack_points(const struct recording_process *process)
{
	size_t first = (size_t)process->next + RECORDING_PROCESS_POINTS - process->points;
	json_t *series = json_array();

	for (size_t i = 0; i < process->points; i++)
		(void)json_array_append_new(
			series,
			json_integer((json_int_t)process
					     ->point_kib[(first + i) % RECORDING_PROCESS_POINTS] *
				     1024));
	return series;
}

static json_t *pack_process(const struct recording_process *process, uint64_t newest_usec,
			    uint64_t page_size, uint64_t ticks_per_second)
{
	const uint64_t rss = process->seen.rss_pages * page_size;
	char comm[RECORDING_PROCESS_COMM * 4 + 1];
	json_t *object;

	object = json_pack(
		"{s:i, s:s, s:b, s:I, s:I, s:I, s:o}", "pid", process->seen.pid, "comm",
		escape_string(process->seen.comm, ESCAPE_FOR_JSON, comm, sizeof(comm)), "alive",
		process->last_usec == newest_usec, "rss", (json_int_t)rss, "cpu_usec",
		(json_int_t)((double)process->seen.cpu_ticks * 1e6 / (double)ticks_per_second),
		"seen_usec", (json_int_t)(process->last_usec - process->first_usec), "rss_series",
		pack_points(process));
	if (object != NULL && process->pss_bytes > 0)
		(void)json_object_set_new(object, "pss",
					  json_integer((json_int_t)process->pss_bytes));
	return object;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = ((const struct recording_process *)a)->seen.rss_pages;
	uint64_t y = ((const struct recording_process *)b)->seen.rss_pages;

	return (x < y) - (x > y);
}

json_t *recording_processes_to_json(const struct recording_processes *processes, uint64_t page_size,
				    uint64_t ticks_per_second)
{
	struct recording_process order[RECORDING_PROCESSES_MAX];
	uint64_t newest = 0;
	json_t *array;

	if (processes->count == 0)
		return NULL;
	for (size_t i = 0; i < processes->count; i++) {
		order[i] = processes->items[i];
		if (order[i].last_usec > newest)
			newest = order[i].last_usec;
	}
	qsort(order, processes->count, sizeof(order[0]), compare);
	array = json_array();
	for (size_t i = 0; i < processes->count; i++)
		(void)json_array_append_new(
			array, pack_process(&order[i], newest, page_size, ticks_per_second));
	return array;
}
