/* SPDX-License-Identifier: MIT */
/*
 * Tenants: customers of one host. A tenant's apps share a slice with limits of its own, and its
 * users may manage them over the socket, within what is written here.
 *
 *   {"name": "acme", "users": ["acme"], "plan": "basic", "limits": {"memory": "1G"},
 *    "directories": ["/srv/acme"]}
 */
#pragma once

#include "policy/spec.h"

#include <jansson.h>

#define TENANT_USERS_MAX       64
#define TENANT_DIRECTORIES_MAX 32
#define TENANT_DIRECTORY_ROOT  "/srv" /* "/srv/NAME" is the default */

struct tenant {
	char *name;
	struct strings users; /* logins or uids that may use the socket for it, and whom its apps
				 may run as */
	char *plan;	      /* of apps that name none; NULL: none */
	struct limits limits; /* of all its apps together; never nofile or tmp_size */
	struct strings directories; /* where its apps' paths may lie when it asks itself; never
				       none */
};

/* Its keys, for the check of the manual page. */
#define TENANT_KEYS 5
extern const char *const tenant_keys[TENANT_KEYS];

/* ERROR_INVALID "PATH: TEXT". `ret` need not be initialised; tenant_clear(). */
int tenant_from_json(const json_t *object, struct tenant *ret, struct error *err);
/* Canonical, what is unset left out. *ret is a new reference. */
int tenant_to_json(const struct tenant *tenant, json_t **ret, struct error *err);
void tenant_clear(struct tenant *tenant);

/* What a tenant may ask for itself, of a spec as spec_from_json() made it without defaults: what
 * the administrator gives to all apps is no request of the tenant. ERROR_DENIED with the
 * path of what only an administrator may set: another tenant's app, another plan, a user that is
 * none of its own, a path outside of its directories (of limits.io: unless its own limits name it),
 * a profile by path. ERROR_INVALID for limits above the tenant's own. */
int tenant_check_app(const struct tenant *tenant, const struct app_spec *spec, struct error *err);

#define _cleanup_tenant_ __attribute__((cleanup(tenant_clear)))
