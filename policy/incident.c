/* SPDX-License-Identifier: MIT */
#include "policy/incident.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define ID_TIME_SHAPE "ddddddddTddddddZ-"

/* what an id needs besides the app's name: time, instance (10 digits), random, three hyphens */
static_assert(INCIDENT_ID_APP_MAX ==
		      INCIDENT_ID_MAX - sizeof("20261123T174103Z--4294967295-8c3f2a90"),
	      "the longest id has room");

static char id_character(char c)
{
	bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		     c == '-' || c == '_' || c == '.';

	return (char)(plain ? c : '_');
}

void incident_make_id(const char *app, unsigned instance, const struct timespec *time,
		      uint32_t random, char ret_id[static INCIDENT_ID_MAX])
{
	char name[INCIDENT_ID_APP_MAX + 1] = "";
	struct tm utc;

	for (size_t i = 0; i < INCIDENT_ID_APP_MAX && app[i] != '\0'; i++)
		name[i] = id_character(app[i]);
	if (gmtime_r(&time->tv_sec, &utc) == NULL)
		utc = (struct tm){ .tm_year = 70, .tm_mday = 1 };
	snprintf(ret_id, INCIDENT_ID_MAX, "%04u%02u%02uT%02u%02u%02uZ-%s-%u-%08" PRIx32,
		 (unsigned)(utc.tm_year + 1900) % 10000, (unsigned)(utc.tm_mon + 1) % 100,
		 (unsigned)utc.tm_mday % 100, (unsigned)utc.tm_hour % 100,
		 (unsigned)utc.tm_min % 100, (unsigned)utc.tm_sec % 100, name, instance, random);
}

static bool begins_with_a_time(const char *id)
{
	static const char shape[] = ID_TIME_SHAPE;

	for (size_t i = 0; shape[i] != '\0'; i++) {
		bool digit = id[i] >= '0' && id[i] <= '9';

		if (shape[i] == 'd' ? !digit : id[i] != shape[i])
			return false;
	}
	return true;
}

size_t incident_id_app(const char *id, const char **ret_app)
{
	const char *end = id + strlen(id);
	int dashes = 0;

	if (end - id >= INCIDENT_ID_MAX || !begins_with_a_time(id))
		return 0;
	/* what lies between the time and the last two dashes: a name may hold dashes itself */
	*ret_app = id + strlen(ID_TIME_SHAPE);
	while (end > *ret_app && dashes < 2)
		dashes += *--end == '-';
	return dashes == 2 ? (size_t)(end - *ret_app) : 0;
}
