/* SPDX-License-Identifier: MIT */
/*
 * Where incidents go: DIRECTORY/APP/ID.json, written to a temporary file and renamed, mode 0640;
 * and, with --report FILE, one line appended there (O_APPEND, one write). The directories are made
 * (0750, with their parents) if they are missing.
 *
 * Bounded: of each app the oldest go, by number, size and age (struct settings_incidents), so that
 * no app can push another's out; the newest stays. Where there are INCIDENT_STORE_APPS_MAX apps'
 * directories, those in which nothing has happened for longest make room for a new one. What a
 * death costs depends on how many incidents its own app has, not on the others. Other files are
 * left alone. The last INCIDENT_STORE_RESERVE bytes of a disk, or the last twentieth of a small
 * one, are never used: a report that has no room is an error, and in the journal.
 *
 * Nothing is fsynced: that would hold up the event loop for as long as a worker keeps the disk
 * busy. A power cut may cost the newest incident, never a half-written one.
 *
 * Reading them is supervisor/incident_list.h.
 */
#pragma once

#include "policy/error.h"
#include "policy/incident.h"
#include "policy/settings.h"

#include <stdbool.h>

#define INCIDENT_STORE_RESERVE	(UINT64_C(64) << 20)
#define INCIDENT_STORE_APPS_MAX 30000 /* more than the daemon has apps */
#define INCIDENT_STORE_SUFFIX	".json"

/* app: a name as spec_validate_name() takes it. An ID that is there already is an error (EEXIST),
 * never overwritten. Old files that cannot be removed are no error: the incident itself is safe.
 * With NULL `keep` they are left to incident_store_prune. now: seconds since the epoch. ENOSPC in
 * err->errnum where there is no room. */
int incident_store_write(const char *directory, const char *app, const char *id, const char *json,
			 const struct settings_incidents *keep, time_t now, struct error *err);

/* Whether the incident is there already: a death that was told once, by a pysbx that ended before
 * it took note of that. All of the id but its time must be the same; id becomes that of the one
 * that is there. */
bool incident_store_recall(const char *directory, const char *app, char id[static INCIDENT_ID_MAX]);

/* Removes those incidents of the app that are not to be kept. Returns how many were removed. */
int incident_store_prune(const char *directory, const char *app,
			 const struct settings_incidents *keep, time_t now, struct error *err);

/* Removes the directories of those apps in which nothing has happened for longest, until `keep` are
 * left. Returns how many were removed. */
int incident_store_prune_apps(const char *directory, size_t keep, struct error *err);

/* json_line: one object, on one line. The report must be a regular file, made (0640) if it is
 * missing: a FIFO or terminal could block pysbx, and a symlink in a directory that the app may
 * write to could send root's words into any file. */
int incident_store_append(const char *report_path, const char *json_line, struct error *err);
