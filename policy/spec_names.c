/* SPDX-License-Identifier: MIT */
/* The words of a spec: field paths, the choices of each enum, signals. */
#include "policy/nearest.h"
#include "policy/own.h"
#include "policy/quote.h"
#include "policy/spec.h"

#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

const struct spec_labels spec_json_labels = {
	.of = {
		[FIELD_NONE] = "",
		[FIELD_NAME] = "name",
		[FIELD_TENANT] = "tenant",
		[FIELD_PLAN] = "plan",
		[FIELD_ENABLED] = "enabled",
		[FIELD_LOG_TARGET] = "log.target",
		[FIELD_LOG_MAX_SIZE] = "log.max_size",
		[FIELD_LOG_KEEP] = "log.keep",
		[FIELD_LOG_RATE] = "log.rate",
		[FIELD_COMMAND] = "command",
		[FIELD_DIRECTORY] = "directory",
		[FIELD_USER] = "user",
		[FIELD_GROUPS] = "groups",
		[FIELD_ENVIRONMENT] = "environment",
		[FIELD_ENVIRONMENT_FILES] = "environment_files",
		[FIELD_MEMORY] = "limits.memory",
		[FIELD_MEMORY_HIGH] = "limits.memory_high",
		[FIELD_MEMORY_SWAP] = "limits.memory_swap",
		[FIELD_CPU] = "limits.cpu",
		[FIELD_CPU_WEIGHT] = "limits.cpu_weight",
		[FIELD_IO] = "limits.io",
		[FIELD_PIDS] = "limits.pids",
		[FIELD_NOFILE] = "limits.nofile",
		[FIELD_TMP_SIZE] = "limits.tmp_size",
		[FIELD_READABLE] = "isolation.readable",
		[FIELD_WRITABLE] = "isolation.writable",
		[FIELD_SOCKETS] = "isolation.sockets",
		[FIELD_NETWORK] = "isolation.network",
		[FIELD_EGRESS] = "isolation.egress",
		[FIELD_LISTEN] = "listen",
		[FIELD_REQUIRE] = "isolation.require",
		[FIELD_SYSCALLS] = "syscalls",
		[FIELD_RESTART] = "restart.mode",
		[FIELD_MAX_RESTARTS] = "restart.max_restarts",
		[FIELD_BACKOFF] = "restart.backoff",
		[FIELD_BACKOFF_MAX] = "restart.backoff_max",
		[FIELD_STABLE] = "restart.stable",
		[FIELD_OOM] = "oom",
		[FIELD_TRIPWIRE] = "tripwire",
		[FIELD_PRESSURE_NOTIFY] = "pressure.notify",
		[FIELD_PRESSURE_RECLAIM] = "pressure.reclaim",
		[FIELD_PRESSURE_RECYCLE] = "pressure.recycle",
		[FIELD_PRESSURE_RESTART] = "pressure.restart",
		[FIELD_PRESSURE_KILL] = "pressure.kill",
		[FIELD_PRESSURE_COOLDOWN] = "pressure.cooldown",
		[FIELD_STOP_SIGNAL] = "stop.signal",
		[FIELD_STOP_GRACE] = "stop.grace",
		[FIELD_HEALTH_HTTP] = "health.http",
		[FIELD_HEALTH_HOST] = "health.host",
		[FIELD_HEALTH_INTERVAL] = "health.interval",
		[FIELD_HEALTH_TIMEOUT] = "health.timeout",
		[FIELD_HEALTH_FAILURES] = "health.failures",
		[FIELD_HEALTH_START] = "health.start_period",
		[FIELD_HEALTH_RESTART] = "health.restart",
	},
	.indexed = true,
};

static const char *const network_names[] = {
	[NETWORK_HOST] = "host",
	[NETWORK_NONE] = "none",
	[NETWORK_PRIVATE] = "private",
};
static_assert(ARRAY_SIZE(network_names) == NETWORK_COUNT, "a name for each network");

static const char *const restart_mode_names[] = {
	[RESTART_ALWAYS] = "always",
	[RESTART_ON_FAILURE] = "on-failure",
	[RESTART_NEVER] = "never",
};
static_assert(ARRAY_SIZE(restart_mode_names) == RESTART_MODE_COUNT, "a name for each mode");

static const char *const oom_policy_names[] = {
	[OOM_WORKER] = "worker",
	[OOM_APP] = "app",
};
static_assert(ARRAY_SIZE(oom_policy_names) == OOM_POLICY_COUNT, "a name for each policy");

static const char *const log_target_names[] = {
	[LOG_TO_JOURNAL] = "journal",
	[LOG_TO_FILE] = "file",
};
static_assert(ARRAY_SIZE(log_target_names) == LOG_TARGET_COUNT, "a name for each target");

static const char *const syscalls_mode_names[] = {
	[SYSCALLS_ENFORCE] = "enforce",
	[SYSCALLS_LOG] = "log",
	[SYSCALLS_CANARY] = "canary",
};
static_assert(ARRAY_SIZE(syscalls_mode_names) == SYSCALLS_MODE_COUNT, "a name for each mode");

static const char *const health_restart_names[] = {
	[HEALTH_RESTART_HUNG] = "hung",
	[HEALTH_RESTART_UNHEALTHY] = "unhealthy",
	[HEALTH_RESTART_NEVER] = "never",
};
static_assert(ARRAY_SIZE(health_restart_names) == HEALTH_RESTART_COUNT, "a name for each");

static const struct {
	const char *const *names;
	size_t count;
} choices[FIELD_COUNT] = {
	[FIELD_NETWORK] = { network_names, ARRAY_SIZE(network_names) },
	[FIELD_RESTART] = { restart_mode_names, ARRAY_SIZE(restart_mode_names) },
	[FIELD_OOM] = { oom_policy_names, ARRAY_SIZE(oom_policy_names) },
	[FIELD_LOG_TARGET] = { log_target_names, ARRAY_SIZE(log_target_names) },
	[FIELD_SYSCALLS] = { syscalls_mode_names, ARRAY_SIZE(syscalls_mode_names) },
	[FIELD_HEALTH_RESTART] = { health_restart_names, ARRAY_SIZE(health_restart_names) },
};

/* "a", "a or b", "a, b or c" */
static void join_choices(const char *const *names, size_t count, char *text, size_t size)
{
	size_t used = 0;

	for (size_t i = 0; i < count && used < size; i++) {
		const char *before = i == 0 ? "" : i + 1 == count ? " or " : ", ";

		used += (size_t)snprintf(text + used, size - used, "%s%s", before, names[i]);
	}
}

const char *spec_choice_name(enum spec_field field, unsigned value)
{
	return value < choices[field].count ? choices[field].names[value] : "unknown";
}

int spec_choice_parse(enum spec_field field, const char *text, unsigned *ret, struct error *err)
{
	const char *const *names = choices[field].names;
	char joined[128], shown[QUOTE_TEXT_MAX];

	for (size_t i = 0; i < choices[field].count; i++)
		if (strcmp(text, names[i]) == 0) {
			*ret = (unsigned)i;
			return 0;
		}
	join_choices(names, choices[field].count, joined, sizeof(joined));
	return error_set(err, ERROR_INVALID, 0, "%s is not known here: write %s",
			 quote_text(text, shown), joined);
}

const char *spec_network_name(enum network network)
{
	return spec_choice_name(FIELD_NETWORK, network);
}

int spec_network_parse(const char *text, enum network *ret, struct error *err)
{
	unsigned value = 0;
	int r = spec_choice_parse(FIELD_NETWORK, text, &value, err);

	if (r == 0)
		*ret = (enum network)value;
	return r;
}

const char *spec_restart_mode_name(enum restart_mode mode)
{
	return spec_choice_name(FIELD_RESTART, mode);
}

int spec_restart_mode_parse(const char *text, enum restart_mode *ret, struct error *err)
{
	unsigned value = 0;
	int r = spec_choice_parse(FIELD_RESTART, text, &value, err);

	if (r == 0)
		*ret = (enum restart_mode)value;
	return r;
}

const char *spec_oom_policy_name(enum oom_policy policy)
{
	return spec_choice_name(FIELD_OOM, policy);
}

int spec_oom_policy_parse(const char *text, enum oom_policy *ret, struct error *err)
{
	unsigned value = 0;
	int r = spec_choice_parse(FIELD_OOM, text, &value, err);

	if (r == 0)
		*ret = (enum oom_policy)value;
	return r;
}

const char *spec_log_target_name(enum log_target target)
{
	return spec_choice_name(FIELD_LOG_TARGET, target);
}

int spec_log_target_parse(const char *text, enum log_target *ret, struct error *err)
{
	unsigned value = 0;
	int r = spec_choice_parse(FIELD_LOG_TARGET, text, &value, err);

	if (r == 0)
		*ret = (enum log_target)value;
	return r;
}

const char *spec_syscalls_mode_name(enum syscalls_mode mode)
{
	return spec_choice_name(FIELD_SYSCALLS, mode);
}

int spec_syscalls_mode_parse(const char *text, enum syscalls_mode *ret, struct error *err)
{
	unsigned value = 0;
	int r = spec_choice_parse(FIELD_SYSCALLS, text, &value, err);

	if (r == 0)
		*ret = (enum syscalls_mode)value;
	return r;
}

const char *spec_health_restart_name(enum health_restart restart)
{
	return spec_choice_name(FIELD_HEALTH_RESTART, restart);
}

int spec_health_restart_parse(const char *text, enum health_restart *ret, struct error *err)
{
	unsigned value = 0;
	int r = spec_choice_parse(FIELD_HEALTH_RESTART, text, &value, err);

	if (r == 0)
		*ret = (enum health_restart)value;
	return r;
}

/* --- signals ---------------------------------------------------------------------------------- */

#define SIGNAL_NAME_SIZE 32

/* The C library keeps the numbers between the classic signals and SIGRTMIN for itself. */
static bool is_signal(int number)
{
	return (number >= 1 && sigabbrev_np(number) != NULL) ||
	       (number >= SIGRTMIN && number <= SIGRTMAX);
}

/* Without "SIG": "TERM", "RTMIN+3". Both names of a number that has two: "IOT" and "ABRT". */
static bool has_name(int number, const char *name)
{
	static const struct {
		const char *name;
		int number;
	} aliases[] = { { "IOT", SIGABRT }, { "CLD", SIGCHLD }, { "IO", SIGIO } };
	char own[SIGNAL_NAME_SIZE];

	for (size_t i = 0; i < ARRAY_SIZE(aliases); i++)
		if (aliases[i].number == number && strcmp(aliases[i].name, name) == 0)
			return true;
	return strcmp(spec_signal_name(number, own) + strlen("SIG"), name) == 0;
}

int spec_signal_parse(const char *text, int *ret_signal, struct error *err)
{
	const char *name = strncmp(text, "SIG", 3) == 0 ? text + 3 : text;
	char shown[QUOTE_TEXT_MAX];
	uint64_t plain = 0;

	if (quantity_parse_count(text, 1, (uint64_t)SIGRTMAX, false, &plain, err) < 0)
		plain = 0;
	for (int number = 1; number <= SIGRTMAX; number++) {
		if (!is_signal(number) || (plain != (uint64_t)number && !has_name(number, name)))
			continue;
		*ret_signal = number;
		return 0;
	}
	return error_set(err, ERROR_INVALID, 0,
			 "%s is not a signal: write a name as in TERM or a number from 1 to %d",
			 quote_text(text, shown), SIGRTMAX);
}

const char *spec_signal_name(int number, char *text)
{
	const char *name = number > 0 ? sigabbrev_np(number) : NULL;

	if (name != NULL)
		snprintf(text, SIGNAL_NAME_SIZE, "SIG%s", name);
	else if (number == SIGRTMIN)
		snprintf(text, SIGNAL_NAME_SIZE, "SIGRTMIN");
	else if (number > SIGRTMIN && number <= SIGRTMAX)
		snprintf(text, SIGNAL_NAME_SIZE, "SIGRTMIN+%d", number - SIGRTMIN);
	else
		snprintf(text, SIGNAL_NAME_SIZE, "signal %d", number);
	return text;
}
