/* SPDX-License-Identifier: MIT */
/* Which walls of an app's sandbox are up. */
#include "policy/wall.h"
#include "supervisor/file.h"
#include "supervisor/methods.h"

#include <fcntl.h>
#include <stdio.h>

/* Of the main process, as the kernel shows it now. False if it has ended, or can't be read. */
static bool read_status(pid_t pid, struct wall_status *ret)
{
	char path[32], text[FILE_KERNEL_MAX];
	struct error ignored;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	return pid > 0 && file_read_at(AT_FDCWD, path, text, sizeof(text), &ignored) >= 0 &&
	       wall_status_parse(text, ret, &ignored) == 0;
}

json_t *methods_app_walls(const struct app *app)
{
	const struct instance *instance = &app->instance;
	struct wall_status status = { 0 };
	struct wall walls[WALL_COUNT];
	struct wall_facts facts = {
		.spec = &app->spec,
		.started = app_pid(app) > 0 && app_state(app) != APP_STARTING,
		.landlock_abi = instance->landlock_abi,
		.landlock_errnum = instance->landlock_errnum,
	};

	if (!facts.started)
		return json_null();
	if (read_status(app_pid(app), &status))
		facts.status = &status;
	wall_judge(&facts, walls);
	return walls_to_json(walls);
}
