/* SPDX-License-Identifier: MIT */
/* What looks like a death that is near, and is none. */
#include "tests/system/harness_deaths.h"

#include <criterion/criterion.h>

#define MEMORY "{\"limits\": {\"memory\": \"64M\"}}"

static const struct death none[] = {
	{ "file", "a file is read that is larger than the limit", PYTHON("read_large_file"), MEMORY,
	  LIVES },
	{ "map", "the same, mapped", PYTHON("map_large_file"), MEMORY, LIVES },
	{ "churn", "files are written and removed", PYTHON("churn_page_cache"), MEMORY, LIVES },
	{ "breathe", "much memory, given back each time", PYTHON("breathe"), MEMORY, LIVES },
	{ "burst", "8 s of computing", PYTHON("burn"), MEMORY, LIVES },
	{ "throttled", "the same, with half a core", PYTHON("burn"),
	  "{\"limits\": {\"cpu\": \"50%\"}}", LIVES },
	{ "slow-start", "12 s until it is ready", PYTHON("start_slowly"), MEMORY, LIVES },
	{ "children", "processes that come and go", PYTHON("many_children"), MEMORY, LIVES },
	{ "fallback", "a refused call with a fallback", PYTHON("refused_politely"), MEMORY, LIVES },
};

Test(deaths, are_not_seen_where_there_are_none)
{
	DEATHS_PLAY("no death", none);
}
