/* SPDX-License-Identifier: MIT */
/*
 * What a tired person reads on a terminal. Every word goes out through policy/layout.h: no text of
 * a worker can move the cursor, forge a field (log lines are marked with "|") or break a line.
 */
#include "policy/incident.h"

#include "policy/figure.h"
#include "policy/layout.h"
#include "policy/own.h"
#include "policy/phrase.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define LABEL_COLUMNS 10 /* "decision" and two blanks */
#define INDENT	      (2 + LABEL_COLUMNS)
#define LOG_MARK      "    | "
#define FIELD_MAX     1024
#define HIGH_PRESSURE 1000 /* 10 %, in hundredths of a percent */

/* --- layout --- */

static const struct layout incident_layout = { INCIDENT_TEXT_COLUMNS, INDENT };

/* One line that keeps its own blanks; what does not fit is cut. Its end is whole in the JSON. */
static void put_cut(FILE *out, const char *text, unsigned column)
{
	layout_put_cut(out, text, INCIDENT_TEXT_COLUMNS - column);
	fputc('\n', out);
}

static void put_field(FILE *out, const char *label, const char *text)
{
	fprintf(out, "  %-*s", LABEL_COLUMNS, label);
	layout_put_wrapped(out, &incident_layout, text, INDENT);
}

static const char *separator(const struct phrase *line)
{
	return line->used > 0 ? ", " : "";
}

/* --- the fields --- */

/* "killed: out of memory", for the headline */
static void add_event(struct phrase *line, const struct incident *incident)
{
	int status = incident->wait_status;
	char name[32];

	switch (incident->verdict.cause) {
	case CAUSE_OOM:
		phrase_add(line, "%s: out of memory",
			   incident->victim.is_main ? "killed" : "worker killed");
		break;
	case CAUSE_SECCOMP:
		phrase_add(line, "killed: forbidden system call");
		break;
	case CAUSE_PIDS:
		phrase_add(line, "failed: too many processes");
		break;
	case CAUSE_START_FAILED:
		phrase_add(line, "did not start");
		break;
	case CAUSE_STOPPED:
		phrase_add(line, incident->verdict.is_incident ? "killed: did not stop in time"
							       : "stopped");
		break;
	case CAUSE_LOST:
		phrase_add(line, "lost: its launcher vanished");
		break;
	case CAUSE_HUNG:
	case CAUSE_UNHEALTHY:
	case CAUSE_STALLED:
		phrase_add(line, "ended: %s", cause_name(incident->verdict.cause));
		break;
	case CAUSE_PRESSURE:
		phrase_add(line, "ended: close to its memory limit");
		break;
	case CAUSE_EXIT:
	case CAUSE_SIGNAL:
	case CAUSE_COUNT:
		if (incident->has_wait_status && WIFEXITED(status))
			phrase_add(line, "ended: exit code %d", WEXITSTATUS(status));
		else if (incident->has_wait_status && WIFSIGNALED(status))
			phrase_add(line, "%s: %s",
				   verdict_is_crash_signal(WTERMSIG(status)) ? "crashed" : "killed",
				   spec_signal_name(WTERMSIG(status), name));
		else
			phrase_add(line, "ended");
		break;
	}
}

static void put_headline(FILE *out, const struct incident *incident)
{
	char text[FIELD_MAX];
	struct phrase line = phrase_on(text, sizeof(text));

	phrase_add(&line, "pysbx: %s", incident->app);
	if (incident->instance > 0)
		phrase_add(&line, "/%u", incident->instance);
	phrase_add(&line, ": ");
	add_event(&line, incident);
	put_cut(out, text, 0);
}

static const char *level_remark(enum oom_level level)
{
	switch (level) {
	case OOM_LEVEL_APP:
		return " (its own limit: this one was hit)";
	case OOM_LEVEL_INSTANCE:
		return " (the instance's own limit was hit)";
	case OOM_LEVEL_TENANT:
		return " (not this one: the tenant's was hit)";
	case OOM_LEVEL_ABOVE:
		return " (not this one: the limit of a cgroup above was hit)";
	case OOM_LEVEL_HOST:
		return " (not this one: the host ran out)";
	case OOM_LEVEL_NONE:
	case OOM_LEVEL_COUNT:
		break;
	}
	return "";
}

static void put_limits(FILE *out, const struct incident *incident)
{
	uint64_t peak_before = incident->before.valid ? incident->before.peak : 0;
	uint64_t peak_after = incident->after.valid ? incident->after.peak : 0;
	uint64_t peak = peak_before > peak_after ? peak_before : peak_after;
	char size[QUANTITY_TEXT_MAX];
	char text[FIELD_MAX];
	struct phrase line = phrase_on(text, sizeof(text));

	if (incident->memory_max < LIMIT_UNSET)
		phrase_add(&line, "memory.max %s%s",
			   quantity_format_size(incident->memory_max, size),
			   level_remark(incident->verdict.level));
	if (incident->memory_high < LIMIT_UNSET)
		phrase_add(&line, "%smemory.high %s", separator(&line),
			   quantity_format_size(incident->memory_high, size));
	if (incident->pids_max < LIMIT_UNSET && incident->verdict.cause == CAUSE_PIDS)
		phrase_add(&line, "%spids.max %" PRIu64, separator(&line), incident->pids_max);
	if (peak > 0)
		phrase_add(&line, "%smemory peak %s", separator(&line), figure_size(peak, size));
	if (line.used > 0)
		put_field(out, "limit", text);
}

/* "251M: anon 241M (96 %), file cache 3.1M, /tmp and /dev/shm 0, kernel 4.2M" */
static void add_reading(struct phrase *line, const struct incident_memory *memory)
{
	uint64_t cache = memory->file > memory->shmem ? memory->file - memory->shmem : 0;
	uint64_t kernel = memory->slab_reclaimable + memory->slab_unreclaimable +
			  memory->kernel_stack + memory->pagetables + memory->sock;
	uint64_t parts = memory->anon + memory->shmem + cache + kernel;
	uint64_t whole = memory->current > parts ? memory->current : parts;
	const struct {
		const char *name;
		uint64_t bytes;
	} rows[] = {
		{ "anon", memory->anon },
		{ "file cache", cache },
		{ "/tmp and /dev/shm", memory->shmem },
		{ "kernel", kernel },
	};
	char size[QUANTITY_TEXT_MAX];

	phrase_add(line, "%s: ", figure_size(whole, size));
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		phrase_add(line, "%s%s %s", i > 0 ? ", " : "", rows[i].name,
			   figure_size(rows[i].bytes, size));
		if (whole > 0 && rows[i].bytes > whole / 2)
			phrase_add(line, " (%.0f %%)", (double)rows[i].bytes * 100 / (double)whole);
	}
	if (memory->swap > 0)
		phrase_add(line, "; swap %s", figure_size(memory->swap, size));
}

/* Of the words those that the reading above does not say. */
static void put_growth(FILE *out, const struct incident *incident)
{
	struct strings words _cleanup_strings_ = { 0 };
	struct error ignored;

	/* without memory for them they are in no JSON either, and the JSON's failure is told */
	(void)incident_memory_words(incident, &words, &ignored);
	for (size_t i = 0; i < words.count; i++)
		if (strstr(words.items[i], " grew ") != NULL)
			put_field(out, "growth", words.items[i]);
}

static void put_memory(FILE *out, const struct incident *incident)
{
	const struct incident_memory *before = &incident->before, *after = &incident->after;
	char size[QUANTITY_TEXT_MAX];
	char text[FIELD_MAX];
	struct phrase line = phrase_on(text, sizeof(text));

	if (incident->verdict.cause != CAUSE_OOM || (!before->valid && !after->valid))
		return;
	add_reading(&line, before->valid ? before : after);
	if (!before->valid)
		phrase_add(&line, " (read afterwards)");
	else if (after->valid)
		phrase_add(&line, "; afterwards %s", figure_size(after->current, size));
	if (incident->victim.rss_bytes > 0)
		phrase_add(&line, "; the victim had %s resident when last seen",
			   figure_size(incident->victim.rss_bytes, size));
	put_field(out, "memory", text);
}

static void add_pressure(struct phrase *line, const char *name,
			 const struct incident_pressure *pressure)
{
	if (pressure->some_avg10 == UINT32_MAX)
		return;
	phrase_add(line, "%s%s some %.1f %%", separator(line), name, pressure->some_avg10 / 100.0);
	if (pressure->full_avg10 != UINT32_MAX)
		phrase_add(line, " full %.1f %%", pressure->full_avg10 / 100.0);
}

static bool is_high(const struct incident_pressure *pressure)
{
	return pressure->some_avg10 != UINT32_MAX && pressure->some_avg10 >= HIGH_PRESSURE;
}

/* Where memory was not the cause, pressure is told only if it is remarkable. */
static void put_pressure(FILE *out, const struct incident *incident)
{
	char text[FIELD_MAX];
	struct phrase line = phrase_on(text, sizeof(text));

	if (incident->verdict.cause != CAUSE_OOM && !is_high(&incident->memory_pressure) &&
	    !is_high(&incident->cpu_pressure) && !is_high(&incident->io_pressure))
		return;
	add_pressure(&line, "memory", &incident->memory_pressure);
	add_pressure(&line, "cpu", &incident->cpu_pressure);
	add_pressure(&line, "io", &incident->io_pressure);
	if (line.used == 0)
		return;
	phrase_add(&line, " (of the last 10 s)");
	put_field(out, "pressure", text);
}

static void put_time(FILE *out, const struct incident *incident)
{
	uint64_t kills = incident->events.leaf_local.oom_kill;
	char age[QUANTITY_TEXT_MAX];
	char text[FIELD_MAX];
	struct phrase line = phrase_on(text, sizeof(text));
	struct tm utc;

	if (gmtime_r(&incident->time.tv_sec, &utc) != NULL)
		phrase_add(&line, "%04d-%02d-%02d %02d:%02d:%02d UTC", utc.tm_year + 1900,
			   utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec);
	if (incident->verdict.cause != CAUSE_START_FAILED)
		phrase_add(&line, "%s%s after the start", separator(&line),
			   figure_time(incident->uptime_usec, age));
	if (kills > 0)
		phrase_add(&line, "; OOM kills since then: %" PRIu64, kills);
	put_field(out, "when", text);
}

/* Of the kernel's lines the first that names the victim with its sizes; the JSON has all. */
static void put_kernel_lines(FILE *out, const struct incident *incident)
{
	char victim[48];

	snprintf(victim, sizeof(victim), "Killed process %d ", incident->victim.pid);
	for (size_t i = 0; i < incident->kernel_line_count; i++) {
		if (strstr(incident->kernel_lines[i], victim) != NULL) {
			put_field(out, "kernel", incident->kernel_lines[i]);
			return;
		}
	}
}

static void put_log(FILE *out, const struct incident *incident)
{
	size_t count = incident->log_line_count;
	size_t shown = count < INCIDENT_TEXT_LOG ? count : INCIDENT_TEXT_LOG;
	char text[FIELD_MAX];
	struct phrase line = phrase_on(text, sizeof(text));

	if (shown == 0)
		phrase_add(&line, "the worker wrote nothing");
	else if (shown < count)
		phrase_add(&line, "the last %zu lines (%zu are in the report)", shown, count);
	else
		phrase_add(&line, "the last %zu line%s", shown, shown == 1 ? "" : "s");
	if (incident->log_lines_dropped > 0)
		phrase_add(&line, "; %" PRIu64 " were dropped: written faster than they were read",
			   incident->log_lines_dropped);
	put_field(out, "log", text);
	for (size_t i = count - shown; i < count; i++) {
		char masked[MASK_TEXT_MAX];

		fputs(LOG_MARK, out);
		put_cut(out,
			mask_apply(incident->mask, MASK_LINE, incident->log_lines[i], masked,
				   sizeof(masked)),
			sizeof(LOG_MARK) - 1);
	}
}

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text != NULL ? text : "?";
}

/* What pysbx did about it before, a line each. */
static void put_steps(FILE *out, const struct diagnosis *diagnosis)
{
	const json_t *step;
	size_t i;

	json_array_foreach(diagnosis->steps, i, step)
	{
		char text[FIELD_MAX];
		struct phrase line = phrase_on(text, sizeof(text));

		phrase_add(&line, "%s %s at %s: %s", text_of(step, "time"), text_of(step, "step"),
			   text_of(step, "reading"), text_of(step, "result"));
		put_field(out, i == 0 ? "before" : "", text);
	}
}

static void add_thread(struct phrase *line, const json_t *process, const json_t *thread)
{
	const char *name = json_string_value(json_object_get(thread, "name"));

	phrase_add(line, "process %" JSON_INTEGER_FORMAT ", thread %" JSON_INTEGER_FORMAT,
		   json_integer_value(json_object_get(process, "pid")),
		   json_integer_value(json_object_get(thread, "tid")));
	if (name != NULL)
		phrase_add(line, " (%s)", name);
	if (json_is_true(json_object_get(thread, "allocating")))
		phrase_add(line, ", which allocates memory");
	phrase_add(line, ", innermost call first");
}

static void put_frame(FILE *out, const json_t *frame)
{
	char text[FIELD_MAX];
	struct phrase line = phrase_on(text, sizeof(text));

	phrase_add(&line, "%s", text_of(frame, "file"));
	if (json_is_integer(json_object_get(frame, "line")))
		phrase_add(&line, ":%" JSON_INTEGER_FORMAT,
			   json_integer_value(json_object_get(frame, "line")));
	phrase_add(&line, " in %s()", text_of(frame, "function"));
	fputs(LOG_MARK, out);
	put_cut(out, text, sizeof(LOG_MARK) - 1);
}

/* Where the thread was that tells most. */
static void put_stack(FILE *out, const struct incident *incident)
{
	const json_t *process = NULL, *frame;
	const json_t *thread = diagnosis_last_thread(incident->diagnosis, incident->victim.pid,
						     incident->time.tv_sec, &process);
	char text[FIELD_MAX];
	struct phrase line = phrase_on(text, sizeof(text));
	size_t i;

	if (thread == NULL)
		return;
	add_thread(&line, process, thread);
	put_field(out, "stack", text);
	json_array_foreach(json_object_get(thread, "frames"), i, frame)
	{
		if (i == INCIDENT_TEXT_FRAMES)
			break;
		put_frame(out, frame);
	}
}

static void put_all(FILE *out, const struct incident *incident)
{
	put_headline(out, incident);
	put_field(out, "what", incident->verdict.sentence);
	put_field(out, "decision", incident->verdict.why);
	if (incident->verdict.advice[0] != '\0')
		put_field(out, "advice", incident->verdict.advice);
	put_time(out, incident);
	if (incident->verdict.cause != CAUSE_START_FAILED) {
		put_limits(out, incident);
		put_memory(out, incident);
		put_growth(out, incident);
		put_pressure(out, incident);
	}
	if (incident->diagnosis != NULL) {
		put_steps(out, incident->diagnosis);
		put_stack(out, incident);
	}
	put_kernel_lines(out, incident);
	put_log(out, incident);
}

int incident_to_text(const struct incident *incident, char **ret_text, struct error *err)
{
	_cleanup_free_ char *text = NULL;
	size_t length = 0;
	FILE *out = open_memstream(&text, &length);
	bool failed;

	if (out == NULL)
		return error_no_memory(err);
	put_all(out, incident);
	failed = ferror(out) != 0;
	if (fclose(out) != 0 || failed)
		return error_no_memory(err);
	*ret_text = TAKE_PTR(text);
	return 0;
}
