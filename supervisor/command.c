/* SPDX-License-Identifier: MIT */
#include "supervisor/command.h"

#include "policy/own.h"
#include "policy/path.h"
#include "policy/quote.h"
#include "supervisor/file.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#define SHIM_BYTES_MAX	  4096
#define VERSION_BYTES_MAX 256

enum candidate { ABSENT, NOT_EXECUTABLE, A_DIRECTORY, EXECUTABLE };

static enum candidate examine(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return ABSENT;
	if (S_ISDIR(st.st_mode))
		return A_DIRECTORY;
	return S_ISREG(st.st_mode) && (st.st_mode & 0111) != 0 ? EXECUTABLE : NOT_EXECUTABLE;
}

/* --- PATH -------------------------------------------------------------------------------------*/

/* "ENTRY/name", from directory where the entry is relative; an empty entry is the directory. */
static int join(const char *directory, const char *entry, size_t length, const char *name,
		char **ret, struct error *err)
{
	_cleanup_free_ char *joined = NULL;

	if (asprintf(&joined, "%.*s/%s", length == 0 ? 1 : (int)length, length == 0 ? "." : entry,
		     name) < 0) {
		joined = NULL;
		return error_no_memory(err);
	}
	return path_resolve(directory, joined, ret, err);
}

/* 1 if found. 0 if not: then *ret_blocked is the first file of that name that cannot be executed,
 * if there is one. */
static int search_path(const char *directory, const char *path, const char *name, char **ret_found,
		       char **ret_blocked, struct error *err)
{
	for (const char *entry = path;;) {
		size_t length = strcspn(entry, ":");
		_cleanup_free_ char *candidate = NULL;
		enum candidate state;
		int r;

		r = join(directory, entry, length, name, &candidate, err);
		if (r < 0)
			return r;
		state = examine(candidate);
		if (state == EXECUTABLE) {
			*ret_found = TAKE_PTR(candidate);
			return 1;
		}
		if (state == NOT_EXECUTABLE && *ret_blocked == NULL)
			*ret_blocked = TAKE_PTR(candidate);
		if (entry[length] == '\0')
			return 0;
		entry += length + 1;
	}
}

/* --- errors -----------------------------------------------------------------------------------*/

static int raise_state(enum candidate state, const char *path, struct error *err)
{
	switch (state) {
	case ABSENT:
		return error_set(err, ERROR_NOT_FOUND, 0, "%s does not exist", path);
	case A_DIRECTORY:
		return error_set(err, ERROR_NOT_EXECUTABLE, 0, "%s is a directory, not a program",
				 path);
	case NOT_EXECUTABLE:
	default:
		return error_set(err, ERROR_NOT_EXECUTABLE, 0, "%s is not executable: chmod +x %s",
				 path, path);
	}
}

static int raise_not_found(const struct command_search *search, const char *name, struct error *err)
{
	_cleanup_free_ char *own = NULL, *blocked = NULL, *beside = NULL;
	char shown[QUOTE_TEXT_MAX];

	quote_text(name, shown);
	if (search->caller_path != NULL &&
	    search_path(search->directory, search->caller_path, name, &own, &blocked, err) > 0) {
		int r = command_refuse_shim(own, err);

		if (r < 0)
			return r;
		return error_set(err, ERROR_NOT_FOUND, 0,
				 "no %s in %s: your own PATH has %s, give that path", shown,
				 search->path, own);
	}
	if (path_resolve(search->directory, name, &beside, err) == 0 &&
	    examine(beside) == EXECUTABLE)
		return error_set(err, ERROR_NOT_FOUND, 0, "no %s in %s: do you mean ./%s?", shown,
				 search->path, name);
	return error_set(err, ERROR_NOT_FOUND, 0,
			 "no %s in %s: install it, or give the path of the program", shown,
			 search->path);
}

int command_find(const struct command_search *search, const char *name, char **ret_path,
		 struct error *err)
{
	_cleanup_free_ char *found = NULL, *blocked = NULL;
	enum candidate state;
	int r;

	if (name[0] == '\0')
		return error_set(err, ERROR_NOT_FOUND, 0, "the name is empty");
	if (strchr(name, '/') == NULL) {
		r = search_path(search->directory, search->path, name, &found, &blocked, err);
		if (r < 0)
			return r;
		if (r == 0 && blocked != NULL)
			return raise_state(NOT_EXECUTABLE, blocked, err);
		if (r == 0)
			return raise_not_found(search, name, err);
	} else {
		r = path_resolve(search->directory, name, &found, err);
		if (r < 0)
			return r;
		state = examine(found);
		if (state != EXECUTABLE)
			return raise_state(state, found, err);
	}
	*ret_path = TAKE_PTR(found);
	return 0;
}

/* --- pyenv ------------------------------------------------------------------------------------*/

/* ROOT/versions/VERSION/bin/NAME for the version that pyenv would take by default, if it is there.
 */
static bool find_behind_shim(const char *root, size_t root_length, const char *name, char **ret)
{
	_cleanup_free_ char *version = NULL;
	char path[PATH_TEXT_MAX + 1];
	struct error ignored;
	size_t length;

	snprintf(path, sizeof(path), "%.*s/version", (int)root_length, root);
	if (file_read_whole(path, VERSION_BYTES_MAX, &version, &length, &ignored) < 0)
		return false;
	version[strcspn(version, "\r\n:")] = '\0';
	snprintf(path, sizeof(path), "%.*s/versions/%s/bin/%s", (int)root_length, root, version,
		 name);
	if (examine(path) != EXECUTABLE)
		return false;
	*ret = strdup(path);
	return *ret != NULL;
}

int command_refuse_shim(const char *path, struct error *err)
{
	const char *shims = strstr(path, "/shims/");
	_cleanup_free_ char *real = NULL, *text = NULL;
	struct error ignored;
	size_t length;

	if (shims == NULL || file_read_whole(path, SHIM_BYTES_MAX, &text, &length, &ignored) < 0 ||
	    strncmp(text, "#!", 2) != 0 || strstr(text, "pyenv\" exec ") == NULL)
		return 0;
	if (find_behind_shim(path, (size_t)(shims - path), strrchr(path, '/') + 1, &real))
		return error_set(err, ERROR_NOT_EXECUTABLE, 0,
				 "%s is a pyenv shim, which cannot work inside: name the real "
				 "program, %s",
				 path, real);
	return error_set(err, ERROR_NOT_EXECUTABLE, 0,
			 "%s is a pyenv shim, which cannot work inside: name the real program, see "
			 "pyenv which",
			 path);
}
