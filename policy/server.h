/* SPDX-License-Identifier: MIT */
/*
 * Python web servers, by their command lines: as started ("gunicorn", "python3 -m uvicorn",
 * "/srv/venv/bin/python /srv/venv/bin/gunicorn") or as they rename themselves ("gunicorn: master
 * [app]"). And how each lets one of its workers end: by which signal, and how it can be seen that
 * its master will start another.
 */
#pragma once

#include "policy/strings.h"

#include <stdint.h>

enum server {
	SERVER_UNKNOWN,
	SERVER_GUNICORN,
	SERVER_UVICORN,
	SERVER_FASTAPI, /* `fastapi run`, which is uvicorn's */
	SERVER_UWSGI,
	SERVER_HYPERCORN,
	SERVER_COUNT,
};

enum server server_of_command(const struct strings *command);
const char *server_name(enum server server);

/* The signal that asks a worker to end when it has answered what it has begun; 0: none does. */
int server_recycle_signal(enum server server);

/* caught: SigCgt of the main process's /proc/PID/status. Only a master that replaces its workers
 * catches the signals that change their number, or stop them all. */
bool server_replaces_workers(enum server server, uint64_t caught);

/* Does a set of signals, as in /proc/PID/status, hold this one? */
static inline bool server_has_signal(uint64_t set, int number)
{
	return number > 0 && number <= 64 && (set >> (number - 1) & 1) != 0;
}
