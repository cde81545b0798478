/* SPDX-License-Identifier: MIT */
#include "policy/own.h"
#include "policy/spec.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <string.h>

#define _cleanup_spec_ __attribute__((cleanup(spec_clear)))

/* A text of `length` times c, in a static buffer. */
static const char *repeat(char c, size_t length)
{
	static char text[2 * SPEC_STRING_MAX];

	cr_assert_lt(length, sizeof(text));
	memset(text, c, length);
	text[length] = '\0';
	return text;
}

/* --- defaults --------------------------------------------------------------------------------- */

Test(spec, starts_with_the_documented_defaults)
{
	_cleanup_spec_ struct app_spec spec;
	struct error err;

	cr_assert_eq(spec_init(&spec, &err), 0);
	cr_expect_null(spec.name);
	cr_expect_eq(spec.command.count, 0);
	cr_expect_null(spec.directory);
	cr_expect_null(spec.user);
	cr_expect_eq(spec.limits.memory_max, LIMIT_UNSET);
	cr_expect_eq(spec.limits.memory_high, LIMIT_UNSET);
	cr_expect_eq(spec.limits.memory_swap_max, LIMIT_UNSET);
	cr_expect_eq(spec.limits.cpu_max, LIMIT_UNSET);
	cr_expect_eq(spec.limits.cpu_weight, LIMIT_UNSET);
	cr_expect_eq(spec.limits.pids_max, LIMIT_UNSET);
	cr_expect_eq(spec.limits.nofile, LIMIT_UNSET);
	cr_expect_eq(spec.limits.tmp_size, LIMIT_UNSET);
	cr_expect_eq(spec.limits.io_count, 0);
	cr_expect_eq(spec.isolation.network, NETWORK_HOST);
	cr_expect_null(spec.syscalls.profile);
	cr_expect_eq(spec.restart.mode, RESTART_ON_FAILURE);
	cr_expect_eq(spec.restart.max_restarts, 5);
	cr_expect_eq(spec.restart.backoff_usec, 1 * USEC_PER_SEC);
	cr_expect_eq(spec.restart.backoff_max_usec, 60 * USEC_PER_SEC);
	cr_expect_eq(spec.restart.stable_usec, 60 * USEC_PER_SEC);
	cr_expect_eq(spec.oom, OOM_WORKER);
	cr_expect_eq(spec.stop.signal, SIGTERM);
	cr_expect_eq(spec.stop.grace_usec, 35 * USEC_PER_SEC);
}

static void expect_completed(uint64_t memory_max, uint64_t swap, uint64_t tmp_size)
{
	_cleanup_spec_ struct app_spec spec;
	struct error err;

	cr_assert_eq(spec_init(&spec, &err), 0);
	cr_assert_eq(strings_append(&spec.command, "/opt/venv/bin/Gunicorn", &err), 0);
	spec.limits.memory_max = memory_max;
	cr_assert_eq(spec_complete(&spec, &err), 0);
	cr_expect_str_eq(spec.name, "gunicorn");
	cr_expect_eq(spec.limits.memory_max, memory_max);
	cr_expect_eq(spec.limits.memory_swap_max, swap, "swap for %lu", memory_max);
	cr_expect_eq(spec.limits.tmp_size, tmp_size, "tmp for %lu", memory_max);
	cr_expect_eq(spec.limits.pids_max, 1024);
	cr_expect_eq(spec.limits.nofile, 65536);
	cr_expect_str_eq(spec.syscalls.profile, "python-web");
}

Test(spec, completes_name_swap_and_tmp_from_the_rest)
{
	expect_completed(LIMIT_UNSET, LIMIT_UNSET, UINT64_C(64) << 20);
	expect_completed(LIMIT_MAX, LIMIT_UNSET, UINT64_C(64) << 20);
	expect_completed(UINT64_C(1) << 30, 0, UINT64_C(64) << 20);
	expect_completed(UINT64_C(256) << 20, 0, UINT64_C(64) << 20);
	expect_completed(UINT64_C(128) << 20, 0, UINT64_C(32) << 20);
	expect_completed(SPEC_MEMORY_MIN, 0, SPEC_MEMORY_MIN / 4);
}

Test(spec, completes_nothing_that_was_said)
{
	_cleanup_spec_ struct app_spec spec;
	struct error err;

	cr_assert_eq(spec_init(&spec, &err), 0);
	spec.name = strdup("mine");
	spec.limits.memory_max = UINT64_C(64) << 20;
	spec.limits.memory_swap_max = LIMIT_MAX;
	spec.limits.tmp_size = UINT64_C(48) << 20;
	spec.limits.pids_max = LIMIT_MAX;
	spec.limits.nofile = 64;
	spec.syscalls.profile = strdup("docker");
	cr_assert_eq(spec_complete(&spec, &err), 0);
	cr_expect_str_eq(spec.name, "mine");
	cr_expect_eq(spec.limits.memory_swap_max, LIMIT_MAX);
	cr_expect_eq(spec.limits.tmp_size, UINT64_C(48) << 20);
	cr_expect_eq(spec.limits.pids_max, LIMIT_MAX);
	cr_expect_eq(spec.limits.nofile, 64);
	cr_expect_str_eq(spec.syscalls.profile, "docker");
}

Test(spec, clears_to_nothing_and_may_be_cleared_again)
{
	struct app_spec spec;
	struct error err;

	cr_assert_eq(spec_init(&spec, &err), 0);
	cr_assert_eq(spec_parse_io("/=1M/1M", &spec.limits, &err), 0);
	cr_assert_eq(spec_complete(&spec, &err), 0);
	spec_clear(&spec);
	cr_expect_null(spec.name);
	cr_expect_null(spec.syscalls.profile);
	cr_expect_eq(spec.limits.io_count, 0);
	spec_clear(&spec);
}

/* --- copies ----------------------------------------------------------------------------------- */

static void fill(struct app_spec *spec)
{
	struct error err;

	cr_assert_eq(spec_init(spec, &err), 0);
	spec->name = strdup("web");
	spec->tenant = strdup("acme");
	spec->plan = strdup("basic");
	spec->directory = strdup("/srv/web");
	spec->user = strdup("www");
	spec->syscalls.profile = strdup("docker");
	spec->enabled = false;
	spec->log.keep = 3;
	cr_assert_eq(strings_append(&spec->command, "gunicorn", &err), 0);
	cr_assert_eq(strings_append(&spec->command, "app:app", &err), 0);
	cr_assert_eq(strings_append(&spec->environment, "A=1", &err), 0);
	cr_assert_eq(strings_append(&spec->environment_files, "/srv/env", &err), 0);
	cr_assert_eq(strings_append(&spec->isolation.readable, "/srv/r", &err), 0);
	cr_assert_eq(strings_append(&spec->isolation.writable, "/srv/w", &err), 0);
	cr_assert_eq(spec_parse_io("/srv=1M/2M", &spec->limits, &err), 0);
	spec->limits.memory_max = 42;
}

Test(spec, copies_everything_and_shares_nothing)
{
	_cleanup_spec_ struct app_spec copy;
	struct app_spec spec;
	struct error err = { 0 };

	fill(&spec);
	cr_assert_eq(spec_copy(&spec, &copy, &err), 0, "%s", err.text);
	spec_clear(&spec);

	cr_expect_str_eq(copy.name, "web");
	cr_expect_str_eq(copy.tenant, "acme");
	cr_expect_str_eq(copy.plan, "basic");
	cr_expect_str_eq(copy.directory, "/srv/web");
	cr_expect_str_eq(copy.user, "www");
	cr_expect_str_eq(copy.syscalls.profile, "docker");
	cr_expect_not(copy.enabled);
	cr_expect_eq(copy.log.keep, 3);
	cr_expect_eq(copy.command.count, 2);
	cr_expect_str_eq(copy.command.items[1], "app:app");
	cr_expect_str_eq(copy.environment.items[0], "A=1");
	cr_expect_str_eq(copy.environment_files.items[0], "/srv/env");
	cr_expect_str_eq(copy.isolation.readable.items[0], "/srv/r");
	cr_expect_str_eq(copy.isolation.writable.items[0], "/srv/w");
	cr_assert_eq(copy.limits.io_count, 1);
	cr_expect_str_eq(copy.limits.io[0].path, "/srv");
	cr_expect_eq(copy.limits.io[0].wbps, UINT64_C(2) << 20);
	cr_expect_eq(copy.limits.memory_max, 42);
	cr_expect_eq(copy.restart.max_restarts, SPEC_RESTARTS_DEFAULT);
}

Test(spec, copies_what_was_never_filled)
{
	_cleanup_spec_ struct app_spec spec, copy;
	struct error err = { 0 };

	cr_assert_eq(spec_init(&spec, &err), 0);
	cr_assert_eq(spec_copy(&spec, &copy, &err), 0, "%s", err.text);
	cr_expect_null(copy.name);
	cr_expect_null(copy.command.items);
	cr_expect_eq(copy.limits.io_count, 0);
	cr_expect_eq(copy.limits.memory_max, LIMIT_UNSET);
}

/* --- names ------------------------------------------------------------------------------------ */

Test(spec, takes_names_that_cgroups_units_and_hosts_take)
{
	static const char *const names[] = { "a", "7", "web", "my-app_2.0", "a--b", "python3.11" };
	struct error err = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		cr_expect_eq(spec_validate_name(names[i], &err), 0, "%s", err.text);
	cr_expect_eq(spec_validate_name(repeat('x', SPEC_NAME_MAX), &err), 0);
}

Test(spec, refuses_other_names)
{
	static const char *const names[] = { "",    ".",    "..",   "-a",	 "a-",
					     "a.",  "_a",   "A",    "webApp",	 "a b",
					     "a/b", "../x", "a\n",  "a:b",	 "\xc3\xbc",
					     "a@b", "%i",   "a\\b", "web.slice/" };
	struct error err = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		cr_expect_eq(spec_validate_name(names[i], &err), -EINVAL, "%s was taken", names[i]);
		cr_expect_eq(err.kind, ERROR_INVALID);
		cr_expect_not_null(strstr(err.text, "is not a name: write small letters"), "%s",
				   err.text);
	}
	cr_expect_eq(spec_validate_name(repeat('x', SPEC_NAME_MAX + 1), &err), -EINVAL);
}

Test(spec, makes_a_valid_name_of_any_command)
{
	static const struct {
		const char *command, *name;
	} samples[] = {
		{ "gunicorn", "gunicorn" },
		{ "/usr/bin/Gunicorn3", "gunicorn3" },
		{ "./app.py", "app.py" },
		{ "../bin/My App!", "my-app" },
		{ "__main__.py", "main__.py" },
		{ "-x-", "x" },
		{ "python3.11", "python3.11" },
		{ "", "app" },
		{ "/", "app" },
		{ "/usr/bin/", "app" },
		{ "...", "app" },
		{ "\xc3\xbc", "app" },
		{ "a\nb", "a-b" },
	};
	struct error err = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		_cleanup_free_ char *name = NULL;

		cr_assert_eq(spec_name_from_command(samples[i].command, &name, &err), 0);
		cr_expect_str_eq(name, samples[i].name);
		cr_expect_eq(spec_validate_name(name, &err), 0, "%s", err.text);
	}
}

Test(spec, cuts_a_long_command_to_a_valid_name)
{
	char command[SPEC_NAME_MAX + 8];
	_cleanup_free_ char *name = NULL;
	struct error err = { 0 };

	memset(command, 'x', sizeof(command));
	command[SPEC_NAME_MAX - 2] = '-';
	command[SPEC_NAME_MAX - 1] = '.';
	command[sizeof(command) - 1] = '\0';
	cr_assert_eq(spec_name_from_command(command, &name, &err), 0);
	cr_expect_eq(strlen(name), SPEC_NAME_MAX - 2);
	cr_expect_eq(spec_validate_name(name, &err), 0, "%s", err.text);
}

/* --- io --------------------------------------------------------------------------------------- */

Test(spec, reads_io_limits)
{
	static const struct {
		const char *text;
		struct io_limit io;
	} samples[] = {
		{ "/srv/app=20M/10M",
		  { (char *)"/srv/app", 20 << 20, 10 << 20, LIMIT_UNSET, LIMIT_UNSET } },
		{ "/=max/10M/-/200", { (char *)"/", LIMIT_MAX, 10 << 20, LIMIT_UNSET, 200 } },
		{ "data=-/-/100/max",
		  { (char *)"data", LIMIT_UNSET, LIMIT_UNSET, 100, LIMIT_MAX } },
		{ "/a=b/c=1M/-",
		  { (char *)"/a=b/c", 1 << 20, LIMIT_UNSET, LIMIT_UNSET, LIMIT_UNSET } },
		{ "/x=max/max/4294967294/2",
		  { (char *)"/x", LIMIT_MAX, LIMIT_MAX, 4294967294, 2 } },
	};
	_cleanup_spec_ struct app_spec spec;
	struct error err = { 0 };

	cr_assert_eq(spec_init(&spec, &err), 0);
	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		const struct io_limit *io, *expected = &samples[i].io;

		cr_assert_eq(spec_parse_io(samples[i].text, &spec.limits, &err), 0, "%s", err.text);
		cr_assert_eq(spec.limits.io_count, i + 1);
		io = &spec.limits.io[i];
		cr_expect_str_eq(io->path, expected->path);
		cr_expect_eq(io->rbps, expected->rbps, "%s", samples[i].text);
		cr_expect_eq(io->wbps, expected->wbps, "%s", samples[i].text);
		cr_expect_eq(io->riops, expected->riops, "%s", samples[i].text);
		cr_expect_eq(io->wiops, expected->wiops, "%s", samples[i].text);
	}
}

Test(spec, refuses_other_io_limits_and_keeps_the_list)
{
	static const struct {
		const char *text, *words;
	} samples[] = {
		{ "", "is not PATH=" },
		{ "/srv", "is not PATH=RBPS/WBPS[/RIOPS/WIOPS]" },
		{ "=1M/1M", "is not PATH=" },
		{ "/srv=", "is not a size" },
		{ "/srv=1M", "does not end in RBPS/WBPS" },
		{ "/srv=1M/1M/10", "does not end in" },
		{ "/srv=1M/1M/10/10/10", "does not end in" },
		{ "/srv=1M/1M/10/10/", "does not end in" },
		{ "/srv=1M/1M/", "is not a whole number" },
		{ "/srv=/1M", "is not a size" },
		{ "/srv=1Q/1M", "\"1Q\" is not a size" },
		{ "/srv=-/-", "at least one limit" },
		{ "/srv=-/-/-/-", "at least one limit" },
		{ "/srv=1M/1M/1/10", "\"1\" is not a whole number from 2 to 4294967294, or max" },
		{ "/srv=1M/1M/10/4294967295", "is not a whole number" },
		{ "/srv=1M/1M/1K/1K", "is not a whole number" },
		{ "/srv=-1/1M", "is not a size" },
	};
	_cleanup_spec_ struct app_spec spec;
	struct error err = { 0 };

	cr_assert_eq(spec_init(&spec, &err), 0);
	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		cr_expect_eq(spec_parse_io(samples[i].text, &spec.limits, &err), -EINVAL,
			     "%s was taken", samples[i].text);
		cr_expect_not_null(strstr(err.text, samples[i].words), "%s lacks %s", err.text,
				   samples[i].words);
		cr_expect_eq(err.kind, ERROR_INVALID);
		cr_expect_eq(spec.limits.io_count, 0);
	}
	for (size_t i = 0; i < SPEC_IO_MAX; i++)
		cr_assert_eq(spec_parse_io("/=1M/1M", &spec.limits, &err), 0);
	cr_expect_eq(spec_parse_io("/=1M/1M", &spec.limits, &err), -EINVAL);
	cr_expect_str_eq(err.text, "more than 16 io limits");
	cr_expect_eq(spec.limits.io_count, SPEC_IO_MAX);
}

Test(spec, adds_an_io_limit_once_for_each_path)
{
	_cleanup_spec_ struct app_spec spec;
	struct io_limit *first = NULL, *again = NULL;
	struct error err = { 0 };

	cr_assert_eq(spec_init(&spec, &err), 0);
	cr_expect_null(spec_find_io(&spec.limits, "/srv"));
	cr_assert_eq(spec_add_io(&spec.limits, "/srv", &first, &err), 0);
	cr_expect_eq(first->rbps, LIMIT_UNSET);
	cr_assert_eq(spec_add_io(&spec.limits, "/srv", &again, &err), 0);
	cr_expect_eq(first, again);
	cr_expect_eq(spec_find_io(&spec.limits, "/srv"), first);
	cr_expect_eq(spec.limits.io_count, 1);
}

Test(spec, copies_limits_with_paths_of_their_own)
{
	_cleanup_spec_ struct app_spec spec;
	struct limits copy = spec_no_limits;
	struct error err = { 0 };

	cr_assert_eq(spec_init(&spec, &err), 0);
	spec.limits.pids_max = 7;
	cr_assert_eq(spec_copy_limits(&spec.limits, &copy, &err), 0);
	cr_expect_eq(copy.pids_max, 7);
	cr_expect_null(copy.io, "none costs nothing");
	for (size_t i = 0; i < SPEC_IO_MAX; i++)
		cr_assert_eq(spec_parse_io("/srv=1M/2M/-/9", &spec.limits, &err), 0);
	cr_assert_eq(spec_copy_limits(&spec.limits, &copy, &err), 0);
	cr_assert_eq(copy.io_count, SPEC_IO_MAX);
	for (size_t i = 0; i < SPEC_IO_MAX; i++) {
		cr_expect_neq(copy.io[i].path, spec.limits.io[i].path);
		cr_expect_str_eq(copy.io[i].path, "/srv");
		cr_expect_eq(copy.io[i].wbps, UINT64_C(2) << 20);
		cr_expect_eq(copy.io[i].wiops, 9);
	}
	spec_clear_limits(&copy);
	cr_expect_eq(copy.io_count, 0);
	cr_expect_null(copy.io);
}

/* --- words ------------------------------------------------------------------------------------ */

Test(spec, reads_its_own_enum_names_back)
{
	struct error err = { 0 };

	for (int i = 0; i < NETWORK_COUNT; i++) {
		enum network value = NETWORK_COUNT;

		cr_expect_eq(spec_network_parse(spec_network_name((enum network)i), &value, &err),
			     0);
		cr_expect_eq((int)value, i);
	}
	for (int i = 0; i < RESTART_MODE_COUNT; i++) {
		enum restart_mode value = RESTART_MODE_COUNT;

		cr_expect_eq(spec_restart_mode_parse(spec_restart_mode_name((enum restart_mode)i),
						     &value, &err),
			     0);
		cr_expect_eq((int)value, i);
	}
	for (int i = 0; i < OOM_POLICY_COUNT; i++) {
		enum oom_policy value = OOM_POLICY_COUNT;

		cr_expect_eq(spec_oom_policy_parse(spec_oom_policy_name((enum oom_policy)i), &value,
						   &err),
			     0);
		cr_expect_eq((int)value, i);
	}
	cr_expect_str_eq(spec_network_name(NETWORK_NONE), "none");
	cr_expect_str_eq(spec_restart_mode_name(RESTART_ON_FAILURE), "on-failure");
	cr_expect_str_eq(spec_oom_policy_name(OOM_APP), "app");
	cr_expect_str_eq(spec_network_name(NETWORK_COUNT), "unknown");
}

Test(spec, names_the_choices_when_it_refuses_a_word)
{
	enum restart_mode mode = RESTART_NEVER;
	enum network network = NETWORK_NONE;
	enum oom_policy oom = OOM_APP;
	struct error err = { 0 };

	cr_expect_eq(spec_restart_mode_parse("mostly", &mode, &err), -EINVAL);
	cr_expect_str_eq(err.text,
			 "\"mostly\" is not known here: write always, on-failure or never");
	cr_expect_eq(mode, RESTART_NEVER);
	cr_expect_eq(spec_network_parse("HOST", &network, &err), -EINVAL);
	cr_expect_str_eq(err.text, "\"HOST\" is not known here: write host, none or private");
	cr_expect_eq(network, NETWORK_NONE);
	cr_expect_eq(spec_oom_policy_parse("", &oom, &err), -EINVAL);
	cr_expect_str_eq(err.text, "\"\" is not known here: write worker or app");
	cr_expect_eq(oom, OOM_APP);
}

Test(spec, has_a_path_for_every_field)
{
	for (int field = FIELD_NONE + 1; field < FIELD_COUNT; field++) {
		cr_assert_not_null(spec_json_labels.of[field], "field %d", field);
		for (int other = FIELD_NONE; other < field; other++)
			cr_expect_str_neq(spec_json_labels.of[field], spec_json_labels.of[other]);
	}
}

Test(spec, reads_signals_by_name_and_number)
{
	const struct {
		const char *text;
		int number;
	} samples[] = {
		{ "TERM", SIGTERM },
		{ "SIGTERM", SIGTERM },
		{ "15", 15 },
		{ "INT", SIGINT },
		{ "QUIT", SIGQUIT },
		{ "KILL", SIGKILL },
		{ "USR2", SIGUSR2 },
		{ "WINCH", SIGWINCH },
		{ "1", SIGHUP },
		{ "RTMIN", SIGRTMIN },
		{ "SIGRTMIN+3", SIGRTMIN + 3 },
		{ "64", 64 },
		{ "IOT", SIGABRT },
		{ "SIGCLD", SIGCHLD },
	};

	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		struct error err = { 0 };
		int number = -7;

		cr_expect_eq(spec_signal_parse(samples[i].text, &number, &err), 0, "%s", err.text);
		cr_expect_eq(number, samples[i].number, "%s: %d", samples[i].text, number);
	}
}

Test(spec, refuses_what_is_not_a_signal)
{
	static const char *const texts[] = { "",    "SIG",	 "0",	   "65",	 "-15",
					     "32",  "33",	 "term",   "SIGSIGTERM", "TERMX",
					     "FOO", "15 ",	 "RTMIN+", "RTMIN+99",	 "RTMAX+1",
					     "+15", "9999999999" };

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct error err = { 0 };
		int number = -7;

		cr_expect_eq(spec_signal_parse(texts[i], &number, &err), -EINVAL, "%s was taken",
			     texts[i]);
		cr_expect_eq(number, -7, "%s", texts[i]);
		cr_expect_not_null(strstr(err.text, "is not a signal"), "%s", err.text);
	}
}

Test(spec, writes_signal_names_that_it_reads_back)
{
	char text[32];

	cr_expect_str_eq(spec_signal_name(SIGTERM, text), "SIGTERM");
	cr_expect_str_eq(spec_signal_name(SIGABRT, text), "SIGABRT");
	cr_expect_str_eq(spec_signal_name(SIGRTMIN, text), "SIGRTMIN");
	cr_expect_str_eq(spec_signal_name(SIGRTMIN + 3, text), "SIGRTMIN+3");
	cr_expect_str_eq(spec_signal_name(99, text), "signal 99");
	cr_expect_str_eq(spec_signal_name(0, text), "signal 0");
	cr_expect_str_eq(spec_signal_name(-1, text), "signal -1");
	cr_expect_str_eq(spec_signal_name(32, text), "signal 32");
	for (int number = 1; number <= SIGRTMAX; number++) {
		struct error err;
		int parsed = 0;

		if (number == 32 || number == 33)
			continue;
		cr_expect_eq(spec_signal_parse(spec_signal_name(number, text), &parsed, &err), 0,
			     "%s", text);
		cr_expect_eq(parsed, number, "%s", text);
	}
}
