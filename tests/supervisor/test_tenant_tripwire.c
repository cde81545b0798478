/* SPDX-License-Identifier: MIT */
/* On plain files that are called as the kernel's are. */
#include "supervisor/tenant_tripwire.h"

#include "policy/own.h"
#include "supervisor/file.h"
#include "tests/supervisor/tree.h"

#include <criterion/criterion.h>
#include <inttypes.h>

#define MIB   (UINT64_C(1) << 20)
#define LIMIT (64 * MIB)

static sd_event *event;
static struct watch_notifier notifier;
static struct tenant_tripwires wires;
static struct tenant tenant;
static struct error err;

static void prepare(void)
{
	tree_make();
	cr_assert_geq(sd_event_new(&event), 0);
	cr_assert_eq(watch_notifier_open(&notifier, event, &err), 0, "%s", err.text);
	wires = (struct tenant_tripwires){ .event = event,
					   .notifier = &notifier,
					   .root = open(tree, O_PATH | O_DIRECTORY | O_CLOEXEC) };
	tenant = (struct tenant){ .name = (char *)"acme" };
	tenant.limits = (struct limits){ .memory_max = LIMIT, .memory_high = LIMIT_UNSET };
	tree_file("acme.tenant/memory.current", 0644, "1048576\n");
	tree_file("acme.tenant/memory.stat", 0644, "anon 1048576\n");
	tree_file("acme.tenant/memory.events.local", 0644, "low 0\nhigh 0\nmax 0\n");
	tree_file("acme.tenant/memory.high", 0644, "max\n");
}

static void leave(void)
{
	tenant_tripwires_clear(&wires);
	watch_notifier_close(&notifier);
	sd_event_unref(event);
	close_and_clear(&wires.root);
	tree_remove();
}

TestSuite(tenant_tripwire, .init = prepare, .fini = leave, .timeout = 30);

/* A plain file keeps what was behind a shorter text. */
static uint64_t high(void)
{
	char text[64];

	cr_assert_geq(file_read_at(wires.root, "acme.tenant/memory.high", text, sizeof(text), &err),
		      0, "%s", err.text);
	return strncmp(text, "max", 3) == 0 ? LIMIT_MAX : strtoull(text, NULL, 10);
}

static uint64_t rung(unsigned number)
{
	return tripwire_mark(tripwire_rung(LIMIT, number));
}

static void set_high(uint64_t value)
{
	char text[32];

	snprintf(text, sizeof(text), "%" PRIu64 "\n", value / 4096 * 4096);
	tree_file("acme.tenant/memory.high", 0644, value == LIMIT_MAX ? "max\n" : text);
}

static bool is_there(const char *name, void *userdata)
{
	return userdata != NULL && strcmp(name, userdata) == 0;
}

Test(tenant_tripwire, arms_the_lowest_rung_above_what_is_used)
{
	tenant_tripwires_renew(&wires, &tenant);
	cr_expect_eq(high(), rung(0));
	tree_file("acme.tenant/memory.current", 0644, "61000000\n");
	tenant_tripwires_renew(&wires, &tenant);
	cr_expect_eq(high(), rung(1));
}

/* Its limits were written, or a daemon before has left it there: what it is, is asked. */
Test(tenant_tripwire, arms_a_rung_whatever_stood_there)
{
	static const uint64_t before[] = { LIMIT_MAX, 4096, LIMIT - MIB };

	for (size_t i = 0; i < ARRAY_SIZE(before); i++) {
		set_high(before[i]);
		tenant_tripwires_renew(&wires, &tenant);
		cr_expect_eq(high(), rung(0), "%" PRIu64, before[i]);
	}
}

/* All of it is used: no rung is above that, and none stays below it. */
Test(tenant_tripwire, leaves_no_rung_of_an_earlier_daemon_where_none_is_left)
{
	set_high(rung(0));
	tree_file("acme.tenant/memory.current", 0644, "67108864\n");
	tenant_tripwires_renew(&wires, &tenant);
	cr_expect_eq(high(), LIMIT_MAX);
}

Test(tenant_tripwire, leaves_a_limit_of_its_declaration_alone)
{
	tenant_tripwires_renew(&wires, &tenant);
	tenant.limits.memory_high = 50 * MIB;
	set_high(50 * MIB);
	tenant_tripwires_renew(&wires, &tenant);
	cr_expect_eq(high(), 50 * MIB);
	cr_expect_null(wires.first, "it has no wire any more");
	tenant_tripwires_clear(&wires);
	cr_expect_eq(high(), 50 * MIB);
}

Test(tenant_tripwire, goes_when_its_limit_goes)
{
	tenant_tripwires_renew(&wires, &tenant);
	tenant.limits.memory_max = LIMIT_UNSET;
	tenant_tripwires_renew(&wires, &tenant);
	cr_expect_eq(high(), LIMIT_MAX);
	cr_expect_null(wires.first);
}

Test(tenant_tripwire, is_forgotten_with_its_tenant)
{
	tenant_tripwires_renew(&wires, &tenant);
	tenant_tripwires_forget(&wires, is_there, (char *)"acme");
	cr_expect_eq(high(), rung(0));
	tenant_tripwires_forget(&wires, is_there, NULL);
	cr_expect_eq(high(), LIMIT_MAX);
	cr_expect_null(wires.first);
}

/* The apps of a tenant that is gone go with their cgroup. */
Test(tenant_tripwire, is_forgotten_where_there_is_no_cgroup_any_more)
{
	char path[128];

	tenant_tripwires_renew(&wires, &tenant);
	snprintf(path, sizeof(path), "rm -r %s", tree_path("acme.tenant"));
	cr_assert_eq(system(path), 0);
	tenant_tripwires_renew(&wires, &tenant);
	tenant_tripwires_forget(&wires, is_there, NULL);
	cr_expect_null(wires.first);
}

Test(tenant_tripwire, leaves_no_rung_behind)
{
	tenant_tripwires_renew(&wires, &tenant);
	tenant_tripwires_clear(&wires);
	cr_expect_eq(high(), LIMIT_MAX);
}
