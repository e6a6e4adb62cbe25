// SPDX-License-Identifier: GPL-2.0
/*
 * Reads dwords of a BAR through its resource file in sysfs.
 *
 *   bar_read /sys/bus/pci/devices/<PF>/resource1 OFFSET...
 *
 * Prints one dword a line.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static int read_dword(int fd, off_t offset, uint32_t *value)
{
	long page = sysconf(_SC_PAGESIZE);
	off_t start = offset & ~(off_t)(page - 1);
	void *map;

	map = mmap(NULL, page, PROT_READ, MAP_SHARED, fd, start);
	if (map == MAP_FAILED)
		return -errno;
	/* One access of this width, no more. */
	*value = __atomic_load_n((uint32_t *)((char *)map + (offset - start)), __ATOMIC_RELAXED);
	munmap(map, page);
	return 0;
}

int main(int argc, char **argv)
{
	int fd, i;

	if (argc < 3) {
		fprintf(stderr, "usage: %s RESOURCE OFFSET...\n", argv[0]);
		return 2;
	}
	fd = open(argv[1], O_RDONLY);
	if (fd < 0) {
		fprintf(stderr, "%s: %s\n", argv[1], strerror(errno));
		return 1;
	}
	for (i = 2; i < argc; i++) {
		uint32_t value = 0;
		uint64_t offset;
		char *end;
		int ret;

		errno = 0;
		offset = strtoull(argv[i], &end, 0);
		if (errno || *end || offset % sizeof(value)) {
			fprintf(stderr, "%s: not the offset of a dword\n", argv[i]);
			return 2;
		}
		ret = read_dword(fd, (off_t)offset, &value);
		if (ret) {
			fprintf(stderr, "%s at %s: %s\n", argv[1], argv[i], strerror(-ret));
			return 1;
		}
		printf("0x%08" PRIx32 "\n", value);
	}
	close(fd);
	return 0;
}
