// SPDX-License-Identifier: GPL-2.0
/*
 * Opens the VFIO device of a PCI function and holds it: what a shell test
 * needs to have "a VM" on a VF, and to see the error number of an open that
 * the driver refuses.
 *
 *   vfio_hold BDF          prints "open" or "error ENAME"; holds the device
 *                          until standard input ends, or obeys its lines:
 *                            reset        VFIO_DEVICE_RESET
 *                            flr          function level reset, as the guest does it
 *                            hot reset    VFIO_DEVICE_PCI_HOT_RESET
 *                            hot reset info
 *                            bme on       bus master enable, as the guest does it
 *                            bme off
 *                            fill         writes all ones to FB, here and there
 *                            clean        EEXIST if they are not zero now
 *                            watch error  connects the error event
 *                            wait error   waits for it, at most ten seconds
 *                            no error     EEXIST if it has come
 *                            watch request, wait request, no request
 *                                         the same with the request event
 *                            close        ends like end of file
 *                          each answered by "ok" or "error ENAME"; what waits for
 *                          an event that does not come says ETIME
 *   vfio_hold BDF CYCLES   opens and closes it CYCLES times
 *
 * Uses the device's character device and iommufd: binding is what makes the
 * VFIO core call the driver's open_device().
 */
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/pci_regs.h>
#include <linux/vfio.h>

#include "../../lib/vfio_cdev.h"

/* Every type of a board has as much. */
#define MOST_FB		(512ULL << 20)
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

static int report(int err)
{
	printf("error %s\n", strerrorname_np(err));
	return 1;
}

/* Bus master enable in COMMAND, through the configuration space region. */
static int set_bus_master(int device, int on)
{
	struct vfio_region_info info;
	uint16_t command;
	off_t at;

	if (vfio_cdev_region(device, VFIO_PCI_CONFIG_REGION_INDEX, &info))
		return -1;
	at = info.offset + PCI_COMMAND;
	if (vfio_cdev_whole(pread(device, &command, sizeof(command), at), sizeof(command)))
		return -1;
	if (on)
		command |= PCI_COMMAND_MASTER;
	else
		command &= ~PCI_COMMAND_MASTER;
	return vfio_cdev_whole(pwrite(device, &command, sizeof(command), at), sizeof(command));
}

/* Initiate Function Level Reset in the PCI Express capability. */
static int function_level_reset(int device)
{
	struct vfio_region_info info;
	uint8_t config[PCI_CFG_SPACE_SIZE];
	uint16_t control;
	unsigned int at;
	int hops;

	if (vfio_cdev_region(device, VFIO_PCI_CONFIG_REGION_INDEX, &info) ||
	    vfio_cdev_whole(pread(device, config, sizeof(config), info.offset), sizeof(config)))
		return -1;
	at = config[PCI_CAPABILITY_LIST];
	for (hops = 0; hops < 48 && at && config[at] != PCI_CAP_ID_EXP; hops++)
		at = config[at + PCI_CAP_LIST_NEXT];
	if (!at || config[at] != PCI_CAP_ID_EXP || at + PCI_EXP_DEVSTA > sizeof(config)) {
		errno = ENOTTY;
		return -1;
	}
	memcpy(&control, config + at + PCI_EXP_DEVCTL, sizeof(control));
	control |= PCI_EXP_DEVCTL_BCR_FLR;
	at += PCI_EXP_DEVCTL;
	return vfio_cdev_whole(pwrite(device, &control, sizeof(control), info.offset + at),
			sizeof(control));
}

static int hot_reset(int device)
{
	struct vfio_pci_hot_reset reset = { .argsz = sizeof(reset) };

	return ioctl(device, VFIO_DEVICE_PCI_HOT_RESET, &reset);
}

static int hot_reset_info(int device)
{
	struct vfio_pci_hot_reset_info info = { .argsz = sizeof(info) };

	return ioctl(device, VFIO_DEVICE_GET_PCI_HOT_RESET_INFO, &info);
}

/* Dwords at the beginning of FB, at its 2nd, 4th, 8th … MiB, as far as BAR1 shows it. */
static int fb_words(int device, int (*visit)(int device, off_t at))
{
	struct vfio_region_info info;
	uint64_t at = 0;

	if (vfio_cdev_region(device, VFIO_PCI_BAR1_REGION_INDEX, &info))
		return -1;
	for (; at < info.size && at < MOST_FB; at = at ? 2 * at : 1 << 20) {
		if (visit(device, info.offset + at))
			return -1;
	}
	return 0;
}

static int fill_word(int device, off_t at)
{
	uint32_t ones = ~0;

	return vfio_cdev_whole(pwrite(device, &ones, sizeof(ones), at), sizeof(ones));
}

static int check_word(int device, off_t at)
{
	uint32_t word;

	if (vfio_cdev_whole(pread(device, &word, sizeof(word), at), sizeof(word)))
		return -1;
	if (!word)
		return 0;
	errno = EEXIST;
	return -1;
}

/* What a VMM connects to learn that its device has failed, or is wanted back. */
static struct event {
	const char *name;
	unsigned int index;
	int fd;
} events[] = {
	{ "error\n", VFIO_PCI_ERR_IRQ_INDEX, -1 },
	{ "request\n", VFIO_PCI_REQ_IRQ_INDEX, -1 },
};

static int watch_event(int device, struct event *event)
{
	struct {
		struct vfio_irq_set set;
		int32_t fd;
	} irq = {
		.set = {
			.argsz = sizeof(irq),
			.flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER,
			.index = event->index,
			.count = 1,
		},
	};

	event->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (event->fd < 0)
		return -1;
	irq.fd = event->fd;
	return ioctl(device, VFIO_DEVICE_SET_IRQS, &irq);
}

/* Takes the event when it comes, so that the next one can be waited for. */
static int wait_event(struct event *event)
{
	struct pollfd poll_fd = { .fd = event->fd, .events = POLLIN };
	uint64_t count;

	if (poll(&poll_fd, 1, 10000) == 1)
		return vfio_cdev_whole(read(event->fd, &count, sizeof(count)), sizeof(count));
	errno = ETIME;
	return -1;
}

static int no_event(struct event *event)
{
	uint64_t count;

	if (read(event->fd, &count, sizeof(count)) >= 0) {
		errno = EEXIST;
		return -1;
	}
	return errno == EAGAIN ? 0 : -1;
}

static int obey_event(int device, const char *line)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(events); i++) {
		struct event *event = &events[i];

		if (!strncmp(line, "watch ", 6) && !strcmp(line + 6, event->name))
			return watch_event(device, event);
		if (!strncmp(line, "wait ", 5) && !strcmp(line + 5, event->name))
			return wait_event(event);
		if (!strncmp(line, "no ", 3) && !strcmp(line + 3, event->name))
			return no_event(event);
	}
	errno = EINVAL;
	return -1;
}

/* One line of standard input; errno says why it failed. */
static int obey(int device, const char *line)
{
	if (!strcmp(line, "reset\n"))
		return ioctl(device, VFIO_DEVICE_RESET);
	if (!strcmp(line, "flr\n"))
		return function_level_reset(device);
	if (!strcmp(line, "hot reset\n"))
		return hot_reset(device);
	if (!strcmp(line, "hot reset info\n"))
		return hot_reset_info(device);
	if (!strcmp(line, "bme on\n"))
		return set_bus_master(device, 1);
	if (!strcmp(line, "bme off\n"))
		return set_bus_master(device, 0);
	if (!strcmp(line, "fill\n"))
		return fb_words(device, fill_word);
	if (!strcmp(line, "clean\n"))
		return fb_words(device, check_word);
	return obey_event(device, line);
}

static void serve(int device)
{
	char line[64];

	while (fgets(line, sizeof(line), stdin) && strcmp(line, "close\n")) {
		if (obey(device, line))
			report(errno);
		else
			printf("ok\n");
	}
}

int main(int argc, char **argv)
{
	int device = -1, iommufd = -1;
	unsigned long cycles = 0;
	char path[512];

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc == 3)
		cycles = strtoul(argv[2], NULL, 0);
	if (argc < 2 || argc > 3 || (argc == 3 && !cycles)) {
		fprintf(stderr, "usage: vfio_hold BDF [CYCLES]\n");
		return 2;
	}
	if (vfio_cdev_path(argv[1], path, sizeof(path)))
		return report(errno);
	for (unsigned long i = 0; i < (cycles ? cycles : 1); i++) {
		if (vfio_cdev_open(path, &device, &iommufd))
			return report(errno);
		if (!cycles) {
			printf("open\n");
			serve(device);
		}
		close(device);
		close(iommufd);
	}
	printf("%s\n", cycles ? "ok" : "closed");
	return 0;
}
