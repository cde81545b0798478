/* SPDX-License-Identifier: MIT */
#include "policy/own.h"
#include "policy/profile.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct profile_facts bookworm = { .architecture = PROFILE_X86_64,
					       .kernel_major = 6,
					       .kernel_minor = 1 };

/* JSON with single quotes for double ones, so that C can hold it readably. */
static const char *requote(const char *text, char *buffer, size_t size)
{
	cr_assert_lt(strlen(text), size);
	for (size_t i = 0; i <= strlen(text); i++)
		buffer[i] = text[i] == '\'' ? '"' : text[i];
	return buffer;
}

static struct profile *parse_on(const char *text, const struct profile_facts *facts)
{
	struct profile *profile = NULL;
	struct error err;
	char json[8192];

	requote(text, json, sizeof(json));
	cr_assert_eq(profile_parse(json, strlen(json), facts, &profile, &err), 0, "%s: %s", text,
		     err.text);
	cr_assert_not_null(profile);
	return profile;
}

static void expect_error(const char *text, const char *message)
{
	struct profile *const untouched = (struct profile *)&bookworm;
	struct profile *profile = untouched;
	struct error err;
	char json[8192];

	requote(text, json, sizeof(json));
	cr_expect_eq(profile_parse(json, strlen(json), &bookworm, &profile, &err), -EINVAL, "%s",
		     text);
	cr_expect_eq(err.kind, ERROR_INVALID);
	cr_expect_str_eq(err.text, message, "%s\nsays: %s\nnot:  %s", text, err.text, message);
	cr_expect_eq(profile, untouched, "%s", text);
}

#define RULES(rules) "{'defaultAction':'SCMP_ACT_ALLOW','syscalls':[" rules "]}"
#define READ	     "'names':['read'],'action':'SCMP_ACT_ERRNO'"
#define RULE(more)   RULES("{" READ "," more "}")
#define ARGS(args)   RULE("'args':[" args "]")

Test(profile, reads_a_whole_rule)
{
	_cleanup_profile_ struct profile *profile = parse_on(
		"{'defaultAction':'SCMP_ACT_ERRNO','defaultErrnoRet':38,"
		"'architectures':['SCMP_ARCH_X86_64','SCMP_ARCH_X32'],'syscalls':["
		"{'names':['read','write'],'action':'SCMP_ACT_ALLOW','comment':'why'},"
		"{'names':['socket'],'action':'SCMP_ACT_ERRNO','errnoRet':97,'args':["
		"{'index':0,'op':'SCMP_CMP_EQ','value':16,'valueTwo':0},"
		"{'index':5,'op':'SCMP_CMP_MASKED_EQ','value':4294967295,'valueTwo':9}]}]}",
		&bookworm);
	const struct profile_rule *rule = &profile->rules[1];

	cr_expect_eq(profile->default_action, PROFILE_ERRNO);
	cr_expect_eq(profile->default_errnum, 38);
	cr_assert_eq(profile->rule_count, 2);
	cr_assert_eq(profile->rules[0].name_count, 2);
	cr_expect_str_eq(profile->rules[0].names[0], "read");
	cr_expect_str_eq(profile->rules[0].names[1], "write");
	cr_expect_eq(profile->rules[0].action, PROFILE_ALLOW);
	cr_expect_eq(profile->rules[0].errnum, 0);
	cr_expect_eq(profile->rules[0].argument_count, 0);
	cr_expect_eq(rule->position, 1);
	cr_expect_eq(rule->action, PROFILE_ERRNO);
	cr_expect_eq(rule->errnum, 97);
	cr_assert_eq(rule->argument_count, 2);
	cr_expect_eq(rule->arguments[0].index, 0);
	cr_expect_eq(rule->arguments[0].mask, UINT32_MAX,
		     "a refusal looks at what the kernel takes");
	cr_expect_eq(rule->arguments[0].value, 16);
	cr_expect_eq(rule->arguments[1].index, 5);
	cr_expect_eq(rule->arguments[1].mask, 0xffffffff);
	cr_expect_eq(rule->arguments[1].value, 9);
}

Test(profile, knows_every_action_and_gives_eperm_where_no_errno_is_said)
{
	static const struct {
		const char *text;
		enum profile_action action;
		uint16_t errnum;
	} rows[] = {
		{ "{'defaultAction':'SCMP_ACT_ALLOW'}", PROFILE_ALLOW, 0 },
		{ "{'defaultAction':'SCMP_ACT_ERRNO'}", PROFILE_ERRNO, EPERM },
		{ "{'defaultAction':'SCMP_ACT_ERRNO','defaultErrnoRet':1}", PROFILE_ERRNO, 1 },
		{ "{'defaultAction':'SCMP_ACT_ERRNO','defaultErrnoRet':4094}", PROFILE_ERRNO,
		  4094 },
		{ "{'defaultAction':'SCMP_ACT_KILL'}", PROFILE_KILL_THREAD, 0 },
		{ "{'defaultAction':'SCMP_ACT_KILL_THREAD'}", PROFILE_KILL_THREAD, 0 },
		{ "{'defaultAction':'SCMP_ACT_KILL_PROCESS'}", PROFILE_KILL_PROCESS, 0 },
		{ "{'defaultAction':'SCMP_ACT_TRAP'}", PROFILE_TRAP, 0 },
		{ "{'defaultAction':'SCMP_ACT_LOG'}", PROFILE_LOG, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_profile_ struct profile *profile = parse_on(rows[i].text, &bookworm);
		cr_expect_eq(profile->default_action, rows[i].action, "%s", rows[i].text);
		cr_expect_eq(profile->default_errnum, rows[i].errnum, "%s", rows[i].text);
		cr_expect_eq(profile->rule_count, 0);
	}
}

Test(profile, takes_null_for_absent_and_the_older_single_name)
{
	_cleanup_profile_ struct profile *profile = parse_on(
		"{'defaultAction':'SCMP_ACT_ALLOW','defaultErrnoRet':null,'archMap':null,"
		"'syscalls':[{'name':'read','names':null,'action':'SCMP_ACT_ERRNO',"
		"'errnoRet':null,'args':null,'comment':null,'includes':{},'excludes':null}]}",
		&bookworm);

	cr_assert_eq(profile->rule_count, 1);
	cr_assert_eq(profile->rules[0].name_count, 1);
	cr_expect_str_eq(profile->rules[0].names[0], "read");
	cr_expect_eq(profile->rules[0].errnum, EPERM);
}

/* ioctl(fd, TIOCSTI | 1<<32) is TIOCSTI to the kernel. */
Test(profile, a_refusal_of_a_value_holds_whatever_the_high_bits_are)
{
	static const struct {
		const char *action;
		unsigned long long value;
		uint64_t mask;
	} rows[] = {
		{ "SCMP_ACT_ERRNO", 0x5412, UINT32_MAX },
		{ "SCMP_ACT_KILL_PROCESS", UINT32_MAX, UINT32_MAX },
		{ "SCMP_ACT_ERRNO", UINT64_C(1) << 32, UINT64_MAX },
		{ "SCMP_ACT_ALLOW", 0x5401, UINT64_MAX },
	};

	for (size_t row = 0; row < ARRAY_SIZE(rows); row++) {
		_cleanup_profile_ struct profile *profile = NULL;
		char text[512];

		snprintf(text, sizeof(text),
			 "{'defaultAction':'SCMP_ACT_KILL_THREAD','syscalls':[{'names':['ioctl'],"
			 "'action':'%s','args':[{'index':1,'value':%llu,'op':'SCMP_CMP_EQ'}]}]}",
			 rows[row].action, rows[row].value);
		profile = parse_on(text, &bookworm);
		cr_expect_eq(profile->rules[0].arguments[0].mask, rows[row].mask);
		cr_expect_eq(profile->rules[0].arguments[0].value, rows[row].value);
	}
}

Test(profile, writes_less_than_out_as_equalities)
{
	static const struct {
		const char *text;
		size_t count;
	} rows[] = {
		{ ARGS("{'index':2,'op':'SCMP_CMP_LT','value':3}"), 3 },
		{ ARGS("{'index':2,'op':'SCMP_CMP_LE','value':3}"), 4 },
		{ ARGS("{'index':2,'op':'SCMP_CMP_LE','value':0}"), 1 },
		{ ARGS("{'index':2,'op':'SCMP_CMP_LT','value':64}"), 64 },
	};

	for (size_t row = 0; row < ARRAY_SIZE(rows); row++) {
		_cleanup_profile_ struct profile *profile = parse_on(rows[row].text, &bookworm);
		cr_assert_eq(profile->rule_count, rows[row].count, "%s", rows[row].text);
		for (size_t i = 0; i < profile->rule_count; i++) {
			const struct profile_rule *rule = &profile->rules[i];
			cr_assert_eq(rule->argument_count, 1);
			cr_expect_eq(rule->arguments[0].index, 2);
			cr_expect_eq(rule->arguments[0].mask, UINT32_MAX);
			cr_expect_eq(rule->arguments[0].value, i);
			cr_expect_eq(rule->position, 0);
			cr_expect_str_eq(rule->names[0], "read");
		}
	}
}

Test(profile, writes_not_out_as_a_difference_in_each_of_32_bits)
{
	_cleanup_profile_ struct profile *profile = parse_on(
		RULES("{'names':['socket'],'action':'SCMP_ACT_ALLOW','args':[{'index':0,'value':40,"
		      "'op':'SCMP_CMP_NE'}]}"),
		&bookworm);

	cr_assert_eq(profile->rule_count, 32);
	for (size_t i = 0; i < 32; i++) {
		const struct profile_argument *argument = &profile->rules[i].arguments[0];
		cr_expect_eq(argument->mask, UINT64_C(1) << i);
		cr_expect_eq(argument->value, (40U >> i & 1) != 0 ? 0 : UINT64_C(1) << i);
	}
}

Test(profile, keeps_the_other_arguments_beside_a_less_than)
{
	_cleanup_profile_ struct profile *profile =
		parse_on(ARGS("{'index':1,'op':'SCMP_CMP_EQ','value':7},"
			      "{'index':0,'op':'SCMP_CMP_LT','value':2}"),
			 &bookworm);

	cr_assert_eq(profile->rule_count, 2);
	for (size_t i = 0; i < 2; i++) {
		cr_assert_eq(profile->rules[i].argument_count, 2);
		cr_expect_eq(profile->rules[i].arguments[0].value, 7);
		cr_expect_eq(profile->rules[i].arguments[1].value, i);
	}
}

/* --- dialects --- */

Test(profile, takes_podmans_names_of_errnos_and_empty_words)
{
	_cleanup_profile_ struct profile *profile = parse_on(
		"{'defaultAction':'SCMP_ACT_ERRNO','defaultErrnoRet':38,'defaultErrno':'ENOSYS',"
		"'listenerPath':'','flags':['SECCOMP_FILTER_FLAG_TSYNC',"
		"'SECCOMP_FILTER_FLAG_SPEC_ALLOW','SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV'],"
		"'syscalls':[{'names':['read'],'action':'SCMP_ACT_ERRNO','errno':'EINVAL',"
		"'comment':'','args':[],'includes':{},'excludes':{}}]}",
		&bookworm);

	cr_expect_eq(profile->default_errnum, ENOSYS);
	cr_assert_eq(profile->rule_count, 1);
	cr_expect_eq(profile->rules[0].errnum, EINVAL);
	cr_expect_null(profile->rules[0].comment);
}

Test(profile, keeps_comments_and_an_errno_of_0)
{
	_cleanup_profile_ struct profile *profile =
		parse_on(RULE("'errnoRet':0,'comment':'not made, and said to be'"), &bookworm);

	cr_expect_eq(profile->rules[0].action, PROFILE_ERRNO);
	cr_expect_eq(profile->rules[0].errnum, 0);
	cr_expect_str_eq(profile->rules[0].comment, "not made, and said to be");
}

Test(profile, bounds_a_comment)
{
	char text[PROFILE_COMMENT_MAX + 200], comment[PROFILE_COMMENT_MAX + 2];
	struct error err;
	char json[sizeof(text)];

	memset(comment, 'x', sizeof(comment));
	comment[PROFILE_COMMENT_MAX] = '\0';
	snprintf(text, sizeof(text), RULE("'comment':'%s'"), comment);
	profile_free(parse_on(text, &bookworm));
	comment[PROFILE_COMMENT_MAX] = 'x';
	comment[PROFILE_COMMENT_MAX + 1] = '\0';
	snprintf(text, sizeof(text), RULE("'comment':'%s'"), comment);
	requote(text, json, sizeof(json));
	struct profile *profile = NULL;
	cr_expect_eq(profile_parse(json, strlen(json), &bookworm, &profile, &err), -EINVAL);
}

Test(profile, knows_which_architectures_a_document_is_for)
{
	enum { X86 = 1 << PROFILE_X86_64, ARM = 1 << PROFILE_AARCH64 };
	static const struct {
		const char *text;
		unsigned expected;
	} rows[] = {
		{ "{'defaultAction':'SCMP_ACT_LOG'}", X86 | ARM },
		{ "{'defaultAction':'SCMP_ACT_LOG','architectures':['SCMP_ARCH_X86_64']}", X86 },
		{ "{'defaultAction':'SCMP_ACT_LOG','architectures':['SCMP_ARCH_X86_64',"
		  "'SCMP_ARCH_X32','SCMP_ARCH_AARCH64']}",
		  X86 | ARM },
		{ "{'defaultAction':'SCMP_ACT_LOG','archMap':[{'architecture':'SCMP_ARCH_X86_64',"
		  "'subArchitectures':['SCMP_ARCH_AARCH64']}]}",
		  X86 },
		{ RULE("'includes':{'arches':['amd64']}"), X86 },
		{ RULE("'excludes':{'arches':['s390x']}"), X86 },
		{ RULE("'excludes':{'minKernel':'4.8'}"), X86 | ARM },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_profile_ struct profile *profile = parse_on(rows[i].text, &bookworm);
		cr_expect_eq(profile->architectures, rows[i].expected, "%s", rows[i].text);
	}
}

/* --- Docker's conditions --- */

Test(profile, decides_conditions_for_a_worker_without_capabilities)
{
	static const struct {
		const char *conditions;
		bool applies;
	} rows[] = {
		{ "'includes':{}", true },
		{ "'includes':{'caps':[]}", true },
		{ "'includes':{'caps':['CAP_SYS_ADMIN']}", false },
		{ "'excludes':{'caps':['CAP_SYS_ADMIN']}", true },
		{ "'includes':{'arches':['amd64','x32']}", true },
		{ "'includes':{'arches':['arm64']}", false },
		{ "'excludes':{'arches':['amd64']}", false },
		{ "'excludes':{'arches':['s390','s390x']}", true },
		{ "'includes':{'minKernel':'4.8'}", true },
		{ "'includes':{'minKernel':'6.1'}", true },
		{ "'includes':{'minKernel':'6.2'}", false },
		{ "'includes':{'minKernel':'6.10'}", false },
		{ "'includes':{'minKernel':'10.0'}", false },
		{ "'excludes':{'minKernel':'4.8'}", false },
		{ "'excludes':{'minKernel':'6.10'}", true },
		{ "'includes':{'arches':['amd64'],'minKernel':'6.2'}", false },
		{ "'includes':{'arches':['amd64'],'caps':['CAP_BPF']}", false },
		{ "'includes':{'arches':['amd64']},'excludes':{'minKernel':'4.8'}", false },
		{ "'includes':{'arches':['amd64']},'excludes':{'caps':['CAP_BPF']}", true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char text[500];
		snprintf(text, sizeof(text), RULE("%s"), rows[i].conditions);
		_cleanup_profile_ struct profile *profile = parse_on(text, &bookworm);
		cr_expect_eq(profile->rule_count, rows[i].applies, "%s", rows[i].conditions);
	}
}

Test(profile, numbers_rules_as_the_file_does_where_one_is_left_out)
{
	_cleanup_profile_ struct profile *profile =
		parse_on(RULES("{" READ ",'includes':{'caps':['CAP_BPF']}},{" READ "}"), &bookworm);

	cr_assert_eq(profile->rule_count, 1);
	cr_expect_eq(profile->rules[0].position, 1);
}

Test(profile, checks_a_rule_also_where_its_condition_leaves_it_out)
{
	expect_error(RULE("'includes':{'arches':['arm64']},'args':[{'index':6,'value':0,"
			  "'op':'SCMP_CMP_EQ'}]"),
		     "syscalls[0].args[0].index: must be a whole number from 0 to 5");
}

Test(profile, wants_the_machines_own_architecture_where_any_is_named)
{
	static const struct profile_facts arm = { .architecture = PROFILE_AARCH64 };
	static const struct {
		const char *text;
		const struct profile_facts *facts;
	} rows[] = {
		{ "{'defaultAction':'SCMP_ACT_LOG','architectures':[]}", &bookworm },
		{ "{'defaultAction':'SCMP_ACT_LOG','architectures':['SCMP_ARCH_AARCH64',"
		  "'SCMP_ARCH_ARM']}",
		  &arm },
		{ "{'defaultAction':'SCMP_ACT_LOG','archMap':[{'architecture':'SCMP_ARCH_S390X',"
		  "'subArchitectures':['SCMP_ARCH_S390']},{'architecture':'SCMP_ARCH_AARCH64',"
		  "'subArchitectures':null}]}",
		  &arm },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		profile_free(parse_on(rows[i].text, rows[i].facts));
	/* a sub-architecture is no architecture of its own */
	expect_error("{'defaultAction':'SCMP_ACT_LOG','archMap':[{'architecture':"
		     "'SCMP_ARCH_AARCH64','subArchitectures':['SCMP_ARCH_X86_64']}]}",
		     "archMap: lacks SCMP_ARCH_X86_64, which this machine is: add it");
}

/* --- bad input --- */

Test(profile, names_the_json_path_of_what_is_wrong)
{
	static const struct {
		const char *text, *message;
	} rows[] = {
		{ "[]", "must be an object" },
		{ "{}", "defaultAction: must be an action, for example SCMP_ACT_ERRNO" },
		{ "{'defaultAction':3}",
		  "defaultAction: must be an action, for example SCMP_ACT_ERRNO" },
		{ "{'defaultAction':'SCMP_ACT_ALOW'}",
		  "defaultAction: \"SCMP_ACT_ALOW\" is not an action; did you mean "
		  "SCMP_ACT_ALLOW?" },
		{ "{'defaultAction':'SCMP_ACT_NOTIFY'}",
		  "defaultAction: SCMP_ACT_NOTIFY needs a tracer beside the worker, there is "
		  "none: write SCMP_ACT_ERRNO or SCMP_ACT_ALLOW" },
		{ "{'defaultAction':'SCMP_ACT_ALLOW','defaultErrnoRet':1}",
		  "defaultErrnoRet: goes with SCMP_ACT_ERRNO only, not with SCMP_ACT_ALLOW" },
		{ "{'defaultAction':'SCMP_ACT_ERRNO','defaultErrnoRet':0}",
		  "defaultErrnoRet: must be an errno from 1 to 4094 (1 is EPERM, 38 ENOSYS)" },
		{ "{'defaultAction':'SCMP_ACT_ERRNO','defaultErrnoRet':4095}",
		  "defaultErrnoRet: must be an errno from 1 to 4094 (1 is EPERM, 38 ENOSYS)" },
		{ "{'defaultAction':'SCMP_ACT_ERRNO','defaultErrnoRet':65537}",
		  "defaultErrnoRet: must be an errno from 1 to 4094 (1 is EPERM, 38 ENOSYS)" },
		{ "{'defaultAction':'SCMP_ACT_ERRNO','defaultErrnoRet':-1}",
		  "defaultErrnoRet: must be a whole number from 0 to 4294967295" },
		{ "{'defaultAction':'SCMP_ACT_ERRNO','defaultErrnoRet':1.0}",
		  "defaultErrnoRet: must be a whole number from 0 to 4294967295" },
		{ "{'defaultAction':'SCMP_ACT_ALLOW','defaultErno':1}",
		  "\"defaultErno\" is not a key known here; did you mean defaultErrno?" },
		{ "{'defaultAction':'SCMP_ACT_ALLOW','syscals':[]}",
		  "\"syscals\" is not a key known here; did you mean syscalls?" },
		{ "{'defaultAction':'SCMP_ACT_ALLOW','listenerPath':'/x'}",
		  "listenerPath: is for a program that answers calls in the worker's place, and "
		  "pysbx hands no filter to others: remove it" },
		{ "{'defaultAction':'SCMP_ACT_ALLOW','listenerMetadata':'x'}",
		  "listenerMetadata: is for a program that answers calls in the worker's place, "
		  "and pysbx hands no filter to others: remove it" },
		{ "{'defaultAction':'SCMP_ACT_ALLOW','flags':'x'}",
		  "flags: must be a list of flags" },
		{ "{'defaultAction':'SCMP_ACT_ALLOW','flags':[1]}",
		  "flags[0]: must be the name of a flag" },
		{ "{'defaultAction':'SCMP_ACT_ALLOW','flags':['SECCOMP_FILTER_FLAG_TSYNC',"
		  "'SECCOMP_FILTER_FLAG_LOG']}",
		  "flags[1]: SECCOMP_FILTER_FLAG_LOG is not supported: remove it, and use "
		  "SCMP_ACT_LOG for calls that the kernel shall log" },
		{ "{'defaultAction':'SCMP_ACT_ALLOW','flags':['SECCOMP_FILTER_FLAG_TSINC']}",
		  "flags[0]: \"SECCOMP_FILTER_FLAG_TSINC\" is not a flag; did you mean "
		  "SECCOMP_FILTER_FLAG_TSYNC?" },
		{ "{'defaultAction':'SCMP_ACT_ERRNO','defaultErrno':'ENOSY'}",
		  "defaultErrno: \"ENOSY\" is not the name of an errno, such as ENOSYS" },
		{ "{'defaultAction':'SCMP_ACT_ERRNO','defaultErrno':38}",
		  "defaultErrno: \"\" is not the name of an errno, such as ENOSYS" },
		{ "{'defaultAction':'SCMP_ACT_ERRNO','defaultErrno':'EPERM','defaultErrnoRet':38}",
		  "defaultErrno: contradicts defaultErrnoRet: write one" },
		{ "{'defaultAction':'SCMP_ACT_ALLOW','defaultErrno':'EPERM'}",
		  "defaultErrno: goes with SCMP_ACT_ERRNO only, not with SCMP_ACT_ALLOW" },
		{ "{'defaultAction':'SCMP_ACT_ALLOW','a\\nb\\u001b':1}",
		  "\"a\\nb\\x1b\" is not a key known here" },
		{ "{'defaultAction':'SCMP_ACT_ALLOW','architectures':'x'}",
		  "architectures: must be a list of architectures" },
		{ "{'defaultAction':'SCMP_ACT_ALLOW','architectures':[1]}",
		  "architectures[0]: must be the name of an architecture" },
		{ "{'defaultAction':'SCMP_ACT_ALLOW','architectures':['SCMP_ARCH_X86_64',"
		  "'SCMP_ARCH_X68']}",
		  "architectures[1]: \"SCMP_ARCH_X68\" is not an architecture; did you mean "
		  "SCMP_ARCH_X86?" },
		{ "{'defaultAction':'SCMP_ACT_ALLOW','architectures':['SCMP_ARCH_S390']}",
		  "architectures: lacks SCMP_ARCH_X86_64, which this machine is: add it" },
		{ "{'defaultAction':'SCMP_ACT_ALLOW','archMap':[{}]}",
		  "archMap[0].architecture: must be the name of an architecture" },
		{ "{'defaultAction':'SCMP_ACT_ALLOW','archMap':[7]}",
		  "archMap[0]: must be an object" },
		{ "{'defaultAction':'SCMP_ACT_ALLOW','architectures':['SCMP_ARCH_X86_64'],"
		  "'archMap':[{'architecture':'SCMP_ARCH_X86_64'}]}",
		  "archMap: contradicts architectures: write one" },
		{ "{'defaultAction':'SCMP_ACT_ALLOW','syscalls':{}}",
		  "syscalls: must be a list of rules" },
		{ RULES("3"), "syscalls[0]: must be an object" },
		{ RULES("{" READ "},{'names':['read']}"),
		  "syscalls[1].action: must be an action, for example SCMP_ACT_ERRNO" },
		{ RULES("{'action':'SCMP_ACT_ALLOW'}"), "syscalls[0].names: is missing" },
		{ RULES("{'names':[],'action':'SCMP_ACT_ALLOW'}"),
		  "syscalls[0].names: must be a list of 1 to 4096 names" },
		{ RULES("{'names':'read','action':'SCMP_ACT_ALLOW'}"),
		  "syscalls[0].names: must be a list of 1 to 4096 names" },
		{ RULE("'name':'read'"), "syscalls[0].names: contradicts name: write one" },
		{ RULES("{'names':['read',7],'action':'SCMP_ACT_ALLOW'}"),
		  "syscalls[0].names[1]: must be the name of a system call" },
		{ RULES("{'names':[''],'action':'SCMP_ACT_ALLOW'}"),
		  "syscalls[0].names[0]: \"\" is not the name of a system call" },
		{ RULES("{'name':'re ad','action':'SCMP_ACT_ALLOW'}"),
		  "syscalls[0].name: \"re ad\" is not the name of a system call" },
		{ RULE("'acton':1"),
		  "syscalls[0]: \"acton\" is not a key known here; did you mean action?" },
		{ RULE("'comment':1"), "syscalls[0].comment: must be text of 1000 bytes at most" },
		{ RULE("'errnoRet':4095"), "syscalls[0].errnoRet: must be an errno from 0 to 4094 "
					   "(1 is EPERM, 38 ENOSYS)" },
		{ RULE("'errno':'EFOO'"),
		  "syscalls[0].errno: \"EFOO\" is not the name of an errno, such as ENOSYS" },
		{ RULE("'args':{}"), "syscalls[0].args: must be a list of 6 comparisons at most" },
		{ ARGS("[]"), "syscalls[0].args[0]: must be an object" },
		{ ARGS("{'index':0,'value':1,'op':'SCMP_CMP_EQ','datum':1}"),
		  "syscalls[0].args[0]: \"datum\" is not a key known here" },
		{ ARGS("{'value':1,'op':'SCMP_CMP_EQ'}"),
		  "syscalls[0].args[0].index: must be a whole number from 0 to 5" },
		{ ARGS("{'index':0,'op':'SCMP_CMP_EQ'}"),
		  "syscalls[0].args[0].value: must be a whole number from 0 to "
		  "9223372036854775807" },
		{ ARGS("{'index':0,'value':-1,'op':'SCMP_CMP_EQ'}"),
		  "syscalls[0].args[0].value: must be a whole number from 0 to "
		  "9223372036854775807" },
		{ ARGS("{'index':0,'value':1}"),
		  "syscalls[0].args[0].op: must be a comparison, for example SCMP_CMP_EQ" },
		{ ARGS("{'index':0,'value':1,'op':'SCMP_CMP_QE'}"),
		  "syscalls[0].args[0].op: \"SCMP_CMP_QE\" is not a comparison; did you mean "
		  "SCMP_CMP_EQ?" },
		{ ARGS("{'index':0,'value':1,'valueTwo':2,'op':'SCMP_CMP_EQ'}"),
		  "syscalls[0].args[0].valueTwo: goes with SCMP_CMP_MASKED_EQ only" },
		{ ARGS("{'index':0,'value':0,'op':'SCMP_CMP_MASKED_EQ'}"),
		  "syscalls[0].args[0].value: is a mask of no bits, which any argument matches: "
		  "leave the argument out" },
		{ ARGS("{'index':0,'value':6,'valueTwo':1,'op':'SCMP_CMP_MASKED_EQ'}"),
		  "syscalls[0].args[0].valueTwo: has bits outside the mask in value: it can "
		  "never match" },
		{ ARGS("{'index':0,'value':0,'op':'SCMP_CMP_LT'}"),
		  "syscalls[0].args[0].value: nothing is less than 0" },
		{ ARGS("{'index':0,'value':65,'op':'SCMP_CMP_LT'}"),
		  "syscalls[0].args[0].value: stands for 65 values, 64 at most are taken: use "
		  "SCMP_CMP_MASKED_EQ" },
		{ ARGS("{'index':0,'value':2,'op':'SCMP_CMP_LT'},"
		       "{'index':1,'value':2,'op':'SCMP_CMP_LE'}"),
		  "syscalls[0].args[1].op: a second \"less than\" or \"not\" in one rule is not "
		  "taken: write the values out" },
		{ ARGS("{'index':0,'value':2,'op':'SCMP_CMP_NE'}"),
		  "syscalls[0].args[0].op: SCMP_CMP_NE is taken in rules that allow: refuse by the "
		  "default action, and allow the values that are wanted" },
		{ RULES("{'names':['read'],'action':'SCMP_ACT_ALLOW','args':[{'index':0,"
			"'value':4294967296,'op':'SCMP_CMP_NE'}]}"),
		  "syscalls[0].args[0].value: is compared as 32 bits by SCMP_CMP_NE: 4294967295 at "
		  "most" },
		{ RULES("{'names':['read'],'action':'SCMP_ACT_ALLOW','args':[{'index':0,'value':4,"
			"'op':'SCMP_CMP_NE'},{'index':1,'value':4,'op':'SCMP_CMP_NE'}]}"),
		  "syscalls[0].args[1].op: a second \"less than\" or \"not\" in one rule is not "
		  "taken: write the values out" },
		{ ARGS("{'index':1,'value':2,'op':'SCMP_CMP_EQ'},"
		       "{'index':1,'value':3,'op':'SCMP_CMP_EQ'}"),
		  "syscalls[0].args[1].index: argument 1 is compared twice in one rule: write two "
		  "rules for \"or\", one mask for \"and\"" },
		{ RULE("'includes':[]"), "syscalls[0].includes: must be an object" },
		{ RULE("'includes':{'cap':[]}"),
		  "syscalls[0].includes: \"cap\" is not a key known here; did you mean caps?" },
		{ RULE("'includes':{'caps':'CAP_BPF'}"),
		  "syscalls[0].includes.caps: must be a list of names" },
		{ RULE("'excludes':{'arches':[1]}"),
		  "syscalls[0].excludes.arches: must be a list of names" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		expect_error(rows[i].text, rows[i].message);
}

Test(profile, refuses_comparisons_that_are_not_safe)
{
	static const char *const operators[] = { "SCMP_CMP_GT", "SCMP_CMP_GE" };

	for (size_t i = 0; i < ARRAY_SIZE(operators); i++) {
		char text[200], message[400];
		snprintf(text, sizeof(text), ARGS("{'index':0,'value':40,'op':'%s'}"),
			 operators[i]);
		snprintf(message, sizeof(message),
			 "syscalls[0].args[0].op: %s lets through values that the kernel then cuts "
			 "to 32 bits: allow the values that are wanted, a rule with SCMP_CMP_EQ or "
			 "SCMP_CMP_MASKED_EQ for each",
			 operators[i]);
		expect_error(text, message);
	}
}

Test(profile, refuses_kernel_versions_that_are_none)
{
	static const char *const versions[] = {
		"''",	 "'4'",	   "'4.'",   "'.8'", "'4.8.1'",
		"'4.x'", "' 4.8'", "'-4.8'", "4.8",  "'4.99999999999999999999'"
	};

	for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
		char text[200];
		snprintf(text, sizeof(text), RULE("'includes':{'minKernel':%s}"), versions[i]);
		expect_error(text, "syscalls[0].includes.minKernel: must be a kernel version, for "
				   "example \"4.8\"");
	}
}

Test(profile, says_line_and_column_of_what_is_not_json)
{
	static const struct {
		const char *text, *beginning;
	} rows[] = {
		{ "", "line 1, column 0: not JSON: " },
		{ "{'defaultAction':\n}", "line 2, column 1: not JSON: " },
		{ "{'defaultAction':'SCMP_ACT_ALLOW'} x", "line 1, column 36: not JSON: " },
		{ "{'defaultAction':'SCMP_ACT_ALLOW','defaultAction':'SCMP_ACT_LOG'}",
		  "line 1, column 49: not JSON: " },
		{ "{'defaultAction':'\\u0000'}", "line 1, column 25: not JSON: " },
		{ ARGS("{'index':0,'value':18446744073709551615,'op':'SCMP_CMP_EQ'}"),
		  "line 1, column 137: not JSON: " },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct profile *profile = NULL;
		struct error err;
		char json[1000];
		requote(rows[i].text, json, sizeof(json));
		cr_expect_eq(profile_parse(json, strlen(json), &bookworm, &profile, &err), -EINVAL);
		cr_expect_eq(strncmp(err.text, rows[i].beginning, strlen(rows[i].beginning)), 0,
			     "%s", err.text);
		cr_expect_null(strpbrk(err.text, "\n\r\x1b"));
		cr_expect_null(profile);
	}
}

/* --- bounds --- */

static int parse_buffer(const char *text, size_t length, struct error *err)
{
	struct profile *profile = NULL;
	int r = profile_parse(text, length, &bookworm, &profile, err);

	profile_free(profile);
	return r;
}

Test(profile, takes_text_up_to_its_limit_and_no_more)
{
	static const char start[] = "{\"defaultAction\":\"SCMP_ACT_LOG\"}";
	_cleanup_free_ char *text = malloc(PROFILE_SIZE_MAX + 1);
	struct error err;

	memset(text, ' ', PROFILE_SIZE_MAX + 1);
	memcpy(text, start, sizeof(start) - 1);
	cr_expect_eq(parse_buffer(text, PROFILE_SIZE_MAX, &err), 0);
	cr_expect_eq(parse_buffer(text, PROFILE_SIZE_MAX + 1, &err), -EINVAL);
	cr_expect_str_eq(err.text, "1048577 bytes are too many: at most 1048576");
}

Test(profile, refuses_deep_nesting)
{
	_cleanup_free_ char *text = malloc(100000);
	struct error err;

	memset(text, '[', 100000);
	cr_expect_eq(parse_buffer(text, 100000, &err), -EINVAL);
	cr_expect_not_null(strstr(err.text, "nested deeper than 32 levels"));
}

/* `count` rules of `names` names each. */
static size_t write_rules(char *text, size_t count, size_t names, const char *args)
{
	char *at = text;

	at += sprintf(at, "{\"defaultAction\":\"SCMP_ACT_LOG\",\"syscalls\":[");
	for (size_t i = 0; i < count; i++) {
		at += sprintf(at, "%s{\"action\":\"SCMP_ACT_ALLOW\"%s,\"names\":[", i ? "," : "",
			      args);
		for (size_t name = 0; name < names; name++)
			at += sprintf(at, "%s\"read\"", name ? "," : "");
		at += sprintf(at, "]}");
	}
	at += sprintf(at, "]}");
	return (size_t)(at - text);
}

Test(profile, bounds_rules_and_names_also_when_written_out)
{
#define LESS ",\"args\":[{\"index\":0,\"op\":\"SCMP_CMP_LT\",\"value\":64}]"
	static const struct {
		size_t count, names;
		const char *args;
		bool taken;
	} rows[] = {
		{ 1024, 4, "", true },	{ 1025, 1, "", false }, { 1, 4096, "", true },
		{ 1, 4097, "", false }, { 2, 2049, "", false }, { 16, 4, LESS, true },
		{ 17, 1, LESS, false }, { 1, 65, LESS, false },
	};
	_cleanup_free_ char *text = malloc(1 << 20);

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		size_t length = write_rules(text, rows[i].count, rows[i].names, rows[i].args);
		struct error err;
		cr_expect_eq(parse_buffer(text, length, &err), rows[i].taken ? 0 : -EINVAL,
			     "%zu rules of %zu names%s", rows[i].count, rows[i].names,
			     rows[i].args);
	}
}

Test(profile, bounds_a_name)
{
	char text[300], name[PROFILE_NAME_MAX + 2];

	memset(name, 'a', sizeof(name));
	name[PROFILE_NAME_MAX] = '\0';
	snprintf(text, sizeof(text), RULES("{'name':'%s','action':'SCMP_ACT_LOG'}"), name);
	profile_free(parse_on(text, &bookworm));
	name[PROFILE_NAME_MAX] = 'a';
	name[PROFILE_NAME_MAX + 1] = '\0';
	snprintf(text, sizeof(text), RULES("{'name':'%s','action':'SCMP_ACT_LOG'}"), name);
	char json[300];
	struct error err;
	requote(text, json, sizeof(json));
	cr_expect_eq(parse_buffer(json, strlen(json), &err), -EINVAL);
}

Test(profile, names_its_actions)
{
	cr_expect_str_eq(profile_action_name(PROFILE_ALLOW), "SCMP_ACT_ALLOW");
	cr_expect_str_eq(profile_action_name(PROFILE_LOG), "SCMP_ACT_LOG");
	cr_expect_str_eq(profile_action_name(PROFILE_ACTION_COUNT), "unknown");
}
