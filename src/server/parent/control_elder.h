/*
 * control_elder.h - who asks about sessions, and is told where else to ask: at the
 * maloted whose place this one has taken, and which has sessions yet.
 */
#ifndef SERVER_PARENT_CONTROL_ELDER_H
#define SERVER_PARENT_CONTROL_ELDER_H

#include "server/parent/control_client.h"

/* CONTROL_ELDER, if there is one that understands what is asked.  False: there is
 * one, and it does not, or has not listened for a long time. */
bool control_elder_tell(struct control_client *k);

#endif
