/*
 * kinds.h - the kinds of store that there are, and which of them a maildrop's
 * location asks for.
 */
#ifndef SERVER_STORE_KINDS_H
#define SERVER_STORE_KINDS_H

#include <stdbool.h>

#include "server/store/kind.h"

/* A maildrop's place. */
struct location {
	const struct store_kind *kind;
	char path[MAIL_MAX]; /* from the root of all maildrops; without
	                      * doubled or last slash.  It ends in "/." if the
	                      * maildrop may be a symbolic link: what leads to
	                      * the end of a path is followed, the end itself
	                      * never is.  Of a whole host: those of its
	                      * Maildirs, with colons between them */
};

/* mail: what the users' file says, "maildir:/var/mail/alice"; without a prefix
 * that is known it is a path of the first kind.  False unless the path is
 * absolute, below the root of the settings, and without "." and "..". */
bool location_parse(
    struct location *l, const char *mail, const struct store_conf *conf);

#endif
