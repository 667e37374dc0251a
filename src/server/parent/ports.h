/*
 * ports.h - the sockets that clients connect to: those of all listeners.
 *
 * Those that were there before us (inherited.h) are taken over; what is missing is
 * made.
 */
#ifndef SERVER_PARENT_PORTS_H
#define SERVER_PARENT_PORTS_H

#include "server/parent/parent_state.h"

/* Fills in p->socket, and what the workers are told of the listeners. */
enum err ports_open(struct parent *p, struct errbuf *eb) NODISCARD;

/* A worker that cannot be killed would keep the ports: they are shut down, unless
 * somebody else has them, too. */
void ports_close(struct parent *p);

#endif
