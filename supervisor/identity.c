/* SPDX-License-Identifier: MIT */
#include "supervisor/identity.h"

#include "policy/own.h"
#include "policy/quantity.h"
#include "policy/quote.h"
#include "supervisor/file.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/xattr.h>

/* An entry of passwd or group with all its members: larger ones exist, but not for a service. */
#define ACCOUNT_BYTES_MAX (256U << 10)

void identity_clear(struct identity *identity)
{
	free(identity->user_name);
	free(identity->group_name);
	close_and_clear(&identity->lock_fd);
	*identity = (struct identity){ .lock_fd = -1 };
}

/* --- the system's accounts --------------------------------------------------------------------*/

struct account { /* what is needed of a passwd entry */
	bool found;
	uid_t uid;
	gid_t gid;
	char *name;
};

static void account_clear(struct account *account)
{
	free(account->name);
}
#define _cleanup_account_ __attribute__((cleanup(account_clear)))

/* getpw*_r return 0 without an entry, or one of these, for "there is none" (getpwnam(3)). */
static bool means_absent(int error)
{
	return error == 0 || error == ENOENT || error == ESRCH || error == EBADF || error == EPERM;
}

/* By name, or by uid where name is NULL. */
static int account_find(const char *name, uid_t uid, struct account *ret, struct error *err)
{
	_cleanup_free_ char *buffer = malloc(ACCOUNT_BYTES_MAX);
	struct passwd entry, *found = NULL;
	int error;

	if (buffer == NULL)
		return error_no_memory(err);
	if (name != NULL)
		error = getpwnam_r(name, &entry, buffer, ACCOUNT_BYTES_MAX, &found);
	else
		error = getpwuid_r(uid, &entry, buffer, ACCOUNT_BYTES_MAX, &found);
	if (found == NULL && !means_absent(error))
		return error_set(err, ERROR_SYSTEM, error, "user: the user database");
	if (found == NULL)
		return 0;
	ret->name = strdup(found->pw_name);
	if (ret->name == NULL)
		return error_no_memory(err);
	ret->found = true;
	ret->uid = found->pw_uid;
	ret->gid = found->pw_gid;
	return 0;
}

/* The group's name in the system, else fallback. */
static int group_name(gid_t gid, const char *fallback, char **ret, struct error *err)
{
	_cleanup_free_ char *buffer = malloc(ACCOUNT_BYTES_MAX);
	struct group entry, *found = NULL;
	char *name;

	if (buffer == NULL)
		return error_no_memory(err);
	getgrgid_r(gid, &entry, buffer, ACCOUNT_BYTES_MAX, &found);
	name = strdup(found != NULL ? found->gr_name : fallback);
	if (name == NULL)
		return error_no_memory(err);
	*ret = name;
	return 0;
}

/* --- named users ------------------------------------------------------------------------------*/

static int made_up_name(const char *app, char **ret, struct error *err)
{
	char *name;

	if (asprintf(&name, "pysbx-%s", app) < 0)
		return error_no_memory(err);
	*ret = name;
	return 0;
}

static bool is_given_to_apps(id_t id)
{
	return id - IDENTITY_DYNAMIC_FIRST < 2 * IDENTITY_DYNAMIC_COUNT;
}

static int check_ids(const char *user, uid_t uid, gid_t gid, struct error *err)
{
	char shown[QUOTE_TEXT_MAX];

	if (uid == 0)
		return error_set(
			err, ERROR_INVALID, 0,
			"user: %s is root: a worker never runs as uid 0, name another user "
			"or none",
			quote_text(user, shown));
	if (gid == 0)
		return error_set(
			err, ERROR_INVALID, 0,
			"user: the group of %s is root's (gid 0): name another group, as in "
			"\"uid:gid\"",
			quote_text(user, shown));
	if (is_given_to_apps(uid) || is_given_to_apps(gid))
		return error_set(
			err, ERROR_INVALID, 0,
			"user: %s is among the ids that pysbx gives to apps without a user "
			"(%u to %u)",
			quote_text(user, shown), IDENTITY_DYNAMIC_FIRST,
			IDENTITY_DYNAMIC_FIRST + 2 * IDENTITY_DYNAMIC_COUNT - 1);
	return 0;
}

static int use_account(const struct account *account, struct identity *identity, struct error *err)
{
	identity->uid = account->uid;
	identity->gid = account->gid;
	identity->user_name = strdup(account->name);
	return identity->user_name == NULL ? error_no_memory(err) : 0;
}

/* "1000" or "1000:1000". gid_text is NULL for the first. */
static int use_numbers(const char *uid_text, const char *gid_text, const char *app,
		       struct identity *identity, struct error *err)
{
	struct account account _cleanup_account_ = { 0 };
	uint32_t uid, gid;
	int r;

	r = quantity_parse_id(uid_text, &uid, err);
	gid = uid;
	if (r >= 0 && gid_text != NULL)
		r = quantity_parse_id(gid_text, &gid, err);
	if (r < 0) {
		error_prefix(err, "user");
		return r;
	}
	r = account_find(NULL, uid, &account, err);
	if (r < 0)
		return r;
	if (account.found && gid_text == NULL)
		return use_account(&account, identity, err);
	identity->uid = uid;
	identity->gid = gid;
	if (account.found) {
		identity->user_name = TAKE_PTR(account.name);
		return 0;
	}
	return made_up_name(app, &identity->user_name, err);
}

/* A name never begins with a digit or a sign here: "0day" and "-1" are broken numbers, not users
 * (useradd refuses both). */
static bool looks_like_number(const char *user)
{
	return user[0] == '-' || user[0] == '+' || (user[0] >= '0' && user[0] <= '9');
}

static int use_name(const char *user, struct identity *identity, struct error *err)
{
	struct account account _cleanup_account_ = { 0 };
	char shown[QUOTE_TEXT_MAX];
	int r;

	r = account_find(user, 0, &account, err);
	if (r < 0)
		return r;
	if (!account.found)
		return error_set(err, ERROR_INVALID, 0,
				 "user: no user %s on this system: see getent(1), or leave it out "
				 "for a uid of the app's own",
				 quote_text(user, shown));
	return use_account(&account, identity, err);
}

static int resolve_user(const char *user, const char *app, struct identity *identity,
			struct error *err)
{
	const char *colon = strchr(user, ':');
	_cleanup_free_ char *uid_text = NULL;
	int r;

	if (colon != NULL || looks_like_number(user)) {
		uid_text = strndup(user, strcspn(user, ":"));
		if (uid_text == NULL)
			return error_no_memory(err);
		r = use_numbers(uid_text, colon != NULL ? colon + 1 : NULL, app, identity, err);
	} else {
		r = use_name(user, identity, err);
	}
	if (r >= 0)
		r = check_ids(user, identity->uid, identity->gid, err);
	if (r >= 0)
		r = group_name(identity->gid, identity->user_name, &identity->group_name, err);
	return r;
}

/* --- supplementary groups ---------------------------------------------------------------------*/

static bool is_member(const struct identity *identity, gid_t gid)
{
	if (identity->gid == gid)
		return true;
	for (size_t i = 0; i < identity->group_count; i++)
		if (identity->groups[i] == gid)
			return true;
	return false;
}

/* Root's group opens what is root's (mode 0640), a dynamic one another app's files. */
static int check_group(const char *name, gid_t gid, struct error *err)
{
	char shown[QUOTE_TEXT_MAX];

	if (gid != 0 && !is_given_to_apps(gid))
		return 0;
	return error_set(err, ERROR_INVALID, 0, "groups: %s is group %u, which %s",
			 quote_text(name, shown), gid,
			 gid == 0 ? "is root's" : "pysbx gives to an app");
}

static int add_group(const char *name, struct identity *identity, struct error *err)
{
	_cleanup_free_ char *buffer = malloc(ACCOUNT_BYTES_MAX);
	struct group entry, *found = NULL;
	char shown[QUOTE_TEXT_MAX];
	int error, r;

	if (buffer == NULL)
		return error_no_memory(err);
	error = getgrnam_r(name, &entry, buffer, ACCOUNT_BYTES_MAX, &found);
	if (found == NULL && !means_absent(error))
		return error_set(err, ERROR_SYSTEM, error, "groups: the group database");
	if (found == NULL)
		return error_set(err, ERROR_INVALID, 0,
				 "groups: no group %s on this system: see getent(1)",
				 quote_text(name, shown));
	r = check_group(name, found->gr_gid, err);
	if (r < 0 || is_member(identity, found->gr_gid))
		return r;
	if (identity->group_count >= PLAN_GROUPS_MAX)
		return error_set(err, ERROR_INVALID, 0, "groups: more than %d", PLAN_GROUPS_MAX);
	identity->groups[identity->group_count++] = found->gr_gid;
	return 0;
}

int identity_add_groups(const struct strings *names, struct identity *identity, struct error *err)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < names->count; i++)
		r = add_group(names->items[i], identity, err);
	return r;
}

/* --- dynamic uids -----------------------------------------------------------------------------*/

/* FNV-1a: an app's name gives the same uid again, as long as it is free, so that files it left in
 * a --rw directory stay its own. */
uint32_t identity_hash_name(const char *name)
{
	uint32_t hash = 2166136261U;

	for (; *name != '\0'; name++)
		hash = (hash ^ (unsigned char)*name) * 16777619U;
	return hash;
}

static int open_lock_directory(const char *path, int *ret_fd, struct error *err)
{
	int r = file_make_directory(path, 0700, 0755, err), fd;

	if (r < 0)
		return r;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return error_set(err, ERROR_SYSTEM, errno, "%s", path);
	*ret_fd = fd;
	return 0;
}

/* 1 if the lock is ours now, 0 if another run holds it. */
static int try_lock(int directory, uid_t uid, int *ret_fd, struct error *err)
{
	_cleanup_close_ int fd = -1;
	char name[16];

	snprintf(name, sizeof(name), "%u", uid);
	fd = openat(directory, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return error_set(err, ERROR_SYSTEM, errno, "the lock of uid %u", uid);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK
			       ? 0
			       : error_set(err, ERROR_SYSTEM, errno, "the lock of uid %u", uid);
	*ret_fd = TAKE_FD(fd);
	return 1;
}

/* Lock before lookup: a held uid costs one open, a look into the user database may go far. */
static int try_uid(int directory, uid_t uid, int *ret_fd, struct error *err)
{
	struct account account _cleanup_account_ = { 0 };
	_cleanup_close_ int fd = -1;
	int r;

	r = try_lock(directory, uid, &fd, err);
	if (r <= 0)
		return r;
	r = account_find(NULL, uid, &account, err);
	if (r < 0)
		return r;
	if (account.found)
		return 0;
	*ret_fd = TAKE_FD(fd);
	return 1;
}

static int name_dynamic(const char *app, uid_t uid, struct identity *identity, struct error *err)
{
	int r;

	identity->uid = identity->gid = uid;
	r = made_up_name(app, &identity->user_name, err);
	if (r >= 0)
		r = made_up_name(app, &identity->group_name, err);
	return r;
}

static int resolve_dynamic(const char *app, const char *lock_directory, struct identity *identity,
			   struct error *err)
{
	_cleanup_close_ int directory = -1;
	uint32_t start = identity_hash_name(app);
	int r;

	r = open_lock_directory(lock_directory, &directory, err);
	for (uint32_t i = 0; r >= 0 && i < IDENTITY_DYNAMIC_COUNT; i++) {
		uid_t uid = IDENTITY_DYNAMIC_FIRST + (start + i) % IDENTITY_DYNAMIC_COUNT;

		r = try_uid(directory, uid, &identity->lock_fd, err);
		if (r > 0) {
			return name_dynamic(app, uid, identity, err);
		}
	}
	if (r < 0) {
		error_prefix(err, "user: a uid for %s", app);
		return r;
	}
	return error_set(err, ERROR_UNSUPPORTED, 0,
			 "user: all %u uids for apps are taken: name a user",
			 IDENTITY_DYNAMIC_COUNT);
}

static void cleanup_identity(struct identity *identity)
{
	identity_clear(identity);
}

int identity_resolve(const char *user, const char *app, const char *lock_directory,
		     struct identity *ret, struct error *err)
{
	struct identity identity __attribute__((cleanup(cleanup_identity))) = { .lock_fd = -1 };
	int r;

	if (user != NULL)
		r = resolve_user(user, app, &identity, err);
	else
		r = resolve_dynamic(app, lock_directory, &identity, err);
	if (r < 0)
		return r;
	*ret = identity;
	identity = (struct identity){ .lock_fd = -1 };
	return 0;
}

int identity_resolve_app(const char *user, const char *app, uid_t own, struct identity *ret,
			 struct error *err)
{
	struct identity identity __attribute__((cleanup(cleanup_identity))) = { .lock_fd = -1 };
	int r;

	if (user != NULL)
		r = resolve_user(user, app, &identity, err);
	else
		r = name_dynamic(app, own, &identity, err);
	if (r < 0)
		return r;
	*ret = identity;
	identity = (struct identity){ .lock_fd = -1 };
	return 0;
}

/* --- access -----------------------------------------------------------------------------------*/

bool identity_is_denied(const struct identity *identity, const char *path, unsigned wanted)
{
	struct stat st;
	unsigned granted;

	if (stat(path, &st) < 0 || getxattr(path, "system.posix_acl_access", NULL, 0) > 0)
		return false;
	if (st.st_uid == identity->uid)
		granted = st.st_mode >> 6;
	else if (is_member(identity, st.st_gid))
		granted = st.st_mode >> 3;
	else
		granted = st.st_mode;
	return (wanted & ~granted & 7) != 0;
}
