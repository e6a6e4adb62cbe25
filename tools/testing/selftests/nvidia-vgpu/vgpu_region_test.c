// SPDX-License-Identifier: GPL-2.0
/*
 * The memory of a vGPU: what of it there is, who reaches it how, and when.
 *
 *   BAR0  0x00000 ... |0x03000| ... |0x10000| ...       mapped
 *                      faults        MSI-X              read() and write() only
 *   BAR1  0 ... size of the type                        mapped, in huge pages
 *   BAR3                                                mapped
 *
 *   COMMAND.MEM clear, or low power: nothing of it
 */
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/resource.h>

#include "vgpu_test.h"

#define NUM_REGIONS		9
#define MSIX_SIZE		(6 * 16)

FIXTURE(region) {
	struct iommu *iommu;
	struct vfio_pci_device *device;
	int fd;
	off_t bar0, bar1;
	void *map0, *map1;
	uint64_t size1;
};

FIXTURE_SETUP(region)
{
	self->iommu = iommu_init(vgpu_iommu_mode());
	self->device = vfio_pci_device_init(bdf, self->iommu);
	self->fd = self->device->fd;
	self->bar0 = self->device->bars[BAR0].info.offset;
	self->bar1 = self->device->bars[BAR1].info.offset;
	self->map0 = self->device->bars[BAR0].vaddr;
	self->map1 = self->device->bars[BAR1].vaddr;
	self->size1 = self->device->bars[BAR1].info.size;
}

FIXTURE_TEARDOWN(region)
{
	vfio_pci_device_cleanup(self->device);
	iommu_cleanup(self->iommu);
}

/* Room for the answer and its capabilities. */
struct answer {
	struct vfio_region_info info;
	uint64_t caps[32];
};

static int region_info(int fd, uint32_t index, struct answer *answer)
{
	memset(answer, 0xa5, sizeof(*answer));
	answer->info.argsz = sizeof(*answer);
	answer->info.index = index;
	return ioctl(fd, VFIO_DEVICE_GET_REGION_INFO, &answer->info);
}

static struct vfio_info_cap_header *find_cap(struct answer *answer, uint16_t id)
{
	struct vfio_info_cap_header *cap;
	uint32_t at = answer->info.flags & VFIO_REGION_INFO_FLAG_CAPS ?
		answer->info.cap_offset : 0;

	for (; at; at = cap->next) {
		cap = (void *)answer + at;
		if (cap->id == id)
			return cap;
	}
	return NULL;
}

TEST_F(region, info_of_every_index)
{
	const uint32_t rw = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE;
	const uint32_t bad[] = { NUM_REGIONS, NUM_REGIONS + 1, 64, 1 << 24, 1 << 31, ~0U };
	struct answer a;

	EXPECT_EQ(NUM_REGIONS, self->device->info.num_regions);
	ASSERT_EQ(0, region_info(self->fd, VFIO_PCI_BAR0_REGION_INDEX, &a));
	EXPECT_EQ(BAR0_SIZE, a.info.size);
	EXPECT_EQ(rw | VFIO_REGION_INFO_FLAG_MMAP | VFIO_REGION_INFO_FLAG_CAPS, a.info.flags);
	ASSERT_EQ(0, region_info(self->fd, VFIO_PCI_BAR1_REGION_INDEX, &a));
	EXPECT_EQ(type_bar1_size, a.info.size);
	EXPECT_EQ(rw | VFIO_REGION_INFO_FLAG_MMAP, a.info.flags);
	ASSERT_EQ(0, region_info(self->fd, VFIO_PCI_BAR3_REGION_INDEX, &a));
	EXPECT_NE(0, a.info.size);
	EXPECT_EQ(rw | VFIO_REGION_INFO_FLAG_MMAP, a.info.flags);
	/* Upper halves, and what a VF does not have. */
	for (unsigned int i = 2; i <= VFIO_PCI_ROM_REGION_INDEX; i++) {
		if (i == VFIO_PCI_BAR3_REGION_INDEX)
			continue;
		ASSERT_EQ(0, region_info(self->fd, i, &a));
		EXPECT_EQ(0, a.info.size);
		EXPECT_EQ(0, a.info.flags);
	}
	ASSERT_EQ(0, region_info(self->fd, VFIO_PCI_CONFIG_REGION_INDEX, &a));
	EXPECT_EQ(4096, a.info.size);
	EXPECT_EQ(rw, a.info.flags);
	EXPECT_EQ(-1, region_info(self->fd, VFIO_PCI_VGA_REGION_INDEX, &a));
	EXPECT_EQ(EINVAL, errno);
	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_EQ(-1, region_info(self->fd, bad[i], &a));
		EXPECT_EQ(EINVAL, errno);
	}
}

/* The areas of BAR0 are exactly those whose pages can be touched. */
TEST_F(region, bar0_is_mapped_as_it_says)
{
	struct vfio_region_info_cap_sparse_mmap *sparse;
	uint32_t value, boot0;
	struct answer a;

	ASSERT_EQ(0, region_info(self->fd, VFIO_PCI_BAR0_REGION_INDEX, &a));
	sparse = (void *)find_cap(&a, VFIO_REGION_INFO_CAP_SPARSE_MMAP);
	ASSERT_NE(NULL, sparse);
	/* A table that cannot be mapped must not be said to be mappable. */
	EXPECT_EQ(NULL, find_cap(&a, VFIO_REGION_INFO_CAP_MSIX_MAPPABLE));
	EXPECT_EQ(type_max_instance > 1 ? 3 : 2, sparse->nr_areas);
	for (unsigned long page = 0; page < BAR0_SIZE; page += PAGE) {
		bool said = false, trapped;

		for (unsigned int i = 0; i < sparse->nr_areas; i++)
			said |= page >= sparse->areas[i].offset &&
				page + PAGE <= sparse->areas[i].offset + sparse->areas[i].size;
		trapped = page == MSIX_PAGE || (page == FAULT_PAGE && type_max_instance > 1);
		EXPECT_EQ(!trapped, said) {
			TH_LOG("page %#lx", page);
		}
		EXPECT_EQ(!trapped, vgpu_can_read(self->map0 + page, &value)) {
			TH_LOG("page %#lx", page);
		}
	}
	/* A mapping of one such page is one, of nothing. */
	EXPECT_EQ(!(type_max_instance > 1), vgpu_can_write(self->map0 + FAULT_PAGE, 0));
	EXPECT_FALSE(vgpu_can_write(self->map0 + MSIX_PAGE, 0));
	/* Both can be read and written through the file. */
	value = 0;
	EXPECT_EQ(4, pread(self->fd, &value, 4, self->bar0 + FAULT_PAGE));
	EXPECT_EQ(4, pwrite(self->fd, &value, 4, self->bar0 + FAULT_PAGE));
	EXPECT_EQ(4, pread(self->fd, &boot0, 4, self->bar0 + NV_PMC_BOOT_0));
	EXPECT_EQ(boot0, readl(self->map0 + NV_PMC_BOOT_0));
}

/* The host has programmed the table: it reads as ones, and takes nothing. */
TEST_F(region, msix_table_is_the_hosts)
{
	uint8_t table[MSIX_SIZE], zeroes[MSIX_SIZE] = { 0 }, ones[MSIX_SIZE];

	memset(ones, 0xff, sizeof(ones));
	for (int i = 0; i < 2; i++) {
		ASSERT_EQ(MSIX_SIZE, pread(self->fd, table, MSIX_SIZE, self->bar0 + MSIX_PAGE));
		EXPECT_EQ(0, memcmp(ones, table, MSIX_SIZE));
		ASSERT_EQ(MSIX_SIZE,
			  pwrite(self->fd, zeroes, MSIX_SIZE, self->bar0 + MSIX_PAGE));
	}
}

/* FB through the file, any length at any address, and through the mapping. */
TEST_F(region, bar1_accesses_of_every_length)
{
	uint8_t out[40], in[40];

	for (unsigned int len = 1; len <= sizeof(out); len++) {
		for (unsigned int at = 0; at < 9; at++) {
			off_t offset = 3 * PAGE - 16 + at;

			for (unsigned int i = 0; i < len; i++)
				out[i] = 16 * at + 7 * i + len;
			ASSERT_EQ(len, pwrite(self->fd, out, len, self->bar1 + offset));
			ASSERT_EQ(len, pread(self->fd, in, len, self->bar1 + offset));
			ASSERT_EQ(0, memcmp(out, in, len)) {
				TH_LOG("%u bytes at %#lx", len, (unsigned long)offset);
			}
		}
	}
	writel(0x12345678, self->map1 + 5 * PAGE);
	ASSERT_EQ(4, pread(self->fd, in, 4, self->bar1 + 5 * PAGE));
	EXPECT_EQ(0x78, in[0]);
}

TEST_F(region, regions_end_where_they_say)
{
	const struct {
		off_t start;
		uint64_t size;
	} regions[] = {
		{ self->bar0, BAR0_SIZE },
		{ self->bar1, self->size1 },
		{ self->device->bars[3].info.offset, self->device->bars[3].info.size },
	};
	uint8_t bytes[16];

	for (unsigned int i = 0; i < ARRAY_SIZE(regions); i++) {
		off_t end = regions[i].start + regions[i].size;

		EXPECT_EQ(8, pread(self->fd, bytes, 16, end - 8));
		EXPECT_EQ(-1, pread(self->fd, bytes, 1, end));
		EXPECT_EQ(EINVAL, errno);
		EXPECT_EQ(-1, pwrite(self->fd, bytes, 1, end));
		EXPECT_EQ(EINVAL, errno);
		EXPECT_EQ(-1, pread(self->fd, bytes, 8, regions[i].start + (1ULL << 40) - 8));
		EXPECT_EQ(EINVAL, errno);
		EXPECT_EQ(0, pread(self->fd, bytes, 0, regions[i].start));
	}
	EXPECT_EQ(8, pwrite(self->fd, bytes, 16, self->bar1 + self->size1 - 8));
	/* What is not there, whatever its number. */
	for (uint64_t i = 2; i < 1 << 22; i = i < 16 ? i + 1 : i * 2) {
		if (i == VFIO_PCI_BAR3_REGION_INDEX || i == VFIO_PCI_CONFIG_REGION_INDEX)
			continue;
		EXPECT_EQ(-1, pread(self->fd, bytes, 4, i << 40)) {
			TH_LOG("region %llu", (unsigned long long)i);
		}
		EXPECT_EQ(EINVAL, errno);
		EXPECT_EQ(-1, pwrite(self->fd, bytes, 4, i << 40));
		EXPECT_EQ(EINVAL, errno);
	}
}

TEST_F(region, mappings_stay_inside)
{
	const int rw = PROT_READ | PROT_WRITE;
	const struct {
		size_t len;
		int flags;
		off_t offset;
	} bad[] = {
		{ PAGE, MAP_SHARED, self->bar1 + self->size1 },
		{ 2 * PAGE, MAP_SHARED, self->bar1 + self->size1 - PAGE },
		{ self->size1 + PAGE, MAP_SHARED, self->bar1 },
		{ PAGE, MAP_SHARED, self->bar1 + (1ULL << 40) - PAGE },
		{ PAGE, MAP_SHARED, self->bar0 + BAR0_SIZE },
		{ BAR0_SIZE, MAP_SHARED, self->bar0 + PAGE },
		{ PAGE, MAP_PRIVATE, self->bar0 },
		{ PAGE, MAP_PRIVATE, self->bar1 },
		{ PAGE, MAP_SHARED, 2ULL << 40 },
		{ PAGE, MAP_SHARED, 5ULL << 40 },
		{ PAGE, MAP_SHARED, (uint64_t)VFIO_PCI_ROM_REGION_INDEX << 40 },
		{ PAGE, MAP_SHARED, (uint64_t)VFIO_PCI_CONFIG_REGION_INDEX << 40 },
		{ PAGE, MAP_SHARED, (uint64_t)VFIO_PCI_VGA_REGION_INDEX << 40 },
		{ PAGE, MAP_SHARED, 9ULL << 40 },
		{ PAGE, MAP_SHARED, 1ULL << 62 },
	};
	void *map, *first;

	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_EQ(MAP_FAILED, mmap(NULL, bad[i].len, rw, bad[i].flags, self->fd,
					   bad[i].offset)) {
			TH_LOG("number %u", i);
		}
	}
	first = mmap(NULL, PAGE, rw, MAP_SHARED, self->fd, self->bar1 + self->size1 - PAGE);
	ASSERT_NE(MAP_FAILED, first);
	map = mremap(first, PAGE, 2 * PAGE, MREMAP_MAYMOVE);
	EXPECT_EQ(MAP_FAILED, map);
	munmap(first, PAGE);
}

/* Memory that is not enabled is not there, in no way. */
TEST_F(region, memory_enable_counts)
{
	uint8_t bytes[4];
	uint32_t value;
	void *fresh;

	ASSERT_TRUE(vfio_pci_config_readw(self->device, PCI_COMMAND) & PCI_COMMAND_MEMORY);
	fresh = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, self->fd, self->bar1 + 2 * PAGE);
	ASSERT_NE(MAP_FAILED, fresh);
	for (int i = 0; i < 2; i++) {
		writel(0xabcd0000 + i, self->map1 + PAGE);
		vgpu_set_memory(self->device, false);
		EXPECT_FALSE(vfio_pci_config_readw(self->device, PCI_COMMAND) &
			     PCI_COMMAND_MEMORY);
		EXPECT_FALSE(vgpu_can_read(self->map1 + PAGE, &value));
		EXPECT_FALSE(vgpu_can_write(self->map1 + PAGE, 0));
		EXPECT_FALSE(vgpu_can_read(fresh, &value));
		EXPECT_FALSE(vgpu_can_read(self->map0 + NV_PMC_BOOT_0, &value));
		for (int bar = 0; bar < 4; bar++) {
			off_t offset = self->device->bars[bar].info.offset;

			if (bar == 2)
				continue;
			EXPECT_EQ(-1, pread(self->fd, bytes, 4, offset));
			EXPECT_EQ(EIO, errno);
			EXPECT_EQ(-1, pwrite(self->fd, bytes, 4, offset));
			EXPECT_EQ(EIO, errno);
		}
		vgpu_set_memory(self->device, true);
		ASSERT_TRUE(vgpu_can_read(self->map1 + PAGE, &value));
		EXPECT_EQ(0xabcd0000 + i, value);
		EXPECT_TRUE(vgpu_can_read(self->map0 + NV_PMC_BOOT_0, &value));
		EXPECT_EQ(4, pread(self->fd, bytes, 4, self->bar1));
	}
	/* One byte of the register is enough. */
	vfio_pci_config_writeb(self->device, PCI_COMMAND, 0);
	EXPECT_FALSE(vgpu_can_read(self->map1, &value));
	vfio_pci_config_writeb(self->device, PCI_COMMAND, PCI_COMMAND_MEMORY);
	EXPECT_TRUE(vgpu_can_read(self->map1, &value));
	/* The other byte has nothing to do with it. */
	vfio_pci_config_writeb(self->device, PCI_COMMAND + 1, 0);
	EXPECT_TRUE(vgpu_can_read(self->map1, &value));
	munmap(fresh, PAGE);
}

static long minor_faults(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_minflt;
}

/* 4 MiB of BAR1, page by page: two pages where the addresses are aligned. */
TEST_F(region, bar1_comes_in_huge_pages)
{
	const size_t len = SZ_4M;
	void *reserved, *aligned, *skewed;
	long before, faults;
	uint32_t value;

	reserved = mmap(NULL, 3 * len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, reserved);
	aligned = (void *)(((uintptr_t)reserved + SZ_2M - 1) & ~(SZ_2M - 1UL));
	ASSERT_EQ(aligned, mmap(aligned, len, PROT_READ, MAP_SHARED | MAP_FIXED, self->fd,
				self->bar1));
	madvise(aligned, len, MADV_HUGEPAGE);
	before = minor_faults();
	for (size_t at = 0; at < len; at += PAGE)
		ASSERT_TRUE(vgpu_can_read(aligned + at, &value));
	faults = minor_faults() - before;
	EXPECT_LT(faults, 64);

	skewed = aligned + PAGE;
	ASSERT_EQ(skewed, mmap(skewed, len, PROT_READ, MAP_SHARED | MAP_FIXED, self->fd,
			       self->bar1));
	madvise(skewed, len, MADV_HUGEPAGE);
	before = minor_faults();
	for (size_t at = 0; at < len; at += PAGE)
		ASSERT_TRUE(vgpu_can_read(skewed + at, &value));
	EXPECT_GE(minor_faults() - before, len / PAGE);
	munmap(reserved, 3 * len);
}

/* A user that puts its device to sleep must not touch it. */
TEST_F(region, low_power)
{
	const uint32_t entry = VFIO_DEVICE_FEATURE_SET | VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY;
	const uint32_t exit = VFIO_DEVICE_FEATURE_SET | VFIO_DEVICE_FEATURE_LOW_POWER_EXIT;
	uint32_t value;

	ASSERT_EQ(0, vgpu_feature(self->fd, entry | VFIO_DEVICE_FEATURE_PROBE, NULL, 0));
	writel(0x51eeb000, self->map1);
	writel(0x51eeb001, self->map0 + SCRATCH(8));
	for (int i = 0; i < 2; i++) {
		ASSERT_EQ(0, vgpu_feature(self->fd, entry, NULL, 0));
		EXPECT_EQ(-1, vgpu_feature(self->fd, entry, NULL, 0));
		EXPECT_EQ(EINVAL, errno);
		EXPECT_FALSE(vgpu_can_read(self->map1, &value));
		EXPECT_FALSE(vgpu_can_read(self->map0 + NV_PMC_BOOT_0, &value));
		/* The file wakes it up for as long as it takes. */
		EXPECT_EQ(type_device, vfio_pci_config_readw(self->device, PCI_DEVICE_ID));
		EXPECT_EQ(4, pread(self->fd, &value, 4, self->bar1));
		EXPECT_EQ(0x51eeb000, value);
		EXPECT_FALSE(vgpu_can_read(self->map1, &value));
		ASSERT_EQ(0, vgpu_feature(self->fd, exit, NULL, 0));
		ASSERT_TRUE(vgpu_can_read(self->map1, &value));
		EXPECT_EQ(0x51eeb000, value);
		ASSERT_TRUE(vgpu_can_read(self->map0 + SCRATCH(8), &value));
		EXPECT_EQ(0x51eeb001, value);
	}
	/* It may be closed asleep, by the end of the test. */
	EXPECT_EQ(0, vgpu_feature(self->fd, entry, NULL, 0));
}

TEST_F(region, low_power_with_wakeup)
{
	const uint32_t entry = VFIO_DEVICE_FEATURE_SET |
		VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY_WITH_WAKEUP;
	struct vfio_device_low_power_entry_with_wakeup wakeup = {
		.wakeup_eventfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
	};
	uint32_t value;

	ASSERT_GE(wakeup.wakeup_eventfd, 0);
	ASSERT_EQ(0, vgpu_feature(self->fd, entry, &wakeup, sizeof(wakeup)));
	EXPECT_EQ(0, vgpu_feature(self->fd, VFIO_DEVICE_FEATURE_SET |
			     VFIO_DEVICE_FEATURE_LOW_POWER_EXIT, NULL, 0));
	EXPECT_TRUE(vgpu_can_read(self->map1, &value));
	wakeup.wakeup_eventfd = -1;
	EXPECT_EQ(-1, vgpu_feature(self->fd, entry, &wakeup, sizeof(wakeup)));
	EXPECT_TRUE(vgpu_can_read(self->map1, &value));
}

/* D3hot takes the memory away, and keeps what is in it. */
TEST_F(region, d3hot)
{
	struct vfio_pci_device *d = self->device;
	uint8_t at = vgpu_find_pm(d);
	uint32_t value;
	uint16_t pmcsr;

	if (!at)
		SKIP(return, "VFs of this GPU have no power management");
	pmcsr = vfio_pci_config_readw(d, at + PCI_PM_CTRL);
	EXPECT_EQ(0, pmcsr & PCI_PM_CTRL_STATE_MASK);
	for (int i = 0; i < 2; i++) {
		writel(0xd3000000 + i, self->map1);
		writel(0xd3000010 + i, self->map0 + SCRATCH(8));
		vfio_pci_config_writew(d, at + PCI_PM_CTRL, pmcsr | D3HOT);
		EXPECT_EQ(D3HOT, vfio_pci_config_readw(d, at + PCI_PM_CTRL) &
			  PCI_PM_CTRL_STATE_MASK);
		EXPECT_EQ(type_device, vfio_pci_config_readw(d, PCI_DEVICE_ID));
		EXPECT_FALSE(vgpu_can_read(self->map1, &value));
		EXPECT_FALSE(vgpu_can_read(self->map0 + SCRATCH(8), &value));
		EXPECT_EQ(-1, pread(self->fd, &value, 4, self->bar1));
		EXPECT_EQ(EIO, errno);
		EXPECT_EQ(-1, pwrite(self->fd, &value, 4, self->bar0 + SCRATCH(8)));
		EXPECT_EQ(EIO, errno);
		vfio_pci_config_writew(d, at + PCI_PM_CTRL, pmcsr);
		ASSERT_TRUE(vgpu_can_read(self->map1, &value));
		EXPECT_EQ(0xd3000000 + i, value);
		ASSERT_TRUE(vgpu_can_read(self->map0 + SCRATCH(8), &value));
		EXPECT_EQ(0xd3000010 + i, value);
	}
	/* It may be closed asleep, by the end of the test. */
	vfio_pci_config_writew(d, at + PCI_PM_CTRL, pmcsr | D3HOT);
}

int main(int argc, char *argv[])
{
	return vgpu_test_main(argc, argv);
}
