/* SPDX-License-Identifier: MIT */
#include "supervisor/doctor.h"

#include "tests/supervisor/ctl_fixture.h"

TestSuite(doctor, .timeout = 30);

Test(doctor, finds_something_out_by_each_check)
{
	for (size_t i = 0; i < doctor_check_count; i++) {
		const struct doctor_check *check = &doctor_checks[i];
		struct doctor_finding finding = { 0 };

		check->probe(&finding);
		cr_expect_neq(finding.found[0], '\0', "%s", check->name);
		cr_expect(check->means[0] != '\0' && check->advice[0] != '\0', "%s", check->name);
		for (size_t j = 0; j < i; j++)
			cr_expect_str_neq(check->name, doctor_checks[j].name);
	}
}

static json_t *check_named(json_t *answer, const char *name)
{
	json_t *check;
	size_t index;

	json_array_foreach(json_object_get(answer, "checks"), index,
			   check) if (strcmp(json_string_value(json_object_get(check, "name")),
					     name) == 0) return check;
	cr_assert_fail("no check %s", name);
	return NULL;
}

static const char daemon_info[] = "{\"version\":\"0.1\",\"apps\":12}";

Test(doctor, answers_in_json_and_fails_only_for_what_is_required)
{
	_cleanup_told_ struct told told =
		tell(SCRIPT({ .method = "daemon.info", .params = "{}", .result = daemon_info }),
		     WORDS("doctor", "--json"));
	_cleanup_json_ json_t *answer = json_loads(told.out, JSON_REJECT_DUPLICATES, NULL);
	bool missing = false;
	json_t *check;
	size_t index;

	cr_assert_not_null(answer, "%s", told.out);
	json_array_foreach(json_object_get(answer, "checks"), index, check) missing =
		missing ||
		(json_is_true(json_object_get(check, "required")) &&
		 strcmp(json_string_value(json_object_get(check, "state")), "missing") == 0);
	cr_expect_eq(json_is_false(json_object_get(answer, "ok")), missing);
	cr_expect_eq(told.code, missing ? 1 : 0);
	check = check_named(answer, "daemon");
	cr_expect_str_eq(json_string_value(json_object_get(check, "state")), "ok");
	cr_expect_str_eq(json_string_value(json_object_get(check, "found")), "pysbxd 0.1, 12 apps");
	cr_expect(json_is_null(json_object_get(check, "advice")));
	cr_expect_str_eq(json_string_value(json_object_get(check_named(answer, "kernel"), "state")),
			 "ok");
}

Test(doctor, says_what_to_do_about_what_is_missing)
{
	_cleanup_told_ struct told told =
		tell(SCRIPT({ .method = "daemon.info",
			      .params = "{}",
			      .error = "{\"code\":-32011,\"message\":\"not now\\u001b[31m\","
				       "\"data\":{\"code\":\"conflict\"}}" }),
		     WORDS("doctor"));

	cr_expect_not_null(strstr(told.out, "\nmissing  daemon           "), "%s", told.out);
	cr_expect_not_null(strstr(told.out, "to do: systemctl start pysbxd, "), "%s", told.out);
	cr_expect_null(strchr(told.out, '\033'), "%s", told.out);
	cr_expect_str_empty(told.errors);
}
