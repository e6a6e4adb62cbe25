/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The character device of a VFIO device, and the iommufd that it is bound to.
 *
 *   0000:01:00.4 -> /sys/bus/pci/devices/0000:01:00.4/vfio-dev/vfioN -> /dev/vfio/devices/vfioN
 *
 * For programs that time, kill or misuse it; tests that only use it open it with the
 * kernel's own VFIO test library. Like a system call, each function gives 0, or -1 and errno.
 */
#ifndef VFIO_CDEV_H
#define VFIO_CDEV_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/vfio.h>

/* ENODEV: the function has a driver of VFIO, and no device file. */
static inline int vfio_cdev_path(const char *bdf, char *path, size_t size)
{
	struct dirent *entry;
	char dir_path[256];
	int found = 0;
	DIR *dir;

	snprintf(dir_path, sizeof(dir_path), "/sys/bus/pci/devices/%s/vfio-dev", bdf);
	dir = opendir(dir_path);
	if (!dir)
		return -1;
	while ((entry = readdir(dir))) {
		if (strncmp(entry->d_name, "vfio", 4))
			continue;
		snprintf(path, size, "/dev/vfio/devices/%s", entry->d_name);
		found = 1;
	}
	closedir(dir);
	if (found)
		return 0;
	errno = ENODEV;
	return -1;
}

/* Opens both and binds one to the other, which is what opens the device for its driver. */
static inline int vfio_cdev_open(const char *path, int *device, int *iommufd)
{
	struct vfio_device_bind_iommufd bind = { .argsz = sizeof(bind) };
	int err;

	*iommufd = open("/dev/iommu", O_RDWR | O_CLOEXEC);
	if (*iommufd < 0)
		return -1;
	*device = open(path, O_RDWR | O_CLOEXEC);
	if (*device >= 0) {
		bind.iommufd = *iommufd;
		if (!ioctl(*device, VFIO_DEVICE_BIND_IOMMUFD, &bind))
			return 0;
	}
	err = errno;
	if (*device >= 0)
		close(*device);
	close(*iommufd);
	errno = err;
	return -1;
}

/* Where a region is in the device file. */
static inline int vfio_cdev_region(int device, unsigned int index, struct vfio_region_info *info)
{
	*info = (struct vfio_region_info) {
		.argsz = sizeof(*info),
		.index = index,
	};
	return ioctl(device, VFIO_DEVICE_GET_REGION_INFO, info);
}

/* What read() and its like have done: all of it or nothing. */
static inline int vfio_cdev_whole(ssize_t done, size_t wanted)
{
	if (done == (ssize_t)wanted)
		return 0;
	if (done >= 0)
		errno = EIO;
	return -1;
}

#endif
