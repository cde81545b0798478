/* SPDX-License-Identifier: MIT */
/*
 * How much of its io.max a cgroup has used: the limit that was used most, from io.max and two
 * readings of io.stat. The kernel counts a request when it lets it pass, so an app that is held
 * back has moved what its limit lets through, and no more.
 *
 * Pure: the texts of the kernel's files go in, figures come out.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IO_DISKS_MAX 4 /* disks with a limit that are looked at */

/* In percent of the limit. The kernel's clock for it ticks every 100 ms, and a request is let
 * through whole. */
#define IO_REACHED_PERCENT 80
/* The largest request: counted in a lump, so what was counted can lack this much. */
#define IO_REQUEST_MAX (1 << 20)

enum io_key { IO_RBPS, IO_WBPS, IO_RIOPS, IO_WIOPS, IO_KEY_COUNT };

struct io_disk {
	unsigned major, minor;
	uint64_t limit[IO_KEY_COUNT]; /* a second; LIMIT_MAX: none */
	uint64_t moved[IO_KEY_COUNT]; /* bytes or requests, ever */
};

struct io_disks {
	size_t count;
	struct io_disk items[IO_DISKS_MAX];
};

/* The disks that io_max has a limit for, and what io_stat counts there; both are the files' whole
 * contents. Malformed words are passed over. */
void io_use_read(const char *io_max, const char *io_stat, struct io_disks *ret);

struct io_use {
	enum io_key key;
	unsigned major, minor;
	uint64_t limit; /* a second; 0: there is none */
	uint64_t moved; /* in the time */
	bool reached;	/* it is what holds the cgroup back */
};

/* The limit that is in force now and was used most between the two; limit 0 if there is none. */
void io_use_most(const struct io_disks *then, const struct io_disks *now, uint64_t wall_usec,
		 struct io_use *ret);

/* "wbps" */
const char *io_key_name(enum io_key key);
