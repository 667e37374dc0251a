/*
 * net_conf.h - the settings of the process that looks at tokens of OAuth, as the
 * parent sends them: the blocks `oauth`.
 */
#ifndef SERVER_CONF_NET_CONF_H
#define SERVER_CONF_NET_CONF_H

#include "server/ipc/role.h"

enum { ISSUERS_MAX = 4, ISSUER_NAME_MAX = 64, URL_MAX = 1024 };

/* Who signs tokens, or says whose they are. */
struct issuer_conf {
	char name[ISSUER_NAME_MAX]; /* of the block */
	char issuer[URL_MAX];       /* as its tokens call it */
	char audience[512];         /* words, of which a token is for one */
	char algorithms[128];       /* words */
	char scope[256];            /* words, all of which a token has */
	char user_claim[64];        /* in which the user's name is */
	char keys[URL_MAX];         /* a file, or https://...; or empty: */
	char introspection[URL_MAX];
	char client_id[256], client_secret_file[URL_MAX];
	char ca_file[URL_MAX]; /* whom it trusts; empty: as the machine does */
	/* Seconds: until keys are fetched anew; for which they are good when that
	 * fails; between the clocks of two machines; for an answer. */
	uint32_t refresh, keep;
	uint16_t leeway, timeout;
};

struct net_conf {
	struct role_conf role;
	struct issuer_conf issuer[ISSUERS_MAX];
	uint16_t n_issuers;
};

/* Are the keys at an address, from where they are fetched? */
bool issuer_fetches_keys(const struct issuer_conf *c);

/* Octets of an issuer's keys that are kept over a reload; there are hardly ever as
 * many, and more are fetched anew. */
enum { ISSUER_KEYS_MAX = 64 * 1024 };

/* They, as they are published, and when they are old, and too old (clock_ms()). */
struct token_kept {
	struct slice text;
	uint64_t old_at, ends_at;
};

/* Of one issuer. */
extern const struct ipc_fields issuer_conf_fields;

/* How struct net_conf travels: every member must be in it. */
extern const struct ipc_fields net_conf_fields;

#endif
