/* SPDX-License-Identifier: MIT */
/* Compiled seccomp filters, one a profile: a start never builds one that is there. */
#pragma once

#include "policy/error.h"

#include <stddef.h>

struct filter_cache {
	struct filter_cached {
		char *profile;
		int fd;
	} * items;
	size_t count;
};

/* The fd stays the cache's. */
int filter_cache_get(struct filter_cache *cache, const char *profile, int *ret_fd,
		     struct error *err);

/* Profiles may have changed: the next start of each reads it again. */
void filter_cache_clear(struct filter_cache *cache);
