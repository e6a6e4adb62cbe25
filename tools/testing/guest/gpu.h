/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The NVIDIA function of a test guest, through sysfs. What fails returns a
 * negative errno.
 */
#ifndef GPU_H
#define GPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PCI_DEVICES	"/sys/bus/pci/devices"
#define VENDOR_NVIDIA	0x10de
#define CLASS_BRIDGE	0x060400
#define NUM_BARS	6

struct bar {
	uint32_t *map;
	uint64_t size;
};

struct gpu {
	char name[32];
	/* The port that it is plugged into. */
	char port[32];
	struct bar bars[NUM_BARS];
};

int read_hex(const char *dev, const char *attr, uint64_t *value);
int write_attr(const char *dev, const char *attr, const char *text);
int find_gpu(struct gpu *gpu);
/* Without a function: the port that one would be plugged into. The guest has only one. */
int find_empty_port(struct gpu *gpu);
int map_bar(struct gpu *gpu, unsigned int index);

/* Reads or writes @width bytes of the config space of a function. */
int config_access(const char *name, bool is_write, uint64_t offset, uint32_t *value, size_t width);

/* Lets the function go when the button of its slot is pressed, and finds it again. */
int unplug(struct gpu *gpu);
int plug(struct gpu *gpu);

/* Waits for a function in a slot that was empty when the guest booted. */
int await_gpu(struct gpu *gpu);

#endif /* GPU_H */
