/* SPDX-License-Identifier: MIT */
#include "tests/system/harness_daemon.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define APPS_DIRECTORY "/etc/pysbx/apps.d"

/* --- apps ------------------------------------------------------------------------------------- */

json_t *app_object(const struct bench *bench, const char *name, const char *const *command)
{
	json_t *words = json_array(), *object;

	for (; *command != NULL; command++)
		cr_assert_eq(json_array_append_new(words, json_string(*command)), 0);
	object = json_pack("{s:s, s:o, s:s, s:{s:[s]}}", "name", name, "command", words,
			   "directory", bench->apps, "isolation", "writable", bench->data);
	cr_assert_not_null(object);
	return object;
}

void app_apply(json_t *object)
{
	daemon_do("app.apply", "{s:o}", "app", object);
}

void app_write_file(json_t *object)
{
	_cleanup_free_ char *text = json_dumps(object, JSON_INDENT(2)), *path = NULL;

	cr_assert(text != NULL &&
		  asprintf(&path, APPS_DIRECTORY "/%s.json", field_text(object, "name")) > 0);
	write_text(path, text, 0644);
	json_decref(object);
}

char *app_state_text(const char *name)
{
	_cleanup_json_ json_t *answer =
		daemon_try("app.get", json_pack("{s:s}", "name", name), CALL_MSEC);
	const char *state =
		json_string_value(json_object_get(json_object_get(answer, "result"), "state"));
	char *copy = strdup(state != NULL ? state : "");

	cr_assert_not_null(copy);
	return copy;
}

static bool is_in_state(const char *name, const char *state)
{
	_cleanup_free_ char *now = app_state_text(name);

	return strcmp(now, state) == 0;
}

void app_await_state(const char *name, const char *state, int msec)
{
	if (!AWAIT(is_in_state(name, state), msec)) {
		_cleanup_free_ char *now = app_state_text(name);

		cr_assert_fail("app %s is \"%s\", not %s\n%s", name, now, state, daemon_story());
	}
}

json_t *app_get(const char *name)
{
	return daemon_call("app.get", "{s:s}", "name", name);
}

pid_t app_main_pid(const char *name)
{
	_cleanup_json_ json_t *app = app_get(name);

	return (pid_t)field_number(app, "pid");
}

long long app_restarts(const char *name)
{
	_cleanup_json_ json_t *app = app_get(name);

	return field_number(app, "restarts");
}

const char *app_cgroup_file(const char *tenant, const char *name, const char *file,
			    char path[static APP_PATH_MAX])
{
	if (tenant != NULL)
		snprintf(path, APP_PATH_MAX, DAEMON_SCOPE_PATH "/%s.tenant/%s.slice/%s", tenant,
			 name, file);
	else
		snprintf(path, APP_PATH_MAX, DAEMON_SCOPE_PATH "/%s.slice/%s", name, file);
	return path;
}

char *app_read(const char *name, const char *file)
{
	char path[APP_PATH_MAX];
	char *text = read_text(app_cgroup_file(NULL, name, file, path));

	if (text[0] != '\0' && text[strlen(text) - 1] == '\n')
		text[strlen(text) - 1] = '\0';
	return text;
}

static int compare_pids(const void *a, const void *b)
{
	return *(const pid_t *)a - *(const pid_t *)b;
}

static size_t add_pids(const char *name, const char *leaf, pid_t *pids, size_t count)
{
	char file[300];
	_cleanup_free_ char *text = NULL;
	char *rest;

	snprintf(file, sizeof(file), "%s/cgroup.procs", leaf);
	text = app_read(name, file);
	rest = text;
	for (char *line; (line = strsep(&rest, "\n")) != NULL && count < BENCH_PIDS_MAX;)
		if (line[0] != '\0')
			pids[count++] = (pid_t)strtol(line, NULL, 10);
	return count;
}

size_t app_pids(const char *name, pid_t pids[static BENCH_PIDS_MAX])
{
	char path[APP_PATH_MAX];
	DIR *slice = opendir(app_cgroup_file(NULL, name, ".", path));
	struct dirent *entry;
	size_t count = 0;

	if (slice == NULL)
		return 0;
	while ((entry = readdir(slice)) != NULL)
		if (entry->d_type == DT_DIR && entry->d_name[0] != '.')
			count = add_pids(name, entry->d_name, pids, count);
	closedir(slice);
	qsort(pids, count, sizeof(pid_t), compare_pids);
	return count;
}

static size_t count_pids(const char *name)
{
	pid_t pids[BENCH_PIDS_MAX];

	return app_pids(name, pids);
}

void app_await_pids(const char *name, size_t count, int msec)
{
	cr_assert(AWAIT(count_pids(name) == count, msec), "app %s: %zu processes, not %zu\n%s",
		  name, count_pids(name), count, daemon_story());
}

pid_t app_only_pid(const char *name)
{
	pid_t pids[BENCH_PIDS_MAX];

	app_await_pids(name, 1, REACTION_MSEC);
	cr_assert_eq(app_pids(name, pids), 1);
	return pids[0];
}

/* NULL when nobody answers. */
static json_t *list_incidents(const char *name)
{
	_cleanup_json_ json_t *answer = daemon_try(
		"incident.list", json_pack("{s:s, s:i}", "app", name, "limit", 200), CALL_MSEC);

	return json_incref(json_object_get(json_object_get(answer, "result"), "incidents"));
}

size_t app_count_incidents(const char *name)
{
	_cleanup_json_ json_t *incidents = list_incidents(name);

	return json_array_size(incidents);
}

json_t *app_await_incident(const char *name, size_t count, int msec)
{
	_cleanup_json_ json_t *incidents = NULL;
	json_t *newest;

	cr_assert(AWAIT(app_count_incidents(name) >= count, msec),
		  "app %s has %zu incidents, not %zu\n%s", name, app_count_incidents(name), count,
		  daemon_story());
	incidents = list_incidents(name);
	newest = daemon_call("incident.get", "{s:s}", "id",
			     field_text(json_array_get(incidents, 0), "id"));
	expect_incident_is_valid(newest);
	return newest;
}

/* --- the journal ------------------------------------------------------------------------------ */

/* A time, not a cursor: with a cursor and a field, journalctl 252 leaves out the first entry. */
void journal_mark(char mark[static JOURNAL_MARK_MAX])
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	snprintf(mark, JOURNAL_MARK_MAX, "@%lld.%06ld", (long long)now.tv_sec, now.tv_nsec / 1000);
}

static void parse_entries(json_t *entries, char *text)
{
	char *rest = text;

	for (char *line; (line = strsep(&rest, "\n")) != NULL;) {
		json_error_t error;
		json_t *entry;

		if (line[0] == '\0')
			continue;
		entry = json_loads(line, 0, &error);
		cr_assert_not_null(entry, "journalctl: %s: %s", error.text, line);
		cr_assert_eq(json_array_append_new(entries, entry), 0);
	}
}

json_t *journal_read(const char *mark, const char *const *fields)
{
	char command[SHELL_COMMAND_MAX];
	_cleanup_free_ char *text = NULL;
	json_t *entries = json_array();
	size_t length;

	length = (size_t)snprintf(command, sizeof(command),
				  "journalctl --sync && journalctl --quiet --no-pager --boot "
				  "--all --output=json");
	if (mark[0] != '\0')
		length += (size_t)snprintf(command + length, sizeof(command) - length,
					   " '--since=%s'", mark);
	for (; *fields != NULL && length < sizeof(command); fields++)
		length += (size_t)snprintf(command + length, sizeof(command) - length, " '%s'",
					   *fields);
	cr_assert_lt(length, sizeof(command));
	text = shell_output("%s", command);
	parse_entries(entries, text);
	return entries;
}

size_t journal_count(const char *mark, const char *const *fields)
{
	_cleanup_json_ json_t *entries = journal_read(mark, fields);

	return json_array_size(entries);
}

json_t *journal_await(const char *mark, const char *const *fields, size_t count, int msec)
{
	cr_assert(AWAIT(journal_count(mark, fields) >= count, msec),
		  "the journal has %zu entries with %s, not %zu\n%s", journal_count(mark, fields),
		  fields[0], count, daemon_story());
	return journal_read(mark, fields);
}

const char *journal_text(const json_t *entry, const char *field)
{
	const char *text = json_string_value(json_object_get(entry, field));

	return text != NULL ? text : "";
}
