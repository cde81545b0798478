/* SPDX-License-Identifier: MIT */
#include "policy/plan.h"

#include "policy/own.h"
#include "policy/quantity.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>

TestSuite(plan);

/* A whole plan as its JSON is written. The tests of bad plans change one place of it. */
static const char good[] =
	"{\"version\":1,\"app\":\"web\",\"instance\":3,\"hostname\":\"web-3\","
	"\"argv\":[\"gunicorn\",\"\",\"app:app\"],"
	"\"environment\":[\"PATH=/usr/bin\",\"EMPTY=\",\"NAME=Zo\\u00eb \\\"x\\\"\\n\"],"
	"\"directory\":\"/srv/app\",\"uid\":1000,\"gid\":0,\"groups\":[4,4294967294],"
	"\"network\":\"none\",\"listeners\":2,\"end_with_supervisor\":true,\"keep\":false,"
	"\"refusals\":\"explained\",\"stop_signal\":15,"
	"\"stop_grace_usec\":10000000,\"oom_score_adj\":-7,\"umask\":\"0022\","
	"\"rlimits\":[{\"type\":\"RLIMIT_NOFILE\",\"soft\":1024,\"hard\":\"max\"}],"
	"\"mounts\":["
	"{\"kind\":\"bind\",\"target\":\"/usr\",\"source\":\"/usr\",\"options\":[\"ro\","
	"\"noexec\",\"optional\"]},"
	"{\"kind\":\"tmpfs\",\"target\":\"/"
	"tmp\",\"size\":1048576,\"mode\":\"1777\",\"options\":[]},"
	"{\"kind\":\"proc\",\"target\":\"/proc\"},"
	"{\"kind\":\"devpts\",\"target\":\"/dev/pts\"},"
	"{\"kind\":\"device\",\"target\":\"/dev/null\",\"source\":\"/dev/null\",\"options\":[]},"
	"{\"kind\":\"symlink\",\"target\":\"/bin\",\"source\":\"usr/bin\"},"
	"{\"kind\":\"file\",\"target\":\"/etc/passwd\",\"content\":\"app:x\\n\"},"
	"{\"kind\":\"directory\",\"target\":\"/run\",\"mode\":\"0755\"},"
	"{\"kind\":\"cgroup\",\"target\":\"/sys/fs/cgroup\",\"source\":\"/sys/fs/cgroup\"}"
	"],"
	"\"landlock\":{\"required_abi\":2,\"rules\":["
	"{\"path\":\"/\",\"access\":[\"list\"]},"
	"{\"path\":\"/usr\",\"access\":[\"list\",\"read\",\"execute\"]},"
	"{\"path\":\"/tmp\",\"access\":[\"write\",\"change\"]}"
	"]}}";

/* good with the first `from` replaced; owned by the caller. */
static char *changed(const char *from, const char *to)
{
	const char *at = strstr(good, from);
	char *text = NULL;

	cr_assert(at != NULL, "%s is not in the good plan", from);
	cr_assert(asprintf(&text, "%.*s%s%s", (int)(at - good), good, to, at + strlen(from)) > 0);
	return text;
}

static struct plan *decode_good(void)
{
	struct plan *plan = NULL;
	struct error err;

	cr_assert_eq(plan_decode(good, strlen(good), &plan, &err), 0, "%s", err.text);
	return plan;
}

Test(plan, is_decoded_member_by_member)
{
	_cleanup_plan_ struct plan *plan = decode_good();

	cr_expect_str_eq(plan->app, "web");
	cr_expect_eq(plan->instance, 3);
	cr_expect_str_eq(plan->hostname, "web-3");
	cr_assert_eq(plan->argv.count, 3);
	cr_expect_str_eq(plan->argv.items[1], "");
	cr_expect_str_eq(plan->argv.items[2], "app:app");
	cr_expect(plan->argv.items[3] == NULL);
	cr_assert_eq(plan->environment.count, 3);
	cr_expect_str_eq(plan->environment.items[2], "NAME=Zo\xc3\xab \"x\"\n");
	cr_expect_str_eq(plan->directory, "/srv/app");
	cr_expect_eq(plan->uid, 1000);
	cr_expect_eq(plan->gid, 0);
	cr_assert_eq(plan->group_count, 2);
	cr_expect_eq(plan->groups[1], 4294967294U);
	cr_expect(plan->network_none);
	cr_expect_eq(plan->listeners, 2);
	cr_expect(plan->end_with_supervisor && !plan->keep);
	cr_expect_eq(plan->refusals, REFUSALS_EXPLAINED);
	cr_expect_eq(plan->stop_signal, SIGTERM);
	cr_expect_eq(plan->stop_grace_usec, 10000000);
	cr_expect_eq(plan->oom_score_adj, -7);
	cr_expect_eq(plan->umask_bits, 022);
	cr_assert_eq(plan->rlimit_count, 1);
	cr_expect_eq(plan->rlimits[0].resource, RLIMIT_NOFILE);
	cr_expect_eq(plan->rlimits[0].soft, 1024);
	cr_expect_eq(plan->rlimits[0].hard, RLIM_INFINITY);
}

Test(plan, is_decoded_mount_by_mount)
{
	_cleanup_plan_ struct plan *plan = decode_good();

	cr_assert_eq(plan->mount_count, 9);
	cr_expect_eq(plan->mounts[0].kind, MOUNT_BIND);
	cr_expect_str_eq(plan->mounts[0].source, "/usr");
	cr_expect_eq(plan->mounts[0].flags, MOUNT_READ_ONLY | MOUNT_NOEXEC | MOUNT_OPTIONAL);
	cr_expect(plan->mounts[0].content == NULL);
	cr_expect_eq(plan->mounts[1].kind, MOUNT_TMPFS);
	cr_expect_eq(plan->mounts[1].size, 1048576);
	cr_expect_eq(plan->mounts[1].mode, 01777);
	cr_expect_eq(plan->mounts[1].flags, 0);
	cr_expect_eq(plan->mounts[2].kind, MOUNT_PROC);
	cr_expect_eq(plan->mounts[3].kind, MOUNT_DEVPTS);
	cr_expect_eq(plan->mounts[4].kind, MOUNT_DEVICE);
	cr_expect_eq(plan->mounts[5].kind, MOUNT_SYMLINK);
	cr_expect_str_eq(plan->mounts[5].source, "usr/bin");
	cr_expect_eq(plan->mounts[6].kind, MOUNT_FILE);
	cr_expect_str_eq(plan->mounts[6].content, "app:x\n");
	cr_expect_eq(plan->mounts[7].kind, MOUNT_DIRECTORY);
	cr_expect_eq(plan->mounts[7].mode, 0755);
	cr_expect_eq(plan->mounts[8].kind, MOUNT_CGROUP);
	cr_expect_str_eq(plan->mounts[8].source, "/sys/fs/cgroup");
}

Test(plan, is_told_where_the_cgroup_of_its_app_is)
{
	_cleanup_plan_ struct plan *plan = decode_good();
	struct error err;

	cr_assert_eq(plan_set_cgroup(plan, "/sys/fs/cgroup/web.slice", &err), 0);
	for (size_t i = 0; i < plan->mount_count; i++)
		cr_expect(plan->mounts[i].source == NULL ||
				  (strcmp(plan->mounts[i].source, "/sys/fs/cgroup/web.slice") ==
				   0) == (plan->mounts[i].kind == MOUNT_CGROUP),
			  "mounts[%zu]", i);
}

Test(plan, is_decoded_rule_by_rule)
{
	_cleanup_plan_ struct plan *plan = decode_good();
	const struct plan_landlock *landlock = &plan->landlock;

	cr_expect_eq(landlock->required_abi, 2);
	cr_assert_eq(landlock->rule_count, 3);
	cr_expect_str_eq(landlock->rules[0].path, "/");
	cr_expect_eq(landlock->rules[0].access, ACCESS_LIST);
	cr_expect_eq(landlock->rules[1].access, ACCESS_LIST | ACCESS_READ | ACCESS_EXECUTE);
	cr_expect_str_eq(landlock->rules[2].path, "/tmp");
	cr_expect_eq(landlock->rules[2].access, ACCESS_WRITE | ACCESS_CHANGE);
}

Test(plan, is_encoded_as_it_was_decoded)
{
	_cleanup_plan_ struct plan *plan = decode_good();
	_cleanup_free_ char *text = NULL, *expected = changed("\\u00eb", "\xc3\xab");
	struct error err;

	cr_assert_eq(plan_encode(plan, false, &text, &err), 0, "%s", err.text);
	cr_expect_str_eq(text, expected);
}

Test(plan, is_the_same_plan_when_it_is_pretty)
{
	_cleanup_plan_ struct plan *plan = decode_good(), *again = NULL;
	_cleanup_free_ char *pretty = NULL, *text = NULL, *first = NULL;
	struct error err;

	cr_assert_eq(plan_encode(plan, true, &pretty, &err), 0);
	cr_expect(strncmp(pretty, "{\n  \"version\": 1,\n  \"app\": \"web\",\n", 34) == 0, "%s",
		  pretty);
	cr_assert_eq(plan_decode(pretty, strlen(pretty), &again, &err), 0, "%s", err.text);
	cr_assert_eq(plan_encode(again, false, &text, &err), 0);
	cr_assert_eq(plan_encode(plan, false, &first, &err), 0);
	cr_expect_str_eq(text, first);
}

static const struct {
	const char *from, *to; /* one change to the good plan */
	const char *message;   /* what the error begins with, after "plan: " */
} bad_plans[] = {
	{ "\"version\":1", "\"version\":2", "version: must be 1: pysbx and" },
	{ "\"version\":1,", "", "version: is missing" },
	{ "\"app\":\"web\",", "", "app: is missing" },
	{ "\"app\":\"web\"", "\"app\":\"\"", "app: 0 bytes long, must be 1 to 64" },
	{ "\"app\":\"web\"", "\"app\":7", "app: must be a string" },
	{ "\"app\":\"web\"", "\"app\":null", "app: must be a string" },
	{ "\"app\":\"web\"", "\"app\":\"w\\u0000b\"", "line 1, column " },
	{ "\"app\":\"web\"", "\"app\":\"\xff\"", "line 1, column " },
	{ "\"app\":\"web\"", "\"app\":\"web\",\"app\":\"web\"", "line 1, column " },
	{ "\"app\":\"web\"", "\"app\":\"web\",\"apps\":\"web\"", "\"apps\" is no key here" },
	{ "\"instance\":3", "\"instance\":-1", "instance: -1 is not within 0 to 1000000" },
	{ "\"instance\":3", "\"instance\":3.0", "instance: must be a whole number" },
	{ "\"instance\":3", "\"instance\":\"3\"", "instance: must be a whole number" },
	{ "\"instance\":3", "\"instance\":18446744073709551616", "line 1, column " },
	{ "[\"gunicorn\",\"\",\"app:app\"]", "[]", "argv: 0 entries, must be 1 to 1024" },
	{ "[\"gunicorn\",\"\",\"app:app\"]", "{}", "argv: must be an array" },
	{ "[\"gunicorn\"", "[\"\"", "argv[0]: must name a command" },
	{ "\"app:app\"", "7", "argv[2]: must be a string" },
	{ "\"EMPTY=\"", "\"EMPTY\"", "environment[1]: must have the form NAME=value" },
	{ "\"EMPTY=\"", "\"=x\"", "environment[1]: must have the form NAME=value" },
	{ "\"/srv/app\"", "\"srv/app\"", "directory: \"srv/app\" is not an absolute path" },
	{ "\"/srv/app\"", "\"/srv/../app\"", "directory: \"/srv/../app\" is not an absolute" },
	{ "\"uid\":1000", "\"uid\":0", "uid: 0 is not within 1 to 4294967294" },
	{ "\"uid\":1000", "\"uid\":4294967295", "uid: 4294967295 is not within" },
	{ "\"uid\":1000", "\"uid\":4294967296", "uid: 4294967296 is not within" },
	{ "\"gid\":0", "\"gid\":-1", "gid: -1 is not within" },
	{ "4294967294", "4294967295", "groups[1]: 4294967295 is not within 0 to 4294967294" },
	{ "\"groups\":[4,", "\"groups\":[\"4\",", "groups[0]: must be a whole number" },
	{ "\"none\"", "\"None\"", "network: must be \"host\" or \"none\"" },
	{ "\"none\"", "true", "network: must be \"host\" or \"none\"" },
	{ "\"listeners\":2", "\"listeners\":9", "listeners: 9 is not within 0 to 8" },
	{ "true", "1", "end_with_supervisor: must be true or false" },
	{ "\"keep\":false", "\"keep\":0", "keep: must be true or false" },
	{ "\"explained\"", "\"told\"",
	  "refusals: must be \"silent\", \"explained\", \"watched\" or \"permitted\"" },
	{ "\"explained\"", "true",
	  "refusals: must be \"silent\", \"explained\", \"watched\" or \"permitted\"" },
	{ "\"keep\":false", "\"keep\":true", "keep: excludes end_with_supervisor" },
	{ "\"stop_signal\":15", "\"stop_signal\":0", "stop_signal: 0 is not within 1 to 64" },
	{ "\"stop_signal\":15", "\"stop_signal\":65", "stop_signal: 65 is not within 1 to 64" },
	{ "10000000", "-1", "stop_grace_usec: -1 is not within" },
	{ "-7", "-1001", "oom_score_adj: -1001 is not within -1000 to 1000" },
	{ "\"0022\"", "\"1000\"", "umask: 1000 is above 0777" },
	{ "\"0022\"", "\"22\"", "umask: must be a string of four octal digits" },
	{ "\"0022\"", "\"0028\"", "umask: must be a string of four octal digits" },
	{ "\"0022\"", "18", "umask: must be a string of four octal digits" },
	{ "RLIMIT_NOFILE", "NOFILE", "rlimits[0].type: must be the name of a resource" },
	{ "1024", "\"max\"", NULL /* the good kind of change: soft and hard are both max */ },
	{ "1024,\"hard\":\"max\"", "2,\"hard\":1", "rlimits[0]: the soft limit is above the hard" },
	{ "\"max\"", "\"all\"", "rlimits[0].hard: must be a whole number or \"max\"" },
	{ "\"max\"", "-1", "rlimits[0].hard: -1 is not within" },
	{ ",\"hard\":\"max\"", "", "rlimits[0].hard: is missing" },
	{ "{\"kind\":\"proc\",\"target\":\"/proc\"}", "7", "mounts[2]: must be an object" },
	{ "{\"path\":\"/\",", "{", "landlock.rules[0].path: is missing" },
	{ "{\"path\":\"/\"", "{\"path\":\"etc\"", "landlock.rules[0].path: \"etc\" is not an" },
	{ "[\"list\"]", "[]", "landlock.rules[0].access: 0 entries, must be 1 to 5" },
	{ "[\"list\"]", "[\"all\"]", "landlock.rules[0].access[0]: must be \"list\"" },
	{ "[\"list\"]", "\"list\"", "landlock.rules[0].access: must be an array" },
	{ "\"required_abi\":2", "\"required_abi\":7", "landlock.required_abi: 7 is not within 0" },
	{ "\"required_abi\":2,", "", "landlock.required_abi: is missing" },
	{ "\"landlock\":{", "\"landlock\":{\"net\":[],", "landlock: \"net\" is no key here" },
	{ "[{\"path\":\"/\",\"access\":[\"list\"]},{\"path\":\"/usr\",\"access\":[\"list\","
	  "\"read\",\"execute\"]},{\"path\":\"/tmp\",\"access\":[\"write\",\"change\"]}]",
	  "[]", "landlock.rules: are missing for a wall that is required" },
	{ "{\"kind\":\"proc\",", "{", "mounts[2].kind: is missing" },
	{ "\"kind\":\"proc\"", "\"kind\":\"sysfs\"", "mounts[2].kind: must be a kind of mount" },
	{ "\"/proc\"", "\"/\"", "mounts[2].target: the root itself is not a target" },
	{ "\"/proc\"", "\"/proc/\"", "mounts[2].target: \"/proc/\" is not an absolute path" },
	{ "\"/proc\"", "\"//proc\"", "mounts[2].target: \"//proc\" is not an absolute path" },
	{ "\"/proc\"", "\"/./proc\"", "mounts[2].target: \"/./proc\" is not an absolute path" },
	{ "\"target\":\"/proc\"", "\"target\":\"/proc\",\"source\":\"/proc\"",
	  "mounts[2]: \"source\" has no meaning for this kind" },
	{ "\"target\":\"/proc\"", "\"target\":\"/proc\",\"a\":1", "mounts[2]: \"a\" is no key" },
	{ "\"source\":\"/usr\"", "\"source\":\"usr\"", "mounts[0].source: \"usr\" is not an" },
	{ "\"source\":\"/usr\",", "", "mounts[0].source: is missing" },
	{ "\"ro\"", "\"rw\"", "mounts[0].options[0]: must be \"ro\", \"noexec\" or \"optional\"" },
	{ "[\"ro\",", "[\"ro\",\"ro\",", "mounts[0].options: 4 entries, must be 0 to 3" },
	{ "\"source\":\"usr/bin\"", "\"source\":\"\"", "mounts[5].source: 0 bytes long" },
	{ "1048576", "0", "mounts[1].size: 0 is not within 1 to 1152921504606846976" },
	{ "\"1777\"", "\"17777\"", "mounts[1].mode: must be a string of four octal digits" },
	{ "\"app:x\\n\"", "7", "mounts[6].content: must be a string" },
	{ "\"/dev/null\",\"options\":[]", "\"/dev/null\"", "mounts[4].options: is missing" },
	{ "]}", "]", "line 1, column " },
};

Test(plan, is_refused_for_each_thing_that_is_wrong)
{
	for (size_t i = 0; i < ARRAY_SIZE(bad_plans); i++) {
		_cleanup_free_ char *text = changed(bad_plans[i].from, bad_plans[i].to);
		_cleanup_plan_ struct plan *plan = NULL;
		struct error err = { 0 };
		char expected[256];
		int r = plan_decode(text, strlen(text), &plan, &err);

		if (bad_plans[i].message == NULL) {
			cr_expect_eq(r, 0, "%s", err.text);
			continue;
		}
		snprintf(expected, sizeof(expected), "plan: %s", bad_plans[i].message);
		cr_expect_eq(r, -EINVAL, "taken: %s", bad_plans[i].to);
		cr_expect_eq(err.kind, ERROR_INVALID);
		cr_expect(strncmp(err.text, expected, strlen(expected)) == 0,
			  "\"%s\" does not begin with \"%s\"", err.text, expected);
		cr_expect(plan == NULL, "the output stays untouched");
	}
}

Test(plan, is_refused_without_all_of_its_text)
{
	struct error err;

	for (size_t length = 0; length < strlen(good); length += 7) {
		struct plan *plan = NULL;

		cr_expect_eq(plan_decode(good, length, &plan, &err), -EINVAL, "%zu bytes", length);
		cr_expect(plan == NULL);
	}
}

Test(plan, is_refused_with_something_after_it)
{
	_cleanup_free_ char *text = NULL;
	struct plan *plan = NULL;
	struct error err;

	cr_assert(asprintf(&text, "%s{}", good) > 0);
	cr_expect_eq(plan_decode(text, strlen(text), &plan, &err), -EINVAL);
}

Test(plan, is_refused_when_it_is_an_array)
{
	struct plan *plan = NULL;
	struct error err;

	cr_expect_eq(plan_decode("[]", 2, &plan, &err), -EINVAL);
	cr_expect_str_eq(err.text, "plan: must be an object");
}

Test(plan, is_refused_when_it_is_too_large)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_plan_ struct plan *plan = NULL;
	struct error err;

	/* spaces before a good plan are fine, but for their number */
	cr_assert_eq(asprintf(&text, "%*s", (int)PLAN_SIZE_MAX + 1, good), PLAN_SIZE_MAX + 1);
	cr_expect_eq(plan_decode(text, PLAN_SIZE_MAX + 1, &plan, &err), -EINVAL);
	cr_expect_str_eq(err.text, "plan: 4194305 bytes are more than 4194304");
	cr_expect_eq(plan_decode(text + 1, PLAN_SIZE_MAX, &plan, &err), 0, "%s", err.text);
}

Test(plan, is_refused_when_it_nests_deeply)
{
	char text[20000];
	struct plan *plan = NULL;
	struct error err;

	memset(text, '[', sizeof(text));
	cr_expect_eq(plan_decode(text, sizeof(text), &plan, &err), -EINVAL);
}

Test(plan, takes_the_longest_lists)
{
	_cleanup_plan_ struct plan *plan = decode_good(), *again = NULL;
	_cleanup_free_ char *text = NULL;
	struct mount_step step = { .kind = MOUNT_PROC, .target = strdup("/p") };
	struct error err;

	while (plan->mount_count < PLAN_MOUNTS_MAX)
		cr_assert_eq(plan_add_mount(plan, &step, &err), 0);
	cr_expect_eq(plan_add_mount(plan, &step, &err), -EINVAL);
	cr_expect_str_eq(err.text, "mounts: more than 512");
	cr_expect_eq(plan->mount_count, PLAN_MOUNTS_MAX);
	while (plan->rlimit_count < PLAN_RLIMITS_MAX)
		cr_assert_eq(plan_add_rlimit(plan, RLIMIT_CORE, 1, 2, &err), 0);
	cr_expect_eq(plan_add_rlimit(plan, RLIMIT_CORE, 1, 2, &err), -EINVAL);
	while (plan->group_count < PLAN_GROUPS_MAX)
		plan->groups[plan->group_count++] = 5;
	cr_assert_eq(plan_encode(plan, false, &text, &err), 0);
	cr_assert_eq(plan_decode(text, strlen(text), &again, &err), 0, "%s", err.text);
	cr_expect_eq(again->mount_count, PLAN_MOUNTS_MAX);
	cr_expect_eq(again->rlimit_count, PLAN_RLIMITS_MAX);
	cr_expect_eq(again->group_count, PLAN_GROUPS_MAX);
	free(step.target);
}

Test(plan, keeps_copies_of_what_it_is_given)
{
	_cleanup_plan_ struct plan *plan = plan_new();
	char source[] = "/srv", target[] = "/app", content[] = "text";
	struct mount_step step = { MOUNT_BIND, source, target, content, 1, 2, 3 };
	struct error err;

	cr_assert_eq(plan_add_mount(plan, &step, &err), 0);
	source[1] = target[1] = content[1] = 'X';
	cr_expect_str_eq(plan->mounts[0].source, "/srv");
	cr_expect_str_eq(plan->mounts[0].target, "/app");
	cr_expect_str_eq(plan->mounts[0].content, "text");
	cr_expect_eq(plan->mounts[0].size, 1);
	cr_expect_eq(plan->mounts[0].mode, 2);
	cr_expect_eq(plan->mounts[0].flags, 3);
}

Test(plan, takes_no_target_that_is_not_in_normal_form)
{
	_cleanup_plan_ struct plan *plan = plan_new();
	char target[] = "/srv/../etc";
	struct mount_step step = { .kind = MOUNT_PROC, .target = target };
	struct error err;

	cr_expect_eq(plan_add_mount(plan, &step, &err), -EINVAL);
	cr_expect_str_eq(err.text,
			 "mounts[0].target: /srv/../etc is not an absolute path in normal form");
	step.target = NULL;
	cr_expect_eq(plan_add_mount(plan, &step, &err), -EINVAL);
	cr_expect_eq(plan->mount_count, 0);
}

Test(plan, takes_no_limit_with_soft_above_hard)
{
	_cleanup_plan_ struct plan *plan = plan_new();
	struct error err;

	cr_expect_eq(plan_add_rlimit(plan, RLIMIT_CORE, 2, 1, &err), -EINVAL);
	cr_expect_eq(plan->rlimit_count, 0);
	cr_expect_eq(plan_add_rlimit(plan, RLIMIT_CORE, 1, 1, &err), 0);
}

Test(plan, is_not_encoded_with_text_that_json_cannot_carry)
{
	_cleanup_plan_ struct plan *plan = decode_good();
	char *text = NULL;
	struct error err;

	free(plan->argv.items[2]);
	plan->argv.items[2] = strdup("caf\xe9");
	cr_expect_eq(plan_encode(plan, false, &text, &err), -EINVAL);
	cr_expect_str_eq(err.text, "plan: argv[2]: is not valid UTF-8, which a plan cannot carry");
	cr_expect(text == NULL);
}

Test(plan, is_not_encoded_with_a_number_that_json_cannot_carry)
{
	_cleanup_plan_ struct plan *plan = decode_good();
	char *text = NULL;
	struct error err;

	plan->mounts[1].size = UINT64_MAX;
	cr_expect_eq(plan_encode(plan, false, &text, &err), -EINVAL);
	cr_expect_str_eq(err.text, "plan: mounts[1].size: 18446744073709551615 is too large");
}

Test(plan, is_not_encoded_when_it_gets_too_large)
{
	_cleanup_plan_ struct plan *plan = decode_good();
	char *text = NULL, *long_one = malloc(100001);
	struct error err;

	memset(long_one, 'x', 100000);
	long_one[100000] = '\0';
	for (int i = 0; i < 42; i++)
		strings_append(&plan->argv, long_one, &err);
	cr_expect_eq(plan_encode(plan, false, &text, &err), -EINVAL);
	cr_expect(text == NULL);
	free(long_one);
}

static void add_variables(struct plan *plan, size_t count)
{
	struct error err;

	strings_clear(&plan->environment);
	for (size_t i = 0; i < count; i++)
		cr_assert_eq(strings_appendf(&plan->environment, &err, "A%zu=", i), 0);
}

Test(plan, is_not_encoded_with_what_would_be_refused_when_it_is_read)
{
	_cleanup_plan_ struct plan *plan = decode_good(), *again = NULL;
	_cleanup_free_ char *text = NULL;
	struct error err;

	add_variables(plan, 4097);
	cr_expect_eq(plan_encode(plan, false, &text, &err), -EINVAL);
	cr_expect_str_eq(err.text, "plan: environment: 4097 entries, must be 0 to 4096");
	cr_expect_eq(plan_encode(plan, true, &text, &err), -EINVAL);
	cr_expect(text == NULL);

	add_variables(plan, 4096);
	plan->keep = plan->end_with_supervisor = true;
	cr_expect_eq(plan_encode(plan, false, &text, &err), -EINVAL);
	cr_expect(text == NULL);

	plan->keep = false;
	cr_assert_eq(plan_encode(plan, false, &text, &err), 0, "%s", err.text);
	cr_expect_eq(plan_decode(text, strlen(text), &again, &err), 0, "%s", err.text);
}

Test(plan, names_resources)
{
	cr_expect_str_eq(plan_rlimit_name(RLIMIT_NOFILE), "RLIMIT_NOFILE");
	cr_expect_str_eq(plan_rlimit_name(RLIMIT_RTTIME), "RLIMIT_RTTIME");
	cr_expect_str_eq(plan_rlimit_name(99), "unknown");
}
