/* SPDX-License-Identifier: MIT */
#include "policy/server.h"

#include "policy/own.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <string.h>

TestSuite(server);

/* Words apart by "|", as in /proc/PID/cmdline by NUL. */
static enum server of(const char *line)
{
	struct strings command _cleanup_strings_ = { 0 };
	_cleanup_free_ char *copy = strdup(line);
	struct error err;

	cr_assert_not_null(copy);
	for (char *word = strtok(copy, "|"); word != NULL; word = strtok(NULL, "|"))
		cr_assert_eq(strings_append(&command, word, &err), 0);
	return server_of_command(&command);
}

Test(server, is_known_by_its_command_line)
{
	static const struct {
		const char *line;
		enum server server;
	} cases[] = {
		{ "gunicorn|app:app", SERVER_GUNICORN },
		{ "/usr/bin/python3|/usr/bin/gunicorn|app:app", SERVER_GUNICORN },
		{ "/srv/venv/bin/python3.12|-u|-m|gunicorn|app:app", SERVER_GUNICORN },
		{ "gunicorn: master [app:app]", SERVER_GUNICORN },
		{ "uwsgi|--ini|/srv/app.ini", SERVER_UWSGI },
		{ "/usr/bin/uwsgi-core|--master", SERVER_UWSGI },
		{ "uWSGI master", SERVER_UWSGI },
		{ "python3|-m|uvicorn|app:app", SERVER_UVICORN },
		{ "python3|/usr/bin/hypercorn|app:app", SERVER_HYPERCORN },
		{ "fastapi|run", SERVER_FASTAPI },
		{ "", SERVER_UNKNOWN },
		{ "sh|-c|gunicorn app:app", SERVER_UNKNOWN },
		{ "python3|-c|import gunicorn", SERVER_UNKNOWN },
		{ "python3|app.py|gunicorn", SERVER_UNKNOWN },
		{ "gunicorn-exporter", SERVER_UNKNOWN },
		{ "uwsgi_exporter", SERVER_UNKNOWN },
		{ "python3", SERVER_UNKNOWN },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		cr_expect_eq(of(cases[i].line), cases[i].server, "%s", cases[i].line);
}

static uint64_t set_of(int one, int other)
{
	return UINT64_C(1) << (one - 1) | UINT64_C(1) << (other - 1);
}

Test(server, recycles_only_where_a_master_replaces)
{
	cr_expect_eq(server_recycle_signal(SERVER_GUNICORN), SIGTERM);
	cr_expect_eq(server_recycle_signal(SERVER_UWSGI), SIGHUP);
	cr_expect_eq(server_recycle_signal(SERVER_HYPERCORN), 0);
	cr_expect_eq(server_recycle_signal(SERVER_UNKNOWN), 0);

	cr_expect(server_replaces_workers(SERVER_GUNICORN, set_of(SIGTERM, SIGTTIN)));
	/* uvicorn before 0.30, uWSGI without --master */
	cr_expect_not(server_replaces_workers(SERVER_UVICORN, set_of(SIGTERM, SIGINT)));
	cr_expect_not(server_replaces_workers(SERVER_UWSGI, set_of(SIGHUP, SIGTERM)));
	cr_expect(server_replaces_workers(SERVER_UWSGI, set_of(SIGHUP, SIGTSTP)));
	cr_expect_not(server_replaces_workers(SERVER_HYPERCORN, UINT64_MAX));
	cr_expect_not(server_replaces_workers(SERVER_UNKNOWN, UINT64_MAX));
}

Test(server, has_signals_in_sets)
{
	cr_expect(server_has_signal(1, 1));
	cr_expect(server_has_signal(UINT64_C(1) << 63, 64));
	cr_expect_not(server_has_signal(UINT64_MAX, 0));
	cr_expect_not(server_has_signal(UINT64_MAX, 65));
	cr_expect_not(server_has_signal(0, SIGTERM));
}
