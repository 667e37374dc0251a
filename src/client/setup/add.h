/*
 * add.h - sets up an account: finds its server, tries it, asks what only the
 * person knows, and writes it into the configuration.
 */
#ifndef CLIENT_SETUP_ADD_H
#define CLIENT_SETUP_ADD_H

#include <stdbool.h>

#include "client/setup/draft.h"

enum { ADD_WORDS = 1536 };

/* What was said on the command line; NULL: nothing.  Questions that it answers
 * are not asked. */
struct add_request {
	const char *conf_file, *state_dir;
	bool terminal; /* a person is there */
	bool quiet;    /* nothing is to be said but why it failed */
	bool yes;      /* what is found is right */
	const char *address;
	const char *server, *port, *security, *user;
	const char *fingerprint, *ca_file;
	const char *name;
	const char *password_command, *token_command;
	const char *oauth; /* a block that says who gives out tokens */
	bool keyring;      /* the password is there already */
	const char *keep_password;
	const char *keep, *deliver;
};

struct add_result {
	int code; /* sysexits; EX_OK: the account is in the configuration */
	char name[OFFER_USER];
	char words[ADD_WORDS]; /* why not, for people */
	/* What was typed and is kept nowhere, for the first collection; the
	 * caller wipes it. */
	char password[DRAFT_SECRET];
};

void add_account(struct add_result *result, const struct add_request *r);

#endif
