/*
 * sasl.h - SASL mechanisms without I/O, both ends (RFC 4422).
 *
 * A mechanism is a small machine: a message of the peer goes in, a message
 * for the peer comes out.  A server's end that needs something looked up says
 * what, and goes on when it has been told.  Base64 and lines are the
 * protocol's business, not ours.
 */
#ifndef SASL_SASL_H
#define SASL_SASL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

enum sasl_flags {
	SASL_PLAINTEXT = 1, /* the password travels readable: only inside TLS */
	SASL_SERVER_FIRST = 2, /* no initial response (RFC 5034 s4) */
};

enum sasl_result {
	SASL_MORE,     /* `out` is for the peer; another message is expected */
	SASL_PASSWORD, /* server: is sasl_server_claim() true? It was the last
	                * message */
	SASL_DONE,   /* client: what it had to say is said (`out` may hold it);
	            * the server's word is awaited */
	SASL_FAILED, /* the peer's message makes no sense, or was refused */
	SASL_NOMEM,
};

struct sasl_server;
struct sasl_client;

struct sasl_mechanism {
	const char *name; /* upper case */
	unsigned flags;
	enum sasl_result (*server_step)(
	    struct sasl_server *s, const struct slice *in, struct buf *out);
	enum sasl_result (*client_step)(
	    struct sasl_client *c, struct slice in, struct buf *out);
};

/* All mechanisms there are, strongest first; ends with a NULL name. */
extern const struct sasl_mechanism *const sasl_mechanisms[];
const struct sasl_mechanism *sasl_find(struct slice name); /* or NULL */

/* ---- the server's end ---- */

/* With SASL_PASSWORD: what the client claims.  Wiped by sasl_server_free(). */
struct sasl_claim {
	struct slice authzid; /* empty: derive it from authcid */
	struct slice authcid;
	struct slice password;
};

struct sasl_server *sasl_server_new(const struct sasl_mechanism *m);
void sasl_server_free(struct sasl_server *s);

/* in: the client's message, NULL at the start when there is no initial
 * response.  out: appended to; a challenge, with SASL_MORE. */
enum sasl_result sasl_server_step(
    struct sasl_server *s, const struct slice *in, struct buf *out);
/* After SASL_PASSWORD; borrowed from s. */
const struct sasl_claim *sasl_server_claim(const struct sasl_server *s);

/* ---- the client's end ---- */

struct sasl_credentials {
	struct slice authzid, authcid, password;
};

/* Borrows cred until freed. */
struct sasl_client *sasl_client_new(
    const struct sasl_mechanism *m, const struct sasl_credentials *cred);
void sasl_client_free(struct sasl_client *c);

/* The first call, with an empty `in`, makes the initial response of a
 * client-first mechanism; later calls answer challenges. */
enum sasl_result sasl_client_step(
    struct sasl_client *c, struct slice in, struct buf *out);

#endif
