// SPDX-License-Identifier: GPL-2.0
/*
 * Threads that call random ioctls, reads, writes and mappings on one VFIO
 * device, as a hostile VMM could.
 *
 *   vfio_fuzz BDF SECONDS SEED [THREADS [CALLS]]
 *
 *   main      opens the device through iommufd, starts the threads, sees to it
 *             that none of them is stuck, prints what was called how often
 *   thread n  calls, chosen by a generator that begins with SEED and n:
 *             the same seed gives the same calls of each thread; how threads
 *             interleave is up to the kernel. Ends after CALLS calls, if given.
 *
 * Memory that arguments point to is the thread's own, has no access, is
 * read-only, ends in the middle of the argument, or is not the thread's at all.
 * Whatever the kernel answers is fine, as long as it answers: what went wrong
 * is for the caller to find in its log, and with the next user of the device.
 *
 * Exit status 0; 1 when a thread is stuck; 2 for what cannot be tried.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <linux/iommufd.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>

#include "../lib/vfio_cdev.h"

#define MAX_THREADS	64
#define PAGE		4096UL
#define REGION_SHIFT	40
/* Seconds that one call may take: a reset waits for the firmware of the device. */
#define STUCK		180

enum call {
	GET_INFO,
	GET_REGION,
	GET_IRQ,
	SET_IRQS,
	RESET,
	HOT_RESET_INFO,
	HOT_RESET,
	IOEVENTFD,
	FEATURE,
	BIND,
	ATTACH,
	DETACH,
	OTHER_IOCTL,
	READ,
	WRITE,
	CONFIG_READ,
	CONFIG_WRITE,
	COMMAND,
	MAP,
	CALLS,
};

/* How often each is called, of their sum. */
static const struct {
	const char *name;
	unsigned int weight;
} calls[CALLS] = {
	[GET_INFO] = { "get_info", 20 },
	[GET_REGION] = { "get_region_info", 40 },
	[GET_IRQ] = { "get_irq_info", 30 },
	[SET_IRQS] = { "set_irqs", 80 },
	[RESET] = { "reset", 1 },
	[HOT_RESET_INFO] = { "get_pci_hot_reset_info", 10 },
	[HOT_RESET] = { "pci_hot_reset", 5 },
	[IOEVENTFD] = { "ioeventfd", 20 },
	[FEATURE] = { "feature", 60 },
	[BIND] = { "bind_iommufd", 5 },
	[ATTACH] = { "attach_iommufd_pt", 15 },
	[DETACH] = { "detach_iommufd_pt", 10 },
	[OTHER_IOCTL] = { "other ioctls", 40 },
	[READ] = { "read", 150 },
	[WRITE] = { "write", 150 },
	[CONFIG_READ] = { "config read", 80 },
	[CONFIG_WRITE] = { "config write", 60 },
	[COMMAND] = { "config command", 40 },
	[MAP] = { "mmap", 60 },
};

struct thread {
	pthread_t id;
	unsigned int number;
	uint64_t random;
	/* A page that can be written, one without access, one that can be read. */
	uint8_t *pages;
	int events[4];
	atomic_ulong done;
	atomic_int now;
	unsigned long called[CALLS], worked[CALLS];
};

static int device, iommufd;
static uint32_t ioas;
static unsigned long most_calls;
static atomic_bool stop;
static struct thread threads[MAX_THREADS];

static __thread sigjmp_buf bus_error;
static __thread atomic_int may_fault;

/* xorshift64*, never 0. */
static uint64_t next(struct thread *t)
{
	t->random ^= t->random >> 12;
	t->random ^= t->random << 25;
	t->random ^= t->random >> 27;
	return t->random * 0x2545f4914f6cdd1dULL;
}

static uint64_t below(struct thread *t, uint64_t n)
{
	return (next(t) >> 16) % n;
}

/* Small numbers, numbers near powers of two, and any. */
static uint64_t number(struct thread *t)
{
	switch (below(t, 4)) {
	case 0:
		return below(t, 16);
	case 1:
		return (1ULL << below(t, 64)) + below(t, 9) - 4;
	case 2:
		return below(t, PAGE);
	default:
		return next(t);
	}
}

/* Where an argument of SIZE bytes is to be; LEN bytes of it can be written. */
static void *place(struct thread *t, size_t size, size_t *len)
{
	size_t cut;

	*len = size;
	switch (below(t, 16)) {
	case 0:
		*len = 0;
		return NULL;
	case 1:
		*len = 0;
		return (void *)0xffff888000000000UL;
	case 2:
		*len = 0;
		return t->pages + PAGE;
	case 3:
		*len = 0;
		return t->pages + 2 * PAGE;
	case 4:
		cut = below(t, size + 1);
		*len = cut;
		return t->pages + PAGE - cut;
	default:
		return t->pages + PAGE - size;
	}
}

static int call_with(struct thread *t, unsigned long cmd, const void *arg, size_t size)
{
	size_t len;
	void *p = place(t, size, &len);

	memcpy(p ? p : t->pages, arg, p ? len : 0);
	return ioctl(device, cmd, p);
}

static uint32_t argsz(struct thread *t, size_t right)
{
	return below(t, 4) ? right : number(t);
}

static uint32_t flags(struct thread *t, uint32_t common)
{
	return below(t, 4) ? common : number(t);
}

static int some_fd(struct thread *t)
{
	switch (below(t, 6)) {
	case 0:
		return -1;
	case 1:
		return 0x7fffffff;
	case 2:
		return device;
	case 3:
		return iommufd;
	default:
		return t->events[below(t, 4)];
	}
}

static int set_irqs(struct thread *t)
{
	struct {
		struct vfio_irq_set set;
		int32_t fds[16];
	} irq = { 0 };
	static const uint32_t common[] = {
		VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER,
		VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER,
		VFIO_IRQ_SET_DATA_BOOL | VFIO_IRQ_SET_ACTION_TRIGGER,
		VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_MASK,
		VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_UNMASK,
	};

	irq.set.flags = flags(t, common[below(t, 5)]);
	irq.set.index = below(t, 8) ? below(t, VFIO_PCI_NUM_IRQS) : number(t);
	irq.set.start = below(t, 2) ? 0 : number(t);
	irq.set.count = below(t, 4) ? below(t, 7) : number(t);
	irq.set.argsz = argsz(t, sizeof(irq));
	for (int i = 0; i < 16; i++)
		irq.fds[i] = some_fd(t);
	return call_with(t, VFIO_DEVICE_SET_IRQS, &irq, sizeof(irq));
}

static int feature(struct thread *t)
{
	struct {
		struct vfio_device_feature feature;
		uint8_t data[64];
	} arg = { 0 };
	static const uint32_t common[] = {
		VFIO_DEVICE_FEATURE_GET,
		VFIO_DEVICE_FEATURE_SET,
		VFIO_DEVICE_FEATURE_PROBE | VFIO_DEVICE_FEATURE_GET,
		VFIO_DEVICE_FEATURE_PROBE | VFIO_DEVICE_FEATURE_SET,
	};
	int ret;

	arg.feature.argsz = argsz(t, sizeof(arg));
	arg.feature.flags = flags(t, common[below(t, 4)] | below(t, 16));
	for (unsigned long i = 0; i < sizeof(arg.data) / 8; i++) {
		uint64_t word = number(t);

		memcpy(arg.data + 8 * i, &word, sizeof(word));
	}
	ret = call_with(t, VFIO_DEVICE_FEATURE, &arg, sizeof(arg));
	/* Some features give a descriptor. */
	if (ret > STDERR_FILENO)
		close(ret);
	return ret;
}

/* Every ioctl that a device could have, with anything. */
static int other_ioctl(struct thread *t)
{
	uint64_t words[32];
	unsigned int number_of = below(t, 40);

	for (int i = 0; i < 32; i++)
		words[i] = number(t);
	if (number_of == _IOC_NR(VFIO_DEVICE_BIND_IOMMUFD) - VFIO_BASE ||
	    number_of == _IOC_NR(VFIO_DEVICE_RESET) - VFIO_BASE)
		return 0;
	return call_with(t, _IO(VFIO_TYPE, VFIO_BASE + number_of), words, sizeof(words));
}

static off_t somewhere(struct thread *t)
{
	uint64_t region = below(t, 12) ? below(t, VFIO_PCI_NUM_REGIONS) : number(t) & 0x7fffff;
	uint64_t offset = number(t) & ((1ULL << REGION_SHIFT) - 1);

	if (below(t, 3))
		offset &= (1 << 24) - 1;
	return region << REGION_SHIFT | offset;
}

static ssize_t transfer(struct thread *t, int write, off_t at, size_t most)
{
	size_t size = below(t, 3) ? 1UL << below(t, 4) : 1 + below(t, most), len;
	uint8_t *p = place(t, size, &len);

	if (!write)
		return pread(device, p, size, at);
	for (size_t i = 0; p && i < len; i++)
		p[i] = next(t);
	return pwrite(device, p, size, at);
}

static ssize_t config(struct thread *t, int write)
{
	off_t region = (off_t)VFIO_PCI_CONFIG_REGION_INDEX << REGION_SHIFT;

	return transfer(t, write, region + below(t, below(t, 4) ? 256 : 4200), 64);
}

static ssize_t command(struct thread *t)
{
	off_t region = (off_t)VFIO_PCI_CONFIG_REGION_INDEX << REGION_SHIFT;
	uint16_t value = below(t, 8) ? PCI_COMMAND_MEMORY : 0;

	value |= below(t, 2) ? PCI_COMMAND_MASTER : 0;
	return pwrite(device, &value, sizeof(value), region + PCI_COMMAND);
}

static void on_bus_error(int signal)
{
	(void)signal;
	if (!may_fault)
		_exit(2);
	siglongjmp(bus_error, 1);
}

static int map(struct thread *t)
{
	size_t len = PAGE * (1 + below(t, below(t, 8) ? 16 : 70000));
	off_t at = somewhere(t) & (below(t, 8) ? ~(off_t)(PAGE - 1) : ~(off_t)0);
	int prot = below(t, 4) ? PROT_READ | PROT_WRITE : (int)below(t, 8);
	int type = below(t, 8) ? MAP_SHARED : MAP_PRIVATE;
	uint32_t *p = mmap(NULL, len, prot, type, device, at);

	if (p == MAP_FAILED)
		return -1;
	may_fault = 1;
	/* A device whose memory is off, reset or asleep raises a signal. */
	if (!sigsetjmp(bus_error, 1)) {
		for (int i = 0; i < 8; i++) {
			uint32_t *word = p + below(t, len / 4);

			if (below(t, 2))
				__atomic_store_n(word, (uint32_t)next(t), __ATOMIC_RELAXED);
			else
				__atomic_load_n(word, __ATOMIC_RELAXED);
		}
	}
	may_fault = 0;
	return munmap(p, len);
}

static long do_call(struct thread *t, enum call call)
{
	struct vfio_device_info info = { 0 };
	struct vfio_region_info region = { 0 };
	struct vfio_irq_info irq = { 0 };
	struct {
		struct vfio_pci_hot_reset reset;
		int32_t fds[8];
	} hot = { 0 };
	struct vfio_pci_hot_reset_info hot_info = { 0 };
	struct vfio_device_ioeventfd io = { 0 };
	struct vfio_device_bind_iommufd bind = { 0 };
	struct vfio_device_attach_iommufd_pt attach = { 0 };
	struct vfio_device_detach_iommufd_pt detach = { 0 };

	switch (call) {
	case GET_INFO:
		info.argsz = argsz(t, sizeof(info));
		info.flags = flags(t, 0);
		return call_with(t, VFIO_DEVICE_GET_INFO, &info, sizeof(info));
	case GET_REGION:
		region.argsz = argsz(t, sizeof(region));
		region.index = below(t, 4) ? below(t, 12) : number(t);
		return call_with(t, VFIO_DEVICE_GET_REGION_INFO, &region, sizeof(region));
	case GET_IRQ:
		irq.argsz = argsz(t, sizeof(irq));
		irq.index = below(t, 4) ? below(t, 8) : number(t);
		return call_with(t, VFIO_DEVICE_GET_IRQ_INFO, &irq, sizeof(irq));
	case SET_IRQS:
		return set_irqs(t);
	case RESET:
		return ioctl(device, VFIO_DEVICE_RESET);
	case HOT_RESET_INFO:
		hot_info.argsz = argsz(t, sizeof(hot_info));
		return call_with(t, VFIO_DEVICE_GET_PCI_HOT_RESET_INFO, &hot_info,
				 sizeof(hot_info));
	case HOT_RESET:
		hot.reset.argsz = argsz(t, sizeof(hot));
		hot.reset.flags = flags(t, 0);
		hot.reset.count = below(t, 4) ? below(t, 9) : number(t);
		for (int i = 0; i < 8; i++)
			hot.fds[i] = some_fd(t);
		return call_with(t, VFIO_DEVICE_PCI_HOT_RESET, &hot, sizeof(hot));
	case IOEVENTFD:
		io.argsz = argsz(t, sizeof(io));
		io.flags = flags(t, 1 << below(t, 4));
		io.offset = somewhere(t);
		io.data = number(t);
		io.fd = some_fd(t);
		return call_with(t, VFIO_DEVICE_IOEVENTFD, &io, sizeof(io));
	case FEATURE:
		return feature(t);
	case BIND:
		bind.argsz = argsz(t, sizeof(bind));
		bind.flags = flags(t, 0);
		bind.iommufd = some_fd(t);
		return call_with(t, VFIO_DEVICE_BIND_IOMMUFD, &bind, sizeof(bind));
	case ATTACH:
		attach.argsz = argsz(t, sizeof(attach));
		attach.flags = flags(t, 0);
		attach.pt_id = below(t, 4) ? ioas : number(t);
		return call_with(t, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &attach, sizeof(attach));
	case DETACH:
		detach.argsz = argsz(t, sizeof(detach));
		detach.flags = flags(t, 0);
		return call_with(t, VFIO_DEVICE_DETACH_IOMMUFD_PT, &detach, sizeof(detach));
	case OTHER_IOCTL:
		return other_ioctl(t);
	case READ:
		return transfer(t, 0, somewhere(t), PAGE);
	case WRITE:
		return transfer(t, 1, somewhere(t), PAGE);
	case CONFIG_READ:
		return config(t, 0);
	case CONFIG_WRITE:
		return config(t, 1);
	case COMMAND:
		return command(t);
	case MAP:
		return map(t);
	case CALLS:
		break;
	}
	return -1;
}

static enum call choose(struct thread *t)
{
	unsigned int sum = 0;
	uint64_t at;

	for (int i = 0; i < CALLS; i++)
		sum += calls[i].weight;
	at = below(t, sum);
	for (int i = 0; i < CALLS; i++) {
		if (at < calls[i].weight)
			return i;
		at -= calls[i].weight;
	}
	return GET_INFO;
}

static void *run(void *arg)
{
	struct thread *t = arg;

	while (!stop && (!most_calls || t->done < most_calls)) {
		enum call call = choose(t);

		t->now = call;
		t->called[call]++;
		if (do_call(t, call) >= 0)
			t->worked[call]++;
		t->done++;
	}
	t->now = CALLS;
	return NULL;
}

static int fail(const char *what)
{
	fprintf(stderr, "vfio_fuzz: %s: %s\n", what, strerror(errno));
	return 2;
}

static int open_device(const char *bdf)
{
	struct iommu_ioas_alloc alloc = { .size = sizeof(alloc) };
	struct vfio_device_attach_iommufd_pt attach = { .argsz = sizeof(attach) };
	char path[512];

	if (vfio_cdev_path(bdf, path, sizeof(path)))
		return fail(bdf);
	if (vfio_cdev_open(path, &device, &iommufd))
		return fail(path);
	if (ioctl(iommufd, IOMMU_IOAS_ALLOC, &alloc))
		return fail("IOAS");
	ioas = alloc.out_ioas_id;
	attach.pt_id = ioas;
	if (ioctl(device, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &attach))
		return fail("attach");
	return 0;
}

static int prepare(struct thread *t, unsigned int i, uint64_t seed)
{
	t->number = i;
	/* Distant beginnings for neighbours. */
	t->random = (seed + 1) * 0x9e3779b97f4a7c15ULL ^ (i + 1) * 0xbf58476d1ce4e5b9ULL;
	if (!t->random)
		t->random = 1;
	t->pages = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (t->pages == MAP_FAILED)
		return fail("memory");
	if (mprotect(t->pages + PAGE, PAGE, PROT_NONE) ||
	    mprotect(t->pages + 2 * PAGE, PAGE, PROT_READ))
		return fail("memory");
	for (int n = 0; n < 4; n++) {
		t->events[n] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (t->events[n] < 0)
			return fail("eventfd");
	}
	return 0;
}

/* Whether every thread has done something since it was looked at STUCK seconds ago. */
static int watch(unsigned int count, unsigned long seconds)
{
	unsigned long done[MAX_THREADS] = { 0 };
	unsigned int idle[MAX_THREADS] = { 0 };

	for (unsigned long second = 0; ; second++) {
		unsigned int running = 0;

		sleep(1);
		if (second + 1 >= seconds)
			stop = true;
		for (unsigned int i = 0; i < count; i++) {
			int now = threads[i].now;

			if (now == CALLS)
				continue;
			running++;
			idle[i] = threads[i].done == done[i] ? idle[i] + 1 : 0;
			done[i] = threads[i].done;
			if (idle[i] >= STUCK) {
				printf("thread %u is stuck in call %lu, %s\n", i, done[i],
				       calls[now].name);
				return 1;
			}
		}
		if (!running)
			return 0;
	}
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = on_bus_error, .sa_flags = SA_NODEFER };
	unsigned long seconds, count = 8;
	int status;
	uint64_t seed;

	if (argc < 4 || argc > 6) {
		fprintf(stderr, "usage: vfio_fuzz BDF SECONDS SEED [THREADS [CALLS]]\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	seconds = strtoul(argv[2], NULL, 0);
	seed = strtoull(argv[3], NULL, 0);
	if (argc > 4)
		count = strtoul(argv[4], NULL, 0);
	if (argc > 5)
		most_calls = strtoul(argv[5], NULL, 0);
	if (!count || count > MAX_THREADS)
		return 2;
	status = open_device(argv[1]);
	if (status)
		return status;
	sigaction(SIGBUS, &action, NULL);
	sigaction(SIGSEGV, &action, NULL);
	printf("seed %#llx threads %lu\n", (unsigned long long)seed, count);
	for (unsigned int i = 0; i < count; i++) {
		status = prepare(&threads[i], i, seed);
		if (status)
			return status;
	}
	for (unsigned int i = 0; i < count; i++) {
		errno = pthread_create(&threads[i].id, NULL, run, &threads[i]);
		if (errno)
			return fail("thread");
	}
	status = watch(count, seconds);
	for (int call = 0; call < CALLS; call++) {
		unsigned long called = 0, worked = 0;

		for (unsigned int i = 0; i < count; i++) {
			called += threads[i].called[call];
			worked += threads[i].worked[call];
		}
		printf("%-24s %8lu calls %8lu worked\n", calls[call].name, called, worked);
	}
	return status;
}
