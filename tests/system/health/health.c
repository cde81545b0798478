/* SPDX-License-Identifier: MIT */
/*
 * Apps with a health check. What hangs is ended, restarted and explained, over each way in which
 * it can be asked; what is only slow, or answers badly, is left alone.
 */
#include "tests/system/harness_hosting.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <string.h>

TestSuite(health, .timeout = TEST_TIMEOUT_SEC);

#define EVENT_APP_THROTTLED "MESSAGE_ID=7d321fdcb46243b5919fe0ab42e24318"
#define EVENT_APP_UNHEALTHY "MESSAGE_ID=079d3d84bae44dba803794d28284e05c"

static struct bench bench;

/* How an app is served, and asked. */
enum way { OVER_TCP, BY_ITSELF, OVER_UNIX, OVER_ITS_LOOPBACK, OVER_A_HELD_SOCKET };

struct hanging {
	const char *how; /* hang.py's word */
	enum way way;
	const char *sentence; /* what the incident says of it; NULL: no incident comes */
};

static const char *name_of(const struct hanging *app)
{
	return bench_format(&bench, "%s-%s", bench.name, app->how);
}

static const char *flag_of(const struct hanging *app)
{
	return bench_format(&bench, "%s/%s.flag", bench.data, app->how);
}

static const char *socket_of(const struct hanging *app)
{
	return bench_format(&bench, "%s/%s.sock", bench.data, app->how);
}

/* It listens at `port`, if it does on a port. */
static json_t *app_of(const struct hanging *app, int port)
{
	const char *address = bench_format(&bench, "127.0.0.1:%d", port);
	const char *number = bench_format(&bench, "%d", port);
	const char *const *const commands[] = {
		[OVER_TCP] = WORDS("gunicorn", "--worker-tmp-dir", "/dev/shm", "--bind", address,
				   "hang:app"),
		[BY_ITSELF] = WORDS("python3", "hang.py", number),
		[OVER_UNIX] = WORDS("gunicorn", "--worker-tmp-dir", "/dev/shm", "--bind",
				    bench_format(&bench, "unix:%s", socket_of(app)), "hang:app"),
		[OVER_ITS_LOOPBACK] =
			WORDS("uvicorn", "--port", number, "--lifespan", "off", "hang:async_app"),
		[OVER_A_HELD_SOCKET] =
			WORDS("gunicorn", "--worker-tmp-dir", "/dev/shm", "hang:app"),
	};
	json_t *object = app_object(&bench, name_of(app), commands[app->way]);

	if (app->way == OVER_A_HELD_SOCKET)
		json_object_set_new(object, "listen", json_pack("[s]", address));
	if (app->way == OVER_A_HELD_SOCKET || app->way == OVER_ITS_LOOPBACK)
		json_object_set_new(
			json_object_get(object, "isolation"), "network",
			json_string(app->way == OVER_ITS_LOOPBACK ? "none" : "private"));
	json_object_set_new(object, "stop", json_pack("{s:s}", "grace", "3s"));
	json_object_set_new(object, "environment",
			    json_pack("{s:s, s:s}", "HANG", app->how, "FLAG", flag_of(app)));
	json_object_set_new(
		object, "health",
		json_pack("{s:s, s:s, s:s, s:i, s:s}", "http",
			  app->way == OVER_UNIX
				  ? bench_format(&bench, "http://unix:%s:/", socket_of(app))
				  : bench_format(&bench, "http://%s/", address),
			  "interval", "1s", "timeout", "1s", "failures", 3, "start_period",
			  "2min"));
	return object;
}

static bool health_is(const char *name, const char *key, const char *value)
{
	_cleanup_json_ json_t *app = app_get(name);
	const char *text = json_string_value(json_object_get(json_object_get(app, "health"), key));

	return text != NULL && strcmp(text, value) == 0;
}

static void await_health(const char *name, const char *key, const char *value)
{
	_cleanup_json_ json_t *app = NULL;
	bool came = AWAIT(health_is(name, key, value), START_MSEC);

	if (came)
		return;
	app = app_get(name);
	cr_assert_fail("%s is not %s %s: %s", name, key, value,
		       json_dumps(json_object_get(app, "health"), 0));
}

static void start(const struct hanging *apps, size_t count)
{
	daemon_reset();
	bench_open(&bench, "health");
	daemon_start();
	for (size_t i = 0; i < count; i++)
		app_apply(app_of(&apps[i], bench.port + (int)i));
	for (size_t i = 0; i < count; i++)
		await_health(name_of(&apps[i]), "state", "healthy");
}

static void end(const struct hanging *apps, size_t count)
{
	for (size_t i = 0; i < count; i++)
		daemon_do("app.remove", "{s:s}", "name", name_of(&apps[i]));
	daemon_stop();
	bench_close(&bench);
}

static void expect_explained(const struct hanging *app)
{
	_cleanup_json_ json_t *incident = app_await_incident(name_of(app), 1, START_MSEC);
	_cleanup_free_ char *text = json_dumps(incident, JSON_COMPACT);
	const char *sentence = field_text(incident, "sentence");

	cr_expect_str_eq(field_text(incident, "cause"), "hung", "%s: %s", app->how, text);
	cr_expect_not_null(strstr(sentence, app->sentence), "%s: %s", app->how, sentence);
	/* of one that does not accept, the queue is full after a while: no connection */
	cr_expect_not_null(strstr(sentence, " within 1s)"), "%s: %s", app->how, sentence);
	/* both stacks, and what the checks said */
	cr_expect_not_null(strstr(text, "hang.py"), "%s: %s", app->how, text);
	cr_expect_not_null(strstr(text, "\"outcome\":\"no-"), "%s: %s", app->how, text);
}

Test(health, ends_restarts_and_explains_what_hangs)
{
	static const struct hanging apps[] = {
		{ "deadlock", OVER_TCP, "made no progress: waiting at hang.py" },
		{ "recv", OVER_UNIX, "made no progress: waiting at hang.py" },
		{ "sleep", OVER_ITS_LOOPBACK, "made no progress: waiting at hang.py" },
		{ "stop", OVER_A_HELD_SOCKET, "made no progress: waiting at hang.py" },
		{ "loop", BY_ITSELF, "made no progress: spinning at hang.py" },
	};
	const char *first;
	pid_t daemon;

	start(apps, ARRAY_SIZE(apps));
	first = name_of(&apps[0]);
	for (size_t i = 0; i < ARRAY_SIZE(apps); i++)
		write_text(flag_of(&apps[i]), "", 0666);
	/* whoever comes after this daemon finds it out as well */
	(void)AWAIT(!health_is(first, "state", "healthy"), REACTION_MSEC);
	daemon = daemon_pid();
	daemon_kill(SIGKILL);
	(void)daemon_await_successor(daemon, START_MSEC);
	for (size_t i = 0; i < ARRAY_SIZE(apps); i++)
		expect_explained(&apps[i]);
	for (size_t i = 0; i < ARRAY_SIZE(apps); i++) {
		await_health(name_of(&apps[i]), "state", "healthy");
		cr_expect_eq(app_count_incidents(name_of(&apps[i])), 1, "%s", apps[i].how);
	}
	end(apps, ARRAY_SIZE(apps));
}

/* One is slow since its limit holds it back, one answers badly, one is not ready for long. */
Test(health, leaves_alone_what_is_slow_or_answers_badly)
{
	static const struct hanging apps[] = {
		{ "burn", BY_ITSELF, NULL },
		{ "fail", BY_ITSELF, NULL },
		{ "slow", BY_ITSELF, NULL },
	};
	const char *burning, *failing;
	char mark[JOURNAL_MARK_MAX];
	_cleanup_json_ json_t *entries = NULL;
	const char *told;
	pid_t pid;

	start(apps, ARRAY_SIZE(apps));
	burning = name_of(&apps[0]);
	failing = name_of(&apps[1]);
	pid = app_main_pid(burning);
	journal_mark(mark);
	write_text(flag_of(&apps[1]), "", 0666);
	await_health(failing, "reason", "answers");
	cr_expect_eq(journal_count(mark, WORDS(EVENT_APP_UNHEALTHY,
					       bench_format(&bench, "PYSBX_APP=%s", failing))),
		     1);

	write_text(flag_of(&apps[0]), "", 0666);
	daemon_do("app.set_limits", "{s:s, s:{s:s}}", "name", burning, "limits", "cpu", "1%");
	await_health(burning, "reason", "cpu-throttled");
	entries = journal_await(
		mark, WORDS(EVENT_APP_THROTTLED, bench_format(&bench, "PYSBX_APP=%s", burning)), 1,
		REACTION_MSEC);
	told = journal_text(json_array_get(entries, 0), "MESSAGE");
	cr_expect_not_null(strstr(told, "of its 1% of cpu"), "%s", told);
	cr_expect_not_null(strstr(told, " cores or more"), "%s", told);
	pause_msec(5000); /* several more checks */
	cr_expect_eq(journal_count(mark, WORDS(EVENT_APP_THROTTLED)), 1);
	cr_expect_eq(app_main_pid(burning), pid);
	for (size_t i = 0; i < ARRAY_SIZE(apps); i++)
		cr_expect_eq(app_count_incidents(name_of(&apps[i])), 0, "%s", apps[i].how);
	daemon_do("app.set_limits", "{s:s, s:{s:s}}", "name", burning, "limits", "cpu", "max");
	end(apps, ARRAY_SIZE(apps));
}
