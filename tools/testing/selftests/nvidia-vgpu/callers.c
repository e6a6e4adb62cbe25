// SPDX-License-Identifier: GPL-2.0
/*
 * Reads a debugfs file that works when it is read, by several threads at once.
 *
 *   callers FILE THREADS TIMES      nanoseconds from the first to the last
 *   callers -p FILE THREADS TIMES   the largest p99_ns among the texts read
 *
 * Each thread reads FILE anew TIMES times. They start together.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char *file;
static int times;
static pthread_barrier_t barrier;

struct caller {
	pthread_t thread;
	uint64_t p99;
	int error;
};

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

/* The number behind KEY at the beginning of a line. */
static uint64_t number(const char *text, const char *key)
{
	const char *at = strstr(text, key);

	return at ? strtoull(at + strlen(key), NULL, 10) : 0;
}

/* Negative errno when the file cannot be read or tells of errors. */
static int read_once(struct caller *caller)
{
	int fd = open(file, O_RDONLY), error = 0;
	char text[512];
	size_t len = 0;
	uint64_t p99;
	ssize_t n;

	if (fd < 0)
		return -errno;
	while ((n = read(fd, text + len, sizeof(text) - 1 - len)) > 0)
		len += n;
	if (n < 0)
		error = -errno;
	close(fd);
	if (error)
		return error;
	text[len] = '\0';
	if (number(text, "\nerrors ") || !number(text, "calls "))
		return -EIO;
	p99 = number(text, "\np99_ns ");
	if (p99 > caller->p99)
		caller->p99 = p99;
	return 0;
}

static void *run(void *arg)
{
	struct caller *caller = arg;

	pthread_barrier_wait(&barrier);
	for (int i = 0; i < times && !caller->error; i++)
		caller->error = read_once(caller);
	return NULL;
}

int main(int argc, char **argv)
{
	bool p99 = argc == 5 && !strcmp(argv[1], "-p");
	struct caller *callers;
	uint64_t start, worst = 0;
	int threads;

	if (argc != (p99 ? 5 : 4)) {
		fprintf(stderr, "usage: callers [-p] FILE THREADS TIMES\n");
		return 2;
	}
	file = argv[argc - 3];
	threads = atoi(argv[argc - 2]);
	times = atoi(argv[argc - 1]);
	callers = calloc(threads > 0 ? threads : 1, sizeof(*callers));
	if (threads < 1 || times < 1 || !callers)
		return 2;

	pthread_barrier_init(&barrier, NULL, threads + 1);
	for (int i = 0; i < threads; i++) {
		if (pthread_create(&callers[i].thread, NULL, run, &callers[i]))
			return 1;
	}
	start = now_ns();
	pthread_barrier_wait(&barrier);
	for (int i = 0; i < threads; i++) {
		pthread_join(callers[i].thread, NULL);
		if (callers[i].error) {
			fprintf(stderr, "callers: %s: %s\n", file, strerror(-callers[i].error));
			return 1;
		}
		if (callers[i].p99 > worst)
			worst = callers[i].p99;
	}
	printf("%" PRIu64 "\n", p99 ? worst : now_ns() - start);
	free(callers);
	return 0;
}
