/* SPDX-License-Identifier: MIT */
#include "supervisor/recorder.h"

#include "policy/limits.h"
#include "policy/own.h"
#include "supervisor/cgroup.h"
#include "supervisor/clock.h"
#include "supervisor/file.h"

#include <sys/stat.h>
#include <unistd.h>

/* How late a look may be: so that all of them, and others' timers, are one wake-up. */
#define SLACK_NEAR_USEC	 UINT64_C(5000)
#define SLACK_BUSY_USEC	 UINT64_C(50000)
#define SLACK_BATCH_USEC UINT64_C(1000000)

/* --- lists ----------------------------------------------------------------------------------- */

static void link_in(struct recorder *recorder)
{
	struct recorders *all = recorder->all;
	struct recorder **first = recorder->pace == RECORDING_IDLE ? &all->idle : &all->others;

	recorder->preceding = NULL;
	recorder->following = *first;
	if (*first != NULL)
		(*first)->preceding = recorder;
	*first = recorder;
}

static void link_out(struct recorder *recorder)
{
	struct recorders *all = recorder->all;

	if (all->next == recorder)
		all->next = recorder->following;
	if (recorder->following != NULL)
		recorder->following->preceding = recorder->preceding;
	if (recorder->preceding != NULL)
		recorder->preceding->following = recorder->following;
	else if (all->idle == recorder)
		all->idle = recorder->following;
	else
		all->others = recorder->following;
	recorder->following = recorder->preceding = NULL;
}

/* Walks a list whose members may go meanwhile, those that are still to come as well. */
static struct recorder *take_next(struct recorders *all)
{
	struct recorder *recorder = all->next;

	if (recorder != NULL)
		all->next = recorder->following;
	return recorder;
}

/* --- the timer ------------------------------------------------------------------------------- */

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata);

/* due_usec 0: off */
static void set_timer(struct recorders *all, uint64_t due_usec, uint64_t slack_usec)
{
	int r;

	if (all->due_usec == due_usec)
		return;
	all->due_usec = due_usec;
	if (all->timer == NULL) {
		r = sd_event_add_time(all->event, &all->timer, CLOCK_MONOTONIC, due_usec,
				      slack_usec, on_timer, all);
	} else {
		r = sd_event_source_set_time(all->timer, due_usec);
		if (r >= 0)
			r = sd_event_source_set_time_accuracy(all->timer, slack_usec);
		if (r >= 0)
			r = sd_event_source_set_enabled(
				all->timer, due_usec == 0 ? SD_EVENT_OFF : SD_EVENT_ONESHOT);
	}
	if (r < 0) /* tried again at the next look */
		all->due_usec = 0;
}

static void arm(struct recorders *all)
{
	uint64_t due = all->idle != NULL ? all->batch_due_usec : 0, slack = SLACK_BATCH_USEC;

	for (const struct recorder *one = all->others; one != NULL; one = one->following) {
		if (due != 0 && one->due_usec > due)
			continue;
		due = one->due_usec;
		slack = one->pace == RECORDING_NEAR ? SLACK_NEAR_USEC : SLACK_BUSY_USEC;
	}
	set_timer(all, due, slack);
}

/* --- one look -------------------------------------------------------------------------------- */

/* On a grid that all have: so many apps, one wake-up. */
static uint64_t next_due(enum recording_pace pace, uint64_t now)
{
	uint64_t interval = recording_interval(pace);

	return (now / interval + 1) * interval;
}

/* Opened each time a reading takes three times as long; but descriptors and the kernel's buffers
 * are not for each of a thousand apps. */
static void keep_open(struct recorder *recorder, bool keep)
{
	struct recorders *all = recorder->all;

	if (keep == recorder->is_open || (keep && all->open == RECORDER_OPEN_APPS))
		return;
	watch_keep_open(recorder->watch, keep);
	recorder->is_open = keep;
	all->open += keep ? 1 : -1U;
}

static void set_pace(struct recorder *recorder, enum recording_pace pace)
{
	if (recorder->pace == pace)
		return;
	link_out(recorder);
	recorder->pace = pace;
	link_in(recorder);
}

static void choose_pace(struct recorder *recorder, uint64_t now)
{
	enum recording_pace pace = recording_pace(&recorder->recording, recorder->memory_max);

	if (pace == RECORDING_IDLE && recorder->all->alone)
		pace = RECORDING_BUSY;
	set_pace(recorder, pace);
	recorder->paced_usec = now;
	recorder->looks = pace == RECORDING_IDLE ? 0 : recorder->looks + 1;
	keep_open(recorder, recorder->looks >= RECORDER_OPEN_AFTER);
	recorder->due_usec = next_due(pace, now);
}

/* Without memory a sample is told, and missing on record. Who is told may end this life. */
static void record(struct recorder *recorder, const struct recording_sample *sample)
{
	if (recorder->all != NULL && recorder->at_work) {
		(void)recording_add(&recorder->recording, sample);
		/* events can come a hundred times a second: a decision walks the recording */
		if (sample->time_usec >= recorder->paced_usec + RECORDING_CLOSEST_USEC)
			choose_pace(recorder, sample->time_usec);
		else
			recorder->due_usec = next_due(recorder->pace, sample->time_usec);
	}
	recorder->owner->on_sample(sample, recorder->userdata);
}

/* --- processes ------------------------------------------------------------------------------- */

struct crowd {
	struct process_seen seen[RECORDER_PROCESSES_MAX];
	size_t count;
};

static bool see_process(pid_t pid, void *userdata)
{
	struct crowd *crowd = userdata;
	char text[1024];

	if (file_read_proc(pid, "stat", text, sizeof(text)) > 0 &&
	    process_stat_read(text, &crowd->seen[crowd->count]))
		crowd->count++;
	return crowd->count < RECORDER_PROCESSES_MAX;
}

static void tell(struct recorder *recorder, const struct reader_answer *answer, bool *told)
{
	for (; recorder != NULL && !*told; recorder = recorder->following)
		*told = recording_processes_tell(&recorder->processes, answer->pid,
						 answer->pss_bytes);
}

static void take_shares(struct recorders *all)
{
	struct reader_answer answer;

	while (reader_take(&all->reader, &answer)) {
		bool told = false;

		tell(all->others, &answer, &told);
		tell(all->idle, &answer, &told);
	}
}

static void ask_for_shares(struct recorder *recorder, uint64_t now)
{
	struct recorders *all = recorder->all;
	int pids[RECORDING_SHARES_MAX];
	size_t count;

	take_shares(all);
	count = recording_processes_ask(&recorder->processes, now, pids);
	for (size_t i = 0; i < count; i++)
		reader_ask(&all->reader, pids[i], READER_PSS);
}

static void look_at_processes(struct recorder *recorder, uint64_t now)
{
	_cleanup_close_ int leaf = -1;
	struct crowd crowd = { .count = 0 };
	struct stat status;
	struct error ignored;

	if (!recorder->at_work || recorder->pace == RECORDING_IDLE ||
	    now < recorder->processes_usec + RECORDER_PROCESSES_USEC ||
	    recorder->owner->open_leaf(&leaf, recorder->userdata) < 0)
		return;
	recorder->processes_usec = now;
	recorder->leaf_id = fstat(leaf, &status) == 0 ? status.st_ino : 0;
	(void)cgroup_each_process(leaf, see_process, &crowd, &ignored);
	recording_processes_note(&recorder->processes, crowd.seen, crowd.count, now,
				 (uint64_t)sysconf(_SC_PAGESIZE));
	ask_for_shares(recorder, now);
}

/* Of the sockets that its processes listen on themselves; those that are held are its owner's to
 * add. */
static void look_at_sockets(struct recorder *recorder, struct recording_sample *sample)
{
	if (recorder->all != NULL && recorder->pace != RECORDING_IDLE)
		accept_queue_count(&recorder->all->sockets, recorder->leaf_id, sample->time_usec,
				   &sample->listen_queue, &sample->listen_backlog);
}

json_t *recorder_to_json(const struct recorder *recorder, uint64_t since_usec, size_t most)
{
	json_t *object = recording_to_json(&recorder->recording, since_usec, most,
					   clock_monotonic_usec(), clock_realtime_usec());
	json_t *processes;

	if (recorder->all != NULL)
		take_shares(recorder->all);
	processes =
		recording_processes_to_json(&recorder->processes, (uint64_t)sysconf(_SC_PAGESIZE),
					    (uint64_t)sysconf(_SC_CLK_TCK));

	if (object != NULL && processes != NULL)
		(void)json_object_set(object, "processes", processes);
	json_decref(processes);
	return object;
}

/* --- a look ---------------------------------------------------------------------------------- */

static void look(struct recorder *recorder, struct watch_reading *reading)
{
	const struct recorder_owner *owner = recorder->owner;

	watch_read(recorder->watch, reading);
	reading->sample.time_usec = clock_monotonic_usec();
	reading->sample.starts = recorder->starts;
	recorder->whole_usec = reading->sample.time_usec;
	look_at_processes(recorder, reading->sample.time_usec);
	look_at_sockets(recorder, &reading->sample);
	owner->complete(&reading->sample, recorder->userdata);
	owner->on_reading(reading, recorder->userdata);
	record(recorder, &reading->sample);
}

void recorder_look(struct recorder *recorder, struct watch_reading *ret)
{
	struct watch_reading reading;

	look(recorder, &reading);
	if (ret != NULL)
		*ret = reading;
	if (recorder->all != NULL)
		arm(recorder->all);
}

/* --- a batch of idle ones -------------------------------------------------------------------- */

/* Of the cgroup that all apps live in. False: it cannot be read. */
static bool read_used(const struct recorders *all, uint64_t *ret)
{
	const struct keyed_field field = { "usage_usec", ret };
	char text[1024];
	struct error ignored;

	return file_read_at(all->idle->watch->root, "cpu.stat", text, sizeof(text), &ignored) >=
		       0 &&
	       keyed_read(text, &field, 1) > 0;
}

static bool anyone_has_moved(struct recorders *all)
{
	uint64_t used = 0, before = all->used_usec;

	if (!read_used(all, &used))
		return true;
	all->used_usec = used;
	/* less: another root than before */
	return used < before || used - before >= RECORDER_STILL_USEC;
}

static uint64_t distance(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

/* An idle app moved a little: it is on record every 10 s, and as a whole every minute. */
static void look_at_idle(struct recorder *recorder, uint64_t now)
{
	const struct recording_sample *newest = recording_newest(&recorder->recording);
	struct recording_sample sample;
	struct watch_reading reading;
	uint64_t used, passed;

	if (newest == NULL)
		return;
	sample = *newest;
	sample.time_usec = now;
	if (!watch_read_cpu(recorder->watch, &sample))
		return;
	used = distance(sample.cpu_usage_usec, newest->cpu_usage_usec);
	passed = now - newest->time_usec;
	if (used < RECORDER_STILL_USEC)
		return;
	/* over the time of a batch: what came before it would have been seen */
	if (passed < RECORDING_IDLE_USEC &&
	    recording_share(used, RECORDING_QUIET_USEC) < RECORDING_BUSY_PERCENT_X100)
		return;
	watch_read_memory_current(recorder->watch, &sample);
	if (now - recorder->whole_usec >= RECORDER_WHOLE_USEC ||
	    recording_share(used, RECORDING_QUIET_USEC) >= RECORDING_BUSY_PERCENT_X100 ||
	    distance(sample.memory_current, newest->memory_current) > newest->memory_current / 16)
		look(recorder, &reading);
	else
		record(recorder, &sample);
}

static void look_at_all_idle(struct recorders *all, uint64_t now)
{
	bool moved = anyone_has_moved(all);
	struct recorder *recorder;
	uint64_t cost, pause;

	all->next = all->idle;
	while ((recorder = take_next(all)) != NULL) {
		if (recording_bytes(&recorder->recording) > RECORDER_SMALL)
			recording_expire(&recorder->recording, now);
		if (recorder->processes.items != NULL)
			recording_processes_expire(&recorder->processes, now);
		if (moved)
			look_at_idle(recorder, now);
	}
	cost = (clock_monotonic_usec() - now) * RECORDER_BATCH_SHARE;
	pause = moved ? RECORDER_BATCH_USEC : RECORDING_IDLE_USEC;
	all->batch_due_usec = now + (cost > pause ? cost : pause);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct recorders *all = userdata;
	uint64_t now = clock_monotonic_usec();
	struct recorder *recorder;
	struct watch_reading reading;
	(void)source, (void)usec;

	all->due_usec = 0;
	all->next = all->others;
	while ((recorder = take_next(all)) != NULL)
		if (recorder->due_usec <= now)
			look(recorder, &reading);
	if (all->idle != NULL && all->batch_due_usec <= now)
		look_at_all_idle(all, now);
	arm(all);
	return 0;
}

/* --- lives ----------------------------------------------------------------------------------- */

void recorders_init(struct recorders *all, sd_event *event, bool alone)
{
	*all = (struct recorders){ .event = event, .alone = alone };
}

void recorders_clear(struct recorders *all)
{
	all->timer = sd_event_source_disable_unref(all->timer);
	all->due_usec = 0;
	accept_queue_clear(&all->sockets);
	reader_stop(&all->reader);
}

void recorder_init(struct recorder *recorder, struct recorders *all, struct watch *watch,
		   const struct recorder_owner *owner, void *userdata)
{
	*recorder = (struct recorder){ .all = all,
				       .watch = watch,
				       .owner = owner,
				       .userdata = userdata,
				       .memory_max = LIMIT_UNSET };
}

void recorder_clear(struct recorder *recorder)
{
	recorder_stop(recorder);
	recording_clear(&recorder->recording);
	recording_processes_clear(&recorder->processes);
}

void recorder_start(struct recorder *recorder)
{
	recorder->starts++;
	if (recorder->all == NULL || recorder->at_work)
		return;
	recorder->at_work = true;
	recorder->looks = 0;
	recorder->pace = RECORDING_BUSY;
	recorder->due_usec = next_due(RECORDING_BUSY, clock_monotonic_usec());
	link_in(recorder);
	arm(recorder->all);
}

void recorder_stop(struct recorder *recorder)
{
	if (!recorder->at_work)
		return;
	keep_open(recorder, false);
	link_out(recorder);
	recorder->at_work = false;
	arm(recorder->all);
}
