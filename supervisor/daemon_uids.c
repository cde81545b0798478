/* SPDX-License-Identifier: MIT */
/*
 * The uids of apps that name no user (supervisor/uids.h): given for all at once where many come at
 * once, since each save writes the whole file.
 */
#include "supervisor/daemon.h"

#include <string.h>

static bool is_used(const char *tenant, const char *name, void *userdata)
{
	const struct app *app = daemon_find_app(userdata, name);

	if (app == NULL)
		return false;
	return tenant == NULL || app->spec.tenant == NULL ? tenant == app->spec.tenant
							  : strcmp(tenant, app->spec.tenant) == 0;
}

void daemon_note_uids(struct daemon *daemon, const json_t *records)
{
	struct error err;
	const char *name;
	json_t *record;

	json_object_foreach((json_t *)records, name, record)
	{
		const char *tenant = json_string_value(json_object_get(record, "tenant"));
		json_int_t uid = json_integer_value(json_object_get(record, "uid"));

		if (uid <= 0 || uid > UINT32_MAX || spec_validate_name(name, &err) < 0 ||
		    (tenant != NULL && spec_validate_name(tenant, &err) < 0))
			continue;
		if (uids_note(&daemon->uids, tenant, name, (uid_t)uid, &err) < 0)
			log_message(&daemon->log, LOG_LEVEL_ERROR, name, "%s", err.text);
	}
}

void daemon_give_uids(struct daemon *daemon)
{
	struct error err;
	uid_t uid;
	int r = 0;

	for (size_t i = 0; r >= 0 && i < daemon->app_count; i++) {
		const struct app *app = daemon->apps[i];

		if (app->spec.user == NULL && !app->held && !app->remove)
			r = uids_give(&daemon->uids, app->spec.tenant, app->spec.name, is_used,
				      daemon, &uid, &err);
	}
	if (r >= 0)
		r = uids_save(&daemon->uids, &err);
	/* each start tries again, and tells */
	if (r < 0)
		log_message(&daemon->log, LOG_LEVEL_ERROR, NULL, "%s", err.text);
}

int daemon_own_uid(struct app *app, uid_t *ret, struct error *err)
{
	struct daemon *daemon = app->host->userdata;
	uid_t uid;
	int r;

	r = uids_give(&daemon->uids, app->spec.tenant, app->spec.name, is_used, daemon, &uid, err);
	if (r >= 0)
		r = uids_secure(&daemon->uids, app->spec.tenant, app->spec.name, err);
	if (r >= 0)
		*ret = uid;
	return r;
}
