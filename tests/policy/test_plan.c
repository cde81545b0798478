/* SPDX-License-Identifier: MIT */
#include "policy/plan.h"

#include "policy/document.h"
#include "policy/own.h"
#include "policy/quantity.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

TestSuite(plan);

/* What plan_to_json says of the plan below, on one line. */
static const char shown[] =
	"{\"version\":3,\"app\":\"web\",\"instance\":3,\"hostname\":\"web-3\","
	"\"argv\":[\"gunicorn\",\"\",\"app:app\"],"
	"\"environment\":[\"PATH=/usr/bin\",\"EMPTY=\",\"NAME=Zo\xc3\xab \\\"x\\\"\\n\"],"
	"\"directory\":\"/srv/app\",\"uid\":1000,\"gid\":0,\"groups\":[4,4294967294],"
	"\"network\":\"none\",\"listeners\":2,\"end_with_supervisor\":true,\"keep\":false,"
	"\"host_view\":true,"
	"\"refusals\":\"explained\",\"stop_signal\":15,"
	"\"stop_grace_usec\":10000000,\"oom_score_adj\":-7,\"umask\":\"0022\","
	"\"rlimits\":[{\"type\":\"RLIMIT_NOFILE\",\"soft\":1024,\"hard\":\"max\"}],"
	"\"mounts\":["
	"{\"kind\":\"bind\",\"target\":\"/usr\",\"source\":\"/usr\",\"options\":[\"ro\","
	"\"noexec\",\"optional\"]},"
	"{\"kind\":\"tmpfs\",\"target\":\"/tmp\",\"size\":1048576,\"mode\":\"1777\","
	"\"options\":[]},"
	"{\"kind\":\"proc\",\"target\":\"/proc\"},"
	"{\"kind\":\"devpts\",\"target\":\"/dev/pts\"},"
	"{\"kind\":\"device\",\"target\":\"/dev/null\",\"source\":\"/dev/null\",\"options\":[]},"
	"{\"kind\":\"symlink\",\"target\":\"/bin\",\"source\":\"usr/bin\"},"
	"{\"kind\":\"file\",\"target\":\"/etc/passwd\",\"content\":\"app:x\\n\"},"
	"{\"kind\":\"directory\",\"target\":\"/run\",\"mode\":\"0755\"},"
	"{\"kind\":\"cgroup\",\"target\":\"/sys/fs/cgroup\",\"source\":\"/sys/fs/cgroup\"},"
	"{\"kind\":\"pressure\",\"target\":\"/dev/memory-pressure\"}"
	"],"
	"\"landlock\":{\"required_abi\":2,\"rules\":["
	"{\"path\":\"/\",\"access\":[\"list\"]},"
	"{\"path\":\"/usr\",\"access\":[\"list\",\"read\",\"execute\"]},"
	"{\"path\":\"/tmp\",\"access\":[\"write\",\"change\"]}"
	"]}}";

static void set(char **text, const char *value)
{
	free(*text);
	*text = strdup(value);
}

static void add_words(struct plan *plan)
{
	struct error err;

	cr_assert_eq(strings_append(&plan->argv, "gunicorn", &err), 0);
	cr_assert_eq(strings_append(&plan->argv, "", &err), 0);
	cr_assert_eq(strings_append(&plan->argv, "app:app", &err), 0);
	cr_assert_eq(strings_append(&plan->environment, "PATH=/usr/bin", &err), 0);
	cr_assert_eq(strings_append(&plan->environment, "EMPTY=", &err), 0);
	cr_assert_eq(strings_append(&plan->environment, "NAME=Zo\xc3\xab \"x\"\n", &err), 0);
}

static void add_steps(struct plan *plan)
{
	static const struct mount_step steps[] = {
		{ MOUNT_BIND, (char *)"/usr", (char *)"/usr", NULL, 0, 0,
		  MOUNT_READ_ONLY | MOUNT_NOEXEC | MOUNT_OPTIONAL },
		{ MOUNT_TMPFS, NULL, (char *)"/tmp", NULL, 1048576, 01777, 0 },
		{ MOUNT_PROC, NULL, (char *)"/proc", NULL, 0, 0, 0 },
		{ MOUNT_DEVPTS, NULL, (char *)"/dev/pts", NULL, 0, 0, 0 },
		{ MOUNT_DEVICE, (char *)"/dev/null", (char *)"/dev/null", NULL, 0, 0, 0 },
		{ MOUNT_SYMLINK, (char *)"usr/bin", (char *)"/bin", NULL, 0, 0, 0 },
		{ MOUNT_FILE, NULL, (char *)"/etc/passwd", (char *)"app:x\n", 0, 0, 0 },
		{ MOUNT_DIRECTORY, NULL, (char *)"/run", NULL, 0, 0755, 0 },
		{ MOUNT_CGROUP, (char *)"/sys/fs/cgroup", (char *)"/sys/fs/cgroup", NULL, 0, 0, 0 },
		{ MOUNT_PRESSURE, NULL, (char *)"/dev/memory-pressure", NULL, 0, 0, 0 },
	};
	struct error err;

	for (size_t i = 0; i < ARRAY_SIZE(steps); i++)
		cr_assert_eq(plan_add_mount(plan, &steps[i], &err), 0, "%s", err.text);
	cr_assert_eq(plan_add_rule(plan, "/", ACCESS_LIST, &err), 0);
	cr_assert_eq(plan_add_rule(plan, "/usr", ACCESS_LIST | ACCESS_READ | ACCESS_EXECUTE, &err),
		     0);
	cr_assert_eq(plan_add_rule(plan, "/tmp", ACCESS_WRITE | ACCESS_CHANGE, &err), 0);
	plan->landlock.required_abi = 2;
}

/* A whole plan. The tests of bad plans change one place of it. */
static struct plan *make_good(void)
{
	struct plan *plan = plan_new();
	struct error err;

	cr_assert_not_null(plan);
	set(&plan->app, "web");
	set(&plan->hostname, "web-3");
	set(&plan->directory, "/srv/app");
	add_words(plan);
	plan->instance = 3;
	plan->uid = 1000;
	plan->groups[0] = 4;
	plan->groups[1] = 4294967294U;
	plan->group_count = 2;
	plan->network_none = plan->end_with_supervisor = plan->host_view = true;
	plan->listeners = 2;
	plan->refusals = REFUSALS_EXPLAINED;
	plan->stop_signal = SIGTERM;
	plan->stop_grace_usec = 10000000;
	plan->oom_score_adj = -7;
	plan->umask_bits = 022;
	cr_assert_eq(plan_add_rlimit(plan, RLIMIT_NOFILE, 1024, RLIM_INFINITY, &err), 0);
	add_steps(plan);
	return plan;
}

static struct bytes encode(const struct plan *plan)
{
	struct bytes data = { 0 };
	struct error err;

	cr_assert_eq(plan_encode(plan, &data, &err), 0, "%s", err.text);
	return data;
}

static int decode(const struct bytes *data, struct plan **ret, struct error *err)
{
	return plan_decode(bytes_front(data), data->length, ret, err);
}

static struct plan *decode_good(void)
{
	struct plan *good _cleanup_plan_ = make_good(), *plan = NULL;
	_cleanup_bytes_ struct bytes data = encode(good);
	struct error err;

	cr_assert_eq(decode(&data, &plan, &err), 0, "%s", err.text);
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
	cr_expect(plan->end_with_supervisor && !plan->keep && plan->host_view);
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

	cr_assert_eq(plan->mount_count, 10);
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
	cr_expect_eq(plan->mounts[9].kind, MOUNT_PRESSURE);
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
	_cleanup_plan_ struct plan *good = make_good(), *plan = decode_good();
	_cleanup_bytes_ struct bytes first = encode(good), second = encode(plan);

	cr_assert_eq(first.length, second.length);
	cr_expect_eq(memcmp(bytes_front(&first), bytes_front(&second), first.length), 0);
}

Test(plan, is_shown_as_json)
{
	_cleanup_plan_ struct plan *plan = decode_good();
	_cleanup_free_ char *text = NULL, *compact = NULL;
	_cleanup_json_ json_t *root = NULL;
	json_error_t syntax;
	struct error err;

	cr_assert_eq(plan_to_json(plan, &text, &err), 0, "%s", err.text);
	cr_expect(strncmp(text, "{\n  \"version\": 3,\n  \"app\": \"web\",\n", 34) == 0, "%s",
		  text);
	root = json_loads(text, JSON_REJECT_DUPLICATES, &syntax);
	cr_assert_not_null(root, "%s", syntax.text);
	compact = json_dumps(root, JSON_COMPACT);
	cr_expect_str_eq(compact, shown);
}

/* --- what is wrong ----------------------------------------------------------------------------*/

static const struct bad_text {
	size_t offset; /* of the text in struct plan */
	const char *text, *message;
} bad_texts[] = {
	{ offsetof(struct plan, app), "", "app: 0 bytes long, must be 1 to 64" },
	{ offsetof(struct plan, hostname), "", "hostname: 0 bytes long, must be 1 to 64" },
	{ offsetof(struct plan, directory), "srv/app",
	  "directory: \"srv/app\" is not an absolute path in normal form" },
	{ offsetof(struct plan, directory), "/srv/../app",
	  "directory: \"/srv/../app\" is not an absolute path in normal form" },
	{ offsetof(struct plan, mounts[2].target), "/",
	  "mounts[2].target: the root itself is not a target" },
	{ offsetof(struct plan, mounts[2].target), "/proc/",
	  "mounts[2].target: \"/proc/\" is not an absolute path in normal form" },
	{ offsetof(struct plan, mounts[2].target), "//proc",
	  "mounts[2].target: \"//proc\" is not an absolute path in normal form" },
	{ offsetof(struct plan, mounts[2].target), "/./proc",
	  "mounts[2].target: \"/./proc\" is not an absolute path in normal form" },
	{ offsetof(struct plan, mounts[0].source), "usr",
	  "mounts[0].source: \"usr\" is not an absolute path in normal form" },
	{ offsetof(struct plan, mounts[0].source), "",
	  "mounts[0].source: 0 bytes long, must be 1 to 4095" },
	{ offsetof(struct plan, mounts[5].source), "",
	  "mounts[5].source: 0 bytes long, must be 1 to 4095" },
	{ offsetof(struct plan, landlock.rules[0].path), "etc",
	  "landlock.rules[0].path: \"etc\" is not an absolute path in normal form" },
};

#define PUT_U32(member, value, message)                                                     \
	{                                                                                   \
		offsetof(struct plan, member), sizeof(uint32_t), (uint32_t)(value), message \
	}
#define PUT_U64(member, value, message)                                                     \
	{                                                                                   \
		offsetof(struct plan, member), sizeof(uint64_t), (uint64_t)(value), message \
	}

static const struct bad_number {
	size_t offset, size;
	uint64_t value;
	const char *message;
} bad_numbers[] = {
	PUT_U32(instance, 1000001, "instance: 1000001 is not within 0 to 1000000"),
	PUT_U32(uid, 0, "uid: 0 is not within 1 to 4294967294"),
	PUT_U32(uid, UINT32_MAX, "uid: 4294967295 is not within 1 to 4294967294"),
	PUT_U32(gid, UINT32_MAX, "gid: 4294967295 is not within 0 to 4294967294"),
	PUT_U32(groups[1], UINT32_MAX, "groups[1]: 4294967295 is not within 0 to 4294967294"),
	PUT_U64(group_count, 33, "groups: 33 entries, must be 0 to 32"),
	PUT_U32(listeners, 9, "listeners: 9 is not within 0 to 8"),
	PUT_U32(refusals, REFUSALS_COUNT, "refusals: 4 is not within 0 to 3"),
	PUT_U32(stop_signal, 0, "stop_signal: 0 is not within 1 to 64"),
	PUT_U32(stop_signal, 65, "stop_signal: 65 is not within 1 to 64"),
	PUT_U64(stop_grace_usec, UINT64_MAX,
		"stop_grace_usec: -1 is not within 0 to 3153600000000000"),
	PUT_U32(oom_score_adj, -1001, "oom_score_adj: -1001 is not within -1000 to 1000"),
	PUT_U32(umask_bits, 01000, "umask: 512 is not within 0 to 511"),
	PUT_U32(rlimits[0].resource, 16, "rlimits[0].type: 16 is not within 0 to 15"),
	PUT_U32(rlimits[0].resource, -1, "rlimits[0].type: -1 is not within 0 to 15"),
	PUT_U64(rlimits[0].hard, 1, "rlimits[0]: the soft limit is above the hard one"),
	PUT_U64(rlimit_count, 17, "rlimits: 17 entries, must be 0 to 16"),
	PUT_U32(mounts[2].kind, MOUNT_KIND_COUNT, "mounts[2].kind: 10 is not within 0 to 9"),
	PUT_U32(mounts[0].flags, 8, "mounts[0].options: 8 is not within 0 to 7"),
	PUT_U64(mounts[1].size, 0, "mounts[1].size: 0 is not within 1 to 1152921504606846976"),
	PUT_U64(mounts[1].size, UINT64_MAX,
		"mounts[1].size: -1 is not within 1 to 1152921504606846976"),
	PUT_U32(mounts[1].mode, 010000, "mounts[1].mode: 4096 is not within 0 to 4095"),
	PUT_U64(mount_count, 513, "mounts: 513 entries, must be 0 to 512"),
	PUT_U32(landlock.required_abi, 7, "landlock.required_abi: 7 is not within 0 to 6"),
	PUT_U32(landlock.rules[0].access, 0, "landlock.rules[0].access: 0 is not within 1 to 31"),
	PUT_U32(landlock.rules[0].access, 32, "landlock.rules[0].access: 32 is not within 1 to 31"),
	PUT_U64(landlock.rule_count, 516, "landlock.rules: 516 entries, must be 0 to 515"),
	PUT_U64(landlock.rule_count, 0, "landlock.rules: are missing for a wall that is required"),
};

/* Neither sent nor shown, and the error says where. */
static void expect_refused(const struct plan *plan, const char *message)
{
	struct bytes data = { 0 };
	char *text = NULL, expected[256];
	struct error err;

	snprintf(expected, sizeof(expected), "plan: %s", message);
	cr_expect_eq(plan_encode(plan, &data, &err), -EINVAL, "taken: %s", message);
	cr_expect_eq(err.kind, ERROR_INVALID);
	cr_expect_str_eq(err.text, expected);
	cr_expect(data.data == NULL, "the output stays untouched");
	cr_expect_eq(plan_to_json(plan, &text, &err), -EINVAL);
	cr_expect_str_eq(err.text, expected);
	cr_expect(text == NULL);
}

Test(plan, is_refused_for_each_text_that_is_wrong)
{
	for (size_t i = 0; i < ARRAY_SIZE(bad_texts); i++) {
		_cleanup_plan_ struct plan *plan = make_good();

		set((char **)((char *)plan + bad_texts[i].offset), bad_texts[i].text);
		expect_refused(plan, bad_texts[i].message);
	}
}

static bool is_same(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct plan)) == 0;
}

Test(plan, is_refused_for_each_number_that_is_wrong_and_stays_as_it_is)
{
	for (size_t i = 0; i < ARRAY_SIZE(bad_numbers); i++) {
		const struct bad_number *bad = &bad_numbers[i];
		struct plan *plan = make_good(), *before = malloc(sizeof(*before));
		void *member = (char *)plan + bad->offset;
		uint64_t good = 0;

		memcpy(&good, member, bad->size);
		memcpy(member, &bad->value, bad->size); /* little-endian machines */
		memcpy(before, plan, sizeof(*before));
		expect_refused(plan, bad->message);
		cr_expect(is_same(before, plan), "changed: %s", bad->message);
		memcpy(member, &good, bad->size);
		free(before);
		plan_free(plan);
	}
}

static void put(struct strings *strings, size_t index, const char *text)
{
	set(&strings->items[index], text);
}

Test(plan, is_refused_for_words_and_choices_that_make_no_sense)
{
	_cleanup_plan_ struct plan *plan = make_good();

	put(&plan->argv, 0, "");
	expect_refused(plan, "argv[0]: must name a command");
	strings_clear(&plan->argv);
	expect_refused(plan, "argv: 0 entries, must be 1 to 1024");
	plan_free(plan);

	plan = make_good();
	put(&plan->environment, 1, "EMPTY");
	expect_refused(plan, "environment[1]: must have the form NAME=value");
	put(&plan->environment, 1, "=x");
	expect_refused(plan, "environment[1]: must have the form NAME=value");
	plan_free(plan);

	plan = make_good();
	plan->keep = true;
	expect_refused(plan, "keep: excludes end_with_supervisor: the launcher either outlives its "
			     "supervisor or ends with it");
}

Test(plan, is_refused_without_all_of_its_bytes)
{
	_cleanup_plan_ struct plan *good = make_good();
	_cleanup_bytes_ struct bytes data = encode(good);
	struct error err;

	for (size_t length = 0; length < data.length; length++) {
		struct plan *plan = NULL;

		cr_expect_eq(plan_decode(bytes_front(&data), length, &plan, &err), -EINVAL,
			     "%zu bytes", length);
		cr_expect(plan == NULL);
	}
}

Test(plan, is_refused_with_something_after_it)
{
	_cleanup_plan_ struct plan *good = make_good();
	_cleanup_bytes_ struct bytes data = encode(good);
	struct plan *plan = NULL;
	struct error err;

	cr_assert_eq(bytes_append(&data, "", 1, &err), 0);
	cr_expect_eq(decode(&data, &plan, &err), -EINVAL);
	cr_expect_str_eq(err.text, "plan: 1 bytes follow it");
	cr_expect(plan == NULL);
}

Test(plan, of_another_version_is_refused)
{
	static const char json[] = "{\"version\":1,\"app\":\"web\"}";
	struct plan *plan = NULL;
	struct error err;

	cr_expect_eq(plan_decode(json, strlen(json), &plan, &err), -EINVAL);
	cr_expect_str_eq(err.text, "plan: version: must be 3: pysbx and pysbx-launch are of "
				   "different versions");
}

/* The first text is the app's name, behind version and length. */
Test(plan, is_refused_with_a_nul_in_a_text)
{
	_cleanup_plan_ struct plan *good = make_good();
	_cleanup_bytes_ struct bytes data = encode(good);
	struct plan *plan = NULL;
	struct error err;

	cr_assert_eq(memcmp(bytes_front(&data) + 16, "web", 3), 0);
	bytes_front(&data)[17] = '\0';
	cr_expect_eq(decode(&data, &plan, &err), -EINVAL);
	cr_expect_str_eq(err.text, "plan: app: has a NUL in it");
}

Test(plan, is_refused_when_it_is_too_large)
{
	_cleanup_free_ char *data = calloc(1, PLAN_SIZE_MAX + 1);
	struct plan *plan = NULL;
	struct error err;

	cr_expect_eq(plan_decode(data, PLAN_SIZE_MAX + 1, &plan, &err), -EINVAL);
	cr_expect_str_eq(err.text, "plan: 4194305 bytes are more than 4194304");
}

Test(plan, takes_the_longest_lists)
{
	_cleanup_plan_ struct plan *plan = decode_good(), *again = NULL;
	struct mount_step step = { .kind = MOUNT_PROC, .target = strdup("/p") };
	struct bytes data _cleanup_bytes_ = { 0 };
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
	data = encode(plan);
	cr_assert_eq(decode(&data, &again, &err), 0, "%s", err.text);
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

Test(plan, carries_words_that_json_cannot_show)
{
	_cleanup_plan_ struct plan *plan = make_good(), *again = NULL;
	struct bytes data _cleanup_bytes_ = { 0 };
	char *text = NULL;
	struct error err;

	put(&plan->argv, 2, "caf\xe9");
	data = encode(plan);
	cr_assert_eq(decode(&data, &again, &err), 0, "%s", err.text);
	cr_expect_str_eq(again->argv.items[2], "caf\xe9");
	cr_expect_eq(plan_to_json(plan, &text, &err), -EINVAL);
	cr_expect_str_eq(err.text, "argv[2]: is not valid UTF-8, which JSON must be");
	cr_expect(text == NULL);
}

Test(plan, is_not_encoded_when_it_gets_too_large)
{
	_cleanup_plan_ struct plan *plan = decode_good();
	char *long_one = malloc(100001);
	struct bytes data = { 0 };
	struct error err;

	memset(long_one, 'x', 100000);
	long_one[100000] = '\0';
	for (int i = 0; i < 42; i++)
		strings_append(&plan->argv, long_one, &err);
	cr_expect_eq(plan_encode(plan, &data, &err), -EINVAL);
	cr_expect(strstr(err.text, "bytes are more than 4194304: make the arguments or the "
				   "environment smaller") != NULL,
		  "%s", err.text);
	cr_expect(data.data == NULL);
	free(long_one);
}

static void add_variables(struct plan *plan, size_t count)
{
	struct error err;

	strings_clear(&plan->environment);
	for (size_t i = 0; i < count; i++)
		cr_assert_eq(strings_appendf(&plan->environment, &err, "A%zu=", i), 0);
}

Test(plan, takes_as_many_variables_as_are_allowed)
{
	_cleanup_plan_ struct plan *plan = decode_good(), *again = NULL;
	struct bytes data _cleanup_bytes_ = { 0 };
	struct error err;

	add_variables(plan, 4097);
	expect_refused(plan, "environment: 4097 entries, must be 0 to 4096");
	add_variables(plan, 4096);
	data = encode(plan);
	cr_expect_eq(decode(&data, &again, &err), 0, "%s", err.text);
}

Test(plan, names_resources)
{
	cr_expect_str_eq(plan_rlimit_name(RLIMIT_NOFILE), "RLIMIT_NOFILE");
	cr_expect_str_eq(plan_rlimit_name(RLIMIT_RTTIME), "RLIMIT_RTTIME");
	cr_expect_str_eq(plan_rlimit_name(99), "unknown");
}
