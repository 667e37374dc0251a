/*
 * open.h - Maildirs (maildir(5)) as a kind of store.
 */
#ifndef SERVER_STORE_MAILDIR_OPEN_H
#define SERVER_STORE_MAILDIR_OPEN_H

#include "server/store/kind.h"

extern const struct store_kind maildir_kind;

#endif
