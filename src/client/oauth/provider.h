/*
 * provider.h - questions to an authorisation server.  They wait for the answer.
 */
#ifndef CLIENT_OAUTH_PROVIDER_H
#define CLIENT_OAUTH_PROVIDER_H

#include "base/buf.h"
#include "client/oauth/answer.h"
#include "client/oauth/party.h"

enum { PROVIDER_FORM_MAX = 8 * OAUTH_TOKEN_MAX };

/* Asks for tokens by a form that says how they are earned; who we are is added.
 * E_OK: *g; E_DENIED: *r says why not, see provider_refusal().  E_AGAIN: it
 * cannot be reached now; E_CONFIG, E_FORMAT, E_NOMEM; with words. */
enum err provider_grant(const struct oauth_party *p, struct buf *form,
    struct oauth_grant *g, struct oauth_refusal *r,
    struct errbuf *eb) NODISCARD;

/* Asks for codes by which a person can allow it anywhere.  The same results. */
enum err provider_device(const struct oauth_party *p, struct oauth_device *d,
    struct oauth_refusal *r, struct errbuf *eb) NODISCARD;

/* What a refusal means for the person, in words.  E_AGAIN: the provider will
 * do better later; E_DENIED: a person must allow it anew; E_CONFIG: the settings
 * are wrong. */
enum err provider_refusal(const struct oauth_party *p,
    const struct oauth_refusal *r, struct errbuf *eb) NODISCARD;

#endif
