// SPDX-License-Identifier: GPL-2.0
/*
 * What user space hears of a VF without asking for it:
 *
 *   vgpu_watch BDF     prints "ready", and from then on
 *                        "uevent type ID state WORD"   a change of the device
 *                        "poll state WORD"             nvidia/state woke poll(2)
 *                      until it is killed
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <linux/netlink.h>
#include <sys/socket.h>

/* Multicast group of uevents as the kernel sends them. */
#define KERNEL_UEVENTS 1

static int listen_to_uevents(void)
{
	struct sockaddr_nl address = {
		.nl_family = AF_NETLINK,
		.nl_groups = KERNEL_UEVENTS,
	};
	int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_KOBJECT_UEVENT);

	if (fd < 0)
		return -1;
	if (bind(fd, (struct sockaddr *)&address, sizeof(address))) {
		close(fd);
		return -1;
	}
	return fd;
}

/* The value of a variable in a list of "NAME=value" strings. */
static const char *variable(const char *list, const char *end, const char *name)
{
	size_t len = strlen(name);

	for (; list < end; list += strlen(list) + 1) {
		if (!strncmp(list, name, len) && list[len] == '=')
			return list + len + 1;
	}
	return NULL;
}

static void show_uevent(int fd, const char *bdf)
{
	const char *end, *path, *type, *state, *last;
	char message[4096];
	ssize_t len;

	len = recv(fd, message, sizeof(message) - 1, 0);
	if (len <= 0)
		return;
	message[len] = 0;
	end = message + len;
	path = variable(message, end, "DEVPATH");
	type = variable(message, end, "NVIDIA_VGPU_TYPE");
	state = variable(message, end, "NVIDIA_VGPU_STATE");
	last = path ? strrchr(path, '/') : NULL;
	if (type && state && last && !strcmp(last + 1, bdf))
		printf("uevent type %s state %s\n", type, state);
}

/* sysfs wants a read from the start before it reports the next change. */
static int read_state(int fd, const char *prefix)
{
	char word[64];
	ssize_t len = pread(fd, word, sizeof(word) - 1, 0);

	if (len < 0)
		return -1;
	word[len] = 0;
	if (prefix)
		printf("%s%s", prefix, word);
	return 0;
}

int main(int argc, char **argv)
{
	struct pollfd fds[2] = { { .events = POLLIN }, { .events = POLLPRI } };
	char path[256];

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc != 2) {
		fprintf(stderr, "usage: vgpu_watch BDF\n");
		return 2;
	}
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/nvidia/state", argv[1]);
	fds[0].fd = listen_to_uevents();
	fds[1].fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fds[0].fd < 0 || fds[1].fd < 0 || read_state(fds[1].fd, NULL)) {
		fprintf(stderr, "vgpu_watch: %s\n", strerror(errno));
		return 1;
	}
	printf("ready\n");
	while (poll(fds, 2, -1) >= 0 || errno == EINTR) {
		if (fds[0].revents)
			show_uevent(fds[0].fd, argv[1]);
		if (fds[1].revents & POLLPRI && read_state(fds[1].fd, "poll state "))
			return 1;
	}
	return 1;
}
