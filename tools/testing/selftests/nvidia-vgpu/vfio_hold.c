// SPDX-License-Identifier: GPL-2.0
/*
 * Opens the VFIO device of a PCI function and holds it: what a shell test
 * needs to have "a VM" on a VF, and to see the error number of an open that
 * the driver refuses.
 *
 *   vfio_hold BDF          prints "open" or "error ENAME"; holds the device
 *                          until standard input ends, or obeys its lines:
 *                            reset      VFIO_DEVICE_RESET
 *                            bme on     bus master enable, as the guest does it
 *                            bme off
 *                            watch error  connects the error event
 *                            wait error   waits for it, five seconds at most
 *                            close      ends like end of file
 *                          each answered by "ok" or "error ENAME"
 *   vfio_hold BDF CYCLES   opens and closes it CYCLES times
 *
 * Uses the device's character device and iommufd: binding is what makes the
 * VFIO core call the driver's open_device().
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
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

static int report(int err)
{
	printf("error %s\n", strerrorname_np(err));
	return 1;
}

/* /dev/vfio/devices/vfioN of the function, through its vfio-dev/ directory. */
static int device_path(const char *bdf, char *path, size_t size)
{
	struct dirent *entry;
	char dir_path[256];
	int found = 0;
	DIR *dir;

	snprintf(dir_path, sizeof(dir_path), "/sys/bus/pci/devices/%s/vfio-dev", bdf);
	dir = opendir(dir_path);
	if (!dir)
		return errno;
	while ((entry = readdir(dir))) {
		if (strncmp(entry->d_name, "vfio", 4))
			continue;
		snprintf(path, size, "/dev/vfio/devices/%s", entry->d_name);
		found = 1;
	}
	closedir(dir);
	return found ? 0 : ENODEV;
}

static int open_device(const char *path, int *device, int *iommufd)
{
	struct vfio_device_bind_iommufd bind = { .argsz = sizeof(bind) };
	int err;

	*iommufd = open("/dev/iommu", O_RDWR | O_CLOEXEC);
	if (*iommufd < 0)
		return errno;
	*device = open(path, O_RDWR | O_CLOEXEC);
	if (*device < 0) {
		err = errno;
		close(*iommufd);
		return err;
	}
	bind.iommufd = *iommufd;
	if (ioctl(*device, VFIO_DEVICE_BIND_IOMMUFD, &bind)) {
		err = errno;
		close(*device);
		close(*iommufd);
		return err;
	}
	return 0;
}

/* Bus master enable in COMMAND, through the configuration space region. */
static int set_bus_master(int device, int on)
{
	struct vfio_region_info info = {
		.argsz = sizeof(info),
		.index = VFIO_PCI_CONFIG_REGION_INDEX,
	};
	uint16_t command;

	if (ioctl(device, VFIO_DEVICE_GET_REGION_INFO, &info))
		return -1;
	if (pread(device, &command, sizeof(command), info.offset + PCI_COMMAND) != sizeof(command))
		return -1;
	if (on)
		command |= PCI_COMMAND_MASTER;
	else
		command &= ~PCI_COMMAND_MASTER;
	if (pwrite(device, &command, sizeof(command), info.offset + PCI_COMMAND) !=
	    sizeof(command))
		return -1;
	return 0;
}

static int error_event = -1;

/* What a VMM does to learn that its device has failed. */
static int watch_error(int device)
{
	struct {
		struct vfio_irq_set set;
		int32_t fd;
	} irq = {
		.set = {
			.argsz = sizeof(irq),
			.flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER,
			.index = VFIO_PCI_ERR_IRQ_INDEX,
			.count = 1,
		},
	};

	error_event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (error_event < 0)
		return -1;
	irq.fd = error_event;
	return ioctl(device, VFIO_DEVICE_SET_IRQS, &irq);
}

static int wait_error(void)
{
	struct pollfd event = { .fd = error_event, .events = POLLIN };

	if (poll(&event, 1, 5000) == 1)
		return 0;
	errno = ETIME;
	return -1;
}

/* One line of standard input; errno says why it failed. */
static int obey(int device, const char *line)
{
	if (!strcmp(line, "reset\n"))
		return ioctl(device, VFIO_DEVICE_RESET);
	if (!strcmp(line, "bme on\n"))
		return set_bus_master(device, 1);
	if (!strcmp(line, "bme off\n"))
		return set_bus_master(device, 0);
	if (!strcmp(line, "watch error\n"))
		return watch_error(device);
	if (!strcmp(line, "wait error\n"))
		return wait_error();
	errno = EINVAL;
	return -1;
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
	int device = -1, iommufd = -1, err;
	unsigned long cycles = 0;
	char path[512];

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc == 3)
		cycles = strtoul(argv[2], NULL, 0);
	if (argc < 2 || argc > 3 || (argc == 3 && !cycles)) {
		fprintf(stderr, "usage: vfio_hold BDF [CYCLES]\n");
		return 2;
	}
	err = device_path(argv[1], path, sizeof(path));
	if (err)
		return report(err);
	for (unsigned long i = 0; i < (cycles ? cycles : 1); i++) {
		err = open_device(path, &device, &iommufd);
		if (err)
			return report(err);
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
