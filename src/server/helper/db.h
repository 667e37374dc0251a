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

int db_main(int ctl);

#endif
