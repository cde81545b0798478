/* SPDX-License-Identifier: MIT */
/* What a running app uses, read from its cgroup's files. */
#include "policy/keyed.h"
#include "policy/own.h"
#include "supervisor/file.h"
#include "supervisor/methods.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool read_file(int dir, const char *name, char *text, size_t size)
{
	struct error ignored;

	return file_read_at(dir, name, text, size, &ignored) >= 0;
}

/* A number, the word "max" as a string, or null where the kernel has no such file. */
static json_t *number_of(int dir, const char *name)
{
	char text[64];

	if (!read_file(dir, name, text, sizeof(text)))
		return json_null();
	return strncmp(text, "max", 3) == 0 ? json_string("max")
					    : json_integer((json_int_t)strtoull(text, NULL, 10));
}

static void add_keys(json_t *object, int dir, const char *file, const char *const keys[],
		     size_t count)
{
	char text[FILE_KERNEL_MAX];

	if (!read_file(dir, file, text, sizeof(text)))
		return;
	for (size_t i = 0; i < count; i++) {
		uint64_t value = 0;
		const struct keyed_field field = { keys[i], &value };

		if (keyed_read(text, &field, 1) > 0)
			(void)json_object_set_new(object, keys[i], json_integer((json_int_t)value));
	}
}

static json_t *pack_memory(int dir)
{
	static const char *const keys[] = { "anon", "file", "shmem", "kernel", "sock" };
	json_t *memory = json_object();

	(void)json_object_set_new(memory, "current", number_of(dir, "memory.current"));
	(void)json_object_set_new(memory, "peak", number_of(dir, "memory.peak"));
	(void)json_object_set_new(memory, "max", number_of(dir, "memory.max"));
	(void)json_object_set_new(memory, "swap", number_of(dir, "memory.swap.current"));
	add_keys(memory, dir, "memory.stat", keys, ARRAY_SIZE(keys));
	return memory;
}

static json_t *pack_cpu(int dir)
{
	static const char *const keys[] = { "usage_usec", "user_usec", "system_usec",
					    "nr_throttled", "throttled_usec" };
	json_t *cpu = json_object();

	add_keys(cpu, dir, "cpu.stat", keys, ARRAY_SIZE(keys));
	return cpu;
}

/* "8:0 rbytes=1 wbytes=2 rios=3 ..." a line; names of disks, numbers as they are. */
static json_t *pack_io(int dir)
{
	char text[FILE_KERNEL_MAX], *rest = text, *line;
	json_t *array = json_array();

	if (!read_file(dir, "io.stat", text, sizeof(text)))
		return array;
	while ((line = strsep(&rest, "\n")) != NULL && line[0] != '\0') {
		char *word = strsep(&line, " ");
		json_t *disk = json_pack("{s:s}", "disk", word);

		while ((word = strsep(&line, " ")) != NULL) {
			char *equals = strchr(word, '=');

			if (equals == NULL)
				continue;
			*equals = '\0';
			(void)json_object_set_new(
				disk, word,
				json_integer((json_int_t)strtoull(equals + 1, NULL, 10)));
		}
		(void)json_array_append_new(array, disk);
	}
	return array;
}

static json_t *pack_pressure(int dir, const char *file)
{
	struct pressure pressure;
	struct error ignored;
	char text[1024];

	if (!read_file(dir, file, text, sizeof(text)) ||
	    keyed_pressure(text, &pressure, &ignored) < 0)
		return json_null();
	return json_pack("{s:f, s:f}", "some_avg10", pressure.some_avg10 / 100.0, "full_avg10",
			 pressure.full_avg10 / 100.0);
}

json_t *methods_app_stats(const struct app *app)
{
	_cleanup_close_ int dir = -1;
	struct error ignored;

	if (cgroup_open(app->host->instance.root_fd, app->path, &dir, &ignored) < 0)
		return json_object();
	return json_pack("{s:o, s:o, s:{s:o, s:o}, s:o, s:{s:o, s:o, s:o}}", "memory",
			 pack_memory(dir), "cpu", pack_cpu(dir), "pids", "current",
			 number_of(dir, "pids.current"), "max", number_of(dir, "pids.max"), "io",
			 pack_io(dir), "pressure", "memory", pack_pressure(dir, "memory.pressure"),
			 "cpu", pack_pressure(dir, "cpu.pressure"), "io",
			 pack_pressure(dir, "io.pressure"));
}
