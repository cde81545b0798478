/* SPDX-License-Identifier: MIT */
#include "policy/wall.h"

#include "policy/own.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

TestSuite(wall);

static const struct wall_status confined = {
	.uid = 1879048200, .gid = 1879048200, .seccomp = 2, .no_new_privileges = true
};

static struct app_spec a_spec(void)
{
	struct app_spec spec;
	struct error err;

	cr_assert_eq(spec_init(&spec, &err), 0);
	spec.syscalls.profile = strdup("python-web");
	spec.limits.memory_max = UINT64_C(256) << 20;
	spec.limits.pids_max = 1024;
	return spec;
}

static struct wall judged(enum wall_id wall, const struct wall_facts *facts)
{
	struct wall walls[WALL_COUNT];

	wall_judge(facts, walls);
	return walls[wall];
}

Test(wall, has_names_that_are_read_again)
{
	struct error err;

	for (unsigned i = 0; i < WALL_COUNT; i++) {
		enum wall_id wall;

		cr_assert_eq(wall_parse(wall_name((enum wall_id)i), &wall, &err), 0);
		cr_expect_eq(wall, (enum wall_id)i);
	}
	cr_expect_str_eq(wall_name(WALL_COUNT), "unknown");
}

Test(wall, proposes_the_nearest_name_for_an_unknown_one)
{
	enum wall_id wall = WALL_PROC;
	struct error err;

	cr_expect_eq(wall_parse("landlok", &wall, &err), -EINVAL);
	cr_expect_str_eq(err.text, "\"landlok\" is no wall; did you mean landlock?");
	cr_expect_eq(wall, WALL_PROC, "the output stays untouched");
}

Test(wall, objects_to_walls_that_the_spec_itself_leaves_open)
{
	struct app_spec spec = a_spec();

	cr_expect_not_null(wall_objection(WALL_NETWORK, &spec));
	cr_expect_null(wall_objection(WALL_LIMITS, &spec));
	cr_assert_eq(strings_append(&spec.isolation.egress, "localhost", &(struct error){ 0 }), 0);
	cr_expect_null(wall_objection(WALL_NETWORK, &spec), "what it reaches is bounded");
	strings_clear(&spec.isolation.egress);
	spec.isolation.network = NETWORK_NONE;
	spec.limits.memory_max = LIMIT_MAX;
	cr_expect_null(wall_objection(WALL_NETWORK, &spec));
	cr_expect_not_null(wall_objection(WALL_LIMITS, &spec));
	for (unsigned i = 0; i < WALL_COUNT; i++)
		if (i != WALL_NETWORK && i != WALL_LIMITS)
			cr_expect_null(wall_objection((enum wall_id)i, &spec));
	spec.syscalls.mode = SYSCALLS_CANARY;
	cr_expect_not_null(wall_objection(WALL_SECCOMP, &spec));
	spec_clear(&spec);
}

Test(wall, is_up_all_round_on_a_new_kernel)
{
	struct app_spec spec = a_spec();
	struct wall_facts facts = {
		.spec = &spec, .started = true, .landlock_abi = 6, .status = &confined
	};
	struct wall walls[WALL_COUNT];

	spec.isolation.network = NETWORK_NONE;
	wall_judge(&facts, walls);
	for (unsigned i = 0; i < WALL_COUNT; i++) {
		cr_expect_eq(walls[i].state, WALL_UP, "%s", wall_name((enum wall_id)i));
		cr_expect_neq(walls[i].detail[0], '\0', "%s", wall_name((enum wall_id)i));
	}
	cr_expect_str_eq(walls[WALL_LANDLOCK].detail,
			 "ABI 6: files as the mounts show them; no signals to others");
	cr_expect_str_eq(walls[WALL_SECCOMP].detail, "profile python-web");
	cr_expect_str_eq(walls[WALL_IDENTITY].detail, "uid 1879048200, gid 1879048200");
	cr_expect_str_eq(walls[WALL_LIMITS].detail,
			 "memory 256M, 1024 processes, CPU without a limit");
	spec_clear(&spec);
}

Test(wall, of_seccomp_is_down_where_it_only_looks_on)
{
	struct app_spec spec = a_spec();
	const struct wall_facts facts = {
		.spec = &spec, .permits = true, .started = true, .status = &confined
	};
	struct wall wall = judged(WALL_SECCOMP, &facts);

	cr_expect_eq(wall.state, WALL_DOWN);
	cr_expect_str_eq(wall.detail,
			 "profile python-web, but what it refuses is made and only logged");
	spec_clear(&spec);
}

Test(wall, says_why_landlock_is_down)
{
	static const struct {
		unsigned abi;
		int errnum;
		const char *detail;
	} samples[] = {
		{ 0, ENOSYS, "Landlock is not in this kernel: it takes Linux 5.19" },
		{ 0, EOPNOTSUPP,
		  "Landlock is switched off: boot with landlock in the kernel's list lsm=" },
		{ 0, EPERM,
		  "Landlock is refused (errno 1): is pysbx in a container that forbids it?" },
		{ 1, 0, "Landlock of this kernel is too old (ABI 1, not 2): it takes Linux 5.19" },
		{ 0, 0, "the plan has no rules for it" },
	};
	struct app_spec spec = a_spec();

	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		struct wall_facts facts = { .spec = &spec,
					    .started = true,
					    .landlock_abi = samples[i].abi,
					    .landlock_errnum = samples[i].errnum,
					    .status = &confined };
		struct wall wall = judged(WALL_LANDLOCK, &facts);

		cr_expect_eq(wall.state, WALL_DOWN);
		cr_expect_str_eq(wall.detail, samples[i].detail);
	}
	spec_clear(&spec);
}

Test(wall, takes_landlock_or_a_network_of_its_own_against_abstract_sockets)
{
	struct app_spec spec = a_spec();
	struct wall_facts facts = { .spec = &spec, .started = true, .status = &confined };

	facts.landlock_abi = 5;
	cr_expect_eq(judged(WALL_ABSTRACT_SOCKETS, &facts).state, WALL_DOWN);
	facts.landlock_abi = 6;
	cr_expect_eq(judged(WALL_ABSTRACT_SOCKETS, &facts).state, WALL_UP);
	facts.landlock_abi = 0;
	spec.isolation.network = NETWORK_NONE;
	cr_expect_eq(judged(WALL_ABSTRACT_SOCKETS, &facts).state, WALL_UP);
	spec_clear(&spec);
}

Test(wall, believes_what_the_kernel_shows_of_the_process)
{
	static const struct wall_status bare = { .uid = 0, .capabilities = 0x200, .seccomp = 0 };
	static const enum wall_id shown[] = { WALL_SECCOMP, WALL_NO_NEW_PRIVILEGES,
					      WALL_CAPABILITIES, WALL_IDENTITY };
	struct app_spec spec = a_spec();
	struct wall_facts facts = { .spec = &spec, .started = true, .status = &bare };

	for (size_t i = 0; i < ARRAY_SIZE(shown); i++)
		cr_expect_eq(judged(shown[i], &facts).state, WALL_DOWN, "%s", wall_name(shown[i]));
	facts.status = NULL;
	for (size_t i = 0; i < ARRAY_SIZE(shown); i++)
		cr_expect_eq(judged(shown[i], &facts).state, WALL_UNKNOWN);
	facts.started = false;
	cr_expect_eq(judged(WALL_ROOT, &facts).state, WALL_UNKNOWN);
	spec_clear(&spec);
}

#define STATUS_TEXT                                                                   \
	"Name:\tpython3\nUmask:\t0022\nUid:\t7\t7\t7\t7\nGid:\t8\t8\t8\t8\nCapInh:\t" \
	"0000000000000000\nCapPrm:\t0000000000000000\nCapEff:\t0000000000000000\n"    \
	"CapBnd:\t0000000000000020\nCapAmb:\t0000000000000000\nNoNewPrivs:\t1\n"      \
	"Seccomp:\t2\nSeccomp_filters:\t1\n"

Test(wall, reads_the_status_of_a_process)
{
	struct wall_status status;
	struct error err;

	cr_assert_eq(wall_status_parse(STATUS_TEXT, &status, &err), 0, "%s", err.text);
	cr_expect_eq(status.uid, 7);
	cr_expect_eq(status.gid, 8);
	cr_expect_eq(status.capabilities, 0x20);
	cr_expect_eq(status.seccomp, 2);
	cr_expect(status.no_new_privileges);
	/* a user who is not the same in every way is told as root */
	cr_assert_eq(wall_status_parse("Uid:\t7\t0\t7\t7\nGid:\t8 8 8 8\nCapInh:\t0\nCapPrm:\t0\n"
				       "CapEff:\t0\nCapBnd:\t0\nCapAmb:\t0\nNoNewPrivs:\t0\n"
				       "Seccomp:\t0\n",
				       &status, &err),
		     0, "%s", err.text);
	cr_expect_eq(status.uid, 0);
}

Test(wall, refuses_a_status_that_lacks_a_line)
{
	static const char *const keys[] = { "Uid",    "Gid",	"CapInh",     "CapPrm",	 "CapEff",
					    "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp:" };

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		char text[] = STATUS_TEXT;
		struct wall_status status = { .uid = 77 };
		struct error err;

		*strstr(text, keys[i]) = '_';
		cr_expect_eq(wall_status_parse(text, &status, &err), -EINVAL, "%s", keys[i]);
		cr_expect_eq(status.uid, 77, "the output stays untouched");
	}
	cr_expect_eq(wall_status_parse("", &(struct wall_status){ 0 }, &(struct error){ 0 }),
		     -EINVAL);
}

Test(wall, is_an_object_in_json)
{
	struct app_spec spec = a_spec();
	struct wall_facts facts = { .spec = &spec, .started = true, .status = &confined };
	struct wall walls[WALL_COUNT];
	json_t *array;

	wall_judge(&facts, walls);
	array = walls_to_json(walls);
	cr_assert_eq(json_array_size(array), WALL_COUNT);
	cr_expect_str_eq(
		json_string_value(json_object_get(json_array_get(array, WALL_NETWORK), "name")),
		"network");
	cr_expect_str_eq(
		json_string_value(json_object_get(json_array_get(array, WALL_NETWORK), "state")),
		"down");
	json_decref(array);
	spec_clear(&spec);
}

Test(wall, a_start_that_lacks_something_is_seen)
{
	struct wall_status status = confined;

	cr_expect_null(wall_status_lack(&status, confined.uid));
	cr_expect_str_eq(wall_status_lack(&status, 0), "another uid");
	status.capabilities = 1;
	cr_expect_str_eq(wall_status_lack(&status, confined.uid), "capabilities");
	status.no_new_privileges = false;
	cr_expect_str_eq(wall_status_lack(&status, confined.uid), "no no_new_privs");
	status.seccomp = 1;
	cr_expect_str_eq(wall_status_lack(&status, confined.uid), "no seccomp filter");
}
