/*
 * uidl.h - the unique-ids of our own.
 */
#ifndef SERVER_STORE_MAILDIR_UIDL_H
#define SERVER_STORE_MAILDIR_UIDL_H

#include <stdint.h>

#include "server/conf/uidl_format.h"

/* The base name, or where POP3 forbids that, a digest of it. */
void uid_own(struct uid *u_r, struct slice base);

/* Another one, for a message whose own is taken.  It has a ":", which no
 * base name has. */
void uid_digest(struct uid *u_r, struct slice base, uint64_t salt);

#endif
