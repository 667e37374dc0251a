/*
 * tls.h - what TLS connections share: certificate, policy, ticket keys.
 *
 * TLS 1.2 and 1.3 (RFC 8997, 9325), ALPN "pop3" for clients that send ALPN, no
 * early data, no renegotiation.  Resumption is by tickets only, sealed with
 * keys that every process has, so that it works whichever one answers.
 */
#ifndef NET_TLS_H
#define NET_TLS_H

#include <stddef.h>

#include "base/err.h"
#include "net/tls_sites.h"

typedef struct ssl_ctx_st SSL_CTX;

struct tls_pair {
	const char *certificate; /* PEM, with its chain */
	const char *key;         /* PEM */
	struct tls_staple staple;
};

struct tls_conf {
	const struct tls_pair *pair; /* which one a client gets: tls_sites.h */
	size_t n_pairs;
	const char *min;     /* "1.2" or "1.3" */
	const char *ciphers; /* OpenSSL's list, for TLS 1.2; empty: its own */
};

/* *ctx_r is owned by the caller (tls_context_free); connections hold a
 * reference of their own.  E_CONFIG with words that say what does not fit. */
enum err tls_context_new(
    SSL_CTX **ctx_r, const struct tls_conf *conf, struct errbuf *eb) NODISCARD;
void tls_context_free(SSL_CTX *ctx);

enum { TLS_TICKET_KEY = 80, TLS_TICKET_KEYS = 3 };

/* Sets the ticket keys of this process: up to TLS_TICKET_KEYS times 80 octets,
 * the newest first.  New tickets are sealed with that one; any of them opens
 * one.  E_FORMAT for another length. */
enum err tls_tickets_set(const void *keys, size_t n) NODISCARD;

#endif
