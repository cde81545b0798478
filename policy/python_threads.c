/* SPDX-License-Identifier: MIT */
#include "policy/python_threads.h"

#include "policy/own.h"

#include <errno.h>
#include <string.h>

/* What walks along the lists. */
struct walk {
	struct python_reader reader;
	struct python_frames *frames;
	uint64_t runtime;
	size_t *room;
	struct python_threads *threads;
};

void python_threads_clear(struct python_threads *threads)
{
	for (size_t i = 0; i < threads->count; i++)
		json_decref(threads->items[i].frames);
	free(threads->items);
	*threads = (struct python_threads){ 0 };
}

/* --- the layout ----------------------------------------------------------------------------- */

static int find_layout(struct foreign *memory, uint64_t runtime, uint32_t *version,
		       struct python_layout *ret, struct error *err)
{
	uint64_t numbers[PYTHON_DEBUG_OFFSETS];
	int r = *version != 0 ? python_version_check(*version, err) : 0;

	if (r < 0)
		return r;
	if (*version != 0 && !python_version_tells(*version))
		return python_layout_find(*version, ret, err);
	if (!foreign_read(memory, runtime, numbers, sizeof(numbers)))
		return error_set(err, ERROR_SYSTEM, EIO, "its memory can't be read");
	if (*version == 0 && memcmp(numbers, PYTHON_DEBUG_COOKIE, strlen(PYTHON_DEBUG_COOKIE)) != 0)
		return error_set(err, ERROR_UNSUPPORTED, 0,
				 "unsupported: a CPython whose version can't be found out");
	return python_layout_read(numbers, version, ret, err);
}

/* --- the lists ------------------------------------------------------------------------------ */

/* Newest first, as CPython keeps them; the count is negative on failure. Stops where the list comes
 * back to itself: the bound on the length is what ends it. */
static int collect(struct foreign *memory, uint64_t head, uint32_t next, uint64_t *items,
		   size_t max, bool *ret_truncated)
{
	size_t count = 0;

	for (uint64_t at = head; at != 0; count++) {
		if (count == max || at % sizeof(uint64_t) != 0 || (count > 0 && at == items[0])) {
			*ret_truncated = true;
			break;
		}
		items[count] = at;
		if (!foreign_u64(memory, at + next, &at)) {
			*ret_truncated = true;
			break; /* this one can't be read either */
		}
	}
	return (int)count;
}

/* The thread state that holds the interpreter's lock; 0: none. */
static uint64_t find_running(struct walk *walk, uint64_t interpreter)
{
	const struct python_layout *layout = &walk->reader.layout;
	struct foreign *memory = walk->reader.memory;
	uint64_t lock, holder = 0;
	uint32_t locked;

	if (layout->runtime_thread != 0)
		return foreign_u64(memory, walk->runtime + layout->runtime_thread, &holder) ? holder
											    : 0;
	if (!foreign_u64(memory, interpreter + layout->interpreter_gil, &lock) || lock == 0 ||
	    !foreign_u32(memory, lock + layout->gil_locked, &locked) || locked != 1 ||
	    !foreign_u64(memory, lock + layout->gil_holder, &holder))
		return 0;
	return holder;
}

static bool find_frame(struct walk *walk, uint64_t state, uint64_t *ret)
{
	const struct python_layout *layout = &walk->reader.layout;
	uint64_t at;

	if (!foreign_u64(walk->reader.memory, state + layout->thread_frame, &at))
		return false;
	if (!layout->thread_has_cframe || at == 0) {
		*ret = at;
		return true;
	}
	return foreign_u64(walk->reader.memory, at + layout->cframe_frame, ret);
}

/* False: no memory for it. */
static bool read_thread(struct walk *walk, uint64_t state, uint64_t interpreter, unsigned index,
			uint64_t running)
{
	const struct python_layout *layout = &walk->reader.layout;
	struct foreign *memory = walk->reader.memory;
	struct python_thread thread = { .interpreter = index, .holds_lock = running == state };
	uint64_t owner, frame;

	if (!foreign_u64(memory, state + layout->thread_interpreter, &owner) ||
	    owner != interpreter || !foreign_u64(memory, state + layout->thread_id, &thread.id) ||
	    (layout->thread_native != 0 &&
	     !foreign_u64(memory, state + layout->thread_native, &thread.native))) {
		walk->threads->truncated = true; /* not a thread state, or no longer */
		return true;
	}
	thread.frames = json_array();
	if (thread.frames == NULL)
		return false;
	thread.truncated = !find_frame(walk, state, &frame) ||
			   !python_frames_add(walk->frames, frame, walk->room, thread.frames);
	walk->threads->items[walk->threads->count++] = thread;
	return true;
}

/* From its place behind `first` on, as if it had been read there. */
static void put_back(struct python_threads *threads, size_t first, size_t place)
{
	const struct python_thread thread = threads->items[first];

	memmove(&threads->items[first], &threads->items[first + 1],
		(place - first) * sizeof(thread));
	threads->items[place] = thread;
}

/* From the last one on: the first that was made. Whoever holds the lock tells most, so it is read
 * before all others: there may be no time for all threads of a process. */
static bool read_states(struct walk *walk, const uint64_t *states, int count, uint64_t interpreter,
			unsigned index, uint64_t running)
{
	const size_t first = walk->threads->count;
	size_t place = first;
	int holder = count - 1;

	while (holder >= 0 && states[holder] != running)
		holder--;
	if (holder >= 0 && !read_thread(walk, states[holder], interpreter, index, running))
		return false;
	for (int i = count - 1; i >= 0; i--) {
		if (i == holder)
			place = walk->threads->count;
		else if (!read_thread(walk, states[i], interpreter, index, running))
			return false;
	}
	if (holder >= 0 && place > first && walk->threads->items[first].holds_lock)
		put_back(walk->threads, first, place - 1);
	return true;
}

static bool read_interpreter(struct walk *walk, uint64_t interpreter, unsigned index)
{
	uint64_t states[PYTHON_THREADS_MAX];
	uint64_t head, running = find_running(walk, interpreter);
	size_t room = PYTHON_THREADS_MAX - walk->threads->count;
	int count;

	if (!foreign_u64(walk->reader.memory, interpreter + walk->reader.layout.interpreter_threads,
			 &head)) {
		walk->threads->truncated = true;
		return true;
	}
	count = collect(walk->reader.memory, head, walk->reader.layout.thread_next, states, room,
			&walk->threads->truncated);
	return read_states(walk, states, count, interpreter, index, running);
}

static int read_all(struct walk *walk, struct error *err)
{
	const struct python_layout *layout = &walk->reader.layout;
	uint64_t interpreters[PYTHON_INTERPRETERS_MAX];
	uint64_t head;
	int count;

	if (!foreign_u64(walk->reader.memory, walk->runtime + layout->runtime_interpreters, &head))
		return error_set(err, ERROR_SYSTEM, EIO, "its memory can't be read");
	count = collect(walk->reader.memory, head, layout->interpreter_next, interpreters,
			PYTHON_INTERPRETERS_MAX, &walk->threads->truncated);
	walk->threads->interpreters = (unsigned)count;
	for (unsigned i = 0; count-- > 0; i++)
		if (!read_interpreter(walk, interpreters[count], i))
			return error_no_memory(err);
	return 0;
}

int python_threads_read(struct foreign *memory, uint64_t runtime, uint32_t version, size_t *room,
			struct python_threads *ret, struct error *err)
{
	_cleanup_python_threads_ struct python_threads threads = { 0 };
	_cleanup_python_frames_ struct python_frames *frames = NULL;
	struct walk walk = { .reader = { .memory = memory },
			     .runtime = runtime,
			     .room = room,
			     .threads = &threads };
	int r = find_layout(memory, runtime, &version, &walk.reader.layout, err);

	if (r < 0) {
		ret->version = version;
		return r;
	}
	threads.version = version;
	threads.items = calloc(PYTHON_THREADS_MAX, sizeof(*threads.items));
	frames = python_frames_new(&walk.reader);
	if (threads.items == NULL || frames == NULL)
		return error_no_memory(err);
	walk.frames = frames;
	r = read_all(&walk, err);
	if (r < 0)
		return r;
	*ret = threads;
	threads = (struct python_threads){ 0 };
	return 0;
}
