/*
 * token_keys.h - the public keys of an issuer (RFC 7517), and whether one of them
 * has signed a token.
 */
#ifndef SERVER_HELPER_TOKEN_KEYS_H
#define SERVER_HELPER_TOKEN_KEYS_H

#include "server/helper/token_jwt.h"

enum { TOKEN_KEYS_MAX = 64, TOKEN_KEYS_OCTETS = 256 * 1024 };

struct token_keys;

/* Those of a set that can be used; what is not for signatures, or of a kind that
 * we do not know, is passed over.  E_FORMAT with words: it is no set, or holds no
 * key that is of use; E_NOMEM. */
enum err token_keys_parse(
    struct token_keys **k_r, struct slice json, struct errbuf *eb) NODISCARD;
void token_keys_free(struct token_keys *k);
size_t token_keys_count(const struct token_keys *k);

/* Of an algorithm that is good for the issuer; from several threads at a time.
 * E_NOENT: there is no such key; E_DENIED: it has not signed this; E_NOMEM. */
enum err token_keys_verify(const struct token_keys *k,
    const struct token_jwt *t, const struct token_algorithm *a) NODISCARD;

#endif
