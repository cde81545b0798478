/* SPDX-License-Identifier: MIT */
/* On files that look like those of cgroups. */
#include "policy/own.h"
#include "supervisor/health_look.h"
#include "supervisor/health_reading.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static char directory[] = "/tmp/pysbx-health-XXXXXX";
static int dir = -1;

static void prepare(void)
{
	cr_assert_not_null(mkdtemp(directory));
	dir = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

static void leave_nothing(void)
{
	static const char *const names[] = { "cpu.stat",    "cpu.max",	       "cpu.pressure",
					     "io.pressure", "memory.pressure", "io.stat",
					     "io.max",	    "cgroup.threads" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		(void)unlinkat(dir, names[i], 0);
	close_and_clear(&dir);
	(void)rmdir(directory);
}

TestSuite(health_reading, .init = prepare, .fini = leave_nothing, .timeout = 30);

static void put(const char *name, const char *text)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

Test(health_reading, reads_what_a_cgroup_tells)
{
	struct health_reading reading;

	put("cpu.stat", "usage_usec 5000\nuser_usec 1\nnr_throttled 3\nthrottled_usec 700\n");
	put("cpu.max", "50000 100000\n");
	put("cpu.pressure", "some avg10=1.00 avg60=0.00 avg300=0.00 total=11\n");
	put("io.pressure", "some avg10=0.00 avg60=0.00 avg300=0.00 total=1\n"
			   "full avg10=0.00 avg60=0.00 avg300=0.00 total=22\n");
	put("memory.pressure", "some avg10=0.00 avg60=0.00 avg300=0.00 total=1\n"
			       "full avg10=0.00 avg60=0.00 avg300=0.00 total=33\n");
	put("io.stat", "8:0 rbytes=100 wbytes=20 rios=1 wios=1 dbytes=7 dios=0\n8:16 rbytes=3\n");
	health_read(dir, -1, &reading);
	cr_expect_gt(reading.usec, 0);
	cr_expect_eq(reading.cpu_usec, 5000);
	cr_expect_eq(reading.app.milli, 500);
	cr_expect_eq(reading.app.throttled_usec, 700);
	cr_expect_eq(reading.cpu_wait_usec, 11);
	cr_expect_eq(reading.io_full_usec, 22);
	cr_expect_eq(reading.memory_full_usec, 33);
	cr_expect_eq(reading.io_bytes, 123);
	cr_expect_eq(reading.tenant.milli, LIMIT_MAX);
	put("cpu.max", "max 100000\n");
	health_read(dir, dir, &reading);
	cr_expect_eq(reading.app.milli, LIMIT_MAX);
	cr_expect_eq(reading.tenant.cpu_usec, 5000);
}

Test(health_reading, is_nothing_where_nothing_is)
{
	struct health_reading reading;

	health_read(-1, -1, &reading);
	cr_expect_eq(reading.cpu_usec, 0);
	cr_expect_eq(reading.app.milli, LIMIT_MAX);
	health_read(dir, dir, &reading);
	cr_expect_eq(reading.io_bytes, 0);
}

Test(health_reading, blames_whose_limit_it_is)
{
	const struct health_reading then = { .usec = 1000 };
	struct health_reading now = { .usec = 11000,
				      .cpu_usec = 3000,
				      .app = { 500, 3000, 4000 },
				      .tenant = { 1000, 9000, 8000 } };
	struct health_facts facts = { .look_cpu_usec = 1 };

	health_compare(&then, &now, "acme", &facts);
	cr_expect_null(facts.tenant, "its own comes first");
	cr_expect_eq(facts.wall_usec, 10000);
	cr_expect_eq(facts.throttled_usec, 4000);
	cr_expect_eq(facts.quota_cpu_usec, 3000);
	cr_expect_eq(facts.look_cpu_usec, 1);
	now.app = (struct health_quota){ LIMIT_MAX, 3000, 0 };
	health_compare(&then, &now, "acme", &facts);
	cr_expect_str_eq(facts.tenant, "acme");
	cr_expect_eq(facts.quota_milli, 1000);
	cr_expect_eq(facts.quota_cpu_usec, 9000);
	cr_expect_eq(facts.throttled_usec, 8000);
}

/* 30 s in which 117 MiB were written. */
static void put_io(struct health_reading readings[static 2], const char *max)
{
	put("io.max", max);
	put("io.stat", "8:0 rbytes=100 wbytes=0 rios=1 wios=1\n");
	health_read(dir, dir, &readings[0]);
	put("io.stat", "8:0 rbytes=100 wbytes=122683392 rios=1 wios=200\n");
	health_read(dir, dir, &readings[1]);
	readings[1].usec = readings[0].usec + 30 * USEC_PER_SEC;
}

Test(health_reading, blames_whose_io_limit_it_is)
{
	struct health_reading readings[2];
	struct health_facts facts = { 0 };

	put_io(readings, "8:0 rbps=max wbps=4194304 riops=max wiops=max\n");
	health_compare(&readings[0], &readings[1], "acme", &facts);
	cr_expect(facts.io.reached);
	cr_expect_eq(facts.io.key, IO_WBPS);
	cr_expect_eq(facts.io.moved, 122683392);
	cr_expect_null(facts.io_tenant, "its own comes first");
	readings[1].app_io.items[0].limit[IO_WBPS] = UINT64_C(1) << 30;
	health_compare(&readings[0], &readings[1], "acme", &facts);
	cr_expect_str_eq(facts.io_tenant, "acme");
	cr_expect(facts.io.reached);
	readings[1].tenant_io.count = 0;
	health_compare(&readings[0], &readings[1], "acme", &facts);
	cr_expect_null(facts.io_tenant);
	cr_expect_not(facts.io.reached);
	cr_expect_eq(facts.io.limit, UINT64_C(1) << 30);
}

static void *spin(void *userdata)
{
	struct timespec begun, now;

	*(volatile pid_t *)userdata = (pid_t)syscall(SYS_gettid);
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &begun);
	do
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	while ((now.tv_sec - begun.tv_sec) * 1000000000L + now.tv_nsec - begun.tv_nsec < 60000000L);
	pause();
	return NULL;
}

Test(health_reading, finds_the_thread_that_spins)
{
	struct health_threads then, now;
	struct health_facts facts = { 0 };
	volatile pid_t spinner = 0;
	pthread_t thread;
	char text[64];

	cr_assert_eq(pthread_create(&thread, NULL, spin, (void *)&spinner), 0);
	while (spinner == 0)
		usleep(1000);
	(void)snprintf(text, sizeof(text), "%d\n%d\n", (int)getpid(), (int)spinner);
	put("cgroup.threads", text);
	health_read_threads(dir, &then);
	if (then.count == 2 && access("/proc/self/schedstat", R_OK) < 0)
		cr_skip_test("this kernel has no schedstat");
	usleep(500000);
	health_read_threads(dir, &now);
	cr_expect_eq(now.count, 2);
	cr_expect_eq(health_compare_threads(&then, &now, &facts), spinner);
	cr_expect_gt(facts.look_busiest_usec, facts.look_cpu_usec / 2);
	cr_expect_gt(facts.look_busiest_usec, 0);
	health_clear_threads(&then);
	health_clear_threads(&now);
}

/* --- which stack ------------------------------------------------------------------------------ */

#define FRAME(function, file, line) \
	"{\"function\":\"" function "\",\"file\":\"" file "\",\"line\":" #line "}"
#define THREAD(tid, frames) "{\"tid\":" #tid ",\"gil\":false,\"frames\":[" frames "]}"

static void expect_place(const char *first, const char *second, pid_t busiest, const char *place)
{
	struct health_sight sight = { .first = json_loads(first, 0, NULL),
				      .second = json_loads(second, 0, NULL) };
	char buffer[256];
	const char *found =
		health_look_place(&sight, busiest, 1, "/srv/app", buffer, sizeof(buffer));

	if (place == NULL)
		cr_expect_null(found);
	else
		cr_expect_str_eq(found, place);
	json_decref(sight.first);
	json_decref(sight.second);
}

Test(health_reading, tells_the_place_in_the_app_of_a_worker)
{
	static const char stacks[] = "{\"processes\":[{\"pid\":1,\"threads\":[" THREAD(
		1,
		FRAME("sleep", "/usr/lib/python3/dist-packages/gunicorn/arbiter.py",
		      597)) "]},"
			    "{\"pid\":2,\"threads\":[" THREAD(
				    2,
				    FRAME("wait", "/usr/lib/python3.11/selectors.py",
					  400)) "," THREAD(3,
							   FRAME("acquire",
								 "/usr/lib/python3.11/threading.py",
								 10) "," FRAME("get",
									       "/srv/app/views.py",
									       42)) "]}]}";

	expect_place("{}", stacks, 0, "views.py:42 in get()");
	expect_place("{}", stacks, 2, "selectors.py:400 in wait()");
	expect_place(stacks, "{\"processes\":[{\"pid\":2,\"error\":\"no time\"}]}", 0,
		     "views.py:42 in get()");
	expect_place("{}", "{\"processes\":[{\"pid\":2,\"error\":\"no Python\"}]}", 0, NULL);
	expect_place("{}", "{\"processes\":[]}", 0, NULL);
}
