/* SPDX-License-Identifier: MIT */
#include "policy/wall.h"

#include "policy/nearest.h"
#include "policy/own.h"
#include "policy/phrase.h"
#include "policy/plan.h"
#include "policy/quote.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ABI_TRUNCATE 3 /* Linux 6.2 */

#define SECCOMP_MODE_IS_FILTER 2 /* SECCOMP_MODE_FILTER */

static const char *const names[] = {
	[WALL_NAMESPACES] = "namespaces",     [WALL_ROOT] = "root",
	[WALL_LANDLOCK] = "landlock",	      [WALL_ABSTRACT_SOCKETS] = "abstract-sockets",
	[WALL_SECCOMP] = "seccomp",	      [WALL_NO_NEW_PRIVILEGES] = "no-new-privileges",
	[WALL_CAPABILITIES] = "capabilities", [WALL_IDENTITY] = "identity",
	[WALL_SESSION] = "session",	      [WALL_PROC] = "proc",
	[WALL_CORE_DUMPS] = "core-dumps",     [WALL_LIMITS] = "limits",
	[WALL_NETWORK] = "network",
};
static_assert(ARRAY_SIZE(names) == WALL_COUNT, "a name for each wall");

const char *wall_name(enum wall_id wall)
{
	return (size_t)wall < WALL_COUNT ? names[wall] : "unknown";
}

int wall_parse(const char *name, enum wall_id *ret, struct error *err)
{
	const char *near;
	char shown[QUOTE_TEXT_MAX];

	for (size_t i = 0; i < WALL_COUNT; i++)
		if (strcmp(name, names[i]) == 0) {
			*ret = (enum wall_id)i;
			return 0;
		}
	near = nearest_name(name, names, WALL_COUNT);
	return error_set(err, ERROR_INVALID, 0, "%s is no wall; did you mean %s?",
			 quote_text(name, shown), near != NULL ? near : names[WALL_LANDLOCK]);
}

const char *wall_objection(enum wall_id wall, const struct app_spec *spec)
{
	if (wall == WALL_NETWORK && spec->isolation.network == NETWORK_HOST &&
	    spec->isolation.egress.count == 0)
		return "is down with isolation.network \"host\": take another network, or "
		       "isolation.egress";
	if (wall == WALL_LIMITS && !limit_is_set(spec->limits.memory_max))
		return "is down without a limit on memory: set limits.memory";
	if (wall == WALL_SECCOMP && spec->syscalls.mode != SYSCALLS_ENFORCE)
		return "is down in this mode of syscalls, now or later: take \"enforce\"";
	return NULL;
}

/* --- one wall after the other
 * -------------------------------------------------------------------*/

void wall_landlock_absence(unsigned wanted, unsigned abi, int errnum,
			   char text[static WALL_DETAIL_MAX])
{
	const char *kernel = wanted >= PLAN_LANDLOCK_ABI_SCOPES ? "6.12" : "5.19";

	if (abi > 0)
		snprintf(text, WALL_DETAIL_MAX,
			 "of this kernel is too old (ABI %u, not %u): it takes Linux %s", abi,
			 wanted, kernel);
	else if (errnum == EOPNOTSUPP)
		snprintf(text, WALL_DETAIL_MAX,
			 "is switched off: boot with landlock in the kernel's list lsm=");
	else if (errnum == ENOSYS)
		snprintf(text, WALL_DETAIL_MAX, "is not in this kernel: it takes Linux %s", kernel);
	else
		snprintf(text, WALL_DETAIL_MAX,
			 "is refused (errno %d): is pysbx in a container that forbids it?", errnum);
}

static void set(struct wall *wall, bool up, const char *detail)
{
	wall->state = up ? WALL_UP : WALL_DOWN;
	snprintf(wall->detail, sizeof(wall->detail), "%s", detail);
}

static void judge_landlock(const struct wall_facts *facts, struct wall *wall)
{
	char absence[WALL_DETAIL_MAX];

	if (facts->landlock_abi >= PLAN_LANDLOCK_ABI_FILES) {
		wall->state = WALL_UP;
		snprintf(wall->detail, sizeof(wall->detail),
			 "ABI %u: files as the mounts show them%s%s", facts->landlock_abi,
			 facts->landlock_abi < ABI_TRUNCATE ? ", but for truncate(2)" : "",
			 facts->landlock_abi >= PLAN_LANDLOCK_ABI_SCOPES ? "; no signals to others"
									 : "");
		return;
	}
	wall->state = WALL_DOWN;
	if (facts->landlock_abi == 0 && facts->landlock_errnum == 0) {
		snprintf(wall->detail, sizeof(wall->detail), "the plan has no rules for it");
		return;
	}
	wall_landlock_absence(PLAN_LANDLOCK_ABI_FILES, facts->landlock_abi, facts->landlock_errnum,
			      absence);
	snprintf(wall->detail, sizeof(wall->detail), "Landlock %.*s", WALL_DETAIL_MAX - 10,
		 absence);
}

static void judge_abstract_sockets(const struct wall_facts *facts, struct wall *wall)
{
	if (facts->spec->isolation.network != NETWORK_HOST)
		set(wall, true, "a network namespace of its own");
	else if (facts->landlock_abi >= PLAN_LANDLOCK_ABI_SCOPES)
		set(wall, true, "Landlock: those of others can't be connected to");
	else
		set(wall, false,
		    "abstract unix sockets of the host can be connected to: it takes Linux 6.12 "
		    "with Landlock, or isolation.network \"none\"");
}

static void judge_network(const struct wall_facts *facts, struct wall *wall)
{
	const struct app_spec *spec = facts->spec;

	if (spec->isolation.network != NETWORK_HOST)
		set(wall, true, spec_network_name(spec->isolation.network));
	else if (spec->isolation.egress.count > 0)
		set(wall, true, "host, and it reaches only what isolation.egress names");
	else
		set(wall, false, "host: the network is the host's");
}

static void judge_limits(const struct wall_facts *facts, struct wall *wall)
{
	const struct limits *limits = &facts->spec->limits;
	char text[QUANTITY_TEXT_MAX];
	struct phrase line = phrase_on(wall->detail, sizeof(wall->detail));

	wall->state = limit_is_set(limits->memory_max) ? WALL_UP : WALL_DOWN;
	phrase_add(&line, "memory %s",
		   limit_is_set(limits->memory_max) ? quantity_format_size(limits->memory_max, text)
						    : "without a limit");
	if (limit_is_set(limits->pids_max))
		phrase_add(&line, ", %" PRIu64 " processes", limits->pids_max);
	else
		phrase_add(&line, ", processes without a limit");
	if (limit_is_set(limits->cpu_max))
		phrase_add(&line, ", CPU %s", quantity_format_cpu(limits->cpu_max, text));
	else
		phrase_add(&line, ", CPU without a limit");
}

/* Those that the kernel shows of the process itself. */
static void judge_process(const struct wall_facts *facts, struct wall walls[static WALL_COUNT])
{
	static const enum wall_id shown[] = { WALL_SECCOMP, WALL_NO_NEW_PRIVILEGES,
					      WALL_CAPABILITIES, WALL_IDENTITY };
	const struct wall_status *status = facts->status;
	char text[WALL_DETAIL_MAX];

	for (size_t i = 0; status == NULL && i < ARRAY_SIZE(shown); i++) {
		walls[shown[i]].state = WALL_UNKNOWN;
		snprintf(walls[shown[i]].detail, WALL_DETAIL_MAX,
			 "its main process can't be looked at");
	}
	if (status == NULL)
		return;
	snprintf(text, sizeof(text), "profile %.*s%s", WALL_DETAIL_MAX - 64,
		 facts->spec->syscalls.profile != NULL ? facts->spec->syscalls.profile : "?",
		 facts->permits ? ", but what it refuses is made and only logged" : "");
	set(&walls[WALL_SECCOMP], status->seccomp == SECCOMP_MODE_IS_FILTER && !facts->permits,
	    status->seccomp == SECCOMP_MODE_IS_FILTER ? text : "no filter");
	set(&walls[WALL_NO_NEW_PRIVILEGES], status->no_new_privileges,
	    status->no_new_privileges ? "no program gives it any" : "not set");
	snprintf(text, sizeof(text), "it holds 0x%" PRIx64, status->capabilities);
	set(&walls[WALL_CAPABILITIES], status->capabilities == 0,
	    status->capabilities == 0 ? "none, and none to be had" : text);
	snprintf(text, sizeof(text), "uid %u, gid %u", status->uid, status->gid);
	set(&walls[WALL_IDENTITY], status->uid != 0, status->uid != 0 ? text : "it is root");
}

static void judge_built(const struct wall_facts *facts, struct wall walls[static WALL_COUNT])
{
	/* steps of the launcher: had one failed, nothing would run */
	set(&walls[WALL_NAMESPACES], true,
	    facts->spec->isolation.network == NETWORK_HOST
		    ? "pid, mount, ipc, uts, cgroup"
		    : "pid, mount, ipc, uts, cgroup, network");
	set(&walls[WALL_ROOT], true,
	    "a root of its own, read-only, nosuid, nodev; what is writable is named");
	set(&walls[WALL_PROC], true, "hidepid=invisible, subset=pid");
	set(&walls[WALL_SESSION], true, "no terminal; a keyring of its own");
	set(&walls[WALL_CORE_DUMPS], true, "no file is written, no handler is run");
}

void wall_judge(const struct wall_facts *facts, struct wall ret[static WALL_COUNT])
{
	for (size_t i = 0; i < WALL_COUNT; i++)
		ret[i] = (struct wall){ WALL_UNKNOWN, "nothing of it runs" };
	if (!facts->started)
		return;
	judge_built(facts, ret);
	judge_process(facts, ret);
	judge_landlock(facts, &ret[WALL_LANDLOCK]);
	judge_abstract_sockets(facts, &ret[WALL_ABSTRACT_SOCKETS]);
	judge_network(facts, &ret[WALL_NETWORK]);
	judge_limits(facts, &ret[WALL_LIMITS]);
}

/* --- /proc/PID/status
 * ---------------------------------------------------------------------------*/

/* The text behind "KEY:" at the beginning of a line. */
static const char *line_of(const char *text, const char *key)
{
	size_t length = strlen(key);

	for (; text != NULL && *text != '\0'; text = strchr(text, '\n')) {
		if (*text == '\n')
			text++;
		if (strncmp(text, key, length) == 0 && text[length] == ':')
			return text + length + 1;
	}
	return NULL;
}

static int raise_missing(const char *key, struct error *err)
{
	return error_set(err, ERROR_INVALID, 0, "no line \"%s\" in a process's status", key);
}

/* Real, effective, saved and file system id: one number if they are all the same, else 0. */
static int parse_ids(const char *text, const char *key, uint32_t *ret, struct error *err)
{
	const char *line = line_of(text, key);
	unsigned ids[4];

	if (line == NULL || sscanf(line, "%u %u %u %u", &ids[0], &ids[1], &ids[2], &ids[3]) != 4)
		return raise_missing(key, err);
	*ret = ids[0] == ids[1] && ids[1] == ids[2] && ids[2] == ids[3] ? ids[0] : 0;
	return 0;
}

static int parse_number(const char *text, const char *key, int base, uint64_t *ret,
			struct error *err)
{
	const char *line = line_of(text, key);
	char *end = NULL;
	uint64_t number = line != NULL ? strtoull(line, &end, base) : 0;

	if (line == NULL || end == line || *end != '\n')
		return raise_missing(key, err);
	*ret = number;
	return 0;
}

int wall_status_parse(const char *text, struct wall_status *ret, struct error *err)
{
	static const char *const sets[] = { "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb" };
	struct wall_status status = { 0 };
	uint64_t number = 0;
	int r;

	r = parse_ids(text, "Uid", &status.uid, err);
	if (r == 0)
		r = parse_ids(text, "Gid", &status.gid, err);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(sets); i++) {
		r = parse_number(text, sets[i], 16, &number, err);
		status.capabilities |= number;
	}
	if (r == 0)
		r = parse_number(text, "NoNewPrivs", 10, &number, err);
	status.no_new_privileges = number == 1;
	if (r == 0)
		r = parse_number(text, "Seccomp", 10, &number, err);
	status.seccomp = (unsigned)number;
	if (r == 0)
		*ret = status;
	return r;
}

const char *wall_status_lack(const struct wall_status *status, uint32_t uid)
{
	if (status->seccomp != SECCOMP_MODE_IS_FILTER)
		return "no seccomp filter";
	if (!status->no_new_privileges)
		return "no no_new_privs";
	if (status->capabilities != 0)
		return "capabilities";
	if (status->uid != uid)
		return "another uid";
	return NULL;
}

/* --- as JSON
 * ------------------------------------------------------------------------------------*/

json_t *walls_to_json(const struct wall walls[static WALL_COUNT])
{
	static const char *const states[] = {
		[WALL_DOWN] = "down",
		[WALL_UP] = "up",
		[WALL_UNKNOWN] = "unknown",
	};
	json_t *array = json_array();

	for (size_t i = 0; array != NULL && i < WALL_COUNT; i++)
		if (json_array_append_new(array, json_pack("{s:s, s:s, s:s}", "name", names[i],
							   "state", states[walls[i].state],
							   "detail", walls[i].detail)) < 0) {
			json_decref(array);
			array = NULL;
		}
	return array;
}
