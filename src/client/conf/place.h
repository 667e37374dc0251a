/*
 * place.h - where on other servers mail is put, and how to sign in there: the
 * settings `deliver` of accounts and rules, with the blocks "destination".
 */
#ifndef CLIENT_CONF_PLACE_H
#define CLIENT_CONF_PLACE_H

#include <stdbool.h>

#include "base/err.h"

struct account;
struct client_conf;
struct conf_text;
struct dest;
struct destination;

/* What a place has that no block is for. */
extern const struct destination destination_none;

/* Once all blocks have been read, and tokens have their clients: sets dest->at of
 * accounts and rules.  Complains where nobody is said to sign in.  E_NOMEM. */
enum err places_find(
    struct client_conf *c, const struct conf_text *text) NODISCARD;
void places_free(struct client_conf *c);

/* As an account or a rule of today has it; NULL: none has. */
const struct destination *place_known(
    const struct client_conf *c, const struct dest *dest);

/* Does mail of this account go there, by its `deliver` or by a rule? */
bool account_delivers_to(const struct account *a, const struct destination *to);
/* The same, to one where it signs in with a token of ours (see oauth_client.h). */
bool account_delivers_with_token(
    const struct client_conf *c, const struct account *a);

/* By what one signs in there; NULL: one does not, or nobody knows any more. */
const struct account *place_login(const struct dest *dest);

/* Can one sign in there without asking a person? */
bool place_has_secret(const struct dest *dest);

#endif
