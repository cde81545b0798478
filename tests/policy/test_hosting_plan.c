/* SPDX-License-Identifier: MIT */
#include "policy/hosting_plan.h"
#include "policy/own.h"
#include "tests/policy/spec_fixture.h"

#define MIB	  (UINT64_C(1) << 20)
#define UNTOUCHED 0x5a

#define APP(more) "{'name':'blog','command':['gunicorn'],'directory':'/srv/blog'" more "}"
#define BASIC                                                                           \
	"{'name':'basic','limits':{'memory':'256M','memory_high':'200M','cpu':'100%',"  \
	"'pids':128,'nofile':2048,'tmp_size':'100M',"                                   \
	"'io':{'/srv':{'rbps':'10M','riops':100}}},'syscalls':['python-web','strict']," \
	"'apps':10}"

#define WALLED	     "{'name':'walled','isolation':{'egress':['dns','10.0.0.0/8:5432']}}"
#define EGRESS(list) APP(",'isolation':{'egress':[" list "]}")

static struct hosting_plan read_plan(const char *text)
{
	_cleanup_json_ json_t *object = json_from(text);
	struct hosting_plan plan = { 0 };
	struct error err = { 0 };

	cr_assert_eq(hosting_plan_from_json(object, &plan, &err), 0, "%s: %s", text, err.text);
	return plan;
}

static char *spec_text(const struct app_spec *spec)
{
	_cleanup_json_ json_t *object = NULL;
	struct error err = { 0 };

	cr_assert_eq(spec_to_json(spec, &object, &err), 0, "%s", err.text);
	return json_text(object);
}

Test(hosting_plan, reads_back_what_it_writes)
{
	static const char basic[] = BASIC;
	static const char *const texts[] = { basic, "{'name':'free'}", "{'name':'none','apps':0}",
					     "{'name':'p','syscalls':['/etc/pysbx/x.json']}",
					     WALLED };

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		_cleanup_hosting_plan_ struct hosting_plan plan = read_plan(texts[i]);
		_cleanup_json_ json_t *object = NULL;
		_cleanup_free_ char *text = NULL;
		struct error err = { 0 };

		cr_assert_eq(hosting_plan_to_json(&plan, &object, &err), 0);
		text = json_text(object);
		cr_expect_str_eq(text, texts[i]);
	}
}

Test(hosting_plan, refuses_what_is_wrong_and_names_its_place)
{
	static const struct {
		const char *text, *path, *expected;
	} samples[] = {
		{ "[]", "", "must be an object" },
		{ "{}", "name", "name: is missing" },
		{ "{'name':'Basic'}", "name", "name: \"Basic\" is not a name" },
		{ "{'name':1}", "name", "name: must be a string" },
		{ "{'name':'a','limit':{}}", "", "\"limit\" is no key here; did you mean limits?" },
		{ "{'name':'a','limits':[]}", "limits", "limits: must be an object" },
		{ "{'name':'a','limits':{'memory':'1K'}}", "limits.memory",
		  "limits.memory: 1K is too little: at least 4M" },
		{ "{'name':'a','limits':{'memory':'1G','memory_high':'2G'}}", "limits.memory_high",
		  "limits.memory_high: 2G is above limits.memory, 1G" },
		{ "{'name':'a','limits':{'mem':'1G'}}", "limits",
		  "limits: \"mem\" is no key here" },
		{ "{'name':'a','syscalls':'x'}", "syscalls", "syscalls: must be a list" },
		{ "{'name':'a','syscalls':['x','X y']}", "syscalls[1]",
		  "syscalls[1]: \"X y\" is neither the name of a profile nor a path" },
		{ "{'name':'a','syscalls':['x','x']}", "syscalls[1]",
		  "syscalls[1]: \"x\" is there twice" },
		{ "{'name':'a','isolation':[]}", "isolation", "isolation: must be an object" },
		{ "{'name':'a','isolation':{'network':'none'}}", "isolation",
		  "isolation: \"network\" is no key here" },
		{ "{'name':'a','isolation':{'egress':'any'}}", "isolation.egress",
		  "isolation.egress: must be a list" },
		{ "{'name':'a','isolation':{'egress':[]}}", "isolation.egress",
		  "isolation.egress: is empty: write [\"none\"] to reach nothing" },
		{ "{'name':'a','isolation':{'egress':['any','db.example']}}", "isolation.egress[1]",
		  "isolation.egress[1]: \"db.example\" is not an address" },
		{ "{'name':'a','isolation':{'egress':['dns','dns']}}", "isolation.egress[1]",
		  "isolation.egress[1]: \"dns\" is there twice" },
		{ "{'name':'a','apps':-1}", "apps",
		  "apps: must be a whole number from 0 to 1000000; leave it out for any number" },
		{ "{'name':'a','apps':'max'}", "apps", "apps: must be a whole number" },
		{ "{'name':'a','apps':1000001}", "apps", "apps: must be a whole number" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		_cleanup_json_ json_t *object = json_from(samples[i].text);
		struct hosting_plan plan;
		struct error err = { 0 };

		memset(&plan, UNTOUCHED, sizeof(plan));
		cr_expect_eq(hosting_plan_from_json(object, &plan, &err), -EINVAL, "%s was taken",
			     samples[i].text);
		cr_expect_eq(strncmp(err.text, samples[i].expected, strlen(samples[i].expected)), 0,
			     "%s, not %s", err.text, samples[i].expected);
		cr_expect_str_eq(err.path, samples[i].path);
		cr_expect_eq(((unsigned char *)&plan)[0], UNTOUCHED);
	}
}

Test(hosting_plan, gives_what_the_app_leaves_open)
{
	_cleanup_hosting_plan_ struct hosting_plan plan = read_plan(BASIC);
	_cleanup_spec_ struct app_spec spec =
		read_spec(APP(",'limits':{'pids':64,'io':{'/srv':{'rbps':'5M'}}}"));
	struct error err = { 0 };

	cr_assert_eq(hosting_plan_apply(&plan, &spec, &err), 0, "%s", err.text);
	cr_expect_eq(spec.limits.memory_max, 256 * MIB);
	cr_expect_eq(spec.limits.memory_high, 200 * MIB);
	cr_expect_eq(spec.limits.memory_swap_max, 0);
	cr_expect_eq(spec.limits.cpu_max, 1000);
	cr_expect_eq(spec.limits.cpu_weight, LIMIT_UNSET);
	cr_expect_eq(spec.limits.pids_max, 64);
	cr_expect_eq(spec.limits.nofile, 2048);
	cr_expect_eq(spec.limits.tmp_size, 100 * MIB);
	cr_assert_eq(spec.limits.io_count, 1);
	cr_expect_eq(spec.limits.io[0].rbps, 5 * MIB);
	cr_expect_eq(spec.limits.io[0].wbps, LIMIT_UNSET);
	cr_expect_eq(spec.limits.io[0].riops, 100);
	cr_expect_str_eq(spec.syscalls.profile, "python-web");
	cr_expect_null(spec.plan);
	cr_expect_eq(spec_complete(&spec, &err), 0);
	cr_expect_eq(spec_validate(&spec, &err), 0, "%s", err.text);
}

Test(hosting_plan, gives_no_part_that_is_above_a_tighter_memory)
{
	_cleanup_hosting_plan_ struct hosting_plan plan = read_plan(BASIC);
	_cleanup_spec_ struct app_spec spec = read_spec(APP(",'limits':{'memory':'64M'}"));
	struct error err = { 0 };

	cr_assert_eq(hosting_plan_apply(&plan, &spec, &err), 0, "%s", err.text);
	cr_expect_eq(spec.limits.memory_high, LIMIT_UNSET);
	cr_expect_eq(spec_complete(&spec, &err), 0);
	cr_expect_eq(spec.limits.tmp_size, 16 * MIB);
	cr_expect_eq(spec_validate(&spec, &err), 0, "%s", err.text);
}

Test(hosting_plan, of_no_limits_changes_nothing)
{
	_cleanup_hosting_plan_ struct hosting_plan plan = read_plan("{'name':'free'}");
	_cleanup_spec_ struct app_spec spec = read_spec(APP(",'limits':{'memory':'max'}"));
	_cleanup_free_ char *before = spec_text(&spec), *after = NULL;
	struct error err = { 0 };

	cr_assert_eq(hosting_plan_apply(&plan, &spec, &err), 0);
	after = spec_text(&spec);
	cr_expect_str_eq(before, after);
}

Test(hosting_plan, is_never_exceeded)
{
	static const struct {
		const char *app, *path, *text;
	} samples[] = {
		{ APP(",'limits':{'memory':'512M'}"), "limits.memory",
		  "limits.memory: 512M is above what plan basic gives, 256M" },
		{ APP(",'limits':{'memory':'max'}"), "limits.memory",
		  "limits.memory: max is above what plan basic gives, 256M" },
		{ APP(",'limits':{'memory_high':'201M'}"), "limits.memory_high",
		  "limits.memory_high: 201M is above what plan basic gives, 200M" },
		{ APP(",'limits':{'memory_swap':'1M'}"), "limits.memory_swap",
		  "limits.memory_swap: 1M is above what plan basic gives, 0" },
		{ APP(",'limits':{'cpu':1.5}"), "limits.cpu",
		  "limits.cpu: 150% is above what plan basic gives, 100%" },
		{ APP(",'limits':{'pids':'max'}"), "limits.pids",
		  "limits.pids: max is above what plan basic gives, 128" },
		{ APP(",'limits':{'nofile':4096}"), "limits.nofile",
		  "limits.nofile: 4096 is above what plan basic gives, 2048" },
		{ APP(",'limits':{'tmp_size':'101M'}"), "limits.tmp_size",
		  "limits.tmp_size: 101M is above what plan basic gives, 100M" },
		{ APP(",'limits':{'io':{'/srv':{'rbps':'20M'}}}"), "limits.io[\"/srv\"].rbps",
		  "limits.io[\"/srv\"].rbps: 20M is above what plan basic gives, 10M" },
		{ APP(",'limits':{'io':{'/srv':{'riops':'max'}}}"), "limits.io[\"/srv\"].riops",
		  "limits.io[\"/srv\"].riops: max is above what plan basic gives, 100" },
		{ APP(",'syscalls':'docker'"), "syscalls",
		  "syscalls: \"docker\" is not among the profiles of plan basic: write python-web "
		  "or strict" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		_cleanup_hosting_plan_ struct hosting_plan plan = read_plan(BASIC);
		_cleanup_spec_ struct app_spec spec = read_spec(samples[i].app);
		_cleanup_free_ char *before = spec_text(&spec), *after = NULL;
		struct error err = { 0 };

		cr_expect_eq(hosting_plan_apply(&plan, &spec, &err), -EINVAL, "%s was taken",
			     samples[i].app);
		cr_expect_str_eq(err.text, samples[i].text);
		cr_expect_str_eq(err.path, samples[i].path);
		cr_expect_eq(err.kind, ERROR_INVALID);
		after = spec_text(&spec);
		cr_expect_str_eq(before, after);
	}
}

Test(hosting_plan, may_be_reached_and_lifts_with_max)
{
	_cleanup_hosting_plan_ struct hosting_plan
		plan = read_plan(BASIC),
		lifted = read_plan("{'name':'big','limits':{'pids':'max'}}");
	_cleanup_spec_ struct app_spec
		spec = read_spec(APP(",'limits':{'memory':'256M','cpu':1,'pids':128,"
				     "'io':{'/srv':{'rbps':'10M'},'/var/x':{'rbps':'90M'}}},"
				     "'syscalls':'strict'")),
		open = read_spec(APP(""));
	struct error err = { 0 };

	cr_expect_eq(hosting_plan_apply(&plan, &spec, &err), 0, "%s", err.text);
	cr_expect_eq(hosting_plan_apply(&lifted, &open, &err), 0, "%s", err.text);
	cr_expect_eq(open.limits.pids_max, LIMIT_MAX);
	cr_expect_null(open.syscalls.profile);
}

Test(hosting_plan, keeps_the_spec_where_its_io_limits_do_not_fit)
{
	_cleanup_hosting_plan_ struct hosting_plan plan = read_plan(BASIC);
	_cleanup_spec_ struct app_spec spec = read_spec(APP(""));
	struct error err = { 0 };
	char line[32];

	for (int i = 0; i < SPEC_IO_MAX; i++) {
		snprintf(line, sizeof(line), "/x%d=1M/1M", i);
		cr_assert_eq(spec_parse_io(line, &spec.limits, &err), 0);
	}
	cr_expect_eq(hosting_plan_apply(&plan, &spec, &err), -EINVAL);
	cr_expect_str_eq(err.text, "limits.io: more than 16 io limits");
	cr_expect_str_eq(err.path, "limits.io");
	cr_expect_eq(spec.limits.memory_max, LIMIT_UNSET);
	cr_expect_eq(spec.limits.io_count, SPEC_IO_MAX);
	cr_expect_null(spec.syscalls.profile);
}

Test(hosting_plan, comes_before_the_defaults_of_all_apps)
{
	_cleanup_json_ json_t *defaults =
		json_from("{'limits':{'memory':'1G','cpu':'400%','cpu_weight':10,'pids':'max',"
			  "'io':{'/srv':{'rbps':'20M','wbps':'20M'}}},'syscalls':'docker'}");
	_cleanup_hosting_plan_ struct hosting_plan plan = read_plan(BASIC);
	_cleanup_spec_ struct app_spec spec = read_spec(APP(""));
	struct error err = { 0 };

	cr_assert_eq(hosting_plan_apply(&plan, &spec, &err), 0, "%s", err.text);
	cr_assert_eq(spec_fill_defaults(defaults, &spec, &err), 0, "%s", err.text);
	cr_expect_eq(spec.limits.memory_max, 256 * MIB);
	cr_expect_eq(spec.limits.cpu_max, 1000);
	cr_expect_eq(spec.limits.cpu_weight, 10);
	cr_expect_eq(spec.limits.pids_max, 128);
	cr_expect_eq(spec.limits.io[0].rbps, 10 * MIB);
	cr_expect_eq(spec.limits.io[0].wbps, 20 * MIB);
	cr_expect_str_eq(spec.syscalls.profile, "python-web");
}

/* --- egress ----------------------------------------------------------------------------------- */

Test(hosting_plan, gives_its_egress_to_an_app_that_names_none)
{
	_cleanup_json_ json_t *defaults = json_from("{'isolation':{'egress':['any']}}");
	_cleanup_hosting_plan_ struct hosting_plan plan = read_plan(WALLED);
	_cleanup_json_ json_t *object = json_from(APP(""));
	_cleanup_spec_ struct app_spec spec = { 0 };
	struct error err = { 0 };

	/* a default of all apps is no word of this one, which would be above the plan */
	cr_assert_eq(spec_from_json(object, defaults, &spec, &err), 0, "%s", err.text);
	cr_assert_eq(hosting_plan_apply(&plan, &spec, &err), 0, "%s", err.text);
	cr_assert_eq(spec_fill_defaults(defaults, &spec, &err), 0, "%s", err.text);
	cr_assert_eq(spec.isolation.egress.count, 2);
	cr_expect_str_eq(spec.isolation.egress.items[0], "dns");
	cr_expect_str_eq(spec.isolation.egress.items[1], "10.0.0.0/8:5432");
}

Test(hosting_plan, without_egress_leaves_it_to_the_app_and_to_the_defaults)
{
	_cleanup_json_ json_t *defaults = json_from("{'isolation':{'egress':['dns']}}");
	_cleanup_hosting_plan_ struct hosting_plan plan = read_plan(BASIC);
	_cleanup_spec_ struct app_spec silent = read_spec(APP("")),
				       open = read_spec(EGRESS("'any'"));
	struct error err = { 0 };

	cr_assert_eq(hosting_plan_apply(&plan, &silent, &err), 0, "%s", err.text);
	cr_assert_eq(hosting_plan_apply(&plan, &open, &err), 0, "%s", err.text);
	cr_assert_eq(spec_fill_defaults(defaults, &silent, &err), 0, "%s", err.text);
	cr_assert_eq(spec_fill_defaults(defaults, &open, &err), 0, "%s", err.text);
	cr_assert_eq(silent.isolation.egress.count, 1);
	cr_expect_str_eq(silent.isolation.egress.items[0], "dns");
	cr_assert_eq(open.isolation.egress.count, 1);
	cr_expect_str_eq(open.isolation.egress.items[0], "any");
}

Test(hosting_plan, takes_an_egress_that_is_tighter)
{
	static const char *const apps[] = { EGRESS("'none'"), EGRESS("'dns'"),
					    EGRESS("'10.1.2.3:5432'"),
					    EGRESS("'10.1.0.0/16:5432','dns'") };

	for (size_t i = 0; i < ARRAY_SIZE(apps); i++) {
		_cleanup_hosting_plan_ struct hosting_plan plan = read_plan(WALLED);
		_cleanup_spec_ struct app_spec spec = read_spec(apps[i]);
		_cleanup_free_ char *before = spec_text(&spec), *after = NULL;
		struct error err = { 0 };

		cr_expect_eq(hosting_plan_apply(&plan, &spec, &err), 0, "%s", err.text);
		after = spec_text(&spec);
		cr_expect_str_eq(before, after);
	}
}

Test(hosting_plan, refuses_an_egress_beyond_its_own)
{
	static const struct {
		const char *app, *path, *text;
	} samples[] = {
		{ EGRESS("'any'"), "isolation.egress[0]",
		  "isolation.egress[0]: \"any\" is not within what plan walled gives: dns or "
		  "10.0.0.0/8:5432" },
		{ EGRESS("'dns','10.0.0.5'"), "isolation.egress[1]",
		  "isolation.egress[1]: \"10.0.0.5\" is not within what plan walled gives: dns or "
		  "10.0.0.0/8:5432" },
		{ EGRESS("'dns','x'"), "isolation.egress[1]",
		  "isolation.egress[1]: \"x\" is not an address" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		_cleanup_hosting_plan_ struct hosting_plan plan = read_plan(WALLED);
		_cleanup_spec_ struct app_spec spec = read_spec(samples[i].app);
		_cleanup_free_ char *before = spec_text(&spec), *after = NULL;
		struct error err = { 0 };

		cr_expect_eq(hosting_plan_apply(&plan, &spec, &err), -EINVAL);
		cr_expect_eq(strncmp(err.text, samples[i].text, strlen(samples[i].text)), 0, "%s",
			     err.text);
		cr_expect_str_eq(err.path, samples[i].path);
		after = spec_text(&spec);
		cr_expect_str_eq(before, after);
	}
}
