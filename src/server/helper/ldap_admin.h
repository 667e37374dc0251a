/*
 * ldap_admin.h - what an admin asks of a directory: all names, one entry, and
 * another password of it.
 */
#ifndef SERVER_HELPER_LDAP_ADMIN_H
#define SERVER_HELPER_LDAP_ADMIN_H

#include "server/helper/ldap_search.h"

/* As `run` of a driver. */
enum err directory_run(void *conn, const struct db_conf *conf,
    const struct db_command *cmd, uint64_t until, struct db_result *to,
    struct errbuf *eb) NODISCARD;

#endif
