/* SPDX-License-Identifier: MIT */
/*
 * A daemon for tests of the command line: a child that listens on a socket in a temporary directory
 * and says what a script tells it to. It compares each request with the script, and answers an
 * unexpected one with an error that shows it, so that the test's output tells.
 */
#pragma once

#include "policy/own.h"
#include "supervisor/ctl.h"
#include "tests/supervisor/tree.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#define CTL_FIXTURE_LINE_MAX 65536
#define CTL_FIXTURE_NOW	     1795797000 /* 2026-11-27T16:30:00Z */

struct exchange {
	const char *method;
	const char *params; /* JSON; order of keys and blanks do not matter */
	const char *result; /* JSON, or NULL and */
	const char *error;  /* the error object */
	const char *before; /* whole lines that are sent before the answer, NULL for none */
	const char *after;  /* and behind it */
	bool hang_up;	    /* then the connection is closed */
};

struct told {
	int code;
	char *out, *errors; /* owned */
};

__attribute__((unused)) static void told_clear(struct told *told)
{
	free(told->out);
	free(told->errors);
}
#define _cleanup_told_ __attribute__((cleanup(told_clear)))

static void fixture_answer(FILE *stream, const struct exchange *exchange, const json_t *request)
{
	_cleanup_free_ char *id = json_dumps(json_object_get(request, "id"), JSON_ENCODE_ANY);
	_cleanup_free_ char *asked = json_dumps(request, JSON_COMPACT);
	_cleanup_json_ json_t *params = NULL;
	const char *method = json_string_value(json_object_get(request, "method"));

	if (exchange->method != NULL)
		params = json_loads(exchange->params, 0, NULL);
	if (exchange->method == NULL || strcmp(method, exchange->method) != 0 ||
	    !json_equal(json_object_get(request, "params"), params)) {
		_cleanup_json_ json_t *error =
			json_pack("{s:i, s:s}", "code", -32603, "message", asked);
		_cleanup_free_ char *text = json_dumps(error, JSON_COMPACT);

		fprintf(stream, "{\"jsonrpc\":\"2.0\",\"id\":%s,\"error\":%s}\n", id, text);
		return;
	}
	fputs(exchange->before != NULL ? exchange->before : "", stream);
	fprintf(stream, "{\"jsonrpc\":\"2.0\",\"id\":%s,\"%s\":%s}\n", id,
		exchange->result != NULL ? "result" : "error",
		exchange->result != NULL ? exchange->result : exchange->error);
	fputs(exchange->after != NULL ? exchange->after : "", stream);
}

/* The child: goes through the script, over as many connections as it takes. */
static void fixture_serve(int listener, const struct exchange *script)
{
	static char line[CTL_FIXTURE_LINE_MAX];

	alarm(20);
	for (;;) {
		int fd = accept(listener, NULL, NULL);
		FILE *in = fdopen(fd, "r"), *out = fdopen(dup(fd), "w");
		bool over = false;

		while (!over && fgets(line, sizeof(line), in) != NULL) {
			json_t *request = json_loads(line, 0, NULL);

			fixture_answer(out, script, request);
			fflush(out);
			json_decref(request);
			over = script->hang_up;
			script += script->method != NULL ? 1 : 0;
		}
		fclose(in);
		fclose(out);
	}
}

static int fixture_listen(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	cr_assert_geq(fd, 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	cr_assert_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0, "%s", path);
	cr_assert_eq(listen(fd, 8), 0);
	return fd;
}

/* The child's pid. */
static pid_t fixture_start(const char *path, const struct exchange *script)
{
	int listener = fixture_listen(path);
	pid_t child = fork();

	cr_assert_geq(child, 0);
	if (child == 0)
		fixture_serve(listener, script);
	close(listener);
	return child;
}

static void fixture_stop(pid_t child)
{
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

/* How the command is looked at: as if on a terminal of that width, in colour or not. */
struct looks {
	unsigned columns;
	bool colour, ascii;
	const char *input; /* what standard input holds */
};

__attribute__((unused)) static int fixture_run(const char *socket, const struct looks *looks,
					       const char *const words[], struct told *told)
{
	size_t out_size, errors_size;
	char *argv[32];
	int argc = 0, code;
	const char *input = looks->input != NULL ? looks->input : "{}";
	struct ctl ctl = {
		.in = fmemopen((char *)input, strlen(input), "r"),
		.out = open_memstream(&told->out, &out_size),
		.errors = open_memstream(&told->errors, &errors_size),
		.socket = socket,
	};

	ctl.view = (struct ctl_view){ ctl.out, looks->columns, looks->colour, CTL_FIXTURE_NOW,
				      .utf8 = !looks->ascii };
	for (; words[argc] != NULL; argc++)
		argv[argc] = (char *)words[argc];
	code = ctl_run(&ctl, argc, argv);
	fclose(ctl.in);
	fclose(ctl.out);
	fclose(ctl.errors);
	return code;
}

/* The words of a command and its answers, to what it prints. script: NULL if nobody listens, else
 * ended by an exchange without a method. */
__attribute__((unused)) static struct told tell_as(const struct looks *looks,
						   const struct exchange *script,
						   const char *const words[])
{
	struct told told = { 0 };
	pid_t child;

	signal(SIGPIPE, SIG_IGN);
	if (script == NULL) {
		told.code = fixture_run("/nowhere/control.sock", looks, words, &told);
		return told;
	}
	tree_make();
	child = fixture_start(tree_path("control.sock"), script);
	told.code = fixture_run(tree_path("control.sock"), looks, words, &told);
	fixture_stop(child);
	tree_remove();
	return told;
}

__attribute__((unused)) static struct told tell(const struct exchange *script,
						const char *const words[])
{
	return tell_as(&(struct looks){ 0 }, script, words);
}

#define WORDS(...)  ((const char *const[]){ __VA_ARGS__, NULL })
#define SCRIPT(...) ((const struct exchange[]){ __VA_ARGS__, { 0 } })
