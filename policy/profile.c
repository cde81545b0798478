/* SPDX-License-Identifier: MIT */
/*
 * The document: default action, architectures, and the list of rules. One rule's own keys are read
 * in policy/profile_rule.c.
 */
#include "policy/profile.h"

#include "policy/document.h"
#include "policy/own.h"
#include "policy/profile_rule.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

static const struct {
	const char *oci;
	const char *docker;
} native[] = {
	[PROFILE_X86_64] = { "SCMP_ARCH_X86_64", "amd64" },
	[PROFILE_AARCH64] = { "SCMP_ARCH_AARCH64", "arm64" },
};
static_assert(ARRAY_SIZE(native) == PROFILE_ARCHITECTURE_COUNT, "a name for each architecture");

/* All that the OCI runtime spec knows. Only the native one is ever opened: the kernel's other
 * doors (i386 and x32 beside x86-64) multiply what a filter must get right and serve no worker. */
static const char *const architecture_names[] = {
	"SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64",  "SCMP_ARCH_X86",	   "SCMP_ARCH_X32",
	"SCMP_ARCH_ARM",    "SCMP_ARCH_MIPS",	  "SCMP_ARCH_MIPS64",	   "SCMP_ARCH_MIPS64N32",
	"SCMP_ARCH_MIPSEL", "SCMP_ARCH_MIPSEL64", "SCMP_ARCH_MIPSEL64N32", "SCMP_ARCH_PPC",
	"SCMP_ARCH_PPC64",  "SCMP_ARCH_PPC64LE",  "SCMP_ARCH_S390",	   "SCMP_ARCH_S390X",
	"SCMP_ARCH_PARISC", "SCMP_ARCH_PARISC64", "SCMP_ARCH_RISCV64",	   "SCMP_ARCH_LOONGARCH64",
	"SCMP_ARCH_M68K",   "SCMP_ARCH_SH",	  "SCMP_ARCH_SHEB",
};

static const char *const document_keys[] = { "defaultAction", "defaultErrnoRet", "architectures",
					     "archMap", "syscalls" };
static const char *const arch_map_keys[] = { "architecture", "subArchitectures" };

const char *profile_docker_architecture(enum profile_architecture architecture)
{
	return native[architecture].docker;
}

static int read_architecture_name(const json_t *value, const char *path, const char **ret_name,
				  struct error *err)
{
	if (!json_is_string(value))
		return profile_raise(err, path, NULL, "must be the name of an architecture");
	for (size_t i = 0; i < ARRAY_SIZE(architecture_names); i++) {
		if (strcmp(architecture_names[i], json_string_value(value)) != 0)
			continue;
		*ret_name = architecture_names[i];
		return 0;
	}
	return profile_raise_unknown(err, path, "an architecture", json_string_value(value),
				     architecture_names, ARRAY_SIZE(architecture_names));
}

/* A list of names (absent or null: empty); *ret_found turns true if `wanted` is one of them. */
static int read_architecture_list(const json_t *list, const char *path, const char *wanted,
				  bool *ret_found, struct error *err)
{
	char item_path[PROFILE_PATH_MAX];
	const char *name = "";

	if (list == NULL || json_is_null(list))
		return 0;
	if (!json_is_array(list))
		return profile_raise(err, path, NULL, "must be a list of architectures");

	for (size_t i = 0; i < json_array_size(list); i++) {
		profile_path_item(item_path, path, "", i);
		int r = read_architecture_name(json_array_get(list, i), item_path, &name, err);
		if (r < 0)
			return r;
		if (strcmp(name, wanted) == 0)
			*ret_found = true;
	}
	return 0;
}

static int read_arch_map_entry(const json_t *entry, const char *path, const char *wanted,
			       bool *ret_found, struct error *err)
{
	char sub_path[PROFILE_PATH_MAX];
	const char *name = "";
	bool unused = false;
	int r;

	r = profile_check_keys(entry, path, arch_map_keys, ARRAY_SIZE(arch_map_keys), err);
	if (r < 0)
		return r;
	profile_path_key(sub_path, path, "architecture");
	r = read_architecture_name(json_object_get(entry, "architecture"), sub_path, &name, err);
	if (r < 0)
		return r;
	if (strcmp(name, wanted) == 0)
		*ret_found = true;
	profile_path_key(sub_path, path, "subArchitectures");
	return read_architecture_list(json_object_get(entry, "subArchitectures"), sub_path, "",
				      &unused, err);
}

static int read_arch_map(const json_t *map, const char *wanted, bool *ret_found, struct error *err)
{
	char path[PROFILE_PATH_MAX];

	if (map == NULL || json_is_null(map))
		return 0;
	if (!json_is_array(map))
		return profile_raise(err, "", "archMap", "must be a list");
	for (size_t i = 0; i < json_array_size(map); i++) {
		profile_path_item(path, "", "archMap", i);
		int r = read_arch_map_entry(json_array_get(map, i), path, wanted, ret_found, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* No list at all means: the native architecture. */
static int check_architectures(const json_t *root, const struct profile_facts *facts,
			       struct error *err)
{
	const json_t *list = json_object_get(root, "architectures");
	const json_t *map = json_object_get(root, "archMap");
	const char *wanted = native[facts->architecture].oci;
	bool found = false;
	int r;

	r = read_architecture_list(list, "architectures", wanted, &found, err);
	if (r < 0)
		return r;
	r = read_arch_map(map, wanted, &found, err);
	if (r < 0)
		return r;
	if (json_array_size(list) > 0 && json_array_size(map) > 0)
		return profile_raise(err, "", "archMap", "contradicts architectures: write one");
	if (!found && json_array_size(list) + json_array_size(map) > 0)
		return profile_raise(err, "",
				     json_array_size(map) > 0 ? "archMap" : "architectures",
				     "lacks %s, which this machine is: add it", wanted);
	return 0;
}

static int read_rules(const json_t *list, const struct profile_facts *facts,
		      struct profile *profile, struct error *err)
{
	size_t name_total = 0;

	if (list == NULL || json_is_null(list))
		return 0;
	if (!json_is_array(list))
		return profile_raise(err, "", "syscalls", "must be a list of rules");
	if (json_array_size(list) > PROFILE_RULES_MAX)
		return profile_raise(err, "", "syscalls", "has %zu rules, %d at most are taken",
				     json_array_size(list), PROFILE_RULES_MAX);

	for (size_t i = 0; i < json_array_size(list); i++) {
		int r = profile_rule_read(json_array_get(list, i), (unsigned)i, facts, profile,
					  &name_total, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int read_document(const json_t *root, const struct profile_facts *facts,
			 struct profile *profile, struct error *err)
{
	int r;

	r = profile_check_keys(root, "", document_keys, ARRAY_SIZE(document_keys), err);
	if (r < 0)
		return r;
	r = profile_read_action(root, "", "defaultAction", "defaultErrnoRet",
				&profile->default_action, &profile->default_errnum, err);
	if (r < 0)
		return r;
	r = check_architectures(root, facts, err);
	if (r < 0)
		return r;
	return read_rules(json_object_get(root, "syscalls"), facts, profile, err);
}

int profile_parse(const char *text, size_t length, const struct profile_facts *facts,
		  struct profile **ret_profile, struct error *err)
{
	_cleanup_profile_ struct profile *profile = NULL;
	_cleanup_json_ json_t *root = NULL;
	int r;

	r = document_parse(text, length, PROFILE_SIZE_MAX, &root, err);
	if (r < 0)
		return r;
	profile = calloc(1, sizeof(*profile));
	if (profile == NULL)
		return error_no_memory(err);
	r = read_document(root, facts, profile, err);
	if (r < 0)
		return r;
	*ret_profile = TAKE_PTR(profile);
	return 0;
}

void profile_free(struct profile *profile)
{
	if (profile == NULL)
		return;
	for (size_t i = 0; i < profile->rule_count; i++)
		profile_rule_clear(&profile->rules[i]);
	free(profile->rules);
	free(profile);
}
