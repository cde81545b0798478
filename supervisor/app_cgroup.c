/* SPDX-License-Identifier: MIT */
#include "supervisor/app_cgroup.h"

#include "policy/own.h"
#include "supervisor/cgroup.h"
#include "supervisor/disk.h"
#include "supervisor/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATIENCE_MSEC	   500 /* launchers have ended before: nothing is left to wait for */
#define CPU_WEIGHT_DEFAULT 100 /* the kernel's */

static const char *tenant_path(const char *tenant, char *path)
{
	snprintf(path, APP_CGROUP_PATH_MAX, "%s.tenant", tenant);
	return path;
}

const char *app_cgroup_path(const char *tenant, const char *app, char *path)
{
	if (tenant != NULL)
		snprintf(path, APP_CGROUP_PATH_MAX, "%s.tenant/%s.slice", tenant, app);
	else
		snprintf(path, APP_CGROUP_PATH_MAX, "%s.slice", app);
	return path;
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

static int apply(int dir, const struct limits *limits, struct error *err)
{
	struct limit_write writes[LIMIT_WRITES_MAX];
	struct disk disks[SPEC_IO_MAX];
	size_t count;
	int r;

	r = app_cgroup_find_disks(limits, disks, err);
	if (r < 0) {
		error_prefix(err, "limits.io");
		return r;
	}
	count = limits_writes(limits, disks, (uint64_t)sysconf(_SC_PAGESIZE), writes);
	return cgroup_apply(dir, writes, count, err);
}

static int make_one(int root, const char *path, unsigned controllers, const struct limits *limits,
		    struct error *err)
{
	_cleanup_close_ int dir = -1;
	int r;

	if (mkdirat(root, path, 0755) < 0 && errno != EEXIST)
		return error_set(err, ERROR_SYSTEM, errno, "cgroup: mkdir %s", path);
	r = cgroup_open(root, path, &dir, err);
	if (r >= 0)
		r = cgroup_enable(dir, controllers, path, err);
	if (r >= 0)
		r = apply(dir, limits, err);
	return r;
}

int app_cgroup_make(int root, const struct tenant *tenant, const struct app_spec *spec,
		    struct error *err)
{
	unsigned controllers =
		CONTROLLER_MEMORY | CONTROLLER_PIDS | limits_controllers(&spec->limits);
	char path[APP_CGROUP_PATH_MAX];
	int r;

	if (tenant != NULL)
		controllers |= limits_controllers(&tenant->limits);
	r = cgroup_enable(root, controllers, "of all apps", err);
	if (r >= 0 && tenant != NULL)
		r = make_one(root, tenant_path(tenant->name, path), controllers, &tenant->limits,
			     err);
	if (r >= 0)
		r = make_one(root, app_cgroup_path(spec->tenant, spec->name, path), controllers,
			     &spec->limits, err);
	return r;
}

/* --- live changes --------------------------------------------------------------------------- */

static bool has_io(const struct limits *limits, const char *path)
{
	for (size_t i = 0; i < limits->io_count; i++)
		if (strcmp(limits->io[i].path, path) == 0)
			return true;
	return false;
}

static uint64_t lifted(uint64_t now, uint64_t before, uint64_t none)
{
	return now == LIMIT_UNSET && before != LIMIT_UNSET ? none : now;
}

/* `limits`, with "no limit" said where silence would leave the old one in force. Paths are
 * borrowed. */
static void say_lifted(const struct limits *limits, const struct limits *before, struct limits *ret)
{
	*ret = *limits;
	ret->memory_max = lifted(limits->memory_max, before->memory_max, LIMIT_MAX);
	ret->memory_high = lifted(limits->memory_high, before->memory_high, LIMIT_MAX);
	ret->memory_swap_max = lifted(limits->memory_swap_max, before->memory_swap_max, LIMIT_MAX);
	ret->cpu_max = lifted(limits->cpu_max, before->cpu_max, LIMIT_MAX);
	ret->cpu_weight = lifted(limits->cpu_weight, before->cpu_weight, CPU_WEIGHT_DEFAULT);
	ret->pids_max = lifted(limits->pids_max, before->pids_max, LIMIT_MAX);
	for (size_t i = 0; i < ret->io_count; i++) {
		ret->io[i].rbps = lifted(ret->io[i].rbps, LIMIT_MAX, LIMIT_MAX);
		ret->io[i].wbps = lifted(ret->io[i].wbps, LIMIT_MAX, LIMIT_MAX);
		ret->io[i].riops = lifted(ret->io[i].riops, LIMIT_MAX, LIMIT_MAX);
		ret->io[i].wiops = lifted(ret->io[i].wiops, LIMIT_MAX, LIMIT_MAX);
	}
	for (size_t i = 0; i < before->io_count && ret->io_count < SPEC_IO_MAX; i++)
		if (!has_io(limits, before->io[i].path))
			ret->io[ret->io_count++] =
				(struct io_limit){ before->io[i].path, LIMIT_MAX, LIMIT_MAX,
						   LIMIT_MAX, LIMIT_MAX };
}

int app_cgroup_set_limits(int root, const char *path, const struct limits *limits,
			  const struct limits *before, struct error *err)
{
	_cleanup_close_ int dir = -1;
	struct limits said;
	int r;

	say_lifted(limits, before, &said);
	r = cgroup_open(root, path, &dir, err);
	if (r >= 0)
		r = apply(dir, &said, err);
	return r;
}

void app_cgroup_any_limits(int root, const char *path, struct limits *ret)
{
	const struct {
		const char *file;
		uint64_t *limit;
	} files[] = {
		{ "memory.max", &ret->memory_max },	      { "memory.high", &ret->memory_high },
		{ "memory.swap.max", &ret->memory_swap_max }, { "cpu.max", &ret->cpu_max },
		{ "cpu.weight", &ret->cpu_weight },	      { "pids.max", &ret->pids_max },
	};

	*ret = (struct limits){ 0 };
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		char file[APP_CGROUP_PATH_MAX + 32];

		snprintf(file, sizeof(file), "%s/%s", path, files[i].file);
		*files[i].limit = faccessat(root, file, W_OK, 0) == 0 ? LIMIT_MAX : LIMIT_UNSET;
	}
}

int app_cgroup_set_tenant_limits(int root, const struct tenant *tenant, const struct limits *before,
				 struct error *err)
{
	char path[APP_CGROUP_PATH_MAX];
	int r;

	r = app_cgroup_set_limits(root, tenant_path(tenant->name, path), &tenant->limits, before,
				  err);
	/* none of its apps has been started yet */
	return r == -ENOENT ? 0 : r;
}

/* -------------------------------------------------------------------------------------------- */

int app_cgroup_remove(int root, const char *tenant, const char *app, struct error *err)
{
	char path[APP_CGROUP_PATH_MAX];
	int r;

	r = cgroup_destroy(root, app_cgroup_path(tenant, app, path), PATIENCE_MSEC, err);
	/* with other apps in it, it stays */
	if (r >= 0 && tenant != NULL)
		(void)unlinkat(root, tenant_path(tenant, path), AT_REMOVEDIR);
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
