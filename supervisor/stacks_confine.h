/* SPDX-License-Identifier: MIT */
/* What pysbx-stacks gives up before it reads a byte of anybody: it is the one program of ours that
 * may look into every process, and what it looks at may be made to fool it. */
#pragma once

#include "policy/error.h"

#define STACKS_MEMORY_MAX ((unsigned long)512 << 20) /* of its own address space */

/* CAP_SYS_PTRACE is kept, if it was there; no other one, and none can be gained. A filter lets
 * through what reading takes: files are opened for reading alone, no memory becomes executable, no
 * process, socket or signal is made; the rest ends the program. */
int stacks_confine(struct error *err);
