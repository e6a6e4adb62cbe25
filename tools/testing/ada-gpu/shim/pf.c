// SPDX-License-Identifier: GPL-2.0
/*
 * The physical function, "-device ada-gpu": identity, BARs, resets.
 *
 *   BAR0  16 MiB registers             MSI-X table and PBA inside
 *   BAR1  64-bit prefetchable          window on the frame buffer
 *   BAR3  64-bit prefetchable, 32 MiB  instance memory window
 *   BAR5  128 bytes of I/O             no driver uses it: reads 0
 *
 *   create -> properties -> realize: the model starts, config space follows
 *   reset  -> which kind? -> model -> (FLR: QEMU then clears config space)
 */
#include "ada-gpu.h"
#include "hw/pci/pci_bridge.h"
#include "hw/pci/pci_bus.h"
#include "migration/vmstate.h"

#define BAR5_SIZE	128
#define USAGE		"-device pcie-root-port,id=rp0,mem-reserve=64M,pref64-reserve=16G -device ada-gpu,bus=rp0"

static uint64_t bar5_read(void *opaque, hwaddr addr, unsigned int size)
{
	return 0;
}

static void bar5_write(void *opaque, hwaddr addr, uint64_t value, unsigned int size)
{
}

static const MemoryRegionOps bar5_ops = {
	.read = bar5_read,
	.write = bar5_write,
	.endianness = DEVICE_LITTLE_ENDIAN,
};

static void set_identity(struct ada_gpu_pf *pf)
{
	uint8_t *config = pf->dev.config;
	const struct ada_gpu_pci *pci = &pf->pci;

	pci_config_set_vendor_id(config, pci->vendor);
	pci_config_set_device_id(config, pci->device);
	pci_config_set_revision(config, pci->revision);
	pci_config_set_class(config, pci->class_code >> 8);
	pci_config_set_prog_interface(config, pci->class_code);
	pci_set_word(config + PCI_SUBSYSTEM_VENDOR_ID, pci->subsystem_vendor);
	pci_set_word(config + PCI_SUBSYSTEM_ID, pci->subsystem);
}

static void add_bars(struct ada_gpu_pf *pf)
{
	const uint8_t mem64 = PCI_BASE_ADDRESS_MEM_TYPE_64 | PCI_BASE_ADDRESS_MEM_PREFETCH;
	PCIDevice *dev = &pf->dev;
	Object *owner = OBJECT(pf);

	ada_gpu_region_init(&pf->bar0, owner, pf->gpu, 0, ADA_GPU_BAR0, pf->pci.bar0_size);
	ada_gpu_region_init(&pf->bar1, owner, pf->gpu, 0, ADA_GPU_BAR1, pf->pci.bar1_size);
	ada_gpu_region_init(&pf->bar3, owner, pf->gpu, 0, ADA_GPU_BAR3, pf->pci.bar3_size);
	memory_region_init_io(&pf->bar5, owner, &bar5_ops, pf, "ada-gpu.0.bar5", BAR5_SIZE);

	pci_register_bar(dev, 0, PCI_BASE_ADDRESS_SPACE_MEMORY, &pf->bar0.mr);
	pci_register_bar(dev, 1, mem64, &pf->bar1.mr);
	pci_register_bar(dev, 3, mem64, &pf->bar3.mr);
	pci_register_bar(dev, 5, PCI_BASE_ADDRESS_SPACE_IO, &pf->bar5);
}

static void ada_gpu_pf_exit(PCIDevice *dev)
{
	struct ada_gpu_pf *pf = ADA_GPU_PF(dev);

	ada_gpu_sriov_exit(pf);
	ada_gpu_pf_caps_exit(pf);
	ada_gpu_host_exit(pf);
}

static void ada_gpu_pf_realize(PCIDevice *dev, Error **errp)
{
	struct ada_gpu_pf *pf = ADA_GPU_PF(dev);
	PCIBus *bus = pci_get_bus(dev);
	char *why;

	if (!pci_bus_is_express(bus) || pci_bus_is_root(bus)) {
		error_setg(errp, "ada-gpu must sit below a PCIe port: " USAGE);
		return;
	}

	/* The model may arm its timer and look at config space at once. */
	ada_gpu_host_init(pf);
	why = ada_gpu_start(pf->gpu, &ada_gpu_host_ops, pf, &pf->pci);
	if (why) {
		error_setg(errp, "%s", why);
		ada_gpu_string_free(why);
		ada_gpu_host_exit(pf);
		return;
	}

	set_identity(pf);
	add_bars(pf);
	if (!ada_gpu_pf_caps_init(pf, errp) ||
	    !ada_gpu_sriov_init(pf, errp)) {
		ada_gpu_pf_exit(dev);
		return;
	}
	ada_gpu_pf_ari_init(pf);
}

static void ada_gpu_pf_config_write(PCIDevice *dev, uint32_t addr, uint32_t val,
				    int len)
{
	struct ada_gpu_pf *pf = ADA_GPU_PF(dev);

	val = ada_gpu_sriov_filter(pf, addr, val, len);
	pci_default_write_config(dev, addr, val, len);
	ada_gpu_sriov_track(pf);
	ada_gpu_track_bus_master(dev, pf->gpu, 0, &pf->bus_master);
	pcie_cap_flr_write_config(dev, addr, val, len);
	ada_gpu_sriov_track(pf);
	ada_gpu_track_bus_master(dev, pf->gpu, 0, &pf->bus_master);
}

/* The port above still has Secondary Bus Reset set while it resets its bus. */
static bool bus_reset_in_progress(PCIDevice *dev)
{
	PCIDevice *port = pci_bridge_get_device(pci_get_bus(dev));

	return port && pci_get_word(port->config + PCI_BRIDGE_CONTROL) & PCI_BRIDGE_CTL_BUS_RESET;
}

static void ada_gpu_pf_reset_hold(Object *obj, ResetType type)
{
	struct ada_gpu_pf *pf = ADA_GPU_PF(obj);
	enum ada_gpu_reset kind = ADA_GPU_RESET_POWER_ON;

	if (ada_gpu_flr_in_progress(&pf->dev))
		kind = ADA_GPU_RESET_FLR;
	else if (bus_reset_in_progress(&pf->dev))
		kind = ADA_GPU_RESET_SECONDARY_BUS;
	ada_gpu_reset(pf->gpu, kind, 0);

	/* QEMU clears these two in config space after this handler. */
	if (pf->num_vfs) {
		pf->num_vfs = 0;
		ada_gpu_set_num_vfs(pf->gpu, 0);
	}
	if (pf->bus_master) {
		pf->bus_master = false;
		ada_gpu_set_bus_master(pf->gpu, 0, false);
	}
}

static void ada_gpu_pf_instance_init(Object *obj)
{
	ADA_GPU_PF(obj)->gpu = ada_gpu_create();
}

static void ada_gpu_pf_instance_finalize(Object *obj)
{
	ada_gpu_destroy(ADA_GPU_PF(obj)->gpu);
}

static const VMStateDescription vmstate_ada_gpu_pf = {
	.name = TYPE_ADA_GPU_PF,
	.unmigratable = 1,
};

static void ada_gpu_pf_class_init(ObjectClass *klass, void *data)
{
	DeviceClass *dc = DEVICE_CLASS(klass);
	PCIDeviceClass *pc = PCI_DEVICE_CLASS(klass);

	pc->realize = ada_gpu_pf_realize;
	pc->exit = ada_gpu_pf_exit;
	pc->config_write = ada_gpu_pf_config_write;
	dc->desc = "NVIDIA Ada GPU with SR-IOV (software model)";
	dc->vmsd = &vmstate_ada_gpu_pf;
	set_bit(DEVICE_CATEGORY_DISPLAY, dc->categories);
	RESETTABLE_CLASS(klass)->phases.hold = ada_gpu_pf_reset_hold;
	ada_gpu_add_properties(klass);
}

static InterfaceInfo ada_gpu_pf_interfaces[] = {
	{ INTERFACE_PCIE_DEVICE },
	{ }
};

const TypeInfo ada_gpu_pf_info = {
	.name = TYPE_ADA_GPU_PF,
	.parent = TYPE_PCI_DEVICE,
	.instance_size = sizeof(struct ada_gpu_pf),
	.instance_init = ada_gpu_pf_instance_init,
	.instance_finalize = ada_gpu_pf_instance_finalize,
	.class_init = ada_gpu_pf_class_init,
	.interfaces = ada_gpu_pf_interfaces,
};
