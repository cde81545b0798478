/* SPDX-License-Identifier: MIT */
/* Commands about apps, against a daemon that follows a script. */
#include "tests/supervisor/ctl_fixture.h"

static void expect_told(const struct told *told, int code, const char *out, const char *errors)
{
	cr_expect_eq(told->code, code, "%d", told->code);
	cr_expect_str_eq(told->out, out);
	cr_expect_str_eq(told->errors, errors);
}

/* --- apply and get ---------------------------------------------------------------------------- */

Test(ctl_apps, applies_one_app_from_the_input)
{
	_cleanup_told_ struct told told =
		tell_as(&(struct looks){ .input = "{\"name\": \"web\"}" },
			SCRIPT({ .method = "app.apply",
				 .params = "{\"app\":{\"name\":\"web\"}}",
				 .result = "{\"name\":\"web\",\"created\":true,\"changed\":[],"
					   "\"restart\":false,"
					   "\"state\":\"starting\"}" }),
			WORDS("apply", "-"));

	expect_told(&told, 0, "web: created\n", "");
}

Test(ctl_apps, applies_an_array_and_goes_on_behind_a_wrong_one)
{
	_cleanup_told_ struct told told = tell_as(
		&(struct looks){ .input = "[{\"name\":\"a\"},{\"nam\":\"b\"},{\"name\":\"c\"}]" },
		SCRIPT({ .method = "app.apply",
			 .params = "{\"app\":{\"name\":\"a\"}}",
			 .result = "{\"name\":\"a\",\"created\":false,\"changed\":[]}" },
		       { .method = "app.apply",
			 .params = "{\"app\":{\"nam\":\"b\"}}",
			 .error = "{\"code\":-32602,\"message\":\"nam: did you mean name?\","
				  "\"data\":{\"code\":\"invalid\",\"path\":\"nam\"}}" },
		       { .method = "app.apply",
			 .params = "{\"app\":{\"name\":\"c\"}}",
			 .result = "{\"name\":\"c\",\"created\":false,\"restart\":true,"
				   "\"changed\":[\"limits.memory\",\"command\"]}" }),
		WORDS("apply", "-"));

	expect_told(&told, 1, "a: unchanged\nc: changed: limits.memory, command; restarted\n",
		    "pysbx: -: [1]: nam: did you mean name?\n");
}

Test(ctl_apps, only_asks_with_dry_run)
{
	_cleanup_told_ struct told told =
		tell_as(&(struct looks){ .input = "[{\"name\":\"a\"},{\"name\":\"b\"}]" },
			SCRIPT({ .method = "app.apply",
				 .params = "{\"app\":{\"name\":\"a\"},\"dry_run\":true}",
				 .result = "{\"name\":\"a\",\"created\":true,\"changed\":[]}" },
			       { .method = "app.apply",
				 .params = "{\"app\":{\"name\":\"b\"},\"dry_run\":true}",
				 .result = "{\"name\":\"b\",\"created\":false,\"restart\":true,"
					   "\"changed\":[\"user\"]}" }),
			WORDS("apply", "--dry-run", "-"));

	expect_told(&told, 0, "a: would be created\nb: would change: user; would restart\n", "");
}

Test(ctl_apps, names_the_place_where_a_file_is_no_json)
{
	_cleanup_told_ struct told told =
		tell_as(&(struct looks){ .input = "{\"name\":\n\"a\",\"name\":\"b\"}" }, NULL,
			WORDS("apply", "-", "/nowhere/web.json"));

	expect_told(
		&told, 1, "",
		"pysbx: standard input:2:10: is not JSON: duplicate object key near '\"name\"'\n"
		"pysbx: /nowhere/web.json: open: No such file or directory\n");
}

static const char app_of_get[] = "{\"name\":\"web\",\"tenant\":\"acme\",\"state\":\"running\","
				 "\"spec\":{\"name\":\"web\",\"command\":[\"gunicorn\"]}}";

Test(ctl_apps, get_prints_what_can_be_applied)
{
	_cleanup_told_ struct told told = tell(SCRIPT({ .method = "app.get",
							.params = "{\"name\":\"web\"}",
							.result = app_of_get }),
					       WORDS("get", "web"));

	expect_told(&told, 0, "{\"name\":\"web\",\"command\":[\"gunicorn\"]}\n", "");
}

Test(ctl_apps, get_of_an_app_whose_declaration_is_gone_fails)
{
	_cleanup_told_ struct told told =
		tell(SCRIPT({ .method = "app.get",
			      .params = "{\"name\":\"web\"}",
			      .result = "{\"name\":\"web\",\"spec\":null,\"effective\":{}}" }),
		     WORDS("get", "web"));

	expect_told(&told, 1, "",
		    "pysbx: app web has no declaration that can be read: --json shows what is in "
		    "force\n");
}

Test(ctl_apps, json_is_the_answer_itself)
{
	char line[sizeof(app_of_get) + 1];
	_cleanup_told_ struct told told = tell(SCRIPT({ .method = "app.get",
							.params = "{\"name\":\"web\"}",
							.result = app_of_get }),
					       WORDS("get", "--json", "web"));

	snprintf(line, sizeof(line), "%s\n", app_of_get);
	expect_told(&told, 0, line, "");
}

Test(ctl_apps, json_is_indented_on_a_terminal)
{
	_cleanup_told_ struct told told = tell_as(
		&(struct looks){ .columns = 80 },
		SCRIPT({ .method = "daemon.info", .params = "{}", .result = "{\"pid\":1}" }),
		WORDS("daemon", "--json"));

	expect_told(&told, 0, "{\n  \"pid\": 1\n}\n", "");
}

/* --- list and status -------------------------------------------------------------------------- */

static const char two_apps[] =
	"{\"apps\":[{\"name\":\"web\",\"tenant\":\"acme\",\"state\":\"running\",\"pid\":4123,"
	"\"restarts\":0,\"since\":\"2026-11-27T14:29:00.123Z\",\"last_cause\":null},"
	"{\"name\":\"api\\u001b[2J\",\"tenant\":null,\"state\":\"failed\",\"pid\":null,"
	"\"restarts\":5,\"since\":\"2026-11-27T16:29:57.000Z\",\"last_cause\":\"oom\"}]}";

Test(ctl_apps, lists_apps_as_a_table)
{
	_cleanup_told_ struct told told =
		tell(SCRIPT({ .method = "app.list", .params = "{}", .result = two_apps }),
		     WORDS("list"));

	expect_told(&told, 0,
		    "NAME        TENANT  STATE     PID  RESTARTS    SINCE  LAST\n"
		    "web         acme    running  4123         0  2h 1min  -\n"
		    "api\\x1b[2J  -       failed      -         5       3s  oom\n",
		    "");
}

Test(ctl_apps, lists_apps_that_are_not_well_as_such)
{
	_cleanup_told_ struct told told =
		tell(SCRIPT({ .method = "app.list",
			      .params = "{}",
			      .result = "{\"apps\":[{\"name\":\"a\",\"state\":\"running\","
					"\"health\":\"unhealthy\"},{\"name\":\"b\",\"state\":"
					"\"running\",\"health\":\"healthy\"},{\"name\":\"c\","
					"\"state\":\"suspended\",\"health\":\"failing\"}]}" }),
		     WORDS("list"));

	expect_told(&told, 0,
		    "NAME  TENANT  STATE                PID  RESTARTS  SINCE  LAST\n"
		    "a     -       running (unhealthy)    -         -      -  -\n"
		    "b     -       running                -         -      -  -\n"
		    "c     -       suspended              -         -      -  -\n",
		    "");
}

Test(ctl_apps, lists_apps_in_colour_and_within_the_terminal)
{
	_cleanup_told_ struct told told =
		tell_as(&(struct looks){ .columns = 54, .colour = true },
			SCRIPT({ .method = "app.list",
				 .params = "{\"tenant\":\"acme\",\"state\":\"failed\"}",
				 .result = two_apps }),
			WORDS("list", "--tenant=acme", "--state", "failed"));

	expect_told(&told, 0,
		    "NAME      TENANT  STATE     PID  RESTARTS    SINCE  LAST\n"
		    "web       acme    \033[32mrunning\033[0m  4123         0  2h 1min  -\n"
		    "api...    -       \033[31mfailed\033[0m      -         5       3s  oom\n",
		    "");
}

static const char status_app[] =
	"{\"name\":\"web\",\"tenant\":\"acme\",\"plan\":\"basic\",\"source\":\"socket\","
	"\"state\":\"running\",\"enabled\":true,\"pid\":4123,\"uid\":1001,"
	"\"since\":\"2026-11-27T14:29:00.123Z\",\"restarts\":2,"
	"\"last\":{\"cause\":\"oom\",\"sentence\":\"The kernel killed it.\","
	"\"incident\":\"20261127T142858Z-web-0-00000001\",\"time\":\"2026-11-27T14:28:58.000Z\"},"
	"\"health\":{\"state\":\"unhealthy\",\"since\":\"2026-11-27T16:29:48.000Z\","
	"\"failures\":4,\"last\":\"no answer within 2s\",\"why\":\"it is busy\"},"
	"\"denials\":{\"told\":2,\"untold\":40,\"permitted\":true},"
	"\"walls\":[{\"name\":\"root\",\"state\":\"up\",\"detail\":\"its own\"},"
	"{\"name\":\"landlock\",\"state\":\"down\",\"detail\":\"Landlock is not in this kernel\"},"
	"{\"name\":\"seccomp\",\"state\":\"up\",\"detail\":\"profile python-web\"},"
	"{\"name\":\"identity\",\"state\":\"unknown\",\"detail\":\"it can't be read\"}],"
	"\"spec\":{},\"effective\":{\"name\":\"web\",\"command\":[\"gunicorn\",\"app:app\"],"
	"\"limits\":{\"memory\":\"192M\",\"cpu\":\"100%\"}}}";
static const char status_stats[] =
	"{\"memory\":{\"current\":126877696,\"peak\":157286400,\"max\":201326592},"
	"\"cpu\":{\"usage_usec\":61500000,\"throttled_usec\":2500000},"
	"\"pids\":{\"current\":5,\"max\":64}}";
static const char status_logs[] = "{\"lines\":[{\"stream\":\"stderr\",\"text\":\"Booting\"},"
				  "{\"stream\":\"stderr\",\"text\":\"\\u001b[31mred\"}]}";

Test(ctl_apps, status_tells_how_an_app_is)
{
	_cleanup_told_ struct told told = tell(SCRIPT({ .method = "app.get",
							.params = "{\"name\":\"web\"}",
							.result = status_app },
						      { .method = "app.stats",
							.params = "{\"name\":\"web\"}",
							.result = status_stats },
						      { .method = "app.logs",
							.params = "{\"name\":\"web\",\"lines\":5}",
							.result = status_logs }),
					       WORDS("status", "web"));

	expect_told(
		&told, 0,
		"web: running for 2h 1min, pid 4123, uid 1001, 2 restarts\n"
		"  of         tenant acme, plan basic\n"
		"  command    gunicorn app:app\n"
		"  memory     121M of 192M (63 %), peak 150M\n"
		"  cpu        1min 1s used, limit 100%, throttled for 2s 500ms\n"
		"  processes  5 of 64\n"
		"  health     unhealthy for 12s: no answer within 2s, 4 times in a row\n"
		"             it is busy\n"
		"  syscalls   refused calls are made and only logged, 42 refused, 2 of them told "
		"in its log\n"
		"  walls up   root, seccomp\n"
		"  down       landlock: Landlock is not in this kernel\n"
		"  unknown    identity: it can't be read\n"
		"  last end   oom, 2h 1min ago: The kernel killed it.\n"
		"  incident   20261127T142858Z-web-0-00000001\n"
		"    | Booting\n"
		"    | \\x1b[31mred\n",
		"");
}

Test(ctl_apps, status_of_a_stopped_app_has_no_figures)
{
	_cleanup_told_ struct told told =
		tell(SCRIPT({ .method = "app.list",
			      .params = "{}",
			      .result = "{\"apps\":[{\"name\":\"web\"}]}" },
			    { .method = "app.get",
			      .params = "{\"name\":\"web\"}",
			      .result = "{\"name\":\"web\",\"state\":\"stopped\",\"enabled\":false,"
					"\"pid\":null,\"last\":null,\"spec\":{}}" },
			    { .method = "app.stats",
			      .params = "{\"name\":\"web\"}",
			      .error = "{\"code\":-32011,\"message\":\"web is not running\","
				       "\"data\":{\"code\":\"conflict\"}}" }),
		     WORDS("status", "-n0"));

	expect_told(&told, 0, "web: stopped, not started at boot\n", "");
}

Test(ctl_apps, status_as_json_holds_all_three_answers)
{
	_cleanup_told_ struct told told =
		tell(SCRIPT({ .method = "app.get", .params = "{\"name\":\"a\"}", .result = "{}" },
			    { .method = "app.stats",
			      .params = "{\"name\":\"a\"}",
			      .error = "{\"code\":-32011,\"message\":\"no\","
				       "\"data\":{\"code\":\"conflict\"}}" },
			    { .method = "app.logs",
			      .params = "{\"name\":\"a\",\"lines\":1}",
			      .result = "{\"lines\":[]}" }),
		     WORDS("status", "a", "--json", "--lines=1"));

	expect_told(&told, 0, "{\"app\":{},\"stats\":null,\"logs\":{\"lines\":[]}}\n", "");
}

/* --- done to them ----------------------------------------------------------------------------- */

Test(ctl_apps, each_verb_calls_its_method_and_tells_the_state)
{
	static const struct {
		const char *verb, *method, *result, *out;
	} rows[] = {
		{ "start", "app.start", "{\"name\":\"web\",\"state\":\"running\"}",
		  "web: running\n" },
		{ "stop", "app.stop", "{\"name\":\"web\",\"state\":\"stopped\"}",
		  "web: stopped\n" },
		{ "restart", "app.restart", "{\"name\":\"web\",\"state\":\"running\"}",
		  "web: running\n" },
		{ "suspend", "app.suspend", "{\"name\":\"web\",\"state\":\"suspended\"}",
		  "web: suspended\n" },
		{ "resume", "app.resume", "{}", "web: resumed\n" },
		{ "remove", "app.remove", "{\"name\":\"web\"}", "web: removed\n" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_told_ struct told told = tell(SCRIPT({ .method = rows[i].method,
								.params = "{\"name\":\"web\"}",
								.result = rows[i].result }),
						       WORDS(rows[i].verb, "web"));

		expect_told(&told, 0, rows[i].out, "");
	}
}

Test(ctl_apps, goes_on_with_the_next_name_and_keeps_the_first_failure)
{
	_cleanup_told_ struct told told =
		tell(SCRIPT({ .method = "app.stop",
			      .params = "{\"name\":\"a\"}",
			      .error = "{\"code\":-32003,\"message\":\"no app a\","
				       "\"data\":{\"code\":\"not-found\"}}" },
			    { .method = "app.stop",
			      .params = "{\"name\":\"b\"}",
			      .error = "{\"code\":-32013,\"message\":\"b does not end\","
				       "\"data\":{\"code\":\"failed\"}}" },
			    { .method = "app.stop", .params = "{\"name\":\"c\"}", .result = "{}" }),
		     WORDS("stop", "a", "b", "c"));

	expect_told(&told, 5, "c: stopped\n", "pysbx: no app a\npysbx: b does not end\n");
}

Test(ctl_apps, all_are_those_of_the_list)
{
	_cleanup_told_ struct told told = tell(
		SCRIPT({ .method = "app.list", .params = "{}", .result = two_apps },
		       { .method = "app.stop", .params = "{\"name\":\"web\"}", .result = "{}" },
		       { .method = "app.stop",
			 .params = "{\"name\":\"api\\u001b[2J\"}",
			 .result = "{}" }),
		WORDS("stop", "--all"));

	expect_told(&told, 0, "web: stopped\napi\\x1b[2J: stopped\n", "");
}

Test(ctl_apps, set_sends_limits_as_json)
{
	_cleanup_told_ struct told told =
		tell(SCRIPT({ .method = "app.set_limits",
			      .params = "{\"name\":\"web\",\"limits\":{\"memory\":\"1G\",\"pids\":"
					"\"max\"},"
					"\"force\":true}",
			      .result = "{\"name\":\"web\",\"changed\":[\"limits.memory\"]}" }),
		     WORDS("set", "web", "memory=1G", "pids=max", "--force"));

	expect_told(&told, 0, "web: changed: limits.memory\n", "");
}

Test(ctl_apps, signal_is_silent)
{
	_cleanup_told_ struct told told =
		tell(SCRIPT({ .method = "app.signal",
			      .params = "{\"name\":\"web\",\"signal\":\"HUP\"}",
			      .result = "{\"name\":\"web\"}" }),
		     WORDS("signal", "web", "HUP"));

	expect_told(&told, 0, "", "");
}

Test(ctl_apps, wait_sends_all_states)
{
	_cleanup_told_ struct told told =
		tell(SCRIPT({ .method = "app.wait",
			      .params = "{\"name\":\"web\",\"states\":[\"running\",\"failed\"],"
					"\"timeout\":\"5s\"}",
			      .result = "{\"name\":\"web\",\"state\":\"failed\"}" }),
		     WORDS("wait", "web", "running", "failed", "--timeout", "5s"));

	expect_told(&told, 0, "web: failed\n", "");
}

Test(ctl_apps, wait_has_an_end)
{
	_cleanup_told_ struct told told = tell(
		SCRIPT({ .method = "app.wait",
			 .params =
				 "{\"name\":\"web\",\"states\":[\"stopped\"],\"timeout\":\"30s\"}",
			 .error = "{\"code\":-32013,\"message\":\"app web is still running\","
				  "\"data\":{\"code\":\"failed\"}}" }),
		WORDS("wait", "web", "stopped"));

	expect_told(&told, 1, "", "pysbx: app web is still running\n");
}

Test(ctl_apps, force_is_passed_on)
{
	_cleanup_told_ struct told stopped =
		tell(SCRIPT({ .method = "app.stop",
			      .params = "{\"name\":\"web\",\"force\":true}",
			      .result = "{\"name\":\"web\",\"state\":\"stopped\"}" }),
		     WORDS("stop", "--force", "web"));
	_cleanup_told_ struct told applied = tell_as(
		&(struct looks){ .input = "{\"name\":\"web\"}" },
		SCRIPT({ .method = "app.apply",
			 .params = "{\"app\":{\"name\":\"web\"},\"force\":true,\"dry_run\":true}",
			 .result = "{\"name\":\"web\",\"changed\":[]}" }),
		WORDS("apply", "-", "--force", "--dry-run"));

	expect_told(&stopped, 0, "web: stopped\n", "");
	expect_told(&applied, 0, "web: unchanged\n", "");
}

Test(ctl_apps, pid_zero_and_times_in_seconds_are_understood)
{
	_cleanup_told_ struct told told =
		tell(SCRIPT({ .method = "app.list",
			      .params = "{}",
			      .result = "{\"apps\":[{\"name\":\"web\",\"tenant\":null,\"state\":"
					"\"stopped\","
					"\"pid\":0,\"restarts\":0,\"since\":1795796995.25,"
					"\"last_cause\":\"exit\"}]}" }),
		     WORDS("list"));

	expect_told(&told, 0,
		    "NAME  TENANT  STATE    PID  RESTARTS  SINCE  LAST\n"
		    "web   -       stopped    -         0     5s  exit\n",
		    "");
}

#define STOP_MANY 100 /* more than are under way together */

Test(ctl_apps, many_are_stopped_together_and_told_in_order)
{
	static struct exchange script[STOP_MANY + 2];
	static char params[STOP_MANY][64];
	char *expected = NULL, *list = NULL;
	size_t expected_size, list_size;
	FILE *told_text = open_memstream(&expected, &expected_size);
	FILE *list_text = open_memstream(&list, &list_size);

	for (unsigned i = 0; i < STOP_MANY; i++) {
		fprintf(list_text, "%s{\"name\":\"app-%u\"}", i > 0 ? "," : "{\"apps\":[", i);
		fprintf(told_text, "app-%u: stopped\n", i);
		snprintf(params[i], sizeof(params[i]), "{\"name\":\"app-%u\"}", i);
		script[i + 1] = (struct exchange){ .method = "app.stop",
						   .params = params[i],
						   .result = "{\"state\":\"stopped\"}" };
	}
	fputs("]}", list_text);
	fclose(list_text);
	fclose(told_text);
	script[0] = (struct exchange){ .method = "app.list", .params = "{}", .result = list };
	{
		_cleanup_told_ struct told told = tell(script, WORDS("stop", "--all"));

		expect_told(&told, 0, expected, "");
	}
	free(expected);
	free(list);
}
