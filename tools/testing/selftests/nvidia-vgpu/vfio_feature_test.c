// SPDX-License-Identifier: GPL-2.0
/*
 * DEVICE_FEATURE and the ioctls that bind a device to iommufd: features that are
 * missing, operations that a feature has not, short and bad arguments; and the one
 * feature that does something, low power.
 *
 *   vfio_feature_test BDF
 */
#include <errno.h>
#include <stdint.h>
#include <sys/ioctl.h>

#include <linux/vfio.h>

#include <libvfio.h>

#include "kselftest_harness.h"

#include "vfio_misuse.h"

struct feature {
	struct vfio_device_feature header;
	uint8_t data[64];
};

#define GET	VFIO_DEVICE_FEATURE_GET
#define SET	VFIO_DEVICE_FEATURE_SET
#define PROBE	VFIO_DEVICE_FEATURE_PROBE

TEST_F(vfio, feature_header)
{
	const size_t header = sizeof(struct vfio_device_feature);
	struct feature feature = {
		.header = {
			.argsz = header,
			.flags = PROBE | SET | VFIO_DEVICE_FEATURE_LOW_POWER_EXIT,
		},
	};

	EXPECT_EFAULT(VFIO_DEVICE_FEATURE, feature, header);
	for (feature.header.argsz = 0; feature.header.argsz < header; feature.header.argsz++)
		EXPECT_REFUSED(EINVAL, VFIO_DEVICE_FEATURE, feature);
	for (int bit = 19; bit < 32; bit++) {
		feature.header.flags = PROBE | SET | VFIO_DEVICE_FEATURE_LOW_POWER_EXIT | 1U << bit;
		EXPECT_REFUSED(EINVAL, VFIO_DEVICE_FEATURE, feature);
	}
	feature.header.argsz = sizeof(feature);
	for (uint32_t index = 0; index < 32; index++) {
		feature.header.flags = GET | SET | index;
		EXPECT_REFUSED(EINVAL, VFIO_DEVICE_FEATURE, feature);
	}
}

/* Features that a vGPU has not are not there for any operation or size. */
TEST_F(vfio, features_that_are_missing)
{
	const uint32_t operations[] = { PROBE, PROBE | GET, PROBE | SET, GET, SET };
	const uint32_t missing[] = {
		VFIO_DEVICE_FEATURE_PCI_VF_TOKEN, VFIO_DEVICE_FEATURE_MIGRATION,
		VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE, VFIO_DEVICE_FEATURE_DMA_LOGGING_START,
		VFIO_DEVICE_FEATURE_DMA_LOGGING_STOP, VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT,
		VFIO_DEVICE_FEATURE_MIG_DATA_SIZE, VFIO_DEVICE_FEATURE_BUS_MASTER,
		13, 14, 15, 0x7fff, 0xffff,
	};
	struct feature feature = {};

	for (size_t i = 0; i < ARRAY_SIZE(missing); i++) {
		for (size_t j = 0; j < ARRAY_SIZE(operations); j++) {
			feature.header.flags = operations[j] | missing[i];
			feature.header.argsz = sizeof(feature.header);
			EXPECT_REFUSED(ENOTTY, VFIO_DEVICE_FEATURE, feature)
				TH_LOG("feature %u, operation %#x", missing[i], operations[j]);
			feature.header.argsz = sizeof(feature);
			EXPECT_REFUSED(ENOTTY, VFIO_DEVICE_FEATURE, feature);
		}
	}
}

TEST_F(vfio, low_power)
{
	struct {
		struct vfio_device_feature header;
		struct vfio_device_low_power_entry_with_wakeup entry;
	} feature = { .header = { .argsz = sizeof(feature) } };
	const uint32_t indices[] = {
		VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY,
		VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY_WITH_WAKEUP,
		VFIO_DEVICE_FEATURE_LOW_POWER_EXIT,
	};

	for (size_t i = 0; i < ARRAY_SIZE(indices); i++) {
		feature.header.flags = PROBE | SET | indices[i];
		EXPECT_EQ(0, ioctl(self->fd, VFIO_DEVICE_FEATURE, &feature));
		feature.header.flags = PROBE | GET | indices[i];
		EXPECT_REFUSED(EINVAL, VFIO_DEVICE_FEATURE, feature);
		feature.header.flags = GET | indices[i];
		EXPECT_REFUSED(EINVAL, VFIO_DEVICE_FEATURE, feature);
		feature.header.flags = indices[i];
		EXPECT_REFUSED(EINVAL, VFIO_DEVICE_FEATURE, feature);
	}

	feature.header.flags = SET | VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY_WITH_WAKEUP;
	feature.header.argsz = sizeof(feature) - 1;
	EXPECT_REFUSED(EINVAL, VFIO_DEVICE_FEATURE, feature);
	feature.header.argsz = sizeof(feature);
	feature.entry.wakeup_eventfd = -1;
	EXPECT_REFUSED(EINVAL, VFIO_DEVICE_FEATURE, feature);
	feature.entry.wakeup_eventfd = NOT_OPEN;
	EXPECT_REFUSED(EBADF, VFIO_DEVICE_FEATURE, feature);
	EXPECT_EQ(EFAULT, refused(self->fd, VFIO_DEVICE_FEATURE, self->page, &feature,
				  sizeof(feature) - 1));

	/* Entered once; every access wakes the device, which is what it was. */
	feature.header.flags = SET | VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY;
	ASSERT_EQ(0, ioctl(self->fd, VFIO_DEVICE_FEATURE, &feature));
	EXPECT_REFUSED(EINVAL, VFIO_DEVICE_FEATURE, feature);
	EXPECT_EQ(NULL, changed(self->fd, &self->before));
	feature.header.flags = SET | VFIO_DEVICE_FEATURE_LOW_POWER_EXIT;
	EXPECT_EQ(0, ioctl(self->fd, VFIO_DEVICE_FEATURE, &feature));
	EXPECT_EQ(0, ioctl(self->fd, VFIO_DEVICE_FEATURE, &feature));
}

TEST_F(vfio, iommufd)
{
	struct vfio_device_bind_iommufd bind = { .argsz = sizeof(bind) };
	struct vfio_device_attach_iommufd_pt attach = { .argsz = sizeof(attach) };
	struct vfio_device_detach_iommufd_pt detach = { .argsz = sizeof(detach) };
	const size_t attach_min = offsetof(struct vfio_device_attach_iommufd_pt, pasid);
	const size_t detach_min = offsetof(struct vfio_device_detach_iommufd_pt, pasid);
	const size_t bind_min = offsetof(struct vfio_device_bind_iommufd, token_uuid_ptr);

	bind.iommufd = self->iommu->iommufd;
	EXPECT_REFUSED(EINVAL, VFIO_DEVICE_BIND_IOMMUFD, bind);
	for (bind.argsz = 0; bind.argsz < bind_min; bind.argsz++)
		EXPECT_REFUSED(EINVAL, VFIO_DEVICE_BIND_IOMMUFD, bind);
	bind.argsz = sizeof(bind);
	bind.flags = 1U << 31;
	EXPECT_REFUSED(EINVAL, VFIO_DEVICE_BIND_IOMMUFD, bind);

	if (!is_cdev(self->iommu)) {
		EXPECT_REFUSED(ENOTTY, VFIO_DEVICE_ATTACH_IOMMUFD_PT, attach);
		EXPECT_REFUSED(ENOTTY, VFIO_DEVICE_DETACH_IOMMUFD_PT, detach);
		return;
	}
	EXPECT_EFAULT(VFIO_DEVICE_ATTACH_IOMMUFD_PT, attach, attach_min);
	for (attach.argsz = 0; attach.argsz < attach_min; attach.argsz++)
		EXPECT_REFUSED(EINVAL, VFIO_DEVICE_ATTACH_IOMMUFD_PT, attach);
	attach.argsz = sizeof(attach);
	attach.pt_id = UINT32_MAX;
	EXPECT_REFUSED(ENOENT, VFIO_DEVICE_ATTACH_IOMMUFD_PT, attach);
	attach.flags = VFIO_DEVICE_ATTACH_PASID;
	EXPECT_REFUSED(EOPNOTSUPP, VFIO_DEVICE_ATTACH_IOMMUFD_PT, attach);
	attach.flags = 1U << 31;
	EXPECT_REFUSED(EINVAL, VFIO_DEVICE_ATTACH_IOMMUFD_PT, attach);

	EXPECT_EFAULT(VFIO_DEVICE_DETACH_IOMMUFD_PT, detach, detach_min);
	for (detach.argsz = 0; detach.argsz < detach_min; detach.argsz++)
		EXPECT_REFUSED(EINVAL, VFIO_DEVICE_DETACH_IOMMUFD_PT, detach);
	detach.argsz = sizeof(detach);
	detach.flags = VFIO_DEVICE_DETACH_PASID;
	EXPECT_REFUSED(EOPNOTSUPP, VFIO_DEVICE_DETACH_IOMMUFD_PT, detach);
	detach.flags = 1U << 31;
	EXPECT_REFUSED(EINVAL, VFIO_DEVICE_DETACH_IOMMUFD_PT, detach);
}
