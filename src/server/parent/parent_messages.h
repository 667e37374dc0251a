/*
 * parent_messages.h - what the processes say to the parent, and what it does
 * then.
 */
#ifndef SERVER_PARENT_PARENT_MESSAGES_H
#define SERVER_PARENT_PARENT_MESSAGES_H

#include "server/ipc/ipc.h"
#include "server/ipc/proto.h"

/* By role; the argument of the rules is a struct child. */
extern const struct ipc_rules parent_messages[ROLE_END];

#endif
