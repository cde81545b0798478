/* SPDX-License-Identifier: MIT */
#include "supervisor/watch.h"

#include "policy/own.h"
#include "supervisor/cgroup.h"
#include "supervisor/file.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ANCESTORS_MAX 8

enum watch_file {
	WATCH_APP_MEMORY_EVENTS,
	WATCH_APP_MEMORY_EVENTS_LOCAL,
	WATCH_APP_MEMORY_STAT,
	WATCH_APP_MEMORY_CURRENT,
	WATCH_APP_MEMORY_PEAK,
	WATCH_APP_SWAP_CURRENT,
	WATCH_APP_PIDS_EVENTS,
	WATCH_APP_MEMORY_PRESSURE,
	WATCH_APP_CPU_PRESSURE,
	WATCH_APP_IO_PRESSURE,
	WATCH_APP_CPU_STAT,
	WATCH_APP_IO_STAT,
	WATCH_APP_PIDS_CURRENT,
	WATCH_LEAF_MEMORY_CURRENT,
	WATCH_LEAF_MEMORY_EVENTS_LOCAL,
	WATCH_LEAF_PIDS_EVENTS,
	WATCH_LEAF_CGROUP_EVENTS,
	WATCH_FILE_COUNT,
};

enum place { APP, LEAF };

static const struct {
	enum place place;
	const char *name;
	bool required;
	bool polled;  /* by POLLPRI; of those without a trigger a lean watch is notified */
	bool trigger; /* PSI: a trigger is written when it is opened */
	enum watch_event event;
} files[] = {
	[WATCH_APP_MEMORY_EVENTS] = { APP, "memory.events", true, true, false,
				      WATCH_MEMORY_EVENTS },
	[WATCH_APP_MEMORY_EVENTS_LOCAL] = { APP, "memory.events.local", true, false, false, 0 },
	[WATCH_APP_MEMORY_STAT] = { APP, "memory.stat", true, false, false, 0 },
	[WATCH_APP_MEMORY_CURRENT] = { APP, "memory.current", true, false, false, 0 },
	[WATCH_APP_MEMORY_PEAK] = { APP, "memory.peak", false, false, false, 0 }, /* Linux 5.19 */
	[WATCH_APP_SWAP_CURRENT] = { APP, "memory.swap.current", false, false, false, 0 },
	[WATCH_APP_PIDS_EVENTS] = { APP, "pids.events", true, true, false, WATCH_PIDS_EVENTS },
	[WATCH_APP_MEMORY_PRESSURE] = { APP, "memory.pressure", false, true, true, WATCH_PRESSURE },
	[WATCH_APP_CPU_PRESSURE] = { APP, "cpu.pressure", false, true, true, WATCH_PRESSURE },
	[WATCH_APP_IO_PRESSURE] = { APP, "io.pressure", false, true, true, WATCH_PRESSURE },
	[WATCH_APP_CPU_STAT] = { APP, "cpu.stat", false, false, false, 0 },
	[WATCH_APP_IO_STAT] = { APP, "io.stat", false, false, false, 0 },
	[WATCH_APP_PIDS_CURRENT] = { APP, "pids.current", false, false, false, 0 },
	[WATCH_LEAF_MEMORY_CURRENT] = { LEAF, "memory.current", true, false, false, 0 },
	[WATCH_LEAF_MEMORY_EVENTS_LOCAL] = { LEAF, "memory.events.local", true, false, false, 0 },
	[WATCH_LEAF_PIDS_EVENTS] = { LEAF, "pids.events", true, true, false, WATCH_PIDS_EVENTS },
	[WATCH_LEAF_CGROUP_EVENTS] = { LEAF, "cgroup.events", true, true, false, WATCH_POPULATED },
};
static_assert(ARRAY_SIZE(files) == WATCH_FILE_COUNT, "a row for each file");

/* What is kept open: by a full watch for all its life, by a lean one without sources. */
struct watch_files {
	struct watch *watch;
	int fds[WATCH_FILE_COUNT]; /* -1: not there on this kernel */
	sd_event_source *sources[WATCH_FILE_COUNT];
	sd_event_source *arming;      /* of the triggers */
	int ancestors[ANCESTORS_MAX]; /* memory.events.local above the app's slice */
	size_t ancestor_count;
};

/* Reading from the start re-arms the notification; what it says is read by watch_read. */
static int on_file_event(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	const struct watch_files *kept = userdata;
	char text[FILE_KERNEL_MAX];
	struct error ignored;

	for (size_t i = 0; i < WATCH_FILE_COUNT; i++) {
		if (kept->sources[i] != source)
			continue;
		/* EPOLLERR without EPOLLPRI: the cgroup is gone */
		if ((revents & EPOLLPRI) == 0 || file_read_fd(fd, text, sizeof(text), &ignored) < 0)
			(void)sd_event_source_set_enabled(source, SD_EVENT_OFF);
		kept->watch->on_event(files[i].event, kept->watch->userdata);
		break;
	}
	return 0;
}

static int arm_trigger(int fd)
{
	const char *trigger = WATCH_PSI_TRIGGER;

	/* the terminating NUL belongs to it: Documentation/accounting/psi.rst */
	if (write(fd, trigger, strlen(trigger) + 1) >= 0)
		return 0;
	trigger = WATCH_PSI_TRIGGER_UNPRIVILEGED;
	return write(fd, trigger, strlen(trigger) + 1) >= 0 ? 0 : -errno;
}

static int poll_file(struct watch_files *kept, sd_event *event, size_t i, struct error *err)
{
	char text[FILE_KERNEL_MAX];
	int r = file_read_fd(kept->fds[i], text, sizeof(text), err);

	if (r < 0)
		return r;
	r = sd_event_add_io(event, &kept->sources[i], kept->fds[i], EPOLLPRI, on_file_event, kept);
	return r < 0 ? error_set(err, ERROR_SYSTEM, -r, "watch: %s", files[i].name) : 0;
}

static int open_file(struct watch_files *kept, sd_event *event, size_t i, int dir,
		     struct error *err)
{
	kept->fds[i] =
		openat(dir, files[i].name, (files[i].trigger ? O_RDWR : O_RDONLY) | O_CLOEXEC);
	/* absent in a hierarchy without that controller: who made the cgroup has told */
	if (kept->fds[i] < 0)
		return files[i].required && errno != ENOENT
			       ? error_set(err, ERROR_SYSTEM, errno, "watch: open %s",
					   files[i].name)
			       : 0;
	return files[i].polled && !files[i].trigger ? poll_file(kept, event, i, err) : 0;
}

static int on_arming(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct watch_files *kept = userdata;
	struct error ignored;
	(void)usec;

	/* where PSI is switched off, readings say so */
	for (size_t i = 0; i < WATCH_FILE_COUNT; i++)
		if (files[i].trigger && kept->fds[i] >= 0 && arm_trigger(kept->fds[i]) >= 0)
			(void)poll_file(kept, sd_event_source_get_event(source), i, &ignored);
	return 0;
}

/* Up from the app's slice to the mount's root, whose own memory.events does not exist. Returns how
 * many there are. */
static size_t open_ancestors(int app, int fds[static ANCESTORS_MAX])
{
	char path[64 + ANCESTORS_MAX * 3] = "..";
	size_t count = 0;

	while (count < ANCESTORS_MAX) {
		_cleanup_close_ int dir = openat(app, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		int fd = dir >= 0 ? openat(dir, "memory.events.local", O_RDONLY | O_CLOEXEC) : -1;

		if (fd < 0)
			break;
		fds[count++] = fd;
		strncat(path, "/..", sizeof(path) - strlen(path) - 1);
	}
	return count;
}

static void close_files(struct watch_files *kept)
{
	kept->arming = sd_event_source_disable_unref(kept->arming);
	for (size_t i = 0; i < WATCH_FILE_COUNT; i++) {
		kept->sources[i] = sd_event_source_disable_unref(kept->sources[i]);
		close_and_clear(&kept->fds[i]);
	}
	for (size_t i = 0; i < kept->ancestor_count; i++)
		close_and_clear(&kept->ancestors[i]);
	free(kept);
}

/* --- full ----------------------------------------------------------------------------------- */

int watch_start(struct watch *watch, sd_event *event, int app, int leaf,
		void (*on_event)(enum watch_event event, void *userdata), void *userdata,
		struct error *err)
{
	struct watch_files *kept = calloc(1, sizeof(*kept));
	int r = 0;

	*watch = (struct watch){ 0 };
	if (kept == NULL)
		return error_no_memory(err);
	*watch = (struct watch){ .files = kept, .on_event = on_event, .userdata = userdata };
	kept->watch = watch;
	for (size_t i = 0; i < WATCH_FILE_COUNT; i++)
		kept->fds[i] = -1;
	for (size_t i = 0; i < WATCH_FILE_COUNT && r >= 0; i++)
		r = open_file(kept, event, i, files[i].place == APP ? app : leaf, err);
	if (r >= 0) {
		r = sd_event_add_time_relative(event, &kept->arming, CLOCK_MONOTONIC,
					       WATCH_TRIGGER_DELAY_USEC, 0, on_arming, kept);
		if (r < 0)
			(void)error_set(err, ERROR_SYSTEM, -r, "watch: timer");
	}
	if (r < 0) {
		watch_stop(watch);
		return r;
	}
	kept->ancestor_count = open_ancestors(app, kept->ancestors);
	return 0;
}

/* --- lean ----------------------------------------------------------------------------------- */

/* Where the files of a lean watch are; both -1 for a full one. */
struct places {
	int dirs[2]; /* APP, LEAF */
};

static void close_places(struct places *places)
{
	close_and_clear(&places->dirs[APP]);
	close_and_clear(&places->dirs[LEAF]);
}
#define _cleanup_places_ __attribute__((cleanup(close_places)))

static struct places open_places(const struct watch *watch)
{
	struct places places = { { -1, -1 } };
	struct error ignored;

	if (watch->on_event == NULL || watch->notifier == NULL)
		return places;
	if (cgroup_open(watch->root, watch->app, &places.dirs[APP], &ignored) >= 0)
		(void)cgroup_open(places.dirs[APP], watch->leaf, &places.dirs[LEAF], &ignored);
	return places;
}

static void on_notified(unsigned which, void *userdata)
{
	struct watch *watch = userdata;

	watch->on_event((enum watch_event)which, watch->userdata);
}

int watch_start_lean(struct watch *watch, struct watch_notifier *notifier, int root,
		     const char *app, const char *leaf,
		     void (*on_event)(enum watch_event event, void *userdata), void *userdata,
		     struct error *err)
{
	static const enum watch_file notified[WATCH_NOTIFIED] = { WATCH_APP_MEMORY_EVENTS,
								  WATCH_APP_PIDS_EVENTS,
								  WATCH_LEAF_PIDS_EVENTS };
	struct places places _cleanup_places_ = { { -1, -1 } };

	*watch = (struct watch){ .on_event = on_event,
				 .userdata = userdata,
				 .notifier = notifier,
				 .root = root,
				 .app = app,
				 .leaf = leaf };
	for (size_t i = 0; i < WATCH_NOTIFIED; i++)
		watch->notified[i] = -1;
	places = open_places(watch);
	for (size_t i = 0; i < ARRAY_SIZE(places.dirs); i++)
		if (places.dirs[i] < 0)
			return error_set(err, ERROR_SYSTEM, ENOENT,
					 "cgroup %s: cannot be opened to be watched", app);
	for (size_t i = 0; i < WATCH_NOTIFIED; i++) {
		int wd = watch_notifier_add(notifier, places.dirs[files[notified[i]].place],
					    files[notified[i]].name, files[notified[i]].event,
					    on_notified, watch, err);

		/* a hierarchy without that controller: its scope has told */
		if (wd == -ENOENT)
			continue;
		if (wd < 0) {
			watch_stop(watch);
			error_prefix(err, "cgroup %s", app);
			return wd;
		}
		watch->notified[i] = wd;
	}
	return 0;
}

void watch_keep_open(struct watch *watch, bool keep)
{
	struct places places _cleanup_places_ = { { -1, -1 } };
	struct watch_files *kept;

	if (watch->on_event == NULL || watch->notifier == NULL || keep == (watch->files != NULL))
		return;
	if (!keep) {
		close_files(TAKE_PTR(watch->files));
		return;
	}
	kept = calloc(1, sizeof(*kept));
	if (kept == NULL)
		return;
	places = open_places(watch);
	for (size_t i = 0; i < WATCH_FILE_COUNT; i++)
		kept->fds[i] =
			openat(places.dirs[files[i].place], files[i].name, O_RDONLY | O_CLOEXEC);
	kept->ancestor_count = open_ancestors(places.dirs[APP], kept->ancestors);
	watch->files = kept;
}

/* -------------------------------------------------------------------------------------------- */

void watch_stop(struct watch *watch)
{
	if (watch->on_event == NULL) /* never started */
		return;
	for (size_t i = 0; watch->notifier != NULL && i < WATCH_NOTIFIED; i++)
		watch_notifier_remove(watch->notifier, watch->notified[i]);
	if (watch->files != NULL)
		close_files(TAKE_PTR(watch->files));
	watch->on_event = NULL;
}

/* One reading: kept-open files, or those in the places. */
struct reading {
	const struct watch_files *kept; /* NULL: none */
	const struct places *places;
};

/* Text of one file; "" if it is not there. */
static const char *read_text(const struct reading *reading, enum watch_file file, char *buffer,
			     size_t size)
{
	int fd = reading->kept != NULL ? reading->kept->fds[file] : -1;
	int dir = reading->places->dirs[files[file].place];
	struct error ignored;
	int r = -1;

	if (fd >= 0)
		r = file_read_fd(fd, buffer, size, &ignored);
	else if (dir >= 0)
		r = file_read_at(dir, files[file].name, buffer, size, &ignored);
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
	int fds[ANCESTORS_MAX];
	size_t count = app >= 0 ? open_ancestors(app, fds) : 0;

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
		read_ancestors_of(reading->places->dirs[APP], &ret->above);
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
static bool begin_reading(const struct watch *watch, struct places *places)
{
	if (watch->on_event == NULL)
		return false;
	if (watch->files == NULL)
		*places = open_places(watch);
	return true;
}

void watch_read(const struct watch *watch, struct watch_reading *ret)
{
	struct places places _cleanup_places_ = { { -1, -1 } };
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
	struct places places _cleanup_places_ = { { -1, -1 } };
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
		 snprintf(path, sizeof(path), "%s/%s", watch->app, files[file].name) <
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
