/*
 * kpop_server.h - the server's side of what comes before the greeting at a Kerberized
 * post office (KPOP, port 1109): Kerberos 5's `sendauth`.  No I/O.
 *
 *	client	version "KRB5_SENDAUTH_V1.0", protocol "KPOPV1.0"
 *	server	one octet: 0 good, 1 another version, 2 another protocol
 *	client	AP-REQ
 *	server	an error, empty if there is none; then the AP-REP, if the client
 *		asked for it
 *
 * Each of the client's is its length in four octets and so many octets; a text
 * has a NUL at its end.  What is longer than it may be is refused when its
 * length has come: nothing of it is awaited.
 *
 * Does not know: Kerberos.
 */
#ifndef POP3_KPOP_SERVER_H
#define POP3_KPOP_SERVER_H

#include <stddef.h>

#include "base/buf.h"
#include "base/str.h"

enum kpop_want {
	KPOP_WANT_INPUT, /* read more */
	KPOP_WANT_TICKET, /* look at kpop_server_ticket(): kpop_server_accept() or _refuse() */
	KPOP_WANT_POP3,  /* it is over: POP3 begins, with the greeting */
	KPOP_WANT_CLOSE, /* send the output and close; ->why says why */
};

/* All zero but ticket_max at the start. */
struct kpop_server {
	size_t ticket_max; /* octets of an AP-REQ */
	const char *why;
	enum {
		KPOP_NEXT_VERSION,
		KPOP_NEXT_PROTOCOL,
		KPOP_NEXT_TICKET,
		KPOP_NEXT_NOTHING
	} next;
	unsigned char status;
	enum kpop_want wanted;
	size_t consume; /* octets of input that the ticket borrows */
};

/* Takes what there is; `in` must bear 4 octets more than a ticket. */
enum kpop_want kpop_server_run(
    struct kpop_server *k, struct buf *in, struct buf *out);

/* After WANT_TICKET: the AP-REQ, borrowed from `in` until the next run. */
struct slice kpop_server_ticket(
    const struct kpop_server *k, const struct buf *in);

/* ap_rep: empty if none was asked for.  Without memory it ends in
 * WANT_CLOSE. */
void kpop_server_accept(
    struct kpop_server *k, struct buf *out, struct slice ap_rep);
/* krb_error: empty if there is none to say; then the client only finds the
 * connection closed. */
void kpop_server_refuse(
    struct kpop_server *k, struct buf *out, struct slice krb_error);

#endif
