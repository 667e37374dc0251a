/*
 * kerberos_conf.h - the settings of the process that looks at tickets, as the
 * parent sends them.
 */
#ifndef SERVER_CONF_KERBEROS_CONF_H
#define SERVER_CONF_KERBEROS_CONF_H

#include "server/ipc/role.h"

struct kerberos_conf {
	struct role_conf role;
	char keytab[MAIL_PATH_MAX];
	char krb5_conf[MAIL_PATH_MAX]; /* empty: where the library looks */
	char folder[MAIL_PATH_MAX];    /* its own, for what was seen already */
};

/* How struct kerberos_conf travels: every member must be in it. */
extern const struct ipc_fields kerberos_conf_fields;

#endif
