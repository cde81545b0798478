/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as a worker's words: its name, its arguments, its log. The JSON must be JSON, on one
 * line of plain ASCII; the text must be lines of ours, printable, of at most 100 columns.
 */
#include "policy/incident.h"
#include "policy/own.h"

#include <jansson.h>
#include <signal.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void check_text(const char *text)
{
	unsigned columns = 0;

	require(strncmp(text, "pysbx: ", 7) == 0);
	for (const char *at = text; *at != '\0'; at++) {
		unsigned char byte = (unsigned char)*at;

		require(byte == '\n' || (byte >= ' ' && byte != 0x7f));
		/* C1 controls, as UTF-8 */
		require(byte != 0xc2 || (unsigned char)at[1] >= 0xa0);
		columns = byte == '\n' ? 0 : columns + ((byte & 0xc0) != 0x80);
		require(columns <= INCIDENT_TEXT_COLUMNS);
		if (byte == '\n')
			require(at[1] == '\0' || strncmp(at + 1, "  ", 2) == 0);
	}
}

static void check_json(const char *line)
{
	json_t *root = json_loads(line, JSON_REJECT_DUPLICATES, NULL);

	require(root != NULL && strchr(line, '\n') == NULL);
	for (const char *at = line; *at != '\0'; at++)
		require((unsigned char)*at >= ' ' && (unsigned char)*at < 0x80);
	json_decref(root);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct restart_policy policy = { .mode = RESTART_ALWAYS };
	_cleanup_free_ char *words = strndup((const char *)data, size < 2000 ? size : 2000);
	_cleanup_free_ char *text = NULL, *line = NULL;
	struct restart_state restarts = { 0 };
	struct incident incident = { .app = words, .has_wait_status = true };
	struct death death = { .app = words,
			       .victim_name = words,
			       .victim_pid = 1,
			       .failed_stage = "exec",
			       .failed_text = words,
			       .has_status = true };
	static struct mask *mask;
	struct error err;

	require(words != NULL);
	if (mask == NULL)
		require(mask_new(NULL, &mask, &err) == 0);
	incident.mask = mask;
	/* the first byte chooses the kind of death */
	death.child = size > 0 && data[0] % 5 == 0;
	death.start_failed = size > 0 && data[0] % 5 == 1;
	death.wait_status = size > 0 && data[0] % 5 == 2 ? SIGSEGV : 3 << 8;
	verdict_judge(&death, &policy, OOM_WORKER, &restarts, &incident.verdict);
	incident.wait_status = death.wait_status;
	snprintf(incident.victim.comm, sizeof(incident.victim.comm), "%s", words);
	incident.victim.command_line = words;
	incident.log_lines = incident.kernel_lines = (const char *const[]){ words };
	incident.log_line_count = incident.kernel_line_count = 1;

	require(incident_to_text(&incident, &text, &err) == 0);
	require(incident_to_json(&incident, false, &line, &err) == 0);
	check_text(text);
	check_json(line);
	return 0;
}
