/* SPDX-License-Identifier: MIT */
/*
 * libseccomp builds the program; its end is ours. libseccomp can't hold, for one system call, rules
 * that look at arguments beside one that doesn't (the second erases the first), and what no rule
 * matches always gets the default action. With a default of ENOSYS, socket(AF_VSOCK) and
 * ioctl(TIOCSTI) would then answer "no such system call", where EPERM is the truth and what
 * programs are ready for.
 *
 * So libseccomp is told a default action that no profile can have (MARK). Each return of that mark
 * becomes a jump to an epilogue behind the program, which looks at the number again: the calls that
 * have a rule for "the rest" get that rule's action, all others the profile's default. An allowed
 * call never comes by there.
 */
#include "supervisor/filter_program.h"

#include "policy/own.h"
#include "supervisor/filter_syscall.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define MARK SCMP_ACT_TRACE(0x5342)

/* The rules of one call: the one without arguments, and the first of those that have some. */
struct call {
	const struct profile_rule *any;
	const struct profile_rule *some;
};

struct build {
	scmp_filter_ctx context;
	const struct profile *profile;
	struct call *calls; /* FILTER_SYSCALL_MAX of them, by number */
};

static void build_clear(struct build *build)
{
	if (build->context != NULL)
		seccomp_release(build->context);
	free(build->calls);
}

static uint32_t scmp_action(enum profile_action action, uint16_t errnum)
{
	switch (action) {
	case PROFILE_ALLOW:
		return SCMP_ACT_ALLOW;
	case PROFILE_ERRNO:
		return SCMP_ACT_ERRNO(errnum);
	case PROFILE_KILL_THREAD:
		return SCMP_ACT_KILL_THREAD;
	case PROFILE_TRAP:
		return SCMP_ACT_TRAP;
	case PROFILE_LOG:
		return SCMP_ACT_LOG;
	case PROFILE_KILL_PROCESS:
	case PROFILE_ACTION_COUNT:
		break;
	}
	return SCMP_ACT_KILL_PROCESS;
}

static uint32_t rule_action(const struct profile_rule *rule)
{
	return scmp_action(rule->action, rule->errnum);
}

/* Does the call need the epilogue: rules with arguments, and another action for the rest? */
static bool has_rest(const struct call *call)
{
	return call->any != NULL && call->some != NULL &&
	       rule_action(call->any) != rule_action(call->some);
}

/* --- which calls there are --- */

static int raise_unknown(const struct profile_rule *rule, size_t name, struct error *err)
{
	char buffer[FILTER_SYSCALL_NAME_MAX];
	const char *near = filter_syscall_nearest(rule->names[name], buffer);

	return error_set(
		err, ERROR_INVALID, 0, "syscalls[%u].names[%zu]: \"%s\" is not a system call%s%s%s",
		rule->position, name, rule->names[name], near != NULL ? "; did you mean " : "",
		near != NULL ? near : "", near != NULL ? "?" : "");
}

static int raise_contradiction(const struct profile_rule *rule, size_t name,
			       const struct profile_rule *other, struct error *err)
{
	return error_set(err, ERROR_INVALID, 0,
			 "syscalls[%u].names[%zu]: %s gets another action here than in "
			 "syscalls[%u]: %s",
			 rule->position, name, rule->names[name], other->position,
			 rule->argument_count == 0
				 ? "keep one of the two"
				 : "rules with args must agree, one without args covers the rest");
}

static int note_name(struct build *build, const struct profile_rule *rule, size_t name,
		     struct error *err)
{
	const struct profile_rule **slot;
	int number;

	if (!filter_syscall_resolve(rule->names[name], &number))
		return raise_unknown(rule, name, err);
	if (number == FILTER_SYSCALL_ELSEWHERE)
		return 0;
	slot = rule->argument_count == 0 ? &build->calls[number].any : &build->calls[number].some;
	if (*slot != NULL && rule_action(*slot) != rule_action(rule))
		return raise_contradiction(rule, name, *slot, err);
	if (*slot == NULL)
		*slot = rule;
	return 0;
}

static int note_names(struct build *build, struct error *err)
{
	for (size_t i = 0; i < build->profile->rule_count; i++) {
		const struct profile_rule *rule = &build->profile->rules[i];
		for (size_t name = 0; name < rule->name_count; name++) {
			int r = note_name(build, rule, name, err);
			if (r < 0)
				return r;
		}
	}
	return 0;
}

/* --- libseccomp's part --- */

static int raise_seccomp(int r, const char *what, struct error *err)
{
	return r == -ENOMEM ? error_no_memory(err)
			    : error_set(err, ERROR_SYSTEM, -r, "libseccomp: %s", what);
}

static int open_context(struct build *build, struct error *err)
{
	static const struct {
		enum scmp_filter_attr attribute;
		uint32_t value;
	} attributes[] = {
		/* No program that a worker starts speaks i386 or x32; exploits do. */
		{ SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS },
		{ SCMP_FLTATR_CTL_OPTIMIZE, 2 }, /* binary tree: same cost for every call */
		{ SCMP_FLTATR_CTL_NNP, 0 },	 /* the launcher sets no_new_privs itself */
		{ SCMP_FLTATR_API_SYSRAWRC, 1 }, /* true errnos instead of ECANCELED */
	};

	build->context = seccomp_init(MARK);
	if (build->context == NULL)
		return error_no_memory(err);
	for (size_t i = 0; i < ARRAY_SIZE(attributes); i++) {
		int r = seccomp_attr_set(build->context, attributes[i].attribute,
					 attributes[i].value);
		if (r < 0)
			return raise_seccomp(r, "set an attribute", err);
	}
	return 0;
}

static int add_to_context(scmp_filter_ctx context, const struct profile_rule *rule, int number)
{
	struct scmp_arg_cmp comparisons[PROFILE_ARGS_MAX];

	for (size_t i = 0; i < rule->argument_count; i++)
		comparisons[i] = (struct scmp_arg_cmp){
			.arg = rule->arguments[i].index,
			.op = SCMP_CMP_MASKED_EQ,
			.datum_a = rule->arguments[i].mask,
			.datum_b = rule->arguments[i].value,
		};
	return seccomp_rule_add_array(context, rule_action(rule), number,
				      (unsigned)rule->argument_count, comparisons);
}

static int add_name(struct build *build, const struct profile_rule *rule, size_t name,
		    struct error *err)
{
	const struct call *call;
	int number, r;

	if (!filter_syscall_resolve(rule->names[name], &number) ||
	    number == FILTER_SYSCALL_ELSEWHERE)
		return 0;
	call = &build->calls[number];
	if (rule->argument_count == 0 ? has_rest(call) : call->any != NULL && !has_rest(call))
		return 0; /* the epilogue's; or the rule without arguments says it all */
	r = add_to_context(build->context, rule, number);
	if (r == 0 || r == -EEXIST)
		return 0;
	(void)raise_seccomp(r, "add the rule", err);
	error_prefix(err, "syscalls[%u].names[%zu]", rule->position, name);
	return r;
}

static int add_names(struct build *build, struct error *err)
{
	for (size_t i = 0; i < build->profile->rule_count; i++) {
		const struct profile_rule *rule = &build->profile->rules[i];
		for (size_t name = 0; name < rule->name_count; name++) {
			int r = add_name(build, rule, name, err);
			if (r < 0)
				return r;
		}
	}
	return 0;
}

/* --- our part --- */

static size_t epilogue_length(const struct build *build)
{
	size_t length = 2;

	for (size_t number = 0; number < FILTER_SYSCALL_MAX; number++)
		length += has_rest(&build->calls[number]) ? 2 : 0;
	return length;
}

static void write_epilogue(const struct build *build, struct sock_filter *at)
{
	*at++ = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
					     offsetof(struct seccomp_data, nr));
	for (uint32_t number = 0; number < FILTER_SYSCALL_MAX; number++) {
		if (!has_rest(&build->calls[number]))
			continue;
		*at++ = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1);
		*at++ = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K,
						     rule_action(build->calls[number].any));
	}
	*at = (struct sock_filter)BPF_STMT(
		BPF_RET | BPF_K,
		scmp_action(build->profile->default_action, build->profile->default_errnum));
}

/* A BPF_JA reaches any distance (32 bits), where conditional jumps have 8. */
static void link_epilogue(struct sock_filter *program, size_t epilogue)
{
	for (size_t i = 0; i < epilogue; i++) {
		if (program[i].code != (BPF_RET | BPF_K) || program[i].k != MARK)
			continue;
		program[i] = (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA,
							  (uint32_t)(epilogue - i - 1));
	}
}

/* libseccomp 2.5.4 exports to file descriptors only. */
static int export_program(scmp_filter_ctx context, int *ret_fd, size_t *ret_bytes,
			  struct error *err)
{
	_cleanup_close_ int fd = memfd_create("pysbx-seccomp", MFD_CLOEXEC);
	struct stat st;
	int r;

	if (fd < 0)
		return error_set(err, ERROR_SYSTEM, errno, "memfd_create");
	r = seccomp_export_bpf(context, fd);
	if (r < 0)
		return raise_seccomp(r, "export the program", err);
	if (fstat(fd, &st) < 0)
		return error_set(err, ERROR_SYSTEM, errno, "fstat of a memfd");
	*ret_bytes = (size_t)st.st_size;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

static int finish_program(const struct build *build, struct sock_filter **ret_program,
			  size_t *ret_count, struct error *err)
{
	_cleanup_free_ struct sock_filter *program = NULL;
	_cleanup_close_ int fd = -1;
	size_t bytes = 0, length, count;
	int r;

	r = export_program(build->context, &fd, &bytes, err);
	if (r < 0)
		return r;
	length = bytes / sizeof(*program);
	count = length + epilogue_length(build);
	if (count > BPF_MAXINSNS)
		return error_set(err, ERROR_INVALID, 0,
				 "syscalls: too much for one filter: %zu instructions, the kernel "
				 "takes %d: use fewer rules with args",
				 count, BPF_MAXINSNS);
	program = calloc(count, sizeof(*program));
	if (program == NULL)
		return error_no_memory(err);
	if (pread(fd, program, bytes, 0) != (ssize_t)bytes)
		return error_set(err, ERROR_SYSTEM, EIO, "read the program back");
	link_epilogue(program, length);
	write_epilogue(build, program + length);
	*ret_program = TAKE_PTR(program);
	*ret_count = count;
	return 0;
}

int filter_program_build(const struct profile *profile, struct sock_filter **ret_program,
			 size_t *ret_count, struct error *err)
{
	__attribute__((cleanup(build_clear))) struct build build = { .profile = profile };
	int r;

	build.calls = calloc(FILTER_SYSCALL_MAX, sizeof(*build.calls));
	if (build.calls == NULL)
		return error_no_memory(err);
	r = note_names(&build, err);
	if (r < 0)
		return r;
	r = open_context(&build, err);
	if (r < 0)
		return r;
	r = add_names(&build, err);
	if (r < 0)
		return r;
	return finish_program(&build, ret_program, ret_count, err);
}
