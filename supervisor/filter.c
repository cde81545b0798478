/* SPDX-License-Identifier: MIT */
#include "supervisor/filter.h"

#include "policy/own.h"
#include "policy/profile.h"
#include "policy/quote.h"
#include "supervisor/file.h"
#include "supervisor/filter_program.h"
#include "supervisor/filter_store.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/utsname.h>

#define PROFILE_FILE_NAME_MAX 64 /* bytes of a profile's name */

#if defined(__x86_64__)
#define NATIVE PROFILE_X86_64
#elif defined(__aarch64__)
#define NATIVE PROFILE_AARCH64
#else
#error "pysbx has seccomp profiles for x86-64 and arm64 only"
#endif

static const char *const search_path[2] = { PYSBX_SYSCONFDIR "/syscalls.d",
					    PYSBX_DATADIR "/profiles" };

/* --- which file --- */

static int check_name(const char *name, struct error *err)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
	char quoted[QUOTE_TEXT_MAX];

	if (name[0] != '\0' && name[0] != '.' && strlen(name) <= PROFILE_FILE_NAME_MAX &&
	    name[strspn(name, letters)] == '\0')
		return 0;
	return error_set(err, ERROR_INVALID, 0,
			 "%s is not the name of a seccomp profile: letters, digits, '-', '_' and "
			 "'.', or an absolute path",
			 quote_text(name, quoted));
}

static int find_file(const char *const directories[2], const char *name, char path[PATH_MAX],
		     struct error *err)
{
	int r = check_name(name, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < 2; i++) {
		if (snprintf(path, PATH_MAX, "%s/%s.json", directories[i], name) >= PATH_MAX)
			return error_set(err, ERROR_INVALID, ENAMETOOLONG, "%s", directories[i]);
		/* only absence moves on: a profile that can't be reached must not give way to the
		 * shipped one of the same name */
		if (access(path, F_OK) == 0 || errno != ENOENT)
			return 0;
	}
	return error_set(err, ERROR_INVALID, 0,
			 "no seccomp profile \"%s\": there is neither %s/%s.json nor %s/%s.json",
			 name, directories[0], name, directories[1], name);
}

/* --- compile --- */

static void gather_facts(struct profile_facts *ret)
{
	struct utsname name;
	char *end;

	*ret = (struct profile_facts){ .architecture = NATIVE };
	if (uname(&name) < 0) /* can't fail but for a bad pointer */
		return;
	ret->kernel_major = (unsigned)strtoul(name.release, &end, 10);
	if (*end == '.')
		ret->kernel_minor = (unsigned)strtoul(end + 1, NULL, 10);
}

static int parse(const char *path, const char *text, size_t length, struct profile **ret_profile,
		 struct error *err)
{
	struct profile_facts facts;
	int r;

	gather_facts(&facts);
	r = profile_parse(text, length, &facts, ret_profile, err);
	if (r < 0)
		error_prefix(err, "seccomp profile %s", path);
	return r;
}

static int read_text(const char *const directories[2], const char *name, char *path,
		     char **ret_text, size_t *ret_length, struct error *err)
{
	int r = 0;

	if (strchr(name, '/') == NULL)
		r = find_file(directories, name, path, err);
	else if (snprintf(path, PATH_MAX, "%s", name) >= PATH_MAX)
		r = error_set(err, ERROR_INVALID, ENAMETOOLONG, "seccomp profile");
	if (r < 0)
		return r;
	r = file_read_whole(path, PROFILE_SIZE_MAX, ret_text, ret_length, err);
	if (r < 0)
		error_prefix(err, "seccomp profile");
	return r;
}

enum profile_architecture filter_native(void)
{
	return NATIVE;
}

int filter_read(const char *profile, char *path, struct profile **ret_profile, struct error *err)
{
	_cleanup_free_ char *text = NULL;
	size_t length = 0;
	int r = read_text(search_path, profile, path, &text, &length, err);

	return r < 0 ? r : parse(path, text, length, ret_profile, err);
}

static int build(const char *path, const char *text, size_t length,
		 struct sock_filter **ret_program, size_t *ret_count, struct error *err)
{
	_cleanup_profile_ struct profile *profile = NULL;
	int r = parse(path, text, length, &profile, err);

	if (r < 0)
		return r;
	r = filter_program_build(profile, NATIVE, ret_program, ret_count, err);
	if (r < 0)
		error_prefix(err, "seccomp profile %s", path);
	return r;
}

int filter_compile_from(const char *const directories[2], const char *store, const char *profile,
			int *ret_fd, struct error *err)
{
	_cleanup_free_ struct sock_filter *program = NULL;
	_cleanup_free_ char *text = NULL;
	char path[PATH_MAX];
	size_t count = 0, length = 0;
	struct error ignored;
	int r;

	/* other words with a slash would depend on where the daemon was started */
	if (profile[0] != '/') {
		r = check_name(profile, err);
		if (r < 0)
			return r;
	}
	r = read_text(directories, profile, path, &text, &length, err);
	if (r < 0)
		return r;
	if (profile[0] == '/')
		store = NULL;
	if (store == NULL ||
	    filter_store_get(store, profile, text, length, &program, &count, &ignored) < 0) {
		r = build(path, text, length, &program, &count, err);
		if (r < 0)
			return r;
		if (store != NULL)
			(void)filter_store_put(store, profile, text, length, program, count,
					       &ignored);
	}
	return file_sealed_memfd("pysbx-filter", program, count * sizeof(*program), false, ret_fd,
				 err);
}

int filter_compile(const char *profile, int *ret_fd, struct error *err)
{
	return filter_compile_from(search_path, NULL, profile, ret_fd, err);
}

int filter_compile_kept(const char *store, const char *profile, int *ret_fd, struct error *err)
{
	return filter_compile_from(search_path, store, profile, ret_fd, err);
}
