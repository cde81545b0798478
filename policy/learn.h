/* SPDX-License-Identifier: MIT */
/*
 * A profile from what was seen of one run: of a reference profile the rules for the calls that were
 * used, and for those that every Python needs (learn.c says which, and what for); all that it
 * refuses with a reason; and rules of their own for the calls that it does not know. So what comes
 * out allows nothing that the reference refuses, unless that is asked for.
 *
 * Calls are told apart by number and telling arguments (denial_is_same), and a rule is as wide as
 * that: where nothing tells two opens apart, all rules for opening stay.
 */
#pragma once

#include "policy/filter_rules.h"

/* How a call that was made stands to the reference profile. */
enum learn_kind {
	LEARN_ALLOWED,
	LEARN_UNKNOWN, /* no rule: its default action */
	LEARN_REFUSED, /* by a rule of its own */
};

struct learn_call {
	const char *name;
	struct seccomp_data data;
};

enum learn_kind learn_kind_of(const struct filter_rules *reference,
			      const struct seccomp_data *data);

/* With count 0: what to begin with. dangerous: also the calls that the reference refuses. *ret is
 * the caller's: profile_free(). */
int learn_profile(const struct filter_rules *reference, const struct learn_call *calls,
		  size_t count, bool dangerous, struct profile **ret, struct error *err);
