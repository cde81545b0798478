/* SPDX-License-Identifier: MIT */
#pragma once

/* The start is done, and this process may live for months beside many like it: gives back what only
 * the start has touched. (What was allocated went with free().) */
void memory_give_back(void);
