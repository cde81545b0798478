/* SPDX-License-Identifier: MIT */
/* Of an app at whose port nobody listens, in a network of its own. */
#include "supervisor/health.h"

#include "policy/own.h"
#include "supervisor/clock.h"
#include "supervisor/instance.h"
#include "tests/supervisor/network_fixture.h"
#include "tests/supervisor/tree.h"

#include <criterion/criterion.h>

TestSuite(health, .timeout = 30);

static struct log test_log = { .threshold = LOG_LEVEL_ERROR };
static struct instance_host host = { .log = &test_log };
static struct app_spec spec = { .name = (char *)"web" };
static struct instance instance = { .host = &host, .spec = &spec, .app_path = "web.slice" };

static uint32_t no_chance(void)
{
	return 0;
}

static struct health *begin(void)
{
	struct health *health = NULL;
	struct error err;

	if (!network_fixture_enter())
		cr_skip_test("needs network namespaces");
	tree_make();
	tree_directory("web.slice/0", 0755);
	cr_assert_geq(sd_event_new(&host.event), 0);
	host.root_fd = open(tree, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	host.random = no_chance;
	snprintf(instance.leaf_name, sizeof(instance.leaf_name), "0");
	instance.state = APP_RUNNING;
	instance.was_well = true;
	spec.health = (struct health_policy){ .http = (char *)"http://127.0.0.1:8000/",
					      .interval_usec = 40000,
					      .timeout_usec = 40000,
					      .failures = 1000 };
	cr_assert_eq(health_new(&instance, &health, &err), 0, "%s", err.text);
	return health;
}

static void end(struct health *health)
{
	health_free(health);
	host.event = sd_event_unref(host.event);
	close_and_clear(&host.root_fd);
	tree_remove();
}

static void run_until_failures(const struct health *health, unsigned count)
{
	while (health_tracker(health)->failures < count)
		cr_assert_geq(sd_event_run(host.event, UINT64_MAX), 0);
}

/* Between two questions, so that none of them has found it suspended. */
Test(health, forgets_what_was_before_a_suspension)
{
	struct health *health = begin();

	run_until_failures(health, 3);
	health_forget(health);
	cr_expect_eq(health_tracker(health)->failures, 0);
	cr_expect_eq(health_tracker(health)->state, HEALTH_HEALTHY);
	run_until_failures(health, 1); /* and goes on */
	health_forget(NULL);
	end(health);
}
