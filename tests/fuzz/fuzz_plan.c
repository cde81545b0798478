/* SPDX-License-Identifier: MIT */
/* Whatever is decoded must be encoded to a text that is decoded to the same. */
#include "policy/own.h"
#include "policy/plan.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_plan_ struct plan *plan = NULL, *again = NULL;
	_cleanup_free_ char *text = NULL, *text_again = NULL;
	struct error err;

	if (plan_decode((const char *)data, size, &plan, &err) < 0) {
		if (plan != NULL || err.kind == ERROR_NONE || err.text[0] == '\0')
			abort();
		return 0;
	}
	if (plan_encode(plan, false, &text, &err) < 0 ||
	    plan_decode(text, strlen(text), &again, &err) < 0 ||
	    plan_encode(again, true, &text_again, &err) < 0)
		abort();
	free(text_again);
	text_again = NULL;
	if (plan_encode(again, false, &text_again, &err) < 0 || strcmp(text, text_again) != 0)
		abort();
	return 0;
}
