/* SPDX-License-Identifier: MIT */
#include "policy/own.h"
#include "policy/tenant.h"
#include "tests/policy/spec_fixture.h"

#define UNTOUCHED 0x5a

#define APP(more) "{'name':'blog','command':['gunicorn'],'directory':'/srv/acme/blog'" more "}"
#define ACME                                                                             \
	"{'name':'acme','users':['acme','1001'],'plan':'basic','limits':{'memory':'1G'," \
	"'cpu':'200%','cpu_weight':50,'pids':512,'io':{'/srv':{'rbps':'50M'}}},"         \
	"'directories':['/srv/acme','/home/acme/www']}"

static struct tenant read_tenant(const char *text)
{
	_cleanup_json_ json_t *object = json_from(text);
	struct tenant tenant = { 0 };
	struct error err = { 0 };

	cr_assert_eq(tenant_from_json(object, &tenant, &err), 0, "%s: %s", text, err.text);
	return tenant;
}

Test(tenant, reads_back_what_it_writes)
{
	static const char *const texts[] = { ACME, "{'name':'a','directories':['/srv/b']}" };

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		_cleanup_tenant_ struct tenant tenant = read_tenant(texts[i]);
		_cleanup_json_ json_t *object = NULL;
		_cleanup_free_ char *text = NULL;
		struct error err = { 0 };

		cr_assert_eq(tenant_to_json(&tenant, &object, &err), 0);
		text = json_text(object);
		cr_expect_str_eq(text, texts[i]);
	}
}

Test(tenant, has_a_directory_of_its_name_where_none_is_said)
{
	_cleanup_tenant_ struct tenant tenant = read_tenant("{'name':'acme'}");

	cr_assert_eq(tenant.directories.count, 1);
	cr_expect_str_eq(tenant.directories.items[0], "/srv/acme");
	cr_expect_eq(tenant.users.count, 0);
	cr_expect_null(tenant.plan);
	cr_expect_eq(tenant.limits.memory_max, LIMIT_UNSET);
}

Test(tenant, refuses_what_is_wrong_and_names_its_place)
{
	static const struct {
		const char *text, *path, *expected;
	} samples[] = {
		{ "{}", "name", "name: is missing" },
		{ "{'name':'../x'}", "name", "name: \"../x\" is not a name" },
		{ "{'name':'a','user':['b']}", "", "\"user\" is no key here; did you mean users?" },
		{ "{'name':'a','users':'b'}", "users", "users: must be a list" },
		{ "{'name':'a','users':[1000]}", "users[0]", "users[0]: must be a string" },
		{ "{'name':'a','users':['b','root']}", "users[1]", "users[1]: \"root\" is root" },
		{ "{'name':'a','users':['0']}", "users[0]", "users[0]: \"0\" is root" },
		{ "{'name':'a','users':['33:33']}", "users[0]",
		  "users[0]: \"33:33\" is no login: write a user's name or uid" },
		{ "{'name':'a','users':['b','b']}", "users[1]", "users[1]: \"b\" is there twice" },
		{ "{'name':'a','plan':'B'}", "plan", "plan: \"B\" is not a name" },
		{ "{'name':'a','limits':{'nofile':99}}", "limits.nofile",
		  "limits.nofile: can't be set here: leave it out" },
		{ "{'name':'a','limits':{'tmp_size':'1G'}}", "limits.tmp_size",
		  "limits.tmp_size: can't be set here: leave it out" },
		{ "{'name':'a','limits':{'memory':0}}", "limits.memory",
		  "limits.memory: 0 is too little: at least 4M" },
		{ "{'name':'a','directories':[]}", "directories",
		  "directories: is empty: leave it out for /srv/a" },
		{ "{'name':'a','directories':['srv']}", "directories[0]",
		  "directories[0]: \"srv\" is not an absolute path" },
		{ "{'name':'a','directories':['/srv/../etc']}", "directories[0]",
		  "directories[0]: \"/srv/../etc\" is not an absolute path" },
		{ "{'name':'a','directories':['/srv/a','/']}", "directories[1]",
		  "directories[1]: \"/\" would show the whole host" },
		{ "{'name':'a','directories':['/etc/a']}", "directories[0]",
		  "directories[0]: \"/etc/a\" is the configuration of the whole system" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		_cleanup_json_ json_t *object = json_from(samples[i].text);
		struct tenant tenant;
		struct error err = { 0 };

		memset(&tenant, UNTOUCHED, sizeof(tenant));
		cr_expect_eq(tenant_from_json(object, &tenant, &err), -EINVAL, "%s was taken",
			     samples[i].text);
		cr_expect_eq(strncmp(err.text, samples[i].expected, strlen(samples[i].expected)), 0,
			     "%s, not %s", err.text, samples[i].expected);
		cr_expect_str_eq(err.path, samples[i].path);
		cr_expect_eq(((unsigned char *)&tenant)[0], UNTOUCHED);
	}
}

Test(tenant, may_ask_for_apps_of_its_own)
{
	static const char *const apps[] = {
		APP(""),
		APP(",'tenant':'acme','plan':'basic','user':'acme','syscalls':'strict'"),
		APP(",'user':'1001','isolation':{'readable':['/home/acme/www/lib'],"
		    "'writable':['/srv/acme']},'environment_files':['/srv/acme/env']"),
		APP(",'limits':{'memory':'1G','cpu':2,'cpu_weight':10000,'pids':512,"
		    "'nofile':1048576,'io':{'/srv':{'rbps':'50M','wbps':'max'}}}"),
		APP(",'limits':{'io':{'/srv/acme/data':{'rbps':'5M'}}}"),
	};
	_cleanup_tenant_ struct tenant tenant = read_tenant(ACME);

	for (size_t i = 0; i < ARRAY_SIZE(apps); i++) {
		_cleanup_spec_ struct app_spec spec = read_spec(apps[i]);
		struct error err = { 0 };

		cr_expect_eq(tenant_check_app(&tenant, &spec, &err), 0, "%s: %s", apps[i],
			     err.text);
	}
}

Test(tenant, may_not_ask_for_what_is_an_administrators)
{
	static const struct {
		const char *app;
		enum error_kind kind;
		const char *path, *text;
	} samples[] = {
		{ APP(",'tenant':'other'"), ERROR_DENIED, "tenant",
		  "tenant: \"other\" is not yours: write your own tenant, or leave it out" },
		{ APP(",'plan':'gold'"), ERROR_DENIED, "plan",
		  "plan: \"gold\" is not the plan of your tenant: leave it out" },
		{ APP(",'user':'www-data'"), ERROR_DENIED, "user",
		  "user: \"www-data\" is no user of your tenant: leave it out for an id of its "
		  "own" },
		{ APP(",'user':'1001:0'"), ERROR_DENIED, "user",
		  "user: \"1001:0\" is no user of your tenant: leave it out for an id of its own" },
		{ "{'name':'a','command':['b'],'directory':'/srv/acme2'}", ERROR_DENIED,
		  "directory",
		  "directory: \"/srv/acme2\" is outside of your tenant's directories" },
		{ "{'name':'a','command':['b'],'directory':'/srv/acme/../x'}", ERROR_DENIED,
		  "directory",
		  "directory: \"/srv/acme/../x\" is outside of your tenant's directories" },
		{ APP(",'isolation':{'readable':['/srv/acme','/etc/ssl']}"), ERROR_DENIED,
		  "isolation.readable[1]",
		  "isolation.readable[1]: \"/etc/ssl\" is outside of your tenant's directories" },
		{ APP(",'groups':['docker']"), ERROR_DENIED, "groups[0]",
		  "groups[0]: \"docker\" is for an administrator to give: leave it out" },
		{ APP(",'isolation':{'sockets':['mysql','/run/docker']}"), ERROR_DENIED,
		  "isolation.sockets[1]",
		  "isolation.sockets[1]: \"/run/docker\" is outside of your tenant's directories" },
		{ APP(",'isolation':{'writable':['/srv']}"), ERROR_DENIED, "isolation.writable[0]",
		  "isolation.writable[0]: \"/srv\" is outside of your tenant's directories" },
		{ APP(",'environment_files':['/etc/shadow']"), ERROR_DENIED, "environment_files[0]",
		  "environment_files[0]: \"/etc/shadow\" is outside of your tenant's directories" },
		{ APP(",'listen':['0.0.0.0:8000','0.0.0.0:443']"), ERROR_DENIED, "listen[1]",
		  "listen[1]: \"0.0.0.0:443\" is a port below 1024: only an administrator gives "
		  "those" },
		{ APP(",'listen':['unix:/run/pysbx/listen/shop.sock']"), ERROR_DENIED, "listen[0]",
		  "listen[0]: \"unix:/run/pysbx/listen/shop.sock\" is an administrator's to give: "
		  "write unix:/run/pysbx/listen/blog.sock" },
		{ APP(",'listen':['unix:/srv/acme/blog.sock']"), ERROR_DENIED, "listen[0]",
		  "listen[0]: \"unix:/srv/acme/blog.sock\" is an administrator's to give: write "
		  "unix:/run/pysbx/listen/blog.sock" },
		{ APP(",'listen':['x']"), ERROR_INVALID, "listen[0]",
		  "listen[0]: \"x\" is not an address and a port, for example 127.0.0.1:8000 or "
		  "[::1]:8000, nor unix: and a path, for example "
		  "unix:/run/pysbx/listen/blog.sock" },
		{ APP(",'syscalls':'/srv/acme/all.json'"), ERROR_DENIED, "syscalls",
		  "syscalls: \"/srv/acme/all.json\" is a path: name a profile" },
		{ APP(",'syscalls':{'profile':'python-web','mode':'log'}"), ERROR_DENIED,
		  "syscalls.mode",
		  "syscalls.mode: \"log\" is an administrator's to say: it lifts the filter" },
		{ APP(",'syscalls':{'profile':'python-web','mode':'canary'}"), ERROR_DENIED,
		  "syscalls.mode",
		  "syscalls.mode: \"canary\" is an administrator's to say: it lifts the filter" },
		{ APP(",'limits':{'memory':'2G'}"), ERROR_INVALID, "limits.memory",
		  "limits.memory: 2G is above what tenant acme has, 1G" },
		{ APP(",'limits':{'pids':'max'}"), ERROR_INVALID, "limits.pids",
		  "limits.pids: max is above what tenant acme has, 512" },
		{ APP(",'limits':{'io':{'/root/x':{'rbps':'1M'}}}"), ERROR_DENIED,
		  "limits.io[\"/root/x\"]",
		  "limits.io[\"/root/x\"]: \"/root/x\" is outside of your tenant's directories" },
		{ APP(",'limits':{'io':{'/srv':{'rbps':'51M'}}}"), ERROR_INVALID,
		  "limits.io[\"/srv\"].rbps",
		  "limits.io[\"/srv\"].rbps: 51M is above what tenant acme has, 50M" },
	};
	_cleanup_tenant_ struct tenant tenant = read_tenant(ACME);

	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		_cleanup_spec_ struct app_spec spec = read_spec(samples[i].app);
		struct error err = { 0 };

		cr_expect_eq(tenant_check_app(&tenant, &spec, &err), -EINVAL, "%s was taken",
			     samples[i].app);
		cr_expect_eq(err.kind, samples[i].kind, "%s", err.text);
		cr_expect_str_eq(err.text, samples[i].text);
		cr_expect_str_eq(err.path, samples[i].path);
	}
}

Test(tenant, without_a_plan_may_name_none)
{
	_cleanup_tenant_ struct tenant tenant = read_tenant("{'name':'acme'}");
	_cleanup_spec_ struct app_spec spec = read_spec(APP(",'plan':'basic'"));
	struct error err = { 0 };

	cr_expect_eq(tenant_check_app(&tenant, &spec, &err), -EINVAL);
	cr_expect_eq(err.kind, ERROR_DENIED);
	cr_expect_str_eq(err.path, "plan");
}
