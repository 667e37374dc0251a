#include "server/conf/kerberos_conf.h"

#define STR(m) FIELD_STR(struct kerberos_conf, m)

static const struct ipc_field field[] = {
	ROLE_FIELDS(struct kerberos_conf),
	STR(keytab),
	STR(krb5_conf),
	STR(folder),
};
const struct ipc_fields kerberos_conf_fields = FIELDS(field);
