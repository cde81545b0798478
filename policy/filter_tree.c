/* SPDX-License-Identifier: MIT */
#include "policy/filter_tree.h"

#define JUMP_MAX UINT8_MAX /* what a conditional jump reaches; BPF_JA reaches any distance */

size_t filter_tree_length(size_t count)
{
	size_t left = count / 2, below;

	if (count <= 1)
		return count;
	below = filter_tree_length(left);
	return (below > JUMP_MAX ? 2 : 1) + below + filter_tree_length(count - left);
}

static void write_leaf(struct filter_code *code, const struct filter_range *range)
{
	struct sock_filter answer = BPF_STMT(BPF_RET | BPF_K, range->answer);
	struct sock_filter jump =
		BPF_STMT(BPF_JMP | BPF_JA, (uint32_t)(range->section - code->count - 1));

	filter_code_append(code, range->goes_on ? jump : answer);
}

void filter_tree_write(struct filter_code *code, const struct filter_range *ranges, size_t count)
{
	const size_t left = count / 2, below = filter_tree_length(left);
	const uint16_t opcode = BPF_JMP | BPF_JGE | BPF_K;

	if (count == 1)
		write_leaf(code, ranges);
	if (count <= 1)
		return;
	if (below > JUMP_MAX) {
		filter_code_append(code,
				   (struct sock_filter)BPF_JUMP(opcode, ranges[left].from, 0, 1));
		filter_code_append(code,
				   (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, (uint32_t)below));
	} else {
		filter_code_append(code, (struct sock_filter)BPF_JUMP(opcode, ranges[left].from,
								      (uint8_t)below, 0));
	}
	filter_tree_write(code, ranges, left);
	filter_tree_write(code, ranges + left, count - left);
}
