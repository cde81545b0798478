/* SPDX-License-Identifier: MIT */
#include "policy/history.h"

#include "policy/own.h"
#include "tests/policy/json.h"

#define MIB (INT64_C(1) << 20)

Test(history, reads_a_series)
{
	_cleanup_json_ json_t *value =
		json_from("{'time_msec':[1000,2000,3000],'a':[1,2.7,'x'],'short':[1]}");
	struct history series;

	cr_assert(history_of(value, "a", &series));
	cr_expect_eq(series.count, 3);
	cr_expect_eq(history_time_msec(&series, 1), 2000);
	cr_expect_eq(history_value(&series, 1), 2);
	cr_expect_eq(history_value(&series, 2), 0, "what is no number is 0");
	cr_expect_not(history_of(value, "short", &series));
	cr_expect_not(history_of(value, "missing", &series));
	cr_expect_not(history_of(NULL, "a", &series));
}

Test(history, finds_how_it_grew_to_its_peak)
{
	_cleanup_json_ json_t *value =
		json_from("{'time_msec':[0,10000,20000,25000,30000,31000],'a':[5,90,10,40,70,1],"
			  "'flat':[3,3,3,3,3,3],'down':[6,5,4,3,2,1]}");
	struct history_growth growth;
	struct history series;

	cr_assert(history_of(value, "a", &series));
	cr_expect(history_growth(&series, 10000, &growth));
	cr_expect_eq(growth.by, 60, "to the peak, not to what was left after the kill");
	cr_expect_eq(growth.msec, 10000);
	cr_assert(history_of(value, "flat", &series));
	cr_expect_not(history_growth(&series, 10000, &growth));
	cr_assert(history_of(value, "down", &series));
	cr_expect_not(history_growth(&series, 10000, &growth));
}
