/*
 * token_jwt.h - a signed token in its compact form (RFC 7515 s3.1), taken apart.
 * Nothing in it is true before its signature has been verified.
 */
#ifndef SERVER_HELPER_TOKEN_JWT_H
#define SERVER_HELPER_TOKEN_JWT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "server/conf/token_algorithm.h"
#include "server/ipc/proto.h"

struct token_jwt {
	struct slice text; /* all of it; the caller's */
	struct slice
	    signed_by; /* the part before the second dot is what is signed */
	struct slice what;
	json_t *header, *claims;
	const char *alg, *kid; /* kid: NULL: it does not say */
};

/* E_FORMAT: it is none; E_NOMEM.  *t is to be freed in any case. */
enum err token_jwt_parse(struct token_jwt *t, struct slice text) NODISCARD;
void token_jwt_free(struct token_jwt *t);

/* Who it says has made it; NULL: it does not say. */
const char *token_jwt_issuer(const struct token_jwt *t);

enum { TOKEN_SIGNATURE_MAX = 1024 };
/* False: it is too long, or not base64url. */
bool token_jwt_signature(const struct token_jwt *t,
    uint8_t out[TOKEN_SIGNATURE_MAX], size_t *n_r) NODISCARD;

/* Is it of that kind, as far as its length and characters say?  cjose ends the
 * process for what is not. */
bool token_is_b64url(struct slice text);

/* base64url without padding (RFC 7515 s2), into out of size octets, which must be a
 * bit more than what comes of it. */
bool token_b64url(struct slice in, char *out, size_t size, size_t *n_r);

#endif
