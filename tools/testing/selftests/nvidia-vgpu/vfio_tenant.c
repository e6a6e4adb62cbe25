// SPDX-License-Identifier: GPL-2.0
/*
 * A tenant of a vGPU that leaves marks wherever it can write, or the next one
 * that looks for them.
 *
 *   vfio_tenant BDF mark   SEED    writes, and says where it reads its marks
 *   vfio_tenant BDF stay   SEED    the same, and then waits to be killed
 *   vfio_tenant BDF search SEED    finds one: says where, exit status 1
 *
 *   BAR1   all of the first and last MiB, and one word of each page between
 *          (mapped), which is the tenant's frame buffer
 *   BAR0   mailbox registers
 *   config every byte that can be written, but for COMMAND and the BARs
 *   MSI-X  address and data of each vector
 *
 * A mark is made of SEED and its place, so that neither zeroes nor what the
 * device has by itself can be taken for one.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/pci_regs.h>
#include <linux/vfio.h>

#include "../../lib/vfio_cdev.h"

#define PAGE		4096UL
#define MIB		(1024UL * 1024)
#define BAR0		VFIO_PCI_BAR0_REGION_INDEX
#define BAR1		VFIO_PCI_BAR1_REGION_INDEX
#define CONFIG		VFIO_PCI_CONFIG_REGION_INDEX
/* Mailboxes of a VF (NVIDIA open-gpu-doc, dev_vm.ref.txt). */
#define MAILBOX		0x2100
#define MAILBOXES	4
#define MSIX_TABLE	0x10000
#define MSIX_ENTRIES	6
/* After the standard header, before the extended space. */
#define CONFIG_FROM	0x40
#define CONFIG_TO	0x100

static int device = -1, iommufd = -1;
static uint32_t seed;
static unsigned long marks, found;

static int fail(const char *what)
{
	fprintf(stderr, "vfio_tenant: %s: %s\n", what, strerror(errno));
	return 2;
}

static uint32_t mark(int region, uint64_t offset)
{
	uint64_t x = ((uint64_t)seed << 32 | (offset & 0xffffffff)) ^ (uint64_t)region << 56;

	x = (x ^ x >> 31) * 0x7fb5d329728ea185ULL;
	x = (x ^ x >> 27) * 0x81dadef4bc2dd44dULL;
	x ^= x >> 33;
	/* Neither zero nor what a bus without a device says. */
	return (x | 1) & ~2U;
}

static void see(const char *where, int region, uint64_t offset, uint32_t word)
{
	if (word != mark(region, offset))
		return;
	if (++found <= 16)
		printf("# mark in %s at %#llx: %#x\n", where, (unsigned long long)offset, word);
}

static off_t region_offset(uint32_t index, uint64_t *size)
{
	struct vfio_region_info info = { .argsz = sizeof(info), .index = index };

	if (ioctl(device, VFIO_DEVICE_GET_REGION_INFO, &info) || !info.size)
		return -1;
	if (size)
		*size = info.size;
	return info.offset;
}

/* Bytes to the next word of BAR1 that is used. */
static uint64_t step(uint64_t at, uint64_t size)
{
	/* Another word in each page. */
	return at < MIB || at >= size - MIB ? 4 : PAGE + 4;
}

static int use_bar1(int write)
{
	uint64_t size;
	off_t offset = region_offset(BAR1, &size);
	uint8_t *bar;

	if (offset < 0)
		return fail("BAR1");
	bar = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, device, offset);
	if (bar == MAP_FAILED)
		return fail("map BAR1");
	for (uint64_t at = 0; write && at + 4 <= size; at += step(at, size)) {
		__atomic_store_n((uint32_t *)(bar + at), mark(BAR1, at), __ATOMIC_RELAXED);
		marks++;
	}
	for (uint64_t at = 0; at + 4 <= size; at += step(at, size))
		see("BAR1", BAR1, at, __atomic_load_n((uint32_t *)(bar + at), __ATOMIC_RELAXED));
	munmap(bar, size);
	return 0;
}

/* A word of a region through read() and write(), which may refuse. */
static void use_word(const char *where, int index, off_t region, uint64_t at, int write)
{
	uint32_t word = mark(index, at);

	if (write && pwrite(device, &word, sizeof(word), region + at) == sizeof(word))
		marks++;
	if (pread(device, &word, sizeof(word), region + at) == sizeof(word))
		see(where, index, at, word);
}

static int use_registers(int write)
{
	off_t bar0 = region_offset(BAR0, NULL), config = region_offset(CONFIG, NULL);

	if (bar0 < 0 || config < 0)
		return fail("regions");
	for (int i = 0; i < MAILBOXES; i++)
		use_word("mailbox", BAR0, bar0, MAILBOX + 4 * i, write);
	for (int i = 0; i < 4 * MSIX_ENTRIES; i++)
		use_word("MSI-X table", BAR0, bar0, MSIX_TABLE + 4 * i, write);
	for (uint64_t at = CONFIG_FROM; at < CONFIG_TO; at += 4)
		use_word("config space", CONFIG, config, at, write);
	return 0;
}

static int set_memory(void)
{
	off_t config = region_offset(CONFIG, NULL);
	uint16_t command = PCI_COMMAND_MEMORY;

	if (config < 0 || pwrite(device, &command, sizeof(command), config + PCI_COMMAND) !=
	    sizeof(command))
		return fail("COMMAND");
	return 0;
}

static int open_device(const char *bdf)
{
	char path[512];

	if (vfio_cdev_path(bdf, path, sizeof(path)))
		return fail(bdf);
	return vfio_cdev_open(path, &device, &iommufd) ? fail(path) : 0;
}

int main(int argc, char **argv)
{
	int write, stay;

	if (argc != 4 || (strcmp(argv[2], "mark") && strcmp(argv[2], "stay") &&
			  strcmp(argv[2], "search"))) {
		fprintf(stderr, "usage: vfio_tenant BDF mark|stay|search SEED\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	stay = !strcmp(argv[2], "stay");
	write = stay || !strcmp(argv[2], "mark");
	seed = strtoul(argv[3], NULL, 0);
	if (open_device(argv[1]))
		return 2;
	/* Before anything is reset by being set up: what the new tenant finds. */
	if (!write && (use_registers(0) || set_memory() || use_bar1(0) || use_registers(0)))
		return 2;
	if (write && (set_memory() || use_bar1(1) || use_registers(1)))
		return 2;
	printf("written %lu found %lu\n", marks, found);
	while (stay)
		pause();
	return write ? !found : !!found;
}
