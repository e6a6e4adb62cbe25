// SPDX-License-Identifier: GPL-2.0
/*
 * Configuration space of a vGPU, all 4096 bytes of it.
 *
 *   sysfs  "config" of the VF  --- rules below --->  what a guest must read
 *   device file, region 7      ------------------->  what it does read
 *
 *   0x00 ids, 0x2c subsystem     the type's
 *   0x04..0x0c, BAR0, BAR3       virtual, or the VF's
 *   0x14 BAR1                    the type's size
 *   capabilities                 PCIe, MSI-X, PM, AER, ATS; linked to one another
 *   everything else              0, and writes go nowhere
 */
#include <fcntl.h>

#include "vgpu_test.h"

#define SPACE		4096
#define CLASS_3D	0x0302

/* Who answers for a byte. */
enum owner {
	NOBODY,
	TYPE,		/* the vGPU type, or the list of capabilities */
	VIRTUAL,	/* VFIO, which does not show the hardware's */
	HARDWARE,
};

FIXTURE(config) {
	struct iommu *iommu;
	struct vfio_pci_device *device;
	int fd;
	off_t offset;
	uint8_t hardware[SPACE];
	uint8_t owner[SPACE];
};

/* Configuration space as root sees it in sysfs. */
static void read_sysfs(const char *name, uint8_t *space)
{
	char path[256];
	int fd;

	snprintf_assert(path, sizeof(path), "/sys/bus/pci/devices/%s/config", name);
	fd = open(path, O_RDONLY);
	VFIO_ASSERT_GE(fd, 0);
	VFIO_ASSERT_EQ(pread(fd, space, SPACE, 0), SPACE);
	close(fd);
}

static uint32_t word(const uint8_t *bytes)
{
	return bytes[0] | bytes[1] << 8 | bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

static void owns(uint8_t *owner, unsigned int start, unsigned int end, enum owner who)
{
	memset(owner + start, who, end - start);
}

/* Bytes of a capability that a guest is shown, or 0. */
static unsigned int shown(const uint8_t *cap)
{
	switch (cap[0]) {
	case PCI_CAP_ID_EXP:
		return (cap[PCI_EXP_FLAGS] & PCI_EXP_FLAGS_VERS) < 2 ?
			PCI_CAP_EXP_ENDPOINT_SIZEOF_V1 : PCI_CAP_EXP_ENDPOINT_SIZEOF_V2;
	case PCI_CAP_ID_MSIX:
		return PCI_CAP_MSIX_SIZEOF;
	case PCI_CAP_ID_PM:
		return cap[PCI_PM_CTRL] & PCI_PM_CTRL_NO_SOFT_RESET ? PCI_PM_SIZEOF : 0;
	default:
		return 0;
	}
}

static unsigned int ext_shown(uint32_t header)
{
	switch (PCI_EXT_CAP_ID(header)) {
	case PCI_EXT_CAP_ID_ERR:
		return PCI_ERR_ROOT_COMMAND;
	case PCI_EXT_CAP_ID_ATS:
		return PCI_EXT_CAP_ATS_SIZEOF;
	default:
		return 0;
	}
}

/* The rules, for the lists that the VF has. */
static void find_owners(const uint8_t *vf, uint8_t *owner)
{
	unsigned int at, len;

	memset(owner, NOBODY, SPACE);
	owns(owner, PCI_VENDOR_ID, PCI_COMMAND, TYPE);
	owns(owner, PCI_COMMAND, PCI_STATUS, VIRTUAL);
	owns(owner, PCI_STATUS, PCI_CACHE_LINE_SIZE, HARDWARE);
	owns(owner, PCI_BASE_ADDRESS_0, PCI_BASE_ADDRESS_5, VIRTUAL);
	owns(owner, PCI_BASE_ADDRESS_1, PCI_BASE_ADDRESS_3, TYPE);
	owns(owner, PCI_SUBSYSTEM_VENDOR_ID, PCI_ROM_ADDRESS, TYPE);
	owns(owner, PCI_CAPABILITY_LIST, PCI_CAPABILITY_LIST + 1, TYPE);
	owns(owner, PCI_INTERRUPT_LINE, PCI_INTERRUPT_PIN, VIRTUAL);
	for (at = vf[PCI_CAPABILITY_LIST]; at; at = vf[at + PCI_CAP_LIST_NEXT]) {
		len = shown(vf + at);
		owns(owner, at, at + len, HARDWARE);
		if (len)
			owns(owner, at, at + PCI_CAP_FLAGS, TYPE);
		/* Payload size and what a guest cannot have are VFIO's. */
		if (vf[at] == PCI_CAP_ID_EXP)
			owns(owner, at + PCI_EXP_DEVCTL, at + PCI_EXP_DEVSTA, VIRTUAL);
	}
	for (at = PCI_CFG_SPACE_SIZE; at; at = PCI_EXT_CAP_NEXT(word(vf + at))) {
		len = ext_shown(word(vf + at));
		owns(owner, at, at + len, HARDWARE);
		if (len)
			owns(owner, at, at + 4, TYPE);
	}
}

FIXTURE_SETUP(config)
{
	self->iommu = iommu_init(vgpu_iommu_mode());
	self->device = vfio_pci_device_init(bdf, self->iommu);
	self->fd = self->device->fd;
	self->offset = self->device->config_space.offset;
	read_sysfs(bdf, self->hardware);
	find_owners(self->hardware, self->owner);
}

FIXTURE_TEARDOWN(config)
{
	vfio_pci_device_cleanup(self->device);
	iommu_cleanup(self->iommu);
}

/* Every offset in widths 1, 2 and 4, and all at once, show the same bytes. */
TEST_F(config, reads_of_every_width_at_every_offset)
{
	uint8_t whole[SPACE], part[4];

	ASSERT_EQ(SPACE, pread(self->fd, whole, SPACE, self->offset));
	for (unsigned int width = 1; width <= 4; width *= 2) {
		for (unsigned int at = 0; at + width <= SPACE; at++) {
			ASSERT_EQ(width, pread(self->fd, part, width, self->offset + at)) {
				TH_LOG("%u bytes at %#x", width, at);
			}
			ASSERT_EQ(0, memcmp(whole + at, part, width)) {
				TH_LOG("%u bytes at %#x", width, at);
			}
		}
	}
}

TEST_F(config, every_byte_is_what_it_must_be)
{
	uint8_t whole[SPACE];

	ASSERT_EQ(SPACE, pread(self->fd, whole, SPACE, self->offset));
	EXPECT_EQ(PCI_VENDOR_ID_NVIDIA | (uint32_t)type_device << 16, word(whole));
	EXPECT_EQ(PCI_VENDOR_ID_NVIDIA | (uint32_t)type_subsystem << 16,
		  word(whole + PCI_SUBSYSTEM_VENDOR_ID));
	EXPECT_EQ(CLASS_3D, word(whole + PCI_CLASS_REVISION) >> 16);
	for (unsigned int at = 0; at < SPACE; at++) {
		if (self->owner[at] == NOBODY) {
			EXPECT_EQ(0, whole[at]) {
				TH_LOG("at %#x", at);
			}
		}
		if (self->owner[at] == HARDWARE) {
			EXPECT_EQ(self->hardware[at], whole[at]) {
				TH_LOG("at %#x", at);
			}
		}
	}
	/* What there is to hide in the emulated VF, or in a real one. */
	EXPECT_NE(0, memcmp(whole, self->hardware, SPACE));
}

/* Nothing but what is shown is in the lists, all of it, and they end. */
TEST_F(config, lists_lead_to_what_is_shown)
{
	unsigned int at, found, expected, count;
	uint8_t whole[SPACE];

	ASSERT_EQ(SPACE, pread(self->fd, whole, SPACE, self->offset));
	EXPECT_TRUE(whole[PCI_STATUS] & PCI_STATUS_CAP_LIST);

	found = 0;
	count = 0;
	for (at = whole[PCI_CAPABILITY_LIST]; at; at = whole[at + PCI_CAP_LIST_NEXT]) {
		ASSERT_LT(count++, 48);
		EXPECT_GE(at, PCI_STD_HEADER_SIZEOF);
		EXPECT_NE(0, shown(self->hardware + at)) {
			TH_LOG("capability %#x at %#x", whole[at], at);
		}
		EXPECT_EQ(self->hardware[at], whole[at]);
		found++;
	}
	expected = 0;
	for (at = self->hardware[PCI_CAPABILITY_LIST]; at;
	     at = self->hardware[at + PCI_CAP_LIST_NEXT])
		expected += !!shown(self->hardware + at);
	EXPECT_EQ(expected, found);

	found = 0;
	count = 0;
	for (at = PCI_CFG_SPACE_SIZE; at; at = PCI_EXT_CAP_NEXT(word(whole + at))) {
		ASSERT_LT(count++, 960);
		ASSERT_GE(at, PCI_CFG_SPACE_SIZE);
		/* The first one may be there for the list only. */
		if (!PCI_EXT_CAP_ID(word(whole + at)) && at == PCI_CFG_SPACE_SIZE)
			continue;
		EXPECT_NE(0, ext_shown(word(whole + at))) {
			TH_LOG("extended capability %#x at %#x", word(whole + at), at);
		}
		EXPECT_EQ(word(self->hardware + at) & 0xfffff, word(whole + at) & 0xfffff);
		found++;
	}
	expected = 0;
	for (at = PCI_CFG_SPACE_SIZE; at; at = PCI_EXT_CAP_NEXT(word(self->hardware + at)))
		expected += !!ext_shown(word(self->hardware + at));
	EXPECT_EQ(expected, found);
}

/*
 * All ones and all zeroes to every byte that is nobody's or the type's, in every
 * width: neither the guest's view nor the VF or its PF changes.
 */
TEST_F(config, writes_to_what_is_not_shown_go_nowhere)
{
	uint8_t before[SPACE], after[SPACE], pf_before[SPACE], pf_after[SPACE];
	const uint32_t values[] = { ~0U, 0 };
	char pf[64];

	snprintf_assert(pf, sizeof(pf), "%s/physfn", bdf);
	read_sysfs(pf, pf_before);
	ASSERT_EQ(SPACE, pread(self->fd, before, SPACE, self->offset));
	for (unsigned int i = 0; i < ARRAY_SIZE(values); i++) {
		for (unsigned int width = 1; width <= 4; width *= 2) {
			for (unsigned int at = 0; at + width <= SPACE; at++) {
				bool skip = false;

				for (unsigned int byte = at; byte < at + width; byte++)
					skip |= self->owner[byte] > TYPE ||
						(byte >= PCI_BASE_ADDRESS_1 &&
						 byte < PCI_BASE_ADDRESS_3);
				if (skip)
					continue;
				ASSERT_EQ(width, pwrite(self->fd, values + i, width,
							self->offset + at)) {
					TH_LOG("%u bytes at %#x", width, at);
				}
			}
		}
		ASSERT_EQ(SPACE, pread(self->fd, after, SPACE, self->offset));
		EXPECT_EQ(0, memcmp(before, after, SPACE));
		read_sysfs(bdf, after);
		EXPECT_EQ(0, memcmp(self->hardware, after, SPACE));
		read_sysfs(pf, pf_after);
		EXPECT_EQ(0, memcmp(pf_before, pf_after, SPACE));
	}
}

/*
 * The same to what is shown, but for function level reset, which has tests of its
 * own: what belongs to the type stays, and the PF does not notice.
 */
TEST_F(config, writes_to_what_is_shown_stay_in_the_vf)
{
	uint8_t before[SPACE], after[SPACE], pf_before[SPACE], pf_after[SPACE];
	unsigned int devctl = 0;
	char pf[64];

	for (unsigned int at = self->hardware[PCI_CAPABILITY_LIST]; at;
	     at = self->hardware[at + PCI_CAP_LIST_NEXT])
		if (self->hardware[at] == PCI_CAP_ID_EXP)
			devctl = at + PCI_EXP_DEVCTL;
	ASSERT_NE(0, devctl);
	snprintf_assert(pf, sizeof(pf), "%s/physfn", bdf);
	read_sysfs(pf, pf_before);
	ASSERT_EQ(SPACE, pread(self->fd, before, SPACE, self->offset));
	for (unsigned int i = 0; i < 2; i++) {
		for (unsigned int at = 0; at < SPACE; at++) {
			uint8_t value = i ? 0 : 0xff;

			if (self->owner[at] < VIRTUAL)
				continue;
			if (at == devctl + 1)
				value &= ~(PCI_EXP_DEVCTL_BCR_FLR >> 8);
			ASSERT_EQ(1, pwrite(self->fd, &value, 1, self->offset + at)) {
				TH_LOG("at %#x", at);
			}
		}
		ASSERT_EQ(SPACE, pread(self->fd, after, SPACE, self->offset));
		for (unsigned int at = 0; at < SPACE; at++) {
			if (self->owner[at] >= VIRTUAL)
				continue;
			EXPECT_EQ(before[at], after[at]) {
				TH_LOG("at %#x", at);
			}
		}
		read_sysfs(pf, pf_after);
		EXPECT_EQ(0, memcmp(pf_before, pf_after, SPACE));
	}
}

/* Each BAR as a driver sizes it, by words, bytes, and one 8-byte write. */
TEST_F(config, bars_are_sized)
{
	const uint64_t ones = ~0ULL;
	uint64_t value;
	uint32_t low;

	for (unsigned int i = 0; i < PCI_STD_NUM_BARS; i++) {
		uint64_t size = self->device->bars[i].info.size;
		off_t bar = self->offset + PCI_BASE_ADDRESS_0 + 4 * i;

		ASSERT_EQ(4, pread(self->fd, &low, 4, bar));
		if (low & PCI_BASE_ADDRESS_MEM_TYPE_64) {
			ASSERT_EQ(8, pwrite(self->fd, &ones, 8, bar));
			ASSERT_EQ(8, pread(self->fd, &value, 8, bar));
			EXPECT_EQ(size, ~(value & ~0xfULL) + 1) {
				TH_LOG("BAR %u", i);
			}
			for (unsigned int byte = 0; byte < 8; byte++) {
				uint8_t part = 0x11 * byte;

				ASSERT_EQ(1, pwrite(self->fd, &part, 1, bar + byte));
			}
			ASSERT_EQ(8, pread(self->fd, &value, 8, bar));
			EXPECT_EQ((0x7766554433221100ULL & ~(size - 1)) | (low & 0xf), value);
			i++;
			continue;
		}
		ASSERT_EQ(4, pwrite(self->fd, &ones, 4, bar));
		ASSERT_EQ(4, pread(self->fd, &low, 4, bar));
		EXPECT_EQ(size, size ? ~(low & ~0xfU) + 1U : low);
	}
	EXPECT_EQ(type_bar1_size, self->device->bars[BAR1].info.size);
	/* A BAR1 that is not written lower half first. */
	value = 0x10;
	ASSERT_EQ(4, pwrite(self->fd, &value, 4, self->offset + PCI_BASE_ADDRESS_2));
	value = 0;
	ASSERT_EQ(4, pwrite(self->fd, &value, 4, self->offset + PCI_BASE_ADDRESS_1));
	ASSERT_EQ(8, pread(self->fd, &value, 8, self->offset + PCI_BASE_ADDRESS_1));
	EXPECT_EQ((0x10ULL << 32 & ~(type_bar1_size - 1)) | 0xc, value);
}

/* An access that leaves the space fails as a whole, as it does on every VFIO device. */
TEST_F(config, there_is_nothing_behind_the_end)
{
	const struct {
		off_t start;
		size_t len;
	} outside[] = { { SPACE, 1 }, { SPACE - 4, 8 }, { SPACE - 1, 2 }, { 0, SPACE + 1 } };
	uint8_t bytes[SPACE + 1] = { 0 }, zeroes[SPACE + 1] = { 0 };

	for (unsigned int i = 0; i < ARRAY_SIZE(outside); i++) {
		off_t at = self->offset + outside[i].start;

		EXPECT_EQ(-1, pread(self->fd, bytes, outside[i].len, at));
		EXPECT_EQ(EFAULT, errno);
		EXPECT_EQ(0, memcmp(bytes, zeroes, sizeof(bytes)));
		EXPECT_EQ(-1, pwrite(self->fd, bytes, outside[i].len, at));
		EXPECT_EQ(EFAULT, errno);
	}
	EXPECT_EQ(0, pread(self->fd, bytes, 0, self->offset));
	EXPECT_EQ(0, pwrite(self->fd, bytes, 0, self->offset));
}

/* A buffer that is not all there: an error, and no byte behind its end. */
TEST_F(config, bad_buffers_are_errors)
{
	uint8_t *pages = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT_NE(MAP_FAILED, pages);
	ASSERT_EQ(0, munmap(pages + PAGE, PAGE));
	for (unsigned int at = 0; at < 0x48; at++) {
		EXPECT_EQ(-1, pread(self->fd, pages + PAGE - 2, 4, self->offset + at));
		EXPECT_EQ(EFAULT, errno);
	}
	EXPECT_EQ(-1, pwrite(self->fd, pages + PAGE - 2, 4, self->offset + PCI_BASE_ADDRESS_1));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(-1, pwrite(self->fd, pages + PAGE, 2, self->offset + PCI_COMMAND));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(0, vfio_pci_config_readw(self->device, PCI_COMMAND) & PCI_COMMAND_MASTER);
	munmap(pages, PAGE);
}

int main(int argc, char *argv[])
{
	return vgpu_test_main(argc, argv);
}
