/*
 * token_introspect.h - a token is shown to its issuer, who says whether it is good
 * and whose it is (RFC 7662).
 */
#ifndef SERVER_HELPER_TOKEN_INTROSPECT_H
#define SERVER_HELPER_TOKEN_INTROSPECT_H

#include <jansson.h>

#include "base/str.h"
#include "server/conf/net_conf.h"

enum { TOKEN_SECRET_MAX = 1024 };

/* The secret by which the issuer knows us, out of its file.  E_CONFIG with words. */
enum err token_introspect_secret(char out[TOKEN_SECRET_MAX],
    const struct issuer_conf *c, struct errbuf *eb) NODISCARD;

/* authorities: of token_fetch.h.  *said_r: what it says, to be freed.  E_AGAIN with words: it cannot be asked;
 * E_CONFIG: it does not take us for whom we are; E_FORMAT: what it says is no
 * answer; E_NOMEM. */
enum err token_introspect(json_t **said_r, const struct issuer_conf *c,
    struct slice authorities, const char *secret, struct slice token,
    struct errbuf *eb) NODISCARD;

#endif
