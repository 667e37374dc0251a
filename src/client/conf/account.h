/*
 * account.h - what a person configured: accounts and where their mail goes.
 */
#ifndef CLIENT_CONF_ACCOUNT_H
#define CLIENT_CONF_ACCOUNT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "client/conf/dest.h"

enum security { SECURITY_TLS, SECURITY_STARTTLS, SECURITY_NONE };

#define KEEP_ALWAYS INT64_MAX /* else seconds after it was collected; 0: no */

struct account {
	char *name;
	char *email, *server, *user;
	uint16_t port;
	enum security security;
	char *auth; /* "auto" or the name of a mechanism, lower case */
	/* At most one of these; password is wiped when it is freed. */
	char *password;
	char *password_command;
	bool keyring;
	char *token_command;
	int64_t keep;
	struct dest dest;
	char *ca_file, *fingerprint, *client_certificate, *client_key;
	char *proxy;
	unsigned timeout;         /* seconds, each wait */
	unsigned session_timeout; /* seconds, the whole session */
	unsigned interval;        /* seconds, the daemon's */
	unsigned patience;        /* seconds, with a server that says "later" */
	uint64_t max_size;        /* octets; UINT64_MAX: any */
	unsigned line;            /* of the file, for messages */
};

struct conf {
	char *file;
	struct account *v;
	size_t n;
};

/* Reads the file: ~ is the home of the person, relative paths are taken from
 * the file's folder.  E_NOENT: there is no such file.  E_CONFIG: words with
 * file and line, in the person's language; of several faults the first.  *c is
 * empty then.  Warnings (security = "none") go to `warn`, in the same form. */
enum err conf_load(struct conf *c, const char *file,
    void (*warn)(void *arg, const char *words), void *arg,
    struct errbuf *eb) NODISCARD;
void conf_free(struct conf *c); /* wipes secrets */

/* A setting `deliver` as this file would have it; dest_clear(). */
enum err conf_dest(const struct conf *c, struct dest *d, const char *text,
    struct errbuf *eb) NODISCARD;

const struct account *conf_find(const struct conf *c, const char *name);
const char *security_name(enum security s);

#endif
