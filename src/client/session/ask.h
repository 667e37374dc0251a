/*
 * ask.h - RETR, DELE: what is asked for, as the plan has it.
 */
#ifndef CLIENT_SESSION_ASK_H
#define CLIENT_SESSION_ASK_H

#include "client/session/core.h"

/* Is there space for so many octets more?  False: that has failed the session,
 * which may go on with others. */
bool ask_has_space(struct visit *v, uint64_t octets);

#endif
