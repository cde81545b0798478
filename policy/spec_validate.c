/* SPDX-License-Identifier: MIT */
/*
 * Is this spec possible, as a whole? Three layers, each a table or a short function: every number
 * in its range, every text well formed, and what must fit together. Paths have rules of their own,
 * in spec_paths.c.
 */
#include "policy/egress.h"
#include "policy/health_target.h"
#include "policy/listen.h"
#include "policy/own.h"
#include "policy/quote.h"
#include "policy/spec.h"
#include "policy/spec_check.h"
#include "policy/wall.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

/* --- numbers ---------------------------------------------------------------------------------- */

static const char *format_count(uint64_t count, char *text)
{
	if (count == LIMIT_MAX)
		snprintf(text, QUANTITY_TEXT_MAX, "max");
	else
		snprintf(text, QUANTITY_TEXT_MAX, "%" PRIu64, count);
	return text;
}

enum { MAY_BE_UNSET = 1, MAY_BE_MAX = 2 };

struct range {
	enum spec_field field;
	unsigned may_be;
	size_t offset; /* of a uint64_t in struct app_spec */
	uint64_t min, max;
	const char *(*format)(uint64_t value, char *text);
};

#define IN(member) offsetof(struct app_spec, member)
static const struct range limit_ranges[] = {
	{ FIELD_MEMORY, MAY_BE_UNSET | MAY_BE_MAX, IN(limits.memory_max), SPEC_MEMORY_MIN,
	  SIZE_LIMIT_BYTES, quantity_format_size },
	{ FIELD_MEMORY_HIGH, MAY_BE_UNSET | MAY_BE_MAX, IN(limits.memory_high), SPEC_MEMORY_MIN,
	  SIZE_LIMIT_BYTES, quantity_format_size },
	{ FIELD_MEMORY_SWAP, MAY_BE_UNSET | MAY_BE_MAX, IN(limits.memory_swap_max), 0,
	  SIZE_LIMIT_BYTES, quantity_format_size },
	{ FIELD_CPU, MAY_BE_UNSET | MAY_BE_MAX, IN(limits.cpu_max), CPU_MILLI_MIN, CPU_MILLI_LIMIT,
	  quantity_format_cpu },
	{ FIELD_CPU_WEIGHT, MAY_BE_UNSET, IN(limits.cpu_weight), 1, SPEC_CPU_WEIGHT_MAX,
	  format_count },
	{ FIELD_PIDS, MAY_BE_UNSET | MAY_BE_MAX, IN(limits.pids_max), 1, SPEC_PIDS_LIMIT,
	  format_count },
	{ FIELD_NOFILE, MAY_BE_UNSET, IN(limits.nofile), SPEC_NOFILE_MIN, SPEC_NOFILE_LIMIT,
	  format_count },
	{ FIELD_TMP_SIZE, MAY_BE_UNSET, IN(limits.tmp_size), SPEC_TMP_SIZE_MIN, SIZE_LIMIT_BYTES,
	  quantity_format_size },
};

static const struct range other_ranges[] = {
	{ FIELD_MAX_RESTARTS, MAY_BE_MAX, IN(restart.max_restarts), 0, SPEC_RESTARTS_LIMIT,
	  format_count },
	{ FIELD_BACKOFF, 0, IN(restart.backoff_usec), SPEC_BACKOFF_MIN, SPEC_WAIT_LIMIT,
	  quantity_format_time },
	{ FIELD_BACKOFF_MAX, 0, IN(restart.backoff_max_usec), SPEC_BACKOFF_MIN, SPEC_WAIT_LIMIT,
	  quantity_format_time },
	{ FIELD_STABLE, 0, IN(restart.stable_usec), SPEC_STABLE_MIN, SPEC_WAIT_LIMIT,
	  quantity_format_time },
	{ FIELD_STOP_GRACE, 0, IN(stop.grace_usec), 0, SPEC_WAIT_LIMIT, quantity_format_time },
	{ FIELD_HEALTH_INTERVAL, 0, IN(health.interval_usec), SPEC_HEALTH_INTERVAL_MIN,
	  SPEC_WAIT_LIMIT, quantity_format_time },
	{ FIELD_HEALTH_TIMEOUT, 0, IN(health.timeout_usec), SPEC_HEALTH_TIMEOUT_MIN,
	  SPEC_HEALTH_TIMEOUT_MAX, quantity_format_time },
	{ FIELD_HEALTH_FAILURES, 0, IN(health.failures), 1, SPEC_HEALTH_FAILURES_MAX,
	  format_count },
	{ FIELD_HEALTH_START, 0, IN(health.start_usec), 0, SPEC_WAIT_LIMIT, quantity_format_time },
	{ FIELD_PRESSURE_COOLDOWN, 0, IN(pressure.cooldown_usec), PRESSURE_COOLDOWN_MIN,
	  PRESSURE_COOLDOWN_MAX, quantity_format_time },
	{ FIELD_LOG_MAX_SIZE, 0, IN(log.max_size), SPEC_LOG_SIZE_MIN, SPEC_LOG_SIZE_LIMIT,
	  quantity_format_size },
	{ FIELD_LOG_KEEP, 0, IN(log.keep), 0, SPEC_LOG_KEEP_LIMIT, format_count },
	{ FIELD_LOG_RATE, MAY_BE_MAX, IN(log.rate), 1, SPEC_LOG_RATE_LIMIT, format_count },
};
#undef IN

static int check_range(const struct spec_check *check, const struct range *range, uint64_t value)
{
	char shown[QUANTITY_TEXT_MAX], bound[QUANTITY_TEXT_MAX];

	if ((value == LIMIT_UNSET && (range->may_be & MAY_BE_UNSET) != 0) ||
	    (value == LIMIT_MAX && (range->may_be & MAY_BE_MAX) != 0))
		return 0;
	if (value < range->min)
		return spec_refuse(check, range->field, "%s is too little: at least %s",
				   range->format(value, shown), range->format(range->min, bound));
	if (value > range->max)
		return spec_refuse(check, range->field, "%s is too much: at most %s",
				   range->format(value, shown), range->format(range->max, bound));
	return 0;
}

static int check_table(const struct spec_check *check, const struct range *ranges, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		uint64_t value;
		int r;

		memcpy(&value, (const char *)check->spec + ranges[i].offset, sizeof(value));
		r = check_range(check, &ranges[i], value);
		if (r < 0)
			return r;
	}
	return 0;
}

/* a must not be above b, where both are real limits */
static int check_order(const struct spec_check *check, enum spec_field a_field, uint64_t a,
		       enum spec_field b_field, uint64_t b,
		       const char *(*format)(uint64_t value, char *text))
{
	char a_text[QUANTITY_TEXT_MAX], b_text[QUANTITY_TEXT_MAX];

	if (a >= LIMIT_UNSET || b >= LIMIT_UNSET || a <= b)
		return 0;
	return spec_refuse(check, a_field, "%s is above %s, %s", format(a, a_text),
			   check->labels->of[b_field], format(b, b_text));
}

static int check_limits(const struct spec_check *check)
{
	const struct limits *limits = &check->spec->limits;
	int r;

	r = check_table(check, limit_ranges, ARRAY_SIZE(limit_ranges));
	if (r == 0)
		r = check_order(check, FIELD_MEMORY_HIGH, limits->memory_high, FIELD_MEMORY,
				limits->memory_max, quantity_format_size);
	if (r == 0)
		r = check_order(check, FIELD_TMP_SIZE, limits->tmp_size, FIELD_MEMORY,
				limits->memory_max, quantity_format_size);
	return r;
}

/* The one that is written and those that are kept. Both factors are in their ranges. */
static int check_log(const struct spec_check *check)
{
	const struct log_policy *policy = &check->spec->log;
	char size[QUANTITY_TEXT_MAX], bound[QUANTITY_TEXT_MAX];

	if (policy->max_size * (policy->keep + 1) <= SPEC_LOG_SIZE_LIMIT)
		return 0;
	return spec_refuse(check, FIELD_LOG_MAX_SIZE,
			   "%s in each of %" PRIu64 " files is too much: at most %s in all",
			   quantity_format_size(policy->max_size, size), policy->keep + 1,
			   quantity_format_size(SPEC_LOG_SIZE_LIMIT, bound));
}

static int check_others(const struct spec_check *check)
{
	const struct restart_policy *restart = &check->spec->restart;
	int r;

	r = check_table(check, other_ranges, ARRAY_SIZE(other_ranges));
	if (r == 0)
		r = check_order(check, FIELD_BACKOFF, restart->backoff_usec, FIELD_BACKOFF_MAX,
				restart->backoff_max_usec, quantity_format_time);
	if (r == 0)
		r = check_order(check, FIELD_HEALTH_TIMEOUT, check->spec->health.timeout_usec,
				FIELD_HEALTH_INTERVAL, check->spec->health.interval_usec,
				quantity_format_time);
	if (r == 0)
		r = check_log(check);
	return r;
}

/* --- texts ------------------------------------------------------------------------------------ */

static int check_one_name(const struct spec_check *check, enum spec_field field, const char *name)
{
	struct error found;

	if (name == NULL || spec_validate_name(name, &found) == 0)
		return 0;
	return spec_refuse(check, field, "%s", found.text);
}

static int check_names(const struct spec_check *check)
{
	int r;

	if (check->spec->name == NULL)
		return spec_refuse(check, FIELD_NAME, "is missing");
	r = check_one_name(check, FIELD_NAME, check->spec->name);
	if (r == 0)
		r = check_one_name(check, FIELD_TENANT, check->spec->tenant);
	if (r == 0)
		r = check_one_name(check, FIELD_PLAN, check->spec->plan);
	return r;
}

static int check_command(const struct spec_check *check)
{
	const struct strings *command = &check->spec->command;

	if (command->count == 0)
		return spec_refuse(check, FIELD_COMMAND, "is missing: say what to run");
	if (command->count > SPEC_ARGV_MAX)
		return spec_refuse(check, FIELD_COMMAND, "%zu words are too many: at most %d",
				   command->count, SPEC_ARGV_MAX);
	for (size_t i = 0; i < command->count; i++)
		if (strlen(command->items[i]) >= SPEC_STRING_MAX)
			return spec_refuse_item(check, FIELD_COMMAND, i,
						"a word is longer than %d bytes",
						SPEC_STRING_MAX - 1);
	if (command->items[0][0] == '\0')
		return spec_refuse_item(check, FIELD_COMMAND, 0,
					"is empty: it must name a program");
	return 0;
}

static bool is_letter(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
}

static bool is_letter_or_digit(char c)
{
	return is_letter(c) || (c >= '0' && c <= '9');
}

static int check_environment(const struct spec_check *check)
{
	const struct strings *env = &check->spec->environment;
	char shown[QUOTE_TEXT_MAX];

	if (env->count > SPEC_ENVIRONMENT_MAX)
		return spec_refuse(check, FIELD_ENVIRONMENT,
				   "%zu variables are too many: at most %d", env->count,
				   SPEC_ENVIRONMENT_MAX);
	for (size_t i = 0; i < env->count; i++) {
		const char *at = env->items[i];

		if (strlen(at) >= SPEC_STRING_MAX)
			return spec_refuse_item(check, FIELD_ENVIRONMENT, i,
						"%s is longer than %d bytes", quote_text(at, shown),
						SPEC_STRING_MAX - 1);
		if (is_letter(*at))
			while (is_letter_or_digit(*at))
				at++;
		if (at == env->items[i] || (*at != '=' && *at != '\0'))
			return spec_refuse_item(check, FIELD_ENVIRONMENT, i,
						"%s is not NAME=value or NAME: a name has letters, "
						"digits and '_', and no digit first",
						quote_text(env->items[i], shown));
	}
	return 0;
}

/* One half of "user:group": a decimal id or, if names are allowed, a name as useradd(8) takes it.
 */
static bool is_user_part(const char *text, size_t length, bool names, bool *ret_root)
{
	char part[SPEC_USER_MAX + 1];
	struct error ignored;
	uint32_t id;

	if (length == 0 || length > SPEC_USER_MAX)
		return false;
	snprintf(part, sizeof(part), "%.*s", (int)length, text);
	if (quantity_parse_id(part, &id, &ignored) == 0) {
		*ret_root = id == 0;
		return true;
	}
	if (!names || !is_letter(part[0]))
		return false;
	*ret_root = strcmp(part, "root") == 0;
	for (size_t i = 1; i < length; i++)
		if (!is_letter_or_digit(part[i]) && strchr(".-", part[i]) == NULL &&
		    !(part[i] == '$' && i + 1 == length))
			return false;
	return true;
}

int spec_validate_user(const char *user, struct error *err)
{
	const char *colon = strchr(user, ':');
	bool root = false, root_group = false;
	char shown[QUOTE_TEXT_MAX];
	bool valid;

	if (colon == NULL)
		valid = is_user_part(user, strlen(user), true, &root);
	else
		valid = is_user_part(user, (size_t)(colon - user), false, &root) &&
			is_user_part(colon + 1, strlen(colon + 1), false, &root_group);
	if (!valid)
		return error_set(err, ERROR_INVALID, 0,
				 "%s is not a user: write a name, a uid or uid:gid in decimal",
				 quote_text(user, shown));
	if (root || root_group)
		return error_set(err, ERROR_INVALID, 0,
				 "%s is root: workers never run as root; name another user, or "
				 "none to get an id of their own",
				 quote_text(user, shown));
	return 0;
}

static int check_user(const struct spec_check *check)
{
	const char *user = check->spec->user;
	struct error found;

	if (user == NULL || spec_validate_user(user, &found) == 0)
		return 0;
	return spec_refuse(check, FIELD_USER, "%s", found.text);
}

/* By name alone: a number could be anybody's. */
static int check_groups(const struct spec_check *check)
{
	const struct strings *groups = &check->spec->groups;
	char shown[QUOTE_TEXT_MAX];

	if (groups->count > SPEC_GROUPS_MAX)
		return spec_refuse(check, FIELD_GROUPS, "%zu groups are too many: at most %d",
				   groups->count, SPEC_GROUPS_MAX);
	for (size_t i = 0; i < groups->count; i++) {
		const char *group = groups->items[i];
		bool root = false;

		if (!is_user_part(group, strlen(group), true, &root) ||
		    (group[0] >= '0' && group[0] <= '9'))
			return spec_refuse_item(check, FIELD_GROUPS, i, "%s is not a group's name",
						quote_text(group, shown));
		if (root)
			return spec_refuse_item(check, FIELD_GROUPS, i,
						"%s is root's group: workers are never in it",
						quote_text(group, shown));
	}
	return 0;
}

static int check_require(const struct spec_check *check)
{
	const struct strings *require = &check->spec->isolation.require;

	if (require->count > SPEC_PATHS_MAX)
		return spec_refuse(check, FIELD_REQUIRE, "%zu walls are too many: at most %d",
				   require->count, SPEC_PATHS_MAX);
	for (size_t i = 0; i < require->count; i++) {
		enum wall_id wall;
		struct error cause;

		if (wall_parse(require->items[i], &wall, &cause) < 0)
			return spec_refuse_item(check, FIELD_REQUIRE, i, "%s", cause.text);
	}
	return 0;
}

static int check_signal(const struct spec_check *check)
{
	int number = check->spec->stop.signal, parsed;
	struct error ignored;
	char text[32];

	snprintf(text, sizeof(text), "%d", number);
	if (spec_signal_parse(text, &parsed, &ignored) < 0)
		return spec_refuse(check, FIELD_STOP_SIGNAL, "%d is not a signal", number);
	if (number == SIGSTOP || number == SIGCONT)
		return spec_refuse(check, FIELD_STOP_SIGNAL, "%s ends no program",
				   spec_signal_name(number, text));
	return 0;
}

/* --- io --------------------------------------------------------------------------------------- */

static int check_io_limit(const struct spec_check *check, size_t index)
{
	const struct io_limit *io = &check->spec->limits.io[index];
	const struct range bps = { .field = FIELD_IO,
				   .may_be = MAY_BE_UNSET | MAY_BE_MAX,
				   .min = SPEC_IO_BPS_MIN,
				   .max = SIZE_LIMIT_BYTES,
				   .format = quantity_format_size };
	const struct range iops = { .field = FIELD_IO,
				    .may_be = MAY_BE_UNSET | MAY_BE_MAX,
				    .min = SPEC_IO_IOPS_MIN,
				    .max = SPEC_IO_IOPS_LIMIT,
				    .format = format_count };
	char shown[QUOTE_TEXT_MAX];
	int r;

	r = check_range(check, &bps, io->rbps);
	if (r == 0)
		r = check_range(check, &bps, io->wbps);
	if (r == 0)
		r = check_range(check, &iops, io->riops);
	if (r == 0)
		r = check_range(check, &iops, io->wiops);
	if (r < 0)
		return r;
	for (size_t i = 0; i < index; i++)
		if (strcmp(check->spec->limits.io[i].path, io->path) == 0)
			return spec_refuse_item(check, FIELD_IO, index,
						"%s is limited twice: write all its limits at once",
						quote_text(io->path, shown));
	return 0;
}

static int check_io(const struct spec_check *check)
{
	const struct limits *limits = &check->spec->limits;

	if (limits->io_count > SPEC_IO_MAX)
		return spec_refuse(check, FIELD_IO, "%zu limits are too many: at most %d",
				   limits->io_count, SPEC_IO_MAX);
	for (size_t i = 0; i < limits->io_count; i++) {
		int r = spec_check_path(check, FIELD_IO, i, limits->io[i].path);

		if (r == 0)
			r = check_io_limit(check, i);
		if (r < 0)
			return r;
	}
	return 0;
}

/* --- network ---------------------------------------------------------------------------------- */

static int check_egress(const struct spec_check *check)
{
	const struct strings *list = &check->spec->isolation.egress;
	struct egress_rules rules = { 0 };
	struct error found;

	if (list->count > EGRESS_ENTRIES_MAX)
		return spec_refuse(check, FIELD_EGRESS, "%zu entries are too many: at most %d",
				   list->count, EGRESS_ENTRIES_MAX);
	for (size_t i = 0; i < list->count; i++)
		if (egress_add_entry(list->items[i], &rules, &found) < 0)
			return spec_refuse_item(check, FIELD_EGRESS, i, "%s", found.text);
	return 0;
}

static int check_listen(const struct spec_check *check)
{
	const struct strings *list = &check->spec->listen;
	struct listen_address addresses[LISTEN_MAX];
	struct error found;

	if (list->count > LISTEN_MAX)
		return spec_refuse(check, FIELD_LISTEN, "%zu addresses are too many: at most %d",
				   list->count, LISTEN_MAX);
	if (list->count > 0 && check->spec->isolation.network == NETWORK_NONE)
		return spec_refuse(check, FIELD_LISTEN,
				   "nobody is to reach it, says %s: none: write private",
				   check->labels->of[FIELD_NETWORK]);
	for (size_t i = 0; i < list->count; i++) {
		if (listen_parse(list->items[i], &addresses[i], &found) < 0)
			return spec_refuse_item(check, FIELD_LISTEN, i, "%s", found.text);
		for (size_t j = 0; j < i; j++)
			if (listen_is_same(&addresses[i], &addresses[j]))
				return spec_refuse_item(check, FIELD_LISTEN, i,
							"is there twice: %s", list->items[i]);
	}
	return 0;
}

/* --- health ----------------------------------------------------------------------------------- */

static int check_health(const struct spec_check *check)
{
	const struct health_policy *health = &check->spec->health;
	struct health_target target;
	struct error found;

	if (health->http != NULL && health_target_parse(health->http, &target, &found) < 0)
		return spec_refuse(check, FIELD_HEALTH_HTTP, "%s", found.text);
	if (health->host != NULL && health_host_check(health->host, &found) < 0)
		return spec_refuse(check, FIELD_HEALTH_HOST, "%s", found.text);
	return 0;
}

/* ---------------------------------------------------------------------------------------------- */

int spec_validate_labelled(const struct app_spec *spec, const struct spec_labels *labels,
			   struct error *err)
{
	static int (*const checks[])(const struct spec_check *check) = {
		check_command, check_names,   check_user,   check_groups,     check_environment,
		check_limits,  check_others,  check_io,	    spec_check_paths, check_egress,
		check_listen,  check_require, check_signal, check_health,
	};
	const struct spec_check check = { spec, labels, err };

	for (size_t i = 0; i < ARRAY_SIZE(checks); i++) {
		int r = checks[i](&check);

		if (r < 0)
			return r;
	}
	return 0;
}

int spec_validate_limits(const struct limits *limits, struct error *err)
{
	const struct app_spec spec = { .limits = *limits };
	const struct spec_check check = { &spec, &spec_json_labels, err };
	int r = check_limits(&check);

	return r < 0 ? r : check_io(&check);
}

int spec_validate(const struct app_spec *spec, struct error *err)
{
	return spec_validate_labelled(spec, &spec_json_labels, err);
}
