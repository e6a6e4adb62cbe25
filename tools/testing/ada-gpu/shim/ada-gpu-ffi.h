/* SPDX-License-Identifier: GPL-2.0 */
/*
 * C view of the Rust crate ada-gpu-ffi: the whole surface between QEMU and the
 * GPU model.
 *
 *    QEMU object            ada_gpu_create -> ada_gpu_set ... -> ada_gpu_start
 *    vCPU, config space     ada_gpu_read/write/reset/set_num_vfs/...
 *    bus master, interrupts struct ada_gpu_host_ops (the other way)
 *    end of QEMU            ada_gpu_finish -> ada_gpu_destroy
 *
 * Every function runs under QEMU's big lock. A call that comes back into the
 * model while the model is running (bus-master access to its own BAR) is
 * refused: reads give all ones, everything else has no effect.
 *
 * Functions are numbered by GFID: 0 is the PF, VF index + 1 is a VF.
 * Strings returned as "char *" belong to the caller: ada_gpu_string_free().
 */
#ifndef ADA_GPU_FFI_H
#define ADA_GPU_FFI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ada_gpu;

/* Memory BARs, by Linux resource index. */
enum ada_gpu_bar {
	ADA_GPU_BAR0 = 0,
	ADA_GPU_BAR1 = 1,
	ADA_GPU_BAR3 = 3,
};

/* What the front end puts into config space. Sizes in bytes. */
struct ada_gpu_pci {
	uint64_t bar0_size;
	uint64_t bar1_size;
	uint64_t bar3_size;
	uint64_t vf_bar0_size;
	uint64_t vf_bar1_size;
	uint64_t vf_bar3_size;
	uint32_t class_code;	/* 24 bits: base, sub, interface */
	uint16_t vendor;
	uint16_t device;
	uint16_t subsystem_vendor;
	uint16_t subsystem;
	uint16_t vf_device;
	uint16_t total_vfs;	/* 0: no SR-IOV capability */
	uint16_t vf_offset;
	uint16_t vf_stride;
	uint8_t revision;
	bool msix;		/* false: the PF has MSI only */
	bool vf_pm;		/* VFs have power management */
};

/* What the model may ask of the machine; dma_* return false on a fault. */
struct ada_gpu_host_ops {
	bool (*dma_read)(void *opaque, uint64_t addr, void *buf, size_t len);
	bool (*dma_write)(void *opaque, uint64_t addr, const void *buf, size_t len);
	uint32_t (*config_read)(void *opaque, uint32_t function, uint16_t offset);
	void (*msix)(void *opaque, uint32_t function, uint16_t vector);
	uint64_t (*now_ns)(void *opaque);
	void (*set_timer)(void *opaque, bool armed, uint64_t deadline_ns);
};

enum ada_gpu_reset {
	ADA_GPU_RESET_POWER_ON = 0,
	ADA_GPU_RESET_SECONDARY_BUS = 1,
	ADA_GPU_RESET_FLR = 2,
};

/* Name and one-line help of property index, NULL past the last one. */
const char *ada_gpu_property_name(size_t index);
const char *ada_gpu_property_help(size_t index);

struct ada_gpu *ada_gpu_create(void);
void ada_gpu_destroy(struct ada_gpu *gpu);

/* NULL on success, else the reason. Works before and after start. */
char *ada_gpu_set(struct ada_gpu *gpu, const char *name, const char *value);
/* NULL: no such property. */
char *ada_gpu_get(struct ada_gpu *gpu, const char *name);
void ada_gpu_string_free(char *s);

/* Builds the model from the properties; NULL on success, else the reason. */
char *ada_gpu_start(struct ada_gpu *gpu, const struct ada_gpu_host_ops *ops,
		    void *opaque, struct ada_gpu_pci *pci);
void ada_gpu_finish(struct ada_gpu *gpu);

uint64_t ada_gpu_read(struct ada_gpu *gpu, uint32_t function, uint32_t bar,
		      uint64_t offset, uint32_t size);
void ada_gpu_write(struct ada_gpu *gpu, uint32_t function, uint32_t bar,
		   uint64_t offset, uint32_t size, uint64_t value);
void ada_gpu_reset(struct ada_gpu *gpu, uint32_t kind, uint32_t function);
void ada_gpu_set_num_vfs(struct ada_gpu *gpu, uint16_t num_vfs);
void ada_gpu_set_bus_master(struct ada_gpu *gpu, uint32_t function, bool on);
void ada_gpu_timer(struct ada_gpu *gpu);

#endif
