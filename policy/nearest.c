/* SPDX-License-Identifier: MIT */
#include "policy/nearest.h"

#include <stdint.h>
#include <string.h>

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Three rows of the table of distances are enough: a swap of neighbours looks two rows back. */
size_t nearest_distance(const char *a, const char *b)
{
	size_t a_length = strlen(a), b_length = strlen(b);
	size_t rows[3][NEAREST_WORD_MAX + 1];

	if (a_length > NEAREST_WORD_MAX || b_length > NEAREST_WORD_MAX)
		return SIZE_MAX;

	for (size_t j = 0; j <= b_length; j++)
		rows[0][j] = j;
	for (size_t i = 1; i <= a_length; i++) {
		size_t *row = rows[i % 3];
		const size_t *above = rows[(i + 2) % 3], *second = rows[(i + 1) % 3];

		row[0] = i;
		for (size_t j = 1; j <= b_length; j++) {
			row[j] = least(above[j], row[j - 1]) + 1;
			row[j] = least(row[j], above[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				row[j] = least(row[j], second[j - 2] + 1);
		}
	}
	return rows[a_length % 3][b_length];
}

/* The one name that word is the beginning of: what tab completion would make of it. */
static const char *completion(const char *word, const char *const names[], size_t count)
{
	const char *found = NULL;

	if (word[0] == '\0')
		return NULL;
	for (size_t i = 0; i < count; i++) {
		if (strncmp(names[i], word, strlen(word)) != 0)
			continue;
		if (found != NULL)
			return NULL;
		found = names[i];
	}
	return found;
}

/* The longest name that word begins with: --memory, --cpus-max. A single letter says nothing. */
static const char *beginning(const char *word, const char *const names[], size_t count)
{
	const char *found = NULL;

	for (size_t i = 0; i < count; i++) {
		size_t length = strlen(names[i]);

		if (length >= 2 && strncmp(word, names[i], length) == 0 &&
		    (found == NULL || length > strlen(found)))
			found = names[i];
	}
	return found;
}

const char *nearest_name(const char *word, const char *const names[], size_t count)
{
	const char *best = NULL;
	size_t best_distance = SIZE_MAX;
	size_t allowed = strlen(word) / 3;

	if (allowed == 0)
		allowed = 1;
	for (size_t i = 0; i < count; i++) {
		size_t distance = nearest_distance(word, names[i]);

		/* A replaced letter in a word of one letter is no slip but another word. */
		if (distance > allowed || distance >= strlen(word) || distance >= best_distance)
			continue;
		best = names[i];
		best_distance = distance;
	}
	if (best == NULL)
		best = completion(word, names, count);
	if (best == NULL)
		best = beginning(word, names, count);
	return best;
}
