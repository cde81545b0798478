/* SPDX-License-Identifier: MIT */
/* The decision in words. Settings are named as whoever made them would type them. */
#include "policy/verdict_text.h"

#include "policy/phrase.h"
#include "policy/setting.h"

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

	phrase_add(text, "restart ");
	if (death->child) {
		phrase_add(text, "the whole app (");
		setting_add_value(text, death->door, FIELD_OOM, spec_oom_policy_name(OOM_APP));
		phrase_add(text, ") ");
	}
	if (delay_usec == 0)
		phrase_add(text, "at once");
	else
		phrase_add(text, "in %s", quantity_format_time(delay_usec, delay));
	phrase_add(text, ", the %u%s in a row", restarts->in_row, ordinal_suffix(restarts->in_row));
	if (policy->max_restarts < LIMIT_UNSET)
		phrase_add(text, " of at most %" PRIu64, policy->max_restarts);
}

static void add_gave_up(struct phrase *text, const struct death *death,
			const struct restart_policy *policy, const struct restart_state *restarts)
{
	char stable[QUANTITY_TEXT_MAX];

	if (policy->max_restarts == 0) {
		phrase_add(text, "gave up: no restart is allowed (");
		setting_add_value(text, death->door, FIELD_MAX_RESTARTS, "0");
		phrase_add(text, ")");
		return;
	}
	phrase_add(text, "gave up after %u restart%s in a row, none of which ran for %s",
		   restarts->in_row, restarts->in_row == 1 ? "" : "s",
		   quantity_format_time(policy->stable_usec, stable));
}

static void add_ended(struct phrase *text, const struct death *death,
		      const struct restart_policy *policy, enum cause cause)
{
	phrase_add(text, "not restarted");
	if (cause == CAUSE_STOPPED || death->stop_requested) {
		phrase_add(text,
			   death->stop_requested ? ": a stop was asked for" : ": pysbx ended it");
		return;
	}
	if (policy->mode != RESTART_NEVER && cause == CAUSE_START_FAILED) {
		phrase_add(text, ": the next try would fail in the same way");
		return;
	}
	if (policy->mode != RESTART_NEVER)
		phrase_add(text, ": a clean exit is the end");
	phrase_add(text, " (");
	setting_add_value(text, death->door, FIELD_RESTART, spec_restart_mode_name(policy->mode));
	phrase_add(text, ")");
}

static void add_left_to_master(struct phrase *text, const struct death *death)
{
	if (death->stop_requested) {
		phrase_add(text, "left to the main process, which is being stopped");
		return;
	}
	phrase_add(text, "left to the main process, which is alive (gunicorn and uWSGI start a new "
			 "worker; ");
	setting_add_value(text, death->door, FIELD_OOM, spec_oom_policy_name(OOM_APP));
	phrase_add(text, " would restart the whole app)");
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
		add_left_to_master(&text, death);
		break;
	case DECISION_GAVE_UP:
		add_gave_up(&text, death, policy, restarts);
		break;
	case DECISION_ENDED:
	case DECISION_COUNT:
		add_ended(&text, death, policy, verdict->cause);
		break;
	}
}
