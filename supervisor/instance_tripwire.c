/* SPDX-License-Identifier: MIT */
/*
 * Tripwires (policy/tripwire.h) of one instance, and what is done when one is hit.
 *
 * The rungs are on the leaf: memory.high of the app's slice is the user's, the leaf's is ours, and
 * "max" is what it goes back to, whoever puts it back. The freeze is on the slice: the leaf's is
 * what a suspended app is frozen by, and thawing the one never thaws the other.
 *
 * A trip is a look at a frozen app: freeze, wait until it stands (not for long: who sleeps in the
 * kernel for memory.high freezes when it wakes), read, raise the rung, thaw. The app is thawed on
 * every way out of here; when this process is killed meanwhile, by the anchor
 * (supervisor/release.h), by systemd after it (ExecStopPost=), and by the next daemon when it takes
 * the app over.
 */
#include "policy/figure.h"
#include "policy/own.h"
#include "policy/phrase.h"
#include "policy/stacks.h"
#include "supervisor/cgroup.h"
#include "supervisor/clock.h"
#include "supervisor/file.h"
#include "supervisor/instance.h"
#include "supervisor/snapshot.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An idle processor freezes a cgroup in 0.1 ms: that is waited for at once, then by the clock. */
#define SPIN_USEC  UINT64_C(500)
#define PAUSE_USEC UINT64_C(2000)
/* Whoever has not stopped by then sleeps in the kernel: it can be read as it is. */
#define FREEZE_PATIENCE_USEC UINT64_C(20000)
#define THAW_TRIES	     5

enum trip_reason { TRIP_RUNG, TRIP_TENANT, TRIP_TOP, TRIP_STALLED };

static const char *const reason_names[] = {
	[TRIP_RUNG] = "tripwire",
	[TRIP_TENANT] = "tripwire",
	[TRIP_TOP] = "max",
	[TRIP_STALLED] = "stalled",
};

/* One look, while it lasts. */
struct trip {
	struct instance *instance;
	enum trip_reason reason;
	bool begins;
	bool late; /* the kernel has killed meanwhile: it is no look before that */
	struct stall_finding finding;
	struct tenant_trip tenant; /* limit 0: it is the app's own */
	int slice;
	uint64_t frozen_usec; /* CLOCK_MONOTONIC */
	sd_event_source *timer;
	struct watch_reading reading; /* of the frozen app */
	struct stacks_request *request;
	json_t *stacks;		       /* owned; NULL: none could be read, */
	char why_none[ERROR_TEXT_MAX]; /* which is why; "" if nobody was there */
};

/* --- the cgroup's files --------------------------------------------------------------------- */

static void set_slice_frozen(int slice, bool frozen)
{
	struct error ignored;
	int r = 0;

	/* it may be gone already, and with it all that was frozen; a kernel that is short of memory
	 * is asked again: whatever else is lost, nobody stays frozen */
	for (int i = 0; i < THAW_TRIES; i++) {
		r = file_write_at(slice, "cgroup.freeze", frozen ? "1" : "0", &ignored);
		if (r >= 0 || frozen || r == -ENODEV || r == -ENOENT)
			return;
	}
}

/* Without a memory controller there is no such file, and no limit that could be near. */
static void set_high(struct instance *instance, uint64_t high)
{
	_cleanup_close_ int leaf = -1;
	struct error ignored;
	char text[32] = "max";

	if (high == instance->tripwire_high)
		return;
	if (high != LIMIT_MAX)
		snprintf(text, sizeof(text), "%llu", (unsigned long long)high);
	if (instance_open_leaf(instance, &leaf, &ignored) >= 0 &&
	    file_write_at(leaf, "memory.high", text, &ignored) >= 0)
		instance->tripwire_high = high;
}

/* --- what is asked of policy ---------------------------------------------------------------- */

/* The lowest that bounds it: its own, or its tenant's, which it may fill alone. */
static uint64_t limit_of(const struct instance *instance)
{
	struct setting_bound plan = { 0 }, tenant = { 0 };
	uint64_t limits[4] = { instance->spec->limits.memory_max,
			       instance->spec->limits.memory_high, LIMIT_UNSET, LIMIT_UNSET };
	uint64_t lowest = LIMIT_UNSET;

	if (instance->host->bounds != NULL)
		instance->host->bounds(instance, &plan, &tenant);
	if (tenant.limits != NULL) {
		limits[2] = tenant.limits->memory_max;
		limits[3] = tenant.limits->memory_high;
	}
	for (size_t i = 0; i < ARRAY_SIZE(limits); i++)
		if (limit_is_set(limits[i]) && limits[i] < lowest)
			lowest = limits[i];
	return lowest;
}

static struct tripwire_reading reading_of(const struct instance *instance,
					  const struct watch_reading *reading)
{
	const struct incident_memory *memory = &reading->memory;
	const struct event_deltas *counters = &reading->counters;
	uint64_t cache = memory->file > memory->shmem ? memory->file - memory->shmem : 0;

	return (struct tripwire_reading){
		.now_usec = clock_monotonic_usec(),
		.current = reading->leaf_current,
		.high_moves = counters->leaf_local.high,
		.top_moves = counters->app_local.max + counters->app_local.high +
			     counters->above.max + counters->above.high,
		.stall = { .limit = instance->tripwire.limit,
			   .unreclaimable = snapshot_unreclaimable(memory),
			   .file_pages = cache / 4096,
			   .refaults = reading->refaults,
			   .full_total_usec = reading->memory_pressure.full_total_usec },
	};
}

/* --- a trip --------------------------------------------------------------------------------- */

static void free_trip(struct trip *trip)
{
	trip->instance->trip = NULL;
	trip->timer = sd_event_source_disable_unref(trip->timer);
	stacks_cancel(trip->request);
	json_decref(trip->stacks);
	close_and_clear(&trip->slice);
	free(trip);
}

/* ", at export.py:88 in load()" */
static void add_place(struct phrase *text, const struct trip *trip)
{
	char line[STACKS_LINE_MAX];

	if (trip->stacks != NULL && stacks_line(trip->stacks, 0, line, sizeof(line)) != NULL)
		phrase_add(text, ", at %s", line);
}

static const struct process *largest_of(const struct instance *instance)
{
	const struct process *largest[SNAPSHOT_PROCESSES];

	return snapshot_largest(&instance->processes, largest) > 0 ? largest[0] : NULL;
}

static void add_largest(struct phrase *text, const struct instance *instance)
{
	const struct process *process = largest_of(instance);
	char size[QUANTITY_TEXT_MAX];

	if (process != NULL)
		phrase_add(text, "; the largest process is %s (pid %d) with %s", process->comm,
			   (int)process->pid, figure_size(process->rss_bytes, size));
}

/* Once an episode, however many rungs it has. */
static void tell(const struct trip *trip)
{
	struct instance *instance = trip->instance;
	const struct log_subject subject = instance_subject(instance);
	char reading[SNAPSHOT_TEXT_MAX], words[SNAPSHOT_TEXT_MAX * 2], used[QUANTITY_TEXT_MAX],
		limit[QUANTITY_TEXT_MAX];
	struct phrase text = phrase_on(words, sizeof(words));

	if (trip->reason == TRIP_TENANT)
		phrase_add(&text,
			   "the largest app of a tenant that is close to its limit, %s of %s: ",
			   figure_size(trip->tenant.current, used),
			   quantity_format_size(trip->tenant.limit, limit));
	else
		phrase_add(&text, "close to its limit: ");
	phrase_add(&text, "%s",
		   snapshot_reading_text(&trip->reading, instance->tripwire.limit, reading,
					 sizeof(reading)));
	add_largest(&text, instance);
	add_place(&text, trip);
	log_event(instance->host->log, LOG_EVENT_MEMORY_SHORT, &subject, "%s", words);
	if (instance->host->on_short != NULL)
		instance->host->on_short(instance, &trip->reading.memory, instance->tripwire.limit,
					 words);
}

static void add_step(const struct trip *trip, uint64_t frozen_usec)
{
	struct instance *instance = trip->instance;
	char reading[SNAPSHOT_TEXT_MAX], words[SNAPSHOT_TEXT_MAX], size[QUANTITY_TEXT_MAX];
	struct phrase result = phrase_on(words, sizeof(words));
	uint64_t high = tripwire_high(&instance->tripwire);
	struct timespec now;

	phrase_add(&result, "looked at in %.1f ms", (double)frozen_usec / 1000.0);
	add_place(&result, trip);
	if (trip->stacks == NULL && trip->why_none[0] != '\0')
		phrase_add(&result, ", without stacks (%s)", trip->why_none);
	if (trip->reason == TRIP_RUNG)
		phrase_add(&result, ", the next wire is at %s",
			   high != LIMIT_MAX ? figure_size(high, size) : "the limit");
	else if (trip->reason == TRIP_TENANT)
		phrase_add(&result, ", for its tenant uses %s",
			   figure_size(trip->tenant.current, size));
	(void)clock_gettime(CLOCK_REALTIME, &now);
	diagnosis_add_step(&instance->diagnosis,
			   json_pack("{s:o, s:s, s:s, s:s}", "time", diagnosis_stamp(&now), "step",
				     trip->reason == TRIP_STALLED ? "kill" : "tripwire", "reading",
				     snapshot_reading_text(&trip->reading, instance->tripwire.limit,
							   reading, sizeof(reading)),
				     "result", words));
}

/* "58.1M of 60M can't be reclaimed, and all of it waited for memory 61 % of the last 12 s" */
static void end_stalled(const struct trip *trip)
{
	struct instance *instance = trip->instance;
	const struct stall_finding *finding = &trip->finding;
	char words[SNAPSHOT_TEXT_MAX * 2], fixed[QUANTITY_TEXT_MAX], limit[QUANTITY_TEXT_MAX],
		time[QUANTITY_TEXT_MAX];
	struct phrase text = phrase_on(words, sizeof(words));

	phrase_add(&text, "%s of %s can't be reclaimed, and ",
		   figure_size(snapshot_unreclaimable(&trip->reading.memory), fixed),
		   quantity_format_size(instance->tripwire.limit, limit));
	figure_time(finding->usec, time);
	if (finding->full_percent >= STALL_FULL)
		phrase_add(&text, "all of it waited for memory %u %% of the last %s",
			   finding->full_percent, time);
	else
		phrase_add(&text, "for %s it read %llu pages a second that it had just given up",
			   time, (unsigned long long)finding->refaults_per_second);
	add_place(&text, trip);
	instance_end_for(instance, CAUSE_STALLED, words);
}

static void keep(const struct trip *trip, uint64_t frozen_usec)
{
	struct instance *instance = trip->instance;

	diagnosis_add_snapshot(&instance->diagnosis, snapshot_make(&(struct snapshot){
							     .reason = reason_names[trip->reason],
							     .reading = &trip->reading,
							     .limit = instance->tripwire.limit,
							     .tenant = trip->tenant,
							     .processes = &instance->processes,
							     .frozen_usec = frozen_usec,
							     .stacks = trip->stacks,
						     }));
	add_step(trip, frozen_usec);
}

/* What was seen is kept; the app goes on. */
static void finish(struct trip *trip)
{
	struct instance *instance = trip->instance;

	set_high(instance, tripwire_high(&instance->tripwire));
	set_slice_frozen(trip->slice, false);
	if (!trip->late)
		keep(trip, clock_monotonic_usec() - trip->frozen_usec);
	if (trip->begins)
		tell(trip);
	/* the kernel has killed meanwhile: what is left may go on */
	if (trip->reason == TRIP_STALLED && !trip->late)
		end_stalled(trip);
	free_trip(trip);
}

/* What the look before has seen: whose page faults have moved since tells who allocates. */
static const json_t *stacks_before(const struct instance *instance)
{
	const json_t *snapshots = instance->diagnosis.snapshots;
	size_t count = json_array_size(snapshots);

	return count > 0 ? json_object_get(json_array_get(snapshots, count - 1), "stacks") : NULL;
}

static bool was_killed(const struct instance *instance)
{
	struct watch_reading now = { 0 };

	watch_read_counters(&instance->watch, &now.counters);
	return instance_new_oom_kills(instance, &now) > 0;
}

/* Of the first of the processes that were asked for, the largest. */
static bool has_frames(const json_t *result)
{
	const json_t *largest = json_array_get(json_object_get(result, "processes"), 0);
	const json_t *process = NULL;
	json_int_t pid = json_integer_value(json_object_get(largest, "pid"));

	return diagnosis_find_thread(result, (int)pid, &process) != NULL && process == largest;
}

static void on_stacks(json_t *result, const struct error *err, void *userdata)
{
	struct trip *trip = userdata;

	trip->request = NULL;
	if (result == NULL)
		memcpy(trip->why_none, err->text, sizeof(trip->why_none));
	process_table_take_answers(&trip->instance->processes, trip->instance->host->reader);
	/* killed before it was read: the look before this one knows more of it */
	trip->late = was_killed(trip->instance) && !has_frames(result);
	trip->stacks = json_incref(result);
	if (result != NULL)
		(void)stacks_mark_allocating(stacks_before(trip->instance), result);
	finish(trip);
}

/* False: there is nobody, or nobody to read them. */
static bool read_stacks(struct trip *trip)
{
	const struct instance *instance = trip->instance;
	const struct process *largest[SNAPSHOT_PROCESSES];
	size_t count = snapshot_largest(&instance->processes, largest);
	pid_t pids[SNAPSHOT_PROCESSES];
	_cleanup_close_ int leaf = -1;
	struct stacks_question question = { .pids = pids,
					    .count = count,
					    .app = instance->spec->name,
					    .tenant = instance->spec->tenant };
	struct error err;

	if (count == 0 || instance_open_leaf(instance, &leaf, &err) < 0)
		return false;
	question.leaf = leaf;
	for (size_t i = 0; i < count; i++) {
		pids[i] = largest[i]->pid;
		/* an answer that is not there when the stacks are is left out */
		reader_ask(instance->host->reader, pids[i], READER_PSS);
	}
	if (stacks_read(instance->host->stacks, &question, on_stacks, trip, &trip->request, &err) >=
	    0)
		return true;
	memcpy(trip->why_none, err.text, sizeof(trip->why_none));
	return false;
}

static void look_at_frozen(struct trip *trip)
{
	struct instance *instance = trip->instance;
	_cleanup_close_ int leaf = -1;
	struct error ignored;

	watch_read(&instance->watch, &trip->reading);
	trip->late = instance_new_oom_kills(instance, &trip->reading) > 0;
	tripwire_rise(&instance->tripwire, trip->reading.leaf_current);
	if (instance_open_leaf(instance, &leaf, &ignored) >= 0) {
		process_table_refresh(&instance->processes, leaf, instance->host->reader);
		process_table_forget_dead(&instance->processes);
		instance->table_usec = clock_monotonic_usec();
	}
	if (trip->late || !read_stacks(trip))
		finish(trip);
}

static int on_pause_over(sd_event_source *source, uint64_t usec, void *userdata);

static void await_frozen(struct trip *trip)
{
	uint64_t until = clock_monotonic_usec() + SPIN_USEC;
	bool frozen;

	/* POLLPRI would tell 10 ms later: kernfs notifies a file 100 times a second at most */
	do
		frozen = cgroup_is_frozen(trip->slice);
	while (!frozen && clock_monotonic_usec() < until);
	if (frozen || clock_monotonic_usec() - trip->frozen_usec >= FREEZE_PATIENCE_USEC ||
	    instance_arm_for(trip->instance, &trip->timer, PAUSE_USEC, on_pause_over, trip) < 0)
		look_at_frozen(trip);
}

static int on_pause_over(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct trip *trip = userdata;
	(void)source, (void)usec;

	trip->timer = sd_event_source_disable_unref(trip->timer);
	await_frozen(trip);
	return 0;
}

/* Without memory for it there is no look, and the rung is raised all the same. */
static bool begin_trip(const struct trip *what)
{
	struct trip *trip = calloc(1, sizeof(*trip));
	struct instance *instance = what->instance;
	struct error ignored;

	if (trip == NULL)
		return false;
	*trip = *what;
	trip->slice = -1;
	if (cgroup_open(instance->host->root_fd, instance->app_path, &trip->slice, &ignored) < 0) {
		free(trip);
		return false;
	}
	instance->trip = trip;
	trip->frozen_usec = clock_monotonic_usec();
	set_slice_frozen(trip->slice, true);
	await_frozen(trip);
	return true;
}

/* --- when to look --------------------------------------------------------------------------- */

static int on_look(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct instance *instance = userdata;
	struct watch_reading reading;
	(void)source, (void)usec;

	instance->look_timer = sd_event_source_disable_unref(instance->look_timer);
	recorder_look(&instance->recorder, &reading);
	instance_see_tripwire(instance, &reading, true);
	return 0;
}

/* One that is due sooner stays: events come 100 times a second. */
static void arm_look(struct instance *instance, uint64_t usec)
{
	uint64_t due = clock_monotonic_usec() + usec;

	if (usec == 0 || (instance->look_timer != NULL && instance->look_usec <= due))
		return;
	if (instance_arm(instance, &instance->look_timer, usec, on_look) >= 0)
		instance->look_usec = due;
}

static void renew_limit(struct instance *instance, uint64_t current)
{
	uint64_t limit = limit_of(instance);

	if (limit != instance->tripwire.limit ||
	    instance->tripwire.on != (instance->spec->tripwire && limit_is_set(limit)))
		tripwire_set_limit(&instance->tripwire, limit, instance->spec->tripwire, current);
}

/* It is being looked at already; or it has ended, or is about to by our hand. */
static bool can_look(const struct instance *instance)
{
	return instance->trip == NULL && instance->last_words.type == 0 &&
	       instance->ended_cause == 0;
}

void instance_see_tripwire(struct instance *instance, const struct watch_reading *reading,
			   bool by_clock)
{
	struct tripwire_reading now;
	struct tripwire_answer answer;
	struct trip trip = { .instance = instance, .reading = *reading, .slice = -1 };
	bool late;

	if (!can_look(instance) || !reading->memory.valid)
		return;
	renew_limit(instance, reading->leaf_current);
	now = reading_of(instance, reading);
	tripwire_step(&instance->tripwire, &now, by_clock, &answer);
	arm_look(instance, answer.look_usec);
	/* a look after a kill would push out those before it */
	late = instance_new_oom_kills(instance, reading) > 0;
	/* one that is to stop is killed for that soon enough */
	if (answer.stalled && !late && instance->state == APP_RUNNING)
		trip.reason = TRIP_STALLED;
	else
		trip.reason = instance->tripwire_high == LIMIT_MAX ? TRIP_TOP : TRIP_RUNG;
	trip.begins = answer.begins;
	trip.finding = answer.finding;
	if (!late && (trip.reason == TRIP_STALLED || answer.snapshot) && begin_trip(&trip))
		return;
	set_high(instance, answer.high);
	if (trip.reason == TRIP_STALLED)
		end_stalled(&trip);
}

bool instance_look_for_tenant(struct instance *instance, const struct tenant_trip *trip)
{
	return can_look(instance) && instance->spec->tripwire && instance->watch.on_event != NULL &&
	       begin_trip(&(struct trip){
		       .instance = instance,
		       .reason = TRIP_TENANT,
		       .begins = trip->begins,
		       .tenant = { .current = trip->current, .limit = trip->limit } });
}

/* --- begin and end -------------------------------------------------------------------------- */

void instance_start_tripwire(struct instance *instance, const struct watch_reading *reading)
{
	const struct tripwire_reading now = reading_of(instance, reading);
	_cleanup_close_ int slice = -1;
	struct error ignored;

	/* killed in the middle of a look, an earlier supervisor can have left it frozen */
	if (cgroup_open(instance->host->root_fd, instance->app_path, &slice, &ignored) >= 0)
		set_slice_frozen(slice, false);
	tripwire_init(&instance->tripwire, limit_of(instance), instance->spec->tripwire, &now);
	instance->tripwire_high = LIMIT_UNSET; /* what it is, is not known */
	set_high(instance, tripwire_high(&instance->tripwire));
}

void instance_renew_tripwire(struct instance *instance)
{
	struct watch_reading reading;

	/* a trip writes what holds then; one that has no watch has no wires */
	if (instance->trip != NULL || instance->watch.on_event == NULL)
		return;
	watch_read(&instance->watch, &reading);
	renew_limit(instance, reading.leaf_current);
	set_high(instance, tripwire_high(&instance->tripwire));
}

void instance_stop_tripwire(struct instance *instance)
{
	struct trip *trip = instance->trip;

	instance->look_timer = sd_event_source_disable_unref(instance->look_timer);
	if (trip == NULL)
		return;
	set_slice_frozen(trip->slice, false);
	free_trip(trip);
}

void instance_release_tripwire(struct instance *instance)
{
	instance_stop_tripwire(instance);
	if (instance->watch.on_event != NULL && instance->host->root_fd >= 0)
		set_high(instance, LIMIT_MAX);
}
