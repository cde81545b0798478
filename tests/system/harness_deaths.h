/* SPDX-License-Identifier: MIT */
/*
 * The fault matrix: one row is one death (or one thing that only looks like one), with what has to
 * be said about it. To add one, add a row to the table that it belongs to.
 *
 * The apps of a table live at the same time under one daemon, each dies once, and afterwards each
 * has exactly one incident, one entry in the journal, and both are right; what is no death has
 * none. The row as it was reported goes to DEATHS_TABLE, which `make deaths-table` shows.
 *
 * In command and keys stand for the app's own: @apps (the sample apps), @data (a directory that it
 * may write to, with a file `large` of LARGE_FILE bytes), @full (a small file system), @port, and
 * @busy (a port that somebody else listens on).
 */
#pragma once

#include "tests/system/harness_daemon.h"

#define DEATHS_TABLE	 "/var/tmp/pysbx-deaths.md"
#define LARGE_FILE	 "160M"
#define SNAPSHOT_PERCENT 90
#define DEATHS_MAX	 24 /* rows of a table: two processors are emulated for all of them */

/* deaths.py in one of its modes, with an argument if there is one. */
#define PYTHON(mode) "python3 deaths.py " mode

/* Instead of a cause and so on: it says "done", and lives. */
#define LIVES .cause = NULL

struct deaths;
struct death;

/* What happens to an app from outside, once it has said "ready". */
typedef void (*death_act_fn)(struct deaths *deaths, const struct death *death, const char *app);

struct death {
	const char *name; /* of the app: small letters and "-" */
	const char *what; /* in the table */
	const char *command;
	const char *keys; /* JSON: more of the declaration. Apps are not restarted, if it is silent
			   */
	const char *request; /* sent to @port when it says "ready": the way of a server's death */
	death_act_fn act;

	/* What the incident has to say. cause NULL: there is none, the app says "done" and lives */
	const char *cause;
	const char *level;    /* NULL: none */
	bool child;	      /* the victim is not the main process */
	const char *ended;    /* "exit 3", "SIGSEGV"; NULL: not known */
	const char *decision; /* NULL: "ended" */
	const char *sentence; /* has this in it; NULL: anything */
	const char *log;      /* has a line with this in it; NULL: anything */
	/* The function that is on top of the stack of the thread that matters, as it was seen
	 * before the end: of a death for memory with SNAPSHOT_PERCENT of the limit in use, at
	 * least. NULL: nothing is expected. */
	const char *top;
	/* No death, but a warning, with this in it: instead of "done" that is waited for. */
	const char *warning;
};

struct deaths {
	struct bench bench;
	const char *title; /* of these rows in the table */
	const struct death *rows;
	size_t count;
	const char *apps[DEATHS_MAX];	  /* their names, in order of the rows */
	const char *warnings[DEATHS_MAX]; /* that they had */
	int busy;			  /* listens on @busy */
	char mark[JOURNAL_MARK_MAX];
};

/* The whole of it. */
void deaths_play(const char *title, const struct death *rows, size_t count);
#define DEATHS_PLAY(title, rows) deaths_play(title, rows, ARRAY_SIZE(rows))

/* The parts of it, for those that do something in between: the machine, the daemon with all apps;
 * until each has said "ready"; until all is told; the end. */
void deaths_begin(struct deaths *deaths, const char *title, const struct death *rows, size_t count);
void deaths_await_ready(struct deaths *deaths);
void deaths_provoke(struct deaths *deaths);
void deaths_check(struct deaths *deaths);
void deaths_end(struct deaths *deaths);

/* Acts. */
void death_by_kill(struct deaths *deaths, const struct death *death, const char *app);
void death_by_term(struct deaths *deaths, const struct death *death, const char *app);
void death_by_stop(struct deaths *deaths, const struct death *death, const char *app);
/* The file that all who do something when_told wait for. */
void death_by_word(struct deaths *deaths, const struct death *death, const char *app);

/* Has one of its log lines this text in it? */
bool death_log_has(const char *app, const char *text);

/* Expects that the incident says what the row says, and writes it into the table. */
void death_expect(const char *title, const struct death *death, const json_t *incident);
/* The row of one that has none, as it has to be. warning: NULL if there is none either. */
void death_write_none(const char *title, const struct death *death, const char *warning);
