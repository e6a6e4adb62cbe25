// SPDX-License-Identifier: GPL-2.0
/*
 * A virtual function. QEMU's SR-IOV code makes and hides it; its ids read as
 * all ones by specification. It is a 3D controller also where the PF drives
 * displays; the rest of the identity is the PF's.
 *
 *   BAR0  32-bit                 identification, scratch, interrupts, MSI-X
 *   BAR1  64-bit prefetchable    the frame buffer of its vGPU
 *   BAR3  64-bit prefetchable    instance memory window
 *
 * Every access goes to the PF's model with the VF's GFID.
 */
#include "ada-gpu.h"
#include "migration/vmstate.h"

#define CLASS_3D_CONTROLLER	0x0302

static struct ada_gpu_pf *vf_to_pf(struct ada_gpu_vf *vf)
{
	return ADA_GPU_PF(pcie_sriov_get_pf(&vf->dev));
}

static uint32_t vf_gfid(struct ada_gpu_vf *vf)
{
	return pcie_sriov_vf_number(&vf->dev) + 1;
}

static void set_identity(PCIDevice *dev, const struct ada_gpu_pci *pci)
{
	pci_config_set_revision(dev->config, pci->revision);
	pci_config_set_class(dev->config, CLASS_3D_CONTROLLER);
	pci_set_word(dev->config + PCI_SUBSYSTEM_VENDOR_ID, pci->subsystem_vendor);
	pci_set_word(dev->config + PCI_SUBSYSTEM_ID, pci->subsystem);
}

static void add_bar(struct ada_gpu_vf *vf, struct ada_gpu_region *r,
		    enum ada_gpu_bar bar, uint64_t size)
{
	ada_gpu_region_init(r, OBJECT(vf), vf_to_pf(vf)->gpu, vf_gfid(vf), bar, size);
	pcie_sriov_vf_register_bar(&vf->dev, bar, &r->mr);
}

static void ada_gpu_vf_exit(PCIDevice *dev)
{
	ada_gpu_vf_caps_exit(ADA_GPU_VF(dev));
}

static void ada_gpu_vf_realize(PCIDevice *dev, Error **errp)
{
	struct ada_gpu_vf *vf = ADA_GPU_VF(dev);
	const struct ada_gpu_pci *pci = &vf_to_pf(vf)->pci;

	set_identity(dev, pci);
	add_bar(vf, &vf->bar0, ADA_GPU_BAR0, pci->vf_bar0_size);
	add_bar(vf, &vf->bar1, ADA_GPU_BAR1, pci->vf_bar1_size);
	add_bar(vf, &vf->bar3, ADA_GPU_BAR3, pci->vf_bar3_size);
	if (!ada_gpu_vf_caps_init(vf, pci->vf_pm, errp))
		ada_gpu_vf_exit(dev);
}

static void ada_gpu_vf_config_write(PCIDevice *dev, uint32_t addr, uint32_t val,
				    int len)
{
	struct ada_gpu_vf *vf = ADA_GPU_VF(dev);

	pci_default_write_config(dev, addr, val, len);
	ada_gpu_track_bus_master(dev, vf_to_pf(vf)->gpu, vf_gfid(vf), &vf->bus_master);
	pcie_cap_flr_write_config(dev, addr, val, len);
	ada_gpu_track_bus_master(dev, vf_to_pf(vf)->gpu, vf_gfid(vf), &vf->bus_master);
}

/*
 * Also runs when the VF is shown or hidden and when the whole board is reset;
 * those are the PF's to report.
 */
static void ada_gpu_vf_reset_hold(Object *obj, ResetType type)
{
	struct ada_gpu_vf *vf = ADA_GPU_VF(obj);
	struct ada_gpu *gpu = vf_to_pf(vf)->gpu;

	if (ada_gpu_flr_in_progress(&vf->dev))
		ada_gpu_reset(gpu, ADA_GPU_RESET_FLR, vf_gfid(vf));
	if (vf->bus_master) {
		vf->bus_master = false;
		ada_gpu_set_bus_master(gpu, vf_gfid(vf), false);
	}
}

static const VMStateDescription vmstate_ada_gpu_vf = {
	.name = TYPE_ADA_GPU_VF,
	.unmigratable = 1,
};

static void ada_gpu_vf_class_init(ObjectClass *klass, void *data)
{
	DeviceClass *dc = DEVICE_CLASS(klass);
	PCIDeviceClass *pc = PCI_DEVICE_CLASS(klass);

	pc->realize = ada_gpu_vf_realize;
	pc->exit = ada_gpu_vf_exit;
	pc->config_write = ada_gpu_vf_config_write;
	dc->desc = "NVIDIA Ada GPU virtual function (software model)";
	dc->vmsd = &vmstate_ada_gpu_vf;
	dc->user_creatable = false;
	set_bit(DEVICE_CATEGORY_DISPLAY, dc->categories);
	RESETTABLE_CLASS(klass)->phases.hold = ada_gpu_vf_reset_hold;
}

static InterfaceInfo ada_gpu_vf_interfaces[] = {
	{ INTERFACE_PCIE_DEVICE },
	{ }
};

const TypeInfo ada_gpu_vf_info = {
	.name = TYPE_ADA_GPU_VF,
	.parent = TYPE_PCI_DEVICE,
	.instance_size = sizeof(struct ada_gpu_vf),
	.class_init = ada_gpu_vf_class_init,
	.interfaces = ada_gpu_vf_interfaces,
};
