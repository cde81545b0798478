/* SPDX-License-Identifier: MIT */
#include "policy/incident.h"
#include "tests/policy/json_schema.h"
#include "tests/system/harness.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define INCIDENT_DIRECTORY "/var/lib/pysbx/incidents"
#define ANSWER_MSEC	   5000

/* --- incidents -------------------------------------------------------------------------------- */

json_t *run_incidents(struct run *run)
{
	_cleanup_free_ char *text = read_text(run->bench->report);
	json_t *incidents = json_array();
	char *rest = text;

	for (char *line; (line = strsep(&rest, "\n")) != NULL;) {
		json_error_t error;
		json_t *incident;

		if (line[0] == '\0')
			continue;
		incident = json_loads(line, JSON_REJECT_DUPLICATES, &error);
		cr_assert_not_null(incident, "the report is no JSON: %s: %s", error.text, line);
		cr_assert_eq(json_array_append_new(incidents, incident), 0);
	}
	return incidents;
}

static size_t count_incidents(struct run *run)
{
	_cleanup_json_ json_t *incidents = run_incidents(run);

	return json_array_size(incidents);
}

void expect_incident_is_valid(const json_t *incident)
{
	json_schema_expect(PYSBX_DATADIR "/incident.schema.json", incident);
}

json_t *run_await_incident(struct run *run, size_t count, int msec)
{
	_cleanup_json_ json_t *incidents = NULL;

	cr_assert(AWAIT(count_incidents(run) >= count, msec), "no incident number %zu%s", count,
		  run_story(run));
	incidents = run_incidents(run);
	expect_incident_is_valid(json_array_get(incidents, count - 1));
	return json_incref(json_array_get(incidents, count - 1));
}

static const char *dump(const json_t *object)
{
	return object != NULL ? json_dumps(object, JSON_INDENT(2) | JSON_ENCODE_ANY) : "nothing";
}

const json_t *field(const json_t *object, const char *path)
{
	char words[128], *rest = words;
	const json_t *at = object;

	snprintf(words, sizeof(words), "%s", path);
	for (char *word; at != NULL && (word = strsep(&rest, ".")) != NULL;)
		at = json_object_get(at, word);
	cr_assert_not_null(at, "no field %s in %s", path, dump(object));
	return at;
}

const char *field_text(const json_t *object, const char *path)
{
	const json_t *value = field(object, path);

	cr_assert(json_is_string(value), "%s is no string in %s", path, dump(object));
	return json_string_value(value);
}

long long field_number(const json_t *object, const char *path)
{
	const json_t *value = field(object, path);

	cr_assert(json_is_integer(value), "%s is no number in %s", path, dump(object));
	return json_integer_value(value);
}

bool field_bool(const json_t *object, const char *path)
{
	const json_t *value = field(object, path);

	cr_assert(json_is_boolean(value), "%s is no boolean in %s", path, dump(object));
	return json_is_true(value);
}

bool field_is_null(const json_t *object, const char *path)
{
	return json_is_null(field(object, path));
}

bool field_lines_have(const json_t *object, const char *path, const char *text)
{
	const json_t *lines = field(object, path);

	cr_assert(json_is_array(lines), "%s is no array in %s", path, dump(object));
	for (size_t i = 0; i < json_array_size(lines); i++)
		if (strstr(json_string_value(json_array_get(lines, i)), text) != NULL)
			return true;
	return false;
}

void expect_incident_is_told(struct run *run, const json_t *incident)
{
	const char *id = field_text(incident, "id");
	_cleanup_json_ json_t *kept = NULL;
	_cleanup_free_ char *path = NULL;
	json_error_t error;

	/* a long sentence is folded on a terminal: its beginning will do */
	run_await_stderr(run, bench_format(run->bench, "%.40s", field_text(incident, "sentence")),
			 REACTION_MSEC);
	cr_assert_geq(asprintf(&path, INCIDENT_DIRECTORY "/%s/%s.json", run->bench->name, id), 0);
	kept = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
	cr_assert_not_null(kept, "%s: %s", path, error.text);
	cr_expect(json_equal(kept, incident), "%s is not what the report says: %s", path,
		  dump(kept));
	cr_expect_eq(field_number(incident, "schema"), INCIDENT_SCHEMA);
	cr_expect_str_eq(field_text(incident, "app"), run->bench->name);
}

/* --- HTTP ------------------------------------------------------------------------------------- */

int http_send(const struct bench *bench, const char *target)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_port = htons((uint16_t)bench->port),
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	_cleanup_close_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char request[512];
	int length =
		snprintf(request, sizeof(request),
			 "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", target);

	cr_assert_geq(fd, 0);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -1;
	if (send(fd, request, (size_t)length, MSG_NOSIGNAL) != length)
		return -1;
	return TAKE_FD(fd);
}

static bool readable_before(int fd, int64_t deadline)
{
	struct pollfd poller = { .fd = fd, .events = POLLIN };
	int64_t left = deadline - clock_msec();

	return left > 0 && poll(&poller, 1, (int)left) == 1;
}

void http_receive(int socket, struct reply *ret, int msec)
{
	int64_t deadline = clock_msec() + msec;
	_cleanup_close_ int fd = socket;
	char text[sizeof(ret->body)];
	size_t length = 0;
	const char *body;
	ssize_t n = 1;

	*ret = (struct reply){ 0 };
	while (fd >= 0 && n > 0 && length + 1 < sizeof(text) && readable_before(fd, deadline)) {
		n = read(fd, text + length, sizeof(text) - 1 - length);
		if (n > 0)
			length += (size_t)n;
	}
	text[length] = '\0';
	if (sscanf(text, "HTTP/1.%*d %d", &ret->status) != 1)
		return;
	body = strstr(text, "\r\n\r\n");
	if (body != NULL)
		snprintf(ret->body, sizeof(ret->body), "%s", body + 4);
}

void http_get(const struct bench *bench, const char *target, struct reply *ret, int msec)
{
	http_receive(http_send(bench, target), ret, msec);
}

static bool http_is_ok(struct run *run, const char *target, struct reply *ret)
{
	http_get(run->bench, target, ret, ANSWER_MSEC);
	return ret->status == 200;
}

void http_await(struct run *run, const char *target, struct reply *ret, int msec)
{
	bool ok = false;

	(void)AWAIT((ok = http_is_ok(run, target, ret)) || run_has_ended(run), msec);
	cr_assert(ok, "GET %s: %d %s%s", target, ret->status, ret->body, run_story(run));
}
