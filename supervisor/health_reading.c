/* SPDX-License-Identifier: MIT */
#include "supervisor/health_reading.h"

#include "policy/keyed.h"
#include "policy/own.h"
#include "supervisor/clock.h"
#include "supervisor/file.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX 4096

/* --- cgroups -------------------------------------------------------------------------------- */

static const char *read_text(int directory, const char *name, char text[static TEXT_MAX])
{
	struct error ignored;

	if (file_read_at(directory, name, text, TEXT_MAX, &ignored) < 0)
		text[0] = '\0';
	return text;
}

/* "50000 100000": so much in such a period. */
static uint64_t parse_quota(const char *text)
{
	char *end;
	uint64_t quota = strtoull(text, &end, 10), period = strtoull(end, NULL, 10);

	if (end == text || period == 0 || quota > UINT64_MAX / CPU_MILLI_PER_CORE)
		return LIMIT_MAX;
	return quota * CPU_MILLI_PER_CORE / period;
}

static void read_quota(int directory, struct health_quota *ret)
{
	const struct keyed_field fields[] = { { "usage_usec", &ret->cpu_usec },
					      { "throttled_usec", &ret->throttled_usec } };
	char text[TEXT_MAX];

	*ret = (struct health_quota){ .milli = LIMIT_MAX };
	if (directory < 0)
		return;
	(void)keyed_read(read_text(directory, "cpu.stat", text), fields, ARRAY_SIZE(fields));
	ret->milli = parse_quota(read_text(directory, "cpu.max", text));
}

static struct pressure read_pressure(int directory, const char *name)
{
	struct pressure pressure = { 0 };
	struct error ignored;
	char text[TEXT_MAX];

	(void)keyed_pressure(read_text(directory, name, text), &pressure, &ignored);
	return pressure;
}

/* Returns what was read and written on all disks. */
static uint64_t read_io(int directory, struct io_disks *ret)
{
	char stat[TEXT_MAX], max[TEXT_MAX];
	struct io_totals totals;

	*ret = (struct io_disks){ 0 };
	if (directory < 0)
		return 0;
	(void)read_text(directory, "io.stat", stat);
	io_use_read(read_text(directory, "io.max", max), stat, ret);
	keyed_io(stat, &totals);
	return totals.read_bytes + totals.write_bytes;
}

void health_read(int slice, int tenant, struct health_reading *ret)
{
	*ret = (struct health_reading){ .usec = clock_monotonic_usec() };
	read_quota(slice, &ret->app);
	read_quota(tenant, &ret->tenant);
	ret->cpu_usec = ret->app.cpu_usec;
	ret->cpu_wait_usec = read_pressure(slice, "cpu.pressure").some_total_usec;
	ret->io_full_usec = read_pressure(slice, "io.pressure").full_total_usec;
	ret->memory_full_usec = read_pressure(slice, "memory.pressure").full_total_usec;
	ret->io_bytes = read_io(slice, &ret->app_io);
	(void)read_io(tenant, &ret->tenant_io);
}

static uint64_t since(uint64_t now, uint64_t then)
{
	return now > then ? now - then : 0;
}

/* As with the processor: the tenant's limit is what to name where its own lets more through. */
static void compare_io(const struct health_reading *then, const struct health_reading *now,
		       const char *tenant, struct health_facts *ret)
{
	struct io_use theirs;

	ret->io_bytes = since(now->io_bytes, then->io_bytes);
	ret->io_tenant = NULL;
	io_use_most(&then->app_io, &now->app_io, ret->wall_usec, &ret->io);
	if (tenant == NULL || ret->io.reached)
		return;
	io_use_most(&then->tenant_io, &now->tenant_io, ret->wall_usec, &theirs);
	if (theirs.reached || ret->io.limit == 0) {
		ret->io = theirs;
		ret->io_tenant = tenant;
	}
}

void health_compare(const struct health_reading *then, const struct health_reading *now,
		    const char *tenant, struct health_facts *ret)
{
	const uint64_t by_app = since(now->app.throttled_usec, then->app.throttled_usec);
	const uint64_t by_tenant = since(now->tenant.throttled_usec, then->tenant.throttled_usec);
	/* what holds a tenant back is shared by all its apps: its own limit comes first */
	const bool is_tenant = tenant != NULL && limit_is_set(now->tenant.milli) &&
			       (!limit_is_set(now->app.milli) || by_app == 0);

	ret->wall_usec = since(now->usec, then->usec);
	ret->cpu_usec = since(now->cpu_usec, then->cpu_usec);
	ret->cpu_wait_usec = since(now->cpu_wait_usec, then->cpu_wait_usec);
	ret->io_full_usec = since(now->io_full_usec, then->io_full_usec);
	ret->memory_full_usec = since(now->memory_full_usec, then->memory_full_usec);
	compare_io(then, now, tenant, ret);
	ret->tenant = is_tenant ? tenant : NULL;
	ret->quota_milli = is_tenant ? now->tenant.milli : now->app.milli;
	ret->quota_cpu_usec =
		is_tenant ? since(now->tenant.cpu_usec, then->tenant.cpu_usec) : ret->cpu_usec;
	ret->throttled_usec = is_tenant ? by_tenant : by_app;
}

/* --- threads -------------------------------------------------------------------------------- */

/* The first number of /proc/TID/schedstat: nanoseconds on a CPU, of this thread alone. */
static uint64_t ran_nsec(pid_t id)
{
	char text[128];

	if (file_read_proc(id, "schedstat", text, sizeof(text)) == 0)
		return 0;
	return strtoull(text, NULL, 10);
}

void health_read_threads(int leaf, struct health_threads *ret)
{
	_cleanup_close_ int fd = openat(leaf, "cgroup.threads", O_RDONLY | O_CLOEXEC);
	_cleanup_fclose_ FILE *file = fd >= 0 ? fdopen(fd, "r") : NULL;
	char line[32];

	*ret = (struct health_threads){ 0 };
	if (file == NULL)
		return;
	(void)TAKE_FD(fd);
	ret->list = calloc(HEALTH_THREADS_MAX, sizeof(*ret->list));
	while (ret->list != NULL && ret->count < HEALTH_THREADS_MAX &&
	       fgets(line, sizeof(line), file) != NULL) {
		pid_t id = (pid_t)strtol(line, NULL, 10);

		ret->list[ret->count++] = (struct health_thread){ id, ran_nsec(id) };
	}
}

void health_clear_threads(struct health_threads *threads)
{
	free(threads->list);
	*threads = (struct health_threads){ 0 };
}

/* Of one that wasn't there yet: all that it has. */
static uint64_t ran_before(const struct health_threads *threads, pid_t id)
{
	for (size_t i = 0; i < threads->count; i++)
		if (threads->list[i].id == id)
			return threads->list[i].ran_nsec;
	return 0;
}

pid_t health_compare_threads(const struct health_threads *then, const struct health_threads *now,
			     struct health_facts *facts)
{
	uint64_t all = 0, most = 0;
	pid_t busiest = 0;

	for (size_t i = 0; i < now->count; i++) {
		const struct health_thread *thread = &now->list[i];
		uint64_t ran = since(thread->ran_nsec, ran_before(then, thread->id));

		all += ran;
		if (ran > most) {
			most = ran;
			busiest = thread->id;
		}
	}
	facts->look_cpu_usec = all / 1000;
	facts->look_busiest_usec = most / 1000;
	return busiest;
}
