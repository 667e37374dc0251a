/*
 * control_socket.h - the socket that malotectl asks at.
 *
 * Only root (or who started maloted) and the members of control_group may
 * connect: its mode says so, and each that connects is asked who it is.
 */
#ifndef SERVER_PARENT_CONTROL_SOCKET_H
#define SERVER_PARENT_CONTROL_SOCKET_H

#include "server/parent/parent_state.h"

/* Makes the folder of the socket, in which others may be, too, if whoever starts us
 * has not made it (systemd: RuntimeDirectory=). */
void control_make_folder(const struct parent *p);

/* That it cannot be had is logged; maloted serves without it.  As long as another
 * maloted is in our place (succession.held) that is who answers. */
void control_open(struct parent *p);
void control_serve(struct parent *p); /* from now on it is we */
void control_close(struct parent *p);

#endif
