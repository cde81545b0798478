/* SPDX-License-Identifier: MIT */
/*
 * The terminal of `pysbx top`, by ncurses. One at a time in a process: the library's own state, and
 * the terminal's, are global. The terminal is given back at top_screen_close(), at exit(3), and on
 * every signal that ends a process and can be caught.
 */
#pragma once

#include "policy/error.h"
#include "policy/top.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TOP_TEXT_MAX 256

struct top_screen_view {	    /* what is drawn; borrowed */
	const struct top_row *rows; /* in their order, from the first that is shown */
	size_t count, first, total; /* rows; the number of the first; of all apps */
	const char *head, *note;    /* lines of our own making; note: "" for the keys */
};

/* ERROR_UNSUPPORTED if this is no terminal, or one that ncurses does not know. */
int top_screen_open(bool colour, bool utf8, struct error *err);
void top_screen_close(void);

/* Rows that fit. */
size_t top_screen_rows(void);
void top_screen_draw(const struct top_screen_view *view);

enum top_input {
	TOP_INPUT_NONE, /* the time is over, or the size has changed */
	TOP_INPUT_LETTER,
	TOP_INPUT_UP,
	TOP_INPUT_DOWN,
	TOP_INPUT_PAGE_UP,
	TOP_INPUT_PAGE_DOWN,
	TOP_INPUT_HOME,
	TOP_INPUT_ERASE,
	TOP_INPUT_ENTER,
	TOP_INPUT_ESCAPE,
	TOP_INPUT_END, /* a signal, or nobody is there any more */
};
/* Waits at most so long. *ret_letter: printable ASCII. */
enum top_input top_screen_wait(int msec, char *ret_letter);
