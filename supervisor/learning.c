/* SPDX-License-Identifier: MIT */
#include "supervisor/learning.h"

#include "policy/denial.h"
#include "policy/document.h"
#include "policy/launch_message.h"
#include "policy/learn.h"
#include "policy/own.h"
#include "policy/profile_json.h"
#include "supervisor/file.h"
#include "supervisor/filter.h"
#include "supervisor/filter_program.h"
#include "supervisor/filter_rules.h"
#include "supervisor/filter_syscall.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GROWTH	     64 /* calls at a time */
#define PROFILE_MODE 0644

/* --- before the run --------------------------------------------------------------------------*/

static int compile(const struct profile *profile, int *ret_fd, struct error *err)
{
	_cleanup_free_ struct sock_filter *program = NULL;
	size_t count;
	int r = filter_program_build(profile, filter_native(), &program, &count, err);

	return r < 0 ? r
		     : file_sealed_memfd("pysbx-filter", program, count * sizeof(*program), false,
					 ret_fd, err);
}

static int read_base(struct learning *learning, struct error *err)
{
	char path[PATH_MAX];
	int r = filter_read(learning->base, path, &learning->profile, err);

	if (r == 0)
		r = filter_rules_resolve(learning->profile, filter_native(), &learning->reference,
					 err);
	if (r == 0 && learning->profile->default_action != PROFILE_ERRNO)
		return error_set(err, ERROR_INVALID, 0,
				 "--base: seccomp profile %s: defaultAction is not "
				 "SCMP_ACT_ERRNO: what it allows by default is not seen",
				 path);
	return r;
}

int learning_begin(const char *base, struct learning *ret, int *ret_filter_fd, struct error *err)
{
	struct learning learning = { .base = strdup(base) };
	_cleanup_profile_ struct profile *first = NULL;
	int r = learning.base == NULL ? error_no_memory(err) : read_base(&learning, err);

	if (r == 0)
		r = learn_profile(&learning.reference, NULL, 0, false, &first, err);
	if (r == 0)
		r = compile(first, ret_filter_fd, err);
	if (r < 0)
		learning_clear(&learning);
	else
		*ret = learning;
	return r;
}

void learning_clear(struct learning *learning)
{
	for (size_t i = 0; i < learning->count; i++)
		free(learning->calls[i].name);
	free(learning->calls);
	filter_rules_clear(&learning->reference);
	profile_free(learning->profile);
	free(learning->base);
	*learning = (struct learning){ 0 };
}

/* --- while it runs ---------------------------------------------------------------------------*/

void learning_add(struct learning *learning, const struct seccomp_data *data)
{
	/* told again by the launcher of a second life */
	for (size_t i = 0; i < learning->count; i++)
		if (denial_is_same(&learning->calls[i].data, data))
			return;
	if (learning->count % GROWTH == 0) {
		void *larger = reallocarray(learning->calls, learning->count + GROWTH,
					    sizeof(*learning->calls));

		if (larger == NULL) {
			learning->lost = true;
			return;
		}
		learning->calls = larger;
	}
	learning->calls[learning->count++] =
		(struct learnt){ filter_syscall_name(data->nr), *data };
}

/* --- after it --------------------------------------------------------------------------------*/

static void tell_call(const struct learning *learning, const struct learnt *call, bool dangerous,
		      struct log *log)
{
	char text[DENIAL_TEXT_MAX];
	const char *what = denial_describe(call->name, &call->data, text);

	if (call->name == NULL) {
		log_message(log, LOG_LEVEL_WARNING, NULL,
			    "used, and left out, since it has no name here: %s", what);
		return;
	}
	switch (learn_kind_of(&learning->reference, &call->data)) {
	case LEARN_UNKNOWN:
		log_message(log, LOG_LEVEL_INFO, NULL, "not in %s, and taken in: %s",
			    learning->base, what);
		break;
	case LEARN_REFUSED:
		log_message(log, LOG_LEVEL_WARNING, NULL,
			    dangerous ? "refused by %s, and taken in: %s"
				      : "used, and left out, since %s refuses it: %s (with "
					"--allow-dangerous it is taken in)",
			    learning->base, what);
		break;
	default:
		break;
	}
}

static void tell(const struct learning *learning, bool dangerous, struct log *log)
{
	size_t allowed = 0;

	for (size_t i = 0; i < learning->count; i++)
		if (learn_kind_of(&learning->reference, &learning->calls[i].data) == LEARN_ALLOWED)
			allowed++;
	log_message(log, LOG_LEVEL_INFO, NULL,
		    "%zu different system calls were seen beside those that every Python needs; "
		    "%s allows %zu of them",
		    learning->count, learning->base, allowed);
	for (size_t i = 0; i < learning->count; i++)
		tell_call(learning, &learning->calls[i], dangerous, log);
	if (learning->lost || learning->count >= LAUNCH_LEARN_MAX)
		log_message(log, LOG_LEVEL_WARNING, NULL, "others were not recorded: too many");
}

/* Those that have a name, in `list` of learning->count. */
static size_t named_calls(const struct learning *learning, struct learn_call *list)
{
	size_t count = 0;

	for (size_t i = 0; i < learning->count; i++)
		if (learning->calls[i].name != NULL)
			list[count++] = (struct learn_call){ learning->calls[i].name,
							     learning->calls[i].data };
	return count;
}

/* What is written can be used: it has been compiled. */
static int make_text(const struct learning *learning, bool dangerous, char **ret, struct error *err)
{
	_cleanup_free_ struct learn_call *calls = calloc(learning->count + 1, sizeof(*calls));
	_cleanup_free_ struct sock_filter *program = NULL;
	_cleanup_profile_ struct profile *profile = NULL;
	_cleanup_json_ json_t *json = NULL;
	size_t length;
	int r;

	if (calls == NULL)
		return error_no_memory(err);
	r = learn_profile(&learning->reference, calls, named_calls(learning, calls), dangerous,
			  &profile, err);
	if (r == 0)
		r = filter_program_build(profile, filter_native(), &program, &length, err);
	if (r == 0)
		r = profile_to_json(profile, &json, err);
	if (r < 0)
		return r;
	*ret = json_dumps(json, JSON_INDENT(2) | JSON_ENSURE_ASCII);
	return *ret == NULL ? error_no_memory(err) : 0;
}

static int write_out(const char *path, const char *text, struct error *err)
{
	_cleanup_close_ int file = -1;
	int fd = STDOUT_FILENO, r;

	if (path != NULL) {
		file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
			    PROFILE_MODE);
		if (file < 0)
			return error_set(err, ERROR_SYSTEM, errno, "--output %s", path);
		fd = file;
	}
	r = file_write_whole(fd, text, strlen(text));
	if (r == 0)
		r = file_write_whole(fd, "\n", 1);
	return r < 0 ? error_set(err, ERROR_SYSTEM, -r, "--output %s", path != NULL ? path : "-")
		     : 0;
}

int learning_finish(const struct learning *learning, const char *path, bool dangerous,
		    struct log *log, struct error *err)
{
	_cleanup_free_ char *text = NULL;
	int r = make_text(learning, dangerous, &text, err);

	if (r == 0)
		r = write_out(path, text, err);
	if (r == 0)
		tell(learning, dangerous, log);
	return r;
}
