/*
 * worker_conf.h - the settings of a worker, as the parent sends them.
 */
#ifndef SERVER_CONF_WORKER_CONF_H
#define SERVER_CONF_WORKER_CONF_H

#include <stdbool.h>
#include <stdint.h>

#include "pop3/server_language.h"
#include "server/ipc/role.h"

enum {
	LISTENERS_MAX = 16,
	PEM_MAX = 40 * 1024,
	OCSP_MAX = 12 * 1024,
	CERTIFICATES_MAX = 32, /* one bit each: see listen_conf */
	NETS_MAX = 2048,       /* octets of a list of networks, with its NUL */
};

enum listen_tls { LISTEN_PLAIN, LISTEN_STLS, LISTEN_TLS };

/* How a proxy says whose connection it is: by a header before anything else
 * (net/proxy_header.h), or by the command XCLIENT. */
enum listen_proxy { PROXY_BY_HEADER, PROXY_BY_XCLIENT };

struct listen_conf {
	int fd; /* listening, non-blocking */
	enum listen_tls tls;
	bool plain_passwords;     /* USER/PASS and the like without TLS */
	bool client_certificates; /* are asked for */
	bool plaintext_gssapi;    /* GSSAPI without TLS */
	bool kpop;                /* a ticket comes before the greeting */
	bool same_user; /* only programs of the worker's user, and root's */
	enum listen_proxy proxy;
	bool local;            /* a Unix socket: clients are on this machine */
	bool secured;          /* TLS is the proxy's, and counts as ours */
	uint32_t certificates; /* bit i: the i-th one; 0: no TLS */
	char mechanisms[256];  /* names, separated by spaces */
	/* Who is served: see cidr.h.  Empty: there is no such list. */
	char allow_nets[NETS_MAX], deny_nets[NETS_MAX];
	char proxy_from[NETS_MAX]; /* where proxies are; empty: nowhere */
};

struct worker_conf {
	struct role_conf role;
	struct role_tally tally;
	struct listen_conf listener[LISTENERS_MAX];
	uint16_t n_listeners;
	int counts_fd[2]; /* addrcount.h, shared by all workers */
	char host[256];
	char implementation[64]; /* empty: not announced */
	int languages_fd;        /* sealed.h; see languages.h */
	uint32_t languages_octets;
	char language[POP3_TAG_MAX]; /* a tag: of LANG * */
	char tls_min[8];             /* "1.2" or "1.3" */
	char tls_ciphers[512];       /* OpenSSL's list for TLS 1.2 */
	/* Of all listeners; they follow, one message each, before anybody is
	 * served. */
	uint16_t n_certificates;
	uint32_t login_timeout, idle_timeout, write_timeout; /* seconds */
	uint32_t tls_timeout;     /* for a handshake, seconds */
	uint32_t sessions_max;    /* of this process */
	uint32_t slots;           /* that there can ever be */
	uint32_t per_address_max; /* connections, of all processes; 0: any */
	uint16_t bad_max, failures_max;
	uint16_t
	    shared_stores; /* those with less of an index are of mail_uid */
	bool apop;
	bool sdps;      /* *ENV is known */
	bool trace;     /* log the dialogue, credentials masked */
	bool mark_seen; /* tell the store what was sent whole */
};

/* How struct worker_conf travels: every member must be in it. */
extern const struct ipc_fields worker_conf_fields;

#endif
