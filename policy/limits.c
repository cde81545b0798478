/* SPDX-License-Identifier: MIT */
/*
 * The texts are those of cgroup-v2.rst. What the kernel makes of them on reading (6.1 to 6.12):
 * memory and swap in whole pages, rounded down (page_counter_memparse), which is done here already,
 * so that a read-back compares exactly; cpu.weight through shares and back, without loss for 1 to
 * 10000; cpu.max as "QUOTA PERIOD"; io.max as one line a disk with all four keys, and no line for a
 * disk whose keys are all max (tg_prfill_limit).
 */
#include "policy/limits.h"

#include "policy/own.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CPU_USEC_PER_MILLI (CPU_PERIOD_USEC / CPU_MILLI_PER_CORE)

static const char io_max[] = "io.max";

/* The keys of io.max, and where their values are in struct io_limit. */
static const struct {
	const char *name;
	size_t offset;
} io_keys[] = {
	{ "rbps", offsetof(struct io_limit, rbps) },
	{ "wbps", offsetof(struct io_limit, wbps) },
	{ "riops", offsetof(struct io_limit, riops) },
	{ "wiops", offsetof(struct io_limit, wiops) },
};

static uint64_t *io_value(struct io_limit *io, size_t key)
{
	return (uint64_t *)((char *)io + io_keys[key].offset);
}

/* A number or "max". */
static void put_value(uint64_t value, char *text, size_t size)
{
	if (value == LIMIT_MAX)
		snprintf(text, size, "max");
	else
		snprintf(text, size, "%" PRIu64, value);
}

/* --- what is written -------------------------------------------------------------------------- */

static struct limit_write *add(struct limit_write *writes, size_t *count, const char *file,
			       const char *controller, enum spec_field field)
{
	struct limit_write *write = &writes[(*count)++];

	assert(*count <= LIMIT_WRITES_MAX);
	*write = (struct limit_write){ .file = file,
				       .controller = controller,
				       .field = spec_json_labels.of[field] };
	return write;
}

static void add_cpu(const struct limits *limits, struct limit_write *writes, size_t *count)
{
	if (limits->cpu_max != LIMIT_UNSET) {
		struct limit_write *write = add(writes, count, "cpu.max", "cpu", FIELD_CPU);
		char quota[24];

		put_value(limits->cpu_max == LIMIT_MAX ? LIMIT_MAX
						       : limits->cpu_max * CPU_USEC_PER_MILLI,
			  quota, sizeof(quota));
		snprintf(write->text, sizeof(write->text), "%s %d", quota, CPU_PERIOD_USEC);
	}
	if (limits->cpu_weight != LIMIT_UNSET)
		put_value(limits->cpu_weight,
			  add(writes, count, "cpu.weight", "cpu", FIELD_CPU_WEIGHT)->text,
			  LIMIT_TEXT_MAX);
}

static void add_memory(const struct limits *limits, uint64_t page_size, struct limit_write *writes,
		       size_t *count)
{
	const struct {
		const char *file;
		enum spec_field field;
		uint64_t value;
	} rows[] = {
		{ "memory.max", FIELD_MEMORY, limits->memory_max },
		{ "memory.swap.max", FIELD_MEMORY_SWAP, limits->memory_swap_max },
		{ "memory.high", FIELD_MEMORY_HIGH, limits->memory_high },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint64_t value = rows[i].value;

		if (value == LIMIT_UNSET)
			continue;
		if (value != LIMIT_MAX)
			value -= value % page_size;
		put_value(value, add(writes, count, rows[i].file, "memory", rows[i].field)->text,
			  LIMIT_TEXT_MAX);
	}
}

/* "8:0 rbps=1048576 wiops=200": only the keys that are set. */
static void put_io(const struct disk *disk, struct io_limit *io, char *text, size_t size)
{
	size_t used = (size_t)snprintf(text, size, "%u:%u", disk->major, disk->minor);

	for (size_t key = 0; key < ARRAY_SIZE(io_keys); key++) {
		char value[24];

		if (*io_value(io, key) == LIMIT_UNSET)
			continue;
		put_value(*io_value(io, key), value, sizeof(value));
		used += (size_t)snprintf(text + used, size - used, " %s=%s", io_keys[key].name,
					 value);
	}
}

static bool same_disk(const struct disk *a, const struct disk *b)
{
	return a->major == b->major && a->minor == b->minor;
}

/* The tighter of each value over all limits on disks[first]. LIMIT_UNSET and LIMIT_MAX are above
 * every real limit, so that the smaller number is the tighter one. */
static struct io_limit merge_io(const struct limits *limits, const struct disk *disks, size_t first)
{
	struct io_limit merged = limits->io[first];

	for (size_t i = first + 1; i < limits->io_count; i++) {
		struct io_limit other = limits->io[i];

		if (!same_disk(&disks[i], &disks[first]))
			continue;
		for (size_t key = 0; key < ARRAY_SIZE(io_keys); key++)
			if (*io_value(&other, key) < *io_value(&merged, key))
				*io_value(&merged, key) = *io_value(&other, key);
	}
	return merged;
}

static void add_io(const struct limits *limits, const struct disk *disks,
		   struct limit_write *writes, size_t *count)
{
	for (size_t i = 0; i < limits->io_count; i++) {
		struct io_limit merged;
		size_t earlier = 0;

		while (!same_disk(&disks[earlier], &disks[i]))
			earlier++;
		if (earlier < i)
			continue; /* merged into that one's line */
		merged = merge_io(limits, disks, i);
		put_io(&disks[i], &merged, add(writes, count, io_max, "io", FIELD_IO)->text,
		       LIMIT_TEXT_MAX);
	}
}

size_t limits_writes(const struct limits *limits, const struct disk *disks, uint64_t page_size,
		     struct limit_write writes[static LIMIT_WRITES_MAX])
{
	size_t count = 0;

	add_cpu(limits, writes, &count);
	add_memory(limits, page_size, writes, &count);
	if (limits->pids_max != LIMIT_UNSET)
		put_value(limits->pids_max,
			  add(writes, &count, "pids.max", "pids", FIELD_PIDS)->text,
			  LIMIT_TEXT_MAX);
	add_io(limits, disks, writes, &count);
	return count;
}

/* --- what is read back ------------------------------------------------------------------------ */

/* The length of a line without its end. */
static size_t line_length(const char *line)
{
	return strcspn(line, "\n");
}

/* The whole file is this one line. */
static bool is_only_line(const char *file, const char *line)
{
	size_t length = strlen(line);

	return strncmp(file, line, length) == 0 &&
	       (file[length] == '\0' || strcmp(file + length, "\n") == 0);
}

/* The text of KEY=TEXT in a line of words parted by blanks; NULL if the key is not there. */
static const char *find_key(const char *line, const char *key, size_t *ret_length)
{
	size_t key_length = strlen(key);
	const char *end = line + line_length(line);

	while (line < end) {
		size_t word = strcspn(line, " \n");

		if (word > key_length && strncmp(line, key, key_length) == 0 &&
		    line[key_length] == '=') {
			*ret_length = word - key_length - 1;
			return line + key_length + 1;
		}
		line += word + (line[word] == ' ');
	}
	return NULL;
}

/* The line of the disk that `wanted` begins with; "" if there is none, which means all max. */
static const char *find_disk_line(const char *file, const char *wanted)
{
	size_t length = strcspn(wanted, " ") + 1; /* with the blank: 8:1 is not 8:16 */

	while (*file != '\0') {
		if (strncmp(file, wanted, length) == 0)
			return file;
		file += line_length(file);
		file += *file == '\n';
	}
	return "";
}

/* Each key must hold what was asked for, and what was not asked for must be max. */
static bool io_matches(const char *wanted, const char *file)
{
	const char *line = find_disk_line(file, wanted);

	for (size_t key = 0; key < ARRAY_SIZE(io_keys); key++) {
		size_t wanted_length = strlen("max"), held_length = strlen("max");
		const char *wanted_text = find_key(wanted, io_keys[key].name, &wanted_length);
		const char *held_text = find_key(line, io_keys[key].name, &held_length);

		if (wanted_length != held_length ||
		    strncmp(wanted_text != NULL ? wanted_text : "max",
			    held_text != NULL ? held_text : "max", wanted_length) != 0)
			return false;
	}
	return true;
}

bool limits_read_back_matches(const struct limit_write *write, const char *read_back)
{
	if (strcmp(write->file, io_max) == 0)
		return io_matches(write->text, read_back);
	return is_only_line(read_back, write->text);
}

/* --- differences ------------------------------------------------------------------------------ */

static bool same_io(const struct limits *a, const struct limits *b)
{
	if (a->io_count != b->io_count)
		return false;
	for (size_t i = 0; i < a->io_count; i++) {
		struct io_limit x = a->io[i], y = b->io[i];

		if (strcmp(x.path, y.path) != 0)
			return false;
		for (size_t key = 0; key < ARRAY_SIZE(io_keys); key++)
			if (*io_value(&x, key) != *io_value(&y, key))
				return false;
	}
	return true;
}

void limits_leave_open(struct limits *limits)
{
	uint64_t *const each[] = { &limits->cpu_max, &limits->memory_max, &limits->memory_high,
				   &limits->memory_swap_max, &limits->pids_max };

	for (size_t i = 0; i < ARRAY_SIZE(each); i++)
		if (*each[i] == LIMIT_MAX)
			*each[i] = LIMIT_UNSET;
}

bool limits_equal(const struct limits *a, const struct limits *b)
{
	return a->memory_max == b->memory_max && a->memory_high == b->memory_high &&
	       a->memory_swap_max == b->memory_swap_max && a->cpu_max == b->cpu_max &&
	       a->cpu_weight == b->cpu_weight && a->pids_max == b->pids_max &&
	       a->nofile == b->nofile && a->tmp_size == b->tmp_size && same_io(a, b);
}

/* LIMIT_UNSET and LIMIT_MAX are above every real limit. */
static bool is_lower(uint64_t now, uint64_t before)
{
	return now < LIMIT_UNSET && now < before;
}

bool limits_lower_memory(const struct limits *now, const struct limits *before)
{
	return is_lower(now->memory_max, before->memory_max) ||
	       is_lower(now->memory_high, before->memory_high);
}

static bool is_among(const struct disk *disk, const struct disk *disks, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (same_disk(disk, &disks[i]))
			return true;
	return false;
}

size_t limits_other_disks(const char *io_max_text, const struct disk *disks, size_t count,
			  struct disk others[static LIMIT_OTHER_DISKS_MAX])
{
	size_t found = 0;

	while (*io_max_text != '\0' && found < LIMIT_OTHER_DISKS_MAX) {
		struct disk disk;

		if (sscanf(io_max_text, "%u:%u ", &disk.major, &disk.minor) == 2 &&
		    !is_among(&disk, disks, count))
			others[found++] = disk;
		io_max_text += line_length(io_max_text);
		io_max_text += *io_max_text == '\n';
	}
	return found;
}

void limits_lift_disk(const struct disk *disk, struct limit_write *ret)
{
	struct io_limit open = { NULL, LIMIT_MAX, LIMIT_MAX, LIMIT_MAX, LIMIT_MAX };
	size_t count = 0;

	put_io(disk, &open, add(ret, &count, io_max, "io", FIELD_IO)->text, LIMIT_TEXT_MAX);
}

/* ---------------------------------------------------------------------------------------------- */

unsigned limits_controllers(const struct limits *limits)
{
	unsigned controllers = 0;

	if (limits->cpu_max != LIMIT_UNSET || limits->cpu_weight != LIMIT_UNSET)
		controllers |= CONTROLLER_CPU;
	if (limits->io_count > 0)
		controllers |= CONTROLLER_IO;
	if (limits->memory_max != LIMIT_UNSET || limits->memory_high != LIMIT_UNSET ||
	    limits->memory_swap_max != LIMIT_UNSET)
		controllers |= CONTROLLER_MEMORY;
	if (limits->pids_max != LIMIT_UNSET)
		controllers |= CONTROLLER_PIDS;
	return controllers;
}
