/* SPDX-License-Identifier: MIT */
/*
 * The daemon in system tests: the one of the machine, under the machine's systemd. There is only
 * one, so these tests run alone, and each begins with daemon_reset().
 *
 * As in harness.h nothing returns an error: what cannot be done, or does not come in time, fails
 * the test on the spot and shows the end of the daemon's log. App names come from a bench, whose
 * bench_close() then sees that nothing is left of them.
 */
#pragma once

#include "tests/system/harness.h"

#define DAEMON_SERVICE	   "pysbxd.service"
#define DAEMON_SOCKET_UNIT "pysbxd.socket"
#define DAEMON_SCOPE	   "pysbx-apps.scope"
#define DAEMON_SCOPE_PATH  "/sys/fs/cgroup/pysbx.slice/" DAEMON_SCOPE
#define DAEMON_SOCKET_PATH "/run/pysbx/control.sock"
#define DAEMON_STATE_FILE  "/run/pysbx/state.json"
#define CALL_MSEC	   60000 /* until an answer: many wait for an app to start or to end */

/* --- commands --------------------------------------------------------------------------------- */

#define SHELL_COMMAND_MAX 4096 /* bytes of a command line, with its NUL */

/* Runs a command line by sh. Returns its wait status as a shell has it (128 + N: signal N); its
 * standard output is in *ret_output (owned by the caller) if that isn't NULL. */
int shell(char **ret_output, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The same, and fails the test unless it ends with 0. Owned by the caller. */
char *shell_output(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* --- the daemon's life ------------------------------------------------------------------------ */

/* A machine on which the daemon has never run: stopped with all apps, no declarations, no state,
 * no incidents. The units and /etc/pysbx stay. */
void daemon_reset(void);

/* By systemctl; return when the daemon answers, or has ended. The socket stays: a call starts a
 * daemon that was stopped. */
void daemon_start(void);
void daemon_stop(void);
void daemon_restart(void);

/* Its main process; 0: none. */
pid_t daemon_pid(void);
void daemon_kill(int signal);
/* Until another one than `old` answers. Returns its pid. */
pid_t daemon_await_successor(pid_t old, int msec);

/* The end of its log, for the message of a failing assertion. Never freed. */
const char *daemon_story(void);

/* A bench, and on the machine as after daemon_reset() a daemon; and the removal of the one app that
 * has the bench's name. */
void daemon_bench_open(struct bench *bench, const char *word);
void daemon_bench_close(struct bench *bench);

/* --- calls ------------------------------------------------------------------------------------ */

/* A call on a connection of its own. params is stolen; NULL: none. Returns the whole answer, with
 * "result" or "error"; NULL if nobody answered in that time, or the connection ended before.
 * Owned by the caller. */
json_t *daemon_try(const char *method, json_t *params, int msec);

/* The result; an error fails the test. params by json_pack(3) in format, NULL: none. Owned by the
 * caller. */
json_t *daemon_call(const char *method, const char *format, ...);
/* The same for what is of no interest. */
void daemon_do(const char *method, const char *format, ...);
/* Expects the error of this code ("not-found") and returns the error object; owned by the caller.
 */
json_t *daemon_refusal(const char *code, const char *method, json_t *params);

/* The cursor of the newest event. */
long long newest_event(void);

/* --- connections: for what lasts longer than a call ------------------------------------------- */

struct link {
	int fd;
	size_t length;
	char *text; /* read and not yet returned */
};

void link_open(struct link *link);
/* Adopts a connected socket. */
void link_open_fd(struct link *link, int fd);
void link_close(struct link *link);
/* The bytes as they are: a newline has to be among them. */
void link_send(struct link *link, const char *text);
/* A request, with this id. params is stolen; NULL: none. */
void link_request(struct link *link, int id, const char *method, json_t *params);
/* The next line; NULL: none came in time, or the end. Owned by the caller. */
json_t *link_next(struct link *link, int msec);

/* --- apps ------------------------------------------------------------------------------------- */

/* An app that runs a command in bench->apps, with the words as they are in WORDS(): to be changed
 * and applied. Owned by the caller. */
json_t *app_object(const struct bench *bench, const char *name, const char *const *command);
/* app.apply, which answers when it runs. object is stolen. */
void app_apply(json_t *object);
/* Declared in /etc/pysbx/apps.d. object is stolen. */
void app_write_file(json_t *object);

/* A copy: "" if there is no such app or no answer. Owned by the caller. */
char *app_state_text(const char *name);
void app_await_state(const char *name, const char *state, int msec);
/* app.get; owned by the caller. */
json_t *app_get(const char *name);
/* What it says of the main process, and of restarts. */
pid_t app_main_pid(const char *name);
long long app_restarts(const char *name);

/* PATH of a file of the app's slice, in `path`. tenant NULL: none. */
#define APP_PATH_MAX 512
const char *app_cgroup_file(const char *tenant, const char *name, const char *file,
			    char path[static APP_PATH_MAX]);
/* Its text without the last newline, "" if it is not there; owned by the caller. */
char *app_read(const char *name, const char *file);

/* Processes in the app's leaves, in order of their pids. */
size_t app_pids(const char *name, pid_t pids[static BENCH_PIDS_MAX]);
void app_await_pids(const char *name, size_t count, int msec);
/* Waits until it is the only one. */
pid_t app_only_pid(const char *name);

/* incident.list and incident.get of the newest: waits until the app has at least count. Owned by
 * the caller. */
json_t *app_await_incident(const char *name, size_t count, int msec);
size_t app_count_incidents(const char *name);

/* --- the journal ------------------------------------------------------------------------------ */

#define JOURNAL_MARK_MAX 32

/* From here on; "" is the beginning of this boot. */
void journal_mark(char mark[static JOURNAL_MARK_MAX]);
/* Entries after the mark that have all the fields ("PYSBX_APP=web"), oldest first, as journalctl's
 * JSON. Owned by the caller. */
json_t *journal_read(const char *mark, const char *const *fields);
size_t journal_count(const char *mark, const char *const *fields);
/* Until there are at least count; returns them. Owned by the caller. */
json_t *journal_await(const char *mark, const char *const *fields, size_t count, int msec);
/* Of an entry; "" if it is missing or no text. Borrowed. */
const char *journal_text(const json_t *entry, const char *field);

/* What the daemon's events are found by: supervisor/log_event.c. */
#define EVENT_DAEMON_STARTED	"MESSAGE_ID=4e7e7519b88c4ff9a3280b6af73eb451"
#define EVENT_CONFIG_REFUSED	"MESSAGE_ID=1a89e957db7f4d13bd2cc462d0c45f22"
#define EVENT_APP_STARTED	"MESSAGE_ID=4e827702440948518d24c9728fbcabfb"
#define EVENT_APP_STOPPED	"MESSAGE_ID=8b24481a34f3456c81a6bd78253ebadd"
#define EVENT_APP_DIED		"MESSAGE_ID=8b16f29b48b14629beb551a8398cb105"
#define EVENT_APP_CHILD_KILLED	"MESSAGE_ID=84ac71f728d24128b92602d282521eb8"
#define EVENT_APP_THROTTLED	"MESSAGE_ID=7d321fdcb46243b5919fe0ab42e24318"
#define EVENT_APP_ADOPTED	"MESSAGE_ID=fdbc84b52dd241c787e75aaaab1cb6eb"
#define EVENT_APP_BACKOFF	"MESSAGE_ID=fcbbe943dcfb40a39864d16d9bf8d62f"
#define EVENT_APP_LOST		"MESSAGE_ID=7d25a7654bdc462786bffdfd333f0f77"
#define EVENT_LOG_LINES_DROPPED "MESSAGE_ID=8b2affb327134b69a99b40a829ce8429"
#define EVENT_STATE_UNREADABLE	"MESSAGE_ID=917e62ab01734c13aedc2ee17d244d1e"
#define EVENT_CLIENT_CUT_OFF	"MESSAGE_ID=cf40aead4d004b2b92edea5d4d96f2a9"
#define EVENT_SCOPE_LOST	"MESSAGE_ID=b9acf2440a494002ad01503973b9b275"
