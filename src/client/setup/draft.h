/*
 * draft.h - an account that is being set up: what will stand in its block.
 */
#ifndef CLIENT_SETUP_DRAFT_H
#define CLIENT_SETUP_DRAFT_H

#include "client/conf/client_conf.h"
#include "client/setup/offer.h"

enum { DRAFT_TEXT = 1024, DRAFT_SECRET = 4096, DRAFT_BLOCK = 32 * 1024 };

/* The setting that says where the password or token comes from. */
enum draft_secret {
	DRAFT_ASKED, /* none: malote asks each time */
	DRAFT_PASSWORD,
	DRAFT_PASSWORD_COMMAND,
	DRAFT_KEYRING,
	DRAFT_TOKEN_COMMAND,
	DRAFT_OAUTH,
};

/* Texts are empty where there is no such line. */
struct draft {
	char name[OFFER_USER], email[OFFER_USER];
	struct offer offer; /* server, port, security, user */
	struct offer smtp;  /* the same of the one that sends, or no server */
	enum draft_secret secret;
	char value[DRAFT_SECRET]; /* of it; wiped with draft_wipe() */
	char keep[32], deliver[DRAFT_TEXT];
	char fingerprint[128], ca_file[DRAFT_TEXT];
	/* Who malote is to a provider that gives out tokens, if no block says it
	 * yet: of a block named d->value. */
	char client_id[DRAFT_TEXT], client_secret[DRAFT_TEXT];
};

/* Writes what is to be appended to the configuration, with a NUL; false: something
 * does not fit. */
bool draft_block(char out[DRAFT_BLOCK], const struct draft *d) NODISCARD;

/* Reads it as it would be read from the file, behind what is there: `before`, or
 * NULL.  *a_r is the account in *c.  E_CONFIG with the words of the first
 * fault. */
enum err draft_account(struct client_conf *c, const struct account **a_r,
    const struct draft *d, const char *before, const char *file,
    struct errbuf *eb) NODISCARD;

void draft_wipe(struct draft *d);

#endif
