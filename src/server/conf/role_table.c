#include "server/conf/role_table.h"

#define ROW(NAME, r, u) \
	[ROLE_##NAME] = { \
		.name = #r, \
		.fields = &r##_conf_fields, \
		.conf_at = offsetof(struct conf, r.role), \
		.user = #u, \
		.user_at = offsetof(struct conf, u), \
	},

/* clang-format off */
const struct role_row role_table[ROLE_END] = {
	[ROLE_PARENT] = { .name = "parent" },
	ROLES(ROW)
};
/* clang-format on */

struct role_conf *
role_conf(struct conf *c, enum ipc_role role)
{
	return (void *)((char *)c + role_table[role].conf_at);
}
