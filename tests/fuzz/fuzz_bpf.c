/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as a classic BPF program: it is refused, or it answers any call within as many steps as
 * it has instructions.
 */
#include "policy/bpf.h"
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
	struct seccomp_data call = { 0 };
	size_t count = size / sizeof(struct sock_filter);
	_cleanup_free_ struct sock_filter *program = calloc(count + 1, sizeof(*program));
	struct error err = { 0 };
	unsigned steps = 0;

	require(program != NULL);
	memcpy(program, data, count * sizeof(*program));
	memcpy(&call, data, size < sizeof(call) ? size : sizeof(call));
	if (bpf_check(program, count, &err) < 0) {
		require(err.kind == ERROR_INVALID);
		return 0;
	}
	(void)bpf_run(program, &call, &steps);
	require(steps > 0 && steps <= count);
	return 0;
}
