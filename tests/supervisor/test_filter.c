/* SPDX-License-Identifier: MIT */
/* From a profile to a program: which file, what the program answers, and what is refused. */
#include "policy/filter_check.h"
#include "policy/filter_door.h"
#include "policy/own.h"
#include "supervisor/file.h"
#include "supervisor/filter_program.h"
#include "supervisor/filter_rules.h"
#include "supervisor/filter_syscall.h"
#include "tests/supervisor/filter_fixture.h"

#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>

#define HOT_STEPS_MAX  18
#define WARM_STEPS_MAX 45

static uint64_t next_random(uint64_t *state)
{
	*state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return *state >> 33;
}

static void write_text(const char *path, const char *text)
{
	FILE *file = fopen(path, "we");

	cr_assert_not_null(file, "%s", path);
	cr_assert_geq(fputs(text, file), 0);
	cr_assert_eq(fclose(file), 0);
}

/* Builds from a JSON text with single quotes for double ones. */
static int build(const char *text, struct program *ret, struct error *err)
{
	_cleanup_profile_ struct profile *profile = NULL;
	char json[4096];

	cr_assert_lt(strlen(text), sizeof(json));
	for (size_t i = 0; i <= strlen(text); i++)
		json[i] = text[i] == '\'' ? '"' : text[i];
	profile = parse(json);
	return filter_program_build(profile, NATIVE, &ret->items, &ret->count, err);
}

static uint32_t ask_built(const char *text, int number, uint64_t arg0)
{
	struct program program = { 0 };
	struct error err;
	const uint64_t args[6] = { arg0 };
	uint32_t answer;

	cr_assert_eq(build(text, &program, &err), 0, "%s", err.text);
	answer = ask(&program, number, args);
	free(program.items);
	return answer;
}

/* --- the file descriptor --- */

Test(filter, gives_a_sealed_memfd_at_its_start)
{
	char path[PATH_MAX];
	struct error err;
	int fd = -1;

	cr_assert_eq(filter_compile(shipped_path(path), &fd, &err), 0, "%s", err.text);
	cr_expect_eq(fcntl(fd, F_GET_SEALS),
		     F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
	cr_expect_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	cr_expect_eq(lseek(fd, 0, SEEK_CUR), 0);
	cr_expect_eq(pwrite(fd, "x", 1, 0), -1);
	cr_expect_eq(errno, EPERM);
	close(fd);
}

/* --- finding the profile --- */

#define PLAIN "{\"defaultAction\": \"SCMP_ACT_ERRNO\", \"defaultErrnoRet\": %d}"

static void write_plain(const char *directory, const char *name, int errnum)
{
	char path[PATH_MAX], text[200];

	snprintf(path, sizeof(path), "%s/%s.json", directory, name);
	snprintf(text, sizeof(text), PLAIN, errnum);
	write_text(path, text);
}

Test(filter, looks_in_the_administrators_directory_before_the_shipped_one)
{
	char first[] = "/tmp/pysbx-filter-a.XXXXXX", second[] = "/tmp/pysbx-filter-b.XXXXXX";
	const char *const directories[2] = { mkdtemp(first), mkdtemp(second) };
	static const struct {
		const char *name;
		uint32_t answer;
	} rows[] = { { "both", ERRNO(11) }, { "shipped", ERRNO(22) } };
	char path[PATH_MAX];

	write_plain(first, "both", 11);
	write_plain(second, "both", 22);
	write_plain(second, "shipped", 22);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct error err;
		int fd = -1;
		cr_assert_eq(filter_compile_from(directories, NULL, rows[i].name, &fd, &err), 0,
			     "%s", err.text);
		struct program program = read_program(fd);
		cr_expect_eq(ask(&program, 0, NULL), rows[i].answer, "%s", rows[i].name);
		free(program.items);
		close(fd);
		snprintf(path, sizeof(path), "%s/%s.json", second, rows[i].name);
		unlink(path);
	}
	snprintf(path, sizeof(path), "%s/both.json", first);
	unlink(path);
	rmdir(first);
	rmdir(second);
}

Test(filter, says_where_it_looked_for_a_profile_that_is_missing)
{
	const char *const directories[2] = { "/nowhere/etc", "/nowhere/share" };
	struct error err;
	int fd = -7;

	cr_expect_lt(filter_compile_from(directories, NULL, "django", &fd, &err), 0);
	cr_expect_eq(err.kind, ERROR_INVALID);
	cr_expect_str_eq(err.text, "no seccomp profile \"django\": there is neither "
				   "/nowhere/etc/django.json nor /nowhere/share/django.json");
	cr_expect_eq(fd, -7);
}

Test(filter, refuses_names_that_are_no_names)
{
	static const char *const names[] = { "",	".",	   "..",   "../python-web",
					     "a/b",	".hidden", "a\nb", "python web",
					     "\x1b[2J", "a*",	   "\xff" };
	char longest[100];

	memset(longest, 'a', sizeof(longest));
	longest[99] = '\0';
	for (size_t i = 0; i <= ARRAY_SIZE(names); i++) {
		const char *name = i < ARRAY_SIZE(names) ? names[i] : longest;
		struct error err;
		int fd = -7;
		cr_expect_lt(filter_compile(name, &fd, &err), 0, "%s", name);
		cr_expect_eq(err.kind, ERROR_INVALID);
		cr_expect_not_null(strstr(err.text, "is not the name of a seccomp profile"), "%s",
				   err.text);
		cr_expect_null(strpbrk(err.text, "\n\x1b"));
		cr_expect_eq(fd, -7);
	}
}

Test(filter, refuses_what_is_no_regular_file_without_waiting)
{
	char directory[] = "/tmp/pysbx-filter.XXXXXX", path[PATH_MAX];
	const char *paths[] = { directory, path, "/nowhere/x.json" };

	cr_assert_not_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/fifo", directory);
	cr_assert_eq(mkfifo(path, 0600), 0);
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		struct error err;
		int fd = -7;
		cr_expect_lt(filter_compile(paths[i], &fd, &err), 0);
		cr_expect_not_null(strstr(err.text, paths[i]), "%s", err.text);
		cr_expect_eq(fd, -7);
	}
	unlink(path);
	rmdir(directory);
}

Test(filter, names_the_file_and_the_json_path_of_an_error)
{
	char path[] = "/tmp/pysbx-filter.XXXXXX", expected[200];
	int temporary = mkstemp(path), fd = -7;
	struct error err;

	close(temporary);
	write_text(path, "{\"defaultAction\": \"SCMP_ACT_ALLOW\", \"syscalls\": [{\"names\": "
			 "[\"read\", \"opneat\"], \"action\": \"SCMP_ACT_ERRNO\"}]}");
	cr_expect_lt(filter_compile(path, &fd, &err), 0);
	snprintf(expected, sizeof(expected),
		 "seccomp profile %s: syscalls[0].names[1]: \"opneat\" is not a system call; did "
		 "you mean openat?",
		 path);
	cr_expect_str_eq(err.text, expected);
	cr_expect_eq(err.kind, ERROR_INVALID);
	cr_expect_eq(fd, -7);
	unlink(path);
}

/* --- what a program answers --- */

#define RULE(name, action, args) "{'names':['" name "'],'action':'SCMP_ACT_" action "'" args "}"
#define IS(value)		 ",'args':[{'index':0,'op':'SCMP_CMP_EQ','value':" #value "}]"
#define PROFILE(default_, rules) "{'defaultAction':'SCMP_ACT_" default_ "','syscalls':[" rules "]}"

Test(filter, lets_a_rule_without_arguments_cover_the_rest_in_either_order)
{
	static const char *const orders[] = {
		PROFILE("LOG", RULE("kill", "ALLOW", IS(3)) "," RULE("kill", "ERRNO", "")),
		PROFILE("LOG", RULE("kill", "ERRNO", "") "," RULE("kill", "ALLOW", IS(3))),
	};

	for (size_t i = 0; i < ARRAY_SIZE(orders); i++) {
		cr_expect_eq(ask_built(orders[i], SYS_kill, 3), SECCOMP_RET_ALLOW);
		cr_expect_eq(ask_built(orders[i], SYS_kill, 4), ERRNO(EPERM));
		cr_expect_eq(ask_built(orders[i], SYS_kill, HIGH | 3), ERRNO(EPERM));
		cr_expect_eq(ask_built(orders[i], SYS_getpid, 3), SECCOMP_RET_LOG);
	}
}

Test(filter, gives_unmatched_arguments_the_default_where_nothing_covers_the_rest)
{
	static const char text[] = PROFILE("TRAP", RULE("kill", "ALLOW", IS(3)));

	cr_expect_eq(ask_built(text, SYS_kill, 3), SECCOMP_RET_ALLOW);
	cr_expect_eq(ask_built(text, SYS_kill, 4), SECCOMP_RET_TRAP);
}

Test(filter, takes_the_wider_of_two_rules_that_agree)
{
	static const char text[] =
		PROFILE("ERRNO", RULE("kill", "ALLOW", IS(3)) "," RULE("kill", "ALLOW", ""));

	cr_expect_eq(ask_built(text, SYS_kill, 4), SECCOMP_RET_ALLOW);
}

Test(filter, takes_different_actions_for_different_arguments)
{
	static const char text[] =
		PROFILE("TRAP", RULE("kill", "ALLOW", IS(3)) "," RULE(
					"kill", "ERRNO", IS(4)) "," RULE("kill", "LOG", ""));

	cr_expect_eq(ask_built(text, SYS_kill, 3), SECCOMP_RET_ALLOW);
	cr_expect_eq(ask_built(text, SYS_kill, 4), ERRNO(EPERM));
	cr_expect_eq(ask_built(text, SYS_kill, 5), SECCOMP_RET_LOG);
}

/* As of Docker's profiles from 2022 to 2025, which keep AF_VSOCK (40) out that way. */
Test(filter, lets_no_value_pass_for_another_that_the_kernel_cuts_to_the_refused_one)
{
	static const char text[] =
		PROFILE("ERRNO", RULE("socket", "ALLOW",
				      ",'args':[{'index':0,'op':'SCMP_CMP_NE','value':40}]"));

	for (uint64_t family = 0; family < 64; family++) {
		cr_expect_eq(ask_built(text, SYS_socket, family),
			     family == 40 ? ERRNO(EPERM) : SECCOMP_RET_ALLOW);
	}
	cr_expect_eq(ask_built(text, SYS_socket, HIGH | 40), ERRNO(EPERM));
	cr_expect_eq(ask_built(text, SYS_socket, HIGH | 41), SECCOMP_RET_ALLOW);
}

Test(filter, carries_out_every_action)
{
	static const struct {
		const char *text;
		uint32_t answer;
	} rows[] = {
		{ PROFILE("ERRNO", RULE("kill", "ALLOW", "")), SECCOMP_RET_ALLOW },
		{ PROFILE("ALLOW", RULE("kill", "ERRNO", ",'errnoRet':4094")), ERRNO(4094) },
		{ PROFILE("ALLOW", RULE("kill", "KILL", "")), SECCOMP_RET_KILL_THREAD },
		{ PROFILE("ALLOW", RULE("kill", "KILL_THREAD", "")), SECCOMP_RET_KILL_THREAD },
		{ PROFILE("ALLOW", RULE("kill", "KILL_PROCESS", "")), SECCOMP_RET_KILL_PROCESS },
		{ PROFILE("ALLOW", RULE("kill", "TRAP", "")), SECCOMP_RET_TRAP },
		{ PROFILE("ALLOW", RULE("kill", "LOG", "")), SECCOMP_RET_LOG },
		{ PROFILE("ALLOW", RULE("kill", "ALLOW", "")), SECCOMP_RET_ALLOW },
		{ PROFILE("KILL_PROCESS", RULE("read", "ALLOW", "")), SECCOMP_RET_KILL_PROCESS },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		cr_expect_eq(ask_built(rows[i].text, SYS_kill, 0), rows[i].answer, "%s",
			     rows[i].text);
}

Test(filter, knows_calls_newer_than_libseccomp_and_passes_over_those_of_other_machines)
{
	static const char text[] = PROFILE(
		"ERRNO", RULE("mseal", "ALLOW", "") "," RULE("chown32", "ALLOW", "") "," RULE(
				 "riscv_hwprobe", "ALLOW", ""));

	cr_expect_eq(ask_built(text, 462, 0), SECCOMP_RET_ALLOW);
	cr_expect_eq(ask_built(text, 212, 0), ERRNO(EPERM), "chown32's number on i386");
	cr_expect_eq(ask_built(text, 258, 0), ERRNO(EPERM), "riscv_hwprobe's own number");
}

Test(filter, refuses_rules_that_contradict_each_other)
{
	static const struct {
		const char *text, *message;
	} rows[] = {
		{ PROFILE("LOG", RULE("read", "ALLOW", "") "," RULE("read", "ERRNO", "")),
		  "syscalls[1].names[0]: read gets another action here than in syscalls[0]: keep "
		  "one of the two" },
		{ PROFILE("LOG", RULE("kill", "ALLOW", IS(1)) "," RULE("kill", "ERRNO", IS(1))),
		  "syscalls[1].names[0]: kill gets another action here than in syscalls[0]: both "
		  "match some arguments, so they must agree" },
		{ PROFILE("LOG", RULE("read", "ERRNO", ",'errnoRet':1") "," RULE("read", "ERRNO",
										 ",'errnoRet':2")),
		  "syscalls[1].names[0]: read gets another action here than in syscalls[0]: keep "
		  "one of the two" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct program program = { 0 };
		struct error err;
		cr_expect_lt(build(rows[i].text, &program, &err), 0);
		cr_expect_str_eq(err.text, rows[i].message);
		cr_expect_null(program.items);
	}
}

Test(filter, refuses_more_than_the_kernel_takes)
{
	_cleanup_free_ char *text = malloc(200000);
	_cleanup_profile_ struct profile *profile = NULL;
	struct sock_filter *items = NULL;
	struct error err;
	size_t count = 0;
	char *at = text;

	at += sprintf(at, "{\"defaultAction\":\"SCMP_ACT_LOG\",\"syscalls\":[");
	for (int i = 0; i < 1000; i++)
		at += sprintf(at,
			      "%s{\"names\":[\"kill\"],\"action\":\"SCMP_ACT_ALLOW\",\"args\":["
			      "{\"index\":0,\"op\":\"SCMP_CMP_EQ\",\"value\":%d},"
			      "{\"index\":1,\"op\":\"SCMP_CMP_EQ\",\"value\":%d}]}",
			      i > 0 ? "," : "", i, i);
	sprintf(at, "]}");
	profile = parse(text);
	cr_expect_lt(filter_program_build(profile, NATIVE, &items, &count, &err), 0);
	cr_expect_not_null(strstr(err.text, "the kernel takes 4096"), "%s", err.text);
	cr_expect_null(items);
	cr_expect_eq(count, 0);
}

/* --- what is checked before it is used --- */

static struct profile *parse_shipped(const char *name)
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

/* A wrong instruction must be noticed, unless it changes nothing: then tens of thousands of calls
 * on the edges of the rules must find no difference either. */
static bool differs(const struct filter_rules *rules, const struct sock_filter *program,
		    size_t count, uint64_t *state)
{
	struct error err;

	if (bpf_check(program, count, &err) < 0)
		return true;
	for (int i = 0; i < 30000; i++) {
		const struct filter_rule *item = &rules->items[next_random(state) % rules->count];
		struct seccomp_data data = { .nr = item->number,
					     .arch = filter_audit_arch(rules->architecture) };
		for (unsigned index = 0; index < 6; index++)
			data.args[index] = next_random(state) % 32;
		for (size_t a = 0; a < item->rule->argument_count; a++)
			data.args[item->rule->arguments[a].index] = item->rule->arguments[a].value;
		if (next_random(state) % 2 == 0)
			data.args[next_random(state) % 6] ^= UINT64_C(1) << next_random(state) % 64;
		if (bpf_run(program, &data, NULL) != filter_rules_answer(rules, &data, NULL))
			return true;
	}
	return false;
}

Test(filter, notices_wrong_instructions_in_the_shipped_program)
{
	_cleanup_profile_ struct profile *profile = parse_shipped("python-web");
	_cleanup_free_ struct sock_filter *program = NULL;
	_cleanup_filter_rules_ struct filter_rules rules = { 0 };
	struct error err;
	uint64_t state = 1;
	size_t count = 0, missed = 0;

	cr_assert_eq(filter_rules_resolve(profile, NATIVE, &rules, &err), 0, "%s", err.text);
	cr_assert_eq(filter_program_build(profile, NATIVE, &program, &count, &err), 0, "%s",
		     err.text);
	for (size_t i = 0; i < count; i += 3) {
		struct sock_filter original = program[i];
		program[i].k ^= 1U << next_random(&state) % 32;
		if (filter_check(&rules, program, count, &err) == 0)
			missed += differs(&rules, program, count, &state);
		program[i] = original;
		program[i].jt = original.jf;
		program[i].jf = original.jt;
		if (filter_check(&rules, program, count, &err) == 0)
			missed += differs(&rules, program, count, &state);
		program[i] = original;
	}
	cr_expect_eq(missed, 0, "%zu", missed);
}

/* Rules that look at few values of few arguments under few masks, so that they meet often. */
static struct profile *random_profile(uint64_t *state)
{
	static const char *const names[] = { "socket", "ioctl", "prctl", "kill",
					     "mmap",   "clone", "mseal", "execve" };
	static const uint64_t masks[] = { UINT64_MAX, UINT32_MAX, 15, 0x80000000, 0xff00000000 };
	struct profile *profile = calloc(1, sizeof(*profile));
	size_t count = next_random(state) % 12;

	profile->default_action = PROFILE_ERRNO;
	profile->default_errnum = 38;
	profile->rules = calloc(count + 1, sizeof(*profile->rules));
	for (size_t i = 0; i < count; i++) {
		struct profile_rule *rule = &profile->rules[profile->rule_count++];
		rule->names = calloc(1, sizeof(*rule->names));
		rule->names[rule->name_count++] =
			strdup(names[next_random(state) % ARRAY_SIZE(names)]);
		rule->argument_count = next_random(state) % 4;
		rule->action = rule->argument_count == 0 ? PROFILE_LOG : PROFILE_ALLOW;
		for (unsigned a = 0; a < rule->argument_count; a++) {
			uint64_t mask = masks[next_random(state) % ARRAY_SIZE(masks)];
			rule->arguments[a] = (struct profile_argument){
				a, mask, (next_random(state) % 20) * 0x100000001 & mask
			};
		}
	}
	return profile;
}

Test(filter, answers_as_random_rules_say_on_both_architectures)
{
	uint64_t state = 1;

	for (int i = 0; i < 100; i++) {
		_cleanup_profile_ struct profile *profile = random_profile(&state);
		for (int architecture = 0; architecture < PROFILE_ARCHITECTURE_COUNT;
		     architecture++) {
			_cleanup_free_ struct sock_filter *program = NULL;
			_cleanup_filter_rules_ struct filter_rules rules = { 0 };
			struct error err;
			size_t count;
			cr_assert_eq(
				filter_program_build(profile, architecture, &program, &count, &err),
				0, "%d: %s", i, err.text);
			cr_assert_eq(filter_rules_resolve(profile, architecture, &rules, &err), 0);
			if (rules.count > 0)
				cr_assert(!differs(&rules, program, count, &state));
		}
	}
}

Test(filter, is_built_for_arm64_as_well)
{
	static const struct {
		long number;
		uint64_t args[6];
		uint32_t answer;
	} rows[] = {
		{ 63, { 0 }, SECCOMP_RET_ALLOW },	     /* read */
		{ 198, { 1, 1 }, SECCOMP_RET_ALLOW },	     /* socket(AF_UNIX) */
		{ 198, { 16, 3, 1 }, ERRNO(EPERM) },	     /* of another netlink family */
		{ 198, { HIGH | 40, 1 }, ERRNO(EPERM) },     /* AF_VSOCK */
		{ 435, { 0 }, ERRNO(ENOSYS) },		     /* clone3 */
		{ 220, { 17 }, SECCOMP_RET_ALLOW },	     /* clone: fork() */
		{ 220, { 0x10000011 }, ERRNO(EPERM) },	     /* clone(CLONE_NEWUSER) */
		{ 40, { 0 }, ERRNO(EPERM) },		     /* mount */
		{ 452, { -100UL, 1, 04755 }, ERRNO(EPERM) }, /* fchmodat2: newer than libseccomp */
		{ 452, { -100UL, 1, 0755 }, SECCOMP_RET_ALLOW },
		{ 900, { 0 }, ERRNO(ENOSYS) },
	};
	_cleanup_profile_ struct profile *profile = parse_shipped("python-web");
	_cleanup_free_ struct sock_filter *program = NULL;
	struct error err;
	size_t count;

	cr_assert_eq(filter_program_build(profile, PROFILE_AARCH64, &program, &count, &err), 0,
		     "%s", err.text);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct seccomp_data data = { .nr = (int)rows[i].number,
					     .arch = AUDIT_ARCH_AARCH64 };
		memcpy(data.args, rows[i].args, sizeof(data.args));
		cr_expect_eq(bpf_run(program, &data, NULL), rows[i].answer, "call %ld",
			     rows[i].number);
		data.arch = AUDIT_ARCH_X86_64;
		cr_expect_eq(bpf_run(program, &data, NULL), SECCOMP_RET_KILL_PROCESS);
	}
}

/* --- what it costs --- */

/* Instructions for what a server does all day. A linear list would take some 300 for the last. */
Test(filter, executes_few_instructions_for_hot_calls)
{
	static const struct {
		const char *name;
		uint64_t args[6];
	} hot[] = {
		{ "read", { 0 } },	 { "write", { 0 } },	 { "futex", { 0 } },
		{ "epoll_wait", { 0 } }, { "epoll_ctl", { 0 } }, { "poll", { 0 } },
		{ "recvfrom", { 0 } },	 { "sendto", { 0 } },	 { "clock_gettime", { 0 } },
		{ "accept4", { 0 } },	 { "close", { 0 } },	 { "sendmsg", { 0 } },
		{ "newfstatat", { 0 } }, { "mmap", { 0 } },	 { "munmap", { 0 } },
		{ "getpid", { 0 } },	 { "lseek", { 0 } },	 { "fstat", { 0 } },
	};
	static const struct {
		const char *name;
		uint64_t args[6];
	} warm[] = {
		{ "openat", { -100UL, 1, 02000000, 0 } },
		{ "ioctl", { 3, 0x5401 } },
		{ "ioctl", { 3, 0x5421 } },
		{ "clone", { 0x3d0f00 } },
		{ "socket", { 2, 02000001, 0 } },
		{ "socket", { 10, 02000001, 6 } },
		{ "setsockopt", { 3, 6, 1, 1, 4 } },
		{ "prctl", { 15, 1 } },
	};
	struct program program = compile_shipped();

	for (size_t i = 0; i < ARRAY_SIZE(hot) + ARRAY_SIZE(warm); i++) {
		bool is_hot = i < ARRAY_SIZE(hot);
		size_t at = is_hot ? i : i - ARRAY_SIZE(hot);
		const char *name = is_hot ? hot[at].name : warm[at].name;
		struct seccomp_data data = { .arch = NATIVE_AUDIT };
		unsigned steps = 0;
		if (!filter_syscall_resolve(name, NATIVE, &data.nr) || data.nr < 0)
			continue;
		memcpy(data.args, is_hot ? hot[at].args : warm[at].args, sizeof(data.args));
		cr_expect_eq(bpf_run(program.items, &data, &steps), SECCOMP_RET_ALLOW, "%s", name);
		cr_expect_leq(steps, is_hot ? HOT_STEPS_MAX : WARM_STEPS_MAX, "%s: %u", name,
			      steps);
	}
	free(program.items);
}
