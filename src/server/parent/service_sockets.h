/*
 * service_sockets.h - the sockets at which other programs ask who signs in to
 * them: those of the blocks `sasl`.  The parent keeps them open, so that the
 * connections that wait for a process that died are not lost.
 */
#ifndef SERVER_PARENT_SERVICE_SOCKETS_H
#define SERVER_PARENT_SERVICE_SOCKETS_H

#include "server/parent/parent_state.h"

/* Fills in the descriptors of p->conf->sasl.  The words name the socket. */
enum err service_sockets_open(struct parent *p, struct errbuf *eb) NODISCARD;
void service_sockets_close(struct parent *p);

#endif
