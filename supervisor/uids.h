/* SPDX-License-Identifier: MIT */
/*
 * Which uid each app of the daemon has that names no user: DIRECTORY/uids.json,
 *
 *   {"web": 1879113728, "acme/shop": 1879113729}
 *
 * with the tenant before the name, since what a customer's app has left behind is not for another
 * customer's app of that name. An app keeps its uid over reboots, and one that was removed keeps it
 * too: files that it left belong to nobody else. Only when all IDENTITY_DYNAMIC_COUNT are given is
 * one taken from an app that is no more.
 */
#pragma once

#include "policy/error.h"
#include "supervisor/identity.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct uids {
	const char *directory; /* borrowed */
	json_t *map;	       /* as on disk, or as it will be */
	/* bits, of each uid of the range: */
	uint8_t given[IDENTITY_DYNAMIC_COUNT / 8];
	uint8_t unsaved[IDENTITY_DYNAMIC_COUNT / 8]; /* not on disk as it is here */
	bool changed;				     /* any of them */
};

/* No file: nothing given. ERROR_INVALID for one that makes no sense: guessing would hand the files
 * of one app to another. `uids` need not be initialised; uids_clear(). */
int uids_load(struct uids *uids, const char *directory, struct error *err);
/* Zero-initialised is fine. */
void uids_clear(struct uids *uids);

/* tenant may be NULL everywhere. 0: none yet. */
uid_t uids_find(const struct uids *uids, const char *tenant, const char *app);

/* Is there an app of that name? */
typedef bool uids_is_used(const char *tenant, const char *app, void *userdata);

/* The uid of an app; if it has none yet, a new one, by its name where that is free. ERROR_TOO_MANY
 * if apps have them all. */
int uids_give(struct uids *uids, const char *tenant, const char *app, uids_is_used *is_used,
	      void *userdata, uid_t *ret, struct error *err);

/* Sees to it that the app's uid is on disk, before anything runs under it. */
int uids_secure(struct uids *uids, const char *tenant, const char *app, struct error *err);
/* All that is not on disk yet. */
int uids_save(struct uids *uids, struct error *err);

/* What runs under a uid already has it, whatever is on record. One out of the range is let be. */
int uids_note(struct uids *uids, const char *tenant, const char *app, uid_t uid, struct error *err);
