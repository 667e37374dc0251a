/*
 * ticket.h - the Kerberos ticket of the person (kinit), and the messages that
 * sign in by it.
 *
 * The first one is made on a thread, as the library may have to ask the KDC and
 * the DNS for it; nobody waits for that longer than they want.  Those that
 * follow are made of what is here by then.
 */
#ifndef CLIENT_SECRET_TICKET_H
#define CLIENT_SECRET_TICKET_H

#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"

struct ev_loop;
struct ticket;

enum ticket_use {
	TICKET_GSSAPI, /* tokens of SASL's GSSAPI: RFC 4752, no security layer */
	TICKET_KPOP,   /* the request (AP-REQ) of KPOP, and what is made of the
	                * answer */
};

/* What came of making a message.  E_DENIED: by this ticket one cannot sign in
 * there; E_IO: whoever was to be asked cannot be reached; E_CONFIG: there is no
 * module for Kerberos; E_NOMEM.  Borrowed until ticket_next() or
 * ticket_free(). */
struct ticket_result {
	enum err e;
	struct slice message; /* for the server, if it is E_OK */
	const char *words;    /* else why not: for people, translated */
};

/* Called once, from the loop, not within ticket_new() and not after
 * ticket_free(), which may be called here. */
typedef void ticket_done(void *arg, const struct ticket_result *r);

struct ticket_question {
	struct ev_loop *loop;
	enum ticket_use use;
	const char *server; /* its name: the ticket is for pop/SERVER */
	const char *user;   /* whose mail is wanted; for GSSAPI */
	double timeout;     /* seconds, for the first message */
	ticket_done *done;
	void *arg;
};

/* Asks for the first message.  E_NOMEM, E_IO. */
enum err ticket_new(struct ticket **t_r, const struct ticket_question *q,
    struct errbuf *eb) NODISCARD;
/* After the first one was made: the next; said: what the server has answered.
 */
struct ticket_result ticket_next(struct ticket *t, struct slice said);
/* The same: has the server proved who it is, and has it been told all? */
bool ticket_is_proven(const struct ticket *t);
void ticket_free(struct ticket *t); /* NULL is a no-op */

#endif
