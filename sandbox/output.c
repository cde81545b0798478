/* SPDX-License-Identifier: MIT */
#include "sandbox/output.h"

#include "policy/own.h"
#include "sandbox/channel.h"

#include <fcntl.h>

/* Only the read end is non-blocking: a worker is written for blocking writes. */
static int open_one(const struct plan *plan, int *ret_read, int *ret_write, struct error *err)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return error_set(err, ERROR_SYSTEM, errno, "pipe");
	*ret_read = ends[0];
	*ret_write = ends[1];
	if (fcntl(ends[0], F_SETFL, O_RDONLY | O_NONBLOCK) < 0)
		return error_set(err, ERROR_SYSTEM, errno, "make a pipe non-blocking");
	if (fchown(ends[1], plan->uid, plan->gid) < 0)
		return error_set(err, ERROR_SYSTEM, errno, "give a pipe to uid %u", plan->uid);
	return 0;
}

int output_open(struct launcher *launcher, struct error *err)
{
	struct launch_message message = { 0 };
	int r = 0;

	for (unsigned i = 0; r == 0 && i < OUTPUT_COUNT; i++)
		r = open_one(launcher->plan, &launcher->output_read[i], &launcher->output_write[i],
			     err);
	if (r < 0)
		return r;
	return channel_send(LAUNCH_PIPES, &message, launcher->output_read, OUTPUT_COUNT, err);
}

void output_close_write_ends(struct launcher *launcher)
{
	for (unsigned i = 0; i < OUTPUT_COUNT; i++)
		close_and_clear(&launcher->output_write[i]);
}

bool output_drain(int fd)
{
	char dropped[OUTPUT_DRAIN_BYTES];
	ssize_t n = read(fd, dropped, sizeof(dropped));

	return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}
