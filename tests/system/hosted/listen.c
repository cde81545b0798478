/* SPDX-License-Identifier: MIT */
/*
 * Listeners that the daemon holds: nobody is refused over a restart of the app, nor while the
 * daemon is away.
 */
#include "tests/system/harness_hosting.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

TestSuite(held_listeners, .timeout = TEST_TIMEOUT_SEC);

static const char *port_of(struct bench *bench)
{
	return bench_format(bench, "127.0.0.1:%d", bench->port);
}

/* entry: of `listen`. */
static void start_server(struct bench *bench, const char *entry)
{
	json_t *app = app_object(bench, bench->name, WORDS("python3", "held.py", "9"));
	json_t *isolation = json_object_get(app, "isolation");

	if (isolation == NULL) {
		isolation = json_object();
		json_object_set_new(app, "isolation", isolation);
	}
	json_object_set_new(isolation, "network", json_string("private"));
	json_object_set_new(app, "listen", json_pack("[s]", entry));
	json_object_set_new(app, "restart",
			    json_pack("{s:s, s:s}", "mode", "always", "backoff", "2s"));
	app_apply(app);
	app_await_state(bench->name, "running", START_MSEC);
}

static void expect_served(struct bench *bench)
{
	struct reply reply;
	int connection = http_send(bench, "/");

	cr_assert_geq(connection, 0, "refused");
	http_receive(connection, &reply, START_MSEC);
	cr_expect_eq(reply.status, 200);
}

Test(held_listeners, keep_who_waits_over_restarts_of_the_app_and_of_the_daemon)
{
	struct bench bench;
	struct reply reply;
	int waiting;
	pid_t pid;

	daemon_reset();
	bench_open(&bench, "held");
	daemon_start();
	start_server(&bench, port_of(&bench));
	expect_served(&bench);
	/* it ends, and whoever comes now waits for the next one */
	http_get(&bench, "/end", &reply, REACTION_MSEC);
	cr_expect_eq(reply.status, 0);
	waiting = http_send(&bench, "/");
	cr_assert_geq(waiting, 0, "refused");
	http_receive(waiting, &reply, START_MSEC);
	cr_expect_eq(reply.status, 200);
	/* asked for */
	daemon_do("app.restart", "{s:s}", "name", bench.name);
	expect_served(&bench);
	/* the daemon goes, and the next one is given the sockets */
	pid = app_main_pid(bench.name);
	daemon_stop();
	expect_served(&bench);
	daemon_start();
	cr_expect_eq(app_main_pid(bench.name), pid);
	daemon_do("app.restart", "{s:s}", "name", bench.name);
	expect_served(&bench);
	cr_expect_neq(app_main_pid(bench.name), pid);
	daemon_do("app.stop", "{s:s}", "name", bench.name);
	/* the launcher lets go of it a moment after it has said its last */
	cr_expect(AWAIT(http_send(&bench, "/") < 0, REACTION_MSEC), "nobody holds it any more");
	daemon_reset();
	bench_close(&bench);
}

/* --- by path ---------------------------------------------------------------------------------- */

static const char *socket_of(struct bench *bench)
{
	return bench_format(bench, "/run/pysbx/listen/%s.sock", bench->name);
}

/* As nginx would: another user, by the path alone. */
static void expect_served_at(const char *path)
{
	_cleanup_free_ char *body = shell_output(
		"setpriv --reuid 33 --regid 33 --clear-groups curl -sS --max-time %d --unix-socket "
		"%s http://localhost/ 2>&1",
		START_MSEC / 1000, path);

	cr_expect_str_eq(body, "hello from wsgi\n", "%s", body);
}

static bool is_healthy(const char *name)
{
	_cleanup_json_ json_t *app = daemon_call("app.get", "{s:s}", "name", name);

	return strcmp(field_text(app, "health.state"), "healthy") == 0;
}

static json_t *server_at_path(struct bench *bench)
{
	json_t *app = app_object(bench, bench->name,
				 WORDS("gunicorn", "-w", "1", "--timeout", "120", "wsgi_app:app"));
	const char *path = socket_of(bench);

	json_object_set_new(app, "isolation", json_pack("{s:s}", "network", "private"));
	json_object_set_new(app, "listen", json_pack("[s]", bench_format(bench, "unix:%s", path)));
	json_object_set_new(app, "health",
			    json_pack("{s:s, s:s}", "http",
				      bench_format(bench, "http://unix:%s:/", path), "interval",
				      "1s"));
	return app;
}

Test(held_listeners, at_a_path_serve_over_restarts_and_go_with_the_app)
{
	_cleanup_free_ char *mode = NULL, *status = NULL;
	struct bench bench;
	const char *path;
	pid_t pid;

	daemon_reset();
	bench_open(&bench, "bypath");
	daemon_start();
	path = socket_of(&bench);
	app_apply(server_at_path(&bench));
	app_await_state(bench.name, "running", START_MSEC);
	expect_served_at(path);
	mode = shell_output("stat -c '%%U %%a' %s", path);
	cr_expect_str_eq(mode, "root 666\n");
	status = shell_output("pysbx status %s | grep '^ *listen '", bench.name);
	cr_expect_not_null(strstr(status, bench_format(&bench, "unix:%s\n", path)), "%s", status);
	cr_expect(AWAIT(is_healthy(bench.name), START_MSEC));
	daemon_do("app.restart", "{s:s}", "name", bench.name);
	expect_served_at(path);
	pid = app_main_pid(bench.name);
	daemon_stop();
	expect_served_at(path);
	daemon_start();
	cr_expect_eq(app_main_pid(bench.name), pid);
	daemon_do("app.restart", "{s:s}", "name", bench.name);
	expect_served_at(path);
	cr_expect_neq(app_main_pid(bench.name), pid);
	daemon_do("app.stop", "{s:s}", "name", bench.name);
	cr_expect_neq(access(path, F_OK), 0, "stopped, and %s is there", path);
	daemon_do("app.start", "{s:s}", "name", bench.name);
	expect_served_at(path);
	daemon_do("app.remove", "{s:s}", "name", bench.name);
	cr_expect_neq(access(path, F_OK), 0, "removed, and %s is there", path);
	daemon_reset();
	bench_close(&bench);
}

/* A daemon that is killed leaves the file behind; whoever comes next takes its place. */
Test(held_listeners, at_a_path_are_made_anew_where_a_killed_daemon_has_left_the_file)
{
	struct bench bench;
	const char *path;
	json_t *app;

	daemon_reset();
	bench_open(&bench, "leftpath");
	daemon_start();
	path = socket_of(&bench);
	app = app_object(&bench, bench.name, WORDS("sh", "-c", "exit 3"));
	json_object_set_new(app, "listen", json_pack("[s]", bench_format(&bench, "unix:%s", path)));
	json_object_set_new(app, "restart",
			    json_pack("{s:s, s:s, s:s}", "mode", "always", "backoff", "10min",
				      "backoff_max", "10min"));
	app_apply(app);
	app_await_state(bench.name, "backoff", START_MSEC);
	daemon_kill(SIGKILL);
	cr_expect_eq(access(path, F_OK), 0);
	daemon_start();
	app_apply(server_at_path(&bench));
	daemon_do("app.restart", "{s:s}", "name", bench.name);
	expect_served_at(path);
	daemon_do("app.remove", "{s:s}", "name", bench.name);
	daemon_reset();
	bench_close(&bench);
}

Test(held_listeners, at_a_path_stand_where_a_tenant_cannot_reach)
{
	_cleanup_json_ json_t *refused = NULL;
	struct bench bench;
	json_t *app;

	daemon_reset();
	bench_open(&bench, "theirpath");
	daemon_start();
	shell(NULL, "chown 33 %s", bench.data);
	app = server_at_path(&bench);
	json_object_set_new(app, "listen",
			    json_pack("[s]", bench_format(&bench, "unix:%s/a.sock", bench.data)));
	refused = daemon_refusal("failed", "app.apply", json_pack("{s:o}", "app", app));
	cr_expect_not_null(strstr(field_text(refused, "message"),
				  "others than root can change this directory"),
			   "%s", field_text(refused, "message"));
	daemon_do("app.remove", "{s:s}", "name", bench.name);
	daemon_reset();
	bench_close(&bench);
}

/* --- shut down -------------------------------------------------------------------------------- */

static bool answers(const char *where, const char *target)
{
	_cleanup_free_ char *body = shell_output("curl -sS --max-time %d %s%s 2>&1 || true",
						 START_MSEC / 1000, where, target);

	return strstr(body, "\"interfaces\"") != NULL;
}

static bool is_told(const char *mark, const char *const *fields, const char *text)
{
	_cleanup_json_ json_t *entries = journal_read(mark, fields);
	const json_t *entry;
	size_t i;

	json_array_foreach(entries, i, entry)
	{
		if (strstr(journal_text(entry, "MESSAGE"), text) != NULL)
			return true;
	}
	return false;
}

/* where: words for curl, up to the target. */
static void expect_new_after_shutdown(struct bench *bench, const char *entry, const char *where)
{
	const char *fields[] = { bench_format(bench, "PYSBX_APP=%s", bench->name), "PRIORITY=4",
				 NULL };
	const char *said = bench_format(bench, "listen: %s: a worker has called shutdown()", entry);
	char mark[JOURNAL_MARK_MAX];

	start_server(bench, entry);
	cr_expect(AWAIT(answers(where, "/"), START_MSEC), "%s", entry);
	journal_mark(mark);
	cr_expect_not(answers(where, "/shut"), "%s", entry);
	cr_expect(AWAIT(answers(where, "/"), START_MSEC), "%s: served again", entry);
	cr_expect(AWAIT(is_told(mark, fields, said), REACTION_MSEC), "nobody said: %s", said);
	/* it is another, so there is nothing to tell of the next time */
	journal_mark(mark);
	daemon_do("app.restart", "{s:s}", "name", bench->name);
	cr_expect(AWAIT(answers(where, "/"), START_MSEC), "%s", entry);
	cr_expect_not(is_told(mark, fields, said), "said twice: %s", said);
	daemon_do("app.remove", "{s:s}", "name", bench->name);
}

Test(held_listeners, that_a_worker_has_shut_down_are_others_for_its_replacement)
{
	struct bench bench;
	const char *path;

	daemon_reset();
	bench_open(&bench, "shut");
	daemon_start();
	expect_new_after_shutdown(&bench, port_of(&bench),
				  bench_format(&bench, "http://%s", port_of(&bench)));
	path = socket_of(&bench);
	expect_new_after_shutdown(&bench, bench_format(&bench, "unix:%s", path),
				  bench_format(&bench, "--unix-socket %s http://localhost", path));
	daemon_reset();
	bench_close(&bench);
}
