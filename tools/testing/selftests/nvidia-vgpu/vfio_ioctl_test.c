// SPDX-License-Identifier: GPL-2.0
/*
 * What a VFIO device says of itself, its regions and its interrupts, to callers
 * that give too little room, bad pointers and numbers that there are not; and the
 * ioctls that there are not.
 *
 *   vfio_ioctl_test BDF
 */
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/vfio.h>

#include <libvfio.h>

#include "kselftest_harness.h"

#include "vfio_misuse.h"

TEST_F(vfio, device_info)
{
	const size_t minsz = offsetof(struct vfio_device_info, cap_offset);
	struct vfio_device_info info = { .argsz = minsz };
	struct vfio_device_info *copy;

	EXPECT_EFAULT(VFIO_DEVICE_GET_INFO, info, minsz);
	for (info.argsz = 0; info.argsz < minsz; info.argsz++)
		EXPECT_REFUSED(EINVAL, VFIO_DEVICE_GET_INFO, info);

	/* Of a short struct nothing behind its end is written: there is no page. */
	copy = at_end(self->page, &info, minsz);
	ASSERT_EQ(0, ioctl(self->fd, VFIO_DEVICE_GET_INFO, copy));
	EXPECT_TRUE(copy->flags & VFIO_DEVICE_FLAGS_PCI);
	EXPECT_TRUE(copy->flags & VFIO_DEVICE_FLAGS_RESET);
	EXPECT_EQ(VFIO_PCI_NUM_REGIONS, copy->num_regions);
	EXPECT_EQ(VFIO_PCI_NUM_IRQS, copy->num_irqs);

	/* Nor of a long one; what the caller had in it does not matter, nor where it is. */
	memset(self->page, 0xff, PAGE);
	copy = (void *)(self->page + 1);
	copy->argsz = sizeof(*copy);
	ASSERT_EQ(0, ioctl(self->fd, VFIO_DEVICE_GET_INFO, copy));
	EXPECT_EQ(0, memcmp(&self->before.info, copy, sizeof(*copy)));
	EXPECT_EQ(0xff, self->page[1 + sizeof(*copy)]);
}

TEST_F(vfio, region_info)
{
	struct vfio_region_info info = { .argsz = sizeof(info) };
	const uint32_t none[] = { VFIO_PCI_NUM_REGIONS, 64, 1 << 24, INT32_MAX, UINT32_MAX };

	EXPECT_EFAULT(VFIO_DEVICE_GET_REGION_INFO, info, sizeof(info));
	for (size_t i = 0; i < ARRAY_SIZE(none); i++) {
		info.index = none[i];
		EXPECT_REFUSED(EINVAL, VFIO_DEVICE_GET_REGION_INFO, info);
	}
	for (info.index = 0; info.index < VFIO_PCI_NUM_REGIONS; info.index++) {
		for (info.argsz = 0; info.argsz < sizeof(info); info.argsz++)
			EXPECT_REFUSED(EINVAL, VFIO_DEVICE_GET_REGION_INFO, info);
	}

	for (uint32_t i = 0; i < VFIO_PCI_NUM_REGIONS; i++) {
		const struct vfio_region_info *r = &self->before.regions[i];

		if (i == VFIO_PCI_VGA_REGION_INDEX) {
			EXPECT_EQ(UINT32_MAX, r->flags);
			continue;
		}
		EXPECT_EQ(REGION(i), r->offset);
		if (i == VFIO_PCI_CONFIG_REGION_INDEX) {
			EXPECT_EQ(CONFIG_SIZE, r->size);
			EXPECT_EQ(VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE,
				  r->flags);
		} else if (r->size) {
			EXPECT_TRUE(r->flags & VFIO_REGION_INFO_FLAG_READ);
			EXPECT_EQ(0, r->size & (r->size - 1));
		} else {
			EXPECT_EQ(0, r->flags);
		}
	}
}

/* Capabilities of a region are given whole or not at all, and say how long they are. */
TEST_F(vfio, region_capabilities)
{
	for (uint32_t i = 0; i < VFIO_PCI_NUM_REGIONS; i++) {
		const struct vfio_region_info *r = &self->before.regions[i];
		struct vfio_region_info info = { .index = i }, *copy;
		struct vfio_info_cap_header *cap;
		int caps = 0;

		if (r->flags == UINT32_MAX || !(r->flags & VFIO_REGION_INFO_FLAG_CAPS))
			continue;
		/* The snapshot had no room for them. */
		EXPECT_EQ(0, r->cap_offset);
		ASSERT_GT(r->argsz, sizeof(info));
		ASSERT_LT(r->argsz, PAGE);

		for (info.argsz = sizeof(info); info.argsz < r->argsz; info.argsz++) {
			copy = at_end(self->page, &info, sizeof(info));
			ASSERT_EQ(0, ioctl(self->fd, VFIO_DEVICE_GET_REGION_INFO, copy));
			EXPECT_EQ(r->argsz, copy->argsz);
			EXPECT_EQ(0, copy->cap_offset);
		}
		/* It says that there is room, and there is not. */
		copy = at_end(self->page, &info, sizeof(info));
		EXPECT_EQ(-1, ioctl(self->fd, VFIO_DEVICE_GET_REGION_INFO, copy));
		EXPECT_EQ(EFAULT, errno);

		copy = (void *)(self->page + PAGE - r->argsz);
		memcpy(copy, &info, sizeof(info));
		ASSERT_EQ(0, ioctl(self->fd, VFIO_DEVICE_GET_REGION_INFO, copy));
		for (uint32_t at = copy->cap_offset; at; at = cap->next) {
			ASSERT_GE(at, sizeof(info));
			ASSERT_LE(at + sizeof(*cap), r->argsz);
			ASSERT_LT(caps++, 8);
			cap = (void *)copy + at;
		}
		EXPECT_GT(caps, 0);
	}
}

TEST_F(vfio, irq_info)
{
	const uint32_t none[] = { VFIO_PCI_NUM_IRQS, 64, INT32_MAX, UINT32_MAX };
	struct vfio_irq_info info = { .argsz = sizeof(info) };
	const struct vfio_irq_info *irqs = self->before.irqs;

	EXPECT_EFAULT(VFIO_DEVICE_GET_IRQ_INFO, info, sizeof(info));
	for (size_t i = 0; i < ARRAY_SIZE(none); i++) {
		info.index = none[i];
		EXPECT_REFUSED(EINVAL, VFIO_DEVICE_GET_IRQ_INFO, info);
	}
	info.index = VFIO_PCI_MSIX_IRQ_INDEX;
	for (info.argsz = 0; info.argsz < sizeof(info); info.argsz++)
		EXPECT_REFUSED(EINVAL, VFIO_DEVICE_GET_IRQ_INFO, info);

	/* A VF has no INTx, and this one no MSI. */
	EXPECT_EQ(0, irqs[VFIO_PCI_INTX_IRQ_INDEX].count);
	EXPECT_EQ(0, irqs[VFIO_PCI_MSI_IRQ_INDEX].count);
	EXPECT_GT(irqs[VFIO_PCI_MSIX_IRQ_INDEX].count, 0);
	EXPECT_EQ(1, irqs[VFIO_PCI_ERR_IRQ_INDEX].count);
	EXPECT_EQ(1, irqs[VFIO_PCI_REQ_IRQ_INDEX].count);
	for (int i = 0; i < VFIO_PCI_NUM_IRQS; i++)
		EXPECT_TRUE(irqs[i].flags & VFIO_IRQ_INFO_EVENTFD);
}

/* DEVICE_RESET has no argument: whatever is given is not looked at. */
TEST_F(vfio, reset)
{
	int busy = 20;

	while (ioctl(self->fd, VFIO_DEVICE_RESET, (void *)UINTPTR_MAX) && errno == EAGAIN && busy--)
		usleep(10000);
	EXPECT_GT(busy, 0);
}

/*
 * A reset of the bus would hit the PF and all other VFs, which are not the
 * caller's. What it would hit is told to nobody who has no room for it.
 */
TEST_F(vfio, hot_reset)
{
	struct vfio_pci_hot_reset_info info = { .argsz = sizeof(info) };
	struct {
		struct vfio_pci_hot_reset reset;
		int32_t groups[2];
	} hot = { .reset = { .argsz = sizeof(hot) } };
	const size_t reset_size = sizeof(hot.reset);
	int err;

	EXPECT_EFAULT(VFIO_DEVICE_GET_PCI_HOT_RESET_INFO, info, sizeof(info));
	for (info.argsz = 0; info.argsz < sizeof(info); info.argsz++)
		EXPECT_REFUSED(EINVAL, VFIO_DEVICE_GET_PCI_HOT_RESET_INFO, info);
	err = ioctl(self->fd, VFIO_DEVICE_GET_PCI_HOT_RESET_INFO, &info) ? errno : 0;
	EXPECT_EQ(ENOSPC, err);
	EXPECT_GT(info.count, 1);

	EXPECT_EFAULT(VFIO_DEVICE_PCI_HOT_RESET, hot, reset_size);
	for (hot.reset.argsz = 0; hot.reset.argsz < reset_size; hot.reset.argsz++)
		EXPECT_REFUSED(EINVAL, VFIO_DEVICE_PCI_HOT_RESET, hot);
	hot.reset.argsz = sizeof(hot);
	hot.reset.flags = 1;
	EXPECT_REFUSED(EINVAL, VFIO_DEVICE_PCI_HOT_RESET, hot);
	hot.reset.flags = 0;
	/* None of the groups that it takes, or what is no group. */
	EXPECT_REFUSED(EINVAL, VFIO_DEVICE_PCI_HOT_RESET, hot);
	if (is_cdev(self->iommu)) {
		hot.reset.count = 1;
		EXPECT_REFUSED(EINVAL, VFIO_DEVICE_PCI_HOT_RESET, hot);
	} else {
		hot.reset.count = 1;
		hot.groups[0] = NOT_OPEN;
		EXPECT_REFUSED(EBADF, VFIO_DEVICE_PCI_HOT_RESET, hot);
		hot.groups[0] = self->device->group_fd;
		EXPECT_REFUSED(EINVAL, VFIO_DEVICE_PCI_HOT_RESET, hot);
		hot.reset.count = UINT32_MAX;
		EXPECT_REFUSED(EINVAL, VFIO_DEVICE_PCI_HOT_RESET, hot);
	}
}

/* The physical BAR could be larger than what the guest has of it: there are none. */
TEST_F(vfio, ioeventfd)
{
	struct vfio_device_ioeventfd ioeventfd = {
		.argsz = sizeof(ioeventfd),
		.flags = VFIO_DEVICE_IOEVENTFD_32,
		.offset = REGION(VFIO_PCI_BAR0_REGION_INDEX),
		.fd = eventfd(0, EFD_CLOEXEC),
	};

	ASSERT_GE(ioeventfd.fd, 0);
	EXPECT_REFUSED(ENOTTY, VFIO_DEVICE_IOEVENTFD, ioeventfd);
	ioeventfd.offset = REGION(VFIO_PCI_BAR1_REGION_INDEX) +
			   self->before.regions[VFIO_PCI_BAR1_REGION_INDEX].size;
	EXPECT_REFUSED(ENOTTY, VFIO_DEVICE_IOEVENTFD, ioeventfd);
	ioeventfd.argsz = 0;
	EXPECT_REFUSED(ENOTTY, VFIO_DEVICE_IOEVENTFD, ioeventfd);
	close(ioeventfd.fd);
}

/* No ioctl but those of the device file, with an argument or without. */
TEST_F(vfio, unknown_ioctls)
{
	const unsigned long known[] = {
		VFIO_DEVICE_GET_INFO, VFIO_DEVICE_GET_REGION_INFO, VFIO_DEVICE_GET_IRQ_INFO,
		VFIO_DEVICE_SET_IRQS, VFIO_DEVICE_RESET, VFIO_DEVICE_GET_PCI_HOT_RESET_INFO,
		VFIO_DEVICE_PCI_HOT_RESET, VFIO_DEVICE_FEATURE, VFIO_DEVICE_BIND_IOMMUFD,
		VFIO_DEVICE_ATTACH_IOMMUFD_PT, VFIO_DEVICE_DETACH_IOMMUFD_PT,
	};
	uint8_t zeroes[64] = {};

	for (unsigned int nr = 0; nr < 256; nr++) {
		const unsigned long cmd = _IO(VFIO_TYPE, nr);
		bool skip = false;

		for (size_t i = 0; i < ARRAY_SIZE(known); i++)
			skip |= known[i] == cmd;
		if (skip)
			continue;
		EXPECT_REFUSED(ENOTTY, cmd, zeroes) TH_LOG("number %#x", nr);
		EXPECT_EQ(-1, ioctl(self->fd, cmd, NULL));
		EXPECT_EQ(ENOTTY, errno);
		/* The same number with a direction and a size is another ioctl. */
		EXPECT_REFUSED(ENOTTY, _IOWR(VFIO_TYPE, nr, zeroes), zeroes);
	}
	for (unsigned int type = 0; type < 256; type++) {
		if (type != VFIO_TYPE)
			EXPECT_REFUSED(ENOTTY, _IO(type, VFIO_BASE), zeroes);
	}
}
