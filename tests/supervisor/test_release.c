/* SPDX-License-Identifier: MIT */
/* On plain files that are called as the kernel's are. */
#include "policy/own.h"
#include "policy/tripwire.h"
#include "supervisor/file.h"
#include "supervisor/release.h"
#include "tests/supervisor/tree.h"

#include <criterion/criterion.h>
#include <inttypes.h>

TestSuite(release, .timeout = 30);

static void expect_begins(const char *name, const char *start)
{
	char text[64];
	struct error err;

	cr_assert_geq(file_read_at(AT_FDCWD, tree_path(name), text, sizeof(text), &err), 0, "%s",
		      err.text);
	cr_expect(strncmp(text, start, strlen(start)) == 0, "%s: \"%s\"", name, text);
}

static void release(void)
{
	_cleanup_close_ int root = open(tree, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	cr_assert_geq(root, 0);
	release_apps(root);
	release_apps(root); /* the directory is read from its start */
}

Test(release, lets_all_apps_go_and_leaves_what_users_want)
{
	const uint64_t marked = tripwire_mark(tripwire_rung(67108864, 1)) / 4096 * 4096;
	char rung[32];

	snprintf(rung, sizeof(rung), "%" PRIu64, marked);
	tree_make();
	tree_file("web.slice/cgroup.freeze", 0644, "1");
	tree_file("web.slice/memory.high", 0644, "50331648");
	tree_file("web.slice/0/memory.high", 0644, "444");
	tree_file("web.slice/0/cgroup.freeze", 0644, "1");
	tree_file("web.slice/0-1/memory.high", 0644, "444");
	tree_file("acme.tenant/cgroup.freeze", 0644, "1");
	tree_file("acme.tenant/memory.high", 0644, "444");
	tree_file("acme.tenant/shop.slice/cgroup.freeze", 0644, "1");
	tree_file("acme.tenant/shop.slice/0/memory.high", 0644, "444");
	tree_file("init/memory.high", 0644, "444");
	/* a rung of ours, and a limit that somebody has set */
	tree_file("beta.tenant/memory.max", 0644, "67108864");
	tree_file("beta.tenant/memory.high", 0644, rung);
	tree_file("gamma.tenant/memory.max", 0644, "67108864");
	tree_file("gamma.tenant/memory.high", 0644, "60397977");
	release();
	expect_begins("beta.tenant/memory.high", "max");
	expect_begins("gamma.tenant/memory.high", "60397977");
	expect_begins("web.slice/cgroup.freeze", "0");
	expect_begins("web.slice/memory.high", "50331648");
	expect_begins("web.slice/0/memory.high", "max");
	expect_begins("web.slice/0/cgroup.freeze", "1");
	expect_begins("web.slice/0-1/memory.high", "max");
	expect_begins("acme.tenant/cgroup.freeze", "1");
	expect_begins("acme.tenant/memory.high", "444");
	expect_begins("acme.tenant/shop.slice/cgroup.freeze", "0");
	expect_begins("acme.tenant/shop.slice/0/memory.high", "max");
	expect_begins("init/memory.high", "444");
	tree_remove();
}

Test(release, passes_over_what_has_no_such_files)
{
	tree_make();
	tree_directory("web.slice/0", 0755);
	tree_file("file.slice", 0644, "");
	tree_link("link.slice", "/");
	release();
	tree_remove();
}
