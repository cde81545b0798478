/* SPDX-License-Identifier: MIT */
/* `pysbx stacks`: of an app by the daemon, of any process by ourselves, as far as we may. */
#include "policy/own.h"
#include "policy/stacks.h"
#include "supervisor/ctl.h"
#include "supervisor/stacks.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>

#define WATCH_MSEC 1000
/* Top left, and nothing below what is printed next. */
#define CLEAR_SCREEN "\033[H\033[J"

/* --- of a process ----------------------------------------------------------------------------- */

struct reading {
	bool done;
	json_t *result;
	struct error err;
};

static void on_done(json_t *result, const struct error *err, void *userdata)
{
	struct reading *reading = userdata;

	reading->done = true;
	reading->result = json_incref(result);
	reading->err = *err;
}

static int run_reading(struct stacks_readers *readers, pid_t pid, json_t **ret, struct error *err)
{
	struct reading reading = { .done = false };
	const struct stacks_question question = { .pids = &pid, .count = 1, .leaf = -1 };
	struct stacks_request *request;
	int r = stacks_read(readers, &question, on_done, &reading, &request, err);

	while (r >= 0 && !reading.done)
		r = sd_event_run(readers->event, UINT64_MAX);
	if (!reading.done)
		return r;
	if (reading.result == NULL) {
		*err = reading.err;
		return -EIO;
	}
	*ret = reading.result;
	return 0;
}

static int read_process(pid_t pid, json_t **ret, struct error *err)
{
	struct stacks_readers readers;
	sd_event *event = NULL;
	int r = sd_event_new(&event);

	if (r < 0)
		return error_set(err, ERROR_SYSTEM, -r, "event loop");
	stacks_readers_init(&readers, event);
	r = run_reading(&readers, pid, ret, err);
	sd_event_unref(event);
	stacks_readers_clear(&readers);
	return r;
}

/* A number is a process; an app that is called so can be asked for by `pysbx rpc`. 0: it is none.
 */
static pid_t pid_of(const char *word)
{
	char *end;
	long number;

	if (word[0] < '0' || word[0] > '9')
		return 0;
	errno = 0;
	number = strtol(word, &end, 10);
	return *end == '\0' && errno == 0 && number > 0 && number <= INT_MAX ? (pid_t)number : 0;
}

/* --- the command ------------------------------------------------------------------------------ */

static int read_once(struct ctl *ctl, json_t **ret, struct error *err)
{
	const char *word = ctl->words[0];
	pid_t pid = pid_of(word);

	if (pid > 0)
		return read_process(pid, ret, err);
	return ctl_call(ctl, "app.stacks", json_pack("{s:s}", "name", word), ret, err);
}

static void show(struct ctl *ctl, const json_t *before, json_t *result)
{
	bool watch = ctl_given(ctl, CTL_WATCH);

	(void)stacks_mark_allocating(before, result);
	if (ctl_given(ctl, CTL_JSON)) {
		if (watch)
			ctl_put_json_line(ctl, result);
		else
			ctl_put_json(ctl, result);
		return;
	}
	if (watch && ctl->view.columns > 0)
		fputs(CLEAR_SCREEN, ctl->out);
	stacks_text(result, 0, ctl->view.columns > 0 ? ctl->view.columns : UINT_MAX, ctl->out);
}

/* Of a process that has ended or may not be looked at there is nothing to show but why. */
static int check_process(const json_t *result, struct error *err)
{
	const json_t *process = json_array_get(json_object_get(result, "processes"), 0);
	const char *error = json_string_value(json_object_get(process, "error"));

	if (json_array_size(json_object_get(process, "threads")) > 0 || error == NULL)
		return 0;
	return error_set(err, ERROR_NOT_FOUND, 0, "process %lld: %s",
			 (long long)json_integer_value(json_object_get(process, "pid")), error);
}

int ctl_stacks(struct ctl *ctl, struct error *err)
{
	_cleanup_json_ json_t *before = NULL;
	int r;

	do {
		json_t *result = NULL;

		if (before != NULL) {
			fflush(ctl->out);
			(void)poll(NULL, 0, WATCH_MSEC);
		}
		r = read_once(ctl, &result, err);
		if (r >= 0 && pid_of(ctl->words[0]) > 0)
			r = check_process(result, err);
		if (r >= 0)
			show(ctl, before, result);
		json_decref(before);
		before = result;
	} while (r >= 0 && ctl_given(ctl, CTL_WATCH) && ferror(ctl->out) == 0);
	return r;
}
