/* SPDX-License-Identifier: MIT */
/*
 * Of libseccomp there are the tables of names. The program is ours (policy/filter_tree.h, and
 * policy/filter_section.h says why): the architecture; x32; a search for the number; and behind it
 * a section for each call whose answer depends on its arguments. execve has one for the launcher's
 * door (policy/filter_door.h) where the profile doesn't plainly allow it.
 *
 * What comes out is not believed but asked (policy/filter_check.h).
 */
#include "supervisor/filter_program.h"

#include "policy/filter_check.h"
#include "policy/filter_door.h"
#include "policy/filter_section.h"
#include "policy/filter_tree.h"
#include "policy/own.h"
#include "supervisor/filter_rules.h"
#include "supervisor/filter_syscall.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>

#define SKIPPED UINT32_MAX /* what a tracer writes to skip a call: no call of x32 */

/* What is known of one number. */
struct call {
	const struct profile_rule *any; /* the first rule without arguments */
	const struct filter_rule *items;
	size_t count;
	bool has_section;
	bool has_door;
};

struct build {
	const struct profile *profile;
	struct filter_rules rules;
	struct call *calls; /* FILTER_SYSCALL_MAX of them, by number */
	struct filter_range *ranges;
	size_t range_count;
	struct filter_code code, sections;
};

static void build_clear(struct build *build)
{
	filter_rules_clear(&build->rules);
	filter_code_clear(&build->code);
	filter_code_clear(&build->sections);
	free(build->calls);
	free(build->ranges);
}

static uint32_t default_answer(const struct build *build)
{
	return filter_action(build->profile->default_action, build->profile->default_errnum);
}

/* What is answered where no rule with arguments matches. */
static uint32_t rest_answer(const struct build *build, const struct call *call)
{
	return call->any != NULL ? filter_action(call->any->action, call->any->errnum)
				 : default_answer(build);
}

/* --- which calls there are --- */

static void note_call(const struct build *build, int number)
{
	struct call *call = &build->calls[number];

	call->items = filter_rules_of(&build->rules, number, &call->count);
	for (size_t i = 0; i < call->count; i++) {
		const struct filter_rule *item = &call->items[i];

		if (item->rule->argument_count > 0)
			call->has_section = true;
		else if (call->any == NULL)
			call->any = item->rule;
	}
}

static void note_calls(const struct build *build)
{
	int execve_number = 0;
	struct call *call;

	for (int number = 0; number < FILTER_SYSCALL_MAX; number++)
		note_call(build, number);
	(void)filter_syscall_resolve("execve", build->rules.architecture, &execve_number);
	call = &build->calls[execve_number];
	if (call->any == NULL || call->any->action != PROFILE_ALLOW)
		call->has_section = call->has_door = true;
}

/* --- its parts --- */

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

/* No program that a worker starts speaks i386 or x32; exploits do. */
static void write_beginning(struct build *build)
{
	struct filter_code *code = &build->code;

	statement(code, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch));
	compare(code, BPF_JEQ, filter_audit_arch(build->rules.architecture), 1, 0);
	statement(code, BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	statement(code, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	if (build->rules.architecture != PROFILE_X86_64)
		return;
	compare(code, BPF_JGE, FILTER_X32_BIT, 0, 2);
	compare(code, BPF_JEQ, SKIPPED, 1, 0);
	statement(code, BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
}

static void write_section(struct build *build, const struct call *call)
{
	struct sock_filter door[FILTER_DOOR_LENGTH];
	uint32_t rest = rest_answer(build, call);

	filter_section_write(&build->sections, call->items, call->count);
	if (!call->has_door) {
		statement(&build->sections, BPF_RET | BPF_K, rest);
		return;
	}
	filter_door_write(door, rest);
	for (size_t i = 0; i < FILTER_DOOR_LENGTH; i++)
		filter_code_append(&build->sections, door[i]);
}

static void add_range(struct build *build, struct filter_range range)
{
	const struct filter_range *last =
		build->range_count > 0 ? &build->ranges[build->range_count - 1] : NULL;

	assert(build->ranges != NULL);
	if (last == NULL || range.goes_on || last->goes_on || range.answer != last->answer)
		build->ranges[build->range_count++] = range;
}

/* Sections are written aside: where they begin is known when the search's length is. */
static void write_sections(struct build *build)
{
	for (int number = 0; number < FILTER_SYSCALL_MAX; number++) {
		const struct call *call = &build->calls[number];
		struct filter_range range = { .from = (uint32_t)number,
					      .goes_on = call->has_section,
					      .section = build->sections.count };

		if (call->has_section)
			write_section(build, call);
		else
			range.answer = rest_answer(build, call);
		add_range(build, range);
	}
	add_range(build, (struct filter_range){ .from = FILTER_SYSCALL_MAX,
						.answer = default_answer(build) });
}

static void join(struct build *build)
{
	const size_t behind = build->code.count + filter_tree_length(build->range_count);

	for (size_t i = 0; i < build->range_count; i++)
		build->ranges[i].section += behind;
	filter_tree_write(&build->code, build->ranges, build->range_count);
	for (size_t i = 0; i < build->sections.count; i++)
		filter_code_append(&build->code, build->sections.items[i]);
}

static int write_program(struct build *build, struct error *err)
{
	struct filter_code *code = &build->code;

	write_beginning(build);
	write_sections(build);
	join(build);
	if (code->no_memory || build->sections.no_memory)
		return error_no_memory(err);
	if (code->failed || build->sections.failed || code->count > BPF_MAXINSNS)
		return error_set(err, ERROR_INVALID, 0,
				 "syscalls: too much for one filter: %zu instructions, the kernel "
				 "takes %d: use fewer rules with args",
				 code->count, BPF_MAXINSNS);
	return 0;
}

int filter_program_build(const struct profile *profile, enum profile_architecture architecture,
			 struct sock_filter **ret_program, size_t *ret_count, struct error *err)
{
	__attribute__((cleanup(build_clear))) struct build build = { .profile = profile };
	int r;

	r = filter_rules_resolve(profile, architecture, &build.rules, err);
	if (r < 0)
		return r;
	build.calls = calloc(FILTER_SYSCALL_MAX, sizeof(*build.calls));
	build.ranges = calloc(FILTER_TREE_RANGES, sizeof(*build.ranges));
	if (build.calls == NULL || build.ranges == NULL)
		return error_no_memory(err);
	note_calls(&build);
	r = write_program(&build, err);
	if (r == 0)
		r = filter_check(&build.rules, build.code.items, build.code.count, err);
	if (r < 0)
		return r;
	*ret_count = build.code.count;
	*ret_program = TAKE_PTR(build.code.items);
	return 0;
}
