// SPDX-License-Identifier: GPL-2.0
/*
 * Makes the kernel's memory allocations fail one by one: the first one that an
 * operation needs, then the second, and so on until the operation has no more. With
 * the environment variable EVERY=n, only each nth of them.
 *
 *   fail_nth COUNTS open BDF           binding the VFIO device to iommufd
 *   fail_nth COUNTS close BDF          closing it
 *   fail_nth COUNTS reset BDF          VFIO_DEVICE_RESET
 *   fail_nth COUNTS use BDF            what a VMM asks for while it is open
 *   fail_nth COUNTS read FILE
 *   fail_nth COUNTS write FILE VALUE UNDO_FILE UNDO_VALUE
 *
 * An operation may go without what it did not get, or fail: with ENOMEM, or with
 * what the environment variable ERROR names. Nothing may be left of it: the file
 * COUNTS, of live things, has to be what it was. That it works again is shown by the
 * next turn, which gets further. The last turn, without a failure, has to succeed. The
 * environment variable TURNS ends it earlier.
 *
 *   /proc/thread-self/fail-nth   N: allocation N of this thread fails
 *                                (Documentation/fault-injection/fault-injection.rst)
 *   /sys/kernel/debug/failslab   which allocations count, set by the caller
 *
 * Prints one line: turns, failures, and how many of these were survived.
 */
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <linux/pci_regs.h>

#include "../../lib/vfio_cdev.h"

#define FAIL_NTH	"/proc/thread-self/fail-nth"
#define MOST_TURNS	10000
#define PAGE		4096
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

/* What is open, while it is. */
static int device = -1, iommufd = -1;
static char path[300];
static char **args;

static void die(const char *what, unsigned int turn, int err)
{
	printf("allocation %u: %s: %s\n", turn, what, err ? strerrorname_np(err) : "no error");
	exit(1);
}

static int fail_nth_file;

static void set_fail_nth(unsigned int n)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", n);

	if (vfio_cdev_whole(pwrite(fail_nth_file, text, len, 0), len)) {
		perror(FAIL_NTH);
		exit(1);
	}
}

static unsigned int get_fail_nth(void)
{
	char text[16] = "";

	if (pread(fail_nth_file, text, sizeof(text) - 1, 0) <= 0) {
		perror(FAIL_NTH);
		exit(1);
	}
	return strtoul(text, NULL, 10);
}

static size_t read_counts(char *text, size_t size)
{
	int fd = open(args[0], O_RDONLY);
	ssize_t len = fd < 0 ? -1 : read(fd, text, size - 1);

	if (len < 0) {
		perror(args[0]);
		exit(1);
	}
	close(fd);
	text[len] = '\0';
	return len;
}

static int write_file(const char *name, const char *value)
{
	int fd = open(name, O_WRONLY), err;

	if (fd < 0)
		return errno;
	err = vfio_cdev_whole(write(fd, value, strlen(value)), strlen(value)) ? errno : 0;
	close(fd);
	return err;
}

static void close_iommufd(void)
{
	close(iommufd);
	iommufd = -1;
}

static void close_device(void)
{
	close(device);
	device = -1;
	close_iommufd();
}

/* An operation: each step gives an errno. Only `act` is without memory. */
struct operation {
	const char *name;
	int args;
	int (*prepare)(void);
	int (*act)(void);
	/* After `act` has succeeded, or failed. */
	int (*undo)(int failed);
};

static int open_files(void)
{
	iommufd = open("/dev/iommu", O_RDWR | O_CLOEXEC);
	if (iommufd < 0)
		return errno;
	device = open(path, O_RDWR | O_CLOEXEC);
	return device < 0 ? errno : 0;
}

static int act_bind(void)
{
	struct vfio_device_bind_iommufd bind = { .argsz = sizeof(bind), .iommufd = iommufd };

	return ioctl(device, VFIO_DEVICE_BIND_IOMMUFD, &bind) ? errno : 0;
}

static int undo_open(int failed)
{
	(void)failed;
	close_device();
	return 0;
}

static int prepare_open(void)
{
	return vfio_cdev_open(path, &device, &iommufd) ? errno : 0;
}

static int act_close(void)
{
	return close(device) ? errno : 0;
}

static int undo_close(int failed)
{
	(void)failed;
	device = -1;
	close_iommufd();
	return 0;
}

static int act_reset(void)
{
	return ioctl(device, VFIO_DEVICE_RESET) ? errno : 0;
}

static int read_region(unsigned int index, size_t len)
{
	static uint8_t bytes[PAGE];
	struct vfio_region_info info;

	return vfio_cdev_region(device, index, &info) ||
		vfio_cdev_whole(pread(device, bytes, len, info.offset), len) ? errno : 0;
}

/* Configuration space, bus mastering on and off, registers, FB, a page of it. */
static int act_use(void)
{
	struct vfio_region_info config, bar1;
	uint16_t command[] = {
		PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER,
		PCI_COMMAND_MEMORY,
	};
	uint32_t *page;
	int err;

	err = read_region(VFIO_PCI_CONFIG_REGION_INDEX, PAGE) ?:
		read_region(VFIO_PCI_BAR0_REGION_INDEX, 4) ?:
		read_region(VFIO_PCI_BAR1_REGION_INDEX, 16);
	if (err)
		return err;
	if (vfio_cdev_region(device, VFIO_PCI_CONFIG_REGION_INDEX, &config) ||
	    vfio_cdev_region(device, VFIO_PCI_BAR1_REGION_INDEX, &bar1))
		return errno;
	for (int i = 0; i < 2; i++) {
		if (vfio_cdev_whole(pwrite(device, &command[i], 2, config.offset + PCI_COMMAND), 2))
			return errno;
	}
	page = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, device, bar1.offset);
	if (page == MAP_FAILED)
		return errno;
	__atomic_load_n(page, __ATOMIC_RELAXED);
	munmap(page, PAGE);
	return 0;
}

static int act_read(void)
{
	static char text[1 << 16];
	int fd = open(args[2], O_RDONLY), err;

	if (fd < 0)
		return errno;
	err = read(fd, text, sizeof(text)) < 0 ? errno : 0;
	close(fd);
	return err;
}

static int act_write(void)
{
	return write_file(args[2], args[3]);
}

static int undo_write(int failed)
{
	return failed ? 0 : write_file(args[4], args[5]);
}

static const struct operation operations[] = {
	{ "open", 3, open_files, act_bind, undo_open },
	{ "close", 3, prepare_open, act_close, undo_close },
	{ "reset", 3, prepare_open, act_reset, undo_open },
	{ "use", 3, prepare_open, act_use, undo_open },
	{ "read", 3, NULL, act_read, NULL },
	{ "write", 6, NULL, act_write, undo_write },
};

static const struct operation *find_operation(int count)
{
	for (size_t i = 0; i < ARRAY_SIZE(operations); i++) {
		if (!strcmp(operations[i].name, args[1]) && operations[i].args == count)
			return &operations[i];
	}
	return NULL;
}

/* One turn; whether an allocation has failed, and what came of it. */
static int turn(const struct operation *operation, unsigned int n, int *result)
{
	unsigned int left;
	int err;

	err = operation->prepare ? operation->prepare() : 0;
	if (err)
		die("nothing has failed yet", n, err);
	set_fail_nth(n);
	*result = operation->act();
	left = get_fail_nth();
	set_fail_nth(0);
	err = operation->undo ? operation->undo(*result) : 0;
	if (err)
		die("it cannot be undone", n, err);
	return left == 0;
}

int main(int argc, char *argv[])
{
	static char before[1 << 14], after[1 << 14];
	const char *other = getenv("ERROR"), *limit = getenv("TURNS");
	const char *every = getenv("EVERY");
	unsigned int n, turns = limit ? strtoul(limit, NULL, 10) : MOST_TURNS;
	unsigned int step = (every ? strtoul(every, NULL, 10) : 0) ?: 1;
	const struct operation *operation;
	unsigned int tried = 0, survived = 0;
	int result = 0, failed = 1;

	args = argv + 1;
	operation = argc < 4 ? NULL : find_operation(argc - 1);
	if (!operation) {
		fprintf(stderr, "usage: %s COUNTS open|close|reset|use BDF\n"
			"       %s COUNTS read FILE\n"
			"       %s COUNTS write FILE VALUE UNDO_FILE UNDO_VALUE\n",
			argv[0], argv[0], argv[0]);
		return 2;
	}
	fail_nth_file = open(FAIL_NTH, O_RDWR | O_CLOEXEC);
	if (fail_nth_file < 0) {
		perror(FAIL_NTH);
		return 1;
	}
	if ((operation->prepare == open_files || operation->prepare == prepare_open) &&
	    vfio_cdev_path(args[2], path, sizeof(path)))
		die(args[2], 0, errno);
	read_counts(before, sizeof(before));
	for (n = 1; n <= turns && failed; n += step) {
		failed = turn(operation, n, &result);
		tried += failed;
		read_counts(after, sizeof(after));
		if (strcmp(before, after)) {
			printf("allocation %u: %s left\n%sof\n%s", n,
			       result ? strerrorname_np(result) : "success", after, before);
			return 1;
		}
		if (!failed && result)
			die("without a failure", n, result);
		if (failed && !result)
			survived++;
		if (result && result != ENOMEM &&
		    (!other || strcmp(strerrorname_np(result), other)))
			die(operation->name, n, result);
	}
	if (failed && !limit)
		die("there is no end of them", n, 0);
	printf("%s: %u allocations failed, %u of them survived%s\n", operation->name,
	       tried, survived, failed ? ", and there are more" : "");
	return 0;
}
