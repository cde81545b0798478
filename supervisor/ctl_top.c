/* SPDX-License-Identifier: MIT */
/*
 * `pysbx top`: asks the daemon for what all apps use, and draws it. The history of those that are
 * on the screen is asked for by their names.
 */
#include "policy/chart.h"
#include "policy/figure.h"
#include "policy/own.h"
#include "policy/phrase.h"
#include "policy/quantity.h"
#include "policy/top.h"
#include "supervisor/clock.h"
#include "supervisor/ctl.h"
#include "supervisor/top_screen.h"

#include <string.h>
#include <time.h>

#define INTERVAL_USEC	  UINT64_C(2000000)
#define INTERVAL_MIN_USEC UINT64_C(200000)
#define COLUMNS_OF_TEXT	  132
#define FILTER_MAX	  64
#define NAMED_MAX	  200 /* the daemon's own bound */

struct top {
	struct ctl *ctl;
	uint64_t interval_usec;
	enum top_key key;
	bool reverse;
	char filter[FILTER_MAX];
	bool typing; /* the filter */
	size_t first;
	json_t *answer, *series;    /* of all; of those that are shown */
	struct top_row *rows;	    /* of answer */
	size_t row_count, shown;    /* all; those that the filter lets through, at the front */
	char failure[TOP_TEXT_MAX]; /* of the last question; "" if it was answered */
};

static void clear(struct top *top)
{
	free(TAKE_PTR(top->rows));
	json_decref(TAKE_PTR(top->answer));
	json_decref(TAKE_PTR(top->series));
	top->row_count = top->shown = 0;
}

/* --- asking ----------------------------------------------------------------------------------- */

static void arrange(struct top *top)
{
	top->shown = top_filter(top->rows, top->row_count, top->filter);
	top_sort(top->rows, top->shown, top->key, top->reverse);
	if (top->first >= top->shown)
		top->first = top->shown > 0 ? top->shown - 1 : 0;
}

static int ask_all(struct top *top, struct error *err)
{
	json_t *params = json_pack("{s:s*}", "tenant", top->ctl->options.tenant), *answer = NULL;
	int r = ctl_call(top->ctl, "app.usage", params, &answer, err);

	if (r < 0)
		return r;
	clear(top);
	top->answer = answer;
	r = top_read(answer, &top->rows, &top->row_count, err);
	if (r < 0)
		return r;
	arrange(top);
	return 0;
}

static const json_t *find_app(const json_t *answer, const char *name)
{
	const json_t *app;
	size_t index;

	json_array_foreach(json_object_get(answer, "apps"), index, app)
	{
		const char *other = json_string_value(json_object_get(app, "name"));

		if (other != NULL && strcmp(other, name) == 0)
			return app;
	}
	return NULL;
}

/* The sparklines of so many rows from `first` on. */
static int ask_series(struct top *top, size_t first, size_t count, struct error *err)
{
	json_t *names = json_array(), *answer = NULL;
	int r;

	for (size_t i = first; i < top->shown && i - first < count && i - first < NAMED_MAX; i++)
		(void)json_array_append_new(names, json_string(top->rows[i].name));
	r = ctl_call(top->ctl, "app.usage",
		     json_pack("{s:o, s:i}", "names", names, "points", TOP_SPARK), &answer, err);
	if (r < 0)
		return r;
	json_decref(top->series);
	top->series = answer;
	for (size_t i = first; i < top->shown && i - first < count; i++) {
		const json_t *app = find_app(answer, top->rows[i].name);

		top->rows[i].cpu_series = json_object_get(app, "cpu_series");
		top->rows[i].memory_series = json_object_get(app, "memory_series");
	}
	return 0;
}

/* --- text ------------------------------------------------------------------------------------- */

static void put_head(const struct top *top, char *text, size_t size)
{
	struct phrase phrase = phrase_on(text, size);
	char clock[16] = "", memory[QUANTITY_TEXT_MAX];
	uint64_t used = 0;
	size_t running = 0;
	double cpu = 0;
	time_t now = time(NULL);
	struct tm local;

	for (size_t i = 0; i < top->row_count; i++) {
		const struct top_row *row = &top->rows[i];

		running += strcmp(row->state, "running") == 0;
		cpu += row->cpu > 0 ? row->cpu : 0;
		used += row->memory > 0 ? (uint64_t)row->memory : 0;
	}
	if (localtime_r(&now, &local) != NULL)
		(void)strftime(clock, sizeof(clock), "%H:%M:%S", &local);
	phrase_add(&phrase, "pysbx %s  %zu apps, %zu running  cpu %.1f%%  memory %s  by %s%s",
		   clock, top->row_count, running, cpu, figure_size(used, memory),
		   top_key_name(top->key), top->reverse ? ", reversed" : "");
	if (top->filter[0] != '\0')
		phrase_add(&phrase, "  %zu with \"%s\"", top->shown, top->filter);
}

static void put_line(const struct ctl_view *view, const struct top_row *row, unsigned columns)
{
	struct top_cell cells[TOP_CELLS_MAX];
	size_t count = top_cells(row, columns, view->utf8, cells);
	unsigned column = 0;

	for (size_t i = 0; i < count; i++) {
		unsigned used = 0, at = cells[i].at;

		for (const char *byte = cells[i].text; *byte != '\0'; byte++)
			used += (*byte & 0xc0) != 0x80;
		if (used == 0)
			continue;
		if (cells[i].right && used < cells[i].width)
			at += cells[i].width - used;
		fprintf(view->out, "%*s%s", (int)(at - column), "", cells[i].text);
		column = at + used;
	}
	fputc('\n', view->out);
}

static int print_once(struct top *top, struct error *err)
{
	const struct ctl_view *view = &top->ctl->view;
	unsigned columns = view->columns > 0 ? view->columns : COLUMNS_OF_TEXT;
	char head[TOP_TEXT_MAX];
	int r = ask_all(top, err);

	if (r >= 0 && ctl_given(top->ctl, CTL_JSON)) {
		ctl_put_json(top->ctl, top->answer);
		return 0;
	}
	if (r >= 0)
		r = ask_series(top, 0, NAMED_MAX, err);
	if (r < 0)
		return r;
	put_head(top, head, sizeof(head));
	ctl_say(top->ctl, "%s", head);
	put_line(view, NULL, columns);
	for (size_t i = 0; i < top->shown; i++)
		put_line(view, &top->rows[i], columns);
	return 0;
}

/* --- the screen ------------------------------------------------------------------------------- */

/* A daemon that is restarted is asked again; meanwhile the last answer stays. */
static void ask(struct top *top)
{
	struct error err = { 0 };
	int r = ask_all(top, &err);

	if (r >= 0)
		r = ask_series(top, top->first, top_screen_rows(), &err);
	top->failure[0] = '\0';
	if (r >= 0)
		return;
	snprintf(top->failure, sizeof(top->failure), "%.*s", TOP_TEXT_MAX - 1, err.text);
	if (err.kind == ERROR_UNREACHABLE)
		rpc_client_close(TAKE_PTR(top->ctl->client));
}

static void draw(const struct top *top)
{
	char head[TOP_TEXT_MAX], note[TOP_TEXT_MAX] = "";
	struct top_screen_view view = { .rows = top->rows + top->first,
					.count = top->shown - top->first,
					.first = top->first,
					.total = top->row_count,
					.head = head,
					.note = note };

	put_head(top, head, sizeof(head));
	if (top->typing)
		snprintf(note, sizeof(note), " find: %s_   (Enter: done, Esc: all)", top->filter);
	else if (top->failure[0] != '\0')
		snprintf(note, sizeof(note), " %.*s", TOP_TEXT_MAX - 2, top->failure);
	top_screen_draw(&view);
}

static void type(struct top *top, enum top_input input, char letter)
{
	size_t length = strlen(top->filter);

	if (input == TOP_INPUT_LETTER && length + 1 < sizeof(top->filter)) {
		top->filter[length] = letter;
		top->filter[length + 1] = '\0';
	} else if (input == TOP_INPUT_ERASE && length > 0) {
		top->filter[length - 1] = '\0';
	} else if (input == TOP_INPUT_ESCAPE) {
		top->filter[0] = '\0';
	}
	top->typing = input != TOP_INPUT_ENTER && input != TOP_INPUT_ESCAPE;
}

/* False: that was all. */
static bool take_letter(struct top *top, char letter)
{
	enum top_key key = top_key_of_letter(letter);

	if (letter == 'q')
		return false;
	if (key != TOP_KEY_COUNT)
		top->key = key;
	else if (letter == 'R')
		top->reverse = !top->reverse;
	else if (letter == '/')
		top->typing = true;
	return true;
}

static void scroll(struct top *top, enum top_input input)
{
	size_t page = top_screen_rows(), step = 1;

	if (input == TOP_INPUT_PAGE_UP || input == TOP_INPUT_PAGE_DOWN)
		step = page > 1 ? page - 1 : 1;
	if (input == TOP_INPUT_HOME)
		top->first = 0;
	else if (input == TOP_INPUT_DOWN || input == TOP_INPUT_PAGE_DOWN)
		top->first = top->first + step < top->shown ? top->first + step : top->first;
	else
		top->first = top->first > step ? top->first - step : 0;
}

/* False: that was all. *ask_now: what is shown has changed. */
static bool take_input(struct top *top, enum top_input input, char letter)
{
	bool go_on = true;

	if (input == TOP_INPUT_END)
		return false;
	if (top->typing)
		type(top, input, letter);
	else if (input == TOP_INPUT_LETTER)
		go_on = take_letter(top, letter);
	else if (input == TOP_INPUT_ESCAPE)
		top->filter[0] = '\0';
	else if (input >= TOP_INPUT_UP && input <= TOP_INPUT_HOME)
		scroll(top, input);
	arrange(top);
	return go_on;
}

static int watch(struct top *top, struct error *err)
{
	uint64_t due = 0;
	bool go_on = true;
	int r = ask_all(top, err);

	/* who can't ask at all hears it in words */
	if (r >= 0)
		r = top_screen_open(top->ctl->view.colour, top->ctl->view.utf8, err);
	if (r < 0)
		return r;
	while (go_on) {
		uint64_t now = clock_monotonic_usec();
		enum top_input input;
		char letter = '\0';

		if (now >= due) {
			ask(top);
			due = now + top->interval_usec;
		}
		draw(top);
		now = clock_monotonic_usec();
		input = top_screen_wait(due > now ? (int)((due - now) / 1000) + 1 : 0, &letter);
		if (input == TOP_INPUT_NONE)
			continue;
		go_on = take_input(top, input, letter);
		due = 0;
	}
	top_screen_close();
	return 0;
}

static int read_options(struct top *top, struct error *err)
{
	const struct ctl_options *options = &top->ctl->options;
	int r = 0;

	if (options->sort != NULL)
		r = top_key_parse(options->sort, &top->key, err);
	if (r >= 0 && options->interval != NULL) {
		r = quantity_parse_time(options->interval, &top->interval_usec, err);
		if (r < 0)
			error_prefix(err, "--interval");
	}
	if (top->interval_usec < INTERVAL_MIN_USEC)
		top->interval_usec = INTERVAL_MIN_USEC;
	if (top->interval_usec > UINT64_C(3600000000))
		top->interval_usec = UINT64_C(3600000000);
	if (top->ctl->word_count > 0)
		snprintf(top->filter, sizeof(top->filter), "%.*s", FILTER_MAX - 1,
			 top->ctl->words[0]);
	return r;
}

int ctl_top(struct ctl *ctl, struct error *err)
{
	struct top top = { .ctl = ctl, .interval_usec = INTERVAL_USEC };
	int r = read_options(&top, err);

	if (r >= 0)
		r = ctl_given(ctl, CTL_ONCE) || ctl_given(ctl, CTL_JSON) ? print_once(&top, err)
									 : watch(&top, err);
	clear(&top);
	return r;
}
