/*
 * mail_provider.h - what is known of providers of mail: facts of their public
 * documentation, one row each (mail_provider.c).
 */
#ifndef CLIENT_SETUP_MAIL_PROVIDER_H
#define CLIENT_SETUP_MAIL_PROVIDER_H

#include <stdbool.h>
#include <stddef.h>

#include "client/conf/account.h"

/* What a provider's POP3 server takes. */
enum provider_secret {
	TAKES_PASSWORD,        /* that of the mailbox */
	TAKES_APP_PASSWORD,    /* one that is made there for a program */
	TAKES_TOKEN,           /* OAuth 2.0 only */
	TAKES_APP_OR_TOKEN,    /* OAuth 2.0, or an app password */
	TAKES_PASSWORD_OR_APP, /* an app password with two-step verification */
};

struct provider {
	const char *name;
	/* Lower case, spaces between: domains of addresses, and what the names
	 * of MX end with where people bring a domain of their own; or NULL. */
	const char *domains, *mx;
	const char *server; /* NULL: it has no POP3 */
	uint16_t port;
	enum security security;
	struct {
		const char *server; /* NULL: it is not known */
		uint16_t port;
		enum security security;
	} smtp;          /* which sends */
	bool local_part; /* the user is what stands before the @ */
	enum provider_secret secret;
	const char *oauth; /* the preset of OAuth, or NULL */
	/* For people, translatable: what is to be done there before the first
	 * sign-in, or what there is instead of POP3; or NULL. */
	const char *first;
	const char *page; /* where the provider explains it, or NULL */
};

/* By the domain of an address, lower case; NULL. */
const struct provider *provider_of_domain(const char *domain);
/* By the name of one of its MX, lower case; NULL. */
const struct provider *provider_of_mx(const char *mx);
/* A provider's domain that is written almost like this one, which is none;
 * good until the next call, or NULL. */
const char *provider_domain_like(const char *domain);

/* All of them, for tests. */
extern const struct provider providers[];
extern const size_t providers_n;

#endif
