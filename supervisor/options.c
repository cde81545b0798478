/* SPDX-License-Identifier: MIT */
/*
 * Words in, options out. The table in options_table.c knows the options; this knows the syntax,
 * what may be said twice, which options exclude each other, and how a message names a field: as the
 * option that sets it.
 */
#include "supervisor/options.h"

#include "policy/nearest.h"
#include "policy/own.h"
#include "policy/quote.h"

#include <stdlib.h>
#include <string.h>

/* The words still to be read, and what has been said so far. */
struct parser {
	char *const *argv;
	int left;
	uint64_t given; /* a bit for each row */
	struct run_options *options;
	struct error *err;
	size_t rows; /* of run_option_rows, and of learn_option_rows behind them */
};

#define _cleanup_options_ __attribute__((cleanup(run_options_clear)))

void run_options_clear(struct run_options *options)
{
	spec_clear(&options->spec);
	free(options->report_path);
	free(options->on_incident);
	free(options->cgroup_root);
	free(options->learn.output);
	free(options->learn.base);
	*options = (struct run_options){ 0 };
}

/* --- one option ------------------------------------------------------------------------------- */

static const struct option_row *row_at(size_t index)
{
	return index < run_option_count ? &run_option_rows[index]
					: &learn_option_rows[index - run_option_count];
}

/* The index of the option that `word`, without its dashes, names up to its end or a '='; `rows` if
 * there is none. */
static size_t find_row(const char *word, size_t rows)
{
	size_t length = strcspn(word, "=");

	for (size_t i = 0; i < rows; i++) {
		const char *name = row_at(i)->name;

		if (strlen(name) == length && strncmp(name, word, length) == 0)
			return i;
	}
	return rows;
}

static int unknown_option(const char *word, size_t rows, struct error *err)
{
	const char *names[RUN_OPTIONS_MAX];
	char shown[QUOTE_TEXT_MAX], plain[NEAREST_WORD_MAX + 1] = "";
	const char *name = word + strspn(word, "-"), *nearest;
	size_t length = strcspn(name, "=");

	for (size_t i = 0; i < rows; i++)
		names[i] = row_at(i)->name;
	if (length <= NEAREST_WORD_MAX)
		memcpy(plain, name, length);
	/* --health begins like it, too */
	nearest = strcmp(word, "-h") == 0 ? "help" : nearest_name(plain, names, rows);
	quote_text(word, shown);
	if (nearest != NULL)
		return error_set(err, ERROR_USAGE, 0, "unknown option %s: did you mean --%s?",
				 shown, nearest);
	return error_set(err, ERROR_USAGE, 0,
			 "unknown option %s: `pysbx run --help` lists them; \"--\" goes before a "
			 "command that starts with a dash",
			 shown);
}

/* The value: after the '=', or the next word, which must not look like an option. */
static int take_value(struct parser *parser, const struct option_row *row, const char *word,
		      const char **ret_value)
{
	const char *equals = strchr(word, '=');

	if (row->argument == NULL) {
		if (equals != NULL)
			return error_set(parser->err, ERROR_USAGE, 0, "--%s: takes no value",
					 row->name);
		*ret_value = NULL;
		return 0;
	}
	if (equals != NULL) {
		*ret_value = equals + 1;
		return 0;
	}
	if (parser->left == 0 || strncmp(parser->argv[0], "--", 2) == 0)
		return error_set(parser->err, ERROR_USAGE, 0, "--%s: needs a value: write --%s=%s",
				 row->name, row->name, row->argument);
	*ret_value = *parser->argv++;
	parser->left--;
	return 0;
}

static int parse_option(struct parser *parser)
{
	const char *word = *parser->argv, *value = NULL;
	const struct option_row *row;
	size_t index = parser->rows;
	uint64_t bit;
	int r;

	if (strncmp(word, "--", 2) == 0)
		index = find_row(word + 2, parser->rows);
	if (index == parser->rows)
		return unknown_option(word, parser->rows, parser->err);
	row = row_at(index);
	parser->argv++;
	parser->left--;

	bit = UINT64_C(1) << index;
	if (!row->repeatable && (parser->given & bit) != 0)
		return error_set(parser->err, ERROR_USAGE, 0, "--%s: given twice: keep one of them",
				 row->name);
	parser->given |= bit;

	r = take_value(parser, row, word, &value);
	if (r < 0)
		return r;
	r = row->set(parser->options, value, parser->err);
	if (r < 0)
		error_prefix(parser->err, "--%s", row->name);
	return r;
}

/* --- all of them ------------------------------------------------------------------------------ */

/* Up to the command, or to --help or --version: behind those nothing matters any more. */
static int parse_words(struct parser *parser)
{
	while (parser->left > 0) {
		const char *word = *parser->argv;
		int r;

		if (word[0] != '-' || word[1] == '\0')
			return 0;
		if (strcmp(word, "--") == 0) {
			parser->argv++;
			parser->left--;
			return 0;
		}
		r = parse_option(parser);
		if (r < 0)
			return r;
		if (parser->options->help || parser->options->version)
			return 0;
	}
	return 0;
}

static int take_command(struct parser *parser)
{
	if (parser->left == 0)
		return error_set(parser->err, ERROR_USAGE, 0,
				 "no command: write pysbx %s [OPTIONS] [--] COMMAND [ARG...]",
				 parser->options->learn.on ? "syscalls learn" : "run");
	for (; parser->left > 0; parser->left--) {
		int r = strings_append(&parser->options->spec.command, *parser->argv++,
				       parser->err);

		if (r < 0)
			return r;
	}
	return 0;
}

static bool was_given(const struct parser *parser, const char *name)
{
	return (parser->given & UINT64_C(1) << find_row(name, parser->rows)) != 0;
}

/* What the spec does not show: two options of which one makes the other pointless. */
static int check_contradictions(const struct parser *parser)
{
	static const char *const restart_options[] = { "max-restarts", "backoff" };

	if (was_given(parser, "quiet") && was_given(parser, "verbose"))
		return error_set(parser->err, ERROR_USAGE, 0,
				 "--quiet: contradicts --verbose: keep one of them");
	if (parser->options->learn.on &&
	    (was_given(parser, "syscalls") || was_given(parser, "syscalls-mode")))
		return error_set(parser->err, ERROR_USAGE, 0,
				 "--syscalls: what is learnt is made of the profile that --base "
				 "names: leave it out");
	if (parser->options->spec.restart.mode != RESTART_NEVER)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(restart_options); i++)
		if (was_given(parser, restart_options[i]))
			return error_set(parser->err, ERROR_USAGE, 0,
					 "--%s: contradicts --restart never: keep one of them",
					 restart_options[i]);
	return 0;
}

/* A message names a field as the option that sets it; a field without one by its JSON path. */
static int validate(const struct app_spec *spec, struct error *err)
{
	char names[RUN_OPTIONS_MAX][RUN_OPTION_LABEL_MAX];
	struct spec_labels labels = spec_json_labels;

	labels.indexed = false;
	for (size_t i = 0; i < run_option_count; i++) {
		snprintf(names[i], sizeof(names[i]), "--%s", run_option_rows[i].name);
		labels.of[run_option_rows[i].field] = names[i];
	}
	labels.of[FIELD_COMMAND] = "COMMAND";
	labels.of[FIELD_BACKOFF_MAX] = labels.of[FIELD_BACKOFF];
	return spec_validate_labelled(spec, &labels, err);
}

static int finish(struct parser *parser)
{
	struct app_spec *spec = &parser->options->spec;
	int r = take_command(parser);

	if (r == 0)
		r = check_contradictions(parser);
	if (r == 0 && spec->directory == NULL &&
	    (spec->directory = strdup(parser->options->cwd)) == NULL)
		r = error_no_memory(parser->err);
	if (r == 0)
		r = spec_complete(spec, parser->err);
	if (r == 0)
		r = validate(spec, parser->err);
	return r;
}

static int parse(int argc, char *const argv[], const char *cwd, bool learn, struct run_options *ret,
		 struct error *err)
{
	_cleanup_options_ struct run_options options = { .cwd = cwd, .learn.on = learn };
	struct parser parser = {
		.argv = argv,
		.left = argc,
		.options = &options,
		.err = err,
		.rows = run_option_count + (learn ? learn_option_count : 0),
	};
	int r;

	r = spec_init(&options.spec, err);
	if (r < 0)
		return r;
	if (learn)
		options.spec.restart.mode = RESTART_NEVER;
	r = parse_words(&parser);
	if (r < 0)
		return r;
	if (!options.help && !options.version) {
		r = finish(&parser);
		if (r < 0)
			return r;
	}
	options.cwd = NULL;
	*ret = options;
	options = (struct run_options){ 0 };
	return 0;
}

int run_options_parse(int argc, char *const argv[], const char *cwd, struct run_options *ret,
		      struct error *err)
{
	return parse(argc, argv, cwd, false, ret, err);
}

int learn_options_parse(int argc, char *const argv[], const char *cwd, struct run_options *ret,
			struct error *err)
{
	return parse(argc, argv, cwd, true, ret, err);
}
