/* SPDX-License-Identifier: GPL-2.0 */
/*
 * C functions that the Rust crates of the two modules call: static inline functions and macros of
 * the kernel's headers, which Rust cannot reach. The crates declare them once more.
 *
 *   kernel_ext (nova_core_vgpu.ko)       pci.c, work.c, coredump.c
 *   vfio       (nvidia_vgpu_vfio.ko)     vfio.c
 */

#ifndef NOVA_VGPU_HELPERS_H
#define NOVA_VGPU_HELPERS_H

#include <linux/types.h>
#include <linux/workqueue.h>

struct device;
struct p2pdma_provider;
struct pci_dev;
struct phys_vec;
struct vfio_device;
struct vfio_pci_core_device;
struct vfio_region_dma_range;

struct pci_dev *nova_vgpu_helper_pci_physfn(struct pci_dev *dev);
int nova_vgpu_helper_pci_domain_nr(struct pci_dev *dev);
bool nova_vgpu_helper_pci_is_being_removed(struct pci_dev *dev);

void nova_vgpu_helper_init_delayed_work(struct delayed_work *work, work_func_t func);
bool nova_vgpu_helper_queue_delayed_work(struct delayed_work *work, unsigned long delay);
bool nova_vgpu_helper_mod_delayed_work(struct delayed_work *work, unsigned long delay);

void nova_vgpu_helper_dev_coredumpv(struct device *dev, void *data, size_t len);

void nova_vgpu_helper_vfio_put_device(struct vfio_device *vdev);
bool nova_vgpu_helper_device_iommu_mapped(struct device *dev);
int nova_vgpu_helper_pm_resume_and_get(struct device *dev);
void nova_vgpu_helper_pm_put(struct device *dev);
int nova_vgpu_helper_vfio_get_dmabuf_phys(struct vfio_pci_core_device *core,
					  struct p2pdma_provider **provider,
					  unsigned int region, struct phys_vec *phys,
					  struct vfio_region_dma_range *ranges, size_t count);

#endif /* NOVA_VGPU_HELPERS_H */
