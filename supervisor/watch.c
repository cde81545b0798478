/* SPDX-License-Identifier: MIT */
/* Hearing that something has happened: by files that are polled, or by the notifier of all. */
#include "supervisor/watch.h"

#include "policy/own.h"
#include "supervisor/file.h"
#include "supervisor/watch_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Reading from the start re-arms the notification; what it says is read by watch_read. */
static int on_file_event(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	const struct watch_files *kept = userdata;
	char text[FILE_KERNEL_MAX];
	struct error ignored;

	for (size_t i = 0; i < WATCH_FILE_COUNT; i++) {
		if (kept->sources[i] != source)
			continue;
		/* EPOLLERR without EPOLLPRI: the cgroup is gone */
		if ((revents & EPOLLPRI) == 0 || file_read_fd(fd, text, sizeof(text), &ignored) < 0)
			(void)sd_event_source_set_enabled(source, SD_EVENT_OFF);
		kept->watch->on_event(watch_rows[i].event, kept->watch->userdata);
		break;
	}
	return 0;
}

static int arm_trigger(int fd)
{
	const char *trigger = WATCH_PSI_TRIGGER;

	/* the terminating NUL belongs to it: Documentation/accounting/psi.rst */
	if (write(fd, trigger, strlen(trigger) + 1) >= 0)
		return 0;
	trigger = WATCH_PSI_TRIGGER_UNPRIVILEGED;
	return write(fd, trigger, strlen(trigger) + 1) >= 0 ? 0 : -errno;
}

static int poll_file(struct watch_files *kept, sd_event *event, size_t i, struct error *err)
{
	char text[FILE_KERNEL_MAX];
	int r = file_read_fd(kept->fds[i], text, sizeof(text), err);

	if (r < 0)
		return r;
	r = sd_event_add_io(event, &kept->sources[i], kept->fds[i], EPOLLPRI, on_file_event, kept);
	return r < 0 ? error_set(err, ERROR_SYSTEM, -r, "watch: %s", watch_rows[i].name) : 0;
}

static int open_file(struct watch_files *kept, sd_event *event, size_t i, int dir,
		     struct error *err)
{
	kept->fds[i] = openat(dir, watch_rows[i].name,
			      (watch_rows[i].trigger ? O_RDWR : O_RDONLY) | O_CLOEXEC);
	/* absent in a hierarchy without that controller: who made the cgroup has told */
	if (kept->fds[i] < 0)
		return watch_rows[i].required && errno != ENOENT
			       ? error_set(err, ERROR_SYSTEM, errno, "watch: open %s",
					   watch_rows[i].name)
			       : 0;
	return watch_rows[i].polled && !watch_rows[i].trigger ? poll_file(kept, event, i, err) : 0;
}

static int on_arming(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct watch_files *kept = userdata;
	struct error ignored;
	(void)usec;

	/* where PSI is switched off, readings say so */
	for (size_t i = 0; i < WATCH_FILE_COUNT; i++)
		if (watch_rows[i].trigger && kept->fds[i] >= 0 && arm_trigger(kept->fds[i]) >= 0)
			(void)poll_file(kept, sd_event_source_get_event(source), i, &ignored);
	return 0;
}

static void close_files(struct watch_files *kept)
{
	kept->arming = sd_event_source_disable_unref(kept->arming);
	for (size_t i = 0; i < WATCH_FILE_COUNT; i++) {
		kept->sources[i] = sd_event_source_disable_unref(kept->sources[i]);
		close_and_clear(&kept->fds[i]);
	}
	for (size_t i = 0; i < kept->ancestor_count; i++)
		close_and_clear(&kept->ancestors[i]);
	free(kept);
}

/* --- full ----------------------------------------------------------------------------------- */

int watch_start(struct watch *watch, sd_event *event, int app, int leaf,
		void (*on_event)(enum watch_event event, void *userdata), void *userdata,
		struct error *err)
{
	struct watch_files *kept = calloc(1, sizeof(*kept));
	int r = 0;

	*watch = (struct watch){ 0 };
	if (kept == NULL)
		return error_no_memory(err);
	*watch = (struct watch){ .files = kept, .on_event = on_event, .userdata = userdata };
	kept->watch = watch;
	for (size_t i = 0; i < WATCH_FILE_COUNT; i++)
		kept->fds[i] = -1;
	for (size_t i = 0; i < WATCH_FILE_COUNT && r >= 0; i++)
		r = open_file(kept, event, i, watch_rows[i].place == WATCH_APP ? app : leaf, err);
	if (r >= 0) {
		r = sd_event_add_time_relative(event, &kept->arming, CLOCK_MONOTONIC,
					       WATCH_TRIGGER_DELAY_USEC, 0, on_arming, kept);
		if (r < 0)
			(void)error_set(err, ERROR_SYSTEM, -r, "watch: timer");
	}
	if (r < 0) {
		watch_stop(watch);
		return r;
	}
	kept->ancestor_count = watch_open_ancestors(app, kept->ancestors);
	return 0;
}

/* --- lean ----------------------------------------------------------------------------------- */

static void on_notified(unsigned which, void *userdata)
{
	struct watch *watch = userdata;

	watch->on_event((enum watch_event)which, watch->userdata);
}

int watch_start_lean(struct watch *watch, struct watch_notifier *notifier, int root,
		     const char *app, const char *leaf,
		     void (*on_event)(enum watch_event event, void *userdata), void *userdata,
		     struct error *err)
{
	static const enum watch_file notified[WATCH_NOTIFIED] = { WATCH_APP_MEMORY_EVENTS,
								  WATCH_APP_PIDS_EVENTS,
								  WATCH_LEAF_PIDS_EVENTS };
	struct watch_places places _cleanup_watch_places_ = { { -1, -1 } };

	*watch = (struct watch){ .on_event = on_event,
				 .userdata = userdata,
				 .notifier = notifier,
				 .root = root,
				 .app = app,
				 .leaf = leaf };
	for (size_t i = 0; i < WATCH_NOTIFIED; i++)
		watch->notified[i] = -1;
	places = watch_places_open(watch);
	for (size_t i = 0; i < ARRAY_SIZE(places.dirs); i++)
		if (places.dirs[i] < 0)
			return error_set(err, ERROR_SYSTEM, ENOENT,
					 "cgroup %s: cannot be opened to be watched", app);
	for (size_t i = 0; i < WATCH_NOTIFIED; i++) {
		int wd = watch_notifier_add(notifier, places.dirs[watch_rows[notified[i]].place],
					    watch_rows[notified[i]].name,
					    watch_rows[notified[i]].event, on_notified, watch, err);

		/* a hierarchy without that controller: its scope has told */
		if (wd == -ENOENT)
			continue;
		if (wd < 0) {
			watch_stop(watch);
			error_prefix(err, "cgroup %s", app);
			return wd;
		}
		watch->notified[i] = wd;
	}
	return 0;
}

void watch_keep_open(struct watch *watch, bool keep)
{
	struct watch_places places _cleanup_watch_places_ = { { -1, -1 } };
	struct watch_files *kept;

	if (watch->on_event == NULL || watch->notifier == NULL || keep == (watch->files != NULL))
		return;
	if (!keep) {
		close_files(TAKE_PTR(watch->files));
		return;
	}
	kept = calloc(1, sizeof(*kept));
	if (kept == NULL)
		return;
	places = watch_places_open(watch);
	for (size_t i = 0; i < WATCH_FILE_COUNT; i++)
		kept->fds[i] = openat(places.dirs[watch_rows[i].place], watch_rows[i].name,
				      O_RDONLY | O_CLOEXEC);
	kept->ancestor_count = watch_open_ancestors(places.dirs[WATCH_APP], kept->ancestors);
	watch->files = kept;
}

/* -------------------------------------------------------------------------------------------- */

void watch_stop(struct watch *watch)
{
	if (watch->on_event == NULL) /* never started */
		return;
	for (size_t i = 0; watch->notifier != NULL && i < WATCH_NOTIFIED; i++)
		watch_notifier_remove(watch->notifier, watch->notified[i]);
	if (watch->files != NULL)
		close_files(TAKE_PTR(watch->files));
	watch->on_event = NULL;
}
