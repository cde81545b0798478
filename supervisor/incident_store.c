/* SPDX-License-Identifier: MIT */
#include "supervisor/incident_store.h"

#include "policy/incident.h"
#include "policy/own.h"
#include "policy/spec.h"
#include "supervisor/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>

#define DIRECTORY_MODE	    0750
#define FILE_MODE	    0640
#define SUFFIX		    INCIDENT_STORE_SUFFIX
#define INCIDENT_STAMP_SIZE sizeof("20261123T174103Z")
#define ROOM_FOR_APPS	    64 /* that are made at once: looking at all of them takes its time */

static int system_error(struct error *err, const char *what, const char *name)
{
	return error_set(err, ERROR_SYSTEM, errno, "%s %s", what, name);
}

/* --- the directory --- */

static int open_directory(int parent, const char *path, struct error *err)
{
	int fd = openat(parent, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd >= 0 ? fd : system_error(err, "open directory", path);
}

static int open_or_make(const char *directory, struct error *err)
{
	int fd = open_directory(AT_FDCWD, directory, err);
	int r;

	if (fd != -ENOENT)
		return fd;
	r = file_make_directory(directory, DIRECTORY_MODE, DIRECTORY_MODE, err);
	return r < 0 ? r : open_directory(AT_FDCWD, directory, err);
}

static void make_room(int directory);

static int open_or_make_app(int directory, const char *app, struct error *err)
{
	int fd = open_directory(directory, app, err);

	if (fd != -ENOENT)
		return fd;
	make_room(directory);
	if (mkdirat(directory, app, DIRECTORY_MODE) < 0 && errno != EEXIST)
		return system_error(err, "create directory", app);
	return open_directory(directory, app, err);
}

/* --- one incident --- */

/* A plain file name, as incident_make_id makes them: nothing that leads elsewhere or is hidden. */
static bool id_is_valid(const char *id)
{
	return id[0] != '\0' && id[0] != '.' && strlen(id) < INCIDENT_ID_MAX &&
	       strchr(id, '/') == NULL;
}

static int fill_file(int fd, const char *name, const char *json, struct error *err)
{
	size_t length = strlen(json);
	bool ends_line = length > 0 && json[length - 1] == '\n';
	int r = file_write_whole(fd, json, length);

	if (r == 0 && !ends_line)
		r = file_write_whole(fd, "\n", 1);
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
	/* what a killed pysbx has left there is of no use to anybody */
	(void)unlinkat(directory, temporary, 0);
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
static int filter_incidents(const struct dirent *entry)
{
	size_t length = strlen(entry->d_name), suffix = strlen(SUFFIX);
	char id[INCIDENT_ID_MAX];
	const char *app;

	if (length <= suffix || length - suffix >= sizeof(id) ||
	    strcmp(entry->d_name + length - suffix, SUFFIX) != 0)
		return 0;
	snprintf(id, sizeof(id), "%.*s", (int)(length - suffix), entry->d_name);
	return incident_id_app(id, &app) > 0;
}

/* `name` is that of an incident's file. Not the time: it follows a clock that may have been set. */
static bool is_same_but_for_time(const char *name, const char *id)
{
	const char *app;
	size_t length;

	if (incident_id_app(id, &app) == 0)
		return false;
	length = strlen(app);
	name += app - id;
	return strncmp(name, app, length) == 0 && strcmp(name + length, SUFFIX) == 0;
}

bool incident_store_recall(const char *directory, const char *app, char id[static INCIDENT_ID_MAX])
{
	_cleanup_close_ int parent = -1, fd = -1;
	struct dirent **entries = NULL;
	struct error ignored;
	bool found = false;
	int count;

	parent = open_directory(AT_FDCWD, directory, &ignored);
	fd = parent >= 0 ? open_directory(parent, app, &ignored) : -1;
	count = fd >= 0 ? scandirat(fd, ".", &entries, filter_incidents, NULL) : 0;
	for (int i = 0; i < count; i++) {
		const char *name = entries[i]->d_name;

		if (!found && is_same_but_for_time(name, id)) {
			/* of the same length */
			snprintf(id, strlen(id) + 1, "%.*s", (int)strlen(id), name);
			found = true;
		}
		free(entries[i]);
	}
	free(entries);
	return found;
}

/* What is kept, gone through from the newest on. */
struct keeping {
	const struct settings_incidents *keep; /* NULL: nothing */
	char oldest[INCIDENT_STAMP_SIZE];      /* "": however old */
	uint64_t count, bytes;		       /* so far */
};

static void begin_keeping(struct keeping *keeping, const struct settings_incidents *keep,
			  time_t now)
{
	time_t age = keep != NULL && keep->max_age_usec != LIMIT_MAX
			     ? (time_t)(keep->max_age_usec / USEC_PER_SEC)
			     : 0;
	struct tm utc;

	*keeping = (struct keeping){ .keep = keep };
	if (age > 0 && age < now && gmtime_r(&(time_t){ now - age }, &utc) != NULL)
		(void)strftime(keeping->oldest, sizeof(keeping->oldest), "%Y%m%dT%H%M%SZ", &utc);
}

static bool is_kept(int app_directory, const char *name, struct keeping *keeping)
{
	struct stat status;

	if (keeping->keep == NULL)
		return false;
	if (fstatat(app_directory, name, &status, AT_SYMLINK_NOFOLLOW) == 0)
		keeping->bytes += (uint64_t)status.st_size;
	keeping->count++;
	if (keeping->count == 1) /* whatever it is */
		return true;
	/* a name begins with its time */
	return keeping->count <= keeping->keep->keep && keeping->bytes <= keeping->keep->max_size &&
	       strncmp(name, keeping->oldest, strlen(keeping->oldest)) >= 0;
}

static int prune(int app_directory, const struct settings_incidents *keep, time_t now,
		 struct error *err)
{
	struct dirent **entries = NULL;
	int count = scandirat(app_directory, ".", &entries, filter_incidents, alphasort);
	struct keeping keeping;
	int removed = 0, r = 0;

	if (count < 0)
		return system_error(err, "list", "the incidents");
	begin_keeping(&keeping, keep, now);
	for (int i = count - 1; i >= 0; i--) {
		bool surplus = !is_kept(app_directory, entries[i]->d_name, &keeping);

		/* another pysbx may be at it too: ENOENT */
		if (surplus && unlinkat(app_directory, entries[i]->d_name, 0) == 0)
			removed++;
		else if (surplus && errno != ENOENT && r == 0)
			r = system_error(err, "remove", entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	return r < 0 ? r : removed;
}

int incident_store_prune(const char *directory, const char *app,
			 const struct settings_incidents *keep, time_t now, struct error *err)
{
	_cleanup_close_ int parent = open_directory(AT_FDCWD, directory, err), fd = -1;

	if (parent < 0)
		return parent;
	fd = open_directory(parent, app, err);
	return fd >= 0 ? prune(fd, keep, now, err) : fd;
}

/* --- the apps that have been quiet for longest go --- */

struct app_directory {
	char name[SPEC_NAME_MAX + 1];
	struct timespec changed;
};

static int compare_age(const void *a, const void *b)
{
	const struct timespec *one = &((const struct app_directory *)a)->changed;
	const struct timespec *other = &((const struct app_directory *)b)->changed;

	if (one->tv_sec != other->tv_sec)
		return one->tv_sec < other->tv_sec ? -1 : 1;
	return one->tv_nsec < other->tv_nsec ? -1 : one->tv_nsec > other->tv_nsec;
}

static int filter_apps(const struct dirent *entry)
{
	struct error ignored;

	return spec_validate_name(entry->d_name, &ignored) == 0;
}

/* Sorted by age, the oldest first; owned by the caller. */
static int list_apps(int directory, struct app_directory **ret, size_t *ret_count,
		     struct error *err)
{
	struct dirent **entries = NULL;
	int count = scandirat(directory, ".", &entries, filter_apps, NULL);
	struct app_directory *apps;

	if (count < 0)
		return system_error(err, "list", "the apps that have incidents");
	apps = calloc((size_t)count + 1, sizeof(*apps));
	*ret_count = 0;
	for (int i = 0; i < count; i++) {
		struct stat status;

		if (apps != NULL &&
		    fstatat(directory, entries[i]->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISDIR(status.st_mode)) {
			struct app_directory *app = &apps[(*ret_count)++];

			snprintf(app->name, sizeof(app->name), "%.*s", SPEC_NAME_MAX,
				 entries[i]->d_name);
			app->changed = status.st_mtim;
		}
		free(entries[i]);
	}
	free(entries);
	if (apps == NULL)
		return error_no_memory(err);
	qsort(apps, *ret_count, sizeof(*apps), compare_age);
	*ret = apps;
	return 0;
}

static bool remove_app(int directory, const char *app)
{
	_cleanup_close_ int fd = -1;
	struct error ignored;

	fd = open_directory(directory, app, &ignored);
	if (fd >= 0)
		(void)prune(fd, NULL, 0, &ignored);
	return unlinkat(directory, app, AT_REMOVEDIR) == 0;
}

static int prune_apps(int directory, size_t keep, struct error *err)
{
	_cleanup_free_ struct app_directory *apps = NULL;
	size_t count = 0;
	int removed = 0;
	int r = list_apps(directory, &apps, &count, err);

	if (r < 0)
		return r;
	/* one that holds files of somebody else's stays; the next one goes in its place */
	for (size_t i = 0; i < count && count - (size_t)removed > keep; i++)
		removed += remove_app(directory, apps[i].name);
	return removed;
}

int incident_store_prune_apps(const char *directory, size_t keep, struct error *err)
{
	_cleanup_close_ int fd = open_directory(AT_FDCWD, directory, err);

	return fd >= 0 ? prune_apps(fd, keep, err) : fd;
}

/* Most file systems count the directories in one: its links. Those that don't say 1. */
static void make_room(int directory)
{
	struct error ignored;
	struct stat status;

	if (fstat(directory, &status) == 0 && status.st_nlink > 1 &&
	    status.st_nlink - 2 < INCIDENT_STORE_APPS_MAX)
		return;
	(void)prune_apps(directory, INCIDENT_STORE_APPS_MAX - ROOM_FOR_APPS, &ignored);
}

/* What others have on that disk is theirs. Nothing is known of one that can't be asked. */
static int check_room(int directory, size_t length, struct error *err)
{
	char free_space[QUANTITY_TEXT_MAX];
	struct statvfs status;
	uint64_t whole, available, reserve;

	if (fstatvfs(directory, &status) < 0 || status.f_blocks == 0)
		return 0;
	whole = (uint64_t)status.f_blocks * status.f_frsize;
	available = (uint64_t)status.f_bavail * status.f_frsize;
	reserve = whole / 20 < INCIDENT_STORE_RESERVE ? whole / 20 : INCIDENT_STORE_RESERVE;
	if (available >= reserve + length)
		return 0;
	return error_set(err, ERROR_SYSTEM, ENOSPC,
			 "the report is in the journal alone: only %s are free on that disk",
			 quantity_format_size(available, free_space));
}

int incident_store_write(const char *directory, const char *app, const char *id, const char *json,
			 const struct settings_incidents *keep, time_t now, struct error *err)
{
	_cleanup_close_ int parent = -1, fd = -1;
	struct error ignored;
	int r;

	if (spec_validate_name(app, &ignored) < 0 || !id_is_valid(id))
		return error_set(err, ERROR_INTERNAL, 0, "\"%.64s\" of \"%.64s\" is no incident id",
				 id, app);
	parent = open_or_make(directory, err);
	if (parent < 0)
		return parent;
	fd = open_or_make_app(parent, app, err);
	r = fd < 0 ? fd : check_room(fd, strlen(json), err);
	if (r >= 0)
		r = write_and_rename(fd, id, json, err);
	if (r < 0) {
		error_prefix(err, "%s/%s", directory, app);
		return r;
	}
	if (keep != NULL)
		(void)prune(fd, keep, now, &ignored);
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
