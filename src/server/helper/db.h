/*
 * db.h - the process that asks one database about users: a block `users` of the
 * configuration with a driver of its own kind (src/server/conf/user_driver.h).
 *
 * Auth hands it names and gets rows.  It sees no password that somebody types, but
 * for a directory that verifies them itself; it knows no mail, and decides nothing:
 * what it says is checked by auth as what anybody says.  Each question is a job for one of a number of threads, as
 * libraries wait: for a resolver, a handshake, a server that hangs.  So only
 * those wait who are in this database, and not for long: an answer that does not
 * come in time is none.
 */
#ifndef SERVER_HELPER_DB_H
#define SERVER_HELPER_DB_H

#include "server/helper/db_driver.h"
#include "server/ipc/role.h"

int db_main(int ctl);

/* ---- for whoever else asks a database ---- */

/* Becomes the role's user, who reaches that only: see role_enter_reading().  Of a
 * file nothing is connected to. */
void db_confine(
    const struct role_conf *r, bool is_file, struct db_reach *reach);

/* Keeps the system calls of whoever asks: see role_limit(). */
void db_limit(bool is_file);

#endif
