/* SPDX-License-Identifier: MIT */
#include "policy/io_use.h"

#include "policy/own.h"
#include "policy/spec.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#define SECONDS(n) ((uint64_t)(n)*USEC_PER_SEC)
#define MIB	   ((uint64_t)1 << 20)

Test(io_use, reads_limits_and_what_was_moved)
{
	struct io_disks disks;

	io_use_read("8:0 rbps=max wbps=4194304 riops=max wiops=100\n8:16 rbps=7 wbps=max\n",
		    "8:16 rbytes=5 wbytes=6 rios=7 wios=8 dbytes=0 dios=0\n"
		    "254:0 rbytes=9 wbytes=9\n"
		    "8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=99 dios=0\n",
		    &disks);
	cr_assert_eq(disks.count, 2);
	cr_expect_eq(disks.items[0].limit[IO_RBPS], LIMIT_MAX);
	cr_expect_eq(disks.items[0].limit[IO_WBPS], 4 * MIB);
	cr_expect_eq(disks.items[0].limit[IO_RIOPS], LIMIT_MAX);
	cr_expect_eq(disks.items[0].limit[IO_WIOPS], 100);
	cr_expect_eq(disks.items[0].moved[IO_RBPS], 1);
	cr_expect_eq(disks.items[0].moved[IO_WBPS], 2);
	cr_expect_eq(disks.items[0].moved[IO_RIOPS], 3);
	cr_expect_eq(disks.items[0].moved[IO_WIOPS], 4);
	cr_expect_eq(disks.items[1].minor, 16);
	cr_expect_eq(disks.items[1].limit[IO_RBPS], 7);
	cr_expect_eq(disks.items[1].limit[IO_WIOPS], LIMIT_MAX);
	cr_expect_eq(disks.items[1].moved[IO_RIOPS], 7);
}

Test(io_use, passes_over_what_is_no_disk)
{
	static const char *const texts[] = {
		"", "\n", "nonsense\n", "8\n", ":\n", "8:0", "rbps=1\n"
	};
	struct io_disks disks;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		io_use_read(texts[i], texts[i], &disks);
		for (size_t j = 0; j < disks.count; j++)
			cr_expect_eq(disks.items[j].limit[IO_WBPS], LIMIT_MAX, "%s", texts[i]);
	}
}

Test(io_use, looks_at_so_many_disks)
{
	char text[1024] = "";
	struct io_disks disks;

	for (unsigned i = 0; i < IO_DISKS_MAX * 3; i++)
		(void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "8:%u wbps=1\n",
			       i * 16);
	io_use_read(text, text, &disks);
	cr_expect_eq(disks.count, IO_DISKS_MAX);
}

/* Reads with a limit of 64 MiB a second and writes with one of 4, after they were moved. */
static struct io_disks moved(uint64_t read_bytes, uint64_t write_bytes)
{
	return (struct io_disks){
		.count = 1,
		.items = { { 8,
			     0,
			     { 64 * MIB, 4 * MIB, LIMIT_MAX, LIMIT_MAX },
			     { read_bytes, write_bytes, 0, 0 } } },
	};
}

Test(io_use, finds_the_limit_that_was_used_most)
{
	static const struct {
		uint64_t seconds, read_bytes, write_bytes;
		enum io_key key;
		bool reached;
	} samples[] = {
		{ 30, 100 * MIB, 119 * MIB, IO_WBPS, true },
		{ 30, 1900 * MIB, 10 * MIB, IO_RBPS, true },
		{ 30, 0, 125 * MIB, IO_WBPS, true }, /* and more, after a pause */
		{ 30, 0, 60 * MIB, IO_WBPS, false },
		{ 30, 0, 0, IO_RBPS, false },
		/* a request of 1 MiB is under way */
		{ 3, 0, 9 * MIB, IO_WBPS, true },
		{ 3, 0, 8 * MIB, IO_WBPS, false },
		/* which by itself shows nothing */
		{ 1, 0, 0, IO_RBPS, false },
		{ 1, 0, MIB, IO_WBPS, false },
	};
	const struct io_disks then = moved(7, 9);

	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		const struct io_disks now =
			moved(7 + samples[i].read_bytes, 9 + samples[i].write_bytes);
		struct io_use use;

		io_use_most(&then, &now, SECONDS(samples[i].seconds), &use);
		cr_expect_eq(use.key, samples[i].key, "sample %zu: %s", i, io_key_name(use.key));
		cr_expect_eq(use.reached, samples[i].reached, "sample %zu", i);
		cr_expect_eq(use.moved,
			     use.key == IO_WBPS ? samples[i].write_bytes : samples[i].read_bytes,
			     "sample %zu", i);
	}
}

Test(io_use, is_nothing_without_a_limit)
{
	struct io_disks none = { 0 }, open = moved(0, 0);
	struct io_use use;

	io_use_most(&none, &none, SECONDS(1), &use);
	cr_expect_eq(use.limit, 0);
	cr_expect_not(use.reached);
	for (unsigned key = 0; key < IO_KEY_COUNT; key++)
		open.items[0].limit[key] = LIMIT_MAX;
	io_use_most(&none, &open, SECONDS(1), &use);
	cr_expect_eq(use.limit, 0);
	cr_expect_not(use.reached);
}

Test(io_use, survives_counters_that_go_back_and_no_time)
{
	const struct io_disks then = moved(100, 100), now = moved(1, 1);
	struct io_use use;

	io_use_most(&then, &now, 0, &use);
	cr_expect_eq(use.moved, 0);
	cr_expect_not(use.reached);
}

Test(io_use, has_a_name_for_everything)
{
	cr_expect_str_eq(io_key_name(IO_WBPS), "wbps");
	for (unsigned i = 0; i < IO_KEY_COUNT; i++)
		cr_expect_str_neq(io_key_name((enum io_key)i), "unknown");
}
