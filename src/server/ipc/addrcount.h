/*
 * addrcount.h - how many connections an address has, over all workers.
 *
 * A piece of shared memory that the parent makes: a header with a random seed,
 * then one row of counters for each worker, which alone writes to it.
 * The address (of IPv6 its first 64 bits, as a client is given that many)
 * chooses the counter by a hash keyed with the seed; the total is the sum of
 * that counter over all rows.  Two addresses that share a counter are counted
 * together: with 65,536 of them that is rare, and then the limit is only met
 * sooner.
 *
 * A worker maps the row that is its own for writing and the others for reading
 * only, from a descriptor that cannot give more, and keeps no descriptor.  So
 * whoever has broken into it can write wrong numbers into its own row.  They
 * are never more than numbers: the size is sealed, and nothing is a position.
 */
#ifndef SERVER_IPC_ADDRCOUNT_H
#define SERVER_IPC_ADDRCOUNT_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct sockaddr;
struct addrcount_shm;

struct addrcount {
	struct addrcount_shm *shm;
	unsigned rows;
	/* The one row that can be written to; NULL: all of them. */
	void *own;
};

/* Makes the memory with all counters zero.  fd_r[0] is for reading and writing,
 * fd_r[1] for reading only; both are the caller's. */
enum err addrcount_create(
    unsigned rows, int fd_r[2], struct errbuf *eb) NODISCARD;

/* Maps what fd has; E_FORMAT if it is not such memory with so many rows.  fd
 * stays the caller's and may be closed. */
enum err addrcount_map(
    struct addrcount *c, int fd, unsigned rows, struct errbuf *eb) NODISCARD;

/* The same with the descriptors of addrcount_create(): of fd[0] only `row`. */
enum err addrcount_map_row(struct addrcount *c, const int fd[2], unsigned rows,
    unsigned row, struct errbuf *eb) NODISCARD;
void addrcount_unmap(struct addrcount *c);

/* The counter of an address.  Other families than IPv4 and IPv6 count as one
 * address. */
uint16_t addrcount_of(const struct addrcount *c, const struct sockaddr *addr);

/* One more connection of process `row`; returns how many there are now over
 * all processes, this one included. */
uint32_t addrcount_enter(struct addrcount *c, unsigned row, uint16_t counter);
void addrcount_leave(struct addrcount *c, unsigned row, uint16_t counter);

/* The process of that row has died, and its connections with it. */
void addrcount_clear_row(struct addrcount *c, unsigned row);

#endif
