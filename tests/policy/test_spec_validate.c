/* SPDX-License-Identifier: MIT */
#include "policy/own.h"
#include "policy/path.h"
#include "policy/spec.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <string.h>

#define MIB (UINT64_C(1) << 20)

/* A spec that is right; each test spoils it in one way. Cleared by expect_*. */
static struct app_spec good(void)
{
	struct app_spec spec;
	struct error err;

	cr_assert_eq(spec_init(&spec, &err), 0);
	cr_assert_eq(strings_append(&spec.command, "gunicorn", &err), 0);
	spec.directory = strdup("/srv/app");
	spec.limits.memory_max = 256 * MIB;
	cr_assert_eq(spec_complete(&spec, &err), 0);
	return spec;
}

static void expect_valid(struct app_spec *spec)
{
	struct error err = { 0 };

	cr_expect_eq(spec_validate(spec, &err), 0, "%s", err.text);
	spec_clear(spec);
}

static void expect_refused(struct app_spec *spec, const char *text)
{
	struct error err = { 0 };

	cr_expect_eq(spec_validate(spec, &err), -EINVAL, "taken, not: %s", text);
	cr_expect_eq(err.kind, ERROR_INVALID);
	cr_expect_str_eq(err.text, text);
	spec_clear(spec);
}

static void set(char **text, const char *value)
{
	free(*text);
	*text = value != NULL ? strdup(value) : NULL;
}

static void add(struct strings *list, const char *item)
{
	struct error err;

	cr_assert_eq(strings_append(list, item, &err), 0);
}

Test(spec_validate, takes_a_plain_spec)
{
	struct app_spec spec = good();

	expect_valid(&spec);
}

Test(spec_validate, takes_every_limit_at_its_ends)
{
	struct app_spec spec = good();

	spec.limits.memory_max = spec.limits.memory_high = SPEC_MEMORY_MIN;
	spec.limits.memory_swap_max = 0;
	spec.limits.cpu_max = CPU_MILLI_MIN;
	spec.limits.cpu_weight = 1;
	spec.limits.pids_max = 1;
	spec.limits.nofile = SPEC_NOFILE_MIN;
	spec.limits.tmp_size = SPEC_TMP_SIZE_MIN;
	spec.restart.max_restarts = 0;
	spec.restart.backoff_usec = spec.restart.backoff_max_usec = SPEC_BACKOFF_MIN;
	spec.restart.stable_usec = SPEC_STABLE_MIN;
	spec.stop.grace_usec = 0;
	expect_valid(&spec);

	spec = good();
	spec.limits.memory_max = spec.limits.memory_high = SIZE_LIMIT_BYTES;
	spec.limits.memory_swap_max = spec.limits.tmp_size = SIZE_LIMIT_BYTES;
	spec.limits.cpu_max = CPU_MILLI_LIMIT;
	spec.limits.cpu_weight = SPEC_CPU_WEIGHT_MAX;
	spec.limits.pids_max = SPEC_PIDS_LIMIT;
	spec.limits.nofile = SPEC_NOFILE_LIMIT;
	spec.restart.max_restarts = SPEC_RESTARTS_LIMIT;
	spec.restart.backoff_usec = spec.restart.backoff_max_usec = SPEC_WAIT_LIMIT;
	spec.restart.stable_usec = spec.stop.grace_usec = SPEC_WAIT_LIMIT;
	expect_valid(&spec);

	spec = good();
	spec.limits.memory_max = spec.limits.memory_high = LIMIT_MAX;
	spec.limits.memory_swap_max = spec.limits.cpu_max = spec.limits.pids_max = LIMIT_MAX;
	spec.restart.max_restarts = LIMIT_MAX;
	expect_valid(&spec);

	spec = good();
	spec.limits.memory_max = spec.limits.memory_swap_max = spec.limits.pids_max = LIMIT_UNSET;
	spec.limits.nofile = spec.limits.tmp_size = LIMIT_UNSET;
	expect_valid(&spec);
}

#define EXPECT_REFUSED(statement, text)             \
	do {                                        \
		struct app_spec spoilt_ = good();   \
		struct app_spec *spoilt = &spoilt_; \
		statement;                          \
		expect_refused(spoilt, text);       \
	} while (0)

Test(spec_validate, refuses_numbers_outside_their_range)
{
	EXPECT_REFUSED(spoilt->limits.memory_max = 0,
		       "limits.memory: 0 is too little: at least 4M");
	EXPECT_REFUSED(spoilt->limits.memory_max = SPEC_MEMORY_MIN - 1,
		       "limits.memory: 4.0M is too little: at least 4M");
	EXPECT_REFUSED(spoilt->limits.memory_max = SIZE_LIMIT_BYTES + 1,
		       "limits.memory: 1048576.0T is too much: at most 1048576T");
	EXPECT_REFUSED(spoilt->limits.memory_high = 1,
		       "limits.memory_high: 1B is too little: at least 4M");
	EXPECT_REFUSED(spoilt->limits.memory_swap_max = SIZE_LIMIT_BYTES + 1,
		       "limits.memory_swap: 1048576.0T is too much: at most 1048576T");
	EXPECT_REFUSED(spoilt->limits.cpu_max = 9, "limits.cpu: 0.9% is too little: at least 1%");
	EXPECT_REFUSED(spoilt->limits.cpu_max = CPU_MILLI_LIMIT + 1,
		       "limits.cpu: 409600.1% is too much: at most 409600%");
	EXPECT_REFUSED(spoilt->limits.cpu_weight = 0,
		       "limits.cpu_weight: 0 is too little: at least 1");
	EXPECT_REFUSED(spoilt->limits.cpu_weight = 10001,
		       "limits.cpu_weight: 10001 is too much: at most 10000");
	EXPECT_REFUSED(spoilt->limits.cpu_weight = LIMIT_MAX,
		       "limits.cpu_weight: max is too much: at most 10000");
	EXPECT_REFUSED(spoilt->limits.pids_max = 0, "limits.pids: 0 is too little: at least 1");
	EXPECT_REFUSED(spoilt->limits.pids_max = 4194305,
		       "limits.pids: 4194305 is too much: at most 4194304");
	EXPECT_REFUSED(spoilt->limits.nofile = 15, "limits.nofile: 15 is too little: at least 16");
	EXPECT_REFUSED(spoilt->limits.nofile = LIMIT_MAX,
		       "limits.nofile: max is too much: at most 1048576");
	EXPECT_REFUSED(spoilt->limits.tmp_size = 0,
		       "limits.tmp_size: 0 is too little: at least 64K");
	EXPECT_REFUSED(spoilt->limits.tmp_size = LIMIT_MAX,
		       "limits.tmp_size: max is too much: at most 1048576T");
	EXPECT_REFUSED(spoilt->restart.max_restarts = LIMIT_UNSET,
		       "restart.max_restarts: 18446744073709551614 is too much: at most 1000000");
	EXPECT_REFUSED(spoilt->restart.backoff_usec = 0,
		       "restart.backoff: 0 is too little: at least 10ms");
	EXPECT_REFUSED(spoilt->restart.backoff_max_usec = SPEC_WAIT_LIMIT + 1,
		       "restart.backoff_max: 1d 1us is too much: at most 1d");
	EXPECT_REFUSED(spoilt->restart.stable_usec = 1,
		       "restart.stable: 1us is too little: at least 100ms");
	EXPECT_REFUSED(spoilt->stop.grace_usec = LIMIT_MAX,
		       "stop.grace: max is too much: at most 1d");
}

Test(spec_validate, refuses_numbers_that_contradict_each_other)
{
	EXPECT_REFUSED(spoilt->limits.memory_high = 300 * MIB,
		       "limits.memory_high: 300M is above limits.memory, 256M");
	EXPECT_REFUSED(spoilt->limits.tmp_size = 257 * MIB,
		       "limits.tmp_size: 257M is above limits.memory, 256M");
	EXPECT_REFUSED(spoilt->restart.backoff_usec = 61 * USEC_PER_SEC,
		       "restart.backoff: 1min 1s is above restart.backoff_max, 1min");
}

Test(spec_validate, names_fields_as_the_labels_say)
{
	struct spec_labels labels = spec_json_labels;
	struct app_spec spec = good();
	struct error err = { 0 };

	labels.of[FIELD_MEMORY] = "--mem";
	labels.of[FIELD_MEMORY_HIGH] = "--mem-high";
	labels.of[FIELD_READABLE] = "--ro";
	labels.indexed = false;
	spec.limits.memory_high = 300 * MIB;
	cr_expect_eq(spec_validate_labelled(&spec, &labels, &err), -EINVAL);
	cr_expect_str_eq(err.text, "--mem-high: 300M is above --mem, 256M");
	spec.limits.memory_high = LIMIT_UNSET;
	add(&spec.isolation.readable, "/proc");
	cr_expect_eq(spec_validate_labelled(&spec, &labels, &err), -EINVAL);
	cr_expect_eq(strncmp(err.text, "--ro: \"/proc\" shows", 19), 0, "%s", err.text);
	spec_clear(&spec);
}

Test(spec_validate, refuses_a_missing_or_empty_command_and_too_many_words)
{
	EXPECT_REFUSED(strings_clear(&spoilt->command), "command: is missing: say what to run");
	EXPECT_REFUSED(strings_clear(&spoilt->command);
		       add(&spoilt->command, ""), "command[0]: is empty: it must name a program");
	EXPECT_REFUSED(for (int i = 0; i < SPEC_ARGV_MAX; i++) add(&spoilt->command, "x"),
		       "command: 1025 words are too many: at most 1024");

	struct app_spec spec = good();

	for (int i = 1; i < SPEC_ARGV_MAX; i++)
		add(&spec.command, "");
	expect_valid(&spec);
}

Test(spec_validate, bounds_the_length_of_words_and_variables)
{
	char *text = malloc(SPEC_STRING_MAX + 1);
	struct app_spec spec = good();

	memset(text, 'x', SPEC_STRING_MAX);
	text[SPEC_STRING_MAX] = '\0';
	text[1] = '=';
	EXPECT_REFUSED(add(&spoilt->command, text),
		       "command[1]: a word is longer than 131071 bytes");
	text[SPEC_STRING_MAX - 1] = '\0';
	add(&spec.command, text);
	add(&spec.environment, text);
	expect_valid(&spec);
	free(text);
}

Test(spec_validate, refuses_a_name_that_is_none)
{
	EXPECT_REFUSED(set(&spoilt->name, NULL), "name: is missing");
	EXPECT_REFUSED(set(&spoilt->name, "../x"),
		       "name: \"../x\" is not a name: write small letters, digits, '-', '_' and "
		       "'.', at most 64, with a letter or digit first and last");
}

Test(spec_validate, takes_users_by_name_and_id)
{
	static const char *const users[] = { "www-data", "_apt", "user.name", "machine$",
					     "A",	 "1000", "1000:1000", "4294967294:1" };

	for (size_t i = 0; i < ARRAY_SIZE(users); i++) {
		struct app_spec spec = good();

		set(&spec.user, users[i]);
		expect_valid(&spec);
	}
}

Test(spec_validate, refuses_root_in_every_spelling)
{
	static const char *const users[] = { "root", "0", "0:0", "0:1000", "1000:0" };

	for (size_t i = 0; i < ARRAY_SIZE(users); i++) {
		struct app_spec spec = good();
		struct error err = { 0 };

		set(&spec.user, users[i]);
		cr_expect_eq(spec_validate(&spec, &err), -EINVAL, "%s was taken", users[i]);
		cr_expect_not_null(strstr(err.text, "is root: workers never run as root"), "%s",
				   err.text);
		spec_clear(&spec);
	}
}

Test(spec_validate, refuses_users_that_are_none)
{
	static const char *const users[] = {
		"",	 "0day",  "-1",	 "+0",	  "00",	    "4294967295", "4294967296", "1000:",
		":1000", "1:2:3", "a:b", "a b",	  "1000:x", "-x",	  "a/b",	"a\n",
		"$x",	 "a$b",	  "0x0", " root", "root ",  "1 ",	  "\xc3\xbc",	"1000:-1",
	};

	for (size_t i = 0; i < ARRAY_SIZE(users); i++) {
		struct app_spec spec = good();
		struct error err = { 0 };

		set(&spec.user, users[i]);
		cr_expect_eq(spec_validate(&spec, &err), -EINVAL, "\"%s\" was taken", users[i]);
		cr_expect_eq(strncmp(err.text, "user: \"", 7), 0, "%s", err.text);
		cr_expect_not_null(strstr(err.text, "is not a user"), "%s", err.text);
		spec_clear(&spec);
	}
}

Test(spec_validate, takes_and_refuses_variables)
{
	static const char *const valid[] = {
		"A=1", "A", "A=", "_a9=b=c", "Z=line\nline", "a=\xff"
	};
	static const char *const invalid[] = { "",    "=",  "=x",    "1A=2",	   "A-B=1",
					       "A B", " A", "A.B=1", "\xc3\xbc=1", "A\n=1" };
	struct app_spec spec = good();

	for (size_t i = 0; i < ARRAY_SIZE(valid); i++)
		add(&spec.environment, valid[i]);
	expect_valid(&spec);

	for (size_t i = 0; i < ARRAY_SIZE(invalid); i++) {
		struct error err = { 0 };

		spec = good();
		add(&spec.environment, "OK=1");
		add(&spec.environment, invalid[i]);
		cr_expect_eq(spec_validate(&spec, &err), -EINVAL, "\"%s\" was taken", invalid[i]);
		cr_expect_eq(strncmp(err.text, "environment[1]: \"", 17), 0, "%s", err.text);
		cr_expect_null(strchr(err.text, '\n'));
		spec_clear(&spec);
	}
	EXPECT_REFUSED(for (int i = 0; i <= SPEC_ENVIRONMENT_MAX; i++)
			       add(&spoilt->environment, "A"),
		       "environment: 1025 variables are too many: at most 1024");
}

Test(spec_validate, refuses_paths_that_are_not_in_normal_form)
{
	EXPECT_REFUSED(set(&spoilt->directory, NULL), "directory: is missing");
	EXPECT_REFUSED(set(&spoilt->directory, "app"),
		       "directory: \"app\" is not an absolute path without \".\", \"..\" and "
		       "double slashes");
	EXPECT_REFUSED(set(&spoilt->directory, "/srv/../etc"),
		       "directory: \"/srv/../etc\" is not an absolute path without \".\", \"..\" "
		       "and double slashes");
	EXPECT_REFUSED(set(&spoilt->directory, "/srv\n/x"),
		       "directory: \"/srv\\n/x\" holds a control character");
	EXPECT_REFUSED(set(&spoilt->directory, "/srv\x7f"),
		       "directory: \"/srv\\x7f\" holds a control character");
	EXPECT_REFUSED(add(&spoilt->isolation.readable, "/srv/"),
		       "isolation.readable[0]: \"/srv/\" is not an absolute path without \".\", "
		       "\"..\" and double slashes");
	EXPECT_REFUSED(add(&spoilt->environment_files, "env"),
		       "environment_files[0]: \"env\" is not an absolute path without \".\", "
		       "\"..\" and double slashes");
	EXPECT_REFUSED(for (int i = 0; i <= SPEC_PATHS_MAX; i++)
			       add(&spoilt->isolation.readable, "/srv"),
		       "isolation.readable: 65 paths are too many: at most 64");

	char text[PATH_TEXT_MAX + 2];
	struct app_spec spec = good();
	struct error err = { 0 };

	memset(text, 'x', sizeof(text) - 1);
	text[0] = '/';
	text[PATH_TEXT_MAX + 1] = '\0';
	set(&spec.directory, text);
	cr_expect_eq(spec_validate(&spec, &err), -EINVAL);
	cr_expect_not_null(strstr(err.text, "is longer than 4095 bytes"), "%s", err.text);
	text[PATH_TEXT_MAX] = '\0';
	set(&spec.directory, text);
	expect_valid(&spec);
}

Test(spec_validate, takes_paths_of_the_apps_own)
{
	static const char *const both[] = { "/srv",	  "/srv/app/data",   "/home/web/app",
					    "/root/app",  "/run/postgresql", "/tmp/upload",
					    "/var/www",	  "/var/lib/app",    "/opt/x",
					    "/processed", "/usrdata",	     "/etcetera" };

	for (size_t i = 0; i < ARRAY_SIZE(both); i++) {
		cr_expect_null(spec_path_objection(both[i], false), "%s", both[i]);
		cr_expect_null(spec_path_objection(both[i], true), "%s", both[i]);
	}
	cr_expect_null(spec_path_objection("/etc/myapp", false));
	cr_expect_null(spec_path_objection("/usr/local/share/app", false));
}

Test(spec_validate, objects_to_the_hosts_own_paths)
{
	static const char *const neither[] = {
		"/",
		"/proc",
		"/proc/1",
		"/sys",
		"/sys/fs/cgroup",
		"/dev",
		"/dev/sda",
		"/dev/shm",
		"/run",
		"/run/pysbx",
		"/run/pysbx/control.sock",
		"/var/lib/pysbx",
		"/var/lib/pysbx/apps",
		"/var",
		"/var/lib",
		"/home",
		"/root",
		"/tmp",
		"/var/tmp",
		"/bin",
		"/bin/sh",
		"/sbin",
		"/lib",
		"/lib64",
		"/lib/x86_64-linux-gnu",
		"/boot",
		"/usr",
		"/etc",
	};
	static const char *const not_writable[] = { "/etc/myapp", "/usr/local", "/usr/bin/x",
						    "/etc/ssl/private" };

	for (size_t i = 0; i < ARRAY_SIZE(neither); i++) {
		cr_expect_not_null(spec_path_objection(neither[i], false), "%s", neither[i]);
		cr_expect_not_null(spec_path_objection(neither[i], true), "%s", neither[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(not_writable); i++)
		cr_expect_not_null(spec_path_objection(not_writable[i], true), "%s",
				   not_writable[i]);
}

Test(spec_validate, says_why_a_path_may_not_be_shown)
{
	EXPECT_REFUSED(add(&spoilt->isolation.readable, "/srv");
		       add(&spoilt->isolation.readable, "/run/pysbx/uid"),
		       "isolation.readable[1]: \"/run/pysbx/uid\" belongs to pysbx itself");
	EXPECT_REFUSED(add(&spoilt->isolation.writable, "/etc/myapp"),
		       "isolation.writable[0]: \"/etc/myapp\" is the configuration of the whole "
		       "system");
	EXPECT_REFUSED(
		add(&spoilt->isolation.readable, "/srv/data");
		add(&spoilt->isolation.writable, "/srv/data"),
		"isolation.writable[0]: \"/srv/data\" is also in isolation.readable: keep one "
		"of the two");
	EXPECT_REFUSED(add(&spoilt->isolation.readable, "/srv/data/keys");
		       add(&spoilt->isolation.writable, "/srv/log");
		       add(&spoilt->isolation.writable, "/srv/data"),
		       "isolation.writable[1]: \"/srv/data\" contains \"/srv/data/keys\", which is "
		       "in isolation.readable: name what is to be writable beside it");
}

Test(spec_validate, knows_the_sockets_of_services_by_name)
{
	static const char *const items[] = { "postgresql", "mysql", "redis", "/run/postgresql",
					     "/srv/db/x.sock" };
	struct app_spec spec = good();

	for (size_t i = 0; i < ARRAY_SIZE(items); i++)
		add(&spec.isolation.sockets, items[i]);
	expect_valid(&spec);
	EXPECT_REFUSED(
		add(&spoilt->isolation.sockets, "mysql");
		add(&spoilt->isolation.sockets, "oracle"),
		"isolation.sockets[1]: \"oracle\" is no service that is known by name: write "
		"the path of its socket's directory");
	EXPECT_REFUSED(add(&spoilt->isolation.sockets, "/run"),
		       "isolation.sockets[0]: \"/run\" would show the sockets of all services");
	EXPECT_REFUSED(add(&spoilt->isolation.sockets, "/srv/../run/docker.sock"),
		       "isolation.sockets[0]: \"/srv/../run/docker.sock\" is not an absolute path "
		       "without \".\", \"..\" and double slashes");
}

Test(spec_validate, takes_groups_by_name_alone)
{
	struct app_spec spec = good();

	add(&spec.groups, "www-data");
	expect_valid(&spec);
	EXPECT_REFUSED(add(&spoilt->groups, "www-data");
		       add(&spoilt->groups, "33"), "groups[1]: \"33\" is not a group's name");
	EXPECT_REFUSED(add(&spoilt->groups, ""), "groups[0]: \"\" is not a group's name");
	EXPECT_REFUSED(add(&spoilt->groups, "root"),
		       "groups[0]: \"root\" is root's group: workers are never in it");
}

Test(spec_validate, knows_the_walls_that_may_be_required)
{
	struct app_spec spec = good();

	add(&spec.isolation.require, "landlock");
	add(&spec.isolation.require, "abstract-sockets");
	expect_valid(&spec);
	EXPECT_REFUSED(add(&spoilt->isolation.require, "landlock");
		       add(&spoilt->isolation.require, "secomp"),
		       "isolation.require[1]: \"secomp\" is no wall; did you mean seccomp?");
}

Test(spec_validate, takes_a_writable_path_within_a_readable_one)
{
	struct app_spec spec = good();

	add(&spec.isolation.readable, "/srv/data");
	add(&spec.isolation.writable, "/srv/data/uploads");
	add(&spec.isolation.writable, "/srv/app");
	expect_valid(&spec);
}

Test(spec_validate, takes_as_many_paths_as_it_says)
{
	struct app_spec spec = good();

	for (int i = 0; i < SPEC_PATHS_MAX; i++)
		add(&spec.isolation.readable, "/srv");
	expect_valid(&spec);
}

Test(spec_validate, takes_a_profile_by_name_or_path)
{
	struct app_spec spec = good();

	set(&spec.syscalls.profile, "my-profile.2");
	expect_valid(&spec);
	spec = good();
	set(&spec.syscalls.profile, "/etc/pysbx/profile.json");
	expect_valid(&spec);
	EXPECT_REFUSED(set(&spoilt->syscalls.profile, ""),
		       "syscalls: \"\" is neither the name of a profile nor a path to one");
	EXPECT_REFUSED(set(&spoilt->syscalls.profile, "a/b"),
		       "syscalls: \"a/b\" is neither the name of a profile nor a path to one");
	EXPECT_REFUSED(set(&spoilt->syscalls.profile, "/a/../b"),
		       "syscalls: \"/a/../b\" is not an absolute path without \".\", \"..\" and "
		       "double slashes");
}

static void add_io(struct app_spec *spec, const char *text)
{
	struct error err = { 0 };

	cr_assert_eq(spec_parse_io(text, &spec->limits, &err), 0, "%s", err.text);
}

Test(spec_validate, checks_io_limits)
{
	struct app_spec spec = good();

	add_io(&spec, "/=4096/max/2/4294967294");
	add_io(&spec, "/srv=1M/-");
	expect_valid(&spec);
	EXPECT_REFUSED(add_io(spoilt, "srv=1M/1M"),
		       "limits.io[0]: \"srv\" is not an absolute path without \".\", \"..\" and "
		       "double slashes");
	EXPECT_REFUSED(add_io(spoilt, "/srv=4095/1M"),
		       "limits.io: 4095B is too little: at least 4K");
	EXPECT_REFUSED(add_io(spoilt, "/srv=1M/0"), "limits.io: 0 is too little: at least 4K");
	EXPECT_REFUSED(add_io(spoilt, "/srv=1M/1M"); add_io(spoilt, "/=1M/1M");
		       add_io(spoilt, "/srv=-/-/10/10"),
		       "limits.io[2]: \"/srv\" is limited twice: write all its limits at once");
	EXPECT_REFUSED(add_io(spoilt, "/srv=1M/1M");
		       spoilt->limits.io[0].riops = 1, "limits.io: 1 is too little: at least 2");
	EXPECT_REFUSED(add_io(spoilt, "/srv=1M/1M");
		       spoilt->limits.io[0].wiops = UINT32_MAX,
		       "limits.io: 4294967295 is too much: at most 4294967294");
}

Test(spec_validate, takes_signals_that_can_end_a_program)
{
	const int numbers[] = { SIGTERM, SIGINT, SIGQUIT, SIGKILL, SIGHUP, SIGRTMIN + 3 };

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		struct app_spec spec = good();

		spec.stop.signal = numbers[i];
		expect_valid(&spec);
	}
	EXPECT_REFUSED(spoilt->stop.signal = SIGSTOP, "stop.signal: SIGSTOP ends no program");
	EXPECT_REFUSED(spoilt->stop.signal = SIGCONT, "stop.signal: SIGCONT ends no program");
	EXPECT_REFUSED(spoilt->stop.signal = 0, "stop.signal: 0 is not a signal");
	EXPECT_REFUSED(spoilt->stop.signal = -15, "stop.signal: -15 is not a signal");
	EXPECT_REFUSED(spoilt->stop.signal = 32, "stop.signal: 32 is not a signal");
	EXPECT_REFUSED(spoilt->stop.signal = 65, "stop.signal: 65 is not a signal");
}

Test(spec_validate, never_shows_what_belongs_to_others_as_a_whole)
{
	static const char *const refused[] = {
		"/",	    "/bin",	      "/bin/x",
		"/boot",    "/dev",	      "/dev/shm",
		"/etc",	    "/home",	      "/lib",
		"/proc",    "/proc/1/root",   "/root",
		"/run",	    "/run/pysbx",     "/run/pysbx/control.sock",
		"/sys",	    "/sys/fs/cgroup", "/tmp",
		"/usr",	    "/var",	      "/var/lib/pysbx/apps",
		"/var/tmp",
	};
	static const char *const shown[] = { "/srv",	    "/srv/app",		  "/opt",
					     "/opt/python", "/home/bob",	  "/root/x",
					     "/etc/app",    "/usr/local/app",	  "/var/lib/app",
					     "/var/www",    "/tmp/app",		  "/run/postgresql",
					     "/binaries",   "/developer",	  "/mnt",
					     "/system",	    "/var/lib/pysbx-data" };

	for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
		cr_expect_not_null(spec_path_objection(refused[i], false), "%s", refused[i]);
	for (size_t i = 0; i < ARRAY_SIZE(shown); i++)
		cr_expect_null(spec_path_objection(shown[i], false), "%s", shown[i]);
}

Test(spec_validate, checks_the_names_of_tenant_and_plan)
{
	EXPECT_REFUSED(set(&spoilt->tenant, "A"),
		       "tenant: \"A\" is not a name: write small letters, digits, '-', '_' and "
		       "'.', at most 64, with a letter or digit first and last");
	EXPECT_REFUSED(set(&spoilt->plan, "../x"),
		       "plan: \"../x\" is not a name: write small letters, digits, '-', '_' and "
		       "'.', at most 64, with a letter or digit first and last");
}

Test(spec_validate, bounds_the_logs)
{
	struct app_spec spec = good();

	EXPECT_REFUSED(spoilt->log.max_size = SPEC_LOG_SIZE_MIN - 1,
		       "log.max_size: 64.0K is too little: at least 64K");
	EXPECT_REFUSED(spoilt->log.max_size = SPEC_LOG_SIZE_LIMIT + 1,
		       "log.max_size: 1.0G is too much: at most 1G");
	EXPECT_REFUSED(spoilt->log.max_size = LIMIT_MAX,
		       "log.max_size: max is too much: at most 1G");
	EXPECT_REFUSED(spoilt->log.keep = 1001, "log.keep: 1001 is too much: at most 1000");
	EXPECT_REFUSED(spoilt->log.rate = 0, "log.rate: 0 is too little: at least 1");
	EXPECT_REFUSED(spoilt->log.rate = 1000001,
		       "log.rate: 1000001 is too much: at most 1000000");
	EXPECT_REFUSED(spoilt->log.max_size = 171 * MIB,
		       "log.max_size: 171M in each of 6 files is too much: at most 1G in all");
	EXPECT_REFUSED(spoilt->log.keep = 1000,
		       "log.max_size: 10M in each of 1001 files is too much: at most 1G in all");
	spec.log.rate = LIMIT_MAX;
	spec.log.keep = 0;
	spec.log.max_size = SPEC_LOG_SIZE_LIMIT;
	expect_valid(&spec);
	spec = good();
	spec.log.keep = 1000;
	spec.log.max_size = MIB;
	expect_valid(&spec);
}

Test(spec_validate, checks_limits_alone)
{
	struct limits limits = spec_no_limits;
	struct error err = { 0 };

	cr_expect_eq(spec_validate_limits(&limits, &err), 0, "%s", err.text);
	limits.memory_max = 64 * MIB;
	limits.memory_high = 65 * MIB;
	cr_expect_eq(spec_validate_limits(&limits, &err), -EINVAL);
	cr_expect_str_eq(err.text, "limits.memory_high: 65M is above limits.memory, 64M");
	cr_expect_str_eq(err.path, "limits.memory_high");
}

/* --- network ---------------------------------------------------------------------------------- */

Test(spec_validate, takes_lists_of_the_network)
{
	struct app_spec spec = good();

	spec.isolation.network = NETWORK_PRIVATE;
	add(&spec.listen, "127.0.0.1:8000");
	add(&spec.listen, "[::1]:8000");
	add(&spec.isolation.egress, "10.0.0.5:5432");
	add(&spec.isolation.egress, "dns");
	expect_valid(&spec);
}

Test(spec_validate, refuses_a_wrong_entry_of_egress)
{
	struct app_spec spec = good();

	add(&spec.isolation.egress, "any");
	add(&spec.isolation.egress, "10.1.2.3/16");
	expect_refused(&spec,
		       "isolation.egress[1]: \"10.1.2.3/16\" has bits behind its prefix: for "
		       "the whole network write 10.1.0.0/16");
	spec = good();
	for (int i = 0; i < 65; i++)
		add(&spec.isolation.egress, "localhost");
	expect_refused(&spec, "isolation.egress: 65 entries are too many: at most 64");
}

Test(spec_validate, refuses_a_wrong_entry_of_listen)
{
	struct app_spec spec = good();

	add(&spec.listen, "127.0.0.1:8000");
	add(&spec.listen, "127.0.0.1:0");
	expect_refused(&spec, "listen[1]: port: \"0\" is not a whole number from 1 to 65535");
	spec = good();
	add(&spec.listen, "127.0.0.1:8000");
	add(&spec.listen, "[::1]:8000");
	add(&spec.listen, "127.0.0.1:8000");
	expect_refused(&spec, "listen[2]: is there twice: 127.0.0.1:8000");
	spec = good();
	for (int i = 0; i < 9; i++)
		add(&spec.listen, "127.0.0.1:8000");
	expect_refused(&spec, "listen: 9 addresses are too many: at most 8");
}

Test(spec_validate, refuses_to_listen_where_there_is_no_network)
{
	struct app_spec spec = good();

	spec.isolation.network = NETWORK_NONE;
	add(&spec.listen, "127.0.0.1:8000");
	expect_refused(&spec, "listen: nobody is to reach it, says isolation.network: none: write "
			      "private");
}

/* --- health ----------------------------------------------------------------------------------- */

Test(spec_validate, refuses_a_health_check_that_can_not_be)
{
	EXPECT_REFUSED(spoilt->health.http = strdup("http://10.0.0.1/"),
		       "health.http: \"http://10.0.0.1/\" is not on this machine's loopback, where "
		       "the app is asked: write http://127.0.0.1:8000/healthz, or "
		       "http://unix:/run/app.sock:/healthz");
	EXPECT_REFUSED(spoilt->health.host = strdup("a b"),
		       "health.host: \"a b\" is no host: write a name as in example.org, with a "
		       "port if need be");
	EXPECT_REFUSED(spoilt->health.interval_usec = 1,
		       "health.interval: 1us is too little: at least 1s");
	EXPECT_REFUSED(spoilt->health.timeout_usec = 11 * USEC_PER_SEC,
		       "health.timeout: 11s is above health.interval, 10s");
	EXPECT_REFUSED(spoilt->health.failures = 0, "health.failures: 0 is too little: at least 1");
	EXPECT_REFUSED(spoilt->health.start_usec = 2 * SPEC_WAIT_LIMIT,
		       "health.start_period: 2d is too much: at most 1d");
}
