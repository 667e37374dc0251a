#include "server/conf/db_conf.h"

#define F(m)   FIELD(struct db_conf, m)
#define STR(m) FIELD_STR(struct db_conf, m)

static const struct ipc_field field[] = {
	ROLE_FIELDS(struct db_conf),
	STR(name),
	FIELD_ENUM(struct db_conf, driver, USER_DRIVER_KINDS - 1),
	STR(file),
	STR(connection),
	STR(query),
	STR(attributes),
	F(timeout),
	F(connections),
	F(writes),
};
const struct ipc_fields db_conf_fields = FIELDS(field);
