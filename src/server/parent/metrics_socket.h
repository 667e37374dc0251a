/*
 * metrics_socket.h - where monitors ask what is counted.
 */
#ifndef SERVER_PARENT_METRICS_SOCKET_H
#define SERVER_PARENT_METRICS_SOCKET_H

#include "server/parent/parent_state.h"

/* After tallies_open(); nothing without the setting. */
enum err metrics_socket_open(struct parent *p, struct errbuf *eb) NODISCARD;
void metrics_socket_close(struct parent *p);

#endif
