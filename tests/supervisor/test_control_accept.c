/* SPDX-License-Identifier: MIT */
#include "control_bench.h"

static struct bench bench;

static void start(void)
{
	bench_init(&bench);
	bench_start(&bench);
}

static void finish(void)
{
	bench_finish(&bench);
}

#define SOMEBODY 54321 /* who is not root, if we can make him */

static uid_t somebody(void)
{
	return getuid() == 0 ? SOMEBODY : getuid();
}

static void assert_echo(int fd, int id)
{
	bench_assert_echo(&bench, fd, id);
}

/* --- numbers ----------------------------------------------------------------------------------*/

Test(control_accept, one_connection_too_many_of_a_uid_is_refused, .timeout = 20)
{
	int fds[CONTROL_CLIENTS_PER_UID + 1];

	bench_init(&bench);
	bench.config.clients_per_uid = 0;
	bench.uid = somebody();
	bench_start(&bench);
	for (int i = 0; i <= CONTROL_CLIENTS_PER_UID; i++)
		fds[i] = bench_dial(&bench);
	bench_expect_error(&bench, fds[CONTROL_CLIENTS_PER_UID], -32012, "too-many", 0);
	cr_assert(bench_is_closed(&bench, fds[CONTROL_CLIENTS_PER_UID]));
	for (int i = 0; i < CONTROL_CLIENTS_PER_UID; i++)
		assert_echo(fds[i], i);
	close(fds[0]);
	bench_run(&bench);
	fds[0] = bench_dial(&bench);
	assert_echo(fds[0], 1);
	for (int i = 0; i <= CONTROL_CLIENTS_PER_UID; i++)
		close(fds[i]);
	finish();
}

Test(control_accept, tenants_leave_some_places_to_admins, .timeout = 20)
{
	int fds[33], count = 0;

	bench_init(&bench);
	bench.config.clients_max = 32; /* of which 2 are kept for admins */
	bench.uid = somebody();
	bench_start(&bench);
	bench.tenant = "acme";
	for (; count < 30; count++)
		fds[count] = bench_dial(&bench);
	assert_echo(fds[29], 1);
	fds[30] = bench_dial(&bench);
	bench_expect_error(&bench, fds[30], -32012, "too-many", 0);
	close(fds[30]);
	bench.tenant = NULL;
	for (; count < 32; count++) {
		fds[count] = bench_dial(&bench);
		assert_echo(fds[count], 1);
	}
	fds[32] = bench_dial(&bench);
	bench_expect_error(&bench, fds[32], -32012, "too-many", 0);
	close(fds[32]);
	while (count > 0)
		close(fds[--count]);
	finish();
}

Test(control_accept, root_gets_in_when_nobody_else_does, .timeout = 20)
{
	int fds[32 + CONTROL_CLIENTS_ROOT + 1], count = 0;

	if (getuid() != 0)
		cr_skip_test("needs to be root");
	bench_init(&bench);
	bench.config.clients_max = 32;
	bench.config.clients_per_uid = 4;
	bench_start(&bench);
	/* administrators of the group, many uids of them, have taken all places */
	for (; count < 32; count++) {
		bench.uid = SOMEBODY + (uid_t)count / 4;
		fds[count] = bench_dial(&bench);
		assert_echo(fds[count], count);
	}
	bench.uid = SOMEBODY - 1;
	fds[count] = bench_dial(&bench);
	bench_expect_error(&bench, fds[count], -32012, "too-many", 0);
	close(fds[count]);
	bench.uid = 0;
	for (; count < 32 + CONTROL_CLIENTS_ROOT; count++) {
		fds[count] = bench_dial(&bench);
		assert_echo(fds[count], count);
	}
	fds[count] = bench_dial(&bench);
	bench_expect_error(&bench, fds[count], -32012, "too-many", 0);
	close(fds[count]);
	while (count > 0)
		close(fds[--count]);
	finish();
}

Test(control_accept, survives_10000_connections, .init = start, .fini = finish, .timeout = 120)
{
	int other = bench_dial(&bench);

	for (int i = 0; i < 10000; i++) {
		int fd = bench_dial(&bench);

		if (i % 3 == 0)
			bench_ask(&bench, fd, i, i % 2 == 0 ? "test.echo" : "test.later", NULL);
		if (i % 5 == 0)
			bench_run(&bench);
		while (bench.kept_count > 0 && i % 7 == 0)
			call_reply(bench.kept[--bench.kept_count], json_object());
		close(fd);
	}
	bench_run(&bench);
	cr_assert_eq(control_client_count(bench.control), 1);
	assert_echo(other, 1);
	close(other);
}

Test(control_accept, without_descriptors_it_waits_and_does_not_spin, .init = start, .fini = finish,
     .timeout = 30)
{
	struct rlimit old, few;
	int other = bench_dial(&bench), last, fd;
	unsigned turns = 0;
	uint64_t end;

	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	last = dup(fd);
	close(last);
	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &old), 0);
	few = (struct rlimit){ (rlim_t)last, old.rlim_max };
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
	{
		const struct sockaddr_un address = bench_address(&bench);

		cr_assert_eq(connect(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	}
	end = clock_monotonic_usec() + 200000;
	while (clock_monotonic_usec() < end)
		turns += sd_event_run(bench.event, 50000) > 0;
	cr_assert_lt(turns, 20);
	assert_echo(other, 1);
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &old), 0);
	bench_ask(&bench, fd, 7, "test.echo", NULL);
	json_decref(bench_expect_result(&bench, fd, 7));
	close(fd);
	close(other);
}

/* --- where it listens -------------------------------------------------------------------------*/

Test(control_accept, takes_a_stale_socket_away_but_not_a_live_one_or_a_file, .timeout = 20)
{
	struct control *second = NULL;
	struct error err;
	int fd;

	bench_init(&bench);
	fd = open(bench.path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	close(fd);
	cr_assert_lt(control_start(&second, bench.event, &bench.config, &err), 0);
	cr_assert_eq(err.kind, ERROR_CONFLICT);
	cr_assert_eq(access(bench.path, F_OK), 0);
	cr_assert_eq(unlink(bench.path), 0);
	{
		const struct sockaddr_un address = bench_address(&bench);

		fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		cr_assert_eq(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
		close(fd);
	}
	bench_start(&bench);
	cr_assert_lt(control_start(&second, bench.event, &bench.config, &err), 0);
	cr_assert_eq(err.kind, ERROR_CONFLICT);
	cr_assert_null(second);
	fd = bench_dial(&bench);
	close(fd);
	finish();
}

Test(control_accept, listens_on_a_socket_that_it_is_given, .timeout = 20)
{
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), fd;
	struct sockaddr_un address;

	bench_init(&bench);
	address = bench_address(&bench);
	cr_assert_eq(bind(listener, (const struct sockaddr *)&address, sizeof(address)), 0);
	cr_assert_eq(listen(listener, 10), 0);
	bench.config.listen_fd = listener;
	bench.config.path = NULL;
	bench_start(&bench);
	fd = bench_dial(&bench);
	assert_echo(fd, 1);
	close(fd);
	bench_run(&bench);
	control_stop(bench.control);
	bench.control = NULL;
	cr_assert_eq(access(bench.path, F_OK), 0, "it is systemd's");
	cr_assert_eq(unlink(bench.path), 0);
	finish();
}

Test(control_accept, refuses_a_path_that_is_no_place_for_a_socket, .timeout = 20)
{
	static const char *const paths[] = {
		"/no/such/directory/control.sock",
		"/tmp/long/long/long/long/long/long/long/long/long/long/long/long/long/long/long/"
		"long/long/long/long/long/long/long/long/long",
	};

	bench_init(&bench);
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		struct control *control = NULL;
		struct error err = { 0 };

		bench.config.path = paths[i];
		cr_assert_lt(control_start(&control, bench.event, &bench.config, &err), 0);
		cr_assert_null(control);
		cr_assert_not_null(strstr(err.text, "control socket: "));
	}
	finish();
}
