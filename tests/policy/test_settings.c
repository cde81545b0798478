/* SPDX-License-Identifier: MIT */
#include "policy/own.h"
#include "policy/settings.h"
#include "policy/spec_json.h"
#include "tests/policy/json.h"

#define UNTOUCHED 0x5a

Test(settings, hold_without_a_file_and_with_an_empty_one)
{
	_cleanup_json_ json_t *object = json_from("{}");
	_cleanup_settings_ struct settings none, empty;
	struct error err = { 0 };

	settings_init(&none);
	cr_expect_null(none.defaults);
	cr_expect_eq(none.log_level, SETTINGS_LOG_INFO);
	cr_assert_eq(settings_from_json(object, &empty, &err), 0, "%s", err.text);
	cr_expect_null(empty.defaults);
	cr_expect_eq(empty.log_level, SETTINGS_LOG_INFO);
}

Test(settings, give_defaults_that_outlive_their_document)
{
	json_t *object = json_from("{'defaults':{'limits':{'memory':'128M'},'oom':'app'},"
				   "'log_level':'debug'}");
	_cleanup_json_ json_t *app = json_from("{'name':'a','command':['b'],'directory':'/c'}");
	_cleanup_settings_ struct settings settings;
	struct app_spec spec;
	struct error err = { 0 };

	cr_assert_eq(settings_from_json(object, &settings, &err), 0, "%s", err.text);
	json_decref(object);
	cr_expect_eq(settings.log_level, SETTINGS_LOG_DEBUG);
	cr_assert_eq(spec_from_json(app, settings.defaults, &spec, &err), 0, "%s", err.text);
	cr_assert_eq(spec_fill_defaults(settings.defaults, &spec, &err), 0, "%s", err.text);
	cr_expect_eq(spec.limits.memory_max, UINT64_C(128) << 20);
	cr_expect_eq(spec.oom, OOM_APP);
	spec_clear(&spec);
}

Test(settings, refuse_what_is_wrong_and_name_its_place)
{
	static const struct {
		const char *text, *path, *expected;
	} samples[] = {
		{ "[]", "", "must be an object" },
		{ "{'log':1}", "", "\"log\" is no key here; did you mean log_level?" },
		{ "{'log_level':'loud'}", "log_level",
		  "log_level: \"loud\" is not known here: write error, warning, info or debug" },
		{ "{'log_level':3}", "log_level", "log_level: must be a string" },
		{ "{'defaults':[]}", "defaults", "defaults: must be an object" },
		{ "{'defaults':{'name':'a'}}", "defaults.name",
		  "defaults.name: can't be set here: leave it out" },
		{ "{'defaults':{'tenant':'a'}}", "defaults.tenant", "defaults.tenant: can't" },
		{ "{'defaults':{'plan':'a'}}", "defaults.plan", "defaults.plan: can't" },
		{ "{'defaults':{'command':['a']}}", "defaults.command", "defaults.command: can't" },
		{ "{'defaults':{'directory':'/'}}", "defaults.directory", "defaults.directory: c" },
		{ "{'defaults':{'user':'a'}}", "defaults.user", "defaults.user: can't" },
		{ "{'defaults':{'limits':{'memroy':1}}}", "defaults.limits",
		  "defaults.limits: \"memroy\" is no key here; did you mean memory?" },
		{ "{'defaults':{'limits':{'memory':'1K'}}}", "defaults.limits.memory",
		  "defaults.limits.memory: 1K is too little: at least 4M" },
		{ "{'defaults':{'log':{'max_size':'1K'}}}", "defaults.log.max_size",
		  "defaults.log.max_size: 1K is too little: at least 64K" },
		{ "{'defaults':{'isolation':{'readable':['/proc']}}}",
		  "defaults.isolation.readable[0]",
		  "defaults.isolation.readable[0]: \"/proc\" shows" },
		{ "{'incidents':{'keep':0}}", "incidents.keep",
		  "incidents.keep: must be a whole number from 1 to 10000" },
		{ "{'incidents':{'kepe':1}}", "incidents",
		  "incidents: \"kepe\" is no key here; did you mean keep?" },
		{ "{'incidents':{'max_age':'1s'}}", "incidents.max_age",
		  "incidents.max_age: is too little: at least 1min" },
		{ "{'incidents':{'max_age':true}}", "incidents.max_age",
		  "incidents.max_age: must be a time" },
		{ "{'incidents':{'max_size':'max'}}", "incidents.max_size",
		  "incidents.max_size: must be a size" },
		{ "{'incidents':{'max_size':4096}}", "incidents.max_size",
		  "incidents.max_size: is too little: at least 4M" },
		{ "{'incidents':{'mask':['a','(']}}", "incidents.mask[1]",
		  "incidents.mask[1]: is no extended regular expression" },
		{ "{'incidents':{'mask':'a'}}", "incidents.mask", "incidents.mask: must be" },
		{ "{'on_incident':['mail']}", "on_incident[0]",
		  "on_incident[0]: must be a program's absolute path" },
		{ "{'on_incident':[1]}", "on_incident[0]", "on_incident[0]: must be a string" },
		{ "{'on_incident_user':'a'}", "on_incident_user",
		  "on_incident_user: is for on_incident" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		_cleanup_json_ json_t *object = json_from(samples[i].text);
		struct settings settings;
		struct error err = { 0 };

		memset(&settings, UNTOUCHED, sizeof(settings));
		cr_expect_eq(settings_from_json(object, &settings, &err), -EINVAL, "%s was taken",
			     samples[i].text);
		cr_expect_eq(strncmp(err.text, samples[i].expected, strlen(samples[i].expected)), 0,
			     "%s, not %s", err.text, samples[i].expected);
		cr_expect_str_eq(err.path, samples[i].path);
		cr_expect_eq(((unsigned char *)&settings)[0], UNTOUCHED);
	}
}

Test(settings, read_the_names_of_their_levels_back)
{
	struct error err = { 0 };

	for (unsigned i = 0; i < SETTINGS_LOG_LEVEL_COUNT; i++) {
		const char *name = settings_log_level_name((enum settings_log_level)i);
		enum settings_log_level level = SETTINGS_LOG_LEVEL_COUNT;

		cr_expect_eq(settings_log_level_parse(name, &level, &err), 0);
		cr_expect_eq((unsigned)level, i);
	}
	cr_expect_str_eq(settings_log_level_name(SETTINGS_LOG_LEVEL_COUNT), "unknown");
}

Test(settings, say_which_incidents_are_kept)
{
	_cleanup_json_ json_t *object = json_from(
		"{'incidents':{'keep':5,'max_age':'30d','max_size':'8M','mask':['a=(b)']}}");
	_cleanup_json_ json_t *other = json_from("{'incidents':{'max_age':'max','mask':[]}}");
	_cleanup_settings_ struct settings none, settings, more;
	struct error err = { 0 };

	settings_init(&none);
	cr_expect_eq(none.incidents.keep, SETTINGS_INCIDENTS_KEEP);
	cr_expect_eq(none.incidents.max_age_usec, SETTINGS_INCIDENTS_AGE_USEC);
	cr_expect_eq(none.incidents.max_size, SETTINGS_INCIDENTS_SIZE);
	cr_expect_not(none.incidents.own_mask);
	cr_assert_eq(settings_from_json(object, &settings, &err), 0, "%s", err.text);
	cr_expect_eq(settings.incidents.keep, 5);
	cr_expect_eq(settings.incidents.max_age_usec, UINT64_C(30) * 86400 * USEC_PER_SEC);
	cr_expect_eq(settings.incidents.max_size, UINT64_C(8) << 20);
	cr_expect(settings.incidents.own_mask);
	cr_expect_str_eq(settings.incidents.mask.items[0], "a=(b)");
	cr_assert_eq(settings_from_json(other, &more, &err), 0, "%s", err.text);
	cr_expect_eq(more.incidents.max_age_usec, LIMIT_MAX);
	cr_expect(more.incidents.own_mask);
	cr_expect_eq(more.incidents.mask.count, 0);
}

Test(settings, name_who_is_told_of_an_incident)
{
	_cleanup_json_ json_t *object =
		json_from("{'on_incident':['/bin/mail','-s','x'],'on_incident_user':'mailer'}");
	_cleanup_settings_ struct settings settings;
	struct error err = { 0 };

	cr_assert_eq(settings_from_json(object, &settings, &err), 0, "%s", err.text);
	cr_expect_eq(settings.on_incident.count, 3);
	cr_expect_str_eq(settings.on_incident.items[0], "/bin/mail");
	cr_expect_str_eq(settings.on_incident_user, "mailer");
}
