/* SPDX-License-Identifier: MIT */
/* Each test renders the steps as lines and compares them with the whole list it expects. */
#include "policy/own.h"
#include "policy/plan_mounts.h"

#include <criterion/criterion.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define MIB (UINT64_C(1) << 20)

struct scene {
	struct app_spec spec;
	struct host_facts facts;
	struct plan *plan;
	struct error err;
};

static char *copy(const char *text)
{
	char *result = strdup(text);

	cr_assert_not_null(result);
	return result;
}

static void scene_clear(struct scene *scene)
{
	host_facts_clear(&scene->facts);
	free(scene->spec.name);
	plan_free(scene->plan);
}
#define _cleanup_scene_ __attribute__((cleanup(scene_clear)))

static struct scene make_scene(const char *directory)
{
	struct scene scene = { .plan = plan_new() };

	cr_assert_not_null(scene.plan);
	scene.spec.name = copy("web");
	scene.spec.limits.memory_max = LIMIT_UNSET;
	scene.spec.limits.tmp_size = LIMIT_UNSET;
	scene.facts.uid = 1879048200;
	scene.facts.gid = 1879048201;
	scene.facts.user_name = copy("pysbx-web");
	scene.facts.group_name = copy("pysbx-group");
	scene.facts.directory = copy(directory);
	scene.facts.command = copy("/usr/bin/gunicorn");
	return scene;
}

static struct host_entry *entry_append(struct host_entry **entries, size_t *count)
{
	*entries = reallocarray(*entries, *count + 1, sizeof(**entries));
	cr_assert_not_null(*entries);
	(*entries)[*count] = (struct host_entry){ 0 };
	return &(*entries)[(*count)++];
}

static void add_system(struct scene *scene, const char *path, const char *link, const char *real)
{
	struct host_entry *entry = entry_append(&scene->facts.system, &scene->facts.system_count);

	entry->path = copy(path);
	entry->link = link != NULL ? copy(link) : NULL;
	entry->real = copy(real);
}

static void add_link(struct scene *scene, const char *path, const char *link)
{
	struct host_entry *entry = entry_append(&scene->facts.links, &scene->facts.link_count);

	entry->path = copy(path);
	entry->link = copy(link);
}

static void add(struct strings *list, const char *path)
{
	struct error err;

	cr_assert_eq(strings_append(list, path, &err), 0);
}

static void build(struct scene *scene)
{
	cr_assert_eq(plan_mounts_add(&scene->spec, &scene->facts, scene->plan, &scene->err), 0,
		     "%s", scene->err.text);
}

static const char *render(const struct mount_step *step, char *line, size_t size)
{
	static const char *const kinds[] = { "bind",	"tmpfs", "proc",      "devpts", "device",
					     "symlink", "file",	 "directory", "cgroup" };
	const char *read_only = (step->flags & MOUNT_READ_ONLY) != 0 ? " ro" : "";
	const char *no_exec = (step->flags & MOUNT_NOEXEC) != 0 ? " noexec" : "";
	const char *optional = (step->flags & MOUNT_OPTIONAL) != 0 ? " optional" : "";

	snprintf(line, size, "%s %s%s%s%s%s%s", kinds[step->kind], step->target,
		 step->source != NULL ? " " : "", step->source != NULL ? step->source : "",
		 read_only, no_exec, optional);
	return line;
}

/* The steps from `first` on are exactly these; a NULL ends them. */
static void expect_steps(const struct scene *scene, size_t first, ...)
{
	const struct plan *plan = scene->plan;
	size_t i = first;
	va_list args;

	va_start(args, first);
	for (const char *wanted; (wanted = va_arg(args, const char *)) != NULL; i++) {
		char line[512];

		cr_assert_lt(i, plan->mount_count, "%s is missing", wanted);
		cr_expect_str_eq(render(&plan->mounts[i], line, sizeof(line)), wanted);
	}
	va_end(args);
	for (; i < plan->mount_count; i++) {
		char line[512];

		cr_expect(false, "too many: %s", render(&plan->mounts[i], line, sizeof(line)));
	}
}

/* The step of this target; an empty one, after a failed assertion, if there is none. */
static const struct mount_step *find(const struct scene *scene, const char *target)
{
	static const struct mount_step missing = { .content = (char *)"" };

	for (size_t i = 0; i < scene->plan->mount_count; i++)
		if (strcmp(scene->plan->mounts[i].target, target) == 0)
			return &scene->plan->mounts[i];
	cr_assert(false, "no step for %s", target);
	return &missing;
}

/* Steps that every sandbox has, when no entry of the system is given. */
#define FIXED_STEPS 23

Test(plan_mounts, every_sandbox_has_the_same_ground)
{
	struct scene scene _cleanup_scene_ = make_scene("/srv/app");

	build(&scene);
	expect_steps(
		&scene, 0, "proc /proc", "device /dev/null /dev/null", "device /dev/zero /dev/zero",
		"device /dev/full /dev/full", "device /dev/random /dev/random",
		"device /dev/urandom /dev/urandom", "devpts /dev/pts", "tmpfs /dev/shm noexec",
		"tmpfs /tmp noexec", "tmpfs /run noexec", "cgroup /sys/fs/cgroup /sys/fs/cgroup",
		"symlink /dev/ptmx pts/ptmx", "symlink /dev/fd /proc/self/fd",
		"symlink /dev/stdin /proc/self/fd/0", "symlink /dev/stdout /proc/self/fd/1",
		"symlink /dev/stderr /proc/self/fd/2", "symlink /var/tmp /tmp",
		"symlink /var/run /run", "file /etc/passwd", "file /etc/group", "file /etc/hosts",
		"file /etc/hostname", "file /etc/nsswitch.conf", "bind /srv/app /srv/app ro", NULL);
	cr_assert_eq(scene.plan->mount_count, FIXED_STEPS + 1);
	cr_expect_eq(find(&scene, "/tmp")->mode, 01777);
	cr_expect_eq(find(&scene, "/dev/shm")->mode, 01777);
	cr_expect_eq(find(&scene, "/run")->mode, 0755);
	cr_expect_eq(find(&scene, "/run")->size, 4 * MIB);
}

Test(plan_mounts, shows_the_system_read_only_and_its_links_as_links)
{
	struct scene scene _cleanup_scene_ = make_scene("/srv/app");

	add_system(&scene, "/usr", NULL, "/usr");
	add_system(&scene, "/bin", "usr/bin", "/usr/bin");
	add_system(&scene, "/lib", NULL, "/lib");
	add_system(&scene, "/lib64", "/usr/lib64", "/usr/lib64");
	add_system(&scene, "/sbin", "bin", "/usr/bin");
	add_system(&scene, "/etc/os-release", "../usr/lib/os-release", "/usr/lib/os-release");
	add_system(&scene, "/etc/localtime", "/usr/share/zoneinfo/Europe/Berlin",
		   "/usr/share/zoneinfo/Europe/Berlin");
	add_system(&scene, "/etc/mime.types", "/etc/alternatives/mime", "/usr/share/mime.types");
	add_system(&scene, "/etc/resolv.conf", "../run/systemd/resolve/stub-resolv.conf",
		   "/run/systemd/resolve/stub-resolv.conf");
	add_system(&scene, "/etc/ssl/certs", NULL, "/etc/ssl/certs");
	build(&scene);
	scene.plan->mount_count -= FIXED_STEPS + 1;
	expect_steps(
		&scene, 0, "bind /usr /usr ro", "symlink /bin usr/bin", "bind /lib /lib ro",
		"symlink /lib64 /usr/lib64", "symlink /sbin /usr/bin",
		"symlink /etc/os-release ../usr/lib/os-release",
		"symlink /etc/localtime /usr/share/zoneinfo/Europe/Berlin",
		"symlink /etc/mime.types /usr/share/mime.types",
		"bind /etc/resolv.conf /run/systemd/resolve/stub-resolv.conf ro noexec optional",
		"bind /etc/ssl/certs /etc/ssl/certs ro noexec optional", NULL);
	scene.plan->mount_count += FIXED_STEPS + 1;
}

Test(plan_mounts, scratch_space_is_as_large_as_the_spec_says)
{
	static const struct {
		uint64_t tmp, memory, size;
	} samples[] = {
		{ 10 * MIB, LIMIT_UNSET, 10 * MIB },	 { 10 * MIB, 64 * MIB, 10 * MIB },
		{ LIMIT_UNSET, LIMIT_UNSET, 256 * MIB }, { LIMIT_UNSET, LIMIT_MAX, 256 * MIB },
		{ LIMIT_UNSET, 256 * MIB, 64 * MIB },	 { LIMIT_UNSET, 4096 * MIB, 256 * MIB },
		{ LIMIT_UNSET, 4 * MIB, 1 * MIB },	 { LIMIT_MAX, 64 * MIB, SIZE_LIMIT_BYTES },
	};

	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		struct scene scene _cleanup_scene_ = make_scene("/srv/app");

		scene.spec.limits.tmp_size = samples[i].tmp;
		scene.spec.limits.memory_max = samples[i].memory;
		build(&scene);
		cr_expect_eq(find(&scene, "/tmp")->size, samples[i].size, "%zu", i);
		cr_expect_eq(find(&scene, "/dev/shm")->size, samples[i].size, "%zu", i);
	}
}

Test(plan_mounts, knows_the_app_and_whom_files_belong_to)
{
	struct scene scene _cleanup_scene_ = make_scene("/srv/app");

	build(&scene);
	cr_expect_str_eq(find(&scene, "/etc/passwd")->content,
			 "pysbx-web:x:1879048200:1879048201::/tmp:/usr/sbin/nologin\n"
			 "root:x:0:0:root:/nonexistent:/usr/sbin/nologin\n"
			 "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n");
	cr_expect_str_eq(find(&scene, "/etc/group")->content,
			 "pysbx-group:x:1879048201:\nroot:x:0:\nnogroup:x:65534:\n");
	cr_expect_str_eq(find(&scene, "/etc/hostname")->content, "web\n");
	cr_expect_not_null(
		strstr(find(&scene, "/etc/nsswitch.conf")->content, "hosts: files dns\n"));
}

Test(plan_mounts, nobody_is_listed_once)
{
	struct scene scene _cleanup_scene_ = make_scene("/srv/app");

	scene.facts.uid = scene.facts.gid = 65534;
	build(&scene);
	cr_expect_str_eq(find(&scene, "/etc/passwd")->content,
			 "pysbx-web:x:65534:65534::/tmp:/usr/sbin/nologin\n"
			 "root:x:0:0:root:/nonexistent:/usr/sbin/nologin\n");
	cr_expect_str_eq(find(&scene, "/etc/group")->content, "pysbx-group:x:65534:\nroot:x:0:\n");
}

Test(plan_mounts, its_own_name_resolves_beside_the_hosts_names)
{
	struct scene with _cleanup_scene_ = make_scene("/srv/app");
	struct scene without _cleanup_scene_ = make_scene("/srv/app");

	with.facts.hosts = copy("127.0.0.1 localhost\n10.0.0.5 db");
	build(&with);
	cr_expect_str_eq(find(&with, "/etc/hosts")->content,
			 "127.0.0.1 localhost\n10.0.0.5 db\n127.0.1.1\tweb\n");
	build(&without);
	cr_expect_str_eq(find(&without, "/etc/hosts")->content,
			 "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n"
			 "127.0.1.1\tweb\n");
}

Test(plan_mounts, parents_come_before_children_in_whatever_order_they_are_named)
{
	struct scene scene _cleanup_scene_ = make_scene("/srv/app");

	add(&scene.facts.writable, "/srv/app/data/cache");
	add(&scene.facts.writable, "/srv/app/data-2");
	add(&scene.facts.writable, "/srv/app/log");
	add(&scene.facts.readable, "/srv/app/data");
	add(&scene.facts.readable, "/srv");
	build(&scene);
	expect_steps(&scene, FIXED_STEPS, "bind /srv /srv ro",
		     "bind /srv/app/data-2 /srv/app/data-2 noexec",
		     "bind /srv/app/data/cache /srv/app/data/cache noexec",
		     "bind /srv/app/log /srv/app/log noexec", NULL);
}

Test(plan_mounts, leaves_out_what_is_seen_in_the_same_way_already)
{
	struct scene scene _cleanup_scene_ = make_scene("/srv/app");

	add_system(&scene, "/usr", NULL, "/usr");
	add_system(&scene, "/etc/fonts", NULL, "/etc/fonts");
	scene.facts.virtual_env = copy("/srv/app/venv");
	add(&scene.facts.python_paths, "/usr/bin/python3.11");
	add(&scene.facts.python_paths, "/srv/app/venv/bin/gunicorn");
	add(&scene.facts.python_paths, "/opt/python");
	add(&scene.facts.python_paths, "/opt/python/bin/python3.11");
	add(&scene.facts.readable, "/etc/fonts");
	add(&scene.facts.readable, "/opt/python/share");
	add(&scene.facts.readable, "/srv/app");
	add(&scene.facts.writable, "/var/data");
	add(&scene.facts.writable, "/var/data/a");
	build(&scene);
	expect_steps(&scene, FIXED_STEPS + 2, "bind /opt/python /opt/python ro",
		     "bind /srv/app /srv/app ro", "bind /var/data /var/data noexec", NULL);
}

Test(plan_mounts, a_writable_directory_holds_code_and_a_readable_part_stays_read_only)
{
	struct scene scene _cleanup_scene_ = make_scene("/srv/app");

	scene.facts.virtual_env = copy("/srv/app/venv");
	add(&scene.facts.writable, "/srv/app");
	add(&scene.facts.readable, "/srv/app/templates");
	build(&scene);
	expect_steps(&scene, FIXED_STEPS, "bind /srv/app /srv/app",
		     "bind /srv/app/templates /srv/app/templates ro", NULL);
	cr_expect(plan_directory_is_writable(&scene.facts));
}

Test(plan_mounts, of_two_wishes_for_one_path_writing_wins)
{
	struct scene scene _cleanup_scene_ = make_scene("/srv/app");

	add(&scene.facts.readable, "/data");
	add(&scene.facts.writable, "/data");
	add(&scene.facts.readable, "/data");
	build(&scene);
	expect_steps(&scene, FIXED_STEPS, "bind /data /data noexec", "bind /srv/app /srv/app ro",
		     NULL);
}

Test(plan_mounts, a_writable_path_of_the_system_is_bound_over_it)
{
	struct scene scene _cleanup_scene_ = make_scene("/srv/app");

	add_system(&scene, "/usr", NULL, "/usr");
	add_system(&scene, "/etc/fonts", NULL, "/etc/fonts");
	add(&scene.facts.writable, "/etc/fonts");
	add(&scene.facts.writable, "/usr/local/share/app");
	add(&scene.facts.readable, "/usr/local/share/app/static");
	build(&scene);
	expect_steps(&scene, FIXED_STEPS + 2, "bind /etc/fonts /etc/fonts noexec",
		     "bind /srv/app /srv/app ro",
		     "bind /usr/local/share/app /usr/local/share/app noexec",
		     "bind /usr/local/share/app/static /usr/local/share/app/static ro", NULL);
}

Test(plan_mounts, nothing_between_a_writable_path_and_a_read_only_part_can_be_renamed)
{
	struct scene scene _cleanup_scene_ = make_scene("/srv/app");

	add(&scene.facts.writable, "/data");
	add(&scene.facts.readable, "/data/a/bb/c");
	add(&scene.facts.readable, "/data/a/bb/d/e");
	add(&scene.facts.readable, "/data/near");
	add(&scene.facts.writable, "/data/a/bb/c/x/y");
	build(&scene);
	expect_steps(&scene, FIXED_STEPS, "bind /data /data noexec", "bind /data/a /data/a noexec",
		     "bind /data/a/bb /data/a/bb noexec", "bind /data/a/bb/c /data/a/bb/c ro",
		     "bind /data/a/bb/c/x/y /data/a/bb/c/x/y noexec",
		     "bind /data/a/bb/d /data/a/bb/d noexec",
		     "bind /data/a/bb/d/e /data/a/bb/d/e ro", "bind /data/near /data/near ro",
		     "bind /srv/app /srv/app ro", NULL);
}

Test(plan_mounts, uploads_below_writable_code_are_not_executable)
{
	struct scene scene _cleanup_scene_ = make_scene("/srv/app");

	add(&scene.facts.writable, "/srv/app");
	add(&scene.facts.writable, "/srv/app/var/uploads");
	add(&scene.facts.writable, "/srv/app/var/uploads/new");
	add(&scene.facts.readable, "/srv/app/var/www");
	build(&scene);
	/* the mount on var comes before those in it: later, it would cover them */
	expect_steps(&scene, FIXED_STEPS, "bind /srv/app /srv/app",
		     "bind /srv/app/var /srv/app/var",
		     "bind /srv/app/var/uploads /srv/app/var/uploads noexec",
		     "bind /srv/app/var/www /srv/app/var/www ro", NULL);
}

Test(plan_mounts, nothing_runs_from_writable_paths_but_where_code_lives)
{
	static const struct {
		const char *writable;
		bool no_exec;
	} samples[] = {
		{ "/data", true },
		{ "/srv/app/uploads", true },
		{ "/srv/app", false },
		{ "/srv", false },
		{ "/venvs/web", false },
		{ "/venvs", false },
		{ "/venvs/web/lib/x", false },
		{ "/venvs/website", true },
		{ "/opt/python/lib", false },
		{ "/opt/tool", false },
		{ "/opt/tool/bin", false },
		{ "/opt/tool/data", true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		struct scene scene _cleanup_scene_ = make_scene("/srv/app");
		const struct mount_step *step;

		free(scene.facts.command);
		scene.facts.command = copy("/opt/tool/bin/run");
		scene.facts.virtual_env = copy("/venvs/web");
		add(&scene.facts.python_paths, "/opt/python");
		add(&scene.facts.writable, samples[i].writable);
		build(&scene);
		step = find(&scene, samples[i].writable);
		cr_expect_eq((step->flags & MOUNT_NOEXEC) != 0, samples[i].no_exec, "%s",
			     samples[i].writable);
		cr_expect_eq(step->flags & MOUNT_READ_ONLY, 0);
	}
}

Test(plan_mounts, a_path_below_scratch_space_is_bound_into_it)
{
	struct scene scene _cleanup_scene_ = make_scene("/tmp/app");

	add(&scene.facts.readable, "/run/postgresql");
	build(&scene);
	expect_steps(&scene, FIXED_STEPS, "bind /run/postgresql /run/postgresql ro",
		     "bind /tmp/app /tmp/app ro", NULL);
}

Test(plan_mounts, makes_again_the_links_that_no_bind_shows)
{
	struct scene scene _cleanup_scene_ = make_scene("/srv/releases/7");

	add_system(&scene, "/usr", NULL, "/usr");
	add_system(&scene, "/bin", "usr/bin", "/usr/bin");
	add_link(&scene, "/srv/current", "releases/7");
	add_link(&scene, "/bin", "usr/bin");
	add_link(&scene, "/usr/bin/python3", "python3.11");
	add_link(&scene, "/srv/releases/7/venv", "/venvs/7");
	add_link(&scene, "/var/run", "/run");
	build(&scene);
	expect_steps(&scene, FIXED_STEPS + 2, "bind /srv/releases/7 /srv/releases/7 ro",
		     "symlink /srv/current releases/7", NULL);
}

Test(plan_mounts, too_many_paths_are_an_error)
{
	struct scene scene _cleanup_scene_ = make_scene("/srv/app");
	char path[32];

	for (int i = 0; i < PLAN_MOUNTS_MAX; i++) {
		snprintf(path, sizeof(path), "/data/%d", i);
		add(&scene.facts.readable, path);
	}
	cr_expect_lt(plan_mounts_add(&scene.spec, &scene.facts, scene.plan, &scene.err), 0);
	cr_expect_eq(scene.err.kind, ERROR_INVALID);
}

Test(plan_mounts, system_paths_are_normal_and_hold_no_secret)
{
	for (size_t i = 0; plan_system_paths[i] != NULL; i++) {
		cr_expect(plan_path_is_normal(plan_system_paths[i]), "%s", plan_system_paths[i]);
		cr_expect_neq(strcmp(plan_system_paths[i], "/etc"), 0);
		cr_expect_neq(strcmp(plan_system_paths[i], "/etc/ssl"), 0, "holds private keys");
		cr_expect_neq(strcmp(plan_system_paths[i], "/etc/pki/tls"), 0, "so does this");
		cr_expect_neq(strcmp(plan_system_paths[i], "/etc/machine-id"), 0);
	}
}
