/* SPDX-License-Identifier: MIT */
#include "policy/tenant.h"

#include "policy/ceiling.h"
#include "policy/declaration.h"
#include "policy/document.h"
#include "policy/listen.h"
#include "policy/own.h"
#include "policy/path.h"
#include "policy/quote.h"
#include "policy/spec_json.h"

#include <string.h>

const char *const tenant_keys[TENANT_KEYS] = { "name", "users", "plan", "limits", "directories" };

static const struct place document = { NULL, NULL, 0 };

/* What a cgroup above those of the apps can hold. */
#define TENANT_LIMITS                                                       \
	(SPEC_FIELD_BIT(FIELD_MEMORY) | SPEC_FIELD_BIT(FIELD_MEMORY_HIGH) | \
	 SPEC_FIELD_BIT(FIELD_MEMORY_SWAP) | SPEC_FIELD_BIT(FIELD_CPU) |    \
	 SPEC_FIELD_BIT(FIELD_CPU_WEIGHT) | SPEC_FIELD_BIT(FIELD_PIDS) | SPEC_FIELD_BIT(FIELD_IO))
/* A weight holds among siblings only: an app's says nothing next to its tenant's. */
#define TENANT_CEILINGS (TENANT_LIMITS & ~SPEC_FIELD_BIT(FIELD_CPU_WEIGHT))

void tenant_clear(struct tenant *tenant)
{
	free(tenant->name);
	strings_clear(&tenant->users);
	free(tenant->plan);
	spec_clear_limits(&tenant->limits);
	strings_clear(&tenant->directories);
	*tenant = (struct tenant){ 0 };
}

/* --- JSON ------------------------------------------------------------------------------------- */

static int check_user(const char *user, const struct place *at, struct error *err)
{
	char shown[QUOTE_TEXT_MAX];
	int r;

	if (strchr(user, ':') != NULL)
		return place_refuse(at, err, "%s is no login: write a user's name or uid",
				    quote_text(user, shown));
	r = spec_validate_user(user, err);
	return r < 0 ? place_prefix(at, r, err) : 0;
}

static int check_directory(const char *path, const struct place *at, struct error *err)
{
	char shown[QUOTE_TEXT_MAX];
	const char *objection;

	quote_text(path, shown);
	if (strlen(path) > PATH_TEXT_MAX || !path_is_normal(path))
		return place_refuse(at, err,
				    "%s is not an absolute path without \".\", \"..\" and double "
				    "slashes",
				    shown);
	objection = spec_path_objection(path, true);
	return objection != NULL ? place_refuse(at, err, "%s %s", shown, objection) : 0;
}

static int read_directories(const json_t *object, struct tenant *tenant, struct error *err)
{
	const struct place at = { &document, "directories", 0 };
	int r;

	r = declaration_read_list(NULL, object, "directories", TENANT_DIRECTORIES_MAX,
				  check_directory, &tenant->directories, err);
	if (r < 0 || tenant->directories.count > 0)
		return r;
	if (json_object_get(object, "directories") != NULL)
		return place_refuse(&at, err, "is empty: leave it out for %s/%s",
				    TENANT_DIRECTORY_ROOT, tenant->name);
	return strings_appendf(&tenant->directories, err, "%s/%s", TENANT_DIRECTORY_ROOT,
			       tenant->name);
}

int tenant_from_json(const json_t *object, struct tenant *ret, struct error *err)
{
	_cleanup_tenant_ struct tenant tenant = { .limits = spec_no_limits };
	int r;

	r = place_check_keys(&document, object, tenant_keys, TENANT_KEYS, err);
	if (r == 0)
		r = declaration_read_name(object, "name", true, &tenant.name, err);
	if (r == 0)
		r = declaration_read_list(NULL, object, "users", TENANT_USERS_MAX, check_user,
					  &tenant.users, err);
	if (r == 0)
		r = declaration_read_name(object, "plan", false, &tenant.plan, err);
	if (r == 0)
		r = declaration_read_limits(object, TENANT_LIMITS, &tenant.limits, err);
	if (r == 0)
		r = read_directories(object, &tenant, err);
	if (r < 0)
		return r;
	*ret = tenant;
	tenant = (struct tenant){ 0 };
	return 0;
}

int tenant_to_json(const struct tenant *tenant, json_t **ret, struct error *err)
{
	_cleanup_json_ json_t *object = json_object();
	int r = object == NULL ? error_no_memory(err) : 0;

	if (r == 0)
		r = declaration_write_text(object, "name", tenant->name, err);
	if (r == 0)
		r = declaration_write_list(object, "users", &tenant->users, err);
	if (r == 0)
		r = declaration_write_text(object, "plan", tenant->plan, err);
	if (r == 0)
		r = declaration_write_limits(object, &tenant->limits, err);
	if (r == 0)
		r = declaration_write_list(object, "directories", &tenant->directories, err);
	if (r == 0)
		*ret = TAKE_PTR(object);
	return r;
}

/* --- what it may ask for ---------------------------------------------------------------------- */

/* ERROR_DENIED `KEY: "VALUE" TEXT`; at names the value. */
static int deny(const struct place *at, const char *value, const char *text, struct error *err)
{
	char shown[QUOTE_TEXT_MAX];
	int r = place_refuse(at, err, "%s %s", quote_text(value, shown), text);

	err->kind = ERROR_DENIED;
	return r;
}

static int check_identity(const struct tenant *tenant, const struct app_spec *spec,
			  struct error *err)
{
	static const struct place at_tenant = { &document, "tenant", 0 };
	static const struct place at_plan = { &document, "plan", 0 };
	static const struct place at_user = { &document, "user", 0 };
	static const struct place at_groups = { &document, "groups", 0 };
	static const struct place at_group = { &at_groups, NULL, 0 };

	if (spec->tenant != NULL && strcmp(spec->tenant, tenant->name) != 0)
		return deny(&at_tenant, spec->tenant,
			    "is not yours: write your own tenant, or leave it out", err);
	if (spec->plan != NULL && (tenant->plan == NULL || strcmp(spec->plan, tenant->plan) != 0))
		return deny(&at_plan, spec->plan, "is not the plan of your tenant: leave it out",
			    err);
	if (spec->user != NULL && !strings_contains(&tenant->users, spec->user))
		return deny(&at_user, spec->user,
			    "is no user of your tenant: leave it out for an id of its own", err);
	if (spec->groups.count > 0)
		return deny(&at_group, spec->groups.items[0],
			    "is for an administrator to give: leave it out", err);
	return 0;
}

static int check_path(const struct tenant *tenant, const char *path, const struct place *at,
		      struct error *err)
{
	/* what is not in normal form has no place that text could tell; ".." would lie */
	for (size_t i = 0; path_is_normal(path) && i < tenant->directories.count; i++)
		if (path_is_within(path, tenant->directories.items[i]))
			return 0;
	return deny(at, path, "is outside of your tenant's directories", err);
}

static int check_paths(const struct tenant *tenant, const struct app_spec *spec, struct error *err)
{
	static const struct place at_directory = { &document, "directory", 0 };
	static const struct place at_files = { &document, "environment_files", 0 };
	static const struct place at_isolation = { &document, "isolation", 0 };
	static const struct place at_readable = { &at_isolation, "readable", 0 };
	static const struct place at_writable = { &at_isolation, "writable", 0 };
	static const struct place at_sockets = { &at_isolation, "sockets", 0 };
	const struct {
		const struct strings *paths;
		const struct place *at;
	} lists[] = {
		{ &spec->environment_files, &at_files },
		{ &spec->isolation.readable, &at_readable },
		{ &spec->isolation.writable, &at_writable },
		{ &spec->isolation.sockets, &at_sockets },
	};
	int r = 0;

	if (spec->directory != NULL)
		r = check_path(tenant, spec->directory, &at_directory, err);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(lists); i++)
		for (size_t j = 0; r == 0 && j < lists[i].paths->count; j++) {
			const struct place here = { lists[i].at, NULL, j };
			const char *path = lists[i].paths->items[j];

			/* databases by name are there for all, and ask for a password themselves */
			if (lists[i].at != &at_sockets || spec_socket_directory(path) == NULL)
				r = check_path(tenant, path, &here, err);
		}
	return r;
}

/* Of ports those that a program of its own could bind as well. Of paths the one with the app's own
 * name, which no other app has: anywhere else its socket could stand in another's place. */
static int check_address(const struct app_spec *spec, const char *entry, const struct place *at,
			 struct error *err)
{
	char own[sizeof(LISTEN_DIRECTORY) + SPEC_NAME_MAX + 8], why[sizeof(own) + 64];
	struct listen_address address;
	int r = listen_parse(entry, &address, err);

	if (r < 0)
		return place_prefix(at, r, err);
	if (address.path[0] == '\0')
		return address.port >= LISTEN_PRIVILEGED
			       ? 0
			       : deny(at, entry,
				      "is a port below 1024: only an administrator gives those",
				      err);
	snprintf(own, sizeof(own), LISTEN_DIRECTORY "/%s.sock", spec->name);
	snprintf(why, sizeof(why), "is an administrator's to give: write unix:%s", own);
	return strcmp(address.path, own) == 0 ? 0 : deny(at, entry, why, err);
}

static int check_listen(const struct app_spec *spec, struct error *err)
{
	static const struct place at_listen = { &document, "listen", 0 };
	int r = 0;

	for (size_t i = 0; r == 0 && i < spec->listen.count; i++) {
		const struct place here = { &at_listen, NULL, i };

		r = check_address(spec, spec->listen.items[i], &here, err);
	}
	return r;
}

/* A path that the tenant's own limits name is the administrator's word. All others are looked up on
 * the host by root: whether they are there is not for a tenant to find out. */
static int check_io(const struct tenant *tenant, const struct app_spec *spec, struct error *err)
{
	static const struct place at_limits = { &document, "limits", 0 };
	static const struct place at_io = { &at_limits, "io", 0 };
	int r = 0;

	for (size_t i = 0; r == 0 && i < spec->limits.io_count; i++) {
		const char *path = spec->limits.io[i].path;
		const struct place here = { &at_io, path, 0 };
		bool known = false;

		for (size_t j = 0; !known && j < tenant->limits.io_count; j++)
			known = strcmp(path, tenant->limits.io[j].path) == 0;
		if (!known)
			r = check_path(tenant, path, &here, err);
	}
	return r;
}

/* A mode that may lift the filter is not the tenant's to choose: neither "log" nor "canary", which
 * becomes that as soon as the app has made enough calls that are refused. */
static int check_syscalls(const struct syscalls_policy *syscalls, struct error *err)
{
	static const struct place at = { &document, "syscalls", 0 };
	static const struct place at_mode = { &at, "mode", 0 };

	if (syscalls->profile == NULL)
		return 0;
	if (syscalls->profile[0] == '/')
		return deny(&at, syscalls->profile, "is a path: name a profile", err);
	if (syscalls->mode != SYSCALLS_ENFORCE)
		return deny(&at_mode, spec_syscalls_mode_name(syscalls->mode),
			    "is an administrator's to say: it lifts the filter", err);
	return 0;
}

int tenant_check_app(const struct tenant *tenant, const struct app_spec *spec, struct error *err)
{
	char who[SPEC_NAME_MAX + 16];
	int r;

	r = check_identity(tenant, spec, err);
	if (r == 0)
		r = check_paths(tenant, spec, err);
	if (r == 0)
		r = check_io(tenant, spec, err);
	if (r == 0)
		r = check_listen(spec, err);
	if (r == 0)
		r = check_syscalls(&spec->syscalls, err);
	if (r < 0)
		return r;
	snprintf(who, sizeof(who), "tenant %s has", tenant->name);
	return ceiling_check(&spec->limits, &tenant->limits, TENANT_CEILINGS, who, err);
}
