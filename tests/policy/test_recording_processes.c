/* SPDX-License-Identifier: MIT */
#include "policy/recording_processes.h"

#include "policy/own.h"
#include "policy/recording.h"

#include "tests/policy/json.h"

#include <criterion/criterion.h>

#define START UINT64_C(86400000000)
#define STEP  RECORDING_PROCESS_STEP_USEC
#define PAGE  4096

#define STAT(name)                                                                                 \
	"4711 (" name ") R 1 4711 4711 0 -1 4194560 1234 0 5 0 250 50 0 0 20 0 3 0 98765 1024 77 " \
	"1"

Test(recording_processes, reads_what_the_kernel_says_of_a_process)
{
	struct process_seen seen;

	cr_assert(process_stat_read(STAT("gunicorn: worke"), &seen));
	cr_expect_eq(seen.pid, 4711);
	cr_expect_str_eq(seen.comm, "gunicorn: worke");
	cr_expect_eq(seen.cpu_ticks, 300);
	cr_expect_eq(seen.started_ticks, 98765);
	cr_expect_eq(seen.rss_pages, 77);
	cr_assert(process_stat_read(STAT("a) S 9 (b"), &seen));
	cr_expect_str_eq(seen.comm, "a) S 9 (b");
	cr_expect_eq(seen.rss_pages, 77);
}

Test(recording_processes, refuses_what_is_no_such_line)
{
	static const char *const texts[] = {
		"",	    "4711",  "4711 (x",	 "x (y) R 1", "4711 (x) R 1 2 3",
		"-3 (x) R", ") 5 (", "0 (x) R 1"
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct process_seen seen = { .pid = 5 };

		cr_expect_not(process_stat_read(texts[i], &seen), "%s", texts[i]);
		cr_expect_eq(seen.pid, 5);
	}
}

static struct process_seen process(int pid, uint64_t started, uint64_t pages)
{
	return (struct process_seen){
		.pid = pid, .started_ticks = started, .comm = "python3", .rss_pages = pages
	};
}

static void note(struct recording_processes *processes, uint64_t now, struct process_seen one)
{
	recording_processes_note(processes, &one, 1, now, PAGE);
}

Test(recording_processes, asks_for_the_shares_of_the_largest_once_a_minute)
{
	struct process_seen seen[] = { process(1, 1, 10), process(2, 1, 50), process(3, 1, 30),
				       process(4, 1, 40), process(5, 1, 20) };
	struct recording_processes processes = { 0 };
	int pids[RECORDING_SHARES_MAX];

	recording_processes_note(&processes, seen, ARRAY_SIZE(seen), START - STEP, PAGE);
	cr_expect_eq(recording_processes_ask(&processes, START - STEP, pids), 0, "just started");
	recording_processes_note(&processes, seen, ARRAY_SIZE(seen), START, PAGE);
	cr_assert_eq(recording_processes_ask(&processes, START, pids), 3);
	cr_expect(pids[0] == 2 && pids[1] == 4 && pids[2] == 3);
	recording_processes_note(&processes, seen, ARRAY_SIZE(seen), START + STEP, PAGE);
	cr_expect_eq(recording_processes_ask(&processes, START + STEP, pids), 0);
	/* a process that became one of the largest, and one that has gone meanwhile */
	seen[0].rss_pages = 100;
	seen[1] = seen[4];
	recording_processes_note(&processes, seen, 4, START + 2 * STEP, PAGE);
	cr_assert_eq(recording_processes_ask(&processes, START + 2 * STEP, pids), 1);
	cr_expect_eq(pids[0], 1);
	recording_processes_note(&processes, seen, 4, START + RECORDING_SHARE_USEC, PAGE);
	cr_expect_eq(recording_processes_ask(&processes, START + RECORDING_SHARE_USEC, pids), 2);
	recording_processes_clear(&processes);
}

Test(recording_processes, believes_an_answer_that_it_has_asked_for)
{
	struct recording_processes processes = { 0 };
	int pids[RECORDING_SHARES_MAX];
	json_t *array;

	note(&processes, START - STEP, process(7, 1, 100));
	note(&processes, START, process(7, 1, 100));
	cr_expect_not(recording_processes_tell(&processes, 7, 4096), "nobody asked");
	cr_assert_eq(recording_processes_ask(&processes, START, pids), 1);
	cr_expect_not(recording_processes_tell(&processes, 8, 4096));
	array = recording_processes_to_json(&processes, PAGE, 100);
	cr_expect_null(json_object_get(json_array_get(array, 0), "pss"));
	json_decref(array);
	cr_expect(recording_processes_tell(&processes, 7, 4096));
	cr_expect_not(recording_processes_tell(&processes, 7, 8192), "twice");
	array = recording_processes_to_json(&processes, PAGE, 100);
	cr_expect_eq(json_integer_value(json_object_get(json_array_get(array, 0), "pss")), 4096);
	json_decref(array);
	recording_processes_clear(&processes);
}

Test(recording_processes, keeps_how_the_memory_of_each_went)
{
	struct recording_processes processes = { 0 };
	json_t *array;
	char *text;

	for (unsigned i = 0; i < 40; i++) {
		note(&processes, START + i * STEP, process(7, 1, 100 + i));
		note(&processes, START + i * STEP + STEP / 2, process(7, 1, 1));
	}
	array = recording_processes_to_json(&processes, PAGE, 100);
	cr_assert_eq(json_array_size(array), 1);
	cr_expect_eq(json_array_size(json_object_get(json_array_get(array, 0), "rss_series")), 30);
	text = json_text(
		json_array_get(json_object_get(json_array_get(array, 0), "rss_series"), 29));
	cr_expect_str_eq(text, "569344");
	free(text);
	json_decref(array);
	recording_processes_clear(&processes);
}

Test(recording_processes, takes_a_number_that_is_used_again_for_another_process)
{
	struct recording_processes processes = { 0 };

	note(&processes, START, process(7, 1, 100));
	note(&processes, START + STEP, process(7, 2, 50));
	cr_expect_eq(processes.count, 2);
	recording_processes_clear(&processes);
}

Test(recording_processes, of_too_many_keeps_the_largest_and_gives_up_the_gone_first)
{
	struct recording_processes processes = { 0 };
	struct process_seen crowd[40];
	json_t *array;

	note(&processes, START, process(1000, 1, 100000));
	for (int i = 0; i < 40; i++)
		crowd[i] = process(i + 1, 1, (uint64_t)i * 10);
	recording_processes_note(&processes, crowd, 40, START + STEP, PAGE);
	array = recording_processes_to_json(&processes, PAGE, 100);
	cr_expect_eq(json_array_size(array), RECORDING_PROCESSES_MAX);
	cr_expect_eq(json_integer_value(json_object_get(json_array_get(array, 0), "pid")), 40);
	cr_expect_eq(json_integer_value(json_object_get(json_array_get(array, 11), "pid")), 29);
	json_decref(array);
	recording_processes_clear(&processes);
}

Test(recording_processes, forgets_who_is_long_gone)
{
	struct recording_processes processes = { 0 };

	note(&processes, START, process(1, 1, 10));
	recording_processes_expire(&processes, START + RECORDING_SPAN_USEC);
	cr_expect_eq(processes.count, 1);
	recording_processes_expire(&processes, START + RECORDING_SPAN_USEC + 1);
	cr_expect_eq(processes.count, 0);
	cr_expect_null(processes.items);
	cr_expect_null(recording_processes_to_json(&processes, PAGE, 100));
}
