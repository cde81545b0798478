/* SPDX-License-Identifier: MIT */
/*
 * The commands of `pysbx`, most of which speak to the daemon (pysbx-protocol(7)): words in, one or
 * more calls, a text for people or the raw result for programs. One table holds each command's
 * name, words, options and handler: it drives dispatch, help, shell completion and the check of the
 * man page, so that none of them can drift.
 *
 * A handler asks the daemon (ctl_call), shows the answer (supervisor/ctl_view.h) and decides
 * nothing: who may do what, and what is possible, is the daemon's to say.
 */
#pragma once

#include "policy/error.h"
#include "supervisor/ctl_view.h"
#include "supervisor/rpc_client.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define CTL_SOCKET_PATH	 "/run/pysbx/control.sock"
#define CTL_INPUT_MAX	 ((size_t)16 << 20) /* bytes of a file of apps */
#define CTL_WORDS_MAX	 4096		    /* of one command line */
#define CTL_COMMANDS_MAX 64		    /* rows */
#define CTL_LINES_MAX	 100000		    /* of --lines */

/* The options, as bits of a command's set. */
enum ctl_option {
	CTL_JSON = 1 << 0,
	CTL_SOCKET = 1 << 1,
	CTL_HELP = 1 << 2,
	CTL_DRY_RUN = 1 << 3,
	CTL_TENANT = 1 << 4,
	CTL_STATE = 1 << 5,
	CTL_ALL = 1 << 6,
	CTL_FORCE = 1 << 7,
	CTL_LINES = 1 << 8,
	CTL_FOLLOW = 1 << 9,
	CTL_CURSOR = 1 << 10,
	CTL_APP = 1 << 11,
	CTL_TIMEOUT = 1 << 12,
	CTL_LOG_LEVEL = 1 << 13,
	CTL_WATCH = 1 << 14,
	CTL_SINCE = 1 << 15,
	CTL_PLOT = 1 << 16,
	CTL_ONCE = 1 << 17,
	CTL_SORT = 1 << 18,
	CTL_INTERVAL = 1 << 19,
	CTL_MARKDOWN = 1 << 20,
	CTL_CUSTOMER = 1 << 21,
};

/* Every command that speaks to the daemon takes these. */
#define CTL_COMMON (CTL_JSON | CTL_SOCKET | CTL_HELP)
/* And those that don't, these. */
#define CTL_OFFLINE (CTL_JSON | CTL_HELP)

/* Borrowed from argv; NULL and 0 where nothing was said. */
struct ctl_options {
	unsigned given; /* enum ctl_option */
	const char *socket, *tenant, *state, *app, *timeout, *log_level, *since, *sort, *interval;
	uint64_t lines, cursor;
};

struct ctl;

struct ctl_command {
	const char *group;    /* heading of the help, with the first row of a group; else NULL */
	const char *name;     /* "list", "plan list" */
	const char *words;    /* "NAME STATE...", "" if it takes none */
	const char *help;     /* starts small, no full stop */
	unsigned least, most; /* words that it takes */
	unsigned options;     /* enum ctl_option */
	int (*run)(struct ctl *ctl, struct error *err);
	int (*program)(int argc, char *argv[]); /* instead of run: a command without the daemon;
						   returns the exit code */
};

extern const struct ctl_command ctl_commands[];
extern const size_t ctl_command_count;

struct ctl_option_row {
	const char *name; /* "lines" */
	const char *argument, *help;
	size_t text;   /* offset of what it sets in struct ctl_options, */
	size_t number; /* or of this; 0 if neither */
	enum ctl_option option;
	char letter; /* 'n', '\0' if it has none */
};

extern const struct ctl_option_row ctl_option_rows[];
extern const size_t ctl_option_count;

struct ctl {
	FILE *in, *out, *errors; /* borrowed */
	struct ctl_view view;	 /* onto out */
	const char *socket;	 /* borrowed: where the daemon listens, unless --socket says so */

	const struct ctl_command *command;
	struct ctl_options options;
	char **words; /* owned list of borrowed words */
	size_t word_count;

	struct rpc_client *client; /* NULL until the first call */
	enum error_kind failure;   /* of the first thing that failed */
};

/* The program: argv[0] is the command's name. Returns the exit code (pysbx(1), EXIT STATUS). */
int ctl_main(int argc, char *argv[]);

/* The same on prepared streams. Frees what it made in ctl. */
int ctl_run(struct ctl *ctl, int argc, char *argv[]);

/* The command that the first words of argv name, and how many words those are; NULL and 0 if there
 * is none. */
const struct ctl_command *ctl_find_command(int argc, char *const argv[], int *ret_words);

/* The list of commands, and what one of them takes; 80 columns. */
void ctl_help_all(FILE *out);
void ctl_help_command(const struct ctl_command *command, FILE *out);

/* --- for handlers ----------------------------------------------------------------------------- */

bool ctl_given(const struct ctl *ctl, enum ctl_option option);

/* One request and its answer; connects if need be. Takes params over (NULL: memory ran out while
 * making them). *ret is the caller's reference. */
int ctl_call(struct ctl *ctl, const char *method, json_t *params, json_t **ret, struct error *err);

/* The same in two steps (supervisor/rpc_client.h). */
int ctl_ask(struct ctl *ctl, const char *method, json_t *params, json_int_t *ret_id,
	    struct error *err);
int ctl_answer(struct ctl *ctl, json_int_t id, json_t **ret, struct error *err);

/* The params of the next notification of that method ("event", "log"), however long it takes if
 * wait; else *ret is NULL when none has come. */
int ctl_next(struct ctl *ctl, const char *method, bool wait, json_t **ret, struct error *err);

/* One line on the error stream; its kind becomes the exit code unless something failed before. */
void ctl_report(struct ctl *ctl, const struct error *err);

/* One line, or indented on a terminal. */
void ctl_put_json(struct ctl *ctl, const json_t *value);
void ctl_put_json_line(struct ctl *ctl, const json_t *value);

/* A sentence on the output, its foreign words escaped. */
void ctl_say(struct ctl *ctl, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A JSON file, or the input for "-". Refuses duplicate keys. *ret is the caller's reference. */
int ctl_read_json(struct ctl *ctl, const char *path, json_t **ret, struct error *err);

/* For each of the words, or each app with --all: `each` is called, its failure reported, and the
 * next is done all the same, unless the daemon can't be reached. */
int ctl_for_each(struct ctl *ctl, int (*each)(struct ctl *ctl, const char *word, struct error *err),
		 struct error *err);

/* The same with one call each, which are under way together, RPC_CLIENT_CALLS_MAX at a time: what
 * takes its time takes it once. Told in the order of the names. */
int ctl_for_all(struct ctl *ctl, const char *method,
		json_t *(*make_params)(struct ctl *ctl, const char *name),
		void (*tell)(struct ctl *ctl, const char *name, const json_t *result),
		struct error *err);

/* For each object in the files that the words name, alone or in an array: `apply` is called, its
 * failure reported with the file's name, and the next is done all the same, as above. */
int ctl_apply_files(struct ctl *ctl,
		    int (*apply)(struct ctl *ctl, json_t *object, struct error *err),
		    struct error *err);

static inline void ctl_json_clear(json_t **value)
{
	json_decref(*value);
}
#define _cleanup_json_ __attribute__((cleanup(ctl_json_clear)))

/* --- the handlers ----------------------------------------------------------------------------- */

int ctl_apply(struct ctl *ctl, struct error *err);
int ctl_get(struct ctl *ctl, struct error *err);
int ctl_list(struct ctl *ctl, struct error *err);
int ctl_status(struct ctl *ctl, struct error *err);
int ctl_start(struct ctl *ctl, struct error *err);
int ctl_stop(struct ctl *ctl, struct error *err);
int ctl_restart(struct ctl *ctl, struct error *err);
int ctl_suspend(struct ctl *ctl, struct error *err);
int ctl_resume(struct ctl *ctl, struct error *err);
int ctl_signal(struct ctl *ctl, struct error *err);
int ctl_set(struct ctl *ctl, struct error *err);
int ctl_remove(struct ctl *ctl, struct error *err);
int ctl_wait(struct ctl *ctl, struct error *err);
int ctl_logs(struct ctl *ctl, struct error *err);
int ctl_history(struct ctl *ctl, struct error *err);
int ctl_top(struct ctl *ctl, struct error *err);
int ctl_events(struct ctl *ctl, struct error *err);
int ctl_incidents(struct ctl *ctl, struct error *err);
int ctl_incident(struct ctl *ctl, struct error *err);
int ctl_stacks(struct ctl *ctl, struct error *err);
int ctl_plan_list(struct ctl *ctl, struct error *err);
int ctl_plan_get(struct ctl *ctl, struct error *err);
int ctl_plan_apply(struct ctl *ctl, struct error *err);
int ctl_plan_remove(struct ctl *ctl, struct error *err);
int ctl_tenant_list(struct ctl *ctl, struct error *err);
int ctl_tenant_get(struct ctl *ctl, struct error *err);
int ctl_tenant_apply(struct ctl *ctl, struct error *err);
int ctl_tenant_remove(struct ctl *ctl, struct error *err);
int ctl_reload(struct ctl *ctl, struct error *err);
int ctl_daemon(struct ctl *ctl, struct error *err);
int ctl_doctor(struct ctl *ctl, struct error *err);
int ctl_rpc(struct ctl *ctl, struct error *err);
int ctl_syscalls_show(struct ctl *ctl, struct error *err);
int ctl_syscalls_check(struct ctl *ctl, struct error *err);
int ctl_syscalls_diff(struct ctl *ctl, struct error *err);
int ctl_syscalls_convert(struct ctl *ctl, struct error *err);
int ctl_help_program(int argc, char *argv[]);
int ctl_version_program(int argc, char *argv[]);
