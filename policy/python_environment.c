/* SPDX-License-Identifier: MIT */
#include "policy/python_environment.h"

#include "policy/own.h"
#include "policy/server.h"

#include <string.h>

#define COUNT_TEXT_MAX 16

static const struct {
	enum server server;
	unsigned per_core, more; /* workers = per_core * cores + more */
} servers[] = {
	{ SERVER_GUNICORN, 2, 1 },
	{ SERVER_UVICORN, 1, 0 },
	{ SERVER_FASTAPI, 1, 0 },
};

static bool is_limited(uint64_t limit)
{
	return limit != LIMIT_UNSET && limit != LIMIT_MAX;
}

unsigned python_core_count(uint64_t cpu_milli)
{
	uint64_t cores = (cpu_milli + CPU_MILLI_PER_CORE - 1) / CPU_MILLI_PER_CORE;

	return cores == 0 ? 1 : (unsigned)cores;
}

unsigned python_worker_count(const struct python_situation *situation)
{
	const struct limits *limits = situation->limits;
	enum server server = server_of_command(situation->command);
	unsigned cores = situation->cpu_count;
	uint64_t count = UINT64_MAX;
	size_t row = 0;

	while (row < ARRAY_SIZE(servers) && servers[row].server != server)
		row++;
	if (row == ARRAY_SIZE(servers) ||
	    (!is_limited(limits->cpu_max) && !is_limited(limits->memory_max)))
		return 0;
	if (is_limited(limits->cpu_max) &&
	    (cores == 0 || python_core_count(limits->cpu_max) < cores))
		cores = python_core_count(limits->cpu_max);
	if (cores != 0)
		count = (uint64_t)cores * servers[row].per_core + servers[row].more;
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
