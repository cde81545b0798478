/* SPDX-License-Identifier: MIT */
#include "tests/system/harness_hosting.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GROUPS_MAX 16

static void add_login(const char *user, const char *options)
{
	free(shell_output("id -u %s >/dev/null 2>&1 || useradd --no-create-home %s %s 2>&1", user,
			  options, user));
}

void hosting_write(const char *directory, json_t *object)
{
	_cleanup_free_ char *text = json_dumps(object, JSON_INDENT(2)), *path = NULL;

	cr_assert(text != NULL && asprintf(&path, "/etc/pysbx/%s/%s.json", directory,
					   field_text(object, "name")) > 0);
	write_text(path, text, 0644);
	json_decref(object);
}

static void write_tenants(const struct hosting *hosting)
{
	hosting_write("plans.d", json_pack("{s:s, s:{s:s, s:s, s:i}, s:[s], s:i}", "name",
					   HOSTING_PLAN, "limits", "memory", "128M", "cpu", "100%",
					   "pids", 64, "syscalls", "python-web", "apps", 3));
	hosting_write("tenants.d",
		      json_pack("{s:s, s:[s], s:s, s:{s:s, s:i}, s:[s]}", "name", HOSTING_ACME,
				"users", USER_ACME, "plan", HOSTING_PLAN, "limits", "memory",
				"256M", "pids", 100, "directories", hosting->bench.apps));
	hosting_write("tenants.d",
		      json_pack("{s:s, s:[s], s:s, s:{s:s, s:s}, s:[s]}", "name", HOSTING_BETA,
				"users", USER_BETA, "plan", HOSTING_PLAN, "limits", "memory",
				"200M", "cpu", "150%", "directories", hosting->beta_apps));
}

static void name_apps(struct hosting *hosting)
{
	const char *name = hosting->bench.name;

	snprintf(hosting->blog, sizeof(hosting->blog), "blog-%s", name);
	snprintf(hosting->shop, sizeof(hosting->shop), "shop-%s", name);
	snprintf(hosting->site, sizeof(hosting->site), "site-%s", name);
	snprintf(hosting->beta_apps, sizeof(hosting->beta_apps), "/srv/pysbx-test-%s/beta", name);
}

void hosting_open(struct hosting *hosting, const char *word)
{
	daemon_reset();
	bench_open(&hosting->bench, word);
	name_apps(hosting);
	free(shell_output("systemd-sysusers pysbx.conf && cp -r %s %s", hosting->bench.apps,
			  hosting->beta_apps));
	add_login(USER_ACME, "");
	add_login(USER_BETA, "");
	add_login(USER_NOBODY, "");
	add_login(USER_PANEL, "-G pysbx");
	write_tenants(hosting);
}

void hosting_close(struct hosting *hosting)
{
	daemon_reset();
	bench_close(&hosting->bench);
}

json_t *hosting_app(const struct hosting *hosting, const char *tenant, const char *name,
		    const char *const *words)
{
	json_t *object = app_object(&hosting->bench, name, words);

	cr_assert_eq(json_object_set_new(object, "tenant", json_string(tenant)), 0);
	/* no tenant's directory has the bench's own data in it */
	cr_assert_eq(json_object_del(object, "isolation"), 0);
	if (strcmp(tenant, HOSTING_BETA) == 0)
		cr_assert_eq(
			json_object_set_new(object, "directory", json_string(hosting->beta_apps)),
			0);
	return object;
}

void hosting_write_sleepers(const struct hosting *hosting)
{
	const char *const *words = WORDS("sleep", "600");

	app_write_file(hosting_app(hosting, HOSTING_ACME, hosting->blog, words));
	app_write_file(hosting_app(hosting, HOSTING_ACME, hosting->shop, words));
	app_write_file(hosting_app(hosting, HOSTING_BETA, hosting->site, words));
}

static void write_server(struct hosting *hosting, const char *tenant, const char *name, int port)
{
	app_write_file(hosting_app(hosting, tenant, name,
				   WORDS("gunicorn", "-w", "1", "-b",
					 bench_format(&hosting->bench, "127.0.0.1:%d", port),
					 "wsgi_app:app")));
}

void hosting_write_servers(struct hosting *hosting)
{
	write_server(hosting, HOSTING_ACME, hosting->blog, hosting->bench.port);
	write_server(hosting, HOSTING_ACME, hosting->shop, hosting->bench.port + 1);
	write_server(hosting, HOSTING_BETA, hosting->site, hosting->bench.port + 2);
}

/* --- calls ------------------------------------------------------------------------------------ */

void become(const char *user)
{
	gid_t groups[GROUPS_MAX];
	int count = GROUPS_MAX;
	const struct passwd *login = getpwnam(user);

	cr_assert_not_null(login, "there is no login %s", user);
	cr_assert_geq(getgrouplist(user, login->pw_gid, groups, &count), 0);
	cr_assert_eq(setgroups((size_t)count, groups), 0);
	cr_assert_eq(setegid(login->pw_gid), 0);
	cr_assert_eq(seteuid(login->pw_uid), 0);
}

void become_root(void)
{
	cr_assert_eq(seteuid(0), 0);
	cr_assert_eq(setegid(0), 0);
	cr_assert_eq(setgroups(0, NULL), 0);
}

/* The kernel notes at connect(2) who the peer is. */
void link_open_as(struct link *link, const char *user)
{
	become(user);
	link_open(link);
	become_root();
}

json_t *call_as(const char *user, const char *method, json_t *params)
{
	struct link link;
	json_t *answer;

	link_open_as(&link, user);
	link_request(&link, 1, method, params);
	answer = link_next(&link, CALL_MSEC);
	link_close(&link);
	cr_assert_not_null(answer, "%s of %s: no answer", method, user);
	return answer;
}

json_t *result_as(const char *user, const char *method, json_t *params)
{
	_cleanup_json_ json_t *answer = call_as(user, method, params);
	json_t *result = json_object_get(answer, "result");

	cr_assert_not_null(result, "%s of %s: %s", method, user, json_dumps(answer, 0));
	return json_incref(result);
}

void expect_refused_as(const char *user, const char *code, const char *path, const char *method,
		       json_t *params)
{
	_cleanup_free_ char *asked = json_dumps(params, 0);
	_cleanup_json_ json_t *answer = call_as(user, method, params);
	const json_t *data = json_object_get(json_object_get(answer, "error"), "data");
	const char *got_code = json_string_value(json_object_get(data, "code"));
	const char *got_path = json_string_value(json_object_get(data, "path"));

	cr_expect(got_code != NULL && strcmp(got_code, code) == 0, "%s of %s: not %s: %s\n%s",
		  method, user, code, json_dumps(answer, 0), asked != NULL ? asked : "");
	cr_expect(path == NULL || (got_path != NULL && strcmp(got_path, path) == 0),
		  "%s of %s: not at %s: %s", method, user, path, json_dumps(answer, 0));
}

/* --- apps ------------------------------------------------------------------------------------- */

char *limit_read(const char *tenant, const char *app, const char *file)
{
	_cleanup_free_ char *path = NULL;
	char *text;

	if (app == NULL)
		cr_assert_gt(asprintf(&path, DAEMON_SCOPE_PATH "/%s.tenant/%s", tenant, file), 0);
	else if (tenant == NULL)
		cr_assert_gt(asprintf(&path, DAEMON_SCOPE_PATH "/%s.slice/%s", app, file), 0);
	else
		cr_assert_gt(asprintf(&path, DAEMON_SCOPE_PATH "/%s.tenant/%s.slice/%s", tenant,
				      app, file),
			     0);
	text = read_text(path);
	if (text[0] != '\0' && text[strlen(text) - 1] == '\n')
		text[strlen(text) - 1] = '\0';
	return text;
}
