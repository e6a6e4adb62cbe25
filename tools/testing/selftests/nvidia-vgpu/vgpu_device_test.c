// SPDX-License-Identifier: GPL-2.0
/*
 * What a VMM finds when it opens a vGPU, with the kernel's own VFIO test
 * library (tools/testing/selftests/vfio/lib).
 *
 *   config space   ids and subsystem of the type, class, capabilities, COMMAND
 *   BAR0           registers of the VF
 *   BAR1           size of the type, bounds, contents through mmap() and read()
 *   MSI-X          capability, eventfds, an interrupt that the device raises
 *   reset          VFIO_DEVICE_RESET, function level reset
 *
 * Every test opens the device anew, which makes a new vGPU. Arguments: vgpu_test.h.
 */
#include <sys/eventfd.h>

#include "vgpu_test.h"

#define CLASS_3D_CONTROLLER	0x0302

/* Registers of the VF in BAR0 (NVIDIA open-gpu-doc, ampere dev_vm.ref.txt). */
#define PMC_BOOT_0_ARCH_ADA	0x19
#define INTR_LEAF(i)		(0x1000 + 4 * (i))
#define INTR_LEAF_EN_SET(i)	(0x1200 + 4 * (i))
#define INTR_TOP_EN_SET		0x1608
#define INTR_LEAF_TRIGGER	0x1640

/* Interrupt 0 is bit 0 of leaf 0, which subtree 0 reports. */
#define TEST_VECTOR		0

FIXTURE(vgpu) {
	struct iommu *iommu;
	struct vfio_pci_device *device;
	int fd;
	uint64_t bar1_size;
	off_t bar1_offset;
	void *bar1;
};

FIXTURE_SETUP(vgpu)
{
	self->iommu = iommu_init(vgpu_iommu_mode());
	self->device = vfio_pci_device_init(bdf, self->iommu);
	self->fd = self->device->fd;
	self->bar1_size = self->device->bars[BAR1].info.size;
	self->bar1_offset = self->device->bars[BAR1].info.offset;
	self->bar1 = self->device->bars[BAR1].vaddr;
	vfio_pci_cmd_set(self->device, PCI_COMMAND_MEMORY);
}

FIXTURE_TEARDOWN(vgpu)
{
	vfio_pci_device_cleanup(self->device);
	iommu_cleanup(self->iommu);
}

static uint32_t bar0_read(struct vfio_pci_device *device, unsigned long offset)
{
	return readl(device->bars[BAR0].vaddr + offset);
}

static void bar0_write(struct vfio_pci_device *device, unsigned long offset, uint32_t value)
{
	writel(value, device->bars[BAR0].vaddr + offset);
}

/* Offset of a capability, or 0. A list that does not end is no list. */
static uint8_t find_capability(struct vfio_pci_device *device, uint8_t id)
{
	uint8_t at = vfio_pci_config_readb(device, PCI_CAPABILITY_LIST);

	for (int i = 0; at && i < 48; i++) {
		if (vfio_pci_config_readb(device, at) == id)
			return at;
		at = vfio_pci_config_readb(device, at + PCI_CAP_LIST_NEXT);
	}
	return 0;
}

TEST_F(vgpu, ids_are_those_of_the_type)
{
	struct vfio_pci_device *d = self->device;

	EXPECT_EQ(PCI_VENDOR_ID_NVIDIA, vfio_pci_config_readw(d, PCI_VENDOR_ID));
	EXPECT_EQ(type_device, vfio_pci_config_readw(d, PCI_DEVICE_ID));
	EXPECT_EQ(CLASS_3D_CONTROLLER, vfio_pci_config_readw(d, PCI_CLASS_DEVICE));
	EXPECT_EQ(PCI_HEADER_TYPE_NORMAL,
		  vfio_pci_config_readb(d, PCI_HEADER_TYPE) & PCI_HEADER_TYPE_MASK);
	EXPECT_EQ(PCI_VENDOR_ID_NVIDIA, vfio_pci_config_readw(d, PCI_SUBSYSTEM_VENDOR_ID));
	EXPECT_EQ(type_subsystem, vfio_pci_config_readw(d, PCI_SUBSYSTEM_ID));
}

/* Whatever part of a register a read covers, it shows the same bytes. */
TEST_F(vgpu, config_reads_of_every_width_agree)
{
	struct vfio_pci_device *d = self->device;
	uint8_t whole[PCI_STD_HEADER_SIZEOF], bytes[PCI_STD_HEADER_SIZEOF];
	off_t config = d->config_space.offset;

	ASSERT_EQ(sizeof(whole), pread(self->fd, whole, sizeof(whole), config));
	for (unsigned int i = 0; i < sizeof(bytes); i++)
		bytes[i] = vfio_pci_config_readb(d, i);
	EXPECT_EQ(0, memcmp(whole, bytes, sizeof(bytes)));
	for (unsigned int i = 0; i + 2 <= sizeof(bytes); i++) {
		uint8_t pair[2];

		ASSERT_EQ(2, pread(self->fd, pair, 2, config + i));
		EXPECT_EQ(0, memcmp(whole + i, pair, 2)) {
			TH_LOG("two bytes at %#x", i);
		}
	}
}

TEST_F(vgpu, ids_cannot_be_written)
{
	struct vfio_pci_device *d = self->device;

	vfio_pci_config_writel(d, PCI_VENDOR_ID, 0);
	vfio_pci_config_writel(d, PCI_SUBSYSTEM_VENDOR_ID, 0);
	vfio_pci_config_writel(d, PCI_CLASS_REVISION, 0);
	EXPECT_EQ(PCI_VENDOR_ID_NVIDIA, vfio_pci_config_readw(d, PCI_VENDOR_ID));
	EXPECT_EQ(type_device, vfio_pci_config_readw(d, PCI_DEVICE_ID));
	EXPECT_EQ(type_subsystem, vfio_pci_config_readw(d, PCI_SUBSYSTEM_ID));
	EXPECT_EQ(CLASS_3D_CONTROLLER, vfio_pci_config_readw(d, PCI_CLASS_DEVICE));
}

TEST_F(vgpu, bar1_has_the_size_of_the_type)
{
	struct vfio_pci_device *d = self->device;
	uint32_t low, high;
	uint64_t mask;

	EXPECT_EQ(type_bar1_size, self->bar1_size);
	EXPECT_TRUE(d->bars[BAR1].info.flags & VFIO_REGION_INFO_FLAG_MMAP);

	/* A guest finds the size as for any BAR. */
	vfio_pci_config_writel(d, PCI_BASE_ADDRESS_1, ~0);
	vfio_pci_config_writel(d, PCI_BASE_ADDRESS_2, ~0);
	low = vfio_pci_config_readl(d, PCI_BASE_ADDRESS_1);
	high = vfio_pci_config_readl(d, PCI_BASE_ADDRESS_2);
	EXPECT_EQ(PCI_BASE_ADDRESS_SPACE_MEMORY | PCI_BASE_ADDRESS_MEM_TYPE_64 |
		  PCI_BASE_ADDRESS_MEM_PREFETCH, low & 0xf);
	mask = (uint64_t)high << 32 | (low & PCI_BASE_ADDRESS_MEM_MASK);
	EXPECT_EQ(type_bar1_size, ~mask + 1);

	/* An address reads back as far as the size lets it, in any width. */
	vfio_pci_config_writel(d, PCI_BASE_ADDRESS_1, 0xf0000000);
	vfio_pci_config_writew(d, PCI_BASE_ADDRESS_2, 0x0038);
	vfio_pci_config_writew(d, PCI_BASE_ADDRESS_2 + 2, 0);
	mask = 0x38f0000000ULL & ~(type_bar1_size - 1);
	EXPECT_EQ((uint32_t)mask | 0xc, vfio_pci_config_readl(d, PCI_BASE_ADDRESS_1));
	EXPECT_EQ(mask >> 32, vfio_pci_config_readl(d, PCI_BASE_ADDRESS_2));
}

TEST_F(vgpu, bar1_keeps_what_is_written)
{
	/* How much of its FB a vGPU gets depends on ECC; half of it is there. */
	const uint64_t end = min(self->bar1_size, type_fb_size / 2);
	const uint64_t at[] = { 0, PAGE - 4, SZ_2M, end / 2, end - 4 };
	uint32_t word;

	ASSERT_NE(NULL, self->bar1);
	for (unsigned int i = 0; i < ARRAY_SIZE(at); i++)
		writel(0xc0de0000 + i, self->bar1 + at[i]);
	for (unsigned int i = 0; i < ARRAY_SIZE(at); i++) {
		EXPECT_EQ(0xc0de0000 + i, readl(self->bar1 + at[i]));
		ASSERT_EQ(4, pread(self->fd, &word, 4, self->bar1_offset + at[i]));
		EXPECT_EQ(0xc0de0000 + i, word);
	}
	word = 0xfeedbeef;
	ASSERT_EQ(4, pwrite(self->fd, &word, 4, self->bar1_offset + SZ_1M));
	EXPECT_EQ(0xfeedbeef, readl(self->bar1 + SZ_1M));
}

/* BAR1 may be larger than the vGPU's FB, and does not reach anybody else's. */
TEST_F(vgpu, bar1_shows_nothing_behind_its_fb)
{
	uint64_t last = self->bar1_size - 4;
	uint32_t word;

	if (self->bar1_size < type_fb_size + type_fb_size / 4)
		SKIP(return, "BAR1 is not larger than FB");
	writel(0, self->bar1 + last);
	EXPECT_EQ(~0U, readl(self->bar1 + last));
	ASSERT_EQ(4, pread(self->fd, &word, 4, self->bar1_offset + last));
	EXPECT_EQ(~0U, word);
}

TEST_F(vgpu, bar1_ends_at_its_size)
{
	off_t end = self->bar1_offset + self->bar1_size;
	uint8_t bytes[16];
	void *map;

	EXPECT_EQ(-1, pread(self->fd, bytes, 4, end));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, pwrite(self->fd, bytes, 4, end));
	EXPECT_EQ(EINVAL, errno);
	/* What begins inside is cut off at the end. */
	EXPECT_EQ(8, pread(self->fd, bytes, 16, end - 8));

	map = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, self->fd, end);
	EXPECT_EQ(MAP_FAILED, map);
	EXPECT_EQ(EINVAL, errno);
	map = mmap(NULL, 2 * PAGE, PROT_READ, MAP_SHARED, self->fd, end - PAGE);
	EXPECT_EQ(MAP_FAILED, map);
	EXPECT_EQ(EINVAL, errno);
}

TEST_F(vgpu, bar0_shows_an_ada_gpu)
{
	struct vfio_region_info *info = &self->device->bars[BAR0].info;
	uint32_t boot0, word;

	ASSERT_NE(NULL, self->device->bars[BAR0].vaddr);
	boot0 = bar0_read(self->device, NV_PMC_BOOT_0);
	EXPECT_EQ(PMC_BOOT_0_ARCH_ADA, boot0 >> 24);
	ASSERT_EQ(4, pread(self->fd, &word, 4, info->offset + NV_PMC_BOOT_0));
	EXPECT_EQ(boot0, word);
	EXPECT_EQ(-1, pread(self->fd, &word, 4, info->offset + info->size));
}

TEST_F(vgpu, command_register_works)
{
	struct vfio_pci_device *d = self->device;

	/* Function level reset at the first open cleared it. */
	EXPECT_FALSE(vfio_pci_config_readw(d, PCI_COMMAND) & PCI_COMMAND_MASTER);
	for (int i = 0; i < 2; i++) {
		vfio_pci_cmd_set(d, PCI_COMMAND_MASTER);
		EXPECT_TRUE(vfio_pci_config_readw(d, PCI_COMMAND) & PCI_COMMAND_MASTER);
		vfio_pci_cmd_clear(d, PCI_COMMAND_MASTER);
		EXPECT_FALSE(vfio_pci_config_readw(d, PCI_COMMAND) & PCI_COMMAND_MASTER);
	}
	/* A write of one byte is enough. */
	vfio_pci_config_writeb(d, PCI_COMMAND, PCI_COMMAND_MASTER | PCI_COMMAND_MEMORY);
	EXPECT_TRUE(vfio_pci_config_readw(d, PCI_COMMAND) & PCI_COMMAND_MASTER);
}

TEST_F(vgpu, capabilities_are_pcie_and_msix)
{
	struct vfio_pci_device *d = self->device;
	uint8_t msix = find_capability(d, PCI_CAP_ID_MSIX);
	uint16_t flags;

	EXPECT_TRUE(vfio_pci_config_readw(d, PCI_STATUS) & PCI_STATUS_CAP_LIST);
	EXPECT_NE(0, find_capability(d, PCI_CAP_ID_EXP));
	ASSERT_NE(0, msix);
	flags = vfio_pci_config_readw(d, msix + PCI_MSIX_FLAGS);
	EXPECT_EQ(d->msix_info.count, (flags & PCI_MSIX_FLAGS_QSIZE) + 1);
	EXPECT_EQ(BAR0, vfio_pci_config_readl(d, msix + PCI_MSIX_TABLE) & PCI_MSIX_TABLE_BIR);
	EXPECT_EQ(BAR0, vfio_pci_config_readl(d, msix + PCI_MSIX_PBA) & PCI_MSIX_PBA_BIR);
}

TEST_F(vgpu, the_device_raises_msix)
{
	struct vfio_pci_device *d = self->device;
	uint64_t count = 0;

	vfio_pci_cmd_set(d, PCI_COMMAND_MASTER);
	vfio_pci_msix_enable(d, 0, d->msix_info.count);
	fcntl_set_nonblock(d->msi_eventfds[0]);
	EXPECT_EQ(-1, read(d->msi_eventfds[0], &count, sizeof(count)));

	bar0_write(d, INTR_LEAF_EN_SET(0), 1 << TEST_VECTOR);
	bar0_write(d, INTR_TOP_EN_SET, 1);
	bar0_write(d, INTR_LEAF_TRIGGER, TEST_VECTOR);
	/* Posted: the read waits for the write, and the message is ahead of it. */
	EXPECT_EQ(1U << TEST_VECTOR, bar0_read(d, INTR_LEAF(0)) & (1U << TEST_VECTOR));
	for (int i = 0; i < 1000 && !count; i++) {
		if (read(d->msi_eventfds[0], &count, sizeof(count)) < 0)
			usleep(1000);
	}
	EXPECT_EQ(1, count);
	bar0_write(d, INTR_LEAF(0), 1 << TEST_VECTOR);
	EXPECT_EQ(0, bar0_read(d, INTR_LEAF(0)) & (1U << TEST_VECTOR));
	vfio_pci_msix_disable(d);
}

/* What the guest has done to its device before a reset. */
static void leave_traces(struct vfio_pci_device *device, void *bar1, uint64_t end)
{
	vfio_pci_cmd_set(device, PCI_COMMAND_MASTER);
	bar0_write(device, INTR_LEAF_EN_SET(0), 1);
	writel(0x600d0000, bar1);
	writel(0x600d0001, bar1 + end - 4);
}

TEST_F(vgpu, reset_keeps_the_vgpu_and_nothing_of_the_guest)
{
	const uint64_t end = min(self->bar1_size, type_fb_size / 2);
	struct vfio_pci_device *d = self->device;

	ASSERT_TRUE(d->info.flags & VFIO_DEVICE_FLAGS_RESET);
	for (int i = 0; i < 2; i++) {
		leave_traces(d, self->bar1, end);
		vfio_pci_device_reset(d);
		EXPECT_EQ(0, bar0_read(d, INTR_LEAF_EN_SET(0)));
		EXPECT_EQ(0, readl(self->bar1));
		EXPECT_EQ(0, readl(self->bar1 + end - 4));
		EXPECT_EQ(type_device, vfio_pci_config_readw(d, PCI_DEVICE_ID));
	}
}

TEST_F(vgpu, function_level_reset_by_the_guest)
{
	const uint64_t end = min(self->bar1_size, type_fb_size / 2);
	struct vfio_pci_device *d = self->device;
	uint8_t pcie = find_capability(d, PCI_CAP_ID_EXP);
	uint16_t control;

	ASSERT_NE(0, pcie);
	ASSERT_TRUE(vfio_pci_config_readl(d, pcie + PCI_EXP_DEVCAP) & PCI_EXP_DEVCAP_FLR);
	leave_traces(d, self->bar1, end);
	control = vfio_pci_config_readw(d, pcie + PCI_EXP_DEVCTL);
	vfio_pci_config_writew(d, pcie + PCI_EXP_DEVCTL, control | PCI_EXP_DEVCTL_BCR_FLR);
	EXPECT_EQ(0, bar0_read(d, INTR_LEAF_EN_SET(0)));
	EXPECT_EQ(0, readl(self->bar1));
	EXPECT_EQ(0, readl(self->bar1 + end - 4));
	EXPECT_EQ(type_device, vfio_pci_config_readw(d, PCI_DEVICE_ID));
}

int main(int argc, char *argv[])
{
	return vgpu_test_main(argc, argv);
}
