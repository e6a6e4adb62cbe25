// SPDX-License-Identifier: GPL-2.0
/*
 * Capabilities in config space, at the offsets of AD102 boards.
 *
 *            PF                                   VF
 *   0x060    PM                          0x040    PCIe, FLR (60 bytes)
 *   0x068    MSI, 1 vector, 64-bit       0x07c    MSI-X, 6 entries
 *   0x078    PCIe endpoint, FLR                     table BAR0 + 0x010000
 *   0x0c8    MSI-X, 6 entries                       PBA   BAR0 + 0x020000
 *              table BAR0 + 0xb90000     0x100    AER
 *              PBA   BAR0 + 0xba0000     0x148    ARI
 *   0x100    Virtual Channel              0x0b0    vendor specific, 2 scratch words
 *   0x420    AER                          0x0e0    a scratch word of no capability
 *   0xbcc    SR-IOV (sriov.c)             0x090    PM, if wanted (vf-pm)
 *   0xc14    ARI                          0x180    serial number of the board
 *
 * Sources: OGKM 570.144 swref/published/turing/tu102/dev_nv_xve.h (SR-IOV
 * header words in the config mirror, hence 0xbcc) and dev_vm.h (VF MSI-X table),
 * published lspci dumps of AD102 boards (the rest); the VF's PCIe, AER and ARI
 * offsets are free choices. So is what a VF has besides: nobody has described the
 * rest of a real one's space, and a host must not hand on what it does not know.
 * An endpoint and not a legacy endpoint, because only that one may have SR-IOV.
 */
#include "ada-gpu.h"
#include "hw/pci/msi.h"
#include "hw/pci/msix.h"

#define PF_PM		0x60
#define PF_MSI		0x68
#define PF_PCIE		0x78
#define PF_MSIX		0xc8
#define PF_MSIX_TABLE	0xb90000
#define PF_MSIX_PBA	0xba0000
#define PF_VC		0x100
#define PF_AER		0x420
#define PF_ARI		0xc14

#define VF_PCIE		0x40
#define VF_MSIX		0x7c
#define VF_MSIX_TABLE	0x10000
#define VF_MSIX_PBA	0x20000
#define VF_PM		0x90
#define VF_VENDOR	0xb0
#define VF_VENDOR_SIZE	16
#define VF_VENDOR_WORDS	(VF_VENDOR + 8)
#define VF_STRAY_WORD	0xe0
#define VF_AER		0x100
#define VF_ARI		0x148
#define VF_SERIAL	0x180
#define SERIAL_NUMBER	0x04812be0f00dcafeULL

/* Virtual Channel with VC0 only: header to VC0 status, PCIe base spec 7.9.1. */
#define VC_SIZE		0x1c
#define VC_VERSION	1
#define VC0_ENABLED	0x800000ff

static bool msix_setup(PCIDevice *dev, MemoryRegion *bar0, uint32_t table,
		       uint32_t pba, uint8_t cap, Error **errp)
{
	unsigned int i;

	if (msix_init(dev, ADA_GPU_MSIX_VECTORS, bar0, 0, table, bar0, 0, pba,
		      cap, errp) < 0)
		return false;
	for (i = 0; i < ADA_GPU_MSIX_VECTORS; i++)
		msix_vector_use(dev, i);
	return true;
}

static bool pcie_setup(PCIDevice *dev, uint8_t offset, Error **errp)
{
	if (pcie_cap_init(dev, offset, PCI_EXP_TYPE_ENDPOINT, 0, errp) < 0)
		return false;
	pcie_cap_deverr_init(dev);
	pcie_cap_flr_init(dev);
	return true;
}

/* D0 and D3hot; state is kept across D3hot. */
static bool pm_setup(PCIDevice *dev, uint8_t offset, Error **errp)
{
	if (pci_pm_init(dev, offset, errp) < 0)
		return false;
	pci_set_word(dev->config + offset + PCI_PM_PMC, 3);
	pci_set_word(dev->config + offset + PCI_PM_CTRL, PCI_PM_CTRL_NO_SOFT_RESET);
	pci_set_word(dev->wmask + offset + PCI_PM_CTRL, PCI_PM_CTRL_STATE_MASK);
	return true;
}

static void vc_setup(PCIDevice *dev)
{
	pcie_add_capability(dev, PCI_EXT_CAP_ID_VC, VC_VERSION, PF_VC, VC_SIZE);
	pci_set_long(dev->config + PF_VC + PCI_VC_RES_CTRL, VC0_ENABLED);
}

/*
 * QEMU puts a new capability at the head of the list: the last one first. MSI-X
 * and MSI hold regions and are undone by ada_gpu_pf_caps_exit(), which does
 * nothing for those that are not there.
 */
bool ada_gpu_pf_caps_init(struct ada_gpu_pf *pf, Error **errp)
{
	PCIDevice *dev = &pf->dev;

	if (pf->pci.msix &&
	    !msix_setup(dev, &pf->bar0.mr, PF_MSIX_TABLE, PF_MSIX_PBA, PF_MSIX, errp))
		return false;
	if (!pcie_setup(dev, PF_PCIE, errp) ||
	    msi_init(dev, PF_MSI, 1, true, false, errp) < 0 ||
	    !pm_setup(dev, PF_PM, errp))
		return false;

	vc_setup(dev);
	if (pcie_aer_init(dev, PCI_ERR_VER, PF_AER, PCI_ERR_SIZEOF, errp) < 0)
		return false;
	return true;
}

/* After SR-IOV: extended capabilities are linked in the order they are added. */
void ada_gpu_pf_ari_init(struct ada_gpu_pf *pf)
{
	pcie_ari_init(&pf->dev, PF_ARI);
}

void ada_gpu_pf_caps_exit(struct ada_gpu_pf *pf)
{
	PCIDevice *dev = &pf->dev;

	if (dev->exp.aer_cap)
		pcie_aer_exit(dev);
	msi_uninit(dev);
	if (dev->exp.exp_cap)
		pcie_cap_exit(dev);
	msix_uninit(dev, &pf->bar0.mr, &pf->bar0.mr);
}

/* What a guest must find neither to read nor to write. */
static bool private_setup(PCIDevice *dev, Error **errp)
{
	if (pci_add_capability(dev, PCI_CAP_ID_VNDR, VF_VENDOR, VF_VENDOR_SIZE, errp) < 0)
		return false;
	pci_set_byte(dev->config + VF_VENDOR + PCI_CAP_FLAGS, VF_VENDOR_SIZE);
	pci_set_quad(dev->config + VF_VENDOR_WORDS, 0x5ec2e75ec2e7ULL);
	pci_set_quad(dev->wmask + VF_VENDOR_WORDS, ~0ULL);
	pci_set_long(dev->config + VF_STRAY_WORD, 0x0b5cu);
	pci_set_long(dev->wmask + VF_STRAY_WORD, ~0u);
	return true;
}

bool ada_gpu_vf_caps_init(struct ada_gpu_vf *vf, bool pm, Error **errp)
{
	PCIDevice *dev = &vf->dev;

	if (!msix_setup(dev, &vf->bar0.mr, VF_MSIX_TABLE, VF_MSIX_PBA, VF_MSIX, errp) ||
	    !private_setup(dev, errp) || (pm && !pm_setup(dev, VF_PM, errp)) ||
	    !pcie_setup(dev, VF_PCIE, errp) ||
	    pcie_aer_init(dev, PCI_ERR_VER, VF_AER, PCI_ERR_SIZEOF, errp) < 0)
		return false;
	pcie_ari_init(dev, VF_ARI);
	pcie_dev_ser_num_init(dev, VF_SERIAL, SERIAL_NUMBER);
	return true;
}

void ada_gpu_vf_caps_exit(struct ada_gpu_vf *vf)
{
	PCIDevice *dev = &vf->dev;

	if (dev->exp.aer_cap)
		pcie_aer_exit(dev);
	if (dev->exp.exp_cap)
		pcie_cap_exit(dev);
	msix_uninit(dev, &vf->bar0.mr, &vf->bar0.mr);
}
