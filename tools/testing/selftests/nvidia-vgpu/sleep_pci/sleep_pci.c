// SPDX-License-Identifier: GPL-2.0
/*
 * Puts one PCI function to sleep and wakes it up again, in the steps and with
 * the callbacks of the PM core, while the rest of the machine stays awake. A
 * virtual machine whose root file system is a virtio device does not survive
 * /sys/power/state.
 *
 *   insmod sleep_pci.ko device=0000:01:00.0
 *
 * prepare -> suspend -> late -> noirq -> noirq -> early -> resume -> complete
 *
 * Loading fails with the error of the callback that refused, after the steps
 * before it have been undone; else with ENODATA, so that nothing stays loaded.
 */
#include <linux/device.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/pm.h>

static char *device;
module_param(device, charp, 0);
MODULE_PARM_DESC(device, "address of the PCI function, as in 0000:01:00.0");

typedef int (*step_fn)(struct device *dev);

static int call(struct device *dev, step_fn step)
{
	return step ? step(dev) : 0;
}

static int sleep_and_wake(struct device *dev)
{
	const struct dev_pm_ops *pm = dev->bus->pm;
	int err;

	err = call(dev, pm->prepare);
	if (err < 0)
		return err;
	err = call(dev, pm->suspend);
	if (err)
		goto complete;
	err = call(dev, pm->suspend_late);
	if (err)
		goto resume;
	err = call(dev, pm->suspend_noirq);
	if (err)
		goto early;

	err = call(dev, pm->resume_noirq);
early:
	err = call(dev, pm->resume_early) ?: err;
resume:
	err = call(dev, pm->resume) ?: err;
complete:
	if (pm->complete)
		pm->complete(dev);
	return err;
}

static int __init sleep_pci_init(void)
{
	unsigned int domain, bus, slot, function;
	struct pci_dev *pdev;
	int err;

	if (!device || sscanf(device, "%x:%x:%x.%x", &domain, &bus, &slot, &function) != 4)
		return -EINVAL;
	pdev = pci_get_domain_bus_and_slot(domain, bus, PCI_DEVFN(slot, function));
	if (!pdev)
		return -ENODEV;

	device_lock(&pdev->dev);
	err = pdev->dev.bus->pm ? sleep_and_wake(&pdev->dev) : -EOPNOTSUPP;
	device_unlock(&pdev->dev);
	pci_dev_put(pdev);

	return err ?: -ENODATA;
}
module_init(sleep_pci_init);

MODULE_DESCRIPTION("Puts one PCI function to sleep and wakes it up again");
MODULE_LICENSE("GPL");
