/*
 * client_capa.h - the lines of CAPA.  Shared by the client's files.  RFC 2449 s5-6.
 */
#ifndef POP3_CLIENT_CAPA_H
#define POP3_CLIENT_CAPA_H

#include "pop3/client.h"

/* Adds what one line says.  Tags are compared whole, those that are not known
 * pass, one that comes again adds to the first.  False: more mechanisms than
 * there is room for. */
bool pop3_capa_line(struct pop3_capa *capa, struct slice line);

#endif
