/* SPDX-License-Identifier: MIT */
#include "policy/own.h"
#include "policy/python_environment.h"

#include <criterion/criterion.h>
#include <stdarg.h>
#include <string.h>

#define MIB (UINT64_C(1) << 20)

static struct strings command_of(const char *line)
{
	struct strings command = { 0 };
	struct error err;
	char copy[256], *rest = copy;

	snprintf(copy, sizeof(copy), "%s", line);
	for (char *word = strsep(&rest, " "); word != NULL; word = strsep(&rest, " "))
		cr_assert_eq(strings_append(&command, word, &err), 0);
	return command;
}

static unsigned workers(const char *line, uint64_t cpu, uint64_t memory, unsigned cores)
{
	struct strings command _cleanup_strings_ = command_of(line);
	struct limits limits = { .cpu_max = cpu, .memory_max = memory };
	struct python_situation situation = { .command = &command,
					      .limits = &limits,
					      .cpu_count = cores };

	return python_worker_count(&situation);
}

Test(python_environment, counts_whole_cores)
{
	cr_expect_eq(python_core_count(10), 1);
	cr_expect_eq(python_core_count(1000), 1);
	cr_expect_eq(python_core_count(1001), 2);
	cr_expect_eq(python_core_count(1500), 2);
	cr_expect_eq(python_core_count(2000), 2);
	cr_expect_eq(python_core_count(64000), 64);
}

Test(python_environment, gives_gunicorn_two_workers_a_core_and_one)
{
	cr_expect_eq(workers("gunicorn app:app", 500, LIMIT_UNSET, 8), 3);
	cr_expect_eq(workers("gunicorn app:app", 2000, LIMIT_UNSET, 8), 5);
	cr_expect_eq(workers("/srv/venv/bin/gunicorn app:app", 2000, LIMIT_MAX, 8), 5);
	cr_expect_eq(workers("gunicorn app:app", 64000, LIMIT_UNSET, 2), 5,
		     "a limit above the machine is the machine");
	cr_expect_eq(workers("gunicorn app:app", 2000, LIMIT_UNSET, 0), 5);
}

Test(python_environment, gives_an_event_loop_one_worker_a_core)
{
	cr_expect_eq(workers("uvicorn app:app", 500, LIMIT_UNSET, 8), 1);
	cr_expect_eq(workers("uvicorn app:app", 4000, LIMIT_UNSET, 8), 4);
	cr_expect_eq(workers("fastapi run", 4000, LIMIT_UNSET, 8), 4);
}

Test(python_environment, starts_no_more_workers_than_memory_has_room_for)
{
	cr_expect_eq(workers("gunicorn app:app", LIMIT_UNSET, 256 * MIB, 8), 2);
	cr_expect_eq(workers("gunicorn app:app", LIMIT_UNSET, 64 * MIB, 8), 1, "never none");
	cr_expect_eq(workers("gunicorn app:app", LIMIT_UNSET, 1024 * MIB, 2), 5,
		     "the cores bound it as well");
	cr_expect_eq(workers("gunicorn app:app", LIMIT_UNSET, 1024 * MIB, 0), 8);
	cr_expect_eq(workers("gunicorn app:app", 8000, 384 * MIB, 8), 3);
	cr_expect_eq(workers("uvicorn app:app", 2000, 8192 * MIB, 8), 2);
}

Test(python_environment, sets_no_workers_without_a_limit)
{
	cr_expect_eq(workers("gunicorn app:app", LIMIT_UNSET, LIMIT_UNSET, 8), 0);
	cr_expect_eq(workers("gunicorn app:app", LIMIT_MAX, LIMIT_MAX, 8), 0);
}

Test(python_environment, knows_the_servers_that_read_web_concurrency)
{
	static const char *const yes[] = { "gunicorn",
					   "gunicorn3 a",
					   "gunicorn-3.11 a",
					   "/usr/bin/uvicorn a",
					   "python3 -m gunicorn a",
					   "python -u -m uvicorn a",
					   "/usr/bin/python3.11 -X dev -W error -mgunicorn a",
					   "python3 -m fastapi run",
					   "/srv/venv/bin/python /srv/venv/bin/gunicorn a" };
	/* a script may hand uvicorn an object, and would end with more than one worker */
	static const char *const no[] = { "python3 gunicorn.py", "python3 app.py -m gunicorn",
					  "python3 -m app",	 "python3 - -m gunicorn",
					  "python3 -m",		 "python3",
					  "hypercorn app:app",	 "waitress-serve app:app",
					  "uwsgi --ini a",	 "gunicorner",
					  "sh -c gunicorn",	 "my-gunicorn",
					  "gunicorn/bin/start",	 "pythonic -m gunicorn" };

	for (size_t i = 0; i < ARRAY_SIZE(yes); i++)
		cr_expect_eq(workers(yes[i], 1000, LIMIT_UNSET, 8) > 0, true, "%s", yes[i]);
	for (size_t i = 0; i < ARRAY_SIZE(no); i++)
		cr_expect_eq(workers(no[i], 1000, LIMIT_UNSET, 8), 0, "%s", no[i]);
}

static void add(const struct limits *limits, bool read_only, struct strings *env)
{
	struct strings command _cleanup_strings_ = command_of("gunicorn app:app");
	struct python_situation situation = {
		.command = &command, .limits = limits, .cpu_count = 8, .read_only_code = read_only
	};
	struct error err;

	cr_assert_eq(python_environment_add(&situation, env, &err), 0);
}

static void expect_entries(const struct strings *env, ...)
{
	va_list args;
	size_t count = 0;

	va_start(args, env);
	for (const char *entry; (entry = va_arg(args, const char *)) != NULL; count++)
		cr_expect(strings_contains(env, entry), "%s", entry);
	va_end(args);
	cr_expect_eq(env->count, count);
}

Test(python_environment, says_only_what_is_always_true_without_limits)
{
	struct limits limits = { .cpu_max = LIMIT_UNSET, .memory_max = LIMIT_UNSET };
	struct strings env _cleanup_strings_ = { 0 };

	add(&limits, false, &env);
	expect_entries(&env, "PYTHONUNBUFFERED=1", "PYTHONFAULTHANDLER=1", NULL);
}

Test(python_environment, tells_each_limit_to_those_who_cannot_see_it)
{
	struct limits memory = { .cpu_max = LIMIT_UNSET, .memory_max = 256 * MIB };
	struct limits cpu = { .cpu_max = 1500, .memory_max = LIMIT_MAX };
	struct strings of_memory _cleanup_strings_ = { 0 };
	struct strings of_cpu _cleanup_strings_ = { 0 };

	add(&memory, true, &of_memory);
	expect_entries(&of_memory, "PYTHONUNBUFFERED=1", "PYTHONFAULTHANDLER=1",
		       "PYTHONDONTWRITEBYTECODE=1", "MALLOC_ARENA_MAX=2", "WEB_CONCURRENCY=2",
		       NULL);
	add(&cpu, false, &of_cpu);
	expect_entries(&of_cpu, "PYTHONUNBUFFERED=1", "PYTHONFAULTHANDLER=1", "PYTHON_CPU_COUNT=2",
		       "OMP_NUM_THREADS=2", "WEB_CONCURRENCY=5", NULL);
}

Test(python_environment, leaves_alone_what_is_set)
{
	static const char *const own[] = { "PYTHONUNBUFFERED=",	       "PYTHONFAULTHANDLER=0",
					   "PYTHONDONTWRITEBYTECODE=", "MALLOC_ARENA_MAX=4",
					   "PYTHON_CPU_COUNT=default", "OMP_NUM_THREADS=7",
					   "WEB_CONCURRENCY=9" };
	struct limits limits = { .cpu_max = 1500, .memory_max = 256 * MIB };
	struct strings env _cleanup_strings_ = { 0 };
	struct error err;

	for (size_t i = 0; i < ARRAY_SIZE(own); i++)
		cr_assert_eq(strings_append(&env, own[i], &err), 0);
	add(&limits, true, &env);
	cr_assert_eq(env.count, ARRAY_SIZE(own));
	for (size_t i = 0; i < ARRAY_SIZE(own); i++)
		cr_expect_str_eq(env.items[i], own[i]);
}
