/*
 * kpop_client.h - the client's side of KPOP: the exchange of Kerberos 5 that
 * stands before the greeting.  No I/O, no Kerberos.
 *
 * It is MIT's "sendauth": both versions go out; one octet comes, 0 if they
 * suit; the request (AP-REQ) goes out; an error (KRB-ERROR) comes, which is
 * empty if there is none, and then the server's proof of itself (AP-REP).  Each
 * but the octet has its length before it, 32 bits, the highest first.  POP3
 * follows.
 */
#ifndef POP3_KPOP_CLIENT_H
#define POP3_KPOP_CLIENT_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

enum {
	KPOP_ANSWER_MAX = 8 * 1024, /* octets of an error or a proof */
};

enum kpop_event_type {
	KPOP_EV_MORE,    /* read more */
	KPOP_EV_SUITS,   /* the versions do: kpop_client_request() */
	KPOP_EV_REFUSED, /* data is the error; it is over */
	KPOP_EV_PROOF,  /* data is the proof, to be judged; it is over, and what
	                  * is behind it in the input is the greeting */
	KPOP_EV_BROKEN, /* not KPOP, or a limit: why says; close */
};

/* The slice is borrowed from the input, until the next run. */
struct kpop_event {
	enum kpop_event_type type;
	struct slice data;
	const char *why; /* static, English, translatable */
};

struct kpop_client {
	enum {
		KPOP_VERSIONS,
		KPOP_REQUEST,
		KPOP_ERROR,
		KPOP_PROOF,
		KPOP_OVER
	} awaits;
	size_t consume; /* octets of input that the event borrows */
};

/* Begins, and appends the versions.  E_FULL, E_NOMEM. */
enum err kpop_client_begin(struct kpop_client *c, struct buf *out) NODISCARD;
/* After KPOP_EV_SUITS.  E_FULL, E_NOMEM. */
enum err kpop_client_request(
    struct kpop_client *c, struct buf *out, struct slice request) NODISCARD;

/* The next event.  `in` should bear KPOP_ANSWER_MAX octets and 4. */
void kpop_client_run(
    struct kpop_client *c, struct buf *in, struct kpop_event *ev);
/* When it is over: what the event had borrowed goes, and the greeting is
 * next. */
void kpop_client_end(struct kpop_client *c, struct buf *in);

#endif
