// SPDX-License-Identifier: GPL-2.0
/*
 * Reads, writes and mappings that are out of bounds, of regions that there are not,
 * or to memory of the caller that is not there.
 *
 *   vfio_access_test BDF
 */
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/pci_regs.h>
#include <linux/vfio.h>

#include <libvfio.h>

#include "kselftest_harness.h"

#include "vfio_misuse.h"

/* errno of one access; 0 when bytes were moved. */
static int access_error(int fd, bool write, void *buffer, size_t size, off_t offset)
{
	ssize_t done = write ? pwrite(fd, buffer, size, offset) : pread(fd, buffer, size, offset);

	return done < 0 ? errno : 0;
}

TEST_F(vfio, accesses_out_of_bounds)
{
	/* Without an address there is no BAR: a register of its own, or the upper half. */
	const off_t none[] = {
		REGION(VFIO_PCI_BAR2_REGION_INDEX), REGION(VFIO_PCI_BAR4_REGION_INDEX),
		REGION(VFIO_PCI_BAR5_REGION_INDEX), REGION(VFIO_PCI_ROM_REGION_INDEX),
		REGION(VFIO_PCI_VGA_REGION_INDEX), REGION(VFIO_PCI_NUM_REGIONS),
		REGION(0x100), REGION(0x7fffff), INT64_MAX - 8,
	};
	const off_t config = REGION(VFIO_PCI_CONFIG_REGION_INDEX);
	uint8_t buffer[16] = {};

	for (int write = 0; write < 2; write++) {
		for (size_t i = 0; i < ARRAY_SIZE(none); i++) {
			EXPECT_EQ(EINVAL, access_error(self->fd, write, buffer, 4, none[i]))
				TH_LOG("offset %#lx", none[i]);
		}
		EXPECT_EQ(EINVAL, access_error(self->fd, write, buffer, 4, -4));
		/* An access that begins behind config space, or ends there. */
		EXPECT_EQ(EFAULT, access_error(self->fd, write, buffer, 1, config + CONFIG_SIZE));
		EXPECT_EQ(EFAULT, access_error(self->fd, write, buffer, 4,
					       config + CONFIG_SIZE - 2));
		EXPECT_EQ(EFAULT, access_error(self->fd, write, buffer, 4, config + CONFIG_SIZE -
					       1 + (1UL << (REGION_SHIFT - 1))));
	}
	for (size_t i = 0; i < sizeof(buffer); i++)
		EXPECT_EQ(0, buffer[i]);
}

/* Memory of the caller that is not there: nothing is half written. */
TEST_F(vfio, accesses_to_bad_memory)
{
	const off_t config = REGION(VFIO_PCI_CONFIG_REGION_INDEX);
	const off_t bar0 = REGION(VFIO_PCI_BAR0_REGION_INDEX);
	void *none = self->page + PAGE;

	vfio_pci_cmd_set(self->device, PCI_COMMAND_MEMORY);
	for (int write = 0; write < 2; write++) {
		EXPECT_EQ(EFAULT, access_error(self->fd, write, none, 4, config + PCI_COMMAND));
		EXPECT_EQ(EFAULT, access_error(self->fd, write, (void *)UINTPTR_MAX, 2,
					       config + PCI_COMMAND));
		EXPECT_EQ(EFAULT, access_error(self->fd, write, none, 8,
					       config + PCI_BASE_ADDRESS_1));
		EXPECT_EQ(EFAULT, access_error(self->fd, write, none, 4, bar0));
	}
	/* A register that is written over the end of the caller's memory. */
	memset(self->page, 0xff, PAGE);
	EXPECT_EQ(EFAULT, access_error(self->fd, true, none - 1, 8, config + PCI_BASE_ADDRESS_1));
	vfio_pci_config_writeb(self->device, PCI_COMMAND, self->before.config[PCI_COMMAND]);
}

static int map_error(int fd, size_t size, int prot, int flags, off_t offset)
{
	void *at = mmap(NULL, size, prot, flags, fd, offset);

	if (at == MAP_FAILED)
		return errno;
	munmap(at, size);
	return 0;
}

TEST_F(vfio, mappings_out_of_bounds)
{
	const int rw = PROT_READ | PROT_WRITE;

	for (int i = 0; i <= VFIO_PCI_NUM_REGIONS; i++) {
		const struct vfio_region_info *r = &self->before.regions[i];
		const off_t at = REGION(i);
		uint64_t size;
		void *map;

		if (i == VFIO_PCI_NUM_REGIONS || r->flags == UINT32_MAX ||
		    !(r->flags & VFIO_REGION_INFO_FLAG_MMAP)) {
			EXPECT_EQ(EINVAL, map_error(self->fd, PAGE, rw, MAP_SHARED, at))
				TH_LOG("region %d", i);
			continue;
		}
		size = r->size;
		EXPECT_EQ(0, map_error(self->fd, size, rw, MAP_SHARED, at));
		EXPECT_EQ(0, map_error(self->fd, PAGE, rw, MAP_SHARED, at + size - PAGE));
		EXPECT_EQ(EINVAL, map_error(self->fd, PAGE, rw, MAP_PRIVATE, at));
		EXPECT_EQ(EINVAL, map_error(self->fd, size + PAGE, rw, MAP_SHARED, at));
		EXPECT_EQ(EINVAL, map_error(self->fd, size, rw, MAP_SHARED, at + PAGE));
		EXPECT_EQ(EINVAL, map_error(self->fd, 2 * PAGE, rw, MAP_SHARED, at + size - PAGE));
		EXPECT_EQ(EINVAL, map_error(self->fd, PAGE, rw, MAP_SHARED, at + size));
		EXPECT_EQ(EINVAL, map_error(self->fd, PAGE, rw, MAP_SHARED, at + REGION(1) - PAGE));
		EXPECT_EQ(EINVAL, map_error(self->fd, PAGE, rw, MAP_SHARED, at + 1));
		EXPECT_EQ(EINVAL, map_error(self->fd, 0, rw, MAP_SHARED, at));

		/* A mapping does not grow beyond what was checked. */
		map = mmap(NULL, PAGE, rw, MAP_SHARED, self->fd, at + size - PAGE);
		ASSERT_NE(MAP_FAILED, map);
		EXPECT_EQ(MAP_FAILED, mremap(map, PAGE, 2 * PAGE, MREMAP_MAYMOVE));
		munmap(map, PAGE);
	}
}
