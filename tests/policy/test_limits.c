/* SPDX-License-Identifier: MIT */
#include "policy/limits.h"
#include "policy/own.h"

#include <criterion/criterion.h>
#include <string.h>

#define PAGE UINT64_C(4096)

static const struct limits nothing = {
	.memory_max = LIMIT_UNSET,
	.memory_high = LIMIT_UNSET,
	.memory_swap_max = LIMIT_UNSET,
	.cpu_max = LIMIT_UNSET,
	.cpu_weight = LIMIT_UNSET,
	.pids_max = LIMIT_UNSET,
	.nofile = LIMIT_UNSET,
	.tmp_size = LIMIT_UNSET,
};

/* The text that would be written to file; NULL if nothing would. */
static const char *written(const struct limits *limits, const struct disk *disks, const char *file)
{
	static struct limit_write writes[LIMIT_WRITES_MAX];
	size_t count = limits_writes(limits, disks, PAGE, writes);
	const char *found = NULL;

	for (size_t i = 0; i < count; i++) {
		if (strcmp(writes[i].file, file) != 0)
			continue;
		cr_assert_null(found, "%s is written twice", file);
		found = writes[i].text;
	}
	return found;
}

static bool matches(const char *file, const char *text, const char *read_back)
{
	struct limit_write write = { .file = file };

	snprintf(write.text, sizeof(write.text), "%s", text);
	return limits_read_back_matches(&write, read_back);
}

Test(limits, writes_nothing_where_nothing_is_set)
{
	struct limit_write writes[LIMIT_WRITES_MAX];

	cr_expect_eq(limits_writes(&nothing, NULL, PAGE, writes), 0);
	cr_expect_eq(limits_controllers(&nothing), 0);
}

Test(limits, writes_all_that_is_set_with_file_controller_and_field)
{
	static const struct {
		const char *file, *controller, *field, *text;
	} expected[] = {
		{ "cpu.max", "cpu", "limits.cpu", "150000 100000" },
		{ "cpu.weight", "cpu", "limits.cpu_weight", "50" },
		{ "memory.max", "memory", "limits.memory", "268435456" },
		{ "memory.swap.max", "memory", "limits.memory_swap", "0" },
		{ "memory.high", "memory", "limits.memory_high", "134217728" },
		{ "pids.max", "pids", "limits.pids", "100" },
		{ "io.max", "io", "limits.io", "8:16 rbps=1048576 wiops=20" },
	};
	static const struct disk disk = { 8, 16 };
	struct io_limit io = { NULL, UINT64_C(1) << 20, LIMIT_UNSET, LIMIT_UNSET, 20 };
	struct limits limits = nothing;
	struct limit_write writes[LIMIT_WRITES_MAX];

	limits.cpu_max = 1500;
	limits.cpu_weight = 50;
	limits.memory_max = UINT64_C(256) << 20;
	limits.memory_swap_max = 0;
	limits.memory_high = UINT64_C(128) << 20;
	limits.pids_max = 100;
	limits.io = &io;
	limits.io_count = 1;

	cr_assert_eq(limits_writes(&limits, &disk, PAGE, writes), ARRAY_SIZE(expected));
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
		cr_expect_str_eq(writes[i].file, expected[i].file);
		cr_expect_str_eq(writes[i].controller, expected[i].controller);
		cr_expect_str_eq(writes[i].field, expected[i].field);
		cr_expect_str_eq(writes[i].text, expected[i].text);
	}
}

Test(limits, says_max_as_each_file_wants_it)
{
	static const struct disk disk = { 253, 0 };
	struct io_limit io = { NULL, LIMIT_MAX, 5000, LIMIT_UNSET, LIMIT_MAX };
	struct limits limits = nothing;

	limits.cpu_max = limits.memory_max = limits.memory_high = LIMIT_MAX;
	limits.memory_swap_max = limits.pids_max = LIMIT_MAX;
	limits.io = &io;
	limits.io_count = 1;
	cr_expect_str_eq(written(&limits, &disk, "cpu.max"), "max 100000");
	cr_expect_str_eq(written(&limits, &disk, "memory.max"), "max");
	cr_expect_str_eq(written(&limits, &disk, "memory.high"), "max");
	cr_expect_str_eq(written(&limits, &disk, "memory.swap.max"), "max");
	cr_expect_str_eq(written(&limits, &disk, "pids.max"), "max");
	cr_expect_str_eq(written(&limits, &disk, "io.max"), "253:0 rbps=max wbps=5000 wiops=max");
}

Test(limits, never_asks_for_less_cpu_than_the_kernel_takes)
{
	struct limits limits = nothing;

	limits.cpu_max = CPU_MILLI_MIN; /* cpu.max refuses a quota below 1 ms */
	cr_expect_str_eq(written(&limits, NULL, "cpu.max"), "1000 100000");
	limits.cpu_max = 333;
	cr_expect_str_eq(written(&limits, NULL, "cpu.max"), "33300 100000");
	limits.cpu_max = CPU_MILLI_LIMIT;
	cr_expect_str_eq(written(&limits, NULL, "cpu.max"), "409600000 100000");
}

Test(limits, rounds_memory_down_to_pages)
{
	struct limit_write writes[LIMIT_WRITES_MAX];
	struct limits limits = nothing;

	limits.memory_max = 10 * PAGE + PAGE - 1;
	limits.memory_high = 9 * PAGE;
	limits.memory_swap_max = PAGE - 1;
	cr_expect_str_eq(written(&limits, NULL, "memory.max"), "40960");
	cr_expect_str_eq(written(&limits, NULL, "memory.high"), "36864");
	cr_expect_str_eq(written(&limits, NULL, "memory.swap.max"), "0");

	/* pages of 64 KiB, as on some ARM machines */
	limits = nothing;
	limits.memory_max = 200000;
	cr_assert_eq(limits_writes(&limits, NULL, 65536, writes), 1);
	cr_expect_str_eq(writes[0].text, "196608");
}

Test(limits, merges_io_limits_of_one_disk_to_the_tighter_values)
{
	static const struct disk disks[] = { { 8, 0 }, { 8, 16 }, { 8, 0 }, { 259, 0 }, { 8, 0 } };
	struct io_limit io[] = {
		{ NULL, 3000000, LIMIT_UNSET, LIMIT_MAX, LIMIT_UNSET },
		{ NULL, LIMIT_UNSET, 77777, LIMIT_UNSET, LIMIT_UNSET },
		{ NULL, 2000000, 5000, LIMIT_UNSET, LIMIT_UNSET },
		{ NULL, 1, 2, 3, 4 },
		{ NULL, 2500000, 4096, 100, LIMIT_UNSET },
	};
	struct limit_write writes[LIMIT_WRITES_MAX];
	struct limits limits = nothing;

	limits.io = io;
	limits.io_count = ARRAY_SIZE(disks);

	cr_assert_eq(limits_writes(&limits, disks, PAGE, writes), 3);
	cr_expect_str_eq(writes[0].text, "8:0 rbps=2000000 wbps=4096 riops=100");
	cr_expect_str_eq(writes[1].text, "8:16 wbps=77777");
	cr_expect_str_eq(writes[2].text, "259:0 rbps=1 wbps=2 riops=3 wiops=4");
}

Test(limits, has_room_for_every_limit_at_its_longest)
{
	struct limit_write writes[LIMIT_WRITES_MAX];
	struct disk disks[SPEC_IO_MAX];
	struct io_limit io[SPEC_IO_MAX];
	struct limits limits = {
		.memory_max = SIZE_LIMIT_BYTES,
		.memory_high = SIZE_LIMIT_BYTES,
		.memory_swap_max = SIZE_LIMIT_BYTES,
		.cpu_max = CPU_MILLI_LIMIT,
		.cpu_weight = SPEC_CPU_WEIGHT_MAX,
		.pids_max = SPEC_PIDS_LIMIT,
		.io = io,
		.io_count = SPEC_IO_MAX,
	};

	for (unsigned i = 0; i < SPEC_IO_MAX; i++) {
		disks[i] = (struct disk){ UINT32_MAX - i, UINT32_MAX };
		io[i] = (struct io_limit){ NULL, LIMIT_UNSET - 1, LIMIT_UNSET - 1, LIMIT_UNSET - 1,
					   LIMIT_UNSET - 1 };
	}
	cr_assert_eq(limits_writes(&limits, disks, PAGE, writes), 6 + SPEC_IO_MAX);
	cr_expect_str_eq(writes[6].text, "4294967295:4294967295 rbps=18446744073709551613 "
					 "wbps=18446744073709551613 riops=18446744073709551613 "
					 "wiops=18446744073709551613");
}

Test(limits, takes_back_the_very_value_alone)
{
	cr_expect(matches("memory.max", "268435456", "268435456\n"));
	cr_expect(matches("memory.max", "268435456", "268435456"));
	cr_expect(matches("memory.max", "max", "max\n"));
	cr_expect(matches("cpu.max", "50000 100000", "50000 100000\n"));
	cr_expect(matches("cpu.max", "max 100000", "max 100000\n"));
	cr_expect(matches("pids.max", "100", "100\n"));

	cr_expect_not(matches("memory.max", "268435456", "268431360\n"));
	cr_expect_not(matches("memory.max", "268435456", "2684354560\n"));
	cr_expect_not(matches("memory.max", "268435456", "26843545\n"));
	cr_expect_not(matches("memory.max", "268435456", "max\n"));
	cr_expect_not(matches("memory.max", "268435456", ""));
	cr_expect_not(matches("memory.max", "268435456", "268435456\n1\n"));
	cr_expect_not(matches("memory.max", "max", "268435456\n"));
	cr_expect_not(matches("cpu.max", "50000 100000", "50000 50000\n"));
	cr_expect_not(matches("cpu.max", "50000 100000", "max 100000\n"));
}

Test(limits, finds_the_disk_among_the_lines_of_io_max)
{
	static const char file[] = "8:16 rbps=1 wbps=2 riops=3 wiops=4\n"
				   "8:0 rbps=1048576 wbps=max riops=max wiops=200\n"
				   "18:0 rbps=max wbps=9 riops=max wiops=max\n";

	cr_expect(matches("io.max", "8:0 rbps=1048576 wiops=200", file));
	cr_expect(matches("io.max", "8:0 rbps=1048576 wbps=max wiops=200", file));
	cr_expect(matches("io.max", "8:0 wiops=200 rbps=1048576", file));
	cr_expect(matches("io.max", "8:16 rbps=1 wbps=2 riops=3 wiops=4", file));
	cr_expect(matches("io.max", "18:0 wbps=9", file));

	cr_expect_not(matches("io.max", "8:0 rbps=1048577 wiops=200", file));
	cr_expect_not(matches("io.max", "8:0 rbps=104857 wiops=200", file));
	cr_expect_not(matches("io.max", "8:0 rbps=1048576 wiops=2000", file));
	cr_expect_not(matches("io.max", "8:0 rbps=1048576", file), "wiops was not asked for");
	cr_expect_not(matches("io.max", "8:0 rbps=1048576 wbps=7 wiops=200", file));
	cr_expect_not(matches("io.max", "8:1 rbps=1", file));
	cr_expect_not(matches("io.max", "8:0 wbps=9", "18:0 wbps=9\n"));
	cr_expect_not(matches("io.max", "8:1 wbps=9", "8:16 wbps=9\n"));
	cr_expect_not(matches("io.max", "8:0 wbps=9", ""));
}

Test(limits, takes_a_missing_line_of_io_max_for_no_limit)
{
	cr_expect(matches("io.max", "8:0 rbps=max wiops=max", ""));
	cr_expect(matches("io.max", "8:0 rbps=max", "8:16 rbps=1 wbps=max riops=max wiops=max\n"));
	cr_expect_not(
		matches("io.max", "8:0 rbps=max", "8:0 rbps=max wbps=5 riops=max wiops=max\n"));
}

Test(limits, knows_which_controllers_are_needed)
{
	struct limits limits;

#define EXPECT_NEEDS(member, value, bit)                                 \
	do {                                                             \
		limits = nothing;                                        \
		limits.member = (value);                                 \
		cr_expect_eq(limits_controllers(&limits), bit, #member); \
	} while (0)
	EXPECT_NEEDS(cpu_max, 1000, CONTROLLER_CPU);
	EXPECT_NEEDS(cpu_weight, 1, CONTROLLER_CPU);
	EXPECT_NEEDS(memory_max, 1 << 20, CONTROLLER_MEMORY);
	EXPECT_NEEDS(memory_high, 1 << 20, CONTROLLER_MEMORY);
	EXPECT_NEEDS(memory_swap_max, 0, CONTROLLER_MEMORY);
	EXPECT_NEEDS(pids_max, 1, CONTROLLER_PIDS);
	EXPECT_NEEDS(io_count, 1, CONTROLLER_IO);
	EXPECT_NEEDS(nofile, 100, 0);
	EXPECT_NEEDS(tmp_size, 100, 0);
#undef EXPECT_NEEDS
}

Test(limits, needs_no_controller_for_what_is_left_open)
{
	struct limits limits = nothing;

	limits.cpu_max = limits.memory_max = limits.memory_high = LIMIT_MAX;
	limits.memory_swap_max = limits.pids_max = LIMIT_MAX;
	limits_leave_open(&limits);
	cr_expect_eq(limits_controllers(&limits), 0);
	limits.pids_max = 5;
	limits_leave_open(&limits);
	cr_expect_eq(limits.pids_max, 5);
}

Test(limits, tells_a_lower_memory_limit_from_others)
{
	static const struct {
		uint64_t now, before;
		bool lower;
	} cases[] = {
		{ 100, 200, true },	   { 100, LIMIT_UNSET, true },
		{ 100, LIMIT_MAX, true },  { 200, 200, false },
		{ 300, 200, false },	   { LIMIT_UNSET, 200, false },
		{ LIMIT_MAX, 200, false }, { LIMIT_UNSET, LIMIT_MAX, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct limits now = spec_no_limits, before = spec_no_limits;

		now.memory_max = cases[i].now;
		before.memory_max = cases[i].before;
		cr_expect_eq(limits_lower_memory(&now, &before), cases[i].lower, "memory %zu", i);
		now.memory_max = before.memory_max = LIMIT_UNSET;
		now.memory_high = cases[i].now;
		before.memory_high = cases[i].before;
		cr_expect_eq(limits_lower_memory(&now, &before), cases[i].lower, "high %zu", i);
	}
}

Test(limits, compares_each_of_them)
{
	char path[] = "/srv", other[] = "/var";
	const struct limits none = spec_no_limits;
	struct io_limit one = { path, 1000, LIMIT_UNSET, LIMIT_UNSET, LIMIT_UNSET }, two = one;
	struct limits a = none, b = none;

	cr_expect(limits_equal(&a, &b));
	a.tmp_size = 1;
	cr_expect(!limits_equal(&a, &b));
	a = none;
	a.io = &one;
	a.io_count = 1;
	cr_expect(!limits_equal(&a, &b));
	b.io = &two;
	b.io_count = 1;
	cr_expect(limits_equal(&a, &b));
	two.wiops = 7;
	cr_expect(!limits_equal(&a, &b));
	two = one;
	two.path = other;
	cr_expect(!limits_equal(&a, &b));
}

Test(limits, finds_the_disks_of_io_max_that_are_not_named)
{
	static const struct disk named[] = { { 8, 0 }, { 253, 1 } };
	struct disk others[LIMIT_OTHER_DISKS_MAX];

	cr_assert_eq(limits_other_disks("", named, 2, others), 0);
	cr_assert_eq(limits_other_disks("8:16 rbps=1 wbps=max riops=max wiops=max\n"
					"8:0 rbps=1 wbps=max riops=max wiops=max\n"
					"garbage\n"
					"259:3 rbps=max wbps=5 riops=max wiops=max\n",
					named, 2, others),
		     2);
	cr_expect(others[0].major == 8 && others[0].minor == 16);
	cr_expect(others[1].major == 259 && others[1].minor == 3);
}

Test(limits, takes_no_more_other_disks_than_there_is_room_for)
{
	struct disk others[LIMIT_OTHER_DISKS_MAX];
	char text[(LIMIT_OTHER_DISKS_MAX + 2) * 16] = "";
	size_t length = 0;

	for (unsigned i = 0; i < LIMIT_OTHER_DISKS_MAX + 2; i++)
		length +=
			(size_t)snprintf(text + length, sizeof(text) - length, "8:%u rbps=1\n", i);
	cr_assert_eq(limits_other_disks(text, NULL, 0, others), LIMIT_OTHER_DISKS_MAX);
}

Test(limits, lifts_all_limits_of_a_disk)
{
	static const struct disk disk = { 8, 16 };
	struct limit_write write;

	limits_lift_disk(&disk, &write);
	cr_expect_str_eq(write.file, "io.max");
	cr_expect_str_eq(write.text, "8:16 rbps=max wbps=max riops=max wiops=max");
	cr_expect(limits_read_back_matches(&write, ""));
}
