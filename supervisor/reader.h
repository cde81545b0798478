/* SPDX-License-Identifier: MIT */
/*
 * A process of our own for reads that a worker can hold up. /proc/PID/cmdline lies in the worker's
 * memory, and for /proc/PID/smaps_rollup all of that is walked through: reading either waits for
 * the worker's mmap_lock, which one that forks without end hardly ever lets go. The loop must not
 * wait there, so it asks this process, and takes the answers when they have come. An answer that
 * never comes costs a name in a report, nothing else. It starts with the first question: a short
 * run has none.
 */
#pragma once

#include "policy/error.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define READER_TEXT_MAX 512

struct reader {
	pid_t pid; /* 0: not started, and the rest means nothing */
	int pidfd;
	int socket;
};

enum reader_question { READER_COMMAND_LINE, READER_PSS };

struct reader_answer {
	pid_t pid;
	enum reader_question question;
	uint64_t pss_bytes; /* its memory, of what is shared its share; 0 if unreadable */
	/* arguments, "\n" between them and no control character in them; one that does not fit
	 * whole is
	 * "..."; "" if unreadable */
	char text[READER_TEXT_MAX];
};

/* Never blocks; a question too many is dropped, and so is one for which no process can start. */
void reader_ask(struct reader *reader, pid_t pid, enum reader_question question);

/* The next answer, if there is one. */
bool reader_take(const struct reader *reader, struct reader_answer *ret);

/* Kills it; reader_stop also reaps it. No question may follow. */
void reader_kill(struct reader *reader);
void reader_stop(struct reader *reader);
