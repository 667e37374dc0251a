/*
 * db_filter.h - a filter of LDAP (RFC 4515), or the name of an entry (RFC 4514), with
 * the parameters of a query in it, so that no name can be anything but a name.
 */
#ifndef SERVER_HELPER_DB_FILTER_H
#define SERVER_HELPER_DB_FILTER_H

#include "server/helper/db_driver.h"

/* query: $1, $2 and $3 in it become the parameters.  E_FULL with words: there is
 * no room for that. */
enum err db_filter(char *out, size_t size, const char *query,
    const struct db_parameters *p, struct errbuf *eb) NODISCARD;
enum err db_dn(char *out, size_t size, const char *query,
    const struct db_parameters *p, struct errbuf *eb) NODISCARD;

#endif
