/* SPDX-License-Identifier: MIT */
#include "tests/system/harness_daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define SYSTEMCTL_MSEC 60000
#define LINE_MAX_BYTES ((size_t)16 << 20)

/* --- commands --------------------------------------------------------------------------------- */

static char *read_all(FILE *pipe)
{
	char chunk[4096], *text = NULL;
	size_t size = 0, n;
	FILE *out = open_memstream(&text, &size);

	cr_assert_not_null(out);
	while ((n = fread(chunk, 1, sizeof(chunk), pipe)) > 0)
		cr_assert_eq(fwrite(chunk, 1, n, out), n);
	cr_assert_eq(fclose(out), 0);
	return text;
}

static int run_shell(char **ret_output, const char *command)
{
	FILE *pipe = popen(command, "re");
	char *output;
	int status;

	cr_assert_not_null(pipe, "%s: %s", command, strerror(errno));
	output = read_all(pipe);
	status = pclose(pipe);
	if (ret_output != NULL)
		*ret_output = output;
	else
		free(output);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int shell(char **ret_output, const char *format, ...)
{
	char command[SHELL_COMMAND_MAX];
	va_list args;

	va_start(args, format);
	cr_assert_lt(vsnprintf(command, sizeof(command), format, args), SHELL_COMMAND_MAX);
	va_end(args);
	return run_shell(ret_output, command);
}

const char *daemon_story(void)
{
	char *text = NULL;

	(void)run_shell(&text, "systemctl status --no-pager --lines=0 " DAEMON_SERVICE
			       " 2>&1 | head -n 5; journalctl --sync; journalctl --no-pager "
			       "--output=short-monotonic -n 40 -t pysbxd -t pysbx 2>&1");
	return text;
}

char *shell_output(const char *format, ...)
{
	char command[SHELL_COMMAND_MAX], *output;
	va_list args;
	int status;

	va_start(args, format);
	cr_assert_lt(vsnprintf(command, sizeof(command), format, args), SHELL_COMMAND_MAX);
	va_end(args);
	status = run_shell(&output, command);
	cr_assert_eq(status, 0, "%s: exit status %d\n%s\n%s", command, status, output,
		     daemon_story());
	return output;
}

/* --- the daemon's life ------------------------------------------------------------------------ */

static void systemctl(const char *verb, const char *units)
{
	free(shell_output("timeout %d systemctl %s %s 2>&1", SYSTEMCTL_MSEC / 1000, verb, units));
}

static bool scope_is_gone(void)
{
	return access(DAEMON_SCOPE_PATH, F_OK) < 0 &&
	       shell(NULL, "systemctl is-active --quiet " DAEMON_SCOPE) != 0;
}

void daemon_reset(void)
{
	systemctl("stop", DAEMON_SERVICE " " DAEMON_SOCKET_UNIT);
	/* frozen or deaf: no app holds this up */
	(void)shell(NULL, "test ! -e %s || echo 1 >%s/cgroup.kill", DAEMON_SCOPE_PATH,
		    DAEMON_SCOPE_PATH);
	cr_assert(AWAIT(scope_is_gone(), REACTION_MSEC), "%s is still there\n%s", DAEMON_SCOPE,
		  daemon_story());
	(void)shell(NULL, "systemctl reset-failed " DAEMON_SERVICE " " DAEMON_SOCKET_UNIT
			  " " DAEMON_SCOPE " 2>/dev/null");
	free(shell_output("rm -rf /etc/pysbx/*.d/* /etc/pysbx/pysbxd.json /var/lib/pysbx/* "
			  "/var/log/pysbx/* /run/pysbx/state.json* /run/pysbx/sandbox"));
}

static bool answers(void)
{
	json_t *answer = daemon_try("daemon.info", NULL, CALL_MSEC);
	bool well = json_object_get(answer, "result") != NULL;

	json_decref(answer);
	return well;
}

static void await_answer(void)
{
	cr_assert(AWAIT(answers(), REACTION_MSEC), "the daemon does not answer\n%s",
		  daemon_story());
}

void daemon_start(void)
{
	systemctl("start", DAEMON_SERVICE);
	await_answer();
}

void daemon_stop(void)
{
	systemctl("stop", DAEMON_SERVICE);
}

void daemon_restart(void)
{
	systemctl("restart", DAEMON_SERVICE);
	await_answer();
}

pid_t daemon_pid(void)
{
	_cleanup_free_ char *text =
		shell_output("systemctl show --property=MainPID --value " DAEMON_SERVICE);

	return (pid_t)strtol(text, NULL, 10);
}

void daemon_kill(int signal)
{
	pid_t pid = daemon_pid();

	cr_assert_gt(pid, 0, "there is no daemon to kill\n%s", daemon_story());
	cr_assert_eq(kill(pid, signal), 0, "kill: %s", strerror(errno));
}

static bool has_successor(pid_t old, pid_t *ret)
{
	*ret = daemon_pid();
	return *ret > 0 && *ret != old && answers();
}

pid_t daemon_await_successor(pid_t old, int msec)
{
	pid_t pid = 0;

	cr_assert(AWAIT(has_successor(old, &pid), msec), "no new daemon after %d\n%s", (int)old,
		  daemon_story());
	return pid;
}

void daemon_bench_open(struct bench *bench, const char *word)
{
	bench_open(bench, word);
	daemon_reset();
	daemon_start();
}

void daemon_bench_close(struct bench *bench)
{
	daemon_do("app.remove", "{s:s}", "name", bench->name);
	bench_close(bench);
}

/* --- connections ------------------------------------------------------------------------------ */

static int connect_daemon(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = DAEMON_SOCKET_PATH };
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	cr_assert_geq(fd, 0);
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return -1;
	return TAKE_FD(fd);
}

void link_open_fd(struct link *link, int fd)
{
	*link = (struct link){ .fd = fd };
}

void link_open(struct link *link)
{
	int fd = connect_daemon();

	cr_assert_geq(fd, 0, "%s: %s\n%s", DAEMON_SOCKET_PATH, strerror(errno), daemon_story());
	link_open_fd(link, fd);
}

void link_close(struct link *link)
{
	close_and_clear(&link->fd);
	free(link->text);
	*link = (struct link){ .fd = -1 };
}

static bool send_whole(int fd, const char *text, size_t length)
{
	while (length > 0) {
		ssize_t n = send(fd, text, length, MSG_NOSIGNAL);

		if (n < 0 && errno != EINTR)
			return false;
		text += n > 0 ? n : 0;
		length -= (size_t)(n > 0 ? n : 0);
	}
	return true;
}

void link_send(struct link *link, const char *text)
{
	cr_assert(send_whole(link->fd, text, strlen(text)), "send: %s", strerror(errno));
}

static char *request_text(int id, const char *method, json_t *params)
{
	json_t *request =
		json_pack("{s:s, s:i, s:s}", "jsonrpc", "2.0", "id", id, "method", method);
	_cleanup_free_ char *text = NULL;
	char *line;

	if (params != NULL)
		cr_assert_eq(json_object_set_new(request, "params", params), 0);
	text = json_dumps(request, JSON_COMPACT);
	cr_assert(text != NULL && asprintf(&line, "%s\n", text) > 0);
	json_decref(request);
	return line;
}

void link_request(struct link *link, int id, const char *method, json_t *params)
{
	_cleanup_free_ char *text = request_text(id, method, params);

	link_send(link, text);
}

/* Reads what there is. False at the end, and when nothing comes in time. */
static bool read_more(struct link *link, int64_t deadline)
{
	struct pollfd poller = { .fd = link->fd, .events = POLLIN };
	int64_t left = deadline - clock_msec();
	char chunk[65536];
	ssize_t n;

	if (poll(&poller, 1, left > 0 ? (int)left : 0) != 1)
		return false;
	n = read(link->fd, chunk, sizeof(chunk));
	if (n <= 0)
		return false;
	link->text = realloc(link->text, link->length + (size_t)n + 1);
	cr_assert_not_null(link->text);
	memcpy(link->text + link->length, chunk, (size_t)n);
	link->length += (size_t)n;
	link->text[link->length] = '\0';
	cr_assert_lt(link->length, LINE_MAX_BYTES);
	return true;
}

json_t *link_next(struct link *link, int msec)
{
	int64_t deadline = clock_msec() + msec;
	json_error_t error;
	char *newline;
	json_t *line;

	while (link->text == NULL || (newline = memchr(link->text, '\n', link->length)) == NULL)
		if (!read_more(link, deadline))
			return NULL;
	*newline = '\0';
	line = json_loads(link->text, JSON_REJECT_DUPLICATES, &error);
	cr_assert_not_null(line, "the daemon says what is no JSON: %s: %s", error.text, link->text);
	link->length -= (size_t)(newline + 1 - link->text);
	memmove(link->text, newline + 1, link->length + 1);
	return line;
}

/* --- calls ------------------------------------------------------------------------------------ */

json_t *daemon_try(const char *method, json_t *params, int msec)
{
	_cleanup_free_ char *text = request_text(1, method, params);
	json_t *answer = NULL;
	struct link link;
	int fd = connect_daemon();

	if (fd < 0)
		return NULL;
	link_open_fd(&link, fd);
	if (send_whole(fd, text, strlen(text)))
		answer = link_next(&link, msec);
	link_close(&link);
	return answer;
}

static json_t *call(const char *method, json_t *params)
{
	_cleanup_json_ json_t *answer = daemon_try(method, params, CALL_MSEC);
	json_t *result = json_object_get(answer, "result");

	cr_assert_not_null(result, "%s: %s\n%s", method,
			   answer != NULL ? json_dumps(answer, 0) : "no answer", daemon_story());
	return json_incref(result);
}

static json_t *pack(const char *format, va_list args)
{
	json_error_t error;
	json_t *params;

	if (format == NULL)
		return NULL;
	params = json_vpack_ex(&error, 0, format, args);
	cr_assert_not_null(params, "%s: %s", format, error.text);
	return params;
}

json_t *daemon_call(const char *method, const char *format, ...)
{
	json_t *params;
	va_list args;

	va_start(args, format);
	params = pack(format, args);
	va_end(args);
	return call(method, params);
}

void daemon_do(const char *method, const char *format, ...)
{
	json_t *params;
	va_list args;

	va_start(args, format);
	params = pack(format, args);
	va_end(args);
	json_decref(call(method, params));
}

json_t *daemon_refusal(const char *code, const char *method, json_t *params)
{
	_cleanup_json_ json_t *answer = daemon_try(method, params, CALL_MSEC);
	json_t *error = json_object_get(answer, "error");

	cr_assert_not_null(error, "%s was not refused: %s\n%s", method,
			   answer != NULL ? json_dumps(answer, 0) : "no answer", daemon_story());
	cr_expect_str_eq(field_text(error, "data.code"), code, "%s: %s", method,
			 json_dumps(error, 0));
	return json_incref(error);
}

long long newest_event(void)
{
	_cleanup_json_ json_t *result = daemon_call("events.subscribe", NULL);

	return field_number(result, "cursor");
}
