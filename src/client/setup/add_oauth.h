/*
 * add_oauth.h - an account that is set up, and signs in by tokens that its
 * provider gives out.
 */
#ifndef CLIENT_SETUP_ADD_OAUTH_H
#define CLIENT_SETUP_ADD_OAUTH_H

#include "client/setup/adding.h"

/* Whether it does: it has to, or who malote is there is configured already, or
 * said; a->draft.secret is DRAFT_OAUTH then.  False: it ends, see adding.h. */
bool adding_oauth(struct adding *a);

/* The person allows it in a browser, and tokens are kept.  Without a terminal
 * they have to be there. */
bool adding_allow(struct adding *a);

#endif
