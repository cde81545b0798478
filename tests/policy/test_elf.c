/* SPDX-License-Identifier: MIT */
/* Our own memory and our own files: what the linker has found in them, elf.h finds too. */
#include "policy/elf.h"
#include "policy/own.h"

#include <criterion/criterion.h>
#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <jansson.h>
#include <string.h>
#include <sys/uio.h>

static bool read_own(uint64_t address, void *page, void *userdata)
{
	struct iovec here = { page, FOREIGN_PAGE };
	struct iovec there = { (void *)(uintptr_t)address, FOREIGN_PAGE };
	(void)userdata;

	return process_vm_readv(getpid(), &here, 1, &there, 1, 0) == FOREIGN_PAGE;
}

static bool read_file(uint64_t address, void *page, void *userdata)
{
	ssize_t n = pread(*(const int *)userdata, page, FOREIGN_PAGE, (off_t)address);

	if (n <= 0)
		return false;
	memset((char *)page + n, 0, FOREIGN_PAGE - (size_t)n);
	return true;
}

static uint64_t base_of(const void *function, const char **ret_path)
{
	Dl_info info;

	cr_assert_neq(dladdr(function, &info), 0);
	*ret_path = info.dli_fname;
	return (uint64_t)(uintptr_t)info.dli_fbase;
}

Test(elf, finds_symbols_as_the_linker_does)
{
	_cleanup_foreign_ struct foreign *memory = foreign_new(read_own, NULL);
	static const char *const names[] = { "json_object", "json_dumps", "json_decref_no_such",
					     "json_loads", "strlen" };
	const char *path;
	uint64_t base = base_of((const void *)json_object, &path);
	void *library = dlopen(path, RTLD_NOW | RTLD_NOLOAD);

	cr_assert_not_null(library);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		uint64_t address = 0;
		bool found = elf_find_symbol(memory, base, names[i], &address);
		bool is_there =
			strncmp(names[i], "json_", 5) == 0 && dlsym(library, names[i]) != NULL;

		cr_expect_eq(found, is_there, "%s", names[i]);
		if (found)
			cr_expect_eq(address, (uint64_t)(uintptr_t)dlsym(library, names[i]));
	}
	dlclose(library);
}

Test(elf, finds_a_section_of_the_file)
{
	_cleanup_foreign_ struct foreign *memory = foreign_new(read_own, NULL), *file = NULL;
	const char *path;
	uint64_t base = base_of((const void *)json_object, &path), address = 0;
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);

	cr_assert_geq(fd, 0);
	file = foreign_new(read_file, &fd);
	cr_assert(elf_find_section(file, memory, base, ".text", &address));
	cr_expect(address > base && address <= (uint64_t)(uintptr_t)json_object);
	cr_expect(!elf_find_section(file, memory, base, ".PyRuntime", &address));
}

Test(elf, finds_nothing_in_what_is_no_image)
{
	static unsigned char pages[3 * FOREIGN_PAGE] __attribute__((aligned(FOREIGN_PAGE)));
	const uint64_t base = (uint64_t)(uintptr_t)pages;
	Elf64_Ehdr header = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB },
			      .e_type = ET_DYN,
			      .e_machine = EM_X86_64,
			      .e_phentsize = sizeof(Elf64_Phdr),
			      .e_phnum = 2,
			      .e_phoff = sizeof(header) };
	Elf64_Phdr segments[2] = { { .p_type = PT_LOAD },
				   { .p_type = PT_DYNAMIC, .p_vaddr = FOREIGN_PAGE } };
	uint64_t address = 0;

	for (unsigned i = 0; i < 5; i++) {
		_cleanup_foreign_ struct foreign *memory = foreign_new(read_own, NULL);
		Elf64_Ehdr changed = header;

		if (i == 1)
			changed.e_phnum = 60000;
		else if (i == 2)
			changed.e_phoff = UINT64_MAX - 8;
		else if (i == 3)
			changed.e_ident[EI_CLASS] = ELFCLASS32;
		else if (i == 4)
			segments[1].p_vaddr = UINT64_MAX / 2;
		memcpy(pages, &changed, sizeof(changed));
		memcpy(pages + sizeof(changed), segments, sizeof(segments));
		cr_expect(!elf_find_symbol(memory, base, "_PyRuntime", &address), "%u", i);
	}
	cr_expect_eq(address, 0);
}
