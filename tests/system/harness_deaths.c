/* SPDX-License-Identifier: MIT */
#include "tests/system/harness_deaths.h"

#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define DEATH_MSEC  120000 /* until one of many is told */
#define SETTLE_MSEC 2000   /* a second report of the same death would have come by then */

static const char *replace(struct bench *bench, const char *text, const char *word,
			   const char *with)
{
	const char *at = strstr(text, word);

	if (at == NULL)
		return text;
	return replace(
		bench,
		bench_format(bench, "%.*s%s%s", (int)(at - text), text, with, at + strlen(word)),
		word, with);
}

static const char *fill_in(struct deaths *deaths, const char *text, size_t index)
{
	struct bench *bench = &deaths->bench;

	text = replace(bench, text, "@port", bench_format(bench, "%d", bench->port + (int)index));
	text = replace(bench, text, "@busy", bench_format(bench, "%d", bench->port + DEATHS_MAX));
	text = replace(bench, text, "@apps", bench->apps);
	text = replace(bench, text, "@full", bench_format(bench, "%s/full", bench->directory));
	return replace(bench, text, "@data", bench->data);
}

/* "python3 deaths.py MODE ARGUMENT" gets DATA between the two. */
static json_t *split_command(struct deaths *deaths, const char *command)
{
	_cleanup_free_ char *copy = strdup(command);
	json_t *words = json_array();
	char *rest = copy;
	size_t count = 0;

	cr_assert(copy != NULL && words != NULL);
	for (char *word; (word = strsep(&rest, " ")) != NULL; count++) {
		json_array_append_new(words, json_string(word));
		if (count == 2 && strncmp(command, PYTHON(""), strlen(PYTHON(""))) == 0)
			json_array_append_new(words, json_string(deaths->bench.data));
	}
	return words;
}

static json_t *declaration(struct deaths *deaths, size_t index)
{
	const struct death *death = &deaths->rows[index];
	json_t *app = app_object(&deaths->bench, deaths->apps[index], WORDS("true"));
	json_error_t error;

	json_object_set_new(app, "command",
			    split_command(deaths, fill_in(deaths, death->command, index)));
	json_object_set_new(app, "restart", json_pack("{s:s}", "mode", "never"));
	if (death->keys != NULL) {
		_cleanup_json_ json_t *keys =
			json_loads(fill_in(deaths, death->keys, index), 0, &error);

		cr_assert_not_null(keys, "%s: %s: %s", death->name, death->keys, error.text);
		cr_assert_eq(json_object_update_recursive(app, keys), 0);
	}
	return app;
}

static void prepare_program(struct deaths *deaths, const char *name, const char *text, mode_t mode)
{
	write_text(bench_format(&deaths->bench, "%s/%s", deaths->bench.apps, name), text, mode);
}

/* What cannot be executed, a profile that kills, and a tenant with less than two apps want. */
static void prepare_declarations(struct deaths *deaths)
{
	prepare_program(deaths, "no-interpreter", "#!/usr/bin/no-such-python\n", 0755);
	prepare_program(deaths, "no-program",
			"\x7f"
			"ELF, but no more of it",
			0755);
	prepare_program(deaths, "no-permission", "#!/bin/sh\n", 0644);
	prepare_program(deaths, "kills.json",
			"{\"defaultAction\": \"SCMP_ACT_ALLOW\", \"syscalls\": [{\"names\": "
			"[\"getpriority\"], \"action\": \"SCMP_ACT_KILL_PROCESS\"}]}",
			0644);
	write_text("/etc/pysbx/tenants.d/small.json",
		   bench_format(&deaths->bench,
				"{\"name\": \"small\", \"limits\": {\"memory\": \"96M\"}, "
				"\"directories\": [\"%s\"]}",
				deaths->bench.directory),
		   0644);
}

/* Somebody else has the port @busy. */
static void occupy_port(struct deaths *deaths)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_port =
					       htons((uint16_t)(deaths->bench.port + DEATHS_MAX)),
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	deaths->busy = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(bind(deaths->busy, (struct sockaddr *)&address, sizeof(address)), 0);
	cr_assert_eq(listen(deaths->busy, 1), 0);
}

/* A file that is larger than what the apps may have, and a file system that is smaller. */
static void prepare_files(struct deaths *deaths)
{
	const char *directory = deaths->bench.directory;

	free(shell_output("truncate -s " LARGE_FILE " %s/large && chmod 644 %s/large && "
			  "mkdir %s/full && mount -t tmpfs -o size=2M,mode=777 full %s/full",
			  deaths->bench.data, deaths->bench.data, directory, directory));
}

void deaths_begin(struct deaths *deaths, const char *title, const struct death *rows, size_t count)
{
	*deaths = (struct deaths){ .title = title, .rows = rows, .count = count };
	cr_assert_leq(count, DEATHS_MAX);
	daemon_reset();
	bench_open(&deaths->bench, "d");
	prepare_files(deaths);
	prepare_declarations(deaths);
	occupy_port(deaths);
	for (size_t i = 0; i < count; i++) {
		deaths->apps[i] =
			bench_format(&deaths->bench, "%s-%s", rows[i].name, deaths->bench.name);
		app_write_file(declaration(deaths, i));
	}
	journal_mark(deaths->mark);
	daemon_start();
}

void deaths_end(struct deaths *deaths)
{
	daemon_reset();
	close_and_clear(&deaths->busy);
	free(shell_output("umount %s/full", deaths->bench.directory));
	bench_close(&deaths->bench);
}

/* --- what happens to them --------------------------------------------------------------------- */

bool death_log_has(const char *app, const char *text)
{
	_cleanup_json_ json_t *answer = daemon_try(
		"app.logs", json_pack("{s:s, s:i}", "name", app, "lines", 50), CALL_MSEC);
	const json_t *lines = json_object_get(json_object_get(answer, "result"), "lines");

	for (size_t i = 0; i < json_array_size(lines); i++) {
		const json_t *line = json_object_get(json_array_get(lines, i), "text");

		if (json_is_string(line) && strstr(json_string_value(line), text) != NULL)
			return true;
	}
	return false;
}

static void await_line(const char *app, const char *text)
{
	cr_assert(AWAIT(death_log_has(app, text), DEATH_MSEC), "%s has not said \"%s\"", app, text);
}

void deaths_await_ready(struct deaths *deaths)
{
	for (size_t i = 0; i < deaths->count; i++)
		await_line(deaths->apps[i], "ready");
}

/* The answer does not come: whoever was to give it dies. */
static void ask(struct deaths *deaths, size_t index)
{
	struct bench at_port = deaths->bench;
	struct reply reply = { 0 };
	int fd;

	at_port.port += (int)index;
	cr_assert(AWAIT((http_get(&at_port, "/", &reply, REACTION_MSEC), reply.status == 200),
			START_MSEC),
		  "%s does not answer", deaths->apps[index]);
	fd = http_send(&at_port, deaths->rows[index].request);
	cr_assert_geq(fd, 0);
	/* left open: some servers drop a request whose client has gone */
}

void deaths_provoke(struct deaths *deaths)
{
	for (size_t i = 0; i < deaths->count; i++)
		if (deaths->rows[i].request != NULL)
			ask(deaths, i);
	for (size_t i = 0; i < deaths->count; i++) {
		if (deaths->rows[i].act == NULL)
			continue;
		await_line(deaths->apps[i], "ready");
		deaths->rows[i].act(deaths, &deaths->rows[i], deaths->apps[i]);
	}
}

static void send_signal(const char *app, int signal)
{
	_cleanup_json_ json_t *object = app_get(app);

	cr_assert_eq(kill((pid_t)field_number(object, "pid"), signal), 0);
}

void death_by_kill(struct deaths *deaths, const struct death *death, const char *app)
{
	(void)deaths, (void)death;
	send_signal(app, SIGKILL);
}

void death_by_term(struct deaths *deaths, const struct death *death, const char *app)
{
	(void)deaths, (void)death;
	send_signal(app, SIGTERM);
}

void death_by_stop(struct deaths *deaths, const struct death *death, const char *app)
{
	(void)deaths, (void)death;
	daemon_do("app.stop", "{s:s}", "name", app);
}

void death_by_word(struct deaths *deaths, const struct death *death, const char *app)
{
	(void)death, (void)app;
	write_text(bench_format(&deaths->bench, "%s/go", deaths->bench.data), "", 0644);
}

/* --- what is told ----------------------------------------------------------------------------- */

static size_t count_entries(const json_t *entries, const char *app)
{
	size_t count = 0;

	for (size_t i = 0; i < json_array_size(entries); i++)
		if (strcmp(journal_text(json_array_get(entries, i), "PYSBX_APP"), app) == 0)
			count++;
	return count;
}

static void expect_alive(const struct deaths *deaths, size_t index)
{
	const char *app = deaths->apps[index];
	_cleanup_json_ json_t *object = app_get(app);

	cr_expect_str_eq(field_text(object, "state"), "running", "%s: %s", app,
			 field_text(object, "state"));
	cr_expect_eq(field_number(object, "restarts"), 0, "%s", app);
	death_write_none(deaths->title, &deaths->rows[index], deaths->warnings[index]);
}

static void await_warning(struct deaths *deaths, size_t index)
{
	const char *app = deaths->apps[index], *warning = deaths->rows[index].warning;
	_cleanup_json_ json_t *entries = journal_await(
		deaths->mark,
		WORDS(EVENT_APP_THROTTLED, bench_format(&deaths->bench, "PYSBX_APP=%s", app)), 1,
		DEATH_MSEC);
	const char *text = journal_text(json_array_get(entries, 0), "MESSAGE");

	deaths->warnings[index] = bench_format(&deaths->bench, "%s", text);
	cr_expect_not_null(strstr(text, warning), "%s: no \"%s\" in: %s", app, warning, text);
}

static void await_all(struct deaths *deaths)
{
	for (size_t i = 0; i < deaths->count; i++) {
		const char *app = deaths->apps[i];

		if (deaths->rows[i].warning != NULL)
			await_warning(deaths, i);
		else if (deaths->rows[i].cause == NULL)
			await_line(app, "done");
		else
			cr_expect(AWAIT(app_count_incidents(app) > 0, DEATH_MSEC),
				  "%s: nothing is told", app);
	}
	pause_msec(SETTLE_MSEC);
}

void deaths_check(struct deaths *deaths)
{
	_cleanup_json_ json_t *entries = NULL;

	await_all(deaths);
	entries = journal_read(deaths->mark, WORDS(EVENT_APP_DIED, EVENT_APP_CHILD_KILLED));
	for (size_t i = 0; i < deaths->count; i++) {
		const char *app = deaths->apps[i];
		size_t count = app_count_incidents(app), told = count_entries(entries, app);
		size_t expected = deaths->rows[i].cause != NULL ? 1 : 0;

		cr_expect_eq(count, expected, "%s has %zu incidents", app, count);
		cr_expect_eq(told, expected, "%s has %zu entries in the journal", app, told);
		if (expected == 0) {
			expect_alive(deaths, i);
		} else if (count > 0) {
			_cleanup_json_ json_t *incident = app_await_incident(app, 1, CALL_MSEC);

			death_expect(deaths->title, &deaths->rows[i], incident);
		}
	}
}

void deaths_play(const char *title, const struct death *rows, size_t count)
{
	struct deaths deaths;

	deaths_begin(&deaths, title, rows, count);
	deaths_provoke(&deaths);
	deaths_check(&deaths);
	deaths_end(&deaths);
}
