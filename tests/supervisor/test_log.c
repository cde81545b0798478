/* SPDX-License-Identifier: MIT */
#include "supervisor/log.h"

#include "tests/supervisor/journald.h"

#include <jansson.h>
#include <signal.h>
#include <unistd.h>

static void make_pipe(int pair[2])
{
	cr_assert_eq(pipe2(pair, O_CLOEXEC), 0);
	(void)signal(SIGPIPE, SIG_IGN);
}

static size_t read_all(int fd, char *buffer, size_t size)
{
	size_t length = 0;
	ssize_t n;

	cr_assert_eq(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	while (length < size && (n = read(fd, buffer + length, size - length)) > 0)
		length += (size_t)n;
	return length;
}

static void capture(struct log *log, struct output *output, int pair[2])
{
	struct error err;

	make_pipe(pair);
	cr_assert_eq(output_open(output, pair[1], &err), 0);
	*log = (struct log){ .output = output, .threshold = LOG_LEVEL_INFO };
}

Test(log, names_the_app_and_makes_control_characters_visible)
{
	struct output output;
	struct log log;
	char text[128] = "";
	int pair[2];

	capture(&log, &output, pair);
	log_message(&log, LOG_LEVEL_INFO, "web", "died: %s", "\x1b[2J\nforged line");
	read_all(pair[0], text, sizeof(text) - 1);
	cr_assert_null(strchr(text, '\x1b'));
	cr_assert_eq(strchr(text, '\n'), text + strlen(text) - 1, "one line: %s", text);
	cr_assert_eq(strncmp(text, "pysbx: web: died: ", 18), 0);
	output_close(&output);
}

Test(log, starts_on_a_line_of_its_own_after_a_workers_unfinished_line)
{
	struct output output;
	struct log log;
	char text[128] = "";
	int pair[2];

	capture(&log, &output, pair);
	output_write(&output, "prompt> ", 8);
	log_message(&log, LOG_LEVEL_ERROR, NULL, "gone");
	read_all(pair[0], text, sizeof(text) - 1);
	cr_assert_str_eq(text, "prompt> \npysbx: gone\n");
	output_close(&output);
}

Test(log, holds_back_what_is_below_the_threshold)
{
	struct output output;
	struct log log;
	char text[8];
	int pair[2];

	capture(&log, &output, pair);
	log_message(&log, LOG_LEVEL_DEBUG, "web", "detail");
	cr_assert_eq(read_all(pair[0], text, sizeof(text)), 0);
	output_close(&output);
}

Test(log, writes_one_json_object_a_line)
{
	struct output output;
	struct log log;
	char text[512] = "";
	json_t *object;
	int pair[2];

	capture(&log, &output, pair);
	log.json = true;
	log_message(&log, LOG_LEVEL_WARNING, "web", "quote \" and %d", 7);
	read_all(pair[0], text, sizeof(text) - 1);
	object = json_loads(text, 0, NULL);
	cr_assert_not_null(object, "%s", text);
	cr_assert_str_eq(json_string_value(json_object_get(object, "level")), "warning");
	cr_assert_str_eq(json_string_value(json_object_get(object, "app")), "web");
	cr_assert_str_eq(json_string_value(json_object_get(object, "message")), "quote \" and 7");
	json_decref(object);
	output_close(&output);
}

/* --- the journal ---------------------------------------------------------------------------- */

struct bench {
	struct journald journald;
	struct journal journal;
	struct log log;
};

static struct journald_entry entry;

static void start(struct bench *bench)
{
	struct error err;

	journald_start(&bench->journald);
	cr_assert_eq(journal_open(&bench->journal, bench->journald.address.sun_path, &err), 0);
	bench->log = (struct log){ .journal = &bench->journal, .threshold = LOG_LEVEL_INFO };
}

static void stop(struct bench *bench)
{
	journal_close(&bench->journal);
	journald_stop(&bench->journald);
}

Test(log, a_message_is_an_entry_with_its_level_and_app, .timeout = 30)
{
	static const char *const priorities[LOG_LEVEL_COUNT] = { "3", "4", "6", "7" };
	struct bench bench;

	start(&bench);
	bench.log.threshold = LOG_LEVEL_DEBUG;
	for (unsigned level = 0; level < LOG_LEVEL_COUNT; level++) {
		log_message(&bench.log, (enum log_level)level, level == 0 ? NULL : "web", "n %u",
			    level);
		cr_assert(journald_next(&bench.journald, &entry));
		journald_expect(&entry, "PRIORITY", priorities[level]);
		journald_expect(&entry, "SYSLOG_IDENTIFIER", "pysbxd");
		journald_expect(&entry, "PYSBX_APP", level == 0 ? NULL : "web");
		journald_expect(&entry, "MESSAGE_ID", NULL);
		journald_expect(&entry, "CODE_FILE", NULL);
	}
	stop(&bench);
}

Test(log, a_message_cannot_forge_a_field_or_drive_a_terminal, .timeout = 30)
{
	struct bench bench;

	start(&bench);
	log_message(&bench.log, LOG_LEVEL_INFO, "web", "%s",
		    "x\nPRIORITY=0\x1b[2J\xff caf\xc3\xa9 \xe2\x80\xae");
	cr_assert(journald_next(&bench.journald, &entry));
	journald_expect(&entry, "PRIORITY", "6");
	journald_expect(&entry, "MESSAGE", "web: x\\nPRIORITY=0\\x1b[2J\\xff caf\xc3\xa9 \\u202e");
	stop(&bench);
}

Test(log, an_event_carries_its_message_id_subject_and_place, .timeout = 30)
{
	const unsigned instance = 2;
	const struct log_subject subject = {
		.app = "web", .tenant = "acme", .instance = &instance, .incident = "2026-web-2-ab"
	};
	struct bench bench;
	int line;

	start(&bench);
	line = __LINE__ + 1;
	log_event(&bench.log, LOG_EVENT_APP_FAILED, &subject, "given up after %d deaths", 5);
	cr_assert(journald_next(&bench.journald, &entry));
	journald_expect(&entry, "MESSAGE", "web: given up after 5 deaths");
	journald_expect(&entry, "MESSAGE_ID", log_event_kind(LOG_EVENT_APP_FAILED)->message_id);
	journald_expect(&entry, "PRIORITY", "3");
	journald_expect(&entry, "PYSBX_APP", "web");
	journald_expect(&entry, "PYSBX_TENANT", "acme");
	journald_expect(&entry, "PYSBX_INSTANCE", "2");
	journald_expect(&entry, "PYSBX_INCIDENT", "2026-web-2-ab");
	cr_expect_not_null(strstr(journald_field(&entry, "CODE_FILE"), "test_log.c"));
	cr_expect_eq(atoi(journald_field(&entry, "CODE_LINE")), line);
	cr_expect_not_null(journald_field(&entry, "CODE_FUNC"));
	stop(&bench);
}

Test(log, what_an_event_is_not_about_is_left_out, .timeout = 30)
{
	struct bench bench;

	start(&bench);
	log_event(&bench.log, LOG_EVENT_DAEMON_STARTED, NULL, "pysbxd %s", "0.1");
	cr_assert(journald_next(&bench.journald, &entry));
	journald_expect(&entry, "MESSAGE", "pysbxd 0.1");
	journald_expect(&entry, "PYSBX_APP", NULL);
	journald_expect(&entry, "PYSBX_INSTANCE", NULL);
	journald_expect(&entry, "PYSBX_INCIDENT", NULL);

	bench.log.threshold = LOG_LEVEL_WARNING;
	log_event(&bench.log, LOG_EVENT_DAEMON_STARTED, NULL, "below the threshold");
	cr_expect_not(journald_next(&bench.journald, &entry));
	stop(&bench);
}

Test(log, a_report_is_one_entry_of_many_lines, .timeout = 30)
{
	const struct log_subject subject = { .app = "web", .incident = "ID" };
	struct bench bench;

	start(&bench);
	log_report(&bench.log, LOG_EVENT_APP_DIED, &subject, "web died\n  of hunger\n", "{}");
	cr_assert(journald_next(&bench.journald, &entry));
	journald_expect(&entry, "MESSAGE", "web died\n  of hunger\n");
	journald_expect(&entry, "MESSAGE_ID", log_event_kind(LOG_EVENT_APP_DIED)->message_id);
	journald_expect(&entry, "PYSBX_INCIDENT", "ID");
	cr_expect_not(journald_next(&bench.journald, &entry));
	stop(&bench);
}

Test(log, both_sinks_may_be_there, .timeout = 30)
{
	struct output output;
	struct bench bench;
	char text[128] = "";
	int pair[2];

	start(&bench);
	capture(&bench.log, &output, pair);
	bench.log.journal = &bench.journal;
	log_event(&bench.log, LOG_EVENT_APP_STARTED, &(struct log_subject){ .app = "web" }, "up");
	read_all(pair[0], text, sizeof(text) - 1);
	cr_expect_str_eq(text, "pysbx: web: up\n");
	cr_assert(journald_next(&bench.journald, &entry));
	journald_expect(&entry, "MESSAGE", "web: up");
	output_close(&output);
	stop(&bench);
}
