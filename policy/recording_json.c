/* SPDX-License-Identifier: MIT */
#include "policy/own.h"
#include "policy/recording.h"

#include <assert.h>
#include <string.h>

/* In the order of the sample's members. */
static const struct {
	const char *name;
	bool percent; /* x 100 in the sample */
} fields[] = {
	{ "time_msec", false },
	{ "cpu_usage_usec", false },
	{ "cpu_user_usec", false },
	{ "cpu_system_usec", false },
	{ "memory_current", false },
	{ "memory_anon", false },
	{ "memory_file", false },
	{ "memory_shmem", false },
	{ "memory_slab_reclaimable", false },
	{ "memory_slab_unreclaimable", false },
	{ "memory_kernel_stack", false },
	{ "memory_pagetables", false },
	{ "memory_sock", false },
	{ "memory_swap", false },
	{ "memory_major_faults", false },
	{ "memory_refaults", false },
	{ "memory_some_avg10", true },
	{ "memory_full_avg10", true },
	{ "memory_some_usec", false },
	{ "memory_full_usec", false },
	{ "cpu_some_avg10", true },
	{ "cpu_some_usec", false },
	{ "io_some_avg10", true },
	{ "io_full_avg10", true },
	{ "io_some_usec", false },
	{ "io_full_usec", false },
	{ "io_read_bytes", false },
	{ "io_write_bytes", false },
	{ "io_reads", false },
	{ "io_writes", false },
	{ "pids", false },
	{ "events_high", false },
	{ "events_max", false },
	{ "events_oom_kill", false },
	{ "cpu_periods", false },
	{ "cpu_throttled", false },
	{ "cpu_throttled_usec", false },
	{ "listen_queue", false },
	{ "listen_backlog", false },
	{ "starts", false },
};
static_assert(ARRAY_SIZE(fields) == RECORDING_FIELDS, "a name for each field");
static_assert(offsetof(struct recording_sample, memory_current) == 4 * sizeof(uint64_t) &&
		      offsetof(struct recording_sample, io_read_bytes) == 26 * sizeof(uint64_t) &&
		      offsetof(struct recording_sample, starts) == 39 * sizeof(uint64_t),
	      "names in the order of the members");

/* What is shown of the samples from a time on: of the first `thinned` every step-th. */
struct selection {
	uint64_t since_usec;
	size_t thinned, step, at;
};

static bool next_selected(struct recording_cursor *cursor, struct selection *selection,
			  struct recording_sample *ret)
{
	while (recording_next(cursor, ret)) {
		size_t at;

		if (ret->time_usec < selection->since_usec)
			continue;
		at = selection->at++;
		if (at >= selection->thinned || at % selection->step == 0)
			return true;
	}
	return false;
}

static size_t count_selected(const struct recording *recording, uint64_t since_usec)
{
	struct selection selection = { .since_usec = since_usec };
	struct recording_sample sample;
	struct recording_cursor cursor;
	size_t count = 0;

	recording_begin(recording, &cursor);
	while (next_selected(&cursor, &selection, &sample))
		count++;
	return count;
}

static struct selection select_samples(const struct recording *recording, uint64_t since_usec,
				       size_t most)
{
	struct selection selection = { .since_usec = since_usec };
	size_t count = count_selected(recording, since_usec), half = most / 2;

	if (count <= most || half == 0)
		return selection;
	selection.thinned = count - half;
	selection.step = (selection.thinned + half - 1) / half;
	return selection;
}

static json_t *pack_value(size_t field, uint64_t value, int64_t to_realtime_usec)
{
	if (field == 0)
		return json_integer((json_int_t)(((int64_t)value + to_realtime_usec) / 1000));
	return fields[field].percent ? json_real((double)value / 100.0)
				     : json_integer((json_int_t)value);
}

/* A series for each field, while they grow. */
struct series {
	json_t *arrays[RECORDING_FIELDS];
	bool moved[RECORDING_FIELDS];
	bool no_memory;
};

static void add_to_series(struct series *series, const struct recording_sample *sample,
			  int64_t to_realtime_usec)
{
	uint64_t values[RECORDING_FIELDS];

	memcpy(values, sample, sizeof(values));
	for (size_t i = 0; i < RECORDING_FIELDS; i++) {
		series->moved[i] = series->moved[i] || values[i] != 0;
		if (json_array_append_new(series->arrays[i],
					  pack_value(i, values[i], to_realtime_usec)) < 0)
			series->no_memory = true;
	}
}

static json_t *pack_series(struct series *series)
{
	json_t *object = json_object();

	for (size_t i = 0; i < RECORDING_FIELDS; i++) {
		if ((i == 0 || series->moved[i]) &&
		    json_object_set(object, fields[i].name, series->arrays[i]) < 0)
			series->no_memory = true;
		json_decref(series->arrays[i]);
	}
	if (!series->no_memory)
		return object;
	json_decref(object);
	return NULL;
}

json_t *recording_to_json(const struct recording *recording, uint64_t since_usec, size_t most,
			  uint64_t now_usec, uint64_t realtime_usec)
{
	const int64_t to_realtime_usec = (int64_t)realtime_usec - (int64_t)now_usec;
	struct selection selection = select_samples(recording, since_usec, most);
	struct series series = { 0 };
	struct recording_sample sample;
	struct recording_cursor cursor;

	for (size_t i = 0; i < RECORDING_FIELDS; i++)
		series.arrays[i] = json_array();
	recording_begin(recording, &cursor);
	while (next_selected(&cursor, &selection, &sample))
		add_to_series(&series, &sample, to_realtime_usec);
	return pack_series(&series);
}
