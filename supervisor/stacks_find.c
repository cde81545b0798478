/* SPDX-License-Identifier: MIT */
#include "policy/elf.h"
#include "policy/own.h"
#include "policy/path.h"
#include "supervisor/clock.h"
#include "supervisor/stacks_process.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define LINE_MAX_BYTES (STACKS_PATH_MAX + 256)

/* "python3.N", wherever in the text. */
static unsigned minor_behind(const char *text, const char *word)
{
	const char *at = strstr(text, word);
	unsigned long minor;
	char *end;

	if (at == NULL)
		return 0;
	at += strlen(word);
	if (*at < '0' || *at > '9')
		return 0;
	minor = strtoul(at, &end, 10);
	return minor < 100 ? (unsigned)minor : 0;
}

unsigned stacks_minor_in_name(const char *path)
{
	return minor_behind(path_base_name(path), "python3.");
}

/* --- /proc/PID/maps -------------------------------------------------------------------------- */

static bool is_python_name(const char *name)
{
	return strncmp(name, "libpython", 9) == 0 || strncmp(name, "python", 6) == 0;
}

static void take_candidate(struct stacks_candidates *candidates, uint64_t base, const char *path)
{
	struct stacks_candidate *candidate = &candidates->items[candidates->count];

	if (candidates->count == STACKS_CANDIDATES_MAX || strlen(path) >= sizeof(candidate->path))
		return;
	candidate->base = base;
	memcpy(candidate->path, path, strlen(path) + 1);
	candidates->count++;
}

void stacks_candidates_add(struct stacks_candidates *candidates, char *line, const char *executable)
{
	uint64_t base, offset;
	const char *path, *name;

	line[strcspn(line, "\n")] = '\0';
	path = strchr(line, '/');
	if (path == NULL || sscanf(line, "%" SCNx64 "-%*x %*s %" SCNx64, &base, &offset) != 2)
		return;
	name = path_base_name(path);
	if (strncmp(name, "libpypy", 7) == 0 || strncmp(name, "pypy", 4) == 0)
		candidates->is_pypy = true;
	if (candidates->named_minor == 0)
		candidates->named_minor = minor_behind(name, ".cpython-3");
	if (offset == 0 && (strcmp(path, executable) == 0 || is_python_name(name)))
		take_candidate(candidates, base, path);
}

int stacks_candidates_read(const struct stacks_process *process, struct stacks_candidates *ret,
			   struct error *err)
{
	_cleanup_close_ int fd = openat(process->directory, "maps", O_RDONLY | O_CLOEXEC);
	_cleanup_fclose_ FILE *file = NULL;
	char executable[STACKS_PATH_MAX], line[LINE_MAX_BYTES];
	ssize_t length = readlinkat(process->directory, "exe", executable, sizeof(executable) - 1);

	executable[length > 0 ? length : 0] = '\0';
	ret->count = 0;
	ret->named_minor = 0;
	ret->is_pypy = false;
	if (fd < 0)
		return error_set(err, errno == EACCES ? ERROR_DENIED : ERROR_SYSTEM, errno, "maps");
	file = fdopen(fd, "r");
	if (file == NULL)
		return error_no_memory(err);
	(void)TAKE_FD(fd);
	for (unsigned i = 0; i < STACKS_MAPS_MAX && fgets(line, sizeof(line), file) != NULL &&
			     clock_monotonic_usec() < process->deadline_usec;
	     i++)
		stacks_candidates_add(ret, line, executable);
	if (ferror(file) != 0)
		return error_set(err, errno == EACCES ? ERROR_DENIED : ERROR_SYSTEM, errno, "maps");
	if (ret->count == 0 && clock_monotonic_usec() >= process->deadline_usec)
		return error_set(err, ERROR_SYSTEM, ETIMEDOUT, "not read in time");
	return 0;
}

/* --- _PyRuntime ------------------------------------------------------------------------------ */

static bool read_file_page(uint64_t address, void *page, void *userdata)
{
	const int *fd = userdata;
	ssize_t n = address <= INT64_MAX ? pread(*fd, page, FOREIGN_PAGE, (off_t)address) : -1;

	if (n <= 0)
		return false;
	memset((char *)page + n, 0, FOREIGN_PAGE - (size_t)n);
	return true;
}

#define FILE_FLAGS (O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW)

/* Step by step, and no link is followed: the kernel names mapped files by paths without any, so one
 * that is met was put there since, and could lead out of the root. openat2(2) would do that at
 * once, but has its flags in memory, where no filter sees them: let through, it would be every open
 * there is, for writing and creating too. */
int stacks_open_below(int root, const char *path)
{
	_cleanup_close_ int directory = fcntl(root, F_DUPFD_CLOEXEC, 0);
	char name[NAME_MAX + 1];
	struct stat stat;
	int fd;

	while (directory >= 0) {
		size_t length = strcspn(path += strspn(path, "/"), "/");

		if (length == 0 || length > NAME_MAX)
			return -1;
		memcpy(name, path, length);
		name[length] = '\0';
		path += length;
		if (strcmp(name, "..") == 0)
			return -1;
		if (*path == '\0')
			break;
		fd = openat(directory, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		close_and_clear(&directory);
		directory = fd;
	}
	fd = directory >= 0 ? openat(directory, name, FILE_FLAGS) : -1;
	/* a name that has been given to something else (a fifo, a device) is none of a file */
	if (fd >= 0 && (fstat(fd, &stat) < 0 || !S_ISREG(stat.st_mode)))
		close_and_clear(&fd);
	return fd;
}

/* The file as the process has it: its program by the kernel's own link, others below its root. */
static int open_file(const struct stacks_process *process, const char *path, bool is_program)
{
	_cleanup_close_ int root = -1;

	if (is_program)
		return openat(process->directory, "exe", O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	root = openat(process->directory, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return root >= 0 ? stacks_open_below(root, path) : -1;
}

/* Where nobody else was to use it, the runtime's symbol may be missing; its section is there. */
static bool find_section(const struct stacks_process *process, struct foreign *memory,
			 const struct stacks_candidate *candidate, bool is_program, uint64_t *ret)
{
	_cleanup_close_ int fd = open_file(process, candidate->path, is_program);
	_cleanup_foreign_ struct foreign *file = NULL;

	if (fd < 0)
		return false;
	file = foreign_new(read_file_page, &fd);
	return file != NULL && elf_find_section(file, memory, candidate->base, ".PyRuntime", ret);
}

/* By the symbol of 3.11 and newer, else by the file's name, else by that of an extension module. */
static uint32_t find_version(struct foreign *memory, const struct stacks_candidates *candidates,
			     const struct stacks_candidate *candidate)
{
	uint64_t address;
	unsigned minor = stacks_minor_in_name(candidate->path);
	uint32_t version = 0;

	if (elf_find_symbol(memory, candidate->base, "Py_Version", &address) &&
	    foreign_u32(memory, address, &version))
		return version;
	if (minor == 0)
		minor = candidates->named_minor;
	return minor != 0 ? PYTHON_VERSION(3, minor) : 0;
}

/* Releases before 3.7 have no _PyRuntime. */
static int explain_absence(const struct stacks_candidates *candidates, struct error *err)
{
	for (size_t i = 0; i < candidates->count; i++) {
		const char *path = candidates->items[i].path;
		unsigned minor = stacks_minor_in_name(path);
		int r = minor != 0 ? python_version_check(PYTHON_VERSION(3, minor), err) : 0;

		if (r < 0)
			return r;
		if (is_python_name(path_base_name(path)))
			return error_set(err, ERROR_UNSUPPORTED, 0,
					 "unsupported: a Python without _PyRuntime");
	}
	return error_set(err, ERROR_NOT_FOUND, 0, "no Python in it");
}

int stacks_find_python(const struct stacks_process *process, struct foreign *memory,
		       const struct stacks_candidates *candidates, struct stacks_python *ret,
		       struct error *err)
{
	if (candidates->is_pypy)
		return error_set(err, ERROR_UNSUPPORTED, 0, "unsupported: PyPy");
	for (unsigned by_section = 0; by_section <= 1; by_section++) {
		for (size_t i = 0; i < candidates->count; i++) {
			const struct stacks_candidate *candidate = &candidates->items[i];
			bool found = by_section != 0 ? find_section(process, memory, candidate,
								    i == 0, &ret->runtime)
						     : elf_find_symbol(memory, candidate->base,
								       "_PyRuntime", &ret->runtime);

			if (found) {
				ret->version = find_version(memory, candidates, candidate);
				return 0;
			}
		}
	}
	return explain_absence(candidates, err);
}
