/* SPDX-License-Identifier: MIT */
/* Without cgroups: states are set as an instance would, and a start fails at its first step. */
#include "supervisor/app.h"

#include "policy/own.h"
#include "supervisor/clock.h"
#include "supervisor/reader.h"
#include "tests/supervisor/tree.h"

#include <errno.h>

static struct log silent;
static struct reader no_reader;
static struct kernel_log no_kernel_log = { .fd = -1 };
static struct app_host host;
static struct config *config;
static struct app *app;
static unsigned settled; /* calls of on_settled */
static int start_errno;	 /* what a start fails with */

static void ignore_change(struct app *changed, enum app_state from)
{
	(void)changed, (void)from;
}

static void ignore_incident(struct app *of, const char *id, const struct verdict *verdict)
{
	(void)of, (void)id, (void)verdict;
}

static void count_settled(struct app *of)
{
	(void)of;
	settled++;
}

static void record_nothing(struct app *of)
{
	(void)of;
}

/* Whichever step of a start comes first. */
static int refuse_scope(void *userdata, struct error *err)
{
	(void)userdata;
	return error_set(err, ERROR_SYSTEM, start_errno, "no place for apps");
}

static int refuse_start(struct instance *instance, struct plan **ret_plan, int *ret_filter_fd,
			struct error *err)
{
	(void)instance, (void)ret_plan, (void)ret_filter_fd;
	return error_set(err, ERROR_SYSTEM, start_errno, "no start");
}

static uint32_t count_up(void)
{
	static uint32_t number;

	return ++number;
}

static const struct settings_incidents incidents = { .keep = 200,
						     .max_age_usec = LIMIT_MAX,
						     .max_size = UINT64_C(1) << 30 };

static void begin(void)
{
	struct app_spec spec;
	struct error err;

	tree_make();
	silent = (struct log){ .threshold = LOG_LEVEL_ERROR };
	host = (struct app_host){
		.instance = { .log = &silent,
			      .image_fd = -1,
			      .root_fd = -1,
			      .init_cgroup_fd = -1,
			      .root_cgroup = "",
			      .reader = &no_reader,
			      .kernel_log = &no_kernel_log,
			      .incident_directory = tree_path("incidents"),
			      .incidents = &incidents,
			      .random = count_up },
		.log = { .log = &silent, .directory_fd = -1, .now_usec = clock_monotonic_usec },
		.config = &config,
		.on_change = ignore_change,
		.on_incident = ignore_incident,
		.on_settled = count_settled,
		.record = record_nothing,
		.need_scope = refuse_scope,
	};
	cr_assert_geq(sd_event_new(&host.instance.event), 0);
	host.log.event = host.instance.event;
	app_host_init(&host);
	host.instance.prepare = refuse_start;
	start_errno = ENOENT;
	cr_assert_eq(spec_init(&spec, &err), 0);
	spec.name = strdup("web");
	cr_assert_eq(app_new(&host, &spec, SOURCE_SOCKET, &app, &err), 0, "%s", err.text);
}

static void end(void)
{
	app_free(app);
	sd_event_unref(host.instance.event);
	tree_remove();
}

TestSuite(app, .init = begin, .fini = end, .timeout = 30);

/* As the instance does it: the state, who is to hear of it, and at rest the end. */
static void enter(enum app_state state)
{
	const enum app_state from = app_state(app);

	app->instance.state = state;
	host.instance.on_change(&app->instance, from);
	if (state == APP_STOPPED || state == APP_FAILED)
		app->instance.on_settled(&app->instance, app);
}

/* One who waits. */
struct caller {
	unsigned answers;
	int result;
	bool gone;
	enum app_state enters; /* when it is answered; APP_STATE_COUNT: nothing */
	struct app_wait again; /* and waits for, if it has a callback */
};

static void hear(struct app *of, int result, void *userdata)
{
	struct caller *caller = userdata;
	struct error err;

	(void)of;
	caller->answers++;
	caller->result = result;
	if (caller->enters != APP_STATE_COUNT)
		enter(caller->enters);
	if (caller->again.callback != NULL)
		cr_expect_eq(app_wait(app, &caller->again, &err), 0);
}

static bool caller_is_gone(const void *userdata)
{
	const struct caller *caller = userdata;

	return caller->gone;
}

static const struct caller newcomer = { .enters = APP_STATE_COUNT };

static struct app_wait wait_of(struct caller *caller, unsigned states)
{
	return (struct app_wait){
		.states = states, .callback = hear, .is_gone = caller_is_gone, .userdata = caller
	};
}

static void call(struct caller *caller, unsigned states)
{
	const struct app_wait wait = wait_of(caller, states);
	struct error err;

	*caller = newcomer;
	cr_assert_eq(app_wait(app, &wait, &err), 0, "%s", err.text);
}

static void expect_answer(const struct caller *caller, int result)
{
	cr_expect_eq(caller->answers, 1, "%u answers", caller->answers);
	cr_expect_eq(caller->result, result, "%d", caller->result);
}

/* --- waiting -------------------------------------------------------------------------------- */

Test(app, answers_at_once_in_a_state_that_is_waited_for)
{
	static struct caller caller;

	call(&caller, 1U << APP_STOPPED);
	expect_answer(&caller, 0);
}

Test(app, answers_each_when_its_state_comes)
{
	static struct caller first, second, third;

	call(&first, 1U << APP_RUNNING);
	call(&second, 1U << APP_STARTING);
	call(&third, 1U << APP_RUNNING);
	enter(APP_STARTING);
	expect_answer(&second, 0);
	cr_expect_eq(first.answers + third.answers, 0);
	enter(APP_RUNNING);
	expect_answer(&first, 0);
	expect_answer(&second, 0);
	expect_answer(&third, 0);
	cr_expect_eq(app->waiter_count, 0);
	cr_expect_null(app->waiters);
}

Test(app, tells_who_waits_too_long)
{
	static struct caller caller, patient;
	struct app_wait wait = wait_of(&caller, 1U << APP_RUNNING);
	struct error err;

	caller = newcomer;
	wait.usec = 1000;
	cr_assert_eq(app_wait(app, &wait, &err), 0);
	call(&patient, 1U << APP_RUNNING);
	cr_assert_geq(sd_event_run(host.instance.event, 10 * USEC_PER_SEC), 0);
	expect_answer(&caller, -ETIMEDOUT);
	cr_expect_eq(patient.answers, 0);
	cr_expect_eq(app->waiter_count, 1);
}

Test(app, tells_all_when_it_goes)
{
	static struct caller callers[3];

	for (size_t i = 0; i < ARRAY_SIZE(callers); i++)
		call(&callers[i], i == 0 ? 0 : 1U << APP_RUNNING);
	app_free(TAKE_PTR(app));
	for (size_t i = 0; i < ARRAY_SIZE(callers); i++)
		cr_expect_eq(callers[i].result, -ENOENT);
}

Test(app, bounds_how_many_wait_and_keeps_places_for_administrators)
{
	static struct caller callers[APP_WAITERS_MAX + APP_WAITERS_RESERVED], more;
	struct app_wait wait = wait_of(&more, 1U << APP_RUNNING);
	struct error err;

	more = newcomer;
	for (size_t i = 0; i < APP_WAITERS_MAX; i++)
		call(&callers[i], 1U << APP_RUNNING);
	cr_expect_lt(app_wait(app, &wait, &err), 0);
	cr_expect_eq(err.kind, ERROR_TOO_MANY);
	cr_expect_lt(app_can_wait(app, false, &err), 0);
	cr_expect_eq(app_can_wait(app, true, &err), 0);
	wait.admin = true;
	for (size_t i = 0; i < APP_WAITERS_RESERVED; i++)
		cr_expect_eq(app_wait(app, &wait, &err), 0);
	cr_expect_lt(app_wait(app, &wait, &err), 0);
	cr_expect_eq(err.kind, ERROR_TOO_MANY);
	/* that needs no waiting */
	wait.states = 1U << APP_STOPPED;
	cr_expect_eq(app_wait(app, &wait, &err), 0);
	expect_answer(&more, 0);
}

Test(app, forgets_those_who_wait_and_have_gone)
{
	static struct caller callers[APP_WAITERS_MAX], more;

	for (size_t i = 0; i < APP_WAITERS_MAX; i++)
		call(&callers[i], 1U << APP_RUNNING);
	for (size_t i = 0; i < APP_WAITERS_MAX; i += 2)
		callers[i].gone = true;
	call(&more, 1U << APP_RUNNING);
	cr_expect_eq(app->waiter_count, APP_WAITERS_MAX / 2 + 1);
	for (size_t i = 0; i < APP_WAITERS_MAX; i += 2)
		expect_answer(&callers[i], -ECANCELED);
	enter(APP_RUNNING);
	for (size_t i = 1; i < APP_WAITERS_MAX; i += 2)
		expect_answer(&callers[i], 0);
	expect_answer(&more, 0);
}

Test(app, does_not_ask_one_again_in_the_round_in_which_it_was_answered)
{
	static struct caller caller, other;

	call(&other, 1U << APP_RUNNING);
	call(&caller, 1U << APP_RUNNING);
	caller.again = wait_of(&caller, 1U << APP_STOPPING);
	enter(APP_RUNNING);
	expect_answer(&caller, 0);
	expect_answer(&other, 0);
	cr_expect_eq(app->waiter_count, 1);
	caller.again.callback = NULL;
	enter(APP_STOPPING);
	cr_expect_eq(caller.answers, 2);
}

Test(app, survives_a_caller_that_changes_the_state_or_drops_the_next_one)
{
	static struct caller last, next, first;

	call(&last, 1U << APP_RUNNING | 1U << APP_SUSPENDED);
	call(&next, 1U << APP_SUSPENDED);
	call(&first, 1U << APP_RUNNING);
	first.enters = APP_SUSPENDED;
	enter(APP_RUNNING);
	expect_answer(&first, 0);
	expect_answer(&next, 0);
	expect_answer(&last, 0);
	cr_expect_eq(app->waiter_count, 0);

	call(&next, 1U << APP_RUNNING);
	call(&first, 1U << APP_RUNNING);
	next.gone = true;
	first.again = wait_of(&last, 1U << APP_STOPPING);
	enter(APP_RUNNING);
	expect_answer(&first, 0);
	expect_answer(&next, -ECANCELED);
	cr_expect_eq(app->waiter_count, 1);
}

/* What a call that starts the app waits for. */
#define STARTED (1U << APP_RUNNING | 1U << APP_BACKOFF | 1U << APP_FAILED | APP_SETTLED)

Test(app, keeps_who_waits_for_a_restart_past_its_stop)
{
	static struct caller restart, stop;

	enter(APP_RUNNING);
	app_restart(app);
	call(&restart, STARTED);
	call(&stop, APP_SETTLED | 1U << APP_STARTING);
	enter(APP_STOPPED); /* and is started: which fails here, for good */
	cr_expect_eq(app_state(app), APP_FAILED);
	expect_answer(&restart, 0);
	expect_answer(&stop, 0);
	cr_expect_eq(settled, 1);
}

Test(app, keeps_who_starts_one_that_stops_until_it_was_started)
{
	static struct caller start, seen;

	start_errno = EAGAIN;
	enter(APP_RUNNING);
	app_stop(app);
	app_start(app);
	call(&start, STARTED);
	call(&seen, 1U << APP_STOPPED);
	enter(APP_STOPPED);
	expect_answer(&seen, 0);
	expect_answer(&start, 0);
	cr_expect_eq(app_state(app), APP_BACKOFF);
	cr_expect_eq(settled, 0);
}

Test(app, answers_a_restart_that_a_stop_has_overtaken)
{
	static struct caller restart;

	enter(APP_RUNNING);
	app_restart(app);
	call(&restart, STARTED);
	app_stop(app);
	cr_expect_eq(restart.answers, 0);
	enter(APP_STOPPED);
	expect_answer(&restart, 0);
}

Test(app, is_settled_only_when_it_has_been_cleaned_up_after)
{
	static struct caller caller;

	enter(APP_RUNNING);
	app->has_slice = true;
	app_stop(app);
	call(&caller, APP_SETTLED);
	app->instance.state = APP_STOPPED;
	host.instance.on_change(&app->instance, APP_STOPPING);
	cr_expect_eq(caller.answers, 0);
	app->instance.on_settled(&app->instance, app);
	expect_answer(&caller, 0);
	cr_expect_not(app->has_slice);
}

/* --- stopping ------------------------------------------------------------------------------- */

Test(app, keeps_its_grace_when_it_is_stopped_again)
{
	enter(APP_STARTING);
	enter(APP_RUNNING);
	app_stop(app);
	cr_expect_eq(app_state(app), APP_STOPPING);
	app_stop(app);
	cr_expect_not(app->instance.killed_by_us);
	app_kill(app);
	cr_expect(app->instance.killed_by_us);
}

Test(app, does_not_start_again_when_a_stop_comes_after_a_restart)
{
	enter(APP_RUNNING);
	app_restart(app);
	cr_expect(app->start_again);
	app_stop(app);
	cr_expect_not(app->start_again);
	enter(APP_STOPPED);
	cr_expect_eq(settled, 1);
	cr_expect_eq(app_state(app), APP_STOPPED);
}

Test(app, tells_who_waits_for_its_end_that_it_stays)
{
	static struct caller removal, other;

	enter(APP_RUNNING);
	app->remove = true;
	app_stop(app);
	call(&removal, APP_KEPT);
	call(&other, 1U << APP_RUNNING);
	app_keep(app);
	app_start(app);
	expect_answer(&removal, 0);
	cr_expect_eq(other.answers, 0);
	cr_expect_not(app->remove);
	cr_expect(app->start_again);
}

Test(app, is_not_started_by_a_change_after_a_stop)
{
	struct app_spec spec;
	struct error err;

	enter(APP_RUNNING);
	app_stop(app);
	cr_assert_eq(spec_init(&spec, &err), 0);
	spec.name = strdup("web");
	spec.directory = strdup("/srv");
	app_change_commit(app, &spec);
	cr_expect_not(app->start_again);
	spec_clear(&spec);
}

Test(app, moves_home_when_nothing_of_it_is_elsewhere_any_more)
{
	struct error err;

	cr_assert_eq(app_set_place(app, "acme.tenant/web.slice", &err), 0);
	app->uid = 4000;
	app->has_slice = true;
	enter(APP_RUNNING);
	cr_expect_str_eq(app->path, "acme.tenant/web.slice");
	enter(APP_STOPPED);
	cr_expect_str_eq(app->path, "web.slice");
	cr_expect_eq(app->uid, 0);
	cr_expect_not(app->has_slice);
}
