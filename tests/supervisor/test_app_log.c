/* SPDX-License-Identifier: MIT */
#include "supervisor/app_log.h"

#include "policy/own.h"
#include "tests/supervisor/journald.h"
#include "tests/supervisor/tree.h"

#include <signal.h>
#include <sys/resource.h>

static uint64_t now; /* the clock that an app's log is shown */

static uint64_t tell_now(void)
{
	return now;
}

static struct journald journald;
static struct journal journal;
static struct log daemon_log;
static struct app_log_host host;
static struct app_spec spec;
static struct app_log app_log;
static struct relay_sink sink;
static struct journald_entry entry;

static void start(void)
{
	struct error err;

	now = 1000 * USEC_PER_SEC;
	tree_make();
	journald_start(&journald);
	cr_assert_eq(journal_open(&journal, journald.address.sun_path, &err), 0);
	daemon_log = (struct log){ .journal = &journal, .threshold = LOG_LEVEL_INFO };
	host = (struct app_log_host){ .log = &daemon_log,
				      .journal = &journal,
				      .now_usec = tell_now };
	cr_assert_geq(sd_event_new(&host.event), 0);
	host.directory_fd = log_file_open_directory(tree_path("log"), &err);
	cr_assert_geq(host.directory_fd, 0, "%s", err.text);
	cr_assert_eq(spec_init(&spec, &err), 0);
	spec.name = strdup("web");
	spec.tenant = strdup("acme");
	app_log_init(&app_log, &host, &spec, 3);
	sink = app_log_sink(&app_log);
}

static void stop(void)
{
	app_log_clear(&app_log);
	spec_clear(&spec);
	journal_close(&journal);
	journald_stop(&journald);
	close(host.directory_fd);
	sd_event_unref(host.event);
	tree_remove();
}

TestSuite(app_log, .init = start, .fini = stop, .timeout = 30);

static void say(unsigned stream, const char *text)
{
	sink.take(sink.userdata, stream, text, strlen(text));
}

static void expect_message(const char *text)
{
	if (!journald_next(&journald, &entry))
		cr_assert_fail("no entry for \"%s\"", text);
	journald_expect(&entry, "MESSAGE", text);
}

static void expect_silence(void)
{
	if (journald_next(&journald, &entry))
		cr_expect_fail("an entry: %s", journald_field(&entry, "MESSAGE"));
}

static const char *file_content(const char *name)
{
	static char text[16384];
	_cleanup_close_ int fd = openat(host.directory_fd, name, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;

	if (n < 0)
		return "(no file)";
	text[n] = '\0';
	return text;
}

/* --- the journal ---------------------------------------------------------------------------- */

Test(app_log, a_line_is_an_entry_that_says_whose_it_is)
{
	say(0, "hello\n");
	expect_message("hello");
	journald_expect(&entry, "PRIORITY", "6");
	journald_expect(&entry, "SYSLOG_IDENTIFIER", "web");
	journald_expect(&entry, "PYSBX_APP", "web");
	journald_expect(&entry, "PYSBX_TENANT", "acme");
	journald_expect(&entry, "PYSBX_INSTANCE", "3");
	journald_expect(&entry, "PYSBX_STREAM", "stdout");
	journald_expect(&entry, "MESSAGE_ID", NULL);

	say(1, "oops\n");
	expect_message("oops");
	journald_expect(&entry, "PRIORITY", "5");
	journald_expect(&entry, "PYSBX_STREAM", "stderr");
	expect_silence();
}

Test(app_log, an_app_without_a_tenant_has_no_such_field)
{
	free(TAKE_PTR(spec.tenant));
	say(0, "hello\n");
	expect_message("hello");
	journald_expect(&entry, "PYSBX_TENANT", NULL);
}

Test(app_log, a_level_in_front_of_a_line_is_its_priority)
{
	static const struct {
		const char *line, *message, *priority;
	} cases[] = {
		{ "<3>broken\n", "broken", "3" },
		{ "<0>\n", NULL, NULL },
		{ "<0>to all terminals\n", "to all terminals", "2" },
		{ "<1>now\n", "now", "2" },
		{ "<2>soon\n", "soon", "2" },
		{ "<8>no level\n", "<8>no level", "6" },
		{ "<3\n", "<3", "6" },
		{ "<3>>x\n", ">x", "3" },
		{ "x<3>\n", "x<3>", "6" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		say(0, cases[i].line);
		if (cases[i].message == NULL) {
			expect_silence();
			continue;
		}
		expect_message(cases[i].message);
		journald_expect(&entry, "PRIORITY", cases[i].priority);
	}
}

Test(app_log, lines_are_put_together_however_they_arrive)
{
	static const char input[] = "first\nsecond\r\n\n\nthird";

	for (size_t cut = 0; cut < sizeof(input); cut++) {
		sink.take(sink.userdata, 0, input, cut);
		say(1, "other ");
		sink.take(sink.userdata, 0, input + cut, sizeof(input) - 1 - cut);
		say(1, "stream\n");
		sink.finish(sink.userdata);
		for (const char *const *text =
			     (const char *const[]){ "first", "second", "other stream", "third",
						    NULL };
		     *text != NULL; text++)
			expect_message(*text);
		expect_silence();
		now += USEC_PER_SEC;
	}
	cr_expect_null(app_log.partial[0].data, "nothing is kept of a finished line");
	cr_expect_eq(sink.dropped_lines(sink.userdata), 0);
}

Test(app_log, bytes_go_to_the_journal_as_they_are)
{
	static const char bytes[] = "nul \0 esc \x1b[m bad \xff\n";

	sink.take(sink.userdata, 0, bytes, sizeof(bytes) - 1);
	cr_assert(journald_next(&journald, &entry));
	cr_assert_eq(entry.fields[entry.count - 1].length, sizeof(bytes) - 2);
	cr_expect_arr_eq(entry.fields[entry.count - 1].value, bytes, sizeof(bytes) - 2);
}

/* Bytes of all messages that have come. */
static size_t count_bytes(void)
{
	size_t total = 0;

	while (journald_next(&journald, &entry)) {
		journald_require(entry.fields[entry.count - 1].length <= APP_LOG_LINE_MAX,
				 "a line that was not split");
		total += entry.fields[entry.count - 1].length;
	}
	return total;
}

Test(app_log, a_line_that_never_ends_is_split_and_bounded)
{
	static char chunk[65536];
	size_t total = 0;

	memset(chunk, 'x', sizeof(chunk));
	for (int i = 0; i < 10; i++) {
		sink.take(sink.userdata, 0, chunk, sizeof(chunk));
		total += count_bytes();
	}
	cr_expect_leq(app_log.partial[0].size, 65536);
	sink.take(sink.userdata, 0, "\nnext\n", 6);
	cr_expect_eq(total + count_bytes(), 10 * sizeof(chunk) + strlen("next"));

	/* the same when it lies whole in what is given */
	chunk[sizeof(chunk) - 1] = '\n';
	sink.take(sink.userdata, 0, chunk, sizeof(chunk));
	cr_assert(journald_next(&journald, &entry));
	cr_expect_eq(entry.fields[entry.count - 1].length, APP_LOG_LINE_MAX);
	cr_assert(journald_next(&journald, &entry));
	cr_expect_eq(entry.fields[entry.count - 1].length, sizeof(chunk) - 1 - APP_LOG_LINE_MAX);
}

/* --- too much ------------------------------------------------------------------------------- */

Test(app_log, what_exceeds_the_rate_is_dropped_counted_and_told)
{
	struct app_spec slow = spec;

	slow.log.rate = 2; /* and a burst of 10 */
	app_log_set_spec(&app_log, &slow);
	for (int i = 0; i < 25; i++)
		say(0, "line\n");
	for (int i = 0; i < 2 * APP_LOG_BURST_SEC; i++)
		expect_message("line");
	expect_silence();
	cr_expect_eq(sink.dropped_lines(sink.userdata), 15);

	now += DROPS_SETTLE_USEC;
	say(0, "again\n");
	expect_message("again");
	sink.finish(sink.userdata);
	expect_message("web: 15 log lines were dropped: more than log.rate allows");
	journald_expect(&entry, "MESSAGE_ID",
			log_event_kind(LOG_EVENT_LOG_LINES_DROPPED)->message_id);
	journald_expect(&entry, "PYSBX_APP", "web");
	journald_expect(&entry, "PYSBX_TENANT", "acme");
	sink.finish(sink.userdata);
	expect_silence();
	app_log_set_spec(&app_log, &spec);
}

Test(app_log, of_a_chunk_beyond_the_rate_each_whole_line_is_counted_once)
{
	struct app_spec slow = spec;
	char chunk[1024] = "";
	size_t used = 0;

	slow.log.rate = 2;
	app_log_set_spec(&app_log, &slow);
	say(0, "begun, ");
	for (int i = 0; i < 40; i++)
		used += (size_t)snprintf(chunk + used, sizeof(chunk) - used, "%s\n",
					 i % 3 == 0 ? "" : "line");
	snprintf(chunk + used, sizeof(chunk) - used, "unfinished");
	say(0, chunk);
	expect_message("begun, ");
	for (int i = 1; i < 2 * APP_LOG_BURST_SEC; i++)
		if (i % 3 != 0) /* the journal has no empty lines */
			expect_message("line");
	expect_silence();
	cr_expect_eq(sink.dropped_lines(sink.userdata), 40 - 2 * APP_LOG_BURST_SEC);
	say(0, ", and too much\nmore\n");
	cr_expect_eq(sink.dropped_lines(sink.userdata), 42 - 2 * APP_LOG_BURST_SEC);
	/* a second later as much as the rate gives, and the rest is another chunk's */
	now += 1000000;
	say(0, "one\ntwo\nthree\nfour\n");
	expect_message("one");
	expect_message("two");
	expect_silence();
	cr_expect_eq(sink.dropped_lines(sink.userdata), 44 - 2 * APP_LOG_BURST_SEC);
	app_log_set_spec(&app_log, &spec);
}

/* Ten lines in one go, so often, with a tenth of a second after each ten: how many the journal
 * got. */
static uint64_t say_tens(const char *line, unsigned often)
{
	char chunk[256];
	size_t length = 0;
	uint64_t passed = 0;

	for (int i = 0; i < 10; i++)
		length += (size_t)snprintf(chunk + length, sizeof(chunk) - length, "%s\n", line);
	for (unsigned i = 0; i < often; i++, now += USEC_PER_SEC / 10) {
		say(0, chunk);
		while (journald_next(&journald, &entry))
			passed += strcmp(journald_field(&entry, "MESSAGE"), line) == 0;
	}
	return passed;
}

Test(app_log, of_a_flood_that_goes_on_a_sample_passes_and_the_rest_is_counted)
{
	struct app_spec slow = spec;
	uint64_t passed, dropped;

	slow.log.rate = 20;
	app_log_set_spec(&app_log, &slow);
	passed = say_tens("flood", 10 * FLOOD_WINDOWS);
	cr_expect_geq(passed, UINT64_C(20) * (APP_LOG_BURST_SEC + FLOOD_WINDOWS - 1),
		      "the burst and the rate");
	dropped = sink.dropped_lines(sink.userdata);
	cr_expect_eq(passed + dropped, UINT64_C(100) * FLOOD_WINDOWS);

	passed = say_tens("more", 100);
	cr_expect_eq(passed, 10 * 20 / FLOOD_SHARE);
	cr_expect_eq(passed + sink.dropped_lines(sink.userdata) - dropped, 1000);

	now += 2 * FLOOD_WINDOW_USEC;
	cr_expect_eq(say_tens("calm", 2), 20);
	app_log_set_spec(&app_log, &spec);
}

Test(app_log, a_long_line_counts_as_several)
{
	static char line[2 * APP_LOG_LINE_PRICED + 2];
	struct app_spec slow = spec;

	memset(line, 'x', sizeof(line) - 2);
	line[sizeof(line) - 2] = '\n';
	slow.log.rate = 2; /* and a burst of 10: three of them */
	app_log_set_spec(&app_log, &slow);
	for (int i = 0; i < 4; i++)
		say(0, line);
	for (int i = 0; i < 3; i++)
		cr_expect(journald_next(&journald, &entry));
	expect_silence();
	cr_expect_eq(sink.dropped_lines(sink.userdata), 1);
	app_log_set_spec(&app_log, &spec);
}

Test(app_log, a_flood_is_told_while_it_lasts)
{
	struct app_spec slow = spec;
	int r = 0;

	slow.log.rate = 1;
	app_log_set_spec(&app_log, &slow);
	for (int i = 0; i < APP_LOG_BURST_SEC + 1; i++)
		say(0, "line\n");
	for (int i = 0; i < APP_LOG_BURST_SEC; i++)
		expect_message("line");
	cr_expect_not_null(app_log.drops_timer);
	while (app_log.drops_timer != NULL && r >= 0)
		r = sd_event_run(host.event, UINT64_MAX);
	expect_message("web: 1 log line was dropped: more than log.rate allows");
	app_log_set_spec(&app_log, &spec);
}

Test(app_log, a_journal_that_takes_nothing_costs_lines_and_no_time)
{
	unsigned waiting = 0;
	struct app_spec fast = spec;

	fast.log.rate = LIMIT_MAX;
	app_log_set_spec(&app_log, &fast);
	for (int i = 0; i < 20000; i++)
		say(0, "line\n");
	while (journald_next(&journald, &entry))
		waiting++;
	cr_expect_gt(waiting, 0);
	cr_expect_eq(sink.dropped_lines(sink.userdata), 20000 - waiting);
	sink.finish(sink.userdata);
	cr_assert(journald_next(&journald, &entry));
	cr_expect_not_null(strstr(journald_field(&entry, "MESSAGE"), "journal did not take them"));
	app_log_set_spec(&app_log, &spec);
}

/* --- files ---------------------------------------------------------------------------------- */

Test(app_log, to_a_file_whole_lines_of_both_streams)
{
	spec.log.target = LOG_TO_FILE;
	say(0, "one\ntw");
	say(1, "<3>err\n\n");
	say(0, "o\nthree");
	cr_expect_str_eq(file_content("web.log"), "one\n<3>err\n\ntwo\n");
	sink.finish(sink.userdata);
	cr_expect_str_eq(file_content("web.log"), "one\n<3>err\n\ntwo\nthree\n");
	cr_expect_eq(app_log.file.fd, -1, "an idle app holds no file open");
	expect_silence();
}

Test(app_log, a_chunk_larger_than_a_batch_arrives_whole)
{
	static char chunk[200000];
	struct stat st;

	spec.log.target = LOG_TO_FILE;
	spec.log.rate = LIMIT_MAX;
	app_log_set_spec(&app_log, &spec);
	memset(chunk, 'x', sizeof(chunk));
	for (size_t i = 99; i < sizeof(chunk); i += 100)
		chunk[i] = '\n';
	sink.take(sink.userdata, 0, chunk, sizeof(chunk));
	cr_assert_eq(fstatat(host.directory_fd, "web.log", &st, 0), 0);
	cr_expect_eq(st.st_size, (off_t)sizeof(chunk));
}

Test(app_log, a_file_without_room_is_told_once_a_minute)
{
	struct rlimit limit = { 4, 4 };

	(void)signal(SIGXFSZ, SIG_IGN);
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	spec.log.target = LOG_TO_FILE;
	say(0, "one\ntwo\nthree\n");
	cr_expect_str_eq(file_content("web.log"), "one\n");
	cr_expect_eq(sink.dropped_lines(sink.userdata), 2);
	cr_assert(journald_next(&journald, &entry));
	cr_expect_not_null(strstr(journald_field(&entry, "MESSAGE"), "web.log"));
	say(0, "four\n");
	expect_silence();
	now += APP_LOG_ERROR_INTERVAL_USEC;
	say(0, "five\n");
	cr_expect(journald_next(&journald, &entry));
	cr_expect_eq(sink.dropped_lines(sink.userdata), 4);

	sink.finish(sink.userdata);
	expect_message("web: 4 log lines were dropped: the log file could not be written");
}

Test(app_log, the_target_can_change_while_the_app_runs)
{
	struct app_spec other = spec;

	other.log.target = LOG_TO_FILE;
	say(0, "to the journal\nhalf ");
	app_log_set_spec(&app_log, &other);
	say(0, "a line\n");
	app_log_set_spec(&app_log, &spec);
	cr_expect_eq(app_log.file.fd, -1);
	say(0, "back\n");
	expect_message("to the journal");
	expect_message("back");
	cr_expect_str_eq(file_content("web.log"), "half a line\n");
}

/* --- who reads along ------------------------------------------------------------------------ */

struct reader {
	char text[256];
	int calls;
	struct reader *unfollows; /* at its next line */
};

static void read_along(void *userdata, unsigned stream, const char *line, size_t length)
{
	struct reader *reader = userdata;
	size_t used = strlen(reader->text);

	snprintf(reader->text + used, sizeof(reader->text) - used, "%u:%.*s|", stream, (int)length,
		 line);
	reader->calls++;
	if (reader->unfollows != NULL)
		app_log_unfollow(&app_log, read_along, TAKE_PTR(reader->unfollows));
}

Test(app_log, followers_see_each_line_from_then_on)
{
	struct reader one = { 0 }, two = { 0 };
	struct error err;

	say(0, "before\n");
	cr_assert_eq(app_log_follow(&app_log, read_along, &one, &err), 0);
	say(0, "a\nb");
	cr_assert_eq(app_log_follow(&app_log, read_along, &two, &err), 0);
	say(1, "c\n");
	say(0, "d\n");
	app_log_unfollow(&app_log, read_along, &one);
	app_log_unfollow(&app_log, read_along, &one);
	say(0, "e\n");
	cr_expect_str_eq(one.text, "0:a|1:c|0:bd|");
	cr_expect_str_eq(two.text, "1:c|0:bd|0:e|");
}

Test(app_log, a_note_is_a_line_of_its_own_for_who_reads_the_log)
{
	const char *lines[LOG_TAIL_LINES];
	unsigned streams[LOG_TAIL_LINES];
	struct reader one = { 0 };
	struct error err;

	spec.log.target = LOG_TO_FILE;
	cr_assert_eq(app_log_follow(&app_log, read_along, &one, &err), 0);
	say(1, "half ");
	app_log_note(&app_log, "pysbx: a note");
	say(1, "a line\n");
	cr_expect_str_eq(one.text, "1:pysbx: a note|1:half a line|");
	cr_expect_str_eq(file_content("web.log"), "pysbx: a note\nhalf a line\n");
	cr_expect_eq(app_log_lines(&app_log, lines, streams), 2);
	cr_expect_str_eq(lines[0], "pysbx: a note");
	expect_silence();
}

Test(app_log, a_follower_may_leave_and_send_others_away_while_it_is_told)
{
	struct reader readers[3] = { 0 };
	struct error err;

	for (size_t i = 0; i < ARRAY_SIZE(readers); i++)
		cr_assert_eq(app_log_follow(&app_log, read_along, &readers[i], &err), 0);
	readers[0].unfollows = &readers[1]; /* the next one */
	readers[2].unfollows = &readers[2]; /* itself */
	say(0, "one\ntwo\n");
	cr_expect_eq(readers[0].calls, 2);
	cr_expect_eq(readers[1].calls, 0);
	cr_expect_eq(readers[2].calls, 1);
}

Test(app_log, followers_are_bounded)
{
	struct reader reader = { 0 };
	struct error err;

	for (int i = 0; i < APP_LOG_FOLLOWERS_MAX; i++)
		cr_assert_eq(app_log_follow(&app_log, read_along, &reader, &err), 0);
	cr_expect_lt(app_log_follow(&app_log, read_along, &reader, &err), 0);
	cr_expect_eq(err.kind, ERROR_TOO_MANY);
	app_log_unfollow(&app_log, read_along, &reader);
	cr_expect_eq(app_log_follow(&app_log, read_along, &reader, &err), 0);
}

Test(app_log, the_newest_lines_stay_also_beyond_a_workers_end)
{
	const char *lines[LOG_TAIL_LINES];
	unsigned streams[LOG_TAIL_LINES];

	cr_expect_eq(app_log_lines(&app_log, lines, streams), 0);
	say(0, "out\n");
	say(1, "err\nlast words");
	sink.finish(sink.userdata);
	say(0, "next life\n");
	cr_assert_eq(app_log_lines(&app_log, lines, streams), 4);
	cr_expect_str_eq(lines[1], "err");
	cr_expect_eq(streams[1], 1);
	cr_expect_str_eq(lines[2], "last words");
	cr_expect_eq(streams[2], 1);
	cr_expect_str_eq(lines[3], "next life");
	cr_expect_eq(streams[3], 0);
}

Test(app_log, takes_what_a_relay_reads)
{
	struct relay relay;
	struct error err;
	int pipes[2][2];

	for (int i = 0; i < 2; i++)
		cr_assert_eq(pipe2(pipes[i], O_CLOEXEC), 0);
	cr_assert_eq(relay_start(&relay, host.event, pipes[0][0], pipes[1][0], &sink, &err), 0);
	cr_assert_eq(write(pipes[1][1], "Traceback\nValueError", 20), 20);
	close(pipes[0][1]);
	close(pipes[1][1]);
	relay_finish(&relay);
	expect_message("Traceback");
	expect_message("ValueError");
	relay_clear(&relay);
}
