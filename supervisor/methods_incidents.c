/* SPDX-License-Identifier: MIT */
/* incident.*: the reports in /var/lib/pysbx/incidents, newest first. */
#include "policy/document.h"
#include "policy/own.h"
#include "policy/quote.h"
#include "supervisor/methods.h"
#include "supervisor/store.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define LIST_DEFAULT	  20
#define LIST_MAX	  200
#define LOOKED_AT_MAX	  500 /* files that one call opens */
#define INCIDENT_SIZE_MAX ((size_t)1024 * 1024)

static int read_incident(const char *id, json_t **ret, struct error *err)
{
	char path[sizeof(DAEMON_INCIDENTS) + INCIDENT_ID_MAX + 16];

	snprintf(path, sizeof(path), DAEMON_INCIDENTS "/%s.json", id);
	return store_read(path, INCIDENT_SIZE_MAX, ret, err);
}

/* Whose it was is written in it: an app's name may be another's by now. */
static bool may_see(const struct call *call, const json_t *incident)
{
	return methods_may_see(call, json_string_value(json_object_get(incident, "tenant")));
}

/* Plain file names, as incident_make_id makes them. */
static bool is_id(const char *id)
{
	return id[0] != '\0' && id[0] != '.' && strlen(id) < INCIDENT_ID_MAX &&
	       strchr(id, '/') == NULL;
}

static int get_incident(struct call *call, const json_t *params, void *userdata, struct error *err)
{
	const char *id = rpc_params_string(params, "id", "");
	_cleanup_json_ json_t *incident = NULL;
	char shown[QUOTE_TEXT_MAX];
	int r = is_id(id) ? read_incident(id, &incident, err) : -ENOENT;
	(void)userdata;

	if (r == -ENOENT || (r >= 0 && !may_see(call, incident)))
		return error_set(err, ERROR_NOT_FOUND, 0, "there is no incident %s",
				 quote_text(id, shown));
	if (r < 0)
		return r;
	call_reply(call, TAKE_PTR(incident));
	return 0;
}

static json_t *pack_row(const char *id, const json_t *incident)
{
	return json_pack("{s:s, s:O?, s:O?, s:O?, s:O?}", "id", id, "app",
			 json_object_get(incident, "app"), "time",
			 json_object_get(incident, "time"), "cause",
			 json_object_get(incident, "cause"), "sentence",
			 json_object_get(incident, "sentence"));
}

static bool is_wanted(const struct call *call, const json_t *incident, const char *app)
{
	const char *of = json_string_value(json_object_get(incident, "app"));

	return may_see(call, incident) && (app == NULL || (of != NULL && strcmp(of, app) == 0));
}

static int list_incidents(struct call *call, const json_t *params, void *userdata,
			  struct error *err)
{
	size_t limit = (size_t)rpc_params_integer(params, "limit", LIST_DEFAULT);
	const char *app = rpc_params_string(params, "app", NULL);
	_cleanup_strings_ struct strings ids = { 0 };
	json_t *array;
	size_t looked_at = 0;
	int r;
	(void)userdata;

	r = store_list(DAEMON_INCIDENTS, &ids, err);
	if (r < 0)
		return r;
	array = json_array();
	/* an id begins with the time */
	for (size_t i = ids.count; i > 0 && json_array_size(array) < limit; i--) {
		_cleanup_json_ json_t *incident = NULL;
		struct error ignored;

		/* the name is in the id: most others need not be opened */
		if (app != NULL && strstr(ids.items[i - 1], app) == NULL)
			continue;
		if (looked_at++ >= LOOKED_AT_MAX)
			break;
		if (read_incident(ids.items[i - 1], &incident, &ignored) >= 0 &&
		    is_wanted(call, incident, app))
			(void)json_array_append_new(array, pack_row(ids.items[i - 1], incident));
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
	  .result = "the incident's object, as in pysbx(1)",
	  .flags = METHOD_TENANT,
	  .params = get_params,
	  .param_count = ARRAY_SIZE(get_params),
	  .handle = get_incident },
};
const size_t methods_incidents_count = ARRAY_SIZE(methods_incidents);
