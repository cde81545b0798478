/* SPDX-License-Identifier: MIT */
#include "sandbox/command.h"

#include "policy/own.h"
#include "policy/shebang.h"

#include <elf.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#define INTERPRETER_DEPTH_MAX 5 /* the kernel's own limit of scripts run by scripts */
#define PROGRAM_HEADERS_MAX   64

int command_candidates(const struct plan *plan, struct strings *ret, struct error *err)
{
	const char *name = plan->argv.items[0];
	const char *path = strings_env_get(&plan->environment, "PATH");
	int r = 0;

	if (strchr(name, '/') != NULL)
		return strings_append(ret, name, err);
	if (path == NULL)
		path = COMMAND_DEFAULT_PATH;
	for (; r == 0 && ret->count < COMMAND_CANDIDATES_MAX; path++) {
		size_t length = strcspn(path, ":");

		if (length == 0)
			r = strings_appendf(ret, err, "./%s", name);
		else if (length < PATH_MAX)
			r = strings_appendf(ret, err, "%.*s/%s", (int)length, path, name);
		path += length;
		if (*path == '\0')
			break;
	}
	if (r == 0 && ret->count == 0)
		r = strings_append(ret, name, err);
	return r;
}

/* PT_INTERP of a 64-bit ELF file of this machine; false if it has none, or makes no sense. */
static bool elf_interpreter(int fd, const char *head, size_t length, char *ret_path, size_t size)
{
	Elf64_Ehdr header;
	Elf64_Phdr program;

	if (length < sizeof(header) || memcmp(head, ELFMAG, SELFMAG) != 0 ||
	    head[EI_CLASS] != ELFCLASS64)
		return false;
	memcpy(&header, head, sizeof(header));
	for (unsigned i = 0; i < header.e_phnum && i < PROGRAM_HEADERS_MAX; i++) {
		uint64_t offset = header.e_phoff + (uint64_t)i * sizeof(program);
		ssize_t n;

		if (pread(fd, &program, sizeof(program), (off_t)offset) != sizeof(program))
			return false;
		if (program.p_type != PT_INTERP)
			continue;
		if (program.p_filesz == 0 || program.p_filesz > size)
			return false;
		n = pread(fd, ret_path, program.p_filesz, (off_t)program.p_offset);
		return n == (ssize_t)program.p_filesz && ret_path[n - 1] == '\0';
	}
	return false;
}

/* The program that the kernel would run `path` with. `ret_path` holds SHEBANG_HEAD_MAX bytes. */
static bool interpreter_of(const char *path, char *ret_path)
{
	/* not blocking: the file may be a FIFO of the worker's own making */
	_cleanup_close_ int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	char head[SHEBANG_HEAD_MAX];
	struct shebang shebang;
	struct stat file;
	ssize_t n;

	if (fd < 0 || fstat(fd, &file) < 0 || !S_ISREG(file.st_mode))
		return false;
	n = pread(fd, head, sizeof(head), 0);
	if (n <= 0)
		return false;
	if (shebang_parse(head, (size_t)n, &shebang)) {
		memcpy(ret_path, shebang.interpreter, SHEBANG_HEAD_MAX);
		return true;
	}
	return elf_interpreter(fd, head, (size_t)n, ret_path, SHEBANG_HEAD_MAX);
}

/* ENOENT for a file that exists: what it is to be run with does not. */
static int explain_interpreter(const char *path, struct error *err)
{
	char interpreter[SHEBANG_HEAD_MAX], at[PATH_MAX];
	const char *carriage_return;

	snprintf(at, sizeof(at), "%s", path);
	for (int depth = 0; depth < INTERPRETER_DEPTH_MAX; depth++) {
		struct stat file;

		if (!interpreter_of(at, interpreter))
			break;
		if (stat(interpreter, &file) == 0) {
			snprintf(at, sizeof(at), "%s", interpreter);
			continue;
		}
		carriage_return = strchr(interpreter, '\r');
		if (carriage_return != NULL)
			return error_set(err, ERROR_NOT_FOUND, ENOENT,
					 "execute %s: its first line ends in CR LF: write it with "
					 "Unix line ends",
					 path);
		return error_set(err, ERROR_NOT_FOUND, ENOENT,
				 "execute %s: its interpreter %s does not exist inside the sandbox",
				 path, interpreter);
	}
	return error_set(err, ERROR_NOT_FOUND, ENOENT,
			 "execute %s: it exists, but what it needs to run does not", path);
}

static int explain_missing(const struct plan *plan, const struct strings *candidates,
			   struct error *err)
{
	const char *name = plan->argv.items[0];
	const char *path = strings_env_get(&plan->environment, "PATH");

	for (size_t i = 0; i < candidates->count; i++) {
		struct stat file;

		if (stat(candidates->items[i], &file) == 0)
			return explain_interpreter(candidates->items[i], err);
	}
	if (strchr(name, '/') != NULL)
		return error_set(err, ERROR_NOT_FOUND, ENOENT,
				 "execute %s: it does not exist inside the sandbox", name);
	return error_set(err, ERROR_NOT_FOUND, ENOENT,
			 "execute %s: it is in no directory of PATH inside the sandbox (%s)", name,
			 path != NULL ? path : COMMAND_DEFAULT_PATH);
}

static int explain_refused(const struct plan *plan, const char *path, struct error *err)
{
	struct stat file;

	if (stat(path, &file) < 0)
		return error_set(err, ERROR_NOT_EXECUTABLE, EACCES, "execute %s", path);
	if (S_ISDIR(file.st_mode))
		return error_set(err, ERROR_NOT_EXECUTABLE, EACCES, "execute %s: it is a directory",
				 path);
	if ((file.st_mode & 0111) == 0)
		return error_set(err, ERROR_NOT_EXECUTABLE, EACCES,
				 "execute %s: its mode %04o lets nobody execute it", path,
				 file.st_mode & 07777);
	return error_set(err, ERROR_NOT_EXECUTABLE, EACCES,
			 "execute %s: uid %u may not; look at its mode (%04o), its directories' "
			 "modes, its interpreter's, and whether it is mounted noexec",
			 path, plan->uid, file.st_mode & 07777);
}

int command_explain(const struct plan *plan, const struct strings *candidates, size_t index,
		    int errnum, struct error *err)
{
	const char *path = candidates->items[index < candidates->count ? index : 0];

	switch (errnum) {
	case ENOENT:
		return explain_missing(plan, candidates, err);
	case EACCES:
		return explain_refused(plan, path, err);
	case ENOEXEC:
		return error_set(err, ERROR_NOT_EXECUTABLE, ENOEXEC,
				 "execute %s: it is no program of this machine, nor a script that "
				 "begins with #!",
				 path);
	default:
		return error_set(err, ERROR_SYSTEM, errnum, "execute %s", path);
	}
}
