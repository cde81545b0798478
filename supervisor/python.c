/* SPDX-License-Identifier: MIT */
#include "supervisor/python.h"

#include "policy/own.h"
#include "policy/path.h"
#include "policy/setting.h"
#include "policy/shebang.h"
#include "supervisor/command.h"
#include "supervisor/installation.h"
#include "supervisor/walk.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

struct discovery {
	const struct python_hints *hints;
	struct host_facts *facts;
	char *virtual_env; /* as found, not canonical; NULL as long as there is none */
	char *path;	   /* PATH inside, as known so far */
	bool is_searched;  /* the program at hand was found in that */
};

static void discovery_clear(struct discovery *discovery)
{
	free(discovery->virtual_env);
	free(discovery->path);
}
#define _cleanup_discovery_ __attribute__((cleanup(discovery_clear)))

static bool exists(const char *directory, const char *name)
{
	char path[PATH_MAX + NAME_MAX + 2];
	int length = snprintf(path, sizeof(path), "%s/%s", directory, name);

	return length > 0 && (size_t)length < sizeof(path) && access(path, F_OK) == 0;
}

/* --- virtualenv -------------------------------------------------------------------------------*/

static int set_path(struct discovery *discovery, struct error *err)
{
	const char *said = discovery->hints->path;
	const char *venv = discovery->virtual_env;
	char *path = NULL;
	int length;

	if (said != NULL)
		length = asprintf(&path, "%s", said);
	else if (venv != NULL)
		length = asprintf(&path, "%s/bin:%s", venv, PLAN_DEFAULT_PATH);
	else
		length = asprintf(&path, "%s", PLAN_DEFAULT_PATH);
	if (length < 0)
		return error_no_memory(err);
	free(discovery->path);
	discovery->path = path;
	return 0;
}

static int set_virtual_env(struct discovery *discovery, const char *path, struct error *err)
{
	char *copy = strdup(path);

	if (copy == NULL)
		return error_no_memory(err);
	free(discovery->virtual_env);
	discovery->virtual_env = copy;
	return set_path(discovery, err);
}

/* Takes the virtualenv that program lies in, unless the spec has named one. */
static int notice_virtual_env(struct discovery *discovery, const char *program, struct error *err)
{
	char bin[PATH_MAX], prefix[PATH_MAX];

	if (discovery->hints->virtual_env != NULL || !installation_parent(program, bin) ||
	    !installation_parent(bin, prefix) || !exists(prefix, "pyvenv.cfg"))
		return 0;
	return set_virtual_env(discovery, prefix, err);
}

static int begin(struct discovery *discovery, struct error *err)
{
	const char *said = discovery->hints->virtual_env;
	const char *own = discovery->hints->caller_virtual_env;
	_cleanup_free_ char *path = NULL;
	int r;

	if (said != NULL) {
		r = path_resolve(discovery->facts->directory, said, &path, err);
		if (r < 0)
			return r;
		if (!exists(path, "pyvenv.cfg"))
			return error_set(err, ERROR_INVALID, 0,
					 "environment: VIRTUAL_ENV: %s is no virtualenv: it has no "
					 "pyvenv.cfg",
					 path);
		return set_virtual_env(discovery, path, err);
	}
	if (own != NULL && path_is_normal(own) && exists(own, "pyvenv.cfg"))
		return set_virtual_env(discovery, own, err);
	return set_path(discovery, err);
}

static int finish(struct discovery *discovery, struct error *err)
{
	struct host_facts *facts = discovery->facts;
	int r;

	if (discovery->virtual_env == NULL)
		return 0;
	r = walk_resolve_from(facts, discovery->hints->virtual_env_file, discovery->virtual_env,
			      WALK_TO_READ, &facts->virtual_env, err);
	if (r < 0) {
		error_prefix(err, "virtualenv");
		return r;
	}
	return installation_add_virtualenv(facts, err);
}

/* --- the chain of interpreters ----------------------------------------------------------------*/

/* The first bytes of a program, with a NUL behind them. */
static int read_head(const char *path, char head[SHEBANG_HEAD_MAX + 1], size_t *ret_length,
		     struct error *err)
{
	_cleanup_close_ int fd = -1;
	ssize_t length;
	int r;

	r = walk_open(path, &fd, err);
	if (r < 0) {
		error_prefix(err, "command");
		return r;
	}
	length = read(fd, head, SHEBANG_HEAD_MAX);
	if (length < 0)
		return error_set(err, ERROR_SYSTEM, errno, "command: %s", path);
	head[length] = '\0';
	*ret_length = (size_t)length;
	return 0;
}

/* Text without "#!": a shell would run it with sh, the kernel does not. */
static bool is_plain_text(const char *head, size_t length)
{
	return memchr(head, '\0', length) == NULL;
}

static int check_access(const struct python_hints *hints, const char *path, bool is_script,
			struct error *err)
{
	const struct identity *identity = hints->identity;
	unsigned wanted = IDENTITY_EXECUTE | (is_script ? IDENTITY_READ : 0);

	if (!identity_is_denied(identity, path, wanted))
		return 0;
	return error_set(err, ERROR_NOT_EXECUTABLE, 0,
			 "command: %s is not executable for uid %u: chmod o+%s %s, or %s", path,
			 identity->uid, is_script ? "rx" : "x", path,
			 setting_name(hints->door, FIELD_USER));
}

static int find_interpreter(struct discovery *discovery, const struct shebang *shebang,
			    const char *script, char **ret, struct error *err)
{
	struct command_search search = { .directory = discovery->facts->directory,
					 .path = discovery->path };
	char program[SHEBANG_HEAD_MAX];
	const char *name = shebang->interpreter;
	int r;

	if (shebang_env_program(shebang, program))
		name = program;
	discovery->is_searched = strchr(name, '/') == NULL;
	r = command_find(&search, name, ret, err);
	if (r < 0)
		error_prefix(err, "command: the interpreter in the first line of %s", script);
	return r;
}

/* Takes one program of the chain. *ret_next is the interpreter it needs, NULL at the end. */
static int take_program(struct discovery *discovery, const char *program, const char *real,
			char **ret_next, struct error *err)
{
	char head[SHEBANG_HEAD_MAX + 1], bin[PATH_MAX];
	struct shebang shebang;
	size_t length = 0;
	bool is_script;
	int r;

	r = read_head(real, head, &length, err);
	if (r < 0)
		return r;
	is_script = shebang_parse(head, length, &shebang);
	r = check_access(discovery->hints, real, is_script, err);
	if (r >= 0)
		r = installation_add_path(discovery->facts, real, err);
	if (r < 0)
		return r;
	if (is_script)
		return find_interpreter(discovery, &shebang, program, ret_next, err);
	if (is_plain_text(head, length))
		return error_set(err, ERROR_NOT_EXECUTABLE, 0,
				 "command: %s is text without a \"#!\" line: begin it with its "
				 "interpreter, for example #!/bin/sh",
				 program);
	return installation_parent(real, bin) ? installation_add(discovery->facts, bin, err) : 0;
}

/* Resolves program; `from` is the canonical script that named it, NULL for the command. Where PATH
 * has led to it, the file that says PATH must be allowed to do so, too. */
static int resolve_program(struct discovery *discovery, const char *program, const char *from,
			   char **ret_real, struct error *err)
{
	const char *path_file = discovery->is_searched ? discovery->hints->path_file : NULL;
	_cleanup_free_ char *real = NULL, *again = NULL;
	int r;

	r = walk_resolve_from(discovery->facts, from, program, WALK_TO_READ, &real, err);
	if (r >= 0 && path_file != NULL)
		r = walk_resolve_from(discovery->facts, path_file, program, WALK_TO_READ, &again,
				      err);
	if (r == -EACCES)
		error_prefix(err, "command");
	if (r < 0)
		return r;
	r = command_refuse_shim(program, err);
	if (r < 0) {
		error_prefix(err, "command");
		return r;
	}
	*ret_real = TAKE_PTR(real);
	return 0;
}

static int follow(struct discovery *discovery, const char *command, struct error *err)
{
	_cleanup_free_ char *program = strdup(command), *from = NULL;

	for (int i = 0; program != NULL && i < PYTHON_CHAIN_MAX; i++) {
		_cleanup_free_ char *real = NULL, *next = NULL;
		int r;

		r = notice_virtual_env(discovery, program, err);
		if (r >= 0)
			r = resolve_program(discovery, program, from, &real, err);
		if (r >= 0)
			r = take_program(discovery, program, real, &next, err);
		if (r < 0)
			return r;
		if (next == NULL)
			return 0;
		free(program);
		free(from);
		program = TAKE_PTR(next);
		from = TAKE_PTR(real);
	}
	if (program == NULL)
		return error_no_memory(err);
	return error_set(err, ERROR_NOT_EXECUTABLE, ELOOP, "command: %s: its interpreters",
			 command);
}

/* --- the command ------------------------------------------------------------------------------*/

/* DIRECTORY/.venv or DIRECTORY/venv, if it has the program. */
static int look_beside(struct discovery *discovery, const char *name, bool *ret_found,
		       struct error *err)
{
	static const char *const usual[] = { ".venv", "venv" };

	for (size_t i = 0; i < ARRAY_SIZE(usual); i++) {
		char venv[PATH_MAX + NAME_MAX], program[NAME_MAX + 8];

		snprintf(venv, sizeof(venv), "%s/%s", discovery->facts->directory, usual[i]);
		snprintf(program, sizeof(program), "bin/%s", name);
		if (!exists(venv, "pyvenv.cfg") || !exists(venv, program))
			continue;
		*ret_found = true;
		return set_virtual_env(discovery, venv, err);
	}
	return 0;
}

static int find_command(struct discovery *discovery, const char *name, char **ret,
			struct error *err)
{
	struct command_search search = { .directory = discovery->facts->directory,
					 .path = discovery->path,
					 .caller_path = discovery->hints->caller_path };
	bool found = false;
	int r = command_find(&search, name, ret, err);

	discovery->is_searched = strchr(name, '/') == NULL;
	if (r < 0 && err->kind == ERROR_NOT_FOUND && strchr(name, '/') == NULL &&
	    strlen(name) <= NAME_MAX && discovery->hints->path == NULL &&
	    discovery->hints->virtual_env == NULL) {
		struct error second;
		int again = look_beside(discovery, name, &found, &second);

		if (again < 0) {
			*err = second;
			return again;
		}
		search.path = discovery->path;
		if (found)
			r = command_find(&search, name, ret, err);
	}
	if (r < 0)
		error_prefix(err, "command");
	return r;
}

int python_discover(const char *command, const struct python_hints *hints, struct host_facts *facts,
		    struct error *err)
{
	struct discovery discovery _cleanup_discovery_ = { .hints = hints, .facts = facts };
	int r;

	r = begin(&discovery, err);
	if (r >= 0)
		r = find_command(&discovery, command, &facts->command, err);
	if (r >= 0)
		r = follow(&discovery, facts->command, err);
	if (r >= 0)
		r = finish(&discovery, err);
	return r;
}
