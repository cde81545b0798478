/* SPDX-License-Identifier: MIT */
#include "policy/shebang.h"

#include <string.h>

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static size_t skip_blanks(const char *text, size_t from, size_t end)
{
	while (from < end && is_blank(text[from]))
		from++;
	return from;
}

static size_t skip_word(const char *text, size_t from, size_t end)
{
	while (from < end && !is_blank(text[from]))
		from++;
	return from;
}

static void copy_range(char *to, const char *text, size_t from, size_t end)
{
	memcpy(to, text + from, end - from);
	to[end - from] = '\0';
}

bool shebang_parse(const char *head, size_t length, struct shebang *ret)
{
	const char *newline;
	size_t end, from, word_end;

	if (length > SHEBANG_HEAD_MAX)
		length = SHEBANG_HEAD_MAX;
	if (length < 2 || memcmp(head, "#!", 2) != 0)
		return false;

	newline = memchr(head, '\n', length);
	end = newline != NULL ? (size_t)(newline - head) : length;
	if (memchr(head, '\0', end) != NULL) /* the kernel takes the line as ended there */
		end = strlen(head);
	while (end > 2 && is_blank(head[end - 1]))
		end--;

	from = skip_blanks(head, 2, end);
	word_end = skip_word(head, from, end);
	if (word_end == from)
		return false;
	/* the last byte of the kernel's buffer belongs to no complete name */
	if (newline == NULL && word_end == SHEBANG_HEAD_MAX)
		return false;

	copy_range(ret->interpreter, head, from, word_end);
	copy_range(ret->argument, head, skip_blanks(head, word_end, end), end);
	return true;
}

bool shebang_env_program(const struct shebang *shebang, char *program)
{
	const char *slash = strrchr(shebang->interpreter, '/');
	const char *base = slash != NULL ? slash + 1 : shebang->interpreter;
	const char *text = shebang->argument;
	size_t end = strlen(text), from = 0, word_end;

	if (strcmp(base, "env") != 0)
		return false;
	/* Options ("-S", "-i") and settings ("A=b") come before the program. Without -S the kernel
	 * hands env all the rest as one word, blanks and all; env will say so itself. */
	for (;;) {
		word_end = skip_word(text, from, end);
		if (word_end == from)
			return false;
		if (text[from] != '-' && memchr(text + from, '=', word_end - from) == NULL)
			break;
		if (strncmp(text + from, "-S", 2) == 0 && word_end - from > 2) {
			from += 2; /* "-Spython3" */
			break;
		}
		from = skip_blanks(text, word_end, end);
	}
	copy_range(program, text, from, word_end);
	return true;
}
