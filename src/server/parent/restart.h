/*
 * restart.h - another maloted, of the program's file as it is now, takes our place
 * while we serve on: what handover.h says, on the side of the elder.
 */
#ifndef SERVER_PARENT_RESTART_H
#define SERVER_PARENT_RESTART_H

#include "server/parent/parent_state.h"

/* Starts it.  k, or NULL, is told what has come of it; so is the log. */
void restart_begin(struct parent *p, struct control_client *k);

/* We are to end: it shall not take our place any more. */
void restart_give_up(struct parent *p);

#endif
