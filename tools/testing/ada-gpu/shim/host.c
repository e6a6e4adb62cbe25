// SPDX-License-Identifier: GPL-2.0
/*
 * What the model asks of the machine, carried out by QEMU.
 *
 *   dma_read/dma_write   bus-master accesses of the PF, through its IOMMU
 *   config_read          config space, for the mirror in BAR0
 *   msix                 MSI-X of any function, MSI of the PF as a fallback
 *   now_ns/set_timer     QEMU_CLOCK_VIRTUAL: stops when the VM stops
 */
#include "ada-gpu.h"
#include "hw/pci/msi.h"
#include "hw/pci/msix.h"
#include "system/system.h"

/* NULL when the model names a VF that the board does not have. */
static PCIDevice *function_device(struct ada_gpu_pf *pf, uint32_t function)
{
	if (function == 0)
		return &pf->dev;
	if (function > pf->pci.total_vfs || !pf->dev.exp.sriov_pf.vf)
		return NULL;
	return pf->dev.exp.sriov_pf.vf[function - 1];
}

static bool host_dma(struct ada_gpu_pf *pf, uint64_t addr, void *buf, size_t len,
		     DMADirection dir)
{
	PCIDevice *dev = &pf->dev;

	/* QEMU leaves the bus-master region enabled across a reset. */
	if (!(pci_get_word(dev->config + PCI_COMMAND) & PCI_COMMAND_MASTER))
		return false;
	return pci_dma_rw(dev, addr, buf, len, dir, MEMTXATTRS_UNSPECIFIED) == MEMTX_OK;
}

static bool host_dma_read(void *opaque, uint64_t addr, void *buf, size_t len)
{
	return host_dma(opaque, addr, buf, len, DMA_DIRECTION_TO_DEVICE);
}

static bool host_dma_write(void *opaque, uint64_t addr, const void *buf, size_t len)
{
	return host_dma(opaque, addr, (void *)buf, len, DMA_DIRECTION_FROM_DEVICE);
}

static uint32_t host_config_read(void *opaque, uint32_t function, uint16_t offset)
{
	PCIDevice *dev = function_device(opaque, function);

	if (!dev || offset > PCIE_CONFIG_SPACE_SIZE - 4)
		return UINT32_MAX;
	return pci_get_long(dev->config + (offset & ~3));
}

static void host_msix(void *opaque, uint32_t function, uint16_t vector)
{
	PCIDevice *dev = function_device(opaque, function);

	if (!dev || vector >= ADA_GPU_MSIX_VECTORS)
		return;
	if (msix_enabled(dev))
		msix_notify(dev, vector);
	else if (msi_enabled(dev))
		msi_notify(dev, 0);
}

static uint64_t host_now_ns(void *opaque)
{
	return qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL);
}

static void host_set_timer(void *opaque, bool armed, uint64_t deadline_ns)
{
	struct ada_gpu_pf *pf = opaque;

	if (armed)
		timer_mod_ns(pf->timer, MIN(deadline_ns, INT64_MAX));
	else
		timer_del(pf->timer);
}

const struct ada_gpu_host_ops ada_gpu_host_ops = {
	.dma_read = host_dma_read,
	.dma_write = host_dma_write,
	.config_read = host_config_read,
	.msix = host_msix,
	.now_ns = host_now_ns,
	.set_timer = host_set_timer,
};

static void model_timer(void *opaque)
{
	struct ada_gpu_pf *pf = opaque;

	ada_gpu_timer(pf->gpu);
}

static void at_exit(Notifier *n, void *data)
{
	struct ada_gpu_pf *pf = container_of(n, struct ada_gpu_pf, exit);

	ada_gpu_finish(pf->gpu);
}

void ada_gpu_host_init(struct ada_gpu_pf *pf)
{
	pf->timer = timer_new_ns(QEMU_CLOCK_VIRTUAL, model_timer, pf);
	pf->exit.notify = at_exit;
	qemu_add_exit_notifier(&pf->exit);
}

void ada_gpu_host_exit(struct ada_gpu_pf *pf)
{
	qemu_remove_exit_notifier(&pf->exit);
	ada_gpu_finish(pf->gpu);
	timer_free(pf->timer);
	pf->timer = NULL;
}
