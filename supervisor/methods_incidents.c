/* SPDX-License-Identifier: MIT */
/* incident.*: the reports in /var/lib/pysbx/incidents, newest first. */
#include "policy/document.h"
#include "policy/incident_customer.h"
#include "policy/own.h"
#include "policy/quote.h"
#include "supervisor/incident_list.h"
#include "supervisor/incident_store.h"
#include "supervisor/methods.h"
#include "supervisor/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define LIST_DEFAULT	  20
#define LIST_MAX	  200
#define LOOKED_AT_MAX	  500 /* files that a tenant's call opens: some may be another's */
#define INCIDENT_SIZE_MAX ((size_t)4 * 1024 * 1024)

static int read_incident(const char *app, const char *id, json_t **ret, struct error *err)
{
	char path[sizeof(DAEMON_INCIDENTS) + SPEC_NAME_MAX + INCIDENT_ID_MAX + 16];

	snprintf(path, sizeof(path), DAEMON_INCIDENTS "/%s/%s" INCIDENT_STORE_SUFFIX, app, id);
	return store_read(path, INCIDENT_SIZE_MAX, ret, err);
}

/* What an incident is listed by stands before its log, which stands before what is large. What is
 * written otherwise is read as a whole. */
static int read_head(const char *app, const char *id, json_t **ret, struct error *err)
{
	static const char log[] = "\n  \"log\":", end[] = "\n}";
	char path[sizeof(DAEMON_INCIDENTS) + SPEC_NAME_MAX + INCIDENT_ID_MAX + 16];
	char text[INCIDENT_HEAD_MAX + sizeof(end)];
	_cleanup_close_ int fd = -1;
	struct error ignored;
	ssize_t length;
	char *at;

	snprintf(path, sizeof(path), DAEMON_INCIDENTS "/%s/%s" INCIDENT_STORE_SUFFIX, app, id);
	fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	length = fd >= 0 ? read(fd, text, INCIDENT_HEAD_MAX) : 0;
	text[length > 0 ? length : 0] = '\0';
	at = strstr(text, log);
	if (at == NULL || at == text || at[-1] != ',')
		return read_incident(app, id, ret, err);
	memcpy(at - 1, end, sizeof(end));
	if (document_parse(text, strlen(text), sizeof(text), ret, &ignored) >= 0)
		return 0;
	return read_incident(app, id, ret, err);
}

/* Whose it was is written in it: an app's name may be another's by now. */
static bool may_see(const struct call *call, const json_t *incident)
{
	return methods_may_see(call, json_string_value(json_object_get(incident, "tenant")));
}

/* A tenant is told what is its own: nothing of the host's. */
static int reply(struct call *call, json_t *incident, struct error *err)
{
	json_t *told =
		call_tenant(call) != NULL ? incident_for_customer(incident) : json_incref(incident);

	if (told == NULL)
		return error_no_memory(err);
	call_reply(call, told);
	return 0;
}

static int get_incident(struct call *call, const json_t *params, void *userdata, struct error *err)
{
	const char *id = rpc_params_string(params, "id", "");
	_cleanup_json_ json_t *incident = NULL;
	char shown[QUOTE_TEXT_MAX], app[SPEC_NAME_MAX + 1] = "";
	int r = incident_list_find(DAEMON_INCIDENTS, id, app, err);
	(void)userdata;

	if (r >= 0)
		r = read_incident(app, id, &incident, err);
	if (r == -ENOENT || (r >= 0 && !may_see(call, incident)))
		return error_set(err, ERROR_NOT_FOUND, 0, "there is no incident %s",
				 quote_text(id, shown));
	if (r < 0)
		return r;
	return reply(call, incident, err);
}

static json_t *pack_row(const char *id, const json_t *incident)
{
	return json_pack("{s:s, s:O?, s:O?, s:O?, s:O?}", "id", id, "app",
			 json_object_get(incident, "app"), "time",
			 json_object_get(incident, "time"), "cause",
			 json_object_get(incident, "cause"), "sentence",
			 json_object_get(incident, "sentence"));
}

/* Those whose incidents are looked at: the one that was asked for, or all that the caller sees.
 * NULL in *ret_apps: all there are, those of removed apps too. */
static int choose_apps(const struct daemon *daemon, const struct call *call, const char *app,
		       struct strings *apps, const struct strings **ret_apps, struct error *err)
{
	int r = 0;

	*ret_apps = app == NULL && call_tenant(call) == NULL ? NULL : apps;
	if (app != NULL)
		return strings_append(apps, app, err);
	for (size_t i = 0; r >= 0 && *ret_apps != NULL && i < daemon->app_count; i++) {
		const struct app_spec *spec = &daemon->apps[i]->spec;

		if (methods_may_see(call, spec->tenant))
			r = strings_append(apps, spec->name, err);
	}
	return r;
}

static json_t *pack_rows(const struct call *call, const struct incident_row *rows, size_t count,
			 size_t limit)
{
	json_t *array = json_array();

	for (size_t i = 0; i < count && json_array_size(array) < limit; i++) {
		_cleanup_json_ json_t *incident = NULL;
		struct error ignored;

		if (read_head(rows[i].app, rows[i].id, &incident, &ignored) >= 0 &&
		    may_see(call, incident))
			(void)json_array_append_new(array, pack_row(rows[i].id, incident));
	}
	return array;
}

/* An app that isn't there, and none of whose incidents are. */
static bool is_unknown(const struct daemon *daemon, const struct call *call, const char *name)
{
	const struct app *app = daemon_find_app(daemon, name);

	return app == NULL || !methods_may_see(call, app->spec.tenant);
}

static int list_incidents(struct call *call, const json_t *params, void *userdata,
			  struct error *err)
{
	size_t limit = (size_t)rpc_params_integer(params, "limit", LIST_DEFAULT), count = 0;
	size_t max = call_tenant(call) == NULL ? limit : LOOKED_AT_MAX;
	const char *app = rpc_params_string(params, "app", NULL);
	_cleanup_free_ struct incident_row *rows = NULL;
	struct strings apps _cleanup_strings_ = { 0 };
	const struct strings *wanted = NULL;
	char shown[QUOTE_TEXT_MAX];
	json_t *array;
	int r;

	r = choose_apps(userdata, call, app, &apps, &wanted, err);
	if (r >= 0)
		r = incident_list_newest(DAEMON_INCIDENTS, wanted, max, &rows, &count, err);
	if (r < 0)
		return r;
	array = pack_rows(call, rows, count, limit);
	if (app != NULL && json_array_size(array) == 0 && is_unknown(userdata, call, app)) {
		json_decref(array);
		return error_set(err, ERROR_NOT_FOUND, 0, "there is no app %s",
				 quote_text(app, shown));
	}
	call_reply(call, json_pack("{s:o}", "incidents", array));
	return 0;
}

static const struct rpc_param list_params[] = {
	{ .name = "app", .type = RPC_STRING, .help = "Only those of this app" },
	{ .name = "limit",
	  .type = RPC_INTEGER,
	  .min = 1,
	  .max = LIST_MAX,
	  .help = "How many at the most" },
};
static const struct rpc_param get_params[] = {
	{ .name = "id", .type = RPC_STRING, .required = true, .help = "As incident.list tells it" },
};

const struct control_method methods_incidents[] = {
	{ .name = "incident.list",
	  .summary = "Lists deaths that were explained, newest first",
	  .result = "incidents: objects of id, app, time, cause, sentence",
	  .flags = METHOD_TENANT,
	  .params = list_params,
	  .param_count = ARRAY_SIZE(list_params),
	  .handle = list_incidents },
	{ .name = "incident.get",
	  .summary = "Tells all about one incident",
	  .result = "the incident's object, as in pysbx-incident(5); for a tenant without what is "
		    "the host's",
	  .flags = METHOD_TENANT,
	  .params = get_params,
	  .param_count = ARRAY_SIZE(get_params),
	  .handle = get_incident },
};
const size_t methods_incidents_count = ARRAY_SIZE(methods_incidents);
