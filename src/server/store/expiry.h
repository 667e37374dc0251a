/*
 * expiry.h - a look at a maildrop for mail that goes by itself: when a session
 * that its user was told in has ended, and when auth asks for it.
 *
 * It has its turn among the jobs of the maildrop, so a session that comes
 * meanwhile is opened behind it; and none is begun, nor another piece of one,
 * while a session has the maildrop or wants it.
 */
#ifndef SERVER_STORE_EXPIRY_H
#define SERVER_STORE_EXPIRY_H

#include "server/store/maildrop.h"

struct expiry_of {
	const char *user;
	uint32_t days; /* as in a hold_expire */
	bool told;     /* the same */
};

/* NULL: nobody waits for its end. */
typedef void expiry_ended(struct store *st);

void expiry_begin(struct store *st, struct maildrop *md,
    const struct expiry_of *of, expiry_ended *ended);

#endif
