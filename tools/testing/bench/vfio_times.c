// SPDX-License-Identifier: GPL-2.0
/*
 * Times what user space does with two VFIO devices, in turns: a batch with one, a
 * batch with the other, and so on. Prints the median of each, in nanoseconds.
 *
 *   vfio_times access A B   "<what> <A> <B>" lines:
 *       config-read     4 bytes, all of the first 256 in turn
 *       config-write    what a guest writes that finds a device: COMMAND, BARs with
 *                       all ones and back, and the bytes for software
 *       bar-read        4 bytes of BAR0 through the device file
 *       bar-write
 *       mapped-read     4 bytes of BAR0 through a mapping
 *       mapped-write
 *       mapped-faults   page faults from the mapping to the last access (a count)
 *       interrupt       from its trigger in the device to its eventfd
 *                           "ready" is printed once the interrupts are requested, and
 *                           a line of standard input waited for
 *   vfio_times open A B     "open-close <A> <B>"
 *
 * A and B are PCI functions that have the registers of a virtual function of an
 * Ada GPU. Written are values that were read, and the interrupt tree.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <linux/pci_regs.h>
#include <linux/vfio.h>

#include "../lib/vfio_cdev.h"

#define BATCHES		201
#define OPENS		11
#define CONFIG_SIZE	256
#define CONFIG_WRITES	20
#define PAGE		4096

/* Interrupt tree of the function, from BAR0 + 0x1000 on. */
#define LEAF(n)		(0x1000 + 4 * (n))
#define LEAF_EN_SET(n)	(0x1200 + 4 * (n))
#define TOP_EN_SET	0x1608
#define TOP_EN_CLEAR	0x1610
#define LEAF_TRIGGER	0x1640

struct device {
	char path[512];
	int fd;
	int iommufd;
	uint64_t config;
	uint64_t bar0;
	uint8_t header[PCI_STD_HEADER_SIZEOF];
	uint32_t *mapped;
	long faults;
	int event;
	unsigned int step;
};

static struct device devices[2];

static void die(const char *what)
{
	fprintf(stderr, "vfio_times: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

static void open_device(struct device *dev)
{
	if (vfio_cdev_open(dev->path, &dev->fd, &dev->iommufd))
		die(dev->path);
}

static void close_device(struct device *dev)
{
	close(dev->fd);
	close(dev->iommufd);
}

static uint64_t region(struct device *dev, uint32_t index)
{
	struct vfio_region_info info = { .argsz = sizeof(info), .index = index };

	if (ioctl(dev->fd, VFIO_DEVICE_GET_REGION_INFO, &info))
		die("VFIO_DEVICE_GET_REGION_INFO");
	return info.offset;
}

static void get(struct device *dev, uint64_t at, void *data, size_t size)
{
	if (pread(dev->fd, data, size, at) != (ssize_t)size)
		die("pread");
}

static void put(struct device *dev, uint64_t at, const void *data, size_t size)
{
	if (pwrite(dev->fd, data, size, at) != (ssize_t)size)
		die("pwrite");
}

static long page_faults(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_minflt + usage.ru_majflt;
}

/* Everything that a driver of the function sets up before it works. */
static void prepare(struct device *dev)
{
	struct {
		struct vfio_irq_set set;
		int32_t fd;
	} irq = {
		.set = {
			.argsz = sizeof(irq),
			.flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER,
			.index = VFIO_PCI_MSIX_IRQ_INDEX,
			.count = 1,
		},
	};
	uint16_t command;
	void *mapped;

	open_device(dev);
	dev->config = region(dev, VFIO_PCI_CONFIG_REGION_INDEX);
	dev->bar0 = region(dev, VFIO_PCI_BAR0_REGION_INDEX);
	get(dev, dev->config + PCI_COMMAND, &command, sizeof(command));
	command |= PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
	put(dev, dev->config + PCI_COMMAND, &command, sizeof(command));
	get(dev, dev->config, dev->header, sizeof(dev->header));

	mapped = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, dev->fd, dev->bar0 + LEAF(0));
	if (mapped == MAP_FAILED)
		die("mmap");
	dev->mapped = mapped;

	dev->event = eventfd(0, EFD_CLOEXEC);
	if (dev->event < 0)
		die("eventfd");
	irq.fd = dev->event;
	if (ioctl(dev->fd, VFIO_DEVICE_SET_IRQS, &irq))
		die("VFIO_DEVICE_SET_IRQS");
}

static void mapped_put(struct device *dev, uint32_t at, uint32_t value)
{
	__atomic_store_n(&dev->mapped[(at - LEAF(0)) / 4], value, __ATOMIC_RELEASE);
}

static void config_read(struct device *dev)
{
	uint32_t value;

	get(dev, dev->config + sizeof(value) * dev->step++ % CONFIG_SIZE, &value, sizeof(value));
}

static void config_write(struct device *dev)
{
	static const struct {
		uint8_t at, size;
		bool ones;
	} writes[CONFIG_WRITES] = {
		{ PCI_COMMAND, 2, false },
		{ PCI_BASE_ADDRESS_0, 4, true }, { PCI_BASE_ADDRESS_0, 4, false },
		{ PCI_BASE_ADDRESS_1, 4, true }, { PCI_BASE_ADDRESS_1, 4, false },
		{ PCI_BASE_ADDRESS_2, 4, true }, { PCI_BASE_ADDRESS_2, 4, false },
		{ PCI_BASE_ADDRESS_3, 4, true }, { PCI_BASE_ADDRESS_3, 4, false },
		{ PCI_BASE_ADDRESS_4, 4, true }, { PCI_BASE_ADDRESS_4, 4, false },
		{ PCI_BASE_ADDRESS_5, 4, true }, { PCI_BASE_ADDRESS_5, 4, false },
		{ PCI_ROM_ADDRESS, 4, true }, { PCI_ROM_ADDRESS, 4, false },
		{ PCI_COMMAND, 2, false },
		{ PCI_CACHE_LINE_SIZE, 1, false }, { PCI_LATENCY_TIMER, 1, false },
		{ PCI_INTERRUPT_LINE, 1, false },
		{ PCI_COMMAND, 2, false },
	};
	unsigned int i = dev->step++ % CONFIG_WRITES;
	const uint32_t ones = PCI_ROM_ADDRESS_MASK;

	put(dev, dev->config + writes[i].at, writes[i].ones ? (void *)&ones :
	    dev->header + writes[i].at, writes[i].size);
}

static void bar_read(struct device *dev)
{
	uint32_t value;

	get(dev, dev->bar0 + LEAF(0), &value, sizeof(value));
}

static void bar_write(struct device *dev)
{
	uint32_t none = 0;

	put(dev, dev->bar0 + LEAF(0), &none, sizeof(none));
}

static void mapped_read(struct device *dev)
{
	(void)__atomic_load_n(dev->mapped, __ATOMIC_ACQUIRE);
}

static void mapped_write(struct device *dev)
{
	__atomic_store_n(dev->mapped, 0, __ATOMIC_RELEASE);
}

static void interrupt(struct device *dev)
{
	struct pollfd event = { .fd = dev->event, .events = POLLIN };
	uint64_t count;

	mapped_put(dev, LEAF_TRIGGER, 0);
	if (poll(&event, 1, 5000) != 1) {
		errno = ETIME;
		die("interrupt");
	}
	if (read(dev->event, &count, sizeof(count)) != sizeof(count))
		die("eventfd");
	mapped_put(dev, LEAF(0), 1);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *values, int count)
{
	qsort(values, count, sizeof(*values), compare);
	return values[count / 2];
}

static double run(struct device *dev, void (*once)(struct device *), int times)
{
	uint64_t start = now_ns();

	for (int i = 0; i < times; i++)
		once(dev);
	return (double)(now_ns() - start) / times;
}

static void measure(const char *what, void (*once)(struct device *), int batches, int times)
{
	double values[2][BATCHES];

	for (int d = 0; d < 2; d++)
		run(&devices[d], once, 3);
	for (int i = 0; i < batches; i++) {
		for (int d = 0; d < 2; d++) {
			long faults = page_faults();

			values[d][i] = run(&devices[d], once, times);
			devices[d].faults += page_faults() - faults;
		}
	}
	printf("%s %.0f %.0f\n", what, median(values[0], batches), median(values[1], batches));
}

static void access_all(void)
{
	char line[8];

	for (int d = 0; d < 2; d++)
		prepare(&devices[d]);
	printf("ready\n");
	if (!fgets(line, sizeof(line), stdin))
		die("standard input");
	measure("config-read", config_read, BATCHES, 128);
	measure("config-write", config_write, BATCHES, 100);
	measure("bar-read", bar_read, BATCHES, 100);
	measure("bar-write", bar_write, BATCHES, 100);
	for (int d = 0; d < 2; d++) {
		long faults = page_faults();

		mapped_read(&devices[d]);
		devices[d].faults = page_faults() - faults;
	}
	measure("mapped-read", mapped_read, BATCHES, 500);
	measure("mapped-write", mapped_write, BATCHES, 500);
	printf("mapped-faults %ld %ld\n", devices[0].faults, devices[1].faults);

	for (int d = 0; d < 2; d++) {
		mapped_put(&devices[d], LEAF_EN_SET(0), 1);
		mapped_put(&devices[d], TOP_EN_SET, 1);
	}
	measure("interrupt", interrupt, BATCHES, 10);
	for (int d = 0; d < 2; d++)
		mapped_put(&devices[d], TOP_EN_CLEAR, 1);
}

static void open_close(struct device *dev)
{
	open_device(dev);
	close_device(dev);
}

int main(int argc, char **argv)
{
	bool open = argc == 4 && !strcmp(argv[1], "open");

	if (argc != 4 || (!open && strcmp(argv[1], "access"))) {
		fprintf(stderr, "usage: vfio_times access|open BDF BDF\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (int d = 0; d < 2; d++)
		if (vfio_cdev_path(argv[2 + d], devices[d].path, sizeof(devices[d].path)))
			die(argv[2 + d]);
	if (open)
		measure("open-close", open_close, OPENS, 1);
	else
		access_all();
	return 0;
}
