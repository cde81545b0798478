/* SPDX-License-Identifier: MIT */
/* `pysbx syscalls`, on files of the test's own. Nobody listens: no daemon may be asked. */
#include "tests/supervisor/ctl_fixture.h"

#define BASE "{\"defaultAction\": \"SCMP_ACT_ERRNO\", \"defaultErrnoRet\": 38, \"syscalls\": ["
#define READ                                                                               \
	"{\"names\": [\"write\", \"read\"], \"action\": \"SCMP_ACT_ALLOW\", \"comment\": " \
	"\"Bytes.\"}"
#define KILL(action)                                                                              \
	"{\"names\": [\"kill\"], \"action\": \"SCMP_ACT_" action "\", \"args\": [{\"index\": 1, " \
	"\"value\": 15, \"op\": \"SCMP_CMP_EQ\"}]}"

static void set_up(void)
{
	tree_make();
	tree_file("a.json", 0644, BASE READ "]}");
	tree_file("b.json", 0644, BASE READ "," KILL("ALLOW") "]}");
	tree_file("bad.json", 0644,
		  BASE "{\"names\": [\"raed\"], \"action\": \"SCMP_ACT_ALLOW\"}]}");
}

static void tear_down(void)
{
	tree_remove();
}

TestSuite(ctl_syscalls, .init = set_up, .fini = tear_down);

static void expect_told(const struct told *told, int code, const char *out, const char *errors)
{
	cr_expect_eq(told->code, code, "%d", told->code);
	cr_expect_str_eq(told->out, out, "%s", told->out);
	cr_expect_str_eq(told->errors, errors, "%s", told->errors);
}

Test(ctl_syscalls, shows_a_profile_rule_by_rule)
{
	char path[300], expected[600];

	snprintf(path, sizeof(path), "%s", tree_path("b.json"));
	_cleanup_told_ struct told told = tell(NULL, WORDS("syscalls", "show", path));
	snprintf(expected, sizeof(expected),
		 "%s\n"
		 "ALLOW         Bytes.\n"
		 "              write read\n"
		 "ALLOW         kill if arg1 = 0xf\n"
		 "ERRNO(38)     every other call\n",
		 path);
	expect_told(&told, 0, expected, "");
}

Test(ctl_syscalls, shows_a_profile_as_json)
{
	_cleanup_told_ struct told told =
		tell(NULL, WORDS("syscalls", "show", "--json", tree_path("a.json")));

	expect_told(&told, 0,
		    "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"defaultErrnoRet\":38,"
		    "\"architectures\":[\"SCMP_ARCH_X86_64\",\"SCMP_ARCH_AARCH64\"],\"syscalls\":["
		    "{\"comment\":\"Bytes.\",\"names\":[\"read\",\"write\"],\"action\":"
		    "\"SCMP_ACT_ALLOW\"}]}\n",
		    "");
}

Test(ctl_syscalls, converts_to_what_can_be_read_again)
{
	_cleanup_told_ struct told first =
		tell(NULL, WORDS("syscalls", "convert", tree_path("b.json")));

	cr_assert_eq(first.code, 0, "%s", first.errors);
	cr_expect_not_null(strstr(first.out, "\n      \"action\": \"SCMP_ACT_ALLOW\""));
	tree_file("again.json", 0644, first.out);
	_cleanup_told_ struct told second =
		tell(NULL, WORDS("syscalls", "convert", tree_path("again.json")));
	expect_told(&second, 0, first.out, "");
}

Test(ctl_syscalls, tells_what_two_profiles_treat_differently)
{
	char a[300], b[300];

	snprintf(a, sizeof(a), "%s", tree_path("a.json"));
	snprintf(b, sizeof(b), "%s", tree_path("b.json"));
	_cleanup_told_ struct told told = tell(NULL, WORDS("syscalls", "diff", a, b));
	expect_told(&told, 0,
		    "kill\n"
		    "  - ERRNO(38)\n"
		    "  + ALLOW if arg1 = 0xf; else ERRNO(38)\n",
		    "");
	_cleanup_told_ struct told json = tell(NULL, WORDS("syscalls", "diff", "--json", b, a));
	expect_told(&json, 0,
		    "[{\"call\":\"kill\",\"from\":\"ALLOW if arg1 = 0xf; else ERRNO(38)\","
		    "\"to\":\"ERRNO(38)\"}]\n",
		    "");
	_cleanup_told_ struct told same = tell(NULL, WORDS("syscalls", "diff", a, a));
	expect_told(&same, 0, "", "");
}

Test(ctl_syscalls, tells_that_the_default_differs)
{
	char a[300], c[300];

	tree_file("c.json", 0644,
		  "{\"defaultAction\": \"SCMP_ACT_LOG\", \"syscalls\": [" READ "]}");
	snprintf(a, sizeof(a), "%s", tree_path("a.json"));
	snprintf(c, sizeof(c), "%s", tree_path("c.json"));
	_cleanup_told_ struct told told = tell(NULL, WORDS("syscalls", "diff", a, c));
	expect_told(&told, 0, "every other call\n  - ERRNO(38)\n  + LOG\n", "");
}

Test(ctl_syscalls, checks_for_both_architectures_and_goes_on_behind_a_bad_one)
{
	char bad[300], good[300], errors[600];

	snprintf(bad, sizeof(bad), "%s", tree_path("bad.json"));
	snprintf(good, sizeof(good), "%s", tree_path("a.json"));
	_cleanup_told_ struct told told = tell(NULL, WORDS("syscalls", "check", bad, good));
	snprintf(errors, sizeof(errors),
		 "pysbx: seccomp profile %s: x86-64: syscalls[0].names[0]: \"raed\" is not a "
		 "system call; did you mean read?\n",
		 bad);
	cr_expect_eq(told.code, 1);
	cr_expect_str_eq(told.errors, errors);
	cr_expect_not_null(strstr(told.out, "a.json: good, 1 rules\n  x86-64: "), "%s", told.out);
	cr_expect_not_null(strstr(told.out, "\n  arm64: "), "%s", told.out);
}

Test(ctl_syscalls, checks_as_json)
{
	_cleanup_told_ struct told told =
		tell(NULL, WORDS("syscalls", "check", "--json", tree_path("a.json")));
	_cleanup_json_ json_t *json = json_loads(told.out, 0, NULL);

	cr_expect_eq(told.code, 0);
	cr_assert_not_null(json, "%s", told.out);
	cr_expect_eq(json_integer_value(json_object_get(json, "rules")), 1);
	cr_expect_gt(
		json_integer_value(json_object_get(json_object_get(json, "instructions"), "arm64")),
		0);
}

Test(ctl_syscalls, takes_a_word_that_ends_in_json_for_a_file)
{
	static const struct {
		const char *word, *message;
	} rows[] = {
		{ "nowhere.json",
		  "pysbx: seccomp profile: ./nowhere.json: No such file or directory\n" },
		{ "no/where", "pysbx: seccomp profile: no/where: No such file or directory\n" },
		{ ".hidden", "pysbx: \".hidden\" is not the name of a seccomp profile: letters, "
			     "digits, '-', '_' and '.', or an absolute path\n" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_told_ struct told told =
			tell(NULL, WORDS("syscalls", "show", rows[i].word));
		expect_told(&told, 1, "", rows[i].message);
	}
}

Test(ctl_syscalls, reads_no_file_of_a_hundred_megabytes)
{
	char path[300];

	snprintf(path, sizeof(path), "%s", tree_path("big.json"));
	tree_file("big.json", 0644, "{");
	cr_assert_eq(truncate(path, 100 << 20), 0);
	_cleanup_told_ struct told told = tell(NULL, WORDS("syscalls", "check", path));
	cr_expect_eq(told.code, 1);
	cr_expect_not_null(strstr(told.errors, "big.json"), "%s", told.errors);
	cr_expect_str_eq(told.out, "");
}
