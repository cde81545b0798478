/* SPDX-License-Identifier: MIT */
#include "policy/io_use.h"

#include "policy/own.h"
#include "policy/spec.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What io.max and io.stat call the same thing. */
static const struct {
	const char *limit, *counter;
	bool is_bytes;
} keys[] = {
	[IO_RBPS] = { "rbps", "rbytes", true },
	[IO_WBPS] = { "wbps", "wbytes", true },
	[IO_RIOPS] = { "riops", "rios", false },
	[IO_WIOPS] = { "wiops", "wios", false },
};
static_assert(ARRAY_SIZE(keys) == IO_KEY_COUNT, "a name for each key");

const char *io_key_name(enum io_key key)
{
	return key < IO_KEY_COUNT ? keys[key].limit : "unknown";
}

/* The number of " KEY=NUMBER" in the line; otherwise, also of "max", what `absent` says. */
static uint64_t find_number(const char *line, const char *key, uint64_t absent)
{
	const size_t length = strlen(key);
	const char *end = line + strcspn(line, "\n");

	while (line < end) {
		size_t word = strcspn(line, " \n");

		if (word > length && strncmp(line, key, length) == 0 && line[length] == '=') {
			const char *digits = line + length + 1;

			return *digits >= '0' && *digits <= '9' ? strtoull(digits, NULL, 10)
								: absent;
		}
		line += word + (line[word] == ' ');
	}
	return absent;
}

static const char *next_line(const char *line)
{
	line += strcspn(line, "\n");
	return line + (*line == '\n');
}

static struct io_disk *find_disk(const struct io_disks *disks, unsigned major, unsigned minor)
{
	for (size_t i = 0; i < disks->count; i++)
		if (disks->items[i].major == major && disks->items[i].minor == minor)
			return (struct io_disk *)&disks->items[i];
	return NULL;
}

void io_use_read(const char *io_max, const char *io_stat, struct io_disks *ret)
{
	unsigned major, minor;

	*ret = (struct io_disks){ 0 };
	for (; *io_max != '\0' && ret->count < IO_DISKS_MAX; io_max = next_line(io_max)) {
		struct io_disk *disk = &ret->items[ret->count];

		if (sscanf(io_max, "%u:%u ", &disk->major, &disk->minor) != 2)
			continue;
		for (size_t key = 0; key < IO_KEY_COUNT; key++)
			disk->limit[key] = find_number(io_max, keys[key].limit, LIMIT_MAX);
		ret->count++;
	}
	for (; *io_stat != '\0'; io_stat = next_line(io_stat)) {
		struct io_disk *disk = NULL;

		if (sscanf(io_stat, "%u:%u ", &major, &minor) == 2)
			disk = find_disk(ret, major, minor);
		for (size_t key = 0; disk != NULL && key < IO_KEY_COUNT; key++)
			disk->moved[key] = find_number(io_stat, keys[key].counter, 0);
	}
}

/* What of it was used, in thousandths; beyond any sensible figure it does not matter how far. */
static uint64_t share(uint64_t moved, uint64_t limit, uint64_t wall_usec)
{
	const double all = (double)limit * (double)wall_usec / USEC_PER_SEC;
	const double used = all > 0 ? (double)moved / all * 1000 : 0;

	return used < 1e9 ? (uint64_t)used : UINT64_C(1000000000);
}

/* A request that is under way stands for half of what was expected at the most: by a low limit it
 * alone would be more. */
static bool is_reached(const struct io_use *use, uint64_t wall_usec)
{
	const uint64_t under_way = keys[use->key].is_bytes ? IO_REQUEST_MAX : 1;
	const uint64_t counted = share(use->moved, use->limit, wall_usec);
	const uint64_t uncounted = share(under_way, use->limit, wall_usec);

	return counted + (uncounted < 500 ? uncounted : 500) >= UINT64_C(10) * IO_REACHED_PERCENT;
}

void io_use_most(const struct io_disks *then, const struct io_disks *now, uint64_t wall_usec,
		 struct io_use *ret)
{
	uint64_t most = 0;

	*ret = (struct io_use){ 0 };
	for (size_t i = 0; i < now->count; i++) {
		const struct io_disk *disk = &now->items[i];
		const struct io_disk *before = find_disk(then, disk->major, disk->minor);

		for (unsigned key = 0; key < IO_KEY_COUNT; key++) {
			const uint64_t last = before != NULL ? before->moved[key] : 0;
			const uint64_t moved =
				disk->moved[key] > last ? disk->moved[key] - last : 0;
			const uint64_t used = share(moved, disk->limit[key], wall_usec);

			if (disk->limit[key] == LIMIT_MAX || disk->limit[key] == 0 ||
			    (ret->limit != 0 && used <= most))
				continue;
			most = used;
			*ret = (struct io_use){ (enum io_key)key, disk->major, disk->minor,
						disk->limit[key], moved,       false };
		}
	}
	ret->reached = ret->limit != 0 && is_reached(ret, wall_usec);
}
