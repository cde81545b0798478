/* SPDX-License-Identifier: MIT */
/*
 * What the worker wrote while nobody read it: a ring in a memfd for each stream, made when the
 * first byte comes, so that a launcher that is not needed as a spool has none. The newest bytes
 * stay; what had to go is counted.
 *
 * A supervisor is told of the spool and takes it. What was told is forgotten only when it says that
 * it has taken it.
 */
#pragma once

#include "sandbox/launcher.h"

#define SPOOL_CHUNK 4096 /* bytes that are copied at once */

struct spool_ring {
	int memfd;		/* -1 before the first byte */
	struct launch_spool is; /* as it would be told now */
	struct launch_spool told;
};

struct spool {
	struct spool_ring rings[OUTPUT_COUNT];
};

void spool_init(struct spool *spool);

/* At most SPOOL_CHUNK bytes. Where there is no memory for them, they count as dropped. */
void spool_append(struct spool *spool, unsigned stream, const void *data, size_t size);

bool spool_is_empty(const struct spool *spool);

/* Fills ret->spool, and fds with the rings' memfds (theirs still). Returns how many: OUTPUT_COUNT,
 * or 0 if nothing is kept. */
size_t spool_tell(struct spool *spool, struct launch_message *ret, int fds[static OUTPUT_COUNT]);

/* What was told last is forgotten; what has come since then stays. Of what was told, the bytes that
 * the ring has dropped in between have been counted, although they were taken. */
void spool_taken(struct spool *spool);
