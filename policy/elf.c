/* SPDX-License-Identifier: MIT */
#include "policy/elf.h"

#include <elf.h>
#include <string.h>

#if defined(__aarch64__)
#define MACHINE EM_AARCH64
#else
#define MACHINE EM_X86_64
#endif

#ifndef DT_GNU_HASH
#define DT_GNU_HASH 0x6ffffef5
#endif

/* What a look-up needs of an image. */
struct image {
	uint64_t bias; /* what is added to an address of the file */
	uint64_t symbols, strings, gnu_hash, hash;
};

static bool read_header(struct foreign *from, uint64_t base, Elf64_Ehdr *ret)
{
	return foreign_read(from, base, ret, sizeof(*ret)) &&
	       memcmp(ret->e_ident, ELFMAG, SELFMAG) == 0 && ret->e_ident[EI_CLASS] == ELFCLASS64 &&
	       ret->e_ident[EI_DATA] == ELFDATA2LSB &&
	       (ret->e_type == ET_EXEC || ret->e_type == ET_DYN) && ret->e_machine == MACHINE;
}

/* The bias, and the dynamic section as it is in memory (0: there is none). */
static bool read_segments(struct foreign *memory, uint64_t base, uint64_t *ret_bias,
			  uint64_t *ret_dynamic)
{
	bool has_first = false;
	uint64_t dynamic = 0;
	Elf64_Ehdr header;

	if (!read_header(memory, base, &header) || header.e_phentsize != sizeof(Elf64_Phdr) ||
	    header.e_phnum > ELF_SEGMENTS_MAX || header.e_phoff > UINT32_MAX)
		return false;
	for (unsigned i = 0; i < header.e_phnum; i++) {
		Elf64_Phdr segment;

		if (!foreign_read(memory, base + header.e_phoff + i * sizeof(segment), &segment,
				  sizeof(segment)))
			return false;
		if (segment.p_type == PT_LOAD && segment.p_offset == 0) {
			*ret_bias = base - segment.p_vaddr;
			has_first = true;
		} else if (segment.p_type == PT_DYNAMIC) {
			dynamic = segment.p_vaddr;
		}
	}
	*ret_dynamic = dynamic != 0 ? dynamic + *ret_bias : 0;
	return has_first;
}

static uint64_t *field_of(struct image *image, int64_t tag)
{
	switch (tag) {
	case DT_SYMTAB:
		return &image->symbols;
	case DT_STRTAB:
		return &image->strings;
	case DT_GNU_HASH:
		return &image->gnu_hash;
	case DT_HASH:
		return &image->hash;
	default:
		return NULL;
	}
}

/* Addresses here are as in the file, or as glibc's linker has made them: absolute. */
static bool open_image(struct foreign *memory, uint64_t base, struct image *ret)
{
	uint64_t dynamic;

	*ret = (struct image){ 0 };
	if (!read_segments(memory, base, &ret->bias, &dynamic) || dynamic == 0)
		return false;
	for (unsigned i = 0; i < ELF_DYNAMIC_MAX; i++) {
		Elf64_Dyn entry;
		uint64_t *field;

		if (!foreign_read(memory, dynamic + i * sizeof(entry), &entry, sizeof(entry)))
			return false;
		if (entry.d_tag == DT_NULL)
			break;
		field = field_of(ret, entry.d_tag);
		if (field != NULL)
			*field = entry.d_un.d_ptr >= base ? entry.d_un.d_ptr
							  : entry.d_un.d_ptr + ret->bias;
	}
	return ret->symbols != 0 && ret->strings != 0;
}

static bool is_symbol(struct foreign *memory, const struct image *image, uint32_t index,
		      const char *name, uint64_t *ret)
{
	Elf64_Sym symbol;

	if (!foreign_read(memory, image->symbols + (uint64_t)index * sizeof(symbol), &symbol,
			  sizeof(symbol)) ||
	    symbol.st_shndx == SHN_UNDEF ||
	    !foreign_equals(memory, image->strings + symbol.st_name, name))
		return false;
	*ret = symbol.st_value + image->bias;
	return true;
}

static uint32_t gnu_hash_of(const char *name)
{
	uint32_t hash = 5381;

	for (; *name != '\0'; name++)
		hash = hash * 33 + (unsigned char)*name;
	return hash;
}

/* The table: header, bloom filter (not needed for a
 * few names), buckets, chains whose last entry is odd. */
static bool find_by_gnu_hash(struct foreign *memory, const struct image *image, const char *name,
			     uint64_t *ret)
{
	struct {
		uint32_t buckets, first_symbol, bloom_words, bloom_shift;
	} header;
	const uint32_t hash = gnu_hash_of(name);
	uint64_t buckets, chains;
	uint32_t index, value = 0;

	if (!foreign_read(memory, image->gnu_hash, &header, sizeof(header)) ||
	    header.buckets == 0 || header.buckets > ELF_BUCKETS_MAX ||
	    header.bloom_words > ELF_BUCKETS_MAX)
		return false;
	buckets = image->gnu_hash + sizeof(header) + (uint64_t)header.bloom_words * 8;
	chains = buckets + (uint64_t)header.buckets * 4;
	if (!foreign_u32(memory, buckets + (uint64_t)(hash % header.buckets) * 4, &index) ||
	    index < header.first_symbol)
		return false;
	for (unsigned i = 0; i < ELF_CHAIN_MAX && (value & 1) == 0; i++, index++) {
		if (!foreign_u32(memory, chains + (uint64_t)(index - header.first_symbol) * 4,
				 &value))
			return false;
		if (((value ^ hash) & ~1U) == 0 && is_symbol(memory, image, index, name, ret))
			return true;
	}
	return false;
}

static uint32_t sysv_hash_of(const char *name)
{
	uint32_t hash = 0;

	for (; *name != '\0'; name++) {
		uint32_t high;

		hash = (hash << 4) + (unsigned char)*name;
		high = hash & 0xf0000000;
		hash = (hash ^ high >> 24) & ~high;
	}
	return hash;
}

static bool find_by_sysv_hash(struct foreign *memory, const struct image *image, const char *name,
			      uint64_t *ret)
{
	struct {
		uint32_t buckets, chains;
	} header;
	uint32_t index;

	if (!foreign_read(memory, image->hash, &header, sizeof(header)) || header.buckets == 0 ||
	    header.buckets > ELF_BUCKETS_MAX || header.chains > ELF_BUCKETS_MAX ||
	    !foreign_u32(memory,
			 image->hash + 8 + (uint64_t)(sysv_hash_of(name) % header.buckets) * 4,
			 &index))
		return false;
	for (unsigned i = 0; i < ELF_CHAIN_MAX && index != 0 && index < header.chains; i++) {
		if (is_symbol(memory, image, index, name, ret))
			return true;
		if (!foreign_u32(memory, image->hash + 8 + ((uint64_t)header.buckets + index) * 4,
				 &index))
			return false;
	}
	return false;
}

bool elf_find_symbol(struct foreign *memory, uint64_t base, const char *name, uint64_t *ret)
{
	struct image image;

	if (!open_image(memory, base, &image))
		return false;
	if (image.gnu_hash != 0)
		return find_by_gnu_hash(memory, &image, name, ret);
	return image.hash != 0 && find_by_sysv_hash(memory, &image, name, ret);
}

bool elf_find_section(struct foreign *file, struct foreign *memory, uint64_t base, const char *name,
		      uint64_t *ret)
{
	uint64_t bias = 0, dynamic;
	Elf64_Shdr names, section;
	Elf64_Ehdr header;

	if (!read_segments(memory, base, &bias, &dynamic) || !read_header(file, 0, &header) ||
	    header.e_shentsize != sizeof(section) || header.e_shnum > ELF_SECTIONS_MAX ||
	    header.e_shstrndx >= header.e_shnum || header.e_shoff > INT64_MAX / 2 ||
	    !foreign_read(file, header.e_shoff + header.e_shstrndx * sizeof(names), &names,
			  sizeof(names)) ||
	    names.sh_offset > INT64_MAX / 2)
		return false;
	for (unsigned i = 0; i < header.e_shnum; i++) {
		if (!foreign_read(file, header.e_shoff + i * sizeof(section), &section,
				  sizeof(section)))
			return false;
		if (section.sh_addr != 0 &&
		    foreign_equals(file, names.sh_offset + section.sh_name, name)) {
			*ret = section.sh_addr + bias;
			return true;
		}
	}
	return false;
}
