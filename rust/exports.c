// SPDX-License-Identifier: GPL-2.0
/*
 * Exports the Rust symbols of nova_core_vgpu.ko that nvidia_vgpu_vfio.ko refers to.
 *
 * The list is made by the build from the symbol tables of the objects on both sides; nothing is
 * exported that nobody uses. The type given here does not matter, only the address does.
 */

#include <linux/export.h>

#include "exports_generated.h"
