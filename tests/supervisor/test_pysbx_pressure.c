/* SPDX-License-Identifier: MIT */
/* The Python module that answers the pressure ladder has tests in its own language. */
#include "policy/own.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(pysbx_pressure, .timeout = 30);

static const char tests[] = "tests/python/test_pysbx_pressure.py";

Test(pysbx_pressure, passes_its_own_tests)
{
	static char output[8192];
	size_t length;
	FILE *pipe;
	int status;

	if (system("command -v python3 >/dev/null") != 0)
		cr_skip_test("no python3");
	if (access(tests, R_OK) < 0)
		cr_skip_test("%s: %s: run in the source tree", tests, strerror(errno));
	pipe = popen("PYTHONPATH=packaging/python PYTHONDONTWRITEBYTECODE=1 python3 "
		     "tests/python/test_pysbx_pressure.py 2>&1",
		     "r");
	cr_assert_not_null(pipe);
	length = fread(output, 1, sizeof(output) - 1, pipe);
	output[length] = '\0';
	status = pclose(pipe);
	cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%s", output);
}
