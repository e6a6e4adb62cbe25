// SPDX-License-Identifier: GPL-2.0
/*
 * What PF and VFs have in common: memory BARs that lead into the model, and
 * two facts of config space the model wants to know.
 *
 *   guest access, 1 to 8 bytes, any alignment --> ada_gpu_read/ada_gpu_write
 *   (function, bar, offset in the BAR)
 *
 * The MSI-X table and PBA lie over BAR0 as subregions of QEMU's own and do not
 * come here.
 */
#include "ada-gpu.h"

static uint64_t region_read(void *opaque, hwaddr addr, unsigned int size)
{
	struct ada_gpu_region *r = opaque;

	return ada_gpu_read(r->gpu, r->function, r->bar, addr, size);
}

static void region_write(void *opaque, hwaddr addr, uint64_t value,
			 unsigned int size)
{
	struct ada_gpu_region *r = opaque;

	ada_gpu_write(r->gpu, r->function, r->bar, addr, size, value);
}

static const MemoryRegionOps region_ops = {
	.read = region_read,
	.write = region_write,
	.endianness = DEVICE_LITTLE_ENDIAN,
	.valid = {
		.min_access_size = 1,
		.max_access_size = 8,
		.unaligned = true,
	},
	.impl = {
		.min_access_size = 1,
		.max_access_size = 8,
		.unaligned = true,
	},
};

void ada_gpu_region_init(struct ada_gpu_region *r, Object *owner,
			 struct ada_gpu *gpu, uint32_t function,
			 enum ada_gpu_bar bar, uint64_t size)
{
	g_autofree char *name = g_strdup_printf("ada-gpu.%u.bar%u", function, bar);

	r->gpu = gpu;
	r->function = function;
	r->bar = bar;
	memory_region_init_io(&r->mr, owner, &region_ops, r, name, size);
}

/* QEMU keeps Initiate FLR set while it resets the function, and only then. */
bool ada_gpu_flr_in_progress(PCIDevice *dev)
{
	uint16_t devctl = pci_get_word(dev->config + dev->exp.exp_cap + PCI_EXP_DEVCTL);

	return devctl & PCI_EXP_DEVCTL_BCR_FLR;
}

/* Tells the model when Bus Master Enable of @function is no longer *@cached. */
void ada_gpu_track_bus_master(PCIDevice *dev, struct ada_gpu *gpu,
			      uint32_t function, bool *cached)
{
	bool on = pci_get_word(dev->config + PCI_COMMAND) & PCI_COMMAND_MASTER;

	if (on == *cached)
		return;
	*cached = on;
	ada_gpu_set_bus_master(gpu, function, on);
}
