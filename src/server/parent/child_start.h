/*
 * child_start.h - starts a process, connects it with the others, and starts it
 * again when it has died.
 */
#ifndef SERVER_PARENT_CHILD_START_H
#define SERVER_PARENT_CHILD_START_H

#include "server/parent/child.h"

/* Starts it, tells it its settings, and connects it with all others.  When
 * that fails it is down, and nothing will start it. */
enum err child_start(struct child *c, struct errbuf *eb) NODISCARD;

/* Starts it, and again after a pause if that fails. */
void child_keep(struct child *c);

#endif
