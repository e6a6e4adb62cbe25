// SPDX-License-Identifier: GPL-2.0
/*
 * SR-IOV capability of the PF, at the place where AD102 has it.
 *
 *   0xbcc  header                  0xbe4  page sizes 0x573
 *   0xbd4  VF Enable, VF MSE       0xbf0  VF BAR0, 32-bit
 *   0xbd8  InitialVFs, TotalVFs    0xbf4  VF BAR1, 64-bit prefetchable
 *   0xbdc  NumVFs                  0xbfc  VF BAR3, 64-bit prefetchable
 *   0xbe0  offset 4, stride 1
 *
 * QEMU makes all VF devices together with the PF and only shows or hides them
 * when VF Enable changes.
 */
#include "ada-gpu.h"
#include "qemu/range.h"

#define PF_SRIOV		0xbcc
/* 4K to 4M as the specification demands, and 128K as the boards have it. */
#define SUPPORTED_PAGE_SIZES	0x573

#define MEM32			PCI_BASE_ADDRESS_SPACE_MEMORY
#define MEM64_PREF		(PCI_BASE_ADDRESS_MEM_TYPE_64 | PCI_BASE_ADDRESS_MEM_PREFETCH)

bool ada_gpu_sriov_init(struct ada_gpu_pf *pf, Error **errp)
{
	PCIDevice *dev = &pf->dev;
	const struct ada_gpu_pci *pci = &pf->pci;

	if (!pci->total_vfs)
		return true;

	/*
	 * The VFs register their BARs inside pcie_sriov_pf_init() and take the
	 * types from here, before pcie_sriov_pf_init_vf_bar() can have set them.
	 */
	dev->exp.sriov_pf.vf_bar_type[ADA_GPU_BAR0] = MEM32;
	dev->exp.sriov_pf.vf_bar_type[ADA_GPU_BAR1] = MEM64_PREF;
	dev->exp.sriov_pf.vf_bar_type[ADA_GPU_BAR3] = MEM64_PREF;

	if (!pcie_sriov_pf_init(dev, PF_SRIOV, TYPE_ADA_GPU_VF, pci->vf_device,
				pci->total_vfs, pci->total_vfs, pci->vf_offset,
				pci->vf_stride, errp)) {
		dev->exp.sriov_cap = 0;
		return false;
	}

	pcie_sriov_pf_add_sup_pgsize(dev, SUPPORTED_PAGE_SIZES);
	pcie_sriov_pf_init_vf_bar(dev, ADA_GPU_BAR0, MEM32, pci->vf_bar0_size);
	pcie_sriov_pf_init_vf_bar(dev, ADA_GPU_BAR1, MEM64_PREF, pci->vf_bar1_size);
	pcie_sriov_pf_init_vf_bar(dev, ADA_GPU_BAR3, MEM64_PREF, pci->vf_bar3_size);
	return true;
}

void ada_gpu_sriov_exit(struct ada_gpu_pf *pf)
{
	if (pf->dev.exp.sriov_cap)
		pcie_sriov_pf_exit(&pf->dev);
}

/*
 * VF Enable with more VFs than there are does nothing; QEMU 10.0 would walk
 * past the end of its array. Returns the value to write.
 */
uint32_t ada_gpu_sriov_filter(struct ada_gpu_pf *pf, uint32_t addr, uint32_t val, int len)
{
	const uint8_t *cap = pf->dev.config + PF_SRIOV;

	if (!pf->pci.total_vfs || !range_covers_byte(addr, len, PF_SRIOV + PCI_SRIOV_CTRL) ||
	    pci_get_word(cap + PCI_SRIOV_NUM_VF) <= pf->pci.total_vfs)
		return val;
	return val & ~((uint32_t)PCI_SRIOV_CTRL_VFE << (8 * (PF_SRIOV + PCI_SRIOV_CTRL - addr)));
}

/* Tells the model when the number of enabled VFs is no longer the last one. */
void ada_gpu_sriov_track(struct ada_gpu_pf *pf)
{
	uint16_t n = pcie_sriov_num_vfs(&pf->dev);

	if (n == pf->num_vfs)
		return;
	pf->num_vfs = n;
	ada_gpu_set_num_vfs(pf->gpu, n);
}
