/* SPDX-License-Identifier: MIT */
/* Which walls of an app's sandbox are up. */
#include "policy/wall.h"
#include "supervisor/methods.h"

json_t *methods_app_walls(const struct app *app)
{
	const struct instance *instance = &app->instance;
	struct wall_status status = { 0 };
	struct wall walls[WALL_COUNT];
	struct wall_facts facts = {
		.permits = instance_permits(&app->instance),
		.spec = &app->spec,
		.started = app_pid(app) > 0 && app_state(app) != APP_STARTING,
		.landlock_abi = instance->landlock_abi,
		.landlock_errnum = instance->landlock_errnum,
	};

	if (!facts.started)
		return json_null();
	if (instance_read_status(instance, &status))
		facts.status = &status;
	wall_judge(&facts, walls);
	return walls_to_json(walls);
}
