/* SPDX-License-Identifier: MIT */
#include "supervisor/uids.h"

#include "policy/document.h"
#include "policy/own.h"
#include "policy/quote.h"
#include "policy/spec.h"
#include "supervisor/store.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#define FILE_NAME     "uids"
#define FILE_SIZE_MAX ((size_t)16 * 1024 * 1024)

#define KEY_MAX (2 * SPEC_NAME_MAX + 2)

static const char *make_key(const char *tenant, const char *app, char key[KEY_MAX])
{
	snprintf(key, KEY_MAX, "%s%s%s", tenant != NULL ? tenant : "", tenant != NULL ? "/" : "",
		 app);
	return key;
}

/* *ret_app points into key, as *ret_tenant does into tenant, or is NULL. */
static void split_key(const char *key, char tenant[KEY_MAX], const char **ret_tenant,
		      const char **ret_app)
{
	const char *slash = strchr(key, '/');

	*ret_app = slash != NULL ? slash + 1 : key;
	*ret_tenant = slash != NULL ? tenant : NULL;
	snprintf(tenant, KEY_MAX, "%.*s", slash != NULL ? (int)(slash - key) : 0, key);
}

/* --- the range ------------------------------------------------------------------------------ */

static bool is_in_range(json_int_t uid)
{
	return uid >= IDENTITY_DAEMON_FIRST &&
	       uid < (json_int_t)IDENTITY_DAEMON_FIRST + IDENTITY_DYNAMIC_COUNT;
}

static bool is_marked(const uint8_t *bits, uid_t uid)
{
	uint32_t place = uid - IDENTITY_DAEMON_FIRST;

	return (bits[place / 8] >> place % 8 & 1) != 0;
}

static void mark(uint8_t *bits, uid_t uid, bool set)
{
	uint32_t place = uid - IDENTITY_DAEMON_FIRST;
	uint8_t bit = (uint8_t)(1U << place % 8);

	if (set)
		bits[place / 8] |= bit;
	else
		bits[place / 8] &= (uint8_t)~bit;
}

/* --- reading and writing -------------------------------------------------------------------- */

static int check_entry(const char *key, const json_t *value, struct error *err)
{
	char tenant_text[KEY_MAX], shown[QUOTE_TEXT_MAX];
	const char *tenant, *app;
	int r = 0;

	split_key(key, tenant_text, &tenant, &app);
	if (strlen(key) < KEY_MAX && tenant != NULL)
		r = spec_validate_name(tenant, err);
	if (strlen(key) >= KEY_MAX || r < 0 || spec_validate_name(app, err) < 0)
		return error_set(err, ERROR_INVALID, 0, "%s is no name of an app",
				 quote_text(key, shown));
	if (!json_is_integer(value) || !is_in_range(json_integer_value(value)))
		return error_set(err, ERROR_INVALID, 0, "%s: is no uid from %u to %u", key,
				 IDENTITY_DAEMON_FIRST,
				 IDENTITY_DAEMON_FIRST + IDENTITY_DYNAMIC_COUNT - 1);
	return 0;
}

static int take_entries(struct uids *uids, struct error *err)
{
	const char *key;
	json_t *value;

	if (!json_is_object(uids->map))
		return error_set(err, ERROR_INVALID, 0, "is no object");
	json_object_foreach(uids->map, key, value)
	{
		int r = check_entry(key, value, err);

		if (r < 0)
			return r;
		if (is_marked(uids->given, (uid_t)json_integer_value(value)))
			return error_set(err, ERROR_INVALID, 0, "%s: another app has this uid",
					 key);
		mark(uids->given, (uid_t)json_integer_value(value), true);
	}
	return 0;
}

static int load(struct uids *uids, struct error *err)
{
	char path[PATH_MAX];
	int r;

	snprintf(path, sizeof(path), "%s/" FILE_NAME ".json", uids->directory);
	r = store_read(path, FILE_SIZE_MAX, &uids->map, err);
	if (r == -ENOENT) {
		uids->map = json_object();
		r = 0;
	} else if (r >= 0) {
		r = take_entries(uids, err);
		if (r < 0)
			error_prefix(err, "%s", path);
	}
	if (r >= 0 && uids->map == NULL)
		r = error_no_memory(err);
	return r;
}

int uids_load(struct uids *uids, const char *directory, struct error *err)
{
	int r;

	*uids = (struct uids){ .directory = directory };
	r = load(uids, err);
	if (r < 0)
		uids_clear(uids);
	return r;
}

void uids_clear(struct uids *uids)
{
	json_decref(uids->map);
	*uids = (struct uids){ 0 };
}

int uids_save(struct uids *uids, struct error *err)
{
	int r;

	if (!uids->changed)
		return 0;
	r = store_write(uids->directory, FILE_NAME, uids->map, true, err);
	if (r < 0)
		return r;
	memset(uids->unsaved, 0, sizeof(uids->unsaved));
	uids->changed = false;
	return r;
}

int uids_secure(struct uids *uids, const char *tenant, const char *app, struct error *err)
{
	uid_t uid = uids_find(uids, tenant, app);

	return uid != 0 && is_marked(uids->unsaved, uid) ? uids_save(uids, err) : 0;
}

/* --- giving --------------------------------------------------------------------------------- */

uid_t uids_find(const struct uids *uids, const char *tenant, const char *app)
{
	char key[KEY_MAX];

	return (uid_t)json_integer_value(json_object_get(uids->map, make_key(tenant, app, key)));
}

static int set(struct uids *uids, const char *key, uid_t uid, struct error *err)
{
	if (json_object_set_new(uids->map, key, json_integer(uid)) < 0)
		return error_no_memory(err);
	mark(uids->given, uid, true);
	mark(uids->unsaved, uid, true);
	uids->changed = true;
	return 0;
}

static void forget(struct uids *uids, const char *key, uid_t uid)
{
	(void)json_object_del(uids->map, key);
	mark(uids->given, uid, false);
	mark(uids->unsaved, uid, false);
}

/* 0: all are given. */
static uid_t find_free(const struct uids *uids, const char *app)
{
	uint32_t start = identity_hash_name(app);

	for (uint32_t i = 0; i < IDENTITY_DYNAMIC_COUNT; i++) {
		uid_t uid = IDENTITY_DAEMON_FIRST + (start + i) % IDENTITY_DYNAMIC_COUNT;

		if (!is_marked(uids->given, uid))
			return uid;
	}
	return 0;
}

/* Of an app that is no more, which loses it. 0: there is none. */
static uid_t take_back(struct uids *uids, uids_is_used *is_used, void *userdata)
{
	char tenant_text[KEY_MAX];
	const char *key, *tenant, *app;
	json_t *value;

	json_object_foreach(uids->map, key, value)
	{
		uid_t uid = (uid_t)json_integer_value(value);

		split_key(key, tenant_text, &tenant, &app);
		if (is_used(tenant, app, userdata))
			continue;
		forget(uids, key, uid);
		return uid;
	}
	return 0;
}

int uids_give(struct uids *uids, const char *tenant, const char *app, uids_is_used *is_used,
	      void *userdata, uid_t *ret, struct error *err)
{
	uid_t uid = uids_find(uids, tenant, app);
	char key[KEY_MAX];
	int r = 0;

	if (uid == 0) {
		uid = find_free(uids, app);
		if (uid == 0)
			uid = take_back(uids, is_used, userdata);
		if (uid == 0)
			return error_set(err, ERROR_TOO_MANY, 0,
					 "user: all %u uids for apps are taken: name a user",
					 IDENTITY_DYNAMIC_COUNT);
		r = set(uids, make_key(tenant, app, key), uid, err);
	}
	if (r >= 0)
		*ret = uid;
	return r;
}

static void take_from_others(struct uids *uids, uid_t uid)
{
	const char *key;
	json_t *value;

	json_object_foreach(uids->map, key, value)
	{
		if ((uid_t)json_integer_value(value) != uid)
			continue;
		forget(uids, key, uid);
		return;
	}
}

int uids_note(struct uids *uids, const char *tenant, const char *app, uid_t uid, struct error *err)
{
	uid_t known = uids_find(uids, tenant, app);
	char key[KEY_MAX];

	if (!is_in_range(uid) || uid == known)
		return 0;
	make_key(tenant, app, key);
	if (known != 0)
		forget(uids, key, known);
	if (is_marked(uids->given, uid))
		take_from_others(uids, uid);
	return set(uids, key, uid, err);
}
