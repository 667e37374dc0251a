/*
 * role_table.h - what the parent knows of each role, made of ipc/roles.h.
 */
#ifndef SERVER_CONF_ROLE_TABLE_H
#define SERVER_CONF_ROLE_TABLE_H

#include "server/conf/conf.h"

struct role_row {
	const char *name;
	const struct ipc_fields *fields; /* its settings as a message */
	size_t conf_at;    /* and in struct conf: they begin with a role_conf */
	const char *user;  /* the setting that names its user */
	size_t user_at;    /* and its text in struct conf */
	unsigned talks_to; /* bits 1 << role, said by one of two */
};

/* By enum ipc_role; the parent has a name only. */
extern const struct role_row role_table[ROLE_END];

/* Has each process of one role a channel to each of the other? */
bool role_talks(enum ipc_role a, enum ipc_role b);

/* MiB that a process of that role may have. */
uint32_t role_memory(const struct conf *c, enum ipc_role role);

/* The settings of a role; they begin with this. */
struct role_conf *role_conf(struct conf *c, enum ipc_role role);

#endif
