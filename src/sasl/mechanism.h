/*
 * mechanism.h - what the mechanisms of this folder share.
 */
#ifndef SASL_MECHANISM_H
#define SASL_MECHANISM_H

#include "base/i18n.h"
#include "sasl/sasl.h"
#include "sasl/scram.h"

enum {
	SASL_FIELD_MAX = 1024, /* a name or a password; RFC 4616 s2: 255 */
	SASL_TOKEN_MAX = 16 * 1024,
	SASL_CHALLENGE_MAX = 1024, /* CRAM-MD5 */
	SASL_NONCE = 24,           /* printable octets, 144 bits */
	SASL_KEEP = 3,             /* nothing keeps more than names apart */
};

struct sasl_server {
	const struct sasl_mechanism *mechanism;
	const struct sasl_channel *channel; /* or NULL */
	unsigned step; /* messages taken so far: the mechanism's own count */
	struct sasl_claim claim;
	struct slice kept[SASL_KEEP]; /* copies that claim points into */
	unsigned n_kept;
	const char *nonce; /* a test's: printable; NULL: random */
	struct scram scram;
	char challenge[SASL_CHALLENGE_MAX]; /* CRAM-MD5 */
	char digest[32 + 1];                /* CRAM-MD5: what was answered */
};

struct sasl_client {
	const struct sasl_mechanism *mechanism;
	const struct sasl_credentials *cred;
	unsigned step;
	const char *nonce; /* a test's: printable; NULL: random */
	bool verified;
	struct errbuf error;
	struct scram scram;
};

/* Copies `in` until sasl_server_free(); false: memory. */
bool sasl_server_keep(
    struct sasl_server *s, struct slice in, struct slice *copy_r) NODISCARD;
/* The same, prepared. */
enum sasl_result sasl_server_keep_prepared(
    struct sasl_server *s, struct slice in, struct slice *copy_r) NODISCARD;

/* A field that may be sent and taken: some octets, not too many, no NUL,
 * UTF-8. */
bool sasl_is_field(struct slice s);

/* SASL_NOMEM unless it fits into `out`; else `then`. */
enum sasl_result sasl_say(
    struct buf *out, const void *p, size_t n, enum sasl_result then) NODISCARD;
/* The same for a message that was put together, with e. */
enum sasl_result sasl_say_buf(struct buf *out, enum err e,
    const struct buf *said, enum sasl_result then) NODISCARD;

/* Appends what is in b. */
enum err sasl_put_buf(struct buf *out, const struct buf *b) NODISCARD;
/* Appends s of any length with words around it. */
enum err sasl_put(struct buf *out, const char *before, struct slice s,
    const char *after) NODISCARD;

/* Appends base64 of it. */
enum err sasl_put_b64(struct buf *out, const void *p, size_t n) NODISCARD;

/* Appends a name as SCRAM and OAUTHBEARER want it: "," is =2C, "=" is =3D. */
enum err sasl_put_name(struct buf *out, struct slice name) NODISCARD;
/* The reverse; E_FORMAT also for what is not a field. */
enum err sasl_get_name(struct buf *out, struct slice escaped) NODISCARD;

/* SASL_NONCE printable octets without a comma; E_NOMEM: the library failed. */
enum err sasl_nonce(char out[SASL_NONCE]) NODISCARD;

/* Prepares what the client was given: `what`, to people. */
enum sasl_result sasl_client_prep(struct sasl_client *c, struct buf *out,
    struct slice s, const char *what) NODISCARD;

/* Remembers why and returns SASL_FAILED; fmt is translated already. */
enum sasl_result sasl_client_fail(struct sasl_client *c, const char *fmt, ...)
    PRINTF(2, 3) NODISCARD;
/* What the server said, to people. */
void sasl_client_server_said(struct sasl_client *c, struct slice words);

extern const struct sasl_mechanism sasl_plain, sasl_login, sasl_cram_md5,
    sasl_external, sasl_oauthbearer, sasl_xoauth2, sasl_scram_sha_1,
    sasl_scram_sha_1_plus, sasl_scram_sha_256, sasl_scram_sha_256_plus;

#endif
