/*
 * dest_login.h - how to sign in where mail is put: a block "destination" of the
 * configuration.
 */
#ifndef CLIENT_CONF_DEST_LOGIN_H
#define CLIENT_CONF_DEST_LOGIN_H

#include "client/conf/account.h"
#include "client/conf/value.h"

struct conf_lines;

struct destination {
	/* Its name is the title of the block: "HOST" or "USER@HOST".  What only
	 * an account that is collected has is not set. */
	struct account login;
	char *flags;     /* of new messages, as IMAP writes them; or NULL */
	bool creates;    /* a mailbox that is not there is made */
	bool never_spam; /* GMAIL: whatever it thinks of a message */
	char *url;       /* GMAIL, JMAP: where its API is; NULL: as is usual */
};

value_parse value_flags; /* char *: "seen flagged NAME" */

/* At the end of the block. */
void destination_check(struct destination *d, const struct conf_lines *l);

/* Is the block for this place? */
bool destination_is_for(const struct destination *d, const struct dest *dest);

#endif
