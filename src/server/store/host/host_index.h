/*
 * host_index.h - one index out of those of several maildrops.
 */
#ifndef SERVER_STORE_HOST_HOST_INDEX_H
#define SERVER_STORE_HOST_HOST_INDEX_H

#include <stddef.h>

#include "server/store/kind.h"

struct host_index;

/* NULL: memory. */
struct host_index *host_index_new(void);
void host_index_free(struct host_index *x);

/* Adds the messages of a maildrop, which has so many, behind those that are
 * there.  E_FULL: that is more than a maildrop may have; else it cannot be
 * read. */
enum err host_index_add(struct host_index *x, struct hold *h, uint32_t count,
    uint64_t octets, struct errbuf *eb) NODISCARD;

/* *fd_r, memory that cannot be written to by it, is the caller's.  E_CONFIG:
 * two messages have the same unique-id, which no maildrop may have; *twins_r are
 * their numbers. */
enum err host_index_end(struct host_index *x, int *fd_r, uint64_t *end_r,
    uint32_t twins_r[2], struct errbuf *eb) NODISCARD;

#endif
