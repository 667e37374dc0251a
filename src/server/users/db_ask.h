/*
 * db_ask.h - has one thing done in a database for an admin: by a process of its
 * own (src/server/helper/db_once.h), which is no more than the one that asks the
 * same database for auth, and is ended when it takes too long.
 *
 * The program has that process's main behind its option -x: see ipc/spawn.h.
 */
#ifndef SERVER_USERS_DB_ASK_H
#define SERVER_USERS_DB_ASK_H

#include "server/conf/db_command.h"
#include "server/users/row.h"

struct db_ask {
	/* Of the block, with the role's user: see conf_db_fit().  A change of an
	 * SQLite file is made as its owner. */
	const struct db_conf *conf;
	const struct db_command *command;

	/* Takes the names of the columns, with empty values, then each row; all
	 * are borrowed.  Not E_OK: that is enough, and db_ask() gives it back. */
	enum err (*take)(void *arg, const struct column *c, size_t n);
	void *arg;

	/* What has come of it. */
	bool is_reached;        /* it could be connected to */
	uint64_t changed, took; /* rows; milliseconds */
};

/* E_AGAIN: it is not there, or does not answer.  E_CONFIG: it does not understand
 * the settings, or says no to them. */
enum err db_ask(struct db_ask *a, struct errbuf *eb) NODISCARD;

#endif
