/* SPDX-License-Identifier: MIT */
/* What handlers share: asking the daemon, reading files, doing one thing for many names. */
#include "policy/own.h"
#include "supervisor/ctl.h"

#include <errno.h>
#include <string.h>

static const char *socket_path(const struct ctl *ctl)
{
	return ctl->options.socket != NULL ? ctl->options.socket : ctl->socket;
}

int ctl_call(struct ctl *ctl, const char *method, json_t *params, json_t **ret, struct error *err)
{
	_cleanup_json_ json_t *owned = params;
	int r = 0;

	if (owned == NULL)
		return error_no_memory(err);
	if (ctl->client == NULL)
		r = rpc_client_open(&ctl->client, socket_path(ctl), err);
	/* how long an answer takes is the daemon's to bound: a stop lasts as long as its grace */
	return r < 0 ? r
		     : rpc_client_call(ctl->client, method, owned, RPC_CLIENT_FOREVER, ret, err);
}

int ctl_next(struct ctl *ctl, const char *method, bool wait, json_t **ret, struct error *err)
{
	for (;;) {
		_cleanup_json_ json_t *notification = NULL;
		const char *name;
		int r = rpc_client_next(ctl->client, wait ? RPC_CLIENT_FOREVER : 0, &notification,
					err);

		if (r < 0)
			return r;
		if (r == 0 && !wait) {
			*ret = NULL;
			return 0;
		}
		name = json_string_value(json_object_get(notification, "method"));
		if (name == NULL || strcmp(name, method) != 0)
			continue;
		*ret = json_incref(json_object_get(notification, "params"));
		if (*ret != NULL)
			return 0;
	}
}

/* --- files ------------------------------------------------------------------------------------ */

static int read_stream(FILE *stream, char **ret_text, size_t *ret_length, struct error *err)
{
	_cleanup_free_ char *text = NULL;
	size_t length = 0;
	FILE *copy = open_memstream(&text, &length);
	char piece[8192];
	size_t n, whole = 0;

	if (copy == NULL)
		return error_no_memory(err);
	while ((n = fread(piece, 1, sizeof(piece), stream)) > 0 && whole <= CTL_INPUT_MAX) {
		whole += n;
		fwrite(piece, 1, n, copy);
	}
	if (fclose(copy) != 0)
		return error_no_memory(err);
	if (ferror(stream) != 0)
		return error_set(err, ERROR_SYSTEM, errno, "read");
	if (whole > CTL_INPUT_MAX)
		return error_set(err, ERROR_INVALID, 0, "has more than %zu bytes", CTL_INPUT_MAX);
	*ret_text = TAKE_PTR(text);
	*ret_length = length;
	return 0;
}

static int read_input(struct ctl *ctl, const char *path, char **ret_text, size_t *ret_length,
		      struct error *err)
{
	_cleanup_fclose_ FILE *file = NULL;

	if (strcmp(path, "-") == 0)
		return read_stream(ctl->in, ret_text, ret_length, err);
	file = fopen(path, "re");
	if (file == NULL)
		return error_set(err, ERROR_SYSTEM, errno, "open");
	return read_stream(file, ret_text, ret_length, err);
}

int ctl_read_json(struct ctl *ctl, const char *path, json_t **ret, struct error *err)
{
	const char *name = strcmp(path, "-") == 0 ? "standard input" : path;
	_cleanup_free_ char *text = NULL;
	json_error_t where;
	size_t length = 0;
	json_t *value;
	int r = read_input(ctl, path, &text, &length, err);

	if (r < 0) {
		error_prefix(err, "%s", name);
		return r;
	}
	value = json_loadb(text, length, JSON_REJECT_DUPLICATES, &where);
	if (value == NULL)
		return error_set(err, ERROR_INVALID, 0, "%s:%d:%d: is not JSON: %s", name,
				 where.line, where.column, where.text);
	*ret = value;
	return 0;
}

/* --- many names ------------------------------------------------------------------------------- */

static int each_word(struct ctl *ctl, const char *word,
		     int (*each)(struct ctl *ctl, const char *word, struct error *err),
		     struct error *err)
{
	int r = each(ctl, word, err);

	if (r >= 0 || err->kind == ERROR_UNREACHABLE)
		return r;
	ctl_report(ctl, err);
	return 0;
}

static int each_app(struct ctl *ctl,
		    int (*each)(struct ctl *ctl, const char *word, struct error *err),
		    struct error *err)
{
	_cleanup_json_ json_t *result = NULL;
	int r = ctl_call(ctl, "app.list", json_object(), &result, err);
	size_t index;
	json_t *app;

	if (r < 0)
		return r;
	json_array_foreach(json_object_get(result, "apps"), index, app)
	{
		const char *name = json_string_value(json_object_get(app, "name"));

		r = name != NULL ? each_word(ctl, name, each, err) : 0;
		if (r < 0)
			return r;
	}
	return 0;
}

int ctl_for_each(struct ctl *ctl, int (*each)(struct ctl *ctl, const char *word, struct error *err),
		 struct error *err)
{
	if (ctl->word_count == 0)
		return each_app(ctl, each, err);
	for (size_t i = 0; i < ctl->word_count; i++) {
		int r = each_word(ctl, ctl->words[i], each, err);

		if (r < 0)
			return r;
	}
	return 0;
}

/* --- files of objects ------------------------------------------------------------------------- */

static int apply_element(struct ctl *ctl, const char *path, json_t *object, long index,
			 int (*apply)(struct ctl *ctl, json_t *object, struct error *err),
			 struct error *err)
{
	int r = apply(ctl, object, err);

	if (r >= 0)
		return r;
	if (err->kind == ERROR_UNREACHABLE || err->kind == ERROR_NO_MEMORY)
		return r;
	if (index >= 0)
		error_prefix(err, "%s: [%ld]", path, index);
	else
		error_prefix(err, "%s", path);
	ctl_report(ctl, err);
	return 0;
}

static int apply_file(struct ctl *ctl, const char *path,
		      int (*apply)(struct ctl *ctl, json_t *object, struct error *err),
		      struct error *err)
{
	_cleanup_json_ json_t *value = NULL;
	int r = ctl_read_json(ctl, path, &value, err);
	json_t *object;
	size_t index;

	if (r < 0) {
		ctl_report(ctl, err);
		return 0;
	}
	if (!json_is_array(value))
		return apply_element(ctl, path, value, -1, apply, err);
	json_array_foreach(value, index, object)
	{
		r = apply_element(ctl, path, object, (long)index, apply, err);
		if (r < 0)
			return r;
	}
	return 0;
}

int ctl_apply_files(struct ctl *ctl,
		    int (*apply)(struct ctl *ctl, json_t *object, struct error *err),
		    struct error *err)
{
	for (size_t i = 0; i < ctl->word_count; i++) {
		int r = apply_file(ctl, ctl->words[i], apply, err);

		if (r < 0)
			return r;
	}
	return 0;
}
