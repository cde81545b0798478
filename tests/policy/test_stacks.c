/* SPDX-License-Identifier: MIT */
#include "policy/own.h"
#include "policy/stacks.h"

#include <criterion/criterion.h>
#include <limits.h>
#include <string.h>

static json_t *load(const char *text)
{
	json_error_t where;
	json_t *value = json_loads(text, 0, &where);

	cr_assert_not_null(value, "%s", where.text);
	return value;
}

#define FRAME(function, file, line) \
	"{\"function\":\"" function "\",\"file\":\"" file "\",\"line\":" #line "}"
#define RESULT(threads)                                                                       \
	"{\"processes\":[{\"pid\":7,\"name\":\"web\",\"python\":\"3.11\",\"interpreters\":1," \
	"\"threads\":[" threads "]}]}"

/* --- who allocates -------------------------------------------------------------------------- */

static const char *const before_text =
	RESULT("{\"tid\":7,\"minor_faults\":1000},{\"tid\":8,\"minor_faults\":50}");

static json_int_t marked(const char *before, const char *after)
{
	json_t *first = before != NULL ? load(before) : NULL, *second = load(after);
	json_t *threads =
		json_object_get(json_array_get(json_object_get(second, "processes"), 0), "threads");
	int count = stacks_mark_allocating(first, second);
	json_int_t tid = 0;
	json_t *thread;
	size_t index;

	json_array_foreach(threads, index, thread)
	{
		if (json_is_true(json_object_get(thread, "allocating")))
			tid = json_integer_value(json_object_get(thread, "tid"));
	}
	cr_expect_eq(count, tid != 0);
	json_decref(first);
	json_decref(second);
	return tid;
}

Test(stacks, who_allocates_is_whose_faults_moved_most)
{
	cr_expect_eq(marked(before_text, RESULT("{\"tid\":7,\"minor_faults\":1010},"
						"{\"tid\":8,\"minor_faults\":90}")),
		     8);
	cr_expect_eq(marked(before_text, RESULT("{\"tid\":7,\"minor_faults\":1010},"
						"{\"tid\":9,\"minor_faults\":90}")),
		     9);
	cr_expect_eq(marked(before_text, RESULT("{\"tid\":7,\"minor_faults\":1004},"
						"{\"tid\":8,\"minor_faults\":50}")),
		     0, "a few are nothing");
	cr_expect_eq(marked(before_text, RESULT("{\"tid\":0,\"frames\":[]}")), 0);
	cr_expect_eq(marked(NULL, before_text), 0);
	cr_expect_eq(marked("{}", "{}"), 0);
}

/* --- one line ------------------------------------------------------------------------------- */

static void expect_line(const char *text, const char *line)
{
	char buffer[STACKS_LINE_MAX];
	json_t *result = load(text);
	const char *is = stacks_line(result, 7, buffer, sizeof(buffer));

	if (line == NULL)
		cr_expect_null(is);
	else
		cr_expect_str_eq(is, line);
	cr_expect_null(stacks_line(result, 8, buffer, sizeof(buffer)));
	json_decref(result);
}

Test(stacks, the_line_is_that_of_the_most_telling_thread)
{
#define FIRST "{\"tid\":7,\"state\":\"S\",\"frames\":[" FRAME("wait", "/srv/a.py", 1) "]}"
#define RUNS  "{\"tid\":8,\"state\":\"R\",\"frames\":[" FRAME("spin", "/srv/b.py", 2) "]}"
#define LOCKS "{\"tid\":9,\"gil\":true,\"frames\":[" FRAME("load", "/srv/c.py", 3) "]}"
#define TAKES "{\"tid\":10,\"allocating\":true,\"frames\":[" FRAME("grow", "/srv/d.py", 4) "]}"
	expect_line(RESULT(FIRST), "a.py:1 in wait()");
	expect_line(RESULT(FIRST "," RUNS), "b.py:2 in spin()");
	expect_line(RESULT(FIRST "," RUNS "," LOCKS), "c.py:3 in load()");
	expect_line(RESULT(FIRST "," TAKES "," RUNS "," LOCKS), "d.py:4 in grow()");
	expect_line(RESULT("{\"tid\":7,\"allocating\":true,\"frames\":[]}"), NULL);
	expect_line("{\"processes\":[]}", NULL);
}

Test(stacks, the_line_is_in_the_apps_own_code)
{
	expect_line(RESULT("{\"tid\":7,\"frames\":[" FRAME(
			    "recv", "/usr/lib/python3.11/socket.py",
			    706) "," FRAME("get",
					   "/srv/venv/lib/python3.11/site-packages/requests/api.py",
					   73) "," FRAME("index", "/srv/app/views.py",
							 42) "," FRAME("<module>",
								       "/usr/bin/"
								       "gunicorn",
								       8) "]}"),
		    "views.py:42 in index()");
	expect_line(RESULT("{\"tid\":7,\"frames\":[" FRAME(
			    "select", "/usr/lib/python3.11/selectors.py",
			    468) "," FRAME("<module>", "/usr/bin/gunicorn", 8) "]}"),
		    "selectors.py:468 in select()");
	expect_line(RESULT("{\"tid\":7,\"frames\":[" FRAME("<module>", "leak.py", 3) "]}"),
		    "leak.py:3 in <module>");
	expect_line(RESULT("{\"tid\":7,\"frames\":[{\"function\":\"f\",\"file\":\"x.py\"}]}"),
		    "x.py in f()");
}

Test(stacks, the_line_is_fit_for_a_terminal_and_for_its_buffer)
{
	char buffer[24];
	json_t *result =
		load(RESULT("{\"tid\":7,\"frames\":[" FRAME("f\\u001b[31m", "a\\n.py", 1) "]}"));

	expect_line(RESULT("{\"tid\":7,\"frames\":[" FRAME("f\\u001b[31m", "a\\n.py", 1) "]}"),
		    "a\\n.py:1 in f\\x1b[31m()");
	cr_assert_not_null(stacks_line(result, 0, buffer, sizeof(buffer)));
	cr_expect_lt(strlen(buffer), sizeof(buffer));
	json_decref(result);
}

/* --- the text ------------------------------------------------------------------------------- */

static char *text_of(const char *json, unsigned columns)
{
	json_t *result = load(json);
	char *text = NULL;
	size_t length;
	FILE *out = open_memstream(&text, &length);

	stacks_text(result, 2, columns, out);
	fclose(out);
	json_decref(result);
	return text;
}

Test(stacks, the_text_tells_all_of_it)
{
	_cleanup_free_ char *text = text_of(
		"{\"processes\":[{\"pid\":7,\"pid_inside\":1,\"name\":\"web\",\"python\":\"3.11\","
		"\"interpreters\":1,\"threads\":[{\"tid\":7,\"tid_inside\":1,\"name\":\"web\","
		"\"state\":\"R\",\"gil\":true,\"allocating\":true,\"cpu_usec\":3200000,"
		"\"truncated\":true,\"frames\":[" FRAME(
			"load", "/srv/app/views.py",
			42) "]},"
			    "{\"tid\":8,\"state\":\"S\",\"frames\":[]},{\"tid\":9,\"frames\":[]}]},"
			    "{\"pid\":9,\"python\":null,\"error\":\"no Python in "
			    "it\",\"interpreters\":0,"
			    "\"threads\":[{\"tid\":9,\"name\":\"sleep\",\"state\":\"S\",\"frames\":"
			    "[]}]}]}",
		UINT_MAX);

	cr_expect_str_eq(text, "  process 7 (1 inside) web, CPython 3.11\n"
			       "    thread 7 (1 inside) web: running, holds the GIL, allocates, "
			       "3s 200ms of processor time\n"
			       "      load at /srv/app/views.py:42\n"
			       "      ... (the rest was not read)\n"
			       "    2 threads without Python code\n"
			       "  process 9: no stacks: no Python in it\n"
			       "    thread 9 sleep: waiting\n");
}

Test(stacks, the_text_leaves_out_the_middle_of_a_recursion)
{
	json_t *frames = json_array(), *result;
	_cleanup_free_ char *json = NULL, *text = NULL;
	unsigned lines = 0;

	for (int i = 0; i < 500; i++)
		json_array_append_new(frames, json_pack("{s:s, s:s, s:i}", "function", "down",
							"file", "x.py", "line", i + 1));
	result = json_pack("{s:[{s:i, s:i, s:[{s:i, s:o}]}]}", "processes", "pid", 7,
			   "interpreters", 1, "threads", "tid", 7, "frames", frames);
	json = json_dumps(result, 0);
	json_decref(result);
	text = text_of(json, 100);
	for (const char *at = text; *at != '\0'; at++)
		lines += *at == '\n';
	cr_expect_eq(lines, 2 + STACKS_TEXT_INNER + 1 + STACKS_TEXT_OUTER);
	cr_expect_not_null(strstr(text, "down at x.py:30\n      ... 465 more ...\n"
					"      down at x.py:496\n"));
}

Test(stacks, words_of_the_app_stay_in_their_line)
{
	_cleanup_free_ char *text =
		text_of(RESULT("{\"tid\":7,\"name\":\"a\\nprocess 1\",\"frames\":[" FRAME(
				"f\\u001b[2J", "x\\n  process 2", 1) "]}"),
			60);

	cr_expect_null(strstr(text, "\nprocess"));
	cr_expect_null(strstr(text, "\n  process 2"));
	cr_expect_null(strchr(text, '\033'));
}
