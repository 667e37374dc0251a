/*
 * party.h - who wants a token, and from whom: what a thread needs to know, which
 * may outlive the configuration.
 */
#ifndef CLIENT_OAUTH_PARTY_H
#define CLIENT_OAUTH_PARTY_H

#include <stdbool.h>

#include "client/conf/account.h"
#include "client/conf/oauth_client.h"
#include "client/message/identity.h"

struct oauth_party {
	char *account; /* its name, for words */
	char *login;   /* the command by which a person signs in, the same */
	bool is_place; /* mail is put there, and not collected */
	char *user, *email;
	char *proxy;      /* or NULL */
	char *keep_in;    /* the folder of tokens; NULL: the keyring */
	char *lock_in;    /* the folder of locks */
	unsigned timeout; /* seconds, of one question */
	struct oauth_client client;
	char key[DIGEST_TEXT]; /* what the tokens are kept under */
};

/* Copies it all.  The account has a client.  NULL: memory. */
struct oauth_party *oauth_party_new(
    const struct account *a, const char *state_dir) NODISCARD;
void oauth_party_free(struct oauth_party *p); /* NULL is a no-op; wipes it */

#endif
