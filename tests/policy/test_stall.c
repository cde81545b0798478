/* SPDX-License-Identifier: MIT */
#include "policy/stall.h"

#include <criterion/criterion.h>

TestSuite(stall, .timeout = 10);

#define MIB  (UINT64_C(1) << 20)
#define SEC  UINT64_C(1000000)
#define PAGE UINT64_C(4096)

struct scene {
	struct stall stall;
	struct stall_reading reading;
	struct stall_finding finding;
	uint64_t now;
	bool stalled;
};

static struct scene scene_of(uint64_t unreclaimable, uint64_t file)
{
	return (struct scene){ .now = 1000 * SEC,
			       .reading = { .limit = 100 * MIB,
					    .unreclaimable = unreclaimable,
					    .file_pages = file / PAGE } };
}

/* So long at these rates, a look a second. Does it wait at the end? */
static bool pass(struct scene *scene, unsigned seconds, unsigned full_percent, uint64_t refaults)
{
	bool waits = false;

	for (unsigned i = 0; i < seconds; i++) {
		scene->now += SEC;
		scene->reading.full_total_usec += full_percent * SEC / 100;
		scene->reading.refaults += refaults;
		waits = stall_step(&scene->stall, scene->now, &scene->reading, &scene->stalled,
				   &scene->finding);
		if (scene->stalled)
			break;
	}
	return waits;
}

Test(stall, of_one_look_nothing_is_concluded)
{
	struct scene scene = scene_of(99 * MIB, 0);

	scene.reading.full_total_usec = 1000 * SEC;
	cr_expect(!stall_step(&scene.stall, scene.now, &scene.reading, &scene.stalled,
			      &scene.finding));
	cr_expect(!scene.stalled);
}

Test(stall, waiting_much_of_ten_seconds_is_one)
{
	struct scene scene = scene_of(90 * MIB, 2 * MIB);

	pass(&scene, 5, 0, 0);
	cr_expect(pass(&scene, 9, 44, 0));
	cr_expect(!scene.stalled);
	cr_expect(pass(&scene, 2, 44, 0));
	cr_expect(scene.stalled);
	cr_expect_eq(scene.finding.full_percent, 44);
	cr_expect_eq(scene.finding.usec, 10 * SEC);
}

Test(stall, a_pause_begins_it_anew)
{
	struct scene scene = scene_of(90 * MIB, 2 * MIB);

	pass(&scene, 1, 0, 0);
	pass(&scene, 9, 60, 0);
	cr_expect(!pass(&scene, 1, 10, 0));
	cr_expect(pass(&scene, 9, 60, 0));
	cr_expect(!scene.stalled);
}

/* at `max` thrash once showed only 1-4 % of full */
Test(stall, pages_that_come_back_again_and_again_are_one)
{
	struct scene scene = scene_of(98 * MIB, UINT64_C(200) * 1024); /* 50 pages */

	pass(&scene, 1, 0, 0);
	cr_expect(pass(&scene, 20, 2, 1000));
	cr_expect(scene.stalled);
	cr_expect_eq(scene.finding.refaults_per_second, 1000);
}

Test(stall, a_large_cache_may_be_read_again)
{
	struct scene scene = scene_of(86 * MIB, 12 * MIB); /* 3072 pages */

	cr_expect(!pass(&scene, 60, 5, 20000));
}

Test(stall, what_can_be_reclaimed_does_not_stall)
{
	struct scene scene = scene_of(80 * MIB, 20 * MIB);

	cr_expect(!pass(&scene, 60, 90, 100000));
	cr_expect(scene.stall.slow, "it waits all the same");
}

Test(stall, what_nobody_has_looked_at_is_not_counted)
{
	struct scene scene = scene_of(95 * MIB, MIB);

	pass(&scene, 1, 0, 0);
	scene.now += 3600 * SEC;
	scene.reading.full_total_usec += 3500 * SEC;
	cr_expect(!stall_step(&scene.stall, scene.now, &scene.reading, &scene.stalled,
			      &scene.finding));
	cr_expect(!scene.stalled);
}

Test(stall, looks_that_come_too_soon_change_nothing)
{
	struct scene scene = scene_of(95 * MIB, MIB);

	pass(&scene, 1, 0, 0);
	cr_expect(pass(&scene, 3, 80, 0));
	for (unsigned i = 0; i < 40; i++) {
		scene.now += SEC / 100;
		cr_expect(stall_step(&scene.stall, scene.now, &scene.reading, &scene.stalled,
				     &scene.finding));
	}
}
