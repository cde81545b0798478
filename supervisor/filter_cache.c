/* SPDX-License-Identifier: MIT */
#include "supervisor/filter_cache.h"

#include "policy/own.h"
#include "supervisor/filter.h"

#include <stdlib.h>
#include <string.h>

int filter_cache_get(struct filter_cache *cache, const char *profile, int *ret_fd,
		     struct error *err)
{
	_cleanup_free_ char *name = NULL;
	_cleanup_close_ int fd = -1;
	struct filter_cached *larger;
	int r;

	for (size_t i = 0; i < cache->count; i++)
		if (strcmp(cache->items[i].profile, profile) == 0) {
			*ret_fd = cache->items[i].fd;
			return 0;
		}
	r = filter_compile(profile, &fd, err);
	if (r < 0)
		return r;
	name = strdup(profile);
	larger = reallocarray(cache->items, cache->count + 1, sizeof(*cache->items));
	if (larger != NULL)
		cache->items = larger;
	if (name == NULL || larger == NULL)
		return error_no_memory(err);
	*ret_fd = fd;
	cache->items[cache->count++] = (struct filter_cached){ TAKE_PTR(name), TAKE_FD(fd) };
	return 0;
}

void filter_cache_clear(struct filter_cache *cache)
{
	for (size_t i = 0; i < cache->count; i++) {
		free(cache->items[i].profile);
		close_and_clear(&cache->items[i].fd);
	}
	free(cache->items);
	*cache = (struct filter_cache){ 0 };
}
