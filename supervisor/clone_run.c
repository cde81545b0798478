/* SPDX-License-Identifier: MIT */
#include "supervisor/clone_run.h"

#include <errno.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Both return from the system call on the same stack, the child first. So the call is made inline
 * and not by syscall(3), whose frame the child would write over; ours stays as it is below the
 * child's. */
#if defined(__x86_64__)

#define SHARES_MEMORY (CLONE_VM | CLONE_VFORK)

__attribute__((always_inline)) static inline long clone_inline(struct clone_args *args, size_t size)
{
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(SYS_clone3), "D"(args), "S"(size)
			 : "rcx", "r11", "memory", "cc");
	return result;
}

#elif defined(__aarch64__)

#define SHARES_MEMORY (CLONE_VM | CLONE_VFORK)

__attribute__((always_inline)) static inline long clone_inline(struct clone_args *args, size_t size)
{
	register long number __asm__("x8") = SYS_clone3;
	register long first __asm__("x0") = (long)args;
	register size_t second __asm__("x1") = size;

	__asm__ volatile("svc 0" : "+r"(first) : "r"(number), "r"(second) : "memory", "cc");
	return first;
}

#else

#define SHARES_MEMORY 0

__attribute__((always_inline)) static inline long clone_inline(struct clone_args *args, size_t size)
{
	long result = syscall(SYS_clone3, args, size);

	return result < 0 ? -errno : result;
}

#endif

__attribute__((noinline)) static long clone_and_call(struct clone_args *args,
						     void (*child)(const void *argument),
						     const void *argument)
{
	long result = clone_inline(args, sizeof(*args));

	if (result == 0) {
		child(argument);
		_exit(125);
	}
	return result;
}

pid_t clone_run(const struct clone_args *args, void (*child)(const void *argument),
		const void *argument)
{
	struct clone_args shared = *args;

	shared.flags |= SHARES_MEMORY;
	return (pid_t)clone_and_call(&shared, child, argument);
}
