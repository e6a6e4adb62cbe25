// SPDX-License-Identifier: GPL-2.0
/*
 * Lets the kernel believe that a PCI function has reported an error: writes one
 * record to the device node of the aer_inject module.
 *
 *   aer_inject BDF fatal         Data Link Protocol Error: the link is reset
 *   aer_inject BDF nonfatal      Completer Abort: one transaction has failed
 *   aer_inject BDF correctable   Receiver Error
 *
 * Which of the uncorrectable ones are fatal is up to the severity register of
 * the function; these are the defaults of the specification.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <linux/pci_regs.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

/* struct aer_error_inj of drivers/pci/pcie/aer_inject.c; the module has no header. */
struct record {
	uint8_t bus;
	uint8_t dev;
	uint8_t fn;
	uint32_t uncor_status;
	uint32_t cor_status;
	uint32_t header_log[4];
	uint32_t domain;
};

static const struct {
	const char *name;
	uint32_t uncor_status;
	uint32_t cor_status;
} kinds[] = {
	{ "fatal", PCI_ERR_UNC_DLP, 0 },
	{ "nonfatal", PCI_ERR_UNC_COMP_ABORT, 0 },
	{ "correctable", 0, PCI_ERR_COR_RCVR },
};

int main(int argc, char **argv)
{
	unsigned int domain, bus, dev, fn;
	struct record record = {};
	int fd;

	if (argc != 3 || sscanf(argv[1], "%x:%x:%x.%x", &domain, &bus, &dev, &fn) != 4) {
		fprintf(stderr, "usage: aer_inject BDF fatal|nonfatal|correctable\n");
		return 2;
	}
	record.domain = domain;
	record.bus = bus;
	record.dev = dev;
	record.fn = fn;
	for (unsigned int i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (strcmp(argv[2], kinds[i].name))
			continue;
		record.uncor_status = kinds[i].uncor_status;
		record.cor_status = kinds[i].cor_status;
	}
	if (!record.uncor_status && !record.cor_status) {
		fprintf(stderr, "aer_inject: no such error: %s\n", argv[2]);
		return 2;
	}
	fd = open("/dev/aer_inject", O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, &record, sizeof(record)) != sizeof(record)) {
		fprintf(stderr, "aer_inject: %s\n", strerror(errno));
		return 1;
	}
	close(fd);
	return 0;
}
