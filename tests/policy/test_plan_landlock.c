/* SPDX-License-Identifier: MIT */
/* Each test gives mount steps and renders the rules that follow from them. */
#include "policy/plan_landlock.h"

#include "policy/own.h"

#include <criterion/criterion.h>
#include <string.h>

TestSuite(plan_landlock);

struct given {
	enum mount_kind kind;
	const char *target;
	uint32_t flags;
};

static char rendered[1024];

/* "/usr:lrx /tmp:lrwc": one letter for each right. */
static const char *rules_of(const struct plan *plan)
{
	static const char letters[] = "lrxwc";
	size_t used = 0;

	rendered[0] = '\0';
	for (size_t i = 0; i < plan->landlock.rule_count; i++) {
		const struct plan_rule *rule = &plan->landlock.rules[i];

		used += (size_t)snprintf(rendered + used, sizeof(rendered) - used,
					 "%s%s:", i > 0 ? " " : "", rule->path);
		for (size_t j = 0; j < sizeof(letters) - 1; j++)
			if ((rule->access & (1U << j)) != 0)
				rendered[used++] = letters[j];
		rendered[used] = '\0';
	}
	return rendered;
}

static const char *rules_for(const struct given *steps, size_t count)
{
	_cleanup_plan_ struct plan *plan = plan_new();
	const struct app_spec spec = { 0 };
	struct error err;

	cr_assert_not_null(plan);
	for (size_t i = 0; i < count; i++)
		cr_assert_eq(plan_add_mount(plan,
					    &(struct mount_step){ .kind = steps[i].kind,
								  .target = (char *)steps[i].target,
								  .flags = steps[i].flags },
					    &err),
			     0);
	cr_assert_eq(plan_landlock_add(&spec, plan, &err), 0, "%s", err.text);
	return rules_of(plan);
}

#define EXPECT_RULES(wanted, ...)                                                \
	do {                                                                     \
		static const struct given steps_[] = { __VA_ARGS__ };            \
		cr_expect_str_eq(rules_for(steps_, ARRAY_SIZE(steps_)), wanted); \
	} while (0)

Test(plan_landlock, allows_what_each_kind_of_mount_does)
{
	EXPECT_RULES("/:l /usr:lrx", { MOUNT_BIND, "/usr", MOUNT_READ_ONLY });
	EXPECT_RULES("/:l /srv:lr", { MOUNT_BIND, "/srv", MOUNT_READ_ONLY | MOUNT_NOEXEC });
	EXPECT_RULES("/:l /srv:lrxwc", { MOUNT_BIND, "/srv", 0 });
	EXPECT_RULES("/:l /tmp:lrwc", { MOUNT_TMPFS, "/tmp", MOUNT_NOEXEC });
	EXPECT_RULES("/:l /proc:lrw", { MOUNT_PROC, "/proc", 0 });
	EXPECT_RULES("/:l /sys/fs/cgroup:lr", { MOUNT_CGROUP, "/sys/fs/cgroup", 0 });
	EXPECT_RULES("/:l /a/file:r", { MOUNT_FILE, "/a/file", 0 });
	EXPECT_RULES("/:l", { MOUNT_SYMLINK, "/bin", 0 }, { MOUNT_DIRECTORY, "/a", 0 });
}

Test(plan_landlock, allows_once_what_is_in_etc_and_dev)
{
	EXPECT_RULES("/:l /etc:lr /dev:lrw /dev/shm:lrwc",
		     { MOUNT_BIND, "/etc/ssl/certs", MOUNT_READ_ONLY | MOUNT_NOEXEC },
		     { MOUNT_FILE, "/etc/passwd", 0 }, { MOUNT_DEVICE, "/dev/null", 0 },
		     { MOUNT_DEVPTS, "/dev/pts", 0 }, { MOUNT_TMPFS, "/dev/shm", MOUNT_NOEXEC });
	/* what the user shows there may be executed, as the mount says */
	EXPECT_RULES("/:l /etc:lr /etc/app:lrx", { MOUNT_BIND, "/etc/app", MOUNT_READ_ONLY });
}

Test(plan_landlock, leaves_out_what_a_rule_above_allows)
{
	EXPECT_RULES("/:l /srv:lrx /srv/data:lrwc", { MOUNT_BIND, "/srv", MOUNT_READ_ONLY },
		     { MOUNT_BIND, "/srv/venv", MOUNT_READ_ONLY },
		     { MOUNT_BIND, "/srv/data", MOUNT_NOEXEC },
		     { MOUNT_BIND, "/srv/data/more", MOUNT_NOEXEC });
	/* a name that only begins alike is another directory */
	EXPECT_RULES("/:l /srv/a:lrx /srv/ab:lrx", { MOUNT_BIND, "/srv/a", MOUNT_READ_ONLY },
		     { MOUNT_BIND, "/srv/ab", MOUNT_READ_ONLY });
}

static unsigned abi_for(const char *wall, enum network network)
{
	_cleanup_plan_ struct plan *plan = plan_new();
	struct app_spec spec = { .isolation.network = network };
	struct error err;

	cr_assert(plan != NULL && strings_append(&spec.isolation.require, "seccomp", &err) == 0 &&
		  strings_append(&spec.isolation.require, wall, &err) == 0);
	cr_assert_eq(plan_landlock_add(&spec, plan, &err), 0);
	strings_clear(&spec.isolation.require);
	return plan->landlock.required_abi;
}

Test(plan_landlock, requires_what_the_required_walls_are_made_of)
{
	cr_expect_eq(abi_for("namespaces", NETWORK_HOST), 0);
	cr_expect_eq(abi_for("landlock", NETWORK_HOST), 2);
	cr_expect_eq(abi_for("abstract-sockets", NETWORK_HOST), 6);
	cr_expect_eq(abi_for("abstract-sockets", NETWORK_NONE), 0);
}

Test(plan_landlock, refuses_more_rules_than_there_is_room_for)
{
	_cleanup_plan_ struct plan *plan = plan_new();
	struct error err;

	for (int i = 0; i < PLAN_RULES_MAX; i++)
		cr_assert_eq(plan_add_rule(plan, "/a", ACCESS_READ, &err), 0);
	cr_expect_eq(plan_add_rule(plan, "/b", ACCESS_READ, &err), -EINVAL);
	cr_expect_str_eq(err.text, "landlock.rules: more than 515");
	cr_expect_eq(plan->landlock.rule_count, PLAN_RULES_MAX);
}
