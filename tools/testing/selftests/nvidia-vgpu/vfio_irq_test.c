// SPDX-License-Identifier: GPL-2.0
/*
 * SET_IRQS with every header and data that it has to refuse, with interrupts off
 * and on: none is half set up, and those that were on stay usable.
 *
 *   vfio_irq_test BDF
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/vfio.h>

#include <libvfio.h>

#include "kselftest_harness.h"

#include "vfio_misuse.h"

/* As many eventfds as a test needs behind the header. */
struct irqs {
	struct vfio_irq_set set;
	int32_t fds[4];
};

#define NONE		VFIO_IRQ_SET_DATA_NONE
#define BOOL		VFIO_IRQ_SET_DATA_BOOL
#define EVENTFD		VFIO_IRQ_SET_DATA_EVENTFD
#define MASK		VFIO_IRQ_SET_ACTION_MASK
#define UNMASK		VFIO_IRQ_SET_ACTION_UNMASK
#define TRIGGER		VFIO_IRQ_SET_ACTION_TRIGGER
#define INTX		VFIO_PCI_INTX_IRQ_INDEX
#define MSI		VFIO_PCI_MSI_IRQ_INDEX
#define MSIX		VFIO_PCI_MSIX_IRQ_INDEX
#define ERR		VFIO_PCI_ERR_IRQ_INDEX
#define REQ		VFIO_PCI_REQ_IRQ_INDEX

TEST_F(vfio, set_irqs_header)
{
	const uint32_t vectors = self->before.irqs[MSIX].count;
	const struct {
		uint32_t flags, index, start, count;
		int error;
	} cases[] = {
		/* Kinds of data: one, and one that there is. */
		{ TRIGGER, MSIX, 0, 1, EINVAL },
		{ TRIGGER | NONE | BOOL, MSIX, 0, 1, EINVAL },
		{ TRIGGER | BOOL | EVENTFD, MSIX, 0, 1, EINVAL },
		{ TRIGGER | NONE | 1 << 6, MSIX, 0, 1, EINVAL },
		{ TRIGGER | NONE | 1U << 31, MSIX, 0, 1, EINVAL },
		/* Actions: one, and one that there is for the interrupt. */
		{ NONE, MSIX, 0, 1, ENOTTY },
		{ NONE | TRIGGER | MASK, MSIX, 0, 1, ENOTTY },
		{ NONE | MASK, MSIX, 0, 1, ENOTTY },
		{ NONE | UNMASK, MSIX, 0, 1, ENOTTY },
		{ NONE | MASK, ERR, 0, 1, ENOTTY },
		{ NONE | UNMASK, REQ, 0, 1, ENOTTY },
		/* Interrupts that there are. */
		{ NONE | TRIGGER, VFIO_PCI_NUM_IRQS, 0, 1, EINVAL },
		{ NONE | TRIGGER, UINT32_MAX, 0, 1, EINVAL },
		{ NONE | TRIGGER, INTX, 0, 0, EINVAL },
		{ NONE | TRIGGER, INTX, 0, 1, EINVAL },
		{ NONE | MASK, INTX, 0, 1, EINVAL },
		{ NONE | TRIGGER, MSI, 0, 1, EINVAL },
		{ EVENTFD | TRIGGER, MSI, 0, 1, EINVAL },
		{ NONE | TRIGGER, MSIX, vectors, 1, EINVAL },
		{ NONE | TRIGGER, MSIX, 0, vectors + 1, EINVAL },
		{ NONE | TRIGGER, MSIX, 1, vectors, EINVAL },
		{ NONE | TRIGGER, MSIX, 1, UINT32_MAX, EINVAL },
		{ NONE | TRIGGER, MSIX, UINT32_MAX, 1, EINVAL },
		{ NONE | TRIGGER, MSIX, UINT32_MAX, UINT32_MAX, EINVAL },
		{ EVENTFD | TRIGGER, MSIX, 0, UINT32_MAX, EINVAL },
		{ NONE | TRIGGER, ERR, 1, 1, EINVAL },
		{ NONE | TRIGGER, REQ, 0, 2, EINVAL },
		/* Nothing is connected that could be triggered. */
		{ NONE | TRIGGER, MSIX, 0, 1, EINVAL },
		{ NONE | TRIGGER, ERR, 0, 1, EINVAL },
		{ NONE | TRIGGER, REQ, 0, 1, EINVAL },
		/* More data than the struct has room for. */
		{ EVENTFD | TRIGGER, MSIX, 0, 5, EINVAL },
	};
	struct irqs irqs = { .fds = { -1, -1, -1, -1 } };

	EXPECT_EFAULT(VFIO_DEVICE_SET_IRQS, irqs, sizeof(irqs.set));
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		irqs.set = (struct vfio_irq_set) {
			.argsz = sizeof(irqs),
			.flags = cases[i].flags,
			.index = cases[i].index,
			.start = cases[i].start,
			.count = cases[i].count,
		};
		EXPECT_REFUSED(cases[i].error, VFIO_DEVICE_SET_IRQS, irqs)
			TH_LOG("case %zu", i);
	}
	irqs.set = (struct vfio_irq_set) {
		.flags = NONE | TRIGGER,
		.index = MSIX,
	};
	for (irqs.set.argsz = 0; irqs.set.argsz < sizeof(irqs.set); irqs.set.argsz++)
		EXPECT_REFUSED(EINVAL, VFIO_DEVICE_SET_IRQS, irqs);
}

TEST_F(vfio, set_irqs_data)
{
	const uint32_t indices[] = { MSIX, ERR, REQ };
	struct irqs irqs = {
		.set = {
			.argsz = sizeof(irqs.set) + sizeof(int32_t),
			.flags = EVENTFD | TRIGGER,
			.count = 1,
		},
	};
	int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	int no_event = open("/dev/null", O_RDWR | O_CLOEXEC);
	uint64_t count;

	ASSERT_GE(event, 0);
	ASSERT_GE(no_event, 0);
	for (size_t i = 0; i < ARRAY_SIZE(indices); i++) {
		irqs.set.index = indices[i];
		irqs.fds[0] = NOT_OPEN;
		EXPECT_REFUSED(EBADF, VFIO_DEVICE_SET_IRQS, irqs);
		irqs.fds[0] = no_event;
		EXPECT_REFUSED(EINVAL, VFIO_DEVICE_SET_IRQS, irqs);
		if (indices[i] != MSIX) {
			irqs.fds[0] = -2;
			EXPECT_REFUSED(EINVAL, VFIO_DEVICE_SET_IRQS, irqs);
		}
		/* The header is there, its data is not. */
		irqs.fds[0] = event;
		EXPECT_EQ(EFAULT, refused(self->fd, VFIO_DEVICE_SET_IRQS, self->page, &irqs,
					  sizeof(irqs.set) + 3));
	}

	/* One that is wrong among others: none of them is connected. */
	irqs.set.index = MSIX;
	irqs.set.argsz = sizeof(irqs);
	irqs.set.count = 2;
	irqs.fds[0] = event;
	irqs.fds[1] = no_event;
	EXPECT_REFUSED(EINVAL, VFIO_DEVICE_SET_IRQS, irqs);
	irqs.set.flags = NONE | TRIGGER;
	irqs.set.count = 1;
	EXPECT_REFUSED(EINVAL, VFIO_DEVICE_SET_IRQS, irqs);
	EXPECT_EQ(-1, read(event, &count, sizeof(count)));
	EXPECT_EQ(EAGAIN, errno);
	close(no_event);
	close(event);
}

/* A wrong change of interrupts that are connected leaves them connected. */
TEST_F(vfio, set_irqs_while_enabled)
{
	struct irqs irqs = {
		.set = {
			.argsz = sizeof(irqs.set) + sizeof(int32_t),
			.flags = EVENTFD | TRIGGER,
			.index = MSIX,
			.count = 1,
		},
	};
	uint64_t count = 0;

	vfio_pci_msix_enable(self->device, 0, 1);
	fcntl_set_nonblock(self->device->msi_eventfds[0]);
	irqs.fds[0] = NOT_OPEN;
	EXPECT_REFUSED(EBADF, VFIO_DEVICE_SET_IRQS, irqs);
	irqs.set.flags = NONE | MASK;
	EXPECT_REFUSED(ENOTTY, VFIO_DEVICE_SET_IRQS, irqs);
	irqs.set.index = MSI;
	irqs.set.flags = EVENTFD | TRIGGER;
	EXPECT_REFUSED(EINVAL, VFIO_DEVICE_SET_IRQS, irqs);
	vfio_pci_msix_disable(self->device);

	/* An eventfd that was refused has disconnected its vector, no more: MSI-X
	 * can be enabled again and works.
	 */
	vfio_pci_msix_enable(self->device, 0, 1);
	fcntl_set_nonblock(self->device->msi_eventfds[0]);
	vfio_pci_irq_trigger(self->device, MSIX, 0);
	EXPECT_EQ(sizeof(count), read(self->device->msi_eventfds[0], &count, sizeof(count)));
	EXPECT_EQ(1, count);
	vfio_pci_msix_disable(self->device);
}

/* ERR and REQ tell what happens to a device; user space can try them out. */
TEST_F(vfio, events_are_told_once)
{
	const uint32_t indices[] = { ERR, REQ };
	struct irqs irqs = { .set = { .argsz = sizeof(irqs), .count = 1 } };

	for (size_t i = 0; i < ARRAY_SIZE(indices); i++) {
		uint64_t count = 0;

		irqs.set.index = indices[i];
		irqs.set.flags = EVENTFD | TRIGGER;
		irqs.set.count = 1;
		irqs.fds[0] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		ASSERT_EQ(0, ioctl(self->fd, VFIO_DEVICE_SET_IRQS, &irqs));
		irqs.set.flags = NONE | TRIGGER;
		ASSERT_EQ(0, ioctl(self->fd, VFIO_DEVICE_SET_IRQS, &irqs));
		EXPECT_EQ(sizeof(count), read(irqs.fds[0], &count, sizeof(count)));
		EXPECT_EQ(1, count);
		/* Disconnected, it cannot be triggered. */
		irqs.set.count = 0;
		ASSERT_EQ(0, ioctl(self->fd, VFIO_DEVICE_SET_IRQS, &irqs));
		irqs.set.count = 1;
		EXPECT_REFUSED(EINVAL, VFIO_DEVICE_SET_IRQS, irqs);
		EXPECT_EQ(-1, read(irqs.fds[0], &count, sizeof(count)));
		close(irqs.fds[0]);
	}
}
