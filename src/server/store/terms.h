/*
 * terms.h - the settings that a session of a store has: those that held when it
 * began.  Threads look at them, so they never change; a reload makes others.
 */
#ifndef SERVER_STORE_TERMS_H
#define SERVER_STORE_TERMS_H

#include "server/conf/store_conf.h"

struct terms {
	struct store_conf conf;
	unsigned users; /* who has them */
};

/* The first user is the caller.  NULL: memory. */
struct terms *terms_new(const struct store_conf *conf);

/* One more user, and one less: the last one frees them.  NULL is a no-op. */
struct terms *terms_get(struct terms *t);
void terms_put(struct terms *t);

#endif
