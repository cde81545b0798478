/* SPDX-License-Identifier: MIT */
/*
 * What is open on purpose, because Python programs do not work without it: no more than this, and
 * each with its reason in HACKING.md.
 */
#include "tests/system/attempts/attempt.h"

#include "policy/own.h"

#include <linux/netlink.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>

/* A page that may be written and executed: ctypes and every JIT compiler need it, and with it there
 * is nothing to win by refusing other ways to code that is in no file. */
static int writable_code(void)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return page == MAP_FAILED ? -errno : 0;
}

static const struct attempt attempts[] = {
	{ .name = "writable_code",
	  .about = "ctypes and JIT compilers",
	  .expected = "",
	  .control = true,
	  .door = true,
	  .act = writable_code },
	{ .name = "netlink_route",
	  .about = "libc asks it for addresses and interfaces",
	  .expected = "",
	  .control = true,
	  .door = true,
	  CALL(SYS_socket, AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE) },
};

const struct attempt_group group_open = { "open", "open on purpose", attempts,
					  ARRAY_SIZE(attempts) };
