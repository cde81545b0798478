/* SPDX-License-Identifier: MIT */
/*
 * The command line of `pysbx run`. One table holds each option's name, argument, help text and
 * setter: it drives parsing, --help, shell completion and the check of the man page, so that none
 * of them can drift. `pysbx syscalls learn` takes the same ones, and some of its own.
 */
#pragma once

#include "policy/spec.h"

#include <stdio.h>

struct run_options {
	struct app_spec spec;
	char *report_path; /* absolute */
	char *on_incident; /* absolute */
	char *cgroup_root; /* absolute */
	struct {	   /* `pysbx syscalls learn` */
		bool on, dangerous;
		char *output; /* absolute; NULL: stdout */
		char *base;   /* name or absolute path of a profile; NULL: the default */
	} learn;
	bool print_plan;
	bool json;
	bool quiet;
	bool verbose;
	bool help;	 /* asked for: what follows on the line has not been looked at then */
	bool version;	 /* the same */
	const char *cwd; /* borrowed, while parsing: relative paths are taken from here */
};

struct option_row {
	const char *group;     /* heading of --help, with the first row of a group; else NULL */
	const char *name;      /* "mem" */
	const char *argument;  /* "SIZE", NULL for a flag */
	const char *choices;   /* "host|none" for completion, NULL if free */
	const char *help;      /* starts small, no full stop; wrapped by --help */
	enum spec_field field; /* what it sets in the spec, FIELD_NONE if nothing */
	bool repeatable;
	int (*set)(struct run_options *options, const char *value,
		   struct error *err); /* value NULL for flags */
};

#define RUN_OPTIONS_MAX	     64 /* rows */
#define RUN_OPTION_LABEL_MAX 24 /* bytes of "--name" */

extern const struct option_row run_option_rows[];
extern const size_t run_option_count;

/* Of `pysbx syscalls learn` alone. */
extern const struct option_row learn_option_rows[];
extern const size_t learn_option_count;

/* argv[0] is the first word after "run". Relative paths are taken from cwd (absolute). Both
 * "--name=value" and "--name value"; the first word that is no option, or what follows "--", is the
 * command. Completes and validates the whole spec. ERROR_USAGE or ERROR_INVALID, naming the option.
 * *ret is untouched on failure. */
int run_options_parse(int argc, char *const argv[], const char *cwd, struct run_options *ret,
		      struct error *err);
/* The same for `pysbx syscalls learn`, after these two words: ret->learn.on. Nothing is restarted
 * unless that is asked for. */
int learn_options_parse(int argc, char *const argv[], const char *cwd, struct run_options *ret,
			struct error *err);
void run_options_clear(struct run_options *options);

/* The --help text, 80 columns. */
void run_options_help(FILE *out);
void learn_options_help(FILE *out);
