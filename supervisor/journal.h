/* SPDX-License-Identifier: MIT */
/*
 * Entries to the journal, in its native protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL): one datagram
 * an entry. sd_journal_sendv(3) would do, but it blocks: with journald stuck or stopped the queue
 * of its socket is full, and the loop that runs a thousand apps would wait for it. Here an entry
 * that is not taken at once waits in a bounded backlog, since a traceback can be longer than the
 * queue is (10 entries by default, 512 with systemd); beyond that it is dropped and counted.
 *
 * The socket is not connected, each entry is sent to the path: so it does not matter whether
 * journald runs yet, or has been restarted with a socket of its own since.
 */
#pragma once

#include "policy/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#define JOURNAL_SOCKET "/run/systemd/journal/socket"
/* Bytes of one entry, fields and all. Well below what a socket takes by default
 * (net.core.wmem_default, 208 KiB); larger ones would need a memfd, and nobody reads them. */
#define JOURNAL_ENTRY_MAX ((size_t)64 * 1024)
/* What may wait in our socket. The kernel cuts it to net.core.wmem_max where we lack privilege. */
#define JOURNAL_SEND_BUFFER (8 * 1024 * 1024)
/* Bytes that wait for a journald that does not read: some 5,000 lines. */
#define JOURNAL_BACKLOG_MAX ((size_t)1024 * 1024)
/* On top of that for what the daemon itself has to say: how many lines of workers were lost, for
 * one, is said when they fill the backlog. */
#define JOURNAL_BACKLOG_OWN ((size_t)128 * 1024)
/* A datagram socket does not tell when its peer reads again: a look after this, then ever later. */
#define JOURNAL_RETRY_MIN_USEC UINT64_C(2000)
#define JOURNAL_RETRY_MAX_USEC UINT64_C(250000)
#define JOURNAL_PATH_MAX       108 /* sun_path, its NUL included */

struct journal_field {
	const char *name;  /* [A-Z0-9_], no '_' in front: those are journald's own */
	const char *value; /* any bytes; NULL: the field is left out */
	size_t length;	   /* of value */
};

struct journal {
	int fd;
	char *buffer; /* of JOURNAL_ENTRY_MAX: an entry on its way out */
	char path[JOURNAL_PATH_MAX];
	uint64_t dropped; /* entries that were not taken */
	struct journal_waiting *first, *last;
	size_t waiting_bytes;
	sd_event *event; /* borrowed; NULL: nothing waits */
	sd_event_source *retry;
	uint64_t retry_usec;
};

/* That nobody listens there is no error: journald may come later. */
int journal_open(struct journal *journal, const char *socket_path, struct error *err);
/* From here on entries may wait. The loop is the caller's and outlives the journal. */
void journal_attach(struct journal *journal, sd_event *event);
/* What waits gets one more try. */
void journal_close(struct journal *journal);

/* Never blocks. True: sent, or waits. False: dropped, and counted. Of an entry above
 * JOURNAL_ENTRY_MAX the field that does not fit is cut between characters, and those behind it are
 * left out: so put the long one last. */
bool journal_send(struct journal *journal, const struct journal_field *fields, size_t count);
/* The same for the daemon's own words: there is room for them when lines of workers have none. */
bool journal_send_own(struct journal *journal, const struct journal_field *fields, size_t count);

/* A field of a C string; NULL gives one that is left out. */
struct journal_field journal_text(const char *name, const char *value);
