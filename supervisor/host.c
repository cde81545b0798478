/* SPDX-License-Identifier: MIT */
/*
 * The order matters: the --rw paths come first, because what may be followed depends on what the
 * app can write (supervisor/walk.h); then the directory, the other paths, the environment, which
 * may name PATH and VIRTUAL_ENV, and with them the command.
 */
#include "supervisor/host.h"

#include "policy/env_file.h"
#include "policy/escape.h"
#include "policy/own.h"
#include "policy/path.h"
#include "policy/setting.h"
#include "supervisor/file.h"
#include "supervisor/python.h"
#include "supervisor/walk.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#define HOSTS_BYTES_MAX (128U << 10) /* a block list of that size is no list of hosts */

/* --- paths ------------------------------------------------------------------------------------*/

static int raise_missing(const char *field, const char *path, int error, const char *advice,
			 struct error *err)
{
	if (error == -ENOENT || error == -ENOTDIR)
		return error_set(err, ERROR_INVALID, 0, "%s: %s does not exist%s", field, path,
				 advice);
	return error_set(err, ERROR_INVALID, -error, "%s: %s", field, path);
}

/* A path's field, and what to say beside what is wrong. */
struct path_field {
	const char *name, *if_missing, *if_refused;
};

/* walk_resolve for a path of the spec: what fails is the field's fault. */
static int resolve_field(struct host_facts *facts, const struct path_field *field, const char *path,
			 enum walk_purpose purpose, char **ret_real, struct error *err)
{
	_cleanup_free_ char *real = NULL;
	const char *objection;
	int r;

	r = walk_resolve(facts, path, purpose, &real, err);
	if (r == -EACCES && err->kind == ERROR_INVALID)
		error_prefix(err, "%s", field->name);
	if (r < 0 && err->kind != ERROR_SYSTEM)
		return r;
	if (r < 0)
		return raise_missing(field->name, path, r, field->if_missing, err);
	/* asked of the canonical path: as typed it may be a symlink to anywhere */
	objection = spec_path_objection(real, purpose == WALK_TO_WRITE);
	if (objection != NULL)
		return error_set(err, ERROR_INVALID, 0, "%s: %s %s%s", field->name, real, objection,
				 field->if_refused);
	*ret_real = TAKE_PTR(real);
	return 0;
}

/* The canonical --rw paths, for the walks that follow; those that are wrong are found then. They go
 * into facts->writable once, and into `noted` one for each of the spec's, "" where there is none.
 */
static int note_writable(const struct app_spec *spec, struct strings *noted,
			 struct host_facts *facts, struct error *err)
{
	for (size_t i = 0; i < spec->isolation.writable.count; i++) {
		_cleanup_free_ char *real = realpath(spec->isolation.writable.items[i], NULL);
		int r = strings_append(noted, real == NULL ? "" : real, err);

		if (r >= 0 && real != NULL && !strings_contains(&facts->writable, real))
			r = strings_append(&facts->writable, real, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int gather_directory(const struct app_spec *spec, struct host_facts *facts,
			    struct error *err)
{
	/* with `pysbx run` it is where the caller just stands */
	const struct path_field field = { "directory", "",
					  spec->door == DOOR_OPTIONS ? ": use --chdir DIR" : "" };
	char *directory = NULL;
	struct stat st;
	int r;

	r = resolve_field(facts, &field, spec->directory, WALK_TO_READ, &directory, err);
	if (r < 0)
		return r;
	facts->directory = directory;
	if (stat(directory, &st) < 0)
		return error_set(err, ERROR_INVALID, errno, "directory: %s", directory);
	if (!S_ISDIR(st.st_mode))
		return error_set(err, ERROR_INVALID, 0, "directory: %s is a file, not a directory",
				 directory);
	return 0;
}

static int check_writable(const struct identity *identity, const char *path, enum spec_door door,
			  struct error *err)
{
	struct stat st;
	bool is_directory = stat(path, &st) == 0 && S_ISDIR(st.st_mode);
	unsigned wanted = is_directory ? IDENTITY_WRITE | IDENTITY_EXECUTE : IDENTITY_WRITE;

	if (!identity_is_denied(identity, path, wanted))
		return 0;
	return error_set(err, ERROR_INVALID, 0,
			 "isolation.writable: %s is not writable for uid %u (it is uid %u's, mode "
			 "%04o): chown %u %s, or %s, or %s if reading is enough",
			 path, identity->uid, st.st_uid, st.st_mode & 07777U, identity->uid, path,
			 setting_name(door, FIELD_USER), setting_name(door, FIELD_READABLE));
}

/* Walks to a --rw path by the rules. What is bound is what was noted, so that must be the end of
 * this walk, too: whoever owns a link on the way could turn it in between. */
static int check_noted(const char *path, const char *noted, const struct identity *identity,
		       enum spec_door door, struct host_facts *facts, struct error *err)
{
	static const struct path_field field = { "isolation.writable", ": make it first", "" };
	_cleanup_free_ char *real = NULL;
	int r;

	r = resolve_field(facts, &field, path, WALK_TO_WRITE, &real, err);
	if (r < 0)
		return r;
	assert(real != NULL);
	if (strcmp(real, noted) != 0)
		return error_set(err, ERROR_INVALID, 0,
				 "isolation.writable: %s changed while it was looked at: try again",
				 path);
	return check_writable(identity, real, door, err);
}

static int gather_lists(const struct app_spec *spec, const struct identity *identity,
			const struct strings *noted, struct host_facts *facts, struct error *err)
{
	static const struct path_field field = { "isolation.readable", "", "" };

	for (size_t i = 0; i < spec->isolation.readable.count; i++) {
		_cleanup_free_ char *real = NULL;
		int r = resolve_field(facts, &field, spec->isolation.readable.items[i],
				      WALK_TO_READ, &real, err);

		if (r >= 0)
			r = strings_append(&facts->readable, real, err);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < spec->isolation.writable.count; i++) {
		int r = check_noted(spec->isolation.writable.items[i], noted->items[i], identity,
				    spec->door, facts, err);

		if (r < 0)
			return r;
	}
	return 0;
}

/* The spec has been asked this; its paths may have been links. */
static int check_apart(const struct host_facts *facts, struct error *err)
{
	for (size_t i = 0; i < facts->writable.count; i++)
		for (size_t j = 0; j < facts->readable.count; j++)
			if (path_is_within(facts->readable.items[j], facts->writable.items[i]))
				return error_set(err, ERROR_INVALID, 0,
						 "isolation.writable: %s contains %s, which is in "
						 "isolation.readable: name what is to be writable "
						 "beside it",
						 facts->writable.items[i],
						 facts->readable.items[j]);
	return 0;
}

/* A server that is started again makes its socket anew: a directory shows the new one, a socket
 * that was mounted by itself stays the old one. */
static int gather_socket(const char *item, struct host_facts *facts, struct error *err)
{
	static const struct path_field field = { "isolation.sockets", ": is the server running?",
						 "" };
	const char *directory = spec_socket_directory(item);
	_cleanup_free_ char *real = NULL;
	struct stat st;
	int r;

	r = resolve_field(facts, &field, directory != NULL ? directory : item, WALK_TO_READ, &real,
			  err);
	if (r < 0)
		return r;
	assert(real != NULL);
	if (stat(real, &st) < 0 || (!S_ISDIR(st.st_mode) && !S_ISSOCK(st.st_mode)))
		return error_set(err, ERROR_INVALID, 0,
				 "isolation.sockets: %s is neither a unix socket nor a directory "
				 "of some",
				 real);
	return strings_append(&facts->sockets, real, err);
}

static int gather_sockets(const struct app_spec *spec, struct host_facts *facts, struct error *err)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < spec->isolation.sockets.count; i++)
		r = gather_socket(spec->isolation.sockets.items[i], facts, err);
	return r;
}

/* Parents do not matter: inside they are made anew, passable for all. */
static int check_readable(const struct identity *identity, const char *field, const char *path,
			  enum spec_door door, struct error *err)
{
	struct stat st;

	if (stat(path, &st) < 0 || !S_ISDIR(st.st_mode) ||
	    !identity_is_denied(identity, path, IDENTITY_READ | IDENTITY_EXECUTE))
		return 0;
	return error_set(
		err, ERROR_INVALID, 0,
		"%s: %s is not readable for uid %u (it is uid %u's, mode %04o): chmod o+rx "
		"%s, or %s",
		field, path, identity->uid, st.st_uid, st.st_mode & 07777U, path,
		setting_name(door, FIELD_USER));
}

static int check_all_readable(const struct identity *identity, const struct host_facts *facts,
			      enum spec_door door, struct error *err)
{
	int r;

	r = check_readable(identity, "directory", facts->directory, door, err);
	if (r >= 0 && facts->virtual_env != NULL)
		r = check_readable(identity, "virtualenv", facts->virtual_env, door, err);
	for (size_t i = 0; i < facts->python_paths.count && r >= 0; i++)
		r = check_readable(identity, "interpreter", facts->python_paths.items[i], door,
				   err);
	return r;
}

/* --- environment ------------------------------------------------------------------------------*/

static int gather_caller(const struct app_spec *spec, char *const caller[],
			 struct host_facts *facts, struct error *err)
{
	for (size_t i = 0; caller != NULL && caller[i] != NULL; i++) {
		_cleanup_free_ char *name = strndup(caller[i], strcspn(caller[i], "="));
		int r;

		if (name == NULL)
			return error_no_memory(err);
		if (strchr(caller[i], '=') == NULL ||
		    (!plan_inherits_variable(name) && !strings_contains(&spec->environment, name)))
			continue;
		r = strings_append(&facts->caller_environment, caller[i], err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* As walk_resolve; but the sandbox does not show the file, so no link to it is noted. */
static int resolve_aside(const struct host_facts *facts, const char *path, char **ret_real,
			 struct error *err)
{
	struct host_facts aside = { .directory = facts->directory, .writable = facts->writable };
	int r = walk_resolve(&aside, path, WALK_TO_READ, ret_real, err);

	aside.directory = NULL;
	aside.writable = (struct strings){ 0 };
	host_facts_clear(&aside);
	return r;
}

/* Who says PATH and VIRTUAL_ENV: the last file that does, as with their values. */
struct sayings {
	char *path_file, *virtual_env_file; /* canonical, NULL if none does */
};

static void sayings_clear(struct sayings *sayings)
{
	free(sayings->path_file);
	free(sayings->virtual_env_file);
}
#define _cleanup_sayings_ __attribute__((cleanup(sayings_clear)))

static int note_saying(const struct strings *environment, const char *name, const char *file,
		       char **saying, struct error *err)
{
	char *copy;

	if (strings_env_get(environment, name) == NULL)
		return 0;
	copy = strdup(file);
	if (copy == NULL)
		return error_no_memory(err);
	free(*saying);
	*saying = copy;
	return 0;
}

static int gather_file(const char *path, struct host_facts *facts, struct sayings *sayings,
		       struct error *err)
{
	struct strings own _cleanup_strings_ = { 0 };
	_cleanup_free_ char *real = NULL, *text = NULL;
	size_t length;
	int r;

	r = resolve_aside(facts, path, &real, err);
	if (r < 0 && err->kind == ERROR_SYSTEM)
		return raise_missing("environment_files", path, r, "", err);
	if (r >= 0)
		r = walk_read(real, ENV_FILE_SIZE_MAX, &text, &length, err);
	if (r < 0) {
		error_prefix(err, "environment_files");
		return r;
	}
	r = env_file_parse(text, length, &facts->file_environment, err);
	if (r >= 0)
		r = env_file_parse(text, length, &own, err);
	if (r < 0) {
		error_prefix(err, "environment_files: %s", path);
		return r;
	}
	r = note_saying(&own, "PATH", real, &sayings->path_file, err);
	if (r >= 0)
		r = note_saying(&own, "VIRTUAL_ENV", real, &sayings->virtual_env_file, err);
	return r;
}

static int gather_files(const struct app_spec *spec, struct host_facts *facts,
			struct sayings *sayings, struct error *err)
{
	for (size_t i = 0; i < spec->environment_files.count; i++) {
		int r = gather_file(spec->environment_files.items[i], facts, sayings, err);

		if (r < 0)
			return r;
	}
	return 0;
}

/* NULL-safe look into an execve-style list. */
static const char *caller_get(char *const caller[], const char *name)
{
	size_t length = strlen(name);

	for (size_t i = 0; caller != NULL && caller[i] != NULL; i++)
		if (strncmp(caller[i], name, length) == 0 && caller[i][length] == '=')
			return caller[i] + length + 1;
	return NULL;
}

/* What the spec says about a variable; "NAME" alone is the caller's. */
static const char *said(const struct app_spec *spec, char *const caller[], const char *name)
{
	const char *value = strings_env_get(&spec->environment, name);

	if (value == NULL && strings_contains(&spec->environment, name))
		value = caller_get(caller, name);
	return value;
}

static int gather_command(const struct app_spec *spec, const struct identity *identity,
			  char *const caller[], const struct sayings *sayings,
			  struct host_facts *facts, struct error *err)
{
	struct python_hints hints = {
		.path = said(spec, caller, "PATH"),
		.virtual_env = said(spec, caller, "VIRTUAL_ENV"),
		.caller_virtual_env = caller_get(caller, "VIRTUAL_ENV"),
		.caller_path = caller_get(caller, "PATH"),
		.identity = identity,
		.door = spec->door,
	};

	if (spec->command.count == 0)
		return error_set(err, ERROR_INVALID, 0, "command: is empty");
	if (hints.path == NULL) {
		hints.path = strings_env_get(&facts->file_environment, "PATH");
		hints.path_file = sayings->path_file;
	}
	if (hints.virtual_env == NULL) {
		hints.virtual_env = strings_env_get(&facts->file_environment, "VIRTUAL_ENV");
		hints.virtual_env_file = sayings->virtual_env_file;
	}
	return python_discover(spec->command.items[0], &hints, facts, err);
}

/* --- the system -------------------------------------------------------------------------------*/

/* 1 if path exists, 0 if it doesn't, or if it is a symlink into nowhere. */
static int look_up(const char *path, struct host_entry *ret, struct error *err)
{
	_cleanup_free_ char *real = realpath(path, NULL);
	struct host_entry entry = { 0 };
	char link[PATH_MAX];
	struct stat st;
	ssize_t length;

	if (real == NULL || stat(real, &st) < 0)
		return 0;
	length = readlink(path, link, sizeof(link) - 1);
	if (length > 0) {
		link[length] = '\0';
		entry.link = strdup(link);
	}
	entry.path = strdup(path);
	if (entry.path == NULL || (length > 0 && entry.link == NULL)) {
		free(entry.path);
		free(entry.link);
		return error_no_memory(err);
	}
	entry.real = TAKE_PTR(real);
	entry.is_directory = S_ISDIR(st.st_mode);
	*ret = entry;
	return 1;
}

int host_system_gather(struct host_system *ret, struct error *err)
{
	struct host_system system = { 0 };
	size_t count = 0;

	while (plan_system_paths[count] != NULL)
		count++;
	system.entries = calloc(count + 1, sizeof(*system.entries));
	if (system.entries == NULL)
		return error_no_memory(err);
	for (size_t i = 0; i < count; i++) {
		int r = look_up(plan_system_paths[i], &system.entries[system.count], err);

		if (r < 0) {
			host_system_clear(&system);
			return r;
		}
		system.count += (size_t)r;
	}
	*ret = system;
	return 0;
}

void host_system_clear(struct host_system *system)
{
	/* the facts know how to free them */
	struct host_facts facts = { .system = system->entries, .system_count = system->count };

	host_facts_clear(&facts);
	*system = (struct host_system){ 0 };
}

static int copy_entry(const struct host_entry *from, struct host_entry *ret, struct error *err)
{
	*ret = (struct host_entry){ .path = strdup(from->path),
				    .link = from->link != NULL ? strdup(from->link) : NULL,
				    .real = strdup(from->real),
				    .is_directory = from->is_directory };
	if (ret->path == NULL || ret->real == NULL || (from->link != NULL && ret->link == NULL))
		return error_no_memory(err);
	return 0;
}

static int copy_system(const struct host_system *system, struct host_facts *facts,
		       struct error *err)
{
	int r = 0;

	facts->system = calloc(system->count + 1, sizeof(*facts->system));
	if (facts->system == NULL)
		return error_no_memory(err);
	for (size_t i = 0; r >= 0 && i < system->count; i++) {
		facts->system_count = i + 1;
		r = copy_entry(&system->entries[i], &facts->system[i], err);
	}
	return r;
}

static int gather_system(const struct host_system *known, struct host_facts *facts,
			 struct error *err)
{
	struct host_system system = { 0 };
	int r;

	if (known != NULL)
		return copy_system(known, facts, err);
	r = host_system_gather(&system, err);
	if (r < 0)
		return r;
	facts->system = system.entries;
	facts->system_count = system.count;
	return 0;
}

/* The plan is JSON, so bytes that are no UTF-8 (in a comment, surely) are written out. */
static int gather_hosts(struct host_facts *facts, struct error *err)
{
	_cleanup_free_ char *text = NULL;
	struct error ignored;
	size_t length, size;

	if (file_read_whole("/etc/hosts", HOSTS_BYTES_MAX, &text, &length, &ignored) < 0)
		return 0;
	size = length * 4 + 1;
	facts->hosts = malloc(size);
	if (facts->hosts == NULL)
		return error_no_memory(err);
	escape_string(text, ESCAPE_FOR_JSON, facts->hosts, size);
	return 0;
}

static int gather_identity(const struct identity *identity, struct host_facts *facts,
			   struct error *err)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);

	facts->uid = identity->uid;
	facts->gid = identity->gid;
	memcpy(facts->groups, identity->groups, sizeof(facts->groups));
	facts->group_count = identity->group_count;
	facts->cpu_count = cores > 0 ? (unsigned)cores : 0;
	facts->user_name = strdup(identity->user_name);
	facts->group_name = strdup(identity->group_name);
	if (facts->user_name == NULL || facts->group_name == NULL)
		return error_no_memory(err);
	return 0;
}

static void cleanup_facts(struct host_facts *facts)
{
	host_facts_clear(facts);
}

int host_facts_gather(const struct app_spec *spec, const struct identity *identity,
		      char *const caller_environment[], const struct host_system *system,
		      struct host_facts *ret, struct error *err)
{
	struct host_facts facts __attribute__((cleanup(cleanup_facts))) = { 0 };
	struct sayings sayings _cleanup_sayings_ = { 0 };
	struct strings noted _cleanup_strings_ = { 0 };
	int r;

	r = gather_identity(identity, &facts, err);
	if (r >= 0)
		r = note_writable(spec, &noted, &facts, err);
	if (r >= 0)
		r = gather_directory(spec, &facts, err);
	if (r >= 0)
		r = gather_lists(spec, identity, &noted, &facts, err);
	if (r >= 0)
		r = check_apart(&facts, err);
	if (r >= 0)
		r = gather_sockets(spec, &facts, err);
	if (r >= 0)
		r = gather_caller(spec, caller_environment, &facts, err);
	if (r >= 0)
		r = gather_files(spec, &facts, &sayings, err);
	if (r >= 0)
		r = gather_command(spec, identity, caller_environment, &sayings, &facts, err);
	if (r >= 0)
		r = check_all_readable(identity, &facts, spec->door, err);
	if (r >= 0)
		r = gather_system(system, &facts, err);
	if (r >= 0)
		r = gather_hosts(&facts, err);
	if (r < 0)
		return r;
	*ret = facts;
	facts = (struct host_facts){ 0 };
	return 0;
}
