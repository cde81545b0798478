/* SPDX-License-Identifier: MIT */
#include "policy/diagnosis.h"
#include "tests/system/harness_deaths.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CELL_MAX 512

/* As the table has it. "" for what is null. */
struct told {
	char cause[CELL_MAX], level[CELL_MAX], victim[CELL_MAX], ended[CELL_MAX],
		decision[CELL_MAX], line[CELL_MAX], share[CELL_MAX];
};

static void copy_text(const json_t *incident, const char *path, char cell[static CELL_MAX])
{
	snprintf(cell, CELL_MAX, "%s",
		 field_is_null(incident, path) ? "" : field_text(incident, path));
}

static void copy_end(const json_t *incident, char cell[static CELL_MAX])
{
	if (field_is_null(incident, "exit"))
		return;
	if (json_object_get(field(incident, "exit"), "code") != NULL)
		snprintf(cell, CELL_MAX, "exit %lld", field_number(incident, "exit.code"));
	else
		copy_text(incident, "exit.name", cell);
}

static void read_told(const json_t *incident, struct told *told)
{
	*told = (struct told){ 0 };
	copy_text(incident, "cause", told->cause);
	copy_text(incident, "level", told->level);
	copy_text(incident, "decision.action", told->decision);
	copy_end(incident, told->ended);
	snprintf(told->victim, CELL_MAX, "%s",
		 field_bool(incident, "victim.main") ? "main" : "child");
}

static void expect_cell(const struct death *death, const char *what, const char *told,
			const char *expected, const json_t *incident)
{
	if (expected == NULL)
		expected = "";
	cr_expect_str_eq(told, expected, "%s: the %s is \"%s\", not \"%s\": %s", death->name, what,
			 told, expected, json_dumps(incident, JSON_INDENT(1)));
}

/* Of a start that failed there is nobody to name. */
static void expect_victim(const struct death *death, const json_t *incident)
{
	if (strcmp(death->cause, "start-failed") == 0)
		return;
	cr_expect_gt(field_number(incident, "victim.pid"), 1, "%s", death->name);
	cr_expect_gt(strlen(field_text(incident, "victim.comm")), 0, "%s", death->name);
}

/* --- the line of Python ----------------------------------------------------------------------- */

static const json_t *newest_snapshot(const json_t *incident)
{
	const json_t *snapshots = field(incident, "snapshots");

	return json_array_get(snapshots, json_array_size(snapshots) - 1);
}

static void read_share(const json_t *snapshot, struct told *told, long long *ret_percent)
{
	const char *whose = json_object_get(snapshot, "tenant") != NULL ? "tenant" : "memory";
	const json_t *memory = field(snapshot, whose);

	*ret_percent = field_number(memory, "current") * 100 / field_number(memory, "limit");
	snprintf(told->share, CELL_MAX, "%lld %%", *ret_percent);
}

/* What hangs is looked at before it is ended, what grows before it is killed. */
static const json_t *read_stacks(const struct death *death, const json_t *incident,
				 struct told *told)
{
	const json_t *snapshot = newest_snapshot(incident);
	long long percent = 100;

	if (strcmp(death->cause, "hung") == 0)
		return field(incident, "stacks");
	cr_expect_not_null(snapshot, "%s: no snapshot: %s", death->name,
			   json_dumps(field(incident, "steps"), 0));
	if (snapshot == NULL)
		return NULL;
	read_share(snapshot, told, &percent);
	cr_expect_geq(percent, SNAPSHOT_PERCENT, "%s: seen at %lld %%", death->name, percent);
	return json_object_get(snapshot, "stacks");
}

static void expect_line(const struct death *death, const json_t *incident, struct told *told)
{
	const json_t *stacks = read_stacks(death, incident, told);
	/* what hangs is the app: the thread may be that of a worker */
	int pid = strcmp(death->cause, "hung") == 0 ? 0 : (int)field_number(incident, "victim.pid");
	const json_t *thread = diagnosis_find_thread(stacks, pid, NULL);
	const json_t *frame = json_array_get(json_object_get(thread, "frames"), 0);
	const char *file = json_string_value(json_object_get(frame, "file"));
	const char *function = json_string_value(json_object_get(frame, "function"));
	long long line = json_integer_value(json_object_get(frame, "line"));

	cr_expect(function != NULL && file != NULL, "%s: nobody's stack: %s", death->name,
		  json_dumps(stacks, JSON_INDENT(1)));
	if (function == NULL || file == NULL)
		return;
	snprintf(told->line, CELL_MAX, "%s:%lld in %s()",
		 strrchr(file, '/') != NULL ? strrchr(file, '/') + 1 : file, line, function);
	cr_expect(strcmp(function, death->top) == 0, "%s: at %s, not in %s(): %s", death->name,
		  told->line, death->top, json_dumps(stacks, JSON_INDENT(1)));
}

/* --- rows ------------------------------------------------------------------------------------- */

static void write_row(const char *title, const struct death *death, const struct told *told)
{
	FILE *file = fopen(DEATHS_TABLE, "ae");

	cr_assert_not_null(file);
	fprintf(file, "| %s | %s | %s | %s | %s | %s | %s | %s | %s |\n", title, death->what,
		told->cause, told->level, told->victim, told->ended, told->decision, told->line,
		told->share);
	cr_assert_eq(fclose(file), 0);
}

void death_expect(const char *title, const struct death *death, const json_t *incident)
{
	const char *sentence = field_text(incident, "sentence");
	struct told told;

	read_told(incident, &told);
	expect_cell(death, "cause", told.cause, death->cause, incident);
	expect_cell(death, "level", told.level, death->level, incident);
	expect_cell(death, "victim", told.victim, death->child ? "child" : "main", incident);
	expect_cell(death, "end", told.ended, death->ended, incident);
	expect_cell(death, "decision", told.decision,
		    death->decision != NULL ? death->decision : "ended", incident);
	expect_victim(death, incident);
	cr_expect(death->sentence == NULL || strstr(sentence, death->sentence) != NULL,
		  "%s: no \"%s\" in: %s", death->name, death->sentence, sentence);
	cr_expect(death->log == NULL || field_lines_have(incident, "log.lines", death->log),
		  "%s: no \"%s\" in: %s", death->name, death->log,
		  json_dumps(field(incident, "log"), JSON_INDENT(1)));
	if (death->top != NULL)
		expect_line(death, incident, &told);
	write_row(title, death, &told);
}

void death_write_none(const char *title, const struct death *death, const char *warning)
{
	struct told told = { 0 };

	if (warning != NULL)
		snprintf(told.cause, CELL_MAX, "a warning: %s", warning);
	else
		snprintf(told.cause, CELL_MAX, "no incident");
	write_row(title, death, &told);
}
