/*
 * token_claims.h - what a token says of itself (RFC 7519 s4.1), or its issuer of it
 * (RFC 7662 s2.2), held against what the configuration asks.
 */
#ifndef SERVER_HELPER_TOKEN_CLAIMS_H
#define SERVER_HELPER_TOKEN_CLAIMS_H

#include <jansson.h>

#include "server/conf/net_conf.h"

/* claims: of a token whose signature is good, or an issuer's answer.  now: seconds
 * since 1970.  TOKEN_GOOD: *user_r is the user's name, as the issuer has it.  Else
 * why has words, none of them from the token. */
enum token_result token_claims_judge(const struct issuer_conf *c,
    const json_t *claims, double now, char user_r[NAME_MAX_OCTETS + 1],
    struct errbuf *why);

#endif
