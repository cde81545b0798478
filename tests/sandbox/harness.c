/* SPDX-License-Identifier: MIT */
#include "tests/sandbox/harness.h"

#include "policy/own.h"
#include "policy/plan_landlock.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>

#define PATIENCE_MSEC 60000 /* the guest is emulated */

/* From where the test binary is. A sanitizer cannot be linked into a static program: the asan build
 * of the tests uses the plain one of the launcher. */
static const char *const launcher_places[] = { "../pysbx-launch", "../../pysbx-launch" };

static int open_launcher(void)
{
	const char *said = getenv("PYSBX_LAUNCH");
	char self[3000], path[4096];
	ssize_t n;

	if (said != NULL)
		return open(said, O_RDONLY | O_CLOEXEC);
	n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (n < 0)
		return -1;
	self[n] = '\0';
	*strrchr(self, '/') = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(launcher_places); i++) {
		int fd;

		snprintf(path, sizeof(path), "%s/%s", self, launcher_places[i]);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd >= 0)
			return fd;
	}
	return open(PYSBX_LIBEXECDIR "/pysbx-launch", O_RDONLY | O_CLOEXEC);
}

static bool find_cgroup2(char *ret, size_t size)
{
	_cleanup_fclose_ FILE *file = fopen("/proc/self/mountinfo", "re");
	char line[1024], where[256], type[64];

	while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
		const char *dash = strstr(line, " - ");

		if (dash != NULL && sscanf(dash, " - %63s", type) == 1 &&
		    strcmp(type, "cgroup2") == 0 &&
		    sscanf(line, "%*s %*s %*s %*s %255s", where) == 1) {
			snprintf(ret, size, "%s", where);
			return true;
		}
	}
	return false;
}

const char *sandbox_hierarchy(void)
{
	static char root[128];

	cr_assert(find_cgroup2(root, sizeof(root)));
	return root;
}

void sandbox_require(void)
{
	char path[256];
	pid_t child;
	int status = 0, fd;

	if (geteuid() != 0)
		cr_skip_test("needs root");
	if (!find_cgroup2(path, sizeof(path)))
		cr_skip_test("no cgroup v2 is mounted");
	fd = open_launcher();
	cr_assert(fd >= 0, "pysbx-launch is not built: make all, or set PYSBX_LAUNCH");
	close(fd);
	child = fork();
	if (child == 0)
		_exit(unshare(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS) == 0 ? 0
											     : 1);
	waitpid(child, &status, 0);
	if (status != 0)
		cr_skip_test("namespaces are not permitted here");
}

/* --- the plan ---------------------------------------------------------------------------------*/

void sandbox_add(struct sandbox *sandbox, const struct sandbox_mount *mount)
{
	/* the plan copies what it is given */
	const struct mount_step step = {
		mount->kind, (char *)mount->source, (char *)mount->target, (char *)mount->content,
		mount->size, mount->mode,	    mount->flags,
	};
	struct error err;

	cr_assert_eq(plan_add_mount(sandbox->plan, &step, &err), 0, "%s", err.text);
}

void sandbox_set_argv(struct sandbox *sandbox, const char *const *argv)
{
	struct error err;

	strings_clear(&sandbox->plan->argv);
	for (; *argv != NULL; argv++)
		cr_assert_eq(strings_append(&sandbox->plan->argv, *argv, &err), 0);
}

static void add_basics(struct sandbox *sandbox)
{
	static const struct sandbox_mount steps[] = {
		{ .kind = MOUNT_BIND,
		  .source = "/usr",
		  .target = "/usr",
		  .flags = MOUNT_READ_ONLY },
		{ .kind = MOUNT_SYMLINK, .source = "usr/bin", .target = "/bin" },
		{ .kind = MOUNT_SYMLINK, .source = "usr/lib", .target = "/lib" },
		{ .kind = MOUNT_SYMLINK, .source = "usr/lib64", .target = "/lib64" },
		{ .kind = MOUNT_PROC, .target = "/proc" },
		{ .kind = MOUNT_TMPFS, .target = "/tmp", .size = 1 << 20, .mode = 01777 },
		{ .kind = MOUNT_DEVICE, .source = "/dev/null", .target = "/dev/null" },
		{ .kind = MOUNT_DEVICE, .source = "/dev/zero", .target = "/dev/zero" },
		{ .kind = MOUNT_SYMLINK, .source = "/proc/self/fd", .target = "/dev/fd" },
		{ .kind = MOUNT_SYMLINK, .source = "/proc/self/fd/1", .target = "/dev/stdout" },
		{ .kind = MOUNT_DEVPTS, .target = "/dev/pts" },
		{ .kind = MOUNT_FILE,
		  .target = "/etc/passwd",
		  .content = "app:x:61234:61235::/tmp:/bin/sh\n" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(steps); i++)
		sandbox_add(sandbox, &steps[i]);
}

void sandbox_init(struct sandbox *sandbox, const char *script)
{
	struct plan *plan = plan_new();
	struct error err;

	memset(sandbox, 0, sizeof(*sandbox));
	sandbox->socket = sandbox->output[0] = sandbox->output[1] = sandbox->worker_pidfd = -1;
	sandbox->cgroup = sandbox->own_pidfd = -1;
	sandbox->plan = plan;
	cr_assert(plan != NULL);
	plan->app = strdup("test");
	plan->hostname = strdup("box");
	plan->directory = strdup("/tmp");
	plan->uid = SANDBOX_UID;
	plan->gid = SANDBOX_GID;
	plan->groups[0] = SANDBOX_GROUP;
	plan->group_count = 1;
	plan->stop_signal = SIGTERM;
	plan->stop_grace_usec = 30000000;
	plan->end_with_supervisor = true;
	plan->umask_bits = 022;
	strings_append(&plan->environment, "PATH=/usr/bin:/bin", &err);
	strings_append(&plan->environment, "LC_ALL=C", &err);
	if (script != NULL)
		sandbox_set_argv(sandbox, (const char *const[]){ "sh", "-c", script, NULL });
	add_basics(sandbox);
}

void sandbox_clear(struct sandbox *sandbox)
{
	/* a test that failed half-way leaves its launcher behind; its end ends all in it */
	if (sandbox->launcher > 0) {
		kill(sandbox->launcher, SIGKILL);
		waitpid(sandbox->launcher, NULL, 0);
	}
	plan_free(sandbox->plan);
	for (int i = 0; i < 2; i++)
		close_and_clear(&sandbox->output[i]);
	close_and_clear(&sandbox->worker_pidfd);
	close_and_clear(&sandbox->own_pidfd);
	close_and_clear(&sandbox->socket);
	close_and_clear(&sandbox->cgroup);
	for (int i = 0; i < 2; i++)
		free(TAKE_PTR(sandbox->spooled[i]));
	if (sandbox->keeper_path[0] != '\0')
		unlink(sandbox->keeper_path);
	if (sandbox->cgroup_path[0] != '\0')
		rmdir(sandbox->cgroup_path);
}

/* --- the start --------------------------------------------------------------------------------*/

static int sealed_memfd(const void *data, size_t size, bool sealed)
{
	const int seals = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
	int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	cr_assert(fd >= 0);
	cr_assert_eq(write(fd, data, size), (ssize_t)size);
	if (sealed)
		cr_assert_eq(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

static int make_cgroup(struct sandbox *sandbox)
{
	static unsigned number;

	snprintf(sandbox->cgroup_path, sizeof(sandbox->cgroup_path), "%s/pysbx-test-%d-%u",
		 sandbox_hierarchy(), getpid(), number++);
	cr_assert_eq(mkdir(sandbox->cgroup_path, 0755), 0, "%s: %s", sandbox->cgroup_path,
		     strerror(errno));
	return open(sandbox->cgroup_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int encode_plan(const struct sandbox *sandbox)
{
	const struct app_spec spec = { 0 };
	_cleanup_bytes_ struct bytes plan = { 0 };
	struct error err;

	if (!sandbox->no_landlock && sandbox->plan->landlock.rule_count == 0)
		cr_assert_eq(plan_landlock_add(&spec, sandbox->plan, &err), 0, "%s", err.text);

	if (sandbox->plan_text != NULL)
		return sealed_memfd(sandbox->plan_text, strlen(sandbox->plan_text), true);
	cr_assert_eq(plan_encode(sandbox->plan, &plan, &err), 0, "%s", err.text);
	return sealed_memfd(bytes_front(&plan), plan.length, !sandbox->unsealed);
}

#define FD_COUNT (LAUNCH_FD_FIRST_FREE - LAUNCH_FD_SOCKET)

/* In the child: puts the fds where the launcher looks for them. Sources are above 100, so that none
 * is overwritten before it is copied. */
__attribute__((noreturn)) static void become_launcher(int program, const int *fds)
{
	static const char *const argv[] = { "pysbx-launch", "test", NULL };
	static const char *const environment[] = { NULL };

	for (int i = 0; i < FD_COUNT; i++)
		if (fds[i] >= 0)
			dup2(fds[i], LAUNCH_FD_SOCKET + i);
	syscall(SYS_execveat, program, "", argv, environment, AT_EMPTY_PATH);
	_exit(99);
}

static int high(int fd)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 100);

	cr_assert(copy >= 100);
	close(fd);
	return copy;
}

static struct sockaddr_un keeper_address(const struct sandbox *sandbox)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", sandbox->keeper_path);
	return address;
}

/* Open to all, so that it is the launcher who refuses. */
static int listen_for_launcher(struct sandbox *sandbox)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	struct sockaddr_un address;

	snprintf(sandbox->keeper_path, sizeof(sandbox->keeper_path), "/tmp/pysbx-test-%d.sock",
		 getpid());
	unlink(sandbox->keeper_path);
	address = keeper_address(sandbox);
	cr_assert_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	cr_assert_eq(chmod(sandbox->keeper_path, 0666), 0);
	cr_assert_eq(listen(fd, 4), 0);
	return fd;
}

static void send_listeners(const struct sandbox *sandbox)
{
	struct launch_message message = { .version = LAUNCH_MESSAGE_VERSION,
					  .type = LAUNCH_LISTENERS };
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(LISTEN_MAX * sizeof(int))];
	} control = { 0 };
	const size_t size = sandbox->listener_count * sizeof(int);
	struct iovec part = { &message, sizeof(message) };
	struct msghdr packet = { .msg_iov = &part,
				 .msg_iovlen = 1,
				 .msg_control = control.space,
				 .msg_controllen = CMSG_SPACE(size) };

	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_RIGHTS;
	control.header.cmsg_len = CMSG_LEN(size);
	memcpy(CMSG_DATA(&control.header), sandbox->listeners, size);
	cr_assert_eq(sendmsg(sandbox->socket, &packet, 0), (ssize_t)sizeof(message));
}

static void spawn(struct sandbox *sandbox)
{
	static struct sock_filter allow[] = { { BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW } };
	static const struct sock_fprog allow_all = { 1, allow };
	const struct sock_fprog *filter = sandbox->filter != NULL ? sandbox->filter : &allow_all;
	struct clone_args args = {
		.flags = CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS |
			 (sandbox->plan->network_none ? CLONE_NEWNET : 0),
		.exit_signal = SIGCHLD,
	};
	int pair[2], fds[FD_COUNT], program;

	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	sandbox->socket = pair[0];
	fds[0] = high(pair[1]);
	fds[1] = high(encode_plan(sandbox));
	fds[2] = high(sealed_memfd(filter->filter, filter->len * sizeof(struct sock_filter), true));
	sandbox->cgroup = make_cgroup(sandbox);
	fds[3] = high(dup(sandbox->cgroup));
	fds[4] = sandbox->plan->keep && !sandbox->no_listener ? high(listen_for_launcher(sandbox))
							      : -1;
	program = high(open_launcher());
	if (sandbox->listener_count > 0)
		send_listeners(sandbox);

	sandbox->launcher = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	if (sandbox->launcher == 0)
		become_launcher(program, fds);
	cr_assert(sandbox->launcher > 0, "clone3: %s", strerror(errno));
	for (int i = 0; i < FD_COUNT; i++)
		close_and_clear(&fds[i]);
	close(program);
}

/* --- the supervisor's part --------------------------------------------------------------------*/

static void read_spool(struct sandbox *sandbox, int which, int fd)
{
	const struct launch_spool *spool = &sandbox->spool[which];
	size_t first = LAUNCH_RING_BYTES - spool->start;
	char *text = calloc(1, LAUNCH_RING_BYTES + 1);

	cr_assert(text != NULL);
	if (first > spool->length)
		first = spool->length;
	cr_assert_eq(pread(fd, text, first, spool->start), (ssize_t)first);
	cr_assert_eq(pread(fd, text + first, spool->length - first, 0),
		     (ssize_t)(spool->length - first));
	free(sandbox->spooled[which]);
	sandbox->spooled[which] = text;
}

static void take_fds(struct sandbox *sandbox, const struct launch_message *message,
		     struct msghdr *packet)
{
	struct cmsghdr *rights = CMSG_FIRSTHDR(packet);
	int fds[LISTEN_MAX] = { -1, -1, -1, -1, -1, -1, -1, -1 };

	if (rights != NULL)
		memcpy(fds, CMSG_DATA(rights), rights->cmsg_len - CMSG_LEN(0));
	if (message->type == LAUNCH_LISTENERS)
		while (sandbox->told_listener_count < LISTEN_MAX &&
		       fds[sandbox->told_listener_count] >= 0) {
			sandbox->told_listeners[sandbox->told_listener_count] =
				TAKE_FD(fds[sandbox->told_listener_count]);
			sandbox->told_listener_count++;
		}
	if (message->type == LAUNCH_PIPES) {
		sandbox->output[0] = TAKE_FD(fds[0]);
		sandbox->output[1] = TAKE_FD(fds[1]);
	}
	if (message->type == LAUNCH_RUNNING) {
		sandbox->running = *message;
		sandbox->worker_pidfd = TAKE_FD(fds[0]);
		sandbox->own_pidfd = TAKE_FD(fds[1]);
	}
	if (message->type == LAUNCH_SPOOL) {
		memcpy(sandbox->spool, message->spool, sizeof(sandbox->spool));
		for (int i = 0; i < 2; i++)
			if (fds[i] >= 0)
				read_spool(sandbox, i, fds[i]);
	}
	close_and_clear(&fds[0]);
	close_and_clear(&fds[1]);
}

/* Takes one message. False when the launcher has hung up. */
static bool receive(struct sandbox *sandbox)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(LISTEN_MAX * sizeof(int))];
	} control;
	char data[2048];
	struct iovec vector = { data, sizeof(data) };
	struct msghdr packet = {
		.msg_iov = &vector,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	struct launch_message message;
	struct error err;
	ssize_t n = recvmsg(sandbox->socket, &packet, MSG_CMSG_CLOEXEC);

	if (n <= 0)
		return false;
	cr_assert_eq(launch_message_check(data, (size_t)n, &message, &err), 0, "%s", err.text);
	take_fds(sandbox, &message, &packet);
	cr_assert(sandbox->order_count < ARRAY_SIZE(sandbox->order));
	sandbox->order[sandbox->order_count++] = message.type;
	sandbox->seen |= 1U << message.type;
	if (message.type == LAUNCH_FAILED || message.type == LAUNCH_ENDED)
		sandbox->last = message;
	if (message.type == LAUNCH_TOLD)
		sandbox->told = message.told;
	if (message.type == LAUNCH_COUNTED)
		sandbox->counted += message.denial.untold;
	if (message.type == LAUNCH_DENIED) {
		cr_assert(sandbox->denial_count < ARRAY_SIZE(sandbox->denials));
		sandbox->denials[sandbox->denial_count++] = message.denial;
		if (!sandbox->looks_on)
			sandbox_send(sandbox, LAUNCH_HEARD, 0);
	}
	return true;
}

static void read_output(struct sandbox *sandbox, int which)
{
	char *text = sandbox->text[which];
	size_t used = strlen(text);
	char dropped[4096];
	ssize_t n;

	n = used + 1 < SANDBOX_TEXT_MAX
		    ? read(sandbox->output[which], text + used, SANDBOX_TEXT_MAX - used - 1)
		    : read(sandbox->output[which], dropped, sizeof(dropped));
	if (n > 0 && used + 1 < SANDBOX_TEXT_MAX)
		text[used + (size_t)n] = '\0';
	if (n == 0)
		close_and_clear(&sandbox->output[which]);
}

/* One turn of the loop: a message or some output. False when the launcher has hung up. */
static bool serve(struct sandbox *sandbox)
{
	struct pollfd watched[3] = {
		{ .fd = sandbox->socket, .events = POLLIN },
		{ .fd = sandbox->output[0], .events = POLLIN },
		{ .fd = sandbox->output[1], .events = POLLIN },
	};

	cr_assert(poll(watched, 3, PATIENCE_MSEC) > 0, "nothing happened for %d ms", PATIENCE_MSEC);
	for (int i = 0; i < 2; i++)
		if (watched[i + 1].revents != 0)
			read_output(sandbox, i);
	return watched[0].revents == 0 || receive(sandbox);
}

static bool has_seen(const struct sandbox *sandbox, enum launch_message_type type)
{
	return (sandbox->seen & (1U << type)) != 0;
}

void sandbox_start(struct sandbox *sandbox)
{
	spawn(sandbox);
	while (!has_seen(sandbox, LAUNCH_RUNNING) && !has_seen(sandbox, LAUNCH_FAILED))
		cr_assert(serve(sandbox), "the launcher hung up before it said anything");
}

void sandbox_start_unread(struct sandbox *sandbox)
{
	spawn(sandbox);
	sandbox_wait_for_message(sandbox, LAUNCH_RUNNING);
}

void sandbox_keep(struct sandbox *sandbox)
{
	sandbox->plan->keep = true;
	sandbox->plan->end_with_supervisor = false;
}

void sandbox_hang_up(struct sandbox *sandbox)
{
	for (int i = 0; i < 2; i++)
		close_and_clear(&sandbox->output[i]);
	close_and_clear(&sandbox->worker_pidfd);
	close_and_clear(&sandbox->own_pidfd);
	close_and_clear(&sandbox->socket);
}

void sandbox_wait_for_message(struct sandbox *sandbox, enum launch_message_type type)
{
	while (!has_seen(sandbox, type)) {
		struct pollfd watched = { .fd = sandbox->socket, .events = POLLIN };

		cr_assert(poll(&watched, 1, PATIENCE_MSEC) > 0, "nothing was said for %d ms",
			  PATIENCE_MSEC);
		cr_assert(receive(sandbox), "the launcher hung up");
	}
}

void sandbox_connect(struct sandbox *sandbox, enum launch_message_type until)
{
	struct sockaddr_un address = keeper_address(sandbox);

	sandbox_hang_up(sandbox);
	sandbox->seen = 0;
	sandbox->order_count = 0;
	sandbox->text[0][0] = sandbox->text[1][0] = '\0';
	sandbox->socket = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	cr_assert_eq(connect(sandbox->socket, (struct sockaddr *)&address, sizeof(address)), 0,
		     "%s", strerror(errno));
	sandbox_wait_for_message(sandbox, until);
}

bool sandbox_wait_launcher(struct sandbox *sandbox, int msec)
{
	for (; msec >= 0; msec -= 5) {
		if (waitpid(sandbox->launcher, &sandbox->exit_status, WNOHANG) ==
		    sandbox->launcher) {
			sandbox->launcher = 0;
			return true;
		}
		usleep(5000);
	}
	return false;
}

void sandbox_finish(struct sandbox *sandbox)
{
	while (!has_seen(sandbox, LAUNCH_ENDED) && !has_seen(sandbox, LAUNCH_FAILED))
		cr_assert(serve(sandbox), "the launcher hung up before it told the end");
	sandbox_send(sandbox, LAUNCH_COLLECTED, 0);
	while (sandbox->output[0] >= 0 || sandbox->output[1] >= 0)
		serve(sandbox);
	cr_assert(sandbox_wait_launcher(sandbox, PATIENCE_MSEC), "the launcher does not end");
}

void sandbox_run(struct sandbox *sandbox)
{
	sandbox_start(sandbox);
	sandbox_finish(sandbox);
}

void sandbox_run_script(struct sandbox *sandbox, const char *script)
{
	sandbox_init(sandbox, script);
	sandbox_run(sandbox);
	cr_assert_eq(sandbox->last.type, LAUNCH_ENDED, "stage %s: %s",
		     launch_stage_name(sandbox->last.stage), sandbox->last.text);
}

void sandbox_expect_failure(struct sandbox *sandbox, enum launch_stage stage, int errnum)
{
	sandbox_run(sandbox);
	cr_assert_eq(sandbox->last.type, LAUNCH_FAILED, "it ran: %s%s", sandbox->text[0],
		     sandbox->text[1]);
	cr_expect(sandbox->last.stage == stage && sandbox->last.errnum == errnum,
		  "stage %s, errno %d: %s", launch_stage_name(sandbox->last.stage),
		  sandbox->last.errnum, sandbox->last.text);
	cr_expect(sandbox->exit_status == W_EXITCODE(1, 0) && !has_seen(sandbox, LAUNCH_RUNNING));
}

void sandbox_send(struct sandbox *sandbox, enum launch_message_type type, int signal)
{
	struct launch_message message = {
		.version = LAUNCH_MESSAGE_VERSION,
		.type = type,
		.signal = signal,
	};

	/* a launcher that failed is gone already */
	send(sandbox->socket, &message, sizeof(message), MSG_NOSIGNAL);
}

void sandbox_wait_for_text(struct sandbox *sandbox, const char *text)
{
	while (strstr(sandbox->text[0], text) == NULL)
		cr_assert(serve(sandbox), "the launcher hung up before \"%s\" was read", text);
}

size_t sandbox_process_count(const struct sandbox *sandbox)
{
	char path[300], line[64];
	size_t count = 0;

	snprintf(path, sizeof(path), "%s/cgroup.procs", sandbox->cgroup_path);
	_cleanup_fclose_ FILE *file = fopen(path, "re");
	while (file != NULL && fgets(line, sizeof(line), file) != NULL)
		count++;
	return count;
}

void sandbox_read_proc(const struct sandbox *sandbox, const char *file, char *text, size_t size)
{
	char path[64];
	size_t n;

	snprintf(path, sizeof(path), "/proc/%d/%s", sandbox->launcher, file);
	_cleanup_fclose_ FILE *stream = fopen(path, "re");
	cr_assert(stream != NULL, "%s", path);
	n = fread(text, 1, size - 1, stream);
	text[n] = '\0';
}

long sandbox_count_waits(const struct sandbox *sandbox)
{
	static const char key[] = "\nvoluntary_ctxt_switches:";
	char text[4096];
	const char *at;

	sandbox_read_proc(sandbox, "status", text, sizeof(text));
	at = strstr(text, key);
	cr_assert(at != NULL, "%s", text);
	return strtol(at + strlen(key), NULL, 10);
}
