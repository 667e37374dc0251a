/*
 * auth_conf.h - the settings of the auth process, as the parent sends them.
 */
#ifndef SERVER_CONF_AUTH_CONF_H
#define SERVER_CONF_AUTH_CONF_H

#include <stdbool.h>
#include <stdint.h>

#include "net/client_ca.h"
#include "server/conf/db_conf.h"
#include "server/conf/net_conf.h"
#include "server/conf/upgrade_conf.h"
#include "server/ipc/role.h"

#define AUTH_NO_UID UINT32_MAX

enum {
	KNOWN_USERS_MAX = 8,
	/* The number of the mail root that has stores which run all the time. */
	MAIL_ROOT_OF_POOL = 0,
};

/* Where users are known, in the order in which it is asked. */
struct known_users {
	char name[DB_NAME_MAX];       /* of its block */
	enum user_driver_kind driver; /* a users file, or asked by a process */
	uint16_t index;               /* of that process among its kind */
	uint16_t timeout;             /* seconds for its answer */
	uint16_t connections;         /* questions at a time, if it verifies */
	char scheme[SCHEME_NAME_MAX]; /* of passwords that do not say; or "" */
};

/* Where the mail of the users of one block is. */
struct known_place {
	char mail[MAIL_PATH_MAX]; /* "maildir:/srv/mail/%d/%n" */
	char root[MAIL_PATH_MAX]; /* every maildrop of theirs is below it */
	uint32_t number;          /* of that root: struct conf_root */
};

/* What else than POP3 people sign in to, for a program that asks us. */
struct known_service {
	char name[SERVICE_MAX];
};

/* Whose tokens are accepted, and what who brings another is told. */
struct known_issuer {
	char name[ISSUER_NAME_MAX]; /* of its block */
	char scope[256];
	char openid_configuration[URL_MAX];
};

struct auth_conf {
	struct role_conf role;
	struct role_tally tally;
	struct known_users known[KNOWN_USERS_MAX];
	uint16_t n_known;
	struct known_place place[KNOWN_USERS_MAX]; /* as known */
	uint16_t n_places;
	struct known_service service[SERVICES_MAX];
	uint16_t n_services;
	struct known_issuer issuer[ISSUERS_MAX];
	uint16_t n_issuers;
	uint16_t token_timeout;    /* seconds for an answer about a token */
	char host[256];            /* the server's name */
	char default_domain[256];  /* for names without one; may be empty */
	bool login_lower;          /* names are folded to lower case */
	char login_characters[64]; /* that names may have, too */
	char login_separators[64]; /* that stand for the @ */
	bool penalties;            /* failures are answered later and later */
	bool apop;
	bool sdps;            /* somebody may read the mail of a whole host */
	uint32_t login_delay; /* seconds, of users without one of their own */
	/* What a password is stored as after a sign-in with it; "no": as it is. */
	char upgrade_scheme[SCHEME_NAME_MAX];
	char mechanisms[SERVED_MAX]; /* that some listener offers, if they can
	                              * be served */
	/* Made-up salts are made of it, the same at each start; hexadecimal. */
	char name_key[65];
	/* Between whose mail it is and the master who asks for it; or empty: nobody
	 * signs in for another. */
	char master_separator[2];
	/* Where proxies are, which say from where their clients come: cidr.h. */
	char proxies[8 * 1024];
	bool local_clients;           /* by Unix sockets */
	char anonymous[256];          /* who reads as ANONYMOUS; may be empty */
	enum client_name client_name; /* in a certificate: who it is */
	uint32_t retention; /* RETENTION_ of those whose line says none */
	/* Kerberos: whose principals are users of the same name, with spaces
	 * between them, or empty: those of the keys; and which are other users,
	 * "PRINCIPAL=USER" with spaces between them. */
	char realms[REALMS_MAX], principals[4096];
	uint32_t mail_uid, mail_gid;  /* for users without one of their own;
	                              * AUTH_NO_UID: they cannot sign in */
	uint32_t first_uid, last_uid; /* of users' own */
	/* Stores 0.. of mail_uid in MAIL_ROOT_OF_POOL: by hash of the path. */
	uint16_t n_stores;
	uint16_t hash_threads; /* costly hashes at a time */
	uint16_t hash_queue;   /* that may wait, then [SYS/TEMP] */
};

/* How struct auth_conf travels: every member must be in it. */
extern const struct ipc_fields auth_conf_fields;

#endif
