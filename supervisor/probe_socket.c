/* SPDX-License-Identifier: MIT */
/* Sockets of our own network, and whose port that is. */
#include "supervisor/probe_socket.h"

#include "policy/own.h"
#include "supervisor/file.h"
#include "supervisor/listen_path.h"

#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

/* --- whose port it is ----------------------------------------------------------------------- */

struct diag_request {
	struct nlmsghdr header;
	struct inet_diag_req_v2 request;
};

/* The kernel looks a socket up as it would for a connection to this address and port. */
static struct diag_request make_request(const struct health_target *target)
{
	struct diag_request made = {
		.header = { .nlmsg_len = sizeof(made),
			    .nlmsg_type = SOCK_DIAG_BY_FAMILY,
			    .nlmsg_flags = NLM_F_REQUEST },
		.request = { .sdiag_family = target->ipv6 ? AF_INET6 : AF_INET,
			     .sdiag_protocol = IPPROTO_TCP,
			     .idiag_states = ~0U,
			     .id = { .idiag_sport = htons(target->port),
				     .idiag_cookie = { INET_DIAG_NOCOOKIE, INET_DIAG_NOCOOKIE } } },
	};

	memcpy(made.request.id.idiag_src, target->address, target->ipv6 ? 16 : 4);
	return made;
}

/* Of a listening socket: which cgroup it was made in. False if that isn't told, as before
 * Linux 5.9.
 */
static bool read_cgroup(const struct nlmsghdr *header, uint64_t *ret)
{
	const char *message = (const char *)header;
	size_t at = NLMSG_LENGTH(sizeof(struct inet_diag_msg));
	struct rtattr attribute;

	while (at + sizeof(attribute) <= header->nlmsg_len) {
		memcpy(&attribute, message + at, sizeof(attribute));
		if (attribute.rta_len < sizeof(attribute) ||
		    at + attribute.rta_len > header->nlmsg_len)
			return false;
		if (attribute.rta_type == INET_DIAG_CGROUP_ID &&
		    attribute.rta_len >= RTA_LENGTH(sizeof(*ret))) {
			memcpy(ret, message + at + RTA_LENGTH(0), sizeof(*ret));
			return true;
		}
		at += RTA_ALIGN(attribute.rta_len);
	}
	return false;
}

/* The number of a cgroup is that of its directory (kernfs). */
static enum health_outcome compare(const struct nlmsghdr *header, int leaf)
{
	struct stat stat;
	uint64_t cgroup;

	if (header->nlmsg_len < NLMSG_LENGTH(sizeof(struct inet_diag_msg)) ||
	    !read_cgroup(header, &cgroup) || fstat(leaf, &stat) < 0)
		return HEALTH_NOT_ASKED;
	return stat.st_ino == cgroup ? HEALTH_WELL : HEALTH_NOT_OURS;
}

static enum health_outcome find_owner(const struct health_target *target, int leaf)
{
	_cleanup_close_ int fd =
		socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_SOCK_DIAG);
	const struct diag_request request = make_request(target);
	union {
		struct nlmsghdr header;
		char bytes[4096];
	} answer;
	ssize_t n;

	/* the kernel answers while it is asked */
	if (fd < 0 || send(fd, &request, sizeof(request), 0) < 0)
		return HEALTH_NOT_ASKED;
	n = recv(fd, &answer, sizeof(answer), 0);
	if (n < (ssize_t)sizeof(struct nlmsghdr) || !NLMSG_OK(&answer.header, (size_t)n))
		return HEALTH_NOT_ASKED;
	if (answer.header.nlmsg_type == NLMSG_ERROR) {
		const struct nlmsgerr *error = NLMSG_DATA(&answer.header);

		return error->error == -ENOENT ? HEALTH_REFUSED : HEALTH_NOT_ASKED;
	}
	return compare(&answer.header, leaf);
}

/* --- connecting ----------------------------------------------------------------------------- */

enum health_outcome probe_socket_begin(int fd, const struct health_target *target)
{
	struct sockaddr_in ipv4 = { .sin_family = AF_INET, .sin_port = htons(target->port) };
	struct sockaddr_in6 ipv6 = { .sin6_family = AF_INET6, .sin6_port = htons(target->port) };
	int r;

	memcpy(&ipv4.sin_addr, target->address, sizeof(ipv4.sin_addr));
	memcpy(&ipv6.sin6_addr, target->address, sizeof(ipv6.sin6_addr));
	r = target->ipv6 ? connect(fd, (const struct sockaddr *)&ipv6, sizeof(ipv6))
			 : connect(fd, (const struct sockaddr *)&ipv4, sizeof(ipv4));
	if (r == 0 || errno == EINPROGRESS)
		return HEALTH_WELL;
	return errno == ECONNREFUSED ? HEALTH_REFUSED : HEALTH_NOT_ASKED;
}

/* One that pysbx holds: where root alone says what is there. Of a full queue nobody tells when it
 * has room. */
static enum health_outcome begin_path(int fd, const char *path)
{
	struct sockaddr_un address;
	const socklen_t length = listen_path_address(path, &address);

	if (connect(fd, (const struct sockaddr *)&address, length) == 0)
		return HEALTH_WELL;
	if (errno == EAGAIN)
		return HEALTH_NO_CONNECTION;
	return errno == ECONNREFUSED || errno == ENOENT ? HEALTH_REFUSED : HEALTH_NOT_ASKED;
}

enum health_outcome probe_socket_connect(const struct health_target *target,
					 const struct probe_place *place, int *ret_fd)
{
	enum health_outcome outcome = place->held ? HEALTH_WELL : find_owner(target, place->leaf);
	_cleanup_close_ int fd = -1;

	if (outcome != HEALTH_WELL)
		return outcome;
	fd = socket(target->is_unix ? AF_UNIX
		    : target->ipv6  ? AF_INET6
				    : AF_INET,
		    SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return HEALTH_NOT_ASKED;
	outcome = target->is_unix ? begin_path(fd, target->path) : probe_socket_begin(fd, target);
	if (outcome == HEALTH_WELL)
		*ret_fd = TAKE_FD(fd);
	return outcome;
}
