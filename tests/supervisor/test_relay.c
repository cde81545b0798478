/* SPDX-License-Identifier: MIT */
#include "supervisor/relay.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct bench {
	sd_event *event;
	struct output out, err_out;
	struct relay_outputs outputs;
	struct relay relay;
	struct relay_sink sink;
	int worker[2];	 /* where the worker writes */
	int terminal[2]; /* where we would see it */
};

static void start(struct bench *bench)
{
	int from_worker[2][2], to_terminal[2][2];
	struct error err;

	memset(bench, 0, sizeof(*bench));
	cr_assert_geq(sd_event_new(&bench->event), 0);
	for (int i = 0; i < 2; i++) {
		cr_assert_eq(pipe2(from_worker[i], O_CLOEXEC), 0);
		cr_assert_eq(pipe2(to_terminal[i], O_CLOEXEC | O_NONBLOCK), 0);
		bench->worker[i] = from_worker[i][1];
		bench->terminal[i] = to_terminal[i][0];
	}
	cr_assert_eq(output_open(&bench->out, to_terminal[0][1], &err), 0);
	cr_assert_eq(output_open(&bench->err_out, to_terminal[1][1], &err), 0);
	bench->outputs = (struct relay_outputs){ { &bench->out, &bench->err_out } };
	bench->sink = relay_to_outputs(&bench->outputs);
	cr_assert_eq(relay_start(&bench->relay, bench->event, from_worker[0][0], from_worker[1][0],
				 &bench->sink, &err),
		     0);
}

static void finish(struct bench *bench)
{
	relay_clear(&bench->relay);
	output_close(&bench->out);
	output_close(&bench->err_out);
	sd_event_unref(bench->event);
}

static void run_loop(struct bench *bench)
{
	while (sd_event_run(bench->event, 0) > 0)
		continue;
}

Test(relay, passes_each_stream_on_to_its_own_output, .timeout = 30)
{
	struct bench bench;
	char text[64] = "";

	start(&bench);
	cr_assert_eq(write(bench.worker[0], "to out\n", 7), 7);
	cr_assert_eq(write(bench.worker[1], "to err\n", 7), 7);
	run_loop(&bench);
	cr_assert_eq(read(bench.terminal[0], text, sizeof(text)), 7);
	cr_assert_eq(strncmp(text, "to out\n", 7), 0);
	cr_assert_eq(read(bench.terminal[1], text, sizeof(text)), 7);
	cr_assert_eq(strncmp(text, "to err\n", 7), 0);
	finish(&bench);
}

Test(relay, keeps_draining_a_worker_whose_terminal_is_stuck, .timeout = 30)
{
	static char chunk[4096];
	const char *lines[LOG_TAIL_LINES];
	struct bench bench;

	start(&bench);
	memset(chunk, 'x', sizeof(chunk));
	chunk[sizeof(chunk) - 1] = '\n';
	for (int i = 0; i < 500; i++) { /* 2 MB: more than terminal, pipe and buffer hold */
		cr_assert_eq(write(bench.worker[0], chunk, sizeof(chunk)), (ssize_t)sizeof(chunk));
		run_loop(&bench);
	}
	cr_assert_gt(relay_dropped_lines(&bench.relay), 0);
	cr_assert_eq(write(bench.worker[0], "last words\n", 11), 11);
	relay_finish(&bench.relay);
	cr_assert_eq(log_tail_lines(&bench.relay.tail, lines), (size_t)LOG_TAIL_LINES);
	cr_assert_str_eq(lines[LOG_TAIL_LINES - 1], "last words",
			 "dropped for the terminal, kept for the incident");
	finish(&bench);
}

Test(relay, reads_what_is_left_in_the_pipe_when_it_is_finished, .timeout = 30)
{
	const char *lines[LOG_TAIL_LINES];
	struct bench bench;

	start(&bench);
	cr_assert_eq(write(bench.worker[1], "Traceback\nValueError", 20), 20);
	close(bench.worker[0]);
	close(bench.worker[1]);
	relay_finish(&bench.relay);
	cr_assert_eq(log_tail_lines(&bench.relay.tail, lines), 2);
	cr_assert_str_eq(lines[1], "ValueError");
	finish(&bench);
}

Test(relay, finishing_one_that_never_started_closes_nothing)
{
	static struct relay relay;

	relay_clear(&relay);
	cr_assert_geq(fcntl(0, F_GETFD), 0, "fd 0 is not the relay's");
}

/* A sink that notes what it is given. */
struct notes {
	char text[2][64];
	int finished;
	uint64_t dropped;
	size_t length;
};

static void note(void *userdata, unsigned stream, const char *data, size_t length)
{
	struct notes *notes = userdata;

	strncat(notes->text[stream], data, length);
}

static void note_length(void *userdata, unsigned stream, const char *data, size_t length)
{
	(void)stream, (void)data;
	((struct notes *)userdata)->length += length;
}

static void note_end(void *userdata)
{
	((struct notes *)userdata)->finished++;
}

static uint64_t noted_drops(void *userdata)
{
	return ((struct notes *)userdata)->dropped;
}

static struct relay_sink sink_of(struct notes *notes)
{
	return (struct relay_sink){ note, note_end, noted_drops, notes, 0 };
}

/* One with a sink, of whose first stream pipes[1] is the other end; text is in it already. The
 * second stream is -1 or the reader's end of another pipe. */
static sd_event *start_with_sink(struct relay *relay, const struct relay_sink *sink, int pipes[2],
				 int second, const char *text, size_t length)
{
	sd_event *event;
	struct error err;

	cr_assert_geq(sd_event_new(&event), 0);
	cr_assert_eq(pipe2(pipes, O_CLOEXEC), 0);
	cr_assert_eq(write(pipes[1], text, length), (ssize_t)length);
	cr_assert_eq(relay_start(relay, event, pipes[0], second, sink, &err), 0, "%s", err.text);
	return event;
}

Test(relay, what_came_by_another_way_goes_before_the_pipe_and_into_the_tail, .timeout = 30)
{
	struct notes notes = { .dropped = 5 };
	struct relay_sink sink = sink_of(&notes);
	const char *lines[LOG_TAIL_LINES];
	struct relay relay;
	sd_event *event;
	int pipes[2];

	event = start_with_sink(&relay, &sink, pipes, -1, "ter\n", 4);
	relay_feed(&relay, 0, "first\nla", 8);
	relay_feed(&relay, 1, "other\n", 6);
	while (sd_event_run(event, 0) > 0)
		continue;
	close(pipes[1]);
	relay_finish(&relay);
	cr_expect_str_eq(notes.text[0], "first\nlater\n");
	cr_expect_str_eq(notes.text[1], "other\n");
	cr_expect_geq(notes.finished, 1);
	cr_assert_eq(log_tail_lines(&relay.tail, lines), 3);
	cr_expect_str_eq(lines[2], "later");

	cr_expect_eq(relay_dropped_lines(&relay), 0, "earlier drops are not this worker's");
	notes.dropped = 7;
	cr_expect_eq(relay_dropped_lines(&relay), 2);
	relay_clear(&relay);
	sd_event_unref(event);
}

static void drop_all(void *userdata, unsigned stream, const char *data, size_t length)
{
	(void)stream, (void)data;
	((struct notes *)userdata)->dropped += length;
}

/* Turns of the loop until it has nothing to do, and what was taken in them. */
static uint64_t taken_at_once(sd_event *event, const struct notes *notes)
{
	uint64_t before = notes->dropped;

	while (sd_event_run(event, 0) > 0)
		continue;
	return notes->dropped - before;
}

Test(relay, reads_one_whose_lines_are_dropped_no_faster_than_a_chunk_in_a_rest, .timeout = 30)
{
	static char flood[3 * RELAY_CHUNK];
	struct notes notes = { 0 };
	struct relay_sink sink = { drop_all, note_end, noted_drops, &notes, 100000 };
	struct relay relay;
	sd_event *event;
	int pipes[2], other[2];

	memset(flood, '\n', sizeof(flood));
	cr_assert_eq(pipe2(other, O_CLOEXEC), 0);
	event = start_with_sink(&relay, &sink, pipes, other[0], flood, sizeof(flood));
	cr_expect_eq(taken_at_once(event, &notes), RELAY_CHUNK);
	cr_assert_eq(write(other[1], "words\n", 6), 6);
	cr_expect_eq(taken_at_once(event, &notes), 6, "the other stream does not wait for it");
	relay_pause(&relay);
	relay_resume(&relay);
	cr_expect_eq(taken_at_once(event, &notes), 0, "going on is not the end of a rest");
	cr_assert_gt(sd_event_run(event, UINT64_MAX), 0, "the end of the rest");
	cr_expect_eq(taken_at_once(event, &notes), RELAY_CHUNK);
	relay_finish(&relay);
	cr_expect_eq(notes.dropped, sizeof(flood) + 6, "nothing is left in the pipes");
	relay_clear(&relay);
	close(pipes[1]);
	close(other[1]);
	sd_event_unref(event);
}

Test(relay, rests_after_a_single_line_that_is_dropped, .timeout = 30)
{
	struct notes notes = { 0 };
	struct relay_sink sink = { drop_all, note_end, noted_drops, &notes, 100000 };
	struct relay relay;
	sd_event *event;
	int pipes[2];

	event = start_with_sink(&relay, &sink, pipes, -1, "line\n", 5);
	cr_expect_eq(taken_at_once(event, &notes), 5);
	for (int i = 0; i < 3; i++) {
		cr_assert_eq(write(pipes[1], "line\n", 5), 5);
		cr_expect_eq(taken_at_once(event, &notes), 0, "it is woken for no line of these");
	}
	cr_assert_gt(sd_event_run(event, UINT64_MAX), 0, "the end of the rest");
	cr_expect_eq(taken_at_once(event, &notes), 15, "all at once");
	relay_clear(&relay);
	close(pipes[1]);
	sd_event_unref(event);
}

Test(relay, reads_on_without_a_rest_as_long_as_nothing_is_dropped, .timeout = 30)
{
	static char flood[3 * RELAY_CHUNK];
	struct notes notes = { 0 };
	struct relay_sink sink = { note_length, note_end, noted_drops, &notes, UINT32_MAX };
	struct relay relay;
	sd_event *event;
	int pipes[2];

	memset(flood, '\n', sizeof(flood));
	event = start_with_sink(&relay, &sink, pipes, -1, flood, sizeof(flood));
	while (sd_event_run(event, 0) > 0)
		continue;
	cr_expect_eq(notes.length, sizeof(flood));
	relay_clear(&relay);
	close(pipes[1]);
	sd_event_unref(event);
}

Test(relay, takes_its_descriptors_even_when_it_cannot_watch_them)
{
	struct notes notes = { 0 };
	struct relay_sink sink = sink_of(&notes);
	struct relay relay;
	sd_event *event;
	struct error err;
	int file = memfd_create("no pipe", MFD_CLOEXEC); /* epoll refuses regular files */

	cr_assert_geq(sd_event_new(&event), 0);
	cr_assert_lt(relay_start(&relay, event, file, -1, &sink, &err), 0);
	cr_expect_eq(fcntl(file, F_GETFD), -1, "closed");
	relay_clear(&relay);
	sd_event_unref(event);
}
