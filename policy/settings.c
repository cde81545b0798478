/* SPDX-License-Identifier: MIT */
#include "policy/settings.h"

#include "policy/own.h"
#include "policy/place.h"
#include "policy/quote.h"
#include "policy/spec_json.h"

#include <assert.h>
#include <string.h>

const char *const settings_keys[SETTINGS_KEYS] = { "defaults", "log_level", "incidents",
						   "on_incident", "on_incident_user" };

static const char *const level_names[] = {
	[SETTINGS_LOG_ERROR] = "error",
	[SETTINGS_LOG_WARNING] = "warning",
	[SETTINGS_LOG_INFO] = "info",
	[SETTINGS_LOG_DEBUG] = "debug",
};
static_assert(ARRAY_SIZE(level_names) == SETTINGS_LOG_LEVEL_COUNT, "a name for each level");

static const struct place document = { NULL, NULL, 0 };

void settings_init(struct settings *settings)
{
	*settings = (struct settings){ .log_level = SETTINGS_LOG_INFO };
	settings_incidents_init(&settings->incidents);
}

void settings_clear(struct settings *settings)
{
	json_decref(settings->defaults);
	strings_clear(&settings->incidents.mask);
	strings_clear(&settings->on_incident);
	free(settings->on_incident_user);
	settings_init(settings);
}

const char *settings_log_level_name(enum settings_log_level level)
{
	return (size_t)level < ARRAY_SIZE(level_names) ? level_names[level] : "unknown";
}

int settings_log_level_parse(const char *text, enum settings_log_level *ret, struct error *err)
{
	char shown[QUOTE_TEXT_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(level_names); i++)
		if (strcmp(text, level_names[i]) == 0) {
			*ret = (enum settings_log_level)i;
			return 0;
		}
	return error_set(err, ERROR_INVALID, 0,
			 "%s is not known here: write error, warning, info or debug",
			 quote_text(text, shown));
}

static int read_log_level(const json_t *value, enum settings_log_level *ret, struct error *err)
{
	static const struct place at = { &document, "log_level", 0 };
	const char *text = "";
	int r = place_text(&at, value, &text, err);

	if (r < 0)
		return r;
	r = settings_log_level_parse(text, ret, err);
	return r < 0 ? place_prefix(&at, r, err) : 0;
}

static int read_user(const json_t *value, char **ret, struct error *err)
{
	static const struct place at = { &document, "on_incident_user", 0 };
	const char *text = "";
	int r = place_text(&at, value, &text, err);

	if (r < 0)
		return r;
	*ret = strdup(text);
	return *ret != NULL ? 0 : error_no_memory(err);
}

static int read_hook(const json_t *object, struct settings *settings, struct error *err)
{
	static const struct place at_hook = { &document, "on_incident", 0 },
				  at_user = { &document, "on_incident_user", 0 };
	const json_t *hook = json_object_get(object, "on_incident");
	const json_t *user = json_object_get(object, "on_incident_user");
	int r = 0;

	if (hook != NULL)
		r = settings_hook_read(&at_hook, hook, &settings->on_incident, err);
	if (r == 0 && user != NULL)
		r = read_user(user, &settings->on_incident_user, err);
	if (r == 0 && user != NULL && hook == NULL)
		r = place_refuse(&at_user, err, "is for on_incident, which is not here");
	return r;
}

int settings_from_json(const json_t *object, struct settings *ret, struct error *err)
{
	static const struct place at_defaults = { &document, "defaults", 0 },
				  at_incidents = { &document, "incidents", 0 };
	json_t *defaults = json_object_get(object, "defaults");
	const json_t *level = json_object_get(object, "log_level");
	const json_t *incidents = json_object_get(object, "incidents");
	_cleanup_settings_ struct settings settings;
	int r;

	settings_init(&settings);
	r = place_check_keys(&document, object, settings_keys, SETTINGS_KEYS, err);
	if (r == 0 && level != NULL)
		r = read_log_level(level, &settings.log_level, err);
	if (r == 0 && defaults != NULL)
		r = spec_check_defaults(defaults, &at_defaults, err);
	if (r == 0 && incidents != NULL)
		r = settings_incidents_read(&at_incidents, incidents, &settings.incidents, err);
	if (r == 0)
		r = read_hook(object, &settings, err);
	if (r < 0)
		return r;
	settings.defaults = json_incref(defaults);
	*ret = settings;
	settings_init(&settings);
	return 0;
}
