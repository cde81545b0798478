/* SPDX-License-Identifier: MIT */
/*
 * A system call that the filter has refused, as the launcher tells it: who made it is looked at
 * while the caller still waits in it, then it is told.
 */
#include "policy/denial.h"
#include "policy/escape.h"
#include "policy/own.h"
#include "policy/phrase.h"
#include "policy/quote.h"
#include "supervisor/filter_syscall.h"
#include "supervisor/instance.h"

#include <assert.h>
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

void instance_hear_denial(struct instance *instance, const struct launch_denial *denial)
{
	struct seccomp_data call = {
		.nr = denial->number,
		.arch = denial->architecture,
		.instruction_pointer = denial->instruction_pointer,
	};
	_cleanup_free_ char *name = filter_syscall_name(denial->number);
	char words[DENIAL_TEXT_MAX], rule[DENIAL_TEXT_MAX];
	struct denial_report report = {
		.name = name,
		.errnum = denial->errnum,
		.untold = denial->untold,
		.inside = denial->thread,
	};

	for (size_t i = 0; i < LAUNCH_CALL_ARGS; i++)
		call.args[i] = denial->arguments[i];
	report.call = denial_describe(name, &call, words);
	report.rule = denial_rule(name, &call, rule);
	find_caller(instance, denial, &report.caller);
	(void)instance_answer(instance, LAUNCH_HEARD);
	tell(instance, &report);
}
