#include "server/conf/pam_conf.h"

#define F(m)   FIELD(struct pam_conf, m)
#define STR(m) FIELD_STR(struct pam_conf, m)

static const struct ipc_field field[] = {
	ROLE_FIELDS(struct pam_conf),
	STR(name),
	FIELD_ENUM(struct pam_conf, driver, USER_DRIVER_KINDS - 1),
	STR(service),
	STR(program),
	F(local_part),
	F(timeout),
	F(connections),
	F(questions),
	F(first_uid),
	F(last_uid),
};
const struct ipc_fields pam_conf_fields = FIELDS(field);
