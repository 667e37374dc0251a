/*
 * mechanism.h - the two ends of an exchange, as the mechanisms see them, and
 * the list of the mechanisms.
 */
#ifndef SASL_MECHANISM_H
#define SASL_MECHANISM_H

#include "base/i18n.h"
#include "sasl/field.h"
#include "sasl/sasl.h"

struct sasl_server {
	const struct sasl_mechanism *mechanism;
	const struct sasl_channel *channel; /* or NULL */
	unsigned step; /* messages taken so far: the mechanism's own count */
	struct sasl_claim claim;
	struct slice kept[SASL_KEEP]; /* copies that claim points into */
	unsigned n_kept;
	const char *nonce; /* a test's: printable; NULL: random */
	void *state;       /* the mechanism's own */
};

struct sasl_client {
	const struct sasl_mechanism *mechanism;
	const struct sasl_credentials *cred;
	unsigned step;
	const char *nonce; /* a test's: printable; NULL: random */
	bool verified;
	struct errbuf error;
	void *state; /* the mechanism's own */
};

/* Every mechanism there is, strongest first.  A new one is a file that defines
 * its struct sasl_mechanism, and a row here. */
#define SASL_MECHANISMS(ROW) \
	ROW(sasl_scram_sha_256_plus) \
	ROW(sasl_scram_sha_1_plus) \
	ROW(sasl_external) \
	ROW(sasl_scram_sha_256) \
	ROW(sasl_scram_sha_1) \
	ROW(sasl_oauthbearer) \
	ROW(sasl_xoauth2) \
	ROW(sasl_plain) \
	ROW(sasl_login) \
	ROW(sasl_cram_md5) \
	ROW(sasl_anonymous) \
	ROW(sasl_gssapi)

#define SASL_DECLARE(name) extern const struct sasl_mechanism name;
SASL_MECHANISMS(SASL_DECLARE)

#endif
