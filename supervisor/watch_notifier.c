/* SPDX-License-Identifier: MIT */
#include "supervisor/watch_notifier.h"

#include "policy/own.h"

#include <search.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>

#define EVENTS_PER_TURN_BYTES 4096 /* what one turn of the loop reads */

struct watched {
	int wd;
	unsigned which;
	watch_notifier_callback *callback;
	void *userdata;
};

static int compare(const void *a, const void *b)
{
	int left = ((const struct watched *)a)->wd, right = ((const struct watched *)b)->wd;

	return (left > right) - (left < right);
}

static void tell(const void *node, VISIT visit, void *ignored)
{
	const struct watched *watched = *(struct watched *const *)node;
	(void)ignored;

	if (visit == postorder || visit == leaf)
		watched->callback(watched->which, watched->userdata);
}

/* A callback may end its own watch: the watched is looked up anew for each event. */
static void dispatch(struct watch_notifier *notifier, const struct inotify_event *event)
{
	const struct watched key = { .wd = event->wd };
	struct watched *const *found;

	if ((event->mask & IN_Q_OVERFLOW) != 0) {
		twalk_r(notifier->entries, tell, NULL);
		return;
	}
	found = tfind(&key, &notifier->entries, compare);
	if (found != NULL && (event->mask & IN_MODIFY) != 0)
		(*found)->callback((*found)->which, (*found)->userdata);
}

static int on_inotify(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	char buffer[EVENTS_PER_TURN_BYTES] __attribute__((aligned(8)));
	ssize_t length = read(fd, buffer, sizeof(buffer));
	(void)source, (void)revents;

	for (ssize_t at = 0; at + (ssize_t)sizeof(struct inotify_event) <= length;) {
		const struct inotify_event *event = (const void *)(buffer + at);

		dispatch(userdata, event);
		at += (ssize_t)(sizeof(*event) + event->len);
	}
	return 0;
}

int watch_notifier_open(struct watch_notifier *ret, sd_event *event, struct error *err)
{
	int r;

	*ret = (struct watch_notifier){ .fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK) };
	if (ret->fd < 0)
		return error_set(err, ERROR_SYSTEM, errno, "inotify");
	r = sd_event_add_io(event, &ret->source, ret->fd, EPOLLIN, on_inotify, ret);
	if (r < 0) {
		close_and_clear(&ret->fd);
		return error_set(err, ERROR_SYSTEM, -r, "inotify");
	}
	return 0;
}

void watch_notifier_close(struct watch_notifier *notifier)
{
	notifier->source = sd_event_source_disable_unref(notifier->source);
	close_and_clear(&notifier->fd);
	tdestroy(notifier->entries, free);
	notifier->entries = NULL;
}

int watch_notifier_add(struct watch_notifier *notifier, int dir, const char *file, unsigned which,
		       watch_notifier_callback *callback, void *userdata, struct error *err)
{
	_cleanup_free_ struct watched *watched = malloc(sizeof(*watched));
	char path[64 + 64];
	int wd;

	if (watched == NULL)
		return error_no_memory(err);
	/* inotify knows no directory fds */
	snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", dir, file);
	wd = inotify_add_watch(notifier->fd, path, IN_MODIFY);
	if (wd < 0)
		return error_set(err, ERROR_SYSTEM, errno, "watch %s%s", file,
				 errno == ENOSPC ? " (raise fs.inotify.max_user_watches)" : "");
	*watched = (struct watched){ wd, which, callback, userdata };
	if (tsearch(watched, &notifier->entries, compare) == NULL) {
		(void)inotify_rm_watch(notifier->fd, wd);
		return error_no_memory(err);
	}
	(void)TAKE_PTR(watched);
	return wd;
}

void watch_notifier_remove(struct watch_notifier *notifier, int wd)
{
	const struct watched key = { .wd = wd };
	struct watched *const *found;
	struct watched *watched;

	found = wd >= 0 ? tfind(&key, &notifier->entries, compare) : NULL;
	if (found == NULL)
		return;
	watched = *found;
	(void)tdelete(&key, &notifier->entries, compare);
	free(watched);
	/* of a cgroup that is gone the kernel has removed it already */
	(void)inotify_rm_watch(notifier->fd, wd);
}
