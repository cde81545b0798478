/* SPDX-License-Identifier: MIT */
/*
 * Kinds of sockets: a worker needs UNIX and TCP and UDP of both families. Each other family is a
 * part of the kernel of its own, many with a history, and some load themselves when they are asked
 * for.
 */
#include "tests/system/attempts/attempt.h"

#include "policy/own.h"

#include <linux/audit.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef AF_SMC
#define AF_SMC 43
#endif
#ifndef AF_XDP
#define AF_XDP 44
#endif

#define PRIVILEGED_PORT 81
#define MPTCP		262

static int bind_to(int family, int port)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	_cleanup_close_ int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	address.sin_port = htons((uint16_t)port);
	if (fd < 0)
		return -errno;
	return answer(bind(fd, (struct sockaddr *)&address, sizeof(address)));
}

static int bind_privileged_port(void)
{
	return bind_to(AF_INET, PRIVILEGED_PORT);
}

static int set_option(int kind, int level, int option, int value)
{
	_cleanup_close_ int fd = socket(AF_INET, kind | SOCK_CLOEXEC, 0);

	return fd < 0 ? -errno : answer(setsockopt(fd, level, option, &value, sizeof(value)));
}

static int set_mark(void)
{
	return set_option(SOCK_STREAM, SOL_SOCKET, SO_MARK, 1);
}

static int set_transparent(void)
{
	return set_option(SOCK_STREAM, IPPROTO_IP, IP_TRANSPARENT, 1);
}

static int force_buffer(void)
{
	return set_option(SOCK_STREAM, SOL_SOCKET, SO_RCVBUFFORCE, 1 << 28);
}

static int set_upper_protocol(void)
{
	_cleanup_close_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return answer(setsockopt(fd, IPPROTO_TCP, TCP_ULP, "espintcp", 8));
}

static int encapsulate(void)
{
	return set_option(SOCK_DGRAM, IPPROTO_UDP, 100 /* UDP_ENCAP */, 2);
}

static int attach_bpf(void)
{
	return set_option(SOCK_DGRAM, SOL_SOCKET, SO_ATTACH_BPF, -1);
}

/* A request to change the host's network configuration: to the loopback device, to be up. */
static int set_link(void)
{
	struct {
		struct nlmsghdr header;
		struct ifinfomsg device;
	} request = { .header = { .nlmsg_len = sizeof(request), .nlmsg_type = RTM_NEWLINK } };
	struct {
		struct nlmsghdr header;
		struct nlmsgerr error;
		char rest[256];
	} reply;
	_cleanup_close_ int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	request.device.ifi_index = (int)if_nametoindex("lo");
	request.device.ifi_flags = request.device.ifi_change = IFF_UP;
	if (fd < 0 || send(fd, &request, sizeof(request), 0) < 0 ||
	    recv(fd, &reply, sizeof(reply), 0) < (ssize_t)sizeof(reply.header))
		return -errno;
	return reply.error.error;
}

#define SOCKET(family, kind, protocol) CALL(SYS_socket, family, (kind) | SOCK_CLOEXEC, protocol)
#define NETLINK(protocol)	       SOCKET(AF_NETLINK, SOCK_RAW, protocol)

static const struct attempt attempts[] = {
	{ .name = "raw",
	  .about = "raw sockets",
	  .expected = NO_FAMILY,
	  .control = true,
	  .door = true,
	  SOCKET(AF_INET, SOCK_RAW, IPPROTO_ICMP) },
	{ .name = "raw_all",
	  .about = "raw sockets",
	  .expected = NO_FAMILY,
	  .control = true,
	  SOCKET(AF_INET, SOCK_RAW, IPPROTO_RAW) },
	{ .name = "raw6",
	  .about = "raw sockets",
	  .expected = NO_FAMILY,
	  .control = true,
	  .door = true,
	  SOCKET(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6) },
	{ .name = "ping",
	  .about = "ICMP sockets, CVE-2015-3636",
	  .expected = NO_FAMILY,
	  .door = true,
	  SOCKET(AF_INET, SOCK_DGRAM, IPPROTO_ICMP) },
	{ .name = "packet",
	  .about = "packet sockets, CVE-2016-8655 and CVE-2017-7308",
	  .expected = NO_FAMILY,
	  .control = true,
	  .door = true,
	  SOCKET(AF_PACKET, SOCK_RAW, 0) },
	{ .name = "packet_with_high_bits",
	  .expected = NO_FAMILY,
	  .control = true,
	  SOCKET(AF_PACKET | 1L << 32, SOCK_RAW, 0) },
	{ .name = "alg",
	  .about = "AF_ALG",
	  .expected = NO_FAMILY,
	  .door = true,
	  SOCKET(AF_ALG, SOCK_SEQPACKET, 0) },
	{ .name = "alg_with_high_bits",
	  .about = "AF_ALG",
	  .expected = NO_FAMILY,
	  SOCKET(AF_ALG | 1L << 33, SOCK_SEQPACKET, 0) },
	{ .name = "vsock",
	  .about = "AF_VSOCK: the hypervisor",
	  .expected = NO_FAMILY,
	  .door = true,
	  SOCKET(AF_VSOCK, SOCK_STREAM, 0) },
	{ .name = "xdp", .expected = NO_FAMILY, .door = true, SOCKET(AF_XDP, SOCK_RAW, 0) },
	{ .name = "key", .expected = NO_FAMILY, .door = true, SOCKET(AF_KEY, SOCK_RAW, 2) },
	{ .name = "can",
	  .about = "CVE-2010-2959, CVE-2021-3609",
	  .expected = NO_FAMILY,
	  .door = true,
	  SOCKET(AF_CAN, SOCK_RAW, 1) },
	{ .name = "tipc",
	  .about = "CVE-2021-43267",
	  .expected = NO_FAMILY,
	  .door = true,
	  SOCKET(AF_TIPC, SOCK_SEQPACKET, 0) },
	{ .name = "rds",
	  .about = "CVE-2010-3904",
	  .expected = NO_FAMILY,
	  .door = true,
	  SOCKET(AF_RDS, SOCK_SEQPACKET, 0) },
	{ .name = "bluetooth",
	  .expected = NO_FAMILY,
	  .door = true,
	  SOCKET(AF_BLUETOOTH, SOCK_RAW, 1) },
	{ .name = "smc", .expected = NO_FAMILY, .door = true, SOCKET(AF_SMC, SOCK_STREAM, 0) },
	{ .name = "kcm", .expected = NO_FAMILY, .door = true, SOCKET(AF_KCM, SOCK_DGRAM, 0) },
	{ .name = "llc", .expected = NO_FAMILY, .door = true, SOCKET(AF_LLC, SOCK_STREAM, 0) },
	{ .name = "qipcrtr",
	  .expected = NO_FAMILY,
	  .door = true,
	  SOCKET(AF_QIPCRTR, SOCK_DGRAM, 0) },
	{ .name = "sctp",
	  .expected = NO_FAMILY,
	  .door = true,
	  SOCKET(AF_INET, SOCK_STREAM, IPPROTO_SCTP) },
	{ .name = "dccp",
	  .about = "CVE-2017-6074",
	  .expected = NO_FAMILY,
	  .door = true,
	  SOCKET(AF_INET, SOCK_DCCP, IPPROTO_DCCP) },
	{ .name = "mptcp",
	  .expected = NO_FAMILY,
	  .door = true,
	  SOCKET(AF_INET, SOCK_STREAM, MPTCP) },
	{ .name = "udplite",
	  .expected = NO_FAMILY,
	  .control = true,
	  .door = true,
	  SOCKET(AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE) },
	{ .name = "netlink_netfilter",
	  .about = "nftables, CVE-2022-32250, CVE-2024-1086",
	  .expected = NO_FAMILY,
	  .door = true,
	  NETLINK(NETLINK_NETFILTER) },
	{ .name = "netlink_diag",
	  .about = "others' sockets",
	  .expected = NO_FAMILY,
	  .control = true,
	  .door = true,
	  NETLINK(NETLINK_SOCK_DIAG) },
	{ .name = "netlink_audit", .expected = NO_FAMILY, .door = true, NETLINK(NETLINK_AUDIT) },
	{ .name = "netlink_uevent",
	  .about = "udev, told by others",
	  .expected = NO_FAMILY,
	  .control = true,
	  .door = true,
	  NETLINK(NETLINK_KOBJECT_UEVENT) },
	{ .name = "netlink_xfrm",
	  .about = "CVE-2017-7184",
	  .expected = NO_FAMILY,
	  .door = true,
	  NETLINK(NETLINK_XFRM) },
	{ .name = "netlink_crypto", .expected = NO_FAMILY, .door = true, NETLINK(NETLINK_CRYPTO) },
	{ .name = "netlink_generic",
	  .expected = NO_FAMILY,
	  .control = true,
	  .door = true,
	  NETLINK(NETLINK_GENERIC) },
	{ .name = "netlink_set_link",
	  .about = "the host's network configuration",
	  .control = true,
	  .act = set_link },
	{ .name = "bind_port_81",
	  .about = "bind of privileged ports",
	  .expected = "EACCES EPERM",
	  .control = true,
	  .act = bind_privileged_port },
	{ .name = "set_mark",
	  .about = "rules of the host's firewall",
	  .control = true,
	  .act = set_mark },
	{ .name = "set_transparent",
	  .about = "addresses of others",
	  .control = true,
	  .act = set_transparent },
	{ .name = "force_buffer",
	  .about = "memory of the kernel",
	  .control = true,
	  .act = force_buffer },
	{ .name = "tcp_ulp",
	  .about = "protocols on top of TCP, CVE-2023-0461",
	  .door = true,
	  .act = set_upper_protocol },
	{ .name = "udp_encapsulation",
	  .about = "IPsec and tunnels",
	  .control = true,
	  .door = true,
	  .act = encapsulate },
	{ .name = "attach_bpf", .about = "bpf", .door = true, .act = attach_bpf },
	{ .name = "pair_of_packet_sockets",
	  .expected = NO_FAMILY,
	  CALL(SYS_socketpair, AF_PACKET, SOCK_RAW) },
};

const struct attempt_group group_sockets = { "sockets", "kinds of sockets", attempts,
					     ARRAY_SIZE(attempts) };
