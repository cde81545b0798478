/* SPDX-License-Identifier: MIT */
#include "policy/setting.h"

#include "policy/own.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* The options that words of ours name; tests/supervisor/test_options.c holds them against the table
 * of options. */
static const char *const options[FIELD_COUNT] = {
	[FIELD_MEMORY] = "--mem",
	[FIELD_PIDS] = "--pids",
	[FIELD_DIRECTORY] = "--chdir",
	[FIELD_USER] = "--user",
	[FIELD_READABLE] = "--ro",
	[FIELD_WRITABLE] = "--rw",
	[FIELD_SYSCALLS] = "--syscalls",
	[FIELD_REQUIRE] = "--require",
	[FIELD_RESTART] = "--restart",
	[FIELD_MAX_RESTARTS] = "--max-restarts",
	[FIELD_OOM] = "--oom",
	[FIELD_STOP_GRACE] = "--grace",
	[FIELD_CPU] = "--cpu",
	[FIELD_IO] = "--io",
	[FIELD_HEALTH_HTTP] = "--health",
	[FIELD_HEALTH_RESTART] = "--health-restart",
};

const char *setting_name(enum spec_door door, enum spec_field field)
{
	if (door == DOOR_OPTIONS && options[field] != NULL)
		return options[field];
	return spec_json_labels.of[field];
}

void setting_add_value(struct phrase *text, enum spec_door door, enum spec_field field,
		       const char *value)
{
	phrase_add(text, "%s%c%s", setting_name(door, field), door == DOOR_OPTIONS ? ' ' : '=',
		   value);
}

/* --- raising a limit -------------------------------------------------------------------------- */

static uint64_t value_of(const struct limits *limits, enum spec_field field)
{
	if (limits == NULL)
		return LIMIT_UNSET;
	return field == FIELD_MEMORY ? limits->memory_max : limits->pids_max;
}

static const char *format(enum spec_field field, uint64_t value, char text[QUANTITY_TEXT_MAX])
{
	if (field == FIELD_MEMORY)
		return quantity_format_size(value, text);
	snprintf(text, QUANTITY_TEXT_MAX, "%" PRIu64, value);
	return text;
}

/* A round number (a power of two, or half as much again) that is a quarter more at least: what is
 * reached once more after a tenth would only be a later death. */
static uint64_t next_value(uint64_t now)
{
	uint64_t least = now <= UINT64_MAX / 2 ? now + now / 4 + 1 : now, power = 1;

	while (power < least && power + power / 2 < least && power <= UINT64_MAX / 4)
		power *= 2;
	return power < least ? power + power / 2 : power;
}

/* Does this bound leave the app no room above what it has? */
static bool is_at(const struct setting_bound *bound, uint64_t now, enum spec_field field)
{
	uint64_t most = value_of(bound->limits, field);

	return most < LIMIT_UNSET && now < LIMIT_UNSET && now >= most;
}

/* " (now 192M; pysbx set blog memory=256M)" */
static void add_own(struct phrase *text, const struct setting_place *place, enum spec_field field)
{
	const char *path = spec_json_labels.of[field], *key = strchr(path, '.') + 1;
	const uint64_t now = value_of(place->limits, field);
	uint64_t most = value_of(place->plan.limits, field), next;
	char shown[QUANTITY_TEXT_MAX], raised[QUANTITY_TEXT_MAX];

	phrase_add(text, "raise %s", path);
	if (now >= LIMIT_UNSET)
		return;
	phrase_add(text, " (now %s", format(field, now, shown));
	next = next_value(now);
	if (most < next)
		next = most;
	if (place->app != NULL && place->door == DOOR_SOCKET)
		phrase_add(text, "; pysbx set %s %s=%s)", place->app, key,
			   format(field, next, raised));
	else if (place->app != NULL)
		phrase_add(text, ") in apps.d/%s.json", place->app);
	else
		phrase_add(text, ")");
}

void setting_add_raise(struct phrase *text, const struct setting_place *place,
		       enum spec_field field)
{
	const char *name = setting_name(place->door, field);
	const uint64_t now = value_of(place->limits, field);
	char shown[QUANTITY_TEXT_MAX];

	assert(field == FIELD_MEMORY || field == FIELD_PIDS);
	if (place->door == DOOR_OPTIONS)
		phrase_add(text, "raise %s", name);
	else if (is_at(&place->plan, now, field))
		phrase_add(text, "raise %s of plan %s, which gives no more than %s", name,
			   place->plan.name,
			   format(field, value_of(place->plan.limits, field), shown));
	else if (is_at(&place->tenant, now, field))
		phrase_add(text, "raise %s of tenant %s, whose apps have %s together", name,
			   place->tenant.name,
			   format(field, value_of(place->tenant.limits, field), shown));
	else
		add_own(text, place, field);
}
