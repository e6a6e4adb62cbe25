// SPDX-License-Identifier: GPL-2.0
/*
 * Static inline functions of <linux/pci.h> for the kernel_ext crate.
 */

#include <linux/pci.h>

#include "helpers.h"

struct pci_dev *nova_vgpu_helper_pci_physfn(struct pci_dev *dev)
{
	return pci_physfn(dev);
}

int nova_vgpu_helper_pci_domain_nr(struct pci_dev *dev)
{
	return pci_domain_nr(dev->bus);
}

/* PCI_DEV_ADDED of drivers/pci/pci.h: cleared before the driver of a removed device is unbound. */
#define NOVA_VGPU_PCI_DEV_ADDED	0

bool nova_vgpu_helper_pci_is_being_removed(struct pci_dev *dev)
{
	return !test_bit(NOVA_VGPU_PCI_DEV_ADDED, &dev->priv_flags);
}
