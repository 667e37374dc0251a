/*
 * sealed.h - memory that nobody can change any more, given to other processes
 * by its descriptor.
 */
#ifndef SERVER_IPC_SEALED_H
#define SERVER_IPC_SEALED_H

#include <stddef.h>

#include "base/err.h"

/* name: for /proc. */
enum err sealed_make(int *fd_r, const char *name, const void *p, size_t n,
    struct errbuf *eb) NODISCARD;

/* In the other process: all n octets, as who has made it says, so that it need
 * not be asked for.  *p_r is there until munmap(); fd is still the caller's. */
enum err sealed_map(
    int fd, size_t n, const char **p_r, struct errbuf *eb) NODISCARD;

#endif
