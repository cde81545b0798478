/* SPDX-License-Identifier: MIT */
#include "policy/strings.h"

#include <criterion/criterion.h>

Test(strings, starts_empty_and_clears_to_empty)
{
	struct strings list = { 0 };
	struct error err;

	strings_clear(&list);
	cr_expect_eq(strings_append(&list, "a", &err), 0);
	strings_clear(&list);
	cr_expect_null(list.items);
	cr_expect_eq(list.count, 0);
	strings_clear(&list);
}

Test(strings, keeps_copies_in_order_and_ends_in_null)
{
	_cleanup_strings_ struct strings list = { 0 };
	char item[] = "first";
	struct error err;

	cr_assert_eq(strings_append(&list, item, &err), 0);
	item[0] = 'x';
	for (int i = 1; i < 300; i++) {
		cr_assert_eq(strings_appendf(&list, &err, "%s-%d", "item", i), 0);
		cr_assert_eq(list.count, (size_t)i + 1);
		cr_assert_null(list.items[list.count]);
	}
	cr_expect_str_eq(list.items[0], "first");
	cr_expect_str_eq(list.items[1], "item-1");
	cr_expect_str_eq(list.items[299], "item-299");
}

Test(strings, appends_copies_of_another_list)
{
	_cleanup_strings_ struct strings list = { 0 }, more = { 0 }, none = { 0 };
	struct error err = { 0 };

	cr_assert_eq(strings_append(&list, "a", &err), 0);
	cr_assert_eq(strings_append(&more, "b", &err), 0);
	cr_assert_eq(strings_append(&more, "c", &err), 0);
	cr_expect_eq(strings_append_all(&list, &none, &err), 0);
	cr_expect_eq(list.count, 1);
	cr_expect_eq(strings_append_all(&list, &more, &err), 0);
	cr_assert_eq(list.count, 3);
	cr_expect_str_eq(list.items[1], "b");
	cr_expect_str_eq(list.items[2], "c");
	cr_expect_neq(list.items[1], more.items[0]);
	cr_expect_null(list.items[3]);
}

Test(strings, finds_whole_items_alone)
{
	_cleanup_strings_ struct strings list = { 0 };
	struct error err;

	cr_expect_not(strings_contains(&list, "a"));
	strings_append(&list, "abc", &err);
	strings_append(&list, "", &err);
	cr_expect(strings_contains(&list, "abc"));
	cr_expect(strings_contains(&list, ""));
	cr_expect_not(strings_contains(&list, "ab"));
	cr_expect_not(strings_contains(&list, "abcd"));
}

Test(strings, reads_a_variable_by_its_whole_name)
{
	_cleanup_strings_ struct strings env = { 0 };
	struct error err;

	cr_expect_null(strings_env_get(&env, "A"));
	strings_append(&env, "AB=2", &err);
	strings_append(&env, "A", &err); /* "the caller's own": no value yet */
	strings_append(&env, "A=1=x", &err);
	strings_append(&env, "A=3", &err);
	strings_append(&env, "EMPTY=", &err);
	cr_expect_str_eq(strings_env_get(&env, "A"), "1=x");
	cr_expect_str_eq(strings_env_get(&env, "AB"), "2");
	cr_expect_str_eq(strings_env_get(&env, "EMPTY"), "");
	cr_expect_null(strings_env_get(&env, "ABC"));
	cr_expect_null(strings_env_get(&env, "B"));
}

Test(strings, sets_a_variable_in_place_and_removes_its_doubles)
{
	_cleanup_strings_ struct strings env = { 0 };
	struct error err;

	cr_assert_eq(strings_env_set(&env, "A", "1", &err), 0);
	cr_assert_eq(env.count, 1);
	strings_append(&env, "B=x", &err);
	strings_append(&env, "A=2", &err);
	strings_append(&env, "A", &err);
	strings_append(&env, "AB=y", &err);
	strings_append(&env, "A=3", &err);

	cr_assert_eq(strings_env_set(&env, "A", "4=4", &err), 0);
	cr_assert_eq(env.count, 4);
	cr_expect_str_eq(env.items[0], "A=4=4");
	cr_expect_str_eq(env.items[1], "B=x");
	cr_expect_str_eq(env.items[2], "A");
	cr_expect_str_eq(env.items[3], "AB=y");
	cr_expect_null(env.items[4]);

	cr_assert_eq(strings_env_set(&env, "C", "", &err), 0);
	cr_assert_eq(env.count, 5);
	cr_expect_str_eq(env.items[4], "C=");
	cr_expect_null(env.items[5]);
}

Test(strings, may_set_a_variable_to_its_own_value)
{
	_cleanup_strings_ struct strings env = { 0 };
	struct error err;

	strings_append(&env, "A=same", &err);
	cr_assert_eq(strings_env_set(&env, "A", strings_env_get(&env, "A"), &err), 0);
	cr_expect_str_eq(env.items[0], "A=same");
}
