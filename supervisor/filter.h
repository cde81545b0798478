/* SPDX-License-Identifier: MIT */
/*
 * From a seccomp profile to a BPF program on a sealed memfd, ready for the launcher. Compiled once
 * per profile (1.8 to 24 ms), never in the spawn path.
 *
 * What the program does with a call, in this order: a foreign ABI (i386, x32, 32-bit ARM) kills the
 * process; a rule whose arguments match decides; else the rule of that name without arguments; else
 * the profile's default action. Names that libseccomp knows for other architectures only are passed
 * over, as runc does.
 */
#pragma once

#include "policy/profile.h"

/* The machine's architecture: PROFILE_X86_64 or PROFILE_AARCH64. */
enum profile_architecture filter_native(void);

/* Only reads: the profile of that name, or in the file of that path (a word with a slash in it).
 * *ret_profile is the caller's (profile_free); path, which holds PATH_MAX, is where it was. */
int filter_read(const char *profile, char *path, struct profile **ret_profile, struct error *err);

/* profile: a name, searched as PYSBX_SYSCONFDIR/syscalls.d/NAME.json then
 * PYSBX_DATADIR/profiles/NAME.json, or an absolute path. Returns an fd (close-on-exec, offset 0,
 * fully sealed) holding an array of struct sock_filter. Errors name the file and the JSON path. */
int filter_compile(const char *profile, int *ret_fd, struct error *err);

/* The same; but the filter of a profile with a name is looked for in `store` first, and left there
 * (supervisor/filter_store.h). That this can't be done is no error. */
int filter_compile_kept(const char *store, const char *profile, int *ret_fd, struct error *err);

/* Both with the two directories as arguments: for tests. store: NULL for none. */
int filter_compile_from(const char *const directories[2], const char *store, const char *profile,
			int *ret_fd, struct error *err);
