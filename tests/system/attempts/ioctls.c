/* SPDX-License-Identifier: MIT */
/*
 * Requests to drivers, file systems and namespaces. Typing into a terminal (TIOCSTI, TIOCLINUX) has
 * been a way out of sandboxes more than once.
 */
#include "tests/system/attempts/attempt.h"

#include "policy/own.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <linux/nsfs.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

#ifndef PR_SCHED_CORE
#define PR_SCHED_CORE 62
#endif
#define N_HDLC 13

/* --- terminals -------------------------------------------------------------------------------- */

/* As far as the process may have one: a pty of its own, made its controlling terminal. */
static int open_terminal(void)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), slave;

	if (master < 0)
		return -errno;
	(void)ioctl(master, TIOCSPTLCK, &(int){ 0 });
	slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (slave < 0)
		return -errno;
	(void)setsid();
	(void)ioctl(slave, TIOCSCTTY, 0);
	return slave;
}

/* The master stays open, as long as this process lives. */
static int ask_terminal(unsigned long request, void *argument)
{
	int slave = open_terminal();

	return slave < 0 ? slave : answer(syscall(SYS_ioctl, slave, request, argument));
}

static int type_into_terminal(void)
{
	return ask_terminal(TIOCSTI, &(char){ 'x' });
}

static int type_with_high_bits(void)
{
	return ask_terminal(TIOCSTI | 1UL << 32, &(char){ 'x' });
}

static int type_by_console(void)
{
	return ask_terminal(TIOCLINUX, &(char){ 3 });
}

static int set_line_discipline(void)
{
	return ask_terminal(TIOCSETD, &(int){ N_HDLC });
}

static int take_console(void)
{
	return ask_terminal(TIOCCONS, NULL);
}

/* --- files and file systems ------------------------------------------------------------------- */

static int ask_file(unsigned long request, void *argument)
{
	_cleanup_close_ int fd = open("/tmp", O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : answer(syscall(SYS_ioctl, fd, request, argument));
}

static int ask_program(unsigned long request, void *argument)
{
	_cleanup_close_ int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : answer(syscall(SYS_ioctl, fd, request, argument));
}

static int get_flags(void)
{
	return ask_program(FS_IOC_GETFLAGS, &(int){ 0 });
}

static int set_flags(void)
{
	return ask_file(FS_IOC_SETFLAGS, &(int){ 0x10 /* immutable */ });
}

static int get_project(void)
{
	struct fsxattr attributes = { 0 };

	return ask_program(FS_IOC_FSGETXATTR, &attributes);
}

static int set_project(void)
{
	struct fsxattr attributes = { .fsx_projid = 1 };

	return ask_file(FS_IOC_FSSETXATTR, &attributes);
}

static int freeze(void)
{
	return ask_file(FIFREEZE, NULL);
}

static int trim(void)
{
	struct fstrim_range range = { 0, 0, 0 };

	return ask_program(FITRIM, &range);
}

static int map_block(void)
{
	return ask_program(FIBMAP, &(int){ 0 });
}

/* --- namespaces and devices ------------------------------------------------------------------- */

static int ask_namespace(const char *path, unsigned long request)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	_cleanup_close_ int other = -1;

	if (fd < 0)
		return -errno;
	other = (int)syscall(SYS_ioctl, fd, request, 0);
	return answer(other);
}

static int get_user_namespace(void)
{
	return ask_namespace("/proc/self/ns/uts", NS_GET_USERNS);
}

static int get_parent_namespace(void)
{
	return ask_namespace("/proc/self/ns/pid", NS_GET_PARENT);
}

static int ask_device(unsigned long request, short flags)
{
	_cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq device = { .ifr_name = "lo" };

	device.ifr_flags = flags;
	return fd < 0 ? -errno : answer(syscall(SYS_ioctl, fd, request, &device));
}

static int set_device_flags(void)
{
	return ask_device(SIOCSIFFLAGS, IFF_UP);
}

static int ask_bridge(void)
{
	return ask_device(SIOCBRADDBR, 0);
}

static int ask_ethtool(void)
{
	return ask_device(SIOCETHTOOL, 0);
}

static const struct attempt attempts[] = {
	{ .name = "tiocsti",
	  .about = "TIOCSTI, CVE-2017-5226",
	  .control = true,
	  .door = true,
	  .act = type_into_terminal },
	{ .name = "tiocsti_with_high_bits",
	  .about = "TIOCSTI, CVE-2019-10063 and CVE-2019-7303",
	  .control = true,
	  .act = type_with_high_bits },
	{ .name = "tioclinux",
	  .about = "TIOCLINUX, CVE-2023-28100",
	  .door = true,
	  .act = type_by_console },
	{ .name = "tiocsetd",
	  .about = "line disciplines, CVE-2017-2636",
	  .door = true,
	  .act = set_line_discipline },
	{ .name = "tioccons", .about = "the console's output", .door = true, .act = take_console },
	{ .name = "get_flags",
	  .about = "file systems",
	  .control = true,
	  .door = true,
	  .act = get_flags },
	{ .name = "set_flags", .about = "file systems", .door = true, .act = set_flags },
	{ .name = "get_project", .about = "quotas", .control = true, .act = get_project },
	{ .name = "set_project", .about = "quotas", .door = true, .act = set_project },
	{ .name = "freeze", .about = "file systems, stopped for all", .door = true, .act = freeze },
	{ .name = "trim", .about = "file systems", .door = true, .act = trim },
	{ .name = "map_block",
	  .about = "where a file lies on the disk",
	  .control = true,
	  .door = true,
	  .act = map_block },
	{ .name = "get_user_namespace",
	  .about = "namespaces of others",
	  .control = true,
	  .door = true,
	  .act = get_user_namespace },
	{ .name = "get_parent_namespace",
	  .about = "namespaces of others",
	  .door = true,
	  .act = get_parent_namespace },
	{ .name = "set_device_flags",
	  .about = "the host's network configuration",
	  .control = true,
	  .act = set_device_flags },
	{ .name = "bridge",
	  .about = "modules loaded for a request",
	  .door = true,
	  .act = ask_bridge },
	{ .name = "ethtool", .about = "network drivers", .door = true, .act = ask_ethtool },
	{ .name = "prctl_set_mm",
	  .about = "another program's name and arguments",
	  .door = true,
	  CALL(SYS_prctl, 35 /* PR_SET_MM */, 14 /* PR_SET_MM_MAP */) },
	{ .name = "prctl_set_ptracer",
	  .about = "being traced",
	  .door = true,
	  CALL(SYS_prctl, PR_SET_PTRACER, -1) },
	{ .name = "prctl_set_tsc",
	  .control = true,
	  .door = true,
	  CALL(SYS_prctl, PR_SET_TSC, PR_TSC_ENABLE) },
	{ .name = "prctl_mce_kill",
	  .control = true,
	  .door = true,
	  CALL(SYS_prctl, PR_MCE_KILL, PR_MCE_KILL_CLEAR) },
	{ .name = "prctl_io_flusher",
	  .about = "writing back under memory pressure",
	  .control = true,
	  .door = true,
	  CALL(SYS_prctl, 57 /* PR_SET_IO_FLUSHER */, 1) },
	{ .name = "prctl_sched_core",
	  .about = "core scheduling",
	  .door = true,
	  CALL(SYS_prctl, PR_SCHED_CORE, 1) },
};

const struct attempt_group group_ioctls = { "ioctls", "requests to drivers and file systems",
					    attempts, ARRAY_SIZE(attempts) };
