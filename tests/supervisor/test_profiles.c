/* SPDX-License-Identifier: MIT */
/* The shipped profiles: that each can be used, how they differ, and what pysbx-syscalls(7) says. */
#include "policy/filter_text.h"
#include "policy/own.h"
#include "supervisor/file.h"
#include "supervisor/filter_program.h"
#include "supervisor/filter_rules.h"
#include "supervisor/filter_syscall.h"
#include "tests/supervisor/filter_fixture.h"

#include <ctype.h>
#include <sys/syscall.h>

#define PAGE	 "man/pysbx-syscalls.7"
#define PAGE_MAX 65536

static const char *const shipped[] = { "python-web", "python-strict", "python-compat" };

static struct profile *read_shipped(const char *name)
{
	_cleanup_free_ char *text = NULL;
	char path[PATH_MAX];
	struct error err;
	size_t length;

	cr_assert_eq(file_read_whole(shipped_profile(name, path), PROFILE_SIZE_MAX, &text, &length,
				     &err),
		     0, "%s", err.text);
	return parse(text);
}

Test(profiles, are_built_for_both_architectures_with_a_reason_for_each_rule)
{
	for (size_t i = 0; i < ARRAY_SIZE(shipped); i++) {
		_cleanup_profile_ struct profile *profile = read_shipped(shipped[i]);
		for (int architecture = 0; architecture < PROFILE_ARCHITECTURE_COUNT;
		     architecture++) {
			_cleanup_free_ struct sock_filter *program = NULL;
			struct error err;
			size_t count;
			cr_expect_eq(
				filter_program_build(profile, architecture, &program, &count, &err),
				0, "%s: %s", shipped[i], err.text);
		}
		for (size_t rule = 0; rule < profile->rule_count; rule++)
			cr_expect_not_null(profile->rules[rule].comment, "%s: syscalls[%u]",
					   shipped[i], profile->rules[rule].position);
		cr_expect_eq(profile->default_action, PROFILE_ERRNO);
		cr_expect_eq(profile->default_errnum, ENOSYS);
	}
}

/* --- how they differ -------------------------------------------------------------------------- */

struct pair {
	struct profile *profiles[2];
	struct filter_rules rules[2];
};

static struct pair pair_with_web(const char *name)
{
	struct pair pair = { { read_shipped("python-web"), read_shipped(name) }, { { 0 }, { 0 } } };
	struct error err;

	for (size_t i = 0; i < 2; i++)
		cr_assert_eq(filter_rules_resolve(pair.profiles[i], NATIVE, &pair.rules[i], &err),
			     0);
	return pair;
}

static void pair_clear(struct pair *pair)
{
	for (size_t i = 0; i < 2; i++) {
		filter_rules_clear(&pair->rules[i]);
		profile_free(pair->profiles[i]);
	}
}

static bool differs(const struct pair *pair, int number)
{
	_cleanup_free_ char *one = NULL, *other = NULL;
	struct error err;

	cr_assert_eq(filter_call_text(&pair->rules[0], number, &one, &err), 0);
	cr_assert_eq(filter_call_text(&pair->rules[1], number, &other, &err), 0);
	return strcmp(one, other) != 0;
}

static int number_of(const char *name)
{
	int number;

	cr_assert(filter_syscall_resolve(name, NATIVE, &number), "%s", name);
	return number;
}

static void expect_only_these(const char *profile, const char *const names[], size_t count)
{
	struct pair pair = pair_with_web(profile);

	for (int number = 0; number < FILTER_SYSCALL_MAX; number++) {
		bool is_listed = false;
		for (size_t i = 0; i < count; i++)
			is_listed = is_listed || number_of(names[i]) == number;
		cr_expect_eq(differs(&pair, number), is_listed, "%s: call %d", profile, number);
	}
	pair_clear(&pair);
}

Test(profiles, strict_is_web_but_for_four_calls)
{
	static const char *const names[] = { "execve", "execveat", "bind", "listen" };

	expect_only_these("python-strict", names, ARRAY_SIZE(names));
}

Test(profiles, compat_is_web_and_more)
{
	static const char *const names[] = {
		"shmget",
		"shmat",
		"shmdt",
		"shmctl",
		"semget",
		"semop",
		"semtimedop",
		"semctl",
		"msgget",
		"msgsnd",
		"msgrcv",
		"msgctl",
		"mq_open",
		"mq_unlink",
		"mq_timedsend",
		"mq_timedreceive",
		"mq_notify",
		"mq_getsetattr",
		"io_setup",
		"io_submit",
		"io_getevents",
		"io_pgetevents",
		"io_cancel",
		"io_destroy",
		"vmsplice",
		"tee",
		"pkey_alloc",
		"pkey_free",
		"pkey_mprotect",
		"memfd_secret",
		"mseal",
		"map_shadow_stack",
		"sched_setscheduler",
		"sched_setparam",
		"sched_setattr",
		"set_mempolicy",
		"set_mempolicy_home_node",
		"mbind",
		"futex_wake",
		"futex_wait",
		"futex_requeue",
		"setxattrat",
		"getxattrat",
		"listxattrat",
		"removexattrat",
		"file_getattr",
		"cachestat",
		"socket",
		"ioctl",
		"personality",
	};

	expect_only_these("python-compat", names, ARRAY_SIZE(names));
}

Test(profiles, none_opens_a_way_out)
{
	static const char *const names[] = {
		"mount",
		"umount2",
		"pivot_root",
		"chroot",
		"setns",
		"unshare",
		"ptrace",
		"process_vm_readv",
		"process_vm_writev",
		"process_madvise",
		"pidfd_getfd",
		"kcmp",
		"bpf",
		"perf_event_open",
		"userfaultfd",
		"seccomp",
		"keyctl",
		"add_key",
		"request_key",
		"init_module",
		"finit_module",
		"kexec_load",
		"open_by_handle_at",
		"reboot",
		"clock_settime",
		"settimeofday",
		"adjtimex",
		"swapon",
		"quotactl",
		"fanotify_init",
		"move_pages",
		"migrate_pages",
		"io_uring_setup",
		"io_uring_enter",
		"clone3",
		"openat2",
	};

	for (size_t i = 0; i < ARRAY_SIZE(shipped); i++) {
		_cleanup_profile_ struct profile *profile = read_shipped(shipped[i]);
		_cleanup_filter_rules_ struct filter_rules rules = { 0 };
		struct error err;
		cr_assert_eq(filter_rules_resolve(profile, NATIVE, &rules, &err), 0);
		for (size_t name = 0; name < ARRAY_SIZE(names); name++) {
			struct seccomp_data data = { .nr = number_of(names[name]),
						     .arch = NATIVE_AUDIT };
			uint32_t answer = filter_rules_answer(&rules, &data, NULL);
			cr_expect(answer == ERRNO(EPERM) || answer == ERRNO(ENOSYS), "%s: %s",
				  shipped[i], names[name]);
		}
	}
}

Test(profiles, strict_answers_listen_as_done_and_bind_with_eperm)
{
	_cleanup_profile_ struct profile *profile = read_shipped("python-strict");
	_cleanup_filter_rules_ struct filter_rules rules = { 0 };
	struct error err;

	cr_assert_eq(filter_rules_resolve(profile, NATIVE, &rules, &err), 0);
	const struct seccomp_data listening = { .nr = SYS_listen, .arch = NATIVE_AUDIT },
				  binding = { .nr = SYS_bind, .arch = NATIVE_AUDIT };
	cr_expect_eq(filter_rules_answer(&rules, &listening, NULL), ERRNO(0));
	cr_expect_eq(filter_rules_answer(&rules, &binding, NULL), ERRNO(EPERM));
}

/* --- the page --------------------------------------------------------------------------------- */

static char *read_page(void)
{
	FILE *file = fopen(PAGE, "r");
	char *text = calloc(1, PAGE_MAX);

	if (file == NULL)
		cr_skip_test("the source tree is not here");
	cr_assert_gt(fread(text, 1, PAGE_MAX - 1, file), 0);
	fclose(file);
	return text;
}

/* From the line that is `heading` to the next one that begins with `end`, cut off there. */
static char *part_of(const char *page, const char *heading, const char *end)
{
	const char *begin = strstr(page, heading), *stop;

	cr_assert_not_null(begin, "%s lacks %s", PAGE, heading);
	begin += strlen(heading);
	stop = strstr(begin, end);
	return strndup(begin, stop != NULL ? (size_t)(stop - begin) : strlen(begin));
}

static bool is_word(const char *line, const char *word)
{
	size_t length = strlen(word);

	for (const char *at = line; (at = strstr(at, word)) != NULL; at += length)
		if (at[-1] == ' ' && !isalnum((unsigned char)at[length]) && at[length] != '_')
			return true;
	return false;
}

/* Is the call in one of the lines that name calls, ".Ic read , write" or ".It Ic open , openat"? */
static bool is_named(const char *part, const char *name)
{
	_cleanup_free_ char *copy = strdup(part);
	char *rest = copy, *line;

	while ((line = strsep(&rest, "\n")) != NULL)
		if ((strncmp(line, ".Ic ", 4) == 0 || strncmp(line, ".It Ic ", 7) == 0) &&
		    is_word(line, name))
			return true;
	return false;
}

static size_t count_named(const char *part)
{
	_cleanup_free_ char *copy = strdup(part);
	char *rest = copy, *line;
	size_t count = 0;

	while ((line = strsep(&rest, "\n")) != NULL)
		if (strncmp(line, ".Ic ", 4) == 0 || strncmp(line, ".It Ic ", 7) == 0)
			for (char *word = strtok(strstr(line, "Ic ") + 3, " "); word != NULL;
			     word = strtok(NULL, " "))
				count += word[0] != ',' && word[0] != '.';
	return count;
}

static bool has_arguments(const struct profile *profile, const char *name)
{
	for (size_t i = 0; i < profile->rule_count; i++)
		for (size_t j = 0; j < profile->rules[i].name_count; j++)
			if (profile->rules[i].argument_count > 0 &&
			    strcmp(profile->rules[i].names[j], name) == 0)
				return true;
	return false;
}

/* Each call stands in the list that its rules put it in, and the lists hold nothing else. */
Test(profiles, web_is_explained_call_by_call)
{
	static const struct {
		const char *heading;
		enum profile_action action;
		int errnum;
		bool has_arguments;
	} lists[] = {
		{ "\n.Ss Allowed\n", PROFILE_ALLOW, 0, false },
		{ "\n.Ss Allowed or refused by their arguments\n", PROFILE_ACTION_COUNT, 0, true },
		{ "\n.Ss Refused with EPERM\n", PROFILE_ERRNO, EPERM, false },
		{ "\n.Ss Refused with ENOSYS\n", PROFILE_ERRNO, ENOSYS, false },
	};
	_cleanup_free_ char *page = read_page(),
			    *web = part_of(page, "\n.Sh PYTHON-WEB\n", "\n.Sh ");
	_cleanup_profile_ struct profile *profile = read_shipped("python-web");

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		_cleanup_free_ char *part = part_of(web, lists[i].heading, "\n.Ss ");
		size_t count = 0;
		for (size_t r = 0; r < profile->rule_count; r++) {
			const struct profile_rule *rule = &profile->rules[r];
			for (size_t name = 0; name < rule->name_count; name++) {
				bool by_arguments = has_arguments(profile, rule->names[name]);
				bool belongs = lists[i].has_arguments
						       ? by_arguments && rule->argument_count == 0
						       : !by_arguments &&
								 rule->action == lists[i].action &&
								 rule->errnum == lists[i].errnum;
				count += belongs;
				cr_expect(!belongs || is_named(part, rule->names[name]),
					  "%s lacks %s in%s", PAGE, rule->names[name],
					  lists[i].heading);
			}
		}
		cr_expect_eq(count_named(part), count, "%s names others in%s: %zu, not %zu", PAGE,
			     lists[i].heading, count_named(part), count);
	}
}

/* Every constant of a comment, as SO_ATTACH_BPF, is in the page. */
static void expect_constants(const char *page, const char *comment)
{
	for (const char *at = comment; *at != '\0'; at++) {
		char word[64];
		size_t length = strspn(at, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
		if (isdigit((unsigned char)*at)) { /* a mask, in decimal */
			at += strspn(at, "0123456789") - 1;
			continue;
		}
		if (length >= 4 && length < sizeof(word) && !islower((unsigned char)at[length]) &&
		    at[length] != '*') {
			snprintf(word, sizeof(word), "%.*s", (int)length, at);
			cr_expect_not_null(strstr(page, word), "%s lacks %s", PAGE, word);
		}
		at += length > 0 ? length - 1 : 0;
	}
}

Test(profiles, arguments_are_explained_constant_by_constant)
{
	_cleanup_free_ char *page = read_page();

	for (size_t i = 0; i < ARRAY_SIZE(shipped); i++) {
		_cleanup_profile_ struct profile *profile = read_shipped(shipped[i]);
		for (size_t rule = 0; rule < profile->rule_count; rule++)
			if (profile->rules[rule].argument_count > 0)
				expect_constants(page, profile->rules[rule].comment);
	}
}

static void expect_differences_named(const char *profile_name, const char *heading)
{
	_cleanup_free_ char *page = read_page(), *part = part_of(page, heading, "\n.Sh ");
	struct pair pair = pair_with_web(profile_name);

	for (size_t i = 0; i < 2; i++)
		for (size_t item = 0; item < pair.rules[i].count; item++) {
			const struct filter_rule *rule = &pair.rules[i].items[item];
			const char *name = rule->rule->names[rule->name];
			cr_expect(!differs(&pair, rule->number) || is_named(part, name),
				  "%s lacks %s in%s", PAGE, name, heading);
		}
	pair_clear(&pair);
}

Test(profiles, differences_from_web_are_explained)
{
	expect_differences_named("python-strict", "\n.Sh PYTHON-STRICT\n");
	expect_differences_named("python-compat", "\n.Sh PYTHON-COMPAT\n");
}
