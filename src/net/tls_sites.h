/*
 * tls_sites.h - several certificates on one listener: which one a client gets.
 *
 * Those of the same names are one *site*: of these OpenSSL takes one by what the
 * client can, so that RSA stands beside ECDSA.  Among sites the name decides that
 * the client asks for; the first is for all who ask for none that is there.
 *
 * What belongs to a context goes with it, so a connection that has begun keeps
 * what it began with.
 */
#ifndef NET_TLS_SITES_H
#define NET_TLS_SITES_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "net/tls_names.h"

typedef struct ssl_ctx_st SSL_CTX;

/* What a certificate's authority says of it, for the clients that ask (OCSP
 * stapling, RFC 6066 s8). */
struct tls_staple {
	const void *p; /* DER; copied */
	size_t n;      /* 0: there is none */
	int64_t until; /* seconds since 1970; then it is not shown any more */
};

/* The certificate that was put into ctx last has this one.  E_NOMEM. */
enum err tls_site_staple(
    SSL_CTX *ctx, X509 *x, const struct tls_staple *s) NODISCARD;

/* A client that asks `first` for one of these names gets `ctx`, of which a
 * reference is taken; names are taken.  E_NOMEM. */
enum err tls_site_add(
    SSL_CTX *first, SSL_CTX *ctx, struct tls_names *names) NODISCARD;

/* The context of these names that was added, or NULL; borrowed. */
SSL_CTX *tls_site_find(SSL_CTX *first, const struct tls_names *names);

/* All contexts are made; only now names are looked at, if there are several. */
void tls_sites_done(SSL_CTX *first);

#endif
