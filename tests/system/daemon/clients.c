/* SPDX-License-Identifier: MIT */
/*
 * Programs that speak to the daemon: the panel kit's clients, socat as in pysbx-protocol(7), and
 * the commands of `pysbx`.
 */
#include "tests/system/harness_hosting.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#define PANEL "/usr/share/pysbx/panel"

TestSuite(clients, .timeout = TEST_TIMEOUT_SEC);

static void finish(struct bench *bench)
{
	daemon_reset();
	bench_close(bench);
}

static const char *open_bench(struct bench *bench, const char *word)
{
	daemon_reset();
	bench_open(bench, word);
	daemon_start();
	return bench_format(bench, "app-%s", bench->name);
}

/* Runs a script of the test's and returns what it said. */
static const char *run_script(struct bench *bench, const char *interpreter, const char *script)
{
	const char *path = bench_format(bench, "%s/script", bench->data);
	char *output;

	write_text(path, script, 0644);
	output = shell_output("cd " PANEL " && %s %s 2>&1", interpreter, path);
	path = bench_format(bench, "%s", output);
	free(output);
	return path;
}

#define EXPECT_SAID(output, text) \
	cr_expect_not_null(strstr(output, text), "no \"%s\" in:\n%s", text, output)

Test(clients, the_python_client_manages_an_app)
{
	struct bench bench;
	const char *name = open_bench(&bench, "python"), *output;

	output = run_script(
		&bench, "env PYTHONPATH=$(dirname $(find . -name pysbx_panel.py)) python3",
		bench_format(
			&bench,
			"from pysbx_panel import Pysbx, PysbxError\n"
			"app = {'name': '%s', 'command': ['sleep', '600'],\n"
			"       'directory': '%s', 'limits': {'memory': '64M'}}\n"
			"with Pysbx() as pysbx:\n"
			"    print('created', pysbx.call('app.apply', app=app)['created'])\n"
			"    pysbx.call('app.wait', name=app['name'], states=['running'])\n"
			"    print(pysbx.call('app.set_limits', name=app['name'],\n"
			"                     limits={'memory': '80M'})['changed'])\n"
			"    for event in pysbx.events(cursor=0, app=app['name']):\n"
			"        print(event['type'], event.get('to'))\n"
			"        if event.get('to') == 'running':\n"
			"            break\n"
			"    pysbx.call('app.remove', name=app['name'])\n"
			"    try:\n"
			"        pysbx.call('app.get', name=app['name'])\n"
			"    except PysbxError as error:\n"
			"        print('refused', error.code)\n"
			"    try:\n"
			"        pysbx.call('app.apply', app={**app, 'limits': {'memory': 'x'}})\n"
			"    except PysbxError as error:\n"
			"        print('refused', error.code, error.path)\n",
			name, bench.apps));
	EXPECT_SAID(output, "created True\n");
	EXPECT_SAID(output, "'limits.memory'");
	EXPECT_SAID(output, "app.state running\n");
	EXPECT_SAID(output, "refused not-found\n");
	EXPECT_SAID(output, "refused invalid limits.memory\n");
	finish(&bench);
}

Test(clients, the_php_client_manages_an_app)
{
	struct bench bench;
	const char *name = open_bench(&bench, "php"), *output;

	output = run_script(
		&bench, "php",
		bench_format(
			&bench,
			"<?php\n"
			"require trim(shell_exec('find " PANEL " -name Pysbx.php'));\n"
			"$app = ['name' => '%s', 'command' => ['sleep', '600'],\n"
			"        'directory' => '%s', 'limits' => ['memory' => '64M']];\n"
			"$pysbx = new Pysbx();\n"
			"echo 'created ', json_encode($pysbx->call('app.apply', "
			"['app' => $app])['created']), \"\\n\";\n"
			"$pysbx->call('app.wait', ['name' => $app['name'], 'states' => "
			"['running']]);\n"
			"foreach ($pysbx->events(0, $app['name']) as $event) {\n"
			"    echo $event['type'], ' ', $event['to'] ?? '', \"\\n\";\n"
			"    if (($event['to'] ?? '') === 'running') break;\n"
			"}\n"
			"$pysbx->call('app.remove', ['name' => $app['name']]);\n"
			"try { $pysbx->call('app.get', ['name' => $app['name']]); }\n"
			"catch (PysbxError $e) { echo 'refused ', $e->reason, \"\\n\"; }\n"
			"try { $pysbx->call('app.apply', ['app' => ['limits' => ['memory' => 'x']] "
			"+ $app]); }\n"
			"catch (PysbxError $e) { echo 'refused ', $e->reason, ' ', $e->path, "
			"\"\\n\"; }\n",
			name, bench.apps));
	EXPECT_SAID(output, "created true\n");
	EXPECT_SAID(output, "app.state running\n");
	EXPECT_SAID(output, "refused not-found\n");
	EXPECT_SAID(output, "refused invalid limits.memory\n");
	finish(&bench);
}

Test(clients, the_examples_of_the_panel_kit_create_an_app)
{
	struct bench bench;
	const char *name = open_bench(&bench, "kit");

	free(shell_output("cd " PANEL " && $(find . -name create_app.py) %s %s sleep 600 2>&1",
			  name, bench.apps));
	app_await_state(name, "running", 0);
	daemon_do("app.remove", "{s:s}", "name", name);
	free(shell_output("cd " PANEL " && php $(find . -name create-app.php) %s %s sleep 600 2>&1",
			  name, bench.apps));
	app_await_state(name, "running", 0);
	finish(&bench);
}

Test(clients, socat_is_a_client)
{
	_cleanup_free_ char *list = NULL;
	struct bench bench;
	const char *name = open_bench(&bench, "socat");

	app_apply(app_object(&bench, name, WORDS("sleep", "600")));
	list = shell_output("echo '{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"app.list\"}' | "
			    "socat -t 60 - UNIX-CONNECT:" DAEMON_SOCKET_PATH);
	EXPECT_SAID(list, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"apps\":[");
	EXPECT_SAID(list, name);
	cr_expect(AWAIT(shell(NULL,
			      "call='{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"events.subscribe\","
			      "\"params\":{\"cursor\":0}}'; (echo \"$call\"; sleep 2) | socat - "
			      "UNIX-CONNECT:" DAEMON_SOCKET_PATH " | "
			      "grep -q '\"type\":\"app.state\"'") == 0,
			REACTION_MSEC),
		  "no event");
	finish(&bench);
}

/* --- pysbx ------------------------------------------------------------------------------------ */

static void expect_exit(int status, const char *said, const char *command)
{
	_cleanup_free_ char *output = NULL;
	int code = shell(&output, "%s 2>&1", command);

	cr_expect_eq(code, status, "%s: %d, not %d: %s", command, code, status, output);
	cr_expect_not_null(strstr(output, said), "%s: no \"%s\" in: %s", command, said, output);
}

#define AS_ACME	 "setpriv --reuid=" USER_ACME " --regid=" USER_ACME " --init-groups "
#define AS_OTHER "setpriv --reuid=" USER_NOBODY " --regid=" USER_NOBODY " --init-groups "

Test(clients, exit_codes_tell_what_kind_of_failure_it_was)
{
	struct hosting hosting;
	struct bench *bench = &hosting.bench;

	hosting_open(&hosting, "codes");
	hosting_write_sleepers(&hosting);
	daemon_start();
	app_await_state(hosting.shop, "running", START_MSEC);
	app_await_state(hosting.blog, "running", START_MSEC);
	app_await_state(hosting.site, "running", START_MSEC);
	expect_exit(0, "running", "pysbx list");
	expect_exit(0, "pysbxd 0", "pysbx daemon");
	expect_exit(1, "is still running",
		    bench_format(bench, "pysbx wait %s stopped --timeout 1s", hosting.blog));
	expect_exit(1, "apps.d", bench_format(bench, "pysbx set %s memory=64M", hosting.blog));
	expect_exit(2, "did you mean list", "pysbx lsit");
	expect_exit(2, "", "pysbx get");
	expect_exit(2, "", "pysbx list --no-such-option");
	expect_exit(3, "systemctl start pysbxd", "pysbx list --socket /nonexistent");
	expect_exit(4, "only root", AS_ACME "pysbx daemon");
	expect_exit(4, "uid", AS_OTHER "pysbx list");
	expect_exit(5, "there is no app", "pysbx status nope");
	expect_exit(5, "there is no app",
		    bench_format(bench, AS_ACME "pysbx stop %s", hosting.site));
	hosting_close(&hosting);
}

Test(clients, every_command_does_what_it_says)
{
	struct bench bench;
	const char *name = open_bench(&bench, "cli"), *file;

	file = bench_format(&bench, "%s/app.json", bench.data);
	write_text(
		file,
		bench_format(&bench,
			     "{\"name\": \"%s\", \"command\": [\"sh\", \"-c\", \"echo hello; "
			     "exec sleep 600\"], \"directory\": \"%s\", \"limits\": {\"memory\": "
			     "\"64M\"}}",
			     name, bench.apps),
		0644);
#define DO(said, format) expect_exit(0, said, bench_format(&bench, format, name))
	expect_exit(0, "would be created", bench_format(&bench, "pysbx apply --dry-run %s", file));
	expect_exit(0, "created", bench_format(&bench, "pysbx apply %s", file));
	expect_exit(0, "unchanged", bench_format(&bench, "pysbx apply %s", file));
	DO("running", "pysbx wait %s running");
	DO("sleep 600", "pysbx get %s");
	DO("memory", "pysbx status %s");
	cr_assert(AWAIT(shell(NULL, "pysbx logs %s | grep -q hello", name) == 0, REACTION_MSEC));
	DO("hello", "pysbx logs %s -n 1");
	DO("limits.memory", "pysbx set %s memory=80M");
	DO("", "pysbx signal %s WINCH");
	DO("suspended", "pysbx suspend %s");
	DO("running", "pysbx resume %s");
	DO("running", "pysbx restart %s");
	DO("stopped", "pysbx stop %s");
	DO("running", "pysbx start %s");
	DO("app.applied", "pysbx events --app %s");
	DO("", "pysbx signal %s KILL");
	json_decref(app_await_incident(name, 1, REACTION_MSEC));
	DO("SIGKILL", "pysbx incidents %s");
	DO("advice", "pysbx incident $(pysbx incidents %s --json | grep -o '2[0-9TZ]*-app[^\"]*' | "
		     "head -n 1)");
	expect_exit(0, "unchanged", "pysbx reload");
	expect_exit(0, "applied",
		    "echo '{\"name\": \"gold\", \"limits\": {\"memory\": \"1G\"}}' | "
		    "pysbx plan apply -");
	expect_exit(0, "gold", "pysbx plan list");
	/* what is printed can be applied as it is */
	expect_exit(0, "", "pysbx plan get gold | pysbx plan apply -");
	DO("unchanged", "pysbx get %s | pysbx apply -");
	expect_exit(0, "",
		    "echo '{\"name\": \"acme\", \"plan\": \"gold\"}' | pysbx tenant apply -");
	expect_exit(0, "", "pysbx tenant get acme | pysbx tenant apply -");
	expect_exit(0, "gold", "pysbx tenant list");
	expect_exit(1, "acme", "pysbx plan remove gold");
	expect_exit(0, "removed", "pysbx tenant remove acme");
	expect_exit(0, "removed", "pysbx plan remove gold");
	expect_exit(0, "", "pysbx stop --all");
	DO("stopped", "pysbx status %s");
	DO("removed", "pysbx remove %s");
#undef DO
	finish(&bench);
}

/* --- the unit --------------------------------------------------------------------------------- */

/* CAP_SYS_PTRACE, by which stacks are read, and the loopback, at which health is asked for, are
 * 0.3. */
#define EXPOSURE_MAX 5.3

Test(clients, the_unit_is_confined)
{
	_cleanup_free_ char *text =
		shell_output("systemd-analyze security --no-pager pysbxd.service | tail -n 1");
	const char *number = strstr(text, "pysbxd.service: ");
	double exposure = number != NULL ? strtod(number + strlen("pysbxd.service: "), NULL) : 10;

	cr_expect_leq(exposure, EXPOSURE_MAX, "%s", text);
}
