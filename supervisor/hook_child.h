/* SPDX-License-Identifier: MIT */
/*
 * From clone3(2) to execve(2) of a program that is not trusted with anything: see
 * supervisor/incident_hook.h.
 */
#pragma once

#include <sys/types.h>

#define HOOK_CHILD_FAILED  125 /* its confinement could not be made */
#define HOOK_CHILD_NOT_RUN 126 /* execve failed */

struct hook_child {	      /* all borrowed */
	char *const *command; /* NULL-terminated; the first is an absolute path */
	char *app, *incident; /* "NAME=value", for its environment */
	uid_t uid;	      /* not 0 */
	gid_t gid;
	int input_fd, output_fd; /* its stdin; its stdout and stderr */
};

/* Returns 0, or a negative errno. *ret_pidfd is the caller's, and so is reaping it. */
int hook_child_start(const struct hook_child *child, int *ret_pidfd);
