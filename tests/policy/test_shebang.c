/* SPDX-License-Identifier: MIT */
#include "policy/own.h"
#include "policy/shebang.h"

#include <criterion/criterion.h>
#include <string.h>

Test(shebang, reads_interpreter_and_argument_as_the_kernel_does)
{
	static const struct {
		const char *head, *interpreter, *argument;
	} samples[] = {
		{ "#!/bin/sh\n", "/bin/sh", "" },
		{ "#!/bin/sh", "/bin/sh", "" },
		{ "#! \t/usr/bin/python3 -I \t\nprint()\n", "/usr/bin/python3", "-I" },
		{ "#!/usr/bin/env -S python3 -u\n", "/usr/bin/env", "-S python3 -u" },
		{ "#!python3\n", "python3", "" },
		{ "#!/bin/sh\r\n", "/bin/sh\r", "" },
		{ "#!/a\n#!/b\n", "/a", "" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		struct shebang shebang;

		cr_assert(shebang_parse(samples[i].head, strlen(samples[i].head), &shebang), "%s",
			  samples[i].head);
		cr_expect_str_eq(shebang.interpreter, samples[i].interpreter);
		cr_expect_str_eq(shebang.argument, samples[i].argument);
	}
}

Test(shebang, refuses_what_the_kernel_would_not_run_as_a_script)
{
	static const char *const heads[] = { "",	"#",	   "#!",
					     "#!\n",	"#!  \n",  " #!/bin/sh",
					     "\177ELF", "print()", "#/bin/sh\n" };

	for (size_t i = 0; i < ARRAY_SIZE(heads); i++) {
		struct shebang shebang = { .interpreter = "untouched" };

		cr_expect_not(shebang_parse(heads[i], strlen(heads[i]), &shebang), "%s", heads[i]);
		cr_expect_str_eq(shebang.interpreter, "untouched");
	}
}

Test(shebang, stays_within_its_length)
{
	struct shebang shebang;

	cr_assert(shebang_parse("#!/bin/shell", 9, &shebang));
	cr_expect_str_eq(shebang.interpreter, "/bin/sh");
	cr_assert(shebang_parse("#!/bin/sh\0x y", 13, &shebang));
	cr_expect_str_eq(shebang.interpreter, "/bin/sh");
	cr_expect_str_eq(shebang.argument, "");
}

Test(shebang, takes_no_name_that_the_kernels_buffer_cuts)
{
	char head[SHEBANG_HEAD_MAX + 50];
	struct shebang shebang;

	memset(head, 'x', sizeof(head));
	head[0] = '#';
	head[1] = '!';
	head[2] = '/';
	cr_expect_not(shebang_parse(head, sizeof(head), &shebang));

	head[SHEBANG_HEAD_MAX - 1] = '\n';
	cr_assert(shebang_parse(head, sizeof(head), &shebang));
	cr_expect_eq(strlen(shebang.interpreter), SHEBANG_HEAD_MAX - 3);

	head[100] = ' '; /* only the argument is cut */
	head[SHEBANG_HEAD_MAX - 1] = 'x';
	cr_assert(shebang_parse(head, sizeof(head), &shebang));
	cr_expect_eq(strlen(shebang.interpreter), 98);
	cr_expect_eq(strlen(shebang.argument), SHEBANG_HEAD_MAX - 101);
}

static const char *env_program(const char *interpreter, const char *argument)
{
	static char program[SHEBANG_HEAD_MAX];
	struct shebang shebang;

	snprintf(shebang.interpreter, sizeof(shebang.interpreter), "%s", interpreter);
	snprintf(shebang.argument, sizeof(shebang.argument), "%s", argument);
	snprintf(program, sizeof(program), "untouched");
	return shebang_env_program(&shebang, program) ? program : NULL;
}

Test(shebang, finds_the_program_behind_env)
{
	cr_expect_str_eq(env_program("/usr/bin/env", "python3"), "python3");
	cr_expect_str_eq(env_program("/bin/env", "-S python3 -u"), "python3");
	cr_expect_str_eq(env_program("/bin/env", "-Spython3 -u"), "python3");
	cr_expect_str_eq(env_program("/bin/env", "-i A=b -u HOME=1 python3.11"), "python3.11");
	cr_expect_str_eq(env_program("env", "/opt/python"), "/opt/python");
}

Test(shebang, has_no_program_where_env_is_given_none)
{
	cr_expect_null(env_program("/usr/bin/python3", "-u"));
	cr_expect_null(env_program("/usr/bin/myenv", "python3"));
	cr_expect_null(env_program("/usr/bin/env", ""));
	cr_expect_null(env_program("/usr/bin/env", "-S"));
	cr_expect_null(env_program("/usr/bin/env", "-i A=b"));
}
