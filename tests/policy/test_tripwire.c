/* SPDX-License-Identifier: MIT */
#include "policy/quantity.h"
#include "policy/tripwire.h"

#include <criterion/criterion.h>

TestSuite(tripwire, .timeout = 10);

#define MIB UINT64_C(1048576)
#define SEC UINT64_C(1000000)

/* An app over made-up time: what it uses is what it needs and what could be reclaimed; the kernel
 * reclaims at memory.high and at the limit. */
struct app {
	struct tripwire tripwire;
	struct tripwire_reading reading;
	struct tripwire_answer answer;
	uint64_t needs, cache;
	unsigned snapshots, episodes, stalls;
	uint64_t last_snapshot; /* what it used then */
};

static void fit(struct app *app, uint64_t bound, uint64_t *moves)
{
	uint64_t over;

	if (app->needs + app->cache <= bound)
		return;
	(*moves)++;
	over = app->needs + app->cache - bound;
	app->cache -= app->cache < over ? app->cache : over;
}

static void look(struct app *app, bool by_clock)
{
	app->reading.current = app->needs + app->cache;
	app->reading.stall.unreclaimable = app->needs;
	app->reading.stall.file_pages = app->cache / 4096;
	tripwire_step(&app->tripwire, &app->reading, by_clock, &app->answer);
	app->snapshots += app->answer.snapshot;
	app->episodes += app->answer.begins;
	app->stalls += app->answer.stalled;
	if (app->answer.snapshot)
		app->last_snapshot = app->reading.current;
}

static struct app app_of(uint64_t limit, uint64_t needs)
{
	struct app app = { .needs = needs };

	app.reading.now_usec = 1000 * SEC;
	app.reading.stall.limit = limit;
	app.reading.current = needs;
	tripwire_init(&app.tripwire, limit, true, &app.reading);
	return app;
}

/* Takes so much more, as memory and as cache. Events are told as the kernel tells them. */
static void grow(struct app *app, uint64_t needs, uint64_t cache)
{
	uint64_t high = app->reading.high_moves, top = app->reading.top_moves;

	app->needs += needs;
	app->cache += cache;
	app->reading.now_usec += 10000;
	fit(app, app->tripwire.limit, &app->reading.top_moves);
	fit(app, tripwire_high(&app->tripwire), &app->reading.high_moves);
	if (app->reading.high_moves > high || app->reading.top_moves > top)
		look(app, false);
}

/* Looks as often as it is asked to. */
static void pass(struct app *app, uint64_t usec)
{
	uint64_t end = app->reading.now_usec + usec;

	while (app->answer.look_usec != 0 && app->reading.now_usec + app->answer.look_usec <= end) {
		app->reading.now_usec += app->answer.look_usec;
		look(app, true);
	}
	app->reading.now_usec = end;
}

Test(tripwire, rungs_are_apart_and_below_the_limit)
{
	const uint64_t limits[] = { 4 * MIB,  8 * MIB,	 16 * MIB,   32 * MIB,	 48 * MIB,
				    64 * MIB, 100 * MIB, 1024 * MIB, 65536 * MIB };

	for (size_t i = 0; i < sizeof(limits) / sizeof(*limits); i++) {
		uint64_t limit = limits[i], below = 0;

		for (unsigned rung = 0; rung < TRIPWIRE_RUNGS; rung++) {
			uint64_t at = tripwire_rung(limit, rung);

			if (at == 0)
				continue;
			cr_expect_geq(at * 100, limit * TRIPWIRE_ALARM);
			cr_expect(below == 0 || (at - below >= MIB && at - below >= limit / 50));
			below = at;
		}
		cr_expect(below == 0 || (limit - below >= MIB && limit - below >= limit / 50));
		/* of 8 MiB and more there is one at least */
		cr_expect(below > 0 || limit < 8 * MIB, "%llu", (unsigned long long)limit);
	}
}

Test(tripwire, of_64_mib_the_last_rung_is_at_98_percent)
{
	cr_expect_eq(tripwire_rung(64 * MIB, 0) * 1000 / (64 * MIB), 900);
	cr_expect_eq(tripwire_rung(64 * MIB, 2) * 1000 / (64 * MIB), 980);
}

Test(tripwire, a_leak_is_looked_at_on_every_rung_and_then_let_go)
{
	struct app app = app_of(64 * MIB, 20 * MIB);

	cr_expect_eq(tripwire_high(&app.tripwire), tripwire_rung(64 * MIB, 0));
	while (app.needs < 64 * MIB)
		grow(&app, MIB / 4, 0);
	cr_expect_eq(app.snapshots, 3);
	cr_expect_eq(app.episodes, 1);
	cr_expect_geq(app.last_snapshot, 62 * MIB);
	cr_expect_eq(tripwire_high(&app.tripwire), LIMIT_MAX);
}

Test(tripwire, a_leak_that_pushes_out_a_cache_is_looked_at_near_the_limit)
{
	struct app app = app_of(64 * MIB, 20 * MIB);

	app.cache = 30 * MIB;
	while (app.needs < 64 * MIB)
		grow(&app, MIB / 4, 0);
	cr_expect_geq(app.snapshots, 2);
	cr_expect_geq(app.last_snapshot, 60 * MIB);
	cr_expect_eq(tripwire_high(&app.tripwire), LIMIT_MAX, "nothing is left in its way");
}

Test(tripwire, reading_a_large_file_is_no_alarm)
{
	struct app app = app_of(64 * MIB, 5 * MIB);

	for (unsigned i = 0; i < 600; i++)
		grow(&app, 0, MIB / 4);
	cr_expect_gt(app.reading.high_moves, 100);
	cr_expect_eq(app.snapshots, 0);
	cr_expect_eq(app.episodes, 0);
	cr_expect_eq(tripwire_high(&app.tripwire), tripwire_rung(64 * MIB, 2),
		     "it stays on guard at the last rung");
	pass(&app, 60 * SEC);
	cr_expect_eq(app.answer.look_usec, 0, "and is left alone");
}

Test(tripwire, after_reading_a_leak_is_still_seen)
{
	struct app app = app_of(64 * MIB, 5 * MIB);

	for (unsigned i = 0; i < 600; i++)
		grow(&app, 0, MIB / 4);
	while (app.needs < 64 * MIB)
		grow(&app, MIB / 4, 0);
	cr_expect_geq(app.snapshots, 2);
	cr_expect_geq(app.last_snapshot, 58 * MIB);
}

Test(tripwire, one_that_has_all_in_one_step_is_looked_at_at_the_limit)
{
	struct app app = app_of(64 * MIB, 20 * MIB);

	app.tripwire.rung = TRIPWIRE_RUNGS;
	grow(&app, 45 * MIB, 0);
	cr_expect_eq(app.snapshots, 1);
	grow(&app, 0, MIB);
	cr_expect_eq(app.snapshots, 1, "once");
}

Test(tripwire, is_armed_anew_when_it_was_calm_for_ten_seconds)
{
	struct app app = app_of(64 * MIB, 20 * MIB);

	while (app.needs < 63 * MIB)
		grow(&app, MIB / 4, 0);
	app.needs = 30 * MIB;
	pass(&app, 9 * SEC);
	cr_expect_eq(tripwire_high(&app.tripwire), LIMIT_MAX);
	pass(&app, 11 * SEC);
	cr_expect_eq(tripwire_high(&app.tripwire), tripwire_rung(64 * MIB, 0));
	cr_expect_eq(app.answer.look_usec, 0, "nothing is left to be looked at");
	while (app.needs < 63 * MIB)
		grow(&app, MIB / 4, 0);
	cr_expect_eq(app.episodes, 2);
}

Test(tripwire, is_not_armed_below_what_is_in_use)
{
	struct app app = app_of(64 * MIB, 20 * MIB);

	while (app.needs < 63 * MIB)
		grow(&app, MIB / 4, 0);
	app.needs = 20 * MIB;
	app.cache = 44 * MIB;
	pass(&app, 60 * SEC);
	cr_expect_eq(tripwire_high(&app.tripwire), LIMIT_MAX);
	app.cache = 0;
	pass(&app, 20 * SEC);
	cr_expect_eq(tripwire_high(&app.tripwire), tripwire_rung(64 * MIB, 0));
}

Test(tripwire, staying_near_the_limit_is_one_episode)
{
	struct app app = app_of(64 * MIB, 20 * MIB);

	while (app.needs < 61 * MIB)
		grow(&app, MIB / 4, 0);
	for (unsigned i = 0; i < 1000; i++) {
		app.needs = 57 * MIB;
		pass(&app, 3 * SEC);
		app.needs = 61 * MIB;
		grow(&app, MIB / 8, 0);
	}
	cr_expect_eq(app.episodes, 1);
	cr_expect_leq(app.snapshots, 3);
}

/* What it waits for below the limit is us. */
Test(tripwire, is_out_of_the_way_of_one_that_waits)
{
	struct app app = app_of(64 * MIB, 30 * MIB);

	for (unsigned i = 0; i < 300; i++)
		grow(&app, 0, MIB / 4);
	cr_expect_neq(tripwire_high(&app.tripwire), LIMIT_MAX);
	for (unsigned i = 0; i < 12; i++) {
		app.reading.high_moves++;
		look(&app, false);
		app.reading.stall.full_total_usec += SEC;
		pass(&app, SEC);
		cr_expect(i > 5 || tripwire_high(&app.tripwire) != LIMIT_MAX);
	}
	cr_expect_eq(tripwire_high(&app.tripwire), LIMIT_MAX);
	cr_expect_eq(app.stalls, 0);
}

Test(tripwire, a_stall_at_the_users_own_limit_is_told_within_thirty_seconds)
{
	struct app app = app_of(64 * MIB, 20 * MIB);
	uint64_t began;

	while (app.needs < 64 * MIB)
		grow(&app, MIB / 4, 0);
	began = app.reading.now_usec;
	while (app.stalls == 0 && app.reading.now_usec < began + 60 * SEC) {
		app.reading.top_moves++;
		app.reading.stall.full_total_usec += SEC / 2;
		pass(&app, SEC);
	}
	cr_expect_eq(app.stalls, 1);
	cr_expect_lt(app.reading.now_usec - began, 30 * SEC);
}

Test(tripwire, one_that_is_off_has_no_rungs_and_is_watched_for_stalls)
{
	struct app app = app_of(64 * MIB, 20 * MIB);

	tripwire_set_limit(&app.tripwire, 64 * MIB, false, 20 * MIB);
	cr_expect_eq(tripwire_high(&app.tripwire), LIMIT_MAX);
	while (app.needs < 64 * MIB)
		grow(&app, MIB / 4, 0);
	grow(&app, MIB / 4, 0);
	for (unsigned i = 0; app.stalls == 0 && i < 60; i++) {
		app.reading.stall.full_total_usec += SEC / 2;
		pass(&app, SEC);
	}
	cr_expect_eq(app.snapshots, 0);
	cr_expect_eq(app.stalls, 1);
}

Test(tripwire, without_a_limit_there_is_nothing_to_do)
{
	struct app app = app_of(LIMIT_MAX, 20 * MIB);

	app.reading.top_moves++;
	look(&app, false);
	cr_expect_eq(app.answer.high, LIMIT_MAX);
	cr_expect_eq(app.answer.look_usec, 0);
	cr_expect_eq(app.snapshots, 0);
}
