#include "server/conf/role_table.h"

#define ROW(NAME, r, u, memory, talks) \
	[ROLE_##NAME] = { \
		.name = #r, \
		.fields = &r##_conf_fields, \
		.conf_at = offsetof(struct conf, r.role), \
		.user = #u, \
		.user_at = offsetof(struct conf, u), \
		.talks_to = talks, \
	},

/* clang-format off */
const struct role_row role_table[ROLE_END] = {
	[ROLE_PARENT] = { .name = "parent" },
	ROLES(ROW)
};
/* clang-format on */

#define MEMORY(NAME, r, u, memory, talks) \
	case ROLE_##NAME: return memory;

uint32_t
role_memory(const struct conf *c, enum ipc_role role)
{
	switch (role) {
		ROLES(MEMORY)
	default: return 0;
	}
}

struct role_conf *
role_conf(struct conf *c, enum ipc_role role)
{
	return (void *)((char *)c + role_table[role].conf_at);
}

bool
role_talks(enum ipc_role a, enum ipc_role b)
{
	return (role_table[a].talks_to & 1u << b) != 0 ||
	       (role_table[b].talks_to & 1u << a) != 0;
}
