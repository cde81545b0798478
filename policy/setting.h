/* SPDX-License-Identifier: MIT */
/*
 * How a person sets a field of an app, in words: who ran `pysbx run` has options, who declared an
 * app to the daemon has keys of JSON and `pysbx set`. And where the app's own limit is not what to
 * change, because its plan or its tenant gives no more, the words say that.
 */
#pragma once

#include "policy/phrase.h"
#include "policy/spec.h"

/* What bounds an app from outside; limits NULL: nothing does. Borrowed. */
struct setting_bound {
	const char *name;
	const struct limits *limits;
};

struct setting_place {
	enum spec_door door;
	const char *app;	     /* NULL: unknown */
	const struct limits *limits; /* its own, NULL: unknown */
	struct setting_bound plan, tenant;
};

/* The option, or the JSON path: "--rw", "isolation.writable". */
const char *setting_name(enum spec_door door, enum spec_field field);

/* "--oom app", "oom=app" */
void setting_add_value(struct phrase *text, enum spec_door door, enum spec_field field,
		       const char *value);

/* For FIELD_MEMORY and FIELD_PIDS; fits into "..., run fewer workers, or ...":
 * "raise --mem"
 * "raise limits.memory (now 192M; pysbx set blog memory=256M)"
 * "raise limits.memory (now 192M) in apps.d/blog.json"
 * "raise limits.memory of plan basic, which gives no more than 192M"
 * "raise limits.memory of tenant acme, whose apps have 192M together" */
void setting_add_raise(struct phrase *text, const struct setting_place *place,
		       enum spec_field field);
