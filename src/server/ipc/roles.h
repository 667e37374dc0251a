/*
 * roles.h - the list of roles: every process of maloted but the parent.
 *
 * A role called NAME is
 *	ROLE_NAME		in messages
 *	"name"			in ps, in the log, in the manual, behind -x
 *	name_main()		in src/server/name/
 *	struct name_conf,	its settings, in src/server/conf/: the member
 *	name_conf_fields	`name` of struct conf
 *	name_rules		what it may say to the parent
 *				(src/server/parent/parent_messages.c)
 *	user			the setting that names its user
 *
 * The parent starts them in this order.
 */
#ifndef SERVER_IPC_ROLES_H
#define SERVER_IPC_ROLES_H

#define ROLES(X) \
	X(WORKER, worker, user) \
	X(AUTH, auth, auth_user) \
	X(STORE, store, mail_user)

#define ROLE_NUMBER(NAME, name, user) ROLE_##NAME,

enum ipc_role { ROLE_PARENT, ROLES(ROLE_NUMBER) ROLE_END };

#endif
