/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The two QOM types and what the files of the shim share.
 *
 *    pcie-root-port
 *      `- ada-gpu         struct ada_gpu_pf   devfn 0, owns the model
 *      `- ada-gpu-vf x 32 struct ada_gpu_vf   devfn 4.., made by QEMU's SR-IOV
 *                                             code, borrow the PF's model
 */
#ifndef ADA_GPU_H
#define ADA_GPU_H

#include "qemu/osdep.h"
#include <elf.h>
#include "qemu/notify.h"
#include "qemu/timer.h"
#include "hw/pci/pci_device.h"
#include "hw/pci/pcie.h"
#include "qapi/error.h"

#include "ada-gpu-ffi.h"

#define TYPE_ADA_GPU_PF "ada-gpu"
#define TYPE_ADA_GPU_VF "ada-gpu-vf"

#define ADA_GPU_MSIX_VECTORS 6

/* One memory BAR: the region and where its accesses go. */
struct ada_gpu_region {
	MemoryRegion mr;
	struct ada_gpu *gpu;
	uint32_t function;
	uint32_t bar;
};

struct ada_gpu_pf {
	PCIDevice dev;
	struct ada_gpu *gpu;
	struct ada_gpu_pci pci;
	struct ada_gpu_region bar0;
	struct ada_gpu_region bar1;
	struct ada_gpu_region bar3;
	MemoryRegion bar5;
	QEMUTimer *timer;
	Notifier exit;
	uint16_t num_vfs;
	bool bus_master;
};

struct ada_gpu_vf {
	PCIDevice dev;
	struct ada_gpu_region bar0;
	struct ada_gpu_region bar1;
	struct ada_gpu_region bar3;
	bool bus_master;
};

DECLARE_INSTANCE_CHECKER(struct ada_gpu_pf, ADA_GPU_PF, TYPE_ADA_GPU_PF)
DECLARE_INSTANCE_CHECKER(struct ada_gpu_vf, ADA_GPU_VF, TYPE_ADA_GPU_VF)

/* Dynamic section of this shared object, provided by the linker. */
extern Elf64_Dyn _DYNAMIC[] __attribute__((visibility("hidden")));

/* selfcheck.c: both end QEMU with one line when the answer is no. */
void ada_gpu_check_symbols(void);
void ada_gpu_check_layouts(void);

/* host.c */
extern const struct ada_gpu_host_ops ada_gpu_host_ops;
void ada_gpu_host_init(struct ada_gpu_pf *pf);
void ada_gpu_host_exit(struct ada_gpu_pf *pf);

/* region.c */
void ada_gpu_region_init(struct ada_gpu_region *r, Object *owner,
			 struct ada_gpu *gpu, uint32_t function,
			 enum ada_gpu_bar bar, uint64_t size);
bool ada_gpu_flr_in_progress(PCIDevice *dev);
void ada_gpu_track_bus_master(PCIDevice *dev, struct ada_gpu *gpu,
			      uint32_t function, bool *cached);

/* caps.c */
bool ada_gpu_pf_caps_init(struct ada_gpu_pf *pf, Error **errp);
void ada_gpu_pf_ari_init(struct ada_gpu_pf *pf);
void ada_gpu_pf_caps_exit(struct ada_gpu_pf *pf);
bool ada_gpu_vf_caps_init(struct ada_gpu_vf *vf, bool pm, Error **errp);
void ada_gpu_vf_caps_exit(struct ada_gpu_vf *vf);

/* sriov.c */
bool ada_gpu_sriov_init(struct ada_gpu_pf *pf, Error **errp);
void ada_gpu_sriov_exit(struct ada_gpu_pf *pf);
uint32_t ada_gpu_sriov_filter(struct ada_gpu_pf *pf, uint32_t addr, uint32_t val, int len);
void ada_gpu_sriov_track(struct ada_gpu_pf *pf);

/* props.c */
void ada_gpu_add_properties(ObjectClass *klass);

/* pf.c, vf.c */
extern const TypeInfo ada_gpu_pf_info;
extern const TypeInfo ada_gpu_vf_info;

#endif
