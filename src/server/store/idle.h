/*
 * idle.h - a store without sessions: it ends when it was asked to stop, and
 * asks to be ended when it stays idle for long.
 */
#ifndef SERVER_STORE_IDLE_H
#define SERVER_STORE_IDLE_H

#include "server/store/store_process.h"

void idle_init(struct store *st);

/* The last session has gone, or none has come yet. */
void idle_begin(struct store *st);

/* A session comes. */
void idle_end(struct store *st);

#endif
