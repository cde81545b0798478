/* SPDX-License-Identifier: MIT */
/*
 * Services and accomplices on the same machine: sockets by path and by name, descriptors that are
 * handed in, messages to supervisors.
 *
 * ATTEMPT_ABSTRACT is the name of an abstract socket that the host listens on; "accomplice" in
 * ATTEMPT_DATA is a socket on which an accomplice outside hands out descriptors: of the host's root
 * directory, and of its mount namespace.
 */
#include "tests/system/attempts/attempt.h"

#include "policy/own.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#define NOBODY_THERE "ENOENT EACCES EPERM ECONNREFUSED"

static int connect_to(const struct sockaddr_un *address, socklen_t length, int kind)
{
	_cleanup_close_ int fd = socket(AF_UNIX, kind | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (const struct sockaddr *)address, length) < 0)
		return -errno;
	return TAKE_FD(fd);
}

static int connect_path(const char *path, int kind)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, strlen(path));
	return connect_to(&address, sizeof(address), kind);
}

static int reach(const char *path, int kind)
{
	_cleanup_close_ int fd = connect_path(path, kind);

	return fd < 0 ? fd : 0;
}

static int abstract_socket(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const char *name = getenv("ATTEMPT_ABSTRACT");
	_cleanup_close_ int fd = -1;

	if (name == NULL || strlen(name) > sizeof(address.sun_path) - 2)
		return NOT_TRIED;
	memcpy(address.sun_path + 1, name, strlen(name));
	fd = connect_to(&address,
			(socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name)),
			SOCK_STREAM);
	return fd < 0 ? fd : 0;
}

/* --- services of the host --------------------------------------------------------------------- */

static int system_bus(void)
{
	return reach("/run/dbus/system_bus_socket", SOCK_STREAM);
}

static int service_manager(void)
{
	return reach("/run/systemd/private", SOCK_STREAM);
}

static int journal(void)
{
	return reach("/run/systemd/journal/socket", SOCK_DGRAM);
}

static int syslog_socket(void)
{
	return reach("/dev/log", SOCK_DGRAM);
}

static int udev(void)
{
	return reach("/run/udev/control", SOCK_SEQPACKET);
}

static int control_socket(void)
{
	return reach("/run/pysbx/control.sock", SOCK_STREAM);
}

static int keeper_sockets(void)
{
	return try_open("/run/pysbx", O_RDONLY | O_DIRECTORY);
}

static int container_manager(void)
{
	return reach("/run/docker.sock", SOCK_STREAM);
}

static int notify(const char *path)
{
	static const char ready[] = "READY=1\nSTATUS=forged\nMAINPID=1\n";
	_cleanup_close_ int fd = connect_path(path, SOCK_DGRAM);

	return fd < 0 ? fd : answer(send(fd, ready, sizeof(ready) - 1, MSG_NOSIGNAL));
}

static int notify_manager(void)
{
	return notify("/run/systemd/notify");
}

/* The socket that the caller of pysbx was told to use. */
static int notify_by_environment(void)
{
	const char *path = getenv("NOTIFY_SOCKET");

	return path == NULL ? -ENOENT : notify(path);
}

/* Descriptors that the caller of pysbx was told to take. */
static int listen_by_environment(void)
{
	return getenv("LISTEN_FDS") == NULL && getenv("LISTEN_PID") == NULL ? -ENOENT : 0;
}

static int watchdog_by_environment(void)
{
	return getenv("WATCHDOG_USEC") == NULL && getenv("WATCHDOG_PID") == NULL ? -ENOENT : 0;
}

/* --- an accomplice ---------------------------------------------------------------------------- */

/* The descriptor that the accomplice hands out for this letter. */
static int ask_accomplice(char letter)
{
	const char *path = bait_path("ATTEMPT_DATA", "accomplice");
	char control[CMSG_SPACE(sizeof(int))], byte;
	struct iovec data = { &byte, 1 };
	struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1, .msg_control = control };
	_cleanup_close_ int fd = -1;
	struct cmsghdr *header;
	int given;

	if (path == NULL)
		return -ENODATA;
	fd = connect_path(path, SOCK_STREAM);
	if (fd < 0)
		return fd;
	message.msg_controllen = sizeof(control);
	if (send(fd, &letter, 1, MSG_NOSIGNAL) < 0 || recvmsg(fd, &message, MSG_CMSG_CLOEXEC) < 0)
		return -errno;
	header = CMSG_FIRSTHDR(&message);
	if (header == NULL)
		return -ENODATA;
	memcpy(&given, CMSG_DATA(header), sizeof(given));
	return given;
}

static int use_given_namespace(void)
{
	_cleanup_close_ int fd = ask_accomplice('n');

	if (fd == -ENODATA)
		return NOT_TRIED;
	return fd < 0 ? fd : answer(syscall(SYS_setns, fd, 0));
}

static int chroot_to_given_directory(void)
{
	_cleanup_close_ int fd = ask_accomplice('d');

	if (fd == -ENODATA)
		return NOT_TRIED;
	if (fd < 0)
		return fd;
	return fchdir(fd) < 0 ? -errno : answer(chroot("."));
}

/* What its own user may do outside, it may do through that directory; but not make a file there. */
static int write_in_given_directory(void)
{
	_cleanup_close_ int fd = ask_accomplice('d'), file = -1;

	if (fd == -ENODATA)
		return NOT_TRIED;
	if (fd < 0)
		return fd;
	file = openat(fd, "etc/attempt", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	return answer(file);
}

static int read_in_given_directory(void)
{
	_cleanup_close_ int fd = ask_accomplice('d'), file = -1;

	if (fd == -ENODATA)
		return NOT_TRIED;
	if (fd < 0)
		return fd;
	file = openat(fd, "etc/shadow", O_RDONLY | O_CLOEXEC);
	return answer(file);
}

static int see_in_given_directory(void)
{
	const char *bait = getenv("ATTEMPT_BAIT");
	_cleanup_close_ int fd = ask_accomplice('d'), file = -1;

	if (fd == -ENODATA || bait == NULL)
		return NOT_TRIED;
	if (fd < 0)
		return fd;
	file = openat(fd, bait + 1, O_RDONLY | O_CLOEXEC);
	return answer(file);
}

/* Credentials of somebody else, said to whoever asks. */
static int send_credentials_of_root(void)
{
	int ends[2];
	char control[CMSG_SPACE(sizeof(struct ucred))] = { 0 }, byte = 'x';
	struct iovec data = { &byte, 1 };
	struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1, .msg_control = control };
	struct ucred root = { .pid = 1 };
	struct cmsghdr *header;
	int r;

	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	message.msg_controllen = sizeof(control);
	header = CMSG_FIRSTHDR(&message);
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_CREDENTIALS;
	header->cmsg_len = CMSG_LEN(sizeof(root));
	memcpy(CMSG_DATA(header), &root, sizeof(root));
	r = answer(sendmsg(ends[0], &message, MSG_NOSIGNAL));
	close(ends[0]);
	close(ends[1]);
	return r;
}

static const struct attempt attempts[] = {
	{ .name = "abstract_socket",
	  .about = "abstract sockets",
	  .expected = NOBODY_THERE,
	  .control = true,
	  .door = true,
	  .act = abstract_socket },
	{ .name = "system_bus", .expected = NOBODY_THERE, .control = true, .act = system_bus },
	{ .name = "service_manager",
	  .expected = NOBODY_THERE,
	  .control = true,
	  .act = service_manager },
	{ .name = "journal_socket",
	  .about = "journal entries in others' names",
	  .expected = NOBODY_THERE,
	  .control = true,
	  .act = journal },
	{ .name = "syslog_socket", .expected = NOBODY_THERE, .act = syslog_socket },
	{ .name = "udev_socket", .expected = NOBODY_THERE, .act = udev },
	{ .name = "control_socket",
	  .about = "the socket of pysbxd",
	  .expected = NOBODY_THERE,
	  .act = control_socket },
	{ .name = "keeper_sockets",
	  .about = "the sockets of launchers",
	  .expected = NOBODY_THERE,
	  .act = keeper_sockets },
	{ .name = "container_manager", .expected = NOBODY_THERE, .act = container_manager },
	{ .name = "notify_manager",
	  .about = "notify-socket spoofing, CVE-2018-16888",
	  .expected = NOBODY_THERE,
	  .control = true,
	  .act = notify_manager },
	{ .name = "notify_by_environment",
	  .about = "notify-socket spoofing",
	  .expected = NOBODY_THERE,
	  .act = notify_by_environment },
	{ .name = "listen_by_environment",
	  .about = "LISTEN_PID games",
	  .expected = "ENOENT",
	  .act = listen_by_environment },
	{ .name = "watchdog_by_environment",
	  .about = "LISTEN_PID games",
	  .expected = "ENOENT",
	  .act = watchdog_by_environment },
	{ .name = "given_namespace",
	  .about = "SCM_RIGHTS from outside",
	  .control = true,
	  .act = use_given_namespace },
	{ .name = "given_directory_chroot",
	  .about = "SCM_RIGHTS from outside",
	  .control = true,
	  .act = chroot_to_given_directory },
	{ .name = "given_directory_write",
	  .about = "SCM_RIGHTS from outside",
	  .expected = "EACCES EPERM EROFS",
	  .act = write_in_given_directory },
	{ .name = "given_directory_secret",
	  .about = "SCM_RIGHTS from outside",
	  .expected = "EACCES EPERM",
	  .control = true,
	  .act = read_in_given_directory },
	{ .name = "given_directory_read",
	  .about = "SCM_RIGHTS from outside",
	  .expected = "EACCES EPERM",
	  .control = true,
	  .act = see_in_given_directory },
	{ .name = "credentials_of_root",
	  .about = "SCM_CREDENTIALS",
	  .control = true,
	  .act = send_credentials_of_root },
};

const struct attempt_group group_neighbours = { "neighbours", "services and accomplices", attempts,
						ARRAY_SIZE(attempts) };
