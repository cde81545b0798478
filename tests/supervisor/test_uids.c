/* SPDX-License-Identifier: MIT */
#include "supervisor/uids.h"

#include "policy/own.h"
#include "tests/supervisor/tree.h"

#include <errno.h>

#define FIRST IDENTITY_DAEMON_FIRST

static struct uids uids;

static void load(void)
{
	struct error err;

	uids_clear(&uids);
	cr_assert_eq(uids_load(&uids, tree, &err), 0, "%s", err.text);
}

static void start(void)
{
	tree_make();
	load();
}

static void finish(void)
{
	uids_clear(&uids);
	tree_remove();
}

TestSuite(uids, .init = start, .fini = finish, .timeout = 60);

/* All are, but this one. */
static bool is_not(const char *tenant, const char *app, void *userdata)
{
	(void)tenant;
	return userdata == NULL || strcmp(app, userdata) != 0;
}

static uid_t give(const char *tenant, const char *app)
{
	struct error err;
	uid_t uid = 0;

	cr_assert_eq(uids_give(&uids, tenant, app, is_not, NULL, &uid, &err), 0, "%s", err.text);
	return uid;
}

static void save(void)
{
	struct error err;

	cr_assert_eq(uids_save(&uids, &err), 0, "%s", err.text);
}

Test(uids, an_app_keeps_its_uid_over_restarts)
{
	uid_t web = give(NULL, "web"), api = give(NULL, "api");

	cr_expect_geq(web, FIRST);
	cr_expect_lt(web, FIRST + IDENTITY_DYNAMIC_COUNT);
	cr_expect_neq(web, api);
	cr_expect_eq(give(NULL, "web"), web);
	save();
	load();
	cr_expect_eq(uids_find(&uids, NULL, "web"), web);
	cr_expect_eq(give(NULL, "api"), api);
	cr_expect_eq(uids_find(&uids, NULL, "other"), 0);
}

Test(uids, apps_of_the_same_name_and_other_tenants_have_other_uids)
{
	uid_t none = give(NULL, "web"), acme = give("acme", "web"), zeta = give("zeta", "web");

	cr_expect_neq(none, acme);
	cr_expect_neq(acme, zeta);
	save();
	load();
	cr_expect_eq(uids_find(&uids, "acme", "web"), acme);
	cr_expect_eq(uids_find(&uids, NULL, "web"), none);
}

Test(uids, the_order_in_which_apps_come_does_not_matter_once_they_are_on_disk)
{
	/* both look for the same place first */
	uid_t first = give("a", "web"), second = give("b", "web");

	save();
	load();
	cr_expect_eq(give("b", "web"), second);
	cr_expect_eq(give("a", "web"), first);
}

Test(uids, a_uid_is_on_disk_before_it_is_used)
{
	struct error err;

	give(NULL, "web");
	cr_expect_eq(uids_secure(&uids, NULL, "web", &err), 0);
	load();
	cr_expect_neq(uids_find(&uids, NULL, "web"), 0);
}

Test(uids, a_full_disk_stops_only_those_that_are_new)
{
	struct error err;

	give(NULL, "web");
	save();
	give(NULL, "new");
	tree_directory(".uids.json.new/in", 0700);
	cr_expect_eq(uids_secure(&uids, NULL, "web", &err), 0);
	cr_expect_lt(uids_secure(&uids, NULL, "new", &err), 0);
	cr_expect_lt(uids_secure(&uids, NULL, "new", &err), 0, "it is not forgotten");
}

Test(uids, what_runs_has_its_uid_whatever_is_on_record)
{
	struct error err;
	uid_t web = give(NULL, "web"), old;

	cr_expect_eq(uids_note(&uids, NULL, "api", web, &err), 0);
	cr_expect_eq(uids_find(&uids, NULL, "api"), web);
	cr_expect_eq(uids_find(&uids, NULL, "web"), 0, "it gets another one");
	cr_expect_neq(give(NULL, "web"), web);
	old = give(NULL, "db");
	cr_expect_eq(uids_note(&uids, NULL, "db", FIRST + 7, &err), 0);
	cr_expect_eq(uids_find(&uids, NULL, "db"), FIRST + 7);
	cr_expect_neq(old, FIRST + 7);
	cr_expect_eq(uids_note(&uids, NULL, "db", 1000, &err), 0);
	cr_expect_eq(uids_find(&uids, NULL, "db"), FIRST + 7, "1000 is none of ours");
	save();
	load();
	cr_expect_eq(uids_find(&uids, NULL, "db"), FIRST + 7);
}

Test(uids, when_all_are_given_one_that_is_no_more_gives_its_own)
{
	uid_t uid = 0, gone;
	char name[32], removed[] = "app-123";
	struct error err;

	for (unsigned i = 0; i < IDENTITY_DYNAMIC_COUNT; i++) {
		snprintf(name, sizeof(name), "app-%u", i);
		give(NULL, name);
	}
	gone = uids_find(&uids, NULL, "app-123");
	cr_expect_eq(uids_give(&uids, NULL, "more", is_not, NULL, &uid, &err), -EINVAL);
	cr_expect_eq(err.kind, ERROR_TOO_MANY);
	cr_expect_eq(uid, 0, "the output stays untouched");
	cr_assert_eq(uids_give(&uids, NULL, "more", is_not, removed, &uid, &err), 0);
	cr_expect_eq(uid, gone);
	cr_expect_eq(uids_find(&uids, NULL, "app-123"), 0);
	save();
	load();
	cr_expect_eq(uids_find(&uids, NULL, "more"), gone);
}

Test(uids, a_list_that_makes_no_sense_is_refused)
{
	static const struct {
		const char *content, *text;
	} bad[] = {
		{ "", "uids.json: " },
		{ "[]", "uids.json: is no object" },
		{ "{\"web\": \"1\"}", "uids.json: web: is no uid" },
		{ "{\"web\": 0}", "uids.json: web: is no uid" },
		{ "{\"web\": 1000}", "uids.json: web: is no uid" },
		{ "{\"web\": 1879179264}", "uids.json: web: is no uid" },
		{ "{\"../web\": 1879113728}", "uids.json: \"../web\" is no name" },
		{ "{\"/web\": 1879113728}", "uids.json: \"/web\" is no name" },
		{ "{\"a/\": 1879113728}", "uids.json: \"a/\" is no name" },
		{ "{\"a/b/c\": 1879113728}", "uids.json: \"a/b/c\" is no name" },
		{ "{\"a\": 1879113728, \"b\": 1879113728}",
		  "uids.json: b: another app has this uid" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct error err = { 0 };

		tree_file("uids.json", 0600, bad[i].content);
		uids_clear(&uids);
		cr_expect_lt(uids_load(&uids, tree, &err), 0, "%s", bad[i].content);
		cr_expect_not_null(strstr(err.text, bad[i].text), "%s", err.text);
		cr_expect_null(uids.map);
	}
}
