/*
 * conf.h - maloted.conf: read, checked, and made into the settings of each
 * process.  maloted.conf(5) is its manual.
 */
#ifndef SERVER_CONF_CONF_H
#define SERVER_CONF_CONF_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>
#include <time.h>

#include "conf/text.h"
#include "server/conf/auth_conf.h"
#include "server/conf/certificate.h"
#include "server/conf/db_conf.h"
#include "server/conf/include.h"
#include "server/conf/kerberos_conf.h"
#include "server/conf/metrics_conf.h"
#include "server/conf/net_conf.h"
#include "server/conf/pam_conf.h"
#include "server/conf/sasl_conf.h"
#include "server/conf/store_conf.h"
#include "server/conf/worker_conf.h"

#define CONF_FILE  "/etc/malote/maloted.conf"
#define CONF_USERS "/etc/malote/users" /* as long as no file says other */

enum {
	CONF_PATH_MAX = 4096,
	CONF_NAME_MAX = 64,
	CONF_ADDRESS_MAX = 64,
	CONF_ADDRESSES = LISTENERS_MAX,
	MAIL_ROOTS_MAX = KNOWN_USERS_MAX + 1,
	WORKERS_MAX = 64,
	STORE_PROCESSES_MAX = 64,
};

struct conf_listener {
	char name[CONF_NAME_MAX];
	char address[CONF_ADDRESSES][CONF_ADDRESS_MAX]; /* "*", IPv4, IPv6 */
	unsigned n_addresses;
	uint16_t port;
	/* In their place: a socket with a name in the file system, or empty. */
	char socket[108], mode[8], group[CONF_NAME_MAX];
	uint16_t mode_bits;
	uint32_t gid; /* of group; AUTH_NO_UID: that of who starts us */
	enum listen_tls tls;
	bool plaintext_login;
	bool client_certificates;
	bool plaintext_gssapi;
	bool kpop;
	bool same_user; /* only programs of whoever runs it, and of root */
	enum listen_proxy proxy;
	bool secured;
	char proxy_from[NETS_MAX]; /* empty: there is no proxy */
	char certificates[512];    /* names of blocks; empty: all */
	uint32_t certificate_bits;
	/* Empty: those of all listeners. */
	char mechanisms[256], allow_nets[NETS_MAX], deny_nets[NETS_MAX];
	unsigned line; /* where it is in the file; 0: it is not */
};

/* A block `certificate`, or the settings `certificate', `key' and `ocsp'. */
struct conf_certificate {
	char name[CONF_NAME_MAX]; /* empty: of the settings */
	char file[CONF_PATH_MAX], key[CONF_PATH_MAX], ocsp[CONF_PATH_MAX];
	unsigned line;
	struct certificate read;
};

/* A block `users`. */
struct conf_users {
	struct db_conf db; /* of a users file: file only */
	char driver[DB_NAME_MAX];
	char scheme[SCHEME_NAME_MAX];
	char service[PAM_SERVICE_MAX];
	char program[MAIL_PATH_MAX];
	uint16_t questions; /* as pam.questions */
	/* For malotectl only: no process of the server gets to know them. */
	char list_query[DB_QUERY_MAX], add_query[DB_QUERY_MAX];
	char passwd_query[DB_QUERY_MAX], delete_query[DB_QUERY_MAX];
	char admin_connection[DB_CONNECTION_MAX];
	bool is_odd;   /* one of them is wrong, and that was complained of */
	unsigned says; /* enum user_driver_setting, or-ed: what stands in it */
	unsigned line;
	unsigned query_line, connection_line; /* or file's; 0: it has none */
	/* Empty: those of the settings.  If the block says one of them, the other
	 * one is filled in. */
	char mail[MAIL_PATH_MAX], mail_root[MAIL_PATH_MAX];
	unsigned mail_line, mail_root_line;
};

/* A folder that maildrops are in.  Its number stays its own as long as the server
 * runs, and no other gets it. */
struct conf_root {
	char path[MAIL_PATH_MAX];
	uint32_t number;
	/* Users have mail there.  Only that of the pool stays after a reload that
	 * has taken it away. */
	bool is_used;
	unsigned line; /* that it comes from */
};

/* A block `sasl`. */
/* What lies at the path of a socket: nothing else has these numbers as long as the
 * socket is open. */
struct unix_made {
	dev_t device;
	ino_t inode;
};

struct conf_service {
	char name[CONF_NAME_MAX];
	char socket[108]; /* as long as a socket's name may be */
	char mode[8], group[CONF_NAME_MAX];
	char service[SERVICE_MAX];
	char mechanisms[256];
	bool plaintext_login;
	uint16_t mode_bits;
	uint32_t gid; /* of group; AUTH_NO_UID: that of who starts us */
	unsigned line;
	struct unix_made made; /* its socket: parent/service_sockets.c */
};

/* A block `oauth`. */
struct conf_issuer {
	struct issuer_conf of;
	char openid_configuration[URL_MAX]; /* for clients; may be empty */
	unsigned line;
};

struct conf {
	/* What the processes are told, but for their index and descriptors.
	 * store is a store of the pool, of mail_user. */
	struct worker_conf worker;
	struct auth_conf auth;
	struct kerberos_conf kerberos;
	struct store_conf store;
	struct sasl_conf sasl;
	struct net_conf net;
	struct metrics_conf metrics;
	/* Of the one that is being started: child_tell.c. */
	struct db_conf db;
	struct pam_conf pam;

	struct conf_users known[KNOWN_USERS_MAX]; /* as auth.known */
	unsigned n_known;
	/* The first is MAIL_ROOT_OF_POOL. */
	struct conf_root root[MAIL_ROOTS_MAX];
	unsigned n_roots;
	uint32_t last_root; /* the highest number so far */
	struct conf_service service[SERVICES_MAX]; /* as sasl.service */
	unsigned n_services;
	struct conf_issuer issuer[ISSUERS_MAX]; /* as net.issuer */
	unsigned n_issuers;
	struct conf_listener listener[LISTENERS_MAX];
	unsigned n_listeners;
	/* The settings, which become the first of those below. */
	char certificate[CONF_PATH_MAX], key[CONF_PATH_MAX],
	    ocsp[CONF_PATH_MAX];
	struct conf_certificate certificates[CERTIFICATES_MAX];
	unsigned n_certificates;
	char mail[MAIL_PATH_MAX], mail_root[MAIL_PATH_MAX];
	char expire[16];       /* see retention_text.h */
	uint32_t expire_every; /* seconds between two looks at all maildrops */
	char mechanisms[256];  /* names, separated by spaces */
	char allow_nets[NETS_MAX], deny_nets[NETS_MAX];
	char client_ca[CONF_PATH_MAX], client_crl[CONF_PATH_MAX];
	char users[CONF_PATH_MAX]; /* the users file; empty: there is none */
	char languages[CONF_PATH_MAX]; /* the folder of the catalogues */
	char user[CONF_NAME_MAX], auth_user[CONF_NAME_MAX];
	char kerberos_user[CONF_NAME_MAX], db_user[CONF_NAME_MAX];
	char pam_user[CONF_NAME_MAX];
	char sasl_user[CONF_NAME_MAX], net_user[CONF_NAME_MAX];
	char metrics_user[CONF_NAME_MAX];
	char metrics_at[128]; /* the setting `metrics': metrics_conf.h */
	char mail_user[CONF_NAME_MAX], mail_group[CONF_NAME_MAX];
	uint32_t max_sessions;    /* of all workers; 0: as many as may be */
	uint32_t stop_grace;      /* seconds */
	uint32_t drain_timeout;   /* seconds */
	uint32_t uid_stores_max;  /* stores of users' own uids at a time */
	char control_socket[108]; /* as long as a socket's name may be */
	char control_group[CONF_NAME_MAX];
	uint32_t control_gid; /* of control_group; AUTH_NO_UID: only root */
	bool sandbox_required;
	bool syslog;

	const char *file; /* that all this stands in, with what it includes: */
	struct conf_source source;
};

/* What the file is checked against. */
struct conf_env {
	uid_t uid; /* who starts the server, and the group */
	gid_t gid;
	bool root_mail; /* mail_user may be root */
	unsigned cores;
	uint32_t nofile; /* RLIMIT_NOFILE of each process */
};

/* This process; raises its soft RLIMIT_NOFILE to the hard one. */
void conf_env_here(struct conf_env *env);

/* Reads and checks everything that the file says and the files that it names.
 * E_CONFIG: there were errors, all said to the report.  *c is to be freed in
 * any case. */
enum err conf_read(struct conf *c, const char *file, const struct conf_env *env,
    struct conf_report *report) NODISCARD;
void conf_free(struct conf *c);

/* The same for a server that runs by `now`.  What cannot change while it runs is
 * as it is there, and said to kept().  E_CONFIG: nothing of *c is of use. */
enum err conf_read_again(struct conf *c, const char *file,
    const struct conf_env *env, struct conf_report *report,
    const struct conf *now, void (*kept)(void *arg, const char *setting),
    void *arg) NODISCARD;

/* For complaints about what conf_read() has read. */
struct conf_text conf_text_of(const struct conf *c, struct conf_report *report);

/* Each setting as it is in effect, and where it comes from, of the file that was
 * read last.  What may have a password in it is masked. */
void conf_show(const struct conf *c, FILE *to);

/* What who asks the database of c->known[i] must know; for_admin: of what an admin
 * has done there. */
void conf_db_of(
    const struct conf *c, unsigned i, bool for_admin, struct db_conf *out);

/* c->db, or c->pam, becomes that of the process of this index, but for its
 * role. */
void conf_db_fit(struct conf *c, uint16_t index);
void conf_pam_fit(struct conf *c, uint16_t index);

/* Only what says how users are called, where they are listed, and where their
 * mail is: c->users and c->auth.  What else the file says must be readable, but
 * need not be right.  file: NULL for the defaults. */
enum err conf_accounts(struct conf *c, const char *file,
    const struct conf_env *env, struct conf_report *report) NODISCARD;

#endif
