/*
 * serve_drops.h - which Maildirs `malote serve` serves, and under which names.
 */
#ifndef CLIENT_SERVE_SERVE_DROPS_H
#define CLIENT_SERVE_SERVE_DROPS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "client/conf/client_conf.h"

enum { SERVE_USER_MAX = 200 };

/* What becomes of an account's mail. */
struct serve_drop {
	char *path; /* the Maildir, without links; NULL: it is not served */
	const char *why; /* then: the reason, translated; NULL: nobody asked */
	size_t same; /* the first account that delivers there: it names it */
	/* The name to sign in with: the account's, as far as maloted takes it. */
	char user[SERVE_USER_MAX + 1];
};

struct serve_drops {
	struct serve_drop *v; /* beside the accounts */
	size_t n;
	size_t served;
	char *root; /* the folder that all served ones are in */
};

/* Of the chosen accounts.  That none is served is no error.  To be freed whatever
 * it returns. */
enum err serve_drops_find(struct serve_drops *d, const struct client_conf *conf,
    const bool *chosen, struct errbuf *eb) NODISCARD;
void serve_drops_free(struct serve_drops *d);

#endif
