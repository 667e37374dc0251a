/*
 * client_conf.h - the configuration of malote: its accounts.
 */
#ifndef CLIENT_CONF_CLIENT_CONF_H
#define CLIENT_CONF_CLIENT_CONF_H

#include <stddef.h>
#include <sys/stat.h>

#include "base/err.h"
#include "client/conf/account.h"

struct destination;

struct client_conf {
	char *file;
	struct account *v;
	size_t n;
	struct oauth_client *oauth; /* which accounts may name */
	size_t n_oauth;
	struct rule *rules; /* in their order */
	size_t n_rules;
	struct destination *blocks; /* how to sign in where mail is put */
	size_t n_blocks;
	/* The same, each for a place of an account or a rule: dest->at is one of
	 * them, which stays where it is. */
	struct destination **places;
	size_t n_places;
	struct stat st; /* of the file that was read */
};

/* Told of each fault of the file in turn, and of warnings (security = "none"),
 * in the person's language: "FILE:LINE: what is wrong; what would be right". */
typedef void client_conf_say(void *arg, bool is_error, const char *words);

/* Reads the file: ~ is the home of the person, relative paths are taken from
 * the file's folder.  E_NOENT: there is no such file.  *c is empty on error,
 * for which there are words always. */
enum err client_conf_load(struct client_conf *c, const char *file,
    client_conf_say *say, void *arg) NODISCARD;
/* The same of a text that may become the file, or a part of it, with the mode that
 * secrets need.  The text is changed; the caller wipes it. */
enum err client_conf_parse(struct client_conf *c, const char *file, char *text,
    client_conf_say *say, void *arg) NODISCARD;
void client_conf_free(struct client_conf *c); /* wipes secrets */

/* A setting `deliver` as this file would have it; dest_clear().  For IMAP, Gmail and JMAP, dest->at
 * is NULL if no account delivers to that place any more. */
enum err client_conf_dest(const struct client_conf *c, struct dest *d,
    const char *text, struct errbuf *eb) NODISCARD;

const struct account *client_conf_find(
    const struct client_conf *c, const char *name);

/* Has the configuration an account with this maildrop (account_maildrop()) and, if
 * name is not NULL, this name?  conf: a client_conf (see state_key). */
bool client_conf_has(const void *conf, const char *name, const char *maildrop);

/* Has the file changed since it was read, so that it can be read and has no account
 * with this maildrop any more? */
bool client_conf_has_lost(const struct client_conf *c, const char *maildrop);

#endif
