/* SPDX-License-Identifier: MIT */
/*
 * What this host looks like to one app: paths that exist, where its Python lives, environment
 * files. Reads, never writes. Every failure is the user's to mend and says how (a directory that is
 * missing or a file, a command that does not exist (ERROR_NOT_FOUND) or is not executable
 * (ERROR_NOT_EXECUTABLE)).
 */
#pragma once

#include "policy/plan_build.h"
#include "supervisor/identity.h"

/* What there is of plan_system_paths: a hundred looks, which many starts can share for a while. */
struct host_system {
	struct host_entry *entries;
	size_t count;
};
int host_system_gather(struct host_system *ret, struct error *err);
void host_system_clear(struct host_system *system);

/* system: NULL: looked up now. caller_environment is NULL-terminated; of it only what
 * plan_inherits_variable names and what spec->environment asks for is copied. ret is freed with
 * host_facts_clear. */
int host_facts_gather(const struct app_spec *spec, const struct identity *identity,
		      char *const caller_environment[], const struct host_system *system,
		      struct host_facts *ret, struct error *err);
