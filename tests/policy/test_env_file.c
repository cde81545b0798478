/* SPDX-License-Identifier: MIT */
#include "policy/env_file.h"
#include "policy/own.h"
#include "policy/spec.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#define ENTRIES_MAX 4

Test(env_file, reads_the_grammar_of_systemd)
{
	static const struct {
		const char *text;
		const char *entries[ENTRIES_MAX];
	} samples[] = {
		{ "", { NULL } },
		{ "A=b", { "A=b" } },
		{ "A=b\nC=d\n", { "A=b", "C=d" } },
		{ "A=\n", { "A=" } },
		{ "  A = b  \n", { "A=b" } },
		{ "\tA=b c\td \n", { "A=b c\td" } },
		{ "A=b=c\n", { "A=b=c" } },
		{ "_a1=x\n", { "_a1=x" } },
		/* comments, and lines without "=" */
		{ "# A=b\n; C=d\n\n   # E=f\n", { NULL } },
		{ "A=b # c\n", { "A=b # c" } },
		{ "A=#b\n", { "A=#b" } },
		{ "no assignment\nA=b\n", { "A=b" } },
		{ "# a comment ends \\\nA=b\n", { "A=b" } },
		/* single quotes: nothing is special */
		{ "A='b'\n", { "A=b" } },
		{ "A=' b '  \n", { "A= b " } },
		{ "A='b\nc'\nD=e\n", { "A=b\nc", "D=e" } },
		{ "A='\\n\\\"$x'\n", { "A=\\n\\\"$x" } },
		/* double quotes: four escapes and the line end */
		{ "A=\"b c\"\n", { "A=b c" } },
		{ "A=\"\\\"\\\\\\`\\$\"\n", { "A=\"\\`$" } },
		{ "A=\"\\n\\t\"\n", { "A=\\n\\t" } },
		{ "A=\"b\\\nc\"\n", { "A=bc" } },
		{ "A=\"b\nc\"\n", { "A=b\nc" } },
		{ "A=\"# no comment\"\n", { "A=# no comment" } },
		{ "A=\"\"\n", { "A=" } },
		/* after a quote the value goes on; in bare text a quote is a letter */
		{ "A=\"b\" 'c'd\n", { "A=bcd" } },
		{ "A=b\"c\"'d'\n", { "A=b\"c\"'d'" } },
		/* bare text: a backslash takes the next character as it is */
		{ "A=b\\\n c\n", { "A=b c" } },
		{ "A=\\\"b\\'\\\\\\n\n", { "A=\"b'\\n" } },
		{ "A=b\\ \n", { "A=b " } },
		{ "A=b \\  \n", { "A=b  " } },
		{ "A=\\ b\n", { "A= b" } },
		{ "A=b\\", { "A=b" } },
		/* written on Windows */
		{ "A=b\r\nC=\"d\"\r\n\r\n# e\r\n", { "A=b", "C=d" } },
		{ "A=b\\\r\nc\r\n", { "A=bc" } },
		/* the later wins */
		{ "A=1\nB=2\nA=3\n", { "A=3", "B=2" } },
		{ "NAME=J\xc3\xbcrgen \xe2\x82\xac \xf0\x9f\x90\x8d\n",
		  { "NAME=J\xc3\xbcrgen \xe2\x82\xac \xf0\x9f\x90\x8d" } },
	};

	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		struct strings env _cleanup_strings_ = { 0 };
		struct error err;
		size_t count = 0;

		while (count < ENTRIES_MAX && samples[i].entries[count] != NULL)
			count++;
		cr_assert_eq(env_file_parse(samples[i].text, strlen(samples[i].text), &env, &err),
			     0, "%s: %s", samples[i].text, err.text);
		cr_assert_eq(env.count, count, "%s", samples[i].text);
		for (size_t k = 0; k < count; k++)
			cr_expect_str_eq(env.items[k], samples[i].entries[k]);
	}
}

Test(env_file, an_error_names_the_line_and_changes_nothing)
{
	static const struct {
		const char *text, *message;
	} samples[] = {
		{ "export A=b\n", "line 1: this is no shell script: remove \"export\"" },
		{ "\n\n1A=b\n",
		  "line 3: \"1A\" is not a variable name: use letters, digits and '_'" },
		{ "A=b\n=c\n", "line 2: \"\" is not a variable name: use letters, digits and '_'" },
		{ "A-B=c\n",
		  "line 1: \"A-B\" is not a variable name: use letters, digits and '_'" },
		{ "\x1b[2J=c\n",
		  "line 1: \"\\x1b[2J\" is not a variable name: use letters, digits and '_'" },
		{ "A=b\nC='d\ne\n", "line 2: the quote ' that begins here never ends" },
		{ "A=\"b\\\"\n", "line 1: the quote \" that begins here never ends" },
		{ "A='1\n2'\nB C=d\n",
		  "line 3: \"B C\" is not a variable name: use letters, digits and '_'" },
		{ "A=b\nC=\xff\n", "line 2: byte 0xff is no UTF-8 text" },
		{ "A=\xc3\n", "line 1: byte 0xc3 is no UTF-8 text" },
		{ "A=\xed\xa0\x80\n", "line 1: byte 0xed is no UTF-8 text" },
		{ "A=\xc0\xaf\n", "line 1: byte 0xc0 is no UTF-8 text" },
		{ "A=\xe2\x82", "line 1: byte 0xe2 is no UTF-8 text" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		struct strings env _cleanup_strings_ = { 0 };
		struct error err;

		cr_assert_eq(strings_append(&env, "A=before", &err), 0);
		cr_assert_lt(env_file_parse(samples[i].text, strlen(samples[i].text), &env, &err),
			     0, "%s", samples[i].text);
		cr_expect_eq(err.kind, ERROR_INVALID);
		cr_expect_str_eq(err.text, samples[i].message);
		cr_expect_eq(env.count, 1);
		cr_expect_str_eq(env.items[0], "A=before");
	}
}

Test(env_file, a_nul_byte_is_no_text)
{
	struct strings env _cleanup_strings_ = { 0 };
	struct error err;

	cr_assert_lt(env_file_parse("A=b\nB=\0x\n", 9, &env, &err), 0);
	cr_expect_str_eq(err.text, "line 2: byte 0x00 is no UTF-8 text");
	cr_expect_eq(env.count, 0);
}

Test(env_file, a_later_file_wins_and_the_rest_stays)
{
	struct strings env _cleanup_strings_ = { 0 };
	struct error err;

	cr_assert_eq(env_file_parse("A=1\nB=2\n", 8, &env, &err), 0);
	cr_assert_eq(env_file_parse("C=3\nA=4\n", 8, &env, &err), 0);
	cr_assert_eq(env.count, 3);
	cr_expect_str_eq(strings_env_get(&env, "A"), "4");
	cr_expect_str_eq(strings_env_get(&env, "B"), "2");
	cr_expect_str_eq(strings_env_get(&env, "C"), "3");
}

/* "A=" and as many letters as make `length` bytes of an entry */
static int parse_entry_of(size_t length, struct strings *env, struct error *err)
{
	_cleanup_free_ char *text = calloc(1, length + 1);

	memset(text, 'x', length);
	text[0] = 'A';
	text[1] = '=';
	return env_file_parse(text, length, env, err);
}

Test(env_file, a_variable_is_no_longer_than_the_kernel_takes)
{
	struct strings env _cleanup_strings_ = { 0 };
	struct error err;

	cr_expect_eq(parse_entry_of(SPEC_STRING_MAX - 1, &env, &err), 0);
	cr_expect_lt(parse_entry_of(SPEC_STRING_MAX, &env, &err), 0);
	cr_expect_str_eq(err.text, "line 1: A has more than 131071 bytes");
}

Test(env_file, variables_and_bytes_are_bounded)
{
	struct strings env _cleanup_strings_ = { 0 };
	_cleanup_free_ char *large = calloc(1, ENV_FILE_SIZE_MAX + 2);
	char many[SPEC_ENVIRONMENT_MAX * 16];
	struct error err;
	size_t length = 0;

	for (int i = 0; i < SPEC_ENVIRONMENT_MAX; i++)
		length += (size_t)snprintf(many + length, sizeof(many) - length, "A%d=\n", i);
	cr_expect_eq(env_file_parse(many, length, &env, &err), 0);
	snprintf(many + length, sizeof(many) - length, "A7=\n");
	cr_expect_eq(env_file_parse(many, length + 4, &env, &err), 0, "a name again is no more");
	snprintf(many + length, sizeof(many) - length, "ONE=\n");
	cr_expect_lt(env_file_parse(many, length + 5, &env, &err), 0);
	cr_expect_str_eq(err.text, "line 1025: more than 1024 variables");

	memset(large, '\n', ENV_FILE_SIZE_MAX + 1);
	cr_expect_eq(env_file_parse(large, ENV_FILE_SIZE_MAX, &env, &err), 0);
	cr_expect_lt(env_file_parse(large, ENV_FILE_SIZE_MAX + 1, &env, &err), 0);
}

Test(env_file, the_variables_of_all_files_together_are_bounded)
{
	struct strings env _cleanup_strings_ = { 0 };
	char many[SPEC_ENVIRONMENT_MAX * 16];
	struct error err;
	size_t length = 0;

	for (int i = 1; i < SPEC_ENVIRONMENT_MAX; i++)
		length += (size_t)snprintf(many + length, sizeof(many) - length, "A%d=\n", i);
	cr_assert_eq(env_file_parse("FIRST=1\n", 8, &env, &err), 0);
	cr_expect_eq(env_file_parse(many, length, &env, &err), 0, "%s", err.text);
	cr_expect_eq(env_file_parse("A7=8\n", 5, &env, &err), 0, "a name again is no more");
	cr_expect_lt(env_file_parse("LAST=1\n", 7, &env, &err), 0);
	cr_expect_str_eq(err.text, "line 1: with those of the files before it 1025 variables, more "
				   "than 1024");
	cr_expect_eq(env.count, SPEC_ENVIRONMENT_MAX);
	cr_expect(strings_env_get(&env, "LAST") == NULL);
}

Test(env_file, knows_what_a_variable_may_be_called)
{
	static const char *const good[] = { "A", "a", "_", "A1", "PYTHONPATH", "a_B_9" };
	static const char *const bad[] = { "", "1", "9A", "A-B", "A B", "A.", "\xc3\xa9", "A=" };

	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		cr_expect(env_name_is_valid(good[i], strlen(good[i])), "%s", good[i]);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		cr_expect_not(env_name_is_valid(bad[i], strlen(bad[i])), "%s", bad[i]);
}
