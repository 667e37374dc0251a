/*
 * token_fetch.h - what is at an address of https, by libcurl, on a thread that
 * waits for it.
 *
 * The host's name is resolved here, as libcurl would start a thread for that, which
 * a confined process cannot.  No redirection is followed, and no proxy is asked:
 * the addresses of the settings are those that are meant.
 */
#ifndef SERVER_HELPER_TOKEN_FETCH_H
#define SERVER_HELPER_TOKEN_FETCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

struct token_fetch {
	const char *url;
	/* Who is trusted, in PEM: read before the process was confined, as its user
	 * need not be able to.  Empty: as the machine trusts. */
	struct slice authorities;
	uint16_t timeout; /* seconds */
	/* A form to be posted, with a name and a password; or NULL. */
	const char *form, *user, *password;

	struct buf body; /* the answer, within the bound that it has */
	long status;     /* of HTTP */
	bool has_age;    /* the answer says for how many seconds it is good */
	uint32_t age;
};

/* Before the process is confined, and has threads. */
enum err token_fetch_prepare(struct errbuf *eb) NODISCARD;

/* The host and port of an address; false: it is none of https. */
bool token_fetch_place(
    const char *url, char *host, size_t host_size, uint16_t *port_r);

/* E_AGAIN with words: nobody answers, or not so that it can be believed.  E_FULL: it
 * is more than t->body may hold. */
enum err token_fetch(struct token_fetch *t, struct errbuf *eb) NODISCARD;

/* Text as it stands in a form, appended.  E_NOMEM, E_FULL. */
enum err token_fetch_escape(struct buf *out, struct slice text) NODISCARD;

#endif
