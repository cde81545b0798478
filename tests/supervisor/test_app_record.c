/* SPDX-License-Identifier: MIT */
#include "supervisor/app_record.h"

#include "policy/document.h"
#include "policy/own.h"
#include "policy/spec_json.h"
#include "supervisor/clock.h"
#include "supervisor/identity.h"

#include <criterion/criterion.h>

TestSuite(app_record, .timeout = 30);

static struct app_host host = { .log = { .now_usec = clock_monotonic_usec } };

static void make_spec(const char *text, struct app_spec *ret)
{
	_cleanup_json_ json_t *object = json_loads(text, 0, NULL);
	struct error err;

	cr_assert_not_null(object, "%s", text);
	cr_assert_eq(spec_from_json(object, NULL, ret, &err), 0, "%s", err.text);
	cr_assert_eq(spec_complete(ret, &err), 0, "%s", err.text);
}

#define WEB(more) "{\"name\": \"web\", \"command\": [\"x\"], \"directory\": \"/srv\"" more "}"

static struct app *app_of(struct app_spec *spec)
{
	struct app *app = NULL;
	struct error err;

	cr_assert_eq(app_new(&host, spec, SOURCE_FILE, &app, &err), 0, "%s", err.text);
	snprintf(app->instance.leaf_name, sizeof(app->instance.leaf_name), "0");
	return app;
}

static struct app *app_of_text(const char *text)
{
	struct app_spec spec;

	make_spec(text, &spec);
	return app_of(&spec);
}

static json_t *record_of(struct app *app)
{
	json_t *record;
	struct error err;

	cr_assert_eq(app_record_make(app, &err), 0, "%s", err.text);
	record = json_loads(app->saved, 0, NULL);
	cr_assert_not_null(record);
	return record;
}

/* As it is at the start of a daemon: name and record are all that there is. */
static struct app *held_app(const json_t *record)
{
	struct app_spec spec;
	bool same = false;
	struct error err;
	struct app *app;

	cr_assert_eq(spec_init(&spec, &err), 0);
	spec.name = strdup("web");
	app = app_of(&spec);
	app->held = true;
	cr_assert_eq(app_record_read(app, record, &same, &err), 0, "%s", err.text);
	cr_expect(same, "nothing is known to differ");
	return app;
}

static bool is_of(const struct app *app, const char *text)
{
	struct app_spec spec;
	bool is;

	make_spec(text, &spec);
	is = app_record_is_of(app, &spec);
	spec_clear(&spec);
	return is;
}

Test(app_record, what_is_0_is_left_out)
{
	struct app *app = app_of_text(WEB(""));
	_cleanup_json_ json_t *record = record_of(app);

	cr_expect_null(json_object_get(record, "base"));
	cr_expect_null(json_object_get(record, "explained"));
	cr_expect_null(json_object_get(record, "last"));
	cr_expect_null(json_object_get(record, "restarts"));
	cr_expect_lt(app->saved_length, 200, "%s", app->saved);
	app_free(app);
}

Test(app_record, a_health_check_that_came_or_went_needs_no_restart)
{
	struct app *first = app_of_text(WEB("")),
		   *next = app_of_text(WEB(",\"health\":{\"http\":\"http://127.0.0.1:80/\"}"));
	_cleanup_json_ json_t *record = record_of(first), *other = NULL;
	struct error err;
	bool same = false;

	cr_assert_eq(app_record_read(next, record, &same, &err), 0, "%s", err.text);
	cr_expect(same);
	next->instance.was_well = true;
	other = record_of(next);
	cr_assert_eq(app_record_read(first, other, &same, &err), 0, "%s", err.text);
	cr_expect(same);
	cr_expect(first->instance.was_well);
	app_free(first);
	app_free(next);
}

Test(app_record, what_was_counted_is_read_back)
{
	struct app *first = app_of_text(WEB("")), *next = app_of_text(WEB(""));
	_cleanup_json_ json_t *record = NULL;
	struct error err;
	bool same = false;

	first->restarts = 7;
	cr_assert_eq(
		instance_set_base(&first->instance, &(struct event_deltas){ .app.high = 3 }, &err),
		0);
	instance_explain(&first->instance, &(struct event_deltas){ .pids_max = UINT64_C(1) << 40 });
	first->instance.pids_seen = 12;
	record = record_of(first);
	next->restarts = next->instance.lost_leaves = 1;
	cr_assert_eq(
		instance_set_base(&next->instance, &(struct event_deltas){ .above.max = 1 }, &err),
		0);
	cr_assert_eq(app_record_read(next, record, &same, &err), 0, "%s", err.text);
	cr_expect(same);
	cr_expect_eq(next->restarts, 7);
	cr_expect_eq(next->instance.lost_leaves, 0);
	cr_expect_eq(instance_base(&next->instance)->app.high, 3);
	cr_expect_eq(instance_base(&next->instance)->above.max, 0);
	cr_expect_eq(instance_explained(&next->instance)->pids_max, UINT64_C(1) << 40);
	cr_expect_eq(next->instance.pids_seen, 12);
	(void)json_object_set_new(record, "base", json_pack("[i]", 1));
	cr_expect_eq(app_record_read(next, record, &same, &err), -EINVAL);
	app_free(first);
	app_free(next);
}

Test(app_record, what_a_canary_was_refused_is_read_back)
{
	static const char rule[] = "{\"names\": [\"chroot\"], \"action\": \"SCMP_ACT_ALLOW\"}";
	struct app *app = app_of_text(WEB("")), *next = app_of_text(WEB(""));
	_cleanup_json_ json_t *record = NULL;
	struct error err;
	bool same;

	app->instance.lifted = true;
	cr_assert_eq(instance_add_rule(&app->instance, rule, &err), 0);
	cr_assert_eq(instance_add_rule(&app->instance, rule, &err), 0, "once is enough");
	record = record_of(app);
	cr_assert_eq(app_record_read(next, record, &same, &err), 0, "%s", err.text);
	cr_expect(next->instance.lifted);
	cr_assert_not_null(next->instance.denials);
	cr_assert_eq(next->instance.denials->rules.count, 1);
	cr_expect_str_eq(next->instance.denials->rules.items[0], rule);
	app_free(app);
	app_free(next);
}

Test(app_record, an_app_that_is_held_keeps_the_record_of_what_it_was_started_with)
{
	struct app *first = app_of_text(WEB("")), *held, *again;
	_cleanup_json_ json_t *record = record_of(first), *next = NULL;

	held = held_app(record);
	next = record_of(held);
	cr_expect_str_eq(json_string_value(json_object_get(next, "spec")),
			 json_string_value(json_object_get(record, "spec")));
	again = held_app(next);
	cr_expect(is_of(again, WEB("")));
	cr_expect(is_of(again, WEB(", \"limits\": {\"memory\": \"64M\"}")), "changed live");
	cr_expect_not(is_of(again, WEB(", \"environment\": {\"A\": \"1\"}")));
	app_free(first);
	app_free(held);
	app_free(again);
}

Test(app_record, a_declaration_puts_an_end_to_the_hold)
{
	struct app *first = app_of_text(WEB(""));
	_cleanup_json_ json_t *record = record_of(first);
	struct app *held = held_app(record);
	struct app_spec spec;

	make_spec(WEB(""), &spec);
	app_change_commit(held, &spec);
	cr_expect_not(held->held);
	cr_expect_str_eq(held->spec.directory, "/srv");
	cr_expect_null(spec.name, "taken over");
	app_free(first);
	app_free(held);
}

#define OF(tenant) WEB(", \"tenant\": \"" tenant "\"")
#define UID	   IDENTITY_DAEMON_FIRST

/* As the next daemon finds it, when its tenant has been changed in its file. */
static struct app *moved_app(const json_t *record)
{
	struct app *app = app_of_text(OF("beta"));
	bool same = true;
	struct error err;

	cr_assert_eq(app_record_read(app, record, &same, &err), 0, "%s", err.text);
	cr_expect_not(same);
	return app;
}

Test(app_record, an_app_whose_tenant_was_changed_is_where_it_was_started)
{
	struct app *first = app_of_text(OF("acme")), *moved, *again;
	_cleanup_json_ json_t *record = NULL, *next = NULL;

	first->has_slice = true;
	first->uid = UID;
	record = record_of(first);
	moved = moved_app(record);
	cr_expect_str_eq(moved->path, "acme.tenant/web.slice");
	cr_expect_eq(moved->uid, UID);
	/* and so for one more daemon */
	next = record_of(moved);
	again = moved_app(next);
	cr_expect_str_eq(again->path, "acme.tenant/web.slice");
	app_free(first);
	app_free(moved);
	app_free(again);
}

Test(app_record, one_that_has_no_slice_has_nothing_of_its_tenant_before)
{
	struct app *first = app_of_text(OF("acme")), *moved;
	_cleanup_json_ json_t *record = NULL;

	first->uid = UID;
	record = record_of(first);
	moved = moved_app(record);
	cr_expect_str_eq(moved->path, "beta.tenant/web.slice");
	cr_expect_eq(moved->uid, 0);
	app_free(first);
	app_free(moved);
}

Test(app_record, refuses_a_tenant_that_is_none)
{
	struct app *first = app_of_text(WEB("")), *app = app_of_text(WEB(""));
	_cleanup_json_ json_t *record = record_of(first);
	bool same;
	struct error err;

	cr_assert_eq(json_object_set_new(record, "tenant", json_string("../init")), 0);
	cr_expect_lt(app_record_read(app, record, &same, &err), 0);
	cr_expect_str_eq(app->path, "web.slice");
	app_free(first);
	app_free(app);
}

Test(app_record, why_pysbx_ends_a_life_is_on_record)
{
	struct app *app = app_of_text(WEB("")), *later;
	json_t *record;

	app->instance.ended_cause = CAUSE_HUNG;
	app->instance.ended_for = strdup("waiting for 31 s");
	record = record_of(app);
	later = held_app(record);
	cr_expect_eq(later->instance.ended_cause, CAUSE_HUNG);
	cr_expect_str_eq(later->instance.ended_for, "waiting for 31 s");
	app_free(later);

	json_object_set_new(record, "ended_cause", json_integer(99));
	later = held_app(record);
	cr_expect_eq(later->instance.ended_cause, 0, "no cause that pysbx ends an app for");
	app_free(later);
	json_decref(record);
	app_free(app);
}
