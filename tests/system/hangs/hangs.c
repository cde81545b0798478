/* SPDX-License-Identifier: MIT */
/* Apps that make no progress any more: hung, stalled for want of memory, or held back by a limit.
 */
#include "tests/system/harness_deaths.h"

#include <criterion/criterion.h>

TestSuite(deaths, .timeout = TEST_TIMEOUT_SEC);

#define HEALTH                                                                       \
	"\"health\": {\"http\": \"http://127.0.0.1:@port/\", \"interval\": \"1s\", " \
	"\"timeout\": \"1s\", \"failures\": 3, \"start_period\": \"2min\"}"

#define SERVER(how) .command = PYTHON("serve " how " @port"), .request = "/hang"
#define HUNG(function)                                               \
	.keys = "{" HEALTH "}", .cause = "hung", .ended = "SIGKILL", \
	.sentence = " in " function "()", .top = function

static const struct death hangs[] = {
	{ "deadlock", "a deadlock of two threads", SERVER("deadlock"), HUNG("deadlock") },
	{ "loop", "an infinite loop", SERVER("spin"), HUNG("spin") },
	{ "socket", "a socket that nobody writes to", SERVER("receive"), HUNG("receive") },
	{ "fifo", "a FIFO that nobody opens", SERVER("open_fifo"), HUNG("open_fifo") },
	{ "child", "a child that does not end", SERVER("wait_for_child"), HUNG("wait_for_child") },
	{ "uvicorn", "a blocked event loop, of uvicorn",
	  "uvicorn --host 127.0.0.1 --port @port deadly_app:asgi", .request = "/block",
	  HUNG("block") },
	{ "gunicorn", "the only worker of gunicorn",
	  "gunicorn -w 1 --timeout 300 --worker-tmp-dir /dev/shm -b 127.0.0.1:@port deadly_app:app",
	  .request = "/block", HUNG("block") },
	{ "cpu", "processor time: its limit is too low for it", SERVER("crowd_processor"),
	  .keys = "{" HEALTH ", \"limits\": {\"cpu\": \"5%\"}}", .warning = "of its 5% of cpu" },
	{ "disk", "a disk: io.max is too low for it", SERVER("write_much"),
	  .keys = "{" HEALTH ", \"limits\": {\"io\": {\"@data\": {\"wbps\": \"1M\"}}}}",
	  .warning = "held back by io.max" },
	{ "stalled", "memory_high is far below what it needs", PYTHON("leak_slowly"),
	  "{\"limits\": {\"memory\": \"128M\", \"memory_high\": \"48M\"}}", .cause = "stalled",
	  .ended = "SIGKILL", .sentence = "of 48M can't be reclaimed" },
};

Test(deaths, of_those_that_make_no_progress)
{
	DEATHS_PLAY("hang", hangs);
}
