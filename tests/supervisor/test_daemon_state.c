/* SPDX-License-Identifier: MIT */
#include "policy/document.h"
#include "policy/own.h"
#include "supervisor/daemon.h"

#include <criterion/criterion.h>
#include <string.h>

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

/* --- lines -------------------------------------------------------------------------------------
 */

#define STATE "{\"generation\": 7, \"cursor\": 1, \"apps\": {\"web\": {\"n\": 1}}}"
#define LINE(generation, name, n)                                                            \
	"{\"generation\":" generation ",\"cursor\":2,\"kernel_sequence\":3,\"name\":\"" name \
	"\",\"record\":{\"n\":" n "}}\n"

/* What "web" has in it after these lines, and how many apps there are. */
static json_int_t after(const char *lines, size_t *ret_apps, json_int_t *ret_cursor)
{
	_cleanup_json_ json_t *state = json_loads(STATE, 0, NULL);
	json_t *apps = json_object_get(state, "apps");

	daemon_state_take_lines(state, lines, strlen(lines));
	*ret_apps = json_object_size(apps);
	*ret_cursor = json_integer_value(json_object_get(state, "cursor"));
	return json_integer_value(json_object_get(json_object_get(apps, "web"), "n"));
}

Test(daemon_state, the_last_line_of_an_app_is_its_record)
{
	json_int_t cursor;
	size_t apps;

	cr_expect_eq(after(LINE("7", "web", "2") LINE("7", "api", "9") LINE("7", "web", "3"), &apps,
			   &cursor),
		     3);
	cr_expect_eq(apps, 2);
	cr_expect_eq(cursor, 2);
}

Test(daemon_state, lines_of_another_generation_are_passed_over)
{
	json_int_t cursor;
	size_t apps;

	cr_expect_eq(after(LINE("6", "web", "2") LINE("6", "api", "9"), &apps, &cursor), 1);
	cr_expect_eq(apps, 1);
	cr_expect_eq(cursor, 1);
	cr_expect_eq(after("{\"name\":\"web\",\"record\":{\"n\":5}}\n", &apps, &cursor), 1);
}

Test(daemon_state, a_line_that_is_cut_off_ends_them)
{
	static const char *const damaged[] = {
		"{\"generation\":7,\"cursor\":2,\"name\":\"web\",\"record\":{\"n\":5}}", /* no end
											  */
		"{\"generation\":7,\"name\":\"web\",\"rec\n" LINE("7", "web", "5"),
		"\n" LINE("7", "web", "5"),
		"[1, 2\n" LINE("7", "web", "5"),
		"",
	};
	json_int_t cursor;
	size_t apps;

	for (size_t i = 0; i < ARRAY_SIZE(damaged); i++)
		cr_expect_eq(after(damaged[i], &apps, &cursor), 1, "%s", damaged[i]);
}

Test(daemon_state, a_line_without_a_record_changes_no_app)
{
	json_int_t cursor;
	size_t apps;

	cr_expect_eq(after("{\"generation\":7,\"name\":\"web\",\"record\":[]}\n"
			   "{\"generation\":7,\"name\":3,\"record\":{}}\n"
			   "{\"generation\":7,\"record\":{}}\n[]\n",
			   &apps, &cursor),
		     1);
	cr_expect_eq(apps, 1);
	cr_expect_eq(cursor, 1);
}
