/* SPDX-License-Identifier: MIT */
#include "policy/filter_section.h"

#include "policy/own.h"

#include <stdlib.h>
#include <string.h>

#define HALVES	 (2 * PROFILE_ARGS_MAX)
#define LEAF_MAX 3   /* values that are tried one by one at the end of a search */
#define GROWTH	 256 /* instructions */
#define LENGTH_MAX                                                                     \
	16384 /* above what the kernel takes: the error tells by how much it is missed \
	       */

/* Comparisons of 32 bits: what one rule comes to. */
struct half {
	uint32_t offset, mask, value;
};

struct halves {
	struct half items[HALVES];
	size_t count;
	uint32_t action;
	bool is_written;
};

void filter_code_append(struct filter_code *code, struct sock_filter instruction)
{
	if (code->failed)
		return;
	if (code->count % GROWTH == 0) {
		struct sock_filter *items =
			code->count >= LENGTH_MAX
				? NULL
				: reallocarray(code->items, code->count + GROWTH, sizeof(*items));

		if (items == NULL) {
			code->failed = true;
			code->no_memory = code->count < LENGTH_MAX;
			return;
		}
		code->items = items;
	}
	code->items[code->count++] = instruction;
}

void filter_code_clear(struct filter_code *code)
{
	free(code->items);
	*code = (struct filter_code){ 0 };
}

static void statement(struct filter_code *code, uint16_t opcode, uint32_t k)
{
	filter_code_append(code, (struct sock_filter)BPF_STMT(opcode, k));
}

static void compare(struct filter_code *code, uint16_t operation, uint32_t k, uint8_t jt,
		    uint8_t jf)
{
	filter_code_append(code, (struct sock_filter)BPF_JUMP(
					 (uint16_t)(BPF_JMP | operation | BPF_K), k, jt, jf));
}

/* --- from rules to halves --------------------------------------------------------------------- */

/* x86-64 and arm64 have the low half first. A half that the mask leaves out is not looked at. */
static void add_halves(struct halves *halves, const struct profile_argument *argument)
{
	for (unsigned high = 0; high < 2; high++) {
		uint32_t mask = (uint32_t)(argument->mask >> 32 * high);

		if (mask == 0)
			continue;
		halves->items[halves->count++] = (struct half){
			.offset = (uint32_t)(offsetof(struct seccomp_data, args) +
					     sizeof(uint64_t) * argument->index +
					     sizeof(uint32_t) * high),
			.mask = mask,
			.value = (uint32_t)(argument->value >> 32 * high),
		};
	}
}

static void load_half(struct filter_code *code, const struct half *half)
{
	statement(code, BPF_LD | BPF_W | BPF_ABS, half->offset);
	if (half->mask != UINT32_MAX)
		statement(code, BPF_ALU | BPF_AND | BPF_K, half->mask);
}

static size_t load_length(const struct half *half)
{
	return half->mask != UINT32_MAX ? 2 : 1;
}

/* --- one rule --------------------------------------------------------------------------------- */

/* At most 36 instructions, so a jump of 8 bits reaches its end. */
static void write_rule(struct filter_code *code, const struct halves *halves)
{
	size_t left = 1;

	for (size_t i = 0; i < halves->count; i++)
		left += load_length(&halves->items[i]) + 1;
	for (size_t i = 0; i < halves->count; i++) {
		load_half(code, &halves->items[i]);
		left -= load_length(&halves->items[i]) + 1;
		compare(code, BPF_JEQ, halves->items[i].value, 0, (uint8_t)left);
	}
	statement(code, BPF_RET | BPF_K, halves->action);
}

/* --- many rules about the same bits ----------------------------------------------------------- */

static size_t search_length(size_t count)
{
	if (count <= LEAF_MAX)
		return 2 * count + 1;
	return 2 + search_length(count / 2) + search_length(count - count / 2);
}

/* `behind`: how many instructions of the whole search follow this part of it. */
static void write_search(struct filter_code *code, const uint32_t *values, size_t count,
			 uint32_t action, size_t behind)
{
	size_t left = count / 2;

	if (count <= LEAF_MAX) {
		for (size_t i = 0; i < count; i++) {
			compare(code, BPF_JEQ, values[i], 0, 1);
			statement(code, BPF_RET | BPF_K, action);
		}
		statement(code, BPF_JMP | BPF_JA, (uint32_t)behind);
		return;
	}
	compare(code, BPF_JGE, values[left], 0, 1);
	statement(code, BPF_JMP | BPF_JA, (uint32_t)search_length(left));
	write_search(code, values, left, action, behind + search_length(count - left));
	write_search(code, values + left, count - left, action, behind);
}

static int compare_values(const void *a, const void *b)
{
	uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;

	return left < right ? -1 : left > right;
}

static bool is_alike(const struct halves *halves, const struct halves *first)
{
	return !halves->is_written && halves->count == 1 && halves->action == first->action &&
	       halves->items[0].offset == first->items[0].offset &&
	       halves->items[0].mask == first->items[0].mask;
}

/* Takes all of `all` that look at the same bits as the first one, and answer the same. */
static void write_group(struct filter_code *code, struct halves *all, size_t count,
			const struct halves *first)
{
	_cleanup_free_ uint32_t *values = calloc(count, sizeof(*values));
	size_t taken = 0, unique = 0;

	if (values == NULL) {
		code->failed = code->no_memory = true;
		return;
	}
	for (size_t i = 0; i < count; i++) {
		if (&all[i] != first && !is_alike(&all[i], first))
			continue;
		all[i].is_written = true;
		values[taken++] = all[i].items[0].value;
	}
	qsort(values, taken, sizeof(*values), compare_values);
	for (size_t i = 0; i < taken; i++)
		if (i == 0 || values[i] != values[i - 1])
			values[unique++] = values[i];
	load_half(code, &first->items[0]);
	write_search(code, values, unique, first->action, 0);
}

static void write_all(struct filter_code *code, struct halves *all, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!all[i].is_written && all[i].count == 1)
			write_group(code, all, count, &all[i]);
	for (size_t i = 0; i < count; i++)
		if (!all[i].is_written)
			write_rule(code, &all[i]);
}

void filter_section_write(struct filter_code *code, const struct filter_rule *items, size_t count)
{
	_cleanup_free_ struct halves *all = calloc(count + 1, sizeof(*all));
	size_t used = 0;

	if (all == NULL) {
		code->failed = code->no_memory = true;
		return;
	}
	for (size_t i = 0; i < count; i++) {
		const struct profile_rule *rule = items[i].rule;

		if (rule->argument_count == 0)
			continue;
		all[used].action = filter_action(rule->action, rule->errnum);
		for (size_t argument = 0; argument < rule->argument_count; argument++)
			add_halves(&all[used], &rule->arguments[argument]);
		used++;
	}
	write_all(code, all, used);
}
