// SPDX-License-Identifier: GPL-2.0
/*
 * Static inline functions and macros of the VFIO headers for the vfio crate.
 */

#include <linux/iommu.h>
#include <linux/pm_runtime.h>
#include <linux/vfio_pci_core.h>

#include "helpers.h"

void nova_vgpu_helper_vfio_put_device(struct vfio_device *vdev)
{
	vfio_put_device(vdev);
}

bool nova_vgpu_helper_device_iommu_mapped(struct device *dev)
{
	return device_iommu_mapped(dev);
}

int nova_vgpu_helper_pm_resume_and_get(struct device *dev)
{
	return pm_runtime_resume_and_get(dev);
}

void nova_vgpu_helper_pm_put(struct device *dev)
{
	pm_runtime_put(dev);
}

/* Static inline in a kernel without CONFIG_VFIO_PCI_DMABUF. */
int nova_vgpu_helper_vfio_get_dmabuf_phys(struct vfio_pci_core_device *core,
					  struct p2pdma_provider **provider,
					  unsigned int region, struct phys_vec *phys,
					  struct vfio_region_dma_range *ranges, size_t count)
{
	return vfio_pci_core_get_dmabuf_phys(core, provider, region, phys, ranges, count);
}
