/* SPDX-License-Identifier: MIT */
/* The queue of starts, on a daemon that has no place for apps. */
#include "supervisor/daemon.h"

#include "supervisor/clock.h"
#include "tests/supervisor/tree.h"

#include <errno.h>

#define APPS 100 /* the queue has to grow */
#define HOUR UINT64_C(3600000000)

static struct daemon daemon_;
static struct reader no_reader;
static struct kernel_log no_kernel_log = { .fd = -1 };

static void record_nothing(struct app *app)
{
	(void)app;
}

/* The first step of a start: here it goes no further than the scope, which there isn't. */
static int need_scope(struct instance *instance, struct plan **ret_plan, int *ret_filter_fd,
		      struct error *err)
{
	(void)instance, (void)ret_plan, (void)ret_filter_fd;
	return daemon_need_scope(&daemon_, err);
}

static uint32_t count_up(void)
{
	static uint32_t number;

	return ++number;
}

static int do_nothing(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)source, (void)usec, (void)userdata;
	return 0;
}

static void add_apps(const char *tenant)
{
	for (unsigned i = 0; i < APPS; i++) {
		struct app_spec spec;
		struct app *app;
		struct error err;
		char name[16];

		cr_assert_eq(spec_init(&spec, &err), 0);
		snprintf(name, sizeof(name), "app-%02u", i);
		spec.name = strdup(name);
		spec.tenant = tenant != NULL ? strdup(tenant) : NULL;
		cr_assert_eq(daemon_add_app(&daemon_, &spec, SOURCE_SOCKET, &app, &err), 0);
	}
}

static const struct settings_incidents incidents = { .keep = 200,
						     .max_age_usec = LIMIT_MAX,
						     .max_size = UINT64_C(1) << 30 };

static void begin(void)
{
	struct error err;

	tree_make();
	daemon_ = (struct daemon){
		.options = { .cgroup_root = tree_path("nowhere") },
		.log = { .threshold = LOG_LEVEL_ERROR },
		.scope = { .fd = -1, .init_fd = -1, .anchor = { .pidfd = -1, .socket = -1 } },
	};
	cr_assert_geq(sd_event_new(&daemon_.event), 0);
	cr_assert_eq(events_new(&daemon_.events, 0, &daemon_.log, &err), 0);
	/* one that is due already, so none is written to /run */
	cr_assert_geq(sd_event_add_time_relative(daemon_.event, &daemon_.saver, CLOCK_MONOTONIC,
						 HOUR, 1, do_nothing, NULL),
		      0);
	daemon_.host = (struct app_host){
		.config = &daemon_.config,
		.instance = { .event = daemon_.event,
			      .log = &daemon_.log,
			      .image_fd = -1,
			      .root_fd = -1,
			      .init_cgroup_fd = -1,
			      .root_cgroup = "",
			      .reader = &no_reader,
			      .kernel_log = &no_kernel_log,
			      .incident_directory = tree_path("incidents"),
			      .incidents = &incidents,
			      .random = count_up },
		.log = { .event = daemon_.event,
			 .log = &daemon_.log,
			 .directory_fd = -1,
			 .now_usec = clock_monotonic_usec },
	};
	daemon_set_callbacks(&daemon_);
	daemon_.host.record = record_nothing;
	daemon_.host.instance.prepare = need_scope;
}

static void end(void)
{
	for (size_t i = 0; i < daemon_.app_count; i++)
		app_free(daemon_.apps[i]);
	free(daemon_.apps);
	free(daemon_.queue);
	events_free(daemon_.events);
	sd_event_source_disable_unref(daemon_.starter);
	sd_event_source_disable_unref(daemon_.reaper);
	sd_event_source_disable_unref(daemon_.saver);
	sd_event_source_disable_unref(daemon_.trimmer);
	sd_event_source_disable_unref(daemon_.scope_again);
	sd_event_unref(daemon_.event);
	tree_remove();
}

TestSuite(daemon_apps, .init = begin, .fini = end, .timeout = 30);

static void queue_all(void)
{
	for (size_t i = 0; i < daemon_.app_count; i++)
		daemon_queue_app(&daemon_, daemon_.apps[i]);
}

static size_t count_state(enum app_state state)
{
	size_t count = 0;

	for (size_t i = 0; i < daemon_.app_count; i++)
		count += app_state(daemon_.apps[i]) == state;
	return count;
}

static void turn(void)
{
	cr_assert_geq(sd_event_run(daemon_.event, 0), 0);
}

Test(daemon_apps, starts_a_bounded_number_in_a_turn_also_when_each_fails_at_once)
{
	add_apps(NULL);
	queue_all();
	turn();
	cr_expect_eq(count_state(APP_STOPPED), APPS - DAEMON_STARTS_AT_A_TIME);
	for (unsigned i = 0; i < APPS; i++)
		turn();
	cr_expect_eq(count_state(APP_STOPPED), 0);
	cr_expect_eq(daemon_.queue_count, 0);
}

Test(daemon_apps, keeps_the_queue_while_there_is_no_scope_for_now)
{
	daemon_.scope_again_usec = clock_monotonic_usec() + HOUR;
	(void)error_set(&daemon_.scope_error, ERROR_UNREACHABLE, EAGAIN, "no answer");
	add_apps(NULL);
	queue_all();
	for (unsigned i = 0; i < APPS; i++)
		turn();
	cr_expect_eq(count_state(APP_STOPPED), APPS);
	cr_expect_eq(daemon_.queue_count, APPS);
	cr_expect_not_null(daemon_.scope_again);
	/* one that is started by name is tried again by itself */
	daemon_start_app(daemon_.apps[0]);
	cr_expect_eq(app_state(daemon_.apps[0]), APP_BACKOFF);
}

Test(daemon_apps, starts_nothing_while_systemd_stops_the_scope)
{
	struct error err;

	daemon_.scope_stops = true;
	daemon_.scope.fd = 1000; /* is there, and must not be used */
	cr_expect_lt(daemon_need_scope(&daemon_, &err), 0);
	cr_expect_eq(err.kind, ERROR_CONFLICT);
	daemon_.scope.fd = -1;
	add_apps(NULL);
	daemon_start_app(daemon_.apps[0]);
	cr_expect_eq(app_state(daemon_.apps[0]), APP_FAILED);
}

Test(daemon_apps, counts_apps_that_are_being_removed)
{
	add_apps("acme");
	daemon_.apps[0]->instance.state = APP_STOPPING;
	daemon_remove_app(&daemon_, daemon_.apps[0]);
	cr_expect_eq(daemon_count_apps(&daemon_, "acme"), APPS);
	cr_expect_eq(daemon_count_apps(&daemon_, "other"), 0);
	/* it keeps its grace */
	cr_expect_not(daemon_.apps[0]->instance.killed_by_us);
}

Test(daemon_apps, starts_one_again_that_is_declared_while_it_is_removed)
{
	struct app *stopping, *resting;

	add_apps(NULL);
	stopping = daemon_.apps[0];
	resting = daemon_.apps[1];
	stopping->instance.state = APP_STOPPING;
	daemon_remove_app(&daemon_, stopping);
	daemon_remove_app(&daemon_, resting);
	daemon_keep_app(&daemon_, stopping);
	daemon_keep_app(&daemon_, resting);
	cr_expect(stopping->start_again);
	cr_expect(resting->queued);
	turn(); /* the reaper's: nobody goes */
	cr_expect_eq(daemon_.app_count, APPS);
}
