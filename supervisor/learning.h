/* SPDX-License-Identifier: MIT */
/*
 * `pysbx syscalls learn`: what one run makes of system calls, and the profile that comes of it
 * (policy/learn.h). The run is one of `pysbx run`, under a filter that allows only what every
 * Python needs, and with a launcher that permits and tells the rest.
 */
#pragma once

#include "policy/filter_rules.h"
#include "supervisor/log.h"

struct learning {
	char *base; /* as it was named */
	struct profile *profile;
	struct filter_rules reference;
	struct learnt {
		char *name; /* NULL: nobody knows that number */
		struct seccomp_data data;
	} * calls;
	size_t count;
	bool lost; /* for want of memory */
};

/* base: a profile's name or path. *ret_filter_fd: as filter_compile(), of what to run under. */
int learning_begin(const char *base, struct learning *ret, int *ret_filter_fd, struct error *err);
void learning_clear(struct learning *learning);

/* One call that was made: each is told once. */
void learning_add(struct learning *learning, const struct seccomp_data *data);

/* Tells what was learnt, and writes the profile: to the file, or to stdout if path is NULL. */
int learning_finish(const struct learning *learning, const char *path, bool dangerous,
		    struct log *log, struct error *err);
