/* SPDX-License-Identifier: MIT */
/* Whatever is decoded must be encoded to the same bytes, and shown to people or refused. */
#include "policy/own.h"
#include "policy/plan.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct plan *plan _cleanup_plan_ = NULL;
	struct bytes again _cleanup_bytes_ = { 0 };
	_cleanup_free_ char *text = NULL;
	struct error err = { 0 };

	if (plan_decode((const char *)data, size, &plan, &err) < 0) {
		if (plan != NULL || err.kind == ERROR_NONE || err.text[0] == '\0')
			abort();
		return 0;
	}
	if (plan_encode(plan, &again, &err) < 0 || again.length != size ||
	    memcmp(bytes_front(&again), data, size) != 0)
		abort();
	if (plan_to_json(plan, &text, &err) < 0 && err.text[0] == '\0')
		abort();
	return 0;
}
