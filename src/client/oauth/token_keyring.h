/*
 * token_keyring.h - tokens in the desktop's keyring.  It may wait for the bus,
 * and for a person who is to unlock it.
 */
#ifndef CLIENT_OAUTH_TOKEN_KEYRING_H
#define CLIENT_OAUTH_TOKEN_KEYRING_H

#include "base/buf.h"
#include "base/err.h"
#include "client/oauth/party.h"

/* E_NOENT: it has none, and no words.  E_IO, E_CONFIG: there is no
 * libsecret. */
enum err token_keyring_load(
    const struct oauth_party *p, struct buf *text, struct errbuf *eb) NODISCARD;
enum err token_keyring_save(
    const struct oauth_party *p, const char *text, struct errbuf *eb) NODISCARD;

#endif
