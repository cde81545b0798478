/* SPDX-License-Identifier: MIT */
#include "policy/own.h"
#include "supervisor/host.h"
#include "tests/supervisor/tree.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

TestSuite(host, .init = tree_make, .fini = tree_remove);

struct scene {
	struct app_spec spec;
	struct identity identity;
	struct host_facts facts;
	struct error err;
};

static void scene_clear(struct scene *scene)
{
	host_facts_clear(&scene->facts);
	identity_clear(&scene->identity);
	strings_clear(&scene->spec.command);
	strings_clear(&scene->spec.environment);
	strings_clear(&scene->spec.environment_files);
	strings_clear(&scene->spec.isolation.readable);
	strings_clear(&scene->spec.isolation.writable);
	strings_clear(&scene->spec.isolation.sockets);
	free(scene->spec.directory);
}
#define _cleanup_scene_ __attribute__((cleanup(scene_clear)))

static void add(struct strings *list, const char *item)
{
	struct error err;

	cr_assert_eq(strings_append(list, item, &err), 0);
}

static void scene_init(struct scene *scene, const char *directory)
{
	*scene = (struct scene){ .identity = { .uid = 4000001, .gid = 4000002, .lock_fd = -1 } };
	scene->identity.groups[0] = 33;
	scene->identity.group_count = 1;
	scene->identity.user_name = strdup("pysbx-web");
	scene->identity.group_name = strdup("pysbx-web");
	scene->spec.directory = strdup(directory[0] == '/' ? directory : tree_path(directory));
	add(&scene->spec.command, "/bin/sh");
}

static void gather(struct scene *scene, char *const environment[])
{
	cr_assert_eq(host_facts_gather(&scene->spec, &scene->identity, environment, NULL,
				       &scene->facts, &scene->err),
		     0, "%s", scene->err.text);
}

/* "%" stands for the tree, "@" for who runs the tests. */
static void expect_error(struct scene *scene, char *const environment[], enum error_kind kind,
			 const char *wanted)
{
	char text[2048] = "", uid[16];

	snprintf(uid, sizeof(uid), "%u", geteuid());
	for (const char *at = wanted; *at != '\0'; at++) {
		char letter[2] = { *at, '\0' };
		const char *part = *at == '%' ? tree : *at == '@' ? uid : letter;

		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s", part);
	}
	scene->facts.uid = 42;
	cr_assert_lt(host_facts_gather(&scene->spec, &scene->identity, environment, NULL,
				       &scene->facts, &scene->err),
		     0);
	cr_expect_eq(scene->err.kind, kind, "%s", scene->err.text);
	cr_expect_str_eq(scene->err.text, text);
	cr_expect_eq(scene->facts.uid, 42, "untouched on failure");
	cr_expect_null(scene->facts.directory);
}

Test(host, gathers_what_is_there)
{
	struct scene scene _cleanup_scene_;
	bool has_usr = false;

	tree_directory("app", 0755);
	scene_init(&scene, "app");
	gather(&scene, NULL);
	cr_expect_str_eq(scene.facts.directory, tree_path("app"));
	cr_expect_str_eq(scene.facts.command, "/bin/sh");
	cr_expect_null(scene.facts.virtual_env);
	cr_expect_eq(scene.facts.uid, 4000001);
	cr_expect_eq(scene.facts.gid, 4000002);
	cr_expect_eq(scene.facts.group_count, 1);
	cr_expect_eq(scene.facts.groups[0], 33);
	cr_expect_str_eq(scene.facts.user_name, "pysbx-web");
	cr_expect_geq(scene.facts.cpu_count, 1);
	for (size_t i = 0; i < scene.facts.system_count; i++) {
		const struct host_entry *entry = &scene.facts.system[i];
		_cleanup_free_ char *real = realpath(entry->path, NULL);
		struct stat st;

		cr_assert_eq(lstat(entry->path, &st), 0, "%s", entry->path);
		cr_expect_eq(entry->link != NULL, S_ISLNK(st.st_mode), "%s", entry->path);
		cr_expect_str_eq(entry->real, real);
		cr_assert_eq(stat(real, &st), 0);
		cr_expect_eq(entry->is_directory, S_ISDIR(st.st_mode), "%s", entry->path);
		has_usr = has_usr || strcmp(entry->path, "/usr") == 0;
	}
	cr_expect(has_usr);
}

Test(host, paths_become_canonical_and_the_links_to_them_are_kept)
{
	struct scene scene _cleanup_scene_;

	tree_directory("releases/7", 0755);
	tree_link("current", "releases/7");
	tree_directory("shared/static", 0755);
	tree_directory("shared/data", 0777);
	tree_link("s", "shared");
	scene_init(&scene, "current");
	add(&scene.spec.isolation.readable, tree_path("s/static"));
	add(&scene.spec.isolation.writable, tree_path("s/data"));
	add(&scene.spec.isolation.writable, tree_path("shared/data"));
	gather(&scene, NULL);
	cr_expect_str_eq(scene.facts.directory, tree_path("releases/7"));
	cr_assert_eq(scene.facts.readable.count, 1);
	cr_expect_str_eq(scene.facts.readable.items[0], tree_path("shared/static"));
	cr_assert_eq(scene.facts.writable.count, 1);
	cr_expect_str_eq(scene.facts.writable.items[0], tree_path("shared/data"));
	cr_assert_geq(scene.facts.link_count, 2);
	cr_expect_str_eq(scene.facts.links[0].path, tree_path("current"));
	cr_expect_str_eq(scene.facts.links[0].link, "releases/7");
	cr_expect_str_eq(scene.facts.links[1].path, tree_path("s"));
}

Test(host, a_directory_that_is_none_says_what_is_wrong)
{
	static const struct {
		const char *directory, *text;
	} samples[] = {
		{ "missing", "directory: %/missing does not exist" },
		{ "file", "directory: %/file is a file, not a directory" },
		{ "file/x", "directory: %/file/x does not exist" },
		{ "loop", "directory: %/loop: Too many levels of symbolic links" },
		{ "/", "directory: / would show the whole host: use --chdir DIR" },
		{ "/usr/..", "directory: / would show the whole host: use --chdir DIR" },
		{ "/root",
		  "directory: /root would show the administrator's files: use --chdir DIR" },
		{ "/etc", "directory: /etc is the configuration of the whole system: use "
			  "--chdir DIR" },
		{ "root", "directory: / would show the whole host: use --chdir DIR" },
		{ "closed", "directory: %/closed is not readable for uid 4000001 (it is uid @'s, "
			    "mode 0750): chmod o+rx %/closed, or --user" },
	};

	tree_file("file", 0644, "");
	tree_link("loop", "loop");
	tree_link("root", "/");
	tree_directory("closed", 0750);
	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		struct scene scene _cleanup_scene_;

		scene_init(&scene, samples[i].directory);
		expect_error(&scene, NULL, ERROR_INVALID, samples[i].text);
	}
}

Test(host, a_path_to_show_that_is_none_says_what_is_wrong)
{
	static const struct {
		bool writable;
		const char *path, *text;
	} samples[] = {
		{ false, "missing", "isolation.readable: %/missing does not exist" },
		{ true, "missing", "isolation.writable: %/missing does not exist: make it first" },
		{ false, "/root/",
		  "isolation.readable: /root would show the administrator's files" },
		{ true, "data",
		  "isolation.writable: %/data is not writable for uid 4000001 (it is "
		  "uid @'s, mode 0755): chown 4000001 %/data, or --user, or --ro if "
		  "reading is enough" },
		{ true, "file",
		  "isolation.writable: %/file is not writable for uid 4000001 (it is "
		  "uid @'s, mode 0644): chown 4000001 %/file, or --user, or --ro if "
		  "reading is enough" },
	};

	tree_directory("app", 0755);
	tree_directory("data", 0755);
	tree_file("file", 0644, "");
	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		struct scene scene _cleanup_scene_;
		const char *path = samples[i].path;

		scene_init(&scene, "app");
		add(samples[i].writable ? &scene.spec.isolation.writable
					: &scene.spec.isolation.readable,
		    path[0] == '/' ? path : tree_path(path));
		expect_error(&scene, NULL, ERROR_INVALID, samples[i].text);
	}
}

Test(host, the_kernels_own_file_systems_are_never_shown)
{
	struct scene scene _cleanup_scene_;

	tree_directory("app", 0755);
	scene_init(&scene, "app");
	add(&scene.spec.isolation.writable, "/proc/sys");
	expect_error(&scene, NULL, ERROR_INVALID,
		     "isolation.writable: /proc/sys shows the kernel's view of the host: the app "
		     "has its own /proc");
}

Test(host, a_link_into_the_system_is_no_way_around_an_objection)
{
	struct scene scene _cleanup_scene_;

	tree_directory("app", 0755);
	tree_link("link", "/etc/ssl");
	scene_init(&scene, "app");
	add(&scene.spec.isolation.writable, tree_path("link"));
	expect_error(&scene, NULL, ERROR_INVALID,
		     "isolation.writable: /etc/ssl is the configuration of the whole system");
}

Test(host, a_readable_path_that_leads_into_a_writable_one_is_refused)
{
	struct scene scene _cleanup_scene_;

	tree_directory("app", 0755);
	tree_directory("data", 0777);
	tree_directory("data/keys", 0755);
	tree_link("keys", "data/keys");
	scene_init(&scene, "app");
	add(&scene.spec.isolation.readable, tree_path("keys"));
	add(&scene.spec.isolation.writable, tree_path("data"));
	expect_error(&scene, NULL, ERROR_INVALID,
		     "isolation.writable: %/data contains %/data/keys, which is in "
		     "isolation.readable: name what is to be writable beside it");
}

Test(host, sockets_are_directories_of_them_or_one_of_them)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct scene scene _cleanup_scene_;
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	tree_directory("app", 0755);
	tree_directory("run", 0755);
	tree_link("link", "run");
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", tree_path("s"));
	cr_assert_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	scene_init(&scene, "app");
	add(&scene.spec.isolation.sockets, tree_path("link"));
	add(&scene.spec.isolation.sockets, tree_path("s"));
	gather(&scene, NULL);
	cr_assert_eq(scene.facts.sockets.count, 2);
	cr_expect_str_eq(scene.facts.sockets.items[0], tree_path("run"));
	cr_expect_str_eq(scene.facts.sockets.items[1], tree_path("s"));
}

Test(host, sockets_that_are_none_are_refused)
{
	struct scene scene _cleanup_scene_;

	tree_directory("app", 0755);
	scene_init(&scene, "app");
	add(&scene.spec.isolation.sockets, tree_path("missing"));
	expect_error(&scene, NULL, ERROR_INVALID,
		     "isolation.sockets: %/missing does not exist: is the server running?");
	strings_clear(&scene.spec.isolation.sockets);
	add(&scene.spec.isolation.sockets, "/etc/passwd");
	expect_error(&scene, NULL, ERROR_INVALID,
		     "isolation.sockets: /etc/passwd is neither a unix socket nor a directory of "
		     "some");
}

Test(host, a_writable_path_that_the_app_has_moved_is_not_followed)
{
	struct scene scene _cleanup_scene_;

	tree_directory("app", 0777);
	tree_directory("other", 0777);
	tree_link("app/data", tree_path("other"));
	scene_init(&scene, "app");
	add(&scene.spec.isolation.writable, tree_path("app"));
	add(&scene.spec.isolation.writable, tree_path("app/data"));
	expect_error(&scene, NULL, ERROR_INVALID,
		     "isolation.writable: %/app holds %/app/data, which leads to %/other, and the "
		     "app could make it lead anywhere: name narrower writable paths");
}

Test(host, a_directory_that_the_app_has_moved_is_not_followed)
{
	struct scene scene _cleanup_scene_;

	tree_directory("data/releases/7", 0755);
	tree_directory("other", 0755);
	tree_link("data/current", "releases/7");
	tree_link("data/moved", "../other");
	cr_assert_eq(chmod(tree_path("data"), 0777), 0);
	scene_init(&scene, "data/current");
	add(&scene.spec.isolation.writable, tree_path("data"));
	gather(&scene, NULL);
	scene_clear(&scene);

	scene_init(&scene, "data/moved");
	add(&scene.spec.isolation.writable, tree_path("data"));
	expect_error(&scene, NULL, ERROR_INVALID,
		     "isolation.writable: %/data holds %/data/moved, which leads to %/other, and "
		     "the app could make it lead anywhere: name narrower writable paths");
}

Test(host, of_the_callers_environment_only_what_is_meant_comes_along)
{
	static char *const environment[] = {
		(char *)"LANG=de_DE.UTF-8", (char *)"SECRET=x", (char *)"LC_ALL=C",
		(char *)"PATH=/usr/bin",    (char *)"TOKEN=t",	(char *)"TOKENS=no",
		(char *)"BROKEN",	    (char *)"TZ=UTC",	NULL,
	};
	struct scene scene _cleanup_scene_;

	tree_directory("app", 0755);
	scene_init(&scene, "app");
	add(&scene.spec.environment, "TOKEN");
	add(&scene.spec.environment, "SECRET=of the spec");
	gather(&scene, environment);
	cr_assert_eq(scene.facts.caller_environment.count, 4);
	cr_expect_str_eq(scene.facts.caller_environment.items[0], "LANG=de_DE.UTF-8");
	cr_expect_str_eq(scene.facts.caller_environment.items[1], "LC_ALL=C");
	cr_expect_str_eq(scene.facts.caller_environment.items[2], "TOKEN=t");
	cr_expect_str_eq(scene.facts.caller_environment.items[3], "TZ=UTC");
}

Test(host, environment_files_are_read_in_order)
{
	struct scene scene _cleanup_scene_;

	tree_directory("app", 0755);
	tree_file("one", 0600, "A=1\nB=2\n");
	tree_file("two", 0600, "B='3'\n");
	scene_init(&scene, "app");
	add(&scene.spec.environment_files, tree_path("one"));
	add(&scene.spec.environment_files, tree_path("two"));
	gather(&scene, NULL);
	cr_assert_eq(scene.facts.file_environment.count, 2);
	cr_expect_str_eq(strings_env_get(&scene.facts.file_environment, "A"), "1");
	cr_expect_str_eq(strings_env_get(&scene.facts.file_environment, "B"), "3");
}

Test(host, an_environment_file_that_is_wrong_is_named_with_its_line)
{
	struct scene missing _cleanup_scene_, wrong _cleanup_scene_, directory _cleanup_scene_;

	tree_directory("app", 0755);
	tree_file("env", 0600, "A=1\n\nB-=2\n");
	scene_init(&wrong, "app");
	add(&wrong.spec.environment_files, tree_path("env"));
	expect_error(
		&wrong, NULL, ERROR_INVALID,
		"environment_files: %/env: line 3: \"B-\" is not a variable name: use letters, "
		"digits and '_'");
	scene_init(&missing, "app");
	add(&missing.spec.environment_files, tree_path("no"));
	expect_error(&missing, NULL, ERROR_INVALID, "environment_files: %/no does not exist");
	scene_init(&directory, "app");
	add(&directory.spec.environment_files, tree_path("app"));
	expect_error(&directory, NULL, ERROR_INVALID,
		     "environment_files: %/app: is not a regular file");
}

#define TENANT 4000011U
#define VICTIM 4000012U

static void tree_owned(const char *name, mode_t mode, const char *content, uid_t uid)
{
	tree_file(name, mode, content);
	tree_own(name, uid);
}

static void tree_owned_link(const char *name, const char *text, uid_t uid)
{
	tree_link(name, text);
	tree_own(name, uid);
}

Test(host, a_tenants_link_to_anothers_files_is_not_followed)
{
	static const char *const fields[] = { "directory", "isolation.readable",
					      "isolation.writable", "environment_files" };

	tree_directory("app", 0755);
	tree_owned("v/data", 0666, "SECRET=1\n", VICTIM);
	tree_own("v", VICTIM);
	cr_assert_eq(chmod(tree_path("v"), 0700), 0);
	tree_owned_link("t/link", "../v/data", TENANT);
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		struct scene scene _cleanup_scene_;
		struct strings *const lists[] = { NULL, &scene.spec.isolation.readable,
						  &scene.spec.isolation.writable,
						  &scene.spec.environment_files };
		char wanted[512];

		scene_init(&scene, i == 0 ? "t/link" : "app");
		if (i > 0)
			add(lists[i], tree_path("t/link"));
		snprintf(wanted, sizeof(wanted),
			 "%s: %%/t/link is a symlink of uid 4000011 that leads to %%/v of uid "
			 "4000012 (mode 0700): root does not follow it, name the real path",
			 fields[i]);
		expect_error(&scene, NULL, ERROR_INVALID, wanted);
	}
}

Test(host, a_tenants_link_to_a_file_of_root_alone_is_not_read)
{
	struct scene scene _cleanup_scene_;

	tree_directory("app", 0755);
	tree_file("secret", 0640, "SECRET=1\n");
	tree_owned_link("app/.env", "../secret", TENANT);
	scene_init(&scene, "app");
	add(&scene.spec.environment_files, tree_path("app/.env"));
	expect_error(&scene, NULL, ERROR_INVALID,
		     "environment_files: %/app/.env is a symlink of uid 4000011 that leads to "
		     "%/secret of uid 0 (mode 0640): root does not follow it, name the real path");
}

Test(host, an_environment_file_behind_a_link_is_read_and_the_sandbox_knows_nothing_of_it)
{
	struct scene scene _cleanup_scene_;

	tree_directory("app", 0755);
	tree_file("shared/env", 0600, "A=1\n");
	tree_link("env", "shared/env");
	scene_init(&scene, "app");
	add(&scene.spec.environment_files, tree_path("env"));
	gather(&scene, NULL);
	cr_expect_str_eq(strings_env_get(&scene.facts.file_environment, "A"), "1");
	for (size_t i = 0; i < scene.facts.link_count; i++)
		cr_expect_str_neq(scene.facts.links[i].path, tree_path("env"));
}

Test(host, an_environment_file_that_the_app_can_turn_elsewhere_is_not_followed)
{
	struct scene scene _cleanup_scene_;

	tree_directory("app", 0755);
	tree_directory("data", 0777);
	tree_file("secret", 0644, "SECRET=1\n");
	tree_link("data/env", "../secret");
	scene_init(&scene, "app");
	add(&scene.spec.isolation.writable, tree_path("data"));
	add(&scene.spec.environment_files, tree_path("data/env"));
	expect_error(&scene, NULL, ERROR_INVALID,
		     "environment_files: isolation.writable: %/data holds %/data/env, which leads "
		     "to %/secret, and the app could make it lead anywhere: name narrower writable "
		     "paths");
}

Test(host, a_fifo_is_no_environment_file)
{
	struct scene scene _cleanup_scene_;

	tree_directory("app", 0755);
	cr_assert_eq(mkfifo(tree_path("env"), 0644), 0);
	scene_init(&scene, "app");
	add(&scene.spec.environment_files, tree_path("env"));
	expect_error(&scene, NULL, ERROR_INVALID,
		     "environment_files: %/env: is not a regular file");
}

Test(host, a_tenants_environment_file_leads_to_nobody_elses_programs)
{
	static const char *const said[] = { "PATH=", "VIRTUAL_ENV=" };
	static const char *const wanted[] = { "command: %/env is", "virtualenv: %/env is" };

	tree_directory("app", 0755);
	tree_owned("v/venv/bin/tool", 0755, "#!/bin/sh\n", VICTIM);
	tree_owned("v/venv/pyvenv.cfg", 0644, "home = /usr/bin\n", VICTIM);
	tree_own("v/venv", VICTIM);
	for (size_t i = 0; i < ARRAY_SIZE(said); i++) {
		struct scene scene _cleanup_scene_;
		char line[512], text[512];

		snprintf(line, sizeof(line), "%s%s\n", said[i],
			 tree_path(i == 0 ? "v/venv/bin" : "v/venv"));
		tree_owned("env", 0644, line, TENANT);
		snprintf(text, sizeof(text),
			 "%s a file of uid 4000011 that leads to %%/v/venv%s of uid 4000012 (mode "
			 "0755): root does not follow it, name the real path",
			 wanted[i], i == 0 ? "/bin/tool" : "");
		scene_init(&scene, "app");
		strings_clear(&scene.spec.command);
		add(&scene.spec.command, "tool");
		add(&scene.spec.environment_files, tree_path("env"));
		expect_error(&scene, NULL, ERROR_INVALID, text);
		/* the same said by root */
		tree_own("env", 0);
		gather(&scene, NULL);
		cr_expect_str_eq(scene.facts.command, tree_path("v/venv/bin/tool"));
	}
}

/* Turns tree/link between two targets until it is killed. */
static pid_t start_turning(void)
{
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		static const char *const targets[] = { "open", "shut" };

		for (size_t i = 0; i < 2; i++) {
			(void)!symlink(targets[i], tree_path("new"));
			rename(tree_path("new"), tree_path("link"));
		}
	}
}

Test(host, the_writable_path_that_is_shown_is_the_one_that_was_looked_at)
{
	unsigned shown = 0;
	pid_t turner;

	tree_directory("app", 0755);
	tree_directory("open", 0777);
	tree_directory("shut", 0755); /* not writable for the app: an error where it is looked at */
	tree_link("link", "open");
	turner = start_turning();
	cr_assert_gt(turner, 0);
	/* on a busy machine it may take a while until one look falls between two turns */
	for (int i = 0; i < 500 || (shown == 0 && i < 20000); i++) {
		struct scene scene _cleanup_scene_;

		scene_init(&scene, "app");
		add(&scene.spec.isolation.writable, tree_path("link"));
		if (host_facts_gather(&scene.spec, &scene.identity, NULL, NULL, &scene.facts,
				      &scene.err) < 0)
			continue;
		shown++;
		cr_expect_eq(scene.facts.writable.count, 1);
		cr_expect_str_eq(scene.facts.writable.items[0], tree_path("open"));
	}
	kill(turner, SIGKILL);
	waitpid(turner, NULL, 0);
	cr_expect_gt(shown, 0, "it was never seen at rest");
}

Test(host, path_comes_from_the_spec_then_from_the_files_and_never_from_the_caller)
{
	static char *const environment[] = { (char *)"PATH=/nonexistent", NULL };
	struct scene of_file _cleanup_scene_, of_spec _cleanup_scene_, none _cleanup_scene_;

	tree_directory("app", 0755);
	tree_file("a/tool", 0755, "#!/bin/sh\n");
	tree_file("b/tool", 0755, "#!/bin/sh\n");
	tree_file("env", 0600, "PATH=../a\n");

	scene_init(&of_file, "app");
	strings_clear(&of_file.spec.command);
	add(&of_file.spec.command, "tool");
	add(&of_file.spec.environment_files, tree_path("env"));
	gather(&of_file, environment);
	cr_expect_str_eq(of_file.facts.command, tree_path("a/tool"));

	scene_init(&of_spec, "app");
	strings_clear(&of_spec.spec.command);
	add(&of_spec.spec.command, "tool");
	add(&of_spec.spec.environment, "PATH=../b");
	add(&of_spec.spec.environment_files, tree_path("env"));
	gather(&of_spec, environment);
	cr_expect_str_eq(of_spec.facts.command, tree_path("b/tool"));

	scene_init(&none, "app");
	strings_clear(&none.spec.command);
	add(&none.spec.command, "env");
	gather(&none, environment);
	cr_expect_str_eq(none.facts.command, "/usr/bin/env");
}

Test(host, a_bare_path_or_virtual_env_in_the_spec_is_the_callers)
{
	char path[600];
	char *const environment[] = { path, NULL };
	struct scene scene _cleanup_scene_;

	tree_directory("app", 0755);
	tree_file("own/tool", 0755, "#!/bin/sh\n");
	snprintf(path, sizeof(path), "PATH=%s", tree_path("own"));
	scene_init(&scene, "app");
	strings_clear(&scene.spec.command);
	add(&scene.spec.command, "tool");
	add(&scene.spec.environment, "PATH");
	gather(&scene, environment);
	cr_expect_str_eq(scene.facts.command, tree_path("own/tool"));
}

Test(host, a_command_that_is_missing_or_no_program_has_its_kind)
{
	struct scene missing _cleanup_scene_, plain _cleanup_scene_;

	tree_file("app/plain", 0644, "");
	scene_init(&missing, "app");
	strings_clear(&missing.spec.command);
	add(&missing.spec.command, "./no");
	expect_error(&missing, NULL, ERROR_NOT_FOUND, "command: %/app/no does not exist");
	scene_init(&plain, "app");
	strings_clear(&plain.spec.command);
	add(&plain.spec.command, "./plain");
	expect_error(&plain, NULL, ERROR_NOT_EXECUTABLE,
		     "command: %/app/plain is not executable: chmod +x %/app/plain");
}

Test(host, a_virtualenv_that_the_worker_cannot_enter_says_so)
{
	struct scene scene _cleanup_scene_;

	tree_directory("app", 0755);
	tree_file("venv/pyvenv.cfg", 0644, "home = /usr/bin\n");
	tree_file("venv/bin/tool", 0755, "#!/bin/sh\n");
	cr_assert_eq(chmod(tree_path("venv"), 0700), 0);
	scene_init(&scene, "app");
	strings_clear(&scene.spec.command);
	add(&scene.spec.command, tree_path("venv/bin/tool"));
	expect_error(&scene, NULL, ERROR_INVALID,
		     "virtualenv: %/venv is not readable for uid 4000001 (it is uid @'s, mode "
		     "0700): chmod o+rx %/venv, or --user");
}

/* From gathered facts to a plan that its reader takes: the two halves fit. */
Test(host, facts_of_this_machine_make_a_plan)
{
	struct plan *plan _cleanup_plan_ = NULL, *again _cleanup_plan_ = NULL;
	struct scene scene _cleanup_scene_;
	_cleanup_bytes_ struct bytes data = { 0 };

	tree_directory("app", 0755);
	scene_init(&scene, "app");
	scene.spec.name = (char *)"web";
	scene.spec.limits.memory_max = scene.spec.limits.cpu_max = LIMIT_UNSET;
	scene.spec.limits.tmp_size = scene.spec.limits.nofile = LIMIT_UNSET;
	scene.spec.stop.signal = 15;
	gather(&scene, NULL);
	cr_assert_eq(plan_build(&scene.spec, 0, &scene.facts, &plan, &scene.err), 0, "%s",
		     scene.err.text);
	cr_assert_eq(plan_encode(plan, &data, &scene.err), 0, "%s", scene.err.text);
	cr_assert_eq(plan_decode(bytes_front(&data), data.length, &again, &scene.err), 0, "%s",
		     scene.err.text);
	cr_expect_eq(again->mount_count, plan->mount_count);
}
