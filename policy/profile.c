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

#define FLAGS_MAX 16

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

static const char *const document_keys[] = { "defaultAction", "defaultErrnoRet",  "defaultErrno",
					     "architectures", "archMap",	  "flags",
					     "listenerPath",  "listenerMetadata", "syscalls" };
static const struct profile_action_keys action_keys = { "defaultAction", "defaultErrnoRet",
							"defaultErrno", 1 };
static const char *const arch_map_keys[] = { "architecture", "subArchitectures" };

const char *profile_architecture_name(enum profile_architecture architecture)
{
	return native[architecture].oci;
}

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

/* The bit of ours that is so called, or none. */
static unsigned architecture_bit(const char *name)
{
	for (unsigned i = 0; i < PROFILE_ARCHITECTURE_COUNT; i++)
		if (strcmp(native[i].oci, name) == 0)
			return 1U << i;
	return 0;
}

/* A list of names (absent or null: empty); ours among them are added to *ret_found. */
static int read_architecture_list(const json_t *list, const char *path, unsigned *ret_found,
				  struct error *err)
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
		*ret_found |= architecture_bit(name);
	}
	return 0;
}

/* A sub-architecture is no architecture of its own. */
static int read_arch_map_entry(const json_t *entry, const char *path, unsigned *ret_found,
			       struct error *err)
{
	char sub_path[PROFILE_PATH_MAX];
	const char *name = "";
	unsigned unused = 0;
	int r;

	r = profile_check_keys(entry, path, arch_map_keys, ARRAY_SIZE(arch_map_keys), err);
	if (r < 0)
		return r;
	profile_path_key(sub_path, path, "architecture");
	r = read_architecture_name(json_object_get(entry, "architecture"), sub_path, &name, err);
	if (r < 0)
		return r;
	*ret_found |= architecture_bit(name);
	profile_path_key(sub_path, path, "subArchitectures");
	return read_architecture_list(json_object_get(entry, "subArchitectures"), sub_path, &unused,
				      err);
}

static int read_arch_map(const json_t *map, unsigned *ret_found, struct error *err)
{
	char path[PROFILE_PATH_MAX];

	if (map == NULL || json_is_null(map))
		return 0;
	if (!json_is_array(map))
		return profile_raise(err, "", "archMap", "must be a list");
	for (size_t i = 0; i < json_array_size(map); i++) {
		profile_path_item(path, "", "archMap", i);
		int r = read_arch_map_entry(json_array_get(map, i), path, ret_found, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* No list at all means: whatever machine reads it. */
static int read_architectures(const json_t *root, const struct profile_facts *facts,
			      unsigned *ret_found, struct error *err)
{
	const json_t *list = json_object_get(root, "architectures");
	const json_t *map = json_object_get(root, "archMap");
	size_t count = json_array_size(list) + json_array_size(map);
	unsigned found = 0;
	int r;

	r = read_architecture_list(list, "architectures", &found, err);
	if (r < 0)
		return r;
	r = read_arch_map(map, &found, err);
	if (r < 0)
		return r;
	if (json_array_size(list) > 0 && json_array_size(map) > 0)
		return profile_raise(err, "", "archMap", "contradicts architectures: write one");
	if (count > 0 && (found & 1U << facts->architecture) == 0)
		return profile_raise(
			err, "", json_array_size(map) > 0 ? "archMap" : "architectures",
			"lacks %s, which this machine is: add it", native[facts->architecture].oci);
	*ret_found = count > 0 ? found : (1U << PROFILE_ARCHITECTURE_COUNT) - 1;
	return 0;
}

static int read_flag(const json_t *value, const char *path, struct error *err)
{
	static const char *const taken[] = { "SECCOMP_FILTER_FLAG_TSYNC",
					     "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
					     "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV" };
	const char *text = json_string_value(value);

	if (text == NULL)
		return profile_raise(err, path, NULL, "must be the name of a flag");
	if (profile_is_listed(text, taken, ARRAY_SIZE(taken)))
		return 0;
	if (strcmp(text, "SECCOMP_FILTER_FLAG_LOG") == 0)
		return profile_raise(err, path, NULL,
				     "%s is not supported: remove it, and use SCMP_ACT_LOG for "
				     "calls that the kernel shall log",
				     text);
	return profile_raise_unknown(err, path, "a flag", text, taken, ARRAY_SIZE(taken));
}

static int read_flags(const json_t *root, struct error *err)
{
	const json_t *list = profile_get(root, "flags");
	char path[PROFILE_PATH_MAX];

	if (list == NULL)
		return 0;
	if (!json_is_array(list) || json_array_size(list) > FLAGS_MAX)
		return profile_raise(err, "", "flags", "must be a list of flags");
	for (size_t i = 0; i < json_array_size(list); i++) {
		profile_path_item(path, "", "flags", i);
		int r = read_flag(json_array_get(list, i), path, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Podman writes "" for none. */
static int refuse_listener(const json_t *root, const char *key, struct error *err)
{
	const json_t *value = profile_get(root, key);

	if (value == NULL || (json_is_string(value) && json_string_length(value) == 0))
		return 0;
	return profile_raise(err, "", key,
			     "is for a program that answers calls in the worker's place, and pysbx "
			     "hands no filter to others: remove it");
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
	r = profile_read_action(root, "", &action_keys, &profile->default_action,
				&profile->default_errnum, err);
	if (r == 0)
		r = read_architectures(root, facts, &profile->architectures, err);
	if (r == 0)
		r = read_flags(root, err);
	if (r == 0)
		r = refuse_listener(root, "listenerPath", err);
	if (r == 0)
		r = refuse_listener(root, "listenerMetadata", err);
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
