/*
 * address_list.h - the addresses in a field of a header (RFC 5322 s3.4, also its
 * obsolete forms), and what may be given to a server as one.
 */
#ifndef CLIENT_SEND_ADDRESS_LIST_H
#define CLIENT_SEND_ADDRESS_LIST_H

#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"

enum { ADDRESS_SIZE = 321 }; /* 64 and 255 octets, "@" and a NUL */

struct addresses {
	char **v;
	size_t n;
};

void addresses_free(struct addresses *a);

/* Adds the addresses of a list as a header has it, or as somebody has typed it:
 * names, comments, routes and the names of groups are left out.  One without a
 * domain is taken as it is.  What is there already is not added again.
 * E_FORMAT: it is no such list; E_FULL: there are more than ADDRESSES_MAX;
 * E_NOMEM; with words. */
enum { ADDRESSES_MAX = 10000 };
enum err addresses_add(
    struct addresses *a, struct slice list, struct errbuf *eb) NODISCARD;

/* The domain behind the last @, or NULL. */
const char *address_domain(const char *address);

/* Is it ASCII, so that any server knows it? */
bool address_is_ascii(const char *address);

/* The same address with its domain in A-labels (RFC 5890), as DNS has it.
 * E_CONFIG: its domain is none, with words. */
enum err address_for_dns(
    char out[ADDRESS_SIZE], const char *address, struct errbuf *eb) NODISCARD;

#endif
