/* SPDX-License-Identifier: MIT */
/* What a worker sees of the file system, and what becomes of the host's. */
#include "policy/own.h"
#include "tests/sandbox/harness.h"

#include <criterion/criterion.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

static struct sandbox box;
static char host[64]; /* a directory of the host for this test */

static void set_up(void)
{
	sandbox_require();
	strcpy(host, "/tmp/pysbx-root-XXXXXX");
	cr_assert(mkdtemp(host) != NULL);
	cr_assert_eq(chmod(host, 0755), 0);
}

static void tear_down(void)
{
	char command[128];

	sandbox_clear(&box);
	snprintf(command, sizeof(command), "rm -r %s", host);
	cr_expect_eq(system(command), 0);
}

TestSuite(root, .init = set_up, .fini = tear_down);

static const char *host_path(const char *name)
{
	static char paths[4][128];
	static unsigned next;
	char *path = paths[next++ % ARRAY_SIZE(paths)];

	snprintf(path, sizeof(paths[0]), "%s/%s", host, name);
	return path;
}

static void host_directory(const char *name)
{
	cr_assert_eq(mkdir(host_path(name), 0755), 0);
	cr_assert_eq(chown(host_path(name), SANDBOX_UID, SANDBOX_GID), 0);
}

static void host_file(const char *name, const char *content)
{
	_cleanup_fclose_ FILE *file = fopen(host_path(name), "we");

	cr_assert(file != NULL && fputs(content, file) >= 0);
}

static void add_bind(const char *source, const char *target, uint32_t flags)
{
	sandbox_add(&box, &(struct sandbox_mount){ .kind = MOUNT_BIND,
						   .source = source,
						   .target = target,
						   .flags = flags });
}

/* The options of the mount at `target`, from the worker's /proc/self/mountinfo in text[0]. */
static const char *mount_options(const char *target)
{
	static char options[256];
	char line_target[256];
	char *save = NULL, *copy = strdup(box.text[0]);

	strcpy(options, "(not mounted)");
	for (char *line = strtok_r(copy, "\n", &save); line != NULL;
	     line = strtok_r(NULL, "\n", &save))
		if (sscanf(line, "%*s %*s %*s %*s %255s %255s", line_target, options) == 2 &&
		    strcmp(line_target, target) == 0)
			break;
		else
			strcpy(options, "(not mounted)");
	free(copy);
	return options;
}

Test(root, holds_what_the_plan_says_and_nothing_else)
{
	sandbox_run_script(&box, "ls -A / /dev /etc; readlink /bin; cat /etc/passwd");
	cr_assert_str_eq(box.text[0], "/:\nbin\ndev\netc\nlib\nlib64\nproc\ntmp\nusr\n\n"
				      "/dev:\nfd\nnull\npts\nstdout\nzero\n\n"
				      "/etc:\npasswd\n"
				      "usr/bin\n"
				      "app:x:61234:61235::/tmp:/bin/sh\n");
}

Test(root, gives_every_mount_its_flags_in_one_step)
{
	static const struct {
		const char *target, *options;
	} mounts[] = {
		{ "/", "ro,nosuid,nodev,noexec,relatime" },
		{ "/usr", "ro,nosuid,nodev" },
		{ "/proc", "rw,nosuid,nodev,noexec,relatime" },
		{ "/tmp", "rw,nosuid,nodev,relatime" },
		{ "/scratch", "rw,nosuid,nodev,noexec,relatime" },
		{ "/data", "rw,nosuid,nodev,noexec" },
		{ "/dev/null", "ro,nosuid,noexec" },
		{ "/dev/pts", "rw,nosuid,noexec,relatime" },
	};
	size_t lines = 0;

	sandbox_init(&box, "cat /proc/self/mountinfo");
	sandbox_add(&box, &(struct sandbox_mount){ .kind = MOUNT_TMPFS,
						   .target = "/scratch",
						   .size = 4096,
						   .mode = 0700,
						   .flags = MOUNT_NOEXEC });
	add_bind(host, "/data", MOUNT_NOEXEC);
	sandbox_run(&box);
	for (size_t i = 0; i < ARRAY_SIZE(mounts); i++)
		cr_expect(strncmp(mount_options(mounts[i].target), mounts[i].options,
				  strlen(mounts[i].options)) == 0,
			  "%s is mounted %s, not %s", mounts[i].target,
			  mount_options(mounts[i].target), mounts[i].options);
	for (const char *at = box.text[0]; (at = strchr(at, '\n')) != NULL; at++)
		lines++;
	cr_expect_eq(lines, ARRAY_SIZE(mounts) + 1 /* /dev/zero */,
		     "something else is mounted too:\n%s", box.text[0]);
	cr_expect(strstr(box.text[0], "master:") == NULL, "%s", box.text[0]);
	cr_expect(strstr(box.text[0], "shared:") == NULL, "%s", box.text[0]);
}

Test(root, refuses_writes_to_itself_and_the_system)
{
	sandbox_run_script(&box, "for f in /x /usr/x /etc/x; do touch $f; done; true");
	cr_assert_str_eq(box.text[1], "touch: cannot touch '/x': Read-only file system\n"
				      "touch: cannot touch '/usr/x': Read-only file system\n"
				      "touch: cannot touch '/etc/x': Read-only file system\n");
}

Test(root, mounts_a_writable_directory_inside_a_read_only_one)
{
	char content[16] = "";

	host_directory("app");
	host_directory("app/data");
	sandbox_init(&box, "cd /srv/app; echo in > data/file; echo no > file");
	add_bind(host_path("app"), "/srv/app", MOUNT_READ_ONLY);
	add_bind(host_path("app/data"), "/srv/app/data", 0);
	sandbox_run(&box);
	cr_expect(strstr(box.text[1], "cannot create file: Read-only file system") != NULL, "%s",
		  box.text[1]);
	_cleanup_fclose_ FILE *file = fopen(host_path("app/data/file"), "re");
	cr_assert(file != NULL && fgets(content, sizeof(content), file) != NULL);
	cr_expect_str_eq(content, "in\n");
	cr_expect(access(host_path("app/file"), F_OK) != 0);
}

Test(root, keeps_every_mount_point_from_being_renamed)
{
	host_directory("data");
	host_directory("data/deep");
	host_directory("data/deep/keys");
	host_directory("data/free");
	sandbox_init(&box, "cd /srv/data; mv deep/keys deep/old; mv deep old; mv free gone; ls");
	add_bind(host_path("data"), "/srv/data", 0);
	add_bind(host_path("data/deep"), "/srv/data/deep", 0);
	add_bind(host_path("data/deep/keys"), "/srv/data/deep/keys", MOUNT_READ_ONLY);
	sandbox_run(&box);
	cr_expect_str_eq(box.text[0], "deep\ngone\n");
	cr_expect_str_eq(box.text[1],
			 "mv: cannot move 'deep/keys' to 'deep/old': Device or resource busy\n"
			 "mv: cannot move 'deep' to 'old': Device or resource busy\n");
}

static void add_cgroup(const char *source)
{
	sandbox_add(&box, &(struct sandbox_mount){ .kind = MOUNT_CGROUP,
						   .source = source,
						   .target = "/sys/fs/cgroup" });
}

/* The harness makes the leaf in the root of the hierarchy, which is then what is shown. */
Test(root, shows_the_cgroup_above_the_leaf_read_only)
{
	/* leaves of other tests come and go */
	sandbox_init(&box,
		     "cd /sys/fs/cgroup; "
		     "for file in pysbx-test-*-*/cgroup.procs; do test -e $file && echo seen; "
		     "done | head -n 1; cat cgroup.controllers >/dev/null; mkdir new");
	add_cgroup(sandbox_hierarchy());
	sandbox_run(&box);
	cr_expect_str_eq(box.text[0], "seen\n");
	cr_expect_str_eq(box.text[1],
			 "mkdir: cannot create directory 'new': Read-only file system\n");
}

Test(root, shows_no_other_cgroup_than_the_one_above_the_leaf)
{
	char text[LAUNCH_TEXT_MAX];

	host_directory("cgroup");
	sandbox_init(&box, "true");
	add_cgroup(host_path("cgroup"));
	sandbox_expect_failure(&box, STAGE_ROOT, ESTALE);
	snprintf(text, sizeof(text), "mount /sys/fs/cgroup: %s is not the app's cgroup",
		 host_path("cgroup"));
	cr_expect_eq(strncmp(box.last.text, text, strlen(text)), 0, "%s", box.last.text);
}

Test(root, bounds_the_number_of_terminals)
{
	sandbox_run_script(&box, "grep ' /dev/pts ' /proc/self/mountinfo");
	cr_expect(strstr(box.text[0], ",max=64") != NULL, "%s", box.text[0]);
}

Test(root, creates_no_mount_point_on_the_host)
{
	host_directory("app");
	host_directory("data");
	sandbox_init(&box, "true");
	add_bind(host_path("app"), "/srv/app", 0);
	add_bind(host_path("data"), "/srv/app/deep/data", 0);
	sandbox_expect_failure(&box, STAGE_ROOT, ENOENT);
	cr_expect_str_eq(box.last.text,
			 "mount /srv/app/deep/data: \"deep\" must exist already in "
			 "the directory of the host that is mounted there: nothing is "
			 "created on the host");
	cr_expect(access(host_path("app/deep"), F_OK) != 0);
}

Test(root, creates_no_last_component_on_the_host_either)
{
	static const struct sandbox_mount below[] = {
		{ .kind = MOUNT_TMPFS, .target = "/srv/app/new", .size = 4096, .mode = 0700 },
		{ .kind = MOUNT_FILE, .target = "/srv/app/new", .content = "x" },
		{ .kind = MOUNT_SYMLINK, .target = "/srv/app/new", .source = "x" },
		{ .kind = MOUNT_DIRECTORY, .target = "/srv/app/new", .mode = 0700 },
		{ .kind = MOUNT_DEVICE, .target = "/srv/app/new", .source = "/dev/null" },
	};

	host_directory("app");
	for (size_t i = 0; i < ARRAY_SIZE(below); i++) {
		sandbox_init(&box, "true");
		add_bind(host_path("app"), "/srv/app", 0);
		sandbox_add(&box, &below[i]);
		sandbox_expect_failure(&box, STAGE_ROOT, ENOENT);
		cr_expect(access(host_path("app/new"), F_OK) != 0);
		sandbox_clear(&box);
	}
	sandbox_init(&box, NULL);
}

Test(root, changes_no_mode_on_the_host)
{
	struct stat file;

	host_directory("app");
	host_directory("app/old");
	sandbox_init(&box, "true");
	add_bind(host_path("app"), "/srv/app", 0);
	sandbox_add(&box, &(struct sandbox_mount){ .kind = MOUNT_DIRECTORY,
						   .target = "/srv/app/old",
						   .mode = 0777 });
	sandbox_expect_failure(&box, STAGE_ROOT, ENOENT);
	cr_assert_eq(stat(host_path("app/old"), &file), 0);
	cr_expect_eq(file.st_mode & 07777, 0755);
}

Test(root, makes_missing_parents_with_root_as_their_owner)
{
	sandbox_init(&box, "stat -c '%n %a %u:%g' /a /a/b /a/b/c");
	sandbox_add(&box, &(struct sandbox_mount){
				  .kind = MOUNT_DIRECTORY, .target = "/a/b/c", .mode = 0711 });
	sandbox_run(&box);
	cr_expect_str_eq(box.text[0], "/a 755 0:0\n/a/b 755 0:0\n/a/b/c 711 0:0\n");
}

/* A mount hides the directory that things were put into before. */
Test(root, puts_later_things_into_what_was_mounted_meanwhile)
{
	host_directory("first");
	host_directory("first/b");
	host_directory("second");
	host_directory("second/b");
	host_file("second/b/seen", "second\n");
	host_file("third", "third\n");
	sandbox_init(&box, "cat /a/b/here /a/b/seen; ls /a/b");
	sandbox_add(&box, &(struct sandbox_mount){ .kind = MOUNT_FILE,
						   .target = "/a/b/here",
						   .content = "before\n" });
	add_bind(host_path("second"), "/a", 0);
	add_bind(host_path("third"), "/a/b/seen", 0);
	sandbox_run(&box);
	cr_expect_str_eq(box.text[0], "third\nseen\n");
}

Test(root, mounts_a_single_file)
{
	host_file("hosts", "127.0.0.1 localhost\n");
	sandbox_init(&box, "cat /etc/hosts; echo x >/etc/hosts");
	add_bind(host_path("hosts"), "/etc/hosts", MOUNT_READ_ONLY);
	sandbox_run(&box);
	cr_expect_str_eq(box.text[0], "127.0.0.1 localhost\n");
	cr_expect(strstr(box.text[1], "Read-only file system") != NULL, "%s", box.text[1]);
}

Test(root, refuses_a_source_that_is_a_symbolic_link)
{
	host_directory("real");
	cr_assert_eq(symlink("real", host_path("link")), 0);
	sandbox_init(&box, "true");
	add_bind(host_path("link"), "/data", 0);
	sandbox_expect_failure(&box, STAGE_ROOT, ELOOP);
	cr_expect(strstr(box.last.text, "mount /data: source ") == box.last.text, "%s",
		  box.last.text);
}

Test(root, refuses_a_source_that_passes_through_a_symbolic_link)
{
	host_directory("real");
	host_directory("real/data");
	cr_assert_eq(symlink("real", host_path("link")), 0);
	sandbox_init(&box, "true");
	add_bind(host_path("link/data"), "/data", MOUNT_OPTIONAL);
	sandbox_expect_failure(&box, STAGE_ROOT, ELOOP);
}

Test(root, refuses_a_target_that_passes_through_a_symbolic_link)
{
	host_directory("app");
	cr_assert_eq(symlink("/usr", host_path("app/out")), 0);
	host_directory("data");
	sandbox_init(&box, "true");
	add_bind(host_path("app"), "/srv/app", 0);
	add_bind(host_path("data"), "/srv/app/out/lib", 0);
	sandbox_expect_failure(&box, STAGE_ROOT, ELOOP);
}

Test(root, fails_on_a_source_that_is_missing)
{
	sandbox_init(&box, "true");
	add_bind("/nonexistent/data", "/data", 0);
	sandbox_expect_failure(&box, STAGE_ROOT, ENOENT);
	cr_expect_str_eq(box.last.text, "mount /data: source /nonexistent/data");
}

Test(root, passes_over_an_optional_source_that_is_missing)
{
	sandbox_init(&box, "ls -d /data");
	add_bind("/nonexistent/data", "/data", MOUNT_OPTIONAL);
	sandbox_run(&box);
	cr_expect_str_eq(box.text[0], "");
}

Test(root, takes_only_character_devices_for_devices)
{
	host_file("plain", "");
	sandbox_init(&box, "true");
	sandbox_add(&box, &(struct sandbox_mount){ .kind = MOUNT_DEVICE,
						   .source = host_path("plain"),
						   .target = "/dev/disk" });
	sandbox_expect_failure(&box, STAGE_ROOT, 0);
	cr_expect(strstr(box.last.text, "is no character device") != NULL, "%s", box.last.text);
}

Test(root, takes_no_device_for_a_file)
{
	sandbox_init(&box, "true");
	add_bind("/dev/null", "/data", 0);
	sandbox_expect_failure(&box, STAGE_ROOT, 0);
	cr_expect(strstr(box.last.text, "is no directory, file or socket") != NULL, "%s",
		  box.last.text);
}

Test(root, has_devices_that_work_and_cannot_be_changed)
{
	sandbox_run_script(&box, "echo x >/dev/null && head -c 3 /dev/zero | od -An -tx1\n"
				 "touch /dev/null || echo refused\n"
				 "echo again >/dev/stdout");
	cr_expect_str_eq(box.text[0], " 00 00 00\nrefused\nagain\n", "%s", box.text[0]);
}

Test(root, bounds_scratch_space_and_gives_it_to_the_worker)
{
	sandbox_run_script(&box, "stat -c '%a %u:%g' /tmp\n"
				 "head -c 2000000 /dev/zero >/tmp/big\n"
				 "stat -c %s /tmp/big\n"
				 "i=0; while mkdir /tmp/d$i 2>/dev/null; do i=$((i+1)); "
				 "[ $i -lt 3000 ] || break; done; "
				 "[ $i -lt 3000 ] && echo inodes are bounded");
	cr_expect_str_eq(box.text[0], "1777 61234:61235\n1048576\ninodes are bounded\n");
	cr_expect(strstr(box.text[1], "No space left on device") != NULL, "%s", box.text[1]);
}

Test(root, shows_no_process_but_the_workers_own_in_proc)
{
	sandbox_run_script(&box, "cd /proc; for f in *; do case $f in $$|self|thread-self) ;; "
				 "*) echo $f;; esac; done; ls /proc/1 2>&1; ls -d /proc/sys 2>&1");
	cr_expect_str_eq(box.text[0], "ls: cannot access '/proc/1': No such file or directory\n"
				      "ls: cannot access '/proc/sys': No such file or directory\n");
}

Test(root, leaves_no_way_back_to_the_old_root)
{
	sandbox_run_script(&box, "ls -A /tmp /proc/self/cwd/../../.. | head -c 400; "
				 "readlink /proc/self/root /proc/self/cwd");
	cr_expect(strstr(box.text[0], "pysbx-root-") == NULL);
	cr_expect(strstr(box.text[0], "/\n/tmp\n") != NULL, "%s", box.text[0]);
}

static size_t read_mountinfo(char *text, size_t size)
{
	_cleanup_fclose_ FILE *file = fopen("/proc/self/mountinfo", "re");
	size_t n;

	cr_assert(file != NULL);
	n = fread(text, 1, size - 1, file);
	text[n] = '\0';
	return n;
}

static char mounts_before[65536];

/* Mounts of our own that would hear of every change in a copy of them, as systemd sets up those of
 * a host. */
static void share_mounts(void)
{
	cr_assert_eq(unshare(CLONE_NEWNS), 0);
	cr_assert_eq(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	cr_assert_eq(mount(NULL, "/", NULL, MS_REC | MS_SHARED, NULL), 0);
	cr_assert(read_mountinfo(mounts_before, sizeof(mounts_before)) > 0);
}

static void expect_mounts_untouched(void)
{
	static char after[sizeof(mounts_before)];

	cr_assert(read_mountinfo(after, sizeof(after)) > 0);
	cr_expect_str_eq(after, mounts_before);
}

Test(root, leaves_the_hosts_mounts_alone)
{
	share_mounts();
	sandbox_run_script(&box, "true");
	expect_mounts_untouched();
}

static void expect_kept_failure(enum launch_stage stage)
{
	sandbox_keep(&box);
	sandbox_start(&box);
	cr_assert(box.seen & (1U << LAUNCH_FAILED), "it runs");
	cr_expect_eq(box.last.stage, stage, "%s", box.last.text);
	cr_expect_not(sandbox_wait_launcher(&box, 50), "the failure is not kept");
	expect_mounts_untouched();
}

/* A kept launcher lets go of its mounts: of all that it has, but of nothing of the host's. */
Test(root, leaves_the_hosts_mounts_alone_when_a_plan_is_refused)
{
	share_mounts();
	sandbox_init(&box, "true");
	box.plan_text = "{}";
	expect_kept_failure(STAGE_PLAN);
}

Test(root, leaves_the_hosts_mounts_alone_when_a_filter_is_refused)
{
	static struct sock_filter none[1];
	static const struct sock_fprog filter = { 0, none };

	share_mounts();
	sandbox_init(&box, "true");
	box.filter = &filter;
	expect_kept_failure(STAGE_PLAN);
}

Test(root, leaves_the_hosts_mounts_alone_when_the_root_cannot_be_built)
{
	share_mounts();
	sandbox_init(&box, "true");
	sandbox_add(&box, &(struct sandbox_mount){ .kind = MOUNT_BIND,
						   .source = "/no/such/place",
						   .target = "/data" });
	expect_kept_failure(STAGE_ROOT);
}
