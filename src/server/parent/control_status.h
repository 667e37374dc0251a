/*
 * control_status.h - `malotectl status': how the server is.
 */
#ifndef SERVER_PARENT_CONTROL_STATUS_H
#define SERVER_PARENT_CONTROL_STATUS_H

#include "server/parent/control_client.h"

/* Answers when all processes have said how many sessions they have, or after a
 * second: one that does not answer holds up nobody. */
void control_status(struct control_client *k);

/* A process has answered. */
void control_status_heard(struct parent *p);

#endif
