/* SPDX-License-Identifier: MIT */
#include "sandbox/output.h"

#include "policy/own.h"

#include <fcntl.h>
#include <sys/ioctl.h>

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
	int r = 0;

	for (unsigned i = 0; r == 0 && i < OUTPUT_COUNT; i++)
		r = open_one(launcher->plan, &launcher->output_read[i], &launcher->output_write[i],
			     err);
	return r;
}

void output_close_write_ends(struct launcher *launcher)
{
	for (unsigned i = 0; i < OUTPUT_COUNT; i++)
		close_and_clear(&launcher->output_write[i]);
}

bool output_drain(const struct launcher *launcher, unsigned stream, struct spool *spool)
{
	char chunk[SPOOL_CHUNK];

	for (size_t done = 0; done < OUTPUT_DRAIN_BYTES;) {
		ssize_t n = read(launcher->output_read[stream], chunk, sizeof(chunk));

		if (n <= 0)
			return n < 0 && (errno == EAGAIN || errno == EINTR);
		if (spool != NULL)
			spool_append(spool, stream, chunk, (size_t)n);
		done += (size_t)n;
	}
	return true;
}

bool output_is_filling(const struct launcher *launcher)
{
	for (unsigned i = 0; i < OUTPUT_COUNT; i++) {
		int capacity = fcntl(launcher->output_read[i], F_GETPIPE_SZ), held = 0;

		if (capacity > 0 && ioctl(launcher->output_read[i], FIONREAD, &held) == 0 &&
		    held > capacity / 2)
			return true;
	}
	return false;
}
