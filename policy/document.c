/* SPDX-License-Identifier: MIT */
/*
 * Depth and NUL are looked for before jansson sees the text: its own limit is 2048 levels, and its
 * messages about NUL name neither the byte nor the way out. Whether brackets match is jansson's
 * business: here they are only counted, outside of strings.
 */
#include "policy/document.h"

#include "policy/escape.h"

struct scan {
	const char *at, *end;
	unsigned line, column; /* of *at, from 1 */
	unsigned depth;
	bool in_string;
};

static void advance(struct scan *scan)
{
	unsigned char c = (unsigned char)*scan->at++;

	if (c == '\n') {
		scan->line++;
		scan->column = 1;
	} else if ((c & 0xc0) != 0x80) { /* a column is a character, not a byte of UTF-8 */
		scan->column++;
	}
}

/* One character outside of strings, or a whole escape inside. */
static void step(struct scan *scan)
{
	char c = *scan->at;

	if (c == '"')
		scan->in_string = !scan->in_string;
	else if (!scan->in_string && (c == '{' || c == '['))
		scan->depth++;
	else if (!scan->in_string && (c == '}' || c == ']') && scan->depth > 0)
		scan->depth--;
	else if (scan->in_string && c == '\\' && scan->at + 1 < scan->end && scan->at[1] != '\0')
		advance(scan);
	advance(scan);
}

static int check_text(const char *text, size_t length, struct error *err)
{
	struct scan scan = { .at = text, .end = text + length, .line = 1, .column = 1 };

	while (scan.at < scan.end) {
		unsigned line = scan.line, column = scan.column;

		if (*scan.at == '\0')
			return error_set(err, ERROR_INVALID, 0,
					 "line %u, column %u: a NUL byte, which JSON has not", line,
					 column);
		step(&scan);
		if (scan.depth > DOCUMENT_DEPTH_MAX)
			return error_set(err, ERROR_INVALID, 0,
					 "line %u, column %u: nested deeper than %d levels", line,
					 column, DOCUMENT_DEPTH_MAX);
	}
	return 0;
}

int document_parse(const char *text, size_t length, size_t size_max, json_t **ret,
		   struct error *err)
{
	json_error_t syntax;
	char shown[2 * JSON_ERROR_TEXT_LENGTH];
	json_t *value;
	int r;

	if (length > size_max)
		return error_set(err, ERROR_TOO_MANY, 0, "%zu bytes are too many: at most %zu",
				 length, size_max);
	r = check_text(text, length, err);
	if (r < 0)
		return r;
	value = json_loadb(text, length, JSON_REJECT_DUPLICATES, &syntax);
	if (value == NULL && json_error_code(&syntax) == json_error_out_of_memory)
		return error_no_memory(err);
	if (value == NULL)
		return error_set(
			err, ERROR_INVALID, 0, "line %d, column %d: not JSON: %s", syntax.line,
			syntax.column,
			escape_string(syntax.text, ESCAPE_FOR_TERMINAL, shown, sizeof(shown)));
	*ret = value;
	return 0;
}

const char *document_string(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text != NULL ? text : "";
}

json_int_t document_number(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}
