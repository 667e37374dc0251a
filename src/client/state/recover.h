/*
 * recover.h - the intents that an earlier run left.
 */
#ifndef CLIENT_STATE_RECOVER_H
#define CLIENT_STATE_RECOVER_H

#include "client/state/storer.h"

struct recovery {
	struct state *state;
	int64_t id;                /* of the account */
	struct delivery *delivery; /* the account's own */
	storer_open *open;
	void *arg;
	/* Out: messages that are collected again, though they may be there. */
	unsigned n_untold;
};

/* Each intent is looked for where it went to, whatever is configured now.  A
 * place that cannot be opened is an error: nothing is decided then. */
enum err storer_recover(struct recovery *r, struct errbuf *eb) NODISCARD;

#endif
