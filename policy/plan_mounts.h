/* SPDX-License-Identifier: MIT */
/*
 * The root file system of a sandbox, as steps of a plan. A part of policy/plan_build.c.
 */
#pragma once

#include "policy/plan_build.h"

/* tmpfs on /tmp and /dev/shm where the spec is silent: a quarter of the memory limit (its pages
 * count against that limit), but not more than this. */
#define PLAN_TMP_BYTES_MAX (UINT64_C(256) << 20)
/* Where an app that watches is told that memory is short: in the root's own file system, so that
 * nobody inside can put another thing in its place. */
#define PLAN_PRESSURE_PATH "/dev/memory-pressure"
#define PLAN_RUN_BYTES	   (UINT64_C(4) << 20)

/* Appends all steps, in the order that they must be carried out. */
int plan_mounts_add(const struct app_spec *spec, const struct host_facts *facts, struct plan *plan,
		    struct error *err);

/* Is the app told? With no limit there is nothing that memory could be short of. */
bool plan_tells_pressure(const struct app_spec *spec);

/* Is the app's directory writable inside? */
bool plan_directory_is_writable(const struct host_facts *facts);
