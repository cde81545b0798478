/* SPDX-License-Identifier: MIT */
/*
 * What differs between two specs of one app, and what that asks of a running one.
 */
#pragma once

#include "policy/spec.h"

struct spec_difference {
	struct strings paths; /* JSON paths, in the order of pysbx.json(5): "limits.memory" */
	uint64_t fields;      /* SPEC_FIELD_BIT() of each (policy/spec_json.h) */
	bool restart;	      /* a running app must be started again for some of it */
};

/* Both as they are: compare specs that were completed the same way. The order of variables and of
 * io paths means nothing. `ret` need not be initialised; spec_difference_clear(). */
int spec_diff(const struct app_spec *a, const struct app_spec *b, struct spec_difference *ret,
	      struct error *err);
void spec_difference_clear(struct spec_difference *difference);
