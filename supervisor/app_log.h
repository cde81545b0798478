/* SPDX-License-Identifier: MIT */
/*
 * Where one app's words go in the daemon: a relay's sink that takes them apart into lines, and by
 * the app's log policy sends each to the journal as an entry of its own, or appends them to the
 * app's file. Never blocks on a reader: what exceeds log.rate, or is not taken, is dropped, counted
 * and told (LOG_EVENT_LOG_LINES_DROPPED).
 *
 * It lives as long as the app, across its worker's lives: the newest lines stay for `app.logs`, and
 * followers stay subscribed. Of an app that says nothing only the struct is there.
 */
#pragma once

#include "policy/flood.h"
#include "policy/log_tail.h"
#include "policy/rate.h"
#include "policy/spec.h"
#include "supervisor/log.h"
#include "supervisor/log_file.h"
#include "supervisor/relay.h"

#include <systemd/sd-event.h>

#define APP_LOG_LINE_MAX \
	((size_t)48 * 1024) /* LineMax= of journald.conf(5): longer ones are split */
#define APP_LOG_BURST_SEC 5 /* so many seconds' worth of log.rate at once */
/* A longer line counts as several: else an app could have megabytes a second written at the default
 * rate, and of the journal nothing else would be left after some minutes. */
#define APP_LOG_LINE_PRICED ((size_t)4 * 1024)
/* Beyond log.rate a worker is read at 160 kB a second: in lines of 100 bytes five times the default
 * rate. Rests are long because journald pays for being woken as much as for a line: what is let
 * through comes to it in tens. */
#define APP_LOG_REST_USEC     100000
#define APP_LOG_FOLLOWERS_MAX 32 /* of one app */
#define APP_LOG_ERROR_INTERVAL_USEC                                   \
	UINT64_C(60000000) /* a file that fails is told once a minute \
			    */

/* What all apps share; everything is borrowed. */
struct app_log_host {
	sd_event *event;
	struct log *log;	 /* the daemon's own words */
	struct journal *journal; /* never NULL */
	int directory_fd;	 /* of log files (log_file_open_directory); -1: none, lines drop */
	uint64_t (*now_usec)(void); /* clock_monotonic_usec */
};

typedef void app_log_on_line(void *userdata, unsigned stream, const char *line, size_t length);

struct app_log {
	const struct app_log_host *host;
	const struct app_spec *spec; /* borrowed */
	unsigned instance;
	bool walking;		  /* followers are being told */
	bool too_fast, not_taken; /* why lines were dropped that are not told yet */
	struct log_file file;
	uint64_t error_told_usec;
	struct rate rate;
	struct flood flood;
	struct drops drops;
	struct log_tail recent;
	struct app_log_partial {
		char *data; /* NULL: no unfinished line */
		uint32_t length, size;
	} partial[2];
	sd_event_source *drops_timer; /* NULL: nothing to tell */
	struct app_log_follower *followers;
};

/* The spec's name, tenant and log are used; it stays the caller's. */
void app_log_init(struct app_log *app_log, const struct app_log_host *host,
		  const struct app_spec *spec, unsigned instance);
/* The app has a new spec, or the old one moves: the name stays the same. */
void app_log_set_spec(struct app_log *app_log, const struct app_spec *spec);
void app_log_clear(struct app_log *app_log);

/* For relay_start; app_log outlives the relay. */
struct relay_sink app_log_sink(struct app_log *app_log);

/* A line of ours about the app (at most APP_LOG_LINE_MAX), for who reads its log: kept and followed
 * as one of its stderr, and written to its file if it has one. The journal hears of it elsewhere,
 * as an event. */
void app_log_note(struct app_log *app_log, const char *text);

/* The newest lines, oldest first, pointing into app_log; the stream of each beside it. */
size_t app_log_lines(const struct app_log *app_log, const char *ret_lines[static LOG_TAIL_LINES],
		     unsigned ret_streams[static LOG_TAIL_LINES]);

/* Calls on_line for each line that is taken from now on; line has no newline, may hold any other
 * byte and is cut like the journal's. The callback may unfollow, itself and others. */
int app_log_follow(struct app_log *app_log, app_log_on_line *on_line, void *userdata,
		   struct error *err);
void app_log_unfollow(struct app_log *app_log, app_log_on_line *on_line, void *userdata);
