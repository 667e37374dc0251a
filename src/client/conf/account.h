/*
 * account.h - an account, as a person has configured it.
 */
#ifndef CLIENT_CONF_ACCOUNT_H
#define CLIENT_CONF_ACCOUNT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "client/conf/dest.h"
#include "client/message/identity.h"

struct oauth_client;
struct rule;

enum security { SECURITY_TLS, SECURITY_STARTTLS, SECURITY_NONE, SECURITY_KPOP };

enum { ACCOUNT_FOLDERS_MAX = 64, FOLDER_NAME_MAX = 200 };

/* The server that sends what the account writes. */
struct account_smtp {
	char *server; /* NULL: there is none */
	char *user;
	char *auth; /* "auto", or the name of a mechanism, lower case */
	char *fingerprint;
	uint16_t port;
	enum security security; /* not KPOP */
};

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
	char *oauth; /* the block that says who gives out tokens; or NULL */
	const struct oauth_client *client; /* that block */
	char *scope; /* of its tokens, instead of that of the block; or NULL */
	bool is_place; /* mail is put there, and not collected */
	int64_t keep;
	struct dest dest;
	char *on_new;     /* a command; or NULL */
	bool notify;      /* the desktop */
	bool delete_mine; /* there, too, what the person deletes here */
	char **trash;     /* as folders; or NULL */
	bool sdps;
	char **folders; /* with sdps: names, with a NULL behind them; or NULL */
	char **rule_names;         /* as folders; NULL: all that there are */
	const struct rule **rules; /* with a NULL behind them: the first that
	                            * fits says where, instead of dest */
	char *ca_file, *fingerprint, *client_certificate, *client_key;
	char *proxy;
	unsigned timeout;         /* seconds, each wait */
	unsigned session_timeout; /* seconds, the whole session */
	unsigned interval;        /* seconds, the daemon's */
	unsigned patience;        /* seconds, with a server that says "later" */
	unsigned max_connections; /* to its server; UINT_MAX: any */
	uint64_t max_size;        /* octets; UINT64_MAX: any */
	uint64_t headers_above;   /* the same */
	struct account_smtp smtp;
	struct dest sent;         /* what was sent, too; text NULL: nowhere */
	bool is_default;          /* sends what no other account is for */
	unsigned outbox_messages; /* that wait to be sent, at most */
	uint64_t outbox_size;     /* octets of them, at most */
	unsigned line;            /* of the file, for messages */
};

const char *security_name(enum security s);

/* May an account be called so?  The name is also one of files, and stands in
 * JSON. */
bool account_name_is_good(const char *name);

/* Does the person's Kerberos ticket sign in?  Then there is no password. */
bool account_uses_ticket(const struct account *a);

/* Does a token sign in, and not a password? */
bool account_uses_token(const struct account *a);

/* What the account is, whatever it is called: a digest of its server, port and
 * user.  NULL: memory. */
char *account_maildrop(
    char out[DIGEST_TEXT], const struct account *a) NODISCARD;

/* May a folder of a Maildir be called so?  It is a part of a path. */
bool account_folder_is_good(const char *name);

/* The folder for what was sent to an address: the name that is the address, or
 * what stands before its @, whatever the case of letters.  NULL: none. */
const char *account_folder(const struct account *a, struct slice address);

/* For a program that is run for an account: our environment, and of the account
 * MALOTE_ACCOUNT and MALOTE_EMAIL, and MALOTE_NEW unless n_new is 0.  One piece
 * for the caller to free; what is ours is borrowed, and nobody changes it.  NULL:
 * memory. */
char **account_environment(
    const char *name, const char *email, uint64_t n_new) NODISCARD;

#endif
