/* SPDX-License-Identifier: MIT */
/* What is written is what packaging/incident.schema.json says. */
#include "policy/incident.h"
#include "policy/incident_customer.h"
#include "policy/own.h"
#include "tests/policy/json_schema.h"

#include <signal.h>

#define SCHEMA "packaging/incident.schema.json"
#define MIB    (UINT64_C(1) << 20)

static json_t *json_of(const struct incident *incident)
{
	_cleanup_free_ char *text = NULL;
	struct error err = { 0 };

	cr_assert_eq(incident_to_json(incident, false, &text, &err), 0, "%s", err.text);
	return json_loads(text, JSON_REJECT_DUPLICATES, NULL);
}

static void expect_valid(const struct incident *incident)
{
	json_t *value = json_of(incident), *shown = incident_for_customer(value);

	json_schema_expect(SCHEMA, value);
	json_schema_expect(SCHEMA, shown);
	json_decref(value);
	json_decref(shown);
}

/* As it is when nothing is known. */
static struct incident least(void)
{
	return (struct incident){
		.id = "20261123T174103Z-web-0-8c3f2a90",
		.app = "web",
		.memory_max = LIMIT_UNSET,
		.memory_high = LIMIT_MAX,
		.pids_max = 64,
		.memory_pressure = { UINT32_MAX, UINT32_MAX },
	};
}

Test(incident_schema, holds_of_every_cause_level_and_decision)
{
	struct incident incident = least();

	for (int i = 0; i < CAUSE_COUNT; i++) {
		incident.verdict.cause = (enum cause)i;
		expect_valid(&incident);
	}
	for (int i = 0; i < OOM_LEVEL_COUNT; i++) {
		incident.verdict.level = (enum oom_level)i;
		expect_valid(&incident);
	}
	for (int i = 0; i < DECISION_COUNT; i++) {
		incident.verdict.decision = (enum decision)i;
		expect_valid(&incident);
	}
}

Test(incident_schema, holds_of_every_way_to_end)
{
	static const int statuses[] = { 0, 3 << 8, SIGKILL, SIGSEGV | 0x80 };
	struct incident incident = least();

	incident.has_wait_status = true;
	incident.maxrss_bytes = 1;
	incident.before.valid = true;
	for (size_t i = 0; i < ARRAY_SIZE(statuses); i++) {
		incident.wait_status = statuses[i];
		expect_valid(&incident);
	}
}

Test(incident_schema, holds_of_what_was_gathered_before)
{
	struct incident incident = least();
	struct diagnosis diagnosis = { 0 };
	json_t *stacks = json_loads(
		"{\"processes\": [{\"pid\": 9, \"pid_inside\": 3, \"python\": \"3.11\", "
		"\"interpreters\": 1, \"threads\": [{\"tid\": 9, \"gil\": true, \"state\": \"R\", "
		"\"minor_faults\": 7, \"cpu_usec\": 8, \"allocating\": true, \"frames\": "
		"[{\"function\": \"load\", \"file\": \"/a/b.py\", \"line\": 8}]}]}, "
		"{\"pid\": 10, \"python\": null, \"error\": \"unsupported\"}]}",
		0, NULL);

	cr_assert_not_null(stacks);
	diagnosis_add_snapshot(
		&diagnosis, json_pack("{s:s, s:s, s:{s:i}, s:i, s:O, s:[{s:i, s:s, s:i}]}", "time",
				      "2026-11-23T17:41:02Z", "reason", "tripwire", "memory",
				      "current", 5, "frozen_usec", 900, "stacks", stacks,
				      "processes", "pid", 9, "comm", "python3", "rss", 4096));
	diagnosis_set_stacks(&diagnosis, stacks);
	diagnosis_add_step(&diagnosis, json_pack("{s:s, s:s, s:s, s:s}", "time", "x", "step",
						 "notify", "reading", "r", "result", "s"));
	diagnosis_set_history(&diagnosis, json_pack("{s:[i, i], s:[i, f]}", "time_msec", 1, 2,
						    "memory_full_avg10", 0, 1.25));
	diagnosis_set_health(&diagnosis, json_object());
	incident.diagnosis = &diagnosis;
	expect_valid(&incident);
	diagnosis_clear(&diagnosis);
}

/* Or the check would take anything. */
Test(incident_schema, does_not_hold_of_anything_else)
{
	static const char *const wrong[] = { "{\"schema\": 1}",
					     "{\"cause\": \"bored\"}",
					     "{\"level\": \"galaxy\"}",
					     "{\"uptime_usec\": -1}",
					     "{\"limits\": {\"memory_max\": \"none\"}}",
					     "{\"id\": \"x\"}",
					     "{\"more\": 1}",
					     "{\"app\": 3}",
					     "{\"kernel\": [1]}",
					     "{\"history\": {}}" };
	struct incident incident = least();
	json_t *root = json_load_file(SCHEMA, JSON_REJECT_DUPLICATES, NULL);

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		json_t *value = json_of(&incident), *change = json_loads(wrong[i], 0, NULL);
		struct json_schema schema = { .root = root };

		json_object_update(value, change);
		cr_expect_not(json_schema_check(&schema, root, value), "%s", wrong[i]);
		json_decref(value);
		json_decref(change);
	}
	json_decref(root);
}

/* mdoc: ".It Sy id , app , tenant" of the section THE REPORT, whose lists are not nested. */
Test(incident_schema, has_the_fields_of_the_man_page)
{
	static char text[65536];
	FILE *page = fopen("man/pysbx-incident.5", "re");
	json_t *root = json_load_file(SCHEMA, JSON_REJECT_DUPLICATES, NULL), *ignored;
	size_t length, fields = 0;
	const char *name, *at;

	cr_assert_not_null(page);
	length = fread(text, 1, sizeof(text) - 1, page);
	text[length] = '\0';
	fclose(page);
	for (char *line = text; (line = strstr(line, "\n.It Sy ")) != NULL;) {
		line += strlen("\n.It Sy");
		for (size_t i = 0; line[i] != '\n'; i++)
			fields += line[i] == ',';
		fields++;
	}
	json_object_foreach(json_object_get(root, "properties"), name, ignored)
	{
		char word[64];

		/* as one of a line of items */
		snprintf(word, sizeof(word), " %s", name);
		for (at = text; (at = strstr(at, "\n.It Sy ")) != NULL; at++) {
			const char *end = strchr(at + 1, '\n'), *found = strstr(at + 1, word);

			if (found != NULL && found < end &&
			    strchr(" \n", found[strlen(word)]) != NULL)
				break;
		}
		cr_expect_not_null(at, "man/pysbx-incident.5 lacks %s", name);
		fields--;
	}
	cr_expect_eq(fields, 0, "man/pysbx-incident.5 has fields that are none");
	json_decref(root);
}
