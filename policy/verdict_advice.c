/* SPDX-License-Identifier: MIT */
/* One sentence on what to do, from the numbers of the death. Where nothing honest can be said,
 * nothing is. */
#include "policy/verdict_text.h"

#include "policy/launch_message.h"
#include "policy/own.h"
#include "policy/phrase.h"
#include "policy/setting.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

enum memory_part { PART_UNKNOWN, PART_ANON, PART_SHMEM, PART_CACHE, PART_MIXED };

/* Which part holds at least half of the memory; its share in percent. */
static enum memory_part largest_part(const struct death *death, unsigned *ret_percent)
{
	uint64_t shmem = death->memory_shmem;
	uint64_t cache = death->memory_file > shmem ? death->memory_file - shmem : 0;
	uint64_t parts = death->memory_anon + shmem + cache;
	/* the split and the total are two readings: the shares must not add up to more than all */
	uint64_t whole = death->memory_current > parts ? death->memory_current : parts;
	const struct {
		enum memory_part part;
		uint64_t bytes;
	} candidates[] = {
		{ PART_ANON, death->memory_anon },
		{ PART_SHMEM, shmem },
		{ PART_CACHE, cache },
	};

	if (parts == 0)
		return PART_UNKNOWN;
	for (size_t i = 0; i < ARRAY_SIZE(candidates); i++) {
		if (candidates[i].bytes < whole - candidates[i].bytes)
			continue;
		*ret_percent = (unsigned)((double)candidates[i].bytes * 100 / (double)whole + 0.5);
		return candidates[i].part;
	}
	return PART_MIXED;
}

static void add_raise(struct phrase *text, const struct death *death, enum spec_field field)
{
	const struct setting_place place = { .door = death->door,
					     .app = death->app,
					     .limits = death->limits,
					     .plan = death->plan,
					     .tenant = death->tenant };

	setting_add_raise(text, &place, field);
}

static void advise_on_own_limit(const struct death *death, struct phrase *text)
{
	const char *place = death->allocating_at;
	unsigned percent = 0;

	switch (largest_part(death, &percent)) {
	case PART_ANON:
		phrase_add(text,
			   "%u %% of it was anonymous memory, the Python objects themselves: ",
			   percent);
		add_raise(text, death, FIELD_MEMORY);
		phrase_add(text,
			   ", run fewer workers, or look for a leak%s (gunicorn "
			   "--max-requests 1000 renews workers in the meantime)",
			   place != NULL && place[0] != '\0' ? ", first where it was allocating"
							     : "");
		break;
	case PART_SHMEM:
		phrase_add(text,
			   "%u %% of it was files in /tmp and /dev/shm, which are memory: keep "
			   "less there, write large files to a disk (%s), or ",
			   percent, setting_name(death->door, FIELD_WRITABLE));
		add_raise(text, death, FIELD_MEMORY);
		break;
	case PART_CACHE:
		phrase_add(text,
			   "%u %% of it was file cache that could not be freed in time (being "
			   "written, or mapped): write less at once, or ",
			   percent);
		add_raise(text, death, FIELD_MEMORY);
		break;
	case PART_MIXED:
		phrase_add(text, "no single part was most of it: run fewer workers, or ");
		add_raise(text, death, FIELD_MEMORY);
		break;
	case PART_UNKNOWN:
		add_raise(text, death, FIELD_MEMORY);
		phrase_add(text, ", run fewer workers, or look for a leak");
		break;
	}
}

/* A tenant's slice is the first that lies above; the kernel does not say which one it was. */
static void advise_on_limit_above(const struct death *death, struct phrase *text)
{
	const struct limits *of_tenant = death->tenant.limits;
	char shown[QUANTITY_TEXT_MAX];

	phrase_add(text, "the limit of the app did not do this: raise the limit above it (");
	if (of_tenant != NULL && of_tenant->memory_max < LIMIT_UNSET)
		phrase_add(text, "limits.memory of tenant %s, now %s for all its apps, or ",
			   death->tenant.name, quantity_format_size(of_tenant->memory_max, shown));
	phrase_add(text, "MemoryMax= of its slice or scope), or lower what shares it");
}

static void advise_on_tenant(const struct death *death, struct phrase *text)
{
	phrase_add(
		text,
		"the limit of the app did not do this: raise limits.memory of tenant %s, or lower "
		"those of its apps, whose limits together are more than it has",
		death->tenant.name != NULL ? death->tenant.name : "?");
}

static void advise_on_oom(const struct death *death, enum oom_level level, struct phrase *text)
{
	switch (level) {
	case OOM_LEVEL_HOST:
		phrase_add(text,
			   "the limit of the app did not do this: give the host more memory or "
			   "swap, or lower the limits of the apps on it");
		break;
	case OOM_LEVEL_TENANT:
		advise_on_tenant(death, text);
		break;
	case OOM_LEVEL_ABOVE:
		advise_on_limit_above(death, text);
		break;
	case OOM_LEVEL_INSTANCE:
	case OOM_LEVEL_APP:
	case OOM_LEVEL_NONE:
	case OOM_LEVEL_COUNT:
		advise_on_own_limit(death, text);
		break;
	}
}

static void advise_on_exec(const struct death *death, struct phrase *text)
{
	if (death->failed_errno == ENOENT)
		phrase_add(text,
			   "check the spelling, or give the absolute path; a command outside "
			   "the system and the app's directory needs %s, and so does the "
			   "interpreter in a script's first line",
			   setting_name(death->door, FIELD_READABLE));
	else if (death->failed_errno == ENOEXEC)
		phrase_add(text,
			   "it is no program of this machine: a script needs a first line such "
			   "as #!/usr/bin/env python3");
	else
		phrase_add(text, "make it executable (chmod +x) and readable for the user it runs "
				 "as, or run it as: python3 FILE");
}

static void advise_on_start(const struct death *death, struct phrase *text)
{
	const char *stage = death->failed_stage != NULL ? death->failed_stage : "";

	if (death_new_oom_kills(death) > 0 || death->failed_errno == ENOMEM) {
		phrase_add(text, "the memory limit is too small to start it: ");
		add_raise(text, death, FIELD_MEMORY);
	} else if (death->failed_errno == EAGAIN) {
		phrase_add(text, "a limit on processes was reached: ");
		add_raise(text, death, FIELD_PIDS);
	} else if (strcmp(stage, launch_stage_name(STAGE_EXEC)) == 0) {
		advise_on_exec(death, text);
	} else if (strcmp(stage, launch_stage_name(STAGE_DIRECTORY)) == 0) {
		phrase_add(text,
			   "the working directory must exist and be open to the user it runs as: "
			   "%s, %s",
			   setting_name(death->door, FIELD_DIRECTORY),
			   setting_name(death->door, FIELD_USER));
	} else if (strcmp(stage, launch_stage_name(STAGE_ROOT)) == 0) {
		phrase_add(text, "check the paths given with %s and %s%s",
			   setting_name(death->door, FIELD_READABLE),
			   setting_name(death->door, FIELD_WRITABLE),
			   death->door == DOOR_OPTIONS ? "; --print-plan shows all that is mounted"
						       : "");
	} else if (strcmp(stage, launch_stage_name(STAGE_LANDLOCK)) == 0) {
		phrase_add(text,
			   "`pysbx doctor` tells what this machine lacks; to do without the wall, "
			   "take it out of %s",
			   setting_name(death->door, FIELD_REQUIRE));
	} else if (strcmp(stage, launch_stage_name(STAGE_NAMESPACES)) == 0) {
		phrase_add(text,
			   "the kernel refused a namespace: check sysctl user.max_*_namespaces, "
			   "or the container that pysbx itself runs in");
	}
}

static void advise_on_exit(const struct death *death, struct phrase *text)
{
	if (death_exited(death) && WEXITSTATUS(death->wait_status) != 0)
		phrase_add(text,
			   "the last lines of the log usually hold the Python exception; a "
			   "module that is not found may lie outside the sandbox: %s",
			   setting_name(death->door, FIELD_READABLE));
}

static void advise_on_signal(const struct death *death, struct phrase *text)
{
	int signal = WTERMSIG(death->wait_status);

	if (verdict_is_crash_signal(signal))
		phrase_add(text, "the Python stack of the crash is in the log unless "
				 "PYTHONFAULTHANDLER was switched off; the usual culprit is a C "
				 "extension: update it, or run without it");
	else if (signal == SIGKILL)
		phrase_add(text, "look for what sends it: systemd-oomd, earlyoom, a deploy script, "
				 "kill -9 by hand, or one of the app's own processes");
}

static void advise_on_health(const struct death *death, enum cause cause, struct phrase *text)
{
	if (cause == CAUSE_HUNG)
		phrase_add(text,
			   "what waits for others needs a time limit (requests: timeout=, "
			   "sockets: settimeout), what computes for long belongs into another "
			   "process; the stacks in the report show where each thread was");
	else
		phrase_add(text,
			   "look at what the health check asks for: what it needs of others (a "
			   "database) no restart brings back; %s=hung restarts an app that hangs, "
			   "and no other",
			   setting_name(death->door, FIELD_HEALTH_RESTART));
}

void verdict_write_advice(const struct death *death, struct verdict *verdict)
{
	struct phrase text = phrase_on(verdict->advice, sizeof(verdict->advice));

	switch (verdict->cause) {
	case CAUSE_OOM:
		advise_on_oom(death, verdict->level, &text);
		break;
	case CAUSE_EXIT:
		advise_on_exit(death, &text);
		break;
	case CAUSE_SIGNAL:
		advise_on_signal(death, &text);
		break;
	case CAUSE_SECCOMP:
		phrase_add(&text,
			   "its seccomp profile kills on this call: the kernel's log names it "
			   "(journalctl -k -g type=1326, syscall=N); allow it in a profile of "
			   "your own: %s",
			   setting_name(death->door, FIELD_SYSCALLS));
		break;
	case CAUSE_PIDS:
		phrase_add(&text, "threads count too: ");
		add_raise(&text, death, FIELD_PIDS);
		phrase_add(&text,
			   ", or lower the number of workers and threads (gunicorn --workers, "
			   "--threads, OMP_NUM_THREADS)");
		break;
	case CAUSE_START_FAILED:
		advise_on_start(death, &text);
		break;
	case CAUSE_STOPPED:
		if (death->killed_by_us && death->stop_requested)
			phrase_add(&text,
				   "a request, thread or child still ran: raise %s, or "
				   "make the app end on its stop signal",
				   setting_name(death->door, FIELD_STOP_GRACE));
		break;
	case CAUSE_LOST:
		phrase_add(&text,
			   "look for pysbx-launch in the kernel's log (journalctl -k): an OOM "
			   "kill on the host, a crash, or a kill by hand");
		break;
	case CAUSE_HUNG:
	case CAUSE_UNHEALTHY:
		advise_on_health(death, verdict->cause, &text);
		break;
	case CAUSE_STALLED:
	case CAUSE_PRESSURE:
		advise_on_own_limit(death, &text);
		break;
	case CAUSE_COUNT:
		break;
	}
}
