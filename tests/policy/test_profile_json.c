/* SPDX-License-Identifier: MIT */
#include "policy/document.h"
#include "policy/own.h"
#include "policy/profile_json.h"

#include <criterion/criterion.h>
#include <string.h>

static const struct profile_facts bookworm = { .architecture = PROFILE_X86_64,
					       .kernel_major = 6,
					       .kernel_minor = 1 };

/* The canonical text, one line, single quotes for double ones. */
static void write_again(const char *text, char *buffer, size_t size)
{
	_cleanup_profile_ struct profile *profile = NULL;
	_cleanup_json_ json_t *json = NULL;
	_cleanup_free_ char *dump = NULL;
	struct error err;
	char quoted[4096];

	cr_assert_lt(strlen(text), sizeof(quoted));
	for (size_t i = 0; i <= strlen(text); i++)
		quoted[i] = text[i] == '\'' ? '"' : text[i];
	cr_assert_eq(profile_parse(quoted, strlen(quoted), &bookworm, &profile, &err), 0, "%s",
		     err.text);
	cr_assert_eq(profile_to_json(profile, &json, &err), 0);
	dump = json_dumps(json, JSON_COMPACT);
	cr_assert_lt(strlen(dump), size);
	for (size_t i = 0; i <= strlen(dump); i++)
		buffer[i] = dump[i] == '"' ? '\'' : dump[i];
}

Test(profile_json, writes_docker_s_dialect_as_plain_oci)
{
	static const char docker[] =
		"{'defaultAction':'SCMP_ACT_ERRNO','defaultErrnoRet':1,'archMap':[{'architecture':"
		"'SCMP_ARCH_X86_64','subArchitectures':['SCMP_ARCH_X32']}],'flags':[],'syscalls':["
		"{'names':['write','read','write'],'action':'SCMP_ACT_ALLOW','comment':''},"
		"{'names':['bpf'],'action':'SCMP_ACT_ALLOW','includes':{'caps':['CAP_BPF']}},"
		"{'names':['socket'],'action':'SCMP_ACT_ALLOW','comment':'all below 2','args':["
		"{'index':0,'value':2,'op':'SCMP_CMP_LT'}]},"
		"{'name':'clone','action':'SCMP_ACT_ALLOW','excludes':{'caps':['CAP_SYS_ADMIN']},"
		"'args':[{'index':1,'value':7,'op':'SCMP_CMP_EQ'},{'index':0,'value':2114060288,"
		"'op':'SCMP_CMP_MASKED_EQ'}]},"
		"{'names':['clone3'],'action':'SCMP_ACT_ERRNO','errno':'ENOSYS'}]}";
	static const char canonical[] =
		"{'defaultAction':'SCMP_ACT_ERRNO','defaultErrnoRet':1,'architectures':["
		"'SCMP_ARCH_X86_64'],'syscalls':["
		"{'names':['read','write'],'action':'SCMP_ACT_ALLOW'},"
		"{'comment':'all below 2','names':['socket'],'action':'SCMP_ACT_ALLOW','args':["
		"{'index':0,'op':'SCMP_CMP_EQ','value':0}]},"
		"{'comment':'all below 2','names':['socket'],'action':'SCMP_ACT_ALLOW','args':["
		"{'index':0,'op':'SCMP_CMP_EQ','value':1}]},"
		"{'names':['clone'],'action':'SCMP_ACT_ALLOW','args':[{'index':0,'op':"
		"'SCMP_CMP_MASKED_EQ','value':2114060288,'valueTwo':0},"
		"{'index':1,'op':'SCMP_CMP_EQ','value':7}]},"
		"{'names':['clone3'],'action':'SCMP_ACT_ERRNO','errnoRet':38}]}";
	char text[4096], again[4096];

	write_again(docker, text, sizeof(text));
	cr_expect_str_eq(text, canonical);
	write_again(text, again, sizeof(again));
	cr_expect_str_eq(again, canonical);
}

Test(profile_json, writes_an_empty_profile)
{
	char text[4096];

	write_again("{'defaultAction':'SCMP_ACT_LOG'}", text, sizeof(text));
	cr_expect_str_eq(text, "{'defaultAction':'SCMP_ACT_LOG','architectures':["
			       "'SCMP_ARCH_X86_64','SCMP_ARCH_AARCH64'],'syscalls':[]}");
}
