/* SPDX-License-Identifier: MIT */
#include "supervisor/incident_hook.h"

#include "policy/own.h"
#include "supervisor/identity.h"
#include "supervisor/incident_hook.h"
#include "supervisor/output.h"
#include "tests/supervisor/tree.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(incident_hook, .init = tree_make, .fini = tree_remove, .timeout = 30);

#define JSON "{\"id\":\"20261123T174103Z-web-0-8c3f2a90\"}"

static sd_event *event;
static struct output said;
static struct log test_log;
static int said_pipe[2];

static const struct log_subject subject = { .app = "web",
					    .incident = "20261123T174103Z-web-0-8c3f2a90" };

/* What it writes into the tree must be its own to write. */
static struct incident_hook *make_hook(const char *script)
{
	struct strings command _cleanup_strings_ = { 0 };
	struct incident_hook *hook = NULL;
	struct error err = { 0 };

	if (geteuid() != 0)
		cr_skip("needs root, whose privileges are taken away");
	cr_assert_eq(chmod(tree, 0777), 0);
	cr_assert_geq(sd_event_new(&event), 0);
	cr_assert_eq(pipe2(said_pipe, O_CLOEXEC | O_NONBLOCK), 0);
	cr_assert_eq(output_open(&said, said_pipe[1], &err), 0, "%s", err.text);
	test_log = (struct log){ .output = &said, .threshold = LOG_LEVEL_INFO };
	cr_assert_eq(incident_hook_new(event, &test_log, &hook, &err), 0, "%s", err.text);
	cr_assert_eq(strings_append(&command, "/bin/sh", &err), 0);
	cr_assert_eq(strings_append(&command, "-c", &err), 0);
	cr_assert_eq(strings_append(&command, script, &err), 0);
	cr_assert_eq(strings_append(&command, tree, &err), 0);
	cr_assert_eq(incident_hook_configure(hook, &command, NULL, &err), 0, "%s", err.text);
	return hook;
}

static void end(struct incident_hook *hook)
{
	incident_hook_free(hook);
	output_close(&said);
	close(said_pipe[0]);
	close(said_pipe[1]);
	sd_event_unref(event);
}

static const char *content(const char *name)
{
	static char text[8192];
	_cleanup_close_ int fd = open(tree_path(name), O_RDONLY | O_CLOEXEC);
	ssize_t length = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;

	text[length > 0 ? length : 0] = '\0';
	return text;
}

static const char *what_was_said(void)
{
	static char text[8192];
	ssize_t length = read(said_pipe[0], text, sizeof(text) - 1);

	text[length > 0 ? length : 0] = '\0';
	return text;
}

Test(incident_hook, hears_the_incident_on_its_input)
{
	struct incident_hook *hook =
		make_hook("cat >$0/input; env | sort >$0/environment; pwd >$0/directory");

	incident_hook_run(hook, &subject, JSON);
	incident_hook_finish(hook);
	cr_expect_str_eq(content("input"), JSON);
	cr_expect_not_null(
		strstr(content("environment"), "PYSBX_INCIDENT=20261123T174103Z-web-0-8c3f2a90\n"));
	cr_expect_not_null(strstr(content("environment"), "PYSBX_APP=web\n"));
	cr_expect_null(strstr(content("environment"), "USER="), "nothing of ours");
	cr_expect_str_eq(content("directory"), "/\n");
	cr_expect_str_eq(what_was_said(), "");
	end(hook);
}

Test(incident_hook, has_no_privilege)
{
	struct incident_hook *hook = make_hook(
		"grep -E '^(Uid|Gid|Groups|Cap...|NoNewPrivs|SigBlk|SigIgn):' /proc/self/status | "
		"tr -s '\\t ' ' ' >$0/status; ls /proc/self/fd >$0/fds; cat "
		"/proc/self/oom_score_adj "
		">$0/oom; ulimit -n >$0/files");
	char expected[512];
	_cleanup_close_ int open_here = open("/etc/passwd", O_RDONLY); /* without close-on-exec */

	(void)signal(SIGPIPE, SIG_IGN);
	incident_hook_run(hook, &subject, JSON);
	incident_hook_finish(hook);
	snprintf(expected, sizeof(expected),
		 "Uid: %u %u %u %u\nGid: %u %u %u %u\nGroups: \nSigBlk: 0000000000000000\n"
		 "SigIgn: 0000000000000000\nCapInh: 0000000000000000\nCapPrm: 0000000000000000\n"
		 "CapEff: 0000000000000000\nCapBnd: 0000000000000000\nCapAmb: 0000000000000000\n"
		 "NoNewPrivs: 1\n",
		 IDENTITY_HOOK_UID, IDENTITY_HOOK_UID, IDENTITY_HOOK_UID, IDENTITY_HOOK_UID,
		 IDENTITY_HOOK_UID, IDENTITY_HOOK_UID, IDENTITY_HOOK_UID, IDENTITY_HOOK_UID);
	cr_expect_str_eq(content("status"), expected, "%s", content("status"));
	/* 3 is the directory that ls reads */
	cr_expect_str_eq(content("fds"), "0\n1\n2\n3\n");
	cr_expect_str_eq(content("oom"), "0\n");
	cr_expect_str_eq(content("files"), "256\n");
	end(hook);
}

Test(incident_hook, what_goes_wrong_is_told)
{
	struct incident_hook *hook = make_hook("echo no queue; echo more >&2; exit 3");
	struct strings missing _cleanup_strings_ = { 0 };
	const char *words;
	struct error err;

	incident_hook_run(hook, &subject, JSON);
	incident_hook_finish(hook);
	words = what_was_said();
	cr_expect_not_null(strstr(words, "web: on_incident: /bin/sh: exit code 3: no queue\n"),
			   "%s", words);
	cr_assert_eq(strings_append(&missing, "/nowhere", &err), 0);
	cr_assert_eq(incident_hook_configure(hook, &missing, NULL, &err), 0);
	incident_hook_run(hook, &subject, JSON);
	incident_hook_finish(hook);
	words = what_was_said();
	cr_expect_not_null(strstr(words, "on_incident: /nowhere: can't be run: is it there"), "%s",
			   words);
	end(hook);
}

Test(incident_hook, has_a_deadline_and_leaves_nothing_behind)
{
	struct incident_hook *hook =
		make_hook("(setsid sleep 5; touch $0/late) & touch $0/begun; sleep 60");

	incident_hook_set_deadline(hook, 500000);
	incident_hook_run(hook, &subject, JSON);
	/* the loop's way */
	for (int i = 0; i < 100 && strstr(what_was_said(), "killed: not done") == NULL; i++)
		(void)sd_event_run(event, 100000);
	cr_expect_eq(access(tree_path("begun"), F_OK), 0);
	sleep(6);
	cr_expect_eq(access(tree_path("late"), F_OK), -1, "a process of it has outlived it");
	end(hook);
}

/* How often a word stands in a text. */
static size_t count_of(const char *text, const char *word)
{
	size_t count = 0;

	for (const char *at = strstr(text, word); at != NULL; at = strstr(at + 1, word))
		count++;
	return count;
}

static void run_of(struct incident_hook *hook, const char *tenant, const char *app, unsigned times)
{
	const struct log_subject whose = { .app = app, .tenant = tenant, .incident = "i" };

	for (unsigned i = 0; i < times; i++)
		incident_hook_run(hook, &whose, JSON);
}

Test(incident_hook, so_many_run_at_once_others_wait_and_the_rest_is_dropped)
{
	struct incident_hook *hook = make_hook("echo $PYSBX_APP >>$0/count; sleep 0.6");

	run_of(hook, NULL, "web", INCIDENT_HOOK_PARTY);
	run_of(hook, NULL, "api", INCIDENT_HOOK_RUNNING - INCIDENT_HOOK_PARTY);
	run_of(hook, NULL, "web", INCIDENT_HOOK_WAITING + 5);
	usleep(400000);
	cr_expect_eq(count_of(content("count"), "\n"), INCIDENT_HOOK_RUNNING);
	incident_hook_finish(hook);
	cr_expect_eq(count_of(content("count"), "web\n"),
		     INCIDENT_HOOK_PARTY + INCIDENT_HOOK_WAITING);
	cr_expect_eq(count_of(what_was_said(),
			      "web: on_incident: /bin/sh: not passed on: 32 incidents of this app "
			      "wait already\n"),
		     5);
	end(hook);
}

/* One crashes in a loop, by all of its apps; and then another one dies, once. */
Test(incident_hook, a_crash_loop_keeps_nobody_else_waiting)
{
	struct incident_hook *hook = make_hook("echo $PYSBX_APP >>$0/count; sleep 0.6");
	const char *words;

	run_of(hook, "loop", "a", 20);
	run_of(hook, "loop", "b", 30);
	run_of(hook, "other", "shop", 1);
	run_of(hook, NULL, "loop", 1); /* an app of that name is not that tenant */
	usleep(400000);
	cr_expect_eq(count_of(content("count"), "a\n"), INCIDENT_HOOK_PARTY);
	cr_expect_eq(count_of(content("count"), "shop\n"), 1);
	cr_expect_eq(count_of(content("count"), "loop\n"), 1);
	words = what_was_said();
	cr_expect_eq(count_of(words, "incidents of this tenant wait already\n"),
		     50 - INCIDENT_HOOK_PARTY - INCIDENT_HOOK_WAITING);
	cr_expect_eq(count_of(words, "incidents of this app"), 0);
	end(hook);
}

/* All places are taken by the one with most: its newest go, whoever comes. */
Test(incident_hook, a_crash_loop_loses_its_own_incidents)
{
	struct incident_hook *hook = make_hook("echo $PYSBX_APP >>$0/count; sleep 0.2");
	const char *words;

	run_of(hook, "loop", "early", INCIDENT_HOOK_PARTY + INCIDENT_HOOK_WAITING - 3);
	run_of(hook, "loop", "late", 3);
	run_of(hook, "other", "shop", INCIDENT_HOOK_PARTY + 3);
	words = what_was_said();
	cr_expect_eq(count_of(words, "late: on_incident: /bin/sh: not passed on"), 3, "%s", words);
	cr_expect_eq(count_of(words, "not passed on"), 3);
	incident_hook_finish(hook);
	cr_expect_eq(count_of(content("count"), "shop\n"), INCIDENT_HOOK_PARTY + 3);
	cr_expect_eq(count_of(content("count"), "late\n"), 0);
	end(hook);
}

Test(incident_hook, never_runs_as_root)
{
	static const char *const users[] = { "root", "0", "0:0", "nobody:0", "no-such-user" };
	struct incident_hook *hook = make_hook("id -u >$0/uid");
	struct error err;

	for (size_t i = 0; i < ARRAY_SIZE(users); i++)
		cr_expect_lt(incident_hook_configure(hook, NULL, users[i], &err), 0, "%s",
			     users[i]);
	/* and what was configured stays */
	incident_hook_run(hook, &subject, JSON);
	incident_hook_finish(hook);
	cr_expect_eq(strtoul(content("uid"), NULL, 10), IDENTITY_HOOK_UID);
	end(hook);
}

Test(incident_hook, runs_as_the_user_that_is_named)
{
	struct strings command _cleanup_strings_ = { 0 };
	struct incident_hook *hook = make_hook("");
	struct error err = { 0 };

	cr_assert_eq(strings_append(&command, "/bin/sh", &err), 0);
	cr_assert_eq(strings_append(&command, "-c", &err), 0);
	cr_assert_eq(strings_append(&command, "id -u >$0/uid", &err), 0);
	cr_assert_eq(strings_append(&command, tree, &err), 0);
	cr_assert_eq(incident_hook_configure(hook, &command, "nobody", &err), 0, "%s", err.text);
	incident_hook_run(hook, &subject, JSON);
	incident_hook_finish(hook);
	cr_expect_str_eq(content("uid"), "65534\n");
	end(hook);
}

Test(incident_hook, without_a_command_nothing_is_run)
{
	struct incident_hook *hook = make_hook("touch $0/ran");
	struct error err;

	cr_assert_eq(incident_hook_configure(hook, NULL, NULL, &err), 0);
	incident_hook_run(hook, &subject, JSON);
	incident_hook_finish(hook);
	cr_expect_eq(access(tree_path("ran"), F_OK), -1);
	end(hook);
}
