/* SPDX-License-Identifier: MIT */
/*
 * The command line of `pysbx run`, a word a line. What is taken is a valid spec whose limits can be
 * written; what is refused leaves the output alone and explains itself on one line.
 */
#include "policy/limits.h"
#include "policy/path.h"
#include "supervisor/options.h"

#include <stdlib.h>
#include <string.h>

#define WORDS_MAX 64
#define PAGE_SIZE UINT64_C(4096)
#define UNTOUCHED 0x5a

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

union output {
	struct run_options options;
	unsigned char bytes[sizeof(struct run_options)];
};

static void check_refusal(const union output *output, const struct error *err)
{
	for (size_t i = 0; i < sizeof(output->bytes); i++)
		if (output->bytes[i] != UNTOUCHED)
			abort();
	if ((err->kind != ERROR_USAGE && err->kind != ERROR_INVALID) || err->text[0] == '\0')
		abort();
	for (const char *at = err->text; *at != '\0'; at++)
		if ((unsigned char)*at < 0x20 || *at == 0x7f)
			abort();
}

static void check_limits(const struct limits *limits)
{
	struct limit_write writes[LIMIT_WRITES_MAX];
	struct disk disks[SPEC_IO_MAX];
	size_t count;

	for (unsigned i = 0; i < SPEC_IO_MAX; i++)
		disks[i] = (struct disk){ 8, i % 3 };
	count = limits_writes(limits, disks, PAGE_SIZE, writes);
	for (size_t i = 0; i < count; i++)
		if (!limits_read_back_matches(&writes[i], writes[i].text))
			abort();
}

static void check_taken(const struct run_options *options)
{
	const struct app_spec *spec = &options->spec;
	struct error err;

	if (options->help || options->version)
		return;
	if (spec_validate(spec, &err) < 0 || spec->command.count == 0)
		abort();
	if (!path_is_normal(spec->directory) || options->cwd != NULL)
		abort();
	if (options->report_path != NULL && !path_is_normal(options->report_path))
		abort();
	check_limits(&spec->limits);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), *rest = text, *word;
	char *words[WORDS_MAX];
	union output output;
	struct error err = { 0 };
	int count = 0;

	if (text == NULL)
		abort();
	memcpy(text, data, size);
	text[size] = '\0';
	while (count < WORDS_MAX && (word = strsep(&rest, "\n")) != NULL)
		words[count++] = word;

	memset(&output, UNTOUCHED, sizeof(output));
	if (run_options_parse(count, words, "/srv/app", &output.options, &err) < 0) {
		check_refusal(&output, &err);
	} else {
		check_taken(&output.options);
		run_options_clear(&output.options);
	}
	free(text);
	return 0;
}
