/* SPDX-License-Identifier: MIT */
/* Who the worker is when its program begins, and how a start that fails is explained. */
#include "policy/filter_door.h"
#include "policy/own.h"
#include "tests/sandbox/harness.h"

#include <criterion/criterion.h>
#include <linux/ioprio.h>
#include <linux/keyctl.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static struct sandbox box;
static char host[64];

static void set_up(void)
{
	sandbox_require();
	strcpy(host, "/tmp/pysbx-worker-XXXXXX");
	cr_assert(mkdtemp(host) != NULL);
	cr_assert_eq(chmod(host, 0755), 0);
}

static void tear_down(void)
{
	char command[128];

	sandbox_clear(&box);
	snprintf(command, sizeof(command), "rm -r %s", host);
	cr_expect_eq(system(command), 0);
}

TestSuite(worker, .init = set_up, .fini = tear_down);

/* A program in the host's directory, which is /app inside, and first in PATH. */
static void add_program(const char *name, const char *content, mode_t mode)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", host, name);
	FILE *file = fopen(path, "we");
	cr_assert(file != NULL && fputs(content, file) >= 0);
	fclose(file);
	cr_assert_eq(chmod(path, mode), 0);
}

static void init_with_app(const char *command)
{
	struct error err;

	sandbox_init(&box, NULL);
	sandbox_set_argv(&box, (const char *const[]){ command, NULL });
	sandbox_add(&box, &(struct sandbox_mount){ .kind = MOUNT_BIND,
						   .source = host,
						   .target = "/app",
						   .flags = MOUNT_READ_ONLY });
	cr_assert_eq(strings_env_set(&box.plan->environment, "PATH", "/app:/usr/bin", &err), 0);
}

static void expect_line(const char *line)
{
	char framed[128];

	snprintf(framed, sizeof(framed), "%s\n", line);
	cr_expect(strstr(box.text[0], framed) != NULL, "no line \"%s\" in:\n%s", line, box.text[0]);
}

Test(worker, holds_no_privilege)
{
	static const char *const lines[] = {
		"Uid:\t61234\t61234\t61234\t61234",
		"Gid:\t61235\t61235\t61235\t61235",
		"CapInh:\t0000000000000000",
		"CapPrm:\t0000000000000000",
		"CapEff:\t0000000000000000",
		"CapBnd:\t0000000000000000",
		"CapAmb:\t0000000000000000",
		"NoNewPrivs:\t1",
		"Seccomp:\t2",
	};

	sandbox_run_script(&box, "cat /proc/self/status");
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		expect_line(lines[i]);
	cr_expect(strstr(box.text[0], "Groups:\t61236 \n") != NULL, "%s", box.text[0]);
}

Test(worker, starts_with_default_signals)
{
	/* the harness ignores and blocks some: what it has must not be inherited */
	sigset_t blocked;

	signal(SIGHUP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGRTMIN, SIG_IGN);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGUSR1);
	sigprocmask(SIG_BLOCK, &blocked, NULL);
	sandbox_run_script(&box, "exec cat /proc/self/status");
	expect_line("SigBlk:\t0000000000000000");
	expect_line("SigIgn:\t0000000000000000");
	expect_line("ShdPnd:\t0000000000000000");
}

Test(worker, inherits_no_file_descriptor)
{
	sandbox_run_script(&box, "ls /proc/self/fd; readlink /proc/$$/fd/0");
	/* 3 is the directory that ls reads */
	cr_expect_str_eq(box.text[0], "0\n1\n2\n3\n/dev/null\n");
}

Test(worker, leads_a_session_of_its_own)
{
	sandbox_run_script(&box, "cut -d' ' -f5,6 /proc/$$/stat; echo $$ $$");
	cr_assert_eq(strlen(box.text[0]) % 2, 0);
	cr_expect(strncmp(box.text[0], box.text[0] + strlen(box.text[0]) / 2,
			  strlen(box.text[0]) / 2) == 0,
		  "%s", box.text[0]);
}

Test(worker, has_a_session_keyring_of_its_own)
{
	/* keyctl(KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0): a serial number */
	long ours = syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0);
	char number[32];

	if (ours < 0)
		cr_skip_test("no keyrings here: %s", strerror(errno));
	sandbox_run_script(&box, "python3 -c 'import ctypes\n"
				 "print(ctypes.CDLL(None).syscall(250, 0, -3, 0))'");
	snprintf(number, sizeof(number), "%ld\n", ours);
	cr_expect_str_neq(box.text[0], number);
	cr_expect_gt(atol(box.text[0]), 0, "%s%s", box.text[0], box.text[1]);
}

/* keyctl answers EPERM for this process and the launcher: altogether, or joining a keyring alone.
 */
static void refuse_keyctl(bool altogether)
{
	struct sock_filter no_keys[] = {
		{ BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, nr) },
		{ BPF_JMP | BPF_JEQ | BPF_K, 0, 3, SYS_keyctl },
		{ BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, args[0]) },
		{ BPF_JMP | BPF_JEQ | BPF_K, 0, altogether ? 0 : 1, KEYCTL_JOIN_SESSION_KEYRING },
		{ BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ERRNO | EPERM },
		{ BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW },
	};
	const struct sock_fprog filter = { ARRAY_SIZE(no_keys), no_keys };

	cr_assert_eq(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter), 0);
}

Test(worker, starts_where_a_filter_around_us_refuses_all_keys)
{
	refuse_keyctl(true);
	sandbox_run_script(&box, "echo here");
	cr_expect_str_eq(box.text[0], "here\n");
}

Test(worker, does_not_start_with_a_keyring_that_is_not_its_own)
{
	if (syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0) < 0)
		cr_skip_test("no keyrings here: %s", strerror(errno));
	refuse_keyctl(false);
	sandbox_init(&box, "echo here");
	sandbox_expect_failure(&box, STAGE_LIMITS, EPERM);
}

/* A filter as of a profile without execve: all else is allowed. */
static const struct sock_fprog *no_execve(void)
{
	static struct sock_filter items[4 + FILTER_DOOR_LENGTH] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_execveat, FILTER_DOOR_LENGTH + 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_execve, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	static const struct sock_fprog filter = { ARRAY_SIZE(items), items };

	/* its last instruction is what execveat jumps to */
	filter_door_write(&items[4], SECCOMP_RET_ERRNO | EPERM);
	return &filter;
}

Test(worker, executes_through_a_door_that_is_shut_behind_it)
{
	sandbox_init(&box, "/usr/bin/true; echo $?; exec /usr/bin/env true");
	box.filter = no_execve();
	sandbox_run(&box);
	cr_expect_str_eq(box.text[0], "126\n", "%s", box.text[1]);
	cr_expect_not_null(strstr(box.text[1], "Operation not permitted"), "%s", box.text[1]);
	cr_expect(WIFEXITED(box.last.wait_status) && WEXITSTATUS(box.last.wait_status) == 126);
}

Test(worker, finds_no_key_to_the_door)
{
	/* execve(path, argv, envp, 0, 0, key), with keys that a worker can think of */
	add_program(
		"knock",
		"#!/usr/bin/python3\n"
		"import ctypes\n"
		"libc = ctypes.CDLL(None, use_errno=True)\n"
		"argv = (ctypes.c_char_p * 2)(b'true', None)\n"
		"for key in (0, 1, -1, 0x78646f7270797362, 0x7079736278646f72):\n"
		"    for number in (59, 322) if __import__('os').uname().machine == 'x86_64' else "
		"(221, 281):\n"
		"        at = (-100, b'/usr/bin/true') if number in (322, 281) else "
		"(b'/usr/bin/true',)\n"
		"        rest = [argv, None] + [ctypes.c_long(key)] * 4\n"
		"        r = libc.syscall(number, *at, *rest[:6 - len(at)])\n"
		"        print(r, ctypes.get_errno())\n",
		0755);
	init_with_app("/app/knock");
	box.filter = no_execve();
	sandbox_run(&box);
	cr_expect_str_eq(box.text[0],
			 "-1 1\n-1 1\n-1 1\n-1 1\n-1 1\n-1 1\n-1 1\n-1 1\n-1 1\n-1 1\n", "%s%s",
			 box.text[0], box.text[1]);
}

Test(worker, inherits_neither_personality_nor_scheduling)
{
	const struct sched_param first = { 1 };
	bool real_time = sched_setscheduler(0, SCHED_RR, &first) == 0;

	cr_assert(personality(ADDR_NO_RANDOMIZE) >= 0);
	cr_assert_eq(setpriority(PRIO_PROCESS, 0, -5), 0, "%s", strerror(errno));
	/* of stat, fields 19 and 41: nice value and policy */
	sandbox_run_script(&box, "exec cat /proc/self/personality /proc/self/stat");
	const char *end = strrchr(box.text[0], ')');
	long nice_value = -1;
	unsigned policy = 99;

	cr_assert(end != NULL, "%s", box.text[0]);
	cr_assert_eq(sscanf(end + 2,
			    "%*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %ld "
			    "%*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s "
			    "%*s %*s %*s %*s %u",
			    &nice_value, &policy),
		     2);
	cr_expect(strncmp(box.text[0], "00000000\n", 9) == 0, "%s", box.text[0]);
	cr_expect_eq(nice_value, 0);
	cr_expect_eq(policy, SCHED_OTHER, "%u, from a real-time class: %d", policy, real_time);
}

Test(worker, keeps_a_nice_value_that_makes_it_weaker)
{
	cr_assert_eq(setpriority(PRIO_PROCESS, 0, 7), 0);
	sandbox_run_script(&box, "nice");
	cr_expect_str_eq(box.text[0], "7\n");
}

/* class (1 real-time, 2 best-effort, 3 idle), level */
static void set_io_priority(unsigned class, unsigned level)
{
	cr_assert_eq(
		syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_PRIO_VALUE(class, level)), 0,
		"%s", strerror(errno));
}

Test(worker, has_no_place_above_others_at_the_disk)
{
	static const struct {
		unsigned class, level;
		const char *inside;
	} samples[] = {
		{ 1, 2, "none: prio " },
		{ 2, 0, "none: prio " },
		{ 2, 6, "best-effort: prio 6\n" },
		{ 3, 7, "idle\n" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		set_io_priority(samples[i].class, samples[i].level);
		sandbox_run_script(&box, "ionice -p $$");
		cr_expect_eq(strncmp(box.text[0], samples[i].inside, strlen(samples[i].inside)), 0,
			     "%s", box.text[0]);
		sandbox_clear(&box);
	}
	sandbox_init(&box, NULL);
}

Test(worker, sees_its_own_cgroup_as_the_root)
{
	sandbox_run_script(&box, "grep ^0: /proc/self/cgroup");
	cr_expect_str_eq(box.text[0], "0::/\n");
}

Test(worker, starts_in_the_leaf)
{
	sandbox_init(&box, "echo here; exec sleep 1000");
	sandbox_start(&box);
	sandbox_wait_for_text(&box, "here");
	cr_expect_eq(sandbox_process_count(&box), 1, "the worker, and not the launcher");
	sandbox_send(&box, LAUNCH_SIGNAL, SIGKILL);
	sandbox_finish(&box);
}

Test(worker, gets_hostname_directory_environment_umask_and_limits)
{
	struct error err;

	sandbox_init(&box,
		     "hostname; pwd; env | grep -v ^PWD= | sort; umask; ulimit -n; ulimit -Hn; "
		     "ulimit -c; cat /proc/self/oom_score_adj");
	box.plan->oom_score_adj = 321;
	box.plan->umask_bits = 027;
	cr_assert_eq(plan_add_rlimit(box.plan, RLIMIT_NOFILE, 77, 88, &err), 0);
	cr_assert_eq(plan_add_rlimit(box.plan, RLIMIT_CORE, 0, 0, &err), 0);
	sandbox_run(&box);
	cr_expect_str_eq(box.text[0], "box\n/tmp\nLC_ALL=C\nPATH=/usr/bin:/bin\n0027\n77\n88\n0\n"
				      "321\n");
}

Test(worker, gets_an_oom_score_that_is_lower_than_the_launchers)
{
	sandbox_init(&box, "cat /proc/self/oom_score_adj");
	if (prctl(PR_CAPBSET_READ, CAP_SYS_RESOURCE, 0, 0, 0) != 1)
		cr_skip_test("needs CAP_SYS_RESOURCE");
	box.plan->oom_score_adj = -5;
	sandbox_run(&box);
	cr_expect_str_eq(box.text[0], "-5\n");
}

Test(worker, has_nothing_but_loopback_if_the_plan_says_so)
{
	sandbox_init(&box, "tail -n +3 /proc/self/net/dev | cut -d: -f1 | tr -d ' '; "
			   "exec bash -c 'exec 3<>/dev/tcp/127.0.0.1/9'");
	box.plan->network_none = true;
	sandbox_run(&box);
	cr_expect(strstr(box.text[0], "lo\n") != NULL, "%s", box.text[0]);
	cr_expect(strstr(box.text[0], "eth") == NULL, "%s", box.text[0]);
	cr_expect(strstr(box.text[1], "Connection refused") != NULL, "%s", box.text[1]);
}

Test(worker, runs_under_the_filter)
{
	static struct sock_filter no_uname[] = {
		{ BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, nr) },
		{ BPF_JMP | BPF_JEQ | BPF_K, 0, 1, SYS_uname },
		{ BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ERRNO | 38 },
		{ BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW },
	};
	static const struct sock_fprog filter = { ARRAY_SIZE(no_uname), no_uname };

	sandbox_init(&box, "uname -s; echo status $?");
	box.filter = &filter;
	sandbox_run(&box);
	cr_expect_str_eq(box.text[0], "status 1\n");
	cr_expect(strstr(box.text[1], "Function not implemented") != NULL, "%s", box.text[1]);
}

Test(worker, fails_to_load_a_filter_that_is_none)
{
	static struct sock_filter endless[] = { { BPF_LD | BPF_W | BPF_ABS, 0, 0, 0 } };
	static const struct sock_fprog filter = { 1, endless };

	sandbox_init(&box, "true");
	box.filter = &filter;
	sandbox_expect_failure(&box, STAGE_SECCOMP, EINVAL);
}

/* Stands for the OOM killer, which needs a memory controller: killed, and no word from the child.
 */
Test(worker, that_is_killed_before_it_executes_is_told_from_one_that_ran)
{
	static struct sock_filter no_exec[] = {
		{ BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, nr) },
		{ BPF_JMP | BPF_JEQ | BPF_K, 0, 1, SYS_execve },
		{ BPF_RET | BPF_K, 0, 0, SECCOMP_RET_KILL_PROCESS },
		{ BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW },
	};
	static const struct sock_fprog filter = { ARRAY_SIZE(no_exec), no_exec };

	sandbox_init(&box, "true");
	box.filter = &filter;
	sandbox_expect_failure(&box, STAGE_EXEC, 0);
	cr_expect(WIFSIGNALED(box.last.wait_status));
	cr_expect_eq(WTERMSIG(box.last.wait_status), SIGSYS);
	cr_expect_str_eq(box.last.text, "execute sh: killed by signal 31 before it could execute; "
					"does the seccomp filter refuse execve?");
}

Test(worker, that_ends_at_once_has_run_all_the_same)
{
	for (int i = 0; i < 20; i++) {
		sandbox_run_script(&box, "kill -9 $$");
		cr_expect_eq(box.last.wait_status, SIGKILL);
		sandbox_clear(&box);
	}
	sandbox_init(&box, NULL);
}

Test(worker, whose_command_is_in_no_directory_of_path)
{
	init_with_app("gunicorn9");
	sandbox_expect_failure(&box, STAGE_EXEC, ENOENT);
	cr_expect_str_eq(box.last.text,
			 "execute gunicorn9: it is in no directory of PATH inside the "
			 "sandbox (/app:/usr/bin)");
}

Test(worker, whose_command_does_not_exist)
{
	init_with_app("/app/server");
	sandbox_expect_failure(&box, STAGE_EXEC, ENOENT);
	cr_expect_str_eq(box.last.text,
			 "execute /app/server: it does not exist inside the sandbox");
}

Test(worker, whose_command_has_no_mode_for_it)
{
	add_program("server", "#!/bin/sh\n", 0644);
	init_with_app("server");
	sandbox_expect_failure(&box, STAGE_EXEC, EACCES);
	cr_expect_str_eq(box.last.text,
			 "execute /app/server: its mode 0644 lets nobody execute it");
}

Test(worker, whose_command_is_another_users)
{
	add_program("server", "#!/bin/sh\n", 0700);
	init_with_app("server");
	sandbox_expect_failure(&box, STAGE_EXEC, EACCES);
	cr_expect(strstr(box.last.text, "execute /app/server: uid 61234 may not; ") ==
			  box.last.text,
		  "%s", box.last.text);
}

Test(worker, whose_command_is_a_directory)
{
	init_with_app("/app");
	sandbox_expect_failure(&box, STAGE_EXEC, EACCES);
	cr_expect_str_eq(box.last.text, "execute /app: it is a directory");
}

Test(worker, whose_command_is_no_program)
{
	add_program("server", "print('hello')\n", 0755);
	init_with_app("server");
	sandbox_expect_failure(&box, STAGE_EXEC, ENOEXEC);
	cr_expect(strstr(box.last.text, "nor a script that begins with #!") != NULL, "%s",
		  box.last.text);
}

Test(worker, whose_interpreter_is_missing)
{
	add_program("server", "#!/srv/venv/bin/python3 -u\n", 0755);
	init_with_app("server");
	sandbox_expect_failure(&box, STAGE_EXEC, ENOENT);
	cr_expect_str_eq(
		box.last.text,
		"execute /app/server: its interpreter /srv/venv/bin/python3 does not exist "
		"inside the sandbox");
}

Test(worker, whose_interpreter_has_a_missing_interpreter)
{
	add_program("server", "#!/app/runner\n", 0755);
	add_program("runner", "#!/opt/python\n", 0755);
	init_with_app("server");
	sandbox_expect_failure(&box, STAGE_EXEC, ENOENT);
	cr_expect(strstr(box.last.text, "its interpreter /opt/python does not exist") != NULL, "%s",
		  box.last.text);
}

Test(worker, whose_first_line_ends_in_cr_lf)
{
	add_program("server", "#!/bin/sh\r\necho hello\r\n", 0755);
	init_with_app("server");
	sandbox_expect_failure(&box, STAGE_EXEC, ENOENT);
	cr_expect(strstr(box.last.text, "its first line ends in CR LF") != NULL, "%s",
		  box.last.text);
}

Test(worker, is_found_behind_a_file_of_the_same_name_that_may_not_be_executed)
{
	add_program("true", "", 0644);
	init_with_app("true");
	sandbox_run(&box);
	cr_expect_eq(box.last.type, LAUNCH_ENDED, "%s", box.last.text);
	cr_expect_eq(box.last.wait_status, 0);
}

Test(worker, tells_of_the_first_file_that_may_not_be_executed)
{
	struct error err;

	add_program("server", "", 0640);
	init_with_app("server");
	sandbox_add(&box, &(struct sandbox_mount){
				  .kind = MOUNT_FILE, .target = "/opt/server", .content = "" });
	cr_assert_eq(strings_env_set(&box.plan->environment, "PATH", "/tmp:/app:/opt", &err), 0);
	sandbox_expect_failure(&box, STAGE_EXEC, EACCES);
	cr_expect_str_eq(box.last.text,
			 "execute /app/server: its mode 0640 lets nobody execute it");
}

Test(worker, takes_the_first_of_its_name)
{
	add_program("true", "#!/bin/sh\necho \"mine $0\"\n", 0755);
	init_with_app("true");
	sandbox_run(&box);
	cr_expect_str_eq(box.text[0], "mine /app/true\n");
}

Test(worker, whose_directory_does_not_exist)
{
	sandbox_init(&box, "true");
	free(box.plan->directory);
	box.plan->directory = strdup("/srv/app");
	sandbox_expect_failure(&box, STAGE_DIRECTORY, ENOENT);
	cr_expect_str_eq(box.last.text, "enter directory /srv/app as uid 61234");
}

Test(worker, whose_directory_is_closed_to_it)
{
	sandbox_init(&box, "true");
	sandbox_add(&box, &(struct sandbox_mount){
				  .kind = MOUNT_DIRECTORY, .target = "/closed", .mode = 0700 });
	free(box.plan->directory);
	box.plan->directory = strdup("/closed");
	sandbox_expect_failure(&box, STAGE_DIRECTORY, EACCES);
}

Test(worker, whose_limit_the_kernel_refuses)
{
	struct error err;

	sandbox_init(&box, "true");
	cr_assert_eq(plan_add_rlimit(box.plan, RLIMIT_CORE, 0, 0, &err), 0);
	cr_assert_eq(plan_add_rlimit(box.plan, RLIMIT_NOFILE, 1, 1ULL << 40, &err), 0);
	sandbox_expect_failure(&box, STAGE_LIMITS, EPERM);
	cr_expect(strstr(box.last.text, "RLIMIT_NOFILE") != NULL, "%s", box.last.text);
}

Test(worker, cannot_reach_its_init)
{
	sandbox_run_script(&box, "kill -KILL 1; kill -TERM 1; cat /proc/1/environ; ls /proc/1/fd; "
				 "echo still here");
	cr_expect_str_eq(box.text[0], "still here\n");
	cr_expect(strstr(box.text[1], "Operation not permitted") != NULL, "%s", box.text[1]);
}
