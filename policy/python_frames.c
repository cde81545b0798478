/* SPDX-License-Identifier: MIT */
#include "policy/python_frames.h"

#include "policy/own.h"
#include "policy/python_lines.h"

#include <string.h>

#define CODES	   512				   /* code objects that are kept */
#define STEPS_MAX  ((size_t)2 * PYTHON_FRAMES_MAX) /* with the interpreter's own frames */
#define FRAME_ROOM 48				   /* names of the keys, a number, punctuation */

/* A code object, as far as frames need it. */
struct code {
	uint64_t address; /* 0: the slot is empty */
	json_t *function, *file;
	uint64_t table; /* of its lines: where, */
	size_t table_size;
	int32_t first_line;
	bool has_line; /* of the last frame: a recursion has many that are alike */
	int32_t line;
	int64_t position;
	size_t room; /* bytes that a frame of it takes, as text */
};

struct python_frames {
	struct python_reader *reader;
	struct code codes[CODES];
	unsigned char table[PYTHON_LINES_MAX];
};

struct python_frames *python_frames_new(struct python_reader *reader)
{
	struct python_frames *frames = malloc(sizeof(*frames));

	if (frames == NULL)
		return NULL;
	frames->reader = reader;
	memset(frames->codes, 0, sizeof(frames->codes));
	return frames;
}

static void forget(struct code *code)
{
	json_decref(code->function);
	json_decref(code->file);
	*code = (struct code){ 0 };
}

void python_frames_free(struct python_frames *frames)
{
	if (frames == NULL)
		return;
	for (size_t i = 0; i < CODES; i++)
		forget(&frames->codes[i]);
	free(frames);
}

/* --- code ----------------------------------------------------------------------------------- */

static json_t *read_string(struct python_reader *reader, uint64_t field, size_t max, bool tail)
{
	char text[PYTHON_TEXT_SIZE];
	uint64_t address;

	if (!foreign_u64(reader->memory, field, &address) ||
	    !python_text(reader, address, max, tail, text, sizeof(text)))
		return NULL;
	return json_string(text);
}

/* A table that is too long, or none, leaves the frame without a line. */
static void find_table(struct python_reader *reader, struct code *code)
{
	uint64_t object, size;

	if (!foreign_u64(reader->memory, code->address + reader->layout.code_lines, &object) ||
	    !python_is(reader, object, PYTHON_BYTES) ||
	    !foreign_u64(reader->memory, object + PYTHON_BYTES_SIZE, &size) ||
	    size > PYTHON_LINES_MAX)
		return;
	code->table = object + PYTHON_BYTES_DATA;
	code->table_size = (size_t)size;
}

/* As jansson writes it, at the most. */
static size_t room_of(const json_t *string)
{
	const char *text = json_string_value(string);
	size_t room = 0;

	for (; *text != '\0'; text++)
		room += (unsigned char)*text < ' ' || *text == '"' || *text == '\\' ? 6 : 1;
	return room;
}

static bool read_code(struct python_reader *reader, uint64_t address, struct code *ret)
{
	const struct python_layout *layout = &reader->layout;
	struct code code = { .address = address };
	uint32_t first_line;

	if (!python_is(reader, address, PYTHON_CODE) ||
	    !foreign_u32(reader->memory, address + layout->code_first_line, &first_line))
		return false;
	code.first_line = (int32_t)first_line;
	code.function = read_string(reader, address + layout->code_name, PYTHON_NAME_MAX, false);
	if (code.function != NULL)
		code.file = read_string(reader, address + layout->code_file, PYTHON_PATH_MAX, true);
	if (code.file == NULL) {
		forget(&code);
		return false;
	}
	code.room = FRAME_ROOM + room_of(code.function) + room_of(code.file);
	find_table(reader, &code);
	*ret = code;
	return true;
}

static struct code *find_code(struct python_frames *frames, uint64_t address)
{
	struct code *code = &frames->codes[address / 16 % CODES];

	if (code->address == address)
		return code;
	forget(code);
	return read_code(frames->reader, address, code) ? code : NULL;
}

/* --- frames --------------------------------------------------------------------------------- */

struct frame {
	uint64_t previous;
	uint64_t code;
	int64_t position; /* in bytes of the code */
	bool is_python;	  /* else the interpreter's own, between two that are */
};

static bool read_position(struct python_reader *reader, uint64_t address, struct frame *frame)
{
	const struct python_layout *layout = &reader->layout;
	uint64_t pointer;
	uint32_t number;

	if (layout->position == PYTHON_POSITION_POINTER) {
		if (!foreign_u64(reader->memory, address + layout->frame_position, &pointer))
			return false;
		frame->position = (int64_t)(pointer - (frame->code + layout->code_bytes));
		return true;
	}
	if (!foreign_u32(reader->memory, address + layout->frame_position, &number))
		return false;
	frame->position = (int32_t)number;
	if (layout->position == PYTHON_POSITION_UNITS)
		frame->position *= 2;
	return true;
}

static bool read_frame(struct python_reader *reader, uint64_t address, struct frame *ret)
{
	const struct python_layout *layout = &reader->layout;
	uint8_t owner;

	if (address % sizeof(uint64_t) != 0 ||
	    !foreign_u64(reader->memory, address + layout->frame_previous, &ret->previous) ||
	    !foreign_u64(reader->memory, address + layout->frame_code, &ret->code))
		return false;
	ret->code &= ~(uint64_t)layout->frame_code_tag;
	ret->is_python = true;
	if (layout->frame_owner != 0) {
		if (!foreign_read(reader->memory, address + layout->frame_owner, &owner, 1))
			return false;
		ret->is_python = owner < layout->frame_owner_skip;
	}
	return !ret->is_python || read_position(reader, address, ret);
}

static int32_t find_line(struct python_frames *frames, struct code *code, int64_t position)
{
	if (code->has_line && code->position == position)
		return code->line;
	if (position >= 0 &&
	    !foreign_read(frames->reader->memory, code->table, frames->table, code->table_size))
		return PYTHON_NO_LINE;
	code->has_line = true;
	code->position = position;
	code->line = python_line_at(frames->reader->layout.lines, frames->table, code->table_size,
				    code->first_line, position);
	return code->line;
}

/* False: it can't be read, or there is no room for it. */
static bool add_frame(struct python_frames *frames, const struct frame *frame, size_t *room,
		      json_t *array)
{
	struct code *code = find_code(frames, frame->code);
	json_t *object;
	int32_t line;

	if (code == NULL || code->room > *room)
		return false;
	*room -= code->room;
	object = json_object();
	line = find_line(frames, code, frame->position);
	(void)json_object_set(object, "function", code->function);
	(void)json_object_set(object, "file", code->file);
	if (line > 0)
		(void)json_object_set_new(object, "line", json_integer(line));
	return json_array_append_new(array, object) == 0;
}

bool python_frames_add(struct python_frames *frames, uint64_t address, size_t *room, json_t *array)
{
	uint64_t mark = 0; /* a frame that was met: each one at twice the distance */
	size_t next_mark = 1;
	size_t added = 0;

	for (size_t steps = 1; address != 0; steps++) {
		struct frame frame;

		if (added == PYTHON_FRAMES_MAX || steps > STEPS_MAX || address == mark ||
		    !read_frame(frames->reader, address, &frame))
			return false;
		if (frame.is_python) {
			if (!add_frame(frames, &frame, room, array))
				return false;
			added++;
		}
		if (steps == next_mark) {
			mark = address;
			next_mark *= 2;
		}
		address = frame.previous;
	}
	return true;
}
