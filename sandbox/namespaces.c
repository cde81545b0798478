/* SPDX-License-Identifier: MIT */
#include "sandbox/namespaces.h"

#include "policy/own.h"
#include "sandbox/mount.h"

#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

static int loopback_up(struct error *err)
{
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	_cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return error_set(err, ERROR_SYSTEM, errno, "network: socket");
	if (ioctl(fd, SIOCSIFFLAGS, &request) < 0)
		return error_set(err, ERROR_SYSTEM, errno, "network: bring up lo");
	return 0;
}

int namespaces_make_private(struct launcher *launcher, struct error *err)
{
	int r = mount_make_all_private(err);

	launcher->mounts_private = r == 0;
	return r;
}

int namespaces_set_up(struct launcher *launcher, struct error *err)
{
	const struct plan *plan = launcher->plan;

	if (sethostname(plan->hostname, strlen(plan->hostname)) < 0)
		return error_set(err, ERROR_SYSTEM, errno, "set host name %s", plan->hostname);
	return plan->network_none ? loopback_up(err) : 0;
}
