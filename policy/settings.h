/* SPDX-License-Identifier: MIT */
/*
 * /etc/pysbx/pysbxd.json: the defaults of all apps, and how much the daemon says.
 *
 *   {"defaults": {"limits": {"memory": "256M"}, "log": {"target": "file"}}, "log_level": "info",
 *    "incidents": {"keep": 200, "max_age": "90d", "max_size": "32M", "mask": ["token=([^\n]+)"]},
 *    "on_incident": ["/usr/local/bin/ticket"], "on_incident_user": "mailer"}
 */
#pragma once

#include "policy/error.h"
#include "policy/quantity.h"
#include "policy/strings.h"

#include <jansson.h>

/* In the order of enum log_level (supervisor/log.h): the quietest first. */
enum settings_log_level {
	SETTINGS_LOG_ERROR,
	SETTINGS_LOG_WARNING,
	SETTINGS_LOG_INFO,
	SETTINGS_LOG_DEBUG,
	SETTINGS_LOG_LEVEL_COUNT,
};

/* Of each app: one that dies all the time pushes nobody else's out. */
#define SETTINGS_INCIDENTS_KEEP	    UINT64_C(200)
#define SETTINGS_INCIDENTS_KEEP_MAX UINT64_C(10000)
#define SETTINGS_INCIDENTS_AGE_USEC (UINT64_C(90) * 86400 * USEC_PER_SEC)
#define SETTINGS_INCIDENTS_AGE_MIN  (UINT64_C(60) * USEC_PER_SEC)
#define SETTINGS_INCIDENTS_SIZE	    (UINT64_C(32) << 20)
#define SETTINGS_INCIDENTS_SIZE_MIN \
	(UINT64_C(4) << 20) /* of one report that is as large as can be */
#define SETTINGS_HOOK_WORDS_MAX 32
#define SETTINGS_HOOK_WORD_MAX	4095

struct settings_incidents {
	uint64_t keep;	       /* how many */
	uint64_t max_age_usec; /* LIMIT_MAX: however old */
	uint64_t max_size;     /* bytes of all of an app's together */
	bool own_mask;	       /* `mask` in place of the defaults of policy/mask.h */
	struct strings mask;
};

struct settings {
	json_t *defaults; /* for spec_from_json(): an object that was found right; NULL: none */
	enum settings_log_level log_level; /* SETTINGS_LOG_INFO where nothing is said */
	struct settings_incidents incidents;
	struct strings on_incident; /* a command, by its absolute path; empty: none */
	char *on_incident_user;	    /* owned; NULL: a uid that has nothing */
};

/* Its keys, for the check of the manual page. */
#define SETTINGS_KEYS 5
extern const char *const settings_keys[SETTINGS_KEYS];
#define SETTINGS_INCIDENTS_KEYS 4
extern const char *const settings_incidents_keys[SETTINGS_INCIDENTS_KEYS];

/* What holds without the file. */
void settings_init(struct settings *settings);
void settings_clear(struct settings *settings);

/* ERROR_INVALID "PATH: TEXT". `ret` need not be initialised; it shares `defaults` with object. */
int settings_from_json(const json_t *object, struct settings *ret, struct error *err);

/* "error", "warning", "info", "debug"; ERROR_INVALID names them. */
const char *settings_log_level_name(enum settings_log_level level);
int settings_log_level_parse(const char *text, enum settings_log_level *ret, struct error *err);

/* --- between the files of this module: settings_incidents.c -------------------------------------
 */

struct place;
void settings_incidents_init(struct settings_incidents *incidents);
/* Each takes its value into what has been initialised; whoever calls clears it, also on failure. */
int settings_incidents_read(const struct place *at, const json_t *value,
			    struct settings_incidents *ret, struct error *err);
int settings_hook_read(const struct place *at, const json_t *value, struct strings *ret,
		       struct error *err);

#define _cleanup_settings_ __attribute__((cleanup(settings_clear)))
