/* SPDX-License-Identifier: MIT */
/*
 * A tenant with processes outside exchanges directories for symlinks while pysbx starts the app
 * (CVE-2021-30465, CVE-2025-31133 and their kin), and moves them away from under a worker. Root
 * must not be led to where the tenant could not go.
 */
#include "tests/system/harness.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define TENANT	   4242
#define TENANT_ID  "4242"
#define STARTS	   5
#define ROOTS_MODE 0700

TestSuite(races, .timeout = TEST_TIMEOUT_SEC);

/* Root's directory, which the tenant may not enter; and one of the tenant's, with in it
 *
 *   code/        a directory, and "link", a symlink to root's: these two are exchanged
 */
struct scene {
	const char *secret, *tenant, *code, *link;
	pid_t swapper;
};

static void make_directory(const char *path, mode_t mode, uid_t owner)
{
	cr_assert_eq(mkdir(path, mode), 0, "%s: %s", path, strerror(errno));
	cr_assert_eq(chmod(path, mode), 0);
	cr_assert_eq(chown(path, owner, owner), 0);
}

static void set_scene(struct scene *scene, struct bench *bench)
{
	*scene = (struct scene){
		.secret = bench_format(bench, "%s/secret", bench->directory),
		.tenant = bench_format(bench, "%s/tenant", bench->directory),
		.code = bench_format(bench, "%s/tenant/code", bench->directory),
		.link = bench_format(bench, "%s/tenant/link", bench->directory),
	};
	make_directory(scene->secret, ROOTS_MODE, 0);
	/* readable and writable for everybody who gets there */
	make_directory(bench_format(bench, "%s/inner", scene->secret), 0777, 0);
	write_text(bench_format(bench, "%s/inner/word", scene->secret), "secret\n", 0666);
	make_directory(scene->tenant, 0755, TENANT);
	make_directory(scene->code, 0755, TENANT);
	make_directory(bench_format(bench, "%s/inner", scene->code), 0755, TENANT);
	cr_assert_eq(symlink(scene->secret, scene->link), 0);
	cr_assert_eq(lchown(scene->link, TENANT, TENANT), 0);
}

static void start_swapping(struct scene *scene)
{
	scene->swapper = fork();
	cr_assert_geq(scene->swapper, 0);
	if (scene->swapper > 0)
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (setresgid(TENANT, TENANT, TENANT) < 0 || setresuid(TENANT, TENANT, TENANT) < 0)
		_exit(1);
	for (;;) {
		(void)syscall(SYS_renameat2, -1, scene->code, -1, scene->link, RENAME_EXCHANGE);
		pause_msec(1);
	}
}

/* Back to how it was, so that the next start begins there. */
static void stop_swapping(const struct scene *scene)
{
	struct stat file;

	kill(scene->swapper, SIGKILL);
	waitpid(scene->swapper, NULL, 0);
	cr_assert_eq(lstat(scene->code, &file), 0);
	if (S_ISLNK(file.st_mode))
		cr_assert_eq(
			syscall(SYS_renameat2, -1, scene->code, -1, scene->link, RENAME_EXCHANGE),
			0);
}

static void expect_secret_is_kept(struct bench *bench, const struct scene *scene, struct run *run)
{
	cr_expect_null(strstr(run_stdout(run), "secret"), "it was read%s", run_story(run));
	cr_expect_neq(access(bench_format(bench, "%s/inner/left", scene->secret), F_OK), 0,
		      "something was written%s", run_story(run));
}

/* The worker looks for root's file where the directory is shown, and tries to leave one there. */
static void start_while_swapping(const char *word, const char *option, const char *below)
{
	size_t well = 0;
	struct scene scene;
	struct bench bench;
	struct run run;
	const char *path;

	bench_open(&bench, word);
	set_scene(&scene, &bench);
	path = bench_format(&bench, "%s%s", scene.code, below);
	for (size_t i = 0; i < STARTS; i++) {
		start_swapping(&scene);
		run_start(&run, &bench,
			  WORDS("--user", TENANT_ID, option, path, "--restart", "never", "--quiet",
				"--", "sh", "-c",
				bench_format(&bench,
					     "cat %s/word %s/inner/word; echo >%s/left; "
					     "echo >%s/inner/left; ls -R %s; echo in",
					     path, path, path, path, scene.tenant)));
		run_wait(&run, START_MSEC);
		stop_swapping(&scene);
		expect_secret_is_kept(&bench, &scene, &run);
		well += strstr(run_stdout(&run), "in\n") != NULL;
	}
	/* the same without anybody who meddles */
	cr_expect_eq(run_through(&run, &bench,
				 WORDS("--user", TENANT_ID, option, path, "--restart", "never",
				       "--", "true")),
		     0, "%s", run_story(&run));
	fprintf(stderr, "%s: %zu of %d starts went on\n", word, well, STARTS);
	bench_close(&bench);
}

Test(races, a_writable_directory_that_becomes_a_symlink_leads_nowhere)
{
	start_while_swapping("swap-rw", "--rw", "");
}

Test(races, nor_does_one_whose_parent_becomes_a_symlink)
{
	start_while_swapping("swap-parent", "--rw", "/inner");
}

Test(races, nor_does_the_directory_of_the_app)
{
	start_while_swapping("swap-chdir", "--chdir", "/inner");
}

/* A worker's directory is moved out of what is mounted: ".." must not lead on to the host's tree.
 */
Test(races, a_directory_that_is_moved_from_under_a_worker_leads_nowhere)
{
	struct bench bench;
	struct run run;
	const char *bait, *sub, *moved;

	bench_open(&bench, "moved");
	bait = bench_format(&bench, "%s/bait", bench.directory);
	sub = bench_format(&bench, "%s/sub", bench.data);
	moved = bench_format(&bench, "%s/moved", bench.directory);
	write_text(bait, "secret\n", 0644);
	make_directory(sub, 0777, 0);
	run_start(&run, &bench,
		  WORDS("--rw", bench.data, "--restart", "never", "--", "sh", "-c",
			bench_format(&bench,
				     "cd %s; echo in; while [ ! -e %s/go ]; do sleep 0.1; done\n"
				     "up=..; for i in 1 2 3 4 5 6 7 8; do\n"
				     "cat $up/bait $up%s; up=$up/..; done; echo out",
				     sub, bench.data, bait)));
	run_await_stdout(&run, "in", START_MSEC);
	cr_assert_eq(rename(sub, moved), 0, "%s", strerror(errno));
	write_text(bench_format(&bench, "%s/go", bench.data), "", 0644);
	cr_expect_eq(run_wait(&run, START_MSEC), 0, "%s", run_story(&run));
	cr_expect_null(strstr(run_stdout(&run), "secret"), "%s", run_story(&run));
	bench_close(&bench);
}
