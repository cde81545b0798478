/* SPDX-License-Identifier: MIT */
#include "supervisor/installation.h"

#include "policy/own.h"
#include "supervisor/walk.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <string.h>

#define CONFIG_BYTES_MAX (64U << 10)

bool installation_parent(const char *path, char parent[PATH_MAX])
{
	const char *slash = strrchr(path, '/');
	size_t length = slash == NULL ? 0 : (size_t)(slash - path);

	if (slash == NULL || slash[1] == '\0' || length >= PATH_MAX)
		return false;
	if (length == 0)
		length = 1;
	memcpy(parent, path, length);
	parent[length] = '\0';
	return true;
}

int installation_add_path(struct host_facts *facts, const char *path, struct error *err)
{
	if (strings_contains(&facts->python_paths, path))
		return 0;
	return strings_append(&facts->python_paths, path, err);
}

static bool is_python_library(const char *name)
{
	return strncmp(name, "python3", 7) == 0 || strncmp(name, "pypy3", 5) == 0;
}

/* Calls installation_add_path() for prefix/lib/pythonX.Y, or for the prefix itself when `whole`.
 * Nothing where the prefix is no Python installation. */
static int need_libraries(struct host_facts *facts, const char *prefix, bool whole,
			  struct error *err)
{
	char path[PATH_MAX + NAME_MAX + 8];
	struct dirent *entry;
	DIR *directory;
	int r = 0;

	snprintf(path, sizeof(path), "%s/lib", prefix);
	directory = opendir(path);
	if (directory == NULL)
		return 0;
	while (r >= 0 && (entry = readdir(directory)) != NULL) {
		if (!is_python_library(entry->d_name))
			continue;
		snprintf(path, sizeof(path), "%s/lib/%s", prefix, entry->d_name);
		r = installation_add_path(facts, whole ? prefix : path, err);
	}
	closedir(directory);
	return r;
}

int installation_add(struct host_facts *facts, const char *bin, struct error *err)
{
	char prefix[PATH_MAX];
	int r;

	if (!installation_parent(bin, prefix))
		return 0;
	/* where the app can write bin, "the directory above" is a step like a link */
	r = walk_check_step(facts, bin, prefix, WALK_TO_READ, err);
	if (r < 0)
		return r;
	return need_libraries(facts, prefix, spec_path_objection(prefix, false) == NULL, err);
}

bool installation_venv_home(const char *text, char *home, size_t size)
{
	for (const char *line = text; *line != '\0';) {
		size_t length = strcspn(line, "\n");
		const char *equals = memchr(line, '=', length);
		const char *key = line + strspn(line, " \t");

		if (equals != NULL && strncasecmp(key, "home", 4) == 0 &&
		    key + 4 + strspn(key + 4, " \t") == equals) {
			const char *end = line + length;
			const char *value = equals + 1 + strspn(equals + 1, " \t");

			while (end > value && isspace((unsigned char)end[-1]))
				end--;
			if (end <= value || (size_t)(end - value) >= size)
				return false;
			memcpy(home, value, (size_t)(end - value));
			home[end - value] = '\0';
			return true;
		}
		line += length + (line[length] == '\n' ? 1 : 0);
	}
	return false;
}

/* What pyvenv.cfg says: Python looks for its standard library from there. */
static int need_home(struct host_facts *facts, struct error *err)
{
	_cleanup_free_ char *config = NULL, *text = NULL, *real = NULL;
	char name[PATH_MAX + 16], home[PATH_MAX];
	size_t length;
	int r;

	snprintf(name, sizeof(name), "%s/pyvenv.cfg", facts->virtual_env);
	r = walk_resolve(facts, name, WALK_TO_READ, &config, err);
	if (r >= 0)
		r = walk_read(config, CONFIG_BYTES_MAX, &text, &length, err);
	if (r < 0) {
		error_prefix(err, "virtualenv");
		return r;
	}
	if (!installation_venv_home(text, home, sizeof(home)) || home[0] != '/')
		return 0;
	r = walk_resolve_from(facts, config, home, WALK_TO_READ, &real, err);
	if (r == -ENOENT || r == -ENOTDIR)
		return error_set(err, ERROR_INVALID, 0,
				 "virtualenv: %s was made from the Python in %s, which is gone: "
				 "make it anew",
				 facts->virtual_env, home);
	if (r == -EACCES)
		error_prefix(err, "virtualenv");
	return r < 0 ? r : installation_add(facts, real, err);
}

/* The virtualenv's own interpreter, for scripts that start "python" by name. */
static int need_venv_python(struct host_facts *facts, const char *name, struct error *err)
{
	char path[PATH_MAX + NAME_MAX + 8], bin[PATH_MAX];
	_cleanup_free_ char *real = NULL;
	int r;

	snprintf(path, sizeof(path), "%s/bin/%s", facts->virtual_env, name);
	r = walk_resolve(facts, path, WALK_TO_READ, &real, err);
	if (r == -ENOENT || r == -ENOTDIR)
		return 0;
	if (r == -EACCES)
		error_prefix(err, "virtualenv");
	if (r >= 0)
		r = installation_add_path(facts, real, err);
	if (r >= 0 && installation_parent(real, bin))
		r = installation_add(facts, bin, err);
	return r;
}

int installation_add_virtualenv(struct host_facts *facts, struct error *err)
{
	int r;

	if (spec_path_objection(facts->virtual_env, false) != NULL)
		return error_set(err, ERROR_INVALID, 0,
				 "virtualenv: %s %s: make it in a directory of its own",
				 facts->virtual_env,
				 spec_path_objection(facts->virtual_env, false));
	r = need_home(facts, err);
	if (r >= 0)
		r = need_venv_python(facts, "python", err);
	if (r >= 0)
		r = need_venv_python(facts, "python3", err);
	return r;
}
