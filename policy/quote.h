/* SPDX-License-Identifier: MIT */
/*
 * Foreign text inside our own messages: in quotes, on one line, bounded.
 */
#pragma once

#define QUOTE_TEXT_MAX 96

/* "text" in double quotes, escaped for a terminal (policy/escape.h); what does not fit is cut and
 * marked (`"abc"...`). buffer holds QUOTE_TEXT_MAX bytes and is returned. */
const char *quote_text(const char *text, char *buffer);
