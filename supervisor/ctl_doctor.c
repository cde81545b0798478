/* SPDX-License-Identifier: MIT */
/* `pysbx doctor`: what this machine has. Of the daemon it is asked whether it answers, no more. */
#include "policy/phrase.h"
#include "supervisor/ctl.h"
#include "supervisor/doctor.h"

static const char *const state_names[] = {
	[DOCTOR_OK] = "ok",
	[DOCTOR_MISSING] = "missing",
	[DOCTOR_UNKNOWN] = "unknown",
};

struct examination {
	json_t *checks;
	bool failed; /* something that is required is missing */
};

static void note(struct ctl *ctl, const struct doctor_check *check,
		 const struct doctor_finding *finding, struct examination *all)
{
	const char *advice = finding->state == DOCTOR_MISSING ? check->advice : NULL;
	char text[CTL_VIEW_TEXT_MAX];
	struct phrase line = phrase_on(text, sizeof(text));

	all->failed = all->failed || (check->required && finding->state == DOCTOR_MISSING);
	(void)json_array_append_new(all->checks,
				    json_pack("{s:s, s:s, s:b, s:s, s:s, s:s?}", "name",
					      check->name, "state", state_names[finding->state],
					      "required", check->required, "found", finding->found,
					      "means", check->means, "advice", advice));
	if (ctl_given(ctl, CTL_JSON))
		return;
	phrase_add(&line, "%-8s %-16s %s", state_names[finding->state], check->name,
		   finding->found);
	ctl_say(ctl, "%s", text);
	if (finding->state == DOCTOR_OK)
		return;
	ctl_say(ctl, "%-25s %s: %s", "", check->required ? "needed for" : "lost", check->means);
	if (advice != NULL)
		ctl_say(ctl, "%-25s to do: %s", "", advice);
}

static void ask_daemon(struct ctl *ctl, struct doctor_finding *ret)
{
	_cleanup_json_ json_t *info = NULL;
	struct error err;

	if (ctl_call(ctl, "daemon.info", json_object(), &info, &err) < 0) {
		ret->state = DOCTOR_MISSING;
		snprintf(ret->found, sizeof(ret->found), "%.*s", (int)sizeof(ret->found) - 1,
			 err.text);
		return;
	}
	ret->state = DOCTOR_OK;
	snprintf(ret->found, sizeof(ret->found), "pysbxd %.60s, %" JSON_INTEGER_FORMAT " apps",
		 ctl_view_string(info, "version"),
		 json_integer_value(json_object_get(info, "apps")));
}

int ctl_doctor(struct ctl *ctl, struct error *err)
{
	static const struct doctor_check daemon = {
		.name = "daemon",
		.means = "all commands but run, doctor, help and version",
		.advice = "systemctl start pysbxd, unless pysbx run is all that you use",
	};
	struct examination all = { .checks = json_array() };
	struct doctor_finding finding;

	if (all.checks == NULL)
		return error_no_memory(err);
	for (size_t i = 0; i < doctor_check_count; i++) {
		doctor_checks[i].probe(&finding);
		note(ctl, &doctor_checks[i], &finding, &all);
	}
	ask_daemon(ctl, &finding);
	note(ctl, &daemon, &finding, &all);
	if (ctl_given(ctl, CTL_JSON)) {
		_cleanup_json_ json_t *answer =
			json_pack("{s:b, s:O}", "ok", !all.failed, "checks", all.checks);

		ctl_put_json(ctl, answer);
	}
	json_decref(all.checks);
	if (all.failed)
		ctl->failure = ERROR_FAILED;
	return 0;
}
