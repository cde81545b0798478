/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as a kept filter: refused, or a program that the kernel would load, and that is written
 * down as the same bytes again.
 */
#include "policy/bpf.h"
#include "policy/filter_entry.h"
#include "policy/own.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct filter_entry_key key = { "pysbx 1\n", "{}", 2 };
	_cleanup_free_ struct sock_filter *program = NULL;
	_cleanup_free_ char *again = NULL;
	size_t count = 0, length = 0;
	struct error err = { 0 };

	if (filter_entry_decode(&key, (const char *)data, size, &program, &count, &err) < 0) {
		require(err.text[0] != '\0' && program == NULL);
		return 0;
	}
	require(bpf_check(program, count, &err) == 0);
	require(filter_entry_encode(&key, program, count, &again, &length, &err) == 0);
	require(length == size);
	return 0;
}
