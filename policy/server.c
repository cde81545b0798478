/* SPDX-License-Identifier: MIT */
/*
 * What a worker does on a signal, as its source has it:
 *
 *   gunicorn   SIGTERM: ends when its request is answered, and the arbiter forks another. The
 *              arbiter catches TTIN and TTOU; whatever else has that name doesn't.
 *   uvicorn    SIGTERM: closes its listening sockets, answers what was begun, ends. The parent
 *              replaces it from 0.30 on, and catches TTIN since the same release; an older one
 *              would go on with a worker less, for ever.
 *   uWSGI      SIGHUP: ends after its request (gracefully_kill); SIGTERM and SIGINT end it at once.
 *              The master forks another. Without --master the first process is a worker itself and
 *              replaces nobody; only a master catches TSTP.
 *   hypercorn  none: a worker ignores SIGINT and dies of SIGTERM, and the main process then ends
 *              the whole server.
 */
#include "policy/server.h"

#include "policy/own.h"
#include "policy/path.h"

#include <assert.h>
#include <signal.h>
#include <string.h>

static const struct {
	const char *name, *label;
	int recycle, master_catches;
} servers[] = {
	[SERVER_UNKNOWN] = { "", "an unknown server", 0, 0 },
	[SERVER_GUNICORN] = { "gunicorn", "gunicorn", SIGTERM, SIGTTIN },
	[SERVER_UVICORN] = { "uvicorn", "uvicorn", SIGTERM, SIGTTIN },
	[SERVER_FASTAPI] = { "fastapi", "uvicorn", SIGTERM, SIGTTIN },
	[SERVER_UWSGI] = { "uwsgi", "uWSGI", SIGHUP, SIGTSTP },
	[SERVER_HYPERCORN] = { "hypercorn", "hypercorn", 0, 0 },
};
static_assert(ARRAY_SIZE(servers) == SERVER_COUNT, "a row for each server");

/* Among the words of an interpreter: "-m NAME", or the script; NULL if there is neither. */
static const char *module_or_script(const struct strings *command)
{
	for (size_t i = 1; i < command->count; i++) {
		const char *word = command->items[i];

		if (word[0] != '-' || word[1] == '\0')
			return path_base_name(word);
		if (strcmp(word, "-c") == 0)
			return NULL;
		if (strcmp(word, "-m") == 0)
			return i + 1 < command->count ? command->items[i + 1] : NULL;
		if (word[1] == 'm')
			return word + 2;
		if (strcmp(word, "-X") == 0 || strcmp(word, "-W") == 0)
			i++;
	}
	return NULL;
}

/* "gunicorn", "gunicorn3" and "gunicorn-3.11" are one server; "gunicorn: master [app]" is what it
 * calls itself, "uwsgi-core" and "uWSGI master" are uWSGI. */
static bool is_program(const char *name, const char *program)
{
	size_t length = strlen(program);

	if (strncasecmp(name, program, length) != 0)
		return false;
	name += length;
	if (strcmp(name, "-core") == 0 || name[0] == ':' || name[0] == ' ')
		return true;
	return name[strspn(name, "0123456789.-")] == '\0';
}

enum server server_of_command(const struct strings *command)
{
	const char *name;

	if (command->count == 0)
		return SERVER_UNKNOWN;
	name = path_base_name(command->items[0]);
	if (is_program(name, "python"))
		name = module_or_script(command);
	for (size_t i = SERVER_UNKNOWN + 1; name != NULL && i < ARRAY_SIZE(servers); i++)
		if (is_program(name, servers[i].name))
			return (enum server)i;
	return SERVER_UNKNOWN;
}

const char *server_name(enum server server)
{
	return servers[(size_t)server < SERVER_COUNT ? server : SERVER_UNKNOWN].label;
}

int server_recycle_signal(enum server server)
{
	return (size_t)server < SERVER_COUNT ? servers[server].recycle : 0;
}

bool server_replaces_workers(enum server server, uint64_t caught)
{
	return (size_t)server < SERVER_COUNT &&
	       server_has_signal(caught, servers[server].master_catches);
}
