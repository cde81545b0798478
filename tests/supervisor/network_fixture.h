/* SPDX-License-Identifier: MIT */
/* A network of the test's own, in which every port is free. */
#pragma once

#include <criterion/criterion.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* The loopback of a new network namespace is down. */
static void network_fixture_raise_loopback(void)
{
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	cr_assert_eq(ioctl(fd, SIOCSIFFLAGS, &request), 0);
	close(fd);
}

/* False: it may not be made. */
static bool network_fixture_enter(void)
{
	if (unshare(CLONE_NEWNET) < 0)
		return false;
	network_fixture_raise_loopback();
	return true;
}
