/* SPDX-License-Identifier: MIT */
/* Logs, events, incidents, and the administrator's commands. */
#include "supervisor/control.h"
#include "supervisor/events.h"
#include "tests/supervisor/ctl_fixture.h"

#define EVENTS_KEPT 5000 /* many times what a connection takes at once */

static void expect_told(const struct told *told, int code, const char *out, const char *errors)
{
	cr_expect_eq(told->code, code, "%d", told->code);
	cr_expect_str_eq(told->out, out);
	cr_expect_str_eq(told->errors, errors);
}

/* --- logs ------------------------------------------------------------------------------------- */

#define LOST "pysbx: pysbxd has closed the connection: trying again\n"

Test(ctl_events, logs_are_printed_as_lines)
{
	_cleanup_told_ struct told told =
		tell(SCRIPT({ .method = "app.logs",
			      .params = "{\"name\":\"web\",\"lines\":2}",
			      .result = "{\"lines\":[{\"stream\":\"stdout\",\"text\":\"a\\tb\"},"
					"{\"stream\":\"stderr\",\"text\":\"\\u001b]0;"
					"x\\u0007\\u202e\"}]}" }),
		     WORDS("logs", "web", "-n", "2"));

	expect_told(&told, 0, "a\tb\n\\x1b]0;x\\x07\\u202e\n", "");
}

#define LOG(text)                                                                         \
	"{\"jsonrpc\":\"2.0\",\"method\":\"log\",\"params\":{\"subscription\":1,\"app\":" \
	"\"web\",\"stream\":\"stdout\",\"text\":\"" text "\"}}\n"

Test(ctl_events, logs_are_followed_over_a_restart_of_the_daemon)
{
	_cleanup_told_ struct told told = tell(
		SCRIPT({ .method = "app.logs",
			 .params = "{\"name\":\"web\",\"lines\":1,\"follow\":true}",
			 .result = "{\"lines\":[{\"stream\":\"stdout\",\"text\":\"one\"}],"
				   "\"subscription\":1}",
			 .after = "{\"jsonrpc\":\"2.0\",\"method\":\"event\",\"params\":{}}\n" LOG(
				 "two"),
			 .hang_up = true },
		       { .method = "app.logs",
			 .params = "{\"name\":\"web\",\"follow\":true}",
			 .result = "{\"lines\":[{\"stream\":\"stdout\",\"text\":\"three\"}],"
				   "\"subscription\":1}",
			 .after = LOG("four"),
			 .hang_up = true },
		       { .method = "app.logs",
			 .params = "{\"name\":\"web\",\"follow\":true}",
			 .error = "{\"code\":-32003,\"message\":\"there is no app web\","
				  "\"data\":{\"code\":\"not-found\"}}" }),
		WORDS("logs", "-f", "-n", "1", "web"));

	expect_told(&told, 5, "one\ntwo\nthree\nfour\n", LOST LOST "pysbx: there is no app web\n");
}

/* --- events ----------------------------------------------------------------------------------- */

#define EVENT(params) "{\"jsonrpc\":\"2.0\",\"method\":\"event\",\"params\":" params "}\n"

#define STATE_EVENT                                                                               \
	EVENT("{\"subscription\":1,\"cursor\":7,\"time\":\"2026-11-27T16:29:57.250Z\","           \
	      "\"type\":\"app.state\",\"app\":\"web\",\"tenant\":\"acme\",\"from\":\"starting\"," \
	      "\"to\":\"running\",\"pid\":4123}")
#define INCIDENT_EVENT                                                                          \
	EVENT("{\"subscription\":1,\"cursor\":8,\"time\":\"2026-11-27T16:29:58.000Z\","         \
	      "\"type\":\"app.incident\",\"app\":\"web\",\"incident\":\"I\",\"cause\":\"oom\"," \
	      "\"sentence\":\"It was\\nkilled.\"}")
#define RELOAD_EVENT                                                                    \
	EVENT("{\"subscription\":2,\"cursor\":9,\"time\":\"2026-11-27T16:30:00.000Z\"," \
	      "\"type\":\"daemon.reloaded\"}")

Test(ctl_events, events_that_are_kept_are_told_and_that_is_all)
{
	_cleanup_told_ struct told told =
		tell(SCRIPT({ .method = "events.subscribe",
			      .params = "{\"cursor\":0}",
			      .result = "{\"cursor\":0,\"missed\":3,\"subscription\":1}",
			      .after = STATE_EVENT },
			    { .method = "daemon.info",
			      .params = "{}",
			      .result = "{}",
			      .after = INCIDENT_EVENT },
			    { .method = "daemon.info", .params = "{}", .result = "{}" },
			    { .method = "daemon.info", .params = "{}", .result = "{}" }),
		     WORDS("events"));

	expect_told(&told, 0,
		    "2026-11-27 16:29:57 web: starting -> running (pid 4123)\n"
		    "2026-11-27 16:29:58 web: It was\\nkilled. (incident I, cause oom)\n",
		    "");
}

Test(ctl_events, events_from_a_cursor_tell_what_was_missed)
{
	_cleanup_told_ struct told told =
		tell(SCRIPT({ .method = "events.subscribe",
			      .params = "{\"cursor\":5,\"app\":\"web\"}",
			      .result = "{\"cursor\":7,\"missed\":2,\"subscription\":1}" },
			    { .method = "daemon.info",
			      .params = "{}",
			      .before = RELOAD_EVENT,
			      .error = "{\"code\":-32005,\"message\":\"no\","
				       "\"data\":{\"code\":\"denied\"}}" },
			    { .method = "daemon.info", .params = "{}", .result = "{}" }),
		     WORDS("events", "--cursor", "5", "--app=web"));

	expect_told(&told, 0, "2026-11-27 16:30:00 daemon.reloaded\n",
		    "pysbx: at least 2 events were missed: the daemon keeps the last ones only\n");
}

Test(ctl_events, following_goes_on_after_a_restart_of_the_daemon)
{
	_cleanup_told_ struct told told =
		tell(SCRIPT({ .method = "events.subscribe",
			      .params = "{}",
			      .result = "{\"cursor\":6,\"missed\":0,\"subscription\":1}",
			      .after = STATE_EVENT,
			      .hang_up = true },
			    { .method = "events.subscribe",
			      .params = "{\"cursor\":7}",
			      .result = "{\"cursor\":8,\"missed\":0,\"subscription\":2}",
			      .after = RELOAD_EVENT,
			      .hang_up = true },
			    { .method = "events.subscribe",
			      .params = "{\"cursor\":9}",
			      .error = "{\"code\":-32005,\"message\":\"no more\","
				       "\"data\":{\"code\":\"denied\"}}" }),
		     WORDS("events", "-f"));

	expect_told(&told, 4,
		    "2026-11-27 16:29:57 web: starting -> running (pid 4123)\n"
		    "2026-11-27 16:30:00 daemon.reloaded\n",
		    LOST LOST "pysbx: no more\n");
}

Test(ctl_events, events_as_json_are_one_a_line)
{
	_cleanup_told_ struct told told =
		tell(SCRIPT({ .method = "events.subscribe",
			      .params = "{\"cursor\":0}",
			      .result = "{\"cursor\":9,\"missed\":0,\"subscription\":1}",
			      .after = RELOAD_EVENT },
			    { .method = "daemon.info", .params = "{}", .result = "{}" },
			    { .method = "daemon.info", .params = "{}", .result = "{}" }),
		     WORDS("events", "--json"));

	expect_told(&told, 0,
		    "{\"subscription\":2,\"cursor\":9,\"time\":\"2026-11-27T16:30:00.000Z\","
		    "\"type\":\"daemon.reloaded\"}\n",
		    "");
}

static int everyone_is_admin(const struct peer *peer, void *userdata, const char **ret_tenant,
			     struct error *err)
{
	(void)peer, (void)userdata, (void)err;
	*ret_tenant = NULL;
	return 0;
}

static void publish_many(struct events *events)
{
	for (int i = 0; i < EVENTS_KEPT; i++)
		events_publish(events, "app.state", i == 0 ? "first" : "web", NULL,
			       json_pack("{s:s, s:s}", "from", "starting", "to", "running"));
}

/* The child: the real socket and the real events, many of them. Never returns. */
static void serve_events(const char *path)
{
	struct control_table table = { .methods = events_methods, .count = EVENTS_METHOD_COUNT };
	struct control_config config = { .listen_fd = -1,
					 .path = path,
					 .tables = &table,
					 .table_count = 1,
					 .identify = everyone_is_admin };
	struct events *events = NULL;
	struct control *control = NULL;
	sd_event *event = NULL;
	struct error err;

	alarm(20);
	cr_assert_geq(sd_event_new(&event), 0);
	cr_assert_eq(events_new(&events, 0, NULL, &err), 0);
	publish_many(events);
	table.userdata = events;
	cr_assert_eq(control_start(&control, event, &config, &err), 0, "%s", err.text);
	sd_event_loop(event);
	_exit(1);
}

static size_t count_lines(const char *text)
{
	size_t count = 0;

	for (; (text = strchr(text, '\n')) != NULL; text++)
		count++;
	return count;
}

Test(ctl_events, all_kept_events_are_told_by_the_real_socket, .timeout = 30)
{
	_cleanup_told_ struct told all = { 0 }, one = { 0 };
	const struct looks looks = { 0 };
	char path[128];
	pid_t child;

	tree_make();
	snprintf(path, sizeof(path), "%s", tree_path("control.sock"));
	child = fork();
	if (child == 0)
		serve_events(path);
	while (access(path, F_OK) < 0 && waitpid(child, NULL, WNOHANG) == 0)
		usleep(10000);
	all.code = fixture_run(path, &looks, WORDS("events"), &all);
	one.code = fixture_run(path, &looks, WORDS("events", "--app", "first"), &one);
	fixture_stop(child);
	tree_remove();
	cr_expect_eq(all.code, 0, "%s", all.errors);
	cr_expect_eq(count_lines(all.out), EVENTS_KEPT, "%zu", count_lines(all.out));
	cr_expect_eq(one.code, 0, "%s", one.errors);
	cr_expect_eq(count_lines(one.out), 1, "%s", one.out);
}

/* --- incidents -------------------------------------------------------------------------------- */

Test(ctl_events, incidents_are_a_table_that_fits)
{
	_cleanup_told_ struct told told = tell_as(
		&(struct looks){ .columns = 70 },
		SCRIPT({ .method = "incident.list",
			 .params = "{\"app\":\"web\",\"limit\":3}",
			 .result = "{\"incidents\":[{\"id\":\"20261127T162957Z-web-0-1\","
				   "\"app\":\"web\",\"time\":\"2026-11-27T16:29:57.000Z\","
				   "\"cause\":\"oom\",\"sentence\":\"The kernel killed the main "
				   "process for memory.\"}]}" }),
		WORDS("incidents", "web", "-n3"));

	expect_told(&told, 0,
		    "INCIDENT                  AGE  APP  CAUSE  WHAT\n"
		    "20261127T162957Z-web-0-1   3s  web  oom    The kernel killed the ma...\n",
		    "");
}

Test(ctl_events, an_incident_is_explained)
{
	_cleanup_told_ struct told told =
		tell(SCRIPT({ .method = "incident.get",
			      .params = "{\"id\":\"I\"}",
			      .result = "{\"id\":\"I\",\"app\":\"web\",\"time\":\"2026-11-27T16:29:"
					"57.000Z\","
					"\"cause\":\"oom\",\"sentence\":\"Killed.\",\"advice\":"
					"\"Raise it.\","
					"\"decision\":{\"text\":\"restarts in 1s\"},"
					"\"victim\":{\"pid\":12,\"comm\":\"py\\u001bthon\","
					"\"command_line\":null},\"uptime_usec\":61000000,"
					"\"limits\":{\"memory_max\":201326592},"
					"\"memory\":{\"before\":{\"current\":201326592},\"peak\":"
					"201326592},"
					"\"log\":{\"lines\":[\"x\\ny\"]}}" }),
		     WORDS("incident", "I"));

	expect_told(&told, 0,
		    "web: oom\n"
		    "  incident   I\n"
		    "  what       Killed.\n"
		    "  decision   restarts in 1s\n"
		    "  advice     Raise it.\n"
		    "  when       2026-11-27T16:29:57.000Z (3s ago), 1min 1s after the start\n"
		    "  process    py\\x1bthon, pid 12\n"
		    "  memory     192M before, peak 192M, limit 192M\n"
		    "  log        the last lines\n"
		    "    | x\\ny\n",
		    "");
}

#define GATHERED                                                                                \
	"{\"id\":\"I\",\"app\":\"web\",\"time\":\"2026-11-27T16:29:57Z\",\"cause\":\"oom\","    \
	"\"sentence\":\"Killed x (pid 12, 3 inside).\",\"level\":\"app\","                      \
	"\"victim\":{\"pid\":12,\"pid_inside\":3,\"comm\":\"a*b\",\"command_line\":null},"      \
	"\"limits\":{\"memory_max\":4194304},\"memory\":{\"words\":[\"anon grew\"]},"           \
	"\"steps\":[{\"time\":\"T\",\"step\":\"reclaim\",\"reading\":\"r\",\"result\":\"s\"}]," \
	"\"history\":{\"time_msec\":[0,60000],\"memory_current\":[2097152,4194304]},"           \
	"\"stacks\":{\"processes\":[{\"pid\":12,\"pid_inside\":3,\"threads\":[{\"tid\":14,"     \
	"\"allocating\":true,\"frames\":[{\"function\":\"load\",\"file\":\"/a/b/"               \
	"c.py\",\"line\":88}]"                                                                  \
	"}]}]},\"kernel\":[\"killed 12\"],\"log\":{\"lines\":[\"@all `x`\"]}}"

Test(ctl_events, an_incident_is_a_picture_and_a_stack)
{
	_cleanup_told_ struct told told = tell_as(&(struct looks){ .ascii = true },
						  SCRIPT({ .method = "incident.get",
							   .params = "{\"id\":\"I\"}",
							   .result = GATHERED }),
						  WORDS("incident", "show", "I"));

	expect_told(
		&told, 0,
		"web: oom\n"
		"  incident   I\n"
		"  what       Killed x (pid 12, 3 inside).\n"
		"  when       2026-11-27T16:29:57Z (3s ago)\n"
		"  process    a*b, pid 12, inside 3\n"
		"  level      the app's own limit was hit\n"
		"  memory     limit 4M\n"
		"             anon grew\n"
		"  before     T reclaim at r: s\n"
		"  picture    memory, up to its limit\n"
		"     4.0M|                                                           #\n"
		"         |                                                           #\n"
		"     2.0M|                                                           #\n"
		"         |############################################################\n"
		"         |############################################################\n"
		"        0|############################################################\n"
		"          1min before                                          the end\n"
		"  stack      process 12, thread 14, which allocates memory, innermost call first\n"
		"    | /a/b/c.py:88 in load()\n"
		"  kernel     the last lines\n"
		"    | killed 12\n"
		"  log        the last lines\n"
		"    | @all `x`\n",
		"");
}

Test(ctl_events, an_incident_is_a_ticket_for_the_customer)
{
	_cleanup_told_ struct told told =
		tell_as(&(struct looks){ .ascii = true },
			SCRIPT({ .method = "incident.get",
				 .params = "{\"id\":\"I\"}",
				 .result = GATHERED }),
			WORDS("incident", "I", "--markdown", "--customer"));

	expect_told(&told, 0,
		    "## web: oom\n\n"
		    "- **incident:** I\n"
		    "- **what:** Killed x (pid 3).\n"
		    "- **when:** 2026-11-27T16:29:57Z\n"
		    "- **process:** a\\*b, pid 3\n"
		    "- **level:** the app's own limit was hit\n"
		    "- **memory:** limit 4M\n"
		    "- **memory:** anon grew\n"
		    "- **before:** T reclaim at r: s\n"
		    "\nMemory:\n\n"
		    "       4.0M|                                                           #\n"
		    "           |                                                           #\n"
		    "       2.0M|                                                           #\n"
		    "           |############################################################\n"
		    "           |############################################################\n"
		    "          0|############################################################\n"
		    "            1min before                                          the end\n"
		    "\nStack: process 3, thread 1, which allocates memory, innermost call first\n\n"
		    "    .../b/c.py:88 in load()\n"
		    "\nlog:\n\n"
		    "    @all `x`\n",
		    "");
}

Test(ctl_events, an_incident_is_json_without_what_is_the_hosts)
{
	_cleanup_told_ struct told told = tell(SCRIPT({ .method = "incident.get",
							.params = "{\"id\":\"I\"}",
							.result = GATHERED }),
					       WORDS("incident", "I", "--json", "--customer"));

	cr_expect_eq(told.code, 0);
	cr_expect_null(strstr(told.out, "12"), "%s", told.out);
	cr_expect_not_null(strstr(told.out, "\"kernel\":[]"), "%s", told.out);
}

/* --- plans, tenants, the daemon --------------------------------------------------------------- */

Test(ctl_events, plans_and_tenants_are_tables)
{
	_cleanup_told_ struct told plans = tell(
		SCRIPT({ .method = "plan.list",
			 .params = "{}",
			 .result =
				 "{\"plans\":[{\"name\":\"basic\",\"limits\":{\"memory\":268435456,"
				 "\"cpu\":\"50%\",\"pids\":64},\"apps\":10,"
				 "\"syscalls\":[\"python-web\",\"strict\"]}]}" }),
		WORDS("plan", "list"));
	_cleanup_told_ struct told tenants =
		tell(SCRIPT({ .method = "tenant.list",
			      .params = "{}",
			      .result = "{\"tenants\":[{\"name\":\"acme\",\"plan\":\"basic\","
					"\"limits\":{\"memory\":\"1G\"},\"users\":[\"acme\"]}]}" }),
		     WORDS("tenant", "list"));

	expect_told(&plans, 0,
		    "NAME   MEMORY  CPU  PIDS  APPS  SYSCALLS\n"
		    "basic    256M  50%    64    10  python-web, strict\n",
		    "");
	expect_told(&tenants, 0,
		    "NAME  PLAN   MEMORY  CPU  PIDS  USERS\n"
		    "acme  basic      1G    -     -  acme\n",
		    "");
}

Test(ctl_events, plans_and_tenants_are_applied_and_removed)
{
	static const struct {
		const char *noun, *apply, *params, *remove;
	} rows[] = {
		{ "plan", "plan.apply", "{\"plan\":{\"name\":\"x\"}}", "plan.remove" },
		{ "tenant", "tenant.apply", "{\"tenant\":{\"name\":\"x\"}}", "tenant.remove" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct looks looks = { .input = "{\"name\":\"x\"}" };
		_cleanup_told_ struct told applied = tell_as(&looks,
							     SCRIPT({ .method = rows[i].apply,
								      .params = rows[i].params,
								      .result = "{}" }),
							     WORDS(rows[i].noun, "apply", "-"));
		_cleanup_told_ struct told removed = tell(SCRIPT({ .method = rows[i].remove,
								   .params = "{\"name\":\"x\"}",
								   .result = "{}" }),
							  WORDS(rows[i].noun, "remove", "x"));

		expect_told(&applied, 0, "x: applied\n", "");
		expect_told(&removed, 0, "x: removed\n", "");
	}
}

Test(ctl_events, plans_and_tenants_are_printed_as_objects)
{
	_cleanup_told_ struct told plan = tell(SCRIPT({ .method = "plan.get",
							.params = "{\"name\":\"x\"}",
							.result = "{\"name\":\"x\","
								  "\"source\":\"file\"}" }),
					       WORDS("plan", "get", "x"));
	_cleanup_told_ struct told tenant = tell(SCRIPT({ .method = "tenant.get",
							  .params = "{\"name\":\"x\"}",
							  .result = "{\"name\":\"x\"}" }),
						 WORDS("tenant", "get", "x"));

	expect_told(&plan, 0, "{\"name\":\"x\"}\n", "");
	expect_told(&tenant, 0, "{\"name\":\"x\"}\n", "");
}

Test(ctl_events, reload_tells_what_differed)
{
	_cleanup_told_ struct told told = tell(
		SCRIPT({ .method = "daemon.reload",
			 .params = "{}",
			 .result = "{\"added\":[\"a\"],\"changed\":[\"b\",\"c\"],\"removed\":[],"
				   "\"unchanged\":4}" }),
		WORDS("reload"));

	expect_told(&told, 0, "a: added\nb: changed\nc: changed\nunchanged: 4\n", "");
}

Test(ctl_events, daemon_is_told_about)
{
	_cleanup_told_ struct told told = tell(
		SCRIPT({ .method = "daemon.info",
			 .params = "{}",
			 .result = "{\"version\":\"0.1.0\",\"pid\":77,"
				   "\"started\":\"2026-11-27T16:29:57.000Z\",\"apps\":3,"
				   "\"states\":{\"running\":2,\"failed\":1,\"stopped\":0},"
				   "\"kernel\":\"6.1.0\",\"systemd\":252,\"log_level\":\"info\","
				   "\"clients\":1}" }),
		WORDS("daemon"));

	expect_told(&told, 0,
		    "pysbxd 0.1.0: pid 77, for 3s\n"
		    "  apps       3, 2 running, 1 failed\n"
		    "  kernel     6.1.0\n"
		    "  systemd    252\n"
		    "  log level  info\n"
		    "  clients    1\n",
		    "");
}

Test(ctl_events, log_level_is_set)
{
	_cleanup_told_ struct told told = tell(SCRIPT({ .method = "daemon.log_level",
							.params = "{\"level\":\"debug\"}",
							.result = "{\"level\":\"debug\"}" }),
					       WORDS("daemon", "--log-level", "debug"));

	expect_told(&told, 0, "log level: debug\n", "");
}

Test(ctl_events, rpc_calls_anything)
{
	_cleanup_told_ struct told words =
		tell(SCRIPT({ .method = "any.thing", .params = "{\"a\":1}", .result = "[1,null]" }),
		     WORDS("rpc", "any.thing", "{\"a\":1}"));
	_cleanup_told_ struct told input = tell_as(
		&(struct looks){ .input = "{\"b\":2}" },
		SCRIPT({ .method = "any.thing", .params = "{\"b\":2}", .result = "\"\\u001b\"" }),
		WORDS("rpc", "any.thing", "-"));

	expect_told(&words, 0, "[1,null]\n", "");
	expect_told(&input, 0, "\"\\u001B\"\n", "");
}
