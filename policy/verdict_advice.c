/* SPDX-License-Identifier: MIT */
/* One sentence on what to do, from the numbers of the death. Where nothing honest can be said,
 * nothing is. */
#include "policy/verdict_text.h"

#include "policy/launch_message.h"
#include "policy/own.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
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

__attribute__((format(printf, 2, 3))) static void advise(struct verdict *verdict,
							 const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(verdict->advice, sizeof(verdict->advice), format, args);
	va_end(args);
}

static void advise_on_own_limit(const struct death *death, struct verdict *verdict)
{
	unsigned percent = 0;

	switch (largest_part(death, &percent)) {
	case PART_ANON:
		advise(verdict,
		       "%u %% of it was anonymous memory, the Python objects themselves: raise "
		       "--mem, run fewer workers, or look for a leak (gunicorn --max-requests 1000 "
		       "renews workers in the meantime)",
		       percent);
		break;
	case PART_SHMEM:
		advise(verdict,
		       "%u %% of it was files in /tmp and /dev/shm, which are memory: keep less "
		       "there, write large files to a disk (--rw DIR), or raise --mem",
		       percent);
		break;
	case PART_CACHE:
		advise(verdict,
		       "%u %% of it was file cache that could not be freed in time (being written, "
		       "or mapped): raise --mem, or write less at once",
		       percent);
		break;
	case PART_MIXED:
		advise(verdict, "no single part was most of it: raise --mem or run fewer workers");
		break;
	case PART_UNKNOWN:
		advise(verdict, "raise --mem, run fewer workers, or look for a leak");
		break;
	}
}

static void advise_on_oom(const struct death *death, struct verdict *verdict)
{
	switch (verdict->level) {
	case OOM_LEVEL_HOST:
		advise(verdict,
		       "the limit of the app did not do this: give the host more memory or "
		       "swap, or lower the limits of the apps on it");
		break;
	case OOM_LEVEL_ABOVE:
		advise(verdict, "the limit of the app did not do this: raise the limit above it "
				"(MemoryMax= of its slice or scope), or lower what shares it");
		break;
	case OOM_LEVEL_INSTANCE:
	case OOM_LEVEL_APP:
	case OOM_LEVEL_NONE:
	case OOM_LEVEL_COUNT:
		advise_on_own_limit(death, verdict);
		break;
	}
}

static void advise_on_exec(const struct death *death, struct verdict *verdict)
{
	if (death->failed_errno == ENOENT)
		advise(verdict,
		       "check the spelling, or give the absolute path; a command outside "
		       "the system and the app's directory needs --ro DIR, and so does the "
		       "interpreter in a script's first line");
	else if (death->failed_errno == ENOEXEC)
		advise(verdict,
		       "it is no program of this machine: a script needs a first line such "
		       "as #!/usr/bin/env python3");
	else
		advise(verdict, "make it executable (chmod +x) and readable for the user it runs "
				"as, or run it as: python3 FILE");
}

static void advise_on_start(const struct death *death, struct verdict *verdict)
{
	const char *stage = death->failed_stage != NULL ? death->failed_stage : "";

	if (death_new_oom_kills(death) > 0 || death->failed_errno == ENOMEM)
		advise(verdict, "the memory limit is too small to start it: raise --mem");
	else if (strcmp(stage, launch_stage_name(STAGE_EXEC)) == 0 && death->failed_errno != EAGAIN)
		advise_on_exec(death, verdict);
	else if (death->failed_errno == EAGAIN)
		advise(verdict, "a limit on processes was reached: raise --pids");
	else if (strcmp(stage, launch_stage_name(STAGE_DIRECTORY)) == 0)
		advise(verdict, "the working directory must exist and be open to the user it runs "
				"as: --chdir DIR, --user USER");
	else if (strcmp(stage, launch_stage_name(STAGE_ROOT)) == 0)
		advise(verdict, "check the paths given with --ro and --rw; --print-plan shows all "
				"that is mounted");
	else if (strcmp(stage, launch_stage_name(STAGE_NAMESPACES)) == 0)
		advise(verdict,
		       "the kernel refused a namespace: check sysctl user.max_*_namespaces, "
		       "or the container that pysbx itself runs in");
}

static void advise_on_exit(const struct death *death, struct verdict *verdict)
{
	if (death_exited(death) && WEXITSTATUS(death->wait_status) != 0)
		advise(verdict, "the last lines of the log usually hold the Python exception; a "
				"module that is not found may lie outside the sandbox: --ro DIR");
}

static void advise_on_signal(const struct death *death, struct verdict *verdict)
{
	int signal = WTERMSIG(death->wait_status);

	if (verdict_is_crash_signal(signal))
		advise(verdict, "the Python stack of the crash is in the log unless "
				"PYTHONFAULTHANDLER was switched off; the usual culprit is a C "
				"extension: update it, or run without it");
	else if (signal == SIGKILL)
		advise(verdict, "look for what sends it: systemd-oomd, earlyoom, a deploy script, "
				"kill -9 by hand, or one of the app's own processes");
}

void verdict_write_advice(const struct death *death, struct verdict *verdict)
{
	verdict->advice[0] = '\0';
	switch (verdict->cause) {
	case CAUSE_OOM:
		advise_on_oom(death, verdict);
		break;
	case CAUSE_EXIT:
		advise_on_exit(death, verdict);
		break;
	case CAUSE_SIGNAL:
		advise_on_signal(death, verdict);
		break;
	case CAUSE_SECCOMP:
		advise(verdict, "its seccomp profile kills on this call: the kernel's log names it "
				"(journalctl -k -g type=1326, syscall=N); allow it in a profile of "
				"your own: --syscalls FILE");
		break;
	case CAUSE_PIDS:
		advise(verdict,
		       "threads count too: raise --pids, or lower the number of workers and "
		       "threads (gunicorn --workers, --threads, OMP_NUM_THREADS)");
		break;
	case CAUSE_START_FAILED:
		advise_on_start(death, verdict);
		break;
	case CAUSE_STOPPED:
		if (death->killed_by_us && death->stop_requested)
			advise(verdict, "a request, thread or child still ran: raise --grace, or "
					"make the app end on its stop signal");
		break;
	case CAUSE_LOST:
		advise(verdict, "look for pysbx-launch in the kernel's log (journalctl -k): an OOM "
				"kill on the host, a crash, or a kill by hand");
		break;
	case CAUSE_HUNG:
	case CAUSE_STALLED:
	case CAUSE_COUNT:
		break;
	}
}
