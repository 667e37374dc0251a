/*
 * db_start.h - what a process that asks a database begins with.
 */
#ifndef SERVER_HELPER_DB_START_H
#define SERVER_HELPER_DB_START_H

#include "server/helper/db_driver.h"

/* Also has libraries load, and read to know how, what they need: nothing that is
 * read later can be executed.  NULL: its module, or a library that it needs, is
 * not installed. */
const struct db_driver *db_driver_load(enum user_driver_kind kind);

/* What of that is the same for whoever asks somebody by a network. */
void db_warm_up(void);

#endif
