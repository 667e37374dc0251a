/*
 * worker.h - the pop3 process: accept, TLS, POP3.
 *
 * It may not open, create, connect or execute anything: seccomp says so.
 */
#ifndef SERVER_WORKER_WORKER_H
#define SERVER_WORKER_WORKER_H

#include <stdbool.h>
#include <stdint.h>

#include "server/ipc/ipc.h"
#include "server/ipc/role.h"

enum { LISTENERS_MAX = 16, PEM_MAX = 40 * 1024 };

enum listen_tls { LISTEN_PLAIN, LISTEN_STLS, LISTEN_TLS };

struct listen_conf {
	int fd; /* listening, non-blocking */
	enum listen_tls tls;
	bool plain_passwords; /* USER/PASS and the like without TLS */
};

struct pop3_conf {
	struct role_conf role;
	struct listen_conf listener[LISTENERS_MAX];
	uint16_t n_listeners;
	int counts_fd;   /* shared memory of addrcount.h */
	uint16_t n_pop3; /* how many processes share it */
	char host[256];
	char implementation[64]; /* empty: not announced */
	char mechanisms[256];    /* names, separated by spaces */
	char tls_min[8];         /* "1.2" or "1.3" */
	char tls_ciphers[512];   /* OpenSSL's list for TLS 1.2 */
	char *certificate, *key; /* PEM; NULL: no TLS */
	uint32_t login_timeout, idle_timeout, write_timeout; /* seconds */
	uint32_t tls_timeout;     /* for a handshake, seconds */
	uint32_t sessions_max;    /* of this process */
	uint32_t per_address_max; /* connections, of all processes; 0: any */
	uint16_t bad_max, failures_max;
	bool apop;
	bool trace;     /* log the dialogue, credentials masked */
	bool mark_seen; /* tell the store what was sent whole */
};

void pop3_conf_put(struct ipc_chan *c, const struct pop3_conf *conf);
enum err pop3_conf_get(struct ipc_in *in, struct pop3_conf *conf) NODISCARD;

int pop3_main(int ctl);

#endif
