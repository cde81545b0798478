/* SPDX-License-Identifier: MIT */
#include "policy/python_environment.h"

#include "policy/own.h"

#include <string.h>

#define COUNT_TEXT_MAX 16

static const struct server {
	const char *name;
	unsigned per_core, more; /* workers = per_core * cores + more */
} servers[] = {
	{ "gunicorn", 2, 1 },
	{ "uvicorn", 1, 0 },
	{ "fastapi", 1, 0 },
};

static bool is_limited(uint64_t limit)
{
	return limit != LIMIT_UNSET && limit != LIMIT_MAX;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

/* "-m NAME" among the options of the interpreter itself; NULL if a script or nothing follows. */
static const char *module_argument(const struct strings *command)
{
	for (size_t i = 1; i < command->count; i++) {
		const char *word = command->items[i];

		if (word[0] != '-' || word[1] == '\0')
			return NULL;
		if (strcmp(word, "-m") == 0)
			return i + 1 < command->count ? command->items[i + 1] : NULL;
		if (word[1] == 'm')
			return word + 2;
		if (strcmp(word, "-X") == 0 || strcmp(word, "-W") == 0)
			i++;
	}
	return NULL;
}

/* "gunicorn", "gunicorn3" and "gunicorn-3.11" are one server. */
static bool is_program(const char *name, const char *program)
{
	size_t length = strlen(program);

	return strncmp(name, program, length) == 0 &&
	       name[length + strspn(name + length, "0123456789.-")] == '\0';
}

static const struct server *find_server(const struct strings *command)
{
	const char *name;

	if (command->count == 0)
		return NULL;
	name = base_name(command->items[0]);
	if (is_program(name, "python"))
		name = module_argument(command);
	for (size_t i = 0; name != NULL && i < ARRAY_SIZE(servers); i++)
		if (is_program(name, servers[i].name))
			return &servers[i];
	return NULL;
}

unsigned python_core_count(uint64_t cpu_milli)
{
	uint64_t cores = (cpu_milli + CPU_MILLI_PER_CORE - 1) / CPU_MILLI_PER_CORE;

	return cores == 0 ? 1 : (unsigned)cores;
}

unsigned python_worker_count(const struct python_situation *situation)
{
	const struct limits *limits = situation->limits;
	const struct server *server = find_server(situation->command);
	unsigned cores = situation->cpu_count;
	uint64_t count = UINT64_MAX;

	if (server == NULL || (!is_limited(limits->cpu_max) && !is_limited(limits->memory_max)))
		return 0;
	if (is_limited(limits->cpu_max) &&
	    (cores == 0 || python_core_count(limits->cpu_max) < cores))
		cores = python_core_count(limits->cpu_max);
	if (cores != 0)
		count = (uint64_t)cores * server->per_core + server->more;
	if (is_limited(limits->memory_max) && limits->memory_max / PYTHON_WORKER_BYTES < count)
		count = limits->memory_max / PYTHON_WORKER_BYTES;
	return count == 0 ? 1 : (unsigned)count;
}

static int add(struct strings *env, const char *name, const char *value, struct error *err)
{
	if (strings_env_get(env, name) != NULL)
		return 0;
	return strings_env_set(env, name, value, err);
}

static int add_count(struct strings *env, const char *name, unsigned count, struct error *err)
{
	char text[COUNT_TEXT_MAX];

	snprintf(text, sizeof(text), "%u", count);
	return add(env, name, text, err);
}

int python_environment_add(const struct python_situation *situation, struct strings *env,
			   struct error *err)
{
	const struct limits *limits = situation->limits;
	unsigned workers = python_worker_count(situation);
	int r;

	r = add(env, "PYTHONUNBUFFERED", "1", err);
	if (r >= 0)
		r = add(env, "PYTHONFAULTHANDLER", "1", err);
	if (r >= 0 && situation->read_only_code)
		r = add(env, "PYTHONDONTWRITEBYTECODE", "1", err);
	if (r >= 0 && is_limited(limits->memory_max))
		r = add(env, "MALLOC_ARENA_MAX", "2", err);
	if (r >= 0 && is_limited(limits->cpu_max))
		r = add_count(env, "PYTHON_CPU_COUNT", python_core_count(limits->cpu_max), err);
	if (r >= 0 && is_limited(limits->cpu_max))
		r = add_count(env, "OMP_NUM_THREADS", python_core_count(limits->cpu_max), err);
	if (r >= 0 && workers > 0)
		r = add_count(env, "WEB_CONCURRENCY", workers, err);
	return r;
}
