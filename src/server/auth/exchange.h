/*
 * exchange.h - what a SASL mechanism asks is answered, step by step.
 *
 * A name that does not exist, is locked out, or has a hash that does not serve
 * the mechanism goes the same way as one that does, with keys that nothing
 * fits: the same messages, the same work.
 */
#ifndef SERVER_AUTH_EXCHANGE_H
#define SERVER_AUTH_EXCHANGE_H

#include "server/auth/signin_state.h"

/* What the worker says of the connection; borrowed. */
struct connection {
	bool plus_offered;
	size_t n_bindings;
	struct {
		char name[BINDING_NAME];
		struct slice data;
	} binding[BINDINGS_MAX];
	struct slice certificate; /* DER; empty: none */
};

/* E_NOMEM. */
enum err exchange_begin(struct signin *s, const struct sasl_mechanism *m,
    const struct connection *c) NODISCARD;

/* A message of the client; NULL at the start: there is none. */
void exchange_step(struct signin *s, const struct slice *in);

#endif
