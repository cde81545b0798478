/* SPDX-License-Identifier: MIT */
#include "supervisor/config.h"

#include "policy/own.h"
#include "tests/supervisor/tree.h"

#include <errno.h>

#define APP(name, more) \
	"{\"name\": \"" name "\", \"command\": [\"/bin/true\"], \"directory\": \"/srv\"" more "}"

#define DECLARED(by, app) "{\"declared_by\": " by ", \"app\": " app "}"

static struct error complaints[8];
static size_t complaint_count;
static const struct config_overlay *overlay; /* of the next load */

static void note_complaint(const struct error *err, void *userdata)
{
	cr_assert_eq(userdata, complaints);
	cr_assert_lt(complaint_count, ARRAY_SIZE(complaints));
	complaints[complaint_count++] = *err;
}

TestSuite(config, .init = tree_make, .fini = tree_remove, .timeout = 30);

static int load(bool lenient, struct config **ret, struct error *err)
{
	static struct config_paths paths;

	paths = (struct config_paths){ tree_path("etc"), tree_path("lib") };
	complaint_count = 0;
	return config_load(&paths, lenient, overlay, note_complaint, complaints, ret, err);
}

static struct config *load_well(void)
{
	struct config *config = NULL;
	struct error err;

	cr_assert_eq(load(false, &config, &err), 0, "%s", err.text);
	return config;
}

static void cleanup_config(struct config **config)
{
	config_free(*config);
}
#define _cleanup_config_ __attribute__((cleanup(cleanup_config)))

static void expect_refused(const char *text)
{
	struct config *config = (struct config *)tree;
	struct error err = { 0 };

	cr_expect_lt(load(false, &config, &err), 0, "taken, but not \"%s\"", text);
	cr_expect_eq(config, (struct config *)tree, "the output stays untouched");
	cr_expect_not_null(strstr(err.text, text), "\"%s\" is not in: %s", text, err.text);
}

/* What two administrators and two customers would have. */
static void make_all(void)
{
	tree_file("etc/pysbxd.json", 0644,
		  "{\"defaults\": {\"limits\": {\"pids\": 77}}, \"log_level\": \"debug\"}");
	tree_file("etc/plans.d/basic.json", 0644,
		  "{\"name\": \"basic\", \"limits\": {\"memory\": \"128M\"}, \"apps\": 3}");
	tree_file("lib/plans/big.json", 0600,
		  "{\"name\": \"big\", \"limits\": {\"memory\": \"1G\"}}");
	tree_file("etc/tenants.d/acme.json", 0644,
		  "{\"name\": \"acme\", \"users\": [\"54321\", \"54322\"], \"plan\": \"basic\"}");
	tree_file("lib/tenants/zeta.json", 0600, "{\"name\": \"zeta\", \"users\": [\"54323\"]}");
	tree_file("etc/apps.d/web.json", 0644, APP("web", ", \"tenant\": \"acme\""));
	tree_file("etc/apps.d/api.json", 0644, APP("api", ", \"plan\": \"big\""));
}

Test(config, nothing_at_all_is_a_configuration)
{
	struct config *config _cleanup_config_ = load_well();

	cr_expect_eq(config->plan_count + config->tenant_count + config->app_count, 0);
	cr_expect_null(config_find_plan(config, "basic"));
	cr_expect_null(config_find_tenant(config, "acme"));
	cr_expect_null(config_find_app(config, "web"));
	cr_expect_null(config_tenant_of_uid(config, 54321));
	cr_expect_eq(config->settings.log_level, SETTINGS_LOG_INFO);
}

Test(config, what_is_declared_in_all_places_is_found)
{
	struct config *config _cleanup_config_ = NULL;

	make_all();
	config = load_well();
	cr_assert_eq(config->plan_count, 2);
	cr_assert_eq(config->tenant_count, 2);
	cr_assert_eq(config->app_count, 2);
	cr_expect_eq(config_find_plan(config, "basic")->source, SOURCE_FILE);
	cr_expect_eq(config_find_plan(config, "big")->source, SOURCE_SOCKET);
	cr_expect_eq(config_find_tenant(config, "zeta")->source, SOURCE_SOCKET);
	cr_expect_str_eq(config_tenant_of_uid(config, 54322)->tenant.name, "acme");
	cr_expect_str_eq(config_tenant_of_uid(config, 54323)->tenant.name, "zeta");
	cr_expect_null(config_tenant_of_uid(config, 0));
	cr_expect_str_eq(config->apps[0].spec.name, "api", "sorted by name");
	cr_expect_eq(config->settings.log_level, SETTINGS_LOG_DEBUG);
	cr_expect_eq(complaint_count, 0);
}

Test(config, the_app_comes_before_its_plan_and_the_plan_before_the_defaults)
{
	struct config *config _cleanup_config_ = NULL;

	make_all();
	config = load_well();
	cr_expect_eq(config_find_app(config, "web")->spec.limits.memory_max, UINT64_C(128) << 20,
		     "of its tenant's plan");
	cr_expect_eq(config_find_app(config, "api")->spec.limits.memory_max, UINT64_C(1) << 30,
		     "of its own plan");
	cr_expect_eq(config_find_app(config, "web")->spec.limits.pids_max, 77, "of the defaults");
}

Test(config, forgets_its_apps_alone)
{
	struct config *config _cleanup_config_ = NULL;

	make_all();
	config = load_well();
	config_forget_apps(config);
	cr_expect_null(config_find_app(config, "web"));
	cr_expect_null(config->apps);
	cr_expect_not_null(config_find_tenant(config, "acme"));
	cr_expect_not_null(config_find_plan(config, "big"));
}

Test(config, knows_what_bounds_an_app_and_where_it_was_declared)
{
	struct config *config _cleanup_config_ = NULL;
	const struct config_tenant *tenant;

	make_all();
	tree_file("lib/apps/own.json", 0600,
		  "{\"declared_by\": null, \"app\": " APP("own", "") "}");
	config = load_well();
	cr_expect_str_eq(config_find_plan_of(config, &config_find_app(config, "web")->spec, &tenant)
				 ->plan.name,
			 "basic");
	cr_expect_str_eq(tenant->tenant.name, "acme");
	cr_expect_str_eq(config_find_plan_of(config, &config_find_app(config, "api")->spec, &tenant)
				 ->plan.name,
			 "big");
	cr_expect_null(tenant);
	cr_expect_null(config_find_plan_of(config, &config_find_app(config, "own")->spec, &tenant));
	cr_expect_eq(config_find_app(config, "web")->spec.door, DOOR_FILE);
	cr_expect_eq(config_find_app(config, "own")->spec.door, DOOR_SOCKET);
}

Test(config, reads_a_declaration_as_it_was_given)
{
	struct config *config _cleanup_config_ = NULL;
	json_t *of_file = NULL, *of_socket = NULL;
	struct error err;

	make_all();
	tree_file("lib/apps/own.json", 0600,
		  "{\"declared_by\": null, \"app\": " APP("own", "") "}");
	config = load_well();
	cr_assert_eq(config_read_app(config, SOURCE_FILE, "api", &of_file, &err), 0);
	cr_assert_eq(config_read_app(config, SOURCE_SOCKET, "own", &of_socket, &err), 0);
	cr_expect_str_eq(json_string_value(json_object_get(of_file, "plan")), "big");
	cr_expect_null(json_object_get(of_file, "limits"), "its plan's");
	cr_expect_str_eq(json_string_value(json_object_get(of_socket, "name")), "own");
	cr_expect_null(json_object_get(of_socket, "limits"), "the defaults'");
	json_decref(of_file);
	json_decref(of_socket);
	cr_expect_eq(config_read_app(config, SOURCE_SOCKET, "api", &of_file, &err), -ENOENT);
	cr_expect_eq(config_read_app(config, SOURCE_FILE, "own", &of_file, &err), -ENOENT);
}

Test(config, other_files_in_the_directories_are_passed_over)
{
	struct config *config _cleanup_config_ = NULL;

	make_all();
	tree_file("etc/apps.d/README", 0644, "see pysbx.json(5)");
	tree_file("etc/apps.d/.web.json.swp", 0644, "b0VIM");
	tree_file("lib/plans/.big.json.new", 0600, "{\"na");
	config = load_well();
	cr_expect_eq(config->app_count, 2);
}

static const struct {
	const char *file, *content;
	const char *text; /* of the refusal */
} wrong[] = {
	{ "etc/apps.d/bad.json", "{\"name\": \"bad\",", "etc/apps.d/bad.json: line 1" },
	{ "etc/apps.d/bad.json", "[]", "etc/apps.d/bad.json: " },
	{ "etc/apps.d/bad.json", APP("good", ""),
	  "etc/apps.d/bad.json: name: \"good\" must be \"bad\"" },
	{ "etc/apps.d/bad.json", APP("bad", ", \"memory\": 1"),
	  "etc/apps.d/bad.json: \"memory\" is no key here" },
	{ "etc/apps.d/bad.json", APP("bad", ", \"tenant\": \"nobody\""),
	  "etc/apps.d/bad.json: tenant: there is no tenant \"nobody\"" },
	{ "etc/apps.d/bad.json", APP("bad", ", \"plan\": \"nothing\""),
	  "etc/apps.d/bad.json: plan: there is no plan \"nothing\"" },
	{ "etc/apps.d/bad.json",
	  APP("bad", ", \"plan\": \"basic\", \"limits\": {\"memory\": \"129M\"}"),
	  "etc/apps.d/bad.json: limits.memory" },
	{ "etc/plans.d/bad.json", "{\"name\": \"bad\", \"limits\": {\"memory\": \"x\"}}",
	  "etc/plans.d/bad.json: limits.memory" },
	{ "etc/plans.d/big.json", "{\"name\": \"big\"}",
	  "lib/plans/big.json: name: there is another plan big already" },
	{ "etc/tenants.d/bad.json", "{\"name\": \"bad\", \"user\": []}",
	  "etc/tenants.d/bad.json: \"user\" is no key here" },
	{ "etc/tenants.d/bad.json", "{\"name\": \"bad\", \"plan\": \"nothing\"}",
	  "etc/tenants.d/bad.json: plan: there is no plan nothing" },
	{ "etc/tenants.d/zeta.json", "{\"name\": \"zeta\"}",
	  "lib/tenants/zeta.json: name: there is another tenant zeta already" },
	{ "lib/tenants/bad.json", "{\"name\": \"bad\", \"users\": [\"54322\"]}",
	  "lib/tenants/bad.json: users: uid 54322 is a user of tenant acme already" },
};

Test(config, a_wrong_file_refuses_a_reload_and_is_named)
{
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		tree_remove();
		tree_make();
		make_all();
		tree_file(wrong[i].file, 0644, wrong[i].content);
		expect_refused(wrong[i].text);
	}
}

Test(config, a_wrong_file_costs_only_itself_at_the_start)
{
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		struct config *config _cleanup_config_ = NULL;
		struct error err;

		tree_remove();
		tree_make();
		make_all();
		tree_file(wrong[i].file, 0644, wrong[i].content);
		cr_assert_eq(load(true, &config, &err), 0, "%s", err.text);
		cr_expect_eq(complaint_count, 1, "%s", wrong[i].file);
		cr_expect_not_null(strstr(complaints[0].text, wrong[i].text), "%s",
				   complaints[0].text);
		cr_expect_not_null(config_find_app(config, "api"));
		cr_expect_not_null(config_find_app(config, "web"));
		cr_expect_null(config_find_app(config, "bad"));
	}
}

Test(config, what_depends_on_a_wrong_file_goes_with_it_at_the_start)
{
	struct config *config _cleanup_config_ = NULL;
	struct error err;

	make_all();
	tree_file("etc/plans.d/basic.json", 0644, "{");
	cr_assert_eq(load(true, &config, &err), 0, "%s", err.text);
	cr_expect_eq(complaint_count, 3, "the plan, its tenant, and the tenant's app");
	cr_expect_null(config_find_tenant(config, "acme"));
	cr_expect_null(config_find_app(config, "web"));
	cr_expect_not_null(config_find_app(config, "api"));
}

Test(config, wrong_settings_are_never_passed_over)
{
	struct config *config = NULL;
	struct error err;

	make_all();
	tree_file("etc/pysbxd.json", 0644, "{\"defaults\": {\"limits\": {\"memory\": \"a lot\"}}}");
	expect_refused("etc/pysbxd.json: defaults.limits.memory");
	cr_expect_lt(load(true, &config, &err), 0);
	cr_expect_not_null(strstr(err.text, "etc/pysbxd.json: defaults.limits.memory"), "%s",
			   err.text);
	cr_expect_null(config);
}

Test(config, a_user_that_does_not_exist_is_told_and_costs_nothing)
{
	struct config *config _cleanup_config_ = NULL;

	tree_file("etc/tenants.d/acme.json", 0644,
		  "{\"name\": \"acme\", \"users\": [\"no-such-login\", \"54321\"]}");
	config = load_well();
	cr_expect_eq(complaint_count, 1);
	cr_expect_not_null(strstr(complaints[0].text, "users[0]: there is no user no-such-login"));
	cr_expect_str_eq(config_tenant_of_uid(config, 54321)->tenant.name, "acme");
}

Test(config, an_app_is_in_one_place_only)
{
	make_all();
	tree_file("lib/apps/web.json", 0600, DECLARED("null", APP("web", "")));
	expect_refused("lib/apps/web.json: name: there is another app web already");
}

static void overlay_of(struct config_overlay *ret, enum config_kind kind, const char *name,
		       const char *object)
{
	*ret = (struct config_overlay){ kind, name, NULL };
	if (object != NULL)
		ret->object = json_loads(object, 0, NULL);
	overlay = ret;
}

Test(config, an_overlay_takes_the_place_of_a_file_that_is_not_read)
{
	struct config *config _cleanup_config_ = NULL;
	struct config_overlay big;

	make_all();
	tree_file("lib/plans/big.json", 0600, "{");
	overlay_of(&big, CONFIG_PLANS, "big",
		   "{\"name\": \"big\", \"limits\": {\"memory\": \"2G\"}}");
	config = load_well();
	cr_expect_eq(config->plan_count, 2);
	cr_expect_eq(config_find_plan(config, "big")->source, SOURCE_SOCKET);
	cr_expect_eq(config_find_app(config, "api")->spec.limits.memory_max, UINT64_C(2) << 30);
	json_decref((json_t *)big.object);
}

Test(config, an_overlay_can_be_new_also_where_there_is_no_directory)
{
	struct config *config _cleanup_config_ = NULL;
	struct config_overlay new;

	tree_file("etc/plans.d/basic.json", 0644, "{\"name\": \"basic\"}");
	overlay_of(&new, CONFIG_TENANTS, "new", "{\"name\": \"new\", \"plan\": \"basic\"}");
	config = load_well();
	cr_expect_eq(config->tenant_count, 1);
	cr_expect_eq(config_find_tenant(config, "new")->source, SOURCE_SOCKET);
	json_decref((json_t *)new.object);
}

Test(config, an_overlay_can_take_away_what_nothing_uses)
{
	struct config *config _cleanup_config_ = NULL;
	struct config_overlay without;

	make_all();
	overlay_of(&without, CONFIG_TENANTS, "zeta", NULL);
	config = load_well();
	cr_expect_null(config_find_tenant(config, "zeta"));
	overlay_of(&without, CONFIG_PLANS, "big", NULL);
	expect_refused("etc/apps.d/api.json: plan: there is no plan \"big\"");
	/* the administrator's files stay whatever the socket's users ask for */
	overlay_of(&without, CONFIG_PLANS, "basic", NULL);
	config_free(config);
	config = load_well();
	cr_expect_not_null(config_find_plan(config, "basic"));
}

Test(config, a_wrong_overlay_is_refused_without_the_name_of_a_file)
{
	struct config_overlay bad;
	struct config *config = NULL;
	struct error err;

	make_all();
	overlay_of(&bad, CONFIG_TENANTS, "bad", "{\"name\": \"bad\", \"plan\": \"none\"}");
	cr_expect_lt(load(false, &config, &err), 0);
	cr_expect_str_eq(err.text, "plan: there is no plan none");
	json_decref((json_t *)bad.object);
	overlay_of(&bad, CONFIG_PLANS, "basic", "{\"name\": \"basic\"}");
	expect_refused("name: there is another plan basic already");
	json_decref((json_t *)bad.object);
}

Test(config, what_a_tenant_has_declared_is_measured_by_what_it_may)
{
	static const struct {
		const char *more, *text;
	} beyond[] = {
		{ ", \"plan\": \"big\"", "lib/apps/shop.json: plan: \"big\" is not the plan" },
		{ ", \"user\": \"54323\"", "lib/apps/shop.json: user: \"54323\" is no user" },
		{ ", \"tenant\": \"zeta\"", "lib/apps/shop.json: tenant: \"zeta\" is not yours" },
		{ ", \"isolation\": {\"writable\": [\"/srv/zeta\"]}",
		  "lib/apps/shop.json: isolation.writable[0]: \"/srv/zeta\" is outside" },
	};
	struct config *config _cleanup_config_ = NULL;
	char text[512];

	make_all();
	tree_file("lib/apps/shop.json", 0600,
		  "{\"declared_by\": \"acme\", \"app\": {\"name\": \"shop\", \"command\": [\"x\"], "
		  "\"directory\": \"/srv/acme/shop\", \"user\": \"54321\"}}");
	config = load_well();
	cr_expect_str_eq(config_find_app(config, "shop")->spec.tenant, "acme");
	cr_expect_eq(config_find_app(config, "shop")->source, SOURCE_SOCKET);
	for (size_t i = 0; i < ARRAY_SIZE(beyond); i++) {
		snprintf(text, sizeof(text),
			 "{\"declared_by\": \"acme\", \"app\": {\"name\": \"shop\", \"command\": "
			 "[\"x\"], \"directory\": \"/srv/acme/shop\"%s}}",
			 beyond[i].more);
		tree_file("lib/apps/shop.json", 0600, text);
		expect_refused(beyond[i].text);
	}
}

Test(config, what_was_granted_ends_with_the_grant)
{
	struct config *config _cleanup_config_ = NULL;
	struct config_overlay less;
	struct error err;

	make_all();
	tree_file("lib/apps/shop.json", 0600,
		  "{\"declared_by\": \"acme\", \"app\": {\"name\": \"shop\", \"command\": [\"x\"], "
		  "\"directory\": \"/srv/acme/shop\", \"user\": \"54321\"}}");
	tree_file("etc/tenants.d/acme.json", 0644,
		  "{\"name\": \"acme\", \"users\": [\"54322\"], \"plan\": \"basic\"}");
	expect_refused("lib/apps/shop.json: user: \"54321\" is no user of your tenant");
	cr_assert_eq(load(true, &config, &err), 0);
	cr_expect_null(config_find_app(config, "shop"));
	cr_expect_not_null(config_find_app(config, "web"), "the administrator's word for it");
	tree_file("lib/apps/shop.json", 0600,
		  DECLARED("\"zeta\"", APP("shop", ", \"tenant\": \"zeta\"")));
	overlay_of(&less, CONFIG_TENANTS, "zeta", NULL);
	expect_refused("lib/apps/shop.json: tenant zeta has declared it, and is none any more");
}

Test(config, an_administrator_may_declare_all_over_the_socket)
{
	struct config *config _cleanup_config_ = NULL;

	make_all();
	tree_file("lib/apps/shop.json", 0600,
		  DECLARED("null", APP("shop", ", \"tenant\": \"acme\", \"plan\": \"big\"")));
	config = load_well();
	cr_expect_str_eq(config_find_app(config, "shop")->spec.plan, "big");
}

Test(config, a_declaration_is_kept_with_who_made_it)
{
	struct config *config _cleanup_config_ = load_well();
	json_t *app = json_pack("{s:s}", "name", "web");
	struct config_declaration read = { 0 };
	struct error err;

	cr_expect_eq(config_read_declaration(config, "web", &read, &err), -ENOENT);
	cr_expect_null(read.app);
	cr_assert_eq(config_keep_declaration(config, "web", app, "acme", &err), 0, "%s", err.text);
	cr_assert_eq(config_read_declaration(config, "web", &read, &err), 0, "%s", err.text);
	cr_expect_str_eq(read.by, "acme");
	cr_expect(json_equal(read.app, app));
	json_decref(read.app);
	cr_assert_eq(config_keep_declaration(config, "web", app, NULL, &err), 0, "%s", err.text);
	cr_assert_eq(config_read_declaration(config, "web", &read, &err), 0, "%s", err.text);
	cr_expect_str_eq(read.by, "");
	json_decref(read.app);
	json_decref(app);
}

Test(config, what_says_not_who_declared_it_is_refused)
{
	static const char *const bad[] = {
		APP("shop", ""),
		"{\"app\": " APP("shop", "") "}",
		DECLARED("1", APP("shop", "")),
		DECLARED("\"../acme\"", APP("shop", "")),
		DECLARED("\"\"", APP("shop", "")),
		DECLARED("null", "[]"),
		"{\"declared_by\": null, \"more\": 1, \"app\": " APP("shop", "") "}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		tree_file("lib/apps/shop.json", 0600, bad[i]);
		expect_refused("lib/apps/shop.json: is not {\"declared_by\": TENANT or null");
	}
	tree_remove();
	tree_make();
	tree_file("etc/apps.d/shop.json", 0644, DECLARED("null", APP("shop", "")));
	expect_refused("etc/apps.d/shop.json: \"declared_by\" is no key here");
}
