// SPDX-License-Identifier: GPL-2.0
/*
 * Finds the function, enables it and maps its BARs.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "gpu.h"

int read_hex(const char *dev, const char *attr, uint64_t *value)
{
	char path[256];
	FILE *f;
	int n;

	snprintf(path, sizeof(path), PCI_DEVICES "/%s/%s", dev, attr);
	f = fopen(path, "r");
	if (!f)
		return -errno;
	n = fscanf(f, "%" SCNx64, value);
	fclose(f);
	return n == 1 ? 0 : -EINVAL;
}

int write_attr(const char *dev, const char *attr, const char *text)
{
	char path[256];
	ssize_t n;
	int fd, err = 0;

	snprintf(path, sizeof(path), PCI_DEVICES "/%s/%s", dev, attr);
	fd = open(path, O_WRONLY);
	if (fd < 0)
		return -errno;
	n = write(fd, text, strlen(text));
	if (n < 0)
		err = -errno;
	close(fd);
	return err;
}

/* The sizes of the BARs, from the lines "start end flags" of "resource". */
static int read_bar_sizes(struct gpu *gpu)
{
	uint64_t start, end, flags;
	char path[256];
	FILE *f;
	int i;

	snprintf(path, sizeof(path), PCI_DEVICES "/%s/resource", gpu->name);
	f = fopen(path, "r");
	if (!f)
		return -errno;
	for (i = 0; i < NUM_BARS; i++) {
		if (fscanf(f, "%" SCNx64 " %" SCNx64 " %" SCNx64, &start, &end, &flags) != 3)
			break;
		gpu->bars[i].size = end ? end - start + 1 : 0;
	}
	fclose(f);
	return i == NUM_BARS ? 0 : -EINVAL;
}

/* The port is the directory above: .../0000:00:01.0/0000:01:00.0 */
static int find_port(struct gpu *gpu)
{
	char link[256], path[PATH_MAX], *end, *start;

	snprintf(link, sizeof(link), PCI_DEVICES "/%s", gpu->name);
	if (!realpath(link, path))
		return -errno;
	end = strrchr(path, '/');
	if (!end)
		return -ENODEV;
	*end = '\0';
	start = strrchr(path, '/');
	if (!start || strlen(start + 1) >= sizeof(gpu->port))
		return -ENODEV;
	strcpy(gpu->port, start + 1);
	return 0;
}

/* The first function whose @attr has the @value. */
static int find_function(const char *attr, uint64_t value, char *name, size_t size)
{
	struct dirent *entry;
	uint64_t found;
	DIR *dir;
	int err = -ENODEV;

	dir = opendir(PCI_DEVICES);
	if (!dir)
		return -errno;
	while (err && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.' || strlen(entry->d_name) >= size)
			continue;
		if (read_hex(entry->d_name, attr, &found) || found != value)
			continue;
		strcpy(name, entry->d_name);
		err = 0;
	}
	closedir(dir);
	return err;
}

int find_gpu(struct gpu *gpu)
{
	int err;

	err = find_function("vendor", VENDOR_NVIDIA, gpu->name, sizeof(gpu->name));
	if (!err)
		err = read_bar_sizes(gpu);
	if (!err)
		err = find_port(gpu);
	return err ? err : write_attr(gpu->name, "enable", "1");
}

int find_empty_port(struct gpu *gpu)
{
	return find_function("class", CLASS_BRIDGE, gpu->port, sizeof(gpu->port));
}

int map_bar(struct gpu *gpu, unsigned int index)
{
	struct bar *bar;
	char path[256];
	void *map;
	int fd;

	if (index >= NUM_BARS || !gpu->bars[index].size)
		return -ENXIO;
	bar = &gpu->bars[index];
	if (bar->map)
		return 0;
	snprintf(path, sizeof(path), PCI_DEVICES "/%s/resource%u", gpu->name, index);
	fd = open(path, O_RDWR | O_SYNC);
	if (fd < 0)
		return -errno;
	map = mmap(NULL, bar->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (map == MAP_FAILED)
		return -errno;
	bar->map = map;
	return 0;
}
