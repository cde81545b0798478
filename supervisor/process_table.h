/* SPDX-License-Identifier: MIT */
/*
 * Who lives in an instance's leaf: sampled now and then, so that when one is gone it can still be
 * said who it was. Each process is held by a pidfd, so a number used again is never taken for the
 * one that died.
 */
#pragma once

#include "supervisor/reader.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define PROCESS_TABLE_MAX 256 /* of the leaf's processes; a fork bomb has no use for names */
/* Times the arguments of one are asked for: programs rename themselves. */
#define PROCESS_ASK_MAX 3

struct process {
	pid_t pid;
	pid_t pid_inside; /* as the app itself and its log count; 0 if unknown */
	int pidfd;
	bool gone; /* seen dead by process_table_find_dead */
	uint64_t rss_bytes;
	uint64_t pss_bytes; /* when it was last asked for; 0: never, or unknown */
	char comm[64];
	unsigned asked;
	char command_line[READER_TEXT_MAX]; /* as in struct reader_answer; "" if unknown */
};

struct process_table { /* zero-initialised: empty, and nothing is allocated */
	struct process *items;
	size_t count, allocated;
};

/* Looks into dir's cgroup.procs: newcomers are added, names and sizes renewed, as far as that
 * cannot block; arguments are asked from the reader, and answers that have come are taken. Dead
 * ones stay until process_table_forget_dead, so that they can be asked about. Best effort: what
 * vanishes meanwhile is passed over. */
void process_table_refresh(struct process_table *table, int dir, struct reader *reader);

/* Takes the reader's answers alone. */
void process_table_take_answers(struct process_table *table, const struct reader *reader);

/* Marks those whose pidfd says they have ended, and returns the largest of them by rss that is not
 * main_pid; NULL if there is none. */
const struct process *process_table_find_dead(struct process_table *table, pid_t main_pid);

const struct process *process_table_find(const struct process_table *table, pid_t pid);
void process_table_forget_dead(struct process_table *table);
void process_table_clear(struct process_table *table);
