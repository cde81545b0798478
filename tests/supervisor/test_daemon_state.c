/* SPDX-License-Identifier: MIT */
#include "policy/document.h"
#include "supervisor/daemon.h"

#include <criterion/criterion.h>

TestSuite(daemon_state, .timeout = 30);

static uint64_t cursor_of(const char *text)
{
	_cleanup_json_ json_t *state = json_loads(text, 0, NULL);

	cr_assert_not_null(state, "%s", text);
	return daemon_state_cursor(state);
}

Test(daemon_state, cursors_go_on_after_a_daemon_that_has_left_in_good_order)
{
	cr_expect_eq(cursor_of("{\"cursor\": 41, \"closed\": true}"), 41);
}

Test(daemon_state, no_cursor_is_used_again_after_a_daemon_that_was_killed)
{
	cr_expect_eq(cursor_of("{\"cursor\": 41, \"closed\": false}"), 41 + DAEMON_CURSOR_GAP);
	cr_expect_eq(cursor_of("{\"cursor\": 41}"), 41 + DAEMON_CURSOR_GAP);
}

Test(daemon_state, without_a_state_cursors_begin_anew)
{
	cr_expect_eq(daemon_state_cursor(NULL), 0);
}
