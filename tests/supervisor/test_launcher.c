/* SPDX-License-Identifier: MIT */
/* The supervisor's end of a real launcher that outlives it. What launchers do is tested in
 * tests/sandbox. */
#include "policy/own.h"
#include "supervisor/cgroup.h"
#include "supervisor/file.h"
#include "supervisor/host_view.h"
#include "supervisor/launcher.h"
#include "tests/last_mount.h"
#include "tests/supervisor/cgroup_fixture.h"
#include "tests/supervisor/program.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define PATIENCE_MSEC 20000

static int root = -1, leaf = -1, init = -1, image = -1, filter = -1;
static char name[64], path[64];
static struct launcher launcher = { .pidfd = -1, .socket = -1 };
static struct launcher_event event;
static const struct launcher_slots *slots;
static const char *missing; /* the plan asks for it; NULL: for nothing that isn't there */
static struct host_view view = { .namespace_fd = -1, .mounts_fd = -1 };

static void find_what_is_needed(void)
{
	static const struct sock_filter allow = { BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW };
	_cleanup_close_ int dir = -1;
	char program[PROGRAM_PATH_MAX];
	struct error err;

	if (!cgroup_fixture_open(&root))
		cr_skip_test("needs root and a mounted cgroup v2");
	cr_assert(program_find("pysbx-launch", program), "pysbx-launch is not built: make all");
	snprintf(name, sizeof(name), "pysbx-launcher-test-%d", (int)getpid());
	snprintf(path, sizeof(path), "/tmp/pysbx-launcher-test-%d.sock", (int)getpid());
	cr_assert_eq(cgroup_make(root, name, &dir, &err), 0, "%s", err.text);
	cr_assert_eq(cgroup_make(dir, "init", &init, &err), 0);
	cr_assert_eq(cgroup_make(dir, "0", &leaf, &err), 0);
	cr_assert_eq(launcher_image(program, &image, &err), 0, "%s", err.text);
	cr_assert_eq(file_sealed_memfd("filter", (const char *)&allow, sizeof(allow), false,
				       &filter, &err),
		     0);
}

static void leave_nothing(void)
{
	struct error err;

	launcher_kill(&launcher);
	launcher_close(&launcher);
	if (name[0] != '\0')
		cr_assert_eq(cgroup_destroy(root, name, 5000, &err), 0, "%s", err.text);
	(void)unlink(path);
}

TestSuite(launcher, .init = find_what_is_needed, .fini = leave_nothing, .timeout = 30);

static struct plan *make_plan(const char *script)
{
	static const struct mount_step steps[] = {
		{ .kind = MOUNT_BIND,
		  .source = (char *)"/usr",
		  .target = (char *)"/usr",
		  .flags = MOUNT_READ_ONLY },
		{ .kind = MOUNT_SYMLINK, .source = (char *)"usr/lib", .target = (char *)"/lib" },
		{ .kind = MOUNT_SYMLINK,
		  .source = (char *)"usr/lib64",
		  .target = (char *)"/lib64" },
		{ .kind = MOUNT_PROC, .target = (char *)"/proc" },
		{ .kind = MOUNT_DEVICE,
		  .source = (char *)"/dev/null",
		  .target = (char *)"/dev/null" },
	};
	struct plan *plan = plan_new();
	struct error err;

	plan->app = strdup("test");
	plan->hostname = strdup("test");
	plan->directory = strdup("/usr");
	plan->uid = plan->gid = 61234;
	plan->stop_signal = SIGTERM;
	plan->stop_grace_usec = 30000000;
	plan->keep = true;
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++)
		cr_assert_eq(plan_add_mount(plan, &steps[i], &err), 0, "%s", err.text);
	strings_append(&plan->argv, "/usr/bin/sh", &err);
	strings_append(&plan->argv, "-c", &err);
	strings_append(&plan->argv, script, &err);
	return plan;
}

static void spawn(const char *script)
{
	_cleanup_plan_ struct plan *plan = make_plan(script);
	const struct launcher_start start = {
		.plan = plan,
		.image_fd = image,
		.filter_fd = filter,
		.init_cgroup_fd = init,
		.leaf_cgroup_fd = leaf,
		.view_fd = view.namespace_fd,
		.slots = slots,
		.keeper_path = path,
	};
	struct error err;

	plan->host_view = view.namespace_fd >= 0;
	if (missing != NULL)
		cr_assert_eq(plan_add_mount(plan,
					    &(struct mount_step){ .kind = MOUNT_BIND,
								  .source = (char *)missing,
								  .target = (char *)missing },
					    &err),
			     0, "%s", err.text);
	cr_assert_eq(launcher_spawn(&start, &launcher, &err), 0, "%s", err.text);
}

static void close_event(void)
{
	close_and_clear(&event.fds[0]);
	close_and_clear(&event.fds[1]);
}

/* Leaves the first event of this type in `event`; what comes before it is dropped. */
static void wait_for(enum launch_message_type type)
{
	struct pollfd poller = { .fd = launcher.socket, .events = POLLIN };
	struct error err;
	int r;

	for (;;) {
		cr_assert_eq(poll(&poller, 1, PATIENCE_MSEC), 1, "nothing is said");
		r = launcher_receive(&launcher, &event, &err);
		cr_assert_eq(r, 0, "%d: %s", r, r < 0 ? err.text : "hung up");
		if (event.message.type == type)
			return;
		cr_assert_neq(event.message.type, LAUNCH_FAILED, "%s", event.message.text);
		close_event();
	}
}

static bool ends_in_time(int pidfd)
{
	struct pollfd poller = { .fd = pidfd, .events = POLLIN };

	return poll(&poller, 1, PATIENCE_MSEC) == 1;
}

/* Spawns in a process that ends then, as a supervisor does: the launcher is no child of ours. */
static void spawn_in_another_supervisor(const char *script)
{
	int status;
	pid_t child = fork();

	if (child == 0) {
		spawn(script);
		wait_for(LAUNCH_RUNNING);
		_exit(0);
	}
	waitpid(child, &status, 0);
	cr_assert_eq(status, 0);
}

static void adopt(void)
{
	struct error err;

	cr_assert_eq(launcher_adopt(path, &launcher, &err), 0, "%s", err.text);
	cr_expect(launcher.pid == 0 && launcher.pidfd < 0);
}

/* With a file system of its own, which a worker must not see, nor hold. */
static void enter_own_mounts(const char *place)
{
	cr_assert_eq(unshare(CLONE_NEWNS), 0);
	cr_assert_eq(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	cr_assert_eq(mkdir(place, 0700), 0);
	cr_assert_eq(mount("test", place, "tmpfs", 0, NULL), 0);
}

static void try_a_view(bool with_view)
{
	char place[] = "/tmp/pysbx-launcher-test.XXXXXX", listed[64];
	struct stat file;
	struct error err;

	cr_assert(mkdtemp(place) != NULL && rmdir(place) == 0);
	enter_own_mounts(place);
	if (with_view)
		cr_assert_eq(host_view_open(&view, &err), 0, "%s", err.text);
	spawn("test ! -e /host && test -e /usr/bin && cd / && cd .. && test -e usr && exec sleep "
	      "1000");
	wait_for(LAUNCH_RUNNING);
	close_event();
	/* beside /, which is a file system of its own, there is what the plan has */
	snprintf(listed, sizeof(listed), "/proc/%d/root/etc", (int)launcher.pid);
	cr_expect(stat(listed, &file) < 0 && errno == ENOENT, "%s", listed);
	usleep(300000);
	cr_expect_eq(kill(launcher.pid, 0), 0, "what it looked at is wrong");
	host_view_close(&view);
	cr_expect(last_mount_goes(place, 2000), "the sandbox holds a file system of the host");
	(void)rmdir(place);
}

Test(launcher, leaves_nothing_of_the_host_in_a_sandbox)
{
	try_a_view(false);
}

Test(launcher, leaves_nothing_of_the_host_in_a_sandbox_that_begins_in_a_view)
{
	try_a_view(true);
}

/* Of one that has failed at `stage`, and keeps that for a supervisor that may come late. */
static void expect_nothing_held(bool with_view, enum launch_stage stage)
{
	char place[] = "/tmp/pysbx-launcher-test.XXXXXX";
	_cleanup_close_ int cut = -1;
	int whole = filter;
	struct error err;

	cr_assert(mkdtemp(place) != NULL && rmdir(place) == 0);
	enter_own_mounts(place);
	cr_assert_eq(file_sealed_memfd("filter", "1234567", 7, false, &cut, &err), 0);
	if (with_view)
		cr_assert_eq(host_view_open(&view, &err), 0, "%s", err.text);
	if (stage == STAGE_PLAN)
		filter = cut;
	else
		missing = "/nothing/there";
	spawn("true");
	filter = whole;
	missing = NULL;
	wait_for(LAUNCH_FAILED);
	cr_expect_eq(event.message.stage, stage);
	close_event();
	cr_expect_eq(kill(launcher.pid, 0), 0, "it keeps its failure");
	host_view_close(&view);
	cr_expect(last_mount_goes(place, 2000),
		  "a failed launcher holds a file system of the host");
	(void)rmdir(place);
}

Test(launcher, that_has_failed_early_holds_nothing_of_the_host)
{
	expect_nothing_held(false, STAGE_PLAN);
}

Test(launcher, that_has_failed_late_holds_nothing_of_the_host)
{
	expect_nothing_held(false, STAGE_ROOT);
}

Test(launcher, that_has_failed_early_in_a_view_holds_nothing_of_the_host)
{
	expect_nothing_held(true, STAGE_PLAN);
}

Test(launcher, that_has_failed_late_in_a_view_holds_nothing_of_the_host)
{
	expect_nothing_held(true, STAGE_ROOT);
}

/* The numbers that a process has open, as it sees them itself. */
Test(launcher, gives_its_few_descriptors_to_one_of_a_supervisor_that_has_many)
{
	struct launcher_slots few;
	char listed[64];
	int many[300];
	struct error err;

	cr_assert_eq(launcher_slots_open(&few, &err), 0, "%s", err.text);
	for (size_t i = 0; i < ARRAY_SIZE(many); i++)
		many[i] = fcntl(few.null_fd, F_DUPFD_CLOEXEC, 3);
	slots = &few;
	spawn("exec sleep 1000");
	wait_for(LAUNCH_RUNNING);
	/* ours are as they were: nothing of the launcher's is held open here */
	for (size_t i = 0; i < LAUNCHER_SLOTS; i++)
		cr_expect_eq(lseek(few.fds[i], 0, SEEK_CUR), 0, "slot %zu is no /dev/null", i);
	for (size_t i = 0; i < ARRAY_SIZE(many); i++) {
		snprintf(listed, sizeof(listed), "/proc/%d/fd/%d", (int)launcher.pid, many[i]);
		if (many[i] > 64)
			cr_expect_lt(faccessat(AT_FDCWD, listed, F_OK, AT_SYMLINK_NOFOLLOW), 0,
				     "%s", listed);
		cr_expect_geq(fcntl(many[i], F_GETFD), 0);
		close(many[i]);
	}
	close_event();
	launcher_slots_close(&few);
	slots = NULL;
}

/* The lowest number that is free is then the first that the launcher would give away. */
Test(launcher, gives_no_number_of_a_standard_stream_that_is_closed_to_another_file)
{
	char said[16] = "";
	int kept[2] = { dup(STDOUT_FILENO), dup(STDERR_FILENO) };

	close(STDOUT_FILENO);
	close(STDERR_FILENO);
	spawn("echo out; exec sleep 1000");
	dup2(kept[0], STDOUT_FILENO);
	dup2(kept[1], STDERR_FILENO);
	wait_for(LAUNCH_PIPES);
	for (int tries = 0; tries < 1000 && read(event.fds[0], said, sizeof(said) - 1) < 0; tries++)
		usleep(10000);
	cr_expect_str_eq(said, "out\n");
	close_event();
	wait_for(LAUNCH_RUNNING);
	close_event();
	close(kept[0]);
	close(kept[1]);
}

Test(launcher, adopts_one_that_it_has_not_started)
{
	struct error err;
	int status;

	spawn_in_another_supervisor("sleep 1000");
	adopt();
	wait_for(LAUNCH_RUNNING);
	launcher_take_pidfd(&launcher, &event);
	cr_expect(event.fds[1] == -1 && launcher.pidfd >= 0);
	cr_expect(launcher.pid > 1 && kill(launcher.pid, 0) == 0);
	close_event();
	cr_expect_not(launcher_reap(&launcher, &status), "it lives");
	cr_assert_eq(launcher_send(&launcher, LAUNCH_STOP, 0, &err), 0);
	wait_for(LAUNCH_ENDED);
	cr_expect_eq(event.message.wait_status, SIGTERM);
	cr_assert_eq(launcher_send(&launcher, LAUNCH_COLLECTED, 0, &err), 0);
	cr_assert(ends_in_time(launcher.pidfd));
	cr_expect(launcher_reap(&launcher, &status) && status == 0);
}

Test(launcher, reads_what_was_spooled)
{
	_cleanup_free_ char *out = NULL, *err_out = NULL;
	size_t out_length, err_length;
	struct error err;

	spawn_in_another_supervisor("sleep 0.5; echo out; echo err >&2; sleep 1000");
	usleep(1500000);
	adopt();
	wait_for(LAUNCH_SPOOL);
	cr_assert_eq(launcher_read_spool(&event, 0, &out, &out_length, &err), 0, "%s", err.text);
	cr_assert_eq(launcher_read_spool(&event, 1, &err_out, &err_length, &err), 0);
	cr_expect(out_length == 4 && err_length == 4);
	cr_expect_str_eq(out, "out\n");
	cr_expect_str_eq(err_out, "err\n");
	close_event();
	wait_for(LAUNCH_RUNNING);
	launcher_take_pidfd(&launcher, &event);
	close_event();
}

Test(launcher, keeps_the_pidfd_of_its_own_child)
{
	int pidfd;

	spawn("sleep 1000");
	pidfd = launcher.pidfd;
	wait_for(LAUNCH_RUNNING);
	launcher_take_pidfd(&launcher, &event);
	cr_expect_eq(launcher.pidfd, pidfd);
	cr_expect_geq(event.fds[1], 0);
	close_event();
}

Test(launcher, knows_a_dead_one)
{
	struct launcher dead = { .pid = 7, .pidfd = -1, .socket = -1 };
	struct error err;

	spawn("sleep 1000");
	wait_for(LAUNCH_RUNNING);
	close_event();
	launcher_kill(&launcher);
	cr_expect_lt(launcher_adopt(path, &dead, &err), 0);
	cr_expect_eq(err.kind, ERROR_NOT_FOUND);
	cr_expect(dead.pid == 7 && dead.socket == -1);
}

/* A ring of `length` bytes at `start`, holding the alphabet over and over from its first byte on.
 */
static int make_ring(uint32_t start, uint32_t length)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	for (uint32_t i = 0; i < length; i++) {
		char letter = (char)('a' + i % 26);

		cr_assert_eq(pwrite(fd, &letter, 1, (start + i) % LAUNCH_RING_BYTES), 1);
	}
	return fd;
}

Test(launcher, reads_a_ring_that_goes_on_at_its_beginning)
{
	struct launcher_event told = { .fds = { make_ring(LAUNCH_RING_BYTES - 3, 30), -1 } };
	_cleanup_free_ char *text = NULL;
	struct error err;
	size_t length;

	told.message.spool[0] =
		(struct launch_spool){ .start = LAUNCH_RING_BYTES - 3, .length = 30 };
	cr_assert_eq(launcher_read_spool(&told, 0, &text, &length, &err), 0, "%s", err.text);
	cr_expect_eq(length, 30);
	cr_expect_str_eq(text, "abcdefghijklmnopqrstuvwxyzabcd");
	close(told.fds[0]);
}

Test(launcher, refuses_a_ring_that_is_shorter_than_was_told)
{
	struct launcher_event told = { .fds = { make_ring(0, 10), -1 } };
	char *text = NULL;
	struct error err;
	size_t length = 77;

	told.message.spool[0].length = 11;
	cr_expect_eq(launcher_read_spool(&told, 0, &text, &length, &err), -EIO);
	cr_expect(text == NULL && length == 77);
	close(told.fds[0]);
}
