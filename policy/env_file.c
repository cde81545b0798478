/* SPDX-License-Identifier: MIT */
/*
 * A reader over the bytes, and for the value a small automaton: before the value or after a closing
 * quote, inside bare text, inside either kind of quote. Text after a closing quote continues the
 * value, as in systemd and in a shell. A carriage return counts as white space outside of quotes,
 * so files written on Windows read alike.
 */
#include "policy/env_file.h"

#include "policy/escape.h"
#include "policy/own.h"
#include "policy/quote.h"
#include "policy/spec.h"

#include <string.h>

struct reader {
	const char *text;
	size_t length;
	size_t at;
	unsigned line;
};

struct value {
	char *bytes; /* room for the rest of the file */
	size_t length;
	size_t keep; /* what trimming at the end must not take: quoted or escaped */
};

bool env_name_is_valid(const char *name, size_t length)
{
	if (length == 0 || (name[0] >= '0' && name[0] <= '9'))
		return false;
	for (size_t i = 0; i < length; i++) {
		char c = name[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		      c == '_'))
			return false;
	}
	return true;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static bool at_end(const struct reader *reader)
{
	return reader->at == reader->length;
}

static char next(struct reader *reader)
{
	char c = reader->text[reader->at++];

	if (c == '\n')
		reader->line++;
	return c;
}

static void skip_blanks(struct reader *reader)
{
	while (!at_end(reader) && is_blank(reader->text[reader->at]))
		reader->at++;
}

static void skip_line(struct reader *reader)
{
	while (!at_end(reader) && next(reader) != '\n')
		;
}

/* escape_step gives back whole UTF-8 characters as they are and writes four bytes for one that is
 * part of none. */
static int check_text(const char *text, size_t length, struct error *err)
{
	const char *at = text, *next = text;
	char unit[ESCAPE_UNIT_MAX + 1];
	unsigned line = 1;

	if (length > ENV_FILE_SIZE_MAX)
		return error_set(err, ERROR_INVALID, 0,
				 "line 1: the file has %zu bytes, more than %u", length,
				 ENV_FILE_SIZE_MAX);
	for (; at < text + length; at = next) {
		if (*at == '\0' || escape_step(&next, ESCAPE_FOR_JSON, unit) != (size_t)(next - at))
			return error_set(err, ERROR_INVALID, 0,
					 "line %u: byte 0x%02x is no UTF-8 text", line,
					 (unsigned char)*at);
		if (*at == '\n')
			line++;
	}
	return 0;
}

static int raise_name(unsigned line, const char *name, size_t length, struct error *err)
{
	char start[QUOTE_TEXT_MAX], shown[QUOTE_TEXT_MAX];

	snprintf(start, sizeof(start), "%.*s",
		 (int)(length < sizeof(start) ? length : sizeof(start) - 1), name);
	if (strncmp(start, "export ", 7) == 0)
		return error_set(err, ERROR_INVALID, 0,
				 "line %u: this is no shell script: remove \"export\"", line);
	return error_set(err, ERROR_INVALID, 0,
			 "line %u: %s is not a variable name: use letters, digits and '_'", line,
			 quote_text(start, shown));
}

/* Moves behind the "=". 1 with a name, 0 for a line without one, which is passed over. */
static int read_name(struct reader *reader, const char **ret_name, size_t *ret_length,
		     struct error *err)
{
	const char *name = reader->text + reader->at;
	size_t left = reader->length - reader->at;
	const char *newline = memchr(name, '\n', left);
	const char *equals;
	size_t length;

	if (newline != NULL)
		left = (size_t)(newline - name);
	equals = memchr(name, '=', left);
	if (equals == NULL) {
		skip_line(reader);
		return 0;
	}
	length = (size_t)(equals - name);
	reader->at += length + 1;
	while (length > 0 && is_blank(name[length - 1]))
		length--;
	if (!env_name_is_valid(name, length))
		return raise_name(reader->line, name, length, err);
	*ret_name = name;
	*ret_length = length;
	return 1;
}

static void push(struct value *value, char c)
{
	value->bytes[value->length++] = c;
}

static void push_kept(struct value *value, char c)
{
	push(value, c);
	value->keep = value->length;
}

/* Behind a backslash outside of quotes: a line end vanishes, anything else stays as it is. */
static void read_escape(struct reader *reader, struct value *value)
{
	char c;

	if (at_end(reader))
		return;
	c = next(reader);
	if (c == '\r' && !at_end(reader) && reader->text[reader->at] == '\n')
		c = next(reader);
	if (c != '\n')
		push_kept(value, c);
}

static int read_quoted(struct reader *reader, char quote, struct value *value, struct error *err)
{
	unsigned line = reader->line;

	while (!at_end(reader)) {
		char c = next(reader);

		if (c == quote)
			return 0;
		if (c == '\\' && quote == '"' && !at_end(reader)) {
			c = next(reader);
			if (c == '\n')
				continue;
			if (strchr("\"\\`$", c) == NULL)
				push_kept(value, '\\');
		}
		push_kept(value, c);
	}
	return error_set(err, ERROR_INVALID, 0, "line %u: the quote %c that begins here never ends",
			 line, quote);
}

static int read_value(struct reader *reader, struct value *value, struct error *err)
{
	bool bare = false;
	int r;

	while (!at_end(reader)) {
		char c = next(reader);

		if (c == '\n')
			break;
		if (c == '\\') {
			read_escape(reader, value);
			bare = true;
		} else if (!bare && (c == '\'' || c == '"')) {
			r = read_quoted(reader, c, value, err);
			if (r < 0)
				return r;
		} else if (bare || !is_blank(c)) {
			push(value, c);
			bare = true;
		}
	}
	while (value->length > value->keep && is_blank(value->bytes[value->length - 1]))
		value->length--;
	value->bytes[value->length] = '\0';
	return 0;
}

static int read_assignment(struct reader *reader, char *scratch, struct strings *env,
			   struct error *err)
{
	unsigned line = reader->line;
	struct value value = { .bytes = scratch };
	char name[256];
	const char *start = "";
	size_t length = 0;
	int r;

	r = read_name(reader, &start, &length, err);
	if (r <= 0)
		return r;
	if (length >= sizeof(name))
		return error_set(err, ERROR_INVALID, 0, "line %u: the name has more than %zu bytes",
				 line, sizeof(name) - 1);
	memcpy(name, start, length);
	name[length] = '\0';

	r = read_value(reader, &value, err);
	if (r < 0)
		return r;
	if (length + 1 + value.length >= SPEC_STRING_MAX)
		return error_set(err, ERROR_INVALID, 0, "line %u: %s has more than %d bytes", line,
				 name, SPEC_STRING_MAX - 1);
	if (env->count >= SPEC_ENVIRONMENT_MAX && strings_env_get(env, name) == NULL)
		return error_set(err, ERROR_INVALID, 0, "line %u: more than %d variables", line,
				 SPEC_ENVIRONMENT_MAX);
	return strings_env_set(env, name, value.bytes, err);
}

static int merge(const struct strings *from, struct strings *env, struct error *err)
{
	struct strings merged _cleanup_strings_ = { 0 };
	int r = 0;

	for (size_t i = 0; i < env->count && r >= 0; i++)
		r = strings_append(&merged, env->items[i], err);
	for (size_t i = 0; i < from->count && r >= 0; i++) {
		char *equals = strchr(from->items[i], '=');

		*equals = '\0';
		r = strings_env_set(&merged, from->items[i], equals + 1, err);
		*equals = '=';
	}
	if (r >= 0 && merged.count > SPEC_ENVIRONMENT_MAX)
		r = error_set(
			err, ERROR_INVALID, 0,
			"line 1: with those of the files before it %zu variables, more than %d",
			merged.count, SPEC_ENVIRONMENT_MAX);
	if (r < 0)
		return r;
	strings_clear(env);
	*env = merged;
	merged = (struct strings){ 0 };
	return 0;
}

int env_file_parse(const char *text, size_t length, struct strings *env, struct error *err)
{
	struct reader reader = { .text = text, .length = length, .line = 1 };
	struct strings found _cleanup_strings_ = { 0 };
	_cleanup_free_ char *scratch = NULL;
	int r;

	r = check_text(text, length, err);
	if (r < 0)
		return r;
	scratch = malloc(length + 1);
	if (scratch == NULL)
		return error_no_memory(err);

	while (skip_blanks(&reader), !at_end(&reader)) {
		char c = reader.text[reader.at];

		if (c == '\n' || c == '#' || c == ';') {
			skip_line(&reader);
			continue;
		}
		r = read_assignment(&reader, scratch, &found, err);
		if (r < 0)
			return r;
	}
	return merge(&found, env, err);
}
