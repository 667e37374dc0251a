#include "server/conf/db_command.h"

#define STR(m) FIELD_STR(struct db_command, m)

static const struct ipc_field field[] = {
	FIELD_ENUM(struct db_command, what, DB_COMMAND_KINDS - 1),
	STR(query),
	STR(name),
	STR(hash),
	STR(uid),
	STR(gid),
	STR(home),
	STR(mail),
};
const struct ipc_fields db_command_fields = FIELDS(field);
