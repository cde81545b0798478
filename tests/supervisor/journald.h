/* SPDX-License-Identifier: MIT */
/*
 * A journald of the test's own: a datagram socket in a new directory below /tmp, and the native
 * protocol taken apart again as its document says, independently of how it is written.
 */
#pragma once

#include <criterion/criterion.h>
#include <endian.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define ENTRY_FIELDS_MAX 32

/* Quiet when it holds: each assertion is a message from the test to its runner, and some tests
 * read thousands of entries. */
#define journald_require(condition, what)           \
	do {                                        \
		if (!(condition))                   \
			cr_assert_fail("%s", what); \
	} while (0)

struct journald {
	char directory[64];
	struct sockaddr_un address;
	int fd;
};

struct journald_entry {
	char data[256 * 1024];
	size_t length;
	struct {
		char name[65];
		const char *value;
		size_t length;
	} fields[ENTRY_FIELDS_MAX];
	size_t count;
};

__attribute__((unused)) static void journald_listen(struct journald *journald)
{
	journald->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	cr_assert_geq(journald->fd, 0);
	unlink(journald->address.sun_path);
	cr_assert_eq(bind(journald->fd, (struct sockaddr *)&journald->address,
			  sizeof(journald->address)),
		     0);
}

__attribute__((unused)) static void journald_start(struct journald *journald)
{
	*journald = (struct journald){ .address.sun_family = AF_UNIX };
	snprintf(journald->directory, sizeof(journald->directory), "/tmp/journald-XXXXXX");
	cr_assert_not_null(mkdtemp(journald->directory));
	snprintf(journald->address.sun_path, sizeof(journald->address.sun_path), "%s/socket",
		 journald->directory);
	journald_listen(journald);
}

__attribute__((unused)) static void journald_stop(struct journald *journald)
{
	if (journald->fd >= 0)
		close(journald->fd);
	unlink(journald->address.sun_path);
	rmdir(journald->directory);
}

/* Takes one field off the front of the rest. */
static size_t journald_parse_field(struct journald_entry *entry, size_t at)
{
	const char *start = entry->data + at, *end = entry->data + entry->length;
	size_t name = 0, skip;
	uint64_t length;

	while (start + name < end && start[name] != '=' && start[name] != '\n')
		name++;
	journald_require(start + name < end, "a field without an end");
	journald_require(name > 0 && name < sizeof(entry->fields[0].name), "a field's name");
	if (start[name] == '=') {
		const char *newline = memchr(start, '\n', (size_t)(end - start));

		journald_require(newline != NULL, "the last field has no newline");
		skip = name + 1;
		length = (uint64_t)(newline - start) - skip;
	} else {
		skip = name + 1 + sizeof(length);
		journald_require(start + skip <= end, "a field without its length");
		memcpy(&length, start + name + 1, sizeof(length));
		length = le64toh(length);
		journald_require(length < (uint64_t)(end - start) - skip, "longer than it is");
		journald_require(start[skip + length] == '\n', "no newline behind a field");
	}
	journald_require(entry->count < ENTRY_FIELDS_MAX, "too many fields");
	memcpy(entry->fields[entry->count].name, start, name);
	entry->fields[entry->count].name[name] = '\0';
	entry->fields[entry->count].value = start + skip;
	entry->fields[entry->count++].length = (size_t)length;
	return at + skip + (size_t)length + 1;
}

/* The next entry that has come; false if there is none. */
__attribute__((unused)) static bool journald_next(const struct journald *journald,
						  struct journald_entry *entry)
{
	ssize_t n = recv(journald->fd, entry->data, sizeof(entry->data), MSG_DONTWAIT);

	if (n < 0)
		return false;
	entry->length = (size_t)n;
	entry->count = 0;
	for (size_t at = 0; at < entry->length;)
		at = journald_parse_field(entry, at);
	return true;
}

/* The field's value as a string, in a buffer that the next few calls leave alone; NULL without. */
__attribute__((unused)) static const char *journald_field(const struct journald_entry *entry,
							  const char *name)
{
	static char values[8][4096];
	static unsigned next;

	for (size_t i = 0; i < entry->count; i++)
		if (strcmp(entry->fields[i].name, name) == 0) {
			char *value = values[next++ % 8];
			size_t length = entry->fields[i].length;

			journald_require(length < sizeof(values[0]), "a value is too long");
			memcpy(value, entry->fields[i].value, length);
			value[length] = '\0';
			return value;
		}
	return NULL;
}

/* expected NULL: the field must not be there. */
__attribute__((unused)) static void journald_expect(const struct journald_entry *entry,
						    const char *name, const char *expected)
{
	const char *value = journald_field(entry, name);

	if (expected == NULL ? value != NULL : value == NULL || strcmp(value, expected) != 0)
		cr_expect_fail("%s is \"%s\", not \"%s\"", name, value != NULL ? value : "(none)",
			       expected != NULL ? expected : "(none)");
}
