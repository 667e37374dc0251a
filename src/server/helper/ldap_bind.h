/*
 * ldap_bind.h - the directory verifies a password: the entry binds with it, on a
 * connection that is there for that.
 */
#ifndef SERVER_HELPER_LDAP_BIND_H
#define SERVER_HELPER_LDAP_BIND_H

#include "server/helper/ldap_search.h"

/* As `verify` of a driver. */
enum err directory_verify(void *conn, const struct db_conf *conf,
    const char *name, const char *password, uint64_t until, struct db_row *row,
    struct errbuf *eb) NODISCARD;

#endif
