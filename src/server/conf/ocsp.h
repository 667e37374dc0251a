/*
 * ocsp.h - an answer of OCSP in a file (RFC 6960), which the server shows to its
 * clients (RFC 6066 s8): somebody else has asked the authority for it.
 */
#ifndef SERVER_CONF_OCSP_H
#define SERVER_CONF_OCSP_H

#include <openssl/x509.h>

#include "server/conf/certificate.h"

/* Fills in out->staple if the file has an answer about x that says that it is
 * good, now, and is signed by who has signed x, or for that.  chain: behind x;
 * may be NULL.  E_CONFIG: it has not, and eb names the file and says why. */
enum err ocsp_read(const char *file, X509 *x, STACK_OF(X509) * chain,
    struct certificate *out, struct errbuf *eb) NODISCARD;

#endif
