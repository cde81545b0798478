/* SPDX-License-Identifier: MIT */
/*
 * A small hosting machine on top of harness_daemon.h: two tenants with a plan, declared in files of
 * /etc/pysbx, and the logins that go with them. The daemon is not started yet when it is set up.
 *
 * The logins stay on the machine; everything else goes with hosting_close().
 */
#pragma once

#include "tests/system/harness_daemon.h"

#define HOSTING_PLAN  "basic" /* 128M, 100%, 64 processes, 3 apps */
#define HOSTING_ACME  "acme"  /* of the login USER_ACME: 256M, 100 processes */
#define HOSTING_BETA  "beta"  /* of the login USER_BETA: 200M, 150% */
#define USER_ACME     "pysbx-acme"
#define USER_BETA     "pysbx-beta"
#define USER_NOBODY   "pysbx-other" /* of no tenant */
#define USER_PANEL    "pysbx-panel" /* in the group pysbx */
#define HOSTING_APPS  3
#define NAME_TEXT_MAX 64

struct hosting {
	struct bench bench;
	char blog[NAME_TEXT_MAX]; /* apps of acme ... */
	char shop[NAME_TEXT_MAX];
	char site[NAME_TEXT_MAX];	/* ... and of beta */
	char beta_apps[BENCH_PATH_MAX]; /* beta's directory; acme's is bench.apps */
};

void hosting_open(struct hosting *hosting, const char *word);
void hosting_close(struct hosting *hosting);

/* Files below /etc/pysbx. object is stolen. */
void hosting_write(const char *directory, json_t *object);

/* An app of a tenant in its directory; words as in WORDS(). Owned by the caller. */
json_t *hosting_app(const struct hosting *hosting, const char *tenant, const char *name,
		    const char *const *words);
/* blog, shop and site: those that sleep, or gunicorn at bench.port and the two ports after it. */
void hosting_write_sleepers(const struct hosting *hosting);
void hosting_write_servers(struct hosting *hosting);

/* This process is taken for that login from here on; and for root again. */
void become(const char *user);
void become_root(void);

/* A connection of this login. */
void link_open_as(struct link *link, const char *user);

/* A call of this login: the whole answer. params is stolen. Owned by the caller. */
json_t *call_as(const char *user, const char *method, json_t *params);
/* The result; an error fails the test. */
json_t *result_as(const char *user, const char *method, json_t *params);
/* Expects an error of this code at this path (NULL: whatever path). */
void expect_refused_as(const char *user, const char *code, const char *path, const char *method,
		       json_t *params);

/* A limit's file, without its last newline. tenant NULL: none; app NULL: of the tenant. Owned by
 * the caller. */
char *limit_read(const char *tenant, const char *app, const char *file);
#define expect_limit(tenant, app, file, value)                                               \
	do {                                                                                 \
		_cleanup_free_ char *text_ = limit_read(tenant, app, file);                  \
                                                                                             \
		cr_expect_str_eq(text_, value, "%s of %s: %s, not %s", file,                 \
				 (const char *)(app) != NULL ? (const char *)(app) : tenant, \
				 text_, value);                                              \
	} while (0)
