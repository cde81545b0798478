/* SPDX-License-Identifier: MIT */
/* Each test gives mount steps and renders the rules that follow from them. */
#include "policy/plan_landlock.h"

#include "policy/own.h"

#include <criterion/criterion.h>
#include <string.h>

TestSuite(plan_landlock);

struct given {
	const char *target;
	enum mount_kind kind;
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
	EXPECT_RULES("/:l /usr:lrx", { "/usr", MOUNT_BIND, MOUNT_READ_ONLY });
	EXPECT_RULES("/:l /srv:lr", { "/srv", MOUNT_BIND, MOUNT_READ_ONLY | MOUNT_NOEXEC });
	EXPECT_RULES("/:l /srv:lrxwc", { "/srv", MOUNT_BIND, 0 });
	EXPECT_RULES("/:l /tmp:lrwc", { "/tmp", MOUNT_TMPFS, MOUNT_NOEXEC });
	EXPECT_RULES("/:l /proc:lrw", { "/proc", MOUNT_PROC, 0 });
	EXPECT_RULES("/:l /sys/fs/cgroup:lr", { "/sys/fs/cgroup", MOUNT_CGROUP, 0 });
	EXPECT_RULES("/:l /a/file:r", { "/a/file", MOUNT_FILE, 0 });
	EXPECT_RULES("/:l", { "/bin", MOUNT_SYMLINK, 0 }, { "/a", MOUNT_DIRECTORY, 0 });
	EXPECT_RULES("/:l /dev:lrw", { "/dev/memory-pressure", MOUNT_PRESSURE, 0 });
}

Test(plan_landlock, allows_once_what_is_in_etc_and_dev)
{
	EXPECT_RULES("/:l /etc:lr /dev:lrw /dev/shm:lrwc",
		     { "/etc/ssl/certs", MOUNT_BIND, MOUNT_READ_ONLY | MOUNT_NOEXEC },
		     { "/etc/passwd", MOUNT_FILE, 0 }, { "/dev/null", MOUNT_DEVICE, 0 },
		     { "/dev/pts", MOUNT_DEVPTS, 0 }, { "/dev/shm", MOUNT_TMPFS, MOUNT_NOEXEC });
	/* what the user shows there may be executed, as the mount says */
	EXPECT_RULES("/:l /etc:lr /etc/app:lrx", { "/etc/app", MOUNT_BIND, MOUNT_READ_ONLY });
}

Test(plan_landlock, leaves_out_what_a_rule_above_allows)
{
	EXPECT_RULES("/:l /srv:lrx /srv/data:lrwc", { "/srv", MOUNT_BIND, MOUNT_READ_ONLY },
		     { "/srv/venv", MOUNT_BIND, MOUNT_READ_ONLY },
		     { "/srv/data", MOUNT_BIND, MOUNT_NOEXEC },
		     { "/srv/data/more", MOUNT_BIND, MOUNT_NOEXEC });
	/* a name that only begins alike is another directory */
	EXPECT_RULES("/:l /srv/a:lrx /srv/ab:lrx", { "/srv/a", MOUNT_BIND, MOUNT_READ_ONLY },
		     { "/srv/ab", MOUNT_BIND, MOUNT_READ_ONLY });
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
