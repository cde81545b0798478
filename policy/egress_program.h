/* SPDX-License-Identifier: MIT */
/*
 * Rules as programs for the kernel (bpf(2)), assembled here: no compiler and no library is needed
 * where pysbx runs. A program compares what it is asked about with one rule after the other, and
 * answers 1 (let it pass) or 0 (EPERM, or the packet is dropped). It needs no map, so nothing but
 * its attachment has to be kept.
 *
 * Two places are guarded. A socket that is told where to go (connect, sendto without one) is
 * refused there and then, with an error that the app understands. And each packet is looked at when
 * it leaves: what comes by a way that passes no such call (a segment routing header, a protocol
 * whose connect has no hook, a socket that was connected before the list grew shorter) is dropped.
 * Of TCP only the first packet of a connection is of interest: answers of a server go to whoever
 * has called it.
 */
#pragma once

#include "policy/egress.h"

#include <linux/bpf.h>

enum egress_source {
	EGRESS_FROM_SOCKET4, /* struct bpf_sock_addr of an IPv4 destination */
	EGRESS_FROM_SOCKET6, /* the same of an IPv6 one */
	EGRESS_FROM_PACKET,  /* struct __sk_buff, from its network header on */
	EGRESS_SOURCE_COUNT,
};

#define EGRESS_PROGRAM_MAX 1024 /* instructions; the kernel takes 4096 from anybody */

struct egress_program {
	struct bpf_insn instructions[EGRESS_PROGRAM_MAX];
	size_t count;
};

void egress_program_assemble(const struct egress_rules *rules, enum egress_source source,
			     struct egress_program *ret);
