/*
 * host.h - names of computers as DNS and certificates have them.
 *
 * Knows ASCII, A-labels (RFC 5890) and address literals; does not resolve.
 */
#ifndef NET_HOST_H
#define NET_HOST_H

#include <stdbool.h>
#include <sys/socket.h>

#include "base/err.h"

enum { HOST_MAX = 256 };

/* Writes `host` with A-labels, a trailing dot stays; an address literal as it
 * is.  E_CONFIG: it is neither, with words. */
enum err host_ascii(
    char out[HOST_MAX], const char *host, struct errbuf *eb) NODISCARD;

/* The same in lower case and without a dot at its end.  False: it is neither, or
 * nothing. */
bool host_canonical(char out[HOST_MAX], const char *host) NODISCARD;

/* Is it "203.0.113.7", "2001:db8::7" or "fe80::7%eth0"?  The port is 0. */
bool host_address(struct sockaddr_storage *a_r, const char *host);

#endif
