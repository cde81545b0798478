/* SPDX-License-Identifier: MIT */
#include "policy/incident_customer.h"

#include "policy/own.h"
#include "tests/policy/json.h"
#include "tests/policy/json_schema.h"

static const char incident[] =
	"{'schema':2,'app':'web','directory':'/srv/acme/web','level':'app',"
	"'sentence':'the kernel killed gunicorn (pid 4711, 3 inside), a child','advice':'raise it',"
	"'victim':{'pid':4711,'pid_inside':3,'comm':'gunicorn'},"
	"'events':{'above':{'oom':9},'app':{'oom':1}},'kernel':['oom_memcg=/pysbx.slice/x "
	"pid=4711'],"
	"'history':{'time_msec':[1],'processes':[{'pid':4711,'comm':'y'}]},"
	"'steps':[{'step':'recycle','reading':'x','result':'SIGTERM to pid 4712 and pid 4713'}],"
	"'stacks':{'processes':[{'pid':4711,'pid_inside':3,'error':'/proc/4711/root/x: no',"
	"'threads':[{'tid':4714,'frames':["
	"{'function':'a','file':'/srv/acme/web/export.py','line':1},"
	"{'function':'b','file':'/usr/lib/python3/requests/api.py','line':2},"
	"{'function':'c','file':'/x.py','line':3},{'function':'d','file':'<frozen os>','line':4},"
	"{'function':'e','file':'/srv/acme/website/x/y.py','line':5}]}]}]},"
	"'snapshots':[{'processes':[{'pid':4711,'comm':'x'}],'stacks':{'processes':[{'pid':4711}]}}"
	"]}";

Test(incident_customer, leaves_out_what_is_the_hosts)
{
	_cleanup_json_ json_t *value = json_from(incident);
	_cleanup_json_ json_t *before = json_deep_copy(value);
	_cleanup_json_ json_t *shown = incident_for_customer(value);
	_cleanup_free_ char *text = json_text(shown);

	cr_expect(json_equal(value, before), "the incident itself stays");
	cr_expect_null(strstr(text, "471"), "%s", text);
	cr_expect_null(strstr(text, "oom_memcg"), "%s", text);
	cr_expect_null(strstr(text, "/usr/lib"), "%s", text);
	cr_expect_null(strstr(text, "'oom':9"), "%s", text);
	cr_expect_not_null(strstr(text, "killed gunicorn (pid 3), a child"), "%s", text);
	cr_expect_not_null(strstr(text, "'result':'SIGTERM to pid ? and pid ?'"), "%s", text);
	cr_expect_not_null(strstr(text, "'file':'/srv/acme/web/export.py'"), "%s", text);
	cr_expect_not_null(strstr(text, "'file':'.../requests/api.py'"), "%s", text);
	cr_expect_not_null(strstr(text, "'file':'.../x/y.py'"), "%s", text);
	cr_expect_not_null(strstr(text, "'file':'<frozen os>'"), "%s", text);
	cr_expect_not_null(strstr(text, "'tid':1"), "%s", text);
}

Test(incident_customer, has_other_words_without_a_pid_inside)
{
	_cleanup_json_ json_t *value = json_from(
		"{'sentence':'process 47 and gunicorn (pid 47) ended','victim':{'pid':47,"
		"'pid_inside':null},'level':'host','advice':'give the host more memory'}");
	_cleanup_json_ json_t *shown = incident_for_customer(value);

	cr_expect_str_eq(json_string_value(json_object_get(shown, "sentence")),
			 "a process and gunicorn ended");
	cr_expect_not_null(strstr(json_string_value(json_object_get(shown, "advice")),
				  "nothing in the app has to change"));
}

Test(incident_customer, takes_anything)
{
	static const char *const texts[] = {
		"{}", "[]",
		"{'victim':3,'events':[],'stacks':1,"
		"'snapshots':{'a':1},'steps':'x','sentence':7}",
		"{'stacks':{'processes':[1,{'threads':[1,{'frames':[2]}]}]}}"
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		_cleanup_json_ json_t *value = json_from(texts[i]);
		_cleanup_json_ json_t *shown = incident_for_customer(value);

		cr_expect_not_null(shown, "%s", texts[i]);
	}
}
