/*
 * roles.h - the list of roles: every process of maloted but the parent.
 *
 * A role called NAME is
 *	ROLE_NAME		in messages
 *	"name"			in ps, in the log, in the manual, behind -x
 *	name_main()		in src/server/name/ (a file name.c, or name_role.c
 *				where the ground has one of that name), or of those
 *				that ask others on behalf of auth in
 *				src/server/helper/
 *	struct name_conf,	its settings, in src/server/conf/: the member
 *	name_conf_fields	`name` of struct conf
 *	name_rules		what it may say to the parent
 *				(src/server/parent/parent_messages.c)
 *	user			the setting that names its user
 *	MEMORY			MiB that it may have (RLIMIT_DATA; c is the struct
 *				conf): a fixed part, and one for each session that
 *				there may be, each hash at a time, each maildrop
 *				that is read at a time.  Of it are taken, by 1,000
 *				sessions over TLS, 18; by the usual ARGON2ID, 64;
 *				by a maildrop of 100,000 messages, 25
 *	TALKS_TO(OTHER)		the parent gives each of its processes a channel
 *				to each process of that role; one of the two
 *				rows says so
 *
 * The parent starts them in this order, each as often as its settings say:
 * kerberos only where there is a keytab and something that needs it, db once for
 * each database that users are in, pam once for each that verifies passwords with
 * the rights of pam_user, sasl where other programs ask us who signs in, net where
 * somebody's tokens of OAuth are accepted, metrics where monitors ask what is
 * counted.
 */
#ifndef SERVER_IPC_ROLES_H
#define SERVER_IPC_ROLES_H

#define ROLES(X) \
	X(WORKER, worker, user, 256 + c->worker.slots / 4, \
	    TALKS_TO(AUTH) | TALKS_TO(STORE)) \
	X(AUTH, auth, auth_user, 1024 + 1024 * c->auth.hash_threads, \
	    TALKS_TO(STORE)) \
	X(STORE, store, mail_user, 2048 + 256 * c->store.threads, 0) \
	X(KERBEROS, kerberos, kerberos_user, 256, TALKS_TO(AUTH)) \
	X(DB, db, db_user, 256 + 16 * c->db.connections, TALKS_TO(AUTH)) \
	X(PAM, pam, pam_user, 256, TALKS_TO(AUTH)) \
	X(SASL, sasl, sasl_user, 256, TALKS_TO(AUTH)) \
	X(NET, net, net_user, 512, TALKS_TO(AUTH)) \
	X(METRICS, metrics, metrics_user, 64, 0)

#define TALKS_TO(NAME)                               (1u << ROLE_##NAME)
#define ROLE_NUMBER(NAME, name, user, memory, talks) ROLE_##NAME,

enum ipc_role { ROLE_PARENT, ROLES(ROLE_NUMBER) ROLE_END };

#endif
