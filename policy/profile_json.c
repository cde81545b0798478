/* SPDX-License-Identifier: MIT */
#include "policy/profile_json.h"

#include "policy/document.h"
#include "policy/own.h"

#include <stdlib.h>
#include <string.h>

#define ALL_ARCHITECTURES ((1U << PROFILE_ARCHITECTURE_COUNT) - 1)

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* NULL when memory runs out. */
static json_t *names_to_json(const struct profile_rule *rule)
{
	_cleanup_free_ char **sorted = calloc(rule->name_count + 1, sizeof(*sorted));
	_cleanup_json_ json_t *list = json_array();

	if (sorted == NULL || list == NULL)
		return NULL;
	memcpy(sorted, rule->names, rule->name_count * sizeof(*sorted));
	qsort(sorted, rule->name_count, sizeof(*sorted), compare_names);
	for (size_t i = 0; i < rule->name_count; i++)
		if ((i == 0 || strcmp(sorted[i], sorted[i - 1]) != 0) &&
		    json_array_append_new(list, json_string(sorted[i])) < 0)
			return NULL;
	return TAKE_PTR(list);
}

static json_t *argument_to_json(const struct profile_argument *argument)
{
	if (argument->mask == UINT64_MAX)
		return json_pack("{s:i,s:s,s:I}", "index", (int)argument->index, "op",
				 "SCMP_CMP_EQ", "value", (json_int_t)argument->value);
	return json_pack("{s:i,s:s,s:I,s:I}", "index", (int)argument->index, "op",
			 "SCMP_CMP_MASKED_EQ", "value", (json_int_t)argument->mask, "valueTwo",
			 (json_int_t)argument->value);
}

static json_t *arguments_to_json(const struct profile_rule *rule)
{
	_cleanup_json_ json_t *list = json_array();

	for (unsigned index = 0; index < PROFILE_ARGS_MAX; index++)
		for (size_t i = 0; i < rule->argument_count; i++)
			if (rule->arguments[i].index == index &&
			    json_array_append_new(list, argument_to_json(&rule->arguments[i])) < 0)
				return NULL;
	return TAKE_PTR(list);
}

static int set_action(json_t *object, const char *key, const char *errno_key,
		      enum profile_action action, uint16_t errnum)
{
	if (json_object_set_new(object, key, json_string(profile_action_name(action))) < 0)
		return -1;
	return action == PROFILE_ERRNO
		       ? json_object_set_new(object, errno_key, json_integer(errnum))
		       : 0;
}

static json_t *rule_to_json(const struct profile_rule *rule)
{
	_cleanup_json_ json_t *object = json_object();

	if (object == NULL ||
	    (rule->comment != NULL &&
	     json_object_set_new(object, "comment", json_string(rule->comment)) < 0) ||
	    json_object_set_new(object, "names", names_to_json(rule)) < 0 ||
	    set_action(object, "action", "errnoRet", rule->action, rule->errnum) < 0 ||
	    (rule->argument_count > 0 &&
	     json_object_set_new(object, "args", arguments_to_json(rule)) < 0))
		return NULL;
	return TAKE_PTR(object);
}

static json_t *architectures_to_json(unsigned architectures)
{
	_cleanup_json_ json_t *list = json_array();

	for (unsigned i = 0; i < PROFILE_ARCHITECTURE_COUNT; i++)
		if ((architectures & 1U << i) != 0 &&
		    json_array_append_new(list, json_string(profile_architecture_name(i))) < 0)
			return NULL;
	return TAKE_PTR(list);
}

static json_t *rules_to_json(const struct profile *profile)
{
	_cleanup_json_ json_t *list = json_array();

	for (size_t i = 0; i < profile->rule_count; i++)
		if (json_array_append_new(list, rule_to_json(&profile->rules[i])) < 0)
			return NULL;
	return TAKE_PTR(list);
}

int profile_to_json(const struct profile *profile, json_t **ret, struct error *err)
{
	_cleanup_json_ json_t *object = json_object();

	if (object == NULL ||
	    set_action(object, "defaultAction", "defaultErrnoRet", profile->default_action,
		       profile->default_errnum) < 0 ||
	    json_object_set_new(object, "architectures",
				architectures_to_json(profile->architectures & ALL_ARCHITECTURES)) <
		    0 ||
	    json_object_set_new(object, "syscalls", rules_to_json(profile)) < 0)
		return error_no_memory(err);
	*ret = TAKE_PTR(object);
	return 0;
}
