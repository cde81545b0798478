/* SPDX-License-Identifier: MIT */
/*
 * What this machine has of what pysbx stands on: each part is looked for by itself, by asking the
 * kernel and not by its version where that can be done. Changes nothing, needs no daemon; what only
 * root may find out is unknown to others.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define DOCTOR_FOUND_MAX 256

enum doctor_state { DOCTOR_OK, DOCTOR_MISSING, DOCTOR_UNKNOWN };

struct doctor_finding {
	enum doctor_state state;
	char found[DOCTOR_FOUND_MAX]; /* what is there, or what came instead of it */
};

struct doctor_check {
	const char *name;
	bool required;	    /* without it no app runs */
	const char *means;  /* what it is for, or what is lost without it */
	const char *advice; /* what to do where it is missing */
	void (*probe)(struct doctor_finding *ret);
};

/* In the order in which people read them. */
extern const struct doctor_check doctor_checks[];
extern const size_t doctor_check_count;
