/* SPDX-License-Identifier: MIT */
/* The expected table is written a second time here, pair by pair, from the description of a life;
 * and then what must hold for every path through it, whatever the table says. */
#include "policy/lifecycle.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static const struct {
	enum app_state state;
	enum app_event event;
	enum app_state next;
	enum app_action action;
} expected[] = {
	{ APP_STOPPED, EVENT_START, APP_STARTING, ACTION_SPAWN },
	{ APP_STOPPED, EVENT_EXEC, APP_STOPPED, ACTION_NONE },
	{ APP_STOPPED, EVENT_END_RESTART, APP_STOPPED, ACTION_NONE },
	{ APP_STOPPED, EVENT_END_FINAL, APP_STOPPED, ACTION_NONE },
	{ APP_STOPPED, EVENT_END_GIVE_UP, APP_STOPPED, ACTION_NONE },
	{ APP_STOPPED, EVENT_STOP, APP_STOPPED, ACTION_NONE },
	{ APP_STOPPED, EVENT_TIMER, APP_STOPPED, ACTION_NONE },
	{ APP_STOPPED, EVENT_SUSPEND, APP_STOPPED, ACTION_NONE },
	{ APP_STOPPED, EVENT_RESUME, APP_STOPPED, ACTION_NONE },

	{ APP_STARTING, EVENT_START, APP_STARTING, ACTION_NONE },
	{ APP_STARTING, EVENT_EXEC, APP_RUNNING, ACTION_NONE },
	{ APP_STARTING, EVENT_END_RESTART, APP_BACKOFF, ACTION_ARM_BACKOFF },
	{ APP_STARTING, EVENT_END_FINAL, APP_FAILED, ACTION_SETTLE },
	{ APP_STARTING, EVENT_END_GIVE_UP, APP_FAILED, ACTION_SETTLE },
	{ APP_STARTING, EVENT_STOP, APP_STOPPING, ACTION_SIGNAL_STOP },
	{ APP_STARTING, EVENT_TIMER, APP_STARTING, ACTION_NONE },
	{ APP_STARTING, EVENT_SUSPEND, APP_STARTING, ACTION_NONE },
	{ APP_STARTING, EVENT_RESUME, APP_STARTING, ACTION_NONE },

	{ APP_RUNNING, EVENT_START, APP_RUNNING, ACTION_NONE },
	{ APP_RUNNING, EVENT_EXEC, APP_RUNNING, ACTION_NONE },
	{ APP_RUNNING, EVENT_END_RESTART, APP_BACKOFF, ACTION_ARM_BACKOFF },
	{ APP_RUNNING, EVENT_END_FINAL, APP_STOPPED, ACTION_SETTLE },
	{ APP_RUNNING, EVENT_END_GIVE_UP, APP_FAILED, ACTION_SETTLE },
	{ APP_RUNNING, EVENT_STOP, APP_STOPPING, ACTION_SIGNAL_STOP },
	{ APP_RUNNING, EVENT_TIMER, APP_RUNNING, ACTION_NONE },
	{ APP_RUNNING, EVENT_SUSPEND, APP_SUSPENDED, ACTION_FREEZE },
	{ APP_RUNNING, EVENT_RESUME, APP_RUNNING, ACTION_NONE },

	{ APP_STOPPING, EVENT_START, APP_STOPPING, ACTION_NONE },
	{ APP_STOPPING, EVENT_EXEC, APP_STOPPING, ACTION_NONE },
	{ APP_STOPPING, EVENT_END_RESTART, APP_STOPPED, ACTION_SETTLE },
	{ APP_STOPPING, EVENT_END_FINAL, APP_STOPPED, ACTION_SETTLE },
	{ APP_STOPPING, EVENT_END_GIVE_UP, APP_STOPPED, ACTION_SETTLE },
	{ APP_STOPPING, EVENT_STOP, APP_STOPPING, ACTION_NONE },
	{ APP_STOPPING, EVENT_TIMER, APP_STOPPING, ACTION_KILL },
	{ APP_STOPPING, EVENT_SUSPEND, APP_STOPPING, ACTION_NONE },
	{ APP_STOPPING, EVENT_RESUME, APP_STOPPING, ACTION_NONE },

	{ APP_BACKOFF, EVENT_START, APP_STARTING, ACTION_SPAWN },
	{ APP_BACKOFF, EVENT_EXEC, APP_BACKOFF, ACTION_NONE },
	{ APP_BACKOFF, EVENT_END_RESTART, APP_BACKOFF, ACTION_NONE },
	{ APP_BACKOFF, EVENT_END_FINAL, APP_BACKOFF, ACTION_NONE },
	{ APP_BACKOFF, EVENT_END_GIVE_UP, APP_BACKOFF, ACTION_NONE },
	{ APP_BACKOFF, EVENT_STOP, APP_STOPPED, ACTION_SETTLE },
	{ APP_BACKOFF, EVENT_TIMER, APP_STARTING, ACTION_SPAWN },
	{ APP_BACKOFF, EVENT_SUSPEND, APP_BACKOFF, ACTION_NONE },
	{ APP_BACKOFF, EVENT_RESUME, APP_BACKOFF, ACTION_NONE },

	{ APP_FAILED, EVENT_START, APP_STARTING, ACTION_SPAWN },
	{ APP_FAILED, EVENT_EXEC, APP_FAILED, ACTION_NONE },
	{ APP_FAILED, EVENT_END_RESTART, APP_FAILED, ACTION_NONE },
	{ APP_FAILED, EVENT_END_FINAL, APP_FAILED, ACTION_NONE },
	{ APP_FAILED, EVENT_END_GIVE_UP, APP_FAILED, ACTION_NONE },
	{ APP_FAILED, EVENT_STOP, APP_FAILED, ACTION_NONE },
	{ APP_FAILED, EVENT_TIMER, APP_FAILED, ACTION_NONE },
	{ APP_FAILED, EVENT_SUSPEND, APP_FAILED, ACTION_NONE },
	{ APP_FAILED, EVENT_RESUME, APP_FAILED, ACTION_NONE },

	{ APP_SUSPENDED, EVENT_START, APP_SUSPENDED, ACTION_NONE },
	{ APP_SUSPENDED, EVENT_EXEC, APP_SUSPENDED, ACTION_NONE },
	{ APP_SUSPENDED, EVENT_END_RESTART, APP_BACKOFF, ACTION_ARM_BACKOFF },
	{ APP_SUSPENDED, EVENT_END_FINAL, APP_STOPPED, ACTION_SETTLE },
	{ APP_SUSPENDED, EVENT_END_GIVE_UP, APP_FAILED, ACTION_SETTLE },
	{ APP_SUSPENDED, EVENT_STOP, APP_STOPPING, ACTION_SIGNAL_STOP },
	{ APP_SUSPENDED, EVENT_TIMER, APP_SUSPENDED, ACTION_NONE },
	{ APP_SUSPENDED, EVENT_SUSPEND, APP_SUSPENDED, ACTION_NONE },
	{ APP_SUSPENDED, EVENT_RESUME, APP_RUNNING, ACTION_THAW },
};

#define EXPECTED_COUNT (sizeof(expected) / sizeof(expected[0]))

Test(lifecycle, answers_every_pair_as_described)
{
	bool seen[APP_STATE_COUNT][APP_EVENT_COUNT] = { 0 };

	cr_assert_eq(EXPECTED_COUNT, (size_t)APP_STATE_COUNT * APP_EVENT_COUNT);
	for (size_t i = 0; i < EXPECTED_COUNT; i++) {
		struct lifecycle_step step = lifecycle_step(expected[i].state, expected[i].event);
		const char *state = app_state_name(expected[i].state);
		const char *event = app_event_name(expected[i].event);

		seen[expected[i].state][expected[i].event] = true;
		cr_expect_eq((int)step.next, (int)expected[i].next, "%s + %s", state, event);
		cr_expect_eq((int)step.action, (int)expected[i].action, "%s + %s", state, event);
	}
	for (size_t state = 0; state < APP_STATE_COUNT; state++)
		for (size_t event = 0; event < APP_EVENT_COUNT; event++)
			cr_expect(seen[state][event], "%zu + %zu is not in the test", state, event);
}

static bool is_end(enum app_event event)
{
	return event == EVENT_END_RESTART || event == EVENT_END_FINAL || event == EVENT_END_GIVE_UP;
}

Test(lifecycle, a_stop_leads_to_rest_from_every_state)
{
	for (enum app_state state = 0; state < APP_STATE_COUNT; state++)
		for (enum app_event end = 0; end < APP_EVENT_COUNT; end++) {
			struct lifecycle_step step = lifecycle_step(state, EVENT_STOP);

			if (!is_end(end))
				continue;
			/* the grace runs out, the process ends, with whatever verdict */
			if (app_state_has_process(step.next)) {
				step = lifecycle_step(step.next, EVENT_TIMER);
				cr_expect_eq((int)step.action, ACTION_KILL);
				step = lifecycle_step(step.next, end);
				cr_expect_eq((int)step.action, ACTION_SETTLE);
			}
			cr_expect(step.next == APP_STOPPED || step.next == APP_FAILED, "%s",
				  app_state_name(state));
		}
}

Test(lifecycle, never_spawns_beside_a_process_that_may_live)
{
	for (enum app_state state = 0; state < APP_STATE_COUNT; state++)
		for (enum app_event event = 0; event < APP_EVENT_COUNT; event++) {
			struct lifecycle_step step = lifecycle_step(state, event);

			if (step.action != ACTION_SPAWN)
				continue;
			cr_expect_not(app_state_has_process(state), "%s + %s",
				      app_state_name(state), app_event_name(event));
			cr_expect_eq((int)step.next, APP_STARTING);
		}
}

Test(lifecycle, settles_when_nothing_runs_and_only_then)
{
	for (enum app_state state = 0; state < APP_STATE_COUNT; state++)
		for (enum app_event event = 0; event < APP_EVENT_COUNT; event++) {
			struct lifecycle_step step = lifecycle_step(state, event);
			bool comes_to_rest = state != step.next &&
					     (step.next == APP_STOPPED || step.next == APP_FAILED);

			cr_expect_eq(step.action == ACTION_SETTLE, comes_to_rest, "%s + %s",
				     app_state_name(state), app_event_name(event));
			/* a process is left behind by its end alone */
			if (app_state_has_process(state) && !app_state_has_process(step.next))
				cr_expect(is_end(event), "%s + %s", app_state_name(state),
					  app_event_name(event));
		}
}

Test(lifecycle, waits_only_with_a_timer_that_ends_the_wait)
{
	for (enum app_state state = 0; state < APP_STATE_COUNT; state++)
		for (enum app_event event = 0; event < APP_EVENT_COUNT; event++) {
			struct lifecycle_step step = lifecycle_step(state, event);

			if (step.next == APP_BACKOFF && state != APP_BACKOFF)
				cr_expect_eq((int)step.action, ACTION_ARM_BACKOFF);
			if (step.next == APP_STOPPING && state != APP_STOPPING)
				cr_expect_eq((int)step.action, ACTION_SIGNAL_STOP);
		}
}

Test(lifecycle, a_frozen_app_is_left_by_a_thaw_a_stop_or_its_end)
{
	for (enum app_event event = 0; event < APP_EVENT_COUNT; event++) {
		struct lifecycle_step step = lifecycle_step(APP_SUSPENDED, event);

		if (step.next == APP_SUSPENDED)
			cr_expect_eq((int)step.action, ACTION_NONE, "%s", app_event_name(event));
		else
			cr_expect(is_end(event) || step.action == ACTION_THAW ||
					  step.action == ACTION_SIGNAL_STOP,
				  "%s", app_event_name(event));
	}
}

Test(lifecycle, reads_the_names_of_states_and_no_others)
{
	enum app_state state = APP_FAILED;

	for (enum app_state i = 0; i < APP_STATE_COUNT; i++) {
		cr_expect_eq(app_state_parse(app_state_name(i), &state), 0);
		cr_expect_eq((int)state, (int)i);
	}
	cr_expect_lt(app_state_parse("unknown", &state), 0);
	cr_expect_lt(app_state_parse("", &state), 0);
	cr_expect_eq((int)state, APP_STATE_COUNT - 1);
}

Test(lifecycle, names_are_distinct_and_survive_bad_values)
{
	for (size_t i = 0; i < APP_STATE_COUNT; i++)
		for (size_t j = 0; j < i; j++)
			cr_expect_str_neq(app_state_name((enum app_state)i),
					  app_state_name((enum app_state)j), "\"%s\"",
					  app_state_name((enum app_state)i));
	for (size_t i = 0; i < APP_EVENT_COUNT; i++)
		for (size_t j = 0; j < i; j++)
			cr_expect_str_neq(app_event_name((enum app_event)i),
					  app_event_name((enum app_event)j), "\"%s\"",
					  app_event_name((enum app_event)i));
	cr_expect_str_eq(app_state_name(APP_BACKOFF), "backoff", "\"%s\"",
			 app_state_name(APP_BACKOFF));
	cr_expect_str_eq(app_event_name(EVENT_END_GIVE_UP), "end-give-up", "\"%s\"",
			 app_event_name(EVENT_END_GIVE_UP));
	cr_expect_str_eq(app_state_name((enum app_state)99), "unknown", "\"%s\"",
			 app_state_name((enum app_state)99));
	cr_expect_str_eq(app_event_name((enum app_event)99), "unknown", "\"%s\"",
			 app_event_name((enum app_event)99));
}
