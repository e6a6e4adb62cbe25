// SPDX-License-Identifier: GPL-2.0
/*
 * Static inline functions and macros of the VFIO headers for the vfio crate.
 */

#include <linux/vfio_pci_core.h>

#include "helpers.h"

void nova_vgpu_helper_vfio_put_device(struct vfio_device *vdev)
{
	vfio_put_device(vdev);
}
