/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the tests of the VFIO device of a vGPU share: what its type promises,
 * given by the caller, and its device opened with the kernel's own VFIO test
 * library (tools/testing/selftests/vfio/lib).
 *
 *   PROGRAM DEVICE SUBSYSTEM BAR1_MIB FB_MIB MAX_INSTANCE [OPTION…] BDF
 *
 * ids in hexadecimal, sizes in MiB, options of the harness. The environment
 * variable IOMMU_MODE names the way to open the device, by default that of iommufd.
 */
#ifndef VGPU_TEST_H
#define VGPU_TEST_H

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/io.h>
#include <linux/pci_regs.h>
#include <linux/sizes.h>
#include <linux/vfio.h>

#include <libvfio.h>

#include "kselftest_harness.h"

/* The harness counts seconds of a guest whose host may be busy with other things. */
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT	300

#define PCI_VENDOR_ID_NVIDIA	0x10de
#define BAR0			0
#define BAR1			1
#define PAGE			4096UL
#define BAR0_SIZE		0x40000UL
/* What of BAR0 cannot be mapped; the first only while the type shares the GPU. */
#define FAULT_PAGE		0x3000UL
#define MSIX_PAGE		0x10000UL
#define NV_PMC_BOOT_0		0
#define SCRATCH(i)		(0x2100 + 4 * (i))
#define D3HOT			3

static const char *bdf;
static uint16_t type_device, type_subsystem;
static uint64_t type_bar1_size, type_fb_size;
static unsigned int type_max_instance;

static inline const char *vgpu_iommu_mode(void)
{
	return getenv("IOMMU_MODE") ?: default_iommu_mode;
}

static sigjmp_buf vgpu_bus_error;

static inline void vgpu_on_bus_error(int sig)
{
	siglongjmp(vgpu_bus_error, sig);
}

/* Whether reading a mapped word works; else it gives SIGBUS. */
static inline bool vgpu_can_read(void *word, uint32_t *value)
{
	struct sigaction action = { .sa_handler = vgpu_on_bus_error }, old;
	bool works;

	sigaction(SIGBUS, &action, &old);
	if (sigsetjmp(vgpu_bus_error, 1)) {
		works = false;
	} else {
		*value = readl(word);
		works = true;
	}
	sigaction(SIGBUS, &old, NULL);
	return works;
}

/* The same for a write. */
static inline bool vgpu_can_write(void *word, uint32_t value)
{
	struct sigaction action = { .sa_handler = vgpu_on_bus_error }, old;
	bool works;

	sigaction(SIGBUS, &action, &old);
	if (sigsetjmp(vgpu_bus_error, 1)) {
		works = false;
	} else {
		writel(value, word);
		works = true;
	}
	sigaction(SIGBUS, &old, NULL);
	return works;
}

static inline void vgpu_set_memory(struct vfio_pci_device *device, bool on)
{
	if (on)
		vfio_pci_cmd_set(device, PCI_COMMAND_MEMORY);
	else
		vfio_pci_cmd_clear(device, PCI_COMMAND_MEMORY);
}

/* Where the power management capability is; 0: there is none. */
static inline uint8_t vgpu_find_pm(struct vfio_pci_device *device)
{
	uint8_t at = vfio_pci_config_readb(device, PCI_CAPABILITY_LIST);

	for (int i = 0; at && i < 48; i++) {
		if (vfio_pci_config_readb(device, at) == PCI_CAP_ID_PM)
			return at;
		at = vfio_pci_config_readb(device, at + PCI_CAP_LIST_NEXT);
	}
	return 0;
}

/* VFIO_DEVICE_FEATURE with the data of the feature behind its head. */
static inline int vgpu_feature(int fd, uint32_t flags, const void *data, size_t size)
{
	uint64_t buffer[16] = { 0 };
	struct vfio_device_feature *request = (void *)buffer;

	VFIO_ASSERT_LE(sizeof(*request) + size, sizeof(buffer));
	request->argsz = sizeof(*request) + size;
	request->flags = flags;
	if (size)
		memcpy(request->data, data, size);
	return ioctl(fd, VFIO_DEVICE_FEATURE, request);
}

static inline int vgpu_test_main(int argc, char *argv[])
{
	bdf = vfio_selftests_get_bdf(&argc, argv);
	if (argc < 6) {
		fprintf(stderr,
			"usage: %s DEVICE SUBSYSTEM BAR1_MIB FB_MIB MAX_INSTANCE [OPTION…] BDF\n",
			argv[0]);
		return KSFT_FAIL;
	}
	type_device = strtoul(argv[1], NULL, 16);
	type_subsystem = strtoul(argv[2], NULL, 16);
	type_bar1_size = strtoull(argv[3], NULL, 10) * SZ_1M;
	type_fb_size = strtoull(argv[4], NULL, 10) * SZ_1M;
	type_max_instance = strtoul(argv[5], NULL, 10);
	argv[5] = argv[0];
	return test_harness_run(argc - 5, argv + 5);
}

#endif
