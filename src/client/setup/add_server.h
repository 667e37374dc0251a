/*
 * add_server.h - the server of an account that is set up.
 */
#ifndef CLIENT_SETUP_ADD_SERVER_H
#define CLIENT_SETUP_ADD_SERVER_H

#include "client/setup/adding.h"

/* Given, found, or asked for; one that is found elsewhere is confirmed. */
bool adding_server(struct adding *a);

/* Another one, typed by the person. */
bool adding_ask_server(struct adding *a);

#endif
