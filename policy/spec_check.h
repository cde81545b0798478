/* SPDX-License-Identifier: MIT */
/* Between spec_validate.c and spec_paths.c alone: one validation, under way. */
#pragma once

#include "policy/spec.h"

struct spec_check {
	const struct app_spec *spec;
	const struct spec_labels *labels;
	struct error *err;
};

#define SPEC_NO_INDEX SIZE_MAX /* of a field that is no list */

/* ERROR_INVALID "LABEL: TEXT", or "LABEL[INDEX]: TEXT" where the labels are indexed. */
int spec_refuse(const struct spec_check *check, enum spec_field field, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
int spec_refuse_item(const struct spec_check *check, enum spec_field field, size_t index,
		     const char *format, ...) __attribute__((format(printf, 4, 5)));

/* One path of a list: absolute, in normal form, bounded, without control characters. */
int spec_check_path(const struct spec_check *check, enum spec_field field, size_t index,
		    const char *path);

/* All paths of the spec but those of the io limits. */
int spec_check_paths(const struct spec_check *check);
