/* SPDX-License-Identifier: MIT */
/*
 * Limits as words of a command line, made into the JSON object that app.set_limits takes:
 *
 *	memory=256M cpu=50% pids=100 io=/srv=20M/10M
 *	{"memory":"256M","cpu":"50%","pids":100,"io":{"/srv":{"rbps":20971520,"wbps":10485760}}}
 *
 * "memory=-" takes the app's own limit away: null. The words must be UTF-8.
 */
#pragma once

#include "policy/error.h"

#include <jansson.h>

/* The names that may stand before the '=', as in the "limits" of an app. */
extern const char *const limit_word_names[];
extern const size_t limit_word_count;

/* ERROR_USAGE, quoting the word. *ret is the caller's reference. */
int limit_words_to_json(char *const words[], size_t count, json_t **ret, struct error *err);
