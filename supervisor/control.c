/* SPDX-License-Identifier: MIT */
/*
 * The control socket as a whole: its start and end, the methods it knows, and the two event sources
 * that all clients share. `turns` gives a turn to each client that has something to do though its
 * socket does not say so. `timer` is armed for the nearest deadline of any client, and off while
 * there is none: an idle daemon is not woken.
 */
#include "supervisor/control.h"

#include "policy/own.h"
#include "policy/rpc_openrpc.h"
#include "supervisor/clock.h"
#include "supervisor/control_private.h"
#include "supervisor/foreign_socket.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#define TIMER_ACCURACY_USEC 5000

/* --- turns and deadlines ----------------------------------------------------------------------*/

void control_schedule(struct client *client)
{
	client->scheduled = true;
	(void)sd_event_source_set_enabled(client->control->turns, SD_EVENT_ONESHOT);
}

static int on_turns(sd_event_source *source, void *userdata)
{
	struct control *control = userdata;
	struct client *next;
	(void)source;

	/* a turn closes its own client at the most */
	for (struct client *client = control->clients; client != NULL; client = next) {
		next = client->next;
		if (client->scheduled)
			control_turn(client, false, false);
	}
	return 0;
}

void control_wake_at(struct control *control, uint64_t usec)
{
	if (control->timer_usec != 0 && control->timer_usec <= usec)
		return;
	control->timer_usec = usec;
	(void)sd_event_source_set_time(control->timer, usec);
	(void)sd_event_source_set_enabled(control->timer, SD_EVENT_ONESHOT);
}

static void refuse_half_line(struct client *client)
{
	struct error err;

	(void)error_set(&err, ERROR_INVALID, 0,
			"the line was not finished within %llu s: end each with a newline",
			(unsigned long long)(client->control->config.line_timeout_usec / 1000000));
	control_refuse_line(client, RPC_PARSE_ERROR, &err);
	client->closing = true;
	control_schedule(client);
}

static void check_deadlines(struct client *client, uint64_t now)
{
	const struct control_config *config = &client->control->config;

	if (client->throttled) {
		client->throttled = false;
		control_schedule(client);
	}
	if (client->line_since_usec != 0 && !client->closing) {
		if (client->line_since_usec + config->line_timeout_usec <= now)
			refuse_half_line(client);
		else
			control_wake_at(client->control,
					client->line_since_usec + config->line_timeout_usec);
	}
	if (client->stall_since_usec != 0) {
		if (client->stall_since_usec + config->stall_usec <= now)
			client_cut_off(client, "it has stopped reading");
		else
			control_wake_at(client->control,
					client->stall_since_usec + config->stall_usec);
	}
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct control *control = userdata;
	uint64_t now = clock_monotonic_usec();
	(void)source, (void)usec;

	control->timer_usec = 0;
	control_accept_again(control, now);
	for (struct client *client = control->clients; client != NULL; client = client->next)
		check_deadlines(client, now);
	return 0;
}

/* --- clients ----------------------------------------------------------------------------------*/

void control_close_client(struct client *client)
{
	struct control *control = client->control;

	client->source = sd_event_source_disable_unref(client->source);
	foreign_socket_close(&client->fd);
	if (client->previous != NULL)
		client->previous->next = client->next;
	else
		control->clients = client->next;
	if (client->next != NULL)
		client->next->previous = client->previous;
	client->previous = client->next = NULL;
	control->client_count--;
	control_leave_uid(client);
	client->scheduled = false;
	rpc_message_clear(&client->message);
	control_batch_unref(TAKE_PTR(client->batch));
	bytes_clear(&client->input);
	bytes_clear(&client->output);
	client_end_subscriptions(client);
	client->control = NULL;
	client_unref(client);
}

size_t control_client_count(const struct control *control)
{
	return control->client_count;
}

void control_drop_tenant(struct control *control, const char *tenant)
{
	for (struct client *client = control->clients; client != NULL; client = client->next)
		if (client->tenant != NULL && strcmp(client->tenant, tenant) == 0) {
			client->doomed = true;
			control_schedule(client);
		}
}

/* --- methods ----------------------------------------------------------------------------------*/

/* A tenant is shown what it may call. */
static int discover(struct call *call, const json_t *params, void *userdata, struct error *err)
{
	const struct control *control = userdata;
	json_t *document = rpc_openrpc_new("pysbx", PYSBX_VERSION, err);
	(void)params;

	if (document == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < control->entry_count; i++) {
		const struct control_method *method = control->entries[i].method;
		const struct rpc_method shown = {
			.name = method->name,
			.summary = method->summary,
			.result = method->result,
			.admin = (method->flags & METHOD_TENANT) == 0,
			.params = method->params,
			.param_count = method->param_count,
		};

		if (shown.admin && call_tenant(call) != NULL)
			continue;
		if (rpc_openrpc_add(document, &shown, err) < 0) {
			json_decref(document);
			return -ENOMEM;
		}
	}
	call_reply(call, document);
	return 0;
}

static const struct control_method own_methods[] = {
	{ .name = "rpc.discover",
	  .summary = "Describes all methods",
	  .result = "The OpenRPC document",
	  .flags = METHOD_TENANT,
	  .handle = discover },
};

static int compare_entries(const void *a, const void *b)
{
	return strcmp(((const struct control_entry *)a)->method->name,
		      ((const struct control_entry *)b)->method->name);
}

static void add_table(struct control *control, const struct control_table *table)
{
	for (size_t i = 0; i < table->count; i++) {
		const struct control_method *method = &table->methods[i];

		assert(method->handle != NULL && method->result != NULL && method->summary != NULL);
		assert(method->flags == METHOD_ADMIN || method->flags == METHOD_TENANT);
		assert(method->param_count <= RPC_PARAMS_MAX);
		control->entries[control->entry_count++] =
			(struct control_entry){ method, table->userdata };
	}
}

static int index_methods(struct control *control, const struct control_config *config,
			 struct error *err)
{
	const struct control_table own = { own_methods, ARRAY_SIZE(own_methods), control };
	size_t count = own.count;

	assert(config->table_count <= CONTROL_TABLES_MAX);
	for (size_t i = 0; i < config->table_count; i++)
		count += config->tables[i].count;
	control->entries = calloc(count, sizeof(control->entries[0]));
	control->names = calloc(count, sizeof(control->names[0]));
	control->no_params = json_object();
	if (control->entries == NULL || control->names == NULL || control->no_params == NULL)
		return error_no_memory(err);
	add_table(control, &own);
	for (size_t i = 0; i < config->table_count; i++)
		add_table(control, &config->tables[i]);
	qsort(control->entries, count, sizeof(control->entries[0]), compare_entries);
	for (size_t i = 0; i < count; i++) {
		control->names[i] = control->entries[i].method->name;
		assert(i == 0 || strcmp(control->names[i - 1], control->names[i]) != 0);
	}
	return 0;
}

/* --- start and end ----------------------------------------------------------------------------*/

static void fill_in_defaults(struct control_config *config)
{
	if (config->clients_max == 0)
		config->clients_max = CONTROL_CLIENTS_MAX;
	if (config->clients_per_uid == 0)
		config->clients_per_uid = CONTROL_CLIENTS_PER_UID;
	if (config->rate_per_sec == 0)
		config->rate_per_sec = CONTROL_RATE_PER_SEC;
	if (config->rate_burst == 0)
		config->rate_burst = CONTROL_RATE_BURST;
	if (config->line_timeout_usec == 0)
		config->line_timeout_usec = CONTROL_LINE_TIMEOUT_USEC;
	if (config->stall_usec == 0)
		config->stall_usec = CONTROL_STALL_USEC;
	config->tables = NULL;
	config->table_count = 0;
}

static int add_sources(struct control *control, struct error *err)
{
	int r = sd_event_add_defer(control->event, &control->turns, on_turns, control);

	if (r >= 0)
		r = sd_event_source_set_enabled(control->turns, SD_EVENT_OFF);
	if (r >= 0)
		r = sd_event_add_time(control->event, &control->timer, CLOCK_MONOTONIC, 0,
				      TIMER_ACCURACY_USEC, on_timer, control);
	if (r >= 0)
		r = sd_event_source_set_enabled(control->timer, SD_EVENT_OFF);
	return r < 0 ? error_set(err, ERROR_SYSTEM, -r, "event loop") : 0;
}

/* The listening socket comes last: it is taken over only when all is well. */
static int set_up(struct control *control, const struct control_config *config, struct error *err)
{
	int r = index_methods(control, config, err);

	if (r >= 0)
		r = add_sources(control, err);
	return r >= 0 ? control_listen(control, config, err) : r;
}

int control_start(struct control **ret, sd_event *event, const struct control_config *config,
		  struct error *err)
{
	struct control *control = malloc(sizeof(*control));
	int r;

	assert(config->identify != NULL);
	if (control == NULL)
		return error_no_memory(err);
	*control = (struct control){
		.event = sd_event_ref(event),
		.config = *config,
		.listen_fd = -1,
		.next_subscription = 1,
	};
	fill_in_defaults(&control->config);
	r = set_up(control, config, err);
	if (r < 0) {
		control_stop(control);
		error_prefix(err, "control socket");
		return r;
	}
	*ret = control;
	return 0;
}

void control_stop(struct control *control)
{
	if (control == NULL)
		return;
	while (control->clients != NULL) {
		client_flush(control->clients);
		control_close_client(control->clients);
	}
	control->listen_source = sd_event_source_disable_unref(control->listen_source);
	close_and_clear(&control->listen_fd);
	if (control->bound_path != NULL)
		(void)unlink(control->bound_path);
	while (control->uids != NULL) {
		struct control_uid *next = control->uids->next;

		free(control->uids);
		control->uids = next;
	}
	control->turns = sd_event_source_disable_unref(control->turns);
	control->timer = sd_event_source_disable_unref(control->timer);
	sd_event_unref(control->event);
	json_decref(control->no_params);
	free(control->bound_path);
	free(control->names);
	free(control->entries);
	free(control);
}
