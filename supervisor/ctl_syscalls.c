/* SPDX-License-Identifier: MIT */
/* `pysbx syscalls`: seccomp profiles, looked at without the daemon and without privileges. */
#include "policy/filter_check.h"
#include "policy/filter_text.h"
#include "policy/layout.h"
#include "policy/own.h"
#include "policy/profile_json.h"
#include "supervisor/ctl.h"
#include "supervisor/filter.h"
#include "supervisor/filter_program.h"
#include "supervisor/filter_rules.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <string.h>

#define ACTION_COLUMNS 14 /* "KILL_PROCESS" and two blanks */

static const char *const architecture_names[] = {
	[PROFILE_X86_64] = "x86-64",
	[PROFILE_AARCH64] = "arm64",
};
static_assert(ARRAY_SIZE(architecture_names) == PROFILE_ARCHITECTURE_COUNT, "a name for each");

/* A profile's file in the current directory is written as one, with or without "./". */
static int read_profile(const char *word, char path[PATH_MAX], struct profile **ret,
			struct error *err)
{
	size_t length = strlen(word);
	char file[PATH_MAX];

	if (strchr(word, '/') != NULL || length < 5 || strcmp(word + length - 5, ".json") != 0)
		return filter_read(word, path, ret, err);
	if (snprintf(file, sizeof(file), "./%s", word) >= (int)sizeof(file))
		return error_set(err, ERROR_INVALID, ENAMETOOLONG, "seccomp profile");
	return filter_read(file, path, ret, err);
}

/* --- show ------------------------------------------------------------------------------------- */

/* "ALLOW         ", or as much blank for the lines below it. */
static void begin_line(struct ctl *ctl, const char *action)
{
	fprintf(ctl->out, "%-*s", ACTION_COLUMNS, action);
}

static int put_names(struct ctl *ctl, const struct layout *layout, const struct profile_rule *rule,
		     struct error *err)
{
	_cleanup_free_ char *condition = NULL, *text = NULL;
	size_t size;
	FILE *out;
	int r = filter_condition_text(rule, &condition, err);

	if (r < 0)
		return r;
	out = open_memstream(&text, &size);
	if (out == NULL)
		return error_no_memory(err);
	for (size_t i = 0; i < rule->name_count; i++)
		fprintf(out, "%s%s", i > 0 ? " " : "", rule->names[i]);
	if (condition[0] != '\0')
		fprintf(out, " if %s", condition);
	if (fclose(out) != 0)
		return error_no_memory(err);
	layout_put_wrapped(ctl->out, layout, text, ACTION_COLUMNS);
	return 0;
}

static int show_rule(struct ctl *ctl, const struct layout *layout, const struct profile_rule *rule,
		     struct error *err)
{
	char answer[FILTER_ANSWER_MAX];

	begin_line(ctl, filter_answer_text(filter_action(rule->action, rule->errnum), answer));
	if (rule->comment != NULL) {
		layout_put_wrapped(ctl->out, layout, rule->comment, ACTION_COLUMNS);
		begin_line(ctl, "");
	}
	return put_names(ctl, layout, rule, err);
}

static int show_text(struct ctl *ctl, const char *path, const struct profile *profile,
		     struct error *err)
{
	const struct layout layout = {
		.columns = ctl->view.columns > 0 ? ctl->view.columns : UINT_MAX,
		.indent = ACTION_COLUMNS,
	};
	char answer[FILTER_ANSWER_MAX];
	int r = 0;

	ctl_say(ctl, "%s", path);
	for (size_t i = 0; r == 0 && i < profile->rule_count; i++)
		r = show_rule(ctl, &layout, &profile->rules[i], err);
	begin_line(ctl, filter_answer_text(
				filter_action(profile->default_action, profile->default_errnum),
				answer));
	fputs("every other call\n", ctl->out);
	return r;
}

int ctl_syscalls_show(struct ctl *ctl, struct error *err)
{
	_cleanup_profile_ struct profile *profile = NULL;
	_cleanup_json_ json_t *json = NULL;
	char path[PATH_MAX];
	int r = read_profile(ctl->words[0], path, &profile, err);

	if (r == 0 && !ctl_given(ctl, CTL_JSON))
		return show_text(ctl, path, profile, err);
	if (r == 0)
		r = profile_to_json(profile, &json, err);
	if (r == 0)
		ctl_put_json(ctl, json);
	return r;
}

/* --- convert ---------------------------------------------------------------------------------- */

/* For a file that people go on with, so indented also where no terminal is. */
int ctl_syscalls_convert(struct ctl *ctl, struct error *err)
{
	_cleanup_profile_ struct profile *profile = NULL;
	_cleanup_json_ json_t *json = NULL;
	char path[PATH_MAX];
	int r = read_profile(ctl->words[0], path, &profile, err);

	if (r == 0)
		r = profile_to_json(profile, &json, err);
	if (r < 0)
		return r;
	json_dumpf(json, ctl->out, JSON_INDENT(2) | JSON_ENSURE_ASCII);
	fputc('\n', ctl->out);
	return 0;
}

/* --- check ------------------------------------------------------------------------------------ */

static int check_architecture(const struct profile *profile, enum profile_architecture architecture,
			      json_t *programs, struct error *err)
{
	_cleanup_free_ struct sock_filter *program = NULL;
	size_t count = 0;
	int r = filter_program_build(profile, architecture, &program, &count, err);

	if (r < 0) {
		error_prefix(err, "%s", architecture_names[architecture]);
		return r;
	}
	if (json_object_set_new(programs, architecture_names[architecture],
				json_integer((json_int_t)count)) < 0)
		return error_no_memory(err);
	return 0;
}

static void say_good(struct ctl *ctl, const char *path, const struct profile *profile,
		     const json_t *programs)
{
	const char *architecture;
	json_t *count;

	ctl_say(ctl, "%s: good, %zu rules", path, profile->rule_count);
	json_object_foreach((json_t *)programs, architecture, count)
	{
		ctl_say(ctl, "  %s: %lld instructions", architecture,
			(long long)json_integer_value(count));
	}
}

static int check_one(struct ctl *ctl, const char *word, struct error *err)
{
	_cleanup_profile_ struct profile *profile = NULL;
	_cleanup_json_ json_t *programs = json_object(), *result = NULL;
	char path[PATH_MAX];
	int r = programs == NULL ? error_no_memory(err) : read_profile(word, path, &profile, err);

	if (r < 0)
		return r;
	for (int i = 0; r == 0 && i < PROFILE_ARCHITECTURE_COUNT; i++)
		if ((profile->architectures & 1U << i) != 0)
			r = check_architecture(profile, (enum profile_architecture)i, programs,
					       err);
	if (r < 0) {
		error_prefix(err, "seccomp profile %s", path);
		return r;
	}
	if (!ctl_given(ctl, CTL_JSON)) {
		say_good(ctl, path, profile, programs);
		return 0;
	}
	result = json_pack("{s:s,s:I,s:O}", "path", path, "rules", (json_int_t)profile->rule_count,
			   "instructions", programs);
	if (result == NULL)
		return error_no_memory(err);
	ctl_put_json_line(ctl, result);
	return 0;
}

int ctl_syscalls_check(struct ctl *ctl, struct error *err)
{
	return ctl_for_each(ctl, check_one, err);
}

/* --- diff ------------------------------------------------------------------------------------- */

struct side {
	struct profile *profile;
	struct filter_rules rules;
};

static void side_clear(struct side *side)
{
	filter_rules_clear(&side->rules);
	profile_free(side->profile);
}

static int side_read(struct side *side, const char *word, struct error *err)
{
	char path[PATH_MAX];
	int r = read_profile(word, path, &side->profile, err);

	if (r < 0)
		return r;
	r = filter_rules_resolve(side->profile, filter_native(), &side->rules, err);
	if (r < 0)
		error_prefix(err, "seccomp profile %s", path);
	return r;
}

/* What either side calls it; NULL for a number that no rule of them has. */
static const char *name_of(const struct side sides[2], int number)
{
	for (size_t i = 0; i < 2; i++) {
		size_t count;
		const struct filter_rule *items = filter_rules_of(&sides[i].rules, number, &count);

		if (count > 0)
			return items->rule->names[items->name];
	}
	return NULL;
}

static int compare_call(const struct side sides[2], int number, const char *name, json_t *list,
			struct error *err)
{
	_cleanup_free_ char *from = NULL, *to = NULL;
	int r = filter_call_text(&sides[0].rules, number, &from, err);

	if (r < 0)
		return r;
	r = filter_call_text(&sides[1].rules, number, &to, err);
	if (r < 0)
		return r;
	if (strcmp(from, to) == 0)
		return 0;
	if (json_array_append_new(
		    list, json_pack("{s:s,s:s,s:s}", "call", name, "from", from, "to", to)) < 0)
		return error_no_memory(err);
	return 0;
}

static void show_differences(struct ctl *ctl, const json_t *list)
{
	const json_t *item;
	size_t i;

	json_array_foreach(list, i, item)
	{
		ctl_say(ctl, "%s", ctl_view_string(item, "call"));
		ctl_say(ctl, "  - %s", ctl_view_string(item, "from"));
		ctl_say(ctl, "  + %s", ctl_view_string(item, "to"));
	}
}

int ctl_syscalls_diff(struct ctl *ctl, struct error *err)
{
	__attribute__((cleanup(side_clear))) struct side from = { 0 }, to = { 0 };
	_cleanup_json_ json_t *list = json_array();
	int r = list == NULL ? error_no_memory(err) : side_read(&from, ctl->words[0], err);

	if (r == 0)
		r = side_read(&to, ctl->words[1], err);
	if (r < 0)
		return r;
	const struct side sides[2] = { from, to };
	/* a number behind all of the table has the default of each */
	r = compare_call(sides, FILTER_SYSCALL_MAX, "every other call", list, err);
	for (int number = 0; r == 0 && number < FILTER_SYSCALL_MAX; number++) {
		const char *name = name_of(sides, number);

		if (name != NULL)
			r = compare_call(sides, number, name, list, err);
	}
	if (r < 0)
		return r;
	if (ctl_given(ctl, CTL_JSON))
		ctl_put_json(ctl, list);
	else
		show_differences(ctl, list);
	return 0;
}
