/*
 * sasl_pair.h - both ends of a mechanism against each other, with somebody
 * in between.
 */
#ifndef TESTS_SASL_PAIR_H
#define TESTS_SASL_PAIR_H

#include "base/buf.h"
#include "sasl/mechanism.h"
#include "sasl/scram.h"

#define LIT(s) ((struct slice){ (s), sizeof(s) - 1 })

struct pair {
	const char *mechanism;
	struct sasl_credentials cred; /* the client's */
	struct sasl_channel channel;  /* the server's */
	bool initial; /* the client's first message goes with the start */
	const char *client_nonce, *server_nonce;

	/* What the server knows. */
	const char *user, *password, *token;
	const struct sasl_keys *keys; /* or they are made of the password */

	/* Sees message 0, 1, ... of both; may change it. */
	void (*tamper)(void *arg, unsigned message, struct buf *b);
	void *arg;

	/* What came of it. */
	bool accepted;           /* the server says yes */
	enum sasl_result server; /* its last word */
	enum sasl_result client; /* its last word */
	bool verified;           /* the client believes a yes */
	unsigned messages;
	char error[256];
	char authzid[64];
};

const struct sasl_mechanism *pair_mechanism(const char *name);
void pair_run(struct pair *p);

/* A pair that works: user, pencil, a token; binds when that is needed. */
struct pair pair_make(const char *mechanism);

#endif
