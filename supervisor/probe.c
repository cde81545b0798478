/* SPDX-License-Identifier: MIT */
#include "supervisor/probe.h"

#include "policy/own.h"
#include "supervisor/clock.h"
#include "supervisor/foreign_socket.h"
#include "supervisor/probe_socket.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

void probe_init(struct probe *probe, sd_event *event)
{
	*probe = (struct probe){ .event = event, .fd = -1, .door = { -1, -1 } };
}

static void let_go(struct probe *probe)
{
	probe->io = sd_event_source_disable_unref(probe->io);
	probe->timer = sd_event_source_disable_unref(probe->timer);
	foreign_socket_close(&probe->fd);
	(void)probe_door_close(&probe->door);
	probe->done = NULL;
}

void probe_stop(struct probe *probe)
{
	let_go(probe);
	probe_door_leave(&probe->door, probe->event);
}

static void settle(struct probe *probe, enum health_outcome outcome, int status)
{
	if (probe->settled)
		return;
	probe->settled = true;
	probe->result.outcome = outcome;
	probe->result.status = status;
	probe->result.took_usec = clock_monotonic_usec() - probe->begun_usec;
}

static void finish(struct probe *probe)
{
	probe_done *done = probe->done;

	let_go(probe);
	done(&probe->result, probe->userdata);
}

static void finish_with(struct probe *probe, enum health_outcome outcome)
{
	settle(probe, outcome, 0);
	finish(probe);
}

/* --- the answer ----------------------------------------------------------------------------- */

static void judge_head(struct probe *probe)
{
	int status = 0, r = health_read_status(probe->head, probe->head_length, &status);

	if (r == -EPROTO)
		settle(probe, HEALTH_NOT_HTTP, 0);
	else if (r == 0)
		settle(probe, health_status_is_well(status) ? HEALTH_WELL : HEALTH_BAD_STATUS,
		       status);
}

static void take(struct probe *probe, const char *bytes, size_t length)
{
	size_t room = sizeof(probe->head) - probe->head_length;
	size_t used = length < room ? length : room;

	memcpy(probe->head + probe->head_length, bytes, used);
	probe->head_length += (unsigned)used;
	probe->drained += length;
	if (!probe->settled)
		judge_head(probe);
}

/* One read a wake-up: a server that floods has the rest of the loop in between. */
static void read_answer(struct probe *probe)
{
	char bytes[4096];
	ssize_t n = foreign_socket_read(probe->fd, bytes, sizeof(bytes));

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0)
		take(probe, bytes, (size_t)n);
	else
		settle(probe, HEALTH_CLOSED, 0);
	/* what is no HTTP is not listened to any longer */
	if (n <= 0 || probe->drained >= PROBE_DRAIN_MAX ||
	    (probe->settled && probe->result.outcome == HEALTH_NOT_HTTP))
		finish(probe);
}

/* --- connecting ----------------------------------------------------------------------------- */

/* A new socket has room for it: what isn't taken at once never will be. */
static bool send_request(struct probe *probe)
{
	char text[HEALTH_REQUEST_MAX];
	size_t length = health_request(probe->question.target, probe->question.host, text);

	return send(probe->fd, text, length, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)length;
}

static enum health_outcome outcome_of(int errnum)
{
	switch (errnum) {
	case 0:
		return HEALTH_WELL;
	case ECONNREFUSED:
		return HEALTH_REFUSED;
	case ETIMEDOUT:
		return HEALTH_NO_CONNECTION;
	case ECONNRESET:
	case EPIPE:
		return HEALTH_CLOSED;
	default:
		return HEALTH_NOT_ASKED;
	}
}

static int on_readable(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	(void)source, (void)fd, (void)events;
	read_answer(userdata);
	return 0;
}

static int on_connected(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct probe *probe = userdata;
	socklen_t length = sizeof(int);
	int errnum = 0;
	(void)source, (void)events;

	(void)getsockopt(fd, SOL_SOCKET, SO_ERROR, &errnum, &length);
	if (errnum == 0 && !send_request(probe))
		errnum = EPIPE;
	probe->io = sd_event_source_disable_unref(probe->io);
	if (errnum != 0)
		finish_with(probe, outcome_of(errnum));
	else if (sd_event_add_io(probe->event, &probe->io, fd, EPOLLIN, on_readable, probe) < 0)
		finish_with(probe, HEALTH_NOT_ASKED);
	return 0;
}

static int wait_for_connection(struct probe *probe)
{
	return sd_event_add_io(probe->event, &probe->io, probe->fd, EPOLLOUT, on_connected, probe);
}

static int on_door(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct probe *probe = userdata;
	enum health_outcome outcome = probe_door_receive(&probe->door, &probe->fd);
	(void)source, (void)fd, (void)events;

	probe->io = sd_event_source_disable_unref(probe->io);
	probe_door_leave(&probe->door, probe->event); /* all that it does now is end */
	if (outcome != HEALTH_WELL)
		finish_with(probe, outcome);
	else if (wait_for_connection(probe) < 0)
		finish_with(probe, HEALTH_NOT_ASKED);
	return 0;
}

/* --- asking --------------------------------------------------------------------------------- */

/* False: there is nothing, or it was already. The events that have come meanwhile come next. */
static bool give_back(struct probe *probe, uint64_t due_usec)
{
	uint64_t late_usec = clock_monotonic_usec() - due_usec;

	if (probe->settled || probe->given_back || late_usec < PROBE_LATE_USEC)
		return false;
	if (late_usec > probe->question.timeout_usec)
		late_usec = probe->question.timeout_usec;
	probe->given_back = true;
	return sd_event_source_set_time_relative(probe->timer, late_usec) >= 0 &&
	       sd_event_source_set_enabled(probe->timer, SD_EVENT_ONESHOT) >= 0;
}

/* The deadline; or, at once, what was known before anything was sent. */
static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct probe *probe = userdata;
	/* a request was sent once we wait for what can be read */
	bool connected = probe->fd >= 0 && probe->io != NULL;
	uint32_t awaited = 0;
	(void)source;

	if (give_back(probe, usec))
		return 0;
	if (connected)
		(void)sd_event_source_get_io_events(probe->io, &awaited);
	finish_with(probe, (awaited & EPOLLIN) != 0 ? HEALTH_NO_ANSWER : HEALTH_NO_CONNECTION);
	return 0;
}

static int arm(struct probe *probe, uint64_t usec)
{
	return sd_event_add_time_relative(probe->event, &probe->timer, CLOCK_MONOTONIC, usec, 10000,
					  on_timer, probe);
}

/* Where the socket comes from. An outcome other than HEALTH_WELL is told by the timer, at once:
 * never from within probe_ask(). */
static int begin(struct probe *probe, struct error *err)
{
	const struct probe_question *question = &probe->question;
	enum health_outcome outcome;
	int r;

	if ((question->target->is_unix && !question->place.held) || question->place.own_network) {
		/* the one before hangs in a file system that does not answer */
		if (!probe_door_close(&probe->door)) {
			settle(probe, HEALTH_NO_CONNECTION, 0);
			return 0;
		}
		r = probe_door_open(question->target, &question->place, &probe->door, err);
		return r < 0 ? r
			     : sd_event_add_io(probe->event, &probe->io, probe->door.socket,
					       EPOLLIN, on_door, probe);
	}
	outcome = probe_socket_connect(question->target, &question->place, &probe->fd);
	if (outcome == HEALTH_WELL)
		return wait_for_connection(probe);
	settle(probe, outcome, 0);
	return 0;
}

int probe_ask(struct probe *probe, const struct probe_question *question, probe_done *done,
	      void *userdata, struct error *err)
{
	int r;

	probe->question = *question;
	probe->userdata = userdata;
	probe->settled = probe->given_back = false;
	probe->head_length = 0;
	probe->drained = 0;
	probe->begun_usec = clock_monotonic_usec();
	probe->result = (struct health_result){ .time_usec = clock_realtime_usec() };
	r = begin(probe, err);
	if (r >= 0)
		r = arm(probe, probe->settled ? 0 : question->timeout_usec);
	if (r < 0) {
		let_go(probe);
		return error_set(err, ERROR_SYSTEM, -r, "health check");
	}
	probe->done = done;
	return 0;
}
