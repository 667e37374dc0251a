/*
 * principal.h - which user a principal of Kerberos is.
 */
#ifndef SERVER_AUTH_PRINCIPAL_H
#define SERVER_AUTH_PRINCIPAL_H

#include <stdbool.h>

#include "server/ipc/proto.h"

/* principal: as MIT's library writes it, with its realm; map:
 * "PRINCIPAL=USER" with spaces between them, which goes first; realms, with
 * spaces between them: there a principal of one component is the user of that
 * name.  False: nobody is called so, as is "ann/admin@REALM" unless the map
 * says it. */
bool principal_user(char user_r[NAME_MAX_OCTETS + 1], const char *principal,
    const char *map, const char *realms);

#endif
