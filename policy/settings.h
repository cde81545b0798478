/* SPDX-License-Identifier: MIT */
/*
 * /etc/pysbx/pysbxd.json: the defaults of all apps, and how much the daemon says.
 *
 *   {"defaults": {"limits": {"memory": "256M"}, "log": {"target": "file"}}, "log_level": "info"}
 */
#pragma once

#include "policy/error.h"

#include <jansson.h>

/* In the order of enum log_level (supervisor/log.h): the quietest first. */
enum settings_log_level {
	SETTINGS_LOG_ERROR,
	SETTINGS_LOG_WARNING,
	SETTINGS_LOG_INFO,
	SETTINGS_LOG_DEBUG,
	SETTINGS_LOG_LEVEL_COUNT,
};

struct settings {
	json_t *defaults; /* for spec_from_json(): an object that was found right; NULL: none */
	enum settings_log_level log_level; /* SETTINGS_LOG_INFO where nothing is said */
};

/* Its keys, for the check of the manual page. */
#define SETTINGS_KEYS 2
extern const char *const settings_keys[SETTINGS_KEYS];

/* What holds without the file. */
void settings_init(struct settings *settings);
void settings_clear(struct settings *settings);

/* ERROR_INVALID "PATH: TEXT". `ret` need not be initialised; it shares `defaults` with object. */
int settings_from_json(const json_t *object, struct settings *ret, struct error *err);

/* "error", "warning", "info", "debug"; ERROR_INVALID names them. */
const char *settings_log_level_name(enum settings_log_level level);
int settings_log_level_parse(const char *text, enum settings_log_level *ret, struct error *err);

#define _cleanup_settings_ __attribute__((cleanup(settings_clear)))
