/* SPDX-License-Identifier: MIT */
#include "policy/spec_diff.h"

#include "policy/spec_json.h"
#include "policy/spec_row.h"

int spec_diff(const struct app_spec *a, const struct app_spec *b, struct spec_difference *ret,
	      struct error *err)
{
	struct spec_difference found = { 0 };

	for (size_t i = 0; i < spec_row_count; i++) {
		const struct spec_row *row = &spec_rows[i];
		int r;

		if (row->codec->same(spec_row_member_const(row, a), spec_row_member_const(row, b)))
			continue;
		/* follows from the rest, and nothing follows from it where there is no check */
		if (row->field == FIELD_HEALTH_TIMEOUT && a->health.http == NULL &&
		    b->health.http == NULL)
			continue;
		r = strings_append(&found.paths, spec_json_labels.of[row->field], err);
		if (r < 0) {
			spec_difference_clear(&found);
			return r;
		}
		found.fields |= SPEC_FIELD_BIT(row->field);
		found.restart = found.restart || (row->flags & ROW_LIVE) == 0;
	}
	*ret = found;
	return 0;
}

void spec_difference_clear(struct spec_difference *difference)
{
	strings_clear(&difference->paths);
	*difference = (struct spec_difference){ 0 };
}
