/*
 * renew.h - the access token of an account, from what is kept, or anew.
 */
#ifndef CLIENT_OAUTH_RENEW_H
#define CLIENT_OAUTH_RENEW_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "client/oauth/party.h"

/* Puts it into a secret buffer of OAUTH_TOKEN_MAX.  anew: the server has
 * refused the one that is kept.  It waits, for as long as the party's timeout
 * for each thing that it needs.  What the provider gives is kept before it is
 * used.  E_AGAIN: it may work another time; E_DENIED: a person must allow it;
 * E_CONFIG, E_FORMAT, E_IO, E_NOMEM; with words. */
enum err oauth_renew(const struct oauth_party *p, bool anew, struct buf *token,
    struct errbuf *eb) NODISCARD;

/* Waits, if only a few seconds, for those whom threads that nobody waits for any
 * more are asking: at the end of the process what a provider gives would get
 * lost, and what is kept be worth nothing. */
void oauth_renew_finish(void);

#endif
