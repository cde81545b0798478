/* SPDX-License-Identifier: MIT */
#include "supervisor/journal.h"

#include "policy/escape.h"
#include "policy/own.h"

#include <assert.h>
#include <endian.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#define FIELD_NAME_MAX 64 /* journald ignores a field with a longer name */

struct journal_waiting {
	struct journal_waiting *next;
	size_t length;
	char data[];
};

struct entry {
	char *data; /* of JOURNAL_ENTRY_MAX */
	size_t used;
	bool cut;
};

int journal_open(struct journal *journal, const char *socket_path, struct error *err)
{
	_cleanup_close_ int fd = -1;
	_cleanup_free_ char *buffer = NULL;
	int room = JOURNAL_SEND_BUFFER;

	if (strlen(socket_path) >= JOURNAL_PATH_MAX)
		return error_set(err, ERROR_INVALID, ENAMETOOLONG, "journal socket %s",
				 socket_path);
	buffer = malloc(JOURNAL_ENTRY_MAX);
	if (buffer == NULL)
		return error_no_memory(err);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return error_set(err, ERROR_SYSTEM, errno, "make a socket to the journal");
	/* Every entry that waits counts against our own buffer as well as against journald's queue;
	 * a smaller one only drops sooner. */
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));

	*journal = (struct journal){ .fd = TAKE_FD(fd), .buffer = TAKE_PTR(buffer) };
	memcpy(journal->path, socket_path, strlen(socket_path) + 1);
	return 0;
}

struct journal_field journal_text(const char *name, const char *value)
{
	return (struct journal_field){ name, value, value != NULL ? strlen(value) : 0 };
}

static bool is_field_name(const char *name)
{
	size_t length = strlen(name);

	return length > 0 && length <= FIELD_NAME_MAX && name[0] >= 'A' && name[0] <= 'Z' &&
	       strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == length;
}

/* "NAME=value\n" is for text of one line; all else has its length written before it. */
static bool is_plain(const struct journal_field *field)
{
	for (size_t i = 0; i < field->length; i++)
		if ((unsigned char)field->value[i] < 0x20 || field->value[i] == 0x7f)
			return false;
	return true;
}

static void put(struct entry *entry, const void *data, size_t length)
{
	memcpy(entry->data + entry->used, data, length);
	entry->used += length;
}

static void put_field(struct entry *entry, const struct journal_field *field)
{
	bool plain = is_plain(field);
	size_t name = strlen(field->name), length = field->length;
	size_t around = name + (plain ? 2 : 2 + sizeof(uint64_t)); /* '=' or '\n', the size, '\n' */
	size_t room = JOURNAL_ENTRY_MAX - entry->used;

	if (room <= around) {
		entry->cut = true;
		return;
	}
	if (length > room - around) {
		length = escape_whole_characters(field->value, room - around);
		entry->cut = true;
	}
	put(entry, field->name, name);
	if (plain) {
		put(entry, "=", 1);
	} else {
		uint64_t size = htole64(length);

		put(entry, "\n", 1);
		put(entry, &size, sizeof(size));
	}
	put(entry, field->value, length);
	put(entry, "\n", 1);
}

static int transmit(const struct journal *journal, const char *data, size_t length)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	ssize_t n;

	static_assert(sizeof(address.sun_path) == JOURNAL_PATH_MAX, "any path fits");
	memcpy(address.sun_path, journal->path, sizeof(address.sun_path));
	do
		n = sendto(journal->fd, data, length, MSG_DONTWAIT | MSG_NOSIGNAL,
			   (struct sockaddr *)&address, sizeof(address));
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

/* --- the backlog ---------------------------------------------------------------------------- */

static void forget_first(struct journal *journal)
{
	struct journal_waiting *first = journal->first;

	journal->first = first->next;
	if (journal->first == NULL)
		journal->last = NULL;
	journal->waiting_bytes -= sizeof(*first) + first->length;
	free(first);
}

/* As many as are taken, in order. What fails for another reason than a full queue is dropped: there
 * is no journald. Returns how many have left. */
static size_t send_waiting(struct journal *journal)
{
	size_t left = 0;

	for (; journal->first != NULL; left++) {
		int r = transmit(journal, journal->first->data, journal->first->length);

		if (r == -EAGAIN)
			break;
		if (r < 0)
			journal->dropped++;
		forget_first(journal);
	}
	return left;
}

static int on_retry(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct journal *journal = userdata;
	(void)usec;

	if (send_waiting(journal) > 0)
		journal->retry_usec = JOURNAL_RETRY_MIN_USEC;
	else if (journal->retry_usec < JOURNAL_RETRY_MAX_USEC)
		journal->retry_usec *= 2;
	if (journal->first == NULL)
		return 0;
	(void)sd_event_source_set_time_relative(source, journal->retry_usec);
	(void)sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
	return 0;
}

static int arm_retry(struct journal *journal)
{
	int r;

	journal->retry_usec = JOURNAL_RETRY_MIN_USEC;
	if (journal->retry == NULL) /* accuracy 1 ms: the default is 250 ms */
		return sd_event_add_time_relative(journal->event, &journal->retry, CLOCK_MONOTONIC,
						  journal->retry_usec, 1000, on_retry, journal);
	r = sd_event_source_set_time_relative(journal->retry, journal->retry_usec);
	return r < 0 ? r : sd_event_source_set_enabled(journal->retry, SD_EVENT_ONESHOT);
}

static bool let_wait(struct journal *journal, size_t room, const char *data, size_t length)
{
	struct journal_waiting *waiting;
	size_t size = sizeof(*waiting) + length;

	if (journal->event == NULL || journal->waiting_bytes + size > room)
		return false;
	if (journal->first == NULL && arm_retry(journal) < 0)
		return false;
	waiting = malloc(size);
	if (waiting == NULL)
		return false;
	waiting->next = NULL;
	waiting->length = length;
	memcpy(waiting->data, data, length);
	if (journal->first == NULL)
		journal->first = waiting;
	else
		journal->last->next = waiting;
	journal->last = waiting;
	journal->waiting_bytes += size;
	return true;
}

/* --- the whole ------------------------------------------------------------------------------ */

void journal_attach(struct journal *journal, sd_event *event)
{
	journal->event = event;
}

void journal_close(struct journal *journal)
{
	(void)send_waiting(journal);
	while (journal->first != NULL) {
		forget_first(journal);
		journal->dropped++;
	}
	journal->retry = sd_event_source_disable_unref(journal->retry);
	close_and_clear(&journal->fd);
	free(journal->buffer);
	journal->buffer = NULL;
}

/* room: for what waits. */
static bool send_within(struct journal *journal, size_t room, const struct journal_field *fields,
			size_t count)
{
	struct entry entry = { .data = journal->buffer };
	int r = -EAGAIN;

	for (size_t i = 0; i < count && !entry.cut; i++) {
		assert(is_field_name(fields[i].name));
		if (fields[i].value != NULL)
			put_field(&entry, &fields[i]);
	}

	(void)send_waiting(journal);
	if (journal->first == NULL)
		r = transmit(journal, entry.data, entry.used);
	if (r == 0 || (r == -EAGAIN && let_wait(journal, room, entry.data, entry.used)))
		return true;
	journal->dropped++;
	return false;
}

bool journal_send(struct journal *journal, const struct journal_field *fields, size_t count)
{
	return send_within(journal, JOURNAL_BACKLOG_MAX, fields, count);
}

bool journal_send_own(struct journal *journal, const struct journal_field *fields, size_t count)
{
	return send_within(journal, JOURNAL_BACKLOG_MAX + JOURNAL_BACKLOG_OWN, fields, count);
}
