/*
 * tls_binding.h - channel bindings of a TLS connection (RFC 5929, 9266), the
 * same at both ends.
 */
#ifndef NET_TLS_BINDING_H
#define NET_TLS_BINDING_H

#include <stddef.h>

#include "base/err.h"

struct conn;

enum { TLS_BINDING_MAX = 64 };
struct tls_binding {
	const char *name; /* "tls-exporter", "tls-unique",
	                   * "tls-server-end-point"; static */
	unsigned char data[TLS_BINDING_MAX];
	size_t n;
};

/* After the handshake.  E_NOENT: this connection has no binding of that name:
 * before TLS 1.3 the first two need the extended master secret, tls-unique is
 * not for TLS 1.3, and tls-server-end-point needs a certificate whose signature
 * has a hash. */
enum err tls_binding_get(
    const struct conn *c, const char *name, struct tls_binding *b) NODISCARD;

#endif
