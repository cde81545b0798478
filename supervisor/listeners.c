/* SPDX-License-Identifier: MIT */
#include "supervisor/listeners.h"

#include "policy/own.h"
#include "supervisor/cgroup.h"
#include "supervisor/egress.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define CGROUP_NAME "listening" /* an app's ends in .slice, a tenant's in .tenant */
#define BACKLOG	    4096	/* the kernel bounds it by net.core.somaxconn */

union socket_address {
	struct sockaddr any;
	struct sockaddr_in ipv4;
	struct sockaddr_in6 ipv6;
};

static socklen_t make_address(const struct listen_address *from, union socket_address *ret)
{
	*ret = (union socket_address){ 0 };
	if (from->ipv6) {
		ret->ipv6.sin6_family = AF_INET6;
		ret->ipv6.sin6_port = htons(from->port);
		memcpy(&ret->ipv6.sin6_addr, from->address, sizeof(ret->ipv6.sin6_addr));
		return sizeof(ret->ipv6);
	}
	ret->ipv4.sin_family = AF_INET;
	ret->ipv4.sin_port = htons(from->port);
	memcpy(&ret->ipv4.sin_addr, from->address, sizeof(ret->ipv4.sin_addr));
	return sizeof(ret->ipv4);
}

/* --- making them ---------------------------------------------------------------------------- */

/* In a child: each slot becomes a socket. The exit code is an errno. */
static void __attribute__((noreturn))
make_sockets(const struct listen_address *addresses, const struct listeners *slots)
{
	for (size_t i = 0; i < slots->count; i++) {
		int fd = socket(addresses[i].ipv6 ? AF_INET6 : AF_INET,
				SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

		if (fd < 0 || dup3(fd, slots->fds[i], O_CLOEXEC) < 0)
			_exit(errno);
		close(fd);
	}
	_exit(0);
}

static int run_maker(const struct listen_address *addresses, const struct listeners *slots,
		     int cgroup_fd, struct error *err)
{
	struct clone_args args = { .flags = CLONE_FILES | CLONE_INTO_CGROUP,
				   .cgroup = (unsigned)cgroup_fd };
	pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args)), waited;
	int status = 0;

	if (pid < 0)
		return error_set(err, ERROR_SYSTEM, errno, "listen: clone3 into the cgroup");
	if (pid == 0)
		make_sockets(addresses, slots);
	do
		waited = waitpid(pid, &status, __WALL);
	while (waited < 0 && errno == EINTR);
	if (waited < 0 || !WIFEXITED(status))
		return error_set(err, ERROR_SYSTEM, waited < 0 ? errno : EINTR,
				 "listen: wait for the sockets");
	if (WEXITSTATUS(status) != 0)
		return error_set(err, ERROR_SYSTEM, WEXITSTATUS(status), "listen: socket");
	return 0;
}

/* A listening socket can be shut down and connected, an accepted one disconnected and connected
 * anew, in the network namespace that it was made in: ours. So a worker that was given one would
 * have a way out of a network of its own, and past its egress. The programs that close it are those
 * of the cgroup that the socket was made in, for all its life and that of its connections, also
 * when the cgroup's directory has gone (Linux 5.3). Nor are they those of our own cgroup, from
 * which systemd may have taken the network (IPAddressDeny=). So they are made in a cgroup for this
 * alone, by a child with the same descriptors. */
static int make_in_closed_cgroup(const struct listen_address *addresses,
				 const struct listeners *slots, int root_fd, struct error *err)
{
	_cleanup_close_ int cgroup = -1;
	int r;

	if (mkdirat(root_fd, CGROUP_NAME, 0755) < 0 && errno != EEXIST)
		return error_set(err, ERROR_SYSTEM, errno, "listen: cgroup: mkdir " CGROUP_NAME);
	r = cgroup_open(root_fd, CGROUP_NAME, &cgroup, err);
	if (r >= 0)
		r = egress_close(cgroup, "listen", err);
	if (r >= 0)
		r = run_maker(addresses, slots, cgroup, err);
	(void)unlinkat(root_fd, CGROUP_NAME, AT_REMOVEDIR);
	return r;
}

static int open_slots(size_t count, struct listeners *ret, struct error *err)
{
	_cleanup_close_ int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (null_fd < 0)
		return error_set(err, ERROR_SYSTEM, errno, "listen: /dev/null");
	while (ret->count < count) {
		int fd = fcntl(null_fd, F_DUPFD_CLOEXEC, 0);

		if (fd < 0)
			return error_set(err, ERROR_SYSTEM, errno, "listen: a descriptor");
		ret->fds[ret->count++] = fd;
	}
	return 0;
}

static int bind_one(int fd, const struct listen_address *address)
{
	const int on = 1;
	union socket_address name;
	socklen_t length = make_address(address, &name);

	/* connections of an earlier life that are just ending must not be in the way */
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    (address->ipv6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) < 0) ||
	    bind(fd, &name.any, length) < 0 || listen(fd, BACKLOG) < 0)
		return -errno;
	return 0;
}

static int open_all(const struct strings *list, const struct listen_address *addresses, int root_fd,
		    struct listeners *ret, struct error *err)
{
	int r = open_slots(list->count, ret, err);

	if (r >= 0)
		r = make_in_closed_cgroup(addresses, ret, root_fd, err);
	for (size_t i = 0; r >= 0 && i < list->count; i++) {
		r = bind_one(ret->fds[i], &addresses[i]);
		if (r < 0) {
			(void)error_set(err, ERROR_SYSTEM, -r, "listen: %s%s", list->items[i],
					r == -EACCES ? ": a port below 1024 takes "
						       "CAP_NET_BIND_SERVICE (pysbxd.service)"
						     : "");
			error_set_path(err, "listen[%zu]", i);
		}
	}
	return r;
}

/* --- holding them --------------------------------------------------------------------------- */

static bool is_bound_to(int fd, const struct listen_address *address)
{
	union socket_address wanted, held = { 0 };
	socklen_t length = sizeof(held), expected = make_address(address, &wanted);

	return getsockname(fd, &held.any, &length) == 0 && length == expected &&
	       memcmp(&held, &wanted, length) == 0;
}

static bool is_same(const struct listeners *listeners, const struct listen_address *addresses,
		    size_t count)
{
	bool same = listeners->count == count;

	for (size_t i = 0; same && i < count; i++)
		same = is_bound_to(listeners->fds[i], &addresses[i]);
	return same;
}

int listeners_hold(struct listeners *listeners, const struct strings *list, int root_fd,
		   struct error *err)
{
	struct listen_address addresses[LISTEN_MAX];
	int r;

	listen_read_list(list, addresses);
	if (is_same(listeners, addresses, list->count))
		return 0;
	listeners_close(listeners);
	r = open_all(list, addresses, root_fd, listeners, err);
	if (r < 0)
		listeners_close(listeners);
	return r < 0 ? r : 0;
}

void listeners_take(struct listeners *listeners, int fds[static LISTEN_MAX])
{
	listeners_close(listeners);
	while (listeners->count < LISTEN_MAX && fds[listeners->count] >= 0) {
		listeners->fds[listeners->count] = TAKE_FD(fds[listeners->count]);
		listeners->count++;
	}
}

void listeners_close(struct listeners *listeners)
{
	for (size_t i = 0; i < listeners->count; i++)
		close_and_clear(&listeners->fds[i]);
	listeners->count = 0;
}

bool listeners_serve(const struct listeners *listeners, const struct listen_address *address)
{
	const struct listen_address any = { .ipv6 = address->ipv6, .port = address->port };

	for (size_t i = 0; i < listeners->count; i++)
		if (is_bound_to(listeners->fds[i], address) || is_bound_to(listeners->fds[i], &any))
			return true;
	return false;
}

/* Of a socket that listens tcpi_unacked is sk_ack_backlog and tcpi_sacked the bound of it
 * (tcp_get_info(), net/ipv4/tcp.c). */
void listeners_count_waiting(const struct listeners *listeners, uint64_t *ret_waiting,
			     uint64_t *ret_room)
{
	*ret_waiting = *ret_room = 0;
	for (size_t i = 0; i < listeners->count; i++) {
		struct tcp_info info = { 0 };
		socklen_t size = sizeof(info);

		if (getsockopt(listeners->fds[i], IPPROTO_TCP, TCP_INFO, &info, &size) < 0 ||
		    info.tcpi_state != TCP_LISTEN)
			continue;
		*ret_waiting += info.tcpi_unacked;
		*ret_room += info.tcpi_sacked;
	}
}
