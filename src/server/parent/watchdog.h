/*
 * watchdog.h - notices a process whose loop does not turn, and ends it.
 *
 * Nothing that a process does may wait in its loop; if it does wait, for a
 * file system that does not answer or in a loop without end, its clients
 * wait with it.  Each is asked every few seconds, and killed when it has not
 * answered for half a minute; it is then started again like any that died.
 */
#ifndef SERVER_PARENT_WATCHDOG_H
#define SERVER_PARENT_WATCHDOG_H

#include "server/parent/parent_state.h"

void watchdog_start(struct parent *p);

#endif
