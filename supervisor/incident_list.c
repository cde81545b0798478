/* SPDX-License-Identifier: MIT */
#include "supervisor/incident_list.h"

#include "policy/own.h"
#include "supervisor/incident_store.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define SUFFIX	   INCIDENT_STORE_SUFFIX
#define STAMP_SIZE sizeof("20261123T174103Z")

struct app_directory {
	char name[SPEC_NAME_MAX + 1];
	char stamp[STAMP_SIZE]; /* of its last change, written as in an id */
};

struct app_directories {
	struct app_directory *items;
	size_t count, allocated;
};

struct rows {
	struct incident_row *items;
	size_t count, allocated;
};

static void cleanup_directories(struct app_directories *list)
{
	free(list->items);
}

static void cleanup_rows(struct rows *rows)
{
	free(rows->items);
}

/* One more item of `size` bytes; NULL if there is no memory. */
static void *grow(void **items, size_t *count, size_t *allocated, size_t size)
{
	if (*count == *allocated) {
		size_t more = *allocated == 0 ? 64 : *allocated * 2;
		void *larger = reallocarray(*items, more, size);

		if (larger == NULL)
			return NULL;
		*items = larger;
		*allocated = more;
	}
	return (char *)*items + (*count)++ * size;
}

static DIR *open_stream(int directory, const char *name)
{
	int fd = openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *stream = fd >= 0 ? fdopendir(fd) : NULL;

	if (stream == NULL)
		close_and_clear(&fd);
	return stream;
}

/* --- apps --- */

/* One that is no directory, or gone, is passed over. */
static int add_app(int directory, const char *name, struct app_directories *list, struct error *err)
{
	struct app_directory *app;
	struct error ignored;
	struct stat status;
	struct tm utc;
	void *items = list->items;

	if (spec_validate_name(name, &ignored) < 0 ||
	    fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) < 0 ||
	    !S_ISDIR(status.st_mode) || gmtime_r(&status.st_mtim.tv_sec, &utc) == NULL)
		return 0;
	app = grow(&items, &list->count, &list->allocated, sizeof(*app));
	list->items = items;
	if (app == NULL)
		return error_no_memory(err);
	snprintf(app->name, sizeof(app->name), "%s", name);
	(void)strftime(app->stamp, sizeof(app->stamp), "%Y%m%dT%H%M%SZ", &utc);
	return 0;
}

static int add_all_apps(int directory, struct app_directories *list, struct error *err)
{
	DIR *stream = open_stream(directory, ".");
	const struct dirent *entry;
	int r = 0;

	if (stream == NULL)
		return error_set(err, ERROR_SYSTEM, errno, "list the apps that have incidents");
	while (r >= 0 && (entry = readdir(stream)) != NULL)
		r = add_app(directory, entry->d_name, list, err);
	closedir(stream);
	return r;
}

static int add_apps(int directory, const struct strings *apps, struct app_directories *list,
		    struct error *err)
{
	int r = 0;

	if (apps == NULL)
		return add_all_apps(directory, list, err);
	for (size_t i = 0; r >= 0 && i < apps->count; i++)
		r = add_app(directory, apps->items[i], list, err);
	return r;
}

/* newest first */
static int compare_stamps(const void *a, const void *b)
{
	return strcmp(((const struct app_directory *)b)->stamp,
		      ((const struct app_directory *)a)->stamp);
}

/* --- incidents --- */

static int add_row(const char *app, const char *file, struct rows *rows, struct error *err)
{
	size_t length = strlen(file), suffix = strlen(SUFFIX);
	struct incident_row *row;
	void *items = rows->items;
	const char *in_id;

	if (length <= suffix || length - suffix >= INCIDENT_ID_MAX ||
	    strcmp(file + length - suffix, SUFFIX) != 0)
		return 0;
	row = grow(&items, &rows->count, &rows->allocated, sizeof(*row));
	rows->items = items;
	if (row == NULL)
		return error_no_memory(err);
	snprintf(row->app, sizeof(row->app), "%s", app);
	snprintf(row->id, sizeof(row->id), "%.*s", (int)(length - suffix), file);
	if (incident_id_app(row->id, &in_id) == 0)
		rows->count--;
	return 0;
}

/* newest first */
static int compare_rows(const void *a, const void *b)
{
	return strcmp(((const struct incident_row *)b)->id, ((const struct incident_row *)a)->id);
}

/* Those of one app too, and then the newest `max` of all. */
static int take_app(int directory, const char *app, size_t max, struct rows *rows,
		    struct error *err)
{
	DIR *stream = open_stream(directory, app);
	const struct dirent *entry;
	int r = 0;

	/* gone meanwhile */
	if (stream == NULL)
		return 0;
	while (r >= 0 && (entry = readdir(stream)) != NULL)
		r = add_row(app, entry->d_name, rows, err);
	closedir(stream);
	if (rows->count > 0)
		qsort(rows->items, rows->count, sizeof(*rows->items), compare_rows);
	if (rows->count > max)
		rows->count = max;
	return r;
}

int incident_list_newest(const char *directory, const struct strings *apps, size_t max,
			 struct incident_row **ret, size_t *ret_count, struct error *err)
{
	__attribute__((cleanup(cleanup_directories))) struct app_directories list = { 0 };
	__attribute__((cleanup(cleanup_rows))) struct rows rows = { 0 };
	_cleanup_close_ int fd = open(directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int r;

	if (fd < 0 && errno != ENOENT)
		return error_set(err, ERROR_SYSTEM, errno, "open directory %s", directory);
	r = fd < 0 ? 0 : add_apps(fd, apps, &list, err);
	if (list.count > 0)
		qsort(list.items, list.count, sizeof(*list.items), compare_stamps);
	for (size_t i = 0; r >= 0 && i < list.count; i++) {
		/* nothing of it, and of those after it, is as new as what there is */
		if (rows.count == max && rows.items != NULL &&
		    strcmp(rows.items[max - 1].id, list.items[i].stamp) > 0)
			break;
		r = take_app(fd, list.items[i].name, max, &rows, err);
	}
	if (r < 0)
		return r;
	*ret = TAKE_PTR(rows.items);
	*ret_count = rows.count;
	return 0;
}

/* --- one --- */

static bool is_there(int directory, const char *app, const char *id)
{
	char path[SPEC_NAME_MAX + INCIDENT_ID_MAX + 16];
	struct error ignored;

	if (spec_validate_name(app, &ignored) < 0)
		return false;
	snprintf(path, sizeof(path), "%s/%s" SUFFIX, app, id);
	return faccessat(directory, path, F_OK, 0) == 0;
}

/* The id holds only the beginning of a long name. */
static bool find_long_name(int directory, const char *begin, const char *id,
			   char ret_app[static SPEC_NAME_MAX + 1])
{
	DIR *stream = open_stream(directory, ".");
	const struct dirent *entry;
	bool found = false;

	if (stream == NULL)
		return false;
	while (!found && (entry = readdir(stream)) != NULL) {
		found = strncmp(entry->d_name, begin, INCIDENT_ID_APP_MAX) == 0 &&
			is_there(directory, entry->d_name, id);
		if (found)
			snprintf(ret_app, SPEC_NAME_MAX + 1, "%.*s", SPEC_NAME_MAX, entry->d_name);
	}
	closedir(stream);
	return found;
}

int incident_list_find(const char *directory, const char *id,
		       char ret_app[static SPEC_NAME_MAX + 1], struct error *err)
{
	_cleanup_close_ int fd = open(directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	char app[INCIDENT_ID_APP_MAX + 1] = "";
	const char *in_id = "";
	size_t length = incident_id_app(id, &in_id);
	bool found = false;

	if (length > 0 && length <= INCIDENT_ID_APP_MAX && strchr(id, '/') == NULL) {
		memcpy(app, in_id, length);
		found = is_there(fd, app, id);
		if (found)
			snprintf(ret_app, SPEC_NAME_MAX + 1, "%s", app);
		else if (length == INCIDENT_ID_APP_MAX)
			found = find_long_name(fd, app, id, ret_app);
	}
	return found ? 0 : error_set(err, ERROR_NOT_FOUND, ENOENT, "incident");
}
