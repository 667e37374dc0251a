/*
 * certificate.h - a TLS certificate with its chain and its private key, and what
 * its authority says of it (OCSP): read from files and checked as the worker will
 * use them.
 */
#ifndef SERVER_CONF_CERTIFICATE_H
#define SERVER_CONF_CERTIFICATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum { CERTIFICATE_SOON = 14 * 86400 }; /* seconds: warned of so long before */

struct certificate_files {
	const char *chain, *key; /* PEM */
	const char *ocsp;        /* DER; empty: there is none */
};

/* Times are seconds since 1970. */
struct certificate {
	char *chain, *key;     /* PEM */
	unsigned char *staple; /* NULL: none that could be shown */
	size_t staple_n;
	int64_t staple_until;
	int64_t begins, ends;
	char *names;   /* of hosts, with spaces between them; may be empty */
	char kind[24]; /* of the key: "RSA 2048" */
};

/* Something that works but should be mended; empty: nothing. */
struct certificate_notes {
	struct errbuf validity; /* expired, not yet valid, soon expired */
	struct errbuf key;      /* others may read it */
	struct errbuf names;    /* clients find none */
	struct errbuf ocsp;     /* why it is not shown */
};

/* E_CONFIG with words that name the file, the reason and what would be right;
 * *about_key says which of the two files they are about.  What is wrong with the
 * file of OCSP is a note only: without it clients are served as before.  On
 * success *out is the caller's. */
enum err certificate_read(const struct certificate_files *files,
    struct certificate *out, struct certificate_notes *notes, bool *about_key,
    struct errbuf *eb) NODISCARD;
void certificate_free(struct certificate *c); /* wipes the key */

/* May a client that asks for that host be shown this one? */
bool certificate_is_for(const struct certificate *c, const char *host);

/* OpenSSL's list of ciphers for TLS 1.2. */
enum err certificate_ciphers(const char *list, struct errbuf *eb) NODISCARD;

#endif
