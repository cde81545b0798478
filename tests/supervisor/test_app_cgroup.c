/* SPDX-License-Identifier: MIT */
/*
 * On plain directories, whose files hold what was last written into them. What the kernel does with
 * it is tried by the system tests.
 */
#include "policy/own.h"
#include "supervisor/app_cgroup.h"
#include "supervisor/file.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MIB	    (UINT64_C(1) << 20)
#define SLICE	    "acme.tenant/web.slice"
#define CONTROLLERS "cpuset cpu io memory hugetlb pids\n"

static char directory[64];
static int root = -1;

static void put(const char *name, const char *text)
{
	_cleanup_close_ int fd = openat(root, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

static void expect_text(const char *name, const char *text)
{
	char held[256];
	struct error err;

	cr_assert_geq(file_read_at(root, name, held, sizeof(held), &err), 0, "%s", err.text);
	cr_expect_str_eq(held, text, "%s: %s", name, held);
}

static void make_tree(void)
{
	static const char *const directories[] = { ".", "acme.tenant", SLICE };
	static const char *const files[] = { "memory.max",	"memory.high",
					     "memory.swap.max", "cpu.max",
					     "cpu.weight",	"pids.max",
					     "io.max",		"cgroup.subtree_control" };

	snprintf(directory, sizeof(directory), "/tmp/pysbx-app-cgroup-XXXXXX");
	cr_assert_not_null(mkdtemp(directory));
	root = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cr_assert_geq(root, 0);
	for (size_t i = 0; i < ARRAY_SIZE(directories); i++) {
		char path[128];

		if (i > 0)
			cr_assert_eq(mkdirat(root, directories[i], 0700), 0);
		for (size_t k = 0; k < ARRAY_SIZE(files); k++) {
			snprintf(path, sizeof(path), "%s/%s", directories[i], files[k]);
			put(path, "");
		}
		snprintf(path, sizeof(path), "%s/cgroup.controllers", directories[i]);
		put(path, CONTROLLERS);
		snprintf(path, sizeof(path), "%s/memory.current", directories[i]);
		put(path, "314572800\n"); /* 300M */
	}
}

static void leave_nothing(void)
{
	char command[128];

	close_and_clear(&root);
	snprintf(command, sizeof(command), "rm -rf %s", directory);
	cr_assert_eq(system(command), 0);
}

TestSuite(app_cgroup, .init = make_tree, .fini = leave_nothing, .timeout = 30);

Test(app_cgroup, finds_the_tenant_in_a_path)
{
	char path[APP_CGROUP_PATH_MAX], tenant[SPEC_NAME_MAX + 1];

	cr_expect_null(app_cgroup_tenant(app_cgroup_path(NULL, "web", path), tenant));
	cr_expect_str_eq(app_cgroup_tenant(app_cgroup_path("acme", "web", path), tenant), "acme");
	cr_expect_str_eq(app_cgroup_tenant(app_cgroup_path("a.tenant", "web", path), tenant),
			 "a.tenant");
}

Test(app_cgroup, opens_every_limit_that_is_not_named)
{
	struct limits limits = spec_no_limits;
	struct error err;

	limits.memory_max = 512 * MIB;
	cr_assert_eq(app_cgroup_set_limits(root, SLICE, &limits, &err), 0, "%s", err.text);
	expect_text(SLICE "/memory.max", "536870912");
	expect_text(SLICE "/memory.high", "max");
	expect_text(SLICE "/memory.swap.max", "max");
	expect_text(SLICE "/cpu.max", "max 100000");
	expect_text(SLICE "/cpu.weight", "100");
	expect_text(SLICE "/pids.max", "max");
}

Test(app_cgroup, needs_no_file_for_a_limit_that_is_not_named)
{
	struct limits limits = spec_no_limits;
	struct error err;

	cr_assert_eq(unlinkat(root, SLICE "/cpu.max", 0), 0);
	cr_assert_eq(unlinkat(root, SLICE "/io.max", 0), 0);
	cr_assert_eq(app_cgroup_set_limits(root, SLICE, &limits, &err), 0, "%s", err.text);
	limits.cpu_max = 1000;
	cr_assert_lt(app_cgroup_set_limits(root, SLICE, &limits, &err), 0);
	cr_assert_eq(err.kind, ERROR_UNSUPPORTED);
}

Test(app_cgroup, refuses_memory_below_what_is_in_use_and_writes_nothing)
{
	static const struct {
		uint64_t max, high;
		const char *path;
	} cases[] = {
		{ 200 * MIB, LIMIT_UNSET, "limits.memory" },
		{ 512 * MIB, 200 * MIB, "limits.memory_high" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct limits limits = spec_no_limits;
		struct error err;

		limits.memory_max = cases[i].max;
		limits.memory_high = cases[i].high;
		limits.cpu_max = 1000;
		cr_assert_lt(app_cgroup_set_limits(root, SLICE, &limits, &err), 0);
		cr_expect_eq(err.kind, ERROR_CONFLICT);
		cr_expect_str_eq(err.path, cases[i].path);
		expect_text(SLICE "/memory.max", "");
		expect_text(SLICE "/memory.high", "");
		expect_text(SLICE "/cpu.max", "");
	}
}

Test(app_cgroup, takes_a_memory_limit_that_holds_already)
{
	struct limits limits = spec_no_limits;
	struct error err;

	put(SLICE "/memory.high", "209715200\n");
	limits.memory_high = 200 * MIB;
	limits.pids_max = 64;
	cr_assert_eq(app_cgroup_set_limits(root, SLICE, &limits, &err), 0, "%s", err.text);
	expect_text(SLICE "/memory.high", "209715200\n");
	expect_text(SLICE "/pids.max", "64");
}

Test(app_cgroup, renews_all_but_what_does_not_fit)
{
	struct limits limits = spec_no_limits;
	struct error err;

	limits.memory_max = 200 * MIB;
	limits.pids_max = 64;
	cr_assert_lt(app_cgroup_renew_limits(root, SLICE, &limits, &err), 0);
	cr_expect_eq(err.kind, ERROR_CONFLICT);
	expect_text(SLICE "/memory.max", "");
	expect_text(SLICE "/memory.high", "max");
	expect_text(SLICE "/pids.max", "64");
}

Test(app_cgroup, renews_without_a_path_that_is_gone)
{
	char path[] = "/nonexistent/pysbx";
	struct io_limit io = { path, 1000, LIMIT_UNSET, LIMIT_UNSET, LIMIT_UNSET };
	struct limits limits = spec_no_limits;
	struct error err;

	limits.io = &io;
	limits.io_count = 1;
	limits.pids_max = 64;
	cr_assert_lt(app_cgroup_set_limits(root, SLICE, &limits, &err), 0);
	expect_text(SLICE "/pids.max", "");
	cr_assert_lt(app_cgroup_renew_limits(root, SLICE, &limits, &err), 0);
	cr_expect_not_null(strstr(err.text, path), "%s", err.text);
	expect_text(SLICE "/pids.max", "64");
}

Test(app_cgroup, lifts_limits_of_disks_that_are_not_named)
{
	struct error err;

	put(SLICE "/io.max", "7:9 rbps=111 wbps=222 riops=max wiops=max");
	cr_assert_eq(app_cgroup_set_limits(root, SLICE, &spec_no_limits, &err), 0, "%s", err.text);
	expect_text(SLICE "/io.max", "7:9 rbps=max wbps=max riops=max wiops=max");
}

Test(app_cgroup, checks_what_all_apps_of_a_tenant_use)
{
	char name[] = "acme", other[] = "other";
	struct tenant tenant = { .name = name, .limits = spec_no_limits };
	struct error err;

	tenant.limits.memory_max = 200 * MIB;
	cr_assert_lt(app_cgroup_set_tenant_limits(root, &tenant, &err), 0);
	cr_expect_eq(err.kind, ERROR_CONFLICT);
	tenant.limits.memory_max = 400 * MIB;
	cr_assert_eq(app_cgroup_set_tenant_limits(root, &tenant, &err), 0, "%s", err.text);
	expect_text("acme.tenant/memory.max", "419430400");
	tenant.name = other; /* none of its apps has been started */
	cr_assert_eq(app_cgroup_set_tenant_limits(root, &tenant, &err), 0, "%s", err.text);
	cr_assert_eq(app_cgroup_renew_tenant_limits(root, &tenant, &err), 0, "%s", err.text);
}

Test(app_cgroup, gives_a_tenant_all_controllers_that_there_are)
{
	char tenant_name[] = "acme", app_name[] = "web";
	struct tenant tenant = { .name = tenant_name, .limits = spec_no_limits };
	struct app_spec spec = { .name = app_name, .tenant = tenant_name };
	struct error err;

	spec.limits = spec_no_limits;
	cr_assert_eq(app_cgroup_make(root, &tenant, &spec, &err), 0, "%s", err.text);
	expect_text("acme.tenant/cgroup.subtree_control", "+cpu +io +memory +pids");
	expect_text(SLICE "/cgroup.subtree_control", "+memory +pids");
}

Test(app_cgroup, takes_a_tenant_without_a_controller_that_nobody_asked_for)
{
	char tenant_name[] = "acme", app_name[] = "web";
	struct tenant tenant = { .name = tenant_name, .limits = spec_no_limits };
	struct app_spec spec = { .name = app_name, .tenant = tenant_name };
	struct error err;

	spec.limits = spec_no_limits;
	put("acme.tenant/cgroup.controllers", "cpu memory pids\n");
	cr_assert_eq(app_cgroup_make(root, &tenant, &spec, &err), 0, "%s", err.text);
	expect_text("acme.tenant/cgroup.subtree_control", "+cpu +memory +pids");
}

Test(app_cgroup, refuses_a_limit_whose_controller_is_missing_by_its_name)
{
	static const struct {
		const char *field;
		size_t offset;
	} cases[] = {
		{ "limits.memory", offsetof(struct limits, memory_max) },
		{ "limits.memory_high", offsetof(struct limits, memory_high) },
		{ "limits.cpu", offsetof(struct limits, cpu_max) },
		{ "limits.cpu_weight", offsetof(struct limits, cpu_weight) },
		{ "limits.pids", offsetof(struct limits, pids_max) },
	};
	char name[] = "web";
	struct app_spec spec = { .name = name };
	struct error err;

	put("cgroup.controllers", "hugetlb\n");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		spec.limits = spec_no_limits;
		*(uint64_t *)((char *)&spec.limits + cases[i].offset) = 100;
		cr_assert_lt(app_cgroup_make(root, NULL, &spec, &err), 0, "%s", cases[i].field);
		cr_expect_eq(err.kind, ERROR_UNSUPPORTED);
		cr_expect_str_eq(err.path, cases[i].field);
		cr_expect_eq(strncmp(err.text, cases[i].field, strlen(cases[i].field)), 0, "%s",
			     err.text);
	}
}

Test(app_cgroup, needs_no_controller_where_there_is_no_limit)
{
	char name[] = "web";
	struct app_spec spec = { .name = name, .limits = spec_no_limits };
	struct error err;

	put("cgroup.controllers", "\n");
	spec.limits.memory_max = spec.limits.cpu_max = spec.limits.pids_max = LIMIT_MAX;
	/* as the kernel does it for a new directory */
	cr_assert_eq(mkdirat(root, "web.slice", 0700), 0);
	put("web.slice/cgroup.controllers", "\n");
	cr_assert_eq(app_cgroup_make(root, NULL, &spec, &err), 0, "%s", err.text);
	expect_text("cgroup.subtree_control", "");
	cr_expect_lt(faccessat(root, "web.slice/pids.max", F_OK, 0), 0);
}
