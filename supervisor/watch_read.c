/* SPDX-License-Identifier: MIT */
/* Readings: what the files say, and what has moved between two. */
#include "policy/own.h"
#include "supervisor/file.h"
#include "supervisor/watch.h"
#include "supervisor/watch_files.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

/* One reading: kept-open files, or those in the places. */
struct reading {
	const struct watch_files *kept; /* NULL: none */
	const struct watch_places *places;
};

/* Text of one file; "" if it is not there. */
static const char *read_text(const struct reading *reading, enum watch_file file, char *buffer,
			     size_t size)
{
	int fd = reading->kept != NULL ? reading->kept->fds[file] : -1;
	int dir = reading->places->dirs[watch_rows[file].place];
	struct error ignored;
	int r = -1;

	if (fd >= 0)
		r = file_read_fd(fd, buffer, size, &ignored);
	else if (dir >= 0)
		r = file_read_at(dir, watch_rows[file].name, buffer, size, &ignored);
	if (r < 0)
		buffer[0] = '\0';
	return buffer;
}

static uint64_t read_number(const struct reading *reading, enum watch_file file)
{
	char text[64];

	return strtoull(read_text(reading, file, text, sizeof(text)), NULL, 10);
}

static void read_memory_stat(const struct reading *reading, struct incident_memory *ret,
			     struct recording_sample *sample, uint64_t *ret_refaults_file)
{
	char text[FILE_KERNEL_MAX];
	uint64_t refaults_anon = 0;
	const struct keyed_field fields[] = {
		{ "anon", &ret->anon },
		{ "file", &ret->file },
		{ "shmem", &ret->shmem },
		{ "slab_reclaimable", &ret->slab_reclaimable },
		{ "slab_unreclaimable", &ret->slab_unreclaimable },
		{ "kernel_stack", &ret->kernel_stack },
		{ "pagetables", &ret->pagetables },
		{ "sock", &ret->sock },
		{ "pgmajfault", &sample->memory_major_faults },
		{ "workingset_refault_anon", &refaults_anon },
		{ "workingset_refault_file", ret_refaults_file },
	};

	ret->valid = keyed_read(read_text(reading, WATCH_APP_MEMORY_STAT, text, sizeof(text)),
				fields, ARRAY_SIZE(fields)) > 0;
	sample->memory_refaults = refaults_anon + *ret_refaults_file;
}

static void read_memory(const struct reading *reading, struct incident_memory *ret,
			struct recording_sample *sample, uint64_t *ret_refaults_file)
{
	read_memory_stat(reading, ret, sample, ret_refaults_file);
	ret->current = read_number(reading, WATCH_APP_MEMORY_CURRENT);
	ret->peak = read_number(reading, WATCH_APP_MEMORY_PEAK);
	ret->swap = read_number(reading, WATCH_APP_SWAP_CURRENT);
	sample->memory_current = ret->current;
	sample->memory_anon = ret->anon;
	sample->memory_file = ret->file;
	sample->memory_shmem = ret->shmem;
	sample->memory_slab_reclaimable = ret->slab_reclaimable;
	sample->memory_slab_unreclaimable = ret->slab_unreclaimable;
	sample->memory_kernel_stack = ret->kernel_stack;
	sample->memory_pagetables = ret->pagetables;
	sample->memory_sock = ret->sock;
	sample->memory_swap = ret->swap;
}

static void add_events(int fd, struct memory_events *sum)
{
	char text[FILE_KERNEL_MAX];
	struct memory_events one = { 0 };
	struct error ignored;

	if (file_read_fd(fd, text, sizeof(text), &ignored) < 0)
		return;
	keyed_memory_events(text, &one);
	sum->low += one.low;
	sum->high += one.high;
	sum->max += one.max;
	sum->oom += one.oom;
	sum->oom_kill += one.oom_kill;
	sum->oom_group_kill += one.oom_group_kill;
}

static void read_ancestors_of(int app, struct memory_events *sum)
{
	int fds[WATCH_ANCESTORS_MAX];
	size_t count = app >= 0 ? watch_open_ancestors(app, fds) : 0;

	for (size_t i = 0; i < count; i++) {
		add_events(fds[i], sum);
		close_and_clear(&fds[i]);
	}
}

static void add_kept_ancestors(const struct watch_files *kept, struct memory_events *sum)
{
	for (size_t i = 0; i < kept->ancestor_count; i++)
		add_events(kept->ancestors[i], sum);
}

static void read_counters(const struct reading *reading, struct event_deltas *ret)
{
	char text[FILE_KERNEL_MAX];
	uint64_t app_pids_max = 0, leaf_pids_max = 0;
	const struct keyed_field app_pids = { "max", &app_pids_max };
	const struct keyed_field leaf_pids = { "max", &leaf_pids_max };
	const struct {
		enum watch_file file;
		struct memory_events *events;
	} events[] = {
		{ WATCH_APP_MEMORY_EVENTS, &ret->app },
		{ WATCH_APP_MEMORY_EVENTS_LOCAL, &ret->app_local },
		{ WATCH_LEAF_MEMORY_EVENTS_LOCAL, &ret->leaf_local },
	};

	for (size_t i = 0; i < ARRAY_SIZE(events); i++)
		keyed_memory_events(read_text(reading, events[i].file, text, sizeof(text)),
				    events[i].events);
	if (reading->kept == NULL)
		read_ancestors_of(reading->places->dirs[WATCH_APP], &ret->above);
	else
		add_kept_ancestors(reading->kept, &ret->above);
	/* before Linux 6.11 the forker's cgroup counts, since then the one whose limit it is */
	keyed_read(read_text(reading, WATCH_APP_PIDS_EVENTS, text, sizeof(text)), &app_pids, 1);
	keyed_read(read_text(reading, WATCH_LEAF_PIDS_EVENTS, text, sizeof(text)), &leaf_pids, 1);
	ret->pids_max = app_pids_max + leaf_pids_max;
}

static bool take_cpu_stat(const char *text, struct recording_sample *sample)
{
	const struct keyed_field fields[] = {
		{ "usage_usec", &sample->cpu_usage_usec },
		{ "user_usec", &sample->cpu_user_usec },
		{ "system_usec", &sample->cpu_system_usec },
		{ "nr_periods", &sample->cpu_periods },
		{ "nr_throttled", &sample->cpu_throttled },
		{ "throttled_usec", &sample->cpu_throttled_usec },
	};

	return keyed_read(text, fields, ARRAY_SIZE(fields)) > 0;
}

static void read_usage(const struct reading *reading, struct recording_sample *sample)
{
	char text[FILE_KERNEL_MAX];
	struct io_totals io;

	(void)take_cpu_stat(read_text(reading, WATCH_APP_CPU_STAT, text, sizeof(text)), sample);
	keyed_io(read_text(reading, WATCH_APP_IO_STAT, text, sizeof(text)), &io);
	sample->io_read_bytes = io.read_bytes;
	sample->io_write_bytes = io.write_bytes;
	sample->io_reads = io.reads;
	sample->io_writes = io.writes;
	sample->pids = read_number(reading, WATCH_APP_PIDS_CURRENT);
}

static bool read_pressure(const struct reading *reading, struct watch_reading *ret)
{
	const struct {
		enum watch_file file;
		struct pressure *pressure;
	} wanted[] = { { WATCH_APP_MEMORY_PRESSURE, &ret->memory_pressure },
		       { WATCH_APP_CPU_PRESSURE, &ret->cpu_pressure },
		       { WATCH_APP_IO_PRESSURE, &ret->io_pressure } };
	struct recording_sample *sample = &ret->sample;
	char text[1024];
	struct error ignored;

	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
		if (keyed_pressure(read_text(reading, wanted[i].file, text, sizeof(text)),
				   wanted[i].pressure, &ignored) < 0)
			return false;
	sample->memory_some_avg10 = ret->memory_pressure.some_avg10;
	sample->memory_full_avg10 = ret->memory_pressure.full_avg10;
	sample->memory_some_usec = ret->memory_pressure.some_total_usec;
	sample->memory_full_usec = ret->memory_pressure.full_total_usec;
	sample->cpu_some_avg10 = ret->cpu_pressure.some_avg10;
	sample->cpu_some_usec = ret->cpu_pressure.some_total_usec;
	sample->io_some_avg10 = ret->io_pressure.some_avg10;
	sample->io_full_avg10 = ret->io_pressure.full_avg10;
	sample->io_some_usec = ret->io_pressure.some_total_usec;
	sample->io_full_usec = ret->io_pressure.full_total_usec;
	return true;
}

/* False: it was never started. */
static bool begin_reading(const struct watch *watch, struct watch_places *places)
{
	if (watch->on_event == NULL)
		return false;
	if (watch->files == NULL)
		*places = watch_places_open(watch);
	return true;
}

void watch_read(const struct watch *watch, struct watch_reading *ret)
{
	struct watch_places places _cleanup_watch_places_ = { { -1, -1 } };
	const struct reading reading = { watch->files, &places };

	*ret = (struct watch_reading){ 0 };
	if (!begin_reading(watch, &places))
		return;
	read_counters(&reading, &ret->counters);
	read_memory(&reading, &ret->memory, &ret->sample, &ret->refaults);
	ret->leaf_current = read_number(&reading, WATCH_LEAF_MEMORY_CURRENT);
	read_usage(&reading, &ret->sample);
	ret->pressure_valid = read_pressure(&reading, ret);
	ret->sample.events_high = ret->counters.app.high;
	ret->sample.events_max = ret->counters.app.max;
	ret->sample.events_oom_kill = ret->counters.app.oom_kill;
}

void watch_read_counters(const struct watch *watch, struct event_deltas *ret)
{
	struct watch_places places _cleanup_watch_places_ = { { -1, -1 } };
	const struct reading reading = { watch->files, &places };

	*ret = (struct event_deltas){ 0 };
	if (begin_reading(watch, &places))
		read_counters(&reading, ret);
}

/* One file of the app's: for a thousand idle ones without a directory in between. */
static const char *read_one(const struct watch *watch, enum watch_file file, char *text,
			    size_t size)
{
	char path[PATH_MAX];
	struct error ignored;
	int r = -1;

	if (watch->files != NULL && watch->files->fds[file] >= 0)
		r = file_read_fd(watch->files->fds[file], text, size, &ignored);
	else if (watch->on_event != NULL && watch->notifier != NULL &&
		 snprintf(path, sizeof(path), "%s/%s", watch->app, watch_rows[file].name) <
			 (int)sizeof(path))
		r = file_read_at(watch->root, path, text, size, &ignored);
	if (r < 0)
		text[0] = '\0';
	return text;
}

bool watch_read_cpu(const struct watch *watch, struct recording_sample *sample)
{
	char text[1024];

	return take_cpu_stat(read_one(watch, WATCH_APP_CPU_STAT, text, sizeof(text)), sample);
}

void watch_read_memory_current(const struct watch *watch, struct recording_sample *sample)
{
	char text[64];

	sample->memory_current =
		strtoull(read_one(watch, WATCH_APP_MEMORY_CURRENT, text, sizeof(text)), NULL, 10);
}

static uint64_t minus(uint64_t now, uint64_t then)
{
	return now > then ? now - then : 0;
}

static void subtract_events(const struct memory_events *now, const struct memory_events *then,
			    struct memory_events *ret)
{
	*ret = (struct memory_events){
		.low = minus(now->low, then->low),
		.high = minus(now->high, then->high),
		.max = minus(now->max, then->max),
		.oom = minus(now->oom, then->oom),
		.oom_kill = minus(now->oom_kill, then->oom_kill),
		.oom_group_kill = minus(now->oom_group_kill, then->oom_group_kill),
	};
}

void watch_subtract(const struct event_deltas *now, const struct event_deltas *then,
		    struct event_deltas *ret)
{
	subtract_events(&now->leaf_local, &then->leaf_local, &ret->leaf_local);
	subtract_events(&now->app_local, &then->app_local, &ret->app_local);
	subtract_events(&now->app, &then->app, &ret->app);
	subtract_events(&now->above, &then->above, &ret->above);
	ret->pids_max = minus(now->pids_max, then->pids_max);
}
