/*
 * listen.h - the sockets that connections arrive at.
 *
 * Each pop3 process has a socket of its own for each address (SO_REUSEPORT),
 * so that the kernel spreads connections.  The parent keeps them all open: the
 * connections that wait for a process that died are not lost.
 */
#ifndef SERVER_PARENT_LISTEN_H
#define SERVER_PARENT_LISTEN_H

#include <stdbool.h>
#include <sys/socket.h>

#include "base/err.h"
#include "server/conf/conf.h"

struct listen_addr {
	struct sockaddr_storage sa;
	socklen_t len;
	bool optional; /* of "*": the machine may lack its kind */
};

/* The addresses of a listener, at most `room`, else E_FULL; E_CONFIG: one is
 * none. */
enum err listen_addresses(const struct conf_listener *l,
    struct listen_addr *out, unsigned room, unsigned *n_r,
    struct errbuf *eb) NODISCARD;

enum { LISTEN_SHOWN = 80 };
/* "[::1]:110"; returns out. */
char *listen_show(char out[LISTEN_SHOWN], const struct listen_addr *a);

/* One cannot be bound beside the other. */
bool listen_overlap(const struct listen_addr *a, const struct listen_addr *b);

/* Is the address free?  With SO_REUSEPORT alone, a second server of the same
 * user would take a share of the connections unnoticed.  E_NOENT: the machine
 * lacks this kind of address and it is optional.  E_BUSY, E_DENIED, E_IO: the
 * words name address, port and who may be there. */
enum err listen_probe(const struct listen_addr *a, struct errbuf *eb) NODISCARD;

/* A listening socket, non-blocking, close-on-exec. */
enum err listen_open(
    const struct listen_addr *a, int *fd_r, struct errbuf *eb) NODISCARD;

#endif
