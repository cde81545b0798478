/* SPDX-License-Identifier: MIT */
#include "policy/own.h"
#include "supervisor/installation.h"
#include "supervisor/python.h"
#include "tests/supervisor/tree.h"

#include <errno.h>
#include <stdarg.h>

TestSuite(python, .init = tree_make, .fini = tree_remove);

/* Looks like a program that is no script: it holds a NUL byte. */
static void tree_program(const char *name)
{
	FILE *file;

	tree_file(name, 0755, "");
	file = fopen(tree_path(name), "w");
	cr_assert_not_null(file);
	fwrite("\177ELF\0\0\0", 1, 7, file);
	fclose(file);
}

/* A Python as it is built into a prefix of its own. */
static void tree_python(const char *prefix)
{
	char name[256];

	snprintf(name, sizeof(name), "%s/bin/python3.11", prefix);
	tree_program(name);
	snprintf(name, sizeof(name), "%s/bin/python3", prefix);
	tree_link(name, "python3.11");
	snprintf(name, sizeof(name), "%s/lib/python3.11", prefix);
	tree_directory(name, 0755);
}

/* A virtualenv made from it, with one tool. */
static void tree_venv(const char *venv, const char *prefix)
{
	char name[256], text[1024];

	snprintf(name, sizeof(name), "%s/bin/python", venv);
	snprintf(text, sizeof(text), "%s/bin/python3", tree_path(prefix));
	tree_link(name, text);
	snprintf(name, sizeof(name), "%s/pyvenv.cfg", venv);
	snprintf(text, sizeof(text), "home = %s/bin\nversion = 3.11\n", tree_path(prefix));
	tree_file(name, 0644, text);
	snprintf(name, sizeof(name), "%s/bin/tool", venv);
	snprintf(text, sizeof(text), "#!%s/bin/python\n", tree_path(venv));
	tree_file(name, 0755, text);
}

struct scene {
	struct identity identity;
	struct python_hints hints;
	struct host_facts facts;
	struct error err;
};

static void scene_clear(struct scene *scene)
{
	host_facts_clear(&scene->facts);
}
#define _cleanup_scene_ __attribute__((cleanup(scene_clear)))

static void scene_init(struct scene *scene)
{
	*scene = (struct scene){ .identity = { .uid = 4000001, .gid = 4000001 } };
	scene->hints.identity = &scene->identity;
	tree_directory("app", 0755);
	scene->facts.directory = strdup(tree_path("app"));
}

static void discover(struct scene *scene, const char *command)
{
	cr_assert_eq(python_discover(command, &scene->hints, &scene->facts, &scene->err), 0, "%s",
		     scene->err.text);
}

static void expect_error(struct scene *scene, const char *command, enum error_kind kind,
			 const char *format, ...) __attribute__((format(printf, 4, 5)));

static void expect_error(struct scene *scene, const char *command, enum error_kind kind,
			 const char *format, ...)
{
	char wanted[2048];
	va_list args;

	va_start(args, format);
	vsnprintf(wanted, sizeof(wanted), format, args);
	va_end(args);
	cr_assert_lt(python_discover(command, &scene->hints, &scene->facts, &scene->err), 0);
	cr_expect_eq(scene->err.kind, kind, "%s", scene->err.text);
	cr_expect_str_eq(scene->err.text, wanted);
}

/* All names, in any order, are what python_paths holds. */
static void expect_paths(const struct scene *scene, ...)
{
	va_list args;
	size_t count = 0;

	va_start(args, scene);
	for (const char *name; (name = va_arg(args, const char *)) != NULL; count++) {
		const char *path = name[0] == '/' ? name : tree_path(name);

		cr_expect(strings_contains(&scene->facts.python_paths, path), "%s", path);
	}
	va_end(args);
	cr_expect_eq(scene->facts.python_paths.count, count);
}

static bool has_link(const struct scene *scene, const char *name)
{
	for (size_t i = 0; i < scene->facts.link_count; i++)
		if (strcmp(scene->facts.links[i].path, tree_path(name)) == 0)
			return true;
	return false;
}

Test(python, a_program_needs_itself_alone)
{
	struct scene scene _cleanup_scene_;

	scene_init(&scene);
	tree_program("tools/server");
	discover(&scene, tree_path("tools/server"));
	cr_expect_str_eq(scene.facts.command, tree_path("tools/server"));
	cr_expect_null(scene.facts.virtual_env);
	expect_paths(&scene, "tools/server", NULL);
}

Test(python, an_interpreter_needs_its_installation)
{
	struct scene scene _cleanup_scene_;

	scene_init(&scene);
	tree_python("py");
	discover(&scene, tree_path("py/bin/python3"));
	cr_expect_str_eq(scene.facts.command, tree_path("py/bin/python3"));
	expect_paths(&scene, "py/bin/python3.11", "py", NULL);
	cr_expect(has_link(&scene, "py/bin/python3"));
}

Test(python, a_script_needs_its_interpreter_and_that_ones_installation)
{
	struct scene scene _cleanup_scene_;
	char text[1024];

	scene_init(&scene);
	tree_python("py-3.11");
	tree_link("py", "py-3.11");
	snprintf(text, sizeof(text), "#! %s -u\nprint()\n", tree_path("py/bin/python3"));
	tree_file("app/serve", 0755, text);
	discover(&scene, "./serve");
	cr_expect_str_eq(scene.facts.command, tree_path("app/serve"));
	expect_paths(&scene, "app/serve", "py-3.11/bin/python3.11", "py-3.11", NULL);
	cr_expect(has_link(&scene, "py"));
	cr_expect(has_link(&scene, "py-3.11/bin/python3"));
}

Test(python, env_finds_the_interpreter_in_the_path_inside)
{
	struct scene scene _cleanup_scene_;

	scene_init(&scene);
	tree_python("py");
	tree_file("app/serve", 0755, "#!/usr/bin/env -S python3 -u\n");
	scene.hints.path = tree_path("py/bin");
	discover(&scene, "./serve");
	expect_paths(&scene, "app/serve", "py/bin/python3.11", "py", NULL);
}

Test(python, knows_the_virtualenv_beside_the_command)
{
	struct scene scene _cleanup_scene_;

	scene_init(&scene);
	tree_python("py");
	tree_venv("venvs/web", "py");
	discover(&scene, tree_path("venvs/web/bin/tool"));
	cr_expect_str_eq(scene.facts.virtual_env, tree_path("venvs/web"));
	expect_paths(&scene, "venvs/web/bin/tool", "py/bin/python3.11", "py", NULL);
}

Test(python, knows_the_virtualenv_of_a_script_that_lies_elsewhere)
{
	struct scene scene _cleanup_scene_;

	scene_init(&scene);
	tree_python("py");
	tree_venv("pipx/tool", "py");
	tree_link("bin/tool", tree_path("pipx/tool/bin/tool"));
	discover(&scene, tree_path("bin/tool"));
	cr_expect_str_eq(scene.facts.command, tree_path("bin/tool"));
	cr_expect_str_eq(scene.facts.virtual_env, tree_path("pipx/tool"));
	cr_expect(has_link(&scene, "bin/tool"), "argv[0] must exist inside");
}

Test(python, follows_home_where_the_interpreter_was_copied)
{
	struct scene scene _cleanup_scene_;
	char text[512];

	scene_init(&scene);
	tree_python("uv/cpython-3.11.7");
	tree_link("uv/cpython-3.11", "cpython-3.11.7");
	tree_program("venv/bin/python");
	snprintf(text, sizeof(text), "home = %s/bin\n", tree_path("uv/cpython-3.11"));
	tree_file("venv/pyvenv.cfg", 0644, text);
	discover(&scene, tree_path("venv/bin/python"));
	cr_expect_str_eq(scene.facts.virtual_env, tree_path("venv"));
	expect_paths(&scene, "venv/bin/python", "uv/cpython-3.11.7", NULL);
	cr_expect(has_link(&scene, "uv/cpython-3.11"), "home leads through it");
}

Test(python, a_virtualenv_that_spec_or_caller_names_holds_the_command)
{
	struct scene said _cleanup_scene_, own _cleanup_scene_;

	tree_python("py");
	tree_venv("venv", "py");
	tree_venv("app/.venv", "py");
	scene_init(&said);
	said.hints.virtual_env = tree_path("venv");
	discover(&said, "tool");
	cr_expect_str_eq(said.facts.command, tree_path("venv/bin/tool"));
	cr_expect_str_eq(said.facts.virtual_env, tree_path("venv"));

	scene_init(&own);
	own.hints.caller_virtual_env = tree_path("venv");
	discover(&own, "tool");
	cr_expect_str_eq(own.facts.command, tree_path("venv/bin/tool"));
}

Test(python, what_the_spec_names_wins_over_what_lies_beside_the_command)
{
	struct scene scene _cleanup_scene_;

	tree_python("py");
	tree_venv("said", "py");
	tree_venv("beside", "py");
	scene_init(&scene);
	scene.hints.virtual_env = "../said";
	discover(&scene, tree_path("beside/bin/tool"));
	cr_expect_str_eq(scene.facts.virtual_env, tree_path("said"));
}

Test(python, what_lies_beside_the_command_wins_over_the_callers)
{
	struct scene scene _cleanup_scene_;

	tree_python("py");
	tree_venv("own", "py");
	tree_venv("beside", "py");
	scene_init(&scene);
	scene.hints.caller_virtual_env = tree_path("own");
	discover(&scene, tree_path("beside/bin/tool"));
	cr_expect_str_eq(scene.facts.virtual_env, tree_path("beside"));
}

Test(python, a_callers_virtualenv_that_is_gone_does_not_matter)
{
	struct scene scene _cleanup_scene_;

	scene_init(&scene);
	tree_program("tools/server");
	scene.hints.caller_virtual_env = tree_path("gone");
	discover(&scene, tree_path("tools/server"));
	cr_expect_null(scene.facts.virtual_env);
}

Test(python, looks_into_the_apps_virtualenv_at_last)
{
	struct scene scene _cleanup_scene_;

	tree_python("py");
	tree_venv("app/venv", "py");
	scene_init(&scene);
	discover(&scene, "tool");
	cr_expect_str_eq(scene.facts.command, tree_path("app/venv/bin/tool"));
	cr_expect_str_eq(scene.facts.virtual_env, tree_path("app/venv"));
}

Test(python, does_not_look_there_when_the_spec_has_named_a_path)
{
	struct scene scene _cleanup_scene_;

	tree_python("py");
	tree_venv("app/venv", "py");
	scene_init(&scene);
	scene.hints.path = "/nonexistent";
	expect_error(&scene, "tool", ERROR_NOT_FOUND,
		     "command: no \"tool\" in /nonexistent: install it, or give the path of the "
		     "program");
}

Test(python, a_virtualenv_that_is_none_is_an_error)
{
	struct scene scene _cleanup_scene_;

	scene_init(&scene);
	scene.hints.virtual_env = tree_path("nothing");
	expect_error(&scene, "tool", ERROR_INVALID,
		     "environment: VIRTUAL_ENV: %s is no virtualenv: it has no pyvenv.cfg",
		     tree_path("nothing"));
}

Test(python, a_virtualenv_whose_python_is_gone_says_so)
{
	struct scene scene _cleanup_scene_;
	char text[512];

	scene_init(&scene);
	snprintf(text, sizeof(text), "home = %s\n", tree_path("gone/bin"));
	tree_file("venv/pyvenv.cfg", 0644, text);
	tree_program("venv/bin/python");
	expect_error(&scene, tree_path("venv/bin/python"), ERROR_INVALID,
		     "virtualenv: %s was made from the Python in %s, which is gone: make it anew",
		     tree_path("venv"), tree_path("gone/bin"));
}

Test(python, a_script_whose_interpreter_is_missing_says_so)
{
	struct scene scene _cleanup_scene_;

	scene_init(&scene);
	tree_file("app/serve", 0755, "#!/nonexistent/python3\n");
	expect_error(
		&scene, "./serve", ERROR_NOT_FOUND,
		"command: the interpreter in the first line of %s: /nonexistent/python3 does not "
		"exist",
		tree_path("app/serve"));
}

Test(python, a_script_without_a_first_line_says_what_to_write)
{
	struct scene scene _cleanup_scene_;

	scene_init(&scene);
	tree_file("app/serve", 0755, "exec gunicorn app:app\n");
	expect_error(&scene, "./serve", ERROR_NOT_EXECUTABLE,
		     "command: %s is text without a \"#!\" line: begin it with its interpreter, "
		     "for example #!/bin/sh",
		     tree_path("app/serve"));
}

Test(python, scripts_that_interpret_each_other_come_to_an_end)
{
	struct scene scene _cleanup_scene_;
	char text[512];

	scene_init(&scene);
	snprintf(text, sizeof(text), "#!%s\n", tree_path("app/b"));
	tree_file("app/a", 0755, text);
	snprintf(text, sizeof(text), "#!%s\n", tree_path("app/a"));
	tree_file("app/b", 0755, text);
	expect_error(&scene, "./a", ERROR_NOT_EXECUTABLE,
		     "command: %s: its interpreters: Too many levels of symbolic links",
		     tree_path("app/a"));
}

Test(python, a_pyenv_shim_names_the_real_program)
{
	struct scene scene _cleanup_scene_;

	scene_init(&scene);
	tree_file("env/version", 0644, "3.11.7\n");
	tree_program("env/versions/3.11.7/bin/tool");
	tree_file("env/shims/tool", 0755, "#!/usr/bin/env bash\nexec \"/x/pyenv\" exec \"$p\"\n");
	expect_error(&scene, tree_path("env/shims/tool"), ERROR_NOT_EXECUTABLE,
		     "command: %s is a pyenv shim, which cannot work inside: name the real "
		     "program, %s",
		     tree_path("env/shims/tool"), tree_path("env/versions/3.11.7/bin/tool"));
}

Test(python, a_program_that_the_worker_may_not_run_says_so)
{
	struct scene scene _cleanup_scene_;

	scene_init(&scene);
	tree_program("tools/server");
	cr_assert_eq(chmod(tree_path("tools/server"), 0744), 0);
	expect_error(&scene, tree_path("tools/server"), ERROR_NOT_EXECUTABLE,
		     "command: %s is not executable for uid 4000001: chmod o+x %s, or --user",
		     tree_path("tools/server"), tree_path("tools/server"));
}

Test(python, a_script_that_the_worker_may_run_but_not_read_says_so)
{
	struct scene scene _cleanup_scene_;

	scene_init(&scene);
	tree_file("app/serve", 0711, "#!/bin/sh\n");
	expect_error(&scene, "./serve", ERROR_NOT_EXECUTABLE,
		     "command: %s is not executable for uid 4000001: chmod o+rx %s, or --user",
		     tree_path("app/serve"), tree_path("app/serve"));
}

static void allow_writing(struct scene *scene, const char *name)
{
	cr_assert_eq(strings_append(&scene->facts.writable, tree_path(name), &scene->err), 0);
}

Test(python, a_script_that_the_app_can_change_names_no_interpreter_outside)
{
	struct scene scene _cleanup_scene_;
	char text[512];

	scene_init(&scene);
	tree_python("py");
	snprintf(text, sizeof(text), "#!%s\n", tree_path("py/bin/python3"));
	tree_file("app/serve", 0755, text);
	allow_writing(&scene, "app");
	expect_error(&scene, "./serve", ERROR_INVALID,
		     "isolation.writable: %s holds %s, which leads to %s, and the app could make "
		     "it lead anywhere: name narrower writable paths",
		     tree_path("app"), tree_path("app/serve"), tree_path("py/bin/python3.11"));
}

Test(python, a_script_that_the_app_can_change_may_name_one_of_the_system)
{
	struct scene scene _cleanup_scene_;

	scene_init(&scene);
	tree_file("app/serve", 0755, "#!/bin/sh\n");
	allow_writing(&scene, "app");
	discover(&scene, "./serve");
}

Test(python, a_virtualenv_that_the_app_can_change_names_no_installation_outside)
{
	struct scene scene _cleanup_scene_;
	char text[512];

	scene_init(&scene);
	tree_python("py");
	tree_program("app/venv/bin/python");
	snprintf(text, sizeof(text), "home = %s\n", tree_path("py/bin"));
	tree_file("app/venv/pyvenv.cfg", 0644, text);
	allow_writing(&scene, "app");
	cr_expect_eq(python_discover("venv/bin/python", &scene.hints, &scene.facts, &scene.err),
		     -EPERM);
	cr_expect_not(strings_contains(&scene.facts.python_paths, tree_path("py")));
}

Test(python, a_bin_directory_that_the_app_can_change_makes_nothing_above_it_visible)
{
	struct scene scene _cleanup_scene_;

	scene_init(&scene);
	tree_python("py");
	allow_writing(&scene, "py/bin");
	cr_expect_eq(python_discover(tree_path("py/bin/python3.11"), &scene.hints, &scene.facts,
				     &scene.err),
		     -EPERM);
	cr_expect_not(strings_contains(&scene.facts.python_paths, tree_path("py")));
}

Test(python, reads_home_from_pyvenv_cfg)
{
	static const struct {
		const char *text, *home;
	} samples[] = {
		{ "home = /usr/bin\n", "/usr/bin" },
		{ "home=/usr/bin", "/usr/bin" },
		{ "version = 3\r\nHOME = /a b/bin \r\nx = y\n", "/a b/bin" },
		{ "  home\t=\t/x\n", "/x" },
		{ "home-dir = /wrong\nhome = /right\n", "/right" },
		{ "not home = /wrong\nhome = /a=b\n", "/a=b" },
		{ "", NULL },
		{ "home\n", NULL },
		{ "home =\n", NULL },
		{ "home =   \nx = /y\n", NULL },
		{ "myhome = /x\n", NULL },
		{ "home = /longer/than/sixteen\n", NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		char home[16] = "untouched";
		bool found = installation_venv_home(samples[i].text, home, sizeof(home));

		cr_expect_eq(found, samples[i].home != NULL, "%s", samples[i].text);
		cr_expect_str_eq(home, found ? samples[i].home : "untouched");
	}
}

Test(python, an_installation_that_must_not_be_shown_whole_gives_its_library_alone)
{
	struct host_facts facts = { 0 };
	struct error err;

	if (access("/usr/lib/python3", F_OK) < 0)
		cr_skip_test("no /usr/lib/python3 here");
	cr_assert_eq(installation_add(&facts, "/usr/bin", &err), 0);
	cr_expect(strings_contains(&facts.python_paths, "/usr/lib/python3"));
	cr_expect_not(strings_contains(&facts.python_paths, "/usr"));
	host_facts_clear(&facts);
}

/* --- whose word it is -------------------------------------------------------------------------*/

#define TENANT 4000011U
#define VICTIM 4000012U

/* A Python of another tenant in a home that is closed. */
static void tree_closed_python(void)
{
	tree_python("v/py");
	tree_own("v", VICTIM);
	cr_assert_eq(chmod(tree_path("v"), 0700), 0);
}

static void expect_mistrust(struct scene *scene, const char *command, const char *field,
			    const char *what, const char *name)
{
	expect_error(scene, command, ERROR_INVALID,
		     "%s: %s is a %s of uid 4000011 that leads to %s of uid 4000012 (mode 0700): "
		     "root does not follow it, name the real path",
		     field, tree_path(name), what, tree_path("v"));
}

Test(python, a_tenants_virtualenv_uses_roots_python)
{
	struct scene scene _cleanup_scene_;

	scene_init(&scene);
	tree_python("py");
	tree_venv("app/venv", "py");
	tree_own("app/venv/bin/python", TENANT);
	tree_own("app/venv/bin/tool", TENANT);
	tree_own("app/venv/pyvenv.cfg", TENANT);
	discover(&scene, "tool");
	expect_paths(&scene, "app/venv/bin/tool", "py/bin/python3.11", "py", NULL);
}

Test(python, a_tenants_links_and_files_lead_to_nobody_elses_python)
{
	static const struct {
		const char *owned, *field, *what;
	} samples[] = {
		{ "app/venv/bin/python", "command", "symlink" },
		{ "app/venv/pyvenv.cfg", "virtualenv", "file" },
	};

	tree_closed_python();
	tree_venv("app/venv", "v/py");
	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		struct scene scene _cleanup_scene_;

		scene_init(&scene);
		tree_own(samples[i].owned, TENANT);
		expect_mistrust(&scene, "tool", samples[i].field, samples[i].what,
				samples[i].owned);
		tree_own(samples[i].owned, 0);
	}
}

Test(python, a_tenants_script_names_nobody_elses_interpreter)
{
	struct scene scene _cleanup_scene_;
	char text[512];

	scene_init(&scene);
	tree_closed_python();
	snprintf(text, sizeof(text), "#!%s\n", tree_path("v/py/bin/python3"));
	tree_file("app/serve", 0755, text);
	tree_own("app/serve", TENANT);
	expect_mistrust(&scene, "./serve", "command", "file", "app/serve");
}

Test(python, a_tenants_virtualenv_is_not_a_link_to_anothers)
{
	struct scene scene _cleanup_scene_;

	scene_init(&scene);
	tree_closed_python();
	tree_venv("v/venv", "v/py");
	tree_link("app/.venv", tree_path("v/venv"));
	tree_own("app/.venv", TENANT);
	expect_mistrust(&scene, "tool", "command", "symlink", "app/.venv");
}

Test(python, a_tenants_pyvenv_cfg_is_not_read_through_a_link)
{
	struct scene scene _cleanup_scene_;

	scene_init(&scene);
	tree_closed_python();
	tree_file("v/cfg", 0600, "home = /usr/bin\n");
	tree_program("app/venv/bin/python");
	tree_link("app/venv/pyvenv.cfg", tree_path("v/cfg"));
	tree_own("app/venv/pyvenv.cfg", TENANT);
	expect_mistrust(&scene, tree_path("app/venv/bin/python"), "virtualenv", "symlink",
			"app/venv/pyvenv.cfg");
}

Test(python, a_fifo_for_a_configuration_is_never_opened)
{
	struct scene scene _cleanup_scene_;

	scene_init(&scene);
	tree_program("venv/bin/python");
	cr_assert_eq(mkfifo(tree_path("venv/pyvenv.cfg"), 0644), 0);
	expect_error(&scene, tree_path("venv/bin/python"), ERROR_INVALID,
		     "virtualenv: %s: is not a regular file", tree_path("venv/pyvenv.cfg"));
}
