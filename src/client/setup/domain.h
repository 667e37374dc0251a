/*
 * domain.h - whose a name of a computer is.
 */
#ifndef CLIENT_SETUP_DOMAIN_H
#define CLIENT_SETUP_DOMAIN_H

#include <stdbool.h>

/* The part of a name that somebody has registered: "example.com.br" of
 * "pop.mail.example.com.br", by the Public Suffix List.  Lower case; points into
 * `name`.  NULL: it has none, or this was built without the list. */
const char *domain_registrable(const char *name);

/* Is the server of those who have the domain?  Both lower case.  Without the
 * list it is only if its name is the domain, or below it. */
bool domain_has(const char *domain, const char *server);

#endif
