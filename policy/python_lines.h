/* SPDX-License-Identifier: MIT */
/* CPython's line tables: from a position in a code object to a line. Any bytes may come as a table.
 * Pure. */
#pragma once

#include "policy/python_layout.h"

#include <stddef.h>

#define PYTHON_LINES_MAX 65536 /* bytes of a table */
#define PYTHON_NO_LINE	 (-1)

/* position: in bytes; negative: before the first instruction. PYTHON_NO_LINE: code without a line,
 * or a position that the table does not reach. */
int32_t python_line_at(enum python_lines kind, const unsigned char *table, size_t size,
		       int32_t first_line, int64_t position);
