/* SPDX-License-Identifier: MIT */
/* What the tests of filters share: the shipped profile, programs, and asking them. */
#pragma once

#include "policy/bpf.h"
#include "policy/profile.h"
#include "supervisor/filter.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <limits.h>
#include <linux/audit.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#if defined(__x86_64__)
#define NATIVE_AUDIT AUDIT_ARCH_X86_64
#define NATIVE	     PROFILE_X86_64
#else
#define NATIVE_AUDIT AUDIT_ARCH_AARCH64
#define NATIVE	     PROFILE_AARCH64
#endif

#define HIGH	 (UINT64_C(1) << 32) /* a bit that the kernel does not see in an int */
#define ERRNO(n) (SECCOMP_RET_ERRNO | (n))

struct program {
	struct sock_filter *items;
	size_t count;
};

/* A shipped profile: of the source tree, or where the tests run installed. */
static inline const char *shipped_profile(const char *name, char path[PATH_MAX])
{
	static const char *const places[] = { "packaging/profiles", PYSBX_DATADIR "/profiles" };
	char found[PATH_MAX];

	for (size_t i = 0; i < 2; i++) {
		snprintf(found, sizeof(found), "%s/%s.json", places[i], name);
		if (access(found, R_OK) == 0)
			break;
	}
	cr_assert_not_null(realpath(found, path), "%s: %s", found, strerror(errno));
	return path;
}

static inline const char *shipped_path(char path[PATH_MAX])
{
	return shipped_profile("python-web", path);
}

static inline struct program read_program(int fd)
{
	struct program program = { 0 };
	struct error err;
	struct stat st;

	cr_assert_eq(fstat(fd, &st), 0);
	cr_assert_gt(st.st_size, 0);
	cr_assert_eq((size_t)st.st_size % sizeof(*program.items), 0);
	program.items = malloc((size_t)st.st_size);
	cr_assert_eq(pread(fd, program.items, (size_t)st.st_size, 0), st.st_size);
	program.count = (size_t)st.st_size / sizeof(*program.items);
	cr_assert_eq(bpf_check(program.items, program.count, &err), 0, "%s", err.text);
	return program;
}

static inline struct program compile_shipped(void)
{
	char path[PATH_MAX];
	struct error err;
	struct program program;
	int fd = -1;

	cr_assert_eq(filter_compile(shipped_path(path), &fd, &err), 0, "%s", err.text);
	program = read_program(fd);
	close(fd);
	return program;
}

static inline struct profile *parse(const char *text)
{
	const struct profile_facts facts = { .architecture = NATIVE, .kernel_major = 6 };
	struct profile *profile = NULL;
	struct error err;

	cr_assert_eq(profile_parse(text, strlen(text), &facts, &profile, &err), 0, "%s", err.text);
	return profile;
}

static inline uint32_t ask(const struct program *program, int number, const uint64_t args[6])
{
	struct seccomp_data data = { .nr = number, .arch = NATIVE_AUDIT };

	if (args != NULL)
		memcpy(data.args, args, sizeof(data.args));
	return bpf_run(program->items, &data, NULL);
}
