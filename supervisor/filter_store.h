/* SPDX-License-Identifier: MIT */
/*
 * Compiled filters on disk, for `pysbx run`: to build one and to ask it takes 5 ms, as much as all
 * else that a start does.
 *
 * A kept filter is as trusted as the program that made it: the directory and the files are their
 * user's alone (root's), and who else could write there is not believed. It is used where profile,
 * pysbx (the very file), libseccomp and kernel are those that it was made from
 * (policy/filter_entry.h); what else is there is overwritten.
 */
#pragma once

#include "policy/error.h"

#include <linux/filter.h>
#include <stddef.h>

#define FILTER_STORE_DIRECTORY "/var/cache/pysbx"

/* The kept program of profile `name` (a file name) with that text; the caller's. An error if there
 * is none: it is to be made then. */
int filter_store_get(const char *directory, const char *name, const char *text, size_t length,
		     struct sock_filter **ret_program, size_t *ret_count, struct error *err);

/* Keeps it for the next one: whole or not at all. Makes the directory. */
int filter_store_put(const char *directory, const char *name, const char *text, size_t length,
		     const struct sock_filter *program, size_t count, struct error *err);
