/* SPDX-License-Identifier: MIT */
/*
 * The other doors of an x86-64 kernel: x32, i386 and the vsyscall page. A filter that only knows
 * x86-64 numbers would be walked round.
 */
#include "tests/system/attempts/attempt.h"

#include "policy/own.h"

#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifdef __x86_64__

#define X32_BIT		0x40000000L
#define VSYSCALL_PAGE	0xffffffffff600000UL
#define I386_GETPID	20
#define I386_MOUNT	21
#define I386_UNSHARE	310
#define I386_SOCKETCALL 102

/* 32-bit pointers: what a call refers to has to lie low. */
static long call_i386(long number, long first, long second)
{
	long result;

	__asm__ volatile("int $0x80"
			 : "=a"(result)
			 : "a"(number), "b"(first), "c"(second), "d"(0L), "S"(0L), "D"(0L)
			 : "memory", "r8", "r9", "r10", "r11");
	return (int)result;
}

static int i386_answer(long result)
{
	return result < 0 ? (int)result : 0;
}

static int i386_getpid(void)
{
	return i386_answer(call_i386(I386_GETPID, 0, 0));
}

static int i386_unshare(void)
{
	return i386_answer(call_i386(I386_UNSHARE, 0x10000000, 0));
}

/* socketcall has the family behind a pointer: a filter cannot see that it is AF_ALG. */
static int i386_socketcall(void)
{
	uint32_t *arguments = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);

	if (arguments == MAP_FAILED)
		return -errno;
	arguments[0] = 17; /* AF_PACKET */
	arguments[1] = 3;
	return i386_answer(call_i386(I386_SOCKETCALL, 1, (long)(uintptr_t)arguments));
}

/* Not there in Debian's kernels; where it is, its numbers are others than x86-64's. */
static int x32_getpid(void)
{
	return answer(syscall(X32_BIT | SYS_getpid));
}

static int x32_ptrace(void)
{
	return answer(syscall(X32_BIT | 521, 0, 0, 0, 0));
}

/* Code at an address that no randomization moves. */
static int vsyscall_read(void)
{
	volatile const unsigned char *page = (volatile const unsigned char *)VSYSCALL_PAGE;

	return *page == 0x48 ? 0 : -EFAULT;
}

/* Into the middle of it: past the place where the kernel expects a call. */
static int vsyscall_jump(void)
{
	void (*middle)(void) = (void (*)(void))(VSYSCALL_PAGE + 0x407);

	middle();
	return 0;
}

static const struct attempt attempts[] = {
	{ .name = "i386_getpid",
	  .about = "i386 calls by int 0x80",
	  .expected = "SIGSYS ENOSYS",
	  .control = true,
	  .door = true,
	  .act = i386_getpid },
	{ .name = "i386_unshare",
	  .about = "i386 calls by int 0x80",
	  .expected = "SIGSYS ENOSYS",
	  .control = true,
	  .act = i386_unshare },
	{ .name = "i386_socketcall",
	  .about = "i386 calls by int 0x80",
	  .expected = "SIGSYS ENOSYS",
	  .control = true,
	  .act = i386_socketcall },
	{ .name = "x32_getpid",
	  .about = "x32 calls",
	  .expected = "SIGSYS ENOSYS",
	  .door = true,
	  .act = x32_getpid },
	{ .name = "x32_ptrace",
	  .about = "x32 calls",
	  .expected = "SIGSYS ENOSYS",
	  .act = x32_ptrace },
	{ .name = "vsyscall_read",
	  .about = "the vsyscall page",
	  .expected = "SIGSEGV",
	  .act = vsyscall_read },
	{ .name = "vsyscall_jump",
	  .about = "the vsyscall page",
	  .expected = "SIGSEGV",
	  .act = vsyscall_jump },
};

#else

static const struct attempt attempts[] = {
	{ .name = "unknown_call", .expected = "ENOSYS", CALL(1000000) },
};

#endif

const struct attempt_group group_abi = { "abi", "calls of other ABIs", attempts,
					 ARRAY_SIZE(attempts) };
