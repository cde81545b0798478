/* SPDX-License-Identifier: MIT */
/*
 * From chunks to lines. A line that lies whole in a chunk is passed on from there; one that doesn't
 * collects in partial[stream], which is given back as soon as the line is complete. A partial line
 * that reaches APP_LOG_LINE_MAX is a line of its own, so there is always a bound.
 *
 * For a file, the lines of one chunk collect in a batch, to be one write. The journal wants a
 * datagram a line.
 */
#include "supervisor/app_log.h"

#include "policy/own.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#define BATCH_MAX	((size_t)64 * 1024)
#define PARTIAL_ROOM	256 /* at first; doubled as it fills */
#define NUMBER_TEXT_MAX 16

static_assert(BATCH_MAX > APP_LOG_LINE_MAX, "any line fits with its newline");
static_assert(sizeof(struct app_log) <= 256, "a thousand idle apps cost next to nothing");

struct app_log_follower {
	struct app_log_follower *next;
	app_log_on_line *on_line; /* NULL: unfollowed while the list is walked */
	void *userdata;
};

/* Lines on their way to the file: one chunk's. */
struct batch {
	struct app_log *app_log;
	uint64_t now_usec;
	bool exhausted; /* no other line of this chunk passes */
	size_t length;
	char data[BATCH_MAX];
};

/* --- what was dropped ----------------------------------------------------------------------- */

static const char *why_dropped(const struct app_log *app_log)
{
	if (app_log->too_fast && app_log->not_taken)
		return "beyond log.rate, or not taken by the log";
	if (app_log->too_fast)
		return "more than log.rate allows";
	if (app_log->spec->log.target == LOG_TO_FILE)
		return "the log file could not be written";
	return "the journal did not take them";
}

static void tell_drops(struct app_log *app_log)
{
	const struct log_subject subject = {
		.app = app_log->spec->name,
		.tenant = app_log->spec->tenant,
		.instance = &app_log->instance,
	};
	uint64_t count = drops_tell(&app_log->drops, app_log->host->now_usec());

	app_log->drops_timer = sd_event_source_disable_unref(app_log->drops_timer);
	if (count > 0)
		log_event(app_log->host->log, LOG_EVENT_LOG_LINES_DROPPED, &subject,
			  "%" PRIu64 " log line%s dropped: %s", count,
			  count == 1 ? " was" : "s were", why_dropped(app_log));
	app_log->too_fast = app_log->not_taken = false;
}

static int on_drops_due(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)source, (void)usec;
	tell_drops(userdata);
	return 0;
}

static void drop(struct app_log *app_log, uint64_t lines, uint64_t now_usec)
{
	uint64_t due;

	drops_add(&app_log->drops, lines, now_usec);
	due = drops_due(&app_log->drops);
	if (app_log->drops_timer != NULL || due == UINT64_MAX)
		return;
	/* without a timer the number waits until the worker's end */
	(void)sd_event_add_time_relative(app_log->host->event, &app_log->drops_timer,
					 CLOCK_MONOTONIC, due - now_usec, 0, on_drops_due, app_log);
}

static void drop_untaken(struct app_log *app_log, uint64_t lines, uint64_t now_usec)
{
	app_log->not_taken = true;
	drop(app_log, lines, now_usec);
}

/* --- ways out ------------------------------------------------------------------------------- */

static void tell_file_error(struct app_log *app_log, const struct error *err, uint64_t now_usec)
{
	if (app_log->error_told_usec != 0 &&
	    now_usec - app_log->error_told_usec < APP_LOG_ERROR_INTERVAL_USEC)
		return;
	app_log->error_told_usec = now_usec;
	log_message(app_log->host->log, LOG_LEVEL_ERROR, app_log->spec->name,
		    "%s; its lines are dropped until that is better", err->text);
}

static void flush_batch(struct batch *batch)
{
	struct app_log *app_log = batch->app_log;
	struct error err;
	ssize_t n;

	if (batch->length == 0)
		return;
	n = log_file_write(&app_log->file, app_log->host->directory_fd, app_log->spec->name,
			   &app_log->spec->log, batch->data, batch->length, &err);
	if (n >= 0 && (size_t)n < batch->length)
		error_set(&err, ERROR_SYSTEM, ENOSPC, "log file %s.log", app_log->spec->name);
	if (n < 0 || (size_t)n < batch->length) {
		size_t written = n > 0 ? (size_t)n : 0;

		drop_untaken(app_log,
			     log_tail_count_lines(batch->data + written, batch->length - written),
			     batch->now_usec);
		tell_file_error(app_log, &err, batch->now_usec);
	}
	batch->length = 0;
}

static void add_to_batch(struct batch *batch, const char *line, size_t length)
{
	if (batch->length + length + 1 > sizeof(batch->data))
		flush_batch(batch);
	memcpy(batch->data + batch->length, line, length);
	batch->length += length;
	batch->data[batch->length++] = '\n';
}

/* journald writes an emergency to every terminal: no app has one to tell. */
#define LEVEL_MOST '2' /* critical */

/* "<3>words": a level as syslog(3) counts, in front of the line, as sd-daemon(3) has it. */
static bool has_level(const char *line, size_t length)
{
	return length >= 3 && line[0] == '<' && line[1] >= '0' && line[1] <= '7' && line[2] == '>';
}

static bool send_line(const struct app_log *app_log, unsigned stream, const char *line,
		      size_t length)
{
	const struct app_spec *spec = app_log->spec;
	char instance[NUMBER_TEXT_MAX], priority[2] = { stream == 0 ? '6' : '5', '\0' };

	if (has_level(line, length)) {
		priority[0] = line[1] < LEVEL_MOST ? LEVEL_MOST : line[1];
		line += 3;
		length -= 3;
	}
	if (length > 0 && line[length - 1] == '\r')
		length--;
	if (length == 0) /* journald, too, leaves out the empty lines of a service */
		return true;
	snprintf(instance, sizeof(instance), "%u", app_log->instance);
	const struct journal_field fields[] = {
		journal_text("PRIORITY", priority),
		journal_text("SYSLOG_IDENTIFIER", spec->name),
		journal_text("PYSBX_APP", spec->name),
		journal_text("PYSBX_TENANT", spec->tenant),
		journal_text("PYSBX_INSTANCE", instance),
		journal_text("PYSBX_STREAM", stream == 0 ? "stdout" : "stderr"),
		{ "MESSAGE", line, length },
	};
	return journal_send(app_log->host->journal, fields, ARRAY_SIZE(fields));
}

/* --- followers ------------------------------------------------------------------------------ */

static void sweep_followers(struct app_log *app_log)
{
	struct app_log_follower **at = &app_log->followers;

	while (*at != NULL) {
		struct app_log_follower *follower = *at;

		if (follower->on_line != NULL) {
			at = &follower->next;
			continue;
		}
		*at = follower->next;
		free(follower);
	}
}

static void tell_followers(struct app_log *app_log, unsigned stream, const char *line,
			   size_t length)
{
	if (app_log->followers == NULL)
		return;
	app_log->walking = true;
	for (struct app_log_follower *f = app_log->followers; f != NULL; f = f->next)
		if (f->on_line != NULL)
			f->on_line(f->userdata, stream, line, length);
	app_log->walking = false;
	sweep_followers(app_log);
}

int app_log_follow(struct app_log *app_log, app_log_on_line *on_line, void *userdata,
		   struct error *err)
{
	struct app_log_follower **end = &app_log->followers;
	size_t count = 0;

	for (; *end != NULL; end = &(*end)->next)
		count++;
	if (count >= APP_LOG_FOLLOWERS_MAX)
		return error_set(err, ERROR_TOO_MANY, 0,
				 "app %s: %d follow its log already, which is the most",
				 app_log->spec->name, APP_LOG_FOLLOWERS_MAX);
	*end = calloc(1, sizeof(**end));
	if (*end == NULL)
		return error_no_memory(err);
	**end = (struct app_log_follower){ .on_line = on_line, .userdata = userdata };
	return 0;
}

void app_log_unfollow(struct app_log *app_log, app_log_on_line *on_line, void *userdata)
{
	for (struct app_log_follower *f = app_log->followers; f != NULL; f = f->next)
		if (f->on_line == on_line && f->userdata == userdata) {
			f->on_line = NULL;
			break;
		}
	if (!app_log->walking)
		sweep_followers(app_log);
}

/* --- lines ---------------------------------------------------------------------------------- */

static void pass_line(struct batch *batch, unsigned stream, const char *line, size_t length)
{
	struct app_log *app_log = batch->app_log;

	flood_add(&app_log->flood, 1);
	if (!flood_take(&app_log->flood) ||
	    !rate_take(&app_log->rate, batch->now_usec, 1 + length / APP_LOG_LINE_PRICED)) {
		batch->exhausted = app_log->too_fast = true;
		drop(app_log, 1, batch->now_usec);
		return;
	}
	if (app_log->spec->log.target == LOG_TO_FILE)
		add_to_batch(batch, line, length);
	else if (!send_line(app_log, stream, line, length))
		drop_untaken(app_log, 1, batch->now_usec);
	tell_followers(app_log, stream, line, length);
}

/* Whatever its length: in pieces that fit. */
static void split_line(struct batch *batch, unsigned stream, const char *line, size_t length)
{
	while (length > APP_LOG_LINE_MAX) {
		pass_line(batch, stream, line, APP_LOG_LINE_MAX);
		line += APP_LOG_LINE_MAX;
		length -= APP_LOG_LINE_MAX;
	}
	pass_line(batch, stream, line, length);
}

static void free_partial(struct app_log_partial *partial)
{
	free(partial->data);
	*partial = (struct app_log_partial){ 0 };
}

static void finish_partial(struct batch *batch, unsigned stream)
{
	struct app_log_partial *partial = &batch->app_log->partial[stream];

	pass_line(batch, stream, partial->data, partial->length);
	partial->length = 0;
}

static bool make_room(struct app_log_partial *partial, size_t wanted)
{
	size_t size = partial->size > 0 ? partial->size : PARTIAL_ROOM;
	char *data;

	if (wanted <= partial->size)
		return true;
	while (size < wanted)
		size *= 2;
	data = realloc(partial->data, size);
	if (data == NULL)
		return false;
	partial->data = data;
	partial->size = (uint32_t)size;
	return true;
}

static void add_to_partial(struct batch *batch, unsigned stream, const char *data, size_t length)
{
	struct app_log_partial *partial = &batch->app_log->partial[stream];

	while (length > 0) {
		size_t part = APP_LOG_LINE_MAX - partial->length;

		if (part > length)
			part = length;
		if (part == 0) {
			finish_partial(batch, stream);
			continue;
		}
		if (!make_room(partial, partial->length + part)) {
			drop_untaken(batch->app_log, 1, batch->now_usec);
			partial->length = 0;
			return;
		}
		memcpy(partial->data + partial->length, data, part);
		partial->length += (uint32_t)part;
		data += part;
		length -= part;
	}
}

/* All at once, once the rate is used up: of a flood that is nearly everything. Returns the length
 * of the whole lines. */
static size_t drop_lines(struct batch *batch, const char *data, size_t length)
{
	const char *last = memrchr(data, '\n', length);
	size_t whole = last != NULL ? (size_t)(last - data) + 1 : 0;
	uint64_t lines = whole > 0 ? log_tail_count_lines(data, whole) : 0;

	flood_add(&batch->app_log->flood, lines);
	if (lines > 0)
		drop(batch->app_log, lines, batch->now_usec);
	return whole;
}

static void take_lines(struct batch *batch, unsigned stream, const char *data, size_t length)
{
	struct app_log_partial *partial = &batch->app_log->partial[stream];

	while (length > 0) {
		const char *newline = memchr(data, '\n', length);
		size_t part = newline != NULL ? (size_t)(newline - data) : length;

		if (batch->exhausted && newline != NULL && partial->length == 0) {
			part = drop_lines(batch, data, length) - 1;
		} else if (newline != NULL && partial->length == 0) {
			split_line(batch, stream, data, part);
		} else {
			add_to_partial(batch, stream, data, part);
			if (newline == NULL)
				return;
			finish_partial(batch, stream);
			free_partial(partial);
		}
		data += part + 1;
		length -= part + 1;
	}
}

static void start_batch(struct batch *batch, struct app_log *app_log)
{
	batch->app_log = app_log;
	batch->now_usec = app_log->host->now_usec();
	batch->exhausted = false;
	batch->length = 0;
}

static void take(void *userdata, unsigned stream, const char *data, size_t length)
{
	struct app_log *app_log = userdata;
	struct batch batch;

	assert(stream < ARRAY_SIZE(app_log->partial));
	start_batch(&batch, app_log);
	flood_pass_time(&app_log->flood, app_log->rate.per_second, batch.now_usec);
	log_tail_feed(&app_log->recent, stream, data, length);
	take_lines(&batch, stream, data, length);
	flush_batch(&batch);
}

void app_log_note(struct app_log *app_log, const char *text)
{
	size_t length = strlen(text);
	struct batch batch;

	start_batch(&batch, app_log);
	log_tail_note(&app_log->recent, 1, text);
	if (app_log->spec->log.target == LOG_TO_FILE)
		add_to_batch(&batch, text, length);
	flush_batch(&batch);
	tell_followers(app_log, 1, text, length);
}

static void finish(void *userdata)
{
	struct app_log *app_log = userdata;
	struct batch batch;

	start_batch(&batch, app_log);
	log_tail_finish(&app_log->recent);
	for (unsigned stream = 0; stream < ARRAY_SIZE(app_log->partial); stream++) {
		if (app_log->partial[stream].length > 0)
			finish_partial(&batch, stream);
		free_partial(&app_log->partial[stream]);
	}
	flush_batch(&batch);
	log_file_close(&app_log->file);
	tell_drops(app_log);
}

static uint64_t dropped_lines(void *userdata)
{
	return ((struct app_log *)userdata)->drops.total;
}

/* --- the whole ------------------------------------------------------------------------------ */

static void start_rate(struct app_log *app_log)
{
	uint64_t rate = app_log->spec->log.rate;
	uint64_t burst = rate > UINT64_MAX / APP_LOG_BURST_SEC ? rate : rate * APP_LOG_BURST_SEC;

	rate_init(&app_log->rate, rate, burst, app_log->host->now_usec());
	app_log->flood = (struct flood){ 0 };
}

void app_log_init(struct app_log *app_log, const struct app_log_host *host,
		  const struct app_spec *spec, unsigned instance)
{
	*app_log = (struct app_log){
		.host = host, .spec = spec, .instance = instance, .file = { .fd = -1 }
	};
	start_rate(app_log);
}

void app_log_set_spec(struct app_log *app_log, const struct app_spec *spec)
{
	app_log->spec = spec;
	if (spec->log.target != LOG_TO_FILE)
		log_file_close(&app_log->file);
	if (spec->log.rate != app_log->rate.per_second)
		start_rate(app_log);
}

void app_log_clear(struct app_log *app_log)
{
	if (app_log->host == NULL)
		return;
	finish(app_log);
	log_tail_clear(&app_log->recent);
	while (app_log->followers != NULL) {
		struct app_log_follower *follower = app_log->followers;

		app_log->followers = follower->next;
		free(follower);
	}
	*app_log = (struct app_log){ .file = { .fd = -1 } };
}

struct relay_sink app_log_sink(struct app_log *app_log)
{
	return (struct relay_sink){ take, finish, dropped_lines, app_log, APP_LOG_REST_USEC };
}

size_t app_log_lines(const struct app_log *app_log, const char *ret_lines[static LOG_TAIL_LINES],
		     unsigned ret_streams[static LOG_TAIL_LINES])
{
	size_t count = log_tail_lines(&app_log->recent, ret_lines);

	for (size_t i = 0; i < count; i++)
		ret_streams[i] = log_tail_stream(&app_log->recent, i);
	return count;
}
