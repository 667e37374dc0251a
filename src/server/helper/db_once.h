/*
 * db_once.h - the process that does one thing in a database for an admin, and
 * ends: see users/db_ask.h, by which malotectl and maloted --check have it done.
 *
 * It is confined as the process that asks the same database for auth (db.h), and
 * its user is the same.  Only who writes to a file of SQLite is the file's owner,
 * and reaches nothing but the folder that it is in.
 */
#ifndef SERVER_HELPER_DB_ONCE_H
#define SERVER_HELPER_DB_ONCE_H

int db_once_main(int ctl);

#endif
