/*
 * client_conf.h - the configuration of malote: its accounts.
 */
#ifndef CLIENT_CONF_CLIENT_CONF_H
#define CLIENT_CONF_CLIENT_CONF_H

#include <stddef.h>

#include "base/err.h"
#include "client/conf/account.h"

struct client_conf {
	char *file;
	struct account *v;
	size_t n;
};

/* Reads the file: ~ is the home of the person, relative paths are taken from
 * the file's folder.  E_NOENT: there is no such file.  E_CONFIG: words with
 * file and line, in the person's language; of several faults the first.  *c is
 * empty then.  Warnings (security = "none") go to `warn`, in the same form. */
enum err client_conf_load(struct client_conf *c, const char *file,
    void (*warn)(void *arg, const char *words), void *arg,
    struct errbuf *eb) NODISCARD;
void client_conf_free(struct client_conf *c); /* wipes secrets */

/* A setting `deliver` as this file would have it; dest_clear(). */
enum err client_conf_dest(const struct client_conf *c, struct dest *d,
    const char *text, struct errbuf *eb) NODISCARD;

const struct account *client_conf_find(
    const struct client_conf *c, const char *name);

#endif
