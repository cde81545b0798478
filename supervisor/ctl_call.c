/* SPDX-License-Identifier: MIT */
/* What handlers share: asking the daemon, reading files, doing one thing for many names. */
#include "policy/own.h"
#include "policy/strings.h"
#include "supervisor/ctl.h"

#include <errno.h>
#include <string.h>

static const char *socket_path(const struct ctl *ctl)
{
	return ctl->options.socket != NULL ? ctl->options.socket : ctl->socket;
}

int ctl_ask(struct ctl *ctl, const char *method, json_t *params, json_int_t *ret_id,
	    struct error *err)
{
	_cleanup_json_ json_t *owned = params;
	int r = owned == NULL ? error_no_memory(err) : 0;

	if (r >= 0 && ctl->client == NULL)
		r = rpc_client_open(&ctl->client, socket_path(ctl), err);
	return r < 0 ? r
		     : rpc_client_ask(ctl->client, method, owned, RPC_CLIENT_FOREVER, ret_id, err);
}

/* How long an answer takes is the daemon's to bound: a stop lasts as long as its grace. */
int ctl_answer(struct ctl *ctl, json_int_t id, json_t **ret, struct error *err)
{
	return rpc_client_wait(ctl->client, id, RPC_CLIENT_FOREVER, ret, err);
}

int ctl_call(struct ctl *ctl, const char *method, json_t *params, json_t **ret, struct error *err)
{
	json_int_t id = 0;
	int r = ctl_ask(ctl, method, params, &id, err);

	return r < 0 ? r : ctl_answer(ctl, id, ret, err);
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

/* What is told of one app and goes on; what ends the command is not. */
static int report_unless_gone(struct ctl *ctl, const struct error *err, int r)
{
	if (r >= 0 || err->kind == ERROR_UNREACHABLE)
		return r;
	ctl_report(ctl, err);
	return 0;
}

/* The words, or the names of all apps. */
static int find_names(struct ctl *ctl, struct strings *ret, struct error *err)
{
	_cleanup_json_ json_t *result = NULL;
	size_t index;
	json_t *app;
	int r = 0;

	for (size_t i = 0; r >= 0 && i < ctl->word_count; i++)
		r = strings_append(ret, ctl->words[i], err);
	if (r >= 0 && ctl->word_count == 0)
		r = ctl_call(ctl, "app.list", json_object(), &result, err);
	if (r < 0)
		return r;
	json_array_foreach(json_object_get(result, "apps"), index, app)
	{
		const char *name = json_string_value(json_object_get(app, "name"));

		if (name != NULL && r >= 0)
			r = strings_append(ret, name, err);
	}
	return r;
}

int ctl_for_each(struct ctl *ctl, int (*each)(struct ctl *ctl, const char *word, struct error *err),
		 struct error *err)
{
	_cleanup_strings_ struct strings names = { 0 };
	int r = find_names(ctl, &names, err);

	for (size_t i = 0; r >= 0 && i < names.count; i++)
		r = report_unless_gone(ctl, err, each(ctl, names.items[i], err));
	return r;
}

int ctl_for_all(struct ctl *ctl, const char *method,
		json_t *(*make_params)(struct ctl *, const char *),
		void (*tell)(struct ctl *ctl, const char *name, const json_t *result),
		struct error *err)
{
	_cleanup_strings_ struct strings names = { 0 };
	json_int_t ids[RPC_CLIENT_CALLS_MAX]; /* a ring: of names[i] in i % RPC_CLIENT_CALLS_MAX */
	size_t asked = 0;
	int r = find_names(ctl, &names, err);

	for (size_t i = 0; r >= 0 && i < names.count; i++) {
		_cleanup_json_ json_t *result = NULL;

		for (; r >= 0 && asked < names.count && asked - i < RPC_CLIENT_CALLS_MAX; asked++)
			r = ctl_ask(ctl, method, make_params(ctl, names.items[asked]),
				    &ids[asked % RPC_CLIENT_CALLS_MAX], err);
		if (r < 0)
			return r;
		r = ctl_answer(ctl, ids[i % RPC_CLIENT_CALLS_MAX], &result, err);
		if (r >= 0)
			tell(ctl, names.items[i], result);
		r = report_unless_gone(ctl, err, r);
	}
	return r;
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
