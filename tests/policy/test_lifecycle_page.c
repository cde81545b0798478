/* SPDX-License-Identifier: MIT */
/*
 * The drawing of the life cycle in pysbxd(8) is the table's own: what is written here from the
 * table must stand there, between its two marks, word for word. A failure shows the text to put in.
 */
#include "policy/lifecycle.h"
#include "policy/own.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE "man/pysbxd.8"
#define BEGIN \
	".\\\" lifecycle: begin (written by the table in policy/lifecycle.c; a test compares)\n"
#define END ".\\\" lifecycle: end\n"

static void draw_row(FILE *out, enum app_state state, enum app_event event)
{
	struct lifecycle_step step = lifecycle_step(state, event);

	if (step.next == state && step.action == ACTION_NONE)
		return;
	fprintf(out, ".It Cm %s Ta %s Ta Cm %s Ta %s\n", app_state_name(state),
		app_event_name(event), app_state_name(step.next), app_action_name(step.action));
}

static char *draw(void)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	cr_assert_not_null(out);
	fprintf(out,
		".Bl -column \"suspended\" \"end-give-up\" \"suspended\" \"thaw, send the stop "
		"signal, start the grace\"\n.It Sy in Ta Sy on Ta Sy to Ta Sy and\n");
	for (enum app_state state = 0; state < APP_STATE_COUNT; state++)
		for (enum app_event event = 0; event < APP_EVENT_COUNT; event++)
			draw_row(out, state, event);
	fprintf(out, ".El\n");
	fclose(out);
	return text;
}

static char *read_page(void)
{
	FILE *file = fopen(PAGE, "r");
	char *text = calloc(1, 65536);

	if (file == NULL)
		cr_skip_test("the source tree is not here");
	cr_assert_gt(fread(text, 1, 65535, file), 0);
	fclose(file);
	return text;
}

Test(lifecycle_page, shows_the_table_as_it_is)
{
	_cleanup_free_ char *page = read_page(), *drawn = draw();
	const char *begin = strstr(page, BEGIN), *end = strstr(page, END);

	cr_assert(begin != NULL && end != NULL && begin < end);
	begin += strlen(BEGIN);
	cr_expect(strlen(drawn) == (size_t)(end - begin) &&
			  strncmp(begin, drawn, (size_t)(end - begin)) == 0,
		  "%s must say between its marks:\n%s", PAGE, drawn);
}
