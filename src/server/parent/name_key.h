/*
 * name_key.h - the key of what is made up about users who do not exist.
 *
 * It is in the file name-key of the state folder, for root alone, so that a
 * made-up salt is the same after a restart: one that changes says that nobody is
 * there.
 */
#ifndef SERVER_PARENT_NAME_KEY_H
#define SERVER_PARENT_NAME_KEY_H

#include "base/err.h"

enum { NAME_KEY = 64 };

/* Hexadecimal digits and a NUL.  Made and synced if there is none yet.  If that
 * fails it is one for this run only, and eb says why. */
enum err name_key_get(char out[NAME_KEY + 1], struct errbuf *eb) NODISCARD;

#endif
