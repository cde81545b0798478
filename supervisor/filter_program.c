/* SPDX-License-Identifier: MIT */
/*
 * libseccomp finds the number of a call: its binary tree costs the same for every one. What is
 * decided behind that is ours (policy/filter_section.h says why): each call whose answer depends on
 * its arguments is given to libseccomp with an action that no profile can have, a mark of its own.
 * Each return of a mark then becomes a jump to a section behind the program.
 *
 * The default is a mark as well. libseccomp's own could be the profile's; but the launcher's door
 * (policy/filter_door.h) has to be there for a profile without execve, and libseccomp can't hold,
 * for another architecture than this machine's, calls that it has no name for.
 *
 * What comes out is not believed but asked (policy/filter_check.h).
 */
#include "supervisor/filter_program.h"

#include "policy/filter_check.h"
#include "policy/filter_door.h"
#include "policy/filter_section.h"
#include "policy/own.h"
#include "supervisor/filter_rules.h"
#include "supervisor/filter_syscall.h"

#include <errno.h>
#include <seccomp.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define MARK_DEFAULT SCMP_ACT_TRACE(FILTER_SYSCALL_MAX)
#define MARK(number) SCMP_ACT_TRACE((uint32_t)(number))

/* What is known of one number. */
struct call {
	const struct profile_rule *any; /* the first rule without arguments */
	const struct filter_rule *items;
	size_t count;
	bool has_section;
	bool has_door;
	bool is_beyond; /* libseccomp can't hold it */
	size_t section; /* where it begins */
};

struct build {
	scmp_filter_ctx context;
	const struct profile *profile;
	struct filter_rules rules;
	struct call *calls; /* FILTER_SYSCALL_MAX of them, by number */
	struct filter_code code;
};

static void build_clear(struct build *build)
{
	if (build->context != NULL)
		seccomp_release(build->context);
	filter_rules_clear(&build->rules);
	filter_code_clear(&build->code);
	free(build->calls);
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

static bool is_native(const struct build *build)
{
	return filter_syscall_arch(build->rules.architecture) == seccomp_arch_native();
}

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
	call->is_beyond =
		call->count > 0 && !is_native(build) &&
		seccomp_syscall_resolve_name(call->items[0].rule->names[call->items[0].name]) ==
			__NR_SCMP_ERROR;
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

/* --- libseccomp's part --- */

static int raise_seccomp(int r, const char *what, struct error *err)
{
	return r == -ENOMEM ? error_no_memory(err)
			    : error_set(err, ERROR_SYSTEM, -r, "libseccomp: %s", what);
}

static int set_architecture(const struct build *build)
{
	int r;

	if (is_native(build))
		return 0;
	r = seccomp_arch_add(build->context, filter_syscall_arch(build->rules.architecture));
	return r < 0 ? r : seccomp_arch_remove(build->context, seccomp_arch_native());
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
	int r;

	build->context = seccomp_init(MARK_DEFAULT);
	if (build->context == NULL)
		return error_no_memory(err);
	for (size_t i = 0; i < ARRAY_SIZE(attributes); i++) {
		r = seccomp_attr_set(build->context, attributes[i].attribute, attributes[i].value);
		if (r < 0)
			return raise_seccomp(r, "set an attribute", err);
	}
	r = set_architecture(build);
	return r < 0 ? raise_seccomp(r, "set the architecture", err) : 0;
}

/* libseccomp takes numbers of this machine's architecture, and translates them. */
static int number_for_libseccomp(const struct build *build, int number)
{
	const struct call *call = &build->calls[number];

	if (is_native(build))
		return number;
	return call->count > 0 ? seccomp_syscall_resolve_name(
					 call->items[0].rule->names[call->items[0].name])
			       : seccomp_syscall_resolve_name("execve");
}

static int add_call(const struct build *build, int number, struct error *err)
{
	const struct call *call = &build->calls[number];
	uint32_t action = call->has_section ? MARK(number) : rest_answer(build, call);
	int r;

	if (call->is_beyond || (call->count == 0 && !call->has_section))
		return 0;
	r = seccomp_rule_add_array(build->context, action, number_for_libseccomp(build, number), 0,
				   NULL);
	if (r == 0)
		return 0;
	(void)raise_seccomp(r, "add the rule", err);
	if (call->count > 0)
		error_prefix(err, "syscalls[%u].names[%u]", call->items[0].rule->position,
			     call->items[0].name);
	return r;
}

/* --- our part --- */

static void write_section(struct build *build, struct call *call)
{
	struct sock_filter door[FILTER_DOOR_LENGTH];
	uint32_t rest = rest_answer(build, call);

	call->section = build->code.count;
	filter_section_write(&build->code, call->items, call->count);
	if (!call->has_door) {
		filter_code_append(&build->code, (struct sock_filter)BPF_STMT(BPF_RET, rest));
		return;
	}
	filter_door_write(door, rest);
	for (size_t i = 0; i < FILTER_DOOR_LENGTH; i++)
		filter_code_append(&build->code, door[i]);
}

/* Behind every number that libseccomp was not told of: those that it can't hold, and the default.
 * BPF_JA reaches any distance, where conditional jumps have 8 bits. */
static size_t write_default(struct build *build)
{
	struct filter_code *code = &build->code;
	size_t begin = code->count;

	for (int number = 0; number < FILTER_SYSCALL_MAX; number++) {
		const struct call *call = &build->calls[number];

		if (!call->is_beyond)
			continue;
		filter_code_append(code,
				   (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
								offsetof(struct seccomp_data, nr)));
		filter_code_append(code, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
								      (uint32_t)number, 1, 0));
		size_t skip = code->count;
		filter_code_append(code, (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, 0));
		write_section(build, &build->calls[number]);
		if (!code->failed)
			code->items[skip].k = (uint32_t)(code->count - skip - 1);
	}
	filter_code_append(code, (struct sock_filter)BPF_STMT(BPF_RET, default_answer(build)));
	return begin;
}

/* Every return of a mark becomes a jump to what the mark stands for. */
static void link_sections(const struct build *build, size_t length, size_t default_section)
{
	struct sock_filter *program = build->code.items;

	for (size_t i = 0; i < length; i++) {
		uint32_t mark = program[i].k & SECCOMP_RET_DATA;
		size_t section;

		if (program[i].code != (BPF_RET | BPF_K) ||
		    (program[i].k & SECCOMP_RET_ACTION_FULL) != SECCOMP_RET_TRACE)
			continue;
		section = mark < FILTER_SYSCALL_MAX ? build->calls[mark].section : default_section;
		program[i] =
			(struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, (uint32_t)(section - i - 1));
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

static int take_program(struct build *build, struct error *err)
{
	_cleanup_free_ struct sock_filter *program = NULL;
	_cleanup_close_ int fd = -1;
	size_t bytes = 0;
	int r;

	r = export_program(build->context, &fd, &bytes, err);
	if (r < 0)
		return r;
	program = malloc(bytes);
	if (program == NULL)
		return error_no_memory(err);
	if (pread(fd, program, bytes, 0) != (ssize_t)bytes)
		return error_set(err, ERROR_SYSTEM, EIO, "read the program back");
	for (size_t i = 0; i < bytes / sizeof(*program); i++)
		filter_code_append(&build->code, program[i]);
	return 0;
}

static int finish_program(struct build *build, struct error *err)
{
	size_t length, default_section;
	int r = take_program(build, err);

	if (r < 0)
		return r;
	length = build->code.count;
	for (int number = 0; number < FILTER_SYSCALL_MAX; number++)
		if (build->calls[number].has_section && !build->calls[number].is_beyond)
			write_section(build, &build->calls[number]);
	default_section = write_default(build);
	if (build->code.no_memory)
		return error_no_memory(err);
	if (build->code.failed || build->code.count > BPF_MAXINSNS)
		return error_set(err, ERROR_INVALID, 0,
				 "syscalls: too much for one filter: %zu instructions, the kernel "
				 "takes %d: use fewer rules with args",
				 build->code.count, BPF_MAXINSNS);
	link_sections(build, length, default_section);
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
	if (build.calls == NULL)
		return error_no_memory(err);
	note_calls(&build);
	r = open_context(&build, err);
	for (int number = 0; r == 0 && number < FILTER_SYSCALL_MAX; number++)
		r = add_call(&build, number, err);
	if (r == 0)
		r = finish_program(&build, err);
	if (r == 0)
		r = filter_check(&build.rules, build.code.items, build.code.count, err);
	if (r < 0)
		return r;
	*ret_count = build.code.count;
	*ret_program = TAKE_PTR(build.code.items);
	return 0;
}
