/*
 * store.h - the store process: maildrops, as the user that owns them.
 *
 * Knows: Maildirs, locks, the index, unique-ids.  Does not know: passwords,
 * POP3, the network.
 */
#ifndef SERVER_STORE_STORE_H
#define SERVER_STORE_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "server/ipc/ipc.h"
#include "server/ipc/proto.h"
#include "server/ipc/role.h"

enum store_uidl { UIDL_AUTO, UIDL_FILENAME, UIDL_DOVECOT, UIDL_COURIER };

struct store_conf {
	struct role_conf role;
	char root[MAIL_PATH_MAX]; /* of all maildrops: Landlock's */
	char uidl_format[128];    /* Dovecot's pop3_uidl_format */
	enum store_uidl uidl;
	bool shared; /* sessions = shared */
	bool mark_seen;
	bool create;       /* a missing Maildir is made */
	bool log_removed;  /* UIDLs of removed messages */
	uint32_t takeover; /* seconds of silence; 0: never */
	uint16_t threads;
	uint32_t idle_end_ms; /* ask to be ended when idle so long; 0: never */
};

void store_conf_put(struct ipc_chan *c, const struct store_conf *conf);
void store_conf_get(struct ipc_in *in, struct store_conf *conf);

int store_main(int ctl);

#endif
