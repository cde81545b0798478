/* SPDX-License-Identifier: MIT */
#include "policy/hosting_plan.h"
#include "policy/own.h"
#include "policy/settings.h"
#include "policy/spec_json.h"
#include "policy/spec_row.h"
#include "policy/tenant.h"
#include "tests/policy/json.h"

#include <signal.h>

#define MIB	       (UINT64_C(1) << 20)
#define UNTOUCHED      0x5a
#define _cleanup_spec_ __attribute__((cleanup(spec_clear)))

/* The keys that every app must have, and room for more. */
#define APP(more) "{'name':'blog','command':['gunicorn'],'directory':'/srv/blog'" more "}"

static struct app_spec read_with(const char *text, const char *defaults)
{
	_cleanup_json_ json_t *object = json_from(text),
			      *lower = defaults != NULL ? json_from(defaults) : NULL;
	struct app_spec spec = { 0 };
	struct error err = { 0 };

	cr_assert_eq(spec_from_json(object, lower, &spec, &err), 0, "%s: %s", text, err.text);
	return spec;
}

static char *written(const struct app_spec *spec)
{
	_cleanup_json_ json_t *object = NULL;
	struct error err = { 0 };

	cr_assert_eq(spec_to_json(spec, &object, &err), 0, "%s", err.text);
	return json_text(object);
}

Test(spec_json, has_one_row_for_each_field_under_its_path)
{
	uint64_t seen = 0;

	for (size_t i = 0; i < spec_row_count; i++) {
		const struct spec_row *row = &spec_rows[i];
		char path[64];

		snprintf(path, sizeof(path), "%s%s%s", row->section != NULL ? row->section : "",
			 row->section != NULL ? "." : "", row->key);
		cr_expect_str_eq(path, spec_json_labels.of[row->field]);
		cr_expect_eq(seen & SPEC_FIELD_BIT(row->field), 0, "%s comes twice", path);
		seen |= SPEC_FIELD_BIT(row->field);
	}
	cr_expect_eq(seen, (SPEC_FIELD_BIT(FIELD_COUNT) - 1) & ~SPEC_FIELD_BIT(FIELD_NONE));
}

Test(spec_json, reads_every_key)
{
	_cleanup_spec_ struct app_spec spec = read_with(
		"{'name':'blog','tenant':'acme','plan':'basic','command':['gunicorn','app:app'],"
		"'directory':'/srv/acme/blog','user':'acme',"
		"'environment':{'A':'1','B':'x=y'},'environment_files':['/srv/acme/env'],"
		"'limits':{'memory':'192M','memory_high':150000000,'memory_swap':'max','cpu':1.5,"
		"'cpu_weight':50,'pids':'max','nofile':1024,'tmp_size':'16M',"
		"'io':{'/srv/acme':{'rbps':'20M','wbps':'max','riops':200,'wiops':'max'}}},"
		"'isolation':{'readable':['/srv/acme/lib'],'writable':['/srv/acme/blog/media'],"
		"'network':'none','egress':['10.0.0.5:5432','localhost']},'syscalls':'docker',"
		"'restart':{'mode':'always','max_restarts':'max','backoff':'500ms',"
		"'backoff_max':120,'stable':'2min'},'oom':'app',"
		"'pressure':{'notify':'off','reclaim':'1%','recycle':'90%','restart':'95%',"
		"'kill':'100%','cooldown':'5s'},"
		"'stop':{'signal':'SIGINT','grace':'1min 30s'},"
		"'log':{'target':'file','max_size':'100M','keep':9,'rate':'max'},'enabled':false}",
		NULL);
	const struct limits *limits = &spec.limits;

	cr_expect_str_eq(spec.name, "blog");
	cr_expect_str_eq(spec.tenant, "acme");
	cr_expect_str_eq(spec.plan, "basic");
	cr_expect_eq(spec.command.count, 2);
	cr_expect_str_eq(spec.command.items[1], "app:app");
	cr_expect_str_eq(spec.directory, "/srv/acme/blog");
	cr_expect_str_eq(spec.user, "acme");
	cr_expect_str_eq(strings_env_get(&spec.environment, "B"), "x=y");
	cr_expect_str_eq(spec.environment_files.items[0], "/srv/acme/env");
	cr_expect_eq(limits->memory_max, 192 * MIB);
	cr_expect_eq(limits->memory_high, 150000000);
	cr_expect_eq(limits->memory_swap_max, LIMIT_MAX);
	cr_expect_eq(limits->cpu_max, 1500);
	cr_expect_eq(limits->cpu_weight, 50);
	cr_expect_eq(limits->pids_max, LIMIT_MAX);
	cr_expect_eq(limits->nofile, 1024);
	cr_expect_eq(limits->tmp_size, 16 * MIB);
	cr_assert_eq(limits->io_count, 1);
	cr_expect_str_eq(limits->io[0].path, "/srv/acme");
	cr_expect_eq(limits->io[0].rbps, 20 * MIB);
	cr_expect_eq(limits->io[0].wbps, LIMIT_MAX);
	cr_expect_eq(limits->io[0].riops, 200);
	cr_expect_eq(limits->io[0].wiops, LIMIT_MAX);
	cr_expect_str_eq(spec.isolation.readable.items[0], "/srv/acme/lib");
	cr_expect_str_eq(spec.isolation.writable.items[0], "/srv/acme/blog/media");
	cr_expect_eq(spec.isolation.network, NETWORK_NONE);
	cr_assert_eq(spec.isolation.egress.count, 2);
	cr_expect_str_eq(spec.isolation.egress.items[1], "localhost");
	cr_expect_str_eq(spec.syscalls.profile, "docker");
	cr_expect_eq(spec.restart.mode, RESTART_ALWAYS);
	cr_expect_eq(spec.restart.max_restarts, LIMIT_MAX);
	cr_expect_eq(spec.restart.backoff_usec, 500 * USEC_PER_MSEC);
	cr_expect_eq(spec.restart.backoff_max_usec, 120 * USEC_PER_SEC);
	cr_expect_eq(spec.restart.stable_usec, 120 * USEC_PER_SEC);
	cr_expect_eq(spec.oom, OOM_APP);
	cr_expect_eq(spec.pressure.at[PRESSURE_NOTIFY], LIMIT_MAX);
	cr_expect_eq(spec.pressure.at[PRESSURE_RECLAIM], 1);
	cr_expect_eq(spec.pressure.at[PRESSURE_RECYCLE], 90);
	cr_expect_eq(spec.pressure.at[PRESSURE_RESTART], 95);
	cr_expect_eq(spec.pressure.at[PRESSURE_KILL], 100);
	cr_expect_eq(spec.pressure.cooldown_usec, 5 * USEC_PER_SEC);
	cr_expect_eq(spec.stop.signal, SIGINT);
	cr_expect_eq(spec.stop.grace_usec, 90 * USEC_PER_SEC);
	cr_expect_eq(spec.log.target, LOG_TO_FILE);
	cr_expect_eq(spec.log.max_size, UINT64_C(100) << 20);
	cr_expect_eq(spec.log.keep, 9);
	cr_expect_eq(spec.log.rate, LIMIT_MAX);
	cr_expect_not(spec.enabled);
}

Test(spec_json, leaves_open_what_a_plan_may_give)
{
	_cleanup_spec_ struct app_spec spec = read_with(APP(""), NULL);

	cr_expect_null(spec.tenant);
	cr_expect_null(spec.syscalls.profile);
	cr_expect_eq(spec.limits.memory_max, LIMIT_UNSET);
	cr_expect_eq(spec.limits.memory_swap_max, LIMIT_UNSET);
	cr_expect_eq(spec.limits.pids_max, LIMIT_UNSET);
	cr_expect_eq(spec.limits.nofile, LIMIT_UNSET);
	cr_expect_eq(spec.limits.tmp_size, LIMIT_UNSET);
	cr_expect_eq(spec.restart.mode, RESTART_ON_FAILURE);
	cr_expect_eq(spec.log.max_size, SPEC_LOG_SIZE_DEFAULT);
	cr_expect(spec.enabled);
}

/* Only the beginning of `expected` matters. */
static void expect_refused(const char *text, const char *defaults, const char *path,
			   const char *expected)
{
	_cleanup_json_ json_t *object = json_from(text),
			      *lower = defaults != NULL ? json_from(defaults) : NULL;
	union {
		struct app_spec spec;
		unsigned char bytes[sizeof(struct app_spec)];
	} output;
	struct error err = { 0 };
	bool touched = false;

	memset(&output, UNTOUCHED, sizeof(output));
	cr_assert_eq(spec_from_json(object, lower, &output.spec, &err), -EINVAL, "%s was taken",
		     text);
	cr_expect_eq(err.kind, ERROR_INVALID);
	cr_expect_str_eq(err.path, path, "%s: path %s, not %s", text, err.path, path);
	cr_expect_eq(strncmp(err.text, expected, strlen(expected)), 0, "%s, not %s", err.text,
		     expected);
	for (size_t i = 0; i < sizeof(output.bytes); i++)
		touched = touched || output.bytes[i] != UNTOUCHED;
	cr_expect_not(touched, "%s: output touched", text);
}

Test(spec_json, refuses_what_is_wrong_and_names_its_place)
{
	static const struct {
		const char *text, *path, *expected;
	} samples[] = {
		{ "[]", "", "must be an object" },
		{ "{}", "name", "name: is missing: every app must say it" },
		{ "{'name': 'a', 'command': [], 'directory': '/'}", "command",
		  "command: is empty: every app must say it" },
		{ "{'name':'a'}", "command", "command: is missing" },
		{ "{'name':'a','command':['b']}", "directory", "directory: is missing" },
		{ APP(",'nmae':'x'"), "", "\"nmae\" is no key here; did you mean name?" },
		{ APP(",'x\\n':1"), "", "\"x\\n\" is no key here" },
		{ APP(",'memory':'1G'"), "",
		  "\"memory\" is no key here; did you mean limits.memory?" },
		{ APP(",'limits':{'memroy':'1G'}"), "limits",
		  "limits: \"memroy\" is no key here; did you mean memory?" },
		{ APP(",'limits':{'grace':1}"), "limits", "limits: \"grace\" is no key here" },
		{ APP(",'limits':[]"), "limits", "limits: must be an object" },
		{ APP(",'limits':null"), "limits", "limits: must be an object" },
		{ APP(",'tenant':null"), "tenant", "tenant: must be a string" },
		{ APP(",'user':1000"), "user", "user: must be a string" },
		{ "{'name':'a','command':'b','directory':'/'}", "command",
		  "command: must be a list" },
		{ "{'name':'a','command':['b',1],'directory':'/'}", "command[1]",
		  "command[1]: must be a string" },
		{ APP(",'environment':['A=1']"), "environment",
		  "environment: must be an object: {\"NAME\": \"value\"}" },
		{ APP(",'environment':{'A':1}"), "environment.A",
		  "environment.A: must be a string" },
		{ APP(",'environment':{'A B':'1'}"), "environment[\"A B\"]",
		  "environment[\"A B\"]: is no name of a variable: letters, digits" },
		{ APP(",'environment':{'A=B':'1'}"), "environment[\"A=B\"]",
		  "environment[\"A=B\"]: is no name of a variable" },
		{ APP(",'environment':{'':'1'}"), "environment[\"\"]",
		  "environment[\"\"]: is no name of a variable" },
		{ APP(",'limits':{'memory':'12Q'}"), "limits.memory",
		  "limits.memory: \"12Q\" is not a size: write bytes, or a number with K, M, G" },
		{ APP(",'limits':{'memory':1.5}"), "limits.memory",
		  "limits.memory: must be a size: \"256M\", or a whole number of bytes" },
		{ APP(",'limits':{'memory':-1}"), "limits.memory", "limits.memory: \"-1\" is not" },
		{ APP(",'limits':{'memory':true}"), "limits.memory",
		  "limits.memory: must be a size" },
		{ APP(",'limits':{'cpu':0.0001}"), "limits.cpu",
		  "limits.cpu: is too fine: CPU is given in steps of 0.001 cores" },
		{ APP(",'limits':{'cpu':0.001}"), "limits.cpu",
		  "limits.cpu: \"0.001\" is too little CPU" },
		{ APP(",'limits':{'cpu':1e300}"), "limits.cpu",
		  "limits.cpu: must be a number of cores from 0.01 to 4096" },
		{ APP(",'limits':{'cpu':-1.5}"), "limits.cpu", "limits.cpu: must be a number" },
		{ APP(",'limits':{'cpu':[]}"), "limits.cpu", "limits.cpu: must be a share of CPU" },
		{ APP(",'limits':{'pids':0}"), "limits.pids",
		  "limits.pids: \"0\" is not a whole number from 1 to 4194304, or max" },
		{ APP(",'limits':{'pids':1.0}"), "limits.pids",
		  "limits.pids: must be a whole number or \"max\"" },
		{ APP(",'limits':{'nofile':'max'}"), "limits.nofile",
		  "limits.nofile: \"max\" is not a whole number from 16 to 1048576" },
		{ APP(",'limits':{'cpu_weight':10001}"), "limits.cpu_weight",
		  "limits.cpu_weight: \"10001\" is not a whole number from 1 to 10000" },
		{ APP(",'limits':{'io':[]}"), "limits.io",
		  "limits.io: must be an object: {\"/srv\": {\"rbps\": \"20M\"}}" },
		{ APP(",'limits':{'io':{'srv':{'rbps':1}}}"), "limits.io.srv",
		  "limits.io.srv: is not an absolute path" },
		{ APP(",'limits':{'io':{'/srv/':{'rbps':1}}}"), "limits.io[\"/srv/\"]",
		  "limits.io[\"/srv/\"]: is not an absolute path" },
		{ APP(",'limits':{'io':{'/srv':'20M'}}"), "limits.io[\"/srv\"]",
		  "limits.io[\"/srv\"]: must be an object" },
		{ APP(",'limits':{'io':{'/srv':{}}}"), "limits.io[\"/srv\"]",
		  "limits.io[\"/srv\"]: is empty: write rbps, wbps, riops or wiops" },
		{ APP(",'limits':{'io':{'/srv':{'rbp':1}}}"), "limits.io[\"/srv\"]",
		  "limits.io[\"/srv\"]: \"rbp\" is no key here; did you mean rbps?" },
		{ APP(",'limits':{'io':{'/srv':{'rbps':'1K'}}}"), "limits.io[\"/srv\"].rbps",
		  "limits.io[\"/srv\"].rbps: 1K is too little: at least 4K" },
		{ APP(",'limits':{'io':{'/srv':{'wiops':1}}}"), "limits.io[\"/srv\"].wiops",
		  "limits.io[\"/srv\"].wiops: \"1\" is not a whole number from 2" },
		{ APP(",'isolation':{'network':'off'}"), "isolation.network",
		  "isolation.network: \"off\" is not known here: write host, none or private" },
		{ APP(",'listen':'127.0.0.1:8000'"), "listen", "listen: must be a list" },
		{ APP(",'isolation':{'egress':'any'}"), "isolation.egress",
		  "isolation.egress: must be a list" },
		{ APP(",'isolation':{'egress':[]}"), "isolation.egress",
		  "isolation.egress: is empty: write [\"none\"] to reach nothing, [\"any\"] to "
		  "reach everything" },
		{ APP(",'isolation':{'egress':['any',1]}"), "isolation.egress[1]",
		  "isolation.egress[1]: must be a string" },
		{ APP(",'isolation':{'readable':'/srv'}"), "isolation.readable",
		  "isolation.readable: must be a list" },
		{ APP(",'syscalls':['a']"), "syscalls", "syscalls: must be a string or an object" },
		{ APP(",'syscalls':{'mode':'log'}"), "syscalls.profile",
		  "syscalls.profile: is missing" },
		{ APP(",'syscalls':{'profile':1}"), "syscalls.profile",
		  "syscalls.profile: must be a string" },
		{ APP(",'syscalls':{'profile':'a','mode':'lax'}"), "syscalls.mode",
		  "syscalls.mode: \"lax\" is not known here: write enforce, log or canary" },
		{ APP(",'syscalls':{'profile':'a','modus':'log'}"), "syscalls",
		  "syscalls: \"modus\" is no key here" },
		{ APP(",'restart':'never'"), "restart", "restart: must be an object" },
		{ APP(",'restart':{'mode':'no'}"), "restart.mode",
		  "restart.mode: \"no\" is not known here: write always, on-failure or never" },
		{ APP(",'restart':{'backoff':'5 parsecs'}"), "restart.backoff",
		  "restart.backoff: \"5 parsecs\" is not a time" },
		{ APP(",'restart':{'backoff':1.5}"), "restart.backoff",
		  "restart.backoff: must be a time: \"5s\", or a whole number of seconds" },
		{ APP(",'oom':'all'"), "oom",
		  "oom: \"all\" is not known here: write worker or app" },
		{ APP(",'stop':{'signal':'SIGNOPE'}"), "stop.signal",
		  "stop.signal: \"SIGNOPE\" is not a signal" },
		{ APP(",'stop':{'signal':0}"), "stop.signal",
		  "stop.signal: \"0\" is not a signal" },
		{ APP(",'log':{'target':'syslog'}"), "log.target",
		  "log.target: \"syslog\" is not known here: write journal or file" },
		{ APP(",'log':{'keep':1001}"), "log.keep",
		  "log.keep: \"1001\" is not a whole number from 0 to 1000" },
		{ APP(",'log':{'rate':0}"), "log.rate",
		  "log.rate: \"0\" is not a whole number from 1 to 1000000, or max" },
		{ APP(",'enabled':1"), "enabled", "enabled: must be true or false" },
		{ APP(",'enabled':'yes'"), "enabled", "enabled: must be true or false" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(samples); i++)
		expect_refused(samples[i].text, NULL, samples[i].path, samples[i].expected);
}

/* `count` entries between open and close, the number of each in place of '#'. */
static char *repeated(const char *open, const char *entry, size_t count, const char *close)
{
	static char text[JSON_TEXT_MAX];
	size_t used = (size_t)snprintf(text, sizeof(text), "%s", open);
	const char *hash = strchr(entry, '#');

	for (size_t i = 0; i < count; i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%.*s%zu%s",
					 i > 0 ? "," : "", (int)(hash - entry), entry, i, hash + 1);
	cr_assert_lt(used + strlen(close), sizeof(text));
	memcpy(text + used, close, strlen(close) + 1);
	return text;
}

Test(spec_json, bounds_every_list)
{
	expect_refused(
		repeated("{'name':'a','directory':'/','command':[", "'#'", SPEC_ARGV_MAX + 1, "]}"),
		NULL, "command", "command: 1025 entries are too many: at most 1024");
	expect_refused(repeated("{'environment':{", "'A#':''", SPEC_ENVIRONMENT_MAX + 1, "}}"),
		       NULL, "environment",
		       "environment: 1025 variables are too many: at most 1024");
	expect_refused(repeated("{'environment_files':[", "'/#'", SPEC_PATHS_MAX + 1, "]}"), NULL,
		       "environment_files",
		       "environment_files: 65 entries are too many: at most 64");
	expect_refused(repeated("{'limits':{'io':{", "'/#':{'rbps':'1M'}", SPEC_IO_MAX + 1, "}}}"),
		       NULL, "limits.io", "limits.io: 17 paths are too many: at most 16");
}

static const char defaults_text[] =
	"{'limits':{'memory':'256M','memory_high':'200M','pids':64,'io':{'/srv':{'rbps':'20M',"
	"'wbps':'20M'},'/var/www':{'rbps':'1M'}}},'environment':{'A':'all','B':'all'},"
	"'isolation':{'readable':['/srv/y','/srv/z']},'syscalls':'strict','enabled':false}";

Test(spec_json, takes_defaults_below_what_the_app_says)
{
	_cleanup_spec_ struct app_spec spec = read_with(APP(",'environment':{'B':'app','C':'app'},"
							    "'isolation':{'readable':['/srv/x']}"),
							defaults_text);

	cr_expect_str_eq(strings_env_get(&spec.environment, "A"), "all");
	cr_expect_str_eq(strings_env_get(&spec.environment, "B"), "app");
	cr_expect_str_eq(strings_env_get(&spec.environment, "C"), "app");
	cr_expect_eq(spec.environment.count, 3);
	cr_assert_eq(spec.isolation.readable.count, 1);
	cr_expect_str_eq(spec.isolation.readable.items[0], "/srv/x");
	cr_expect_not(spec.enabled);
	/* a plan may come before these */
	cr_expect_eq(spec.limits.memory_max, LIMIT_UNSET);
	cr_expect_eq(spec.limits.io_count, 0);
	cr_expect_null(spec.syscalls.profile);
}

Test(spec_json, fills_limits_and_syscalls_of_the_defaults_in_later)
{
	_cleanup_json_ json_t *defaults = json_from(defaults_text);
	_cleanup_spec_ struct app_spec
		spec = read_with(APP(",'limits':{'memory':'128M','io':{'/srv':{'wbps':'5M'}}}"),
				 defaults_text),
		other = read_with(APP(",'syscalls':'docker'"), defaults_text);
	struct error err = { 0 };

	cr_assert_eq(spec_fill_defaults(defaults, &spec, &err), 0, "%s", err.text);
	cr_expect_eq(spec.limits.memory_max, 128 * MIB);
	cr_expect_eq(spec.limits.memory_high, LIMIT_UNSET, "above the app's memory");
	cr_expect_eq(spec.limits.pids_max, 64);
	cr_assert_eq(spec.limits.io_count, 2);
	cr_expect_eq(spec_find_io(&spec.limits, "/srv")->rbps, 20 * MIB);
	cr_expect_eq(spec_find_io(&spec.limits, "/srv")->wbps, 5 * MIB);
	cr_expect_eq(spec_find_io(&spec.limits, "/var/www")->rbps, 1 * MIB);
	cr_expect_str_eq(spec.syscalls.profile, "strict");

	cr_assert_eq(spec_fill_defaults(defaults, &other, &err), 0, "%s", err.text);
	cr_expect_eq(other.limits.memory_max, 256 * MIB);
	cr_expect_eq(other.limits.memory_high, 200 * MIB);
	cr_expect_str_eq(other.syscalls.profile, "docker");
}

Test(spec_json, a_profile_and_its_mode_are_one_word)
{
	static const char defaults[] = "{'syscalls':{'profile':'strict','mode':'log'}}";
	_cleanup_json_ json_t *given = json_from(defaults);
	_cleanup_spec_ struct app_spec silent = read_with(APP(""), defaults),
				       own = read_with(APP(",'syscalls':'docker'"), defaults);
	struct error err = { 0 };

	cr_expect_null(silent.syscalls.profile);
	cr_expect_eq(silent.syscalls.mode, SYSCALLS_ENFORCE);
	cr_assert_eq(spec_fill_defaults(given, &silent, &err), 0, "%s", err.text);
	cr_expect_str_eq(silent.syscalls.profile, "strict");
	cr_expect_eq(silent.syscalls.mode, SYSCALLS_LOG);

	cr_assert_eq(spec_fill_defaults(given, &own, &err), 0, "%s", err.text);
	cr_expect_str_eq(own.syscalls.profile, "docker");
	cr_expect_eq(own.syscalls.mode, SYSCALLS_ENFORCE);
}

Test(spec_json, writes_a_mode_only_where_there_is_something_to_say)
{
	static const char *const samples[][2] = {
		{ APP(",'syscalls':{'profile':'a','mode':'enforce'}"), "'syscalls':'a'" },
		{ APP(",'syscalls':{'profile':'a'}"), "'syscalls':'a'" },
		{ APP(",'syscalls':{'mode':'canary','profile':'a'}"),
		  "'syscalls':{'profile':'a','mode':'canary'}" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		_cleanup_spec_ struct app_spec spec = read_with(samples[i][0], NULL);
		_cleanup_free_ char *text = written(&spec);

		cr_expect_not_null(strstr(text, samples[i][1]), "%s", text);
	}
}

Test(spec_json, refuses_defaults_of_what_is_each_apps_own)
{
	expect_refused(APP(""), "{'user':'www'}", "defaults.user",
		       "defaults.user: can't be set here: leave it out");
	expect_refused(APP(""), "{'limits':{'pids':0}}", "defaults.limits.pids",
		       "defaults.limits.pids: \"0\" is not a whole number");
}

Test(spec_json, writes_canonically)
{
	_cleanup_spec_ struct app_spec spec =
		read_with(APP(",'limits':{'memory':201326592,'memory_high':1234567891,'cpu':0.505,"
			      "'pids':'64','io':{'/srv':{'rbps':1048576,'riops':'max'}}},"
			      "'stop':{'signal':2,'grace':90}"),
			  NULL);
	_cleanup_free_ char *text = written(&spec);

	cr_expect_str_eq(
		text,
		"{'name':'blog','command':['gunicorn'],'directory':'/srv/blog',"
		"'limits':{'memory':'192M','memory_high':'1234567891','cpu':'50.5%','pids':64,"
		"'io':{'/srv':{'rbps':'1M','riops':'max'}}},'isolation':{'network':'host'},"
		"'restart':{'mode':'on-failure','max_restarts':5,'backoff':'1s',"
		"'backoff_max':'1min','stable':'1min'},'oom':'worker','tripwire':true,"
		"'pressure':{'notify':'70%','reclaim':'80%','recycle':'off','restart':'off',"
		"'kill':'off','cooldown':'30s'},"
		"'stop':{'signal':'SIGINT','grace':'1min 30s'},"
		"'log':{'target':'journal','max_size':'10M','keep':5,'rate':333},"
		"'enabled':true}");
}

Test(spec_json, reads_back_what_it_writes)
{
	static const char *const texts[] = {
		APP(""),
		APP(",'tenant':'a','plan':'b','user':'33:33','syscalls':'/etc/x.json'"),
		APP(",'syscalls':{'profile':'a','mode':'log'}"),
		APP(",'environment':{'A':'','B':'\\n\\u001b=\\u00fc'}"),
		APP(",'limits':{'memory':'max','memory_swap':0,'cpu':'max','tmp_size':65537}"),
		APP(",'restart':{'backoff':'1us','stable':'3d 4h 1ms'},'log':{'rate':'max'}"),
		APP(",'limits':{'io':{'/':{'wbps':'4097B'},'/srv/[a].b':{'wiops':2}}}"),
		APP(",'stop':{'signal':'RTMIN+3'},'oom':'app','enabled':false"),
		APP(",'health':{'http':'http://127.0.0.1:8000/a'}"),
		APP(",'health':{'http':'http://unix:/a:/"
		    "','host':'a.b','interval':'5s','timeout':'1s',"
		    "'failures':7,'start_period':0,'restart':'unhealthy'}"),
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		_cleanup_spec_ struct app_spec spec = read_with(texts[i], NULL);
		_cleanup_free_ char *once = written(&spec);
		_cleanup_spec_ struct app_spec again = read_with(once, NULL);
		_cleanup_free_ char *twice = written(&again);

		cr_expect_str_eq(once, twice);
		for (size_t j = 0; j < spec_row_count; j++)
			cr_expect(spec_rows[j].codec->same(
					  spec_row_member_const(&spec_rows[j], &spec),
					  spec_row_member_const(&spec_rows[j], &again)),
				  "%s: %s differs", texts[i],
				  spec_json_labels.of[spec_rows[j].field]);
	}
}

Test(spec_json, does_not_write_what_json_cannot_hold)
{
	_cleanup_spec_ struct app_spec spec = read_with(APP(""), NULL);
	json_t *object = NULL;
	struct error err = { 0 };

	cr_assert_eq(strings_append(&spec.environment, "HOME", &err), 0);
	cr_expect_eq(spec_to_json(&spec, &object, &err), -EINVAL);
	cr_expect_str_eq(err.text,
			 "environment: \"HOME\" asks for a caller's own value: write NAME=value");
	cr_expect_str_eq(err.path, "environment");
	strings_clear(&spec.environment);
	cr_assert_eq(strings_append(&spec.command, "\xff", &err), 0);
	cr_expect_eq(spec_to_json(&spec, &object, &err), -EINVAL);
	cr_expect_str_eq(err.text, "command: \"\\xff\" is not valid UTF-8, which JSON must be");
	cr_expect_null(object);
}

Test(spec_json, changes_only_the_limits_that_are_said)
{
	static const struct place document = { NULL, NULL, 0 };
	static const struct place at = { &document, "limits", 0 };
	_cleanup_spec_ struct app_spec spec =
		read_with(APP(",'limits':{'memory':'128M','pids':9,"
			      "'io':{'/srv':{'rbps':'5M','wbps':'5M'}}}"),
			  NULL);
	_cleanup_json_ json_t *good = json_from("{'memory':'64M','io':{'/srv':{'wbps':'1M'}}}"),
			      *bad = json_from("{'memory':'32M','cpu':'x'}"),
			      *not_wanted = json_from("{'nofile':99}");
	uint64_t fields = SPEC_FIELDS_ALL & ~SPEC_FIELD_BIT(FIELD_NOFILE);
	struct error err = { 0 };

	cr_expect_eq(spec_limits_from_json(good, fields, &at, &spec.limits, &err), 0);
	cr_expect_eq(spec.limits.memory_max, 64 * MIB);
	cr_expect_eq(spec.limits.pids_max, 9);
	cr_expect_eq(spec.limits.io[0].rbps, 5 * MIB);
	cr_expect_eq(spec.limits.io[0].wbps, 1 * MIB);

	cr_expect_eq(spec_limits_from_json(bad, fields, &at, &spec.limits, &err), -EINVAL);
	cr_expect_str_eq(err.path, "limits.cpu");
	cr_expect_eq(spec.limits.memory_max, 64 * MIB);

	cr_expect_eq(spec_limits_from_json(not_wanted, fields, &at, &spec.limits, &err), -EINVAL);
	cr_expect_str_eq(err.text, "limits.nofile: can't be set here: leave it out");
}

/* --- what is written by hand elsewhere -------------------------------------------------------- */

static const char page_path[] = "man/pysbx.json.5";

/* The page from its section `section` on to the next one; skips the test outside of the source
 * tree. */
static char *read_section_of_page(const char *section)
{
	_cleanup_fclose_ FILE *file = fopen(page_path, "re");
	static char page[JSON_TEXT_MAX];
	char heading[64], *start, *end;

	if (file == NULL)
		cr_skip_test("%s: %s: run in the source tree", page_path, strerror(errno));
	memset(page, 0, sizeof(page));
	cr_assert_lt(fread(page, 1, sizeof(page) - 1, file), sizeof(page) - 1, "too large");
	snprintf(heading, sizeof(heading), "\n.Sh %s\n", section);
	start = strstr(page, heading);
	cr_assert_not_null(start, "%s has no section %s", page_path, section);
	end = strstr(start + strlen(heading), "\n.Sh ");
	if (end != NULL)
		*end = '\0';
	return start;
}

static void expect_key(const char *text, const char *key)
{
	char line[128];

	snprintf(line, sizeof(line), "\n.It Ic %s Ar ", key);
	cr_expect_not_null(strstr(text, line), "%s lacks this line: %s", page_path, line + 1);
}

/* No other keys than the `count` that were expected. */
static void expect_key_count(const char *text, size_t count)
{
	size_t found = 0;

	for (const char *at = text; (at = strstr(at, "\n.It Ic ")) != NULL; at++)
		found++;
	cr_expect_eq(found, count, "%zu keys on the page, %zu in the table", found, count);
}

static void expect_keys(const char *section, const char *const keys[], size_t count)
{
	const char *text = read_section_of_page(section);

	for (size_t i = 0; i < count; i++)
		expect_key(text, keys[i]);
	expect_key_count(text, count);
}

Test(spec_json, has_the_keys_of_the_man_page)
{
	const char *text = read_section_of_page("APPLICATIONS");

	for (size_t i = 0; i < spec_row_count; i++)
		expect_key(text, spec_json_labels.of[spec_rows[i].field]);
	expect_key_count(text, spec_row_count);
}

Test(spec_json, has_neighbours_with_the_keys_of_the_man_page)
{
	expect_keys("HOSTING PLANS", hosting_plan_keys, HOSTING_PLAN_KEYS);
	expect_keys("TENANTS", tenant_keys, TENANT_KEYS);
	expect_keys("SETTINGS", settings_keys, SETTINGS_KEYS);
}
