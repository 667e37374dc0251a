/*
 * peer_uid.h - whose program is at the other end of a connection within this
 * machine?  The kernel is asked by its sock_diag(7).
 */
#ifndef NET_PEER_UID_H
#define NET_PEER_UID_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"

/* A descriptor to ask with, also after a sandbox has been entered that permits
 * sendto() and recvfrom().  E_IO: the kernel cannot be asked. */
enum err peer_uid_open(int *fd_r, struct errbuf *eb) NODISCARD;

/* Of a connected socket of TCP.  E_NOENT: the other end is none of this machine, or
 * has gone; E_IO: the kernel does not say. */
enum err peer_uid_of(int ask, int connection, uid_t *uid_r) NODISCARD;

#endif
