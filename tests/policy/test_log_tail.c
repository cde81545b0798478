/* SPDX-License-Identifier: MIT */
#include "policy/log_tail.h"

#include "policy/own.h"

#include <criterion/criterion.h>
#include <string.h>

static void feed(struct log_tail *tail, unsigned stream, const char *text)
{
	log_tail_feed(tail, stream, text, strlen(text));
}

/* The lines, each followed by "|". */
static const char *shown(const struct log_tail *tail)
{
	static char text[LOG_TAIL_LINES * (LOG_TAIL_LINE_MAX + 2)];
	const char *lines[LOG_TAIL_LINES];
	size_t count = log_tail_lines(tail, lines), used = 0;

	text[0] = '\0';
	for (size_t i = 0; i < count; i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s|", lines[i]);
	return text;
}

static void expect_shown(const struct log_tail *tail, const char *expected)
{
	cr_expect_str_eq(shown(tail), expected, "\"%s\", not \"%s\"", shown(tail), expected);
}

Test(log_tail, is_empty_at_first)
{
	_cleanup_log_tail_ struct log_tail tail = { 0 };

	expect_shown(&tail, "");
	log_tail_finish(&tail);
	expect_shown(&tail, "");
	cr_expect_eq(tail.total, 0);
}

Test(log_tail, keeps_whole_lines_and_waits_for_the_rest_of_others)
{
	_cleanup_log_tail_ struct log_tail tail = { 0 };

	feed(&tail, 0, "one\ntwo\nthr");
	expect_shown(&tail, "one|two|");
	feed(&tail, 0, "ee\n");
	expect_shown(&tail, "one|two|three|");
	feed(&tail, 0, "");
	feed(&tail, 0, "\n\nlast");
	expect_shown(&tail, "one|two|three|||");
	log_tail_finish(&tail);
	expect_shown(&tail, "one|two|three|||last|");
	cr_expect_eq(tail.total, 6);
	/* a second finish finds nothing unfinished */
	log_tail_finish(&tail);
	cr_expect_eq(tail.total, 6);
}

Test(log_tail, two_streams_do_not_mix_within_a_line)
{
	_cleanup_log_tail_ struct log_tail tail = { 0 };

	feed(&tail, 0, "out 1 ");
	feed(&tail, 1, "err 1\nerr");
	feed(&tail, 0, "end\nout");
	feed(&tail, 1, " 2\n");
	expect_shown(&tail, "err 1|out 1 end|err 2|");
	feed(&tail, 1, "err 3");
	log_tail_finish(&tail);
	expect_shown(&tail, "err 1|out 1 end|err 2|out|err 3|");
}

Test(log_tail, keeps_the_last_lines_only_oldest_first)
{
	_cleanup_log_tail_ struct log_tail tail = { 0 };
	const char *lines[LOG_TAIL_LINES];
	char text[32];

	for (int i = 1; i <= LOG_TAIL_LINES; i++) {
		snprintf(text, sizeof(text), "line %d\n", i);
		feed(&tail, 0, text);
	}
	cr_assert_eq(log_tail_lines(&tail, lines), LOG_TAIL_LINES);
	cr_expect_str_eq(lines[0], "line 1");
	cr_expect_str_eq(lines[LOG_TAIL_LINES - 1], "line 50");

	for (int i = LOG_TAIL_LINES + 1; i <= 1003; i++) {
		snprintf(text, sizeof(text), "line %d\n", i);
		feed(&tail, 0, text);
	}
	cr_assert_eq(log_tail_lines(&tail, lines), LOG_TAIL_LINES);
	for (int i = 0; i < LOG_TAIL_LINES; i++) {
		snprintf(text, sizeof(text), "line %d", 954 + i);
		cr_expect_str_eq(lines[i], text);
	}
	cr_expect_eq(tail.total, 1003);
}

Test(log_tail, line_ends_of_other_systems_go)
{
	_cleanup_log_tail_ struct log_tail tail = { 0 };

	feed(&tail, 0, "dos\r\n\r\na\rb\r\nx\r");
	expect_shown(&tail, "dos||a\rb|");
	feed(&tail, 0, "\ny\r");
	log_tail_finish(&tail);
	expect_shown(&tail, "dos||a\rb|x|y|");
}

Test(log_tail, shows_nul_bytes_as_question_marks)
{
	_cleanup_log_tail_ struct log_tail tail = { 0 };

	log_tail_feed(&tail, 0, "a\0b\n\0\0\n", 7);
	expect_shown(&tail, "a?b|??|");
}

/* A line of `length` bytes, as it is kept. */
static const char *kept(size_t length, const char *end)
{
	static struct log_tail tail;
	const char *lines[LOG_TAIL_LINES];

	log_tail_clear(&tail);
	for (size_t i = 0; i < length; i++)
		log_tail_feed(&tail, 1, "x", 1);
	feed(&tail, 1, end);
	cr_assert_eq(log_tail_lines(&tail, lines), 1);
	return lines[0];
}

Test(log_tail, marks_a_line_that_is_too_long)
{
	cr_expect_eq(strlen(kept(511, "\n")), 511);
	cr_expect_eq(strlen(kept(512, "\n")), 512);
	cr_expect_eq(strspn(kept(512, "\n"), "x"), 512);
	cr_expect_eq(strspn(kept(512, "\r\n"), "x"), 512);
	cr_expect_eq(strlen(kept(512, "\r\n")), 512);

	cr_expect_eq(strspn(kept(513, "\n"), "x"), 509);
	cr_expect_str_eq(kept(513, "\n") + 509, "...");
	cr_expect_str_eq(kept(513, "\r\n") + 509, "...");
	cr_expect_str_eq(kept(100000, "\n") + 509, "...");
}

Test(log_tail, goes_on_cleanly_after_a_line_that_is_too_long)
{
	_cleanup_log_tail_ struct log_tail tail = { 0 };
	const char *lines[LOG_TAIL_LINES];
	static char big[1 << 20];

	memset(big, 'y', sizeof(big));
	log_tail_feed(&tail, 0, big, sizeof(big));
	log_tail_feed(&tail, 0, big, sizeof(big));
	feed(&tail, 1, "other\n");
	feed(&tail, 0, "\nnext\n");
	cr_assert_eq(log_tail_lines(&tail, lines), 3);
	cr_expect_str_eq(lines[0], "other");
	cr_expect_eq(strlen(lines[1]), LOG_TAIL_LINE_MAX);
	cr_expect_str_eq(lines[2], "next");
}

Test(log_tail, does_not_cut_a_character_in_two)
{
	_cleanup_log_tail_ struct log_tail tail = { 0 };
	const char *lines[LOG_TAIL_LINES];

	for (int i = 0; i < 300; i++)
		feed(&tail, 0, "\xc3\xa9");
	feed(&tail, 0, "\n");
	cr_assert_eq(log_tail_lines(&tail, lines), 1);
	/* 254 of two bytes: 509 would split the 255th */
	cr_expect_eq(strlen(lines[0]), 508 + 3);
	cr_expect_str_eq(lines[0] + 506, "\xc3\xa9...");
}

/* However the bytes arrive, the lines are the same. */
Test(log_tail, gives_the_same_lines_for_every_way_to_split_the_input)
{
	static const char input[] = "first\nsecond \xc3\xa9\r\n\n\0\nlast";
	_cleanup_log_tail_ struct log_tail whole = { 0 };
	char expected[200];

	log_tail_feed(&whole, 0, input, sizeof(input) - 1);
	log_tail_finish(&whole);
	snprintf(expected, sizeof(expected), "%s", shown(&whole));
	cr_expect_str_eq(expected, "first|second \xc3\xa9||?|last|");

	for (size_t first = 0; first < sizeof(input); first++)
		for (size_t second = first; second < sizeof(input); second++) {
			_cleanup_log_tail_ struct log_tail tail = { 0 };

			log_tail_feed(&tail, 0, input, first);
			log_tail_feed(&tail, 0, input + first, second - first);
			log_tail_feed(&tail, 0, input + second, sizeof(input) - 1 - second);
			log_tail_finish(&tail);
			expect_shown(&tail, expected);
		}
}

/* Most of a long chunk is passed over: what is kept is the same as if it came byte by byte. */
Test(log_tail, keeps_the_same_of_a_chunk_that_holds_more_lines_than_it_keeps)
{
	for (int count = LOG_TAIL_LINES - 2; count < 3 * LOG_TAIL_LINES; count++) {
		_cleanup_log_tail_ struct log_tail whole = { 0 }, bytes = { 0 };
		const char *of_whole[LOG_TAIL_LINES], *of_bytes[LOG_TAIL_LINES];
		char chunk[3 * LOG_TAIL_LINES * 16] = "";
		size_t used = 0, lines;

		for (int i = 0; i < count; i++)
			used += (size_t)snprintf(chunk + used, sizeof(chunk) - used, "line %d%s", i,
						 i % 7 == 0 ? "\r\n" : "\n");
		used += (size_t)snprintf(chunk + used, sizeof(chunk) - used, "unfinished");
		log_tail_feed(&whole, 1, "other stream", 12);
		log_tail_feed(&bytes, 1, "other stream", 12);
		log_tail_feed(&whole, 0, "begun, ", 7);
		log_tail_feed(&bytes, 0, "begun, ", 7);
		log_tail_feed(&whole, 0, chunk, used);
		for (size_t i = 0; i < used; i++)
			log_tail_feed(&bytes, 0, chunk + i, 1);
		log_tail_finish(&whole);
		log_tail_finish(&bytes);
		cr_expect_eq(whole.total, count + 2);
		cr_expect_eq(bytes.total, whole.total);
		lines = log_tail_lines(&whole, of_whole);
		cr_assert_eq(lines, log_tail_lines(&bytes, of_bytes));
		for (size_t i = 0; i < lines; i++) {
			cr_expect_str_eq(of_whole[i], of_bytes[i]);
			cr_expect_eq(log_tail_stream(&whole, i), log_tail_stream(&bytes, i));
		}
	}
}

Test(log_tail, knows_the_stream_of_each_line)
{
	_cleanup_log_tail_ struct log_tail tail = { 0 };

	feed(&tail, 1, "err\n");
	feed(&tail, 0, "out\n");
	feed(&tail, 1, "err\n");
	cr_expect_eq(log_tail_stream(&tail, 0), 1);
	cr_expect_eq(log_tail_stream(&tail, 1), 0);
	cr_expect_eq(log_tail_stream(&tail, 2), 1);
	for (int i = 0; i < LOG_TAIL_LINES; i++)
		feed(&tail, 0, "out\n");
	for (size_t i = 0; i < LOG_TAIL_LINES; i++)
		cr_expect_eq(log_tail_stream(&tail, i), 0, "line %zu", i);
	feed(&tail, 1, "err\n");
	cr_expect_eq(log_tail_stream(&tail, LOG_TAIL_LINES - 1), 1);
	cr_expect_eq(log_tail_stream(&tail, LOG_TAIL_LINES - 2), 0);
}

Test(log_tail, holds_no_memory_before_anything_is_said_nor_after_it_is_cleared)
{
	struct log_tail tail = { 0 };

	feed(&tail, 0, "");
	log_tail_finish(&tail);
	cr_expect_null(tail.lines);
	feed(&tail, 0, "line\nunfinished");
	cr_expect_not_null(tail.lines);
	cr_expect_not_null(tail.partial[0]);
	feed(&tail, 0, "\n");
	cr_expect_null(tail.partial[0], "an idle stream keeps no room");
	log_tail_clear(&tail);
	cr_expect_null(tail.lines);
	expect_shown(&tail, "");
	feed(&tail, 0, "again\n");
	expect_shown(&tail, "again|");
	log_tail_clear(&tail);
}

Test(log_tail, a_note_comes_between_the_pieces_of_a_line)
{
	struct log_tail tail = { 0 };
	const char *lines[LOG_TAIL_LINES];

	log_tail_feed(&tail, 1, "half of ", 8);
	log_tail_note(&tail, 1, "a note");
	log_tail_feed(&tail, 1, "a line\n", 7);
	cr_assert_eq(log_tail_lines(&tail, lines), 2);
	cr_expect_str_eq(lines[0], "a note");
	cr_expect_str_eq(lines[1], "half of a line");
	log_tail_clear(&tail);
}
