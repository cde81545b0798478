/* SPDX-License-Identifier: MIT */
/*
 * The daemon's socket on a real machine: apps of two tenants, what their users may do and may not,
 * and clients that behave as badly as they can.
 */
#include "tests/system/harness_hosting.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#define CONNECTS	  10000
#define CLIENTS_PER_UID	  16
#define LINE_TIMEOUT_MSEC 30000 /* CONTROL_LINE_TIMEOUT_USEC */
#define PROMPT_MSEC	  1000	/* daemon.info, whatever others do */
#define PROMPT_TRIES	  5	/* a machine may stand still for a moment, too */
#define QUIET_MSEC	  1000

TestSuite(socket, .timeout = TEST_TIMEOUT_SEC);

/* --- three apps, two tenants ------------------------------------------------------------------ */

static bool is_served(const struct bench *bench, int port)
{
	struct bench there = *bench;
	struct reply reply;

	there.port = port;
	http_get(&there, "/", &reply, REACTION_MSEC);
	return reply.status == 200 && strcmp(reply.body, "hello from wsgi\n") == 0;
}

/* "MAJOR:MINOR" of the disk that path is on; the guest's have partitions. */
static const char *disk_of(struct bench *bench, const char *path)
{
	_cleanup_free_ char *number = NULL;
	struct stat st;

	cr_assert_eq(stat(path, &st), 0);
	number = shell_output(
		"cd -P /sys/dev/block/%u:%u && { test ! -e partition || cd ..; } && cat dev",
		major(st.st_dev), minor(st.st_dev));
	return bench_format(bench, "%.*s", (int)strcspn(number, "\n"), number);
}

static void declare_three(struct hosting *hosting)
{
	json_t *blog = hosting_app(
		hosting, HOSTING_ACME, hosting->blog,
		WORDS("gunicorn", "-w", "1", "-b",
		      bench_format(&hosting->bench, "127.0.0.1:%d", hosting->bench.port),
		      "wsgi_app:app"));

	hosting_write_servers(hosting);
	json_object_set_new(blog, "limits",
			    json_pack("{s:s, s:s, s:i, s:{s:{s:s, s:i}}}", "memory", "100M", "cpu",
				      "80%", "pids", 40, "io", hosting->bench.apps, "rbps", "20M",
				      "wiops", 500));
	app_write_file(blog);
}

Test(socket, three_apps_of_two_tenants_start_from_files_within_their_limits)
{
	struct hosting hosting;

	hosting_open(&hosting, "three");
	declare_three(&hosting);
	daemon_start();
	for (int i = 0; i < HOSTING_APPS; i++)
		cr_assert(AWAIT(is_served(&hosting.bench, hosting.bench.port + i), START_MSEC),
			  "app %d does not answer", i);
	expect_limit(HOSTING_ACME, NULL, "memory.max", "268435456");
	expect_limit(HOSTING_ACME, NULL, "pids.max", "100");
	expect_limit(HOSTING_ACME, NULL, "cpu.max", "max 100000");
	expect_limit(HOSTING_BETA, NULL, "memory.max", "209715200");
	expect_limit(HOSTING_BETA, NULL, "cpu.max", "150000 100000");
	/* its own, tighter than the plan's */
	expect_limit(HOSTING_ACME, hosting.blog, "memory.max", "104857600");
	expect_limit(HOSTING_ACME, hosting.blog, "memory.swap.max", "0");
	expect_limit(HOSTING_ACME, hosting.blog, "cpu.max", "80000 100000");
	expect_limit(HOSTING_ACME, hosting.blog, "pids.max", "40");
	expect_limit(HOSTING_ACME, hosting.blog, "io.max",
		     bench_format(&hosting.bench, "%s rbps=20971520 wbps=max riops=max wiops=500",
				  disk_of(&hosting.bench, hosting.bench.apps)));
	/* the plan's, where the app says nothing */
	expect_limit(HOSTING_ACME, hosting.shop, "memory.max", "134217728");
	expect_limit(HOSTING_BETA, hosting.site, "cpu.max", "100000 100000");
	expect_limit(HOSTING_BETA, hosting.site, "pids.max", "64");
	hosting_close(&hosting);
}

/* --- a tenant's user -------------------------------------------------------------------------- */

/* Names of app.list, one after the other, in order. */
static const char *names_as(struct hosting *hosting, const char *user)
{
	_cleanup_json_ json_t *result = result_as(user, "app.list", NULL);
	const char *names = "";
	json_t *app;
	size_t i;

	json_array_foreach(json_object_get(result, "apps"), i, app) names =
		bench_format(&hosting->bench, "%s%s ", names, field_text(app, "name"));
	return names;
}

static json_t *name_param(const char *name)
{
	return json_pack("{s:s}", "name", name);
}

static void do_as(const char *user, const char *method, json_t *params)
{
	json_decref(result_as(user, method, params));
}

Test(socket, a_tenants_user_manages_the_apps_of_that_tenant)
{
	_cleanup_json_ json_t *got = NULL;
	struct hosting hosting;
	const char *own;
	json_t *app;

	hosting_open(&hosting, "own");
	hosting_write_sleepers(&hosting);
	daemon_start();
	app_await_state(hosting.shop, "running", START_MSEC);
	own = bench_format(&hosting.bench, "own-%s", hosting.bench.name);
	app = hosting_app(&hosting, HOSTING_ACME, own, WORDS("sleep", "600"));
	json_object_del(app, "tenant"); /* it need not say so */
	json_object_set_new(app, "user", json_string(USER_ACME));
	do_as(USER_ACME, "app.apply", json_pack("{s:o}", "app", app));
	cr_expect_str_eq(
		names_as(&hosting, USER_ACME),
		bench_format(&hosting.bench, "%s %s %s ", hosting.blog, own, hosting.shop));
	got = result_as(USER_ACME, "app.get", name_param(own));
	cr_expect_str_eq(field_text(got, "state"), "running");
	cr_expect_str_eq(field_text(got, "tenant"), HOSTING_ACME);
	cr_expect_str_eq(field_text(got, "source"), "socket");
	do_as(USER_ACME, "app.stats", name_param(own));
	do_as(USER_ACME, "app.logs", name_param(own));
	do_as(USER_ACME, "app.suspend", name_param(own));
	do_as(USER_ACME, "app.resume", name_param(own));
	do_as(USER_ACME, "app.set_limits",
	      json_pack("{s:s, s:{s:s}}", "name", own, "limits", "memory", "64M"));
	expect_limit(HOSTING_ACME, own, "memory.max", "67108864");
	do_as(USER_ACME, "app.stop", name_param(hosting.blog)); /* also one of a file */
	do_as(USER_ACME, "app.start", name_param(hosting.blog));
	do_as(USER_ACME, "app.restart", name_param(own));
	do_as(USER_ACME, "app.remove", name_param(own));
	expect_refused_as(USER_ACME, "not-found", NULL, "app.get", name_param(own));
	hosting_close(&hosting);
}

static void expect_only_of(const json_t *events, const char *tenant)
{
	const json_t *event;
	size_t i;

	json_array_foreach(events, i, event) cr_expect_str_eq(field_text(event, "params.tenant"),
							      tenant, "%s", json_dumps(event, 0));
}

/* All notifications that come before nothing comes for a moment, but at least one; the answer is
 * dropped. */
static json_t *drain(struct link *link)
{
	json_t *all = json_array(), *line;

	while ((line = link_next(link, json_array_size(all) == 0 ? REACTION_MSEC : QUIET_MSEC)) !=
	       NULL) {
		if (json_object_get(line, "method") != NULL)
			json_array_append(all, line);
		json_decref(line);
	}
	return all;
}

static const char *some_incident(struct hosting *hosting, const char *name)
{
	_cleanup_json_ json_t *incident = NULL;

	daemon_do("app.signal", "{s:s, s:s}", "name", name, "signal", "KILL");
	incident = app_await_incident(name, 1, REACTION_MSEC);
	return bench_format(&hosting->bench, "%s", field_text(incident, "id"));
}

Test(socket, a_tenants_user_sees_no_trace_of_another_tenant)
{
	static const char *const methods[] = { "app.get",     "app.start",  "app.stop",
					       "app.restart", "app.remove", "app.suspend",
					       "app.resume",  "app.stats",  "app.logs" };
	_cleanup_json_ json_t *incidents = NULL, *events = NULL, *apps = NULL;
	const char *incident;
	struct hosting hosting;
	struct link link;

	hosting_open(&hosting, "trace");
	hosting_write_sleepers(&hosting);
	daemon_start();
	app_await_state(hosting.site, "running", START_MSEC);
	app_await_state(hosting.blog, "running",
			START_MSEC); /* so that there is something to see */
	incident = some_incident(&hosting, hosting.site);
	for (size_t i = 0; i < ARRAY_SIZE(methods); i++)
		expect_refused_as(USER_ACME, "not-found", NULL, methods[i],
				  name_param(hosting.site));
	expect_refused_as(USER_ACME, "not-found", NULL, "app.signal",
			  json_pack("{s:s, s:s}", "name", hosting.site, "signal", "TERM"));
	expect_refused_as(
		USER_ACME, "not-found", NULL, "app.set_limits",
		json_pack("{s:s, s:{s:s}}", "name", hosting.site, "limits", "memory", "64M"));
	expect_refused_as(USER_ACME, "not-found", NULL, "app.wait",
			  json_pack("{s:s, s:[s]}", "name", hosting.site, "states", "running"));
	expect_refused_as(USER_ACME, "not-found", NULL, "incident.get",
			  json_pack("{s:s}", "id", incident));
	incidents = result_as(USER_ACME, "incident.list", NULL);
	cr_expect_eq(json_array_size(json_object_get(incidents, "incidents")), 0);
	expect_refused_as(USER_ACME, "not-found", NULL, "incident.list",
			  json_pack("{s:s}", "app", hosting.site));
	apps = result_as(USER_ACME, "app.list", json_pack("{s:s}", "tenant", HOSTING_BETA));
	cr_expect_eq(json_array_size(json_object_get(apps, "apps")), 0);
	link_open_as(&link, USER_ACME);
	link_request(&link, 1, "events.subscribe", json_pack("{s:i}", "cursor", 0));
	events = drain(&link);
	cr_expect_gt(json_array_size(events), 0);
	expect_only_of(events, HOSTING_ACME);
	link_close(&link);
	hosting_close(&hosting);
}

Test(socket, a_tenants_user_reads_the_incidents_of_his_apps)
{
	_cleanup_json_ json_t *listed = NULL, *incident = NULL;
	struct hosting hosting;
	const char *id;

	hosting_open(&hosting, "mine");
	hosting_write_sleepers(&hosting);
	daemon_start();
	app_await_state(hosting.blog, "running", START_MSEC);
	app_await_state(hosting.site, "running", START_MSEC);
	(void)some_incident(&hosting, hosting.site);
	id = some_incident(&hosting, hosting.blog);
	listed = result_as(USER_ACME, "incident.list", NULL);
	cr_assert_eq(json_array_size(json_object_get(listed, "incidents")), 1);
	cr_expect_str_eq(field_text(json_array_get(json_object_get(listed, "incidents"), 0), "id"),
			 id);
	incident = result_as(USER_ACME, "incident.get", json_pack("{s:s}", "id", id));
	cr_expect_str_eq(field_text(incident, "tenant"), HOSTING_ACME);
	hosting_close(&hosting);
}

Test(socket, what_is_for_administrators_is_denied_to_a_tenant)
{
	static const char *const methods[] = { "daemon.info", "daemon.reload", "daemon.log_level",
					       "plan.list", "tenant.list" };
	struct hosting hosting;

	hosting_open(&hosting, "admin");
	daemon_start();
	for (size_t i = 0; i < ARRAY_SIZE(methods); i++)
		expect_refused_as(USER_ACME, "denied", NULL, methods[i], NULL);
	expect_refused_as(USER_ACME, "denied", NULL, "plan.get", name_param(HOSTING_PLAN));
	expect_refused_as(USER_ACME, "denied", NULL, "plan.remove", name_param(HOSTING_PLAN));
	expect_refused_as(USER_ACME, "denied", NULL, "tenant.get", name_param(HOSTING_ACME));
	expect_refused_as(USER_ACME, "denied", NULL, "tenant.remove", name_param(HOSTING_BETA));
	expect_refused_as(USER_ACME, "denied", NULL, "tenant.apply",
			  json_pack("{s:{s:s}}", "tenant", "name", "x"));
	/* who is in the group may all */
	do_as(USER_PANEL, "daemon.info", NULL);
	do_as(USER_PANEL, "daemon.reload", NULL);
	do_as(USER_PANEL, "tenant.get", name_param(HOSTING_ACME));
	hosting_close(&hosting);
}

Test(socket, what_only_an_administrator_may_say_of_an_app_is_refused_to_a_tenant)
{
	static const struct {
		const char *keys, *code, *path;
	} cases[] = {
		{ "{\"user\": \"root\"}", "denied", "user" },
		{ "{\"user\": \"0\"}", "denied", "user" },
		{ "{\"user\": \"" USER_BETA "\"}", "denied", "user" },
		{ "{\"directory\": \"/etc\"}", "denied", "directory" },
		{ "{\"directory\": \"/\"}", "denied", "directory" },
		{ "{\"environment_files\": [\"/etc/shadow\"]}", "denied", "environment_files[0]" },
		{ "{\"isolation\": {\"readable\": [\"/root\"]}}", "denied",
		  "isolation.readable[0]" },
		{ "{\"isolation\": {\"writable\": [\"/var\"]}}", "denied",
		  "isolation.writable[0]" },
		{ "{\"syscalls\": \"/tmp/all.json\"}", "denied", "syscalls" },
		{ "{\"tenant\": \"" HOSTING_BETA "\"}", "denied", "tenant" },
		{ "{\"plan\": \"gold\"}", "denied", "plan" },
		{ "{\"limits\": {\"memory\": \"129M\"}}", "invalid", "limits.memory" },
		{ "{\"limits\": {\"memory\": \"max\"}}", "invalid", "limits.memory" },
		{ "{\"limits\": {\"cpu\": \"101%\"}}", "invalid", "limits.cpu" },
		{ "{\"limits\": {\"pids\": 65}}", "invalid", "limits.pids" },
		{ "{\"syscalls\": \"other\"}", "invalid", "syscalls" },
	};
	struct hosting hosting;
	const char *name;

	hosting_open(&hosting, "may");
	daemon_start();
	name = bench_format(&hosting.bench, "may-%s", hosting.bench.name);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		json_t *app = hosting_app(&hosting, HOSTING_ACME, name, WORDS("sleep", "600"));
		json_t *keys = json_loads(cases[i].keys, 0, NULL);

		cr_assert(keys != NULL && json_object_update(app, keys) == 0);
		json_decref(keys);
		expect_refused_as(USER_ACME, cases[i].code, cases[i].path, "app.apply",
				  json_pack("{s:o}", "app", app));
	}
	expect_refused_as(USER_ACME, "not-found", NULL, "app.get", name_param(name));
	hosting_close(&hosting);
}

Test(socket, a_plan_has_room_for_so_many_apps)
{
	struct hosting hosting;
	const char *name;

	hosting_open(&hosting, "room");
	hosting_write_sleepers(&hosting);
	daemon_start();
	for (int i = 0; i < 2; i++) {
		const char *code = i == 0 ? NULL : "too-many";
		json_t *app;

		name = bench_format(&hosting.bench, "n%d-%s", i, hosting.bench.name);
		app = hosting_app(&hosting, HOSTING_ACME, name, WORDS("sleep", "600"));
		if (code == NULL)
			do_as(USER_ACME, "app.apply", json_pack("{s:o}", "app", app));
		else
			expect_refused_as(USER_ACME, code, NULL, "app.apply",
					  json_pack("{s:o}", "app", app));
	}
	hosting_close(&hosting);
}

Test(socket, who_is_nobody_hears_one_line_and_is_closed)
{
	_cleanup_json_ json_t *line = NULL;
	struct hosting hosting;
	struct link link;
	char byte;

	hosting_open(&hosting, "nobody");
	daemon_start();
	link_open_as(&link, USER_NOBODY);
	line = link_next(&link, REACTION_MSEC); /* before it has said a word */
	cr_expect_str_eq(field_text(line, "error.data.code"), "denied");
	cr_expect(field_is_null(line, "id"));
	cr_expect_eq(read(link.fd, &byte, 1), 0);
	link_close(&link);
	hosting_close(&hosting);
}

/* --- bad clients ------------------------------------------------------------------------------ */

/* What clients cost a process: sockets, and the logs that they follow. Each child of its has one
 * socket, and may come at any time: the recorder's reader does with the first look at processes. */
static size_t count_clients_fds(pid_t pid)
{
	char path[64], target[PATH_MAX];
	size_t count = 0, children = 0;
	const struct dirent *entry;
	char *text;
	DIR *stream;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid, (int)pid);
	text = read_text(path);
	for (const char *at = text; (at = strchr(at, ' ')) != NULL; at++)
		children++;
	free(text);
	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	stream = opendir(path);
	cr_assert_not_null(stream);
	while ((entry = readdir(stream)) != NULL) {
		ssize_t n = readlinkat(dirfd(stream), entry->d_name, target, sizeof(target) - 1);

		target[n > 0 ? n : 0] = '\0';
		count += strncmp(target, "socket:", 7) == 0 || strstr(target, ".log") != NULL;
	}
	closedir(stream);
	cr_assert_gt(count, children);
	return count - children;
}

static void expect_prompt(const char *while_what)
{
	int64_t took = INT64_MAX;

	for (int i = 0; i < PROMPT_TRIES && took > PROMPT_MSEC; i++) {
		int64_t began = clock_msec();

		daemon_do("daemon.info", NULL);
		took = clock_msec() - began;
	}
	cr_expect_leq(took, PROMPT_MSEC, "%s: daemon.info took %lld ms", while_what,
		      (long long)took);
}

/* Sends as much as is taken: a client that is cut off can't say all. */
static void push(const struct link *link, const char *text, size_t length)
{
	while (length > 0) {
		ssize_t n = send(link->fd, text, length, MSG_NOSIGNAL);

		if (n <= 0)
			return;
		text += n;
		length -= (size_t)n;
	}
}

static void expect_answer(const char *bytes, size_t length, const char *code)
{
	_cleanup_json_ json_t *answer = NULL;
	struct link link;

	link_open(&link);
	push(&link, bytes, length);
	answer = link_next(&link, REACTION_MSEC);
	cr_assert_not_null(answer, "no answer to %.20s... (%zu bytes)", bytes, length);
	cr_expect_str_eq(field_text(answer, "error.data.code"), code, "%.20s... (%zu bytes): %s",
			 bytes, length, json_dumps(answer, 0));
	link_close(&link);
}

#define INFO "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"daemon.info\""

Test(socket, bytes_that_make_no_sense_get_the_right_error)
{
	static const struct {
		const char *text, *code;
	} cases[] = {

		{ "hello\n", "parse-error" },
		{ "GET / HTTP/1.1\n", "parse-error" },
		{ "\xff\xfe\n", "parse-error" },
		{ INFO "\n", "parse-error" },
		{ INFO ",\"params\":{\"x\":NaN}}\n", "parse-error" },
		{ INFO ",\"id\":2}\n", "parse-error" },
		{ "[]\n", "invalid-request" },
		{ "7\n", "invalid-request" },
		{ "{\"id\":1,\"method\":\"daemon.info\"}\n", "invalid-request" },
		{ "{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":\"daemon.info\"}\n",
		  "invalid-request" },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"daemon.inf\"}\n", "no-such-method" },
		{ INFO ",\"params\":{\"x\":1}}\n", "invalid" },
		{ INFO ",\"params\":[1]}\n", "invalid" },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"app.get\"}\n", "invalid" },
	};
	struct hosting hosting;

	hosting_open(&hosting, "bytes");
	daemon_start();
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		expect_answer(cases[i].text, strlen(cases[i].text), cases[i].code);
	expect_prompt("after garbage");
	hosting_close(&hosting);
}

/* A line of `length` bytes, newline and all, that nests as deep as it is told. Owned by the caller.
 */
static char *long_line(size_t length, size_t depth)
{
	char *line = malloc(length + 1);

	cr_assert_not_null(line);
	memset(line, ' ', length);
	memset(line, '[', depth);
	line[length - 1] = '\n';
	line[length] = '\0';
	return line;
}

Test(socket, lines_beyond_the_bounds_are_refused)
{
	static const char info[] = INFO "}";
	_cleanup_free_ char *deep = long_line(100001, 100000);
	_cleanup_free_ char *most = long_line((1 << 20) + 1, 0);
	_cleanup_free_ char *more = long_line((1 << 20) + 2, 1);
	_cleanup_free_ char *much_more = long_line(8 << 20, 1);
	struct hosting hosting;
	size_t fds;

	hosting_open(&hosting, "long");
	daemon_start();
	fds = count_clients_fds(daemon_pid());
	for (size_t i = 0; info[i] != '\0'; i++)
		most[i] = info[i];
	expect_answer(deep, strlen(deep), "parse-error");
	expect_answer(more, strlen(more), "parse-error");
	expect_answer(much_more, strlen(much_more), "parse-error");
	for (int i = 0; i < 2; i++) { /* the longest that there may be, twice on one connection */
		_cleanup_json_ json_t *answer = NULL;
		struct link link;

		link_open(&link);
		push(&link, most, strlen(most));
		answer = link_next(&link, REACTION_MSEC);
		cr_expect_not_null(json_object_get(answer, "result"), "%s", json_dumps(answer, 0));
		link_close(&link);
	}
	expect_prompt("after long lines");
	cr_expect(AWAIT(count_clients_fds(daemon_pid()) <= fds, REACTION_MSEC),
		  "%zu fds, %zu before", count_clients_fds(daemon_pid()), fds);
	hosting_close(&hosting);
}

static void connect_and_leave(int count)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = DAEMON_SOCKET_PATH };

	for (int i = 0; i < count; i++) {
		_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

		cr_assert_geq(fd, 0);
		cr_assert_eq(connect(fd, (const struct sockaddr *)&address, sizeof(address)), 0,
			     "connection %d: %s", i, strerror(errno));
		if (i % 2 == 0)
			(void)send(fd, INFO "}\n", strlen(INFO "}\n"), MSG_NOSIGNAL);
	}
}

static bool has_ended(const struct link *link)
{
	struct pollfd poller = { .fd = link->fd, .events = POLLIN };
	char rest[4096];

	while (poll(&poller, 1, 0) == 1)
		if (read(link->fd, rest, sizeof(rest)) <= 0)
			return true;
	return false;
}

Test(socket, half_a_line_and_ten_thousand_connections_disturb_nobody)
{
	struct hosting hosting;
	struct link half;
	size_t fds;

	hosting_open(&hosting, "crowd");
	daemon_start();
	expect_prompt("at first");
	fds = count_clients_fds(daemon_pid());
	link_open(&half);
	link_send(&half, INFO);
	for (int i = 0; i < 10; i++) {
		/* of one who has not many, and whom the bound of sixteen may hit by the way */
		become(USER_ACME);
		connect_and_leave(CONNECTS / 10);
		become_root();
		expect_prompt("after a thousand connections");
	}
	cr_expect(AWAIT(has_ended(&half), LINE_TIMEOUT_MSEC + REACTION_MSEC),
		  "a client that has sent half a line is still there");
	link_close(&half);
	cr_expect(AWAIT(count_clients_fds(daemon_pid()) <= fds, REACTION_MSEC),
		  "%zu fds, %zu before", count_clients_fds(daemon_pid()), fds);
	hosting_close(&hosting);
}

Test(socket, one_user_has_sixteen_connections)
{
	struct link links[CLIENTS_PER_UID + 1];
	_cleanup_json_ json_t *refusal = NULL;
	struct hosting hosting;
	size_t fds;

	hosting_open(&hosting, "many");
	daemon_start();
	fds = count_clients_fds(daemon_pid());
	for (size_t i = 0; i < ARRAY_SIZE(links); i++)
		link_open_as(&links[i], USER_ACME);
	refusal = link_next(&links[CLIENTS_PER_UID], REACTION_MSEC);
	cr_assert_not_null(refusal);
	cr_expect_str_eq(field_text(refusal, "error.data.code"), "too-many");
	cr_expect(AWAIT(has_ended(&links[CLIENTS_PER_UID]), REACTION_MSEC));
	/* the others go on, and other users are none the worse */
	for (int i = 0; i < CLIENTS_PER_UID; i++) {
		_cleanup_json_ json_t *answer = NULL;

		link_request(&links[i], i, "app.list", NULL);
		answer = link_next(&links[i], REACTION_MSEC);
		cr_expect_not_null(json_object_get(answer, "result"));
	}
	expect_prompt("with sixteen connections of one user");
	do_as(USER_BETA, "app.list", NULL);
	for (size_t i = 0; i < ARRAY_SIZE(links); i++)
		link_close(&links[i]);
	/* and who has closed some may come again, when the daemon has seen that */
	cr_assert(AWAIT(count_clients_fds(daemon_pid()) <= fds, REACTION_MSEC));
	do_as(USER_ACME, "app.list", NULL);
	hosting_close(&hosting);
}

/* A program that writes lines as fast as it can, until it is stopped. */
static json_t *flooding_app(const struct hosting *hosting, const char *name)
{
	json_t *app = hosting_app(hosting, HOSTING_ACME, name, WORDS("sh", "-c", "exec yes flood"));

	json_object_set_new(app, "log", json_pack("{s:s, s:s}", "target", "file", "rate", "max"));
	return app;
}

Test(socket, who_follows_a_flood_and_never_reads_is_cut_off)
{
	_cleanup_json_ json_t *cut = NULL, *answer = NULL;
	char mark[JOURNAL_MARK_MAX];
	struct hosting hosting;
	struct link link;
	const char *name;
	size_t fds;

	hosting_open(&hosting, "deaf");
	daemon_start();
	name = bench_format(&hosting.bench, "flood-%s", hosting.bench.name);
	daemon_do("app.apply", "{s:o}", "app", flooding_app(&hosting, name));
	/* its log file is open from the first line on */
	cr_assert(AWAIT(shell(NULL, "pysbx logs %s | grep -q flood", name) == 0, REACTION_MSEC));
	journal_mark(mark);
	fds = count_clients_fds(daemon_pid());
	link_open_as(&link, USER_ACME);
	link_request(&link, 1, "app.logs",
		     json_pack("{s:s, s:i, s:b}", "name", name, "lines", 0, "follow", 1));
	answer = link_next(&link, REACTION_MSEC);
	cr_assert_not_null(json_object_get(answer, "result"), "%s", json_dumps(answer, 0));
	for (int i = 0; i < 20; i++)
		expect_prompt("beside a flood that nobody reads");
	cut = journal_await(mark, WORDS(EVENT_CLIENT_CUT_OFF), 1, START_MSEC);
	cr_expect_not_null(strstr(journal_text(json_array_get(cut, 0), "MESSAGE"), "does not read"),
			   "%s", journal_text(json_array_get(cut, 0), "MESSAGE"));
	cr_expect(AWAIT(count_clients_fds(daemon_pid()) <= fds, REACTION_MSEC));
	link_close(&link);
	hosting_close(&hosting);
}
