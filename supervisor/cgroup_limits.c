/* SPDX-License-Identifier: MIT */
/* The limits of a cgroup: what the programs beside the supervisor have no use for. */
#include "supervisor/cgroup.h"
#include "supervisor/file.h"

#include <errno.h>
#include <string.h>

int cgroup_apply(int dir, const struct limit_write *writes, size_t count, struct error *err)
{
	char text[FILE_KERNEL_MAX];
	int r;

	for (size_t i = 0; i < count; i++) {
		r = file_write_at(dir, writes[i].file, writes[i].text, err);
		if (r >= 0)
			r = file_read_at(dir, writes[i].file, text, sizeof(text), err);
		if (r == -ENOENT)
			return error_set(
				err, ERROR_UNSUPPORTED, 0,
				"%s: this kernel has no %s, so the limit cannot be enforced%s",
				writes[i].field, writes[i].file,
				strcmp(writes[i].file, "memory.swap.max") == 0
					? " (swap accounting is off: boot with swapaccount=1)"
					: "");
		if (r < 0) {
			error_prefix(err, "%s", writes[i].field);
			return r;
		}
		if (!limits_read_back_matches(&writes[i], text)) {
			text[strcspn(text, "\n")] = '\0';
			return error_set(err, ERROR_SYSTEM, 0,
					 "%s: asked for \"%s\" in %s, the kernel holds \"%.200s\"",
					 writes[i].field, writes[i].text, writes[i].file, text);
		}
	}
	return 0;
}
