/* SPDX-License-Identifier: MIT */
#include "policy/incident.h"

#include <criterion/criterion.h>
#include <string.h>

static const struct timespec moment = { 1795455663, 123456789 }; /* 2026-11-23 17:41:03 UTC */

Test(incident, id_tells_time_app_and_instance)
{
	char id[INCIDENT_ID_MAX];

	incident_make_id("web", 0, &moment, 0x8c3f2a90, id);
	cr_expect_str_eq(id, "20261123T174103Z-web-0-8c3f2a90", "%s", id);
	incident_make_id("a.b_c-1", 17, &moment, 1, id);
	cr_expect_str_eq(id, "20261123T174103Z-a.b_c-1-17-00000001", "%s", id);
}

Test(incident, id_keeps_its_unique_end_whatever_the_name)
{
	char id[INCIDENT_ID_MAX], name[65];

	memset(name, 'n', 64);
	name[64] = '\0';
	incident_make_id(name, 4294967295, &moment, 0xffffffff, id);
	cr_expect_eq(strlen(id), INCIDENT_ID_MAX - 1);
	cr_expect_str_eq(id + strlen(id) - 21, "n-4294967295-ffffffff", "%s", id);
	cr_expect_eq(strncmp(id, "20261123T174103Z-nnn", 20), 0);
}

Test(incident, id_is_a_plain_file_name)
{
	char id[INCIDENT_ID_MAX];

	incident_make_id("../etc/\n\xff x", 0, &moment, 0, id);
	cr_expect_str_eq(id, "20261123T174103Z-.._etc____x-0-00000000", "%s", id);
}

Test(incident, ids_sort_by_time)
{
	const time_t times[] = { 0, 951782400, 1795455663, 1795455664, 4102444799 };
	char last[INCIDENT_ID_MAX] = "", id[INCIDENT_ID_MAX];

	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		incident_make_id("web", 0, &(struct timespec){ .tv_sec = times[i] }, 0, id);
		cr_expect_gt(strcmp(id, last), 0, "%s", id);
		memcpy(last, id, sizeof(last));
	}
	/* a time that no calendar holds is no reason to fail */
	incident_make_id("web", 0, &(struct timespec){ .tv_sec = INT64_MAX }, 0, id);
	cr_expect_str_eq(id, "19700101T000000Z-web-0-00000000", "%s", id);
}

Test(incident, id_holds_the_apps_name)
{
	static const struct {
		const char *id, *app; /* NULL: no id */
	} samples[] = {
		{ "20261123T174103Z-web-0-8c3f2a90", "web" },
		{ "20261123T174103Z-a.b_c-1-17-00000001", "a.b_c-1" },
		{ "20261123T174103Z-0-0-0-00000001", "0-0" },
		{ "20261123T174103Z--0-00000001", NULL },
		{ "20261123T174103Z-web-0", NULL },
		{ "20261123T174103Z-", NULL },
		{ "20261123T174103Z", NULL },
		{ "2026112xT174103Z-web-0-8c3f2a90", NULL },
		{ "web-0-1", NULL },
		{ "", NULL },
		{ "20261123T174103Z-0123456789012345678901234567890123456789-0-8c3f2a90", NULL },
	};

	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		const char *app = NULL;
		size_t length = incident_id_app(samples[i].id, &app);

		cr_assert_eq(length, samples[i].app != NULL ? strlen(samples[i].app) : 0, "%s",
			     samples[i].id);
		if (length > 0)
			cr_expect_eq(strncmp(app, samples[i].app, length), 0, "%s", samples[i].id);
	}
}
