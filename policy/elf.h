/* SPDX-License-Identifier: MIT */
/*
 * As much of ELF as it takes to find a few symbols in another process: 64 bits, of this machine.
 * The image may be forged; everything in it is bounded. Pure.
 *
 * Symbols are looked up in the memory of the process, by the tables that its own linker uses, and
 * not in the file: the file may have been replaced since, lie in another mount namespace, or be cut
 * short while it is read.
 */
#pragma once

#include "policy/foreign.h"

#define ELF_SEGMENTS_MAX 64
#define ELF_SECTIONS_MAX 4096
#define ELF_DYNAMIC_MAX	 256  /* entries of the dynamic section */
#define ELF_CHAIN_MAX	 4096 /* symbols of one bucket */
#define ELF_BUCKETS_MAX	 1048576

/* base: where the image's first page is. Where the name is defined; false: it is not, or that is no
 * image. */
bool elf_find_symbol(struct foreign *memory, uint64_t base, const char *name, uint64_t *ret);

/* From the file, whose first byte is address 0: the section of that name, as an address in an image
 * at base. */
bool elf_find_section(struct foreign *file, struct foreign *memory, uint64_t base, const char *name,
		      uint64_t *ret);
