/* SPDX-License-Identifier: MIT */
/* `pysbx history`. */
#include "supervisor/ctl.h"

#define ROWS_DEFAULT 20

int ctl_history(struct ctl *ctl, struct error *err)
{
	_cleanup_json_ json_t *result = NULL;
	int r = ctl_call(
		ctl, "app.history",
		json_pack("{s:s, s:s*}", "name", ctl->words[0], "since", ctl->options.since),
		&result, err);

	if (r < 0)
		return r;
	if (ctl_given(ctl, CTL_JSON)) {
		ctl_put_json(ctl, result);
		return 0;
	}
	if (ctl_given(ctl, CTL_PLOT))
		return ctl_view_plot(&ctl->view, result, err);
	return ctl_view_history(
		&ctl->view, result,
		ctl_given(ctl, CTL_LINES) ? (size_t)ctl->options.lines : ROWS_DEFAULT, err);
}
