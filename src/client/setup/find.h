/*
 * find.h - the POP3 server of an address.
 *
 * In this order: a provider that is known by the domain, or by its MX; what the
 * domain says itself, or that of its MX, by autoconfig over HTTPS; its SRV
 * records (RFC 6186); the usual names.  What the domain or DNS says is tried,
 * and so are the usual names.  No password, and to nobody but the domain itself
 * and that of its MX the address, is sent.
 */
#ifndef CLIENT_SETUP_FIND_H
#define CLIENT_SETUP_FIND_H

#include <stdbool.h>

#include "base/err.h"
#include "client/setup/mail_provider.h"
#include "client/setup/offer.h"

struct dialer;
struct ev_loop;
struct find;

enum found_by {
	FOUND_NOTHING,
	FOUND_PROVIDER, /* by the domain of the address */
	FOUND_MX,       /* a provider, by DNS */
	FOUND_AUTOCONFIG,
	FOUND_SRV,
	FOUND_GUESS,
	FOUND_AUTODISCOVER,
};

struct found {
	enum found_by by;
	const struct provider *provider; /* PROVIDER, MX */
	struct offer offer; /* but for FOUND_NOTHING, and a provider that has
	                     * no POP3; the user is always there */
	/* Of the same source: the server that sends; no server: it names none. */
	struct offer smtp;
	char source[HOST_MAX]; /* who said so: a name of DNS */
	bool imap;    /* the domain, or that of its MX, names IMAP servers */
	bool no_mail; /* the domain does not exist, or takes no mail */
	bool offline; /* no name server answers */
};

/* Called once, from the loop; find_free() is permitted within. */
typedef void find_done(void *arg, const struct found *found);

struct find_question {
	struct ev_loop *loop;
	struct dialer *dialer;
	const char *address; /* well-formed; borrowed until it is over */
	/* What is asked by Autodiscover, and nothing else: it is given the whole
	 * address, and is often not the domain's own; the person has agreed. */
	bool autodiscover;
	find_done *done;
	void *arg;
};

/* It ends within half a minute.  E_CONFIG: its domain is no name, E_NOMEM. */
enum err find_start(struct find **f_r, const struct find_question *q,
    struct errbuf *eb) NODISCARD;
void find_free(struct find *f); /* NULL is a no-op */

/* The domain of an address as DNS has it, in lower case. */
enum err find_domain(
    char out[HOST_MAX], const char *address, struct errbuf *eb) NODISCARD;

#endif
