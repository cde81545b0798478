/* SPDX-License-Identifier: MIT */
/*
 * Measured figures in prose: two or three digits, where policy/quantity.h is exact. A limit is
 * printed as it was set ("246788K"); what was measured against it is printed as "241M".
 */
#pragma once

#include "policy/quantity.h"

/* "0", "812B", "3.1M", "241M". text holds QUANTITY_TEXT_MAX bytes and is returned. */
const char *figure_size(uint64_t bytes, char *text);

/* "2min 3s", "1s 500ms", "3d 4h": cut to what matters at that length. As above. */
const char *figure_time(uint64_t usec, char *text);
