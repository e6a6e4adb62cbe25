// SPDX-License-Identifier: GPL-2.0
/*
 * Configuration space, and what the kernel's hot-plug driver does with the slot of
 * the function, which the kernel of the guest does not have:
 *
 *   button pressed -> function removed -> slot off     (the function is unplugged)
 *                     slot on -> bus looked through    (and found again)
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/pci_regs.h>

#include "gpu.h"

#define BUTTON_TRIES	30000
#define BUTTON_WAIT_US	10000
#define AWAIT_US	100000

int config_access(const char *name, bool is_write, uint64_t offset, uint32_t *value, size_t width)
{
	char path[256];
	ssize_t n;
	int fd;

	if ((width != 1 && width != 2 && width != 4) || offset % width || offset + width > 4096)
		return -EINVAL;
	snprintf(path, sizeof(path), PCI_DEVICES "/%s/config", name);
	fd = open(path, O_RDWR);
	if (fd < 0)
		return -errno;
	n = is_write ? pwrite(fd, value, width, offset) : pread(fd, value, width, offset);
	close(fd);
	return n == (ssize_t)width ? 0 : -EIO;
}

/* The PCI Express capability of a function, or a negative errno. */
static int find_express(const char *name)
{
	uint32_t at = 0, id = 0;
	int err;

	err = config_access(name, false, PCI_CAPABILITY_LIST, &at, 1);
	for (int i = 0; !err && at && i < 48; i++) {
		err = config_access(name, false, at, &id, 1);
		if (!err && id == PCI_CAP_ID_EXP)
			return at;
		if (!err)
			err = config_access(name, false, at + PCI_CAP_LIST_NEXT, &at, 1);
	}
	return err ? err : -ENXIO;
}

static int slot_power(struct gpu *gpu, bool on)
{
	const uint32_t bits = PCI_EXP_SLTCTL_PCC | PCI_EXP_SLTCTL_PIC;
	uint32_t control = 0;
	int cap, err;

	cap = find_express(gpu->port);
	if (cap < 0)
		return cap;
	err = config_access(gpu->port, false, cap + PCI_EXP_SLTCTL, &control, 2);
	if (err)
		return err;
	control &= ~bits;
	control |= on ? PCI_EXP_SLTCTL_PWR_IND_ON | PCI_EXP_SLTCTL_PWR_ON :
			PCI_EXP_SLTCTL_PWR_IND_OFF | PCI_EXP_SLTCTL_PWR_OFF;
	return config_access(gpu->port, true, cap + PCI_EXP_SLTCTL, &control, 2);
}

/* Waits until somebody has pressed the button of the slot. */
static int button_pressed(struct gpu *gpu)
{
	uint32_t status = 0;
	int cap, err;

	cap = find_express(gpu->port);
	if (cap < 0)
		return cap;
	for (int i = 0; i < BUTTON_TRIES; i++) {
		err = config_access(gpu->port, false, cap + PCI_EXP_SLTSTA, &status, 2);
		if (err)
			return err;
		if (status & PCI_EXP_SLTSTA_ABP) {
			status = PCI_EXP_SLTSTA_ABP;
			return config_access(gpu->port, true, cap + PCI_EXP_SLTSTA, &status, 2);
		}
		usleep(BUTTON_WAIT_US);
	}
	return -ETIMEDOUT;
}

int unplug(struct gpu *gpu)
{
	int err;

	err = button_pressed(gpu);
	if (err)
		return err;
	for (int i = 0; i < NUM_BARS; i++) {
		if (gpu->bars[i].map)
			munmap(gpu->bars[i].map, gpu->bars[i].size);
		gpu->bars[i].map = NULL;
	}
	err = write_attr(gpu->name, "remove", "1");
	return err ? err : slot_power(gpu, false);
}

static int scan_slot(struct gpu *gpu)
{
	int fd, err = 0;

	fd = open("/sys/bus/pci/rescan", O_WRONLY);
	if (fd < 0)
		return -errno;
	if (write(fd, "1", 1) < 0)
		err = -errno;
	close(fd);
	return err ? err : find_gpu(gpu);
}

int plug(struct gpu *gpu)
{
	int err;

	err = slot_power(gpu, true);
	return err ? err : scan_slot(gpu);
}

int await_gpu(struct gpu *gpu)
{
	int err;

	err = find_empty_port(gpu);
	if (!err)
		err = slot_power(gpu, true);
	while (!err) {
		err = scan_slot(gpu);
		if (err != -ENODEV)
			break;
		/* No event tells of a function that is there when the guest goes on. */
		usleep(AWAIT_US);
		err = 0;
	}
	return err;
}
