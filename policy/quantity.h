/* SPDX-License-Identifier: MIT */
/*
 * The quantities of a spec, from text and back: bytes, CPU, time, counts.
 *
 * One grammar for the command line and JSON strings. Parsing is strict: the whole text must match,
 * no sign, no white space around, no hexadecimal, and an overflow is an error that says so.
 * Each parser raises ERROR_INVALID with a text that quotes the value and shows the right form
 * (`"12Q" is not a size: write bytes, or a number with K, M, G or T, for example 256M`), without
 * naming the field: the caller prefixes that.
 */
#pragma once

#include "policy/error.h"

#include <stdbool.h>
#include <stdint.h>

/* Values of every limit field: nothing said, and "max" (no limit). Both above any real value. */
#define LIMIT_UNSET (UINT64_MAX - 1)
#define LIMIT_MAX   UINT64_MAX

/* Neither "not said" nor "none": there is something to be held to. */
static inline bool limit_is_set(uint64_t limit)
{
	return limit != LIMIT_UNSET && limit != LIMIT_MAX;
}
#define LIMIT_MAX UINT64_MAX

/* Largest size taken: 2^60 bytes. */
#define SIZE_LIMIT_BYTES (UINT64_C(1) << 60)
/* CPU is in thousandths of a core: "150%" = "1.5" = 1500. */
#define CPU_MILLI_PER_CORE 1000
#define CPU_MILLI_MIN	   UINT64_C(10) /* 1 %: cpu.max's own floor is 1 ms in a period of 100 ms */
#define CPU_MILLI_LIMIT	   (UINT64_C(4096) * CPU_MILLI_PER_CORE)
#define TIME_LIMIT_USEC	   (UINT64_C(100) * 365 * 86400 * 1000000)
#define USEC_PER_SEC	   UINT64_C(1000000)
#define USEC_PER_MSEC	   UINT64_C(1000)

/* "256M", "1.5G", "1048576", "max"; K M G T (or k m g t) are powers of 1024; B, iB or i may follow.
 * Up to 9 decimals, taken exactly and rounded down to a whole byte. Bytes, or LIMIT_MAX. */
int quantity_parse_size(const char *text, uint64_t *ret_bytes, struct error *err);

/* As quantity_parse_size, or "40%" of `whole` (0 to 100 %, up to 6 decimals, rounded down).
 * ERROR_INVALID if whole is above SIZE_LIMIT_BYTES, as LIMIT_MAX and LIMIT_UNSET are. */
int quantity_parse_size_or_percent(const char *text, uint64_t whole, uint64_t *ret_bytes,
				   struct error *err);

/* "50%", "150%", "1.5", "2", "max": thousandths of a core, at least CPU_MILLI_MIN, or LIMIT_MAX.
 * What is finer than a thousandth is refused. */
int quantity_parse_cpu(const char *text, uint64_t *ret_milli, struct error *err);

/* systemd.time(7) spans: "5s", "1min 30s", "500ms", "2h"; a number alone is seconds. Microseconds,
 * what is finer is rounded down. "infinity" is refused: every wait here ends. */
int quantity_parse_time(const char *text, uint64_t *ret_usec, struct error *err);

/* "90%", 1 to 100 without decimals, or "off": LIMIT_MAX. */
int quantity_parse_percent(const char *text, uint64_t *ret_percent, struct error *err);

/* A decimal count between min and max, or "max" (LIMIT_MAX) if allow_max. */
int quantity_parse_count(const char *text, uint64_t min, uint64_t max, bool allow_max,
			 uint64_t *ret_count, struct error *err);

/* A uid or gid in plain decimal: refuses signs, "0day", 4294967295 (the kernel's "no id") and more.
 */
int quantity_parse_id(const char *text, uint32_t *ret_id, struct error *err);

#define QUANTITY_TEXT_MAX 64

/* For people: "256M" (exact) or "251.3M" (rounded; a rounded text always has its decimal), "50%",
 * "1min 30s" (exact to the microsecond), "max", "-" when unset. An exact text reads back as the
 * same value. `text` holds QUANTITY_TEXT_MAX bytes and is returned. */
const char *quantity_format_size(uint64_t bytes, char *text);
const char *quantity_format_cpu(uint64_t milli, char *text);
const char *quantity_format_time(uint64_t usec, char *text);
const char *quantity_format_percent(uint64_t percent, char *text);
