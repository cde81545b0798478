/* SPDX-License-Identifier: MIT */
/*
 * Declarations on disk: DIRECTORY/NAME.json, one JSON object each. What is written is there whole
 * or not at all, also after a power cut: a temporary file, fsynced, renamed, the directory fsynced.
 */
#pragma once

#include "policy/error.h"
#include "policy/strings.h"

#include <jansson.h>
#include <stdbool.h>

#define STORE_DOCUMENT_MAX  ((size_t)1024 * 1024)
#define STORE_DOCUMENTS_MAX 1000000 /* in one directory */

/* Makes the directory (0700, with its parents) if it is missing. durable: with the fsyncs; without
 * them it is whole for everyone but a machine that loses power. */
int store_write(const char *directory, const char *name, const json_t *document, bool durable,
		struct error *err);
int store_write_text(const char *directory, const char *name, const char *text, size_t length,
		     bool durable, struct error *err);

/* Absent is fine. */
int store_remove(const char *directory, const char *name, struct error *err);

/* "PATH: line 3, column 7: ..." and so on; -ENOENT if there is no such file. *ret is a new
 * reference. */
int store_read(const char *path, size_t size_max, json_t **ret, struct error *err);

/* The NAMEs in it, sorted; hidden files and others are passed over. A directory that is missing
 * has none. */
int store_list(const char *directory, struct strings *ret, struct error *err);
