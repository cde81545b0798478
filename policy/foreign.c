/* SPDX-License-Identifier: MIT */
#include "policy/foreign.h"

#include "policy/own.h"

#include <string.h>

#define NO_PAGE	 UINT64_MAX
#define TEXT_MAX 64

struct foreign {
	foreign_read_fn read;
	void *userdata;
	uint64_t bytes_left, loads_left;
	uint64_t addresses[FOREIGN_PAGES]; /* NO_PAGE: the slot is empty */
	unsigned char pages[FOREIGN_PAGES][FOREIGN_PAGE];
};

struct foreign *foreign_new(foreign_read_fn read, void *userdata)
{
	struct foreign *foreign = malloc(sizeof(*foreign));

	if (foreign == NULL)
		return NULL;
	foreign->read = read;
	foreign->userdata = userdata;
	foreign->bytes_left = FOREIGN_READ_MAX;
	foreign->loads_left = FOREIGN_LOADS_MAX;
	memset(foreign->addresses, 0xff, sizeof(foreign->addresses));
	return foreign;
}

void foreign_free(struct foreign *foreign)
{
	free(foreign);
}

/* The page at address, a multiple of its size; NULL: it can't be had. */
static const unsigned char *find_page(struct foreign *foreign, uint64_t address)
{
	/* neighbours in slots of their own, and what is 1 MiB apart in another one than its like */
	uint64_t number = address / FOREIGN_PAGE;
	size_t slot = (size_t)((number ^ number / FOREIGN_PAGES) % FOREIGN_PAGES);

	if (foreign->addresses[slot] == address)
		return foreign->pages[slot];
	if (foreign->loads_left == 0)
		return NULL;
	foreign->loads_left--;
	foreign->addresses[slot] = NO_PAGE;
	if (!foreign->read(address, foreign->pages[slot], foreign->userdata))
		return NULL;
	foreign->addresses[slot] = address;
	return foreign->pages[slot];
}

bool foreign_read(struct foreign *foreign, uint64_t address, void *buffer, size_t size)
{
	unsigned char *to = buffer;

	if (size + FOREIGN_READ_COST > foreign->bytes_left ||
	    address > UINT64_MAX - FOREIGN_PAGE - size)
		return false;
	foreign->bytes_left -= size + FOREIGN_READ_COST;
	while (size > 0) {
		size_t offset = (size_t)(address % FOREIGN_PAGE);
		size_t part = FOREIGN_PAGE - offset < size ? FOREIGN_PAGE - offset : size;
		const unsigned char *page = find_page(foreign, address - offset);

		if (page == NULL)
			return false;
		memcpy(to, page + offset, part);
		to += part;
		address += part;
		size -= part;
	}
	return true;
}

bool foreign_equals(struct foreign *foreign, uint64_t address, const char *text)
{
	char there[TEXT_MAX];
	size_t size = strlen(text) + 1;

	return size <= sizeof(there) && foreign_read(foreign, address, there, size) &&
	       memcmp(there, text, size) == 0;
}
