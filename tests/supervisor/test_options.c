/* SPDX-License-Identifier: MIT */
#include "policy/own.h"
#include "policy/setting.h"
#include "supervisor/ctl.h"
#include "supervisor/options.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>

#define CWD	  "/srv/app"
#define WORDS_MAX 32
#define FILE_MAX  131072

#define _cleanup_options_ __attribute__((cleanup(run_options_clear)))

/* Words up to NULL. */
#define WORDS(...) ((const char *const[]){ __VA_ARGS__, NULL })

static int parse(const char *const words[], struct run_options *ret, struct error *err)
{
	int count = 0;

	while (words[count] != NULL)
		count++;
	return run_options_parse(count, (char *const *)words, CWD, ret, err);
}

static struct run_options parsed(const char *const words[])
{
	struct run_options options = { 0 };
	struct error err = { 0 };

	cr_assert_eq(parse(words, &options, &err), 0, "%s", err.text);
	return options;
}

static void expect_refused(const char *const words[], enum error_kind kind, const char *text)
{
	union {
		struct run_options options;
		unsigned char bytes[sizeof(struct run_options)];
	} output;
	unsigned char untouched[sizeof(output)];
	struct error err = { 0 };

	memset(&output, 0x5a, sizeof(output));
	memset(untouched, 0x5a, sizeof(untouched));
	cr_expect_eq(parse(words, &output.options, &err), -EINVAL, "taken, not: %s", text);
	cr_expect_eq(err.kind, kind, "%s", err.text);
	cr_expect_str_eq(err.text, text);
	cr_expect_eq(memcmp(output.bytes, untouched, sizeof(untouched)), 0, "touched: %s", text);
}

/* --- what is taken ---------------------------------------------------------------------------- */

Test(options, are_those_that_words_of_a_verdict_name)
{
	for (size_t i = 0; i < run_option_count; i++) {
		const char *name = setting_name(DOOR_OPTIONS, run_option_rows[i].field);

		if (name != NULL && strncmp(name, "--", 2) == 0)
			cr_expect_str_eq(name + 2, run_option_rows[i].name);
	}
}

Test(options, fill_limits_and_process)
{
	_cleanup_options_ struct run_options options = parsed(
		WORDS("--mem", "256M", "--mem-high=200M", "--swap", "1G", "--cpu", "150%",
		      "--cpu-weight", "50", "--pids", "99", "--nofile", "4096", "--tmp-size", "32M",
		      "--name", "web", "--user", "1000:1001", "gunicorn", "-w", "4", "app:app"));
	const struct app_spec *spec = &options.spec;

	cr_expect_eq(spec->limits.memory_max, UINT64_C(256) << 20);
	cr_expect_eq(spec->limits.memory_high, UINT64_C(200) << 20);
	cr_expect_eq(spec->limits.memory_swap_max, UINT64_C(1) << 30);
	cr_expect_eq(spec->limits.cpu_max, 1500);
	cr_expect_eq(spec->limits.cpu_weight, 50);
	cr_expect_eq(spec->limits.pids_max, 99);
	cr_expect_eq(spec->limits.nofile, 4096);
	cr_expect_eq(spec->limits.tmp_size, UINT64_C(32) << 20);
	cr_expect_str_eq(spec->name, "web");
	cr_expect_str_eq(spec->user, "1000:1001");
	cr_assert_eq(spec->command.count, 4);
	cr_expect_str_eq(spec->command.items[0], "gunicorn");
	cr_expect_str_eq(spec->command.items[1], "-w");
	cr_expect_str_eq(spec->command.items[3], "app:app");
	cr_expect_null(spec->command.items[4]);
}

Test(options, fill_sandbox_and_restart)
{
	_cleanup_options_ struct run_options options =
		parsed(WORDS("--syscalls", "mine", "--syscalls-mode", "canary", "--network", "none",
			     "--egress", "10.0.0.5:5432", "--egress=localhost", "--restart",
			     "always", "--max-restarts", "max", "--backoff", "500ms/10s", "--oom",
			     "app", "--grace", "2s", "--kill-signal", "QUIT", "--", "true"));
	const struct app_spec *spec = &options.spec;

	cr_expect_str_eq(spec->syscalls.profile, "mine");
	cr_expect_eq(spec->syscalls.mode, SYSCALLS_CANARY);
	cr_expect_eq(spec->isolation.network, NETWORK_NONE);
	cr_assert_eq(spec->isolation.egress.count, 2);
	cr_expect_str_eq(spec->isolation.egress.items[0], "10.0.0.5:5432");
	cr_expect_eq(spec->restart.mode, RESTART_ALWAYS);
	cr_expect_eq(spec->restart.max_restarts, LIMIT_MAX);
	cr_expect_eq(spec->restart.backoff_usec, 500 * USEC_PER_MSEC);
	cr_expect_eq(spec->restart.backoff_max_usec, 10 * USEC_PER_SEC);
	cr_expect_eq(spec->oom, OOM_APP);
	cr_expect_eq(spec->stop.grace_usec, 2 * USEC_PER_SEC);
	cr_expect_eq(spec->stop.signal, SIGQUIT);
}

Test(options, of_learning_are_those_of_run_and_more)
{
	_cleanup_options_ struct run_options options = { 0 };
	struct error err = { 0 };
	char *const words[] = { (char *)"--mem",    (char *)"64M",	(char *)"--output",
				(char *)"out.json", (char *)"--base",	(char *)"./p.json",
				(char *)"--",	    (char *)"gunicorn", (char *)"--base" };

	cr_assert_eq(learn_options_parse(ARRAY_SIZE(words), words, "/srv/app", &options, &err), 0,
		     "%s", err.text);
	cr_expect(options.learn.on);
	cr_expect_not(options.learn.dangerous);
	cr_expect_str_eq(options.learn.output, "/srv/app/out.json");
	cr_expect_str_eq(options.learn.base, "/srv/app/p.json");
	cr_expect_eq(options.spec.limits.memory_max, UINT64_C(64) << 20);
	cr_expect_eq(options.spec.restart.mode, RESTART_NEVER, "one run is what is looked at");
	cr_expect_eq(options.spec.command.count, 2);
}

Test(options, of_learning_are_no_others_and_not_those_of_run)
{
	static const struct {
		const char *word, *text;
	} samples[] = {
		{ "--syscalls=x", "--syscalls: what is learnt is made of the profile that --base "
				  "names: leave it out" },
		{ "--syscalls-mode=log", "--syscalls: what is learnt is made of the profile that "
					 "--base names: leave it out" },
		{ "--outptu=x", "unknown option \"--outptu=x\": did you mean --output?" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		char *const words[] = { (char *)samples[i].word, (char *)"true" };
		_cleanup_options_ struct run_options options = { 0 };
		struct error err = { 0 };

		cr_expect_eq(learn_options_parse(2, words, "/", &options, &err), -EINVAL);
		cr_expect_str_eq(err.text, samples[i].text);
	}
	{
		char *const words[] = { (char *)"--base=x", (char *)"true" };
		_cleanup_options_ struct run_options options = { 0 };
		struct error err = { 0 };

		cr_expect_eq(run_options_parse(2, words, "/", &options, &err), -EINVAL);
		cr_expect_eq(err.kind, ERROR_USAGE, "%s", err.text);
	}
}

Test(options, take_relative_paths_from_the_working_directory)
{
	_cleanup_options_ struct run_options options = parsed(
		WORDS("--chdir", "../web", "--ro", "static", "--ro", "/srv/data/", "--rw", "data",
		      "--env-file", "./a.env", "--env-file", "b.env", "--syscalls", "./p.json",
		      "--io", "data=1M/2M", "--report", "r.json", "--on-incident", "hook",
		      "--cgroup-root", "/sys/fs/cgroup//x", "true"));
	const struct app_spec *spec = &options.spec;

	cr_expect_str_eq(spec->directory, "/srv/web");
	cr_assert_eq(spec->isolation.readable.count, 2);
	cr_expect_str_eq(spec->isolation.readable.items[0], "/srv/app/static");
	cr_expect_str_eq(spec->isolation.readable.items[1], "/srv/data");
	cr_assert_eq(spec->isolation.writable.count, 1);
	cr_expect_str_eq(spec->isolation.writable.items[0], "/srv/app/data");
	cr_assert_eq(spec->environment_files.count, 2);
	cr_expect_str_eq(spec->environment_files.items[0], "/srv/app/a.env");
	cr_expect_str_eq(spec->environment_files.items[1], "/srv/app/b.env");
	cr_expect_str_eq(spec->syscalls.profile, "/srv/app/p.json");
	cr_assert_eq(spec->limits.io_count, 1);
	cr_expect_str_eq(spec->limits.io[0].path, "/srv/app/data");
	cr_expect_eq(spec->limits.io[0].wbps, UINT64_C(2) << 20);
	cr_expect_str_eq(options.report_path, "/srv/app/r.json");
	cr_expect_str_eq(options.on_incident, "/srv/app/hook");
	cr_expect_str_eq(options.cgroup_root, "/sys/fs/cgroup/x");
	cr_expect_null(options.cwd);
}

Test(options, leave_defaults_where_nothing_is_said)
{
	_cleanup_options_ struct run_options options = parsed(WORDS("/usr/bin/Gunicorn3"));
	const struct app_spec *spec = &options.spec;

	cr_expect_str_eq(spec->name, "gunicorn3");
	cr_expect_str_eq(spec->directory, CWD);
	cr_expect_null(spec->user);
	cr_expect_eq(spec->limits.memory_max, LIMIT_UNSET);
	cr_expect_eq(spec->limits.memory_swap_max, LIMIT_UNSET);
	cr_expect_eq(spec->limits.pids_max, SPEC_PIDS_DEFAULT);
	cr_expect_eq(spec->limits.tmp_size, SPEC_TMP_SIZE_DEFAULT);
	cr_expect_eq(spec->restart.max_restarts, SPEC_RESTARTS_DEFAULT);
	cr_expect_null(options.report_path);
	cr_expect_null(options.cgroup_root);
	cr_expect_not(options.print_plan || options.json || options.quiet || options.verbose ||
		      options.help || options.version);
}

Test(options, complete_the_spec)
{
	_cleanup_options_ struct run_options options = parsed(WORDS("--mem", "100M", "true"));

	cr_expect_eq(options.spec.limits.memory_swap_max, 0);
	cr_expect_eq(options.spec.limits.tmp_size, UINT64_C(25) << 20);
}

Test(options, set_each_flag)
{
	_cleanup_options_ struct run_options options =
		parsed(WORDS("--print-plan", "--json", "--quiet", "--json", "true"));

	cr_expect(options.print_plan);
	cr_expect(options.json);
	cr_expect(options.quiet);
	cr_expect_not(options.verbose);

	_cleanup_options_ struct run_options verbose = parsed(WORDS("--verbose", "true"));

	cr_expect(verbose.verbose);
	cr_expect_not(verbose.quiet || verbose.json || verbose.print_plan);
}

Test(options, keep_every_variable_in_order)
{
	_cleanup_options_ struct run_options options =
		parsed(WORDS("--env", "A=1=2", "--env=B=", "--env", "C", "--env", "A=3", "true"));
	const struct strings *env = &options.spec.environment;

	cr_assert_eq(env->count, 4);
	cr_expect_str_eq(env->items[0], "A=1=2");
	cr_expect_str_eq(env->items[1], "B=");
	cr_expect_str_eq(env->items[2], "C");
	cr_expect_str_eq(env->items[3], "A=3");
}

Test(options, end_at_the_command)
{
	_cleanup_options_ struct run_options plain =
		parsed(WORDS("--pids", "5", "python3", "--version", "--pids", "7", "--"));
	_cleanup_options_ struct run_options dashed = parsed(WORDS("--", "--odd", "--", "x"));
	_cleanup_options_ struct run_options single = parsed(WORDS("-"));

	cr_expect_eq(plain.spec.limits.pids_max, 5);
	cr_expect_not(plain.version);
	cr_assert_eq(plain.spec.command.count, 5);
	cr_expect_str_eq(plain.spec.command.items[1], "--version");
	cr_expect_str_eq(plain.spec.command.items[4], "--");
	cr_assert_eq(dashed.spec.command.count, 3);
	cr_expect_str_eq(dashed.spec.command.items[0], "--odd");
	cr_expect_str_eq(dashed.spec.command.items[1], "--");
	cr_expect_str_eq(single.spec.command.items[0], "-");
	cr_expect_str_eq(single.spec.name, "app");
}

Test(options, ask_for_help_and_version_without_a_command)
{
	_cleanup_options_ struct run_options help = parsed(WORDS("--mem", "5M", "--help", "--bad"));
	_cleanup_options_ struct run_options version = parsed(WORDS("--version", "--bad"));

	cr_expect(help.help);
	cr_expect_not(help.version);
	cr_expect(version.version);
	cr_expect_not(version.help);
}

Test(options, lift_the_last_delay_with_the_first)
{
	_cleanup_options_ struct run_options small = parsed(WORDS("--backoff", "2s", "true"));
	_cleanup_options_ struct run_options large = parsed(WORDS("--backoff=5min", "true"));

	cr_expect_eq(small.spec.restart.backoff_usec, 2 * USEC_PER_SEC);
	cr_expect_eq(small.spec.restart.backoff_max_usec, SPEC_BACKOFF_MAX_DEFAULT);
	cr_expect_eq(large.spec.restart.backoff_usec, 300 * USEC_PER_SEC);
	cr_expect_eq(large.spec.restart.backoff_max_usec, 300 * USEC_PER_SEC);
}

/* --- what is refused -------------------------------------------------------------------------- */

Test(options, refuse_unknown_options_and_say_what_was_meant)
{
	static const char *const elsewhere = ": `pysbx run --help` lists them; \"--\" goes before "
					     "a command that starts with a dash";
	char text[ERROR_TEXT_MAX];

	expect_refused(WORDS("--memm", "1M", "true"), ERROR_USAGE,
		       "unknown option \"--memm\": did you mean --mem?");
	expect_refused(WORDS("--mme=1M", "true"), ERROR_USAGE,
		       "unknown option \"--mme=1M\": did you mean --mem?");
	expect_refused(WORDS("--memory", "1M", "true"), ERROR_USAGE,
		       "unknown option \"--memory\": did you mean --mem?");
	expect_refused(WORDS("-h"), ERROR_USAGE, "unknown option \"-h\": did you mean --help?");
	expect_refused(WORDS("-mem", "1M", "true"), ERROR_USAGE,
		       "unknown option \"-mem\": did you mean --mem?");
	expect_refused(WORDS("--Mem", "1M", "true"), ERROR_USAGE,
		       "unknown option \"--Mem\": did you mean --mem?");
	snprintf(text, sizeof(text), "unknown option \"--frobnicate\"%s", elsewhere);
	expect_refused(WORDS("--frobnicate", "true"), ERROR_USAGE, text);
	snprintf(text, sizeof(text), "unknown option \"-\\x1b[m\"%s", elsewhere);
	expect_refused(WORDS("-\x1b[m"), ERROR_USAGE, text);
	snprintf(text, sizeof(text), "unknown option \"--=x\"%s", elsewhere);
	expect_refused(WORDS("--=x", "true"), ERROR_USAGE, text);
}

Test(options, refuse_missing_and_needless_values)
{
	expect_refused(WORDS("--mem"), ERROR_USAGE, "--mem: needs a value: write --mem=SIZE");
	expect_refused(WORDS("--mem", "--cpu", "1", "true"), ERROR_USAGE,
		       "--mem: needs a value: write --mem=SIZE");
	expect_refused(WORDS("--name", "--", "true"), ERROR_USAGE,
		       "--name: needs a value: write --name=NAME");
	expect_refused(WORDS("--json=1", "true"), ERROR_USAGE, "--json: takes no value");
	expect_refused(WORDS("--help="), ERROR_USAGE, "--help: takes no value");
}

Test(options, refuse_a_missing_command)
{
	static const char text[] = "no command: write pysbx run [OPTIONS] [--] COMMAND [ARG...]";
	const char *const none[] = { NULL };

	expect_refused(none, ERROR_USAGE, text);
	expect_refused(WORDS("--mem", "64M"), ERROR_USAGE, text);
	expect_refused(WORDS("--mem", "64M", "--"), ERROR_USAGE, text);
	expect_refused(WORDS(""), ERROR_INVALID, "COMMAND: is empty: it must name a program");
}

/* A value that an option takes. */
static const char *sample_value(const struct option_row *row, char *buffer, size_t size)
{
	static const struct {
		const char *argument, *value;
	} samples[] = {
		{ "SIZE", "64M" },
		{ "CPU", "1" },
		{ "N", "50" },
		{ "NAME", "web" },
		{ "DIR", "/srv/a" },
		{ "PROFILE", "mine" },
		{ "TIME", "1s" },
		{ "SIGNAL", "INT" },
		{ "FILE", "a" },
		{ "PATH", "/srv/a" },
		{ "ADDRESS", "10.0.0.5:5432" },
		{ "SOCKET", "127.0.0.1:8000" },
		{ "NAME|PATH", "postgresql" },
		{ "WALL", "landlock" },
		{ "URL", "http://127.0.0.1:8000/" },
		{ "GROUP", "www-data" },
		{ "NAME[=VALUE]", "A=1" },
		{ "FIRST[/MAX]", "1s" },
		{ "PROGRAM", "/bin/true" },
		{ "STEP=SHARE", "recycle=90%" },
		{ "USER|UID[:GID]", "1000" },
		{ "PATH=RBPS/WBPS[/RIOPS/WIOPS]", "/srv=1M/1M" },
	};

	if (row->choices != NULL) {
		snprintf(buffer, size, "%.*s", (int)strcspn(row->choices, "|"), row->choices);
		return buffer;
	}
	for (size_t i = 0; i < ARRAY_SIZE(samples); i++)
		if (strcmp(row->argument, samples[i].argument) == 0)
			return samples[i].value;
	cr_assert_fail("--%s: no sample of %s", row->name, row->argument);
	return NULL;
}

Test(options, read_the_pressure_ladder)
{
	struct run_options options;
	struct error err = { 0 };

	cr_assert_eq(parse(WORDS("--pressure=off", "--pressure", "recycle=90%",
				 "--pressure=cooldown=5s", "true"),
			   &options, &err),
		     0, "%s", err.text);
	cr_expect_eq(options.spec.pressure.at[PRESSURE_NOTIFY], LIMIT_MAX);
	cr_expect_eq(options.spec.pressure.at[PRESSURE_RECYCLE], 90);
	cr_expect_eq(options.spec.pressure.cooldown_usec, 5 * USEC_PER_SEC);
	run_options_clear(&options);

	cr_expect_eq(parse(WORDS("--pressure=recycle", "true"), &options, &err), -EINVAL);
	cr_expect_str_eq(err.text, "--pressure: \"\" is no share: write 1% to 100%, or off");
	cr_expect_eq(parse(WORDS("--pressure=recyle=9%", "true"), &options, &err), -EINVAL);
	cr_expect_eq(strncmp(err.text, "--pressure: write STEP=SHARE", 28), 0, "%s", err.text);
	cr_expect_eq(parse(WORDS("--pressure=cooldown=1ms", "true"), &options, &err), -EINVAL);
	cr_expect_str_eq(err.text, "--pressure: 1ms is too little: at least 1s");
}

Test(options, take_each_once_and_the_repeatable_more_often)
{
	for (size_t i = 0; i < run_option_count; i++) {
		const struct option_row *row = &run_option_rows[i];
		char word[64], text[ERROR_TEXT_MAX], value[32];
		struct run_options options;
		struct error err = { 0 };

		if (row->argument == NULL) {
			cr_expect(row->repeatable, "--%s: flags may be repeated", row->name);
			snprintf(word, sizeof(word), "--%s", row->name);
		} else {
			snprintf(word, sizeof(word), "--%s=%s", row->name,
				 sample_value(row, value, sizeof(value)));
		}
		cr_assert_eq(parse(WORDS(word, "true"), &options, &err), 0, "%s", err.text);
		run_options_clear(&options);

		if (row->field == FIELD_IO || row->field == FIELD_LISTEN)
			continue; /* repeatable, but not for one path or address */
		if (row->repeatable) {
			cr_assert_eq(parse(WORDS(word, word, "true"), &options, &err), 0, "%s",
				     err.text);
			run_options_clear(&options);
		} else {
			snprintf(text, sizeof(text), "--%s: given twice: keep one of them",
				 row->name);
			expect_refused(WORDS(word, word, "true"), ERROR_USAGE, text);
		}
	}
}

Test(options, name_the_option_of_a_wrong_value)
{
	static const struct {
		const char *word, *text;
	} samples[] = {
		{ "--mem=12Q", "--mem: \"12Q\" is not a size: write bytes, or a number with K, M, "
			       "G or T, for example 256M" },
		{ "--mem=", "--mem: \"\" is not a size: write bytes, or a number with K, M, G or "
			    "T, for example 256M" },
		{ "--mem=99999999999999999999",
		  "--mem: \"99999999999999999999\" is too large for a "
		  "size: at most 1048576T, or max" },
		{ "--mem=0", "--mem: 0 is too little: at least 4M" },
		{ "--mem-high=1K", "--mem-high: 1K is too little: at least 4M" },
		{ "--swap=-1", "--swap: \"-1\" is not a size: write bytes, or a number with K, M, "
			       "G or T, for example 256M" },
		{ "--cpu=0", "--cpu: \"0\" is too little CPU: at least 1%" },
		{ "--cpu-weight=0", "--cpu-weight: \"0\" is not a whole number from 1 to 10000" },
		{ "--pids=0", "--pids: \"0\" is not a whole number from 1 to 4194304, or max" },
		{ "--nofile=max", "--nofile: \"max\" is not a whole number from 16 to 1048576" },
		{ "--tmp-size=max", "--tmp-size: max is too much: at most 1048576T" },
		{ "--io=/srv", "--io: \"/srv\" is not PATH=RBPS/WBPS[/RIOPS/WIOPS], for example "
			       "/srv=20M/10M" },
		{ "--io=/srv=1/1M", "--io: 1B is too little: at least 4K" },
		{ "--name=A", "--name: \"A\" is not a name: write small letters, digits, '-', '_' "
			      "and '.', at most 64, with a letter or digit first and last" },
		{ "--user=root",
		  "--user: \"root\" is root: workers never run as root; name another "
		  "user, or none to get an id of their own" },
		{ "--chdir=", "--chdir: the path is empty" },
		{ "--report=", "--report: the path is empty" },
		{ "--env=1A=b", "--env: \"1A=b\" is not NAME=value or NAME: a name has letters, "
				"digits and '_', and no digit first" },
		{ "--ro=/proc", "--ro: \"/proc\" shows the kernel's view of the host: the app has "
				"its own /proc" },
		{ "--rw=/", "--rw: \"/\" would show the whole host" },
		{ "--syscalls-mode=off",
		  "--syscalls-mode: \"off\" is not known here: write enforce, log "
		  "or canary" },
		{ "--syscalls=", "--syscalls: \"\" is neither the name of a profile nor a path to "
				 "one" },
		{ "--network=bridge",
		  "--network: \"bridge\" is not known here: write host, none or private" },
		{ "--egress=db.example:5432",
		  "--egress: \"db.example:5432\" is not an address, for example 10.0.0.5, "
		  "10.1.0.0/16:443 or [2001:db8::1]:443; nor is it localhost, dns, any or none "
		  "(names of hosts are not looked up: write their addresses)" },
		{ "--listen=8000",
		  "--listen: \"8000\" is not an address and a port, for example "
		  "127.0.0.1:8000 or [::1]:8000, nor unix: and a path, for example "
		  "unix:/run/pysbx/listen/blog.sock" },
		{ "--restart=sometimes",
		  "--restart: \"sometimes\" is not known here: write always, "
		  "on-failure or never" },
		{ "--max-restarts=-1", "--max-restarts: \"-1\" is not a whole number from 0 to "
				       "1000000, or max" },
		{ "--backoff=5s/",
		  "--backoff: \"\" is not a time: write seconds, or numbers with "
		  "units as in systemd.time(7), for example 500ms, 5s or 1min 30s" },
		{ "--backoff=5s/1s", "--backoff: the first delay, 5s, is above the last, 1s" },
		{ "--backoff=0", "--backoff: 0 is too little: at least 10ms" },
		{ "--backoff=1s/2d", "--backoff: 2d is too much: at most 1d" },
		{ "--oom=nobody", "--oom: \"nobody\" is not known here: write worker or app" },
		{ "--grace=2d", "--grace: 2d is too much: at most 1d" },
		{ "--kill-signal=BOGUS",
		  "--kill-signal: \"BOGUS\" is not a signal: write a name as "
		  "in TERM or a number from 1 to 64" },
		{ "--kill-signal=STOP", "--kill-signal: SIGSTOP ends no program" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(samples); i++)
		expect_refused(WORDS(samples[i].word, "true"), ERROR_INVALID, samples[i].text);
}

Test(options, name_both_options_of_a_contradiction)
{
	expect_refused(WORDS("--mem", "256M", "--mem-high", "300M", "true"), ERROR_INVALID,
		       "--mem-high: 300M is above --mem, 256M");
	expect_refused(WORDS("--tmp-size=1G", "--mem", "256M", "true"), ERROR_INVALID,
		       "--tmp-size: 1G is above --mem, 256M");
	expect_refused(WORDS("--quiet", "--verbose", "true"), ERROR_USAGE,
		       "--quiet: contradicts --verbose: keep one of them");
	expect_refused(WORDS("--restart", "never", "--backoff", "5s", "true"), ERROR_USAGE,
		       "--backoff: contradicts --restart never: keep one of them");
	expect_refused(WORDS("--max-restarts", "5", "--restart", "never", "true"), ERROR_USAGE,
		       "--max-restarts: contradicts --restart never: keep one of them");
	expect_refused(WORDS("--ro", "data", "--rw", "/srv/app/./data", "true"), ERROR_INVALID,
		       "--rw: \"/srv/app/data\" is also in --ro: keep one of the two");
	expect_refused(WORDS("--io=data=1M/1M", "--io=./data/=2M/2M", "true"), ERROR_INVALID,
		       "--io: \"/srv/app/data\" is limited twice: write all its limits at once");
}

/* --- the table -------------------------------------------------------------------------------- */

Test(options, table_is_well_formed)
{
	cr_expect_eq(run_option_count, 48);
	cr_expect_not_null(run_option_rows[0].group);
	for (size_t i = 0; i < run_option_count; i++) {
		const struct option_row *row = &run_option_rows[i];

		cr_expect_eq(strspn(row->name, "abcdefghijklmnopqrstuvwxyz-"), strlen(row->name));
		cr_expect_leq(strlen(row->name) + sizeof("--"), RUN_OPTION_LABEL_MAX);
		cr_expect_not_null(row->set, "--%s", row->name);
		cr_expect_neq(row->help[strlen(row->help) - 1], '.', "--%s", row->name);
		for (size_t j = 0; j < i; j++) {
			cr_expect_str_neq(row->name, run_option_rows[j].name);
			cr_expect(row->field == FIELD_NONE ||
					  row->field != run_option_rows[j].field,
				  "--%s", row->name);
		}
	}
}

Test(options, table_has_the_choices_of_the_spec)
{
	static const struct {
		const char *name, *choices;
	} expected[] = { { "syscalls-mode", "enforce|log|canary" },
			 { "network", "host|none|private" },
			 { "restart", "always|on-failure|never" },
			 { "oom", "worker|app" },
			 { "health-restart", "hung|unhealthy|never" } };
	size_t with_choices = 0;

	for (size_t i = 0; i < run_option_count; i++) {
		if (run_option_rows[i].choices == NULL)
			continue;
		cr_assert_lt(with_choices, ARRAY_SIZE(expected));
		cr_expect_str_eq(run_option_rows[i].name, expected[with_choices].name);
		cr_expect_str_eq(run_option_rows[i].choices, expected[with_choices].choices);
		with_choices++;
	}
	cr_expect_eq(with_choices, ARRAY_SIZE(expected));
}

static const char *help_of(const char *name)
{
	for (size_t i = 0; i < run_option_count; i++)
		if (strcmp(run_option_rows[i].name, name) == 0)
			return run_option_rows[i].help;
	cr_assert_fail("no --%s", name);
	return "";
}

static void expect_default(const char *name, const char *value)
{
	char text[64];

	snprintf(text, sizeof(text), "default %s", value);
	cr_expect_not_null(strstr(help_of(name), text), "--%s: %s lacks \"%s\"", name,
			   help_of(name), text);
}

Test(options, help_tells_the_true_defaults)
{
	char text[QUANTITY_TEXT_MAX], other[QUANTITY_TEXT_MAX], both[2 * QUANTITY_TEXT_MAX];

	snprintf(text, sizeof(text), "%d", SPEC_PIDS_DEFAULT);
	expect_default("pids", text);
	snprintf(text, sizeof(text), "%d", SPEC_NOFILE_DEFAULT);
	expect_default("nofile", text);
	expect_default("tmp-size", quantity_format_size(SPEC_TMP_SIZE_DEFAULT, text));
	expect_default("syscalls", SPEC_SYSCALLS_DEFAULT);
	snprintf(text, sizeof(text), "%d", SPEC_RESTARTS_DEFAULT);
	expect_default("max-restarts", text);
	snprintf(both, sizeof(both), "%s/%s", quantity_format_time(SPEC_BACKOFF_DEFAULT, text),
		 quantity_format_time(SPEC_BACKOFF_MAX_DEFAULT, other));
	expect_default("backoff", both);
	expect_default("grace", quantity_format_time(SPEC_GRACE_DEFAULT, text));
	expect_default("restart", spec_restart_mode_name(RESTART_ON_FAILURE));
	expect_default("kill-signal", "TERM");
}

Test(options, help_lists_every_option_in_80_columns)
{
	_cleanup_free_ char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	cr_assert_not_null(out);
	run_options_help(out);
	cr_assert_eq(fclose(out), 0);
	for (size_t i = 0; i < run_option_count; i++) {
		const struct option_row *row = &run_option_rows[i];
		char start[128];

		snprintf(start, sizeof(start), "\n  --%s%s%s", row->name,
			 row->argument != NULL ? " " : "",
			 row->argument != NULL ? row->argument : "");
		cr_expect_not_null(strstr(text, start), "%s", start);
	}
	for (const char *line = text; *line != '\0'; line += strcspn(line, "\n") + 1) {
		size_t length = strcspn(line, "\n");

		cr_expect_leq(length, 80, "%.*s", (int)length, line);
		cr_expect(length == 0 || line[length - 1] != ' ', "%.*s", (int)length, line);
	}
}

/* --- what is written by hand elsewhere -------------------------------------------------------- */

/* The file's content; skips the test where the source tree is not the working directory. */
static char *read_source(const char *path)
{
	_cleanup_fclose_ FILE *file = fopen(path, "re");
	char *text = calloc(1, FILE_MAX);

	cr_assert_not_null(text);
	if (file == NULL) {
		free(text);
		cr_skip_test("%s: %s: run in the source tree", path, strerror(errno));
	}
	cr_assert_lt(fread(text, 1, FILE_MAX - 1, file), FILE_MAX - 1, "%s is too large", path);
	return text;
}

/* Is `word` in text, with no letter or dash before and behind it? */
static bool has_word(const char *text, const char *word)
{
	static const char inside[] = "abcdefghijklmnopqrstuvwxyz0123456789-";

	for (const char *at = text; (at = strstr(at, word)) != NULL; at++) {
		char before = at == text ? ' ' : at[-1], after = at[strlen(word)];

		if (strchr(inside, before) == NULL &&
		    (after == '\0' || strchr(inside, after) == NULL))
			return true;
	}
	return false;
}

static void expect_options_and_choices(const char *path, const char *prefix)
{
	_cleanup_free_ char *text = read_source(path);

	for (size_t i = 0; i < run_option_count; i++) {
		const struct option_row *row = &run_option_rows[i];
		char word[64];

		snprintf(word, sizeof(word), "%s%s", prefix, row->name);
		cr_expect(has_word(text, word), "%s lacks \"%s\"", path, word);
		if (row->choices == NULL)
			continue;
		snprintf(word, sizeof(word), "%s", row->choices);
		for (char *bar = word; (bar = strchr(bar, '|')) != NULL;)
			*bar = ' ';
		cr_expect(has_word(text, word), "%s lacks \"%s\"", path, word);
	}
	for (size_t i = 0; i < learn_option_count; i++) {
		char word[64];

		snprintf(word, sizeof(word), "%s%s", prefix, learn_option_rows[i].name);
		cr_expect(has_word(text, word), "%s lacks \"%s\"", path, word);
	}
}

/* Of `pysbx run`, or of the commands beside it. */
static bool is_option(const char *name, size_t length)
{
	bool known = false;

	for (size_t i = 0; !known && i < run_option_count; i++)
		known = strlen(run_option_rows[i].name) == length &&
			strncmp(run_option_rows[i].name, name, length) == 0;
	for (size_t i = 0; !known && i < learn_option_count; i++)
		known = strlen(learn_option_rows[i].name) == length &&
			strncmp(learn_option_rows[i].name, name, length) == 0;
	for (size_t i = 0; !known && i < ctl_option_count; i++)
		known = strlen(ctl_option_rows[i].name) == length &&
			strncmp(ctl_option_rows[i].name, name, length) == 0;
	return known;
}

/* Every word of the file that starts with prefix is an option. */
static void expect_no_other_options(const char *path, const char *prefix)
{
	_cleanup_free_ char *text = read_source(path);

	for (const char *at = text; (at = strstr(at, prefix)) != NULL; at++) {
		const char *name = at + strlen(prefix);
		size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyz-");

		cr_expect(length == 0 || name[0] == '-' || is_option(name, length),
			  "%s: %s%.*s is no option", path, prefix, (int)length, name);
	}
}

Test(options, are_those_of_the_bash_completion)
{
	expect_options_and_choices("packaging/completion/pysbx.bash", "--");
	expect_no_other_options("packaging/completion/pysbx.bash", "--");
}

Test(options, are_those_of_the_zsh_completion)
{
	expect_options_and_choices("packaging/completion/pysbx.zsh", "--");
	expect_no_other_options("packaging/completion/pysbx.zsh", "--");
}

Test(options, are_those_of_the_fish_completion)
{
	expect_options_and_choices("packaging/completion/pysbx.fish", "-l ");
	expect_no_other_options("packaging/completion/pysbx.fish", " -l ");
}

/* mdoc: ".It Fl -mem Ar SIZE" */
Test(options, are_those_of_the_man_page)
{
	static const char path[] = "man/pysbx.1";
	_cleanup_free_ char *text = read_source(path);

	for (size_t i = 0; i < run_option_count + learn_option_count; i++) {
		const struct option_row *row = i < run_option_count
						       ? &run_option_rows[i]
						       : &learn_option_rows[i - run_option_count];
		char line[128];

		snprintf(line, sizeof(line), "\n.It Fl -%s%s%s\n", row->name,
			 row->argument != NULL ? " Ar " : "",
			 row->argument != NULL ? row->argument : "");
		cr_expect_not_null(strstr(text, line), "%s lacks this line: %s", path, line);
	}
	expect_no_other_options(path, ".It Fl -");
}
