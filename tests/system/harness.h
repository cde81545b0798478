/* SPDX-License-Identifier: MIT */
/*
 * What the system tests stand on. A bench is one test's place on the machine: a name that no other
 * test uses, a port, a directory with its own copy of the sample apps. A run is one `pysbx run`
 * started there, with its output in files, so that no reader can hold it up.
 *
 * Nothing here returns an error: what cannot be done, or does not come in time, fails the test on
 * the spot and tells the story so far (what pysbx said, what its worker said). A failed test leaves
 * its directory as evidence; its pysbx is killed with it.
 *
 * Waits are for conditions, never for a time; their limits are generous, since the guest's
 * processor is emulated.
 */
#pragma once

#include "policy/own.h"
#include "policy/strings.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define BENCH_PATH_MAX	 256
#define BENCH_PIDS_MAX	 256
#define START_MSEC	 120000 /* until a server of several processes answers */
#define REACTION_MSEC	 30000	/* until pysbx or a small program has done one thing */
#define TEST_TIMEOUT_SEC 300
#define POLL_MSEC	 10

#define WORDS(...) ((const char *const[]){ __VA_ARGS__, NULL })

/* Is `condition` true within msec? Asked every POLL_MSEC. */
#define AWAIT(condition, msec)                                \
	({                                                    \
		int64_t deadline_ = clock_msec() + (msec);    \
		bool holds_ = (condition);                    \
                                                              \
		while (!holds_ && clock_msec() < deadline_) { \
			pause_msec(POLL_MSEC);                \
			holds_ = (condition);                 \
		}                                             \
		holds_;                                       \
	})

int64_t clock_msec(void); /* monotonic */
void pause_msec(int msec);

/* The whole file as text, "" if it is not there; owned by the caller. Works on /proc and cgroups.
 */
char *read_text(const char *path);
void write_text(const char *path, const char *text, mode_t mode);

/* --- bench ------------------------------------------------------------------------------------ */

struct bench {
	char name[48]; /* of the app */
	char directory[BENCH_PATH_MAX];
	char apps[BENCH_PATH_MAX];   /* copy of the sample apps; runs start in it */
	char data[BENCH_PATH_MAX];   /* empty, writable by everybody */
	char report[BENCH_PATH_MAX]; /* --report of every run */
	int port;
	struct strings texts;
};

/* word: what the test is about, in a few letters that may stand in an app name. */
void bench_open(struct bench *bench, const char *word);

/* Expects that nothing of the app is left on the machine, and removes the directory. */
void bench_close(struct bench *bench);

/* Owned by the bench. */
const char *bench_format(struct bench *bench, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* What is left of the app: its processes, cgroups, mounts, units and files in /run, one a line; ""
 * if nothing is. Owned by the caller. */
char *bench_leftovers(const struct bench *bench);
void bench_expect_nothing_left(const struct bench *bench);

/* --- run -------------------------------------------------------------------------------------- */

struct run {
	struct bench *bench;
	pid_t pid;
	const char *out_path, *err_path;
	bool ended;
	int code;
};

struct run_setup {		 /* all zero: as a user would start it */
	const char *prepare;	 /* shell commands run first, in a mount namespace of its own */
	const char *const *wrap; /* words put before "pysbx": a program that starts it */
	bool own_stdout;	 /* stdout_fd below instead of a file; -1: closed */
	int stdout_fd;
	bool bare;  /* no --name and no --report */
	bool learn; /* `pysbx syscalls learn` instead */
};

/* Starts `pysbx run --name NAME --report REPORT words...`, in bench->apps. */
void run_start(struct run *run, struct bench *bench, const char *const *words);
void run_start_with(struct run *run, struct bench *bench, const struct run_setup *setup,
		    const char *const *words);

/* The exit code; 1000 + N if pysbx itself died of signal N. */
int run_wait(struct run *run, int msec);
bool run_has_ended(struct run *run);
void run_signal(const struct run *run, int signal);

/* run_start and run_wait. */
int run_through(struct run *run, struct bench *bench, const char *const *words);

/* What was written so far; owned by the bench. */
const char *run_stdout(struct run *run);
const char *run_stderr(struct run *run);
void run_await_stdout(struct run *run, const char *text, int msec);
void run_await_stderr(struct run *run, const char *text, int msec);
/* Until count lines of stderr begin with text. */
void run_await_times(struct run *run, const char *text, size_t count, int msec);

/* Both outputs, for the message of a failing assertion; owned by the bench. */
const char *run_story(struct run *run);

/* --- cgroups ---------------------------------------------------------------------------------- */

/* Waits until the app's slice is there. Owned by the bench. */
const char *run_slice(struct run *run);

/* A file of the app's slice, without its last newline; owned by the bench. */
const char *run_limit(struct run *run, const char *file);

/* The value behind key in a flat keyed file of the app's slice. */
uint64_t run_counter(struct run *run, const char *file, const char *key);

/* Processes of the instance's leaf, as the host numbers them. Returns their number. */
size_t run_pids(struct run *run, pid_t pids[static BENCH_PIDS_MAX]);
void run_await_pids(struct run *run, size_t count, int msec);

/* The pid that the process has in its innermost PID namespace; 0 if it is gone. */
pid_t pid_inside(pid_t pid);

/* --- incidents -------------------------------------------------------------------------------- */

/* An array of what is in the report. Owned by the caller (json_decref). */
json_t *run_incidents(struct run *run);

/* Waits for at least count incidents and returns incident number count - 1; owned by the caller. */
json_t *run_await_incident(struct run *run, size_t count, int msec);

/* Fields by dotted path ("victim.pid"); a missing one, or one of another type, fails the test.
 * Borrowed. */
const json_t *field(const json_t *object, const char *path);
const char *field_text(const json_t *object, const char *path);
long long field_number(const json_t *object, const char *path);
bool field_bool(const json_t *object, const char *path);
bool field_is_null(const json_t *object, const char *path);
/* Has one of the strings of an array this text in it? */
bool field_lines_have(const json_t *object, const char *path, const char *text);

/* It is what the installed JSON Schema says. So is each that the functions here return. */
void expect_incident_is_valid(const json_t *incident);

/* The incident is told on stderr and kept in the incident directory; both say what the report says.
 */
void expect_incident_is_told(struct run *run, const json_t *incident);

static inline void cleanup_json(json_t **json)
{
	json_decref(*json);
}
#define _cleanup_json_ __attribute__((cleanup(cleanup_json)))

/* --- HTTP ------------------------------------------------------------------------------------- */

struct reply {
	int status; /* 0: the connection ended without an answer */
	char body[8192];
};

/* A connected socket with the request sent. -1 if nobody listens. */
int http_send(const struct bench *bench, const char *target);
/* Reads to the end and closes. */
void http_receive(int socket, struct reply *ret, int msec);
void http_get(const struct bench *bench, const char *target, struct reply *ret, int msec);
/* Asks again until the answer is 200; fails when the run ends before. */
void http_await(struct run *run, const char *target, struct reply *ret, int msec);
