/* SPDX-License-Identifier: MIT */
#pragma once

/* See the list in exhaust.c. Neither returns, but with 2 for a kind that there is not. */
int exhaust(const char *kind);
int flood(const char *kind);
