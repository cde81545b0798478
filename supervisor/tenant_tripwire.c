/* SPDX-License-Identifier: MIT */
#include "supervisor/tenant_tripwire.h"

#include "policy/incident.h"
#include "policy/keyed.h"
#include "policy/own.h"
#include "supervisor/cgroup.h"
#include "supervisor/clock.h"
#include "supervisor/file.h"
#include "supervisor/snapshot.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TENANT_DIRECTORY_MAX (SPEC_NAME_MAX + 8)
#define PAGE		     4096 /* the kernel counts memory.high in these */

struct tenant_tripwire {
	struct tenant_tripwires *all;
	struct tenant_tripwire *next;
	char name[SPEC_NAME_MAX + 1];
	int wd;	       /* of memory.events.local; -1: no cgroup */
	ino_t inode;   /* of the cgroup that it is of: it may have gone, and another have come */
	uint64_t high; /* memory.high, as it was last read or written */
	struct tripwire tripwire;
	sd_event_source *timer;
	uint64_t timer_usec;
};

static int open_cgroup(const struct tenant_tripwire *wire)
{
	char path[TENANT_DIRECTORY_MAX];
	struct error ignored;
	int fd = -1;

	snprintf(path, sizeof(path), "%s.tenant", wire->name);
	return cgroup_open(wire->all->root, path, &fd, &ignored) < 0 ? -1 : fd;
}

/* --- reading and writing -------------------------------------------------------------------- */

static bool read_all(int dir, uint64_t limit, struct tripwire_reading *ret)
{
	char text[FILE_KERNEL_MAX];
	struct incident_memory memory = { 0 };
	struct memory_events events = { 0 };
	const struct keyed_field fields[] = {
		{ "anon", &memory.anon },
		{ "shmem", &memory.shmem },
		{ "pagetables", &memory.pagetables },
		{ "slab_unreclaimable", &memory.slab_unreclaimable },
		{ "kernel_stack", &memory.kernel_stack },
		{ "sock", &memory.sock },
	};
	struct error ignored;

	if (file_read_at(dir, "memory.stat", text, sizeof(text), &ignored) < 0)
		return false;
	(void)keyed_read(text, fields, ARRAY_SIZE(fields));
	if (file_read_at(dir, "memory.events.local", text, sizeof(text), &ignored) < 0)
		return false;
	keyed_memory_events(text, &events);
	if (file_read_at(dir, "memory.current", text, sizeof(text), &ignored) < 0)
		return false;
	/* a tenant does not stall: its apps do */
	*ret = (struct tripwire_reading){
		.now_usec = clock_monotonic_usec(),
		.current = strtoull(text, NULL, 10),
		.high_moves = events.high,
		.top_moves = events.max,
		.stall = { .limit = limit, .unreclaimable = snapshot_unreclaimable(&memory) },
	};
	return true;
}

static bool read_high(int dir, uint64_t *ret)
{
	char text[64];
	struct error ignored;

	if (file_read_at(dir, "memory.high", text, sizeof(text), &ignored) < 0)
		return false;
	*ret = strncmp(text, "max", 3) == 0 ? LIMIT_MAX : strtoull(text, NULL, 10);
	return true;
}

static void set_high(struct tenant_tripwire *wire, int dir)
{
	uint64_t high = tripwire_mark(tripwire_high(&wire->tripwire));
	struct error ignored;
	char text[32] = "max";

	if (high == wire->high)
		return;
	if (high != LIMIT_MAX)
		snprintf(text, sizeof(text), "%llu", (unsigned long long)high);
	if (file_write_at(dir, "memory.high", text, &ignored) >= 0)
		wire->high = high;
}

/* A rung that stands there goes; a limit that somebody has set stays. */
static void disarm(const struct tenant_tripwire *wire)
{
	_cleanup_close_ int dir = open_cgroup(wire);
	struct error ignored;
	uint64_t high;

	if (dir >= 0 && read_high(dir, &high) && high != LIMIT_MAX &&
	    (high / PAGE == wire->high / PAGE || tripwire_is_marked(wire->tripwire.limit, high)))
		(void)file_write_at(dir, "memory.high", "max", &ignored);
}

/* --- looking -------------------------------------------------------------------------------- */

static void look(struct tenant_tripwire *wire, bool by_clock);

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct tenant_tripwire *wire = userdata;
	(void)source, (void)usec;

	wire->timer = sd_event_source_disable_unref(wire->timer);
	look(wire, true);
	return 0;
}

/* One that is due sooner stays. */
static void arm_timer(struct tenant_tripwire *wire, uint64_t usec)
{
	uint64_t due = clock_monotonic_usec() + usec;

	if (usec == 0 || (wire->timer != NULL && wire->timer_usec <= due))
		return;
	wire->timer = sd_event_source_disable_unref(wire->timer);
	wire->timer_usec = due;
	(void)sd_event_add_time_relative(wire->all->event, &wire->timer, CLOCK_MONOTONIC, usec, 1,
					 on_timer, wire);
}

static void look(struct tenant_tripwire *wire, bool by_clock)
{
	_cleanup_close_ int dir = open_cgroup(wire);
	struct tripwire_reading reading;
	struct tripwire_answer answer;

	if (dir < 0 || !read_all(dir, wire->tripwire.limit, &reading))
		return;
	tripwire_step(&wire->tripwire, &reading, by_clock, &answer);
	arm_timer(wire, answer.look_usec);
	if (answer.snapshot)
		wire->all->look(&(struct tenant_trip){ .tenant = wire->name,
						       .current = reading.current,
						       .limit = wire->tripwire.limit,
						       .begins = answer.begins },
				wire->all->userdata);
	set_high(wire, dir);
}

static void on_events(unsigned which, void *userdata)
{
	(void)which;
	look(userdata, false);
}

/* --- which there are ------------------------------------------------------------------------ */

static struct tenant_tripwire *find(struct tenant_tripwires *all, const char *name)
{
	struct tenant_tripwire *wire = all->first;

	while (wire != NULL && strcmp(wire->name, name) != 0)
		wire = wire->next;
	return wire;
}

static struct tenant_tripwire *add(struct tenant_tripwires *all, const char *name)
{
	struct tenant_tripwire *wire = calloc(1, sizeof(*wire));

	if (wire == NULL)
		return NULL;
	*wire = (struct tenant_tripwire){ .all = all, .next = all->first, .wd = -1 };
	snprintf(wire->name, sizeof(wire->name), "%s", name);
	all->first = wire;
	return wire;
}

static void watch(struct tenant_tripwire *wire, int dir)
{
	struct stat st;
	struct error ignored;

	if (fstat(dir, &st) < 0 || (wire->wd >= 0 && st.st_ino == wire->inode))
		return;
	watch_notifier_remove(wire->all->notifier, wire->wd);
	wire->inode = st.st_ino;
	wire->wd = watch_notifier_add(wire->all->notifier, dir, "memory.events.local", 0, on_events,
				      wire, &ignored);
	if (wire->wd < 0)
		wire->wd = -1;
}

/* --- begin and end -------------------------------------------------------------------------- */

static void forget(struct tenant_tripwire *wire)
{
	struct tenant_tripwire **link = &wire->all->first;

	while (*link != wire)
		link = &(*link)->next;
	*link = wire->next;
	disarm(wire);
	watch_notifier_remove(wire->all->notifier, wire->wd);
	sd_event_source_disable_unref(wire->timer);
	free(wire);
}

void tenant_tripwires_renew(struct tenant_tripwires *all, const struct tenant *tenant)
{
	bool on = limit_is_set(tenant->limits.memory_max) &&
		  !limit_is_set(tenant->limits.memory_high);
	struct tenant_tripwire *wire = find(all, tenant->name);
	_cleanup_close_ int dir = -1;
	struct tripwire_reading reading;

	if (!on) {
		if (wire != NULL)
			forget(wire);
		return;
	}
	if (wire == NULL)
		wire = add(all, tenant->name);
	dir = wire != NULL ? open_cgroup(wire) : -1;
	if (dir < 0 || !read_all(dir, tenant->limits.memory_max, &reading))
		return;
	watch(wire, dir);
	if (wire->tripwire.limit != tenant->limits.memory_max || !wire->tripwire.on)
		tripwire_init(&wire->tripwire, tenant->limits.memory_max, true, &reading);
	tripwire_rise(&wire->tripwire, reading.current);
	/* not always "max": an earlier daemon's rung is still there if its limits could not be
	 * written */
	if (!read_high(dir, &wire->high))
		wire->high = LIMIT_UNSET;
	set_high(wire, dir);
}

void tenant_tripwires_forget(struct tenant_tripwires *all,
			     bool (*is_there)(const char *tenant, void *userdata), void *userdata)
{
	struct tenant_tripwire *wire = all->first, *next;

	for (; wire != NULL; wire = next) {
		next = wire->next;
		if (!is_there(wire->name, userdata))
			forget(wire);
	}
}

void tenant_tripwires_clear(struct tenant_tripwires *all)
{
	while (all->first != NULL)
		forget(all->first);
}
