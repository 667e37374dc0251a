#include "server/conf/upgrade_conf.h"

#define ROW_STR(m) FIELD_STR(struct upgrade_row, m)
#define STR(m)     FIELD_STR(struct upgrade_conf, m)

static const struct ipc_field row[] = {
	ROW_STR(user),
	ROW_STR(was),
	ROW_STR(hash),
};
const struct ipc_fields upgrade_row_fields = FIELDS(row);

static const struct ipc_field field[] = {
	STR(users),
	STR(scheme),
	STR(default_domain),
	FIELD(struct upgrade_conf, login_lower),
	STR(login_characters),
	STR(login_separators),
	FIELD_ROWS(struct upgrade_conf, row, n_rows, &upgrade_row_fields),
};
const struct ipc_fields upgrade_conf_fields = FIELDS(field);
