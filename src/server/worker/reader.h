/*
 * reader.h - threads that read from disks, so that the loop never waits for
 * one.
 */
#ifndef SERVER_WORKER_READER_H
#define SERVER_WORKER_READER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/pool.h"

enum read_state { READ_ASKED, READ_READY, READ_USED };

struct read_job {
	struct pool_job job;
	void (*done)(struct read_job *job); /* on the loop */
	void *arg;
	enum read_state state; /* the loop's; READY from done() on */
	int fd;                /* must stay open until done */
	uint64_t off;
	size_t len;
	ssize_t got; /* octets, or -errno */
	char data[];
};

/* A job to be filled in; NULL: memory.  Owned by the caller, freed by free()
 * in or after done(). */
struct read_job *read_job_new(size_t len);

void reader_submit(struct pool *readers, struct read_job *job);

#endif
