/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the tests of wrong uses of a VFIO device share: the device, opened anew for
 * each test, which must be after it what it was before; and arguments of ioctls at
 * the end of the memory that can be accessed.
 *
 *   | ...   struct | no page        refused: errno, and the struct as it was
 *   | ...      str | no page        cut anywhere: EFAULT
 *
 * Include it after kselftest_harness.h. The environment variable IOMMU_MODE names
 * the way to open the device, by default that of iommufd.
 */
#ifndef VFIO_MISUSE_H
#define VFIO_MISUSE_H

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/vfio.h>

/* The harness counts seconds of a guest whose host may be busy with other things. */
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT	300

#define PAGE			4096UL
#define CONFIG_SIZE		4096UL
#define REGION_SHIFT		40
#define REGION(i)		((off_t)(i) << REGION_SHIFT)
/* A descriptor that is not open. */
#define NOT_OPEN		0x7fffffff

static const char *bdf;

/* What a user can see of a device without changing it. */
struct snapshot {
	struct vfio_device_info info;
	struct vfio_region_info regions[VFIO_PCI_NUM_REGIONS];
	struct vfio_irq_info irqs[VFIO_PCI_NUM_IRQS];
	uint8_t config[CONFIG_SIZE];
};

FIXTURE(vfio) {
	struct iommu *iommu;
	struct vfio_pci_device *device;
	int fd;
	/* A page, and behind it one without access. */
	uint8_t *page;
	struct snapshot before;
};

static void take_snapshot(int fd, struct snapshot *s)
{
	memset(s, 0, sizeof(*s));
	s->info.argsz = sizeof(s->info);
	VFIO_ASSERT_EQ(ioctl(fd, VFIO_DEVICE_GET_INFO, &s->info), 0);
	for (uint32_t i = 0; i < VFIO_PCI_NUM_REGIONS; i++) {
		s->regions[i].argsz = sizeof(s->regions[i]);
		s->regions[i].index = i;
		/* The region of VGA may be missing as a whole. */
		if (ioctl(fd, VFIO_DEVICE_GET_REGION_INFO, &s->regions[i]))
			s->regions[i].flags = UINT32_MAX;
	}
	for (uint32_t i = 0; i < VFIO_PCI_NUM_IRQS; i++) {
		s->irqs[i].argsz = sizeof(s->irqs[i]);
		s->irqs[i].index = i;
		VFIO_ASSERT_EQ(ioctl(fd, VFIO_DEVICE_GET_IRQ_INFO, &s->irqs[i]), 0);
	}
	VFIO_ASSERT_EQ(pread(fd, s->config, CONFIG_SIZE, REGION(VFIO_PCI_CONFIG_REGION_INDEX)),
		       (ssize_t)CONFIG_SIZE);
}

/* Where the device differs from what it was, or NULL. */
static const char *changed(int fd, const struct snapshot *before)
{
	static char text[64];
	struct snapshot now;

	take_snapshot(fd, &now);
	for (unsigned long i = 0; i < CONFIG_SIZE; i++) {
		if (now.config[i] != before->config[i]) {
			snprintf(text, sizeof(text), "config %#lx: %#x, was %#x", i,
				 now.config[i], before->config[i]);
			return text;
		}
	}
	if (memcmp(&now.info, &before->info, sizeof(now.info)))
		return "device info";
	if (memcmp(now.regions, before->regions, sizeof(now.regions)))
		return "region info";
	if (memcmp(now.irqs, before->irqs, sizeof(now.irqs)))
		return "IRQ info";
	return NULL;
}

FIXTURE_SETUP(vfio)
{
	self->iommu = iommu_init(getenv("IOMMU_MODE") ?: default_iommu_mode);
	self->device = vfio_pci_device_init(bdf, self->iommu);
	self->fd = self->device->fd;
	self->page = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);
	ASSERT_NE(MAP_FAILED, self->page);
	ASSERT_EQ(0, mprotect(self->page + PAGE, PAGE, PROT_NONE));
	take_snapshot(self->fd, &self->before);
}

/* Whatever a test tried, the device is as it was. */
FIXTURE_TEARDOWN(vfio)
{
	const char *what = changed(self->fd, &self->before);

	EXPECT_EQ(NULL, what) TH_LOG("changed: %s", what);
	munmap(self->page, 2 * PAGE);
	vfio_pci_device_cleanup(self->device);
	iommu_cleanup(self->iommu);
}

static inline bool is_cdev(struct iommu *iommu)
{
	return !iommu->mode->container_path;
}

/* The last SIZE bytes that can be accessed, with a copy of ARG. */
static void *at_end(uint8_t *page, const void *arg, size_t size)
{
	memset(page, 0xa5, PAGE);
	return memcpy(page + PAGE - size, arg, size);
}

/* errno of the ioctl, 0 when it works, or -1 when it failed and wrote to its argument. */
static inline int refused(int fd, unsigned long cmd, uint8_t *page, const void *arg, size_t size)
{
	void *copy = at_end(page, arg, size);
	int err = ioctl(fd, cmd, copy) < 0 ? errno : 0;

	return err && memcmp(copy, arg, size) ? -1 : err;
}

/* The ioctl says EFAULT to an argument of which less than SIZE bytes are there, or nothing. */
static inline bool is_cut(int fd, unsigned long cmd, uint8_t *page, const void *arg, size_t size)
{
	if (ioctl(fd, cmd, NULL) != -1 || errno != EFAULT)
		return false;
	if (ioctl(fd, cmd, (void *)UINTPTR_MAX) != -1 || errno != EFAULT)
		return false;
	for (size_t len = 0; len < size; len++) {
		if (refused(fd, cmd, page, arg, len) != EFAULT)
			return false;
	}
	return true;
}

#define EXPECT_REFUSED(_err, _cmd, _arg) \
	EXPECT_EQ(_err, refused(self->fd, _cmd, self->page, &(_arg), sizeof(_arg)))
#define EXPECT_EFAULT(_cmd, _arg, _size) \
	EXPECT_TRUE(is_cut(self->fd, _cmd, self->page, &(_arg), _size))

int main(int argc, char *argv[])
{
	bdf = vfio_selftests_get_bdf(&argc, argv);
	return test_harness_run(argc, argv);
}

#endif /* VFIO_MISUSE_H */
