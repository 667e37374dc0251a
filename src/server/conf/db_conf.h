/*
 * db_conf.h - the settings of a process that asks a database, as the parent
 * sends them: those of one block `users`.
 */
#ifndef SERVER_CONF_DB_CONF_H
#define SERVER_CONF_DB_CONF_H

#include "server/conf/user_driver.h"
#include "server/ipc/role.h"

enum { DB_NAME_MAX = 64, DB_QUERY_MAX = 4096, DB_CONNECTION_MAX = 4096 };

struct db_conf {
	struct role_conf role;
	char name[DB_NAME_MAX]; /* of the block */
	enum user_driver_kind driver;
	char file[MAIL_PATH_MAX];
	char connection[DB_CONNECTION_MAX];
	char query[DB_QUERY_MAX];
	char attributes[DB_QUERY_MAX]; /* ATTRIBUTE=COLUMN ... of ldap */
	uint16_t timeout;              /* seconds for one answer */
	uint16_t connections;          /* at most */
	bool writes; /* the file may be written to: for malotectl only */
};

/* How struct db_conf travels: every member must be in it. */
extern const struct ipc_fields db_conf_fields;

#endif
