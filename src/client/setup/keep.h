/*
 * keep.h - where the password of a new account is kept.
 */
#ifndef CLIENT_SETUP_KEEP_H
#define CLIENT_SETUP_KEEP_H

#include <stdbool.h>

#include "base/err.h"
#include "client/setup/draft.h"

enum keep_place {
	KEEP_KEYRING,
	KEEP_PASS,    /* the program pass(1) */
	KEEP_FILE,    /* malote.conf itself */
	KEEP_NOWHERE, /* it is asked for each time */
	KEEP_PLACES
};

/* "keyring", "pass", "file", "ask"; for --keep-password. */
const char *keep_word(enum keep_place p);
/* Is there such a place on this computer? */
bool keep_is_here(enum keep_place p);
/* For people, translated. */
const char *keep_title(enum keep_place p);

/* Puts the password, that of d->value, there, and sets d's line for it; in a place
 * that is not malote.conf d->value does not hold it any more then, and what other
 * accounts of `conf` have there stays.  The mode of malote.conf is made the one that
 * a password in it needs.  a: what d is, in `conf`.  Failing, with words, changes
 * nothing. */
enum err keep_password(enum keep_place p, struct draft *d,
    const struct client_conf *conf, const struct account *a,
    struct errbuf *eb) NODISCARD;

#endif
