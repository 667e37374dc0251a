/*
 * surrogate.h - a message with headers in UTF-8 (RFC 6532), made into one that a
 * client takes which knows ASCII only.
 *
 * In full (RFC 6857) nothing of a header is lost, in its own way: names and
 * texts become encoded words, an address that has no ASCII form becomes an
 * empty group that tells it, values of parameters go by RFC 2231.  Simply (RFC
 * 6858) such addresses become one that nobody has, and what has no simple form
 * is left out.  So it is done with the header of the message, with those of its
 * parts, and with those of messages within it, unless they are encoded; a
 * message/global becomes a message/rfc822.  The other octets are passed on.
 *
 * A parser without I/O, which holds one header at a time.  A header needs it
 * that has an octet beyond ASCII and is valid UTF-8 as a whole; one in an old
 * charset, one without such octets, one that would become 16 times as long as
 * SURROGATE_HEAD and one of more than SURROGATE_HEAD octets is passed on as it is,
 * the last with the parts within it.
 */
#ifndef SERVER_STORE_SURROGATE_SURROGATE_H
#define SERVER_STORE_SURROGATE_SURROGATE_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "server/store/surrogate/mime_parts.h"

enum { SURROGATE_HEAD = 128 * 1024 };

enum surrogate_how {
	SURROGATE_NONE, /* only finds out whether one is needed */
	SURROGATE_FULL,
	SURROGATE_SIMPLE,
};

/* Takes the next octets of what is made. */
typedef enum err (*surrogate_sink)(
    void *arg, const void *p, size_t n, struct errbuf *eb);

struct surrogate {
	bool needed; /* says surrogate_end() */
	/* The rest is the module's own. */
	enum surrogate_how how;
	surrogate_sink sink;
	void *arg;
	/* What comes next; the rest: parts behind which there are none. */
	enum {
		SURROGATE_IN_HEADER,
		SURROGATE_IN_BODY,
		SURROGATE_IN_REST,
	} place;
	bool of_part;  /* the header is that of a part */
	bool at_start; /* of a line of the body */
	struct buf
	    held;    /* the header so far, or a line that may be a delimiter */
	size_t line; /* where in a header the last line begins */
	struct mime_parts parts;
};

/* No memory is taken; surrogate_end() gives back what is later. */
void surrogate_begin(struct surrogate *s, enum surrogate_how how,
    surrogate_sink sink, void *arg);

/* The next octets of the message; arg is a struct surrogate.  E_NOMEM, or what
 * the sink says. */
enum err surrogate_put(
    void *arg, const void *p, size_t n, struct errbuf *eb) NODISCARD;

/* e: E_OK if all octets came; else, or as soon as anything failed, it is only
 * ended, and e is the result. */
enum err surrogate_end(
    struct surrogate *s, enum err e, struct errbuf *eb) NODISCARD;

#endif
