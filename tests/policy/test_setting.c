/* SPDX-License-Identifier: MIT */
#include "policy/setting.h"

#include "policy/own.h"

#include <criterion/criterion.h>

#define MIB (UINT64_C(1) << 20)

static const struct limits plan_limits = { .memory_max = 256 * MIB, .pids_max = 128 };
static const struct limits tenant_limits = { .memory_max = 1024 * MIB, .pids_max = LIMIT_UNSET };

static const char *raise(const struct setting_place *place, enum spec_field field)
{
	static char text[400];
	struct phrase phrase = phrase_on(text, sizeof(text));

	setting_add_raise(&phrase, place, field);
	return text;
}

Test(setting, names_a_field_as_an_option_or_as_a_key)
{
	cr_expect_str_eq(setting_name(DOOR_OPTIONS, FIELD_WRITABLE), "--rw");
	cr_expect_str_eq(setting_name(DOOR_FILE, FIELD_WRITABLE), "isolation.writable");
	cr_expect_str_eq(setting_name(DOOR_SOCKET, FIELD_STOP_GRACE), "stop.grace");
	/* no words name it */
	cr_expect_str_eq(setting_name(DOOR_OPTIONS, FIELD_LOG_RATE), "log.rate");
}

Test(setting, says_what_to_raise_and_how)
{
	static const struct {
		enum spec_door door;
		bool in_plan, of_tenant;
		uint64_t memory;
		const char *text;
	} rows[] = {
		{ DOOR_OPTIONS, false, false, 192 * MIB, "raise --mem" },
		{ DOOR_SOCKET, false, false, 192 * MIB,
		  "raise limits.memory (now 192M; pysbx set blog memory=256M)" },
		{ DOOR_FILE, false, false, 192 * MIB,
		  "raise limits.memory (now 192M) in apps.d/blog.json" },
		{ DOOR_SOCKET, false, false, LIMIT_UNSET, "raise limits.memory" },
		{ DOOR_SOCKET, false, false, LIMIT_MAX, "raise limits.memory" },
		/* never more than the plan would let pass */
		{ DOOR_SOCKET, true, false, 240 * MIB,
		  "raise limits.memory (now 240M; pysbx set blog memory=256M)" },
		{ DOOR_SOCKET, true, true, 256 * MIB,
		  "raise limits.memory of plan basic, which gives no more than 256M" },
		{ DOOR_FILE, true, false, 256 * MIB,
		  "raise limits.memory of plan basic, which gives no more than 256M" },
		{ DOOR_SOCKET, false, true, 512 * MIB,
		  "raise limits.memory (now 512M; pysbx set blog memory=768M)" },
		{ DOOR_SOCKET, false, true, 2048 * MIB,
		  "raise limits.memory of tenant acme, whose apps have 1G together" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct limits own = { .memory_max = rows[i].memory };
		struct setting_place place = { .door = rows[i].door,
					       .app = "blog",
					       .limits = &own };

		if (rows[i].in_plan)
			place.plan = (struct setting_bound){ "basic", &plan_limits };
		if (rows[i].of_tenant)
			place.tenant = (struct setting_bound){ "acme", &tenant_limits };
		cr_expect_str_eq(raise(&place, FIELD_MEMORY), rows[i].text, "%zu: \"%s\"", i,
				 raise(&place, FIELD_MEMORY));
	}
}

Test(setting, proposes_round_numbers_a_quarter_higher_at_least)
{
	static const struct {
		uint64_t now;
		const char *text;
	} rows[] = {
		{ 1, "raise limits.pids (now 1; pysbx set blog pids=2)" },
		{ 2, "raise limits.pids (now 2; pysbx set blog pids=3)" },
		{ 100, "raise limits.pids (now 100; pysbx set blog pids=128)" },
		{ 128, "raise limits.pids (now 128; pysbx set blog pids=192)" },
		{ 153, "raise limits.pids (now 153; pysbx set blog pids=192)" },
		{ 1024, "raise limits.pids (now 1024; pysbx set blog pids=1536)" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct limits own = { .pids_max = rows[i].now };
		const struct setting_place place = { .door = DOOR_SOCKET,
						     .app = "blog",
						     .limits = &own };

		cr_expect_str_eq(raise(&place, FIELD_PIDS), rows[i].text, "%s",
				 raise(&place, FIELD_PIDS));
	}
}

Test(setting, does_without_what_is_not_known)
{
	const struct setting_place place = { .door = DOOR_SOCKET };

	cr_expect_str_eq(raise(&place, FIELD_PIDS), "raise limits.pids");
}
