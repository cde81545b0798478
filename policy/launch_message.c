/* SPDX-License-Identifier: MIT */
#include "policy/launch_message.h"

#include "policy/own.h"

#include <assert.h>
#include <inttypes.h>
#include <stddef.h>
#include <string.h>

static const char *const stage_names[] = {
	[STAGE_NONE] = "none",
	[STAGE_PLAN] = "plan",
	[STAGE_NAMESPACES] = "namespaces",
	[STAGE_ROOT] = "root",
	[STAGE_CGROUP] = "cgroup",
	[STAGE_LIMITS] = "limits",
	[STAGE_IDENTITY] = "identity",
	[STAGE_CAPABILITIES] = "capabilities",
	[STAGE_DIRECTORY] = "directory",
	[STAGE_LANDLOCK] = "landlock",
	[STAGE_SECCOMP] = "seccomp",
	[STAGE_EXEC] = "exec",
	[STAGE_PREPARE] = "prepare",
};
static_assert(sizeof(struct launch_message) >= LAUNCH_MESSAGE_MIN &&
		      offsetof(struct launch_message, text) + LAUNCH_TEXT_MAX == LAUNCH_MESSAGE_MIN,
	      "what is new comes behind what was");
static_assert(ARRAY_SIZE(stage_names) == STAGE_COUNT, "a name for each stage");

/* What the highest signal number of Linux is (_NSIG - 1): no header of policy/ may ask the libc. */
#define SIGNAL_LAST 64

const char *launch_stage_name(enum launch_stage stage)
{
	return (size_t)stage < STAGE_COUNT ? stage_names[stage] : "unknown";
}

static int refuse(struct error *err, const char *field, int64_t value)
{
	return error_set(err, ERROR_INVALID, 0, "launch message: %s: %" PRId64 " is out of range",
			 field, value);
}

static int check_spool(const struct launch_spool *spool, struct error *err)
{
	if (spool->start >= LAUNCH_RING_BYTES)
		return refuse(err, "spool.start", spool->start);
	if (spool->length > LAUNCH_RING_BYTES)
		return refuse(err, "spool.length", spool->length);
	if (spool->dropped_bytes > INT64_MAX)
		return error_set(err, ERROR_INVALID, 0,
				 "launch message: spool.dropped_bytes: %" PRIu64 " is out of range",
				 spool->dropped_bytes);
	if (spool->dropped_lines > spool->dropped_bytes)
		return error_set(err, ERROR_INVALID, 0,
				 "launch message: spool.dropped_lines: %" PRIu64
				 " lines in %" PRIu64 " bytes",
				 spool->dropped_lines, spool->dropped_bytes);
	return 0;
}

static int check_denial(const struct launch_denial *denial, struct error *err)
{
	if (denial->thread < 0)
		return refuse(err, "denial.thread", denial->thread);
	if (denial->errnum < 0)
		return refuse(err, "denial.errnum", denial->errnum);
	if (denial->held > 1)
		return refuse(err, "denial.held", denial->held);
	return 0;
}

int launch_message_check(const void *data, size_t size, struct launch_message *ret,
			 struct error *err)
{
	struct launch_message message = { 0 };

	if (size < sizeof(message.version))
		return error_set(err, ERROR_INVALID, 0, "launch message: %zu bytes", size);
	memcpy(&message, data, size < sizeof(message) ? size : sizeof(message));
	if (message.version != LAUNCH_MESSAGE_VERSION)
		return error_set(err, ERROR_UNSUPPORTED, 0,
				 "launch message: version %" PRIu32
				 " instead of %d: it is of another release of pysbx",
				 message.version, LAUNCH_MESSAGE_VERSION);
	if (size < LAUNCH_MESSAGE_MIN)
		return error_set(err, ERROR_INVALID, 0,
				 "launch message: %zu bytes instead of %d or more", size,
				 LAUNCH_MESSAGE_MIN);
	if (message.type < LAUNCH_PIPES)
		return refuse(err, "type", message.type);
	if (message.stage >= STAGE_COUNT)
		return refuse(err, "stage", message.stage);
	if (message.errnum < 0)
		return refuse(err, "errnum", message.errnum);
	if (message.landlock_errnum < 0)
		return refuse(err, "landlock_errnum", message.landlock_errnum);
	if (message.signal < 0 || message.signal > SIGNAL_LAST ||
	    (message.type == LAUNCH_SIGNAL && message.signal == 0))
		return refuse(err, "signal", message.signal);
	if (memchr(message.text, '\0', sizeof(message.text)) == NULL)
		return error_set(err, ERROR_INVALID, 0, "launch message: text has no end");

	for (size_t i = 0; i < LAUNCH_STREAMS; i++) {
		int r = check_spool(&message.spool[i], err);

		if (r < 0)
			return r;
	}

	if (message.type == LAUNCH_DENIED || message.type == LAUNCH_COUNTED) {
		int r = check_denial(&message.denial, err);

		if (r < 0)
			return r;
	}

	*ret = message;
	return 0;
}
