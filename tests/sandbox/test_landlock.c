/* SPDX-License-Identifier: MIT */
/* The second wall: what it refuses where the mounts would not, and that it is in nobody's way. */
#include "policy/own.h"
#include "tests/sandbox/harness.h"

#include <criterion/criterion.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>

static struct sandbox box;
static char host[64];

static unsigned kernel_abi(void)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, 1);

	return abi > 0 ? (unsigned)abi : 0;
}

static void set_up(void)
{
	sandbox_require();
	strcpy(host, "/tmp/pysbx-landlock-XXXXXX");
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

TestSuite(landlock, .init = set_up, .fini = tear_down);

static void require_abi(unsigned abi)
{
	if (kernel_abi() < abi)
		cr_skip_test("this kernel's Landlock is older than ABI %u", abi);
}

/* A sandbox in which the host's directory is mounted on /data, writable and executable: what is
 * refused there, Landlock refuses. */
static void init_with_data(const char *script, uint32_t access)
{
	static const struct plan_rule rules[] = {
		{ (char *)"/usr", ACCESS_LIST | ACCESS_READ | ACCESS_EXECUTE },
		{ (char *)"/dev", ACCESS_LIST | ACCESS_READ | ACCESS_WRITE },
		{ (char *)"/proc", ACCESS_LIST | ACCESS_READ | ACCESS_WRITE },
	};
	struct error err;

	cr_assert_eq(chown(host, SANDBOX_UID, SANDBOX_GID), 0);
	sandbox_init(&box, script);
	sandbox_add(&box, &(struct sandbox_mount){
				  .kind = MOUNT_BIND, .source = host, .target = "/data" });
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
		cr_assert_eq(plan_add_rule(box.plan, rules[i].path, rules[i].access, &err), 0);
	if (access != 0)
		cr_assert_eq(plan_add_rule(box.plan, "/data", access, &err), 0);
}

static void host_program(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", host, name);
	FILE *file = fopen(path, "we");
	cr_assert(file != NULL && fputs("#!/bin/sh\necho it runs\n", file) >= 0);
	fclose(file);
	cr_assert_eq(chmod(path, 0755), 0);
}

Test(landlock, refuses_a_write_that_the_mount_would_allow)
{
	require_abi(2);
	init_with_data(
		"cd /data; cat program >/dev/null && echo read; echo x >new; echo x >program; "
		"mkdir d; mv program q; rm program; ln -s a b",
		ACCESS_LIST | ACCESS_READ);
	host_program("program");
	sandbox_run(&box);
	cr_expect_str_eq(box.text[0], "read\n");
	cr_expect_str_eq(box.text[1],
			 "sh: 1: cannot create new: Permission denied\n"
			 "sh: 1: cannot create program: Permission denied\n"
			 "mkdir: cannot create directory 'd': Permission denied\n"
			 "mv: cannot move 'program' to 'q': Permission denied\n"
			 "rm: cannot remove 'program': Permission denied\n"
			 "ln: failed to create symbolic link 'b': Permission denied\n");
	cr_expect_eq(box.running.landlock_abi, kernel_abi());
	cr_expect_eq(box.running.landlock_errnum, 0);
}

Test(landlock, refuses_a_look_at_what_has_no_rule)
{
	require_abi(2);
	init_with_data("ls /data; cat /data/program; cat /etc/passwd; ls /", 0);
	host_program("program");
	sandbox_run(&box);
	cr_expect_str_eq(box.text[0], "");
	cr_expect_str_eq(box.text[1], "ls: cannot open directory '/data': Permission denied\n"
				      "cat: /data/program: Permission denied\n"
				      "cat: /etc/passwd: Permission denied\n"
				      "ls: cannot open directory '/': Permission denied\n");
}

Test(landlock, refuses_to_execute_where_files_may_be_written)
{
	require_abi(2);
	init_with_data("cd /data; ./program; cp program copy && echo copied; ./copy",
		       ACCESS_LIST | ACCESS_READ | ACCESS_WRITE | ACCESS_CHANGE);
	host_program("program");
	sandbox_run(&box);
	cr_expect_str_eq(box.text[0], "copied\n");
	cr_expect_str_eq(box.text[1], "sh: 1: ./program: Permission denied\n"
				      "sh: 1: ./copy: Permission denied\n");
}

Test(landlock, refuses_to_make_the_truncation_a_way_round)
{
	require_abi(3);
	init_with_data("truncate -s 0 /data/program; stat -c %s /data/program",
		       ACCESS_LIST | ACCESS_READ);
	host_program("program");
	sandbox_run(&box);
	cr_expect_str_eq(box.text[0], "23\n");
}

Test(landlock, is_in_no_ones_way_with_the_rules_of_the_mounts)
{
	require_abi(2);
	sandbox_init(&box, "cd /data; mkdir a b; echo x >a/file; mv a/file b/other; cat b/other\n"
			   "./program; truncate -s 1 b/other; rm -r a b; echo y >/dev/null\n"
			   "echo z >/dev/stdout; cat /etc/passwd; ls /; echo t >/tmp/t; ls /tmp\n"
			   "echo 5 >/proc/self/oom_score_adj && cat /proc/self/oom_score_adj");
	cr_assert_eq(chown(host, SANDBOX_UID, SANDBOX_GID), 0);
	host_program("program");
	sandbox_add(&box, &(struct sandbox_mount){
				  .kind = MOUNT_BIND, .source = host, .target = "/data" });
	sandbox_run(&box);
	cr_expect_str_eq(box.text[0], "x\nit runs\nz\napp:x:61234:61235::/tmp:/bin/sh\n"
				      "bin\ndata\ndev\netc\nlib\nlib64\nproc\ntmp\nusr\nt\n5\n");
	cr_expect_str_eq(box.text[1], "");
	cr_expect_eq(box.running.landlock_abi, kernel_abi());
}

Test(landlock, takes_a_file_for_what_a_file_can_be)
{
	char path[128];

	require_abi(2);
	host_program("program");
	snprintf(path, sizeof(path), "%s/program", host);
	cr_assert_eq(chmod(path, 0777), 0);
	sandbox_init(&box, "/srv/program; echo 'echo now this' >/srv/program; sh /srv/program");
	sandbox_add(&box, &(struct sandbox_mount){
				  .kind = MOUNT_BIND, .source = path, .target = "/srv/program" });
	sandbox_run(&box);
	cr_expect_str_eq(box.text[0], "it runs\nnow this\n");
	cr_expect_str_eq(box.text[1], "");
}

Test(landlock, lets_terminals_be_used)
{
	require_abi(2);
	sandbox_init(&box, "script -qec 'stty size; tty' /dev/null </dev/null");
	sandbox_add(&box, &(struct sandbox_mount){ .kind = MOUNT_SYMLINK,
						   .source = "pts/ptmx",
						   .target = "/dev/ptmx" });
	sandbox_run(&box);
	cr_expect(strstr(box.text[0], "0 0\r\n/dev/pts/0\r\n") != NULL, "%s%s", box.text[0],
		  box.text[1]);
}

/* A listener of the host on the abstract name "pysbx-test-PID". */
static int listen_abstract(char *name, size_t size)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int length = snprintf(name, size, "pysbx-test-%d", getpid());

	memcpy(address.sun_path + 1, name, (size_t)length);
	cr_assert_eq(
		bind(fd, (struct sockaddr *)&address,
		     (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1) + (socklen_t)length),
		0);
	cr_assert_eq(listen(fd, 1), 0);
	return fd;
}

static const char connect_script[] =
	"python3 -c 'import socket\n"
	"own = socket.socket(socket.AF_UNIX); own.bind(\"\\0own\"); own.listen()\n"
	"for name in \"own\", \"%s\":\n"
	"    try:\n"
	"        socket.socket(socket.AF_UNIX).connect(\"\\0\" + name); print(\"connected\")\n"
	"    except OSError as error: print(error.strerror)'";

Test(landlock, keeps_the_hosts_abstract_sockets_out_of_reach)
{
	char name[32], script[1024];
	_cleanup_close_ int fd = listen_abstract(name, sizeof(name));

	require_abi(6);
	snprintf(script, sizeof(script), connect_script, name);
	sandbox_run_script(&box, script);
	cr_expect_str_eq(box.text[0], "connected\nOperation not permitted\n", "%s%s", box.text[0],
			 box.text[1]);
}

/* --- kernels without it -----------------------------------------------------------------------*/

/* From here on landlock_create_ruleset() answers with this errno to us and to whom we start. */
static void take_landlock_away(unsigned errnum)
{
	struct sock_filter steps[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_landlock_create_ruleset, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | errnum),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = { ARRAY_SIZE(steps), steps };

	cr_assert_eq(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program), 0);
}

Test(landlock, is_gone_without_where_the_kernel_has_none)
{
	take_landlock_away(EOPNOTSUPP);
	sandbox_run_script(&box, "echo runs");
	cr_expect_str_eq(box.text[0], "runs\n");
	cr_expect_eq(box.running.landlock_abi, 0);
	cr_expect_eq(box.running.landlock_errnum, EOPNOTSUPP);
}

Test(landlock, fails_the_start_where_it_is_required_and_missing)
{
	take_landlock_away(ENOSYS);
	init_with_data("echo runs", ACCESS_READ);
	box.plan->landlock.required_abi = PLAN_LANDLOCK_ABI_FILES;
	sandbox_expect_failure(&box, STAGE_LANDLOCK, ENOSYS);
	cr_expect(strstr(box.last.text, "isolation.require asks for Landlock") == box.last.text,
		  "%s", box.last.text);
}

Test(landlock, fails_on_a_rule_that_passes_through_a_symbolic_link)
{
	struct error err;

	require_abi(2);
	sandbox_init(&box, "true");
	cr_assert_eq(plan_add_rule(box.plan, "/bin", ACCESS_READ, &err), 0);
	sandbox_expect_failure(&box, STAGE_LANDLOCK, ELOOP);
	cr_expect(strstr(box.last.text, "rule for /bin: ") == box.last.text, "%s", box.last.text);
}
