/*
 * db_command.h - what an admin has done in a database, by malotectl and
 * maloted --check: one query, by a process that is there for it only
 * (src/server/helper/db_once.h).
 */
#ifndef SERVER_CONF_DB_COMMAND_H
#define SERVER_CONF_DB_COMMAND_H

#include "server/conf/db_conf.h"

enum db_command_kind {
	DB_FIND,   /* the row of a name, and what the columns are called */
	DB_LIST,   /* all names */
	DB_CHANGE, /* exactly one row, or nothing */
	DB_TRY,    /* does the database understand the query? nothing is done */
	DB_COMMAND_KINDS
};

struct db_command {
	enum db_command_kind what;
	char query[DB_QUERY_MAX];
	/* $1, of which $2 and $3 are made, and $4 to $8; an empty one is NULL. */
	char name[NAME_MAX_OCTETS + 1];
	char hash[SCHEME_STORED_MAX];
	char uid[16], gid[16];
	char home[MAIL_PATH_MAX], mail[MAIL_PATH_MAX];
};

/* How struct db_command travels: every member must be in it. */
extern const struct ipc_fields db_command_fields;

#endif
