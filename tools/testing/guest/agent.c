// SPDX-License-Identifier: GPL-2.0
/*
 * The whole user space of a test guest: PID 1 of an initramfs that looks at
 * the guest's NVIDIA PCI function and answers line commands on ttyS1.
 *
 *   host script                       guest agent
 *   -----------                       -----------
 *                                <-   ready         (or: empty, without a function)
 *   pci                          ->
 *                                <-   pci 0000:01:00.0 10de:26b1 10de:170a 0x030000
 *                                <-   bar 0 0x40000
 *                                <-   ok pci
 *   fill BAR SEED OFF COUNT STEP ->   ok fill N
 *   check BAR SEED OFF COUNT STEP ->  ok check N     | fail check K of N differ
 *   find BAR SEED OFF COUNT STEP ->   ok find K of N
 *   read BAR OFF                 ->   ok read 0xVALUE
 *   write BAR OFF VALUE          ->   ok write
 *   config OFF                   ->   ok config 0xVALUE
 *   setconfig OFF VALUE WIDTH    ->   ok setconfig
 *   reset                        ->   ok reset
 *   unplug                       ->   ok unplug    (asked by the slot's button: the
 *                                                     function is gone, its slot off)
 *   plug                         ->   ok plug      (slot on, the function found again)
 *   await                        ->   (nothing, until there is a function) ready
 *   poweroff                     ->   (the guest ends: a reset, with -no-reboot)
 *
 * Every other command is answered by exactly one line that begins with "ok" or
 * "fail". All accesses to a BAR are aligned 32-bit loads and stores. The word
 * at byte offset O of the pattern with seed S depends on both, so that neither
 * a stale word nor a word of another guest can be taken for it.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "gpu.h"

#define CONTROL_TTY	"/dev/ttyS1"
#define MAX_WORDS	0x400000

static FILE *out;

/* Device memory: each call is one load or store, never merged or left out. */
static uint32_t bar_read(const struct bar *bar, uint64_t offset)
{
	return __atomic_load_n(&bar->map[offset / 4], __ATOMIC_SEQ_CST);
}

static void bar_write(struct bar *bar, uint64_t offset, uint32_t value)
{
	__atomic_store_n(&bar->map[offset / 4], value, __ATOMIC_RELEASE);
}

static uint32_t pattern(uint32_t seed, uint64_t offset)
{
	uint64_t x = offset ^ ((uint64_t)seed << 32 | seed);

	x *= 0x9e3779b97f4a7c15u;
	x ^= x >> 29;
	x *= 0xbf58476d1ce4e5b9u;
	return x >> 32;
}

enum pattern_op { PATTERN_FILL, PATTERN_COUNT };

/* Writes the pattern, or counts the words that hold it. Returns the count or -errno. */
static int64_t run_pattern(struct gpu *gpu, enum pattern_op op, unsigned int index, uint32_t seed,
			   uint64_t offset, uint64_t count, uint64_t step)
{
	int64_t hits = 0;
	struct bar *bar;
	int err;

	err = map_bar(gpu, index);
	if (err)
		return err;
	bar = &gpu->bars[index];
	if (!count || count > MAX_WORDS || !step || offset % 4 || step % 4 ||
	    offset >= bar->size || (count - 1) > (bar->size - offset - 4) / step)
		return -EINVAL;
	for (uint64_t i = 0; i < count; i++, offset += step) {
		if (op == PATTERN_FILL)
			bar_write(bar, offset, pattern(seed, offset));
		else
			hits += bar_read(bar, offset) == pattern(seed, offset);
	}
	return op == PATTERN_FILL ? (int64_t)count : hits;
}

static void show_pci(struct gpu *gpu)
{
	uint64_t device = 0, subvendor = 0, subdevice = 0, class = 0;

	read_hex(gpu->name, "device", &device);
	read_hex(gpu->name, "subsystem_vendor", &subvendor);
	read_hex(gpu->name, "subsystem_device", &subdevice);
	read_hex(gpu->name, "class", &class);
	fprintf(out, "pci %s %04x:%04x %04x:%04x 0x%06x\n", gpu->name, VENDOR_NVIDIA,
		(unsigned int)device, (unsigned int)subvendor, (unsigned int)subdevice,
		(unsigned int)class);
	for (int i = 0; i < NUM_BARS; i++) {
		if (gpu->bars[i].size)
			fprintf(out, "bar %d 0x%" PRIx64 "\n", i, gpu->bars[i].size);
	}
	fprintf(out, "ok pci\n");
}

static void reply_errno(const char *command, int64_t err)
{
	fprintf(out, "fail %s: %s\n", command, strerror(-err));
}

static void run_pattern_command(struct gpu *gpu, const char *line, const char *command)
{
	uint64_t offset, count, step;
	unsigned int index;
	uint32_t seed;
	int64_t n;

	if (sscanf(line, "%*s %u %" SCNi32 " %" SCNi64 " %" SCNi64 " %" SCNi64, &index,
		   (int32_t *)&seed, (int64_t *)&offset, (int64_t *)&count,
		   (int64_t *)&step) != 5) {
		reply_errno(command, -EINVAL);
		return;
	}
	n = run_pattern(gpu, strcmp(command, "fill") ? PATTERN_COUNT : PATTERN_FILL, index, seed,
			offset, count, step);
	if (n < 0)
		reply_errno(command, n);
	else if (!strcmp(command, "fill"))
		fprintf(out, "ok fill %" PRId64 "\n", n);
	else if (!strcmp(command, "find"))
		fprintf(out, "ok find %" PRId64 " of %" PRIu64 "\n", n, count);
	else if ((uint64_t)n == count)
		fprintf(out, "ok check %" PRId64 "\n", n);
	else
		fprintf(out, "fail check: %" PRId64 " of %" PRIu64 " differ\n", count - n, count);
}

static void run_word_command(struct gpu *gpu, const char *line, bool is_write)
{
	const char *command = is_write ? "write" : "read";
	unsigned int index;
	uint64_t offset;
	uint32_t value;
	int n, err;

	n = sscanf(line, "%*s %u %" SCNi64 " %" SCNi32, &index, (int64_t *)&offset,
		   (int32_t *)&value);
	err = n == (is_write ? 3 : 2) ? map_bar(gpu, index) : -EINVAL;
	if (!err && (offset % 4 || offset > gpu->bars[index].size - 4))
		err = -EINVAL;
	if (err) {
		reply_errno(command, err);
	} else if (is_write) {
		bar_write(&gpu->bars[index], offset, value);
		fprintf(out, "ok write\n");
	} else {
		fprintf(out, "ok read 0x%08x\n", bar_read(&gpu->bars[index], offset));
	}
}

static void run_config_command(struct gpu *gpu, const char *line, bool is_write)
{
	const char *command = is_write ? "setconfig" : "config";
	uint32_t value = 0;
	uint64_t offset;
	int n, err = -EINVAL;
	size_t width = 4;

	if (is_write)
		n = sscanf(line, "%*s %" SCNi64 " %" SCNi32 " %zu", (int64_t *)&offset,
			   (int32_t *)&value, &width);
	else
		n = sscanf(line, "%*s %" SCNi64 " %zu", (int64_t *)&offset, &width);
	if (n >= (is_write ? 3 : 1))
		err = config_access(gpu->name, is_write, offset, &value, width);
	if (err)
		reply_errno(command, err);
	else if (is_write)
		fprintf(out, "ok setconfig\n");
	else
		fprintf(out, "ok config 0x%x\n", value);
}

static void tell_start(int err)
{
	if (!err)
		fprintf(out, "ready\n");
	else if (err == -ENODEV)
		fprintf(out, "empty\n");
	else
		fprintf(out, "fail start: no usable NVIDIA PCI function: %s\n", strerror(-err));
}

static void run_command(struct gpu *gpu, const char *line)
{
	char command[16];
	int err;

	if (sscanf(line, "%15s", command) != 1)
		return;
	if (!strcmp(command, "pci")) {
		show_pci(gpu);
	} else if (!strcmp(command, "fill") || !strcmp(command, "check") ||
		   !strcmp(command, "find")) {
		run_pattern_command(gpu, line, command);
	} else if (!strcmp(command, "read") || !strcmp(command, "write")) {
		run_word_command(gpu, line, command[0] == 'w');
	} else if (!strcmp(command, "config") || !strcmp(command, "setconfig")) {
		run_config_command(gpu, line, command[0] == 's');
	} else if (!strcmp(command, "reset") || !strcmp(command, "unplug") ||
		   !strcmp(command, "plug")) {
		if (command[0] == 'r')
			err = write_attr(gpu->name, "reset", "1");
		else
			err = command[0] == 'u' ? unplug(gpu) : plug(gpu);
		if (err)
			reply_errno(command, err);
		else
			fprintf(out, "ok %s\n", command);
	} else if (!strcmp(command, "await")) {
		tell_start(await_gpu(gpu));
	} else if (!strcmp(command, "poweroff")) {
		sync();
		reboot(RB_AUTOBOOT);
	} else {
		fprintf(out, "fail %s: unknown command\n", command);
	}
}

static FILE *open_control(void)
{
	struct termios tio;
	int fd;

	fd = open(CONTROL_TTY, O_RDWR | O_NOCTTY);
	if (fd < 0)
		return NULL;
	if (!tcgetattr(fd, &tio)) {
		cfmakeraw(&tio);
		tcsetattr(fd, TCSANOW, &tio);
	}
	out = fdopen(dup(fd), "w");
	if (!out)
		return NULL;
	setvbuf(out, NULL, _IOLBF, 0);
	return fdopen(fd, "r");
}

int main(void)
{
	struct gpu gpu = { 0 };
	char line[256];
	FILE *in;

	mkdir("/proc", 0755);
	mkdir("/sys", 0755);
	mkdir("/dev", 0755);
	mount("proc", "/proc", "proc", 0, NULL);
	mount("sysfs", "/sys", "sysfs", 0, NULL);
	mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);

	in = open_control();
	if (!in) {
		printf("agent: %s: %s\n", CONTROL_TTY, strerror(errno));
		reboot(RB_AUTOBOOT);
		return 1;
	}
	tell_start(find_gpu(&gpu));
	while (fgets(line, sizeof(line), in))
		run_command(&gpu, line);
	reboot(RB_AUTOBOOT);
	return 0;
}
