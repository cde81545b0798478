/* SPDX-License-Identifier: MIT */
#include "supervisor/app_cgroup.h"

#include "policy/figure.h"
#include "policy/own.h"
#include "supervisor/cgroup.h"
#include "supervisor/disk.h"
#include "supervisor/file.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATIENCE_MSEC	   500 /* launchers have ended before: nothing is left to wait for */
#define TENANT_SUFFIX	   ".tenant"
#define CPU_WEIGHT_DEFAULT 100 /* the kernel's */

static const char *tenant_path(const char *tenant, char *path)
{
	snprintf(path, APP_CGROUP_PATH_MAX, "%s" TENANT_SUFFIX, tenant);
	return path;
}

const char *app_cgroup_path(const char *tenant, const char *app, char *path)
{
	if (tenant != NULL)
		snprintf(path, APP_CGROUP_PATH_MAX, "%s" TENANT_SUFFIX "/%s.slice", tenant, app);
	else
		snprintf(path, APP_CGROUP_PATH_MAX, "%s.slice", app);
	return path;
}

const char *app_cgroup_tenant(const char *path, char tenant[static SPEC_NAME_MAX + 1])
{
	const char *slash = strchr(path, '/');
	size_t length = slash != NULL ? (size_t)(slash - path) - strlen(TENANT_SUFFIX) : 0;

	if (slash == NULL)
		return NULL;
	assert(length <= SPEC_NAME_MAX);
	memcpy(tenant, path, length);
	tenant[length] = '\0';
	return tenant;
}

int app_cgroup_find_disks(const struct limits *limits, struct disk disks[static SPEC_IO_MAX],
			  struct error *err)
{
	for (size_t i = 0; i < limits->io_count; i++) {
		int r = disk_of_path(limits->io[i].path, &disks[i], err);

		if (r < 0)
			return r;
	}
	return 0;
}

/* --- limits --------------------------------------------------------------------------------- */

static uint64_t page_size(void)
{
	return (uint64_t)sysconf(_SC_PAGESIZE);
}

/* What is to be written into one directory. */
struct change {
	int dir;
	bool partly;	      /* what can't be done is left out, and does not hold up the rest */
	bool check;	      /* write nothing */
	struct limits limits; /* its io is the one below */
	struct io_limit io[SPEC_IO_MAX];
	struct disk disks[SPEC_IO_MAX];
	struct limit_write writes[LIMIT_WRITES_MAX];
	size_t count;
};

/* To be changed on the way; the paths stay borrowed. */
static void take_limits(struct change *change, const struct limits *limits)
{
	change->limits = *limits;
	change->limits.io = change->io;
	if (limits->io_count > 0)
		memcpy(change->io, limits->io, limits->io_count * sizeof(*limits->io));
}

/* The disk that limits.io[i] was set for has gone, or its path: with it went the limit. */
static void leave_out(struct limits *limits, size_t i)
{
	limits->io_count--;
	memmove(&limits->io[i], &limits->io[i + 1], (limits->io_count - i) * sizeof(*limits->io));
}

static int find_disks(struct change *change, struct error *err)
{
	struct error mine;
	int r = 0;

	for (size_t i = 0; i < change->limits.io_count;) {
		int found = disk_of_path(change->limits.io[i].path, &change->disks[i], &mine);

		if (found >= 0) {
			i++;
			continue;
		}
		*err = mine;
		error_prefix(err, "limits.io");
		r = found;
		if (!change->partly)
			return r;
		leave_out(&change->limits, i);
	}
	return r;
}

/* Of memory.max and memory.high the kernel reclaims before the write is over, and for the former it
 * kills: not in this process, which has others to serve (see supervisor/reclaim.h). */
static int check_fits(const struct change *change, const struct limit_write *write,
		      struct error *err)
{
	uint64_t wanted = strtoull(write->text, NULL, 10), current;
	char used[QUANTITY_TEXT_MAX], limit[QUANTITY_TEXT_MAX];
	struct error ignored;
	int r;

	if (strcmp(write->text, "max") == 0 ||
	    app_cgroup_read_number(change->dir, ".", "memory.current", &current, &ignored) < 0 ||
	    current <= wanted)
		return 0;
	r = error_set(err, ERROR_CONFLICT, 0,
		      "%s: %s are in use, so it can't be lowered to %s: stop what uses them first "
		      "(or lower that of an app with force)",
		      write->field, figure_size(current, used), figure_size(wanted, limit));
	error_set_path(err, "%s", write->field);
	return r;
}

/* Drops what holds already, so that it is not enforced anew, and what does not fit. */
static int check_memory(struct change *change, struct error *err)
{
	size_t kept = 0;
	int r = 0;

	for (size_t i = 0; i < change->count; i++) {
		const struct limit_write *write = &change->writes[i];
		char held[64];
		struct error ignored;
		int fits = 0;

		assert(write->file != NULL);
		if (strcmp(write->file, "memory.max") == 0 ||
		    strcmp(write->file, "memory.high") == 0) {
			if (file_read_at(change->dir, write->file, held, sizeof(held), &ignored) >=
				    0 &&
			    limits_read_back_matches(write, held))
				continue;
			fits = check_fits(change, write, err);
		}
		if (fits < 0 && !change->partly)
			return fits;
		if (fits < 0)
			r = fits;
		else
			change->writes[kept++] = *write;
	}
	change->count = kept;
	return r;
}

/* Disks that io.max still names, and the limits don't. */
static int lift_other_disks(const struct change *change, struct error *err)
{
	struct disk others[LIMIT_OTHER_DISKS_MAX];
	char held[FILE_KERNEL_MAX];
	struct error mine;
	size_t count;
	int r = 0;

	if (file_read_at(change->dir, "io.max", held, sizeof(held), &mine) < 0)
		return 0; /* no io controller: nothing can have been limited */
	count = limits_other_disks(held, change->disks, change->limits.io_count, others);
	for (size_t i = 0; i < count; i++) {
		struct limit_write write;

		limits_lift_disk(&others[i], &write);
		r = cgroup_apply(change->dir, &write, 1, &mine);
		if (r < 0 && r != -ENODEV && !change->partly) {
			*err = mine;
			return r;
		}
	}
	return 0;
}

static int write_all(struct change *change, struct error *err)
{
	struct error mine;
	int r = 0;

	if (!change->partly)
		return cgroup_apply(change->dir, change->writes, change->count, err);
	for (size_t i = 0; i < change->count; i++) {
		int written = cgroup_apply(change->dir, &change->writes[i], 1, &mine);

		if (written < 0) {
			*err = mine;
			r = written;
		}
	}
	return r;
}

/* "No limit" needs no controller. */
static void forget_open(int dir, struct limits *limits)
{
	const struct {
		unsigned controller;
		uint64_t *limit;
	} rows[] = {
		{ CONTROLLER_MEMORY, &limits->memory_max },
		{ CONTROLLER_MEMORY, &limits->memory_high },
		{ CONTROLLER_MEMORY, &limits->memory_swap_max },
		{ CONTROLLER_CPU, &limits->cpu_max },
		{ CONTROLLER_PIDS, &limits->pids_max },
	};
	unsigned available = ~0U;
	struct error ignored;

	(void)cgroup_controllers(dir, &available, &ignored);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (*rows[i].limit == LIMIT_MAX && (available & rows[i].controller) == 0)
			*rows[i].limit = LIMIT_UNSET;
}

static int carry_out(struct change *change, struct error *err)
{
	int disks, fits, written, lifted;

	forget_open(change->dir, &change->limits);

	disks = find_disks(change, err);
	if (disks < 0 && !change->partly)
		return disks;
	change->count = limits_writes(&change->limits, change->disks, page_size(), change->writes);
	fits = check_memory(change, err);
	if (change->check || (fits < 0 && !change->partly))
		return fits;
	written = write_all(change, err);
	if (written < 0 && !change->partly)
		return written;
	lifted = lift_other_disks(change, err);
	return disks < 0 ? disks : fits < 0 ? fits : written < 0 ? written : lifted;
}

/* "No limit" is said where silence would leave an old one in force. */
static void say_open(int dir, struct limits *limits)
{
	const struct {
		const char *file;
		uint64_t *limit, none;
	} files[] = {
		{ "memory.max", &limits->memory_max, LIMIT_MAX },
		{ "memory.high", &limits->memory_high, LIMIT_MAX },
		{ "memory.swap.max", &limits->memory_swap_max, LIMIT_MAX },
		{ "cpu.max", &limits->cpu_max, LIMIT_MAX },
		{ "cpu.weight", &limits->cpu_weight, CPU_WEIGHT_DEFAULT },
		{ "pids.max", &limits->pids_max, LIMIT_MAX },
	};

	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		if (*files[i].limit == LIMIT_UNSET && faccessat(dir, files[i].file, W_OK, 0) == 0)
			*files[i].limit = files[i].none;
	for (size_t i = 0; i < limits->io_count; i++) {
		struct io_limit *io = &limits->io[i];
		uint64_t *values[] = { &io->rbps, &io->wbps, &io->riops, &io->wiops };

		for (size_t key = 0; key < ARRAY_SIZE(values); key++)
			if (*values[key] == LIMIT_UNSET)
				*values[key] = LIMIT_MAX;
	}
}

static int change_limits(int root, const char *path, const struct limits *limits,
			 struct change *change, struct error *err)
{
	_cleanup_close_ int dir = -1;
	int r;

	r = cgroup_open(root, path, &dir, err);
	if (r < 0)
		return r;
	change->dir = dir;
	take_limits(change, limits);
	say_open(dir, &change->limits);
	return carry_out(change, err);
}

int app_cgroup_check_limits(int root, const char *path, const struct limits *limits,
			    struct error *err)
{
	struct change change = { .check = true };

	return change_limits(root, path, limits, &change, err);
}

int app_cgroup_set_limits(int root, const char *path, const struct limits *limits,
			  struct error *err)
{
	struct change change = { 0 };

	return change_limits(root, path, limits, &change, err);
}

int app_cgroup_renew_limits(int root, const char *path, const struct limits *limits,
			    struct error *err)
{
	struct change change = { .partly = true };

	return change_limits(root, path, limits, &change, err);
}

static int change_tenant(int root, const struct tenant *tenant, bool partly, struct error *err)
{
	struct change change = { .partly = partly };
	char path[APP_CGROUP_PATH_MAX];
	int r;

	r = change_limits(root, tenant_path(tenant->name, path), &tenant->limits, &change, err);

	/* none of its apps has been started yet */
	return r == -ENOENT ? 0 : r;
}

int app_cgroup_set_tenant_limits(int root, const struct tenant *tenant, struct error *err)
{
	return change_tenant(root, tenant, false, err);
}

int app_cgroup_renew_tenant_limits(int root, const struct tenant *tenant, struct error *err)
{
	return change_tenant(root, tenant, true, err);
}

/* --- making them ---------------------------------------------------------------------------- */

/* A new one has no limits but those that are written now; one that is there may have old ones. */
static int make_one(int root, const char *path, const struct limits *limits, int *ret_dir,
		    struct error *err)
{
	_cleanup_close_ int dir = -1;
	bool is_new = mkdirat(root, path, 0755) == 0;
	struct change change = { 0 };
	int r;

	if (!is_new && errno != EEXIST)
		return error_set(err, ERROR_SYSTEM, errno, "cgroup: mkdir %s", path);
	r = cgroup_open(root, path, &dir, err);
	if (r < 0)
		return r;
	change.dir = dir;
	take_limits(&change, limits);
	if (!is_new)
		say_open(dir, &change.limits);
	r = carry_out(&change, err);
	if (r >= 0)
		*ret_dir = TAKE_FD(dir);
	return r;
}

/* With all controllers that there are: an app may get a limit later, while it runs. */
static int make_tenant(int root, const struct tenant *tenant, unsigned controllers,
		       struct error *err)
{
	_cleanup_close_ int dir = -1;
	char path[APP_CGROUP_PATH_MAX];
	int r;

	r = make_one(root, tenant_path(tenant->name, path), &tenant->limits, &dir, err);
	if (r >= 0)
		r = cgroup_enable(dir, controllers, path, err);
	if (r >= 0)
		cgroup_enable_available(dir);
	return r;
}

static int make_app(int root, const struct app_spec *spec, unsigned controllers, struct error *err)
{
	_cleanup_close_ int dir = -1;
	char path[APP_CGROUP_PATH_MAX];
	int r;

	r = make_one(root, app_cgroup_path(spec->tenant, spec->name, path), &spec->limits, &dir,
		     err);
	return r < 0 ? r : cgroup_enable(dir, controllers, path, err);
}

/* A limit that nothing would enforce is refused by its name. */
static int check_controllers(unsigned available, const struct limits *limits, struct error *err)
{
	static const char none[] = ", or give it no limit (\"max\")";
	const struct {
		const char *name, *field, *advice;
		unsigned controller;
		bool asked;
	} rows[] = {
		{ "memory", "limits.memory", none, CONTROLLER_MEMORY,
		  limit_is_set(limits->memory_max) || limit_is_set(limits->memory_swap_max) },
		{ "memory", "limits.memory_high", none, CONTROLLER_MEMORY,
		  limit_is_set(limits->memory_high) },
		{ "cpu", "limits.cpu", none, CONTROLLER_CPU, limit_is_set(limits->cpu_max) },
		{ "cpu", "limits.cpu_weight", ", or leave it out", CONTROLLER_CPU,
		  limit_is_set(limits->cpu_weight) },
		{ "pids", "limits.pids",
		  ", or give it no limit (\"max\"; if nothing is said it has one)", CONTROLLER_PIDS,
		  limit_is_set(limits->pids_max) },
		{ "io", "limits.io", ", or leave it out", CONTROLLER_IO, limits->io_count > 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (!rows[i].asked || (available & rows[i].controller) != 0)
			continue;
		(void)error_set(
			err, ERROR_UNSUPPORTED, 0,
			"%s: the cgroup of all apps has no %s controller, so it could not be "
			"enforced: enable that in the cgroup above (cgroup v1 must not hold "
			"it)%s",
			rows[i].field, rows[i].name, rows[i].advice);
		error_set_path(err, "%s", rows[i].field);
		return -EOPNOTSUPP;
	}
	return 0;
}

int app_cgroup_make(int root, const struct tenant *tenant, const struct app_spec *spec,
		    struct error *err)
{
	unsigned available, controllers = CONTROLLER_MEMORY | CONTROLLER_PIDS |
					  limits_controllers(&spec->limits);
	int r;

	if (tenant != NULL)
		controllers |= limits_controllers(&tenant->limits);
	r = cgroup_controllers(root, &available, err);
	if (r >= 0 && tenant != NULL)
		r = check_controllers(available, &tenant->limits, err);
	if (r >= 0)
		r = check_controllers(available, &spec->limits, err);
	if (r < 0)
		return r;
	controllers &= available;
	r = cgroup_enable(root, controllers, "of all apps", err);
	if (r >= 0 && tenant != NULL)
		r = make_tenant(root, tenant, controllers, err);
	return r < 0 ? r : make_app(root, spec, controllers, err);
}

/* -------------------------------------------------------------------------------------------- */

int app_cgroup_remove(int root, const char *path, struct error *err)
{
	char name[SPEC_NAME_MAX + 1], above[APP_CGROUP_PATH_MAX];
	const char *tenant = app_cgroup_tenant(path, name);
	int r = cgroup_destroy(root, path, PATIENCE_MSEC, err);

	/* with other apps in it, it stays */
	if (r >= 0 && tenant != NULL)
		(void)unlinkat(root, tenant_path(tenant, above), AT_REMOVEDIR);
	return r;
}

int app_cgroup_read_number(int root, const char *path, const char *file, uint64_t *ret,
			   struct error *err)
{
	char whole[APP_CGROUP_PATH_MAX + 64], text[64];
	int r;

	snprintf(whole, sizeof(whole), "%s/%s", path, file);
	r = file_read_at(root, whole, text, sizeof(text), err);
	if (r < 0)
		return r;
	*ret = strncmp(text, "max", 3) == 0 ? LIMIT_MAX : strtoull(text, NULL, 10);
	return 0;
}
