/* SPDX-License-Identifier: MIT */
/*
 * The words of a verdict: what happened, with numbers, what was decided, what to do. For
 * policy/verdict.c alone. Names of processes are escaped here, so the texts may go to any log.
 */
#pragma once

#include "policy/verdict.h"

/* cause and level are set. Fills verdict->sentence. */
void verdict_write_sentence(const struct death *death, struct verdict *verdict);

/* cause and level are set. Fills verdict->advice, "" if there is none to give. */
void verdict_write_advice(const struct death *death, struct verdict *verdict);

/* All else is set, and `restarts` has moved on. Fills verdict->why. */
void verdict_write_why(const struct death *death, const struct restart_policy *policy,
		       const struct restart_state *restarts, struct verdict *verdict);
