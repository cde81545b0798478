/* SPDX-License-Identifier: MIT */
#include "supervisor/listeners.h"

#include "policy/own.h"
#include "supervisor/cgroup.h"
#include "supervisor/egress.h"
#include "supervisor/listen_path.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
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
	struct sockaddr_un unix_path;
};

/* What is asked for, and which of it is held already. */
struct order {
	size_t count;
	struct listen_address addresses[LISTEN_MAX];
	bool kept[LISTEN_MAX];
};

static bool is_unix(const struct listen_address *address)
{
	return address->path[0] != '\0';
}

static socklen_t make_address(const struct listen_address *from, union socket_address *ret)
{
	*ret = (union socket_address){ 0 };
	if (is_unix(from))
		return listen_path_address(from->path, &ret->unix_path);
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

/* A new one that needs the cgroup. */
static bool is_port_to_make(const struct order *order, size_t i)
{
	return !order->kept[i] && !is_unix(&order->addresses[i]);
}

/* In a child: each placeholder becomes a socket. The exit code is an errno. */
static void __attribute__((noreturn))
make_sockets(const struct order *order, const struct listeners *slots)
{
	for (size_t i = 0; i < slots->count; i++) {
		if (!is_port_to_make(order, i))
			continue;
		int fd = socket(order->addresses[i].ipv6 ? AF_INET6 : AF_INET,
				SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

		if (fd < 0 || dup3(fd, slots->fds[i], O_CLOEXEC) < 0)
			_exit(errno);
		close(fd);
	}
	_exit(0);
}

static int run_maker(const struct order *order, const struct listeners *slots, int cgroup_fd,
		     struct error *err)
{
	struct clone_args args = { .flags = CLONE_FILES | CLONE_INTO_CGROUP,
				   .cgroup = (unsigned)cgroup_fd };
	pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args)), waited;
	int status = 0;

	if (pid < 0)
		return error_set(err, ERROR_SYSTEM, errno, "listen: clone3 into the cgroup");
	if (pid == 0)
		make_sockets(order, slots);
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
static int make_in_closed_cgroup(const struct order *order, const struct listeners *slots,
				 int root_fd, struct error *err)
{
	_cleanup_close_ int cgroup = -1;
	int r;

	if (mkdirat(root_fd, CGROUP_NAME, 0755) < 0 && errno != EEXIST)
		return error_set(err, ERROR_SYSTEM, errno, "listen: cgroup: mkdir " CGROUP_NAME);
	r = cgroup_open(root_fd, CGROUP_NAME, &cgroup, err);
	if (r >= 0)
		r = egress_close(cgroup, "listen", err);
	if (r >= 0)
		r = run_maker(order, slots, cgroup, err);
	(void)unlinkat(root_fd, CGROUP_NAME, AT_REMOVEDIR);
	return r;
}

/* What a unix socket is connected to, it stays: it needs no cgroup. Of the others a placeholder. */
static int open_slots(const struct order *order, struct listeners *slots, struct error *err)
{
	for (size_t i = 0; i < slots->count; i++) {
		if (order->kept[i])
			continue;
		slots->fds[i] =
			is_unix(&order->addresses[i])
				? socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)
				: open("/dev/null", O_RDONLY | O_CLOEXEC);
		if (slots->fds[i] < 0)
			return error_set(err, ERROR_SYSTEM, errno, "listen: a descriptor");
	}
	return 0;
}

static int bind_port(int fd, const char *entry, const struct listen_address *address,
		     struct error *err)
{
	const int on = 1;
	union socket_address name;
	socklen_t length = make_address(address, &name);

	/* connections of an earlier life that are just ending must not be in the way */
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    (address->ipv6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) < 0) ||
	    bind(fd, &name.any, length) < 0)
		return error_set(err, ERROR_SYSTEM, errno, "%s%s", entry,
				 errno == EACCES ? ": a port below 1024 takes "
						   "CAP_NET_BIND_SERVICE (pysbxd.service)"
						 : "");
	return 0;
}

static int listen_at(int fd, const char *entry, const struct listen_address *address,
		     struct error *err)
{
	int r = is_unix(address) ? listen_path_bind(fd, address->path, err)
				 : bind_port(fd, entry, address, err);

	if (r == 0 && listen(fd, BACKLOG) < 0)
		r = error_set(err, ERROR_SYSTEM, errno, "%s", entry);
	if (r < 0)
		error_prefix(err, "listen");
	return r;
}

static bool needs_cgroup(const struct order *order)
{
	for (size_t i = 0; i < order->count; i++)
		if (is_port_to_make(order, i))
			return true;
	return false;
}

/* Those that are not kept. */
static int open_others(const struct order *order, const struct strings *list, int root_fd,
		       struct listeners *slots, struct error *err)
{
	int r = open_slots(order, slots, err);

	if (r >= 0 && needs_cgroup(order))
		r = make_in_closed_cgroup(order, slots, root_fd, err);
	for (size_t i = 0; r >= 0 && i < order->count; i++) {
		if (order->kept[i])
			continue;
		r = listen_at(slots->fds[i], list->items[i], &order->addresses[i], err);
		if (r < 0)
			error_set_path(err, "listen[%zu]", i);
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

/* Whoever has one can shut it down, for all. On TCP it does not listen any more then; a unix socket
 * goes on listening, as it says, and refuses everybody (unix_shutdown(), net/unix/af_unix.c). */
static bool is_shut(int fd)
{
	struct pollfd hangup = { .fd = fd, .events = POLLRDHUP };
	int listens = 1;
	socklen_t length = sizeof(listens);

	return (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &length) == 0 &&
		listens == 0) ||
	       poll(&hangup, 1, 0) > 0;
}

/* One whose file was removed is reached by nobody any more, and is no better. */
static int take_kept(struct listeners *listeners, const struct listen_address *address,
		     bool *ret_shut)
{
	for (size_t i = 0; i < listeners->count; i++) {
		int fd = listeners->fds[i];

		if (!is_bound_to(fd, address))
			continue;
		*ret_shut = is_shut(fd);
		if (*ret_shut || (is_unix(address) && !listen_path_is_of(fd, address->path)))
			return -1;
		return TAKE_FD(listeners->fds[i]);
	}
	return -1;
}

/* Those that are kept have connections waiting in them, which the next try may still serve. */
static void end_others(const struct order *order, struct listeners *listeners)
{
	struct listeners kept = { 0 }, others = { 0 };

	for (size_t i = 0; i < order->count; i++) {
		struct listeners *whose = order->kept[i] ? &kept : &others;

		if (listeners->fds[i] >= 0)
			whose->fds[whose->count++] = listeners->fds[i];
	}
	listeners_end(&others);
	*listeners = kept;
}

int listeners_hold(struct listeners *listeners, const struct strings *list, int root_fd,
		   bool ret_shut[static LISTEN_MAX], struct error *err)
{
	struct order order = { .count = list->count };
	struct listeners next = { .count = list->count };
	bool shut[LISTEN_MAX] = { false };
	int r;

	listen_read_list(list, order.addresses);
	for (size_t i = 0; i < order.count; i++) {
		next.fds[i] = take_kept(listeners, &order.addresses[i], &shut[i]);
		order.kept[i] = next.fds[i] >= 0;
	}
	listeners_end(listeners);
	*listeners = next;
	r = open_others(&order, list, root_fd, listeners, err);
	if (r < 0) {
		end_others(&order, listeners);
		return r;
	}
	memcpy(ret_shut, shut, sizeof(shut));
	return 0;
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

void listeners_end(struct listeners *listeners)
{
	for (size_t i = 0; i < listeners->count; i++) {
		union socket_address held = { 0 };
		socklen_t length = sizeof(held);

		/* an unbound one has an empty path */
		if (getsockname(listeners->fds[i], &held.any, &length) == 0 &&
		    held.any.sa_family == AF_UNIX)
			listen_path_remove(listeners->fds[i], held.unix_path.sun_path);
	}
	listeners_close(listeners);
}

bool listeners_serve(const struct listeners *listeners, const struct listen_address *address)
{
	const struct listen_address any = { .ipv6 = address->ipv6, .port = address->port };
	const struct listen_address *other = is_unix(address) ? address : &any;

	for (size_t i = 0; i < listeners->count; i++)
		if (is_bound_to(listeners->fds[i], address) ||
		    is_bound_to(listeners->fds[i], other))
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
