/* SPDX-License-Identifier: MIT */
#include "policy/foreign.h"
#include "policy/own.h"

#include <criterion/criterion.h>
#include <string.h>

#define PAGE ((uint64_t)FOREIGN_PAGE)

static unsigned loads;

/* Pages of their own number, but for those that are a multiple of 8. */
static bool read_page(uint64_t address, void *page, void *userdata)
{
	uint64_t number = address / FOREIGN_PAGE;
	(void)userdata;

	cr_assert_eq(address % FOREIGN_PAGE, 0);
	loads++;
	memset(page, (int)(number & 0xff), FOREIGN_PAGE);
	return number % 8 != 0;
}

Test(foreign, reads_over_the_border_of_pages)
{
	_cleanup_foreign_ struct foreign *foreign = foreign_new(read_page, NULL);
	unsigned char bytes[3 * FOREIGN_PAGE];

	cr_assert(foreign_read(foreign, 2 * PAGE - 2, bytes, 4));
	cr_expect_eq(memcmp(bytes, "\1\1\2\2", 4), 0);
	cr_assert(foreign_read(foreign, 2 * PAGE - 2, bytes, sizeof(bytes)));
	cr_expect_eq(bytes[sizeof(bytes) - 1], 4);
	cr_expect_eq(loads, 4, "a page is asked for once");
}

Test(foreign, tells_what_can_not_be_read)
{
	_cleanup_foreign_ struct foreign *foreign = foreign_new(read_page, NULL);
	unsigned char bytes[FOREIGN_PAGE];

	cr_expect(!foreign_read(foreign, 8 * PAGE - 1, bytes, 2));
	cr_expect(foreign_read(foreign, 8 * PAGE - 1, bytes, 1));
	cr_expect(!foreign_read(foreign, 8 * PAGE, bytes, 1));
	cr_expect(!foreign_read(foreign, UINT64_MAX, bytes, 1));
	cr_expect(!foreign_read(foreign, UINT64_MAX - 4, bytes, FOREIGN_PAGE));
	cr_expect(foreign_equals(foreign, 9 * PAGE, "") == false);
}

Test(foreign, ends_when_its_budget_is_spent)
{
	_cleanup_foreign_ struct foreign *foreign = foreign_new(read_page, NULL);
	unsigned char byte;
	unsigned long reads = 0;

	while (foreign_read(foreign, FOREIGN_PAGE, &byte, 1))
		reads++;
	cr_expect_eq(reads, FOREIGN_READ_MAX / (FOREIGN_READ_COST + 1));
	cr_expect_eq(loads, 1);
}

/* Two pages that have one place: each is asked for again. */
Test(foreign, ends_when_too_many_pages_were_asked_for)
{
	_cleanup_foreign_ struct foreign *foreign = foreign_new(read_page, NULL);
	unsigned char byte;
	uint64_t address = FOREIGN_PAGE;

	while (foreign_read(foreign, address, &byte, 1))
		address += address / PAGE % 8 == 7 ? 2 * PAGE : PAGE;
	cr_expect_eq(loads, FOREIGN_LOADS_MAX);
}
