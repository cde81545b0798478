/* SPDX-License-Identifier: MIT */
#include "policy/own.h"
#include "policy/spec_diff.h"
#include "tests/policy/spec_fixture.h"

#define APP(more) "{'name':'blog','command':['gunicorn'],'directory':'/srv/blog'" more "}"

/* `paths` joined by blanks. */
static void expect_difference(const char *a_text, const char *b_text, const char *paths,
			      bool restart)
{
	struct app_spec a = read_spec(a_text), b = read_spec(b_text);
	struct spec_difference found;
	struct error err = { 0 };
	char joined[512] = "";

	cr_assert_eq(spec_diff(&a, &b, &found, &err), 0);
	for (size_t i = 0; i < found.paths.count; i++)
		snprintf(joined + strlen(joined), sizeof(joined) - strlen(joined), "%s%s",
			 i > 0 ? " " : "", found.paths.items[i]);
	cr_expect_str_eq(joined, paths, "%s against %s: %s", a_text, b_text, joined);
	cr_expect_eq(found.restart, restart, "%s against %s", a_text, b_text);
	cr_expect_eq(__builtin_popcountll(found.fields), (int)found.paths.count);
	spec_difference_clear(&found);
	spec_clear(&a);
	spec_clear(&b);
}

Test(spec_diff, finds_nothing_between_equals)
{
	expect_difference(APP(""), APP(""), "", false);
	expect_difference(APP(",'limits':{'memory':'1G'}"), APP(",'limits':{'memory':1073741824}"),
			  "", false);
	expect_difference(APP(",'environment':{'A':'1','B':'2'}"),
			  APP(",'environment':{'B':'2','A':'1'}"), "", false);
	expect_difference(APP(",'limits':{'io':{'/a':{'rbps':'1M'},'/b':{'rbps':'2M'}}}"),
			  APP(",'limits':{'io':{'/b':{'rbps':'2M'},'/a':{'rbps':'1M'}}}"), "",
			  false);
}

Test(spec_diff, tells_what_a_running_app_takes_as_it_is)
{
	static const struct {
		const char *more, *path;
		bool restart;
	} samples[] = {
		{ APP(",'tenant':'acme'"), "tenant", true },
		{ APP(",'plan':'basic'"), "plan", false },
		{ APP(",'user':'www'"), "user", true },
		{ APP(",'environment':{'A':'1'}"), "environment", true },
		{ APP(",'environment_files':['/srv/env']"), "environment_files", true },
		{ APP(",'limits':{'memory':'1G'}"), "limits.memory", false },
		{ APP(",'limits':{'memory_high':'1G'}"), "limits.memory_high", false },
		{ APP(",'limits':{'memory_swap':'1G'}"), "limits.memory_swap", false },
		{ APP(",'limits':{'cpu':1}"), "limits.cpu", false },
		{ APP(",'limits':{'cpu_weight':1}"), "limits.cpu_weight", false },
		{ APP(",'limits':{'pids':1}"), "limits.pids", false },
		{ APP(",'limits':{'nofile':99}"), "limits.nofile", true },
		{ APP(",'limits':{'tmp_size':'1G'}"), "limits.tmp_size", false },
		{ APP(",'limits':{'io':{'/':{'rbps':'1M'}}}"), "limits.io", false },
		{ APP(",'isolation':{'readable':['/srv/x']}"), "isolation.readable", true },
		{ APP(",'isolation':{'writable':['/srv/x']}"), "isolation.writable", true },
		{ APP(",'isolation':{'network':'none'}"), "isolation.network", true },
		{ APP(",'isolation':{'egress':['none']}"), "isolation.egress", false },
		{ APP(",'listen':['127.0.0.1:8000']"), "listen", true },
		{ APP(",'syscalls':'docker'"), "syscalls", true },
		{ APP(",'restart':{'mode':'never'}"), "restart.mode", false },
		{ APP(",'restart':{'max_restarts':9}"), "restart.max_restarts", false },
		{ APP(",'restart':{'backoff':2}"), "restart.backoff", false },
		{ APP(",'restart':{'backoff_max':99}"), "restart.backoff_max", false },
		{ APP(",'restart':{'stable':9}"), "restart.stable", false },
		{ APP(",'oom':'app'"), "oom", false },
		{ APP(",'stop':{'signal':'INT'}"), "stop.signal", false },
		{ APP(",'stop':{'grace':9}"), "stop.grace", false },
		{ APP(",'health':{'http':'http://[::1]/'}"), "health.http", false },
		{ APP(",'health':{'interval':9}"), "health.interval", false },
		{ APP(",'health':{'restart':'never'}"), "health.restart", false },
		{ APP(",'log':{'target':'file'}"), "log.target", false },
		{ APP(",'log':{'max_size':'1M'}"), "log.max_size", false },
		{ APP(",'log':{'keep':9}"), "log.keep", false },
		{ APP(",'log':{'rate':9}"), "log.rate", false },
		{ APP(",'enabled':false"), "enabled", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		expect_difference(APP(""), samples[i].more, samples[i].path, samples[i].restart);
		expect_difference(samples[i].more, APP(""), samples[i].path, samples[i].restart);
	}
	expect_difference(APP(""), "{'name':'shop','command':['gunicorn','-w2'],'directory':'/'}",
			  "name command directory", true);
}

Test(spec_diff, lists_all_paths_in_the_order_of_the_page)
{
	expect_difference(APP(",'enabled':false,'limits':{'pids':9,'memory':'1G'}"),
			  APP(",'limits':{'memory':'2G'},'oom':'app'"),
			  "limits.memory limits.pids oom enabled", false);
	expect_difference(APP(",'limits':{'io':{'/a':{'rbps':'1M'}}}"),
			  APP(",'limits':{'io':{'/b':{'rbps':'1M'}}}"), "limits.io", false);
	expect_difference(APP(",'environment':{'A':'1'}"), APP(",'environment':{'A':'2'}"),
			  "environment", true);
}
