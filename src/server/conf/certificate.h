/*
 * certificate.h - a TLS certificate with its chain and its private key, read
 * from PEM files and checked as the worker will use them.
 */
#ifndef SERVER_CONF_CERTIFICATE_H
#define SERVER_CONF_CERTIFICATE_H

#include <stdbool.h>

#include "base/err.h"

struct certificate {
	char *chain, *key; /* PEM */
};

/* Something that works but should be mended; empty: nothing. */
struct certificate_notes {
	struct errbuf validity; /* expired, not yet valid, soon expired */
	struct errbuf key;      /* others may read it */
};

/* E_CONFIG with words that name the file, the reason and what would be right;
 * *about_key says which of the two files they are about.  On success *out is
 * the caller's. */
enum err certificate_read(const char *chain_file, const char *key_file,
    struct certificate *out, struct certificate_notes *notes, bool *about_key,
    struct errbuf *eb) NODISCARD;
void certificate_free(struct certificate *c); /* wipes the key */

/* OpenSSL's list of ciphers for TLS 1.2. */
enum err certificate_ciphers(const char *list, struct errbuf *eb) NODISCARD;

#endif
