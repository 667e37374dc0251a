/*
 * tls_names.h - the names that a certificate is for, and whether one that a client
 * asks for (RFC 6066 s3, SNI) is among them.
 *
 * Only names of hosts among the subjectAltNames count, as clients look at nothing
 * else.  A star is the whole first label and stands for one (RFC 9525 s6.3); at
 * least two labels follow it.
 */
#ifndef NET_TLS_NAMES_H
#define NET_TLS_NAMES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

typedef struct x509_st X509;

struct tls_names {
	char **name; /* small letters, in order, each once */
	size_t n;
};

/* E_NOMEM.  What is no name of a host is left out. */
enum err tls_names_of(struct tls_names *out, X509 *x) NODISCARD;
void tls_names_free(struct tls_names *v);

bool tls_names_are_same(const struct tls_names *a, const struct tls_names *b);

/* How it is among them, the better one the greater. */
enum tls_name_match { TLS_NAME_NOT, TLS_NAME_BY_STAR, TLS_NAME_ITSELF };
enum tls_name_match tls_names_match(
    const struct tls_names *v, const char *host);

#endif
