/* SPDX-License-Identifier: MIT */
/*
 * Which paths an app may be given. The sandbox brings its own root with a read-only system, /proc,
 * /dev and /tmp; what a spec adds must not undo that, nor show by one short word what belongs to
 * others. This looks at paths as they are written; the supervisor asks again with what they lead
 * to.
 */
#include "policy/own.h"
#include "policy/path.h"
#include "policy/quote.h"
#include "policy/spec_check.h"

#include <stdio.h>
#include <string.h>

int spec_refuse(const struct spec_check *check, enum spec_field field, const char *format, ...)
{
	char text[ERROR_TEXT_MAX];
	va_list args;
	int r;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	r = error_set(check->err, ERROR_INVALID, 0, "%s: %s", check->labels->of[field], text);
	if (check->labels->indexed)
		error_set_path(check->err, "%s", check->labels->of[field]);
	return r;
}

int spec_refuse_item(const struct spec_check *check, enum spec_field field, size_t index,
		     const char *format, ...)
{
	char text[ERROR_TEXT_MAX];
	va_list args;
	int r;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (!check->labels->indexed || index == SPEC_NO_INDEX)
		return spec_refuse(check, field, "%s", text);
	r = error_set(check->err, ERROR_INVALID, 0, "%s[%zu]: %s", check->labels->of[field], index,
		      text);
	error_set_path(check->err, "%s[%zu]", check->labels->of[field], index);
	return r;
}

enum reach {
	ITSELF,	   /* the very path */
	ALL_BELOW, /* the path and everything in it */
};

static const struct {
	const char *path;
	enum reach reading, writing; /* how far the objection goes */
	const char *objection;
} objections[] = {
	{ "/", ITSELF, ITSELF, "would show the whole host" },
	{ "/bin", ALL_BELOW, ALL_BELOW, "is a part of the system" },
	{ "/boot", ALL_BELOW, ALL_BELOW, "is a part of the system" },
	{ "/dev", ALL_BELOW, ALL_BELOW, "holds devices: the app has its own, minimal /dev" },
	{ "/etc", ITSELF, ALL_BELOW, "is the configuration of the whole system" },
	{ "/home", ITSELF, ITSELF, "would show the files of all users" },
	{ "/lib", ALL_BELOW, ALL_BELOW, "is a part of the system" },
	{ "/lib32", ALL_BELOW, ALL_BELOW, "is a part of the system" },
	{ "/lib64", ALL_BELOW, ALL_BELOW, "is a part of the system" },
	{ "/libx32", ALL_BELOW, ALL_BELOW, "is a part of the system" },
	{ "/proc", ALL_BELOW, ALL_BELOW,
	  "shows the kernel's view of the host: the app has its own /proc" },
	{ "/root", ITSELF, ITSELF, "would show the administrator's files" },
	{ "/run", ITSELF, ITSELF, "would show the sockets of all services" },
	{ "/run/pysbx", ALL_BELOW, ALL_BELOW, "belongs to pysbx itself" },
	{ "/sbin", ALL_BELOW, ALL_BELOW, "is a part of the system" },
	{ "/sys", ALL_BELOW, ALL_BELOW, "shows the kernel's view of the host" },
	{ "/tmp", ITSELF, ITSELF, "is the app's own, private /tmp inside" },
	{ "/usr", ITSELF, ALL_BELOW, "is a part of the system" },
	{ "/var", ITSELF, ITSELF, "would show the data of all services" },
	{ "/var/lib", ITSELF, ITSELF, "would show the data of all services" },
	{ "/var/lib/pysbx", ALL_BELOW, ALL_BELOW, "belongs to pysbx itself" },
	{ "/var/tmp", ITSELF, ITSELF, "is the app's own, private /tmp inside" },
};

const char *spec_path_objection(const char *path, bool writable)
{
	for (size_t i = 0; i < ARRAY_SIZE(objections); i++) {
		enum reach reach = writable ? objections[i].writing : objections[i].reading;

		if (strcmp(path, objections[i].path) == 0 ||
		    (reach == ALL_BELOW && path_is_within(path, objections[i].path)))
			return objections[i].objection;
	}
	return NULL;
}

static bool has_control_character(const char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return true;
	return false;
}

int spec_check_path(const struct spec_check *check, enum spec_field field, size_t index,
		    const char *path)
{
	char shown[QUOTE_TEXT_MAX];

	quote_text(path, shown);
	if (strlen(path) > PATH_TEXT_MAX)
		return spec_refuse_item(check, field, index, "%s is longer than %d bytes", shown,
					PATH_TEXT_MAX);
	if (has_control_character(path))
		return spec_refuse_item(check, field, index, "%s holds a control character", shown);
	if (!path_is_normal(path))
		return spec_refuse_item(check, field, index,
					"%s is not an absolute path without \".\", \"..\" and "
					"double slashes",
					shown);
	return 0;
}

/* A list of paths: few enough, each well formed. */
static int check_list(const struct spec_check *check, enum spec_field field,
		      const struct strings *paths)
{
	if (paths->count > SPEC_PATHS_MAX)
		return spec_refuse(check, field, "%zu paths are too many: at most %d", paths->count,
				   SPEC_PATHS_MAX);
	for (size_t i = 0; i < paths->count; i++) {
		int r = spec_check_path(check, field, i, paths->items[i]);

		if (r < 0)
			return r;
	}
	return 0;
}

/* A list of paths to be shown to the app. */
static int check_shown(const struct spec_check *check, enum spec_field field,
		       const struct strings *paths)
{
	int r = check_list(check, field, paths);

	if (r < 0)
		return r;
	for (size_t i = 0; i < paths->count; i++) {
		const char *objection =
			spec_path_objection(paths->items[i], field == FIELD_WRITABLE);
		char shown[QUOTE_TEXT_MAX];

		if (objection != NULL)
			return spec_refuse_item(check, field, i, "%s %s",
						quote_text(paths->items[i], shown), objection);
	}
	return 0;
}

/* What is read-only in a writable place could be shown so by a mount, but not by Landlock, whose
 * rules add up on the way to a file: it would have one wall where all else has two. */
static int check_pair(const struct spec_check *check, size_t index, const char *readable)
{
	const char *writable = check->spec->isolation.writable.items[index];
	char shown[QUOTE_TEXT_MAX], inner[QUOTE_TEXT_MAX];

	if (strcmp(readable, writable) == 0)
		return spec_refuse_item(
			check, FIELD_WRITABLE, index, "%s is also in %s: keep one of the two",
			quote_text(writable, shown), check->labels->of[FIELD_READABLE]);
	if (path_is_within(readable, writable))
		return spec_refuse_item(check, FIELD_WRITABLE, index,
					"%s contains %s, which is in %s: name what is to be "
					"writable beside it",
					quote_text(writable, shown), quote_text(readable, inner),
					check->labels->of[FIELD_READABLE]);
	return 0;
}

static int check_readable_or_writable(const struct spec_check *check)
{
	const struct strings *readable = &check->spec->isolation.readable;

	for (size_t i = 0; i < check->spec->isolation.writable.count; i++)
		for (size_t j = 0; j < readable->count; j++) {
			int r = check_pair(check, i, readable->items[j]);

			if (r < 0)
				return r;
		}
	return 0;
}

static const struct {
	const char *name, *directory;
} services[] = {
	{ "mariadb", "/run/mysqld" }, { "memcached", "/run/memcached" },
	{ "mysql", "/run/mysqld" },   { "postgresql", "/run/postgresql" },
	{ "redis", "/run/redis" },    { "valkey", "/run/valkey" },
};

const char *spec_socket_directory(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(services); i++)
		if (strcmp(name, services[i].name) == 0)
			return services[i].directory;
	return NULL;
}

static int check_sockets(const struct spec_check *check)
{
	const struct strings *sockets = &check->spec->isolation.sockets;
	char shown[QUOTE_TEXT_MAX];
	int r = 0;

	if (sockets->count > SPEC_PATHS_MAX)
		return spec_refuse(check, FIELD_SOCKETS, "%zu are too many: at most %d",
				   sockets->count, SPEC_PATHS_MAX);
	for (size_t i = 0; r == 0 && i < sockets->count; i++) {
		const char *item = sockets->items[i], *objection;

		if (spec_socket_directory(item) != NULL)
			continue;
		if (item[0] != '/')
			return spec_refuse_item(check, FIELD_SOCKETS, i,
						"%s is no service that is known by name: write the "
						"path of its socket's directory",
						quote_text(item, shown));
		r = spec_check_path(check, FIELD_SOCKETS, i, item);
		objection = r == 0 ? spec_path_objection(item, false) : NULL;
		if (objection != NULL)
			r = spec_refuse_item(check, FIELD_SOCKETS, i, "%s %s",
					     quote_text(item, shown), objection);
	}
	return r;
}

static int check_directory(const struct spec_check *check)
{
	if (check->spec->directory == NULL)
		return spec_refuse(check, FIELD_DIRECTORY, "is missing");
	return spec_check_path(check, FIELD_DIRECTORY, SPEC_NO_INDEX, check->spec->directory);
}

/* The name of a profile, or the absolute path of one. */
static int check_syscalls(const struct spec_check *check)
{
	const char *syscalls = check->spec->syscalls.profile;
	char shown[QUOTE_TEXT_MAX];

	if (syscalls == NULL)
		return 0; /* the default */
	if (syscalls[0] == '/')
		return spec_check_path(check, FIELD_SYSCALLS, SPEC_NO_INDEX, syscalls);
	if (spec_validate_name(syscalls, check->err) < 0)
		return spec_refuse(check, FIELD_SYSCALLS,
				   "%s is neither the name of a profile nor a path to one",
				   quote_text(syscalls, shown));
	return 0;
}

int spec_check_paths(const struct spec_check *check)
{
	int r = check_directory(check);

	if (r == 0)
		r = check_syscalls(check);
	if (r == 0)
		r = check_list(check, FIELD_ENVIRONMENT_FILES, &check->spec->environment_files);
	if (r == 0)
		r = check_shown(check, FIELD_READABLE, &check->spec->isolation.readable);
	if (r == 0)
		r = check_shown(check, FIELD_WRITABLE, &check->spec->isolation.writable);
	if (r == 0)
		r = check_readable_or_writable(check);
	if (r == 0)
		r = check_sockets(check);
	return r;
}
