/* SPDX-License-Identifier: MIT */
/*
 * A system call that the filter has refused, as the launcher tells it: who made it, and at which
 * line of Python, is looked at while the caller still waits in it, then it is told. And the canary
 * (policy/canary.h), whose filter is lifted when that happens too often.
 */
#include "policy/denial.h"
#include "policy/escape.h"
#include "policy/own.h"
#include "policy/phrase.h"
#include "policy/quote.h"
#include "policy/stacks.h"
#include "supervisor/clock.h"
#include "supervisor/filter_syscall.h"
#include "supervisor/instance.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static_assert(LAUNCH_CALL_ARGS == ARRAY_SIZE(((struct seccomp_data *)NULL)->args), "the same six");

static void find_caller(const struct instance *instance, const struct launch_denial *denial,
			struct thread *ret)
{
	_cleanup_close_ int leaf = -1;
	struct error ignored;

	*ret = (struct thread){ 0 };
	if (instance_open_leaf(instance, &leaf, &ignored) >= 0)
		(void)thread_find(leaf, denial->thread, ret);
}

/* The names of thread and program are the worker's to choose. */
static void add_caller(struct phrase *phrase, const struct denial_report *report)
{
	const struct thread *caller = &report->caller;
	char name[QUOTE_TEXT_MAX], executable[QUOTE_TEXT_MAX];

	if (caller->id == 0) {
		phrase_add(phrase, "; caller: %d inside, gone", (int)report->inside);
		return;
	}
	phrase_add(phrase, "; caller: pid %d (thread %d inside), named %s, of %s",
		   (int)caller->process, (int)report->inside, quote_text(caller->name, name),
		   quote_text(caller->executable, executable));
}

static void describe(const struct denial_report *report, char *text, size_t size)
{
	struct phrase phrase = phrase_on(text, size);
	const char *code = strerrorname_np(report->errnum);

	if (report->errnum == 0)
		phrase_add(&phrase,
			   "seccomp would refuse %s: it was made, since refusals are only "
			   "logged",
			   report->call);
	else
		phrase_add(&phrase, "seccomp refused %s: %s", report->call,
			   code != NULL ? code : "an error");
	if (report->place != NULL)
		phrase_add(&phrase, " at %s", report->place);
	add_caller(&phrase, report);
	if (report->untold > 0)
		phrase_add(&phrase, " (%llu refusals before this one were only counted)",
			   (unsigned long long)report->untold);
}

static void tell(struct instance *instance, struct denial_report *report)
{
	const struct log_subject subject = instance_subject(instance);
	char text[INSTANCE_DENIAL_TEXT_MAX];

	describe(report, text, sizeof(text));
	report->text = text;
	log_event(instance->host->log, LOG_EVENT_SYSCALL_REFUSED, &subject, "%s%s%s", text,
		  report->rule[0] != '\0' ? "; to allow it, the profile needs " : "", report->rule);
	if (instance->host->on_denial != NULL)
		instance->host->on_denial(instance, report);
}

/* --- how many, and the canary --------------------------------------------------------------- */

static struct instance_denials *denials_of(struct instance *instance)
{
	if (instance->denials == NULL)
		instance->denials = calloc(1, sizeof(*instance->denials));
	return instance->denials;
}

int instance_add_rule(struct instance *instance, const char *rule, struct error *err)
{
	struct instance_denials *denials = denials_of(instance);

	if (denials == NULL)
		return error_no_memory(err);
	if (denials->rules.count >= CANARY_RULES_MAX || strings_contains(&denials->rules, rule))
		return 0;
	return strings_append(&denials->rules, rule, err);
}

void instance_forget_denials(struct instance *instance)
{
	if (instance->denials != NULL)
		strings_clear(&instance->denials->rules);
	if (instance->denials != NULL)
		free(instance->denials->newest);
	free(TAKE_PTR(instance->denials));
	instance->lifted = false;
}

bool instance_permits(const struct instance *instance)
{
	const struct app_spec *spec = instance->spec;

	/* what was lifted is the canary's filter: not that of another declaration */
	return spec->syscalls.mode == SYSCALLS_LOG ||
	       (spec->syscalls.mode == SYSCALLS_CANARY && instance->lifted);
}

static bool is_canary(const struct instance *instance)
{
	return instance->spec->syscalls.mode == SYSCALLS_CANARY && !instance->lifted;
}

static void propose(const struct strings *rules, char *text, size_t size)
{
	char window[QUANTITY_TEXT_MAX];
	struct phrase phrase = phrase_on(text, size);

	phrase_add(&phrase,
		   "its canary has failed: the profile refused %d calls or more within %s; from "
		   "now on they are made, and only logged",
		   CANARY_DENIALS, quantity_format_time(CANARY_WINDOW_USEC, window));
	for (size_t i = 0; i < rules->count; i++)
		phrase_add(&phrase, "%s%s", i == 0 ? "; to fit, the profile needs " : ", ",
			   rules->items[i]);
}

static void lift(struct instance *instance)
{
	const struct log_subject subject = instance_subject(instance);
	const struct strings *rules = &instance->denials->rules;
	char text[INSTANCE_PROPOSAL_MAX];

	instance->lifted = true;
	instance_answer(instance, LAUNCH_PERMIT);
	propose(rules, text, sizeof(text));
	log_event(instance->host->log, LOG_EVENT_CANARY_LIFTED, &subject, "%s", text);
	if (instance->host->on_lifted != NULL)
		instance->host->on_lifted(instance, rules, text);
}

/* rule: NULL if they were only counted. */
static void count(struct instance *instance, uint64_t told, uint64_t untold, const char *rule)
{
	struct instance_denials *denials = denials_of(instance);
	struct error ignored;

	if (denials == NULL)
		return;
	denials->told += told;
	denials->untold += untold;
	if (!is_canary(instance))
		return;
	if (rule != NULL && rule[0] != '\0')
		(void)instance_add_rule(instance, rule, &ignored);
	if (canary_add(&denials->canary, told + untold, clock_monotonic_usec()))
		lift(instance);
}

void instance_hear_counted(struct instance *instance, const struct launch_denial *denial)
{
	count(instance, 0, denial->untold, NULL);
}

/* For an end that may follow from it. What was made all the same is none. */
static void note(struct instance *instance, const struct denial_report *report)
{
	struct instance_denials *denials = denials_of(instance);
	char text[DENIAL_TEXT_MAX + STACKS_LINE_MAX], shown[sizeof(text)];
	struct watch_reading now;

	if (denials == NULL || report->errnum == 0)
		return;
	snprintf(text, sizeof(text), "%s%s%s", report->call, report->place != NULL ? " at " : "",
		 report->place != NULL ? report->place : "");
	free(denials->newest);
	denials->newest = strdup(escape_string(text, ESCAPE_FOR_TERMINAL, shown, sizeof(shown)));
	watch_read(&instance->watch, &now);
	denials->newest_at = instance_moment(&now);
}

const char *instance_refused_call(const struct instance *instance, const struct moment *now)
{
	const struct instance_denials *denials = instance->denials;

	if (denials == NULL || denials->newest_at.usec < instance->spawned_usec ||
	    !moment_matters(&denials->newest_at, now, INSTANCE_REFUSAL_MATTERS_USEC))
		return NULL;
	return denials->newest;
}

/* --- one ------------------------------------------------------------------------------------ */

/* From LAUNCH_DENIED until it is told. */
struct instance_question {
	struct instance *instance;
	struct denial_report report; /* points into what follows */
	char *name;		     /* owned */
	char words[DENIAL_TEXT_MAX], rule[DENIAL_TEXT_MAX], line[STACKS_LINE_MAX];
	struct stacks_request *reading; /* of the caller's stack; NULL: none */
	sd_event_source *timer;
};

static void fill(struct instance_question *question, const struct launch_denial *denial,
		 const struct seccomp_data *call)
{
	question->name = filter_syscall_name(denial->number);
	question->report = (struct denial_report){
		.name = question->name,
		.call = denial_describe(question->name, call, question->words),
		.rule = denial_rule(question->name, call, question->rule),
		.errnum = denial->errnum,
		.untold = denial->untold,
		.inside = denial->thread,
	};
}

/* All that will be known is known. */
void instance_conclude_question(struct instance *instance)
{
	struct instance_question *question = TAKE_PTR(instance->question);

	if (question == NULL)
		return;
	stacks_cancel(question->reading);
	sd_event_source_disable_unref(question->timer);
	instance_answer(instance, LAUNCH_HEARD);
	tell(instance, &question->report);
	note(instance, &question->report);
	count(instance, 1, question->report.untold, question->report.rule);
	free(question->name);
	free(question);
}

static void on_stacks(json_t *result, const struct error *err, void *userdata)
{
	struct instance_question *question = userdata;
	(void)err; /* not every caller is Python */

	question->reading = NULL;
	if (result != NULL)
		question->report.place = stacks_thread_line(result, question->report.caller.id,
							    question->line, sizeof(question->line));
	instance_conclude_question(question->instance);
}

static int on_stack_late(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct instance_question *question = userdata;
	(void)source, (void)usec;

	instance_conclude_question(question->instance);
	return 0;
}

/* False: there is nothing to wait for. */
static bool look_at_stack(struct instance_question *question)
{
	struct instance *instance = question->instance;
	struct stacks_question whose = {
		.pids = &question->report.caller.process,
		.count = 1,
		.app = instance->spec->name,
		.tenant = instance->spec->tenant,
	};
	_cleanup_close_ int leaf = -1;
	struct error ignored;

	if (question->report.caller.id == 0 || instance_open_leaf(instance, &leaf, &ignored) < 0)
		return false;
	whose.leaf = leaf;
	return stacks_read(instance->host->stacks, &whose, on_stacks, question, &question->reading,
			   &ignored) >= 0 &&
	       sd_event_add_time_relative(instance->host->event, &question->timer, CLOCK_MONOTONIC,
					  INSTANCE_DENIAL_STACK_USEC, 1000, on_stack_late,
					  question) >= 0;
}

void instance_hear_denial(struct instance *instance, const struct launch_denial *denial)
{
	struct seccomp_data call = {
		.nr = denial->number,
		.arch = denial->architecture,
		.instruction_pointer = denial->instruction_pointer,
	};
	struct instance_question *question;

	for (size_t i = 0; i < LAUNCH_CALL_ARGS; i++)
		call.args[i] = denial->arguments[i];
	if (instance->host->learn != NULL) {
		instance_answer(instance, LAUNCH_HEARD);
		instance->host->learn(instance, &call);
		return;
	}
	instance_conclude_question(instance);
	question = calloc(1, sizeof(*question));
	if (question == NULL) {
		instance_answer(instance, LAUNCH_HEARD);
		return;
	}
	question->instance = instance;
	fill(question, denial, &call);
	find_caller(instance, denial, &question->report.caller);
	instance->question = question;
	if (!look_at_stack(question))
		instance_conclude_question(instance);
}
