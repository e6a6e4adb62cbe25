// SPDX-License-Identifier: GPL-2.0
/*
 * Is this the QEMU the module was compiled for? A wrong pair of headers and
 * binary would corrupt memory without a word, so any difference ends QEMU.
 *
 *   symbols   every function this object calls is looked up by name, before
 *             the first call (the object is linked with lazy binding)
 *   version   QEMU's own version against that of the headers
 *   layouts   the offsets QEMU's own properties carry against offsetof() here,
 *             which cover sizeof(PCIDevice) and sizeof(MemoryRegion) too; the
 *             class layout by reading a class whose contents are known
 */
#include "ada-gpu.h"
#include <dlfcn.h>

#include "exec/memory.h"
#include "hw/pci/pci_ids.h"
#include "hw/qdev-properties.h"
#include "qapi/qapi-commands-control.h"

#define REBUILD "build it against this QEMU: make -C tools/testing/ada-gpu QEMU_SRC=... QEMU_BUILD=..."

/*
 * The head of QEMU's pci-testdev: the offset of its one property is the sum of
 * the sizes of PCIDevice and of two MemoryRegions, and a little.
 */
struct testdev {
	PCIDevice dev;
	MemoryRegion regions[2];
	void *tests;
	int current;
	uint64_t membar_size;
};

static void G_NORETURN G_GNUC_PRINTF(1, 2) refuse(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("ada-gpu: not loaded: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	exit(1);
}

void ada_gpu_check_symbols(void)
{
	const Elf64_Rela *rela = NULL;
	const Elf64_Sym *symtab = NULL;
	const char *strtab = NULL;
	size_t size = 0, i;
	const Elf64_Dyn *d;

	for (d = _DYNAMIC; d->d_tag != DT_NULL; d++) {
		if (d->d_tag == DT_JMPREL)
			rela = (const void *)d->d_un.d_ptr;
		else if (d->d_tag == DT_PLTRELSZ)
			size = d->d_un.d_val;
		else if (d->d_tag == DT_SYMTAB)
			symtab = (const void *)d->d_un.d_ptr;
		else if (d->d_tag == DT_STRTAB)
			strtab = (const void *)d->d_un.d_ptr;
	}
	if (!rela || !symtab || !strtab)
		refuse("its own symbol table cannot be read");

	for (i = 0; i < size / sizeof(*rela); i++) {
		const Elf64_Sym *sym = &symtab[ELF64_R_SYM(rela[i].r_info)];
		const char *name = &strtab[sym->st_name];

		if (ELF64_ST_BIND(sym->st_info) == STB_WEAK)
			continue;
		if (!dlsym(RTLD_DEFAULT, name))
			refuse("%s does not export %s; use a QEMU built with modules enabled, or "
			       REBUILD, program_invocation_short_name, name);
	}
}

/* The device offset of a qdev property is the offset of the field it sets. */
static void check_offset(const char *type, const char *property, size_t here)
{
	ObjectClass *klass = object_class_by_name(type);
	ObjectProperty *op = klass ? object_class_property_find(klass, property) : NULL;
	const Property *p;

	if (!op || !op->opaque)
		refuse("this QEMU has no %s.%s, its layouts cannot be checked; " REBUILD,
		       type, property);
	p = op->opaque;
	if ((size_t)p->offset != here)
		refuse("%s.%s is at byte %td in this QEMU and at %zu in the headers; " REBUILD,
		       type, property, p->offset, here);
}

void ada_gpu_check_layouts(void)
{
	VersionInfo *v = qmp_query_version(NULL);
	ObjectClass *klass;
	PCIDeviceClass *pc;

	if (v->qemu->major != QEMU_VERSION_MAJOR ||
	    v->qemu->minor != QEMU_VERSION_MINOR ||
	    v->qemu->micro != QEMU_VERSION_MICRO)
		refuse("this QEMU is %" PRId64 ".%" PRId64 ".%" PRId64
		       ", the headers are " QEMU_VERSION "; " REBUILD,
		       v->qemu->major, v->qemu->minor, v->qemu->micro);
	qapi_free_VersionInfo(v);

	check_offset(TYPE_PCI_DEVICE, "addr", offsetof(PCIDevice, devfn));
	check_offset(TYPE_PCI_DEVICE, "romfile", offsetof(PCIDevice, romfile));
	check_offset(TYPE_PCI_DEVICE, "x-max-bounce-buffer-size",
		     offsetof(PCIDevice, max_bounce_buffer_size));
	check_offset("pci-testdev", "membar", offsetof(struct testdev, membar_size));

	klass = object_class_by_name("pcie-root-port");
	if (!klass)
		refuse("this QEMU has no pcie-root-port");
	pc = (PCIDeviceClass *)klass;
	if (pc->vendor_id != PCI_VENDOR_ID_REDHAT ||
	    pc->device_id != PCI_DEVICE_ID_REDHAT_PCIE_RP)
		refuse("PCIDeviceClass has another layout than in the headers; " REBUILD);
}
