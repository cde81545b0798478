/* SPDX-License-Identifier: MIT */
#include "policy/own.h"
#include "supervisor/identity.h"
#include "tests/supervisor/tree.h"

#include <grp.h>
#include <pwd.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/xattr.h>

TestSuite(identity, .init = tree_make, .fini = tree_remove);

#define _cleanup_identity_ __attribute__((cleanup(identity_clear)))

static bool is_dynamic(uid_t uid)
{
	return uid >= IDENTITY_DYNAMIC_FIRST &&
	       uid < IDENTITY_DYNAMIC_FIRST + IDENTITY_DYNAMIC_COUNT;
}

static void resolve(const char *user, const char *app, struct identity *ret)
{
	struct error err;

	cr_assert_eq(identity_resolve(user, app, tree_path("run/uid"), ret, &err), 0, "%s",
		     err.text);
}

Test(identity, an_app_without_a_user_gets_a_uid_of_its_own)
{
	struct identity web _cleanup_identity_ = { .lock_fd = -1 };

	tree_directory("run", 0755);
	resolve(NULL, "web", &web);
	cr_expect(is_dynamic(web.uid));
	cr_expect_eq(web.gid, web.uid);
	cr_expect_eq(web.group_count, 0);
	cr_expect_str_eq(web.user_name, "pysbx-web");
	cr_expect_str_eq(web.group_name, "pysbx-web");
	cr_expect_geq(web.lock_fd, 0);
	cr_expect_eq(fcntl(web.lock_fd, F_GETFD), FD_CLOEXEC);
}

Test(identity, two_runs_never_share_a_uid_and_a_free_one_comes_back)
{
	struct identity first = { .lock_fd = -1 }, other = { .lock_fd = -1 };
	struct identity again = { .lock_fd = -1 };
	uid_t uid;

	resolve(NULL, "web", &first);
	resolve(NULL, "web", &other);
	cr_expect_neq(first.uid, other.uid);
	cr_expect(is_dynamic(other.uid));
	uid = first.uid;
	identity_clear(&first);
	cr_expect_eq(first.lock_fd, -1);
	resolve(NULL, "web", &again);
	cr_expect_eq(again.uid, uid, "the same app has the same uid again");
	identity_clear(&other);
	identity_clear(&again);
}

Test(identity, different_apps_begin_at_different_uids)
{
	struct identity web _cleanup_identity_ = { .lock_fd = -1 };
	struct identity api _cleanup_identity_ = { .lock_fd = -1 };

	resolve(NULL, "web", &web);
	resolve(NULL, "api", &api);
	cr_expect_neq(web.uid, api.uid);
}

Test(identity, probing_goes_on_at_the_start_of_the_range)
{
	struct identity taken[8];
	uid_t first;

	resolve(NULL, "web", &taken[0]);
	first = taken[0].uid;
	for (uid_t i = 1; i < 8; i++) {
		resolve(NULL, "web", &taken[i]);
		cr_expect_eq(taken[i].uid,
			     IDENTITY_DYNAMIC_FIRST +
				     (first - IDENTITY_DYNAMIC_FIRST + i) % IDENTITY_DYNAMIC_COUNT);
	}
	for (int i = 0; i < 8; i++)
		identity_clear(&taken[i]);
}

Test(identity, the_lock_directory_is_for_root_alone)
{
	struct identity web _cleanup_identity_ = { .lock_fd = -1 };
	struct stat st;

	resolve(NULL, "web", &web);
	cr_assert_eq(stat(tree_path("run/uid"), &st), 0);
	cr_expect_eq(st.st_mode & 07777, 0700);
	cr_assert_eq(stat(tree_path("run"), &st), 0);
	cr_expect_eq(st.st_mode & 07777, 0755);
}

Test(identity, a_lock_directory_that_is_a_link_is_not_followed)
{
	struct identity web = { .lock_fd = -7 };
	struct error err;

	tree_directory("elsewhere", 0755);
	tree_link("run/uid", tree_path("elsewhere"));
	cr_assert_lt(identity_resolve(NULL, "web", tree_path("run/uid"), &web, &err), 0);
	cr_expect_not_null(strstr(err.text, "user: a uid for web: "), "%s", err.text);
	cr_expect_eq(web.lock_fd, -7);
}

/* The first account that is neither root's nor in root's group. */
static bool find_ordinary_account(char *name, size_t size, uid_t *uid, gid_t *gid)
{
	const struct passwd *entry;

	setpwent();
	while ((entry = getpwent()) != NULL)
		if (entry->pw_uid != 0 && entry->pw_gid != 0 && !is_dynamic(entry->pw_uid)) {
			snprintf(name, size, "%s", entry->pw_name);
			*uid = entry->pw_uid;
			*gid = entry->pw_gid;
			break;
		}
	endpwent();
	return entry != NULL;
}

Test(identity, a_named_user_brings_its_ids)
{
	struct identity by_name _cleanup_identity_ = { .lock_fd = -1 };
	struct identity by_number _cleanup_identity_ = { .lock_fd = -1 };
	char name[64], number[16];
	uid_t uid;
	gid_t gid;

	if (!find_ordinary_account(name, sizeof(name), &uid, &gid))
		cr_skip_test("no account but root's here");
	resolve(name, "web", &by_name);
	cr_expect_eq(by_name.uid, uid);
	cr_expect_eq(by_name.gid, gid);
	cr_expect_str_eq(by_name.user_name, name);
	cr_expect_str_eq(by_name.group_name, getgrgid(gid)->gr_name);
	cr_expect_eq(by_name.lock_fd, -1);
	cr_expect_eq(by_name.group_count, 0, "its other groups do not come by themselves");

	snprintf(number, sizeof(number), "%u", uid);
	resolve(number, "web", &by_number);
	cr_expect_eq(by_number.uid, uid);
	cr_expect_eq(by_number.gid, gid);
	cr_expect_eq(by_number.group_count, by_name.group_count);
	cr_expect_str_eq(by_number.user_name, name);
}

Test(identity, a_number_that_nobody_has_is_its_own_group)
{
	struct identity identity _cleanup_identity_ = { .lock_fd = -1 };

	resolve("4000001", "web", &identity);
	cr_expect_eq(identity.uid, 4000001);
	cr_expect_eq(identity.gid, 4000001);
	cr_expect_eq(identity.group_count, 0);
	cr_expect_str_eq(identity.user_name, "pysbx-web");
	cr_expect_str_eq(identity.group_name, "pysbx-web");
	cr_expect_eq(identity.lock_fd, -1);
}

Test(identity, uid_and_gid_are_taken_as_they_are)
{
	struct identity identity _cleanup_identity_ = { .lock_fd = -1 };

	resolve("4000001:4000002", "web", &identity);
	cr_expect_eq(identity.uid, 4000001);
	cr_expect_eq(identity.gid, 4000002);
	cr_expect_eq(identity.group_count, 0);
}

Test(identity, refuses_who_must_not_run_a_worker)
{
	static const struct {
		const char *user, *message;
	} samples[] = {
		{ "root", "\"root\" is root: a worker never runs as uid 0" },
		{ "0", "\"0\" is root" },
		{ "00", "\"00\"" },
		{ "0:1000", "\"0:1000\" is root" },
		{ "1000:0", "the group of \"1000:0\" is root's" },
		{ "1879048192", "among the ids that pysbx gives to apps" },
		{ "1879113727:5", "among the ids that pysbx gives to apps" },
		{ "5:1879048192", "among the ids that pysbx gives to apps" },
		{ "no-such-user", "no user \"no-such-user\" on this system" },
		{ "", "no user \"\"" },
		{ "0day", "\"0day\"" },
		{ "-1", "\"-1\"" },
		{ "+1", "\"+1\"" },
		{ "4294967295", "\"4294967295\"" },
		{ "4294967296", "\"4294967296\"" },
		{ "1000:", "\"\"" },
		{ ":1000", "\"\"" },
		{ "1000:users", "\"users\"" },
		{ "daemon:1", "\"daemon\"" },
		{ "1000:1:1", "\"1:1\"" },
		{ "0x10", "\"0x10\"" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		struct identity identity = { .uid = 42, .lock_fd = -7 };
		struct error err;

		cr_assert_lt(identity_resolve(samples[i].user, "web", tree_path("run/uid"),
					      &identity, &err),
			     0, "%s", samples[i].user);
		cr_expect_eq(err.kind, ERROR_INVALID, "%s", samples[i].user);
		cr_expect_eq(strncmp(err.text, "user: ", 6), 0, "%s", err.text);
		cr_expect_not_null(strstr(err.text, samples[i].message), "%s: %s", samples[i].user,
				   err.text);
		cr_expect_eq(identity.uid, 42);
		cr_expect_eq(identity.lock_fd, -7);
	}
}

/* This process alone sees another /etc/group. */
static bool use_group_file(const char *text)
{
	static bool is_private;

	tree_file("group", 0644, text);
	is_private =
		is_private || (unshare(CLONE_NEWNS) == 0 &&
			       mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
			       mount(tree_path("group"), "/etc/group", NULL, MS_BIND, NULL) == 0);
	return is_private;
}

Test(identity, groups_are_added_by_name_and_never_those_of_root_or_an_app)
{
	static const struct {
		const char *id, *message; /* NULL: added */
	} samples[] = {
		{ "0", "groups: \"extra\" is group 0, which is root's" },
		{ "1879048192",
		  "groups: \"extra\" is group 1879048192, which pysbx gives to an app" },
		{ "1879113727",
		  "groups: \"extra\" is group 1879113727, which pysbx gives to an app" },
		{ "1879048191", NULL },
		{ "1879179264", NULL },
	};
	struct strings names _cleanup_strings_ = { 0 };
	struct error err;
	char text[64];

	cr_assert(strings_append(&names, "extra", &err) == 0 &&
		  strings_append(&names, "extra", &err) == 0);
	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		struct identity identity = { .uid = 42, .gid = 43, .lock_fd = -1 };
		int r;

		snprintf(text, sizeof(text), "extra:x:%s:\n", samples[i].id);
		if (!use_group_file(text))
			cr_skip_test("no mount namespace can be made here");
		r = identity_add_groups(&names, &identity, &err);
		if (samples[i].message == NULL) {
			cr_assert_eq(r, 0, "%s", err.text);
			cr_expect_eq(identity.group_count, 1, "twice the same is once");
			continue;
		}
		cr_expect_eq(r, -EINVAL);
		cr_expect_str_eq(err.text, samples[i].message);
		cr_expect_eq(identity.group_count, 0);
	}
}

Test(identity, a_group_that_the_system_does_not_have_is_refused)
{
	struct strings names _cleanup_strings_ = { 0 };
	struct identity identity = { .uid = 42, .gid = 43, .lock_fd = -1 };
	struct error err;

	cr_assert_eq(strings_append(&names, "no-such-group", &err), 0);
	cr_expect_eq(identity_add_groups(&names, &identity, &err), -EINVAL);
	cr_expect_str_eq(err.text, "groups: no group \"no-such-group\" on this system: see "
				   "getent(1)");
}

Test(identity, mode_bits_of_owner_group_and_others_decide)
{
	static const struct {
		uid_t owner;
		gid_t group;
		mode_t mode;
		unsigned wanted;
		bool denied;
	} samples[] = {
		{ 9, 9, 0755, IDENTITY_READ | IDENTITY_EXECUTE, false },
		{ 9, 9, 0750, IDENTITY_READ, true },
		{ 9, 9, 0751, IDENTITY_EXECUTE, false },
		{ 9, 9, 0751, IDENTITY_READ | IDENTITY_EXECUTE, true },
		{ 9, 9, 0757, IDENTITY_WRITE, false },
		{ 9, 100, 0750, IDENTITY_READ | IDENTITY_EXECUTE, false },
		{ 9, 100, 0705, IDENTITY_READ, true },
		{ 9, 33, 0770, IDENTITY_WRITE, false },
		{ 100, 9, 0700, IDENTITY_READ | IDENTITY_WRITE | IDENTITY_EXECUTE, false },
		{ 100, 100, 0077, IDENTITY_READ, true },
		{ 9, 9, 0755, 0, false },
	};
	struct identity identity = {
		.uid = 100, .gid = 100, .groups = { 44, 33 }, .group_count = 2
	};

	if (geteuid() != 0)
		cr_skip_test("only root can give files away");
	tree_directory("d", 0755);
	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		cr_assert_eq(chown(tree_path("d"), samples[i].owner, samples[i].group), 0);
		cr_assert_eq(chmod(tree_path("d"), samples[i].mode), 0);
		cr_expect_eq(identity_is_denied(&identity, tree_path("d"), samples[i].wanted),
			     samples[i].denied, "%zu", i);
	}
}

Test(identity, what_cannot_be_told_is_not_denied)
{
	/* user::rwx user:100:r-x group::--- mask::r-x other::---, as in acl(5) */
	static const unsigned char acl[] = {
		2, 0,	0,   0,	  1,   0,   7,	0, 255, 255, 255, 255, 2,   0,	 5,
		0, 100, 0,   0,	  0,   4,   0,	0, 0,	255, 255, 255, 255, 16,	 0,
		5, 0,	255, 255, 255, 255, 32, 0, 0,	0,   255, 255, 255, 255,
	};
	struct identity identity = { .uid = 100, .gid = 100 };

	tree_directory("d", 0700);
	cr_expect(identity_is_denied(&identity, tree_path("d"), IDENTITY_READ));
	cr_expect_not(identity_is_denied(&identity, tree_path("missing"), IDENTITY_READ));
	if (setxattr(tree_path("d"), "system.posix_acl_access", acl, sizeof(acl), 0) < 0)
		cr_skip_test("no ACLs on /tmp");
	cr_expect_not(identity_is_denied(&identity, tree_path("d"), IDENTITY_READ));
}
