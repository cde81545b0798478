/* SPDX-License-Identifier: MIT */
#include "supervisor/journal.h"

#include "policy/own.h"
#include "supervisor/clock.h"
#include "tests/supervisor/journald.h"

static struct journald journald;
static struct journal journal;
static struct journald_entry entry;

static void start(void)
{
	struct error err;

	journald_start(&journald);
	cr_assert_eq(journal_open(&journal, journald.address.sun_path, &err), 0, "%s", err.text);
}

static void stop(void)
{
	journal_close(&journal); /* twice does no harm */
	journald_stop(&journald);
}

static bool send_message(const char *text, size_t length)
{
	const struct journal_field fields[] = {
		journal_text("PRIORITY", "6"),
		{ "MESSAGE", text, length },
	};

	return journal_send(&journal, fields, ARRAY_SIZE(fields));
}

TestSuite(journal, .init = start, .fini = stop, .timeout = 30);

Test(journal, an_entry_arrives_with_its_fields_in_order)
{
	const struct journal_field fields[] = {
		journal_text("PRIORITY", "3"),
		journal_text("PYSBX_TENANT", NULL),
		journal_text("PYSBX_APP", ""),
		journal_text("MESSAGE", "caf\xc3\xa9 = open"),
	};

	cr_assert(journal_send(&journal, fields, ARRAY_SIZE(fields)));
	cr_assert(journald_next(&journald, &entry));
	cr_assert_eq(entry.count, 3, "NULL is left out");
	cr_expect_str_eq(entry.fields[0].name, "PRIORITY");
	journald_expect(&entry, "PRIORITY", "3");
	journald_expect(&entry, "PYSBX_APP", "");
	journald_expect(&entry, "MESSAGE", "caf\xc3\xa9 = open");
	cr_expect_eq(journal.dropped, 0);
	cr_expect_not(journald_next(&journald, &entry), "one datagram an entry");
}

Test(journal, bytes_that_would_end_a_field_go_with_their_length)
{
	static const struct {
		const char *data;
		size_t length;
	} cases[] = {
		{ "two\nlines", 9 },
		{ "\n", 1 },
		{ "\n\n\n", 3 },
		{ "nul \0 inside", 12 },
		{ "tab\tand \x1b[2J \x7f", 14 },
		{ "MESSAGE=forged\nPRIORITY=0\n", 26 },
		{ "no utf-8 \xff\xfe", 11 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cr_assert(send_message(cases[i].data, cases[i].length), "case %zu", i);
		cr_assert(journald_next(&journald, &entry), "case %zu", i);
		cr_assert_eq(entry.count, 2, "case %zu", i);
		cr_assert_eq(entry.fields[1].length, cases[i].length, "case %zu", i);
		cr_expect_arr_eq(entry.fields[1].value, cases[i].data, cases[i].length);
	}
}

Test(journal, an_entry_that_is_too_long_is_cut_between_characters)
{
	static char text[2 * JOURNAL_ENTRY_MAX];
	size_t length;

	for (int binary = 0; binary < 2; binary++) {
		for (size_t i = 0; i + 1 < sizeof(text); i += 2)
			memcpy(text + i, "\xc3\xa9", 2);
		if (binary)
			text[0] = text[1] = '\n';
		cr_assert(send_message(text, sizeof(text)));
		cr_assert(journald_next(&journald, &entry));
		cr_expect_leq(entry.length, JOURNAL_ENTRY_MAX);
		cr_assert_eq(entry.count, 2);
		length = entry.fields[1].length;
		cr_expect_gt(length, JOURNAL_ENTRY_MAX - 64);
		cr_expect_eq(length % 2, 0, "no half character");
		cr_expect_arr_eq(entry.fields[1].value, text, length);
	}
}

Test(journal, fields_behind_one_that_was_cut_are_left_out)
{
	static char text[JOURNAL_ENTRY_MAX];

	memset(text, 'x', sizeof(text));
	for (size_t length = sizeof(text) - 64; length <= sizeof(text); length++) {
		const struct journal_field fields[] = {
			journal_text("PRIORITY", "6"),
			{ "MESSAGE", text, length },
			journal_text("PYSBX_APP", "a name that makes it too long for one entry"),
		};

		journald_require(journal_send(&journal, fields, ARRAY_SIZE(fields)), "sent");
		journald_require(journald_next(&journald, &entry), "arrived");
		journald_require(entry.length <= JOURNAL_ENTRY_MAX, "cut");
		journald_require(entry.count >= 2, "the message is there");
		journald_require(entry.count == 2 || entry.fields[2].length > 0, "no empty field");
	}
}

Test(journal, a_journal_that_reads_nothing_is_not_waited_for)
{
	uint64_t start_usec = clock_monotonic_usec();
	unsigned sent = 0;

	while (send_message("waits", 5)) {
		sent++;
		journald_require(sent < 1000000, "a queue without end");
	}
	cr_expect_gt(sent, 0);
	cr_expect_eq(journal.dropped, 1);
	for (int i = 0; i < 1000; i++)
		journald_require(!send_message("dropped", 7), "a full queue took one more");
	cr_expect_eq(journal.dropped, 1001);
	cr_expect_lt(clock_monotonic_usec() - start_usec, UINT64_C(10000000));

	while (journald_next(&journald, &entry))
		journald_expect(&entry, "MESSAGE", "waits");
	cr_expect(send_message("goes on", 7));
	cr_expect(journald_next(&journald, &entry));
	journald_expect(&entry, "MESSAGE", "goes on");
}

Test(journal, a_journald_that_is_restarted_is_found_again)
{
	close(journald.fd);
	cr_expect_not(send_message("nobody listens", 14), "the socket is there, its owner is not");
	unlink(journald.address.sun_path);
	cr_expect_not(send_message("no socket", 9));
	cr_expect_eq(journal.dropped, 2);

	journald_listen(&journald);
	cr_expect(send_message("back", 4));
	cr_assert(journald_next(&journald, &entry));
	journald_expect(&entry, "MESSAGE", "back");
	cr_expect_eq(journal.dropped, 2);
}

Test(journal, may_be_opened_before_anybody_listens)
{
	struct journal early;
	struct error err;

	cr_assert_eq(journal_open(&early, "/nonexistent/socket", &err), 0);
	cr_expect_not(journal_send(&early, &(struct journal_field){ "MESSAGE", "x", 1 }, 1));
	cr_expect_eq(early.dropped, 1);
	journal_close(&early);
}

Test(journal, refuses_a_path_that_does_not_fit_a_socket_address)
{
	struct journal untouched = { .fd = -7 };
	char path[JOURNAL_PATH_MAX + 1];
	struct error err;

	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	cr_assert_lt(journal_open(&untouched, path, &err), 0);
	cr_expect_eq(err.kind, ERROR_INVALID);
	cr_expect_eq(untouched.fd, -7);
}

/* --- the backlog ---------------------------------------------------------------------------- */

static sd_event *attach(void)
{
	sd_event *event;

	cr_assert_geq(sd_event_new(&event), 0);
	journal_attach(&journal, event);
	return event;
}

static bool send_number(unsigned number)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", number);
	return send_message(text, strlen(text));
}

/* Reads all that is there; each must be the one after the last. */
static void read_numbers(unsigned *next)
{
	char text[16];

	for (; journald_next(&journald, &entry); (*next)++) {
		snprintf(text, sizeof(text), "%u", *next);
		journald_expect(&entry, "MESSAGE", text);
	}
}

Test(journal, more_than_the_queue_holds_waits_and_arrives_in_order)
{
	sd_event *event = attach();
	unsigned next = 0;

	for (unsigned i = 0; i < 3000; i++)
		journald_require(send_number(i), "dropped");
	cr_assert_not_null(journal.first, "the queue alone does not hold them");
	while (journal.first != NULL) {
		read_numbers(&next);
		journald_require(sd_event_run(event, UINT64_MAX) >= 0, "event loop");
	}
	read_numbers(&next);
	for (unsigned i = 3000; i < 3005; i++)
		cr_expect(send_number(i));
	read_numbers(&next);
	cr_expect_eq(next, 3005);
	cr_expect_eq(journal.dropped, 0);
	cr_expect_eq(journal.waiting_bytes, 0);
	journal_close(&journal);
	sd_event_unref(event);
}

Test(journal, what_waits_goes_before_what_comes_later_even_without_the_timer)
{
	sd_event *event = attach();
	unsigned next = 0;

	for (unsigned i = 0; i < 2000; i++) {
		journald_require(send_number(i), "dropped");
		if (i % 100 == 99)
			read_numbers(&next);
	}
	while (journal.first != NULL) {
		read_numbers(&next);
		journald_require(sd_event_run(event, UINT64_MAX) >= 0, "event loop");
	}
	read_numbers(&next);
	cr_expect_eq(next, 2000);
	journal_close(&journal);
	sd_event_unref(event);
}

Test(journal, the_backlog_is_bounded_and_looked_at_ever_less_often)
{
	sd_event *event = attach();
	uint64_t start_usec;

	for (int i = 0; i < 100000 && send_message("waits", 5); i++)
		continue;
	cr_expect_eq(journal.dropped, 1);
	cr_expect_leq(journal.waiting_bytes, JOURNAL_BACKLOG_MAX);
	cr_expect_gt(journal.waiting_bytes, JOURNAL_BACKLOG_MAX / 2);

	start_usec = clock_monotonic_usec();
	for (int i = 0; i < 6; i++)
		journald_require(sd_event_run(event, UINT64_MAX) >= 0, "event loop");
	cr_expect_gt(clock_monotonic_usec() - start_usec, 50 * JOURNAL_RETRY_MIN_USEC / 2);
	journal_close(&journal);
	cr_expect_gt(journal.dropped, 1000, "what still waits at the end is counted");
	sd_event_unref(event);
}

Test(journal, the_daemons_own_words_have_room_when_lines_of_workers_have_none)
{
	const struct journal_field own[] = { journal_text("MESSAGE", "lines were dropped") };
	sd_event *event = attach();

	for (int i = 0; i < 100000 && send_message("waits", 5); i++)
		continue;
	cr_expect(journal_send_own(&journal, own, ARRAY_SIZE(own)));
	for (int i = 0; i < 100000 && journal_send_own(&journal, own, ARRAY_SIZE(own)); i++)
		continue;
	cr_expect_leq(journal.waiting_bytes, JOURNAL_BACKLOG_MAX + JOURNAL_BACKLOG_OWN);
	journal_close(&journal);
	sd_event_unref(event);
}

Test(journal, without_a_journald_nothing_waits)
{
	sd_event *event = attach();

	while (journal.first == NULL)
		journald_require(send_message("waits", 5), "dropped");
	close(journald.fd);
	journald.fd = -1;
	cr_expect_not(send_message("nobody", 6));
	cr_expect_null(journal.first);
	cr_expect_eq(journal.dropped, 2);
	journal_close(&journal);
	sd_event_unref(event);
}
