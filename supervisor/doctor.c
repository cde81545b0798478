/* SPDX-License-Identifier: MIT */
#include "supervisor/doctor.h"

#include "policy/own.h"
#include "policy/plan.h"
#include "policy/wall.h"
#include "supervisor/anchor.h"
#include "supervisor/cgroup.h"
#include "supervisor/file.h"
#include "supervisor/launcher.h"
#include "supervisor/stacks.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/seccomp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#define KERNEL_MAJOR	     5 /* mount_setattr came with 5.12, cgroup.kill with 5.14 */
#define KERNEL_MINOR	     14
#define LANDLOCK_ASK_FOR_ABI 1U
#define SMALL_FILE_MAX	     4096

static void find(struct doctor_finding *ret, enum doctor_state state, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void find(struct doctor_finding *ret, enum doctor_state state, const char *format, ...)
{
	va_list args;

	ret->state = state;
	va_start(args, format);
	vsnprintf(ret->found, sizeof(ret->found), format, args);
	va_end(args);
}

static enum doctor_state ok_if(bool there)
{
	return there ? DOCTOR_OK : DOCTOR_MISSING;
}

/* --- the kernel -------------------------------------------------------------------------------*/

static void probe_kernel(struct doctor_finding *ret)
{
	unsigned major = 0, minor = 0;
	struct utsname name;

	if (uname(&name) < 0 || sscanf(name.release, "%u.%u", &major, &minor) != 2) {
		find(ret, DOCTOR_UNKNOWN, "a release that can't be read");
		return;
	}
	find(ret, ok_if(major > KERNEL_MAJOR || (major == KERNEL_MAJOR && minor >= KERNEL_MINOR)),
	     "Linux %s", name.release);
}

static void probe_root(struct doctor_finding *ret)
{
	find(ret, ok_if(geteuid() == 0), "uid %u", (unsigned)geteuid());
}

static void probe_namespaces(struct doctor_finding *ret)
{
	static const char *const kinds[] = { "mnt", "pid", "ipc", "uts", "cgroup", "net" };
	size_t used = 0;

	find(ret, DOCTOR_OK, "mnt, pid, ipc, uts, cgroup, net");
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		char path[64];

		snprintf(path, sizeof(path), "/proc/self/ns/%s", kinds[i]);
		if (access(path, F_OK) == 0)
			continue;
		ret->state = DOCTOR_MISSING;
		used += (size_t)snprintf(ret->found + used, sizeof(ret->found) - used, "%s%s",
					 used > 0 ? ", " : "no ", kinds[i]);
	}
}

static bool has_action(uint32_t action)
{
	return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

static void probe_seccomp(struct doctor_finding *ret)
{
	static const struct {
		const char *name;
		uint32_t action;
	} actions[] = {
		{ "errno", SECCOMP_RET_ERRNO },
		{ "kill_process", SECCOMP_RET_KILL_PROCESS },
		{ "log", SECCOMP_RET_LOG },
		{ "user_notif", SECCOMP_RET_USER_NOTIF },
	};
	size_t used = 0;

	find(ret, ok_if(has_action(SECCOMP_RET_ERRNO)), "no filters");
	for (size_t i = 0; i < ARRAY_SIZE(actions); i++)
		if (has_action(actions[i].action))
			used += (size_t)snprintf(ret->found + used, sizeof(ret->found) - used,
						 "%s%s", used > 0 ? ", " : "", actions[i].name);
}

static void find_landlock(unsigned wanted, struct doctor_finding *ret)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_ASK_FOR_ABI);
	int errnum = abi < 0 ? errno : 0;
	char absence[WALL_DETAIL_MAX];

	if (abi >= (long)wanted) {
		find(ret, DOCTOR_OK, "Landlock ABI %ld", abi);
		return;
	}
	wall_landlock_absence(wanted, abi > 0 ? (unsigned)abi : 0, errnum, absence);
	find(ret, DOCTOR_MISSING, "Landlock %.*s", (int)sizeof(ret->found) - 10, absence);
}

static void probe_landlock(struct doctor_finding *ret)
{
	find_landlock(PLAN_LANDLOCK_ABI_FILES, ret);
}

static void probe_landlock_scopes(struct doctor_finding *ret)
{
	find_landlock(PLAN_LANDLOCK_ABI_SCOPES, ret);
}

/* Options of a file system that is made, but mounted nowhere, and let go again. */
static void probe_proc(struct doctor_finding *ret)
{
	_cleanup_close_ int context = fsopen("proc", FSOPEN_CLOEXEC);

	if (context < 0) {
		find(ret, errno == EPERM ? DOCTOR_UNKNOWN : DOCTOR_MISSING, "%s",
		     errno == EPERM ? "only root can find out" : "no fsopen(2)");
		return;
	}
	if (fsconfig(context, FSCONFIG_SET_STRING, "hidepid", "invisible", 0) < 0 ||
	    fsconfig(context, FSCONFIG_SET_STRING, "subset", "pid", 0) < 0)
		find(ret, DOCTOR_MISSING, "the kernel refuses these options");
	else
		find(ret, DOCTOR_OK, "hidepid=invisible, subset=pid");
}

static void probe_pressure(struct doctor_finding *ret)
{
	char text[SMALL_FILE_MAX];
	struct error ignored;
	bool there =
		file_read_at(AT_FDCWD, "/proc/pressure/memory", text, sizeof(text), &ignored) >= 0;

	find(ret, ok_if(there), "%s",
	     there ? "/proc/pressure" : "no /proc/pressure that can be read");
}

/* --- cgroups ----------------------------------------------------------------------------------*/

static void probe_cgroup(struct doctor_finding *ret)
{
	struct statfs fs;
	bool there =
		statfs(CGROUP_MOUNT, &fs) == 0 && (unsigned long)fs.f_type == CGROUP2_SUPER_MAGIC;

	find(ret, ok_if(there),
	     there ? CGROUP_MOUNT " is cgroup v2" : CGROUP_MOUNT " is something else");
}

static bool has_word(const char *text, const char *word)
{
	size_t length = strlen(word);

	for (const char *at = text; (at = strstr(at, word)) != NULL; at += length)
		if ((at == text || at[-1] == ' ') && strchr(" \n", at[length]) != NULL)
			return true;
	return false;
}

static void find_controllers(const char *const wanted[], size_t count, struct doctor_finding *ret)
{
	char text[SMALL_FILE_MAX];
	struct error ignored;

	if (file_read_at(AT_FDCWD, CGROUP_MOUNT "/cgroup.controllers", text, sizeof(text),
			 &ignored) < 0) {
		find(ret, DOCTOR_MISSING, "no " CGROUP_MOUNT "/cgroup.controllers");
		return;
	}
	text[strcspn(text, "\n")] = '\0';
	find(ret, DOCTOR_OK, "%.200s", text[0] != '\0' ? text : "none");
	for (size_t i = 0; i < count; i++)
		if (!has_word(text, wanted[i]))
			ret->state = DOCTOR_MISSING;
}

static void probe_controllers(struct doctor_finding *ret)
{
	static const char *const wanted[] = { "memory", "pids", "cpu" };

	find_controllers(wanted, ARRAY_SIZE(wanted), ret);
}

static void probe_io(struct doctor_finding *ret)
{
	static const char *const wanted[] = { "io" };

	find_controllers(wanted, ARRAY_SIZE(wanted), ret);
}

/* --- the system -------------------------------------------------------------------------------*/

static void probe_systemd(struct doctor_finding *ret)
{
	bool booted = sd_booted() > 0;

	find(ret, ok_if(booted), "%s", booted ? "PID 1 is systemd" : "PID 1 is something else");
}

static void probe_links(struct doctor_finding *ret)
{
	char text[16] = "";
	struct error ignored;
	bool on = file_read_at(AT_FDCWD, "/proc/sys/fs/protected_hardlinks", text, sizeof(text),
			       &ignored) > 0 &&
		  text[0] == '1';

	find(ret, ok_if(on), "fs.protected_hardlinks is %s", on ? "1" : "0");
}

static void probe_programs(struct doctor_finding *ret)
{
	static const char *const paths[] = { LAUNCHER_PATH, ANCHOR_PATH, STACKS_PATH };

	find(ret, DOCTOR_OK, PYSBX_LIBEXECDIR);
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
		if (access(paths[i], X_OK) < 0)
			find(ret, DOCTOR_MISSING, "%s: %s", paths[i],
			     errno == ENOENT ? "not there" : "not executable");
}

/* ----------------------------------------------------------------------------------------------*/

const struct doctor_check doctor_checks[] = {
	{ "kernel", true, "mounts by descriptor, clone3 into a cgroup, cgroup.kill",
	  "take Linux 5.14 or later", probe_kernel },
	{ "root", true, "sandboxes and cgroups are made by root; workers never are",
	  "run it as root, with sudo for example", probe_root },
	{ "cgroup-v2", true, "limits, and whom a kill for memory took",
	  "boot with systemd.unified_cgroup_hierarchy=1, or mount it: mount -t cgroup2 none "
	  "/sys/fs/cgroup",
	  probe_cgroup },
	{ "controllers", true, "limits of memory, processes and CPU",
	  "leave them to cgroup v2: no cgroup_disable= and no cgroup v1 mount that holds them",
	  probe_controllers },
	{ "io", false, "limits.io",
	  "take a kernel with CONFIG_BLK_CGROUP, and no cgroup v1 that "
	  "holds the io controller",
	  probe_io },
	{ "namespaces", true, "processes, mounts, IPC and names of its own",
	  "take a kernel with CONFIG_NAMESPACES and all that is below it", probe_namespaces },
	{ "seccomp", true, "the filter of system calls", "take a kernel with CONFIG_SECCOMP_FILTER",
	  probe_seccomp },
	{ "proc", true, "a /proc without the processes of others",
	  "take Linux 5.14 or later with CONFIG_PROC_FS", probe_proc },
	{ "landlock", false, "a second wall around files",
	  "apps run without it, unless isolation.require names it", probe_landlock },
	{ "abstract-sockets", false,
	  "abstract unix sockets of the host are out of reach also in its network",
	  "isolation.network \"none\" does the same, whatever the kernel", probe_landlock_scopes },
	{ "pressure", false, "stalls for memory, CPU and disk in reports and figures",
	  "boot with psi=1, on a kernel with CONFIG_PSI", probe_pressure },
	{ "hard-links", false, "nobody links to the files of others where root will look",
	  "sysctl fs.protected_hardlinks=1", probe_links },
	{ "systemd", false, "a scope for the apps, and the daemon as a service",
	  "use pysbx run --cgroup-root, or pysbxd by hand", probe_systemd },
	{ "programs", true, "the launcher and the keeper of cgroups",
	  "install pysbx completely: make install", probe_programs },
};
const size_t doctor_check_count = ARRAY_SIZE(doctor_checks);
