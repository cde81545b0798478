/* SPDX-License-Identifier: MIT */
#pragma once

#include "sandbox/launcher.h"

/* Step. Starts the worker in its cgroup and returns when its execve has succeeded or failed. Sets
 * worker, worker_pidfd and started_nsec; on failure launcher->stage is the one that failed, and
 * wait_status is set if something killed the child before it could execute. */
int worker_start(struct launcher *launcher, struct error *err);
