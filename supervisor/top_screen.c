/* SPDX-License-Identifier: MIT */
/* NCURSES_WIDECHAR makes the library count characters, not bytes. */
#define NCURSES_WIDECHAR 1

#include "supervisor/top_screen.h"

#include "policy/own.h"

#include <curses.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#define HEAD_LINES 2 /* what is said of all, and the headings */
#define FOOT_LINES 1
#define ESCAPE_KEY 27

static const char *const keys_line =
	" q quit c cpu m mem s share p stall i io t pids r restarts n name R turn / find";

static struct {
	SCREEN *screen;
	bool colour, utf8, at_exit;
} terminal;
static volatile sig_atomic_t ended_by;

static void on_end(int number)
{
	ended_by = number;
}

static const int ends[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE };

static void set_signals(void (*handler)(int))
{
	/* without SA_RESTART: the wait for a key ends */
	struct sigaction action = { .sa_handler = handler };

	for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
		(void)sigaction(ends[i], &action, NULL);
}

int top_screen_open(bool colour, bool utf8, struct error *err)
{
	if (isatty(STDIN_FILENO) == 0 || isatty(STDOUT_FILENO) == 0)
		return error_set(err, ERROR_UNSUPPORTED, 0,
				 "top: this is no terminal: add --once to print it as text");
	set_signals(on_end);
	/* initscr() would end the process if it fails */
	terminal.screen = newterm(NULL, stdout, stdin);
	if (terminal.screen == NULL) {
		set_signals(SIG_DFL);
		return error_set(err, ERROR_UNSUPPORTED, 0,
				 "top: the terminal is of an unknown type ($TERM): add --once to "
				 "print it as text");
	}
	if (!terminal.at_exit)
		(void)atexit(top_screen_close);
	terminal.at_exit = true;
	terminal.colour = colour && has_colors();
	terminal.utf8 = utf8;
	(void)cbreak();
	(void)noecho();
	(void)keypad(stdscr, TRUE);
	(void)curs_set(0);
	set_escdelay(50);
	if (terminal.colour) {
		(void)start_color();
		(void)use_default_colors();
		(void)init_pair(TOP_GOOD, COLOR_GREEN, -1);
		(void)init_pair(TOP_WARN, COLOR_YELLOW, -1);
		(void)init_pair(TOP_BAD, COLOR_RED, -1);
	}
	return 0;
}

void top_screen_close(void)
{
	if (terminal.screen == NULL)
		return;
	(void)endwin();
	delscreen(TAKE_PTR(terminal.screen));
	set_signals(SIG_DFL);
}

size_t top_screen_rows(void)
{
	return LINES > HEAD_LINES + FOOT_LINES ? (size_t)(LINES - HEAD_LINES - FOOT_LINES) : 0;
}

static attr_t attribute_of(enum top_colour colour)
{
	if (colour == TOP_DIM)
		return A_DIM;
	if (colour == TOP_PLAIN)
		return A_NORMAL;
	if (terminal.colour)
		return (attr_t)COLOR_PAIR(colour);
	return colour == TOP_BAD ? A_BOLD : A_NORMAL;
}

static unsigned characters_of(const char *text)
{
	unsigned count = 0;

	for (; *text != '\0'; text++)
		count += (*text & 0xc0) != 0x80;
	return count;
}

static void draw_cells(int y, const struct top_row *row)
{
	struct top_cell cells[TOP_CELLS_MAX];
	unsigned columns = COLS > 0 ? (unsigned)COLS : 1;
	size_t count = top_cells(row, columns, terminal.utf8, cells);

	for (size_t i = 0; i < count; i++) {
		unsigned used = characters_of(cells[i].text), at = cells[i].at;
		attr_t attribute = attribute_of(cells[i].colour);

		if (cells[i].right && used < cells[i].width)
			at += cells[i].width - used;
		if (row == NULL)
			attribute = A_REVERSE;
		(void)attron(attribute);
		(void)mvaddstr(y, (int)at, cells[i].text);
		(void)attroff(attribute);
	}
}

static void draw_bar(int y, const char *text)
{
	(void)attron(A_REVERSE);
	(void)mvhline(y, 0, ' ', COLS);
	(void)mvaddnstr(y, 0, text, COLS);
	(void)attroff(A_REVERSE);
}

void top_screen_draw(const struct top_screen_view *view)
{
	size_t room = top_screen_rows();

	(void)erase();
	(void)mvaddnstr(0, 0, view->head, COLS);
	draw_bar(1, "");
	draw_cells(1, NULL);
	for (size_t i = 0; i < room && i < view->count; i++)
		draw_cells(HEAD_LINES + (int)i, &view->rows[i]);
	draw_bar(LINES - 1, view->note[0] != '\0' ? view->note : keys_line);
	(void)refresh();
}

static enum top_input input_of(int key, char *ret_letter)
{
	switch (key) {
	case KEY_UP:
		return TOP_INPUT_UP;
	case KEY_DOWN:
		return TOP_INPUT_DOWN;
	case KEY_PPAGE:
		return TOP_INPUT_PAGE_UP;
	case KEY_NPAGE:
		return TOP_INPUT_PAGE_DOWN;
	case KEY_HOME:
		return TOP_INPUT_HOME;
	case KEY_BACKSPACE:
	case 127:
	case '\b':
		return TOP_INPUT_ERASE;
	case KEY_ENTER:
	case '\n':
	case '\r':
		return TOP_INPUT_ENTER;
	case ESCAPE_KEY:
		return TOP_INPUT_ESCAPE;
	default:
		if (key < ' ' || key > '~')
			return TOP_INPUT_NONE;
		*ret_letter = (char)key;
		return TOP_INPUT_LETTER;
	}
}

enum top_input top_screen_wait(int msec, char *ret_letter)
{
	int key;

	if (ended_by != 0)
		return TOP_INPUT_END;
	timeout(msec);
	errno = 0;
	key = getch();
	if (ended_by != 0)
		return TOP_INPUT_END;
	/* a terminal that has gone reads as its end, at once and for ever */
	if (key == ERR && errno != 0 && errno != EINTR && errno != EAGAIN)
		return TOP_INPUT_END;
	return key == ERR ? TOP_INPUT_NONE : input_of(key, ret_letter);
}
