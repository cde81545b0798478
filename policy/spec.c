/* SPDX-License-Identifier: MIT */
#include "policy/spec.h"

#include "policy/own.h"
#include "policy/quote.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct limits spec_no_limits = {
	.memory_max = LIMIT_UNSET,
	.memory_high = LIMIT_UNSET,
	.memory_swap_max = LIMIT_UNSET,
	.cpu_max = LIMIT_UNSET,
	.cpu_weight = LIMIT_UNSET,
	.pids_max = LIMIT_UNSET,
	.nofile = LIMIT_UNSET,
	.tmp_size = LIMIT_UNSET,
};

static const struct restart_policy default_restart = {
	.mode = RESTART_ON_FAILURE,
	.max_restarts = SPEC_RESTARTS_DEFAULT,
	.backoff_usec = SPEC_BACKOFF_DEFAULT,
	.backoff_max_usec = SPEC_BACKOFF_MAX_DEFAULT,
	.stable_usec = SPEC_STABLE_DEFAULT,
};

static const struct health_policy default_health = {
	.interval_usec = SPEC_HEALTH_INTERVAL_DEFAULT,
	.timeout_usec = LIMIT_UNSET,
	.failures = SPEC_HEALTH_FAILURES_DEFAULT,
	.start_usec = SPEC_HEALTH_START_DEFAULT,
	.restart = HEALTH_RESTART_HUNG,
};

int spec_init(struct app_spec *spec, struct error *err)
{
	(void)err;
	*spec = (struct app_spec){
		.limits = spec_no_limits,
		.restart = default_restart,
		.oom = OOM_WORKER,
		.pressure = pressure_default,
		.enabled = true,
		.tripwire = true,
		.log = { .target = LOG_TO_JOURNAL,
			 .max_size = SPEC_LOG_SIZE_DEFAULT,
			 .keep = SPEC_LOG_KEEP_DEFAULT,
			 .rate = SPEC_LOG_RATE_DEFAULT },
		.stop = { .signal = SIGTERM, .grace_usec = SPEC_GRACE_DEFAULT },
		.health = default_health,
	};
	spec->isolation.network = NETWORK_HOST;
	return 0;
}

void spec_clear(struct app_spec *spec)
{
	free(spec->name);
	free(spec->tenant);
	free(spec->plan);
	strings_clear(&spec->command);
	free(spec->directory);
	free(spec->user);
	strings_clear(&spec->groups);
	strings_clear(&spec->environment);
	strings_clear(&spec->environment_files);
	spec_clear_limits(&spec->limits);
	strings_clear(&spec->isolation.readable);
	strings_clear(&spec->isolation.writable);
	strings_clear(&spec->isolation.egress);
	strings_clear(&spec->listen);
	strings_clear(&spec->isolation.sockets);
	strings_clear(&spec->isolation.require);
	free(spec->syscalls.profile);
	free(spec->health.http);
	free(spec->health.host);
	*spec = (struct app_spec){ 0 };
}

/* --- copies ----------------------------------------------------------------------------------- */

void spec_clear_limits(struct limits *limits)
{
	for (size_t i = 0; i < limits->io_count; i++)
		free(limits->io[i].path);
	free(limits->io);
	*limits = spec_no_limits;
}

/* A copy of it, with a path of its own. */
static int append_io(struct limits *limits, const struct io_limit *io, struct error *err)
{
	struct io_limit *larger;
	char *path;

	if (limits->io_count >= SPEC_IO_MAX)
		return error_set(err, ERROR_INVALID, 0, "more than %d io limits", SPEC_IO_MAX);
	larger = reallocarray(limits->io, limits->io_count + 1, sizeof(*larger));
	if (larger == NULL)
		return error_no_memory(err);
	limits->io = larger;
	path = strdup(io->path);
	if (path == NULL)
		return error_no_memory(err);
	limits->io[limits->io_count] = *io;
	limits->io[limits->io_count++].path = path;
	return 0;
}

int spec_copy_limits(const struct limits *from, struct limits *ret, struct error *err)
{
	struct limits copy = *from;
	int r = 0;

	copy.io = NULL;
	copy.io_count = 0;
	for (size_t i = 0; r == 0 && i < from->io_count; i++)
		r = append_io(&copy, &from->io[i], err);
	if (r < 0) {
		spec_clear_limits(&copy);
		return r;
	}
	*ret = copy;
	return 0;
}

static int copy_text(const char *from, char **ret, struct error *err)
{
	char *copy = from != NULL ? strdup(from) : NULL;

	if (from != NULL && copy == NULL)
		return error_no_memory(err);
	*ret = copy;
	return 0;
}

int spec_copy(const struct app_spec *from, struct app_spec *ret, struct error *err)
{
	struct app_spec copy = *from;
	const struct {
		const char *from;
		char **to;
	} texts[] = {
		{ from->name, &copy.name },
		{ from->tenant, &copy.tenant },
		{ from->plan, &copy.plan },
		{ from->directory, &copy.directory },
		{ from->user, &copy.user },
		{ from->syscalls.profile, &copy.syscalls.profile },
		{ from->health.http, &copy.health.http },
		{ from->health.host, &copy.health.host },
	};
	const struct {
		const struct strings *from;
		struct strings *to;
	} lists[] = {
		{ &from->command, &copy.command },
		{ &from->groups, &copy.groups },
		{ &from->environment, &copy.environment },
		{ &from->environment_files, &copy.environment_files },
		{ &from->isolation.readable, &copy.isolation.readable },
		{ &from->isolation.writable, &copy.isolation.writable },
		{ &from->isolation.egress, &copy.isolation.egress },
		{ &from->listen, &copy.listen },
		{ &from->isolation.sockets, &copy.isolation.sockets },
		{ &from->isolation.require, &copy.isolation.require },
	};
	int r;

	/* nothing of `from` may be freed with the copy */
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		*texts[i].to = NULL;
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
		*lists[i].to = (struct strings){ 0 };
	copy.limits = spec_no_limits;

	r = spec_copy_limits(&from->limits, &copy.limits, err);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(texts); i++)
		r = copy_text(texts[i].from, texts[i].to, err);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(lists); i++)
		r = strings_append_all(lists[i].to, lists[i].from, err);
	if (r < 0) {
		spec_clear(&copy);
		return r;
	}
	*ret = copy;
	return 0;
}

/* --- what follows from the rest --------------------------------------------------------------- */

int spec_complete(struct app_spec *spec, struct error *err)
{
	struct limits *limits = &spec->limits;

	if (spec->name == NULL) {
		const char *command = spec->command.count > 0 ? spec->command.items[0] : "";
		int r = spec_name_from_command(command, &spec->name, err);

		if (r < 0)
			return r;
	}
	if (spec->health.timeout_usec == LIMIT_UNSET)
		spec->health.timeout_usec = spec->health.interval_usec < SPEC_HEALTH_TIMEOUT_DEFAULT
						    ? spec->health.interval_usec
						    : SPEC_HEALTH_TIMEOUT_DEFAULT;
	if (limits->memory_swap_max == LIMIT_UNSET && limit_is_set(limits->memory_max))
		limits->memory_swap_max = 0;
	if (limits->tmp_size == LIMIT_UNSET) {
		limits->tmp_size = SPEC_TMP_SIZE_DEFAULT;
		if (limits->memory_max / SPEC_TMP_SIZE_SHARE < SPEC_TMP_SIZE_DEFAULT)
			limits->tmp_size = limits->memory_max / SPEC_TMP_SIZE_SHARE;
	}
	if (limits->pids_max == LIMIT_UNSET)
		limits->pids_max = SPEC_PIDS_DEFAULT;
	if (limits->nofile == LIMIT_UNSET)
		limits->nofile = SPEC_NOFILE_DEFAULT;
	if (spec->syscalls.profile == NULL)
		return copy_text(SPEC_SYSCALLS_DEFAULT, &spec->syscalls.profile, err);
	return 0;
}

/* --- the name of an app ----------------------------------------------------------------------- */

/* Without <ctype.h>: that asks the locale. */
static bool is_name_end(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_name_inside(char c)
{
	return is_name_end(c) || c == '-' || c == '_' || c == '.';
}

int spec_validate_name(const char *name, struct error *err)
{
	size_t length = strlen(name);
	bool valid = length > 0 && length <= SPEC_NAME_MAX && is_name_end(name[0]) &&
		     is_name_end(name[length - 1]);
	char shown[QUOTE_TEXT_MAX];

	for (size_t i = 0; valid && i < length; i++)
		valid = is_name_inside(name[i]);
	if (valid)
		return 0;
	return error_set(err, ERROR_INVALID, 0,
			 "%s is not a name: write small letters, digits, '-', '_' and '.', at most "
			 "%d, with a letter or digit first and last",
			 quote_text(name, shown), SPEC_NAME_MAX);
}

int spec_name_from_command(const char *command, char **ret_name, struct error *err)
{
	const char *slash = strrchr(command, '/');
	const char *in = slash != NULL ? slash + 1 : command;
	char name[SPEC_NAME_MAX + 1];
	size_t length = 0;
	char *copy;

	for (; *in != '\0' && length < SPEC_NAME_MAX; in++) {
		char c = *in >= 'A' && *in <= 'Z' ? (char)(*in - 'A' + 'a') : *in;

		if (!is_name_inside(c))
			c = '-';
		if (length > 0 || is_name_end(c))
			name[length++] = c;
	}
	while (length > 0 && !is_name_end(name[length - 1]))
		length--;
	name[length] = '\0';

	copy = strdup(length > 0 ? name : "app");
	if (copy == NULL)
		return error_no_memory(err);
	*ret_name = copy;
	return 0;
}

/* --- io limits -------------------------------------------------------------------------------- */

struct io_limit *spec_find_io(struct limits *limits, const char *path)
{
	for (size_t i = 0; i < limits->io_count; i++)
		if (strcmp(limits->io[i].path, path) == 0)
			return &limits->io[i];
	return NULL;
}

int spec_add_io(struct limits *limits, const char *path, struct io_limit **ret, struct error *err)
{
	/* the path is only read */
	const struct io_limit open = { (char *)path, LIMIT_UNSET, LIMIT_UNSET, LIMIT_UNSET,
				       LIMIT_UNSET };
	struct io_limit *io = spec_find_io(limits, path);
	int r;

	if (io == NULL) {
		r = append_io(limits, &open, err);
		if (r < 0)
			return r;
		io = &limits->io[limits->io_count - 1];
	}
	*ret = io;
	return 0;
}

/* One of the four values: '-' leaves it unset. */
static int parse_rate(const char *text, bool operations, uint64_t *ret, struct error *err)
{
	if (strcmp(text, "-") == 0)
		return 0;
	if (operations)
		return quantity_parse_count(text, SPEC_IO_IOPS_MIN, SPEC_IO_IOPS_LIMIT, true, ret,
					    err);
	return quantity_parse_size(text, ret, err);
}

/* RBPS/WBPS[/RIOPS/WIOPS]; cuts `values` apart. */
static int parse_rates(const char *whole, char *values, struct io_limit *io, struct error *err)
{
	uint64_t *const rates[] = { &io->rbps, &io->wbps, &io->riops, &io->wiops };
	char shown[QUOTE_TEXT_MAX];
	size_t count = 0;
	bool any = false;
	char *value;

	while (count < ARRAY_SIZE(rates) && (value = strsep(&values, "/")) != NULL) {
		int r = parse_rate(value, count >= 2, rates[count], err);

		if (r < 0)
			return r;
		any = any || *rates[count] != LIMIT_UNSET;
		count++;
	}
	if ((count == 2 || count == 4) && values == NULL && any)
		return 0;
	return error_set(err, ERROR_INVALID, 0,
			 "%s does not end in RBPS/WBPS or RBPS/WBPS/RIOPS/WIOPS with at least one "
			 "limit, as in /srv=20M/10M or /srv=20M/-/-/200",
			 quote_text(whole, shown));
}

int spec_parse_io(const char *text, struct limits *limits, struct error *err)
{
	/* values hold no '=', a path may */
	const char *equals = strrchr(text, '=');
	struct io_limit io = { NULL, LIMIT_UNSET, LIMIT_UNSET, LIMIT_UNSET, LIMIT_UNSET };
	_cleanup_free_ char *path = NULL, *values = NULL;
	char shown[QUOTE_TEXT_MAX];
	int r;

	if (equals == NULL || equals == text)
		return error_set(err, ERROR_INVALID, 0,
				 "%s is not PATH=RBPS/WBPS[/RIOPS/WIOPS], for example "
				 "/srv=20M/10M",
				 quote_text(text, shown));
	path = strndup(text, (size_t)(equals - text));
	values = strdup(equals + 1);
	if (path == NULL || values == NULL)
		return error_no_memory(err);
	io.path = path;
	r = parse_rates(text, values, &io, err);
	return r < 0 ? r : append_io(limits, &io, err);
}
