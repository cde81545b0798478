/* SPDX-License-Identifier: MIT */
/*
 * What a worker sees. A fresh root that holds, in this order:
 *
 *   the system     /usr and the few files of /etc that libc, TLS and Python read, read-only
 *   kernel parts   /proc of its own PID namespace, seven nodes in /dev, and of /sys the files of
 * the app's own cgroup, read-only: what runtimes look for their limits in scratch        tmpfs with
 * a size on /tmp, /dev/shm and /run; /var/tmp and /var/run point there made up        passwd,
 * group, hosts, hostname, nsswitch.conf: this app and nobody else the app        its directory,
 * interpreter, virtualenv, sockets and what --ro and --rw name, each at its own canonical path,
 * parents before children links          symlinks that the user's paths went through and that no
 * bind shows
 *
 * The app's paths are sorted, and one that the mount above it shows in the same way is left out.
 * Paths that are only there to be found (directory, interpreter, virtualenv) are content with any
 * mount above them, also a writable one; what the user named --ro stays read-only even in there.
 *
 * A directory that is a mount point cannot be renamed, but its parent can, and another put in its
 * place. So every directory between a --rw path and a path in it that is shown otherwise is a mount
 * point too.
 *
 * Nothing can be executed from scratch space, nor from --rw paths that hold no part of the app's
 * code: an upload does not become a program or a loaded library by mistake. That stops accidents,
 * not hostile code, which can read its program and interpret it.
 */
#include "policy/plan_mounts.h"

#include "policy/own.h"
#include "policy/path.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN_MAX PLAN_MOUNTS_MAX

static const char *const device_nodes[] = { "/dev/null", "/dev/zero", "/dev/full", "/dev/random",
					    "/dev/urandom" };

static const struct {
	const char *target, *source;
} fixed_links[] = {
	{ "/dev/ptmx", "pts/ptmx" },
	{ "/dev/fd", "/proc/self/fd" },
	{ "/dev/stdin", "/proc/self/fd/0" },
	{ "/dev/stdout", "/proc/self/fd/1" },
	{ "/dev/stderr", "/proc/self/fd/2" },
	{ "/var/tmp", "/tmp" },
	{ "/var/run", "/run" },
};

static const char nsswitch[] = "passwd: files\n"
			       "group: files\n"
			       "hosts: files dns\n"
			       "networks: files\n"
			       "protocols: files\n"
			       "services: files\n";

/* A path of the app that shall be visible at its own place. */
struct shown {
	const char *path;
	bool writable;
	bool implicit; /* only has to be visible, in whatever way */
	bool no_exec;
};

/* The step's strings are copied, never changed: the casts take away a const that the plan's own
 * copies do not have. */
static int add_step(struct plan *plan, enum mount_kind kind, const char *source, const char *target,
		    uint32_t flags, struct error *err)
{
	struct mount_step step = { .kind = kind, .target = (char *)target, .flags = flags };

	step.source = (char *)source;
	return plan_add_mount(plan, &step, err);
}

static int add_tmpfs(struct plan *plan, const char *target, uint64_t size, uint32_t mode,
		     struct error *err)
{
	struct mount_step step = { .kind = MOUNT_TMPFS, .size = size, .mode = mode };

	step.target = (char *)target;
	step.flags = MOUNT_NOEXEC;
	return plan_add_mount(plan, &step, err);
}

static int add_file(struct plan *plan, const char *target, const char *content, struct error *err)
{
	struct mount_step step = { .kind = MOUNT_FILE, .target = (char *)target };

	step.content = (char *)content;
	return plan_add_mount(plan, &step, err);
}

/* --- the system -------------------------------------------------------------------------------*/

/* "usr/bin", "/usr/share/..." and "../usr/lib/...": a link text that leads into /usr as it stands.
 */
static bool leads_into_usr(const char *link)
{
	while (strncmp(link, "../", 3) == 0)
		link += 3;
	if (link[0] == '/')
		link++;
	return strncmp(link, "usr/", 4) == 0;
}

static int add_system_entry(const struct host_entry *entry, struct plan *plan, struct error *err)
{
	uint32_t flags = MOUNT_READ_ONLY;

	/* a link that goes to /usr by way of another one is made to go there directly */
	if (entry->link != NULL && path_is_within(entry->real, "/usr"))
		return add_step(plan, MOUNT_SYMLINK,
				leads_into_usr(entry->link) ? entry->link : entry->real,
				entry->path, 0, err);
	/* Files of /etc are replaced by rename at any time, so one may be missing for a moment. */
	if (path_is_within(entry->path, "/etc"))
		flags |= MOUNT_NOEXEC | MOUNT_OPTIONAL;
	return add_step(plan, MOUNT_BIND, entry->real, entry->path, flags, err);
}

static int add_system(const struct host_facts *facts, struct plan *plan, struct error *err)
{
	for (size_t i = 0; i < facts->system_count; i++) {
		int r = add_system_entry(&facts->system[i], plan, err);

		if (r < 0)
			return r;
	}
	return 0;
}

static uint64_t tmp_size(const struct limits *limits)
{
	if (limits->tmp_size == LIMIT_MAX)
		return SIZE_LIMIT_BYTES;
	if (limits->tmp_size != LIMIT_UNSET)
		return limits->tmp_size;
	if (limits->memory_max == LIMIT_UNSET || limits->memory_max == LIMIT_MAX ||
	    limits->memory_max / 4 > PLAN_TMP_BYTES_MAX)
		return PLAN_TMP_BYTES_MAX;
	return limits->memory_max / 4;
}

bool plan_tells_pressure(const struct app_spec *spec)
{
	return pressure_is_on(&spec->pressure, PRESSURE_NOTIFY) &&
	       limit_is_set(pressure_limit(spec->limits.memory_max, spec->limits.memory_high));
}

static int add_kernel_parts(const struct app_spec *spec, struct plan *plan, struct error *err)
{
	const struct limits *limits = &spec->limits;
	int r;

	r = add_step(plan, MOUNT_PROC, NULL, "/proc", 0, err);
	for (size_t i = 0; i < ARRAY_SIZE(device_nodes) && r >= 0; i++)
		r = add_step(plan, MOUNT_DEVICE, device_nodes[i], device_nodes[i], 0, err);
	if (r >= 0)
		r = add_step(plan, MOUNT_DEVPTS, NULL, "/dev/pts", 0, err);
	if (r >= 0)
		r = add_tmpfs(plan, "/dev/shm", tmp_size(limits), 01777, err);
	if (r >= 0)
		r = add_tmpfs(plan, "/tmp", tmp_size(limits), 01777, err);
	if (r >= 0)
		r = add_tmpfs(plan, "/run", PLAN_RUN_BYTES, 0755, err);
	if (r >= 0)
		r = add_step(plan, MOUNT_CGROUP, "/sys/fs/cgroup", "/sys/fs/cgroup", 0, err);
	if (r >= 0 && plan_tells_pressure(spec))
		r = add_step(plan, MOUNT_PRESSURE, NULL, PLAN_PRESSURE_PATH, 0, err);
	for (size_t i = 0; i < ARRAY_SIZE(fixed_links) && r >= 0; i++)
		r = add_step(plan, MOUNT_SYMLINK, fixed_links[i].source, fixed_links[i].target, 0,
			     err);
	return r;
}

/* --- made up ----------------------------------------------------------------------------------*/

static int add_made_up(const char *target, struct plan *plan, struct error *err, const char *format,
		       ...) __attribute__((format(printf, 4, 5)));

static int add_made_up(const char *target, struct plan *plan, struct error *err, const char *format,
		       ...)
{
	_cleanup_free_ char *content = NULL;
	va_list args;
	int length;

	va_start(args, format);
	length = vasprintf(&content, format, args);
	va_end(args);
	if (length < 0) {
		content = NULL;
		return error_no_memory(err);
	}
	return add_file(plan, target, content, err);
}

#define NOBODY_ID 65534U

/* Whom the files that it sees belong to (root, and nobody where a file system shows no other), and
 * whom programs ask for by name. Those of nss-systemd(8), with names that Debian gives them. */
static const struct {
	unsigned id;
	const char *passwd, *group;
} owners[] = {
	{ 0, "root:x:0:0:root:/nonexistent:/usr/sbin/nologin\n", "root:x:0:\n" },
	{ NOBODY_ID, "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
	  "nogroup:x:65534:\n" },
};

/* The app comes first: of two entries for one number or name, the first is what is found. */
static int add_accounts(const struct host_facts *facts, struct plan *plan, struct error *err)
{
	const char *users[ARRAY_SIZE(owners)], *groups[ARRAY_SIZE(owners)];
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(owners); i++) {
		users[i] = facts->uid != owners[i].id ? owners[i].passwd : "";
		groups[i] = facts->gid != owners[i].id ? owners[i].group : "";
	}
	r = add_made_up("/etc/passwd", plan, err, "%s:x:%u:%u::/tmp:/usr/sbin/nologin\n%s%s",
			facts->user_name, facts->uid, facts->gid, users[0], users[1]);
	if (r >= 0)
		r = add_made_up("/etc/group", plan, err, "%s:x:%u:\n%s%s", facts->group_name,
				facts->gid, groups[0], groups[1]);
	return r;
}

/* The name inside must resolve, or socket.getfqdn() asks the DNS about it at every start. */
static int add_names(const char *hostname, const struct host_facts *facts, struct plan *plan,
		     struct error *err)
{
	const char *hosts = facts->hosts != NULL ? facts->hosts
						 : "127.0.0.1\tlocalhost\n"
						   "::1\tlocalhost ip6-localhost ip6-loopback\n";
	size_t length = strlen(hosts);
	const char *end = length > 0 && hosts[length - 1] != '\n' ? "\n" : "";
	int r;

	r = add_made_up("/etc/hosts", plan, err, "%s%s127.0.1.1\t%s\n", hosts, end, hostname);
	if (r >= 0)
		r = add_made_up("/etc/hostname", plan, err, "%s\n", hostname);
	if (r >= 0)
		r = add_file(plan, "/etc/nsswitch.conf", nsswitch, err);
	return r;
}

/* --- the app ----------------------------------------------------------------------------------*/

struct shown_list {
	struct shown items[SHOWN_MAX];
	size_t count;
};

static int show(struct shown_list *list, struct shown item, struct error *err)
{
	if (list->count == SHOWN_MAX)
		return error_set(err, ERROR_INVALID, 0, "isolation: more than %d paths", SHOWN_MAX);
	list->items[list->count++] = item;
	return 0;
}

static bool is_part_of_code(const char *path, const char *code)
{
	return code != NULL && (path_is_within(code, path) || path_is_within(path, code));
}

/* The app's directory alone is not enough to let code run in a --rw path below it: that is where
 * uploads go. Interpreter and virtualenv hold libraries that must be mapped for execution. */
static bool holds_code(const char *path, const struct host_facts *facts)
{
	if (path_is_within(facts->directory, path) || is_part_of_code(path, facts->virtual_env) ||
	    is_part_of_code(path, facts->command))
		return true;
	for (size_t i = 0; i < facts->python_paths.count; i++)
		if (is_part_of_code(path, facts->python_paths.items[i]))
			return true;
	return false;
}

static int collect(const struct host_facts *facts, struct shown_list *list, struct error *err)
{
	int r;

	r = show(list, (struct shown){ .path = facts->directory, .implicit = true }, err);
	if (r >= 0 && facts->virtual_env != NULL)
		r = show(list, (struct shown){ .path = facts->virtual_env, .implicit = true }, err);
	for (size_t i = 0; i < facts->python_paths.count && r >= 0; i++)
		r = show(list,
			 (struct shown){ .path = facts->python_paths.items[i], .implicit = true },
			 err);
	for (size_t i = 0; i < facts->readable.count && r >= 0; i++)
		r = show(list, (struct shown){ .path = facts->readable.items[i] }, err);
	/* whatever else lies beside a socket is not to be executed, nor written to: connect(2) asks
	 * for neither */
	for (size_t i = 0; i < facts->sockets.count && r >= 0; i++)
		r = show(list, (struct shown){ .path = facts->sockets.items[i], .no_exec = true },
			 err);
	for (size_t i = 0; i < facts->writable.count && r >= 0; i++)
		r = show(list,
			 (struct shown){ .path = facts->writable.items[i],
					 .writable = true,
					 .no_exec = !holds_code(facts->writable.items[i], facts) },
			 err);
	return r;
}

/* By path, so that parents come before children; of one path the strongest wish first. */
static int compare_shown(const void *a, const void *b)
{
	const struct shown *left = a, *right = b;
	int order = strcmp(left->path, right->path);

	if (order != 0)
		return order;
	if (left->writable != right->writable)
		return left->writable ? -1 : 1;
	return (int)left->implicit - (int)right->implicit;
}

/* The mount that path is seen through so far; of two on one target, the one on top. */
static const struct mount_step *nearest_bind(const struct plan *plan, const char *path)
{
	const struct mount_step *nearest = NULL;

	for (size_t i = 0; i < plan->mount_count; i++) {
		const struct mount_step *step = &plan->mounts[i];

		if (step->kind == MOUNT_BIND && path_is_within(path, step->target) &&
		    (nearest == NULL || path_is_within(step->target, nearest->target)))
			nearest = step;
	}
	return nearest;
}

/* Is what the mount above shows as it was wished for? A mount that is read-only may forbid more. */
static bool shows_as_wished(const struct mount_step *above, const struct shown *shown)
{
	bool writable = (above->flags & MOUNT_READ_ONLY) == 0;
	bool no_exec = (above->flags & MOUNT_NOEXEC) != 0;

	if (shown->implicit)
		return true;
	return writable == shown->writable && (!writable || no_exec == shown->no_exec);
}

/* Makes each directory between the mount `top` and path a mount point, shown as top shows it. */
static int add_pins(const char *top, const char *path, uint32_t flags, struct plan *plan,
		    struct error *err)
{
	size_t length = strlen(path);

	for (size_t i = strlen(top) + 1; i < length; i++) {
		_cleanup_free_ char *directory = NULL;
		int r;

		if (path[i] != '/')
			continue;
		directory = strndup(path, i);
		if (directory == NULL)
			return error_no_memory(err);
		r = add_step(plan, MOUNT_BIND, directory, directory, flags, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int add_shown(const struct shown *shown, struct plan *plan, struct error *err)
{
	const struct mount_step *above = nearest_bind(plan, shown->path);
	uint32_t flags = shown->writable ? 0 : MOUNT_READ_ONLY;
	int r;

	if (above != NULL && shows_as_wished(above, shown))
		return 0;
	if (above != NULL && (above->flags & MOUNT_READ_ONLY) == 0) {
		r = add_pins(above->target, shown->path, above->flags, plan, err);
		if (r < 0)
			return r;
	}
	if (shown->no_exec)
		flags |= MOUNT_NOEXEC;
	return add_step(plan, MOUNT_BIND, shown->path, shown->path, flags, err);
}

static int add_app(const struct host_facts *facts, struct plan *plan, struct error *err)
{
	_cleanup_free_ struct shown_list *list = calloc(1, sizeof(*list));
	int r;

	if (list == NULL)
		return error_no_memory(err);
	r = collect(facts, list, err);
	if (r < 0)
		return r;
	qsort(list->items, list->count, sizeof(list->items[0]), compare_shown);
	for (size_t i = 0; i < list->count && r >= 0; i++) {
		bool again = i > 0 && strcmp(list->items[i].path, list->items[i - 1].path) == 0;

		if (!again)
			r = add_shown(&list->items[i], plan, err);
	}
	return r;
}

/* --- links ------------------------------------------------------------------------------------*/

static bool has_target(const struct plan *plan, const char *target)
{
	for (size_t i = 0; i < plan->mount_count; i++)
		if (strcmp(plan->mounts[i].target, target) == 0)
			return true;
	return false;
}

static int add_links(const struct host_facts *facts, struct plan *plan, struct error *err)
{
	for (size_t i = 0; i < facts->link_count; i++) {
		const struct host_entry *entry = &facts->links[i];
		int r;

		if (has_target(plan, entry->path) || nearest_bind(plan, entry->path) != NULL)
			continue;
		r = add_step(plan, MOUNT_SYMLINK, entry->link, entry->path, 0, err);
		if (r < 0)
			return r;
	}
	return 0;
}

bool plan_directory_is_writable(const struct host_facts *facts)
{
	for (size_t i = 0; i < facts->writable.count; i++)
		if (path_is_within(facts->directory, facts->writable.items[i]))
			return true;
	return false;
}

int plan_mounts_add(const struct app_spec *spec, const struct host_facts *facts, struct plan *plan,
		    struct error *err)
{
	int r;

	r = add_system(facts, plan, err);
	if (r >= 0)
		r = add_kernel_parts(spec, plan, err);
	if (r >= 0)
		r = add_accounts(facts, plan, err);
	if (r >= 0)
		r = add_names(spec->name, facts, plan, err);
	if (r >= 0)
		r = add_app(facts, plan, err);
	if (r >= 0)
		r = add_links(facts, plan, err);
	return r;
}
