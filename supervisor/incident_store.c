/* SPDX-License-Identifier: MIT */
#include "supervisor/incident_store.h"

#include "policy/incident.h"
#include "policy/own.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#define DIRECTORY_MODE 0750
#define FILE_MODE      0640
#define SUFFIX	       ".json"
#define APP_OFFSET     17 /* "20261123T174103Z-" */

static int system_error(struct error *err, const char *what, const char *name)
{
	return error_set(err, ERROR_SYSTEM, errno, "%s %s", what, name);
}

/* --- the directory --- */

static int make_directory(const char *path, struct error *err)
{
	char partial[PATH_MAX];
	size_t length = strlen(path);

	if (length == 0 || length >= sizeof(partial))
		return error_set(err, ERROR_INVALID, 0, "\"%.64s\" is no directory path", path);
	memcpy(partial, path, length + 1);
	for (char *slash = partial + 1; (slash = strchr(slash, '/')) != NULL; slash++) {
		*slash = '\0';
		if (mkdir(partial, DIRECTORY_MODE) < 0 && errno != EEXIST)
			return system_error(err, "create directory", partial);
		*slash = '/';
	}
	if (mkdir(partial, DIRECTORY_MODE) < 0 && errno != EEXIST)
		return system_error(err, "create directory", partial);
	return 0;
}

static int open_directory(const char *path, struct error *err)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd >= 0 ? fd : system_error(err, "open directory", path);
}

/* --- one incident --- */

/* A plain file name, as incident_make_id makes them: nothing that leads elsewhere or is hidden. */
static bool id_is_valid(const char *id)
{
	return id[0] != '\0' && id[0] != '.' && strlen(id) < INCIDENT_ID_MAX &&
	       strchr(id, '/') == NULL;
}

static int write_whole(int fd, const char *data, size_t length)
{
	while (length > 0) {
		ssize_t written = write(fd, data, length);

		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return -errno;
		data += written;
		length -= (size_t)written;
	}
	return 0;
}

static int fill_file(int fd, const char *name, const char *json, struct error *err)
{
	size_t length = strlen(json);
	bool ends_line = length > 0 && json[length - 1] == '\n';
	int r = write_whole(fd, json, length);

	if (r == 0 && !ends_line)
		r = write_whole(fd, "\n", 1);
	if (r < 0)
		return error_set(err, ERROR_SYSTEM, -r, "write %s", name);
	/* the mode whatever the umask is */
	if (fchmod(fd, FILE_MODE) < 0)
		return system_error(err, "write", name);
	return 0;
}

static int write_and_rename(int directory, const char *id, const char *json, struct error *err)
{
	char temporary[INCIDENT_ID_MAX + 16], final[INCIDENT_ID_MAX + 16];
	_cleanup_close_ int fd = -1;
	int r;

	snprintf(temporary, sizeof(temporary), ".%s" SUFFIX ".new", id);
	snprintf(final, sizeof(final), "%s" SUFFIX, id);
	fd = openat(directory, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		    FILE_MODE);
	if (fd < 0)
		return system_error(err, "create", temporary);
	r = fill_file(fd, temporary, json, err);
	if (r == 0 && renameat2(directory, temporary, directory, final, RENAME_NOREPLACE) < 0)
		r = system_error(err, "rename to", final);
	if (r < 0) {
		unlinkat(directory, temporary, 0);
		return r;
	}
	return 0;
}

/* --- the oldest go --- */

/* "20261123T174103Z-...json" */
static bool is_incident_name(const char *name)
{
	static const char shape[] = "ddddddddTddddddZ-";
	size_t length = strlen(name), suffix = sizeof(SUFFIX) - 1;

	if (length < sizeof(shape) - 1 + suffix || strcmp(name + length - suffix, SUFFIX) != 0)
		return false;
	for (size_t i = 0; shape[i] != '\0'; i++) {
		bool digit = name[i] >= '0' && name[i] <= '9';

		if (shape[i] == 'd' ? !digit : name[i] != shape[i])
			return false;
	}
	return true;
}

static int filter_incidents(const struct dirent *entry)
{
	return is_incident_name(entry->d_name);
}

/* Not alphasort(3), which follows the locale. */
static int compare_names(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

/* The app in "20261123T174103Z-web-0-3f2a9c01[.json]": what lies between the time and the last two
 * dashes; its length. An app's name may hold dashes itself. */
static size_t app_of(const char *id, const char **ret_app)
{
	const char *end = id + strlen(id);

	*ret_app = id + APP_OFFSET;
	for (int dashes = 0; end > *ret_app && dashes < 2;)
		dashes += *--end == '-';
	return (size_t)(end - *ret_app);
}

static bool is_of_same_app(const char *name, const char *id)
{
	const char *one, *other;
	size_t length = app_of(name, &one);

	return length == app_of(id, &other) && memcmp(one, other, length) == 0;
}

/* Keeps in entries[] those of the app of id; returns how many. */
static int only_of_same_app(struct dirent **entries, int count, const char *id)
{
	int kept = 0;

	for (int i = 0; i < count; i++) {
		if (is_of_same_app(entries[i]->d_name, id))
			entries[kept++] = entries[i];
		else
			free(entries[i]);
	}
	return kept;
}

static int prune(int directory, const char *id, size_t keep, struct error *err)
{
	struct dirent **entries = NULL;
	int count = scandirat(directory, ".", &entries, filter_incidents, compare_names);
	int removed = 0, r = 0;

	if (count < 0)
		return system_error(err, "list", "the incidents");
	count = only_of_same_app(entries, count, id);
	for (int i = 0; i < count; i++) {
		bool surplus = (size_t)(count - i) > keep;

		/* another pysbx may be at it too: ENOENT */
		if (surplus && unlinkat(directory, entries[i]->d_name, 0) == 0)
			removed++;
		else if (surplus && errno != ENOENT && r == 0)
			r = system_error(err, "remove", entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	return r < 0 ? r : removed;
}

int incident_store_prune(const char *directory, const char *id, size_t keep, struct error *err)
{
	_cleanup_close_ int fd = open_directory(directory, err);

	return fd >= 0 ? prune(fd, id, keep, err) : fd;
}

int incident_store_write(const char *directory, const char *id, const char *json, struct error *err)
{
	_cleanup_close_ int fd = -1;
	struct error ignored;
	int r;

	if (!id_is_valid(id))
		return error_set(err, ERROR_INTERNAL, 0, "\"%.64s\" is no incident id", id);
	r = make_directory(directory, err);
	if (r < 0)
		return r;
	fd = open_directory(directory, err);
	if (fd < 0)
		return fd;
	r = write_and_rename(fd, id, json, err);
	if (r < 0) {
		error_prefix(err, "%s", directory);
		return r;
	}
	prune(fd, id, INCIDENT_STORE_KEEP, &ignored);
	return 0;
}

/* --- the report --- */

static int open_report(const char *path, struct error *err)
{
	/* O_NONBLOCK: opening a FIFO that nobody reads must not hang, but fail (ENXIO) */
	_cleanup_close_ int fd =
		open(path,
		     O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
		     FILE_MODE);
	struct stat status;

	if (fd < 0 && errno == ELOOP)
		return error_set(err, ERROR_INVALID, ELOOP,
				 "report %s is a symbolic link: name the file itself", path);
	if (fd < 0 && errno != ENXIO)
		return system_error(err, "open report", path);
	if (fd >= 0 && fstat(fd, &status) < 0)
		return system_error(err, "look at report", path);
	if (fd < 0 || !S_ISREG(status.st_mode))
		return error_set(err, ERROR_INVALID, 0,
				 "report %s is not a regular file: name one, or a new path", path);
	return TAKE_FD(fd);
}

int incident_store_append(const char *report_path, const char *json_line, struct error *err)
{
	_cleanup_free_ char *line = NULL;
	_cleanup_close_ int fd = -1;
	ssize_t written;
	int length;

	if (json_line[0] == '\0' || strchr(json_line, '\n') != NULL)
		return error_set(err, ERROR_INTERNAL, 0, "a report entry is not one line");
	length = asprintf(&line, "%s\n", json_line);
	if (length < 0) {
		line = NULL;
		return error_no_memory(err);
	}
	fd = open_report(report_path, err);
	if (fd < 0)
		return fd;
	/* one write: with O_APPEND the lines of several pysbx never mix */
	written = write(fd, line, (size_t)length);
	if (written < 0)
		return system_error(err, "append to report", report_path);
	if (written != length)
		return error_set(err, ERROR_SYSTEM, ENOSPC, "append to report %s", report_path);
	return 0;
}
