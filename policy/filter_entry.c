/* SPDX-License-Identifier: MIT */
#include "policy/filter_entry.h"

#include "policy/bpf.h"
#include "policy/own.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

static const char magic[16] = "pysbx-filter 1\n";

struct header {
	char magic[sizeof(magic)];
	uint64_t checksum;
	uint32_t maker_length, profile_length, count, unused;
};

/* FNV-1a: it is to find bits that a disk has turned. Whoever means to change the file is kept out
 * by its mode. */
static uint64_t checksum_of(const struct sock_filter *program, size_t size)
{
	const unsigned char *bytes = (const unsigned char *)program;
	uint64_t hash = UINT64_C(14695981039346656037);

	for (size_t i = 0; i < size; i++) {
		hash ^= bytes[i];
		hash *= UINT64_C(1099511628211);
	}
	return hash;
}

int filter_entry_encode(const struct filter_entry_key *key, const struct sock_filter *program,
			size_t count, char **ret_bytes, size_t *ret_size, struct error *err)
{
	const size_t maker_length = strlen(key->maker), program_size = count * sizeof(*program);
	const size_t size =
		sizeof(struct header) + maker_length + key->profile_length + program_size;
	struct header header = { .maker_length = (uint32_t)maker_length,
				 .profile_length = (uint32_t)key->profile_length,
				 .count = (uint32_t)count };
	char *bytes = malloc(size), *at = bytes;

	if (bytes == NULL)
		return error_no_memory(err);
	memcpy(header.magic, magic, sizeof(magic));
	header.checksum = checksum_of(program, program_size);
	memcpy(at, &header, sizeof(header));
	at += sizeof(header);
	memcpy(at, key->maker, maker_length);
	at += maker_length;
	memcpy(at, key->profile, key->profile_length);
	at += key->profile_length;
	memcpy(at, program, program_size);
	*ret_bytes = bytes;
	*ret_size = size;
	return 0;
}

static int raise_other(struct error *err, const char *what)
{
	return error_set(err, ERROR_INVALID, 0, "kept filter: %s", what);
}

static int check_header(const struct filter_entry_key *key, const struct header *header,
			size_t size, struct error *err)
{
	if (memcmp(header->magic, magic, sizeof(magic)) != 0)
		return raise_other(err, "of another form");
	if (header->count == 0 || header->count > BPF_MAXINSNS ||
	    header->maker_length != strlen(key->maker) ||
	    header->profile_length != key->profile_length)
		return raise_other(err, "made from something else");
	if (size != sizeof(*header) + header->maker_length + key->profile_length +
			    header->count * sizeof(struct sock_filter))
		return raise_other(err, "cut");
	return 0;
}

int filter_entry_decode(const struct filter_entry_key *key, const char *bytes, size_t size,
			struct sock_filter **ret_program, size_t *ret_count, struct error *err)
{
	_cleanup_free_ struct sock_filter *program = NULL;
	struct header header;
	const char *maker = bytes + sizeof(header);
	int r;

	if (size < sizeof(header))
		return raise_other(err, "cut");
	memcpy(&header, bytes, sizeof(header));
	r = check_header(key, &header, size, err);
	if (r < 0)
		return r;
	if (memcmp(maker, key->maker, header.maker_length) != 0 ||
	    memcmp(maker + header.maker_length, key->profile, key->profile_length) != 0)
		return raise_other(err, "made from something else");
	program = calloc(header.count, sizeof(*program));
	if (program == NULL)
		return error_no_memory(err);
	memcpy(program, maker + header.maker_length + key->profile_length,
	       header.count * sizeof(*program));
	if (header.checksum != checksum_of(program, header.count * sizeof(*program)))
		return raise_other(err, "damaged");
	r = bpf_check(program, header.count, err);
	if (r < 0)
		return r;
	*ret_program = TAKE_PTR(program);
	*ret_count = header.count;
	return 0;
}
