/* SPDX-License-Identifier: MIT */
/* Pidfds: a process by what cannot be another one tomorrow. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>
#include <sys/wait.h>

#ifndef P_PIDFD /* of waitid(2): newer than some libcs */
#define P_PIDFD 3
#endif

/* Its pid, as this PID namespace counts; 0 if it has ended, or is of no namespace below ours. */
pid_t pidfd_pid(int pidfd);

/* Not reaped is ended, too. */
bool pidfd_has_ended(int pidfd);

/* SIGKILL. Who has ended is none the worse for it. */
void pidfd_kill(int pidfd);
