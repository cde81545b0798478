/* SPDX-License-Identifier: MIT */
/*
 * Walls that can be asked for and asked about, and the two doors in them that are meant: sockets of
 * databases, and the app's own limits.
 */
#include "tests/system/harness.h"

#include <criterion/criterion.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

TestSuite(walls, .timeout = TEST_TIMEOUT_SEC);

static long landlock_abi(void)
{
	return syscall(SYS_landlock_create_ruleset, NULL, 0, 1U);
}

/* --- Landlock ---------------------------------------------------------------------------------*/

static const json_t *find_rule(const json_t *plan, const char *path)
{
	const json_t *rules = field(plan, "landlock.rules");

	for (size_t i = 0; i < json_array_size(rules); i++)
		if (strcmp(field_text(json_array_get(rules, i), "path"), path) == 0)
			return json_array_get(rules, i);
	cr_assert_fail("no rule for %s", path);
	return NULL;
}

static void expect_access(const json_t *plan, const char *path, const char *access)
{
	_cleanup_free_ char *text =
		json_dumps(json_object_get(find_rule(plan, path), "access"), JSON_COMPACT);

	cr_expect_str_eq(text, access, "%s: %s", path, text);
}

Test(walls, the_plan_has_rules_for_what_the_mounts_show)
{
	_cleanup_json_ json_t *plan = NULL;
	struct bench bench;
	struct run run;

	bench_open(&bench, "rules");
	cr_assert_eq(
		run_through(&run, &bench, WORDS("--rw", bench.data, "--print-plan", "--", "true")),
		0, "%s", run_story(&run));
	plan = json_loads(run_stdout(&run), JSON_REJECT_DUPLICATES, NULL);
	cr_assert_not_null(plan);
	cr_expect_eq(field_number(plan, "landlock.required_abi"), 0);
	expect_access(plan, "/", "[\"list\"]");
	expect_access(plan, "/usr", "[\"list\",\"read\",\"execute\"]");
	expect_access(plan, "/tmp", "[\"list\",\"read\",\"write\",\"change\"]");
	expect_access(plan, bench.data, "[\"list\",\"read\",\"write\",\"change\"]");
	expect_access(plan, bench.apps, "[\"list\",\"read\",\"execute\"]");
	bench_close(&bench);
}

static void expect_requirement(struct bench *bench, const char *wall, bool there,
			       const char *complaint)
{
	struct run run;

	run_start(&run, bench, WORDS("--quiet", "--require", wall, "--", "echo", "it runs"));
	if (there) {
		cr_expect_eq(run_wait(&run, START_MSEC), 0, "%s", run_story(&run));
		cr_expect_str_eq(run_stdout(&run), "it runs\n");
		return;
	}
	cr_expect_eq(run_wait(&run, START_MSEC), 125, "%s", run_story(&run));
	cr_expect_not_null(strstr(run_stderr(&run), complaint), "%s", run_story(&run));
	cr_expect_null(strstr(run_stderr(&run), "restart in"), "%s", run_story(&run));
	cr_expect_str_eq(run_stdout(&run), "");
}

Test(walls, one_that_is_required_and_lacking_fails_the_start)
{
	struct bench bench;

	bench_open(&bench, "require");
	expect_requirement(&bench, "landlock", landlock_abi() >= 2,
			   "isolation.require asks for Landlock");
	expect_requirement(&bench, "abstract-sockets", landlock_abi() >= 6,
			   "isolation.require asks for Landlock");
	expect_requirement(&bench, "network", false,
			   "isolation.require: the wall network is down with isolation.network");
	expect_requirement(&bench, "seccomp", true, "");
	bench_close(&bench);
}

/* --- sockets ----------------------------------------------------------------------------------*/

static int serve_on(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	cr_assert_lt(snprintf(address.sun_path, sizeof(address.sun_path), "%s", path),
		     (int)sizeof(address.sun_path));
	cr_assert_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0, "%s", path);
	cr_assert_eq(chmod(path, 0777), 0);
	cr_assert_eq(listen(fd, 1), 0);
	return fd;
}

static void answer(int listener, const char *word)
{
	_cleanup_close_ int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, word, strlen(word)), (ssize_t)strlen(word));
	close(listener);
}

Test(walls, sockets_of_a_server_are_reached_also_after_its_restart)
{
	struct bench bench;
	struct run run;
	const char *directory, *path, *turns;
	int listener;

	bench_open(&bench, "sockets");
	directory = bench_format(&bench, "/run/%s", bench.name);
	path = bench_format(&bench, "%s/s", directory);
	turns = bench_format(&bench, "%s/turn", bench.data);
	cr_assert_eq(mkdir(directory, 0755), 0);
	listener = serve_on(path);
	run_start(&run, &bench,
		  WORDS("--restart", "never", "--unix-socket", directory, "--ro", bench.data, "--",
			"python3", "dial.py", path, turns));
	write_text(bench_format(&bench, "%s.1", turns), "", 0644);
	answer(listener, "of the first");
	run_await_stdout(&run, "answer 1 of the first", START_MSEC);
	cr_assert_eq(unlink(path), 0);
	listener = serve_on(path);
	write_text(bench_format(&bench, "%s.2", turns), "", 0644);
	answer(listener, "of the second");
	cr_expect_eq(run_wait(&run, REACTION_MSEC), 0, "%s", run_story(&run));
	cr_expect_not_null(strstr(run_stdout(&run), "answer 2 of the second"), "%s",
			   run_story(&run));
	cr_assert_eq(unlink(path), 0);
	cr_assert_eq(rmdir(directory), 0);
	bench_close(&bench);
}

/* --- the app's own limits ---------------------------------------------------------------------*/

Test(walls, an_app_sees_its_limits_and_cannot_write_them)
{
	static const char script[] = "cd /sys/fs/cgroup; cat memory.max pids.max; ls /sys /sys/fs; "
				     "echo max >memory.max || mkdir mine || echo 0 >0/cgroup.procs";
	struct bench bench;
	struct run run;

	bench_open(&bench, "cgroup");
	cr_expect_eq(run_through(&run, &bench,
				 WORDS("--mem", "64M", "--pids", "33", "--restart", "never", "--",
				       "sh", "-c", script)),
		     2, "%s", run_story(&run));
	cr_expect_str_eq(run_stdout(&run), "67108864\n33\n/sys:\nfs\n\n/sys/fs:\ncgroup\n");
	bench_close(&bench);
}

/* --- doctor -----------------------------------------------------------------------------------*/

Test(walls, doctor_misses_nothing_that_is_required)
{
	char text[16384] = "";
	json_t *answer, *check;
	size_t index;
	FILE *output = popen("pysbx doctor --json", "r");

	cr_assert_not_null(output);
	cr_assert_gt(fread(text, 1, sizeof(text) - 1, output), 0);
	cr_expect_eq(pclose(output), 0, "%s", text);
	answer = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	cr_assert_not_null(answer, "%s", text);
	cr_expect(json_is_true(json_object_get(answer, "ok")), "%s", text);
	json_array_foreach(json_object_get(answer, "checks"), index,
			   check) if (strcmp(field_text(check, "name"), "daemon") != 0 &&
				      strcmp(field_text(check, "name"), "abstract-sockets") != 0)
		cr_expect_str_eq(field_text(check, "state"), "ok", "%s: %s",
				 field_text(check, "name"), field_text(check, "found"));
	json_decref(answer);
}
