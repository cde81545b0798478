/* SPDX-License-Identifier: MIT */
/*
 * The clients for control panels, each against the daemon that follows a script. Where the source
 * tree is not the working directory, the installed ones are tried.
 */
#include "tests/supervisor/ctl_fixture.h"

#define OUTPUT_MAX 4096

/* The directory of a client's file; skips the test where there is none, or no interpreter. */
static const char *find_client(const char *interpreter, const char *directory, const char *file)
{
	static char place[512];
	char path[600], probe[128];

	snprintf(probe, sizeof(probe), "command -v %s >/dev/null", interpreter);
	if (system(probe) != 0)
		cr_skip_test("no %s", interpreter);
	snprintf(place, sizeof(place), "packaging/panel/%s", directory);
	snprintf(path, sizeof(path), "%s/%s", place, file);
	if (access(path, R_OK) == 0)
		return place;
	snprintf(place, sizeof(place), "%s/panel", PYSBX_DATADIR);
	snprintf(path, sizeof(path), "%s/%s", place, file);
	if (access(path, R_OK) < 0)
		cr_skip_test("%s: %s", path, strerror(errno));
	return place;
}

/* Runs the shell's command with the socket in PYSBX_SOCKET; what it prints, both streams. */
static int run_client(const struct exchange *script, const char *command, char *output)
{
	pid_t child;
	size_t length;
	int status;
	FILE *pipe;

	tree_make();
	child = fixture_start(tree_path("control.sock"), script);
	setenv("PYSBX_SOCKET", tree_path("control.sock"), 1);
	pipe = popen(command, "r");
	cr_assert_not_null(pipe);
	length = fread(output, 1, OUTPUT_MAX - 1, pipe);
	output[length] = '\0';
	status = pclose(pipe);
	fixture_stop(child);
	tree_remove();
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Both clients are told the same, and say the same. */
#define APPLY                                                                                \
	{                                                                                    \
		.method = "app.apply",                                                       \
		.params = "{\"app\":{\"name\":\"blog\",\"directory\":\"/srv/blog\","         \
			  "\"command\":[\"gunicorn\",\"app:app\"],"                          \
			  "\"limits\":{\"memory\":\"192M\",\"cpu\":\"100%\",\"pids\":64}}}", \
		.result = "{\"name\":\"blog\",\"created\":true}",                            \
		.before = "{\"jsonrpc\":\"2.0\",\"method\":\"event\",\"params\":{}}\n",      \
	}
#define WAIT(state)                                                                 \
	{                                                                           \
		.method = "app.wait",                                               \
		.params = "{\"name\":\"blog\",\"states\":[\"running\",\"failed\"]," \
			  "\"timeout\":\"30s\"}",                                   \
		.result = "{\"name\":\"blog\",\"state\":\"" state "\"}",            \
	}

static void try_example(const char *example)
{
	char command[1024], output[OUTPUT_MAX];

	snprintf(command, sizeof(command), "%s blog /srv/blog gunicorn app:app 2>&1", example);
	cr_expect_eq(run_client(SCRIPT(APPLY, WAIT("running")), command, output), 0, "%s", output);
	cr_expect_str_eq(output, "blog: created, running\n");

	cr_expect_eq(run_client(SCRIPT(APPLY, WAIT("failed"),
				       { .method = "app.get",
					 .params = "{\"name\":\"blog\"}",
					 .result = "{\"last\":{\"sentence\":\"It crashed.\"}}" }),
				command, output),
		     1);
	cr_expect_str_eq(output, "blog: failed: It crashed.\n");

	snprintf(command, sizeof(command),
		 "PYSBX_SOCKET=/nowhere/socket %s blog /srv/blog gunicorn 2>&1", example);
	cr_expect_eq(run_client(SCRIPT(APPLY), command, output), 1);
	cr_expect_eq(strncmp(output, "unreachable: /nowhere/socket: ", 30), 0, "%s", output);
}

Test(panel, python_example_creates_an_app_and_waits)
{
	char example[600];

	snprintf(example, sizeof(example), "python3 %s/create_app.py",
		 find_client("python3", "python", "create_app.py"));
	try_example(example);
}

Test(panel, php_example_creates_an_app_and_waits)
{
	char example[600];

	snprintf(example, sizeof(example), "php %s/create-app.php",
		 find_client("php", "php", "create-app.php"));
	try_example(example);
}

/* A refusal that comes before anything is asked, a wrong value, and nobody there. */
#define ERRORS                                                                           \
	SCRIPT({ .method = "app.get",                                                    \
		 .params = "{\"name\":\"x\"}",                                           \
		 .error = "{\"code\":-32602,\"message\":\"name: is too long\",\"data\":" \
			  "{\"code\":\"invalid\",\"path\":\"name\"}}",                   \
		 .hang_up = true },                                                      \
	       { .method = "app.get",                                                    \
		 .params = "{\"name\":\"y\"}",                                           \
		 .result = "{\"state\":\"running\"}" })
static const char errors_told[] = "invalid|name|name: is too long\n"
				  "unreachable\n"
				  "running\n";

static const char python_errors[] = "cd \"$PANEL\" && python3 - 2>&1 <<'END'\n"
				    "import os\n"
				    "from pysbx_panel import Pysbx, PysbxError\n"
				    "pysbx = Pysbx(os.environ['PYSBX_SOCKET'])\n"
				    "try:\n"
				    "    pysbx.call('app.get', name='x')\n"
				    "except PysbxError as e:\n"
				    "    print(e.code, e.path, e.message, sep='|')\n"
				    "try:\n"
				    "    pysbx.call('app.get', name='x')\n"
				    "except PysbxError as e:\n"
				    "    print(e.code)\n"
				    "print(pysbx.call('app.get', name='y')['state'])\n"
				    "END\n";

static const char php_errors[] =
	"cd \"$PANEL\" && php 2>&1 <<'END'\n"
	"<?php require 'Pysbx.php';\n"
	"$pysbx = new Pysbx(getenv('PYSBX_SOCKET'));\n"
	"try { $pysbx->call('app.get', ['name' => 'x']); }\n"
	"catch (PysbxError $e) { echo \"{$e->reason}|{$e->path}|{$e->getMessage()}\\n\"; }\n"
	"try { $pysbx->call('app.get', ['name' => 'x']); }\n"
	"catch (PysbxError $e) { echo \"{$e->reason}\\n\"; }\n"
	"echo $pysbx->call('app.get', ['name' => 'y'])['state'], \"\\n\";\n"
	"END\n";

#define EVENT(cursor)                                                               \
	"{\"jsonrpc\":\"2.0\",\"method\":\"event\",\"params\":{\"subscription\":1," \
	"\"cursor\":" cursor ",\"type\":\"app.state\",\"app\":\"web\"}}\n"

/* The daemon ends in between, and has lost two when it is back. */
#define EVENTS                                                               \
	SCRIPT({ .method = "events.subscribe",                               \
		 .params = "{\"cursor\":5,\"app\":\"web\"}",                 \
		 .result = "{\"cursor\":5,\"missed\":0,\"subscription\":1}", \
		 .after = EVENT("6") EVENT("7"),                             \
		 .hang_up = true },                                          \
	       { .method = "events.subscribe",                               \
		 .params = "{\"cursor\":7,\"app\":\"web\"}",                 \
		 .result = "{\"cursor\":9,\"missed\":2,\"subscription\":1}", \
		 .after = EVENT("10"),                                       \
		 .hang_up = true },                                          \
	       { .method = "events.subscribe",                               \
		 .params = "{\"cursor\":10,\"app\":\"web\"}",                \
		 .error = "{\"code\":-32005,\"message\":\"no\",\"data\":{\"code\":\"denied\"}}" })
static const char events_told[] = "app.state 6\napp.state 7\nmissed 9\napp.state 10\ndenied\n";

static const char python_events[] =
	"cd \"$PANEL\" && python3 - 2>&1 <<'END'\n"
	"import os\n"
	"from pysbx_panel import Pysbx, PysbxError\n"
	"try:\n"
	"    for event in Pysbx(os.environ['PYSBX_SOCKET']).events(5, 'web'):\n"
	"        print(event['type'], event['cursor'])\n"
	"except PysbxError as e:\n"
	"    print(e.code)\n"
	"END\n";

static const char php_events[] =
	"cd \"$PANEL\" && php 2>&1 <<'END'\n"
	"<?php require 'Pysbx.php';\n"
	"try {\n"
	"    foreach ((new Pysbx(getenv('PYSBX_SOCKET')))->events(5, 'web') as $event)\n"
	"        echo \"{$event['type']} {$event['cursor']}\\n\";\n"
	"} catch (PysbxError $e) { echo \"{$e->reason}\\n\"; }\n"
	"END\n";

static void try_program(const struct exchange *script, const char *program, const char *place,
			const char *expected)
{
	char output[OUTPUT_MAX];

	setenv("PANEL", place, 1);
	cr_expect_eq(run_client(script, program, output), 0);
	cr_expect_str_eq(output, expected);
}

Test(panel, python_client_tells_errors_apart_and_connects_anew)
{
	try_program(ERRORS, python_errors, find_client("python3", "python", "pysbx_panel.py"),
		    errors_told);
}

Test(panel, php_client_tells_errors_apart_and_connects_anew)
{
	try_program(ERRORS, php_errors, find_client("php", "php", "Pysbx.php"), errors_told);
}

Test(panel, python_client_misses_no_event_over_a_restart)
{
	try_program(EVENTS, python_events, find_client("python3", "python", "pysbx_panel.py"),
		    events_told);
}

Test(panel, php_client_misses_no_event_over_a_restart)
{
	try_program(EVENTS, php_events, find_client("php", "php", "Pysbx.php"), events_told);
}
