/*
 * token_use.h - what the module that is linked with libsecret does with tokens:
 * see token_keyring.h.
 */
#ifndef CLIENT_OAUTH_TOKEN_USE_H
#define CLIENT_OAUTH_TOKEN_USE_H

#include "base/buf.h"
#include "base/err.h"
#include "client/oauth/party.h"

struct token_use {
	enum err (*load)(
	    const struct oauth_party *p, struct buf *text, struct errbuf *eb);
	enum err (*save)(
	    const struct oauth_party *p, const char *text, struct errbuf *eb);
};

extern const struct token_use token_libsecret;

#endif
