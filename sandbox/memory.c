/* SPDX-License-Identifier: MIT */
#include "sandbox/memory.h"

#include <link.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

/* The linker's: where the program's first byte is. */
extern const ElfW(Ehdr) __ehdr_start __attribute__((visibility("hidden")));

/* Code and constants are the same bytes as in the file, whatever we do: what is used again comes
 * back when it is, and it is little. The writable segment, with what is read-only in it after
 * relocation, stays. The program is static, so its addresses are those in its headers. */
void memory_give_back(void)
{
	const char *start = (const char *)&__ehdr_start;
	const ElfW(Phdr) *segments = (const ElfW(Phdr) *)(start + __ehdr_start.e_phoff);
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);

	for (int i = 0; i < __ehdr_start.e_phnum; i++) {
		uintptr_t from = segments[i].p_vaddr & ~(page - 1);
		uintptr_t to = (segments[i].p_vaddr + segments[i].p_memsz) & ~(page - 1);

		if (segments[i].p_type == PT_LOAD && (segments[i].p_flags & PF_W) == 0 && from < to)
			/* NOLINTNEXTLINE(performance-no-int-to-ptr) */
			(void)madvise((void *)from, to - from, MADV_DONTNEED);
	}
}
