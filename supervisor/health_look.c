/* SPDX-License-Identifier: MIT */
#include "supervisor/health_look.h"

#include "policy/own.h"
#include "policy/stacks.h"
#include "supervisor/cgroup.h"
#include "supervisor/health.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct health_look {
	sd_event *event; /* borrowed */
	int leaf;
	pid_t main;		       /* process of the app */
	struct stacks_readers *stacks; /* borrowed; NULL: they are not wanted */
	char app[SPEC_NAME_MAX + 1], tenant[SPEC_NAME_MAX + 1];
	struct health_threads threads; /* at its begin */
	struct stacks_request *request;
	sd_event_source *timer;
	struct health_sight sight;
	health_look_done *done;
	void *userdata;
};

void health_look_cancel(struct health_look *look)
{
	if (look == NULL)
		return;
	stacks_cancel(look->request);
	look->timer = sd_event_source_disable_unref(look->timer);
	health_clear_threads(&look->threads);
	json_decref(look->sight.first);
	json_decref(look->sight.second);
	close_and_clear(&look->leaf);
	free(look);
}

static void finish(struct health_look *look)
{
	struct health_threads now;

	health_read_threads(look->leaf, &now);
	look->sight.busiest = health_compare_threads(&look->threads, &now, &look->sight.facts);
	health_clear_threads(&now);
	if (look->sight.first != NULL && look->sight.second != NULL)
		(void)stacks_mark_allocating(look->sight.first, look->sight.second);
	look->done(&look->sight, look->userdata);
	health_look_cancel(look);
}

/* --- stacks --------------------------------------------------------------------------------- */

struct pids {
	size_t count;
	pid_t items[STACKS_PIDS_MAX];
};

static bool add_pid(pid_t pid, void *userdata)
{
	struct pids *pids = userdata;

	pids->items[pids->count++] = pid;
	return pids->count < STACKS_PIDS_MAX;
}

/* Their reading has a deadline: where there are workers, a master tells the least. */
static const struct pids *put_last(struct pids *pids, pid_t main)
{
	for (size_t i = 0; i + 1 < pids->count; i++)
		if (pids->items[i] == main) {
			pids->items[i] = pids->items[pids->count - 1];
			pids->items[pids->count - 1] = main;
		}
	return pids;
}

/* False: they aren't read, and done is not called. */
static bool begin_stacks(struct health_look *look, stacks_done_fn done)
{
	struct pids pids = { .count = 0 };
	struct stacks_question question = {
		.pids = pids.items,
		.leaf = look->leaf,
		.app = look->app,
		.tenant = look->tenant[0] != '\0' ? look->tenant : NULL,
	};
	struct error ignored;

	if (look->stacks == NULL || cgroup_each_process(look->leaf, add_pid, &pids, &ignored) < 0 ||
	    pids.count == 0)
		return false;
	question.count = put_last(&pids, look->main)->count;
	return stacks_read(look->stacks, &question, done, look, &look->request, &ignored) >= 0;
}

static void on_second(json_t *result, const struct error *err, void *userdata)
{
	struct health_look *look = userdata;
	(void)err;

	look->request = NULL;
	look->sight.second = json_incref(result);
	finish(look);
}

static int on_time(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct health_look *look = userdata;
	(void)source, (void)usec;

	look->timer = sd_event_source_disable_unref(look->timer);
	if (!begin_stacks(look, on_second))
		finish(look);
	return 0;
}

static int wait_a_while(struct health_look *look)
{
	return sd_event_add_time_relative(look->event, &look->timer, CLOCK_MONOTONIC,
					  HEALTH_LOOK_USEC, 10000, on_time, look);
}

static void on_first(json_t *result, const struct error *err, void *userdata)
{
	struct health_look *look = userdata;
	(void)err;

	look->request = NULL;
	look->sight.first = json_incref(result);
	/* reading them took a while, in which threads ran: the half second begins now */
	health_clear_threads(&look->threads);
	health_read_threads(look->leaf, &look->threads);
	if (wait_a_while(look) < 0)
		finish(look);
}

int health_look_start(sd_event *event, const struct health_scene *scene,
		      const struct health_reading *begun, health_look_done *done, void *userdata,
		      struct health_look **ret, struct error *err)
{
	struct health_look *look = calloc(1, sizeof(*look));
	int r = 0;

	if (look == NULL)
		return error_no_memory(err);
	*look = (struct health_look){ .event = event,
				      .leaf = fcntl(scene->leaf, F_DUPFD_CLOEXEC, 0),
				      .main = scene->main,
				      .stacks = scene->stacks,
				      .sight = { .begun = *begun },
				      .done = done,
				      .userdata = userdata };
	snprintf(look->app, sizeof(look->app), "%s", scene->app);
	if (scene->tenant != NULL)
		snprintf(look->tenant, sizeof(look->tenant), "%s", scene->tenant);
	if (!begin_stacks(look, on_first)) {
		health_read_threads(look->leaf, &look->threads);
		r = wait_a_while(look);
	}
	if (r < 0) {
		health_look_cancel(look);
		return error_set(err, ERROR_SYSTEM, -r, "health check: timer");
	}
	*ret = look;
	return 0;
}

/* --- which of them --------------------------------------------------------------------------- */

static bool is_below(const char *file, const char *directory)
{
	size_t length = strlen(directory);

	return strncmp(file, directory, length) == 0 && file[length] == '/' &&
	       strstr(file, "/site-packages/") == NULL && strstr(file, "/dist-packages/") == NULL;
}

static bool is_in_app(const json_t *thread, const char *directory)
{
	const json_t *frames = json_object_get(thread, "frames");

	for (size_t i = 0; i < json_array_size(frames); i++) {
		const char *file =
			json_string_value(json_object_get(json_array_get(frames, i), "file"));

		if (file != NULL && is_below(file, directory))
			return true;
	}
	return false;
}

/* 0: it tells nothing. */
static unsigned weigh(const json_t *process, const json_t *thread, pid_t busiest, pid_t main,
		      const char *directory)
{
	unsigned weight = 1;

	if (json_array_size(json_object_get(thread, "frames")) == 0)
		return 0;
	if (busiest != 0 && json_integer_value(json_object_get(thread, "tid")) == busiest)
		weight += 8;
	if (is_in_app(thread, directory))
		weight += 4;
	if (json_integer_value(json_object_get(process, "pid")) != main)
		weight += 2;
	return weight;
}

/* The thread that tells most; *most is how much. */
static json_t *find_thread(const json_t *stacks, pid_t busiest, pid_t main, const char *directory,
			   unsigned *most)
{
	const json_t *processes = json_object_get(stacks, "processes");
	json_t *best = NULL;

	for (size_t i = 0; i < json_array_size(processes); i++) {
		const json_t *process = json_array_get(processes, i);
		const json_t *threads = json_object_get(process, "threads");

		for (size_t j = 0; j < json_array_size(threads); j++) {
			json_t *thread = json_array_get(threads, j);
			unsigned weight = weigh(process, thread, busiest, main, directory);

			if (weight > *most) {
				*most = weight;
				best = thread;
			}
		}
	}
	return best;
}

const char *health_look_place(const struct health_sight *sight, pid_t busiest, pid_t main,
			      const char *directory, char *text, size_t size)
{
	unsigned most = 0;
	json_t *best = find_thread(sight->second, busiest, main, directory, &most), *other, *alone;
	const char *line;

	/* on a busy machine one of the two may lack a process */
	other = find_thread(sight->first, busiest, main, directory, &most);
	if (other != NULL)
		best = other;
	if (best == NULL)
		return NULL;
	alone = json_pack("{s:[{s:[O]}]}", "processes", "threads", best);
	line = stacks_line(alone, 0, text, size);
	json_decref(alone);
	return line;
}
