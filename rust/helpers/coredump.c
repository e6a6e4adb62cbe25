// SPDX-License-Identifier: GPL-2.0
/*
 * Functions of <linux/devcoredump.h> for the kernel_ext crate: static inline ones in a kernel
 * without CONFIG_DEV_COREDUMP.
 */

#include <linux/devcoredump.h>

#include "helpers.h"

void nova_vgpu_helper_dev_coredumpv(struct device *dev, void *data, size_t len)
{
	dev_coredumpv(dev, data, len, GFP_KERNEL);
}
