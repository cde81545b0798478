/* SPDX-License-Identifier: MIT */
/*
 * The slice of one app of the daemon, and that of its tenant above it:
 *
 *   ROOT/[TENANT.tenant/]APP.slice/
 *
 * The endings differ, so an app and a tenant of the same name don't meet. Instances make their
 * leaves below (supervisor/instance.h).
 */
#pragma once

#include "policy/limits.h"
#include "policy/tenant.h"

#define APP_CGROUP_PATH_MAX (2 * SPEC_NAME_MAX + 24)

/* "acme.tenant/web.slice"; tenant may be NULL. Returns path, of APP_CGROUP_PATH_MAX bytes. */
const char *app_cgroup_path(const char *tenant, const char *app, char *path);
/* The tenant in such a path, NULL: none. Returns tenant. */
const char *app_cgroup_tenant(const char *path, char tenant[static SPEC_NAME_MAX + 1]);

/* The disk of each io limit, before anything is made. ERROR_INVALID names the path. */
int app_cgroup_find_disks(const struct limits *limits, struct disk disks[static SPEC_IO_MAX],
			  struct error *err);

/* Makes both if they are missing, with the limits of both. tenant may be NULL. */
int app_cgroup_make(int root, const struct tenant *tenant, const struct app_spec *spec,
		    struct error *err);

/* Makes `limits` those of what is there (path below root), and reads them back: what they leave
 * open is no limit, nor is any disk that they don't name. memory.max or memory.high below what is
 * in use is ERROR_CONFLICT, and nothing is written: the kernel would reclaim for seconds within the
 * write, then kill. One that holds already is fine. */
int app_cgroup_set_limits(int root, const char *path, const struct limits *limits,
			  struct error *err);
/* Whether that would be refused, for what can be told before. */
int app_cgroup_check_limits(int root, const char *path, const struct limits *limits,
			    struct error *err);
/* The same as far as it can be done: what does not fit, and disks that are gone, are left out.
 * Tells one of the reasons. */
int app_cgroup_renew_limits(int root, const char *path, const struct limits *limits,
			    struct error *err);

/* Both for a tenant's; one whose slice is not there has no app that was started, which is fine. */
int app_cgroup_set_tenant_limits(int root, const struct tenant *tenant, struct error *err);
int app_cgroup_renew_tenant_limits(int root, const struct tenant *tenant, struct error *err);

/* The app's slice (path below root), and the tenant's if that was its last app. Kills what is in
 * it.
 */
int app_cgroup_remove(int root, const char *path, struct error *err);

/* A number in a file of the app's slice; LIMIT_MAX for "max". */
int app_cgroup_read_number(int root, const char *path, const char *file, uint64_t *ret,
			   struct error *err);
