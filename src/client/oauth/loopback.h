/*
 * loopback.h - waits for the browser that comes back from the provider, at an
 * address of this computer (RFC 8252 s7.3).
 */
#ifndef CLIENT_OAUTH_LOOPBACK_H
#define CLIENT_OAUTH_LOOPBACK_H

#include <stdio.h>

#include "base/buf.h"
#include "client/oauth/answer.h"

struct loopback;

/* redirect_url: of a struct oauth_client; without a port any free one is
 * taken.  E_IO: the port is not to be had; E_NOMEM; with words. */
enum err loopback_open(struct loopback **l_r, const char *redirect_url,
    struct errbuf *eb) NODISCARD;
void loopback_close(struct loopback *l); /* NULL is a no-op */

/* The URL, with its port.  Borrowed from l. */
const char *loopback_url(const struct loopback *l);

struct loopback_wait {
	const char *state;
	/* Where a person may give the address that the browser has ended at, if
	 * it runs on another computer; -1: nowhere.  Where it is told that
	 * something else is not that. */
	int in;
	FILE *out;
	unsigned seconds;
};

/* Serves requests until one of them says how it has ended.  E_OK: `code` is the
 * proof, with a NUL; E_DENIED: it was not allowed, *r says why; E_AGAIN: nobody
 * came; E_IO; with words.  code: a secret buffer of REDIRECT_MAX. */
enum err loopback_wait(struct loopback *l, const struct loopback_wait *w,
    struct buf *code, struct oauth_refusal *r, struct errbuf *eb) NODISCARD;

#endif
