/* SPDX-License-Identifier: MIT */
/* The mount namespace that launchers start in. What they do in it: test_launcher.c. */
#include "policy/own.h"
#include "policy/plan.h"
#include "supervisor/host_view.h"
#include "tests/supervisor/descriptors.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static char place[] = "/tmp/pysbx-view-test.XXXXXX";
static struct host_view view;

static void in_own_mounts(void)
{
	if (geteuid() != 0)
		cr_skip_test("needs root");
	cr_assert_eq(unshare(CLONE_NEWNS), 0);
	cr_assert_eq(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	cr_assert_neq(mkdtemp(place), NULL);
	view = HOST_VIEW_NONE;
}

static void leave(void)
{
	host_view_close(&view);
	(void)umount2(place, MNT_DETACH);
	(void)rmdir(place);
}

TestSuite(host_view, .init = in_own_mounts, .fini = leave, .timeout = 30);

static void open_view(void)
{
	struct error err;

	cr_assert_eq(host_view_open(&view, &err), 0, "%s", err.text);
}

/* In a process of its own that has entered the view. */
static bool holds(bool (*condition)(void))
{
	int status = 0;
	pid_t child = fork();

	if (child == 0)
		_exit(setns(view.namespace_fd, CLONE_NEWNS) < 0 ? 2 : condition() ? 0 : 1);
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_assert(WIFEXITED(status) && WEXITSTATUS(status) != 2, "it can't be entered");
	return WEXITSTATUS(status) == 0;
}

static bool host_is_all_that_is_there(void)
{
	DIR *root = opendir("/");
	unsigned others = 0, hosts = 0;

	for (struct dirent *entry = readdir(root); entry != NULL; entry = readdir(root)) {
		if (strcmp(entry->d_name, &PLAN_HOST_DIRECTORY[1]) == 0)
			hosts++;
		else if (strspn(entry->d_name, ".") != strlen(entry->d_name))
			others++;
	}
	closedir(root);
	return hosts == 1 && others == 0;
}

static bool root_is_read_only(void)
{
	return mkdir("/new", 0755) < 0 && errno == EROFS &&
	       open("/new", O_CREAT | O_WRONLY, 0644) < 0 && errno == EROFS;
}

static bool etc_is_the_hosts(void)
{
	return access(PLAN_HOST_DIRECTORY "/etc/passwd", R_OK) == 0;
}

static bool place_is_mounted(void)
{
	struct stat below, parent;
	char path[64];

	snprintf(path, sizeof(path), PLAN_HOST_DIRECTORY "%s", place);
	return stat(path, &below) == 0 && stat(PLAN_HOST_DIRECTORY "/tmp", &parent) == 0 &&
	       below.st_dev != parent.st_dev;
}

Test(host_view, is_an_empty_directory_with_the_hosts_tree_below_it)
{
	open_view();
	cr_expect(holds(host_is_all_that_is_there));
	cr_expect(holds(root_is_read_only));
	cr_expect(holds(etc_is_the_hosts));
	cr_expect_not(holds(place_is_mounted));
}

Test(host_view, leaves_the_callers_mounts_and_descriptors_as_they_are)
{
	unsigned before = descriptors_count();

	open_view();
	cr_expect_eq(access("/etc/passwd", R_OK), 0);
	cr_expect_lt(access(PLAN_HOST_DIRECTORY "/etc/passwd", R_OK), 0);
	cr_expect_eq(descriptors_count(), before + 2, "the namespace, and what tells of changes");
}

Test(host_view, shows_what_was_mounted_since)
{
	struct error err;

	open_view();
	cr_expect_eq(host_view_refresh(&view, &err), 1);
	cr_assert_eq(mount("test", place, "tmpfs", 0, NULL), 0);
	cr_expect_not(holds(place_is_mounted), "nothing propagates here: this shows the refresh");
	cr_expect_eq(host_view_refresh(&view, &err), 1, "%s", err.text);
	cr_expect(holds(place_is_mounted));
	cr_assert_eq(umount2(place, 0), 0);
	cr_expect_eq(host_view_refresh(&view, &err), 1, "%s", err.text);
	cr_expect_not(holds(place_is_mounted));
}

/* With systemd all mounts are shared: the unmounted disk of a host must not stay busy. */
Test(host_view, hears_of_what_is_mounted_and_unmounted_where_mounts_are_shared)
{
	cr_assert_eq(mount(NULL, "/", NULL, MS_REC | MS_SHARED, NULL), 0);
	open_view();
	cr_assert_eq(mount("test", place, "tmpfs", 0, NULL), 0);
	cr_expect(holds(place_is_mounted));
	cr_assert_eq(umount2(place, 0), 0);
	cr_expect_not(holds(place_is_mounted));
}

Test(host_view, is_refused_without_the_capability_that_its_users_need)
{
	struct error err;
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct sets[2];

	cr_assert_eq(syscall(SYS_capget, &header, sets), 0);
	sets[0].effective &= ~(1U << CAP_SYS_CHROOT);
	cr_assert_eq(syscall(SYS_capset, &header, sets), 0);
	cr_expect_eq(host_view_open(&view, &err), -EPERM);
	cr_expect(strstr(err.text, "needs CAP_SYS_CHROOT") != NULL, "%s", err.text);
	cr_expect(view.namespace_fd < 0 && view.mounts_fd < 0);
	cr_expect_eq(host_view_refresh(&view, &err), 0, "there is none, and that was said");
}
