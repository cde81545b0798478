/* SPDX-License-Identifier: MIT */
/* The same deaths under `pysbx run`, which has one app, its own report and an exit code. */
#include "tests/system/harness_deaths.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <string.h>

#define WORDS_MAX 16

/* command: all words behind `pysbx run`. */
static const struct single {
	struct death death;
	int code;
} singles[] = {
	{ { "leak", "a list that grows", "--mem 64M -- " PYTHON("leak_slowly"), .cause = "oom",
	    .level = "app", .ended = "SIGKILL", .top = "leak_slowly" },
	  128 + SIGKILL },
	{ { "segv", "a wild pointer", "-- " PYTHON("read_nowhere"), .cause = "signal",
	    .ended = "SIGSEGV", .log = "Segmentation fault" },
	  128 + SIGSEGV },
	{ { "exception", "an exception that nobody catches", "-- " PYTHON("raise_key_error"),
	    .cause = "exit", .ended = "exit 1", .log = "KeyError: 'SECRET_KEY'" },
	  1 },
	{ { "chroot", "a refused call that nobody catches", "-- " PYTHON("change_root"),
	    .cause = "exit", .ended = "exit 1", .sentence = "seccomp had refused chroot(0x" },
	  1 },
	{ { "forks", "a fork bomb, until a fork is refused", "--pids 12 -- " PYTHON("fork_bomb"),
	    .cause = "pids", .ended = "exit 1" },
	  1 },
	{ { "tmp", "a full /tmp", "--tmp-size 2M -- " PYTHON("fill_small_tmp"), .cause = "exit",
	    .ended = "exit 1", .log = "No space left on device" },
	  1 },
};

static void start(struct run *run, struct bench *bench, const struct single *single)
{
	const char *words[WORDS_MAX] = { "--restart", "never" };
	char *rest, *word;
	size_t count = 2;

	bench_open(bench, single->death.name);
	/* in the bench's keeping, and cut in place */
	rest = (char *)bench_format(bench, "%s", single->death.command);
	while ((word = strsep(&rest, " ")) != NULL) {
		cr_assert_lt(count, WORDS_MAX - 1);
		words[count++] = word;
	}
	run_start(run, bench, words);
}

static void expect_end(struct run *run, const struct single *single)
{
	_cleanup_json_ json_t *incidents = NULL;

	cr_expect_eq(run_wait(run, START_MSEC), single->code, "%s%s", single->death.name,
		     run_story(run));
	incidents = run_incidents(run);
	cr_assert_eq(json_array_size(incidents), 1, "%s%s", single->death.name, run_story(run));
	death_expect("`pysbx run`", &single->death, json_array_get(incidents, 0));
}

Test(deaths, of_single_runs)
{
	struct bench benches[ARRAY_SIZE(singles)];
	struct run runs[ARRAY_SIZE(singles)];

	for (size_t i = 0; i < ARRAY_SIZE(singles); i++)
		start(&runs[i], &benches[i], &singles[i]);
	for (size_t i = 0; i < ARRAY_SIZE(singles); i++)
		expect_end(&runs[i], &singles[i]);
	for (size_t i = 0; i < ARRAY_SIZE(singles); i++)
		bench_close(&benches[i]);
}
