/* SPDX-License-Identifier: MIT */
/*
 * The attempts of tests/system/attempts, made by a worker under the default policy: each is refused
 * in the way that was expected, and the host is as it was before. Those that can succeed at all do
 * so for root outside.
 */
#include "tests/system/escape/baits.h"

#include "tests/system/harness_daemon.h"

#include <criterion/criterion.h>
#include <string.h>
#include <sys/utsname.h>

#define ATTEMPT_FIELDS 6
#define WORDS_MAX      64
#define FIRST_SCOPES   612 /* Linux 6.12: Landlock's scopes */

TestSuite(escape, .timeout = TEST_TIMEOUT_SEC);

struct outcome { /* a line of the program: see attempts/attempt.c */
	const char *group, *name, *answer, *expected, *flags, *about;
};

/* The next line of *text; false at its end. */
static bool next_outcome(char **text, struct outcome *ret)
{
	char *line = strsep(text, "\n"), *fields[ATTEMPT_FIELDS];

	if (line == NULL || line[0] == '\0')
		return false;
	for (size_t i = 0; i < ATTEMPT_FIELDS; i++) {
		fields[i] = strsep(&line, "\t");
		cr_assert_not_null(fields[i], "not a line of attempt's");
	}
	*ret = (struct outcome){ fields[0], fields[1], fields[2], fields[3], fields[4], fields[5] };
	return true;
}

static bool is_expected(const struct outcome *outcome)
{
	char padded[256], wanted[64];

	snprintf(padded, sizeof(padded), " %s ", outcome->expected);
	snprintf(wanted, sizeof(wanted), " %s ", outcome->answer);
	return strstr(padded, wanted) != NULL;
}

static int kernel_release(void)
{
	struct utsname name;
	int major = 0, minor = 0;

	cr_assert_eq(uname(&name), 0);
	cr_assert_eq(sscanf(name.release, "%d.%d", &major, &minor), 2); // NOLINT(cert-err34-c)
	return major * 100 + minor;
}

/* With the host's network, no kernel before 6.12 can keep abstract sockets away. */
static bool is_open_by_design(const char *name)
{
	return strcmp(name, "abstract_socket") == 0 && kernel_release() < FIRST_SCOPES;
}

/* Each attempt of the list has an outcome, and it is a refusal. */
static void expect_refusals(const char *list, const char *outcomes)
{
	_cleanup_free_ char *listed = strdup(list), *told = strdup(outcomes);
	char *rest = listed, *lines = told;
	struct outcome wanted, outcome;

	cr_assert(listed != NULL && told != NULL);
	while (next_outcome(&rest, &wanted)) {
		cr_assert(next_outcome(&lines, &outcome), "%s was not carried out:\n%s",
			  wanted.name, outcomes);
		cr_assert_str_eq(outcome.name, wanted.name);
		if (!is_open_by_design(outcome.name))
			cr_expect(is_expected(&outcome), "%s (%s): %s, not one of: %s",
				  outcome.name, outcome.about, outcome.answer, outcome.expected);
	}
}

/* What pysbx was started with must not go through: descriptors of the host, and the protocols that
 * the caller's own supervisor speaks. */
#define CARELESS_CALLER                                                                            \
	"exec 9</ 8</etc/shadow 7</proc/self/ns/mnt 6</proc/1/ns/net\n"                            \
	"export NOTIFY_SOCKET=/run/systemd/notify LISTEN_FDS=2 LISTEN_PID=$$ LISTEN_FDNAMES=a:b\n" \
	"export WATCHDOG_USEC=1000000 WATCHDOG_PID=$$\n"

static void start_attempts(struct run *run, const struct baits *baits, const char *network,
			   const char *group)
{
	const char *words[WORDS_MAX] = { "--mem",     "128M",  "--rw",	    baits->bench->data,
					 "--restart", "never", "--network", network };
	size_t count = 8;

	for (size_t i = 0; i < baits->count; i++) {
		words[count++] = "--env";
		words[count++] = baits->variables[i];
	}
	words[count++] = "--";
	words[count++] = "./attempt";
	words[count++] = "run";
	words[count++] = group;
	run_start_with(run, baits->bench, &(struct run_setup){ .prepare = CARELESS_CALLER }, words);
}

static void try_group(const char *group, const char *network)
{
	_cleanup_free_ char *list = NULL, *before = NULL, *after = NULL;
	struct bench bench;
	struct baits baits;
	struct run run;

	bench_open(&bench, group);
	baits_lay(&baits, &bench);
	list = shell_output("%s/attempt list %s", bench.apps, group);
	before = host_state(&baits);
	start_attempts(&run, &baits, network, group);
	cr_expect_eq(run_wait(&run, START_MSEC), 0, "%s", run_story(&run));
	after = host_state(&baits);
	expect_refusals(list, run_stdout(&run));
	expect_same_host(before, after);
	baits_take_away(&baits);
	bench_close(&bench);
}

Test(escape, no_mount_is_made_or_changed)
{
	try_group("mounts", "host");
}

Test(escape, no_namespace_is_made_or_entered)
{
	try_group("namespaces", "host");
}

Test(escape, no_process_outside_is_reached)
{
	try_group("processes", "host");
}

Test(escape, nobody_becomes_somebody_else)
{
	try_group("identity", "host");
}

Test(escape, parts_of_the_kernel_that_exploits_like_are_shut)
{
	try_group("kernel", "host");
}

Test(escape, calls_of_other_abis_are_refused)
{
	try_group("abi", "host");
}

Test(escape, other_kinds_of_sockets_are_refused)
{
	try_group("sockets", "host");
}

Test(escape, requests_to_drivers_and_file_systems_are_refused)
{
	try_group("ioctls", "host");
}

Test(escape, nothing_outside_is_read_and_nothing_read_only_written)
{
	try_group("files", "host");
}

Test(escape, no_switch_of_the_kernel_is_moved)
{
	try_group("proc", "host");
}

Test(escape, no_device_is_used_or_made)
{
	try_group("devices", "host");
}

Test(escape, no_service_outside_is_reached_and_no_accomplice_helps)
{
	try_group("neighbours", "host");
}

/* And what is open on purpose works: a refusal would be news as well. */
Test(escape, what_is_open_on_purpose_is_open)
{
	_cleanup_free_ char *told = NULL;
	struct bench bench;
	struct baits baits;
	struct outcome outcome;
	struct run run;
	char *lines;

	bench_open(&bench, "open");
	baits_lay(&baits, &bench);
	start_attempts(&run, &baits, "host", "open");
	cr_expect_eq(run_wait(&run, START_MSEC), 0, "%s", run_story(&run));
	told = strdup(run_stdout(&run));
	cr_assert_not_null(told);
	lines = told;
	while (next_outcome(&lines, &outcome))
		cr_expect_str_eq(outcome.answer, "succeeded", "%s", outcome.name);
	baits_take_away(&baits);
	bench_close(&bench);
}

Test(escape, without_the_hosts_network_abstract_sockets_are_out_of_reach)
{
	_cleanup_free_ char *told = NULL;
	struct bench bench;
	struct baits baits;
	struct outcome outcome;
	struct run run;
	char *lines;

	bench_open(&bench, "abstract");
	baits_lay(&baits, &bench);
	start_attempts(&run, &baits, "none", "neighbours");
	cr_expect_eq(run_wait(&run, START_MSEC), 0, "%s", run_story(&run));
	told = strdup(run_stdout(&run));
	cr_assert_not_null(told);
	lines = told;
	while (next_outcome(&lines, &outcome))
		if (strcmp(outcome.name, "abstract_socket") == 0)
			cr_expect_str_eq(outcome.answer, "ECONNREFUSED", "%s", outcome.answer);
	baits_take_away(&baits);
	bench_close(&bench);
}

/* An attempt that is never seen to succeed may be a typing error. */
Test(escape, attempts_that_can_succeed_do_so_outside)
{
	_cleanup_free_ char *told = NULL;
	size_t count = 0;
	struct bench bench;
	struct baits baits;
	struct outcome outcome;
	char *lines;

	bench_open(&bench, "control");
	baits_lay(&baits, &bench);
	for (size_t i = 0; i < baits.count; i++)
		cr_assert_eq(putenv((char *)baits.variables[i]), 0);
	told = shell_output("cd %s && ./attempt control", bench.apps);
	lines = told;
	while (next_outcome(&lines, &outcome)) {
		count++;
		cr_expect_str_eq(outcome.answer, "succeeded", "%s (%s): %s", outcome.name,
				 outcome.about, outcome.answer);
	}
	cr_expect_geq(count, 150, "%zu attempts", count);
	baits_take_away(&baits);
	bench_close(&bench);
}
