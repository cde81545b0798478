/* SPDX-License-Identifier: MIT */
/* Against servers of all sorts, each a process of its own in a cgroup of its own. */
#include "policy/own.h"
#include "supervisor/cgroup.h"
#include "supervisor/clock.h"
#include "supervisor/file.h"
#include "supervisor/probe.h"
#include "tests/supervisor/cgroup_fixture.h"
#include "tests/supervisor/network_fixture.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define TIMEOUT_USEC UINT64_C(300000)
#define WORKER	     54321 /* uid and gid */

static int root = -1, cgroup = -1;
static char name[64], directory[] = "/tmp/pysbx-probe-XXXXXX";
static struct error err;
static sd_event *event;
static struct probe probe;
static struct health_target target;
static struct health_result found;
static bool answered;
static pid_t server;

/* In a network of its own, in which every port is free. */
static void prepare(void)
{
	if (!cgroup_fixture_open(&root) || !network_fixture_enter())
		cr_skip_test("needs root, a mounted cgroup v2 and network namespaces");
	snprintf(name, sizeof(name), "pysbx-probe-%d", (int)getpid());
	cr_assert_eq(cgroup_make(root, name, &cgroup, &err), 0, "%s", err.text);
	cr_assert_not_null(mkdtemp(directory));
	cr_assert_eq(chmod(directory, 0777), 0);
	cr_assert_eq(sd_event_new(&event), 0);
	probe_init(&probe, event);
}

static void leave_nothing(void)
{
	char path[128];

	if (event == NULL)
		return;
	probe_stop(&probe);
	event = sd_event_unref(event);
	if (server > 0) {
		(void)kill(server, SIGKILL);
		(void)waitpid(server, NULL, 0);
	}
	(void)snprintf(path, sizeof(path), "%s/app.sock", directory);
	(void)unlink(path);
	(void)snprintf(path, sizeof(path), "%s/link.sock", directory);
	(void)unlink(path);
	(void)rmdir(directory);
	close_and_clear(&cgroup);
	cr_assert_eq(cgroup_destroy(root, name, 5000, &err), 0, "%s", err.text);
}

TestSuite(probe, .init = prepare, .fini = leave_nothing, .timeout = 30);

/* --- servers ---------------------------------------------------------------------------------- */

typedef void serve(int connection);

struct served {
	serve *how; /* NULL: never accepts */
	bool is_unix, outside, own_network, own_root;
};

static int listen_on(const struct served *served)
{
	struct sockaddr_in ipv4 = { .sin_family = AF_INET,
				    .sin_port = htons(8000),
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_un local = { .sun_family = AF_UNIX };
	int fd = socket(served->is_unix ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int r;

	snprintf(local.sun_path, sizeof(local.sun_path), "%s/app.sock",
		 served->own_root ? "" : directory);
	r = served->is_unix ? bind(fd, (struct sockaddr *)&local, sizeof(local))
			    : bind(fd, (struct sockaddr *)&ipv4, sizeof(ipv4));
	if (r < 0 || listen(fd, served->how == NULL ? 0 : 8) < 0)
		_exit(1);
	return fd;
}

static void __attribute__((noreturn)) run_server(const struct served *served, int ready)
{
	int fd, connection;

	(void)signal(SIGPIPE, SIG_IGN);
	if (!served->outside && file_write_at(cgroup, "cgroup.procs", "0", &err) < 0)
		_exit(2);
	if (served->own_network) {
		if (!network_fixture_enter())
			_exit(3);
	}
	if (served->own_root && (chroot(directory) < 0 || chdir("/") < 0))
		_exit(4);
	if (setresgid(WORKER, WORKER, WORKER) < 0 || setresuid(WORKER, WORKER, WORKER) < 0 ||
	    prctl(PR_SET_DUMPABLE, 1) < 0 || /* as after an execve */
	    prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		_exit(5);
	fd = listen_on(served);
	(void)!write(ready, "", 1);
	while (served->how == NULL)
		pause();
	while ((connection = accept(fd, NULL, NULL)) >= 0) {
		served->how(connection);
		close(connection);
	}
	_exit(0);
}

static void start(const struct served *served)
{
	int ready[2];
	char word;

	cr_assert_eq(pipe2(ready, O_CLOEXEC), 0);
	server = fork();
	if (server == 0)
		run_server(served, ready[1]);
	close(ready[1]);
	cr_assert_eq(read(ready[0], &word, 1), 1);
	close(ready[0]);
}

static void read_request(int connection)
{
	char bytes[2048];

	(void)!read(connection, bytes, sizeof(bytes));
}

static void say(int connection, const char *text)
{
	(void)!write(connection, text, strlen(text));
}

static void answer_200(int connection)
{
	read_request(connection);
	say(connection, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
}

static void answer_500(int connection)
{
	read_request(connection);
	say(connection, "HTTP/1.1 500 Internal Server Error\r\n\r\n");
}

static void close_at_once(int connection)
{
	read_request(connection);
}

static void speak_otherwise(int connection)
{
	say(connection, "SSH-2.0-OpenSSH_9.2\r\n");
	pause();
}

static void drip(int connection)
{
	read_request(connection);
	for (const char *at = "HTTP/1.1 200 OK\r\n"; *at != '\0'; at++) {
		(void)!write(connection, at, 1);
		usleep(100000);
	}
}

static void flood(int connection)
{
	char line[4096] = "X: ";

	memset(line + 3, 'x', sizeof(line) - 5);
	memcpy(line + sizeof(line) - 2, "\r\n", 2);
	read_request(connection);
	say(connection, "HTTP/1.1 204 No Content\r\n");
	while (write(connection, line, sizeof(line)) > 0)
		;
}

static void flood_without_status(int connection)
{
	char block[4096];

	memset(block, 'x', sizeof(block));
	while (write(connection, block, sizeof(block)) > 0)
		;
}

static void stay_open(int connection)
{
	read_request(connection);
	say(connection, "HTTP/1.1 200 OK\r\n\r\n");
	pause();
}

/* Which user the other end is. */
static void answer_whose(int connection)
{
	struct ucred peer = { 0 };
	socklen_t length = sizeof(peer);

	(void)getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &length);
	read_request(connection);
	say(connection, peer.uid == WORKER && peer.gid == WORKER ? "HTTP/1.1 200 OK\r\n\r\n"
								 : "HTTP/1.1 403 Root\r\n\r\n");
}

/* --- asking ----------------------------------------------------------------------------------- */

static void on_done(const struct health_result *result, void *userdata)
{
	(void)userdata;
	found = *result;
	answered = true;
}

static void begin(const char *url, struct probe_place place)
{
	struct probe_question question = { .target = &target,
					   .timeout_usec = TIMEOUT_USEC,
					   .place = place };

	cr_assert_eq(health_target_parse(url, &target, &err), 0, "%s", err.text);
	cr_assert_eq(probe_ask(&probe, &question, on_done, NULL, &err), 0, "%s", err.text);
	cr_assert(probe_is_busy(&probe));
}

static enum health_outcome ask(const char *url, struct probe_place place)
{
	uint64_t begun = clock_monotonic_usec();

	begin(url, place);
	for (answered = false; !answered;)
		cr_assert_geq(sd_event_run(event, UINT64_MAX), 0);
	cr_expect_not(probe_is_busy(&probe));
	cr_expect_lt(clock_monotonic_usec() - begun, TIMEOUT_USEC + 5 * USEC_PER_SEC);
	return found.outcome;
}

static enum health_outcome ask_tcp(void)
{
	return ask("http://127.0.0.1:8000/",
		   (struct probe_place){ .leaf = cgroup, .worker = server });
}

static const char *url_of(const char *file)
{
	static char url[128];

	snprintf(url, sizeof(url), "http://unix:%s/%s:/", directory, file);
	return url;
}

static enum health_outcome ask_unix(const char *url)
{
	return ask(url, (struct probe_place){ .leaf = cgroup, .worker = server });
}

Test(probe, is_answered)
{
	start(&(struct served){ .how = answer_200 });
	cr_expect_eq(ask_tcp(), HEALTH_WELL);
	cr_expect_eq(found.status, 200);
	cr_expect_gt(found.took_usec, 0);
	cr_expect_gt(found.time_usec, UINT64_C(1700000000) * USEC_PER_SEC);
}

Test(probe, tells_a_bad_status)
{
	start(&(struct served){ .how = answer_500 });
	cr_expect_eq(ask_tcp(), HEALTH_BAD_STATUS);
	cr_expect_eq(found.status, 500);
}

Test(probe, waits_no_longer_than_it_may_for_an_answer)
{
	start(&(struct served){ .how = NULL });
	cr_expect_eq(ask_tcp(), HEALTH_NO_ANSWER);
	cr_expect_geq(found.took_usec, TIMEOUT_USEC);
}

/* Nobody has looked for so long whether something came. */
static enum health_outcome ask_and_be_late(void)
{
	const uint64_t late_usec = TIMEOUT_USEC / 2;

	begin("http://127.0.0.1:8000/", (struct probe_place){ .leaf = cgroup, .worker = server });
	usleep(TIMEOUT_USEC + late_usec);
	for (answered = false; !answered;)
		cr_assert_geq(sd_event_run(event, UINT64_MAX), 0);
	return found.outcome;
}

Test(probe, gives_back_what_our_own_loop_was_late_by)
{
	start(&(struct served){ .how = answer_200 });
	cr_expect_eq(ask_and_be_late(), HEALTH_WELL);
	cr_expect_eq(found.status, 200);
	cr_expect_eq(ask_and_be_late(), HEALTH_WELL, "each time");
}

Test(probe, gives_it_back_once)
{
	uint64_t begun = clock_monotonic_usec();

	start(&(struct served){ .how = NULL });
	cr_expect_eq(ask_and_be_late(), HEALTH_NO_ANSWER);
	cr_expect_geq(found.took_usec, 2 * TIMEOUT_USEC);
	cr_expect_lt(clock_monotonic_usec() - begun, 2 * TIMEOUT_USEC + 5 * USEC_PER_SEC);
}

Test(probe, waits_no_longer_than_it_may_for_a_dripping_one)
{
	start(&(struct served){ .how = drip });
	cr_expect_eq(ask_tcp(), HEALTH_NO_ANSWER);
}

Test(probe, needs_no_more_than_the_status_of_endless_headers)
{
	start(&(struct served){ .how = flood });
	cr_expect_eq(ask_tcp(), HEALTH_WELL);
	cr_expect_eq(found.status, 204);
	cr_expect_leq(probe.drained, PROBE_DRAIN_MAX + 4096);
}

Test(probe, takes_an_endless_first_line_for_no_http)
{
	start(&(struct served){ .how = flood_without_status });
	cr_expect_eq(ask_tcp(), HEALTH_NOT_HTTP);
}

Test(probe, is_well_when_the_connection_stays_open_after_the_answer)
{
	start(&(struct served){ .how = stay_open });
	cr_expect_eq(ask_tcp(), HEALTH_WELL);
	cr_expect_lt(found.took_usec, TIMEOUT_USEC);
}

Test(probe, tells_a_connection_that_is_closed)
{
	start(&(struct served){ .how = close_at_once });
	cr_expect_eq(ask_tcp(), HEALTH_CLOSED);
}

Test(probe, tells_what_is_no_http)
{
	start(&(struct served){ .how = speak_otherwise });
	cr_expect_eq(ask_tcp(), HEALTH_NOT_HTTP);
}

Test(probe, tells_that_nobody_listens)
{
	cr_expect_eq(ask_tcp(), HEALTH_REFUSED);
	cr_expect_eq(
		ask("http://127.0.0.1:8000/", (struct probe_place){ .held = true, .leaf = cgroup }),
		HEALTH_REFUSED);
	cr_expect_eq(ask("http://[::1]:8000/", (struct probe_place){ .leaf = cgroup }),
		     HEALTH_REFUSED);
}

Test(probe, asks_nobody_but_the_app)
{
	start(&(struct served){ .how = answer_200, .outside = true });
	cr_expect_eq(ask_tcp(), HEALTH_NOT_OURS);
	/* what pysbx holds itself was made elsewhere */
	cr_expect_eq(
		ask("http://127.0.0.1:8000/", (struct probe_place){ .held = true, .leaf = cgroup }),
		HEALTH_WELL);
}

Test(probe, reaches_the_network_of_the_worker)
{
	struct probe_place place = { .own_network = true, .leaf = cgroup };

	start(&(struct served){ .how = answer_200, .own_network = true });
	place.worker = server;
	cr_expect_eq(ask_tcp(), HEALTH_REFUSED, "not in ours");
	cr_expect_eq(ask("http://127.0.0.1:8000/", place), HEALTH_WELL);
	cr_expect_eq(ask("http://127.0.0.1:8001/", place), HEALTH_REFUSED);
}

Test(probe, does_not_take_our_network_for_that_of_a_worker)
{
	struct probe_place place = { .own_network = true, .leaf = cgroup };

	start(&(struct served){ .how = answer_200 });
	place.worker = server;
	cr_expect_eq(ask("http://127.0.0.1:8000/", place), HEALTH_NOT_ASKED);
	place.worker = getpid(); /* root's */
	cr_expect_eq(ask("http://127.0.0.1:8000/", place), HEALTH_NOT_ASKED);
}

/* The worker has ended, and its number has been given to another app's process. */
Test(probe, asks_nobody_who_has_the_number_of_a_worker_by_now)
{
	struct probe_place place = { .own_network = true, .leaf = cgroup };

	start(&(struct served){ .how = answer_200, .own_network = true, .outside = true });
	place.worker = server;
	cr_expect_eq(ask("http://127.0.0.1:8000/", place), HEALTH_NOT_ASKED);
	(void)kill(server, SIGKILL);
	(void)waitpid(server, NULL, 0);
	cr_expect_eq(ask("http://127.0.0.1:8000/", place), HEALTH_NOT_ASKED);
	start(&(struct served){ .how = answer_200, .is_unix = true, .outside = true });
	cr_expect_eq(ask_unix(url_of("app.sock")), HEALTH_NOT_ASKED);
}

Test(probe, connects_a_unix_socket_as_the_worker)
{
	char url[128];

	start(&(struct served){ .how = answer_whose, .is_unix = true });
	cr_expect_eq(ask_unix(url_of("app.sock")), HEALTH_WELL, "%d", found.status);
	cr_expect_eq(ask_unix(url_of("other.sock")), HEALTH_REFUSED);
	snprintf(url, sizeof(url), "http://unix:%s:/", directory);
	cr_expect_eq(ask_unix(url), HEALTH_REFUSED, "a directory");
}

Test(probe, connects_a_unix_socket_that_is_held_as_ourselves)
{
	struct probe_place place = { .held = true, .leaf = cgroup };

	start(&(struct served){ .how = answer_200, .is_unix = true, .outside = true });
	cr_expect_eq(ask(url_of("app.sock"), place), HEALTH_WELL);
	cr_expect_eq(ask(url_of("gone.sock"), place), HEALTH_REFUSED);
}

Test(probe, reaches_no_unix_socket_that_the_worker_may_not)
{
	char path[128];

	start(&(struct served){ .how = answer_200, .is_unix = true });
	snprintf(path, sizeof(path), "%s/app.sock", directory);
	cr_assert_eq(chown(path, 0, 0), 0);
	cr_assert_eq(chmod(path, 0600), 0);
	cr_expect_eq(ask_unix(url_of("app.sock")), HEALTH_NOT_OURS);
	cr_assert_eq(chmod(directory, 0700), 0);
	cr_expect_eq(ask_unix(url_of("app.sock")), HEALTH_NOT_OURS);
}

Test(probe, follows_links_no_further_than_the_root_of_the_worker)
{
	char path[128], link[128];

	start(&(struct served){ .how = answer_200, .is_unix = true, .own_root = true });
	cr_expect_eq(ask_unix("http://unix:/app.sock:/"), HEALTH_WELL);
	cr_expect_eq(ask_unix(url_of("app.sock")), HEALTH_REFUSED, "a path of ours");
	snprintf(path, sizeof(path), "%s/link.sock", directory);
	snprintf(link, sizeof(link), "../../../..%s/app.sock", directory);
	cr_assert_eq(symlink(link, path), 0);
	cr_expect_eq(ask_unix("http://unix:/link.sock:/"), HEALTH_REFUSED);
	cr_assert_eq(unlink(path), 0);
	cr_assert_eq(symlink("/../../app.sock", path), 0);
	cr_expect_eq(ask_unix("http://unix:/link.sock:/"), HEALTH_WELL, "inside it may");
}

Test(probe, tells_a_unix_socket_that_accepts_no_more)
{
	int full[8];

	start(&(struct served){ .how = NULL, .is_unix = true });
	for (size_t i = 0; i < ARRAY_SIZE(full); i++) {
		struct sockaddr_un address = { .sun_family = AF_UNIX };

		full[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		snprintf(address.sun_path, sizeof(address.sun_path), "%s/app.sock", directory);
		(void)connect(full[i], (struct sockaddr *)&address, sizeof(address));
	}
	cr_expect_eq(ask_unix(url_of("app.sock")), HEALTH_NO_CONNECTION);
	for (size_t i = 0; i < ARRAY_SIZE(full); i++)
		close(full[i]);
}

Test(probe, leaves_no_process_and_no_descriptor_behind)
{
	int before, after;

	start(&(struct served){ .how = answer_200, .is_unix = true });
	before = dup(cgroup);
	close(before);
	for (unsigned i = 0; i < 20; i++)
		cr_assert_eq(ask_unix(url_of("app.sock")), HEALTH_WELL);
	for (unsigned i = 0; i < 20; i++) {
		begin(url_of("app.sock"), (struct probe_place){ .leaf = cgroup, .worker = server });
		probe_stop(&probe);
		cr_expect_not(probe_is_busy(&probe));
	}
	usleep(200000);
	while (sd_event_run(event, 0) > 0)
		;
	after = dup(cgroup);
	close(after);
	cr_expect_eq(after, before);
	cr_expect_eq(waitpid(-1, NULL, WNOHANG | __WALL), 0, "the server alone");
}
