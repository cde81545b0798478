/* SPDX-License-Identifier: MIT */
/* `pysbx top` on a terminal: however it ends, the terminal is as it was. */
#include "tests/supervisor/ctl_fixture.h"

#include <poll.h>
#include <pty.h>
#include <termios.h>

#define ENTERED	      "\033[?1049h" /* xterm's other screen, and */
#define LEFT	      "\033[?1049l" /* back */
#define OUT_MAX	      65536
#define PATIENCE_MSEC 20000

static const struct exchange script[] = {
	{ .method = "app.usage",
	  .params = "{}",
	  .result = "{\"apps\":[{\"name\":\"web\",\"state\":\"running\",\"cpu\":25.0,\"memory\":1}]"
		    "}" },
	{ 0 },
};

struct scene {
	pid_t daemon, top;
	int terminal; /* its other end */
	struct termios before;
	char out[OUT_MAX];
	size_t length;
};

static struct scene scene = { .terminal = -1 };

static void begin(void)
{
	const struct winsize size = { .ws_row = 24, .ws_col = 80 };
	char *argv[] = { (char *)"top", NULL };

	tree_make();
	scene.daemon = fixture_start(tree_path("control.sock"), script);
	setenv("PYSBX_SOCKET", tree_path("control.sock"), 1);
	setenv("TERM", "xterm", 1);
	scene.top = forkpty(&scene.terminal, NULL, NULL, &size);
	cr_assert_geq(scene.top, 0);
	if (scene.top == 0)
		exit(ctl_main(1, argv));
	cr_assert_eq(tcgetattr(scene.terminal, &scene.before), 0);
}

static void end(void)
{
	fixture_stop(scene.daemon);
	close_and_clear(&scene.terminal);
	tree_remove();
}

TestSuite(top_screen, .init = begin, .fini = end, .timeout = 30);

/* Reads until the text is there, or the terminal's end. */
static bool await(const char *text)
{
	struct pollfd poller = { .fd = scene.terminal, .events = POLLIN };

	while (strstr(scene.out, text) == NULL) {
		ssize_t n = -1;

		if (poll(&poller, 1, PATIENCE_MSEC) > 0)
			n = read(scene.terminal, scene.out + scene.length,
				 OUT_MAX - 1 - scene.length);
		if (n <= 0)
			return false;
		scene.length += (size_t)n;
		scene.out[scene.length] = '\0';
	}
	return true;
}

static void press(const char *keys)
{
	cr_assert_eq(write(scene.terminal, keys, strlen(keys)), (ssize_t)strlen(keys));
}

/* Has ended with this code, and given the terminal back. */
static void expect_end(int code)
{
	struct termios after;
	int status;

	cr_expect(await(LEFT), "%s", scene.out);
	/* curses says that it leaves, and then sets the modes back */
	cr_assert_eq(waitpid(scene.top, &status, 0), scene.top);
	cr_assert_eq(tcgetattr(scene.terminal, &after), 0);
	cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == code, "%x", (unsigned)status);
	cr_expect_eq(after.c_lflag, scene.before.c_lflag);
	cr_expect_eq(after.c_iflag, scene.before.c_iflag);
	cr_expect_eq(after.c_oflag, scene.before.c_oflag);
}

Test(top_screen, shows_apps_and_ends_by_q)
{
	cr_assert(await(ENTERED), "%s", scene.out);
	cr_assert(await("web"), "%s", scene.out);
	cr_assert(await("LIMIT"), "%s", scene.out);
	press("m");
	press("q");
	expect_end(0);
}

Test(top_screen, gives_the_terminal_back_when_it_is_killed)
{
	cr_assert(await("web"), "%s", scene.out);
	kill(scene.top, SIGTERM);
	expect_end(0);
}

Test(top_screen, gives_the_terminal_back_on_an_interrupt_key)
{
	cr_assert(await("web"), "%s", scene.out);
	press("\003");
	expect_end(0);
}

Test(top_screen, ends_with_its_terminal)
{
	int status;

	cr_assert(await("web"), "%s", scene.out);
	close_and_clear(&scene.terminal);
	cr_assert_eq(waitpid(scene.top, &status, 0), scene.top);
	cr_expect(WIFEXITED(status), "%x", (unsigned)status);
}
