/*
 * pam_conf.h - the settings of a process that has passwords verified, as the parent
 * sends them: those of one block `users`.
 */
#ifndef SERVER_CONF_PAM_CONF_H
#define SERVER_CONF_PAM_CONF_H

#include "server/conf/db_conf.h"

enum { PAM_SERVICE_MAX = 64 };

struct pam_conf {
	struct role_conf role;
	char name[DB_NAME_MAX]; /* of the block */
	enum user_driver_kind driver;
	char service[PAM_SERVICE_MAX]; /* of PAM */
	char program[MAIL_PATH_MAX];
	bool local_part;              /* it is asked by what is before the @ */
	uint16_t timeout;             /* seconds for one answer */
	uint16_t connections;         /* as many are asked at a time */
	uint16_t questions;           /* of one process, at most */
	uint32_t first_uid, last_uid; /* of users: nobody else's password is
	                               * tried */
};

/* How struct pam_conf travels: every member must be in it. */
extern const struct ipc_fields pam_conf_fields;

#endif
