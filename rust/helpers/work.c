// SPDX-License-Identifier: GPL-2.0
/*
 * Macros of <linux/workqueue.h> for the kernel_ext crate.
 */

#include <linux/workqueue.h>

#include "helpers.h"

void nova_vgpu_helper_init_delayed_work(struct delayed_work *work, work_func_t func)
{
	INIT_DELAYED_WORK(work, func);
}

/* May run on any CPU, and takes its time. */
bool nova_vgpu_helper_queue_delayed_work(struct delayed_work *work, unsigned long delay)
{
	return queue_delayed_work(system_dfl_wq, work, delay);
}

bool nova_vgpu_helper_mod_delayed_work(struct delayed_work *work, unsigned long delay)
{
	return mod_delayed_work(system_dfl_wq, work, delay);
}
