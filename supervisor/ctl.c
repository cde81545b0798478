/* SPDX-License-Identifier: MIT */
/*
 * From words to a handler, and from an error to an exit code. Options may stand anywhere among the
 * words; "--" ends them.
 */
#include "supervisor/ctl.h"

#include "policy/escape.h"
#include "policy/layout.h"
#include "policy/nearest.h"
#include "policy/own.h"
#include "policy/quantity.h"
#include "policy/quote.h"

#include <assert.h>
#include <langinfo.h>
#include <limits.h>
#include <locale.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

#define COLUMNS_MIN 40 /* a narrower terminal gets broken lines */

static const int exit_codes[] = {
	[ERROR_NONE] = 0,	    [ERROR_USAGE] = 2,	   [ERROR_INVALID] = 1,
	[ERROR_NOT_FOUND] = 5,	    [ERROR_DENIED] = 4,	   [ERROR_UNREACHABLE] = 3,
	[ERROR_NOT_EXECUTABLE] = 1, [ERROR_FAILED] = 1,	   [ERROR_UNSUPPORTED] = 1,
	[ERROR_SYSTEM] = 1,	    [ERROR_NO_MEMORY] = 1, [ERROR_INTERNAL] = 1,
	[ERROR_CONFLICT] = 1,	    [ERROR_TOO_MANY] = 1,
};
static_assert(ARRAY_SIZE(exit_codes) == ERROR_KIND_COUNT, "an exit code for each kind");

/* --- which command ---------------------------------------------------------------------------- */

/* How many words of argv the name takes ("plan list": 2), 0 if they are others. */
static int words_of_name(const char *name, int argc, char *const argv[])
{
	const char *blank = strchr(name, ' ');
	size_t first = blank != NULL ? (size_t)(blank - name) : strlen(name);

	if (argc < 1 || strlen(argv[0]) != first || strncmp(argv[0], name, first) != 0)
		return 0;
	if (blank == NULL)
		return 1;
	return argc > 1 && strcmp(argv[1], blank + 1) == 0 ? 2 : 0;
}

const struct ctl_command *ctl_find_command(int argc, char *const argv[], int *ret_words)
{
	*ret_words = 0;
	for (size_t i = 0; i < ctl_command_count; i++) {
		*ret_words = words_of_name(ctl_commands[i].name, argc, argv);
		if (*ret_words > 0)
			return &ctl_commands[i];
	}
	return NULL;
}

/* "plan" alone, or with a second word that is none of its own. */
static int unknown_second_word(int argc, char *const argv[], struct error *err)
{
	size_t length = strlen(argv[0]);
	char shown[QUOTE_TEXT_MAX];
	char names[128] = "";

	for (size_t i = 0; i < ctl_command_count; i++) {
		const char *name = ctl_commands[i].name;
		size_t used = strlen(names);

		if (strncmp(name, argv[0], length) == 0 && name[length] == ' ')
			snprintf(names + used, sizeof(names) - used, "%s%s", used > 0 ? ", " : "",
				 name + length + 1);
	}
	if (names[0] == '\0')
		return 0;
	if (argc < 2 || argv[1][0] == '-')
		return error_set(err, ERROR_USAGE, 0, "%s: what to do is missing: write one of %s",
				 argv[0], names);
	return error_set(err, ERROR_USAGE, 0, "%s: %s is none of %s", argv[0],
			 quote_text(argv[1], shown), names);
}

static int unknown_command(int argc, char *const argv[], struct error *err)
{
	const char *names[CTL_COMMANDS_MAX], *nearest;
	char shown[QUOTE_TEXT_MAX];
	int r = unknown_second_word(argc, argv, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < ctl_command_count; i++)
		names[i] = ctl_commands[i].name;
	nearest = nearest_name(argv[0], names, ctl_command_count);
	quote_text(argv[0], shown);
	if (nearest != NULL)
		return error_set(err, ERROR_USAGE, 0, "unknown command %s: did you mean %s?", shown,
				 nearest);
	return error_set(err, ERROR_USAGE, 0, "unknown command %s: see `pysbx help`", shown);
}

/* --- options ---------------------------------------------------------------------------------- */

/* The words still to be read. */
struct parser {
	struct ctl *ctl;
	char *const *argv;
	int left;
	struct error *err;
};

/* "--name", "--name=value", "-n", "-nVALUE"; *ret_value is what is glued to it, else NULL. */
static const struct ctl_option_row *find_option(const struct ctl_command *command, const char *word,
						const char **ret_value)
{
	bool is_long = word[1] == '-';
	size_t length = is_long ? strcspn(word + 2, "=") : 1;

	for (size_t i = 0; i < ctl_option_count; i++) {
		const struct ctl_option_row *row = &ctl_option_rows[i];
		const char *end = is_long ? word + 2 + length : word + 2;

		if ((command->options & row->option) == 0)
			continue;
		if (is_long ? strlen(row->name) != length ||
				      strncmp(row->name, word + 2, length) != 0
			    : row->letter == '\0' || row->letter != word[1])
			continue;
		*ret_value = *end == '\0' ? NULL : is_long ? end + 1 : end;
		return row;
	}
	return NULL;
}

static int unknown_option(const struct ctl_command *command, const char *word, struct error *err)
{
	const char *names[32], *nearest;
	char shown[QUOTE_TEXT_MAX], plain[NEAREST_WORD_MAX + 1] = "";
	const char *name = word + strspn(word, "-");
	size_t length = strcspn(name, "="), count = 0;

	for (size_t i = 0; i < ctl_option_count && count < ARRAY_SIZE(names); i++)
		if ((command->options & ctl_option_rows[i].option) != 0)
			names[count++] = ctl_option_rows[i].name;
	if (length <= NEAREST_WORD_MAX)
		memcpy(plain, name, length);
	nearest = nearest_name(plain, names, count);
	quote_text(word, shown);
	if (nearest != NULL)
		return error_set(err, ERROR_USAGE, 0, "%s: unknown option %s: did you mean --%s?",
				 command->name, shown, nearest);
	return error_set(err, ERROR_USAGE, 0, "%s: unknown option %s: `pysbx %s --help` lists them",
			 command->name, shown, command->name);
}

static int set_option(struct ctl_options *options, const struct ctl_option_row *row,
		      const char *value, struct error *err)
{
	uint64_t most = row->option == CTL_LINES ? CTL_LINES_MAX : INT64_MAX;

	if (row->text != 0)
		*(const char **)((char *)options + row->text) = value;
	if (row->number != 0)
		return quantity_parse_count(value, 0, most, false,
					    (uint64_t *)((char *)options + row->number), err);
	return 0;
}

static int take_option(struct parser *parser)
{
	struct ctl_options *options = &parser->ctl->options;
	const char *word = *parser->argv, *value = NULL;
	const struct ctl_option_row *row = find_option(parser->ctl->command, word, &value);
	int r;

	if (row == NULL)
		return unknown_option(parser->ctl->command, word, parser->err);
	parser->argv++;
	parser->left--;
	if (row->argument == NULL && value != NULL)
		return error_set(parser->err, ERROR_USAGE, 0, "--%s: takes no value", row->name);
	if (row->argument != NULL && value == NULL) {
		if (parser->left == 0)
			return error_set(parser->err, ERROR_USAGE, 0,
					 "--%s: needs a value: write --%s=%s", row->name, row->name,
					 row->argument);
		value = *parser->argv++;
		parser->left--;
	}
	if (row->argument != NULL && (options->given & row->option) != 0)
		return error_set(parser->err, ERROR_USAGE, 0, "--%s: given twice: keep one of them",
				 row->name);
	options->given |= row->option;
	r = set_option(options, row, value, parser->err);
	if (r < 0) {
		error_prefix(parser->err, "--%s", row->name);
		parser->err->kind = ERROR_USAGE;
	}
	return r;
}

/* JSON takes valid UTF-8 only. */
static int check_utf8(int argc, char *const argv[], struct error *err)
{
	for (int i = 0; i < argc; i++) {
		json_t *string = json_string(argv[i]);
		char shown[QUOTE_TEXT_MAX];

		if (string == NULL)
			return error_set(err, ERROR_USAGE, 0, "%s is not valid UTF-8",
					 quote_text(argv[i], shown));
		json_decref(string);
	}
	return 0;
}

static int parse_words(struct parser *parser)
{
	bool only_words = false;

	while (parser->left > 0) {
		char *word = *parser->argv;

		if (!only_words && strcmp(word, "--") == 0) {
			only_words = true;
		} else if (!only_words && word[0] == '-' && word[1] != '\0') {
			int r = take_option(parser);

			if (r < 0)
				return r;
			continue;
		} else {
			parser->ctl->words[parser->ctl->word_count++] = word;
		}
		parser->argv++;
		parser->left--;
	}
	return 0;
}

static int check_words(const struct ctl *ctl, struct error *err)
{
	const struct ctl_command *command = ctl->command;
	char shown[QUOTE_TEXT_MAX];

	if (ctl_given(ctl, CTL_HELP))
		return 0;
	if (ctl->word_count > command->most)
		return error_set(err, ERROR_USAGE, 0,
				 "%s: %s is one word too many: write pysbx %s%s%s", command->name,
				 quote_text(ctl->words[command->most], shown), command->name,
				 command->words[0] != '\0' ? " " : "", command->words);
	if ((command->options & CTL_ALL) != 0 && ctl_given(ctl, CTL_ALL) != (ctl->word_count == 0))
		return error_set(err, ERROR_USAGE, 0, "%s: write either names or --all",
				 command->name);
	if (ctl->word_count < command->least)
		return error_set(err, ERROR_USAGE, 0, "%s: too few words: write pysbx %s %s",
				 command->name, command->name, command->words);
	return 0;
}

static int parse(struct ctl *ctl, int argc, char *argv[], struct error *err)
{
	struct parser parser = { .ctl = ctl, .err = err };
	int name_words, r;

	if (argc > CTL_WORDS_MAX)
		return error_set(err, ERROR_USAGE, 0, "more than %d words", CTL_WORDS_MAX);
	ctl->command = ctl_find_command(argc, argv, &name_words);
	if (ctl->command == NULL || ctl->command->run == NULL)
		return unknown_command(argc, argv, err);
	ctl->words = calloc((size_t)argc, sizeof(ctl->words[0]));
	if (ctl->words == NULL)
		return error_no_memory(err);
	parser.argv = argv + name_words;
	parser.left = argc - name_words;
	r = check_utf8(argc, argv, err);
	if (r == 0)
		r = parse_words(&parser);
	return r < 0 ? r : check_words(ctl, err);
}

bool ctl_given(const struct ctl *ctl, enum ctl_option option)
{
	return (ctl->options.given & option) != 0;
}

/* --- what is said ----------------------------------------------------------------------------- */

void ctl_report(struct ctl *ctl, const struct error *err)
{
	char line[ERROR_TEXT_MAX * 2];

	fflush(ctl->out);
	fprintf(ctl->errors, "pysbx: %s\n",
		escape_string(err->text, ESCAPE_FOR_TERMINAL, line, sizeof(line)));
	if (ctl->failure == ERROR_NONE)
		ctl->failure = err->kind;
}

void ctl_say(struct ctl *ctl, const char *format, ...)
{
	_cleanup_free_ char *text = NULL;
	va_list args;
	int length;

	va_start(args, format);
	length = vasprintf(&text, format, args);
	va_end(args);
	if (length < 0)
		return;
	layout_put_cut(ctl->out, text, UINT_MAX);
	fputc('\n', ctl->out);
}

static void put_json(struct ctl *ctl, const json_t *value, size_t flags)
{
	/* plain ASCII: what a worker wrote can't drive the terminal from inside a string either */
	flags |= JSON_ENCODE_ANY | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(15);
	json_dumpf(value, ctl->out, flags);
	fputc('\n', ctl->out);
}

void ctl_put_json(struct ctl *ctl, const json_t *value)
{
	put_json(ctl, value, ctl->view.columns > 0 ? JSON_INDENT(2) : JSON_COMPACT);
}

void ctl_put_json_line(struct ctl *ctl, const json_t *value)
{
	put_json(ctl, value, JSON_COMPACT);
}

/* --- the run ---------------------------------------------------------------------------------- */

/* The answer that could not be written is no answer. */
static void check_output(struct ctl *ctl)
{
	struct error err;

	if (fflush(ctl->out) == 0 && ferror(ctl->out) == 0)
		return;
	error_set(&err, ERROR_SYSTEM, errno, "write the answer");
	ctl_report(ctl, &err);
}

int ctl_run(struct ctl *ctl, int argc, char *argv[])
{
	struct error err = { 0 };
	int r = parse(ctl, argc, argv, &err);

	if (r == 0 && ctl_given(ctl, CTL_HELP))
		ctl_help_command(ctl->command, ctl->out);
	else if (r == 0)
		r = ctl->command->run(ctl, &err);
	if (r < 0)
		ctl_report(ctl, &err);
	check_output(ctl);
	rpc_client_close(ctl->client);
	ctl->client = NULL;
	free(TAKE_PTR(ctl->words));
	return exit_codes[ctl->failure];
}

static unsigned terminal_columns(int fd)
{
	struct winsize size;

	if (isatty(fd) == 0)
		return 0;
	if (ioctl(fd, TIOCGWINSZ, &size) < 0 || size.ws_col == 0)
		return 80;
	return size.ws_col < COLUMNS_MIN ? COLUMNS_MIN : size.ws_col;
}

int ctl_main(int argc, char *argv[])
{
	const char *no_colour = getenv("NO_COLOR"), *socket = getenv("PYSBX_SOCKET");
	unsigned columns = terminal_columns(STDOUT_FILENO);
	bool utf8 = setlocale(LC_CTYPE, "") != NULL && strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
	struct ctl ctl = {
		.in = stdin,
		.out = stdout,
		.errors = stderr,
		.socket = socket != NULL && socket[0] != '\0' ? socket : CTL_SOCKET_PATH,
		.view = { .out = stdout,
			  .columns = columns,
			  .colour = columns > 0 && (no_colour == NULL || no_colour[0] == '\0'),
			  .now = time(NULL),
			  .utf8 = utf8 },
	};

	return ctl_run(&ctl, argc, argv);
}
