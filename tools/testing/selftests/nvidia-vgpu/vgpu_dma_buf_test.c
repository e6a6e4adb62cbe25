// SPDX-License-Identifier: GPL-2.0
/*
 * Memory of a vGPU that another device reaches: BARs exported as DMA buffers
 * (VFIO_DEVICE_FEATURE_DMA_BUF), mapped by iommufd for a device that does DMA.
 *
 *   VF --export--> DMA buffer --IOMMU_IOAS_MAP_FILE--> IOVA <--DMA-- QEMU's edu
 *    |                 |
 *    |                 +- what mmap() may have, and no more
 *    +- reset, sleep, COMMAND.MEM clear, close: no DMA, and no new mapping
 *
 *   edu (QEMU docs/specs/edu.rst): DMA between 4 KiB of its own and 28 bits of
 *   addresses; an interrupt when it is done
 *
 * The environment variable DMA_DEVICE names an edu that is bound to vfio-pci;
 * without one, it is only seen whether a buffer can be mapped.
 */
#include <fcntl.h>
#include <poll.h>

#include <linux/iommufd.h>

#include "vgpu_test.h"

#define NUM_RANGES		4
/* Where things are for the device that does DMA. */
#define HOST_IOVA		0x100000UL
#define BUFFER_IOVA		0x1000000UL
/* Registers of edu. */
#define EDU_ID			0x00
#define EDU_ID_VALUE		0x010000edU
#define EDU_IRQ_STATUS		0x24
#define EDU_IRQ_ACK		0x64
#define EDU_DMA_SRC		0x80
#define EDU_DMA_DST		0x88
#define EDU_DMA_COUNT		0x90
#define EDU_DMA_CMD		0x98
#define EDU_DMA_RUN		0x1UL
#define EDU_DMA_TO_HOST		0x2UL
#define EDU_DMA_IRQ		0x4UL
#define EDU_MEMORY		0x40000UL
#define EDU_DONE_MS		60000

struct ranges {
	struct vfio_device_feature_dma_buf head;
	struct vfio_region_dma_range list[NUM_RANGES];
};

/* The vGPU, and who reaches it. */
struct machine {
	struct iommu *iommu;
	struct vfio_pci_device *device, *edu;
	struct dma_region host;
	int fd;
	void *map0, *map1;
	uint64_t size1;
};

FIXTURE(dma_buf) {
	struct machine machine;
};

static struct vfio_pci_device *edu_init(const char *edu_bdf, struct iommu *iommu)
{
	struct vfio_pci_device *edu = vfio_pci_device_init(edu_bdf, iommu);

	VFIO_ASSERT_EQ(readl(edu->bars[0].vaddr + EDU_ID), EDU_ID_VALUE);
	vfio_pci_msi_enable(edu, 0, 1);
	vfio_pci_cmd_set(edu, PCI_COMMAND_MASTER);
	return edu;
}

static void open_vgpu(struct machine *m)
{
	m->device = vfio_pci_device_init(bdf, m->iommu);
	m->fd = m->device->fd;
	m->map0 = m->device->bars[BAR0].vaddr;
	m->map1 = m->device->bars[BAR1].vaddr;
	m->size1 = m->device->bars[BAR1].info.size;
}

FIXTURE_SETUP(dma_buf)
{
	struct machine *m = &self->machine;
	const char *edu_bdf = getenv("DMA_DEVICE");

	m->iommu = iommu_init(MODE_IOMMUFD);
	open_vgpu(m);
	if (vgpu_feature(m->fd, VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_DMA_BUF |
			 VFIO_DEVICE_FEATURE_PROBE, NULL, 0) && errno == ENOTTY) {
		SKIP(return, "the kernel has no CONFIG_VFIO_PCI_DMABUF");
	}
	if (!edu_bdf)
		return;
	m->edu = edu_init(edu_bdf, m->iommu);
	m->host.vaddr = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			     -1, 0);
	ASSERT_NE(MAP_FAILED, m->host.vaddr);
	m->host.iova = HOST_IOVA;
	m->host.size = PAGE;
	iommu_map(m->iommu, &m->host);
}

FIXTURE_TEARDOWN(dma_buf)
{
	struct machine *m = &self->machine;

	if (m->edu)
		vfio_pci_device_cleanup(m->edu);
	vfio_pci_device_cleanup(m->device);
	iommu_cleanup(m->iommu);
}

/* A new file, or -1 with errno. */
static int export_ranges(int fd, uint32_t region, struct ranges *ranges, uint32_t count)
{
	ranges->head.region_index = region;
	ranges->head.open_flags = O_RDWR | O_CLOEXEC;
	ranges->head.flags = 0;
	ranges->head.nr_ranges = count;
	return vgpu_feature(fd, VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_DMA_BUF,
			    ranges, sizeof(*ranges));
}

static int export(int fd, uint32_t region, uint64_t offset, uint64_t length)
{
	struct ranges ranges = { .list = { { .offset = offset, .length = length } } };

	return export_ranges(fd, region, &ranges, 1);
}

/* 0, or the error, negative. */
static int map_buffer(struct iommu *iommu, int buffer, uint64_t start, uint64_t length)
{
	struct iommu_ioas_map_file map = {
		.size = sizeof(map),
		.flags = IOMMU_IOAS_MAP_READABLE | IOMMU_IOAS_MAP_WRITEABLE |
			 IOMMU_IOAS_MAP_FIXED_IOVA,
		.ioas_id = iommu->ioas_id,
		.fd = buffer,
		.start = start,
		.length = length,
		.iova = BUFFER_IOVA,
	};

	return ioctl(iommu->iommufd, IOMMU_IOAS_MAP_FILE, &map) ? -errno : 0;
}

static int unmap_buffer(struct iommu *iommu, uint64_t length)
{
	struct iommu_ioas_unmap unmap = {
		.size = sizeof(unmap),
		.ioas_id = iommu->ioas_id,
		.iova = BUFFER_IOVA,
		.length = length,
	};

	return ioctl(iommu->iommufd, IOMMU_IOAS_UNMAP, &unmap) ? -errno : 0;
}

/* A buffer that can be mapped now is not mapped when this returns. */
static int can_map(struct iommu *iommu, int buffer, uint64_t length)
{
	int error = map_buffer(iommu, buffer, 0, length);

	return error ?: unmap_buffer(iommu, length);
}

/* Between the memory of edu and an address; tells nothing of errors. */
static void edu_dma(struct vfio_pci_device *edu, uint64_t iova, size_t len, uint64_t direction)
{
	void *regs = edu->bars[0].vaddr;
	struct pollfd done = { .fd = edu->msi_eventfds[0], .events = POLLIN };
	bool to_host = direction == EDU_DMA_TO_HOST;
	uint64_t count;

	writeq(to_host ? EDU_MEMORY : iova, regs + EDU_DMA_SRC);
	writeq(to_host ? iova : EDU_MEMORY, regs + EDU_DMA_DST);
	writeq(len, regs + EDU_DMA_COUNT);
	writeq(EDU_DMA_RUN | EDU_DMA_IRQ | direction, regs + EDU_DMA_CMD);
	VFIO_ASSERT_EQ(poll(&done, 1, EDU_DONE_MS), 1, "no interrupt of the DMA device\n");
	VFIO_ASSERT_EQ(read(done.fd, &count, sizeof(count)), sizeof(count));
	writel(readl(regs + EDU_IRQ_STATUS), regs + EDU_IRQ_ACK);
	VFIO_ASSERT_EQ(readq(regs + EDU_DMA_CMD) & EDU_DMA_RUN, 0);
}

/* What DMA reads at an address ends up in the page of the host, and the reverse. */
static void dma_read(struct machine *m, uint64_t iova, size_t len)
{
	memset(m->host.vaddr, 0xee, PAGE);
	edu_dma(m->edu, iova, len, 0);
	edu_dma(m->edu, HOST_IOVA, len, EDU_DMA_TO_HOST);
}

static void dma_write(struct machine *m, uint64_t iova, size_t len)
{
	edu_dma(m->edu, HOST_IOVA, len, 0);
	edu_dma(m->edu, iova, len, EDU_DMA_TO_HOST);
}

static void fill(void *at, size_t len, uint32_t seed)
{
	for (size_t i = 0; i < len; i += 4)
		writel(seed + i * 0x9e3779b1U, at + i);
}

static bool is_filled(void *at, size_t len, uint32_t seed)
{
	for (size_t i = 0; i < len; i += 4)
		if (readl(at + i) != (uint32_t)(seed + i * 0x9e3779b1U))
			return false;
	return true;
}

/* An export obeys the bounds that mmap() has. */
TEST_F(dma_buf, bounds)
{
	struct machine *m = &self->machine;
	const struct {
		uint32_t region;
		uint64_t offset, length;
		int error;
	} tries[] = {
		{ BAR1, 0, m->size1, 0 },
		{ BAR1, m->size1 - PAGE, PAGE, 0 },
		{ BAR1, m->size1, PAGE, EINVAL },
		{ BAR1, m->size1 - PAGE, 2 * PAGE, EINVAL },
		{ BAR1, 0, m->size1 + PAGE, EINVAL },
		{ BAR1, ~(PAGE - 1), PAGE, EINVAL },
		{ BAR1, PAGE, ~(PAGE - 1), EINVAL },
		{ BAR1, 1ULL << 62, PAGE, EINVAL },
		{ BAR1, 0, 0, EINVAL },
		{ BAR1, 512, PAGE, EINVAL },
		{ BAR1, 0, 512, EINVAL },
		{ BAR0, 0, FAULT_PAGE, 0 },
		{ BAR0, FAULT_PAGE + PAGE, MSIX_PAGE - FAULT_PAGE - PAGE, 0 },
		{ BAR0, MSIX_PAGE + PAGE, BAR0_SIZE - MSIX_PAGE - PAGE, 0 },
		{ BAR0, MSIX_PAGE, PAGE, EINVAL },
		{ BAR0, MSIX_PAGE - PAGE, 2 * PAGE, EINVAL },
		{ BAR0, FAULT_PAGE, PAGE, type_max_instance > 1 ? EINVAL : 0 },
		{ BAR0, 0, BAR0_SIZE, EINVAL },
		{ BAR0, BAR0_SIZE, PAGE, EINVAL },
		{ VFIO_PCI_BAR3_REGION_INDEX, 0, PAGE, 0 },
		{ VFIO_PCI_BAR3_REGION_INDEX,
		  m->device->bars[VFIO_PCI_BAR3_REGION_INDEX].info.size, PAGE, EINVAL },
		{ VFIO_PCI_BAR2_REGION_INDEX, 0, PAGE, ENODEV },
		{ VFIO_PCI_BAR5_REGION_INDEX, 0, PAGE, ENODEV },
		{ VFIO_PCI_ROM_REGION_INDEX, 0, PAGE, ENODEV },
		{ VFIO_PCI_CONFIG_REGION_INDEX, 0, PAGE, ENODEV },
		{ ~0U, 0, PAGE, ENODEV },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(tries); i++) {
		int buffer = export(m->fd, tries[i].region, tries[i].offset, tries[i].length);

		EXPECT_EQ(tries[i].error, buffer < 0 ? errno : 0) {
			TH_LOG("number %u", i);
		}
		if (buffer < 0)
			continue;
		EXPECT_EQ(tries[i].length, lseek(buffer, 0, SEEK_END));
		/* Nothing that a process could touch by itself. */
		EXPECT_EQ(MAP_FAILED, mmap(NULL, PAGE, PROT_READ, MAP_SHARED, buffer, 0));
		close(buffer);
	}
}

/* One bad range of several is enough; several good ones are one buffer. */
TEST_F(dma_buf, many_ranges)
{
	struct machine *m = &self->machine;
	struct ranges ranges = {
		.list = {
			{ .offset = 8 * PAGE, .length = 2 * PAGE },
			{ .offset = 0, .length = PAGE },
			{ .offset = m->size1 - PAGE, .length = PAGE },
			{ .offset = 8 * PAGE, .length = PAGE },
		},
	};
	int buffer;

	buffer = export_ranges(m->fd, BAR1, &ranges, NUM_RANGES);
	ASSERT_GE(buffer, 0);
	EXPECT_EQ(5 * PAGE, lseek(buffer, 0, SEEK_END));
	/* More than iommufd can take. */
	EXPECT_EQ(-EOPNOTSUPP, map_buffer(m->iommu, buffer, 0, PAGE));
	close(buffer);

	ranges.list[2].offset = m->size1;
	EXPECT_EQ(-1, export_ranges(m->fd, BAR1, &ranges, NUM_RANGES));
	EXPECT_EQ(EINVAL, errno);
	/* Their sum has more bits than there are. */
	for (unsigned int i = 0; i < NUM_RANGES; i++)
		ranges.list[i] = (struct vfio_region_dma_range){ .length = 1ULL << 63 };
	EXPECT_EQ(-1, export_ranges(m->fd, BAR1, &ranges, NUM_RANGES));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, export_ranges(m->fd, BAR1, &ranges, 0));
	EXPECT_EQ(EINVAL, errno);
}

/* FB as the vGPU has it, wherever the buffer begins. */
TEST_F(dma_buf, contents_of_bar1)
{
	struct machine *m = &self->machine;
	const uint64_t offset = 4 * PAGE, start = 2 * PAGE;
	void *fb = m->map1 + offset + start;
	int buffer;

	if (!m->edu)
		SKIP(return, "no device that does DMA");
	buffer = export(m->fd, BAR1, offset, 16 * PAGE);
	ASSERT_GE(buffer, 0);
	ASSERT_EQ(0, map_buffer(m->iommu, buffer, start, 2 * PAGE));

	fill(fb, 2 * PAGE, 0x11110000);
	dma_read(m, BUFFER_IOVA, PAGE);
	EXPECT_TRUE(is_filled(m->host.vaddr, PAGE, 0x11110000));
	fill(m->host.vaddr, PAGE, 0x22220000);
	dma_write(m, BUFFER_IOVA + PAGE, PAGE);
	EXPECT_TRUE(is_filled(fb + PAGE, PAGE, 0x22220000));
	EXPECT_TRUE(is_filled(fb, PAGE, 0x11110000));

	/* The file is not needed any more, the mapping is enough. */
	close(buffer);
	dma_write(m, BUFFER_IOVA, PAGE);
	EXPECT_TRUE(is_filled(fb, PAGE, 0x22220000));
	EXPECT_EQ(0, unmap_buffer(m->iommu, 2 * PAGE));
	fill(m->host.vaddr, PAGE, 0x33330000);
	dma_write(m, BUFFER_IOVA, PAGE);
	EXPECT_TRUE(is_filled(fb, PAGE, 0x22220000));
}

/* Registers of the VF. */
TEST_F(dma_buf, contents_of_bar0)
{
	struct machine *m = &self->machine;
	const uint64_t scratch = BUFFER_IOVA + SCRATCH(8);
	int buffer;

	if (!m->edu)
		SKIP(return, "no device that does DMA");
	buffer = export(m->fd, BAR0, 0, FAULT_PAGE);
	ASSERT_GE(buffer, 0);
	ASSERT_EQ(0, map_buffer(m->iommu, buffer, 0, FAULT_PAGE));
	dma_read(m, BUFFER_IOVA + NV_PMC_BOOT_0, 4);
	EXPECT_EQ(readl(m->map0 + NV_PMC_BOOT_0), readl(m->host.vaddr));
	writel(0x5c2a7c00, m->host.vaddr);
	dma_write(m, scratch, 4);
	EXPECT_EQ(0x5c2a7c00, readl(m->map0 + SCRATCH(8)));
	close(buffer);
}

/* What is mapped leads to FB (its first page), or nowhere. */
static bool reaches_fb(struct machine *m)
{
	static uint32_t seed = 0x40000000;

	seed += 0x1000;
	fill(m->host.vaddr, 64, seed);
	dma_write(m, BUFFER_IOVA, 64);
	return is_filled(m->map1, 64, seed);
}

/*
 * A buffer that is mapped, and taken away in one of the ways in which memory of a
 * device goes: what was mapped stays dead, a new mapping works as soon as the
 * memory is there again.
 */
static void before_taken(struct __test_metadata *_metadata, struct machine *m,
			 int *buffer)
{
	*buffer = export(m->fd, BAR1, 0, 4 * PAGE);
	ASSERT_GE(*buffer, 0);
	ASSERT_EQ(0, map_buffer(m->iommu, *buffer, 0, PAGE));
	EXPECT_TRUE(!m->edu || reaches_fb(m));
	writel(0x7a6e0000, m->map1 + PAGE);
}

/* DMA to what was mapped goes nowhere. */
static void is_dead(struct __test_metadata *_metadata, struct machine *m)
{
	if (m->edu) {
		fill(m->host.vaddr, PAGE, 0xbad00000);
		dma_write(m, BUFFER_IOVA, PAGE);
	}
	EXPECT_EQ(0, unmap_buffer(m->iommu, PAGE));
}

/* While the memory is not there, what is exported meanwhile is no exception. */
static void export_while_taken(struct __test_metadata *_metadata, struct machine *m)
{
	int fresh = export(m->fd, BAR1, 0, PAGE);

	EXPECT_GE(fresh, 0);
	EXPECT_EQ(-ENODEV, map_buffer(m->iommu, fresh, 0, PAGE));
	close(fresh);
}

static void after_taken(struct __test_metadata *_metadata, struct machine *m,
			int buffer)
{
	/* DMA of that time did not arrive later. */
	EXPECT_FALSE(is_filled(m->map1, PAGE, 0xbad00000));
	EXPECT_EQ(0x7a6e0000, readl(m->map1 + PAGE));
	ASSERT_EQ(0, map_buffer(m->iommu, buffer, 0, PAGE));
	EXPECT_TRUE(!m->edu || reaches_fb(m));
	EXPECT_EQ(0, unmap_buffer(m->iommu, PAGE));
	close(buffer);
}

/*
 * The core knows that hardware ignores the bit on a VF: a mapping ends, but the next
 * one may be made at once, as every VF driver of VFIO lets its users do.
 */
TEST_F(dma_buf, memory_enable_ends_mappings)
{
	struct machine *m = &self->machine;

	for (int i = 0; i < 2; i++) {
		int buffer;

		before_taken(_metadata, m, &buffer);
		vgpu_set_memory(m->device, false);
		is_dead(_metadata, m);
		vgpu_set_memory(m->device, true);
		after_taken(_metadata, m, buffer);
	}
}

TEST_F(dma_buf, low_power)
{
	struct machine *m = &self->machine;
	int buffer;

	before_taken(_metadata, m, &buffer);
	ASSERT_EQ(0, vgpu_feature(m->fd, VFIO_DEVICE_FEATURE_SET |
				  VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY, NULL, 0));
	is_dead(_metadata, m);
	EXPECT_EQ(-ENODEV, map_buffer(m->iommu, buffer, 0, PAGE));
	ASSERT_EQ(0, vgpu_feature(m->fd, VFIO_DEVICE_FEATURE_SET |
				  VFIO_DEVICE_FEATURE_LOW_POWER_EXIT, NULL, 0));
	after_taken(_metadata, m, buffer);
}

TEST_F(dma_buf, d3hot)
{
	struct machine *m = &self->machine;
	struct vfio_pci_device *d = m->device;
	uint8_t at = vgpu_find_pm(d);
	int buffer;

	if (!at)
		SKIP(return, "VFs of this GPU have no power management");
	before_taken(_metadata, m, &buffer);
	vfio_pci_config_writew(d, at + PCI_PM_CTRL, D3HOT);
	is_dead(_metadata, m);
	EXPECT_EQ(-ENODEV, map_buffer(m->iommu, buffer, 0, PAGE));
	export_while_taken(_metadata, m);
	vfio_pci_config_writew(d, at + PCI_PM_CTRL, 0);
	after_taken(_metadata, m, buffer);
}

/* What was mapped before a reset does not lead to what comes after it. */
TEST_F(dma_buf, reset)
{
	struct machine *m = &self->machine;
	int buffer = export(m->fd, BAR1, 0, 4 * PAGE);

	ASSERT_GE(buffer, 0);
	ASSERT_EQ(0, map_buffer(m->iommu, buffer, 0, PAGE));
	writel(0x7e5e7000, m->map1 + PAGE);
	vfio_pci_device_reset(m->device);
	EXPECT_EQ(0, readl(m->map1 + PAGE));
	EXPECT_FALSE(m->edu && reaches_fb(m));
	EXPECT_EQ(0, unmap_buffer(m->iommu, PAGE));
	/* Its memory is enabled: the file can be mapped again. */
	ASSERT_EQ(0, map_buffer(m->iommu, buffer, 0, PAGE));
	EXPECT_TRUE(!m->edu || reaches_fb(m));
	close(buffer);
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	VFIO_ASSERT_GE(fd, 0, "%s\n", path);
	VFIO_ASSERT_EQ(write(fd, text, strlen(text)), (ssize_t)strlen(text), "%s\n", path);
	close(fd);
}

static void read_file(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY);
	ssize_t len;

	VFIO_ASSERT_GE(fd, 0, "%s\n", path);
	len = read(fd, text, size - 1);
	VFIO_ASSERT_GT(len, 0, "%s\n", path);
	text[len] = '\0';
	close(fd);
}

/* A file may outlive the vGPU and the driver, and leads to no later one. */
TEST_F(dma_buf, outlives_the_device)
{
	struct machine *m = &self->machine;
	char type_path[128], driver_path[128], type[16];
	const char *driver = "/sys/bus/pci/drivers/nvidia_vgpu_vfio";
	int buffer = export(m->fd, BAR1, 0, 4 * PAGE);

	snprintf(type_path, sizeof(type_path), "/sys/bus/pci/devices/%s/nvidia/current_vgpu_type",
		 bdf);
	read_file(type_path, type, sizeof(type));
	ASSERT_GE(buffer, 0);
	ASSERT_EQ(0, map_buffer(m->iommu, buffer, 0, PAGE));
	vfio_pci_device_cleanup(m->device);
	EXPECT_EQ(-ENODEV, can_map(m->iommu, buffer, PAGE));

	/* Opened again, by whoever it is. */
	open_vgpu(m);
	EXPECT_FALSE(m->edu && reaches_fb(m));
	EXPECT_EQ(0, unmap_buffer(m->iommu, PAGE));
	EXPECT_EQ(-ENODEV, can_map(m->iommu, buffer, PAGE));
	vgpu_set_memory(m->device, false);
	vgpu_set_memory(m->device, true);
	vfio_pci_device_reset(m->device);
	EXPECT_EQ(-ENODEV, can_map(m->iommu, buffer, PAGE));
	vfio_pci_device_cleanup(m->device);

	/* Nobody waits for such a file. */
	snprintf(driver_path, sizeof(driver_path), "%s/unbind", driver);
	write_file(driver_path, bdf);
	EXPECT_EQ(-ENODEV, can_map(m->iommu, buffer, PAGE));
	EXPECT_EQ(4 * PAGE, lseek(buffer, 0, SEEK_END));
	snprintf(driver_path, sizeof(driver_path), "%s/bind", driver);
	write_file(driver_path, bdf);
	write_file(type_path, type);
	open_vgpu(m);
	EXPECT_EQ(-ENODEV, can_map(m->iommu, buffer, PAGE));
	close(buffer);
	buffer = export(m->fd, BAR1, 0, 4 * PAGE);
	EXPECT_GE(buffer, 0);
	EXPECT_EQ(0, can_map(m->iommu, buffer, PAGE));
	close(buffer);
}

int main(int argc, char *argv[])
{
	return vgpu_test_main(argc, argv);
}
