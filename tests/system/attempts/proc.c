/* SPDX-License-Identifier: MIT */
/*
 * The kernel's switches and windows in /proc, /sys and the cgroup file systems. Where a control run
 * would change the machine, there is none.
 */
#include "tests/system/attempts/attempt.h"

#include "policy/own.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MASKED "ENOENT EACCES EPERM EROFS"

/* Reads a switch and writes back what it says: no change, but the right to make one. */
static int write_back(const char *path)
{
	_cleanup_close_ int fd = open(path, O_RDWR | O_CLOEXEC);
	char text[512];
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, text, sizeof(text));
	return n < 0 ? -errno : answer(pwrite(fd, text, (size_t)n, 0));
}

static int core_pattern(void)
{
	return write_back("/proc/sys/kernel/core_pattern");
}

static int modprobe_path(void)
{
	return write_back("/proc/sys/kernel/modprobe");
}

static int host_name(void)
{
	return write_back("/proc/sys/kernel/hostname");
}

static int randomize(void)
{
	return write_back("/proc/sys/kernel/randomize_va_space");
}

static int overcommit(void)
{
	return write_back("/proc/sys/vm/overcommit_memory");
}

static int forwarding(void)
{
	return write_back("/proc/sys/net/ipv4/ip_forward");
}

static int drop_caches(void)
{
	return try_open("/proc/sys/vm/drop_caches", O_WRONLY);
}

static int register_binary_format(void)
{
	return try_open("/proc/sys/fs/binfmt_misc/register", O_WRONLY);
}

/* "?" asks for help: the kernel logs a line. */
static int sysrq(void)
{
	return try_open("/proc/sysrq-trigger", O_WRONLY);
}

static int kallsyms(void)
{
	return try_read("/proc/kallsyms");
}

static int kcore(void)
{
	return try_read("/proc/kcore");
}

static int kmsg(void)
{
	return try_open("/proc/kmsg", O_RDONLY);
}

static int keys(void)
{
	return try_read("/proc/keys");
}

static int timers(void)
{
	return try_open("/proc/timer_list", O_RDONLY);
}

static int interrupts(void)
{
	return try_read("/proc/interrupts");
}

static int page_counts(void)
{
	return try_open("/proc/kpagecount", O_RDONLY);
}

static int command_line(void)
{
	return try_read("/proc/cmdline");
}

static int modules(void)
{
	return try_open("/proc/modules", O_RDONLY);
}

static int slabs(void)
{
	return try_open("/proc/slabinfo", O_RDONLY);
}

static int pci(void)
{
	return try_open("/proc/bus/pci", O_RDONLY | O_DIRECTORY);
}

static int irq(void)
{
	return try_open("/proc/irq", O_RDONLY | O_DIRECTORY);
}

/* The sandbox's own processes. Raising one's own score is allowed, and harms nobody else. */
static int lower_oom_score(void)
{
	return try_write("/proc/self/oom_score_adj", "-900");
}

static int lower_oom_score_of_init(void)
{
	return try_write("/proc/1/oom_score_adj", "1000");
}

static int login_uid(void)
{
	return try_write("/proc/self/loginuid", "0");
}

/* --- /sys ------------------------------------------------------------------------------------- */

static int sys_power(void)
{
	return try_open("/sys/power/state", O_WRONLY);
}

static int sys_uevent_helper(void)
{
	return try_open("/sys/kernel/uevent_helper", O_WRONLY);
}

static int sys_debug(void)
{
	return try_open("/sys/kernel/debug", O_RDONLY | O_DIRECTORY);
}

static int sys_module(void)
{
	return try_open("/sys/module", O_RDONLY | O_DIRECTORY);
}

static int sys_firmware(void)
{
	return try_open("/sys/firmware", O_RDONLY | O_DIRECTORY);
}

static int sys_block(void)
{
	return try_open("/sys/block", O_RDONLY | O_DIRECTORY);
}

/* --- cgroups ---------------------------------------------------------------------------------- */

#define CGROUPS "/sys/fs/cgroup"

static int move_to_another_cgroup(void)
{
	return try_write(CGROUPS "/cgroup.procs", "0");
}

static int raise_memory_limit(void)
{
	return try_write(CGROUPS "/memory.max", "max");
}

static int raise_pids_limit(void)
{
	return try_write(CGROUPS "/pids.max", "max");
}

static int kill_a_cgroup(void)
{
	return try_open(CGROUPS "/cgroup.kill", O_WRONLY);
}

static int make_a_cgroup(void)
{
	int r = answer(mkdir(CGROUPS "/attempt", 0755));

	(void)rmdir(CGROUPS "/attempt");
	return r;
}

static int enable_controllers(void)
{
	return try_write(CGROUPS "/cgroup.subtree_control", "+pids");
}

static int release_agent(void)
{
	return try_open(CGROUPS "/release_agent", O_WRONLY);
}

static int see_other_cgroups(void)
{
	return try_open(CGROUPS "/system.slice", O_RDONLY | O_DIRECTORY);
}

/* Above the root of the cgroup namespace. */
static int cgroup_above(void)
{
	char text[512] = "";
	_cleanup_close_ int fd = open("/proc/self/cgroup", O_RDONLY | O_CLOEXEC);

	if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0)
		return -errno;
	return strcmp(text, "0::/\n") == 0 ? -ENOENT : 0;
}

static const struct attempt attempts[] = {
	{ .name = "core_pattern",
	  .control = true,
	  .door = true,
	  .expected = MASKED,
	  .act = core_pattern },
	{ .name = "modprobe_path", .control = true, .expected = MASKED, .act = modprobe_path },
	{ .name = "sys_hostname", .control = true, .expected = MASKED, .act = host_name },
	{ .name = "randomize_va_space", .control = true, .expected = MASKED, .act = randomize },
	{ .name = "overcommit_memory", .control = true, .expected = MASKED, .act = overcommit },
	{ .name = "ip_forward", .control = true, .expected = MASKED, .act = forwarding },
	{ .name = "drop_caches", .control = true, .expected = MASKED, .act = drop_caches },
	{ .name = "binfmt_misc",
	  .about = "a program for a kind of file, run as root",
	  .expected = MASKED,
	  .act = register_binary_format },
	{ .name = "sysrq_trigger",
	  .about = "sysrq",
	  .control = true,
	  .door = true,
	  .expected = MASKED,
	  .act = sysrq },
	{ .name = "kcore",
	  .about = "the kernel's memory",
	  .control = true,
	  .door = true,
	  .expected = MASKED,
	  .act = kcore },
	{ .name = "kallsyms",
	  .about = "the kernel's addresses",
	  .control = true,
	  .door = true,
	  .expected = MASKED,
	  .act = kallsyms },
	{ .name = "proc_kmsg",
	  .about = "the kernel's log",
	  .control = true,
	  .expected = MASKED,
	  .act = kmsg },
	{ .name = "proc_keys",
	  .about = "keyrings",
	  .control = true,
	  .door = true,
	  .expected = MASKED,
	  .act = keys },
	{ .name = "timer_list", .about = "masked paths", .expected = MASKED, .act = timers },
	{ .name = "interrupts",
	  .about = "masked paths: others' keystrokes, by their timing",
	  .control = true,
	  .expected = MASKED,
	  .act = interrupts },
	{ .name = "page_counts", .about = "masked paths", .expected = MASKED, .act = page_counts },
	{ .name = "kernel_command_line",
	  .about = "masked paths",
	  .control = true,
	  .door = true,
	  .expected = MASKED,
	  .act = command_line },
	{ .name = "modules",
	  .about = "masked paths",
	  .control = true,
	  .expected = MASKED,
	  .act = modules },
	{ .name = "slabinfo",
	  .about = "masked paths: what heap exploits steer by",
	  .control = true,
	  .expected = MASKED,
	  .act = slabs },
	{ .name = "bus_pci", .about = "masked paths", .expected = MASKED, .act = pci },
	{ .name = "irq", .about = "masked paths", .control = true, .expected = MASKED, .act = irq },
	{ .name = "oom_score_lower",
	  .about = "the OOM killer's choice",
	  .control = true,
	  .expected = MASKED,
	  .act = lower_oom_score },
	{ .name = "oom_score_of_init",
	  .about = "the OOM killer's choice",
	  .expected = MASKED,
	  .act = lower_oom_score_of_init },
	{ .name = "login_uid", .about = "the audit trail", .expected = MASKED, .act = login_uid },
	{ .name = "sys_power", .expected = MASKED, .act = sys_power },
	{ .name = "sys_uevent_helper", .expected = MASKED, .act = sys_uevent_helper },
	{ .name = "sys_debug",
	  .control = true,
	  .door = true,
	  .expected = MASKED,
	  .act = sys_debug },
	{ .name = "sys_module",
	  .control = true,
	  .door = true,
	  .expected = MASKED,
	  .act = sys_module },
	{ .name = "sys_firmware", .control = true, .expected = MASKED, .act = sys_firmware },
	{ .name = "sys_block", .control = true, .expected = MASKED, .act = sys_block },
	{ .name = "cgroup_move",
	  .about = "writing cgroup files",
	  .expected = MASKED,
	  .act = move_to_another_cgroup },
	{ .name = "cgroup_memory_max",
	  .about = "writing cgroup files",
	  .expected = MASKED,
	  .act = raise_memory_limit },
	{ .name = "cgroup_pids_max",
	  .about = "writing cgroup files",
	  .expected = MASKED,
	  .act = raise_pids_limit },
	{ .name = "cgroup_kill",
	  .about = "writing cgroup files",
	  .expected = MASKED,
	  .act = kill_a_cgroup },
	{ .name = "cgroup_mkdir",
	  .about = "writing cgroup files",
	  .control = true,
	  .door = true,
	  .expected = MASKED,
	  .act = make_a_cgroup },
	{ .name = "cgroup_controllers",
	  .about = "writing cgroup files",
	  .control = true,
	  .expected = MASKED,
	  .act = enable_controllers },
	{ .name = "cgroup_release_agent",
	  .about = "release_agent, CVE-2022-0492",
	  .expected = MASKED,
	  .act = release_agent },
	{ .name = "cgroup_of_others",
	  .control = true,
	  .expected = MASKED,
	  .act = see_other_cgroups },
	{ .name = "cgroup_above",
	  .about = "cgroup namespaces",
	  .control = true,
	  .expected = "ENOENT",
	  .act = cgroup_above },
};

const struct attempt_group group_proc = { "proc", "switches of the kernel", attempts,
					  ARRAY_SIZE(attempts) };
