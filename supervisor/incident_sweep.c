/* SPDX-License-Identifier: MIT */
#include "supervisor/incident_sweep.h"

#include "policy/own.h"
#include "policy/spec.h"
#include "supervisor/incident_store.h"

#include <dirent.h>
#include <stdlib.h>
#include <time.h>

struct incident_sweep {
	const char *directory;
	const struct settings_incidents *const *keep;
	sd_event_source *timer;
	DIR *stream; /* NULL: between two rounds */
};

/* False: that was the last one. */
static bool sweep_next(struct incident_sweep *sweep)
{
	const struct dirent *entry = readdir(sweep->stream);
	struct error ignored;

	if (entry == NULL)
		return false;
	if (spec_validate_name(entry->d_name, &ignored) == 0)
		(void)incident_store_prune(sweep->directory, entry->d_name, *sweep->keep,
					   time(NULL), &ignored);
	return true;
}

static uint64_t step(struct incident_sweep *sweep)
{
	bool more;

	if (sweep->stream == NULL)
		sweep->stream = opendir(sweep->directory);
	more = sweep->stream != NULL;
	for (unsigned i = 0; more && i < INCIDENT_SWEEP_APPS; i++)
		more = sweep_next(sweep);
	if (more)
		return INCIDENT_SWEEP_STEP_USEC;
	if (sweep->stream != NULL)
		closedir(TAKE_PTR(sweep->stream));
	return INCIDENT_SWEEP_INTERVAL_USEC;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct incident_sweep *sweep = userdata;
	(void)usec;

	(void)sd_event_source_set_time_relative(source, step(sweep));
	(void)sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
	return 0;
}

int incident_sweep_start(sd_event *event, const char *directory,
			 const struct settings_incidents *const *keep, uint64_t first_usec,
			 struct incident_sweep **ret, struct error *err)
{
	struct incident_sweep *sweep = malloc(sizeof(*sweep));
	int r;

	if (sweep == NULL)
		return error_no_memory(err);
	*sweep = (struct incident_sweep){ .directory = directory, .keep = keep };
	r = sd_event_add_time_relative(event, &sweep->timer, CLOCK_MONOTONIC, first_usec, 0,
				       on_timer, sweep);
	if (r < 0) {
		free(sweep);
		return error_set(err, ERROR_SYSTEM, -r, "a timer for old incidents");
	}
	*ret = sweep;
	return 0;
}

void incident_sweep_stop(struct incident_sweep *sweep)
{
	if (sweep == NULL)
		return;
	if (sweep->stream != NULL)
		closedir(sweep->stream);
	sd_event_source_disable_unref(sweep->timer);
	free(sweep);
}
