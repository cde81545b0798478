/* SPDX-License-Identifier: MIT */
/* The decision in words. Options are named as the user would type them. */
#include "policy/verdict_text.h"

#include "policy/phrase.h"

#include <inttypes.h>

static const char *ordinal_suffix(unsigned number)
{
	if (number % 100 >= 11 && number % 100 <= 13)
		return "th";
	switch (number % 10) {
	case 1:
		return "st";
	case 2:
		return "nd";
	case 3:
		return "rd";
	default:
		return "th";
	}
}

static void add_restart(struct phrase *text, const struct death *death,
			const struct restart_policy *policy, const struct restart_state *restarts,
			uint64_t delay_usec)
{
	char delay[QUANTITY_TEXT_MAX];

	phrase_add(text, "restart %s", death->child ? "the whole app (--oom app) " : "");
	if (delay_usec == 0)
		phrase_add(text, "at once");
	else
		phrase_add(text, "in %s", quantity_format_time(delay_usec, delay));
	phrase_add(text, ", the %u%s in a row", restarts->in_row, ordinal_suffix(restarts->in_row));
	if (policy->max_restarts < LIMIT_UNSET)
		phrase_add(text, " of at most %" PRIu64, policy->max_restarts);
}

static void add_gave_up(struct phrase *text, const struct restart_policy *policy,
			const struct restart_state *restarts)
{
	char stable[QUANTITY_TEXT_MAX];

	if (policy->max_restarts == 0) {
		phrase_add(text, "gave up: no restart is allowed (--max-restarts 0)");
		return;
	}
	phrase_add(text, "gave up after %u restart%s in a row, none of which ran for %s",
		   restarts->in_row, restarts->in_row == 1 ? "" : "s",
		   quantity_format_time(policy->stable_usec, stable));
}

static const char *why_ended(const struct death *death, const struct restart_policy *policy,
			     enum cause cause)
{
	if (cause == CAUSE_STOPPED)
		return death->stop_requested ? "not restarted: a stop was asked for"
					     : "not restarted: pysbx ended it";
	if (policy->mode == RESTART_NEVER)
		return "not restarted (--restart never)";
	if (cause == CAUSE_START_FAILED)
		return "not restarted: the next try would fail in the same way";
	return "not restarted: a clean exit is the end (--restart on-failure)";
}

void verdict_write_why(const struct death *death, const struct restart_policy *policy,
		       const struct restart_state *restarts, struct verdict *verdict)
{
	struct phrase text = phrase_on(verdict->why, sizeof(verdict->why));

	switch (verdict->decision) {
	case DECISION_RESTART:
		add_restart(&text, death, policy, restarts, verdict->restart_delay_usec);
		break;
	case DECISION_LEFT_TO_MASTER:
		phrase_add(&text,
			   death->stop_requested
				   ? "left to the main process, which is being stopped"
				   : "left to the main process, which is alive (gunicorn and uWSGI "
				     "start a new worker; --oom app would restart the whole app)");
		break;
	case DECISION_GAVE_UP:
		add_gave_up(&text, policy, restarts);
		break;
	case DECISION_ENDED:
	case DECISION_COUNT:
		phrase_add(&text, "%s", why_ended(death, policy, verdict->cause));
		break;
	}
}
