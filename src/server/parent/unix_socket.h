/*
 * unix_socket.h - sockets with a name in the file system, that nobody reaches for
 * a moment who is not to reach them ever.
 */
#ifndef SERVER_PARENT_UNIX_SOCKET_H
#define SERVER_PARENT_UNIX_SOCKET_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "server/conf/conf.h"

struct unix_socket {
	const char *path; /* shorter than sockaddr_un has room for */
	int type;         /* SOCK_STREAM, SOCK_SEQPACKET */
	mode_t mode;
	gid_t group; /* (gid_t)-1: that of this process */
	int backlog;
};

/* A listening socket, non-blocking and close-on-exec.  What maloted left behind
 * at that path when it was killed is removed; E_BUSY: somebody listens there, or
 * it is something else.  E_IO. */
enum err unix_socket_open(const struct unix_socket *s, int *fd_r,
    struct unix_made *made_r, struct errbuf *eb) NODISCARD;

/* Fills *made_r for a socket that was inherited.  False: there is nothing. */
bool unix_socket_look(const char *path, struct unix_made *made_r);

/* At the end, before the socket is closed.  What somebody else has put there
 * meanwhile stays. */
void unix_socket_remove(const char *path, const struct unix_made *made);

#endif
