/* SPDX-License-Identifier: MIT */
/* Words to a command, errors to an exit code, and what is written by hand elsewhere. */
#include "policy/quantity.h"
#include "policy/rpc.h"
#include "supervisor/control.h"
#include "supervisor/methods.h"
#include "tests/supervisor/ctl_fixture.h"

#include <ctype.h>

#define SOURCE_MAX 131072

/* --- which command, which words ----------------------------------------------------------------
 */

static void expect_usage(const char *const words[], const char *text)
{
	_cleanup_told_ struct told told = tell(NULL, words);
	char line[512];

	snprintf(line, sizeof(line), "pysbx: %s\n", text);
	cr_expect_eq(told.code, 2, "%s: %d", text, told.code);
	cr_expect_str_eq(told.errors, line);
	cr_expect_str_empty(told.out);
}

Test(ctl, refuses_words_that_are_no_command)
{
	expect_usage(WORDS("lst"), "unknown command \"lst\": did you mean list?");
	expect_usage(WORDS("frobnicate"), "unknown command \"frobnicate\": see `pysbx help`");
	expect_usage(WORDS("\033[2J"), "unknown command \"\\x1b[2J\": see `pysbx help`");
	expect_usage(WORDS("plan"),
		     "plan: what to do is missing: write one of list, get, apply, remove");
	expect_usage(WORDS("tenant", "--json"),
		     "tenant: what to do is missing: write one of list, get, apply, remove");
	expect_usage(WORDS("plan", "delete"),
		     "plan: \"delete\" is none of list, get, apply, remove");
}

Test(ctl, refuses_wrong_options)
{
	expect_usage(WORDS("list", "--tennant", "a"),
		     "list: unknown option \"--tennant\": did you mean --tenant?");
	expect_usage(WORDS("list", "--force"),
		     "list: unknown option \"--force\": `pysbx list --help` lists them");
	expect_usage(WORDS("list", "-x"),
		     "list: unknown option \"-x\": `pysbx list --help` lists them");
	expect_usage(WORDS("list", "--tenant"), "--tenant: needs a value: write --tenant=TENANT");
	expect_usage(WORDS("list", "--json=yes"), "--json: takes no value");
	expect_usage(WORDS("list", "--state=a", "--state=b"),
		     "--state: given twice: keep one of them");
	expect_usage(WORDS("list", "--tenant", "\xff"), "\"\\xff\" is not valid UTF-8");
	expect_usage(WORDS("logs", "web", "-n", "-1"),
		     "--lines: \"-1\" is not a whole number from 0 to 100000");
}

Test(ctl, refuses_too_many_and_too_few_words)
{
	expect_usage(WORDS("list", "web"), "list: \"web\" is one word too many: write pysbx list");
	expect_usage(WORDS("get"), "get: too few words: write pysbx get NAME");
	expect_usage(WORDS("signal", "web"),
		     "signal: too few words: write pysbx signal NAME SIGNAL");
	expect_usage(WORDS("signal", "web", "HUP", "x"),
		     "signal: \"x\" is one word too many: write pysbx signal NAME SIGNAL");
	expect_usage(WORDS("stop"), "stop: write either names or --all");
	expect_usage(WORDS("stop", "--all", "web"), "stop: write either names or --all");
	expect_usage(WORDS("set", "web", "memry=1"),
		     "unknown limit \"memry=1\": did you mean memory=...?");
	expect_usage(WORDS("rpc", "daemon.info", "{\"a\":1,\"a\":2}"),
		     "rpc: params: column 10: is not JSON: duplicate object key near '\"a\"'");
}

Test(ctl, takes_options_anywhere_and_words_that_look_like_them_behind_two_dashes)
{
	_cleanup_told_ struct told told =
		tell(SCRIPT({ .method = "app.signal",
			      .params = "{\"name\":\"--json\",\"signal\":\"HUP\"}",
			      .result = "{}" }),
		     WORDS("signal", "--json", "--", "--json", "HUP"));

	cr_expect_eq(told.code, 0, "%s", told.errors);
	cr_expect_str_eq(told.out, "{}\n");
}

/* --- errors ----------------------------------------------------------------------------------- */

Test(ctl, tells_failures_apart_by_exit_code)
{
	static const struct {
		const char *code, *error;
		int exit_code;
	} rows[] = {
		{ "denied", "{\"code\":-32005,\"message\":\"M\",\"data\":{\"code\":\"denied\"}}",
		  4 },
		{ "not-found",
		  "{\"code\":-32003,\"message\":\"M\",\"data\":{\"code\":\"not-found\"}}", 5 },
		{ "conflict",
		  "{\"code\":-32011,\"message\":\"M\",\"data\":{\"code\":\"conflict\"}}", 1 },
		{ "invalid",
		  "{\"code\":-32602,\"message\":\"M\",\"data\":{\"code\":\"invalid\",\"path\":"
		  "\"name\"}}",
		  1 },
		{ "system", "{\"code\":-32008,\"message\":\"M\",\"data\":{\"code\":\"system\"}}",
		  1 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_told_ struct told told = tell(SCRIPT({ .method = "app.get",
								.params = "{\"name\":\"web\"}",
								.error = rows[i].error }),
						       WORDS("get", "web"));

		cr_expect_eq(told.code, rows[i].exit_code, "%s: %d", rows[i].code, told.code);
		cr_expect_str_eq(told.errors, "pysbx: M\n");
		cr_expect_str_empty(told.out);
	}
}

Test(ctl, has_a_code_of_its_own_for_nobody_there)
{
	_cleanup_told_ struct told told = tell(NULL, WORDS("list"));

	cr_expect_eq(told.code, 3);
	cr_expect_eq(strncmp(told.errors, "pysbx: ", 7), 0, "%s", told.errors);
	cr_expect_not_null(strstr(told.errors, "/nowhere/control.sock"), "%s", told.errors);
	cr_expect_eq(strchr(told.errors, '\n'), told.errors + strlen(told.errors) - 1);
}

Test(ctl, prefers_the_socket_of_the_option)
{
	_cleanup_told_ struct told told = tell(NULL, WORDS("list", "--socket", "/other.sock"));

	cr_expect_eq(told.code, 3);
	cr_expect_not_null(strstr(told.errors, "/other.sock"), "%s", told.errors);
}

Test(ctl, prints_errors_that_cannot_drive_the_terminal)
{
	_cleanup_told_ struct told told =
		tell(SCRIPT({ .method = "app.get",
			      .params = "{\"name\":\"web\"}",
			      .error = "{\"code\":-32008,\"message\":\"a\\u001b[2J\\nb\","
				       "\"data\":{\"code\":\"system\"}}" }),
		     WORDS("get", "web"));

	cr_expect_str_eq(told.errors, "pysbx: a\\x1b[2J\\nb\n");
}

/* --- help ------------------------------------------------------------------------------------- */

Test(ctl, helps_with_every_command_in_80_columns)
{
	for (size_t i = 0; i <= ctl_command_count; i++) {
		_cleanup_free_ char *text = NULL;
		size_t size;
		FILE *out = open_memstream(&text, &size);

		cr_assert_not_null(out);
		if (i < ctl_command_count)
			ctl_help_command(&ctl_commands[i], out);
		else
			ctl_help_all(out);
		fclose(out);
		for (const char *line = text; *line != '\0'; line += strcspn(line, "\n") + 1) {
			size_t length = strcspn(line, "\n");

			cr_expect_leq(length, 80, "%.*s", (int)length, line);
			cr_expect(length == 0 || line[length - 1] != ' ', "%.*s", (int)length,
				  line);
		}
	}
}

Test(ctl, help_of_a_command_lists_its_options_alone)
{
	_cleanup_told_ struct told told = tell(NULL, WORDS("plan", "list", "--help"));

	cr_expect_eq(told.code, 0);
	cr_expect_str_eq(told.out,
			 "Usage: pysbx plan list [OPTION...]\n"
			 "\n"
			 "List the hosting plans.\n"
			 "\n"
			 "Options:\n"
			 "  --json              print the answer as JSON, as it is\n"
			 "  --socket PATH       the daemon's socket (default $PYSBX_SOCKET, or\n"
			 "                      /run/pysbx/control.sock)\n"
			 "  --help              print this\n");
}

/* --- the tables ------------------------------------------------------------------------------- */

Test(ctl, rows_are_whole_and_differ)
{
	for (size_t i = 0; i < ctl_command_count; i++) {
		const struct ctl_command *command = &ctl_commands[i];
		unsigned known = 0;

		cr_expect((command->run != NULL) != (command->program != NULL), "%s",
			  command->name);
		cr_expect(command->run == NULL || (command->options & CTL_HELP) != 0, "%s",
			  command->name);
		cr_expect((command->options & CTL_SOCKET) == 0 ||
				  (command->options & CTL_COMMON) == CTL_COMMON,
			  "%s", command->name);
		cr_expect(islower((unsigned char)command->help[0]), "%s", command->name);
		cr_expect_leq(command->least, command->most, "%s", command->name);
		for (size_t j = 0; j < ctl_option_count; j++)
			known |= ctl_option_rows[j].option;
		cr_expect_eq(command->options & ~known, 0, "%s", command->name);
		for (size_t j = 0; j < i; j++)
			cr_expect_str_neq(command->name, ctl_commands[j].name);
	}
}

/* --- what is written by hand elsewhere -------------------------------------------------------- */

static char *read_source(const char *path)
{
	_cleanup_fclose_ FILE *file = fopen(path, "re");
	char *text = calloc(1, SOURCE_MAX);

	cr_assert_not_null(text);
	if (file == NULL) {
		free(text);
		cr_skip_test("%s: %s: run in the source tree", path, strerror(errno));
	}
	cr_assert_lt(fread(text, 1, SOURCE_MAX - 1, file), SOURCE_MAX - 1, "%s is too large", path);
	return text;
}

/* Is there a line of the file that is `line`? */
static bool has_line(const char *text, const char *line)
{
	char whole[512];

	snprintf(whole, sizeof(whole), "\n%s\n", line);
	return strstr(text, whole) != NULL;
}

/* mdoc: ".It Cm plan apply Ar FILE|-..." */
Test(ctl, commands_are_those_of_the_man_page)
{
	_cleanup_free_ char *text = read_source("man/pysbx.1");
	const char *at, *end;
	size_t items = 0;

	for (size_t i = 0; i < ctl_command_count; i++) {
		const struct ctl_command *command = &ctl_commands[i];
		char line[256];

		if (command->run == NULL)
			continue;
		snprintf(line, sizeof(line), ".It Cm %s%s%s", command->name,
			 command->words[0] != '\0' ? " Ar " : "", command->words);
		cr_expect(has_line(text, line), "man/pysbx.1 lacks this line: %s", line);
		items++;
	}
	at = strstr(text, "\n.Sh CONTROL COMMANDS");
	cr_assert_not_null(at);
	end = strstr(at + 1, "\n.Sh ");
	while ((at = strstr(at + 1, "\n.It Cm ")) != NULL && at < end)
		items--;
	cr_expect_eq(items, 0, "man/pysbx.1 has items that are no commands, or some twice");
}

/* mdoc: ".It Fl n , Fl Fl lines Ar N" */
Test(ctl, options_are_those_of_the_man_page)
{
	_cleanup_free_ char *text = read_source("man/pysbx.1");

	for (size_t i = 0; i < ctl_option_count; i++) {
		const struct ctl_option_row *row = &ctl_option_rows[i];
		char line[256], letter[16] = "";

		if (row->letter != '\0')
			snprintf(letter, sizeof(letter), "Fl %c , ", row->letter);
		snprintf(line, sizeof(line), ".It %sFl Fl %s%s%s", letter, row->name,
			 row->argument != NULL ? " Ar " : "",
			 row->argument != NULL ? row->argument : "");
		cr_expect(has_line(text, line), "man/pysbx.1 lacks this line: %s", line);
	}
}

/* mdoc, in a list of columns: ".It -32005 Ta Cm denied Ta ..." */
Test(ctl, codes_of_errors_are_those_of_the_man_page)
{
	_cleanup_free_ char *text = read_source("man/pysbx-protocol.7");

	for (int kind = ERROR_NONE + 1; kind < ERROR_KIND_COUNT; kind++) {
		char line[128];

		snprintf(line, sizeof(line), "\n.It %d Ta Cm %s Ta ", RPC_KIND_BASE - kind,
			 error_kind_name((enum error_kind)kind));
		cr_expect_not_null(strstr(text, line), "man/pysbx-protocol.7 lacks: %s", line + 1);
	}
}

/* mdoc: ".It Sy app.logs Bro name, lines?, follow? Brc Pq tenant" */
static void item_of(const struct control_method *method, char *line, size_t size)
{
	int used = snprintf(line, size, "\n.It Sy %s", method->name);

	for (size_t i = 0; i < method->param_count; i++)
		used += snprintf(line + used, size - (size_t)used, "%s%s%s%s",
				 i == 0 ? " Bro " : ", ", method->params[i].name,
				 method->params[i].required ? "" : "?",
				 i + 1 == method->param_count ? " Brc" : "");
	(void)snprintf(line + used, size - (size_t)used, "%s\n",
		       method->flags == METHOD_TENANT ? " Pq tenant" : "");
}

Test(ctl, methods_are_those_of_the_man_page)
{
	_cleanup_free_ char *text = read_source("man/pysbx-protocol.7");
	struct control_table tables[DAEMON_TABLES];
	size_t count = daemon_method_tables(&(struct daemon){ 0 }, tables), items = 1;

	for (size_t i = 0; i < count; i++) {
		for (size_t j = 0; j < tables[i].count; j++) {
			char line[256];

			item_of(&tables[i].methods[j], line, sizeof(line));
			cr_expect_not_null(strstr(text, line), "man/pysbx-protocol.7 lacks: %s",
					   line + 1);
		}
		items += tables[i].count;
	}
	cr_expect_not_null(strstr(text, "\n.It Sy rpc.discover Pq tenant\n"));
	for (const char *at = text; (at = strstr(at, "\n.It Sy ")) != NULL; at++)
		items -= strncmp(at, "\n.It Sy Code ", 13) != 0;
	cr_expect_eq(items, 0, "man/pysbx-protocol.7 has methods that are none, or some twice");
}

Test(ctl, bounds_are_those_of_the_man_page)
{
	_cleanup_free_ char *text = read_source("man/pysbx-protocol.7");
	const struct {
		const char *name;
		long long value;
		const char *unit;
	} rows[] = {
		{ "a line", RPC_LINE_MAX >> 20, " MiB" },
		{ "nesting", RPC_DEPTH_MAX, " arrays" },
		{ "connections", CONTROL_CLIENTS_MAX, "," },
		{ "connections of one user", CONTROL_CLIENTS_PER_UID, "\n" },
		{ "requests of a tenant's user", CONTROL_RATE_PER_SEC, " a second" },
		{ "calls that wait for their answer", CONTROL_PENDING_MAX, " a connection" },
		{ "subscriptions", CLIENT_SUBSCRIPTIONS_MAX, " a connection" },
		{ "an unfinished line", CONTROL_LINE_TIMEOUT_USEC / USEC_PER_SEC, " s" },
		{ "what waits for a client", CLIENT_QUEUE_MAX >> 20, " MiB" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char line[128];

		snprintf(line, sizeof(line), "\n.It %s\n%lld%s", rows[i].name, rows[i].value,
			 rows[i].unit);
		cr_expect_not_null(strstr(text, line), "man/pysbx-protocol.7 lacks: %s", line + 1);
	}
}

/* Is `word` in text, with no letter or dash before and behind it? */
static bool has_word(const char *text, const char *word)
{
	static const char inside[] = "abcdefghijklmnopqrstuvwxyz0123456789-";

	for (const char *at = text; (at = strstr(at, word)) != NULL; at++) {
		char before = at == text ? ' ' : at[-1], after = at[strlen(word)];

		if (strchr(inside, before) == NULL &&
		    (after == '\0' || strchr(inside, after) == NULL))
			return true;
	}
	return false;
}

static void expect_commands_and_options(const char *path, const char *prefix)
{
	_cleanup_free_ char *text = read_source(path);

	for (size_t i = 0; i < ctl_command_count; i++) {
		const char *blank = strchr(ctl_commands[i].name, ' ');
		const char *last = blank != NULL ? blank + 1 : ctl_commands[i].name;

		cr_expect(has_word(text, last), "%s lacks \"%s\"", path, last);
	}
	for (size_t i = 0; i < ctl_option_count; i++) {
		char word[64];

		snprintf(word, sizeof(word), "%s%s", prefix, ctl_option_rows[i].name);
		cr_expect(has_word(text, word), "%s lacks \"%s\"", path, word);
	}
}

Test(ctl, commands_are_those_of_the_completions)
{
	expect_commands_and_options("packaging/completion/pysbx.bash", "--");
	expect_commands_and_options("packaging/completion/pysbx.zsh", "--");
	expect_commands_and_options("packaging/completion/pysbx.fish", "-l ");
}
