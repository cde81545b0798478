/* SPDX-License-Identifier: MIT */
#include "policy/python_layout.h"

#include "policy/own.h"

#include <stdio.h>
#include <string.h>

#define MINOR_FIRST 9
#define MINOR_TELLS 13
#define MINOR_LAST  14

/* Structures are some kilobytes; _PyRuntime is half a megabyte. */
#define STRUCTURE_MAX 65536
#define RUNTIME_MAX   (4 << 20)
#define NO_OFFSET     UINT32_MAX

/* Behind two mutexes and two condition variables of libc's, which are larger there. */
#if defined(__aarch64__)
#define BEHIND_LOCKS 16
#else
#define BEHIND_LOCKS 0
#endif

static unsigned minor_of(uint32_t version)
{
	return version >> 16 & 0xff;
}

void python_version_text(uint32_t version, char text[static PYTHON_VERSION_TEXT_MAX])
{
	snprintf(text, PYTHON_VERSION_TEXT_MAX, "%u.%u", (unsigned)(version >> 24),
		 minor_of(version));
}

bool python_version_tells(uint32_t version)
{
	return version >> 24 == 3 && minor_of(version) >= MINOR_TELLS;
}

int python_version_check(uint32_t version, struct error *err)
{
	char text[PYTHON_VERSION_TEXT_MAX];

	python_version_text(version, text);
	if (version >> 24 != 3 || minor_of(version) < MINOR_FIRST || minor_of(version) > MINOR_LAST)
		return error_set(err, ERROR_UNSUPPORTED, 0,
				 "unsupported: CPython %s (stacks are read of 3.%u to 3.%u)", text,
				 MINOR_FIRST, MINOR_LAST);
	if ((version >> 4 & 0xf) != 0xf)
		return error_set(err, ERROR_UNSUPPORTED, 0,
				 "unsupported: a pre-release of CPython %s", text);
	return 0;
}

/* --- 3.9 to 3.12: as the headers of each release have them, on x86-64 ----------------------- */

static const struct python_layout rows[] = {
	[0] = { .lines = PYTHON_LINES_LNOTAB,
		.position = PYTHON_POSITION_BYTES,
		.runtime_interpreters = 32,
		.runtime_thread = 568 + BEHIND_LOCKS,
		.interpreter_next = 0,
		.interpreter_threads = 8,
		.thread_next = 8,
		.thread_interpreter = 16,
		.thread_id = 176,
		.thread_frame = 24,
		.frame_previous = 24,
		.frame_code = 32,
		.frame_position = 104,
		.code_file = 104,
		.code_name = 112,
		.code_lines = 120,
		.code_first_line = 40,
		.string_ascii = 48,
		.string_compact = 72 },
	[1] = { .lines = PYTHON_LINES_RANGES,
		.position = PYTHON_POSITION_UNITS,
		.runtime_interpreters = 32,
		.runtime_thread = 568 + BEHIND_LOCKS,
		.interpreter_next = 0,
		.interpreter_threads = 8,
		.thread_next = 8,
		.thread_interpreter = 16,
		.thread_id = 176,
		.thread_frame = 24,
		.frame_previous = 24,
		.frame_code = 32,
		.frame_position = 96,
		.code_file = 104,
		.code_name = 112,
		.code_lines = 120,
		.code_first_line = 40,
		.string_ascii = 48,
		.string_compact = 72 },
	[2] = { .lines = PYTHON_LINES_LOCATIONS,
		.position = PYTHON_POSITION_POINTER,
		.runtime_interpreters = 40,
		.runtime_thread = 576 + BEHIND_LOCKS,
		.interpreter_next = 0,
		.interpreter_threads = 16,
		.thread_next = 8,
		.thread_interpreter = 16,
		.thread_id = 152,
		.thread_native = 160,
		.thread_frame = 56,
		.thread_has_cframe = true,
		.cframe_frame = 8,
		.frame_previous = 48,
		.frame_code = 32,
		.frame_position = 56,
		.code_file = 112,
		.code_name = 120,
		.code_lines = 136,
		.code_first_line = 72,
		.code_bytes = 184,
		.string_ascii = 48,
		.string_compact = 72 },
	[3] = { .lines = PYTHON_LINES_LOCATIONS,
		.position = PYTHON_POSITION_POINTER,
		.runtime_interpreters = 40,
		.interpreter_next = 0,
		.interpreter_threads = 72,
		.interpreter_gil = 384,
		.gil_holder = 8,
		.gil_locked = 16,
		.thread_next = 8,
		.thread_interpreter = 16,
		.thread_id = 136,
		.thread_native = 144,
		.thread_frame = 56,
		.thread_has_cframe = true,
		.cframe_frame = 0,
		.frame_previous = 8,
		.frame_code = 0,
		.frame_position = 56,
		.frame_owner = 70,
		.frame_owner_skip = 3, /* FRAME_OWNED_BY_CSTACK */
		.code_file = 112,
		.code_name = 120,
		.code_lines = 136,
		.code_first_line = 68,
		.code_bytes = 192,
		.string_ascii = 40,
		.string_compact = 56 },
};

int python_layout_find(uint32_t version, struct python_layout *ret, struct error *err)
{
	int r = python_version_check(version, err);

	if (r < 0)
		return r;
	if (minor_of(version) >= MINOR_TELLS)
		return error_set(err, ERROR_UNSUPPORTED, 0,
				 "unsupported: this CPython does not tell its offsets");
	*ret = rows[minor_of(version) - MINOR_FIRST];
	return 0;
}

/* --- 3.13 and newer -------------------------------------------------------------------------- */

enum {
	NUMBER_COOKIE,
	NUMBER_VERSION,
	NUMBER_FREE_THREADED,
};

/* Which of the numbers is what. */
struct told {
	uint8_t runtime_interpreters;
	uint8_t interpreter_next, interpreter_threads, interpreter_gil;
	uint8_t interpreter_lock, interpreter_locked,
		interpreter_holder; /* _gil, _gil.locked ... */
	uint8_t thread_next, thread_interpreter, thread_frame, thread_id, thread_native;
	uint8_t frame_previous, frame_code, frame_position, frame_owner;
	uint8_t code_file, code_name, code_lines, code_first_line, code_bytes;
	uint8_t object_type, type_name, bytes_size, bytes_data;
	uint8_t string_state, string_length, string_ascii;
};

static const struct told told_3_13 = {
	.runtime_interpreters = 5,
	.interpreter_next = 8,
	.interpreter_threads = 9,
	.interpreter_gil = 14,
	.interpreter_lock = 15,
	.interpreter_locked = 17,
	.interpreter_holder = 18,
	.thread_next = 21,
	.thread_interpreter = 22,
	.thread_frame = 23,
	.thread_id = 24,
	.thread_native = 25,
	.frame_previous = 29,
	.frame_code = 30,
	.frame_position = 31,
	.frame_owner = 33,
	.code_file = 35,
	.code_name = 36,
	.code_lines = 38,
	.code_first_line = 39,
	.code_bytes = 43,
	.object_type = 45,
	.type_name = 47,
	.bytes_size = 65,
	.bytes_data = 66,
	.string_state = 68,
	.string_length = 69,
	.string_ascii = 70,
};

/* threads_main, two generations, stackpointer, tlbc_index, co_tlbc and the set are new. */
static const struct told told_3_14 = {
	.runtime_interpreters = 5,
	.interpreter_next = 8,
	.interpreter_threads = 9,
	.interpreter_gil = 15,
	.interpreter_lock = 16,
	.interpreter_locked = 18,
	.interpreter_holder = 19,
	.thread_next = 24,
	.thread_interpreter = 25,
	.thread_frame = 26,
	.thread_id = 27,
	.thread_native = 28,
	.frame_previous = 32,
	.frame_code = 33,
	.frame_position = 34,
	.frame_owner = 36,
	.code_file = 40,
	.code_name = 41,
	.code_lines = 43,
	.code_first_line = 44,
	.code_bytes = 48,
	.object_type = 51,
	.type_name = 53,
	.bytes_size = 75,
	.bytes_data = 76,
	.string_state = 78,
	.string_length = 79,
	.string_ascii = 80,
};

/* What is the same in all builds that we read; another value, and the order is not what we take it
 * for. */
static bool has_known_values(const uint64_t *numbers, const struct told *told)
{
	const struct {
		uint8_t index;
		uint64_t value;
	} known[] = {
		{ told->object_type, PYTHON_OBJECT_TYPE },
		{ told->type_name, PYTHON_TYPE_NAME },
		{ told->bytes_size, PYTHON_BYTES_SIZE },
		{ told->bytes_data, PYTHON_BYTES_DATA },
		{ told->string_state, PYTHON_STRING_STATE },
		{ told->string_length, PYTHON_STRING_LENGTH },
		{ told->string_ascii, 40 },
		{ told->thread_next, 8 },
		{ told->thread_interpreter, 16 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (numbers[known[i].index] != known[i].value)
			return false;
	return true;
}

/* The offset of a field of so many bytes; NO_OFFSET if it can't be one. */
static uint32_t offset_of(const uint64_t *numbers, uint8_t index, uint64_t alignment, uint64_t max)
{
	uint64_t value = numbers[index];

	return value <= max && value % alignment == 0 ? (uint32_t)value : NO_OFFSET;
}

static uint32_t pointer_of(const uint64_t *numbers, uint8_t index)
{
	return offset_of(numbers, index, 8, STRUCTURE_MAX);
}

/* Within the interpreter's own lock, of which the numbers are offsets in the interpreter. */
static uint32_t lock_offset_of(const uint64_t *numbers, const struct told *told, uint8_t index,
			       uint64_t alignment)
{
	uint32_t lock = pointer_of(numbers, told->interpreter_lock);
	uint32_t field = offset_of(numbers, index, alignment, STRUCTURE_MAX);

	return lock != NO_OFFSET && field != NO_OFFSET && field >= lock ? field - lock : NO_OFFSET;
}

static void take_offsets(const uint64_t *numbers, const struct told *told,
			 struct python_layout *ret)
{
	*ret = (struct python_layout){
		.lines = PYTHON_LINES_LOCATIONS,
		.position = PYTHON_POSITION_POINTER,
		.runtime_interpreters =
			offset_of(numbers, told->runtime_interpreters, 8, RUNTIME_MAX),
		.interpreter_next = pointer_of(numbers, told->interpreter_next),
		.interpreter_threads = pointer_of(numbers, told->interpreter_threads),
		.interpreter_gil = pointer_of(numbers, told->interpreter_gil),
		.gil_holder = lock_offset_of(numbers, told, told->interpreter_holder, 8),
		.gil_locked = lock_offset_of(numbers, told, told->interpreter_locked, 4),
		.thread_next = pointer_of(numbers, told->thread_next),
		.thread_interpreter = pointer_of(numbers, told->thread_interpreter),
		.thread_id = pointer_of(numbers, told->thread_id),
		.thread_native = pointer_of(numbers, told->thread_native),
		.thread_frame = pointer_of(numbers, told->thread_frame),
		.frame_previous = pointer_of(numbers, told->frame_previous),
		.frame_code = pointer_of(numbers, told->frame_code),
		.frame_position = pointer_of(numbers, told->frame_position),
		.frame_owner = offset_of(numbers, told->frame_owner, 1, STRUCTURE_MAX),
		.frame_owner_skip = 3, /* FRAME_OWNED_BY_CSTACK, _INTERPRETER */
		.code_file = pointer_of(numbers, told->code_file),
		.code_name = pointer_of(numbers, told->code_name),
		.code_lines = pointer_of(numbers, told->code_lines),
		.code_first_line = offset_of(numbers, told->code_first_line, 4, STRUCTURE_MAX),
		.code_bytes = pointer_of(numbers, told->code_bytes),
		.string_ascii = 40,
		.string_compact = 56,
	};
}

static bool is_sane(const struct python_layout *layout)
{
	const uint32_t offsets[] = {
		layout->runtime_interpreters,
		layout->interpreter_next,
		layout->interpreter_threads,
		layout->interpreter_gil,
		layout->thread_next,
		layout->thread_interpreter,
		layout->thread_id,
		layout->thread_native,
		layout->thread_frame,
		layout->frame_previous,
		layout->frame_code,
		layout->frame_position,
		layout->frame_owner,
		layout->code_file,
		layout->code_name,
		layout->code_lines,
		layout->gil_holder,
		layout->gil_locked,
		layout->code_first_line,
		layout->code_bytes,
	};

	for (size_t i = 0; i < ARRAY_SIZE(offsets); i++)
		if (offsets[i] == NO_OFFSET)
			return false;
	return layout->frame_previous != layout->frame_code &&
	       layout->frame_position != layout->frame_code && layout->frame_owner != 0 &&
	       layout->code_name != layout->code_file && layout->code_bytes > layout->code_lines &&
	       layout->thread_frame != layout->thread_next;
}

int python_layout_read(const uint64_t numbers[static PYTHON_DEBUG_OFFSETS], uint32_t *ret_version,
		       struct python_layout *ret, struct error *err)
{
	struct python_layout layout;
	char text[PYTHON_VERSION_TEXT_MAX];
	const struct told *told;
	uint32_t version;
	int r;

	if (memcmp(&numbers[NUMBER_COOKIE], PYTHON_DEBUG_COOKIE, sizeof(numbers[0])) != 0)
		return error_set(err, ERROR_UNSUPPORTED, 0,
				 "unsupported: no table of offsets where CPython has one");
	version = numbers[NUMBER_VERSION] <= UINT32_MAX ? (uint32_t)numbers[NUMBER_VERSION] : 0;
	r = python_version_check(version, err);
	if (r < 0)
		return r;
	python_version_text(version, text);
	if (numbers[NUMBER_FREE_THREADED] != 0)
		return error_set(err, ERROR_UNSUPPORTED, 0,
				 "unsupported: a free-threaded build of CPython %s", text);
	told = minor_of(version) == MINOR_TELLS ? &told_3_13 : &told_3_14;
	if (minor_of(version) < MINOR_TELLS || !has_known_values(numbers, told))
		return error_set(err, ERROR_UNSUPPORTED, 0,
				 "unsupported: a build of CPython %s with offsets of its own",
				 text);
	take_offsets(numbers, told, &layout);
	if (minor_of(version) >= 14) /* code pointers are tagged since 3.14 */
		layout.frame_code_tag = 7;
	if (!is_sane(&layout))
		return error_set(err, ERROR_UNSUPPORTED, 0,
				 "unsupported: CPython %s with offsets that can't be", text);
	*ret_version = version;
	*ret = layout;
	return 0;
}
