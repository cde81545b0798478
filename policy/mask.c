/* SPDX-License-Identifier: MIT */
#include "policy/mask.h"

#include "policy/own.h"
#include "policy/quote.h"

#include <ctype.h>
#include <regex.h>
#include <string.h>

#define GROUPS_MAX   10 /* the whole match, and nine groups */
#define REASON_MAX   128
#define SECRET_WORDS "(pass(word|wd|phrase)?|token|secret|credential|key)"

/* No repetition is unbounded but that of the secret itself, so each try ends soon. */
const char *const mask_defaults[] = {
	SECRET_WORDS "[a-z0-9_-]{0,16}=([^\n&]+)",
	"-[a-z0-9_-]{0,32}" SECRET_WORDS "s?\n([^\n-][^\n]*)",
	SECRET_WORDS "[a-z0-9_-]{0,16}[\"']:[ \n]{0,4}[\"']?([^\n\"']+)",
	"//[^/@:\n]{0,64}:([^/@\n]+)@",
	"(authorization|cookie):[ \n]{0,4}((bearer|basic|token)[ \n]{1,4})?([^\n]+)",
};
const size_t mask_default_count = ARRAY_SIZE(mask_defaults);

struct mask {
	regex_t patterns[MASK_PATTERNS_MAX];
	size_t count;
};

/* --- patterns ------------------------------------------------------------------------------- */

static bool has_back_reference(const char *pattern)
{
	for (const char *at = pattern; *at != '\0'; at++) {
		if (*at != '\\')
			continue;
		at++;
		if (*at == '\0')
			return false;
		if (isdigit((unsigned char)*at))
			return true;
	}
	return false;
}

static int compile(const char *pattern, regex_t *ret, struct error *err)
{
	char reason[REASON_MAX];
	int r;

	if (pattern[0] == '\0')
		return error_set(err, ERROR_INVALID, 0, "is empty: leave it out");
	if (strlen(pattern) > MASK_PATTERN_MAX)
		return error_set(err, ERROR_TOO_MANY, 0, "is too long: at most %d bytes",
				 MASK_PATTERN_MAX);
	if (has_back_reference(pattern))
		return error_set(err, ERROR_INVALID, 0,
				 "back-references (\\1) are not taken: they can take for ever");
	r = regcomp(ret, pattern, REG_EXTENDED | REG_ICASE);
	if (r == 0)
		return 0;
	(void)regerror(r, ret, reason, sizeof(reason));
	return error_set(err, ERROR_INVALID, 0, "is no extended regular expression: %s", reason);
}

int mask_check(const char *pattern, struct error *err)
{
	regex_t compiled;
	int r = compile(pattern, &compiled, err);

	if (r >= 0)
		regfree(&compiled);
	return r;
}

static int add(struct mask *mask, const char *pattern, struct error *err)
{
	char shown[QUOTE_TEXT_MAX];
	int r;

	if (mask->count == MASK_PATTERNS_MAX)
		return error_set(err, ERROR_TOO_MANY, 0, "more than %d patterns",
				 MASK_PATTERNS_MAX);
	r = compile(pattern, &mask->patterns[mask->count], err);
	if (r < 0)
		error_prefix(err, "%s", quote_text(pattern, shown));
	else
		mask->count++;
	return r;
}

int mask_new(const struct strings *patterns, struct mask **ret, struct error *err)
{
	_cleanup_mask_ struct mask *mask = calloc(1, sizeof(*mask));
	int r = 0;

	if (mask == NULL)
		return error_no_memory(err);
	for (size_t i = 0; r >= 0 && patterns != NULL && i < patterns->count; i++)
		r = add(mask, patterns->items[i], err);
	for (size_t i = 0; r >= 0 && patterns == NULL && i < mask_default_count; i++)
		r = add(mask, mask_defaults[i], err);
	if (r >= 0)
		*ret = TAKE_PTR(mask);
	return r;
}

void mask_free(struct mask *mask)
{
	if (mask == NULL)
		return;
	for (size_t i = 0; i < mask->count; i++)
		regfree(&mask->patterns[i]);
	free(mask);
}

/* --- texts ---------------------------------------------------------------------------------- */

struct masking {
	char words[MASK_TEXT_MAX + 1]; /* as patterns see them */
	bool secret[MASK_TEXT_MAX];    /* of each byte */
};

/* The group that was opened last and took part. */
static const regmatch_t *choose_group(const regmatch_t groups[static GROUPS_MAX])
{
	for (size_t i = GROUPS_MAX - 1; i > 0; i--)
		if (groups[i].rm_so >= 0)
			return &groups[i];
	return &groups[0];
}

static void mark_one(const regex_t *pattern, struct masking *masking)
{
	regmatch_t groups[GROUPS_MAX];
	size_t at = 0;

	while (masking->words[at] != '\0' && regexec(pattern, masking->words + at, GROUPS_MAX,
						     groups, at > 0 ? REG_NOTBOL : 0) == 0) {
		const regmatch_t *found = choose_group(groups);

		for (regoff_t i = found->rm_so; i < found->rm_eo; i++)
			masking->secret[at + (size_t)i] = true;
		/* an empty match must not stand still */
		at += groups[0].rm_eo > 0 ? (size_t)groups[0].rm_eo : 1;
	}
}

static void add_byte(char *buffer, size_t size, size_t *used, char byte)
{
	if (*used + 1 < size)
		buffer[(*used)++] = byte;
}

const char *mask_apply(const struct mask *mask, enum mask_of of, const char *text, char *buffer,
		       size_t size)
{
	size_t length = strnlen(text, MASK_TEXT_MAX), used = 0;
	struct masking masking;

	memcpy(masking.words, text, length);
	masking.words[length] = '\0';
	memset(masking.secret, 0, length);
	for (size_t i = 0; of == MASK_LINE && i < length; i++)
		if (text[i] == ' ' || text[i] == '\t')
			masking.words[i] = '\n';
	for (size_t i = 0; mask != NULL && i < mask->count; i++)
		mark_one(&mask->patterns[i], &masking);
	for (size_t i = 0; i < length; i++) {
		if (!masking.secret[i])
			add_byte(buffer, size, &used,
				 of == MASK_ARGUMENTS && text[i] == '\n' ? ' ' : text[i]);
		else if (i == 0 || !masking.secret[i - 1])
			for (const char *word = MASK_WORD; *word != '\0'; word++)
				add_byte(buffer, size, &used, *word);
	}
	buffer[used] = '\0';
	return buffer;
}
