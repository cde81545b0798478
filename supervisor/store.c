/* SPDX-License-Identifier: MIT */
#include "supervisor/store.h"

#include "policy/document.h"
#include "policy/own.h"
#include "supervisor/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SUFFIX	       ".json"
#define DIRECTORY_MODE 0700
#define FILE_MODE      0600

static int open_or_make(const char *path, int *ret_fd, struct error *err)
{
	int r = file_make_directory(path, DIRECTORY_MODE, DIRECTORY_MODE, err);

	if (r < 0)
		return r;
	*ret_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *ret_fd < 0 ? error_set(err, ERROR_SYSTEM, errno, "open %s", path) : 0;
}

static int fill(int directory, const char *temporary, const char *text, size_t length, bool durable)
{
	_cleanup_close_ int fd = -1;
	int r;

	/* what a killed daemon has left there is of no use to anybody */
	(void)unlinkat(directory, temporary, 0);
	fd = openat(directory, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		    FILE_MODE);
	if (fd < 0)
		return -errno;
	r = file_write_whole(fd, text, length);
	if (r >= 0 && durable && fsync(fd) < 0)
		r = -errno;
	return r;
}

int store_write_text(const char *directory, const char *name, const char *text, size_t length,
		     bool durable, struct error *err)
{
	char temporary[NAME_MAX + 1], final[NAME_MAX + 1];
	_cleanup_close_ int dir = -1;
	int r;

	r = open_or_make(directory, &dir, err);
	if (r < 0)
		return r;
	snprintf(final, sizeof(final), "%s" SUFFIX, name);
	snprintf(temporary, sizeof(temporary), ".%s" SUFFIX ".new", name);
	r = fill(dir, temporary, text, length, durable);
	if (r >= 0 && renameat(dir, temporary, dir, final) < 0)
		r = -errno;
	if (r >= 0 && durable && fsync(dir) < 0)
		r = -errno;
	if (r < 0) {
		(void)unlinkat(dir, temporary, 0);
		return error_set(err, ERROR_SYSTEM, -r, "write %s/%s", directory, final);
	}
	return 0;
}

int store_write(const char *directory, const char *name, const json_t *document, bool durable,
		struct error *err)
{
	_cleanup_free_ char *text = json_dumps(document, JSON_INDENT(2));

	if (text == NULL)
		return error_no_memory(err);
	return store_write_text(directory, name, text, strlen(text), durable, err);
}

int store_remove(const char *directory, const char *name, struct error *err)
{
	_cleanup_close_ int dir = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char final[NAME_MAX + 1];

	snprintf(final, sizeof(final), "%s" SUFFIX, name);
	if (dir < 0)
		return errno == ENOENT ? 0
				       : error_set(err, ERROR_SYSTEM, errno, "open %s", directory);
	if ((unlinkat(dir, final, 0) < 0 && errno != ENOENT) || fsync(dir) < 0)
		return error_set(err, ERROR_SYSTEM, errno, "remove %s/%s", directory, final);
	return 0;
}

int store_read(const char *path, size_t size_max, json_t **ret, struct error *err)
{
	_cleanup_free_ char *text = NULL;
	size_t length;
	int r;

	r = file_read_whole(path, size_max, &text, &length, err);
	if (r < 0)
		return r;
	r = document_parse(text, length, size_max, ret, err);
	if (r < 0)
		error_prefix(err, "%s", path);
	return r;
}

static int is_document(const struct dirent *entry)
{
	size_t length = strlen(entry->d_name), suffix = strlen(SUFFIX);

	return entry->d_name[0] != '.' && length > suffix &&
	       strcmp(entry->d_name + length - suffix, SUFFIX) == 0;
}

int store_list(const char *directory, struct strings *ret, struct error *err)
{
	struct dirent **entries = NULL;
	int count = scandir(directory, &entries, is_document, alphasort), r = 0;

	if (count < 0)
		return errno == ENOENT ? 0
				       : error_set(err, ERROR_SYSTEM, errno, "list %s", directory);
	if (count > STORE_DOCUMENTS_MAX)
		r = error_set(err, ERROR_TOO_MANY, 0, "%s: %d files are too many", directory,
			      count);
	for (int i = 0; i < count; i++) {
		entries[i]->d_name[strlen(entries[i]->d_name) - strlen(SUFFIX)] = '\0';
		if (r >= 0)
			r = strings_append(ret, entries[i]->d_name, err);
		free(entries[i]);
	}
	free(entries);
	return r;
}
