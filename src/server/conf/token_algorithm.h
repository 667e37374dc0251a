/*
 * token_algorithm.h - what a token may be signed by (RFC 7518 s3.1, RFC 8037).
 *
 * Only what needs a private key is here: whoever can verify cannot sign.  So
 * neither "none" nor HMAC is, and no setting makes them good.
 */
#ifndef SERVER_CONF_TOKEN_ALGORITHM_H
#define SERVER_CONF_TOKEN_ALGORITHM_H

#include <stddef.h>

#include "base/str.h"

/* What a key is; one of it fits no other algorithm. */
enum token_key_kind {
	TOKEN_KEY_RSA,
	TOKEN_KEY_P256,
	TOKEN_KEY_P384,
	TOKEN_KEY_P521,
	TOKEN_KEY_ED25519,
};

struct token_algorithm {
	const char *name; /* in the header, exactly so */
	enum token_key_kind key;
};

/* NULL: there is none of that name that is good for anybody. */
const struct token_algorithm *token_algorithm_find(struct slice name);

/* All their names, each with a space before it.  Returns out. */
char *token_algorithm_list(char *out, size_t size);

#endif
