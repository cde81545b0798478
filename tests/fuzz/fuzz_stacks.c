/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as the memory of a Python, in any of its versions: what comes out is bounded, is valid
 * JSON, and is lines of ours when it is shown. The first byte chooses the version (or a look for
 * symbols, or for lines); what follows is memory, at IMAGE_BASE and again behind its end, so that
 * any pointer leads somewhere.
 */
#include "policy/elf.h"
#include "policy/own.h"
#include "policy/python_lines.h"
#include "policy/python_threads.h"
#include "policy/stacks.h"
#include "tests/policy/python_image.h"

#include <limits.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ROOM	65536
#define RUNTIME (IMAGE_BASE + 0xf0) /* as in the seeds */

static struct image image;

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void check_line(const char *line)
{
	for (; *line != '\0'; line++)
		require((unsigned char)*line >= ' ' && (unsigned char)*line != 0x7f);
}

static void check_text(const json_t *result)
{
	char *text = NULL, *line, line_text[STACKS_LINE_MAX];
	size_t length = 0;
	FILE *out = open_memstream(&text, &length);

	require(out != NULL);
	stacks_text(result, 2, 100, out);
	fclose(out);
	require(strlen(text) == length);
	for (line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
		require(strncmp(line, "  ", 2) == 0);
		check_line(line);
	}
	free(text);
	if (stacks_line(result, 0, line_text, sizeof(line_text)) != NULL)
		check_line(line_text);
}

static void check_threads(struct python_threads *threads, size_t room)
{
	json_t *array = json_array(), *result;
	char *text;

	require(threads->count <= PYTHON_THREADS_MAX &&
		threads->interpreters <= PYTHON_INTERPRETERS_MAX);
	for (size_t i = 0; i < threads->count; i++) {
		json_t *frames = threads->items[i].frames;

		require(json_array_size(frames) <= PYTHON_FRAMES_MAX);
		json_array_append_new(array,
				      json_pack("{s:i, s:O, s:b}", "tid", (int)i + 1, "frames",
						frames, "truncated", threads->items[i].truncated));
	}
	text = json_dumps(array, JSON_COMPACT);
	require(text != NULL);
	require(strlen(text) <= ROOM - room + threads->count * 64 + 2);
	free(text);
	result = json_pack("{s:[{s:i, s:i, s:o}]}", "processes", "pid", 1, "interpreters", 1,
			   "threads", array);
	require(result != NULL);
	check_text(result);
	json_decref(result);
}

static void read_threads(uint32_t version)
{
	_cleanup_foreign_ struct foreign *memory = foreign_new(image_page, &image);
	_cleanup_python_threads_ struct python_threads threads = { 0 };
	size_t room = ROOM;
	struct error err;

	require(memory != NULL);
	if (python_threads_read(memory, RUNTIME, version, &room, &threads, &err) == 0)
		check_threads(&threads, room);
	else
		require(threads.count == 0 && err.text[0] != '\0');
}

static void find_symbols(void)
{
	_cleanup_foreign_ struct foreign *memory = foreign_new(image_page, &image);
	uint64_t address;

	require(memory != NULL);
	(void)elf_find_symbol(memory, IMAGE_BASE, "_PyRuntime", &address);
	(void)elf_find_section(memory, memory, IMAGE_BASE, ".PyRuntime", &address);
}

static void find_lines(const uint8_t *data, size_t size)
{
	/* a copy of exactly this size: the sanitizer sees a read beyond it */
	unsigned char *table = malloc(size > 0 ? size : 1);

	require(table != NULL);
	if (size > 0)
		memcpy(table, data, size);
	for (int position = -4; position < 64; position += 2)
		for (unsigned kind = 0; kind <= PYTHON_LINES_LOCATIONS; kind++)
			require(python_line_at((enum python_lines)kind, table, size, 1000,
					       position) >= PYTHON_NO_LINE);
	free(table);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint32_t versions[] = {
		PYTHON_VERSION(3, 9),
		PYTHON_VERSION(3, 10),
		PYTHON_VERSION(3, 11),
		PYTHON_VERSION(3, 12),
		PYTHON_VERSION(3, 13),
		PYTHON_VERSION(3, 14),
		0,
	};

	if (size < 1 || size - 1 > IMAGE_SIZE)
		return 0;
	memset(&image, 0, sizeof(image));
	memcpy(image.bytes, data + 1, size - 1);
	if (data[0] < ARRAY_SIZE(versions))
		read_threads(versions[data[0]]);
	else if (data[0] % 2 == 0)
		find_symbols();
	else
		find_lines(data + 1, size - 1);
	return 0;
}
