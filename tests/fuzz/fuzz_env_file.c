/* SPDX-License-Identifier: MIT */
/* Whatever bytes an environment file holds: either an error and nothing changed, or entries that
 * execve(2) and a plan can carry. */
#include "policy/env_file.h"
#include "policy/spec.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_entry(const char *entry)
{
	const char *equals = strchr(entry, '=');

	if (equals == NULL || !env_name_is_valid(entry, (size_t)(equals - entry)) ||
	    strlen(entry) >= SPEC_STRING_MAX)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct strings env = { 0 };
	struct error err = { .kind = ERROR_NONE };
	char *text = malloc(size + 1);

	if (text == NULL || strings_append(&env, "BEFORE=1", &err) < 0)
		abort();
	memcpy(text, data, size);
	text[size] = '\0';

	if (env_file_parse(text, size, &env, &err) < 0) {
		if (err.kind != ERROR_INVALID || strncmp(err.text, "line ", 5) != 0 ||
		    env.count != 1 || strcmp(env.items[0], "BEFORE=1") != 0)
			abort();
	} else {
		for (size_t i = 0; i < env.count; i++)
			check_entry(env.items[i]);
	}
	strings_clear(&env);
	free(text);
	return 0;
}
