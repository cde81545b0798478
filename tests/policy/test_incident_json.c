/* SPDX-License-Identifier: MIT */
#include "policy/incident.h"
#include "policy/own.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <signal.h>
#include <string.h>

static const char *const log_lines[] = {
	"Traceback (most recent call last):",
	"\tcolour \x1b[31m, tab, caf\xc3\xa9",
	"no UTF-8: \xff\xfe",
};
static const char *const kernel_lines[] = { "Memory cgroup out of memory: Killed process 4711" };

/* A worker killed at its app's limit, with every field set. */
static struct incident full(void)
{
	return (struct incident){
		.id = "20261123T174103Z-web-0-8c3f2a90",
		.app = "web",
		.tenant = "acme",
		.directory = "/srv/app",
		.instance = 2,
		.time = { 1795455663, 7999999 },
		.verdict = { .cause = CAUSE_OOM,
			     .level = OOM_LEVEL_APP,
			     .decision = DECISION_RESTART,
			     .restart_delay_usec = 2000000,
			     .is_incident = true,
			     .sentence = "the kernel killed it",
			     .advice = "raise --mem",
			     .why = "restart in 2s" },
		.victim = { .pid = 4711,
			    .pid_inside = 3,
			    .is_main = true,
			    .comm = "gunicorn",
			    .command_line = (char *)(uintptr_t) "gunicorn app:app",
			    .rss_bytes = 11 },
		.has_wait_status = true,
		.wait_status = SIGKILL,
		.uptime_usec = 123456789,
		.user_usec = 1,
		.system_usec = 2,
		.maxrss_bytes = 3,
		.memory_max = 268435456,
		.memory_high = LIMIT_MAX,
		.pids_max = LIMIT_UNSET,
		.before = { true, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31 },
		.after = { true, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51 },
		.events = { .leaf_local = { 1, 2, 3, 4, 5, 6 },
			    .app_local = { 11, 12, 13, 14, 15, 16 },
			    .app = { 21, 22, 23, 24, 25, 26 },
			    .above = { 31, 32, 33, 34, 35, 36 },
			    .pids_max = 41 },
		.memory_pressure = { 1234, 410 },
		.cpu_pressure = { 0, 10000 },
		.io_pressure = { UINT32_MAX, UINT32_MAX },
		.log_lines = log_lines,
		.log_line_count = ARRAY_SIZE(log_lines),
		.log_lines_dropped = 5,
		.kernel_lines = kernel_lines,
		.kernel_line_count = 1,
		.restarts = 3,
	};
}

static char *render(const struct incident *incident, bool pretty)
{
	struct error err = { 0 };
	char *text = NULL;

	cr_assert_eq(incident_to_json(incident, pretty, &text, &err), 0, "%s", err.text);
	return text;
}

static json_t *parse(const struct incident *incident)
{
	_cleanup_free_ char *text = render(incident, false);
	json_error_t error;
	json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, &error);

	cr_assert_not_null(root, "%s in %s", error.text, text);
	return root;
}

/* The value at "a.b.c", written as compact JSON. */
static char *value_at(const json_t *root, const char *path)
{
	char key[64];
	const json_t *at = root;

	while (*path != '\0') {
		size_t length = strcspn(path, ".");

		snprintf(key, sizeof(key), "%.*s", (int)length, path);
		at = json_object_get(at, key);
		cr_assert_not_null(at, "no %s", key);
		path += length + (path[length] == '.' ? 1 : 0);
	}
	return json_dumps(at, JSON_ENCODE_ANY | JSON_COMPACT | JSON_SORT_KEYS |
				      JSON_REAL_PRECISION(6) | JSON_ENSURE_ASCII);
}

static void expect_at(const json_t *root, const char *path, const char *expected)
{
	_cleanup_free_ char *value = value_at(root, path);

	cr_expect_str_eq(value, expected, "%s: %s, not %s", path, value, expected);
}

static void expect_of(const struct incident *incident, const char *path, const char *expected)
{
	json_t *root = parse(incident);

	expect_at(root, path, expected);
	json_decref(root);
}

Test(incident_json, holds_every_field_of_schema_2)
{
	static const struct {
		const char *path, *expected;
	} rows[] = {
		{ "schema", "2" },
		{ "id", "\"20261123T174103Z-web-0-8c3f2a90\"" },
		{ "app", "\"web\"" },
		{ "tenant", "\"acme\"" },
		{ "instance", "2" },
		{ "time", "\"2026-11-23T17:41:03.007Z\"" },
		{ "cause", "\"oom\"" },
		{ "sentence", "\"the kernel killed it\"" },
		{ "level", "\"app\"" },
		{ "victim", "{\"comm\":\"gunicorn\",\"command_line\":\"gunicorn app:app\","
			    "\"main\":true,\"pid\":4711,\"pid_inside\":3,\"rss_bytes\":11}" },
		{ "exit", "{\"core_dumped\":false,\"name\":\"SIGKILL\",\"signal\":9}" },
		{ "uptime_usec", "123456789" },
		{ "usage", "{\"maxrss_bytes\":3,\"system_usec\":2,\"user_usec\":1}" },
		{ "limits",
		  "{\"memory_high\":\"max\",\"memory_max\":268435456,\"pids_max\":null}" },
		{ "memory.before",
		  "{\"anon\":24,\"current\":21,\"file\":25,\"kernel_stack\":29,\"pagetables\":30,"
		  "\"shmem\":26,\"slab_reclaimable\":27,\"slab_unreclaimable\":28,\"sock\":31,"
		  "\"swap\":23}" },
		{ "memory.after.current", "41" },
		{ "memory.after.sock", "51" },
		{ "memory.peak", "42" },
		{ "memory.words", "[]" },
		{ "directory", "\"/srv/app\"" },
		{ "events.leaf_local", "{\"high\":2,\"low\":1,\"max\":3,\"oom\":4,"
				       "\"oom_group_kill\":6,\"oom_kill\":5}" },
		{ "events.app_local.oom", "14" },
		{ "events.app.oom_kill", "25" },
		{ "events.above.oom", "34" },
		{ "events.pids_max", "41" },
		{ "pressure.memory", "{\"full_avg10\":4.1,\"some_avg10\":12.34}" },
		{ "pressure.cpu", "{\"full_avg10\":100.0,\"some_avg10\":0.0}" },
		{ "pressure.io", "{\"full_avg10\":null,\"some_avg10\":null}" },
		{ "log.dropped", "5" },
		{ "log.lines",
		  "[\"Traceback (most recent call last):\","
		  "\"\\tcolour \\u001B[31m, tab, caf\\u00E9\",\"no UTF-8: \\\\xff\\\\xfe\"]" },
		{ "kernel", "[\"Memory cgroup out of memory: Killed process 4711\"]" },
		{ "decision", "{\"action\":\"restart\",\"delay_usec\":2000000,\"restarts\":3,"
			      "\"text\":\"restart in 2s\"}" },
		{ "advice", "\"raise --mem\"" },
	};
	struct incident incident = full();
	json_t *root = parse(&incident);

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		expect_at(root, rows[i].path, rows[i].expected);
	cr_expect_eq(json_object_size(root), 27);
	json_decref(root);
}

Test(incident_json, what_is_not_known_is_null_and_never_zero)
{
	static const char *const paths[] = {
		"tenant",
		"directory",
		"level",
		"victim.pid",
		"victim.comm",
		"victim.command_line",
		"victim.rss_bytes",
		"exit",
		"usage",
		"memory.before",
		"memory.after",
		"memory.peak",
		"decision.delay_usec",
		"advice",
		"history",
		"snapshots",
		"stacks",
		"steps",
		"health",
	};
	struct incident incident = { .app = "web",
				     .memory_max = LIMIT_MAX,
				     .memory_high = LIMIT_MAX,
				     .pids_max = LIMIT_MAX,
				     .verdict.decision = DECISION_ENDED };
	json_t *root = parse(&incident);

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
		expect_at(root, paths[i], "null");
	expect_at(root, "log", "{\"dropped\":0,\"lines\":[]}");
	expect_at(root, "kernel", "[]");
	expect_at(root, "limits.memory_max", "\"max\"");
	expect_at(root, "victim.main", "false");
	/* a measured zero stays one */
	incident.before.valid = true;
	json_decref(root);
	expect_of(&incident, "memory.before.anon", "0");
	expect_of(&incident, "memory.peak", "null");
}

Test(incident_json, hides_secrets_in_arguments_and_log)
{
	static const char *const lines[] = { "GET /?token=abc HTTP/1.1" };
	struct incident incident = full();
	struct error err = { 0 };
	struct mask *mask = NULL;

	cr_assert_eq(mask_new(NULL, &mask, &err), 0, "%s", err.text);
	incident.mask = mask;
	incident.victim.command_line = (char *)(uintptr_t) "app\n--password\nhunter2 x\n-v";
	incident.log_lines = lines;
	incident.log_line_count = 1;
	expect_of(&incident, "victim.command_line", "\"app --password *** -v\"");
	expect_of(&incident, "log.lines", "[\"GET /?token=*** HTTP/1.1\"]");
	mask_free(mask);
}

Test(incident_json, what_it_is_listed_by_comes_before_what_is_large)
{
	struct incident incident = full();
	_cleanup_free_ char *pretty = render(&incident, true);
	const char *log = strstr(pretty, ",\n  \"log\":");

	cr_assert_not_null(log);
	cr_expect_lt(log - pretty, INCIDENT_HEAD_MAX);
	cr_expect_lt(strstr(pretty, "\n  \"sentence\":"), log);
	cr_expect_gt(strstr(pretty, "\n  \"history\":"), log);
}

Test(incident_json, holds_what_was_gathered_before)
{
	static const struct {
		const char *path, *expected;
	} rows[] = {
		{ "history", "[1]" },
		{ "snapshots", "[{\"reason\":\"max\"}]" },
		{ "stacks", "{\"processes\":[]}" },
		{ "steps", "[{\"step\":\"reclaim\"}]" },
		{ "health", "{\"failures\":3}" },
	};
	struct incident incident = full();
	struct diagnosis diagnosis = { 0 };
	json_t *root;

	diagnosis_set_history(&diagnosis, json_pack("[i]", 1));
	diagnosis_add_snapshot(&diagnosis, json_pack("{s:s}", "reason", "max"));
	diagnosis_set_stacks(&diagnosis, json_pack("{s:[]}", "processes"));
	diagnosis_add_step(&diagnosis, json_pack("{s:s}", "step", "reclaim"));
	diagnosis_set_health(&diagnosis, json_pack("{s:i}", "failures", 3));
	incident.diagnosis = &diagnosis;
	root = parse(&incident);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		expect_at(root, rows[i].path, rows[i].expected);
	json_decref(root);
	diagnosis_clear(&diagnosis);
}

Test(incident_json, the_peak_is_the_higher_of_what_was_read)
{
	struct incident incident = full();

	incident.before.peak = 100;
	expect_of(&incident, "memory.peak", "100");
	incident.before.valid = false;
	expect_of(&incident, "memory.peak", "42");
}

Test(incident_json, tells_the_ways_to_end_apart)
{
	struct incident incident = full();

	incident.wait_status = 3 << 8;
	expect_of(&incident, "exit", "{\"code\":3}");
	incident.wait_status = 0;
	expect_of(&incident, "exit", "{\"code\":0}");
	incident.wait_status = SIGSEGV | 0x80;
	expect_of(&incident, "exit", "{\"core_dumped\":true,\"name\":\"SIGSEGV\",\"signal\":11}");
	incident.has_wait_status = false;
	expect_of(&incident, "exit", "null");
}

Test(incident_json, delay_is_told_for_a_restart_alone)
{
	struct incident incident = full();

	incident.verdict.restart_delay_usec = 0;
	expect_of(&incident, "decision.delay_usec", "0");
	incident.verdict.decision = DECISION_GAVE_UP;
	expect_of(&incident, "decision.delay_usec", "null");
	expect_of(&incident, "decision.action", "\"gave-up\"");
}

Test(incident_json, numbers_beyond_json_are_held_at_the_largest)
{
	struct incident incident = full();

	incident.uptime_usec = UINT64_MAX;
	incident.events.above.max = UINT64_C(1) << 63;
	incident.memory_max = LIMIT_UNSET - 1;
	expect_of(&incident, "uptime_usec", "9223372036854775807");
	expect_of(&incident, "events.above.max", "9223372036854775807");
	expect_of(&incident, "limits.memory_max", "9223372036854775807");
}

Test(incident_json, one_line_is_one_line_and_plain_ascii)
{
	struct incident incident = full();
	_cleanup_free_ char *line = NULL, *pretty = NULL;

	snprintf(incident.verdict.sentence, sizeof(incident.verdict.sentence),
		 "a\nb\xe2\x80\xa8\xc2\x9b\xff");
	line = render(&incident, false);
	pretty = render(&incident, true);
	for (const char *at = line; *at != '\0'; at++)
		cr_assert(*at >= ' ' && *at <= '~', "byte 0x%02x", (unsigned char)*at);
	cr_expect_not_null(strchr(pretty, '\n'));
	cr_expect_eq(strncmp(line, "{\"schema\":2,\"id\":", 17), 0, "%s", line);
	expect_of(&incident, "sentence", "\"a\\nb\\u2028\\u009B\\\\xff\"");
}

Test(incident_json, hostile_names_stay_inside_their_strings)
{
	struct incident incident = full();

	snprintf(incident.victim.comm, sizeof(incident.victim.comm), "\",\"app\":\"x\\");
	expect_of(&incident, "victim.comm", "\"\\\",\\\"app\\\":\\\"x\\\\\"");
	expect_of(&incident, "app", "\"web\"");
}

/* --- memory that runs out ------------------------------------------------------------------- */

static size_t allocations_left;

static void *failing_malloc(size_t size)
{
	if (allocations_left == 0)
		return NULL;
	allocations_left--;
	return malloc(size);
}

Test(incident_json, without_memory_it_fails_whole)
{
	struct incident incident = full();
	_cleanup_free_ char *expected = render(&incident, false);
	size_t failures = 0;

	json_set_alloc_funcs(failing_malloc, free);
	for (size_t allowed = 0; allowed < 10000; allowed++) {
		struct error err = { 0 };
		char untouched, *text = &untouched;
		int r;

		allocations_left = allowed;
		r = incident_to_json(&incident, false, &text, &err);
		if (r == 0) {
			cr_expect_str_eq(text, expected, "a part is missing at %zu", allowed);
			free(text);
			break;
		}
		failures++;
		cr_expect_eq(err.kind, ERROR_NO_MEMORY);
		cr_expect_eq(text, &untouched);
	}
	json_set_alloc_funcs(malloc, free);
	cr_expect_gt(failures, 50);
	cr_expect_lt(failures, 10000);
}
