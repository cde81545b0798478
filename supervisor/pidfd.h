/* SPDX-License-Identifier: MIT */
/* Pidfds: a process by what cannot be another one tomorrow. */
#pragma once

#include <sys/types.h>

/* Its pid, as this PID namespace counts; 0 if it has ended, or is of no namespace below ours. */
pid_t pidfd_pid(int pidfd);
