/*
 * listen.h - the sockets that connections arrive at.
 *
 * Each worker has a socket of its own for each address (SO_REUSEPORT),
 * so that the kernel spreads connections.  The parent keeps them all open: the
 * connections that wait for a process that died are not lost.
 */
#ifndef SERVER_PARENT_LISTEN_H
#define SERVER_PARENT_LISTEN_H

#include "base/err.h"
#include "server/conf/address.h"

/* Is the address free?  With SO_REUSEPORT alone, a second server of the same
 * user would take a share of the connections unnoticed.  E_NOENT: the machine
 * lacks this kind of address and it is optional.  E_BUSY, E_DENIED, E_IO: the
 * words name address, port and who may be there. */
enum err listen_probe(const struct listen_addr *a, struct errbuf *eb) NODISCARD;

/* One that somebody else has made becomes as ours are. */
enum err listen_adopt(
    int fd, const struct listen_addr *a, struct errbuf *eb) NODISCARD;

/* A listening socket, non-blocking, close-on-exec. */
enum err listen_open(
    const struct listen_addr *a, int *fd_r, struct errbuf *eb) NODISCARD;

#endif
