/*
 * exchange.h - what the two uses of a ticket share: an exchange of messages
 * with the server.
 */
#ifndef CLIENT_SECRET_EXCHANGE_H
#define CLIENT_SECRET_EXCHANGE_H

#include "base/buf.h"
#include "base/err.h"

#define EXCHANGE_SERVICE "pop"

enum { EXCHANGE_MAX = 64 * 1024 }; /* octets of a message */

struct exchange {
	char *server, *user;
	struct buf said; /* by the server; empty at first */
	struct buf made; /* for it */
	bool proven;     /* see ticket_is_proven() */
	enum err e;
	char words[512]; /* if it is not E_OK */
	void *own;       /* the use's; NULL before the first step */
};

struct exchange_use {
	/* Makes the next message; the first one on a thread, as it may wait for
	 * others.  What is returned goes to `e`, with words. */
	enum err (*step)(struct exchange *x);
	/* Releases x->own. */
	void (*end)(struct exchange *x);
};

extern const struct exchange_use exchange_gssapi, exchange_kpop;

#endif
