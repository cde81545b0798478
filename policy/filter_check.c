/* SPDX-License-Identifier: MIT */
#include "policy/filter_check.h"

#include "policy/bpf.h"
#include "policy/own.h"

#include <linux/audit.h>
#include <stdio.h>

#define ARGUMENTS     PROFILE_ARGS_MAX
#define MIXTURES      16 /* drawn for each rule with arguments */
#define VALUES_MAX    64 /* of one argument that are tried in each rule of the call */
#define HIGH_HALF     (UINT64_C(0xffffffff) << 32)
#define RANDOM_FACTOR UINT64_C(6364136223846793005)
#define RANDOM_ADDEND UINT64_C(1442695040888963407)

struct check {
	const struct filter_rules *rules;
	const struct sock_filter *program;
	struct error *err;
	uint64_t random;
};

static uint64_t next_random(struct check *check)
{
	check->random = check->random * RANDOM_FACTOR + RANDOM_ADDEND;
	return check->random >> 33;
}

/* --- one question ----------------------------------------------------------------------------- */

const char *filter_answer_text(uint32_t answer, char *buffer)
{
	static const struct {
		uint32_t action;
		const char *name;
	} names[] = {
		{ SECCOMP_RET_ALLOW, "ALLOW" },
		{ SECCOMP_RET_KILL_PROCESS, "KILL_PROCESS" },
		{ SECCOMP_RET_KILL_THREAD, "KILL_THREAD" },
		{ SECCOMP_RET_TRAP, "TRAP" },
		{ SECCOMP_RET_LOG, "LOG" },
	};

	if ((answer & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ERRNO) {
		snprintf(buffer, FILTER_ANSWER_MAX, "ERRNO(%u)", answer & SECCOMP_RET_DATA);
		return buffer;
	}
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (names[i].action != answer)
			continue;
		snprintf(buffer, FILTER_ANSWER_MAX, "%s", names[i].name);
		return buffer;
	}
	snprintf(buffer, FILTER_ANSWER_MAX, "%#x", answer);
	return buffer;
}

static int raise(const struct check *check, const struct seccomp_data *data, uint32_t answer,
		 uint32_t expected, const struct filter_rule *rule)
{
	char place[80] = "defaultAction", got[FILTER_ANSWER_MAX], wanted[FILTER_ANSWER_MAX];
	const char *name = rule != NULL ? rule->rule->names[rule->name] : "call";

	if (rule != NULL)
		snprintf(place, sizeof(place), "syscalls[%u].names[%u]", rule->rule->position,
			 rule->name);
	return error_set(check->err, ERROR_INVALID, 0,
			 "%s: the compiled filter answers %s to %s number %d of ABI %#x with "
			 "(%#llx, %#llx, %#llx, %#llx, %#llx, %#llx), the rules say %s: this is a "
			 "fault of pysbx or libseccomp, and the filter is not used",
			 place, filter_answer_text(answer, got), name, data->nr, data->arch,
			 (unsigned long long)data->args[0], (unsigned long long)data->args[1],
			 (unsigned long long)data->args[2], (unsigned long long)data->args[3],
			 (unsigned long long)data->args[4], (unsigned long long)data->args[5],
			 filter_answer_text(expected, wanted));
}

static int ask(const struct check *check, const struct seccomp_data *data)
{
	uint32_t answer = bpf_run(check->program, data, NULL);
	const struct filter_rule *rule;
	uint32_t expected = filter_rules_answer(check->rules, data, &rule);

	return answer == expected ? 0 : raise(check, data, answer, expected, rule);
}

/* --- numbers ---------------------------------------------------------------------------------- */

static struct seccomp_data call_of(const struct check *check, int number)
{
	return (struct seccomp_data){ .nr = number,
				      .arch = filter_audit_arch(check->rules->architecture) };
}

/* All arguments zero, all ones, and all of them of another kind. */
static int ask_number(const struct check *check, int number)
{
	static const uint64_t fills[] = { 0, UINT64_MAX, HIGH_HALF, UINT32_MAX, 1 };

	for (size_t i = 0; i < ARRAY_SIZE(fills); i++) {
		struct seccomp_data data = call_of(check, number);
		int r;

		for (size_t index = 0; index < ARGUMENTS; index++)
			data.args[index] = fills[i];
		r = ask(check, &data);
		if (r < 0)
			return r;
	}
	return 0;
}

static int ask_unknown_numbers(const struct check *check)
{
	static const int numbers[] = { -1,	   -2,	       INT32_MIN,  INT32_MAX, 0x3fffffff,
				       0x40000000, 0x40000001, 0x7fffffff, 4096,      0xf0000 };

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		int r = ask_number(check, numbers[i]);

		if (r < 0)
			return r;
	}
	return 0;
}

static int ask_foreign(const struct check *check, int number)
{
	static const uint32_t foreign[] = { AUDIT_ARCH_I386,	AUDIT_ARCH_X86_64,  AUDIT_ARCH_ARM,
					    AUDIT_ARCH_AARCH64, AUDIT_ARCH_RISCV64, 0,
					    UINT32_MAX };
	struct seccomp_data data = call_of(check, (int)((unsigned)number | FILTER_X32_BIT));
	int r = ask(check, &data);

	data.nr = number;
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(foreign); i++) {
		data.arch = foreign[i];
		r = ask(check, &data);
	}
	return r;
}

/* --- arguments -------------------------------------------------------------------------------- */

/* The rules of one call. */
struct subject {
	const struct filter_rule *items;
	size_t count;
};

/* A call that the rule matches, with `fill` in every bit that it does not look at. */
static struct seccomp_data satisfy(const struct check *check, const struct filter_rule *item,
				   uint64_t fill)
{
	struct seccomp_data data = call_of(check, item->number);

	for (size_t index = 0; index < ARGUMENTS; index++)
		data.args[index] = fill;
	for (size_t i = 0; i < item->rule->argument_count; i++) {
		const struct profile_argument *argument = &item->rule->arguments[i];

		data.args[argument->index] = argument->value | (fill & ~argument->mask);
	}
	return data;
}

static int ask_each_bit(const struct check *check, struct seccomp_data data, unsigned index)
{
	const uint64_t value = data.args[index];
	int r = 0;

	for (unsigned bit = 0; r == 0 && bit < 64; bit++) {
		data.args[index] = value ^ UINT64_C(1) << bit;
		r = ask(check, &data);
	}
	data.args[index] = value ^ HIGH_HALF;
	return r < 0 ? r : ask(check, &data);
}

/* A value that a rule of the call compares this argument with; false if that rule does not. */
static bool value_of(const struct filter_rule *item, unsigned index, __u64 *ret)
{
	for (size_t i = 0; i < item->rule->argument_count; i++) {
		if (item->rule->arguments[i].index != index)
			continue;
		*ret = item->rule->arguments[i].value;
		return true;
	}
	return false;
}

/* The rule's own value, one more and one less; where it looks at other arguments too, the values
 * that other rules have for this one. Of hundreds an even share: each meets its neighbours anyway.
 */
static int ask_values(const struct check *check, const struct subject *subject,
		      const struct filter_rule *item, unsigned index)
{
	struct seccomp_data data = satisfy(check, item, 0);
	size_t stride = subject->count / VALUES_MAX + 1;
	uint64_t value = data.args[index];
	int r;

	data.args[index] = value + 1;
	r = ask(check, &data);
	data.args[index] = value - 1;
	if (r == 0)
		r = ask(check, &data);
	if (item->rule->argument_count == 1)
		return r;
	for (size_t i = 0; r == 0 && i < subject->count; i += stride)
		if (value_of(&subject->items[i], index, &data.args[index]))
			r = ask(check, &data);
	return r;
}

static int ask_mixtures(struct check *check, const struct subject *subject,
			struct seccomp_data data)
{
	for (int i = 0; i < MIXTURES; i++) {
		for (unsigned index = 0; index < ARGUMENTS; index++) {
			const struct filter_rule *item =
				&subject->items[next_random(check) % subject->count];

			(void)value_of(item, index, &data.args[index]);
			if (next_random(check) % 8 == 0)
				data.args[index] ^= UINT64_C(1) << next_random(check) % 64;
		}
		int r = ask(check, &data);
		if (r < 0)
			return r;
	}
	return 0;
}

static int ask_rule(struct check *check, const struct subject *subject,
		    const struct filter_rule *item)
{
	const struct seccomp_data bare = satisfy(check, item, 0),
				  full = satisfy(check, item, UINT64_MAX);
	int r = ask(check, &bare);

	if (r == 0)
		r = ask(check, &full);
	for (size_t i = 0; r == 0 && i < item->rule->argument_count; i++) {
		unsigned index = item->rule->arguments[i].index;

		/* either filling may happen to be what another rule is for */
		r = ask_each_bit(check, bare, index);
		if (r == 0)
			r = ask_each_bit(check, full, index);
		if (r == 0)
			r = ask_values(check, subject, item, index);
	}
	return r < 0 ? r : ask_mixtures(check, subject, bare);
}

static int ask_rules(struct check *check, int number)
{
	struct subject subject;
	int r = 0;

	subject.items = filter_rules_of(check->rules, number, &subject.count);
	for (size_t i = 0; r == 0 && i < subject.count; i++)
		if (subject.items[i].rule->argument_count > 0)
			r = ask_rule(check, &subject, &subject.items[i]);
	return r;
}

int filter_check(const struct filter_rules *rules, const struct sock_filter *program, size_t count,
		 struct error *err)
{
	struct check check = { .rules = rules, .program = program, .err = err, .random = 1 };
	int r = bpf_check(program, count, err);

	if (r == 0)
		r = ask_unknown_numbers(&check);
	for (int number = 0; r == 0 && number < FILTER_SYSCALL_MAX; number++) {
		r = ask_number(&check, number);
		if (r == 0)
			r = ask_foreign(&check, number);
		if (r == 0)
			r = ask_rules(&check, number);
	}
	return r;
}
