/*
 * tokens.h - the tokens of an account, or of a place, and the text in which they are kept.
 */
#ifndef CLIENT_OAUTH_TOKENS_H
#define CLIENT_OAUTH_TOKENS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "client/oauth/answer.h"

enum { TOKENS_TEXT_MAX = 4 * OAUTH_TOKEN_MAX };

struct oauth_tokens {
	char *access;    /* NULL: none */
	char *refresh;   /* NULL: none */
	int64_t expires; /* Unix seconds, of `access`; 0: nobody knows */
};

void oauth_tokens_clear(struct oauth_tokens *t); /* wipes them */

/* Takes what was granted at a time (Unix seconds).  A refresh token that is not
 * granted anew stays (RFC 6749 s6). */
void oauth_tokens_take(
    struct oauth_tokens *t, struct oauth_grant *g, int64_t now);

/* Is there an access token that the server will still take a minute later? */
bool oauth_tokens_are_fresh(const struct oauth_tokens *t, int64_t now);

/* E_FORMAT: it is no such text. */
enum err oauth_tokens_parse(
    struct oauth_tokens *t, struct slice text) NODISCARD;
/* To the end of a secret buffer with TOKENS_TEXT_MAX. */
enum err oauth_tokens_write(
    const struct oauth_tokens *t, struct buf *b) NODISCARD;

#endif
