/*
 * store_conf.h - the settings of a store process, as the parent sends them.
 */
#ifndef SERVER_CONF_STORE_CONF_H
#define SERVER_CONF_STORE_CONF_H

#include <stdbool.h>
#include <stdint.h>

#include "server/ipc/role.h"

enum store_uidl { UIDL_AUTO, UIDL_FILENAME, UIDL_DOVECOT, UIDL_COURIER };

enum { MOUNTS_MAX = 4096 };
/* What becomes of messages with a header in UTF-8 in sessions that have not said
 * the command UTF8. */
enum store_utf8 { UTF8_PASS, UTF8_CONVERT, UTF8_SIMPLE, UTF8_REFUSE };

struct store_conf {
	struct role_conf role;
	struct role_tally tally;
	char root[MAIL_PATH_MAX]; /* of all maildrops: Landlock's */
	char mounts[MOUNTS_MAX];  /* what may be missed below: unmounted.h */
	char uidl_format[128];    /* Dovecot's pop3_uidl_format */
	enum store_uidl uidl;
	enum store_utf8 utf8_messages;
	bool absent; /* the root is not mounted: nobody is served */
	bool shared; /* sessions = shared */
	bool mark_seen;
	bool trash;           /* what DELE removes is kept in a folder */
	bool create;          /* a missing Maildir is made */
	bool follow_maildrop; /* one may be a symbolic link */
	bool log_removed;     /* UIDLs of removed messages */
	/* Expiry asks when it would remove more messages than the floor, and more
	 * of the maildrop than the share, in percent. */
	uint32_t expire_share, expire_floor;
	uint32_t takeover;     /* seconds of silence; 0: never */
	uint16_t per_user_max; /* sessions that have or await one maildrop */
	uint16_t threads;
	uint32_t idle_end_ms; /* ask to be ended when idle so long; 0: never */
};

/* How struct store_conf travels: every member must be in it. */
extern const struct ipc_fields store_conf_fields;

#endif
