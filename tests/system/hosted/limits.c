/* SPDX-License-Identifier: MIT */
/*
 * Limits that change while apps run: what the kernel holds afterwards, and that no worker notices.
 */
#include "tests/system/harness_hosting.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MIB (UINT64_C(1) << 20)

TestSuite(live_limits, .timeout = TEST_TIMEOUT_SEC);

/* An app of no tenant, of these words, with these limits. Returns its name, owned by the bench. */
static const char *start_app(struct bench *bench, const char *word, json_t *limits,
			     const char *const *words)
{
	const char *name = bench_format(bench, "%s-%s", word, bench->name);
	json_t *app = app_object(bench, name, words);

	json_object_set_new(app, "limits", limits);
	app_apply(app);
	app_await_state(name, "running", START_MSEC);
	return name;
}

static uint64_t limit_number(const char *app, const char *file)
{
	_cleanup_free_ char *text = limit_read(NULL, app, file);

	return strtoull(text, NULL, 10);
}

static void set_limits(const char *name, json_t *limits)
{
	daemon_do("app.set_limits", "{s:s, s:o}", "name", name, "limits", limits);
}

Test(live_limits, raised_limits_hold_at_once_and_nothing_restarts)
{
	_cleanup_json_ json_t *told = NULL;
	_cleanup_free_ char *io = NULL;
	char mark[JOURNAL_MARK_MAX];
	struct bench bench;
	const char *name;
	pid_t pid;

	daemon_reset();
	bench_open(&bench, "raise");
	daemon_start();
	name = start_app(&bench, "up",
			 json_pack("{s:s, s:s, s:i}", "memory", "64M", "cpu", "50%", "pids", 20),
			 WORDS("sleep", "600"));
	pid = app_main_pid(name);
	journal_mark(mark);
	set_limits(name, json_pack("{s:s, s:s, s:s, s:i, s:i, s:{s:{s:s}}}", "memory", "100M",
				   "memory_high", "90M", "cpu", "80%", "cpu_weight", 50, "pids", 30,
				   "io", bench.data, "wbps", "5M"));
	expect_limit(NULL, name, "memory.max", "104857600");
	expect_limit(NULL, name, "memory.high", "94371840");
	expect_limit(NULL, name, "cpu.max", "80000 100000");
	expect_limit(NULL, name, "cpu.weight", "50");
	expect_limit(NULL, name, "pids.max", "30");
	io = limit_read(NULL, name, "io.max");
	cr_expect_not_null(strstr(io, "wbps=5242880"), "%s", io);
	told = journal_await(mark,
			     WORDS("MESSAGE_ID=56a4e8c4dcbd42068d2dc1393a54cb60",
				   bench_format(&bench, "PYSBX_APP=%s", name)),
			     1, REACTION_MSEC);
	cr_expect_not_null(strstr(journal_text(json_array_get(told, 0), "MESSAGE"),
				  "limits.cpu \"50%\" to \"80%\""),
			   "%s", journal_text(json_array_get(told, 0), "MESSAGE"));
	/* and taken away again */
	set_limits(name, json_pack("{s:n, s:n, s:n}", "memory_high", "cpu", "io"));
	expect_limit(NULL, name, "memory.high", "max");
	expect_limit(NULL, name, "cpu.max", "max 100000");
	expect_limit(NULL, name, "io.max", "");
	cr_expect_eq(app_main_pid(name), pid);
	daemon_reset();
	bench_close(&bench);
}

Test(live_limits, lowered_memory_is_taken_from_the_page_cache_first)
{
	struct bench bench;
	const char *name;
	pid_t pid;

	daemon_reset();
	bench_open(&bench, "cache");
	daemon_start();
	name = start_app(&bench, "cache", json_pack("{s:s}", "memory", "128M"),
			 WORDS("sh", "-c",
			       bench_format(&bench,
					    "dd if=/dev/zero of=%s/file bs=1M count=60 conv=fsync; "
					    "touch %s/written; exec sleep 600",
					    bench.data, bench.data)));
	pid = app_main_pid(name);
	cr_assert(AWAIT(access(bench_format(&bench, "%s/written", bench.data), F_OK) == 0,
			START_MSEC));
	cr_assert(AWAIT(limit_number(name, "memory.current") > 55 * MIB, START_MSEC));
	set_limits(name, json_pack("{s:s}", "memory", "32M"));
	expect_limit(NULL, name, "memory.max", "33554432");
	cr_expect_leq(limit_number(name, "memory.current"), 32 * MIB);
	cr_expect_eq(app_main_pid(name), pid);
	cr_expect_eq(app_count_incidents(name), 0);
	daemon_reset();
	bench_close(&bench);
}

Test(live_limits, memory_that_is_in_use_is_not_taken_but_by_force)
{
	_cleanup_json_ json_t *error = NULL, *incident = NULL;
	struct bench bench;
	const char *name;
	pid_t pid;

	daemon_reset();
	bench_open(&bench, "anon");
	daemon_start();
	name = start_app(&bench, "anon", json_pack("{s:s}", "memory", "128M"),
			 WORDS("python3", "-c",
			       "import time\nx = bytearray(b'x') * (60 << 20)\ntime.sleep(600)"));
	pid = app_main_pid(name);
	cr_assert(AWAIT(limit_number(name, "memory.current") > 60 * MIB, START_MSEC));
	error = daemon_refusal(
		"conflict", "app.set_limits",
		json_pack("{s:s, s:{s:s}}", "name", name, "limits", "memory", "40M"));
	cr_expect_str_eq(field_text(error, "data.path"), "limits.memory");
	expect_limit(NULL, name, "memory.max", "134217728");
	cr_expect_eq(app_main_pid(name), pid);
	cr_expect_eq(app_count_incidents(name), 0);
	daemon_do("app.set_limits", "{s:s, s:{s:s}, s:b}", "name", name, "limits", "memory", "40M",
		  "force", 1);
	expect_limit(NULL, name, "memory.max", "41943040");
	incident = app_await_incident(name, 1, START_MSEC);
	cr_expect_str_eq(field_text(incident, "cause"), "oom");
	daemon_reset();
	bench_close(&bench);
}

/* --- reload ----------------------------------------------------------------------------------- */

static void write_app(const struct hosting *hosting, const char *name, json_t *limits,
		      const char *const *words)
{
	json_t *app = hosting_app(hosting, HOSTING_ACME, name, words);

	if (limits != NULL)
		json_object_set_new(app, "limits", limits);
	app_write_file(app);
}

static void await_all(const struct hosting *hosting)
{
	app_await_state(hosting->blog, "running", START_MSEC);
	app_await_state(hosting->shop, "running", START_MSEC);
	app_await_state(hosting->site, "running", START_MSEC);
}

static bool has_other_pid(const char *name, pid_t pid)
{
	_cleanup_json_ json_t *app = app_get(name);
	const json_t *now = json_object_get(app, "pid");

	return json_is_integer(now) && json_integer_value(now) != pid;
}

Test(live_limits, a_reload_applies_what_differs_and_restarts_only_what_it_must)
{
	_cleanup_json_ json_t *changes = NULL;
	struct hosting hosting;
	pid_t blog, shop, site;

	hosting_open(&hosting, "reload");
	hosting_write_sleepers(&hosting);
	daemon_start();
	await_all(&hosting);
	blog = app_main_pid(hosting.blog);
	shop = app_main_pid(hosting.shop);
	site = app_main_pid(hosting.site);
	write_app(&hosting, hosting.blog, json_pack("{s:s}", "memory", "90M"),
		  WORDS("sleep", "600"));
	write_app(&hosting, hosting.shop, NULL, WORDS("sleep", "601"));
	changes = daemon_call("daemon.reload", NULL);
	cr_expect_eq(json_array_size(json_object_get(changes, "changed")), 2, "%s",
		     json_dumps(changes, 0));
	cr_expect_eq(field_number(changes, "unchanged"), 1);
	expect_limit(HOSTING_ACME, hosting.blog, "memory.max", "94371840");
	cr_expect_eq(app_main_pid(hosting.blog), blog);
	cr_expect(AWAIT(has_other_pid(hosting.shop, shop), REACTION_MSEC),
		  "shop has not restarted");
	cr_expect_eq(app_main_pid(hosting.site), site);
	hosting_close(&hosting);
}

Test(live_limits, one_wrong_file_leaves_all_as_it_was)
{
	_cleanup_json_ json_t *error = NULL;
	char mark[JOURNAL_MARK_MAX];
	struct hosting hosting;
	pid_t blog, shop;

	hosting_open(&hosting, "wrong");
	hosting_write_sleepers(&hosting);
	daemon_start();
	await_all(&hosting);
	blog = app_main_pid(hosting.blog);
	shop = app_main_pid(hosting.shop);
	journal_mark(mark);
	write_app(&hosting, hosting.blog, json_pack("{s:s}", "memory", "90M"),
		  WORDS("sleep", "600"));
	write_app(&hosting, hosting.shop, json_pack("{s:s}", "memory", "12Q"),
		  WORDS("sleep", "600"));
	error = daemon_refusal("invalid", "daemon.reload", NULL);
	cr_expect_not_null(strstr(field_text(error, "message"),
				  bench_format(&hosting.bench, "apps.d/%s.json", hosting.shop)),
			   "%s", field_text(error, "message"));
	cr_expect_not_null(strstr(field_text(error, "message"), "limits.memory"), "%s",
			   field_text(error, "message"));
	cr_expect_str_eq(field_text(error, "data.path"), "limits.memory");
	expect_limit(HOSTING_ACME, hosting.blog, "memory.max", "134217728");
	cr_expect_eq(app_main_pid(hosting.blog), blog);
	cr_expect_eq(app_main_pid(hosting.shop), shop);
	json_decref(journal_await(mark, WORDS(EVENT_CONFIG_REFUSED), 1, REACTION_MSEC));
	/* the same by systemctl, which is told that it failed */
	cr_expect_neq(shell(NULL, "systemctl reload pysbxd 2>/dev/null"), 0);
	cr_expect_eq(app_main_pid(hosting.blog), blog);
	/* and right again */
	write_app(&hosting, hosting.shop, NULL, WORDS("sleep", "600"));
	free(shell_output("systemctl reload pysbxd 2>&1"));
	expect_limit(HOSTING_ACME, hosting.blog, "memory.max", "94371840");
	hosting_close(&hosting);
}

Test(live_limits, a_changed_plan_and_a_changed_tenant_reach_apps_that_run)
{
	struct hosting hosting;
	pid_t blog, shop;

	hosting_open(&hosting, "plan");
	hosting_write_sleepers(&hosting);
	write_app(&hosting, hosting.blog, json_pack("{s:s}", "memory", "100M"),
		  WORDS("sleep", "600"));
	daemon_start();
	await_all(&hosting);
	blog = app_main_pid(hosting.blog);
	shop = app_main_pid(hosting.shop);
	hosting_write("plans.d", json_pack("{s:s, s:{s:s, s:s, s:i}}", "name", HOSTING_PLAN,
					   "limits", "memory", "160M", "cpu", "70%", "pids", 64));
	hosting_write("tenants.d",
		      json_pack("{s:s, s:[s], s:s, s:{s:s, s:i}, s:[s]}", "name", HOSTING_ACME,
				"users", USER_ACME, "plan", HOSTING_PLAN, "limits", "memory",
				"300M", "pids", 90, "directories", hosting.bench.apps));
	daemon_do("daemon.reload", NULL);
	expect_limit(HOSTING_ACME, NULL, "memory.max", "314572800");
	expect_limit(HOSTING_ACME, NULL, "pids.max", "90");
	expect_limit(HOSTING_ACME, hosting.shop, "memory.max", "167772160");
	expect_limit(HOSTING_ACME, hosting.shop, "cpu.max", "70000 100000");
	expect_limit(HOSTING_ACME, hosting.blog, "memory.max", "104857600");
	expect_limit(HOSTING_ACME, hosting.blog, "cpu.max", "70000 100000");
	cr_expect_eq(app_main_pid(hosting.blog), blog);
	cr_expect_eq(app_main_pid(hosting.shop), shop);
	hosting_close(&hosting);
}

static json_t *gold(const char *memory)
{
	return json_pack("{s:{s:s, s:{s:s}}}", "plan", "name", "gold", "limits", "memory", memory);
}

Test(live_limits, a_plan_over_the_socket_reaches_its_apps_and_is_never_exceeded)
{
	_cleanup_json_ json_t *error = NULL, *lowered = NULL, *app = NULL, *got = NULL,
			      *again = NULL;
	struct bench bench;
	const char *name;
	pid_t pid;

	daemon_reset();
	bench_open(&bench, "gold");
	daemon_start();
	daemon_do("plan.apply", "o", gold("100M"));
	name = bench_format(&bench, "gold-%s", bench.name);
	app = app_object(&bench, name, WORDS("sleep", "600"));
	json_object_set_new(app, "plan", json_string("gold"));
	daemon_do("app.apply", "{s:O}", "app", app);
	pid = app_main_pid(name);
	expect_limit(NULL, name, "memory.max", "104857600");
	/* what it was given is none of its own words: applied again as they are told, they bind it
	 * to nothing */
	got = app_get(name);
	cr_expect(json_equal(json_object_get(got, "spec"), app));
	cr_expect_str_eq(field_text(got, "effective.limits.memory"), "100M");
	again = daemon_call("app.apply", "{s:O}", "app", json_object_get(got, "spec"));
	cr_expect_eq(json_array_size(json_object_get(again, "changed")), 0);
	daemon_do("plan.apply", "o", gold("150M"));
	expect_limit(NULL, name, "memory.max", "157286400");
	json_object_set_new(app, "limits", json_pack("{s:s}", "memory", "200M"));
	error = daemon_refusal("invalid", "app.apply", json_pack("{s:O}", "app", app));
	cr_expect_str_eq(field_text(error, "data.path"), "limits.memory");
	json_object_set_new(app, "limits", json_pack("{s:s}", "memory", "140M"));
	daemon_do("app.apply", "{s:O}", "app", app);
	/* a plan below what one of its apps has been given is refused, and changes nothing */
	lowered = daemon_refusal("invalid", "plan.apply", gold("120M"));
	cr_expect_not_null(strstr(field_text(lowered, "message"), name), "%s",
			   field_text(lowered, "message"));
	expect_limit(NULL, name, "memory.max", "146800640");
	json_decref(daemon_refusal("conflict", "plan.remove", json_pack("{s:s}", "name", "gold")));
	cr_expect_eq(app_main_pid(name), pid);
	daemon_reset();
	bench_close(&bench);
}
