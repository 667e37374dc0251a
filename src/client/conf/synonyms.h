/*
 * synonyms.h - what people write for the names of the client's settings: names of
 * other programs, and Portuguese words.
 */
#ifndef CLIENT_CONF_SYNONYMS_H
#define CLIENT_CONF_SYNONYMS_H

#include "conf/parse.h"

/* Of malote.conf; ends with a NULL.  A setting that is written so is refused, and the
 * right name is said. */
extern const struct conf_synonym client_synonyms[];

#endif
