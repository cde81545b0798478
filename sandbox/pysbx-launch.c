/* SPDX-License-Identifier: MIT */
/*
 * pysbx-launch: starts one worker in its sandbox and stays as its init.
 *
 * The supervisor makes the namespaces (clone3) and executes this program, from a sealed memfd, as
 * pid 1 inside them, with all privileges. Then it is on its own: it reads the plan, carries out the
 * steps below in their order, gives up every privilege but CAP_KILL, and keeps the worker's output
 * and status until the supervisor has collected them. When it ends, for whatever reason, the kernel
 * kills what is left in the PID namespace.
 *
 *   namespaces.c  mounts, host name, loopback     identity.c  what may be gained, what is kept
 *   plan_read.c   fds, plan and filter            worker.c    from clone3 to execve
 *   output.c      the pipes                       command.c   PATH, and why execve failed
 *   root.c        the root file system            init.c      the loop
 *   mount.c       the kernel's mount interface    keeper.c    who listens, who reads
 *   spool.c       what nobody has read            channel.c   the socket
 *   memory.c      what the start alone needs   denials.c   what the filter refuses, told
 *   inherited.c   the sockets to listen on      pressure.c  memory is short, told
 *   landlock.c    the second wall
 */
#include "policy/own.h"
#include "sandbox/channel.h"
#include "sandbox/fds.h"
#include "sandbox/identity.h"
#include "sandbox/inherited.h"
#include "sandbox/init.h"
#include "sandbox/landlock.h"
#include "sandbox/mount.h"
#include "sandbox/namespaces.h"
#include "sandbox/output.h"
#include "sandbox/plan_read.h"
#include "sandbox/root.h"
#include "sandbox/worker.h"

#include <sys/prctl.h>
#include <sys/stat.h>

static const struct {
	enum launch_stage stage;
	int (*act)(struct launcher *launcher, struct error *err);
} steps[] = {
	/* until then mounts are the host's: nothing that may fail comes before */
	{ STAGE_NAMESPACES, namespaces_make_private },
	{ STAGE_PLAN, plan_read_fds },
	{ STAGE_PLAN, plan_read },
	{ STAGE_PLAN, inherited_take },
	{ STAGE_PLAN, plan_read_filter },
	{ STAGE_PLAN, output_open },
	{ STAGE_NAMESPACES, namespaces_set_up },
	{ STAGE_ROOT, root_build },
	{ STAGE_LANDLOCK, landlock_prepare },
	{ STAGE_CAPABILITIES, identity_seal },
	{ STAGE_CGROUP, worker_start },
	{ STAGE_CAPABILITIES, identity_keep_kill },
	{ STAGE_EXEC, init_run },
};

/* A failure may have to be kept for long: with no privilege, and nothing of the host held open.
 * While mounts are shared with the host, an unmount here would be one there. */
static void give_up_all(struct launcher *launcher)
{
	struct error ignored;

	fds_close_range(STDIN_FILENO, STDERR_FILENO, 0);
	fds_close_range(LAUNCH_FD_PLAN, LAUNCH_FD_CGROUP, 0);
	fds_close_range(LAUNCH_FD_HIGH, ~0U, 0);
	if (launcher->mounts_private)
		(void)mount_detach("/", &ignored);
	(void)identity_keep_kill(launcher, &ignored);
}

static void report_failure(struct launcher *launcher, const struct error *cause)
{
	struct launch_message message = {
		.stage = launcher->stage,
		.errnum = cause->errnum,
		.wait_status = launcher->wait_status,
	};
	struct error told = *cause, err;

	error_drop_errno(&told);
	/* a text that is too long is cut: %.*s tells the compiler that this is meant */
	snprintf(message.text, sizeof(message.text), "%.*s", LAUNCH_TEXT_MAX - 1, told.text);
	if (launcher->keep) {
		give_up_all(launcher);
		init_keep_failure(launcher, &message);
		return;
	}
	if (channel_send(LAUNCH_FAILED, &message, NULL, 0, &err) < 0)
		dprintf(STDERR_FILENO, "pysbx-launch: %s: %s (%s)\n",
			launch_stage_name(launcher->stage), cause->text, err.text);
}

int main(void)
{
	struct launcher launcher = {
		.output_read = { -1, -1 },
		.output_write = { -1, -1 },
		.pressure = -1,
		.landlock_ruleset = -1,
		.worker_pidfd = -1,
		.listener = -1,
	};
	struct error err = { 0 };

	/* first of all: nobody attaches to us while we hold privileges (CVE-2016-9962) */
	if (getpid() != 1 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0) {
		dprintf(STDERR_FILENO, "pysbx-launch is started by pysbx, not by hand: "
				       "run \"pysbx run -- COMMAND\"\n");
		return 1;
	}
	/* executed from a memfd, it would be called after that */
	(void)prctl(PR_SET_NAME, "pysbx-launch", 0, 0, 0);
	umask(0);
	init_block_signals();
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		launcher.stage = steps[i].stage;
		if (steps[i].act(&launcher, &err) < 0) {
			report_failure(&launcher, &err);
			return 1;
		}
	}
	return 0;
}
