// SPDX-License-Identifier: GPL-2.0
/*
 * Who holds the device of a vGPU, and until when.
 *
 *   device file  <-- file descriptors: of this process, of a child, on the way
 *                    in a message
 *                <-- mappings
 *
 * The vGPU is there as long as one of them is, and gone with the last one. Whether
 * it is gone is seen by opening it again, which nobody else must have it for.
 */
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "vgpu_test.h"

#define NV_PMC_BOOT_0		0
#define PMC_BOOT_0_ARCH_ADA	0x19
#define REGION_SIZE		(1024UL * SZ_1G)
#define BAR0_OFFSET		(BAR0 * REGION_SIZE)
#define BAR1_OFFSET		(BAR1 * REGION_SIZE)

/* What VFIO says to a second one who opens the device file of a device that is open. */
#define HELD			(-EINVAL)

FIXTURE(open) {
	int iommufd;
	int fd;
};

/* The device file, bound; or the negative error. */
static int try_open(int iommufd)
{
	const char *path = vfio_pci_get_cdev_path(bdf);
	int fd = open(path, O_RDWR | O_CLOEXEC);
	int ret = fd < 0 ? -errno : __vfio_device_bind_iommufd(fd, iommufd, NULL);

	free((void *)path);
	if (ret && fd >= 0)
		close(fd);
	return ret ?: fd;
}

static uint32_t arch(int fd)
{
	uint32_t boot0;

	return pread(fd, &boot0, 4, BAR0_OFFSET + NV_PMC_BOOT_0) == 4 ? boot0 >> 24 : 0;
}

FIXTURE_SETUP(open)
{
	self->iommufd = open("/dev/iommu", O_RDWR | O_CLOEXEC);
	ASSERT_GE(self->iommufd, 0);
	self->fd = try_open(self->iommufd);
	ASSERT_GE(self->fd, 0);
}

FIXTURE_TEARDOWN(open)
{
	close(self->fd);
	close(self->iommufd);
}

TEST_F(open, the_device_file_is_for_one)
{
	EXPECT_EQ(HELD, try_open(self->iommufd));
	EXPECT_EQ(PMC_BOOT_0_ARCH_ADA, arch(self->fd));
}

TEST_F(open, group_and_device_file_exclude_each_other)
{
	char path[64];
	int group;

	snprintf_assert(path, sizeof(path), "/dev/vfio/%u", sysfs_iommu_group_get(bdf));
	group = open(path, O_RDWR | O_CLOEXEC);
	EXPECT_EQ(-1, group);
	EXPECT_EQ(EBUSY, errno);
}

/* Through the group, as many descriptors as one likes share one vGPU. */
TEST_F(open, descriptors_of_a_group_share)
{
	struct iommu *iommu = iommu_init(MODE_VFIO_TYPE1V2_IOMMU);
	struct vfio_pci_device *device;
	uint32_t value = 0x5a4e0001;
	int second;

	close(self->fd);
	device = vfio_pci_device_init(bdf, iommu);
	EXPECT_EQ(-EBUSY, try_open(self->iommufd));
	second = ioctl(device->group_fd, VFIO_GROUP_GET_DEVICE_FD, bdf);
	ASSERT_GE(second, 0);
	ASSERT_EQ(4, pwrite(device->fd, &value, 4, BAR1_OFFSET));
	value = 0;
	ASSERT_EQ(4, pread(second, &value, 4, BAR1_OFFSET));
	EXPECT_EQ(0x5a4e0001, value);
	vfio_pci_device_cleanup(device);
	/* The second one keeps both. */
	EXPECT_EQ(PMC_BOOT_0_ARCH_ADA, arch(second));
	EXPECT_EQ(-EBUSY, try_open(self->iommufd));
	close(second);
	iommu_cleanup(iommu);
	self->fd = try_open(self->iommufd);
	ASSERT_GE(self->fd, 0);
}

TEST_F(open, closed_unbound)
{
	const char *path = vfio_pci_get_cdev_path(bdf);
	uint32_t value;
	int fd;

	/* A descriptor that was never bound reaches nothing, and holds nothing. */
	fd = open(path, O_RDWR | O_CLOEXEC);
	ASSERT_GE(fd, 0);
	EXPECT_EQ(-1, pread(fd, &value, 4, BAR0_OFFSET));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(MAP_FAILED, mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, BAR0_OFFSET));
	EXPECT_EQ(-1, ioctl(fd, VFIO_DEVICE_RESET));
	EXPECT_EQ(EINVAL, errno);
	close(self->fd);
	self->fd = try_open(self->iommufd);
	EXPECT_GE(self->fd, 0);
	close(fd);
	free((void *)path);
}

/* Mappings outlive all descriptors, and the vGPU lives as long as they do. */
TEST_F(open, mappings_outlive_descriptors)
{
	int copy = dup(self->fd);
	uint32_t value;
	void *map;

	ASSERT_GE(copy, 0);
	close(self->fd);
	map = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, copy, BAR1_OFFSET);
	ASSERT_NE(MAP_FAILED, map);
	close(copy);
	EXPECT_EQ(MAP_FAILED, mmap(NULL, PAGE, PROT_READ, MAP_SHARED, copy, BAR1_OFFSET));
	EXPECT_EQ(EBADF, errno);
	writel(0xfeed0001, map);
	EXPECT_TRUE(vgpu_can_read(map, &value));
	EXPECT_EQ(0xfeed0001, value);
	EXPECT_EQ(HELD, try_open(self->iommufd));
	/* A part is enough. */
	ASSERT_EQ(0, munmap(map, PAGE));
	EXPECT_TRUE(vgpu_can_read(map + PAGE, &value));
	EXPECT_EQ(HELD, try_open(self->iommufd));
	ASSERT_EQ(0, munmap(map + PAGE, PAGE));
	self->fd = try_open(self->iommufd);
	ASSERT_GE(self->fd, 0);
	/* Nothing of it is there for the next one. */
	ASSERT_EQ(4, pread(self->fd, &value, 4, BAR1_OFFSET));
	EXPECT_EQ(0, value);
}

/* What a child says through a pipe when it is ready, before it waits to be ended. */
static void child_holds(int fd, int ready)
{
	void *map = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, BAR1_OFFSET);
	uint32_t value;
	char works = map != MAP_FAILED && vgpu_can_read(map, &value) &&
		arch(fd) == PMC_BOOT_0_ARCH_ADA;

	if (write(ready, &works, 1) != 1)
		_exit(1);
	for (;;)
		pause();
}

/* A child that has inherited the descriptor keeps the vGPU until it is killed. */
TEST_F(open, killed_heir)
{
	int ready[2];
	char works = 0;
	pid_t child;

	ASSERT_EQ(0, pipe(ready));
	child = fork();
	ASSERT_GE(child, 0);
	if (!child)
		child_holds(self->fd, ready[1]);
	ASSERT_EQ(1, read(ready[0], &works, 1));
	EXPECT_TRUE(works);
	close(self->fd);
	EXPECT_EQ(HELD, try_open(self->iommufd));
	ASSERT_EQ(0, kill(child, SIGKILL));
	ASSERT_EQ(child, waitpid(child, NULL, 0));
	self->fd = try_open(self->iommufd);
	EXPECT_GE(self->fd, 0);
	close(ready[0]);
	close(ready[1]);
}

static int send_fd(int socket, int fd)
{
	char control[CMSG_SPACE(sizeof(fd))] = { 0 };
	char byte = 0;
	struct iovec data = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr message = {
		.msg_iov = &data,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&message);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
	return sendmsg(socket, &message, 0) == 1 ? 0 : -1;
}

static int receive_fd(int socket)
{
	char control[CMSG_SPACE(sizeof(int))];
	char byte;
	struct iovec data = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr message = {
		.msg_iov = &data,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	int fd;

	if (recvmsg(socket, &message, 0) != 1 || !CMSG_FIRSTHDR(&message))
		return -1;
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(fd));
	return fd;
}

/* A descriptor in a message counts, too, and works for who takes it out. */
TEST_F(open, passed_in_a_message)
{
	int sockets[2], ready[2], status;
	char works = 0;
	pid_t child;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
	ASSERT_EQ(0, pipe(ready));
	child = fork();
	ASSERT_GE(child, 0);
	if (!child) {
		int fd;

		/* Not the inherited one. */
		close(self->fd);
		close(sockets[0]);
		fd = receive_fd(sockets[1]);
		works = fd >= 0 && arch(fd) == PMC_BOOT_0_ARCH_ADA;
		_exit(write(ready[1], &works, 1) != 1);
	}
	close(sockets[1]);
	ASSERT_EQ(0, send_fd(sockets[0], self->fd));
	close(self->fd);
	ASSERT_EQ(1, read(ready[0], &works, 1));
	EXPECT_TRUE(works);
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
	self->fd = try_open(self->iommufd);
	EXPECT_GE(self->fd, 0);
	close(sockets[0]);
	close(ready[0]);
	close(ready[1]);
}

/* One that nobody takes out goes with the socket. */
TEST_F(open, lost_in_a_message)
{
	int sockets[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
	ASSERT_EQ(0, send_fd(sockets[0], self->fd));
	close(self->fd);
	EXPECT_EQ(HELD, try_open(self->iommufd));
	close(sockets[1]);
	close(sockets[0]);
	self->fd = try_open(self->iommufd);
	EXPECT_GE(self->fd, 0);
}

/* The iommufd may go first. */
TEST_F(open, iommufd_closed_first)
{
	close(self->iommufd);
	EXPECT_EQ(PMC_BOOT_0_ARCH_ADA, arch(self->fd));
	EXPECT_EQ(0, ioctl(self->fd, VFIO_DEVICE_RESET));
	EXPECT_EQ(PMC_BOOT_0_ARCH_ADA, arch(self->fd));
	self->iommufd = open("/dev/iommu", O_RDWR | O_CLOEXEC);
	ASSERT_GE(self->iommufd, 0);
}

int main(int argc, char *argv[])
{
	return vgpu_test_main(argc, argv);
}
