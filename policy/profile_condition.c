/* SPDX-License-Identifier: MIT */
/*
 * Docker's conditions on a rule: capabilities, architecture, kernel version.
 */
#include "policy/own.h"
#include "policy/profile_rule.h"

#include <string.h>

static const char *const condition_keys[] = { "caps", "arches", "minKernel" };

/* What one of includes and excludes says: which conditions it has, and which of them hold. */
struct condition {
	bool has_caps;
	bool has_arches, is_arch;
	bool has_kernel, is_kernel;
};

/* A list of strings at `key`; *ret_found turns true if `wanted` is among them. */
static int read_words(const json_t *object, const char *path, const char *key, const char *wanted,
		      bool *ret_any, bool *ret_found, struct error *err)
{
	const json_t *list = profile_get(object, key);

	if (list == NULL)
		return 0;
	if (!json_is_array(list))
		return profile_raise(err, path, key, "must be a list of names");
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *word = json_string_value(json_array_get(list, i));
		if (word == NULL)
			return profile_raise(err, path, key, "must be a list of names");
		*ret_any = true;
		if (strcmp(word, wanted) == 0)
			*ret_found = true;
	}
	return 0;
}

/* "4.8": two decimal numbers. */
static bool parse_kernel(const char *text, unsigned *ret_major, unsigned *ret_minor)
{
	unsigned numbers[2] = { 0 };
	const char *c = text;

	for (int i = 0; i < 2; i++) {
		const char *start = c;
		for (; *c >= '0' && *c <= '9'; c++) {
			if (c - start >= 5)
				return false;
			numbers[i] = numbers[i] * 10 + (unsigned)(*c - '0');
		}
		if (c == start || *c != (i == 0 ? '.' : '\0'))
			return false;
		c++;
	}
	*ret_major = numbers[0];
	*ret_minor = numbers[1];
	return true;
}

static int read_min_kernel(const json_t *object, const char *path,
			   const struct profile_facts *facts, struct condition *ret,
			   struct error *err)
{
	const json_t *value = profile_get(object, "minKernel");
	unsigned major = 0, minor = 0;

	if (value == NULL)
		return 0;
	if (!json_is_string(value) || !parse_kernel(json_string_value(value), &major, &minor))
		return profile_raise(err, path, "minKernel",
				     "must be a kernel version, for example \"4.8\"");
	ret->has_kernel = true;
	ret->is_kernel = facts->kernel_major > major ||
			 (facts->kernel_major == major && facts->kernel_minor >= minor);
	return 0;
}

static int read_condition(const json_t *rule, const char *rule_path, const char *key,
			  const struct profile_facts *facts, struct condition *ret,
			  struct error *err)
{
	const json_t *object = profile_get(rule, key);
	const char *arch = profile_docker_architecture(facts->architecture);
	char path[PROFILE_PATH_MAX];
	bool unused = false;
	int r;

	if (object == NULL)
		return 0;
	profile_path_key(path, rule_path, key);
	r = profile_check_keys(object, path, condition_keys, ARRAY_SIZE(condition_keys), err);
	if (r < 0)
		return r;
	r = read_words(object, path, "caps", "", &ret->has_caps, &unused, err);
	if (r < 0)
		return r;
	r = read_words(object, path, "arches", arch, &ret->has_arches, &ret->is_arch, err);
	if (r < 0)
		return r;
	return read_min_kernel(object, path, facts, ret, err);
}

/* includes: all of it must hold; excludes: none of it may. The worker has no capability. */
int profile_conditions_read(const json_t *object, const char *path,
			    const struct profile_facts *facts, bool *ret_applies,
			    unsigned *architectures, struct error *err)
{
	struct condition in = { 0 }, out = { 0 };
	int r;

	r = read_condition(object, path, "includes", facts, &in, err);
	if (r < 0)
		return r;
	r = read_condition(object, path, "excludes", facts, &out, err);
	if (r < 0)
		return r;
	if (in.has_arches || out.has_arches)
		*architectures &= 1U << facts->architecture;
	*ret_applies = !in.has_caps && in.is_arch == in.has_arches &&
		       in.is_kernel == in.has_kernel && !out.is_arch && !out.is_kernel;
	return 0;
}
