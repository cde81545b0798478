/* SPDX-License-Identifier: MIT */
#include "policy/diagnosis.h"

#include "policy/document.h"
#include "policy/own.h"

#include <criterion/criterion.h>
#include <string.h>

#define FRAMES_LARGE	4000
#define PROCESSES_LARGE 600

static size_t size_of(const json_t *value)
{
	return json_dumpb(value, NULL, 0, JSON_COMPACT);
}

static json_t *frame(const char *function)
{
	return json_pack("{s:s, s:s, s:i}", "function", function, "file", "/srv/app/views.py",
			 "line", 42);
}

static json_t *thread(int tid, bool gil, bool allocating, const char *function)
{
	return json_pack("{s:i, s:b, s:b, s:o}", "tid", tid, "gil", gil, "allocating", allocating,
			 "frames",
			 function != NULL ? json_pack("[o]", frame(function)) : json_array());
}

static json_t *process(int pid, json_t *threads)
{
	return json_pack("{s:i, s:s, s:o}", "pid", pid, "python", "3.11", "threads", threads);
}

/* So many processes with one thread of so many frames. */
static json_t *make_stacks(size_t processes, size_t frames)
{
	json_t *list = json_array();

	for (size_t i = 0; i < processes; i++) {
		json_t *calls = json_array();

		for (size_t j = 0; j < frames; j++)
			json_array_append_new(calls, frame("load"));
		json_array_append_new(list, process((int)i + 1, json_pack("[{s:i, s:o}]", "tid", 1,
									  "frames", calls)));
	}
	return json_pack("{s:o}", "processes", list);
}

static const char *function_of(const json_t *found)
{
	const json_t *calls = json_object_get(found, "frames");

	return json_string_value(json_object_get(json_array_get(calls, 0), "function"));
}

Test(diagnosis, of_an_idle_app_it_is_nothing)
{
	struct diagnosis diagnosis = { 0 };
	const json_t *of = NULL;

	cr_expect_null(diagnosis_last_thread(&diagnosis, 0, 0, &of));
	diagnosis_add_snapshot(&diagnosis, NULL);
	diagnosis_add_step(&diagnosis, NULL);
	diagnosis_set_stacks(&diagnosis, NULL);
	diagnosis_set_health(&diagnosis, NULL);
	diagnosis_set_history(&diagnosis, NULL);
	cr_expect_null(diagnosis.snapshots);
	cr_expect_null(diagnosis.steps);
	cr_expect_null(diagnosis.stacks);
	diagnosis_clear(&diagnosis);
}

Test(diagnosis, keeps_the_newest)
{
	struct diagnosis diagnosis = { 0 };

	for (int i = 0; i < 40; i++) {
		diagnosis_add_snapshot(&diagnosis, json_pack("{s:i}", "frozen_usec", i));
		diagnosis_add_step(&diagnosis, json_pack("{s:i}", "number", i));
	}
	cr_assert_eq(json_array_size(diagnosis.snapshots), DIAGNOSIS_SNAPSHOTS_MAX);
	cr_expect_eq(json_integer_value(json_object_get(json_array_get(diagnosis.snapshots, 2),
							"frozen_usec")),
		     39);
	cr_assert_eq(json_array_size(diagnosis.steps), DIAGNOSIS_STEPS_MAX);
	cr_expect_eq(
		json_integer_value(json_object_get(json_array_get(diagnosis.steps, 0), "number")),
		40 - DIAGNOSIS_STEPS_MAX);
	diagnosis_clear(&diagnosis);
	cr_expect_null(diagnosis.snapshots);
}

Test(diagnosis, stacks_of_a_hostile_app_are_cut_to_their_size)
{
	struct diagnosis diagnosis = { 0 };
	const json_t *first, *of;

	diagnosis_set_stacks(&diagnosis, make_stacks(3, FRAMES_LARGE));
	cr_assert_not_null(diagnosis.stacks);
	cr_expect_leq(size_of(diagnosis.stacks), DIAGNOSIS_STACKS_BYTES);
	first = json_array_get(json_object_get(diagnosis.stacks, "processes"), 0);
	of = json_array_get(json_object_get(first, "threads"), 0);
	cr_expect(json_is_true(json_object_get(of, "truncated")));
	cr_expect_str_eq(function_of(of), "load");

	diagnosis_set_stacks(&diagnosis, make_stacks(PROCESSES_LARGE, 8));
	cr_expect_leq(size_of(diagnosis.stacks), DIAGNOSIS_STACKS_BYTES);
	cr_expect(json_is_true(json_object_get(diagnosis.stacks, "truncated")));

	diagnosis_add_snapshot(&diagnosis, json_pack("{s:s, s:o}", "reason", "max", "stacks",
						     make_stacks(PROCESSES_LARGE, FRAMES_LARGE)));
	cr_assert_eq(json_array_size(diagnosis.snapshots), 1);
	cr_expect_leq(size_of(json_array_get(diagnosis.snapshots, 0)), DIAGNOSIS_STACKS_BYTES);
	diagnosis_clear(&diagnosis);
}

Test(diagnosis, what_is_too_large_in_one_piece_is_left_out)
{
	_cleanup_free_ char *long_name = malloc(DIAGNOSIS_HISTORY_BYTES + 1);
	struct diagnosis diagnosis = { 0 };
	const json_t *snapshot;

	memset(long_name, 'a', DIAGNOSIS_HISTORY_BYTES);
	long_name[DIAGNOSIS_HISTORY_BYTES] = '\0';
	diagnosis_set_stacks(
		&diagnosis,
		json_pack("{s:[o]}", "processes",
			  process(1, json_pack("[o]", thread(1, true, true, long_name)))));
	cr_expect_null(diagnosis.stacks);
	diagnosis_add_step(&diagnosis, json_pack("{s:s}", "reading", long_name));
	cr_expect_null(diagnosis.steps);
	diagnosis_set_health(&diagnosis, json_pack("{s:s}", "error", long_name));
	cr_expect_null(diagnosis.health);
	diagnosis_set_history(&diagnosis, json_pack("[s]", long_name));
	cr_expect_null(diagnosis.history);

	diagnosis_add_snapshot(&diagnosis, json_pack("{s:s, s:{s:[{s:s}]}}", "reason", "tripwire",
						     "stacks", "processes", "error", long_name));
	snapshot = json_array_get(diagnosis.snapshots, 0);
	cr_expect_str_eq(json_string_value(json_object_get(snapshot, "reason")), "tripwire");
	cr_expect(json_is_null(json_object_get(snapshot, "stacks")));
	diagnosis_clear(&diagnosis);
}

Test(diagnosis, stacks_taken_by_themselves_are_nearest_to_the_end)
{
	struct diagnosis diagnosis = { 0 };
	json_t *own = make_stacks(1, 1);
	const json_t *of = NULL;

	diagnosis_add_snapshot(&diagnosis, json_pack("{s:o}", "stacks", make_stacks(1, 1)));
	diagnosis_add_snapshot(&diagnosis, json_pack("{s:o}", "stacks", make_stacks(2, 1)));
	diagnosis_add_snapshot(&diagnosis, json_pack("{s:n}", "stacks"));
	cr_expect_not_null(diagnosis_last_thread(&diagnosis, 2, 0, &of));
	cr_expect_eq(json_integer_value(json_object_get(of, "pid")), 2);
	diagnosis_set_stacks(&diagnosis, own);
	cr_expect_not_null(diagnosis_last_thread(&diagnosis, 2, 0, &of));
	cr_expect_eq(of, json_array_get(json_object_get(own, "processes"), 0));
	diagnosis_clear(&diagnosis);
}

/* The newest look may have come too late for it: what the others did then is no answer. */
Test(diagnosis, the_last_thread_is_of_the_process_that_died)
{
	struct diagnosis diagnosis = { 0 };
	const json_t *of = NULL;

	diagnosis_add_snapshot(&diagnosis, json_pack("{s:o}", "stacks", make_stacks(3, 1)));
	diagnosis_add_snapshot(&diagnosis, json_pack("{s:o}", "stacks", make_stacks(2, 1)));
	diagnosis_add_snapshot(&diagnosis, json_pack("{s:o}", "stacks", make_stacks(1, 1)));
	cr_expect_not_null(diagnosis_last_thread(&diagnosis, 3, 0, &of));
	cr_expect_eq(json_integer_value(json_object_get(of, "pid")), 3);
	cr_expect_not_null(diagnosis_last_thread(&diagnosis, 9, 0, &of));
	cr_expect_eq(json_integer_value(json_object_get(of, "pid")), 1, "the newest of all");
	cr_expect_null(diagnosis_last_thread(&diagnosis, 3, DIAGNOSIS_FRESH_SEC + 1, &of));
	cr_expect_null(of);
	diagnosis_clear(&diagnosis);
}

Test(diagnosis, finds_the_thread_that_tells_most)
{
	json_t *one = process(10, json_pack("[o, o]", thread(11, false, false, "idle"),
					    thread(12, true, false, "holds")));
	json_t *two = process(20, json_pack("[o, o]", thread(21, true, true, NULL),
					    thread(22, false, true, "allocates")));
	_cleanup_json_ json_t *stacks =
		json_pack("{s:[o, o, o]}", "processes", json_pack("{s:s}", "error", "x"), one, two);
	const json_t *of = NULL;

	cr_expect_str_eq(function_of(diagnosis_find_thread(stacks, 0, &of)), "allocates");
	cr_expect_eq(of, two);
	cr_expect_str_eq(function_of(diagnosis_find_thread(stacks, 10, &of)), "holds");
	cr_expect_eq(of, one);
	cr_expect_str_eq(function_of(diagnosis_find_thread(stacks, 99, NULL)), "allocates");
	cr_expect_null(diagnosis_find_thread(NULL, 10, NULL));
}

Test(diagnosis, takes_what_is_no_stack_at_all)
{
	static const char *const texts[] = { "{}", "[]", "{\"processes\": 3}",
					     "{\"processes\": [1, {\"threads\": [2, "
					     "{\"frames\": {}}]}, {\"threads\": {}}]}" };
	struct diagnosis diagnosis = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		json_t *value = json_loads(texts[i], 0, NULL);

		cr_expect_null(diagnosis_find_thread(value, 1, NULL), "%s", texts[i]);
		diagnosis_set_stacks(&diagnosis, json_incref(value));
		diagnosis_add_snapshot(&diagnosis, value);
	}
	diagnosis_clear(&diagnosis);
}

Test(diagnosis, a_frame_without_a_line_is_told_without)
{
	json_t *frame = json_pack("{s:s, s:s}", "function", "load", "file", "/srv/app/views.py");
	char text[128];

	diagnosis_write_frame(frame, text, sizeof(text));
	cr_expect_str_eq(text, "views.py in load()");
	json_object_set_new(frame, "line", json_integer(42));
	diagnosis_write_frame(frame, text, sizeof(text));
	cr_expect_str_eq(text, "views.py:42 in load()");
	json_decref(frame);
}
