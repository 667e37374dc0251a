/*
 * post.h - puts a message into the outbox: by which account it goes, from whom and
 * to whom.
 */
#ifndef CLIENT_SEND_POST_H
#define CLIENT_SEND_POST_H

#include "client/conf/client_conf.h"
#include "client/send/outbox.h"

struct post_request {
	const struct client_conf *conf;
	const struct account
	    *account;      /* NULL: that of From, of `sender`, or the
	                                * default one */
	struct slice text; /* as it was handed over */
	bool by_header;    /* to those that To, Cc and Bcc name, too */
	char *const *to;   /* each a list of addresses */
	size_t n_to;
	const char *sender; /* that was asked for; or NULL */
	const char
	    *name; /* beside the address, where From is missing; or NULL */
};

/* *account_r is the one that is to send it.  E_FORMAT: the message cannot be sent,
 * or its addresses make no sense; E_NOENT: nobody would get it; E_CONFIG: no
 * account can send it; others as of outbox_add(). */
enum err post(struct outbox *b, struct outbox_item *item,
    const struct account **account_r, const struct post_request *r,
    struct errbuf *eb) NODISCARD;

/* The account whose address that is, and which can send; or NULL. */
const struct account *post_account(
    const struct client_conf *conf, const char *address);

#endif
