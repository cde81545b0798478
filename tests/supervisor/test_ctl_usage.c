/* SPDX-License-Identifier: MIT */
/* `pysbx history`, `pysbx top --once`. */
#include "tests/supervisor/ctl_fixture.h"

#define HISTORY                                                                              \
	"{\"name\":\"web\",\"state\":\"running\",\"pace\":\"busy\",\"limits\":{\"memory\":"  \
	"67108864,\"cpu_milli\":null},\"history\":{\"time_msec\":[1000,2000,4000],"          \
	"\"cpu_usage_usec\":[0,500000,1500000],\"memory_current\":[1048576,33554432,"        \
	"67108864],\"memory_full_avg10\":[0.0,1.5,12.25],\"memory_full_usec\":[0,0,100000]," \
	"\"pids\":[1,2,3],\"starts\":[1,1,2]}}"

Test(ctl_usage, history_is_a_table)
{
	_cleanup_told_ struct told told =
		tell(SCRIPT({ .method = "app.history",
			      .params = "{\"name\":\"web\",\"since\":\"1min\"}",
			      .result = HISTORY }),
		     WORDS("history", "web", "--since", "1min"));

	cr_expect_eq(told.code, 0, "%s", told.errors);
	cr_expect_str_eq(
		told.out,
		" TIME  CPU%  THR%  MEMORY  ANON  FILE  SHMEM  STALL%  IO/S  PIDS  QUEUE  LIFE\n"
		"-3.0s   0.0   0.0    1.0M     0     0      0     0.0     0     1      0     1\n"
		"-2.0s  50.0   0.0   32.0M     0     0      0     1.5     0     2      0     1\n"
		"-0.0s  50.0   0.0   64.0M     0     0      0    12.2     0     3      0     2\n");
}

Test(ctl_usage, history_names_the_processes)
{
	_cleanup_told_ struct told told = tell(
		SCRIPT({ .method = "app.history",
			 .params = "{\"name\":\"web\"}",
			 .result = "{\"history\":{\"time_msec\":[1000],\"processes\":[{"
				   "\"pid\":12,\"comm\":\"a\\u001bb\",\"alive\":false,\"rss\":"
				   "1048576,\"cpu_usec\":2000000,\"rss_series\":[524288,1048576]},"
				   "{\"pid\":9,\"comm\":\"sh\",\"alive\":true,\"rss\":1048576,"
				   "\"pss\":524288,\"cpu_usec\":0,\"rss_series\":[1048576]}]}}" }),
		WORDS("history", "web"));

	cr_expect_eq(told.code, 0, "%s", told.errors);
	cr_expect_not_null(strstr(told.out,
				  "\nPID  NAME    STATE   RSS   PSS  CPU  RSS, 10 S EACH\n"
				  " 12  a\\x1bb  gone   1.0M     -   2s  ▄█\n"
				  "  9  sh      -      1.0M  512K    0  █\n"),
			   "%s", told.out);
}

Test(ctl_usage, history_shows_so_many_rows)
{
	_cleanup_told_ struct told told = tell(SCRIPT({ .method = "app.history",
							.params = "{\"name\":\"web\"}",
							.result = HISTORY }),
					       WORDS("history", "web", "-n", "1"));

	cr_expect_eq(told.code, 0, "%s", told.errors);
	cr_expect_not_null(strstr(told.out, "\n-0.0s  50.0"), "%s", told.out);
	cr_expect_null(strstr(told.out, "-3.0s"));
}

Test(ctl_usage, history_is_drawn)
{
	_cleanup_told_ struct told told = tell(SCRIPT({ .method = "app.history",
							.params = "{\"name\":\"web\"}",
							.result = HISTORY }),
					       WORDS("history", "web", "--plot"));

	cr_expect_eq(told.code, 0, "%s", told.errors);
	cr_expect_not_null(strstr(told.out, "memory: now 64.0M, at most 64.0M, limit 64.0M\n"),
			   "%s", told.out);
	cr_expect_not_null(strstr(told.out, "cpu: now 50%, at most 50%\n"), "%s", told.out);
	cr_expect_not_null(strstr(told.out, "-3s"), "%s", told.out);
	cr_expect_not_null(strstr(told.out, "█"));
}

Test(ctl_usage, history_of_nothing_is_said_to_be_nothing)
{
	_cleanup_told_ struct told told = tell(
		SCRIPT({ .method = "app.history", .params = "{\"name\":\"web\"}", .result = "{}" }),
		WORDS("history", "web", "--plot"));

	cr_expect_eq(told.code, 0);
	cr_expect_str_eq(told.out, "nothing is on record\n");
}

#define USAGE                                                                                 \
	"{\"apps\":[{\"name\":\"shop\",\"state\":\"stopped\",\"restarts\":0},{\"name\":"      \
	"\"web\",\"state\":\"running\",\"restarts\":1,\"memory_max\":67108864,\"cpu_milli\":" \
	"null,\"cpu\":25.0,\"memory\":33554432,\"io\":0,\"pids\":4,\"queue\":0}]}"
#define SERIES "{\"apps\":[{\"name\":\"web\",\"state\":\"running\",\"cpu_series\":[0.0,100.0]}]}"

Test(ctl_usage, top_is_printed_once)
{
	_cleanup_told_ struct told told =
		tell(SCRIPT({ .method = "app.usage", .params = "{}", .result = USAGE },
			    { .method = "app.usage",
			      .params = "{\"names\":[\"web\",\"shop\"],\"points\":10}",
			      .result = SERIES }),
		     WORDS("top", "--once"));
	const char *web, *shop;

	cr_expect_eq(told.code, 0, "%s", told.errors);
	cr_expect_not_null(strstr(told.out, "2 apps, 1 running  cpu 25.0%  memory 32.0M  by cpu\n"),
			   "%s", told.out);
	web = strstr(told.out, "\nweb ");
	shop = strstr(told.out, "\nshop ");
	cr_assert(web != NULL && shop != NULL, "%s", told.out);
	cr_expect_lt(web, shop);
	cr_expect_not_null(strstr(web, " █"), "%s", web);
}

Test(ctl_usage, top_shows_those_that_match_in_the_order_of_a_key)
{
	_cleanup_told_ struct told told =
		tell(SCRIPT({ .method = "app.usage",
			      .params = "{\"tenant\":\"acme\"}",
			      .result = USAGE },
			    { .method = "app.usage",
			      .params = "{\"names\":[\"shop\"],\"points\":10}",
			      .result = "{}" }),
		     WORDS("top", "--once", "--sort=name", "--tenant", "acme", "stop"));

	cr_expect_eq(told.code, 0, "%s", told.errors);
	cr_expect_null(strstr(told.out, "\nweb "));
	cr_expect_not_null(strstr(told.out, "\nshop "));
}

Test(ctl_usage, top_needs_a_terminal_and_says_what_to_do)
{
	_cleanup_told_ struct told told = tell(
		SCRIPT({ .method = "app.usage", .params = "{}", .result = USAGE }), WORDS("top"));

	cr_expect_eq(told.code, 1);
	cr_expect_str_eq(told.errors, "pysbx: top: this is no terminal: add --once to print it as "
				      "text\n");
}

Test(ctl_usage, top_refuses_a_key_and_a_time_that_are_none)
{
	_cleanup_told_ struct told key = tell(SCRIPT({ 0 }), WORDS("top", "--sort", "size"));
	_cleanup_told_ struct told time = tell(SCRIPT({ 0 }), WORDS("top", "--interval", "x"));

	cr_expect_eq(key.code, 2);
	cr_expect_neq(time.code, 0);
	cr_expect_not_null(strstr(time.errors, "--interval"));
}
