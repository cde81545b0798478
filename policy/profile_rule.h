/* SPDX-License-Identifier: MIT */
/*
 * One rule of a seccomp profile. For policy/profile*.c only.
 */
#pragma once

#include "policy/profile_read.h"

/* A rule on its way in. At most one argument may be "less than" or "not": it stands for
 * `variants` equalities, and the rule for as many rules (0: there is none). */
struct profile_draft {
	struct profile_rule rule;
	size_t varied;	     /* index in rule.arguments */
	uint64_t variants;   /* "less than": the values 0 to variants - 1 */
	bool differs;	     /* "not": each of the lower 32 bits turned over ... */
	uint64_t other_than; /* ... from those of this value */
};

/* Reads syscalls[position] and appends what it stands for: nothing where a condition fails, several
 * rules for "less than" and "not". *name_total counts the names of all rules, against
 * PROFILE_NAMES_MAX. */
int profile_rule_read(const json_t *object, unsigned position, const struct profile_facts *facts,
		      struct profile *profile, size_t *name_total, struct error *err);
void profile_rule_clear(struct profile_rule *rule);

/* profile_argument.c: the list at "args" of the rule `object`. */
int profile_arguments_read(const json_t *object, const char *path, struct profile_draft *draft,
			   struct error *err);

/* profile_condition.c: do "includes" and "excludes" of the rule `object` let it apply? Where they
 * ask for an architecture, *architectures becomes the machine's alone. */
int profile_conditions_read(const json_t *object, const char *path,
			    const struct profile_facts *facts, bool *ret_applies,
			    unsigned *architectures, struct error *err);

/* Docker's name of an architecture, as in includes.arches: "amd64". */
const char *profile_docker_architecture(enum profile_architecture architecture);
