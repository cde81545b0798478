/* SPDX-License-Identifier: MIT */
#include "policy/incident.h"
#include "policy/own.h"
#include "tests/policy/json.h"

#define MIB (UINT64_C(1) << 20)

static void expect_words(const struct incident *incident, const char *const expected[],
			 size_t count)
{
	struct strings words _cleanup_strings_ = { 0 };
	struct error err = { 0 };

	cr_assert_geq(incident_memory_words(incident, &words, &err), 0, "%s", err.text);
	cr_assert_eq(words.count, count, "%zu: %s", words.count,
		     words.count > 0 ? words.items[0] : "");
	for (size_t i = 0; i < count; i++)
		cr_expect_str_eq(words.items[i], expected[i]);
}

static struct incident oom(void)
{
	return (struct incident){ .time = { .tv_sec = 1795455663 }, /* 17:41:03 */
				  .verdict.cause = CAUSE_OOM,
				  .memory_max = 256 * MIB,
				  .before = { .valid = true,
					      .current = 254 * MIB,
					      .anon = 70 * MIB,
					      .file = 182 * MIB,
					      .shmem = 180 * MIB,
					      .sock = 1 * MIB } };
}

Test(incident_words, say_what_the_memory_was_made_of)
{
	static const char *const expected[] = {
		"anon 70.0M of 256M: what the processes hold themselves, Python objects above all",
		"shmem 180M of 256M: files in /dev/shm and /tmp, and shared memory",
	};
	struct incident incident = oom();

	expect_words(&incident, expected, ARRAY_SIZE(expected));
	incident.before.valid = false;
	expect_words(&incident, NULL, 0);
}

Test(incident_words, are_silent_where_memory_had_no_part)
{
	struct incident incident = oom();

	incident.verdict.cause = CAUSE_EXIT;
	incident.before.current = 200 * MIB;
	expect_words(&incident, NULL, 0);
	incident.memory_max = LIMIT_MAX;
	expect_words(&incident, NULL, 0);
}

Test(incident_words, say_what_grew_and_where)
{
	static const char *const expected[] = {
		"anon 70.0M of 256M: what the processes hold themselves, Python objects above all",
		"shmem 180M of 256M: files in /dev/shm and /tmp, and shared memory",
		"anon grew 41.0M in 20s, in thread 2 (exporter), at export.py:88 in load()",
	};
	struct incident incident = oom();
	struct diagnosis diagnosis = { 0 };

	diagnosis_set_history(&diagnosis,
			      json_from("{'time_msec':[1795455640000,1795455660000],"
					"'memory_anon':[30408704,73400320],'memory_shmem':[5,6]}"));
	diagnosis_add_snapshot(
		&diagnosis,
		json_from(
			"{'time':'2026-11-23T17:41:00Z','stacks':{'processes':[{'pid':1,'threads':["
			"{'frames':[{'function':'idle','file':'a.py','line':1}]},"
			"{'name':'exporter','allocating':true,'frames':["
			"{'function':'load','file':'/srv/app/export.py','line':88}]}]}]}}"));
	incident.diagnosis = &diagnosis;
	expect_words(&incident, expected, ARRAY_SIZE(expected));

	/* an old snapshot tells of another time */
	incident.time.tv_sec += 1000;
	{
		struct strings words _cleanup_strings_ = { 0 };
		struct error err;

		cr_assert_geq(incident_memory_words(&incident, &words, &err), 0);
		cr_expect_str_eq(words.items[2], "anon grew 41.0M in 20s");
	}
	diagnosis_clear(&diagnosis);
}
