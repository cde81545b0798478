/* SPDX-License-Identifier: MIT */
/*
 * Programs of egress, loaded and attached for real: to a cgroup v2 of our own, with or without
 * controllers, over loopback. What a child in it may reach is tried by the calls that an app has.
 */
#include "policy/own.h"
#include "supervisor/cgroup.h"
#include "supervisor/egress.h"
#include "tests/supervisor/cgroup_fixture.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PORT	      5432
#define OTHER	      5433
#define PATIENCE_MSEC 200 /* for a packet that is to be lost on loopback */

static int root = -1, cgroup = -1;
static char name[64];

static int bpf_query(enum bpf_attach_type type, uint32_t *ret_count)
{
	uint32_t ids[64];
	union bpf_attr attr = { 0 };
	int r;

	attr.query.target_fd = (uint32_t)cgroup;
	attr.query.attach_type = type;
	attr.query.prog_ids = (uint64_t)(uintptr_t)ids;
	attr.query.prog_cnt = ARRAY_SIZE(ids);
	r = (int)syscall(SYS_bpf, BPF_PROG_QUERY, &attr, sizeof(attr));
	*ret_count = attr.query.prog_cnt;
	return r;
}

static void find_root(void)
{

	if (!cgroup_fixture_open(&root))
		cr_skip_test("needs root and a mounted cgroup v2");
}

/* A network of the test's own, in which every port is free. */
static void make_network(void)
{
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	_cleanup_close_ int socket_fd = -1;

	if (unshare(CLONE_NEWNET) < 0)
		cr_skip_test("needs network namespaces");
	socket_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(ioctl(socket_fd, SIOCSIFFLAGS, &request), 0);
}

static void prepare(void)
{
	struct error err;
	uint32_t count;

	find_root();
	make_network();
	snprintf(name, sizeof(name), "pysbx-test-%d", (int)getpid());
	cr_assert_eq(cgroup_make(root, name, &cgroup, &err), 0, "%s", err.text);
	if (bpf_query(BPF_CGROUP_INET_EGRESS, &count) < 0)
		cr_skip_test("needs bpf(2) and CONFIG_CGROUP_BPF");
}

static void leave_nothing(void)
{
	struct error err;

	close_and_clear(&cgroup);
	if (root >= 0 && name[0] != '\0')
		cr_assert_eq(cgroup_destroy(root, name, 5000, &err), 0, "%s", err.text);
}

TestSuite(egress, .init = prepare, .fini = leave_nothing, .timeout = 30);

static void apply(const char *entries)
{
	_cleanup_strings_ struct strings list = { 0 };
	_cleanup_free_ char *copy = strdup(entries);
	struct error err;
	char *rest = copy, *entry;

	while ((entry = strsep(&rest, " ")) != NULL)
		if (entry[0] != '\0')
			cr_assert_eq(strings_append(&list, entry, &err), 0);
	cr_assert_eq(egress_apply(cgroup, &list, &err), 0, "%s", err.text);
}

/* --- addresses and servers -------------------------------------------------------------------- */

struct address {
	struct sockaddr_storage storage;
	socklen_t length;
};

static struct address address_of(const char *host, uint16_t port)
{
	struct address address = { 0 };
	struct sockaddr_in *ipv4 = (struct sockaddr_in *)&address.storage;
	struct sockaddr_in6 *ipv6 = (struct sockaddr_in6 *)&address.storage;

	if (inet_pton(AF_INET, host, &ipv4->sin_addr) == 1) {
		ipv4->sin_family = AF_INET;
		ipv4->sin_port = htons(port);
		address.length = sizeof(*ipv4);
	} else {
		cr_assert_eq(inet_pton(AF_INET6, host, &ipv6->sin6_addr), 1, "%s", host);
		ipv6->sin6_family = AF_INET6;
		ipv6->sin6_port = htons(port);
		address.length = sizeof(*ipv6);
	}
	return address;
}

/* A socket of the family of `host`, bound to it where it serves. */
static int make_socket(const struct address *address, int type)
{
	int fd = socket(address->storage.ss_family, type | SOCK_CLOEXEC, 0);

	cr_assert_geq(fd, 0);
	return fd;
}

static int serve(const char *host, uint16_t port, int type)
{
	struct address address = address_of(host, port);
	int fd = make_socket(&address, type), on = 1, queue = 16;

	cr_assert_eq(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
	/* SYNs with data, without a cookie */
	if (type == SOCK_STREAM)
		(void)setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN, &queue, sizeof(queue));
	cr_assert_eq(bind(fd, (struct sockaddr *)&address.storage, address.length), 0, "%s",
		     strerror(errno));
	if (type == SOCK_STREAM)
		cr_assert_eq(listen(fd, 16), 0);
	return fd;
}

/* --- what an app tries ------------------------------------------------------------------------ */

static int by_connect(const struct address *to)
{
	_cleanup_close_ int fd = make_socket(to, SOCK_STREAM);

	return connect(fd, (const struct sockaddr *)&to->storage, to->length) < 0 ? errno : 0;
}

static int by_fast_open(const struct address *to)
{
	_cleanup_close_ int fd = make_socket(to, SOCK_STREAM);

	return sendto(fd, "x", 1, MSG_FASTOPEN | MSG_NOSIGNAL,
		      (const struct sockaddr *)&to->storage, to->length) < 0
		       ? errno
		       : 0;
}

static int by_udp_connect(const struct address *to)
{
	_cleanup_close_ int fd = make_socket(to, SOCK_DGRAM);

	return connect(fd, (const struct sockaddr *)&to->storage, to->length) < 0 ? errno : 0;
}

static int by_sendto(const struct address *to)
{
	_cleanup_close_ int fd = make_socket(to, SOCK_DGRAM);

	return sendto(fd, "x", 1, 0, (const struct sockaddr *)&to->storage, to->length) < 0 ? errno
											    : 0;
}

typedef int way_out(const struct address *to);

static pid_t fork_inside(void)
{
	struct error err;
	pid_t pid = fork();

	cr_assert_geq(pid, 0);
	if (pid == 0 && cgroup_move(cgroup, getpid(), &err) < 0)
		_exit(255);
	return pid;
}

static int result_of(pid_t pid)
{
	int status = 0;

	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* 0 or the errno, as a child in the cgroup meets it. */
static int try(way_out *attempt, const char *host, uint16_t port)
{
	struct address to = address_of(host, port);
	pid_t pid = fork_inside();

	if (pid == 0)
		_exit(attempt(&to));
	return result_of(pid);
}

static void expect_refused_by_all(const char *host, uint16_t port)
{
	cr_expect_eq(try(by_connect, host, port), EPERM, "connect %s:%d", host, port);
	cr_expect_eq(try(by_fast_open, host, port), EPERM, "fast open %s:%d", host, port);
	cr_expect_eq(try(by_udp_connect, host, port), EPERM, "UDP connect %s:%d", host, port);
	cr_expect_eq(try(by_sendto, host, port), EPERM, "sendto %s:%d", host, port);
}

static void expect_passed_by_all(const char *host, uint16_t port)
{
	cr_expect_eq(try(by_connect, host, port), 0, "connect %s:%d", host, port);
	cr_expect_eq(try(by_fast_open, host, port), 0, "fast open %s:%d", host, port);
	cr_expect_eq(try(by_udp_connect, host, port), 0, "UDP connect %s:%d", host, port);
	cr_expect_eq(try(by_sendto, host, port), 0, "sendto %s:%d", host, port);
}

static void serve_all(void)
{
	serve("0.0.0.0", PORT, SOCK_STREAM);
	serve("0.0.0.0", PORT, SOCK_DGRAM);
	serve("0.0.0.0", OTHER, SOCK_STREAM);
	serve("0.0.0.0", OTHER, SOCK_DGRAM);
}

static void serve_all6(void)
{
	serve("::1", PORT, SOCK_STREAM);
	serve("::1", PORT, SOCK_DGRAM);
	serve("::1", OTHER, SOCK_STREAM);
	serve("::1", OTHER, SOCK_DGRAM);
}

/* --- tests ------------------------------------------------------------------------------------ */

Test(egress, lets_an_app_reach_what_the_list_names_and_nothing_else)
{
	serve_all();
	apply("127.0.0.1:5432");
	expect_passed_by_all("127.0.0.1", PORT);
	expect_refused_by_all("127.0.0.1", OTHER);
	expect_refused_by_all("127.0.0.2", PORT);
}

Test(egress, takes_an_ipv4_address_in_ipv6_clothes_for_what_it_is)
{
	serve_all();
	apply("127.0.0.1:5432 ::/0");
	expect_passed_by_all("::ffff:127.0.0.1", PORT);
	expect_refused_by_all("::ffff:127.0.0.1", OTHER);
	expect_refused_by_all("::ffff:127.0.0.2", PORT);
}

Test(egress, holds_for_ipv6)
{
	serve_all6();
	apply("[::1]:5432");
	expect_passed_by_all("::1", PORT);
	expect_refused_by_all("::1", OTHER);
}

/* 0.0.0.0 and :: are this host. */
Test(egress, knows_the_unspecified_address_for_the_local_host)
{
	serve_all();
	serve_all6();
	apply("10.0.0.1 2001:db8::1");
	expect_refused_by_all("0.0.0.0", PORT);
	expect_refused_by_all("::", PORT);
}

Test(egress, none_closes_everything_and_any_opens_it)
{
	serve_all();
	serve_all6();
	apply("none");
	expect_refused_by_all("127.0.0.1", PORT);
	expect_refused_by_all("::1", PORT);
	apply("any");
	expect_passed_by_all("127.0.0.1", PORT);
	expect_passed_by_all("::1", PORT);
}

Test(egress, takes_networks_and_words)
{
	serve_all();
	serve_all6();
	apply("127.0.1.0/24 localhost:5433");
	expect_passed_by_all("127.0.1.200", PORT);
	expect_passed_by_all("127.0.2.1", OTHER);
	expect_passed_by_all("::1", OTHER);
	expect_refused_by_all("127.0.2.1", PORT);
	expect_refused_by_all("::1", PORT);
}

Test(egress, takes_the_longest_list)
{
	_cleanup_strings_ struct strings list = { 0 };
	struct error err;

	serve_all6();
	for (int i = 1; i < 64; i++)
		cr_assert_eq(strings_appendf(&list, &err, "[2001:db8:1:2:3:4:5:%x]:%d", i, i), 0);
	cr_assert_eq(strings_append(&list, "[::1]:5432", &err), 0);
	cr_assert_eq(egress_apply(cgroup, &list, &err), 0, "%s", err.text);
	expect_passed_by_all("::1", PORT);
	expect_refused_by_all("::1", OTHER);
}

Test(egress, is_exchanged_and_lifted_while_an_app_runs)
{
	uint32_t count = 99;

	serve_all();
	apply("127.0.0.1:5432");
	apply("127.0.0.1:5433");
	cr_expect_eq(try(by_connect, "127.0.0.1", PORT), EPERM);
	cr_expect_eq(try(by_connect, "127.0.0.1", OTHER), 0);
	cr_expect_eq(bpf_query(BPF_CGROUP_INET4_CONNECT, &count), 0);
	cr_expect_eq(count, 1, "%u programs", count);
	apply("");
	cr_expect_eq(try(by_connect, "127.0.0.1", PORT), 0);
	cr_expect_eq(bpf_query(BPF_CGROUP_INET_EGRESS, &count), 0);
	cr_expect_eq(count, 0, "%u programs", count);
	apply("");
}

/* What it serves is no egress: answers go to whoever has called, whatever the list says. */
Test(egress, lets_a_server_answer)
{
	int ready[2], client;
	struct pollfd wait;
	char byte = 0;
	pid_t pid;

	apply("none");
	cr_assert_eq(pipe2(ready, O_CLOEXEC), 0);
	pid = fork_inside();
	if (pid == 0) {
		int listener = serve("127.0.0.1", PORT, SOCK_STREAM), connection;

		(void)!write(ready[1], "x", 1);
		connection = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		_exit(connection >= 0 && write(connection, "y", 1) == 1 ? 0 : 1);
	}
	cr_assert_eq(read(ready[0], &byte, 1), 1);
	{
		struct address to = address_of("127.0.0.1", PORT);

		client = make_socket(&to, SOCK_STREAM);
		cr_assert_eq(connect(client, (struct sockaddr *)&to.storage, to.length), 0);
	}
	wait = (struct pollfd){ .fd = client, .events = POLLIN };
	cr_assert_eq(poll(&wait, 1, 5000), 1);
	cr_expect_eq(read(client, &byte, 1), 1);
	cr_expect_eq(byte, 'y');
	cr_expect_eq(result_of(pid), 0);
	close(client);
}

/* A connected UDP socket passes no hook when it sends: its packets are looked at. */
Test(egress, holds_for_a_udp_socket_that_was_connected_before)
{
	struct address to = address_of("127.0.0.1", PORT);
	int go[2], server = serve("127.0.0.1", PORT, SOCK_DGRAM), result;
	struct pollfd wait = { .fd = server, .events = POLLIN };
	pid_t pid;

	cr_assert_eq(pipe2(go, O_CLOEXEC), 0);
	pid = fork_inside();
	if (pid == 0) {
		int fd = make_socket(&to, SOCK_DGRAM);
		char byte;

		if (connect(fd, (struct sockaddr *)&to.storage, to.length) < 0 ||
		    send(fd, "a", 1, 0) != 1)
			_exit(200);
		(void)!read(go[0], &byte, 1);
		_exit(send(fd, "b", 1, 0) < 0 ? errno : 0);
	}
	cr_assert_eq(poll(&wait, 1, 5000), 1);
	apply("10.0.0.1");
	{
		char byte;

		cr_assert_eq(recv(server, &byte, 1, 0), 1);
	}
	cr_assert_eq(write(go[1], "x", 1), 1);
	result = result_of(pid);
	cr_expect_eq(result, EPERM, "%s", strerror(result));
	cr_expect_eq(poll(&wait, 1, PATIENCE_MSEC), 0);
}

/* A socket with another way of connecting has no hook on some kernels; its first packet has. */
Test(egress, holds_for_multipath_tcp)
{
	struct address to = address_of("127.0.0.1", PORT);
	int server = serve("127.0.0.1", PORT, SOCK_STREAM), result;
	struct pollfd wait = { .fd = server, .events = POLLIN };
	pid_t pid;

	apply("127.0.0.1:5433");
	pid = fork_inside();
	if (pid == 0) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 262);

		if (fd < 0)
			_exit(0); /* this kernel has none */
		(void)connect(fd, (struct sockaddr *)&to.storage, to.length);
		poll(&(struct pollfd){ .fd = fd, .events = POLLOUT }, 1, PATIENCE_MSEC);
		_exit(0);
	}
	result = result_of(pid);
	cr_expect_eq(result, 0);
	cr_expect_eq(poll(&wait, 1, PATIENCE_MSEC), 0);
}

/* Any protocol without ports needs an entry without one. */
Test(egress, holds_for_raw_packets)
{
	struct address to = address_of("127.0.0.1", 0);
	pid_t pid;

	for (int open = 0; open < 2; open++) {
		apply(open ? "127.0.0.1" : "127.0.0.1:5432");
		pid = fork_inside();
		if (pid == 0) {
			static const unsigned char echo[8] = { 8, 0, 0xf7, 0xff };
			int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP);

			_exit(sendto(fd, echo, sizeof(echo), 0, (struct sockaddr *)&to.storage,
				     to.length) < 0
				      ? errno
				      : 0);
		}
		cr_expect_eq(result_of(pid), open ? 0 : EPERM, "open: %d", open);
	}
}

Test(egress, leaves_the_cgroup_beside_it_alone)
{
	struct address to = address_of("127.0.0.1", PORT);

	serve_all();
	apply("none");
	cr_expect_eq(by_connect(&to), 0);
	cr_expect_eq(by_sendto(&to), 0);
}

Test(egress, holds_below_the_cgroup_too)
{
	struct address to = address_of("127.0.0.1", PORT);
	_cleanup_close_ int leaf = -1;
	struct error err;
	pid_t pid;

	serve_all();
	apply("none");
	cr_assert_eq(cgroup_make(cgroup, "0", &leaf, &err), 0);
	pid = fork();
	if (pid == 0)
		_exit(cgroup_move(leaf, getpid(), &err) < 0 ? 255 : by_connect(&to));
	cr_expect_eq(result_of(pid), EPERM);
}
