/* SPDX-License-Identifier: MIT */
#include "policy/nearest.h"

#include "policy/own.h"

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

/* Three ways from a word to the index of a name; `count` if there is none. */

/* The name that is the fewest edits away, if they are few enough for a slip. */
static size_t correction(const char *word, const char *const names[], size_t count)
{
	size_t length = strlen(word), best = count, best_distance = SIZE_MAX;
	size_t allowed = length >= 6 ? length / 3 : 1;

	for (size_t i = 0; i < count; i++) {
		size_t distance = nearest_distance(word, names[i]);

		/* All letters replaced is another word, not a slip. */
		if (distance > allowed || distance >= length || distance >= best_distance)
			continue;
		best = i;
		best_distance = distance;
	}
	return best;
}

/* The one name that word is the beginning of: what tab completion would make of it. */
static size_t completion(const char *word, const char *const names[], size_t count)
{
	size_t length = strlen(word), found = count;

	if (length == 0)
		return count;
	for (size_t i = 0; i < count; i++) {
		if (strncmp(names[i], word, length) != 0)
			continue;
		if (found != count)
			return count;
		found = i;
	}
	return found;
}

/* The longest name that word begins with: --memory, --cpus-max. A single letter says nothing. */
static size_t beginning(const char *word, const char *const names[], size_t count)
{
	size_t found = count, longest = 1;

	for (size_t i = 0; i < count; i++) {
		size_t length = strlen(names[i]);

		if (length <= longest || strncmp(word, names[i], length) != 0)
			continue;
		found = i;
		longest = length;
	}
	return found;
}

const char *nearest_name(const char *word, const char *const names[], size_t count)
{
	static size_t (*const ways[])(const char *word, const char *const names[], size_t count) = {
		correction,
		completion,
		beginning,
	};

	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		size_t found = ways[i](word, names, count);

		if (found < count)
			return names[found];
	}
	return NULL;
}
