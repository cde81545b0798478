/* SPDX-License-Identifier: MIT */
#include "policy/launch_message.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

TestSuite(launch_message);

static struct launch_message good_message(void)
{
	struct launch_message message = {
		.version = LAUNCH_MESSAGE_VERSION,
		.type = LAUNCH_FAILED,
		.stage = STAGE_EXEC,
		.errnum = 2,
		.wait_status = 9,
		.signal = 64,
		.user_usec = 1,
		.started_nsec = UINT64_MAX,
		.text = "execute x",
	};

	return message;
}

Test(launch_message, takes_a_record_over_as_it_is)
{
	struct launch_message message = good_message(), got;
	struct error err;

	memset(message.text, 'x', LAUNCH_TEXT_MAX - 1); /* the longest text */
	memset(&got, 0, sizeof(got));
	cr_assert_eq(launch_message_check(&message, sizeof(message), &got, &err), 0);
	cr_expect_arr_eq(&got, &message, sizeof(message));
}

Test(launch_message, takes_every_type_and_stage)
{
	struct launch_message message = good_message(), got;
	struct error err;

	for (uint32_t type = LAUNCH_PIPES; type < LAUNCH_TYPE_END; type++)
		for (uint32_t stage = 0; stage < STAGE_COUNT; stage++) {
			message.type = type;
			message.stage = stage;
			cr_expect_eq(launch_message_check(&message, sizeof(message), &got, &err),
				     0);
		}
}

/* A newer one has added a field to the record. */
Test(launch_message, takes_what_it_knows_of_a_longer_record)
{
	char data[sizeof(struct launch_message) + 64];
	struct launch_message message = good_message(), got;
	struct error err;

	memset(data, 'x', sizeof(data));
	memcpy(data, &message, sizeof(message));
	for (size_t size = sizeof(message); size <= sizeof(data); size++) {
		memset(&got, 0, sizeof(got));
		cr_expect_eq(launch_message_check(data, size, &got, &err), 0);
		cr_expect_arr_eq(&got, &message, sizeof(message));
	}
}

Test(launch_message, leaves_a_type_that_it_does_not_know_to_who_reads_it)
{
	static const uint32_t types[] = { LAUNCH_TYPE_END, 1000, UINT32_MAX };
	struct launch_message message = good_message(), got;
	struct error err;

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		message.type = types[i];
		cr_expect_eq(launch_message_check(&message, sizeof(message), &got, &err), 0);
		cr_expect_eq(got.type, types[i]);
	}
}

/* Whatever else is in there, and however long it is. */
Test(launch_message, tells_another_version_from_what_is_wrong)
{
	struct launch_message message = good_message(), got = { .version = 77 };
	struct error err;

	message.version = LAUNCH_MESSAGE_VERSION + 1;
	message.type = 0;
	for (size_t size = sizeof(message.version); size <= sizeof(message); size += 4) {
		cr_expect_lt(launch_message_check(&message, size, &got, &err), 0);
		cr_expect_eq(err.kind, ERROR_UNSUPPORTED);
		cr_expect_eq(got.version, 77);
	}
	cr_expect_str_eq(err.text,
			 "launch message: version 4 instead of 3: it is of another release "
			 "of pysbx");
}

Test(launch_message, refuses_a_record_that_is_too_short)
{
	static const size_t sizes[] = { 0, 1, 3, 4, LAUNCH_MESSAGE_MIN - 1 };
	char data[sizeof(struct launch_message) + 1] = { 0 };
	struct launch_message message = good_message(), got = { .version = 77 };
	struct error err;

	memcpy(data, &message, sizeof(message));
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		cr_expect_eq(launch_message_check(data, sizes[i], &got, &err), -EINVAL);
		cr_expect_eq(err.kind, ERROR_INVALID);
		cr_expect_eq(got.version, 77);
	}
}

static void expect_refused(const struct launch_message *message, const char *text)
{
	struct launch_message got = { .version = 77 };
	struct error err = { 0 };

	cr_expect(launch_message_check(message, sizeof(*message), &got, &err) == -EINVAL &&
		  err.kind == ERROR_INVALID);
	cr_expect_str_eq(err.text, text);
	cr_expect(got.version == 77, "the output stays untouched");
}

Test(launch_message, refuses_what_is_out_of_range)
{
	struct launch_message message = good_message();

	message.type = 0;
	expect_refused(&message, "launch message: type: 0 is out of range");

	message = good_message();
	message.stage = STAGE_COUNT;
	expect_refused(&message, "launch message: stage: 13 is out of range");

	message = good_message();
	message.errnum = -2;
	expect_refused(&message, "launch message: errnum: -2 is out of range");

	message = good_message();
	message.landlock_errnum = -1;
	expect_refused(&message, "launch message: landlock_errnum: -1 is out of range");

	message = good_message();
	message.signal = 65;
	expect_refused(&message, "launch message: signal: 65 is out of range");
	message.signal = -1;
	expect_refused(&message, "launch message: signal: -1 is out of range");

	message = good_message();
	message.type = LAUNCH_SIGNAL;
	message.signal = 0;
	expect_refused(&message, "launch message: signal: 0 is out of range");
}

Test(launch_message, takes_a_full_ring_over)
{
	struct launch_message message = good_message(), got;
	struct error err;

	message.spool[1] = (struct launch_spool){ LAUNCH_RING_BYTES - 1, LAUNCH_RING_BYTES,
						  INT64_MAX, INT64_MAX };
	cr_assert_eq(launch_message_check(&message, sizeof(message), &got, &err), 0);
	cr_expect_arr_eq(&got, &message, sizeof(message));
}

Test(launch_message, refuses_a_denial_that_cannot_be)
{
	struct launch_message message = good_message();

	message.type = LAUNCH_DENIED;
	message.denial.errnum = -1;
	expect_refused(&message, "launch message: denial.errnum: -1 is out of range");
	message.denial.errnum = 0;
	message.denial.thread = -7;
	expect_refused(&message, "launch message: denial.thread: -7 is out of range");
	message.denial.thread = 7;
	message.denial.held = 2;
	expect_refused(&message, "launch message: denial.held: 2 is out of range");
}

Test(launch_message, refuses_a_spool_that_cannot_be)
{
	struct launch_message message = good_message();

	message.spool[0].start = LAUNCH_RING_BYTES;
	expect_refused(&message, "launch message: spool.start: 262144 is out of range");

	message = good_message();
	message.spool[1].length = LAUNCH_RING_BYTES + 1;
	expect_refused(&message, "launch message: spool.length: 262145 is out of range");

	message = good_message();
	message.spool[1].dropped_bytes = UINT64_MAX;
	expect_refused(&message, "launch message: spool.dropped_bytes: 18446744073709551615 is out "
				 "of range");

	message = good_message();
	message.spool[0] = (struct launch_spool){ .dropped_bytes = 3, .dropped_lines = 4 };
	expect_refused(&message, "launch message: spool.dropped_lines: 4 lines in 3 bytes");
}

Test(launch_message, refuses_a_text_without_an_end)
{
	struct launch_message message = good_message();

	memset(message.text, 'x', sizeof(message.text));
	expect_refused(&message, "launch message: text has no end");
}

Test(launch_message, names_every_stage)
{
	cr_expect_str_eq(launch_stage_name(STAGE_NONE), "none");
	cr_expect_str_eq(launch_stage_name(STAGE_ROOT), "root");
	cr_expect_str_eq(launch_stage_name(STAGE_EXEC), "exec");
	for (int i = 0; i < STAGE_COUNT; i++)
		cr_expect(strlen(launch_stage_name((enum launch_stage)i)) > 3);
	cr_expect_str_eq(launch_stage_name(STAGE_COUNT), "unknown");
}
