/* SPDX-License-Identifier: MIT */
/* Each value is checked here, where the message can quote the word; sizes and times then travel as
 * they were written, so that the daemon's messages show what the user wrote. */
#include "policy/limit_words.h"

#include "policy/nearest.h"
#include "policy/own.h"
#include "policy/quote.h"
#include "policy/spec.h"

#include <assert.h>
#include <string.h>

#define LIMIT_WORDS_MAX 9 /* limit_word_names */

enum form { FORM_SIZE, FORM_CPU, FORM_COUNT, FORM_IO };

const char *const limit_word_names[] = {
	"memory", "memory_high", "memory_swap", "cpu", "cpu_weight",
	"pids",	  "nofile",	 "tmp_size",	"io",
};
const size_t limit_word_count = ARRAY_SIZE(limit_word_names);
static_assert(ARRAY_SIZE(limit_word_names) == LIMIT_WORDS_MAX, "a form for each name");

static const enum form forms[LIMIT_WORDS_MAX] = {
	FORM_SIZE,  FORM_SIZE,	FORM_SIZE, FORM_CPU, FORM_COUNT,
	FORM_COUNT, FORM_COUNT, FORM_SIZE, FORM_IO,
};

/* As a value: the app's own limit is taken away, and what its plan or the defaults say holds. */
static const char nothing[] = "-";

static void clear_object(json_t **object)
{
	json_decref(*object);
}
#define _cleanup_json_ __attribute__((cleanup(clear_object)))

/* Takes `value` over in any case. */
static int put(json_t *object, const char *key, json_t *value, struct error *err)
{
	if (value == NULL || json_object_set_new(object, key, value) < 0)
		return error_no_memory(err);
	return 0;
}

static int put_count(json_t *object, const char *key, uint64_t value, struct error *err)
{
	if (value == LIMIT_UNSET)
		return 0;
	return put(object, key,
		   value == LIMIT_MAX ? json_string("max") : json_integer((json_int_t)value), err);
}

static int put_io(json_t *io, const struct io_limit *limit, struct error *err)
{
	json_t *rates = json_object();
	int r = put(io, limit->path, rates, err);

	if (r == 0)
		r = put_count(rates, "rbps", limit->rbps, err);
	if (r == 0)
		r = put_count(rates, "wbps", limit->wbps, err);
	if (r == 0)
		r = put_count(rates, "riops", limit->riops, err);
	if (r == 0)
		r = put_count(rates, "wiops", limit->wiops, err);
	return r;
}

static int read_io(json_t *object, const char *text, struct error *err)
{
	__attribute__((cleanup(spec_clear_limits))) struct limits limits = spec_no_limits;
	json_t *io = json_object_get(object, "io");
	int r = spec_parse_io(text, &limits, err);

	if (r == 0 && io == NULL) {
		io = json_object();
		r = put(object, "io", io, err);
	}
	if (r == 0 && (json_is_null(io) || json_object_get(io, limits.io[0].path) != NULL))
		r = error_set(err, ERROR_USAGE, 0, "given twice: keep one of them");
	return r < 0 ? r : put_io(io, &limits.io[0], err);
}

static int read_value(json_t *object, size_t which, const char *text, struct error *err)
{
	uint64_t value;
	int r = 0;

	if (forms[which] == FORM_IO && strcmp(text, nothing) != 0)
		return read_io(object, text, err);
	if (json_object_get(object, limit_word_names[which]) != NULL)
		return error_set(err, ERROR_USAGE, 0, "given twice: keep one of them");
	if (strcmp(text, nothing) == 0)
		return put(object, limit_word_names[which], json_null(), err);
	if (forms[which] == FORM_COUNT) {
		r = quantity_parse_count(text, 1, SPEC_PIDS_LIMIT, true, &value, err);
		return r < 0 ? r : put_count(object, limit_word_names[which], value, err);
	}
	r = forms[which] == FORM_CPU ? quantity_parse_cpu(text, &value, err)
				     : quantity_parse_size(text, &value, err);
	return r < 0 ? r : put(object, limit_word_names[which], json_string(text), err);
}

static int find_name(const char *word, size_t length, size_t *ret, struct error *err)
{
	char shown[QUOTE_TEXT_MAX], name[NEAREST_WORD_MAX + 1] = "";
	const char *nearest;

	for (size_t i = 0; i < limit_word_count; i++) {
		if (strlen(limit_word_names[i]) == length &&
		    strncmp(limit_word_names[i], word, length) == 0) {
			*ret = i;
			return 0;
		}
	}
	if (length <= NEAREST_WORD_MAX)
		memcpy(name, word, length);
	nearest = nearest_name(name, limit_word_names, limit_word_count);
	quote_text(word, shown);
	if (nearest != NULL)
		return error_set(err, ERROR_USAGE, 0, "unknown limit %s: did you mean %s=...?",
				 shown, nearest);
	return error_set(err, ERROR_USAGE, 0,
			 "unknown limit %s: write memory=256M, cpu=50%%, pids=100 or "
			 "io=/srv=20M/10M",
			 shown);
}

static int read_word(json_t *object, const char *word, struct error *err)
{
	char shown[QUOTE_TEXT_MAX];
	size_t length = strcspn(word, "="), which;
	int r = find_name(word, length, &which, err);

	if (r < 0)
		return r;
	if (word[length] == '\0')
		return error_set(err, ERROR_USAGE, 0, "%s has no value: write %s=VALUE",
				 quote_text(word, shown), limit_word_names[which]);
	r = read_value(object, which, word + length + 1, err);
	if (r < 0) {
		err->kind = err->kind == ERROR_INVALID ? ERROR_USAGE : err->kind;
		error_prefix(err, "%s", limit_word_names[which]);
	}
	return r;
}

int limit_words_to_json(char *const words[], size_t count, json_t **ret, struct error *err)
{
	_cleanup_json_ json_t *object = json_object();

	if (object == NULL)
		return error_no_memory(err);
	for (size_t i = 0; i < count; i++) {
		int r = read_word(object, words[i], err);

		if (r < 0)
			return r;
	}
	*ret = TAKE_PTR(object);
	return 0;
}
