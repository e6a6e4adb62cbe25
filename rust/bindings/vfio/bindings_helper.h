/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What bindgen reads for the vfio crate: the VFIO headers, which the bindings of the kernel crate
 * do not contain. Types that those bindings do contain are not generated again (see
 * bindgen_parameters), so that a struct device here is the struct device of the kernel crate.
 */

#include <linux/pci.h>
#include <linux/vfio.h>
#include <linux/vfio_pci_core.h>
