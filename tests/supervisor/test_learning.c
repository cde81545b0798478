/* SPDX-License-Identifier: MIT */
/* From calls to a profile, made of the shipped one. */
#include "supervisor/learning.h"

#include "policy/own.h"
#include "supervisor/file.h"
#include "supervisor/filter_program.h"
#include "tests/supervisor/filter_fixture.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>

static struct learning learning;
static struct program before, after; /* what the run is under; what comes of it */
static char output[] = "/tmp/pysbx-learning-XXXXXX";

static void set_up(void)
{
	char path[PATH_MAX];
	struct error err;
	int fd = -1;

	close(mkstemp(output));
	cr_assert_eq(learning_begin(shipped_path(path), &learning, &fd, &err), 0, "%s", err.text);
	before = read_program(fd);
	close(fd);
}

static void tear_down(void)
{
	learning_clear(&learning);
	free(before.items);
	free(after.items);
	unlink(output);
}

TestSuite(learning, .init = set_up, .fini = tear_down);

static void add(int number, uint64_t first, uint64_t second, uint64_t third)
{
	const struct seccomp_data data = { .nr = number,
					   .arch = NATIVE_AUDIT,
					   .args = { first, second, third } };

	learning_add(&learning, &data);
}

/* Without a log: nobody is to be told. */
static struct profile *finish(bool dangerous)
{
	struct log log = { 0 };
	_cleanup_free_ char *text = NULL;
	struct profile *profile;
	struct error err;
	size_t length;

	cr_assert_eq(learning_finish(&learning, output, dangerous, &log, &err), 0, "%s", err.text);
	cr_assert_eq(file_read_whole(output, PROFILE_SIZE_MAX, &text, &length, &err), 0, "%s",
		     err.text);
	profile = parse(text);
	cr_assert_eq(filter_program_build(profile, NATIVE, &after.items, &after.count, &err), 0,
		     "%s", err.text);
	return profile;
}

static uint32_t asked(int number, uint64_t first, uint64_t second, uint64_t third)
{
	return ask(&after, number, (const uint64_t[6]){ first, second, third });
}

Test(learning, begins_with_what_every_python_needs)
{
	static const int needed[] = { SYS_read,	 SYS_execve,	   SYS_sendmsg, SYS_mmap,
				      SYS_futex, SYS_rt_sigreturn, SYS_exit,	SYS_exit_group };
	static const int others[] = { SYS_listen, SYS_socket, SYS_ptrace, SYS_epoll_ctl };

	for (size_t i = 0; i < ARRAY_SIZE(needed); i++)
		cr_expect_eq(ask(&before, needed[i], NULL), SECCOMP_RET_ALLOW, "%d", needed[i]);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		cr_expect_eq(ask(&before, others[i], NULL) & SECCOMP_RET_ACTION_FULL,
			     SECCOMP_RET_ERRNO, "%d is never seen", others[i]);
}

Test(learning, takes_of_the_reference_what_was_used)
{
	add(SYS_socket, AF_INET, SOCK_STREAM, 0);
	add(SYS_listen, 3, 128, 0);
	profile_free(finish(false));
	cr_expect_eq(asked(SYS_listen, 4, 1, 0), SECCOMP_RET_ALLOW);
	cr_expect_eq(asked(SYS_socket, AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), SECCOMP_RET_ALLOW);
	cr_expect_eq(asked(SYS_socket, AF_INET, SOCK_DGRAM, 0), ERRNO(EPERM), "was not used");
	cr_expect_eq(asked(SYS_socket, AF_UNIX, SOCK_STREAM, 0), ERRNO(EPERM), "was not used");
	cr_expect_eq(asked(SYS_accept4, 3, 0, 0), ERRNO(ENOSYS), "was not used");
	cr_expect_eq(asked(SYS_ptrace, 0, 0, 0), ERRNO(EPERM), "refused with its reason");
	cr_expect_eq(asked(SYS_clone3, 0, 0, 0), ERRNO(ENOSYS));
}

Test(learning, takes_in_what_the_reference_does_not_know)
{
	_cleanup_profile_ struct profile *profile = NULL;

	add(SYS_mq_open, 0x1234, 0, 0);
	profile = finish(false);
	cr_expect_eq(asked(SYS_mq_open, 0x5678, 1, 0), SECCOMP_RET_ALLOW);
	cr_expect_str_eq(profile->rules[profile->rule_count - 1].comment,
			 "Used, and not allowed by the profile that this was made of.");
}

Test(learning, leaves_out_what_the_reference_refuses)
{
	add(SYS_chroot, 0x1234, 0, 0);
	add(SYS_socket, AF_ALG, SOCK_SEQPACKET, 0);
	add(SYS_prctl, PR_SET_PTRACER, 1, 0);
	profile_free(finish(false));
	cr_expect_eq(asked(SYS_chroot, 0x1234, 0, 0), ERRNO(EPERM));
	cr_expect_eq(asked(SYS_socket, AF_ALG, SOCK_SEQPACKET, 0), ERRNO(EPERM));
	cr_expect_eq(asked(SYS_prctl, PR_SET_PTRACER, 1, 0), ERRNO(EPERM));
}

Test(learning, takes_in_what_is_dangerous_when_asked_and_no_more)
{
	add(SYS_chroot, 0x1234, 0, 0);
	add(SYS_socket, AF_ALG, SOCK_SEQPACKET, 0);
	add(SYS_ptrace, PTRACE_TRACEME, 0, 0);
	add(SYS_setsockopt, 3, IPPROTO_TCP, 31);
	profile_free(finish(true));
	cr_expect_eq(asked(SYS_chroot, 0x5678, 0, 0), SECCOMP_RET_ALLOW);
	cr_expect_eq(asked(SYS_pivot_root, 0, 0, 0), ERRNO(EPERM), "in the same rule");
	cr_expect_eq(asked(SYS_socket, AF_ALG, SOCK_SEQPACKET, 0), SECCOMP_RET_ALLOW);
	cr_expect_eq(asked(SYS_socket, AF_VSOCK, SOCK_STREAM, 0), ERRNO(EPERM));
	cr_expect_eq(asked(SYS_ptrace, PTRACE_TRACEME, 0, 0), SECCOMP_RET_ALLOW);
	cr_expect_eq(asked(SYS_ptrace, PTRACE_ATTACH, 0, 0), ERRNO(EPERM));
	cr_expect_eq(asked(SYS_setsockopt, 3, IPPROTO_TCP, 31), SECCOMP_RET_ALLOW);
	cr_expect_eq(asked(SYS_setsockopt, 3, SOL_SOCKET, 26), ERRNO(EPERM));
}

Test(learning, one_call_is_learnt_once)
{
	for (int i = 0; i < 200; i++)
		add(SYS_listen, (uint64_t)i, 0, 0);
	cr_expect_eq(learning.count, 1);
	for (uint64_t family = 0; family < 200; family++)
		add(SYS_socket, family, SOCK_STREAM, 0);
	cr_expect_eq(learning.count, 201);
	profile_free(finish(false));
}

Test(learning, a_number_without_a_name_is_left_out)
{
	add(999, 0, 0, 0);
	profile_free(finish(true));
	cr_expect_eq(asked(999, 0, 0, 0), ERRNO(ENOSYS));
}

Test(learning, a_profile_that_allows_by_default_teaches_nothing)
{
	static const char text[] = "{\"defaultAction\": \"SCMP_ACT_ALLOW\", \"syscalls\": []}";
	struct learning other = { 0 };
	struct error err;
	int fd = -1;

	cr_assert_eq(truncate(output, 0), 0);
	fd = open(output, O_WRONLY | O_CLOEXEC);
	cr_assert_eq(file_write_whole(fd, text, strlen(text)), 0);
	close(fd);
	fd = -1;
	cr_expect_eq(learning_begin(output, &other, &fd, &err), -EINVAL);
	cr_expect_not_null(strstr(err.text, "defaultAction is not SCMP_ACT_ERRNO"), "%s", err.text);
	cr_expect_eq(fd, -1);
	cr_expect_null(other.base);
}

Test(learning, says_where_it_could_not_write)
{
	struct log log = { 0 };
	struct error err;

	cr_expect_eq(learning_finish(&learning, "/nonexistent/x.json", false, &log, &err), -ENOENT);
	cr_expect_str_eq(err.text, "--output /nonexistent/x.json: No such file or directory");
}
