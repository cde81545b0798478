/* SPDX-License-Identifier: MIT */
#include "policy/own.h"
#include "supervisor/instance.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <sys/socket.h>

#define MIB (UINT64_C(1) << 20)

TestSuite(instance_pressure, .timeout = 30);

static struct log test_log = { .threshold = LOG_LEVEL_ERROR };
static const struct instance_host host = { .log = &test_log };
static struct app_spec spec = { .name = (char *)"web" };
static struct instance instance = { .host = &host, .spec = &spec, .state = APP_RUNNING };

/* One whose launcher has this end of a socket, at 90 % of its limit. */
static void come_near(int socket)
{
	struct recording_sample sample = { .memory_current = 95 * MIB, .memory_anon = 90 * MIB };

	spec.limits.memory_max = 100 * MIB;
	spec.limits.memory_high = LIMIT_UNSET;
	for (unsigned step = 0; step < PRESSURE_STEP_COUNT; step++)
		spec.pressure.at[step] = LIMIT_MAX;
	spec.pressure.at[PRESSURE_NOTIFY] = 80;
	instance.launcher.socket = socket;
	instance_see_pressure(&instance, &sample);
}

static size_t steps(void)
{
	return json_array_size(instance.diagnosis.steps);
}

Test(instance_pressure, tells_how_many_were_told)
{
	struct launch_message message;
	int ends[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	come_near(ends[0]);
	cr_assert_eq(recv(ends[1], &message, sizeof(message), MSG_DONTWAIT),
		     (ssize_t)sizeof(message));
	cr_expect_eq(message.type, LAUNCH_PRESSURE);
	cr_expect_eq(steps(), 0);
	instance_hear_told(&instance, 2);
	cr_expect_eq(steps(), 1);
	instance_hear_told(&instance, 2);
	cr_expect_eq(steps(), 1, "once");
	instance_forget_pressure(&instance);
	diagnosis_clear(&instance.diagnosis);
}

/* The answer that comes is to something else. */
Test(instance_pressure, takes_no_answer_to_what_could_not_be_sent)
{
	char block[1024] = "";
	int ends[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	while (send(ends[0], block, sizeof(block), MSG_DONTWAIT) > 0)
		;
	come_near(ends[0]);
	cr_assert_not_null(instance.pressure);
	instance_hear_told(&instance, 2);
	cr_expect_eq(steps(), 0);
	instance_forget_pressure(&instance);
}
