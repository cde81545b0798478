/* SPDX-License-Identifier: MIT */
/*
 * A call's way from the request to its answer. Everything that can be refused without a handler is
 * refused here: unknown methods, forbidden ones, wrong parameters.
 */
#include "policy/nearest.h"
#include "policy/own.h"
#include "policy/quote.h"
#include "supervisor/control_private.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

struct call {
	struct client *client;
	struct control_batch *batch; /* NULL: not of a batch */
	json_t *id;		     /* NULL: a notification */
	const struct control_method *method;
};

const char *call_method(const struct call *call)
{
	return call->method->name;
}

const char *call_tenant(const struct call *call)
{
	return client_tenant(call->client);
}

uid_t call_uid(const struct call *call)
{
	return client_uid(call->client);
}

struct client *call_client(const struct call *call)
{
	return call->client;
}

/* --- batches ----------------------------------------------------------------------------------*/

struct control_batch *control_batch_new(struct client *client)
{
	struct control_batch *batch = malloc(sizeof(*batch));

	if (batch != NULL)
		*batch = (struct control_batch){ .refs = 1, .client = client };
	return batch;
}

static void send_batch(struct control_batch *batch)
{
	struct bytes *output = &batch->client->output;
	size_t before = output->length;
	struct error err;

	if (bytes_append(output, "[", 1, &err) < 0 ||
	    bytes_append(output, bytes_front(&batch->answers), batch->answers.length, &err) < 0 ||
	    bytes_append(output, "]\n", 2, &err) < 0) {
		bytes_truncate(output, before);
		client_cut_off(batch->client, err.text);
		return;
	}
	client_queued(batch->client);
}

/* A batch of notifications alone has no answer. The client outlives its batches: calls hold it. */
void control_batch_unref(struct control_batch *batch)
{
	if (batch == NULL || --batch->refs > 0)
		return;
	if (batch->answers.length > 0 && !client_is_gone(batch->client))
		send_batch(batch);
	bytes_clear(&batch->answers);
	free(batch);
}

/* --- answers ----------------------------------------------------------------------------------*/

static struct call *call_new(struct client *client, const json_t *id)
{
	struct call *call = malloc(sizeof(*call));

	if (call == NULL)
		return NULL;
	*call = (struct call){ .client = client_ref(client), .batch = client->batch };
	if (call->batch != NULL)
		call->batch->refs++;
	if (id != NULL)
		call->id = json_incref((json_t *)id); /* shared, and never changed */
	client->pending++;
	return call;
}

/* Its client may have waited for that: for fewer pending calls, or to go after the last answer. */
static void call_free(struct call *call)
{
	struct client *client = call->client;

	control_batch_unref(call->batch);
	json_decref(call->id);
	free(call);
	client->pending--;
	if (!client_is_gone(client) && !client->in_turn &&
	    (client->at_eof || client->interest == 0 || client->message.root != NULL ||
	     client->input.length > 0))
		control_schedule(client);
	client_unref(client);
}

/* What is written after `before` is too much for one answer. */
static int bound_answer(struct bytes *to, size_t before, bool whole, const json_t *id,
			struct error *err)
{
	struct error why;

	if (to->length - (whole ? 0 : before) <= CLIENT_ANSWER_MAX)
		return 0;
	bytes_truncate(to, before);
	(void)error_set(&why, ERROR_TOO_MANY, 0,
			"the answer is larger than %zu bytes: ask for less at once",
			CLIENT_ANSWER_MAX);
	return rpc_write_error(to, id, RPC_OK, &why, err);
}

/* With a result, or with code and error. What can't be written becomes an error of its own; only
 * without memory even for that the client goes. */
static void answer(struct call *call, const json_t *result, enum rpc_code code,
		   const struct error *error)
{
	struct client *client = call->client;
	struct bytes *to = call->batch != NULL ? &call->batch->answers : &client->output;
	size_t begin = to->length;
	struct error err;
	int r = 0;

	if (call->batch != NULL && begin > 0)
		r = bytes_append(to, ",", 1, &err);
	if (r == 0 && result != NULL) {
		size_t before = to->length;

		r = rpc_write_result(to, call->id, result, &err);
		if (r < 0 && err.kind == ERROR_INTERNAL)
			r = rpc_write_error(to, call->id, RPC_OK, &err, &err);
		if (r == 0)
			r = bound_answer(to, before, call->batch != NULL, call->id, &err);
	} else if (r == 0) {
		r = rpc_write_error(to, call->id, code, error, &err);
	}
	if (r == 0 && call->batch == NULL)
		r = bytes_append(to, "\n", 1, &err);
	if (r < 0) {
		bytes_truncate(to, begin);
		client_cut_off(client, err.text);
	} else if (call->batch == NULL) {
		client_queued(client);
	}
}

static void call_finish(struct call *call, const json_t *result, enum rpc_code code,
			const struct error *error)
{
	if (call->id != NULL && !client_is_gone(call->client))
		answer(call, result, code, error);
	call_free(call);
}

void call_reply(struct call *call, json_t *result)
{
	struct error err;

	if (result == NULL) {
		(void)error_no_memory(&err);
		call_fail(call, &err);
		return;
	}
	call_finish(call, result, RPC_OK, NULL);
	json_decref(result);
}

void call_fail(struct call *call, const struct error *error)
{
	call_finish(call, NULL, RPC_OK, error);
}

void control_refuse_line(struct client *client, enum rpc_code code, const struct error *error)
{
	size_t before = client->output.length;
	struct error err;

	if (client_is_gone(client))
		return;
	if (rpc_write_error(&client->output, NULL, code, error, &err) < 0 ||
	    bytes_append(&client->output, "\n", 1, &err) < 0) {
		bytes_truncate(&client->output, before);
		client_cut_off(client, err.text);
		return;
	}
	client_queued(client);
}

/* --- requests ---------------------------------------------------------------------------------*/

static int compare_entry(const void *key, const void *entry)
{
	return strcmp(key, ((const struct control_entry *)entry)->method->name);
}

static const struct control_entry *find_entry(const struct control *control, const char *method,
					      struct error *err)
{
	const struct control_entry *entry = bsearch(method, control->entries, control->entry_count,
						    sizeof(control->entries[0]), compare_entry);
	char quoted[QUOTE_TEXT_MAX];
	const char *near;

	if (entry != NULL)
		return entry;
	near = nearest_name(method, control->names, control->entry_count);
	(void)error_set(err, ERROR_INVALID, 0, "there is no method %s%s%s%s",
			quote_text(method, quoted), near != NULL ? "; did you mean \"" : "",
			near != NULL ? near : "", near != NULL ? "\"?" : "");
	return NULL;
}

/* The one place where a method is allowed or not. */
static bool is_allowed(const struct control_method *method, const struct client *client,
		       struct error *err)
{
	if (client->tenant == NULL || (method->flags & METHOD_TENANT) != 0)
		return true;
	(void)error_set(err, ERROR_DENIED, 0,
			"%s: only root and members of the group pysbx may call it", method->name);
	return false;
}

static void run_call(struct call *call, const struct rpc_request *request)
{
	const struct control *control = call->client->control;
	const struct control_entry *entry;
	struct error err;

	entry = find_entry(control, request->method, &err);
	if (entry == NULL) {
		call_finish(call, NULL, RPC_NO_SUCH_METHOD, &err);
		return;
	}
	call->method = entry->method;
	if (!is_allowed(entry->method, call->client, &err)) {
		call_finish(call, NULL, RPC_OK, &err);
		return;
	}
	if (rpc_params_check(request->params, entry->method->params, entry->method->param_count,
			     &err) < 0) {
		call_finish(call, NULL, RPC_INVALID_PARAMS, &err);
		return;
	}
	if (entry->method->handle(call,
				  request->params != NULL ? request->params : control->no_params,
				  entry->userdata, &err) < 0)
		call_finish(call, NULL, RPC_OK, &err);
}

void control_run_request(struct client *client, size_t index)
{
	struct rpc_request request;
	struct error err;
	enum rpc_code code = rpc_request_at(&client->message, index, &request, &err);
	struct call *call = call_new(client, request.id);

	if (call == NULL) {
		client_cut_off(client, "no memory");
		return;
	}
	if (code == RPC_OK)
		run_call(call, &request);
	else
		call_finish(call, NULL, code, &err);
}
