/* SPDX-License-Identifier: MIT */
#include "policy/limits.h"
#include "policy/own.h"
#include "supervisor/clock.h"
#include "supervisor/recorder.h"
#include "tests/supervisor/cgroup_fixture.h"
#include "tests/supervisor/descriptors.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static int mounted = -1, root = -1, leaf = -1;
static char name[64];
static struct error err;
static sd_event *event;
static struct watch_notifier notifier = { .fd = -1 };
static struct watch watch;
static struct recorders all;
static struct recorder recorder;
static pid_t child;
static unsigned heard, readings;
static bool ends_life; /* at the next sample */
static struct recording_sample last;

static void on_event(enum watch_event which, void *userdata)
{
	(void)which, (void)userdata;
}

static void end_life(void);

static void on_sample(const struct recording_sample *sample, void *userdata)
{
	(void)userdata;
	last = *sample;
	heard++;
	if (ends_life)
		end_life();
}

static void complete(struct recording_sample *sample, void *userdata)
{
	(void)userdata;
	sample->listen_queue = 7;
}

static int open_leaf(int *ret_fd, void *userdata)
{
	(void)userdata;
	*ret_fd = dup(leaf);
	return *ret_fd < 0 ? -errno : 0;
}

static void on_reading(const struct watch_reading *reading, void *userdata)
{
	(void)userdata;
	cr_expect_gt(reading->sample.time_usec, 0);
	readings++;
}

static void begin_life(void)
{
	cr_assert_eq(
		watch_start_lean(&watch, &notifier, root, "web.slice", "0", on_event, NULL, &err),
		0, "%s", err.text);
	recorder_start(&recorder);
}

static void end_life(void)
{
	recorder_stop(&recorder);
	watch_stop(&watch);
}

static void prepare(void)
{
	static const struct recorder_owner owner = { complete, open_leaf, on_reading, on_sample };
	_cleanup_close_ int slice = -1;

	if (!cgroup_fixture_open(&mounted))
		cr_skip_test("needs root and a mounted cgroup v2");
	snprintf(name, sizeof(name), "pysbx-test-%d", (int)getpid());
	cr_assert_eq(cgroup_make(mounted, name, &root, &err), 0, "%s", err.text);
	cr_assert_eq(cgroup_make(root, "web.slice", &slice, &err), 0, "%s", err.text);
	cr_assert_eq(cgroup_make(slice, "0", &leaf, &err), 0, "%s", err.text);
	cr_assert_geq(sd_event_new(&event), 0);
	cr_assert_eq(watch_notifier_open(&notifier, event, &err), 0, "%s", err.text);
	recorders_init(&all, event, false);
	recorder_init(&recorder, &all, &watch, &owner, NULL);
	begin_life();
}

static void leave_nothing(void)
{
	if (name[0] == '\0')
		return;
	if (child > 0) {
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
	}
	end_life();
	recorder_clear(&recorder);
	recorders_clear(&all);
	watch_notifier_close(&notifier);
	sd_event_unref(event);
	close_and_clear(&leaf);
	close_and_clear(&root);
	cr_assert_eq(cgroup_destroy(mounted, name, 5000, &err), 0, "%s", err.text);
}

TestSuite(recorder, .init = prepare, .fini = leave_nothing, .timeout = 90);

static void start_child(bool busy)
{
	child = fork();
	cr_assert_geq(child, 0);
	if (child == 0) {
		for (;;)
			if (!busy)
				pause();
	}
	cr_assert_eq(cgroup_move(leaf, child, &err), 0, "%s", err.text);
}

/* Runs the loop until it holds, or for this long. */
static bool run_until(bool (*holds)(void), uint64_t msec)
{
	uint64_t end = clock_monotonic_usec() + msec * 1000;

	while (!holds() && clock_monotonic_usec() < end)
		(void)sd_event_run(event, 100000);
	return holds();
}

static bool is_idle(void)
{
	return recorder.pace == RECORDING_IDLE;
}

static bool is_busy(void)
{
	return recorder.pace == RECORDING_BUSY;
}

static bool never(void)
{
	return false;
}

Test(recorder, looks_every_second_at_a_new_app_and_leaves_an_idle_one_alone)
{
	start_child(false);
	cr_assert(run_until(is_idle, 10000));
	cr_expect(heard >= 3 && heard <= 6, "%u", heard);
	cr_expect_eq(recording_count(&recorder.recording), heard);
	cr_expect_eq(readings, heard);
	heard = 0;
	(void)run_until(never, 3000);
	cr_expect_eq(heard, 0);
	cr_expect_lt(recording_bytes(&recorder.recording) + sizeof(recorder), 8192);
}

Test(recorder, sees_that_an_idle_app_becomes_busy)
{
	cr_assert(run_until(is_idle, 10000));
	start_child(true);
	/* a batch after 10 s, and the next if the child had hardly begun */
	cr_assert(run_until(is_busy, 30000));
	cr_expect_gt(last.cpu_usage_usec, 0);
	heard = 0;
	(void)run_until(never, 2500);
	cr_expect(heard >= 2 && heard <= 3, "%u", heard);
}

static bool knows_a_share(void)
{
	json_t *object = recorder_to_json(&recorder, 0, 10);
	const json_t *first = json_array_get(json_object_get(object, "processes"), 0);
	bool knows = json_integer_value(json_object_get(first, "pss")) > 0;

	json_decref(object);
	return knows;
}

Test(recorder, finds_out_the_share_of_a_process_without_waiting_for_it)
{
	start_child(true);
	cr_expect(run_until(knows_a_share, 15000));
}

Test(recorder, is_never_idle_when_it_is_alone)
{
	all.alone = true;
	(void)run_until(never, 5500);
	cr_expect(heard >= 4, "%u", heard);
	cr_expect(is_busy());
}

Test(recorder, keeps_what_it_saw_over_the_lives_of_the_worker)
{
	recorder_look(&recorder, NULL);
	cr_expect_eq(last.starts, 1);
	end_life();
	recorder_look(&recorder, NULL);
	cr_expect_eq(recording_count(&recorder.recording), 1, "nothing to be seen in between");
	usleep(60000);
	begin_life();
	recorder_look(&recorder, NULL);
	cr_expect_eq(last.starts, 2);
	cr_expect_eq(recording_count(&recorder.recording), 2);
	cr_expect_eq(last.listen_queue, 7, "what its owner adds");
}

Test(recorder, keeps_files_open_of_a_busy_app_alone)
{
	unsigned before;

	/* opens the one socket that all have */
	recorder_look(&recorder, NULL);
	before = descriptors_count();
	for (unsigned i = 1; i < RECORDER_OPEN_AFTER; i++) {
		usleep(60000);
		recorder_look(&recorder, NULL);
	}
	cr_expect_gt(descriptors_count(), before);
	cr_expect_eq(all.open, 1);
	start_child(true);
	usleep(60000);
	recorder_look(&recorder, NULL);
	cr_expect_gt(last.cpu_usage_usec, 0, "from an open file");
	end_life();
	cr_expect_eq(descriptors_count(), before);
	cr_expect_eq(all.open, 0);
	begin_life();
}

Test(recorder, may_be_stopped_by_who_listens)
{
	ends_life = true;
	(void)run_until(never, 2500);
	cr_expect_eq(heard, 1);
	cr_expect_null(all.others);
	cr_expect_null(all.idle);
}

Test(recorder, knows_the_processes_of_a_busy_app)
{
	json_t *history, *process;

	start_child(true);
	usleep(60000);
	recorder_look(&recorder, NULL);
	history = recorder_to_json(&recorder, 0, RECORDING_JSON_SAMPLES);
	process = json_array_get(json_object_get(history, "processes"), 0);
	cr_expect_eq(json_integer_value(json_object_get(process, "pid")), child);
	cr_expect_gt(json_integer_value(json_object_get(process, "rss")), 4096);
	cr_expect(json_is_true(json_object_get(process, "alive")));
	cr_expect_eq(json_array_size(json_object_get(process, "rss_series")), 1);
	json_decref(history);
}
