/* SPDX-License-Identifier: MIT */
/*
 * One app's log as a file: LOGDIR/NAME.log, and NAME.log.1 (the newest) to NAME.log.KEEP behind it.
 * Rotated by size before a write that would go beyond it. Opened at the first write, and anew when
 * somebody has moved or removed it. Only whole lines are written, so two streams may share it.
 *
 * These writes go to the page cache and are never synced: a power cut may cost the last seconds of
 * a log. A write to a regular file can't be made non-blocking, and on a dying disk, or when the
 * kernel holds back writers because too much is dirty, it stalls the loop for that long. That is
 * accepted: a write is one chunk (64 KiB), the rate of lines is bounded, and a process of our own
 * to write through would be one more thing to lose lines. An app whose disk can't be trusted logs
 * to the journal, which is never waited for.
 */
#pragma once

#include "policy/error.h"
#include "policy/spec.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define LOG_FILE_DIRECTORY	"/var/log/pysbx"
#define LOG_FILE_DIRECTORY_MODE 0750
#define LOG_FILE_MODE		0640

struct log_file {
	int fd;	   /* -1: not open */
	bool torn; /* the last write was cut in the middle of a line */
};

/* Makes it, with its parents, if it is missing. It must be ours and writable by nobody else: what
 * lies there is renamed by name. Returns the directory's fd. */
int log_file_open_directory(const char *path, struct error *err);

/* Appends with one write(2); a second one where the last was torn. Returns how many bytes were
 * written: fewer than length when the disk is full. */
ssize_t log_file_write(struct log_file *file, int directory, const char *name,
		       const struct log_policy *policy, const char *data, size_t length,
		       struct error *err);
void log_file_close(struct log_file *file);
