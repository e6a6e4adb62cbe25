// SPDX-License-Identifier: GPL-2.0
/*
 * Entry into a stock QEMU: how the two types get registered.
 *
 *   LD_PRELOAD ── constructor ── symbols there? ── queue "late" at the head of
 *                                                  QEMU's QOM init list
 *   main() ── module_call_init(QOM) ── "late" runs first, queues "register" at
 *                                      the tail ── … all of QEMU's types … ──
 *                                      "register": layouts the same? ── types
 *
 * Two steps, because the layout check needs QEMU's own types, and a preloaded
 * object's constructor runs before those of the program.
 */
#include "ada-gpu.h"
#include "qemu/module.h"

static void ada_gpu_register(void)
{
	ada_gpu_check_layouts();
	type_register_static(&ada_gpu_pf_info);
	type_register_static(&ada_gpu_vf_info);
}

static void ada_gpu_late(void)
{
	register_module_init(ada_gpu_register, MODULE_INIT_QOM);
}

static void __attribute__((constructor)) ada_gpu_load(void)
{
	const char *name = program_invocation_short_name;

	/* A shell or timeout(1) that inherited LD_PRELOAD is not our business. */
	if (!strstr(name, "qemu-system") && !strstr(name, "qemu-kvm"))
		return;

	ada_gpu_check_symbols();
	register_module_init(ada_gpu_late, MODULE_INIT_QOM);
}
