/* SPDX-License-Identifier: MIT */
#include "policy/learn.h"

#include "policy/denial.h"
#include "policy/own.h"

#include <stdlib.h>
#include <string.h>

/* What no run of a Python program does without, or what another run of it may need where this one
 * did not: an allocator that grows, a signal that comes, a thread that ends, an error that is
 * printed. One list a reason, each ends with NULL. */
static const char *const needs[][24] = {
	/* the launcher's last steps in the worker's place, under the filter already: it hands over
	 * the listener, executes, or says why it can't */
	{ "sendmsg", "execve", "write", "exit_group" },
	/* the dynamic linker and import: which of these is made is the libc's choice, and changes
	 * with its version */
	{ "open",	"openat",   "read",	  "pread64",	"readv",  "close",  "lseek",
	  "stat",	"fstat",    "lstat",	  "newfstatat", "statx",  "access", "faccessat",
	  "faccessat2", "readlink", "readlinkat", "getdents64", "getcwd", "fcntl" },
	/* output: tracebacks, and buffers that are flushed at the exit */
	{ "writev", "pwrite64", "poll", "ppoll" },
	/* memory, as malloc and the garbage collector come to need it */
	{ "mmap", "munmap", "mprotect", "mremap", "madvise", "brk", "membarrier" },
	/* threads, from their start to their end; fork is a clone, too */
	{ "clone", "futex", "set_tid_address", "set_robust_list", "rseq", "arch_prctl", "exit",
	  "gettid", "getpid", "getppid", "sched_yield", "sched_getaffinity", "restart_syscall" },
	/* signals: handlers, the way back from them, raise and abort */
	{ "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigaltstack", "tgkill", "tkill" },
	/* time, where the vDSO can't tell it, and waiting */
	{ "clock_gettime", "clock_getres", "gettimeofday", "time", "nanosleep", "clock_nanosleep" },
	/* who and where: asked at the start of each process, and by os and random */
	{ "getuid", "geteuid", "getgid", "getegid", "uname", "sysinfo", "getrandom", "getrlimit",
	  "prlimit64" },
};

static bool is_needed(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(needs); i++)
		for (size_t j = 0; j < ARRAY_SIZE(needs[i]) && needs[i][j] != NULL; j++)
			if (strcmp(needs[i][j], name) == 0)
				return true;
	return false;
}

enum learn_kind learn_kind_of(const struct filter_rules *reference, const struct seccomp_data *data)
{
	const struct filter_rule *rule;
	uint32_t answer = filter_rules_answer(reference, data, &rule) & SECCOMP_RET_ACTION_FULL;

	if (answer == SECCOMP_RET_ALLOW || answer == SECCOMP_RET_LOG)
		return LEARN_ALLOWED;
	return rule != NULL ? LEARN_REFUSED : LEARN_UNKNOWN;
}

/* --- growing a profile -------------------------------------------------------------------------*/

struct making {
	const struct filter_rules *reference;
	const struct learn_call *calls;
	size_t count;
	bool dangerous;
	struct profile *profile;
};

/* Without its names: what `from` says. */
static struct profile_rule *add_rule(struct profile *profile, const struct profile_rule *from,
				     const char *comment)
{
	struct profile_rule *rule =
		reallocarray(profile->rules, profile->rule_count + 1, sizeof(*rule));

	if (rule == NULL)
		return NULL;
	profile->rules = rule;
	rule += profile->rule_count;
	*rule = *from;
	rule->names = NULL;
	rule->name_count = 0;
	rule->comment = comment != NULL ? strdup(comment) : NULL;
	rule->position = (unsigned)profile->rule_count++;
	return comment == NULL || rule->comment != NULL ? rule : NULL;
}

static int add_name(struct profile_rule *rule, const char *name, struct error *err)
{
	char **names = reallocarray(rule->names, rule->name_count + 1, sizeof(*names));

	if (names == NULL)
		return error_no_memory(err);
	rule->names = names;
	names[rule->name_count] = strdup(name);
	if (names[rule->name_count] == NULL)
		return error_no_memory(err);
	rule->name_count++;
	return 0;
}

/* --- of the reference --------------------------------------------------------------------------*/

static bool allows(const struct profile_rule *rule)
{
	return rule->action == PROFILE_ALLOW || rule->action == PROFILE_LOG;
}

/* As far as calls are told apart: where none of its arguments tells, all rules for it stay. */
static bool is_about(const struct profile_rule *rule, const struct seccomp_data *data)
{
	const struct denial_teller *tellers = NULL;
	size_t count = denial_tellers(data, &tellers);

	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < rule->argument_count; j++) {
			const struct profile_argument *argument = &rule->arguments[j];
			uint64_t mask = argument->mask & tellers[i].mask;

			if (argument->index == tellers[i].index &&
			    (data->args[argument->index] & mask) != (argument->value & mask))
				return false;
		}
	return true;
}

static bool is_used(const struct making *making, const struct profile_rule *rule, const char *name)
{
	for (size_t i = 0; i < making->count; i++)
		if (strcmp(making->calls[i].name, name) == 0 &&
		    is_about(rule, &making->calls[i].data))
			return true;
	return false;
}

/* A refusal makes way for what is to be allowed in spite of it: where both would be about the same
 * calls. */
static bool makes_way(const struct making *making, const struct profile_rule *rule,
		      const char *name)
{
	const struct denial_teller *tellers;

	for (size_t i = 0; making->dangerous && i < making->count; i++) {
		const struct learn_call *call = &making->calls[i];

		if (strcmp(call->name, name) == 0 &&
		    learn_kind_of(making->reference, &call->data) == LEARN_REFUSED &&
		    (rule->argument_count > 0 ? is_about(rule, &call->data)
					      : denial_tellers(&call->data, &tellers) == 0))
			return true;
	}
	return false;
}

static bool is_kept(const struct making *making, const struct profile_rule *rule, const char *name)
{
	if (allows(rule))
		return is_needed(name) || is_used(making, rule, name);
	return !makes_way(making, rule, name);
}

static int keep_rule(struct making *making, const struct profile_rule *from, struct error *err)
{
	struct profile_rule *rule = NULL;
	int r = 0;

	for (size_t i = 0; r == 0 && i < from->name_count; i++) {
		if (!is_kept(making, from, from->names[i]))
			continue;
		if (rule == NULL)
			rule = add_rule(making->profile, from, from->comment);
		r = rule != NULL ? add_name(rule, from->names[i], err) : error_no_memory(err);
	}
	return r;
}

/* --- beyond it ---------------------------------------------------------------------------------*/

static bool is_beyond(const struct making *making, const struct learn_call *call)
{
	switch (learn_kind_of(making->reference, &call->data)) {
	case LEARN_ALLOWED:
		return false;
	case LEARN_REFUSED:
		return making->dangerous;
	default:
		return true;
	}
}

/* By its telling arguments, as denial_rule() writes them. */
static int add_beyond(struct making *making, const struct learn_call *call, struct error *err)
{
	static const char comment[] = "Used, and not allowed by the profile that this was made of.";
	struct profile_rule from = { .action = PROFILE_ALLOW }, *rule;
	const struct denial_teller *tellers = NULL;

	from.argument_count = denial_tellers(&call->data, &tellers);
	for (size_t i = 0; i < from.argument_count; i++)
		from.arguments[i] = (struct profile_argument){
			.index = tellers[i].index,
			.mask = tellers[i].mask,
			.value = call->data.args[tellers[i].index] & tellers[i].mask,
		};
	rule = add_rule(making->profile, &from, comment);
	return rule != NULL ? add_name(rule, call->name, err) : error_no_memory(err);
}

int learn_profile(const struct filter_rules *reference, const struct learn_call *calls,
		  size_t count, bool dangerous, struct profile **ret, struct error *err)
{
	const struct profile *from = reference->profile;
	_cleanup_profile_ struct profile *profile = calloc(1, sizeof(*profile));
	struct making making = { reference, calls, count, dangerous, profile };
	int r = 0;

	if (profile == NULL)
		return error_no_memory(err);
	profile->default_action = from->default_action;
	profile->default_errnum = from->default_errnum;
	profile->architectures = from->architectures;
	for (size_t i = 0; r == 0 && i < from->rule_count; i++)
		r = keep_rule(&making, &from->rules[i], err);
	for (size_t i = 0; r == 0 && i < count; i++)
		if (is_beyond(&making, &calls[i]))
			r = add_beyond(&making, &calls[i], err);
	if (r == 0)
		*ret = TAKE_PTR(profile);
	return r;
}
