/* SPDX-License-Identifier: MIT */
/* Out of memory: in all the ways that Python code gets there, at each level, and in real servers.
 */
#include "tests/system/harness_deaths.h"

#include <criterion/criterion.h>

TestSuite(deaths, .timeout = TEST_TIMEOUT_SEC);

#define LIMIT_64M "{\"limits\": {\"memory\": \"64M\", \"tmp_size\": \"64M\"}}"

/* The main process dies of the app's own limit. */
#define LEAK(mode, function)                                                        \
	.command = PYTHON(mode), .keys = LIMIT_64M, .cause = "oom", .level = "app", \
	.ended = "SIGKILL", .sentence = "the main process: app ", .top = function

static const struct death leaks[] = {
	{ "slow", "a list that grows slowly", LEAK("leak_slowly", "leak_slowly") },
	{ "fast", "a list that grows as fast as it can", LEAK("leak_fast", "leak_fast") },
	{ "once", "one object larger than the limit", LEAK("leak_at_once", "leak_at_once") },
	{ "bytearray", "one bytearray that is extended",
	  LEAK("extend_bytearray", "extend_bytearray") },
	{ "small", "small objects", LEAK("leak_small_objects", "leak_small_objects") },
	{ "list", "a generator without end, as a list", LEAK("list_generator", "generate") },
	{ "malloc", "in C: malloc by ctypes", LEAK("leak_malloc", "leak_malloc") },
	{ "numpy", "in C: numpy arrays", LEAK("leak_numpy", "leak_numpy") },
	{ "mmap", "anonymous maps", LEAK("leak_mmap", "leak_mmap") },
	{ "shm", "a file in /dev/shm", LEAK("fill_shm", "fill_shm") },
	{ "tmp", "a file in /tmp", LEAK("fill_tmp", "fill_shm") },
	{ "upload", "a file that is read whole", LEAK("read_upload", "read_upload") },
	{ "thread", "in a thread", LEAK("leak_in_thread", "export") },
	{ "threads", "in one of nine threads", LEAK("leak_among_threads", "export") },
};

Test(deaths, of_memory_in_one_process)
{
	DEATHS_PLAY("memory", leaks);
}

#define MEMORY(size) "\"limits\": {\"memory\": \"" size "\"}"

/* A child dies of the app's own limit, and its parent goes on. */
#define CHILD_LEAK(size, function)                                                   \
	.keys = "{" MEMORY(size) "}", .cause = "oom", .level = "app", .child = true, \
	.decision = "left-to-master", .sentence = "memory limit of " size, .top = function

static const struct death many[] = {
	{ "worker", "a forked worker", PYTHON("leak_in_child"), CHILD_LEAK("64M", "leak_slowly") },
	{ "four", "four workers at once, beyond the limit together", PYTHON("leak_in_four"),
	  CHILD_LEAK("112M", "leak_in_four") },
	{ "group", "the same with \"oom\": \"app\"", PYTHON("leak_in_four"),
	  "{\"oom\": \"app\", " MEMORY("112M") "}", .cause = "oom", .level = "app", .child = true,
	  .ended = NULL, .sentence = "and with it all others of the app", .top = "leak_in_four" },
	{ "gunicorn", "a request to gunicorn",
	  "gunicorn -w 2 --timeout 300 -b 127.0.0.1:@port deadly_app:app",
	  CHILD_LEAK("128M", "leak"), .request = "/leak", .log = "/leak in pid" },
	{ "uwsgi", "a request to uWSGI",
	  "uwsgi --plugin python3 --http-socket 127.0.0.1:@port --master --processes 2 "
	  "--need-app --wsgi-file deadly_app.py --callable app",
	  CHILD_LEAK("128M", "leak"), .request = "/leak", .log = "/leak in pid" },
	{ "uvicorn", "a request to uvicorn",
	  "uvicorn --host 127.0.0.1 --port @port deadly_app:asgi", "{" MEMORY("96M") "}",
	  .request = "/leak", .cause = "oom", .level = "app", .ended = "SIGKILL",
	  .sentence = "memory limit of 96M", .log = "/leak in pid", .top = "leak" },
	{ "tenant", "the tenant's limit, of two apps together", PYTHON("leak_slowly"),
	  "{\"tenant\": \"small\", " MEMORY("90M") "}", .cause = "oom", .level = "tenant",
	  .ended = "SIGKILL", .sentence = "tenant's memory limit of 96M", .top = "leak_slowly" },
	{ "neighbour", "the smaller app beside it", PYTHON("grow_to 24"),
	  "{\"tenant\": \"small\", " MEMORY("90M") "}", LIVES },
};

Test(deaths, of_memory_in_many_processes)
{
	DEATHS_PLAY("memory", many);
}

/* --- the whole machine ------------------------------------------------------------------------ */

/* The kernel looks for the process with the most memory, as it does when there is none left. Until
 * there is really none left an emulated machine reads its programs from the disk for minutes. */
static void call_oom_killer(struct deaths *deaths, const struct death *death, const char *app)
{
	(void)deaths, (void)death, (void)app;
	write_text("/proc/sysrq-trigger", "f", 0200);
}

static const struct death of_host[] = {
	{ "host", "the machine's memory, by an app without a limit", PYTHON("grow_to 250"),
	  .act = call_oom_killer, .cause = "oom", .level = "host", .ended = "SIGKILL",
	  .sentence = "the host ran out of memory" },
};

Test(deaths, of_memory_of_the_whole_machine)
{
	DEATHS_PLAY("memory", of_host);
}
