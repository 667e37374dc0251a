/*
 * mechanism.h - what the mechanisms of this folder share.
 */
#ifndef SASL_MECHANISM_H
#define SASL_MECHANISM_H

#include "sasl/sasl.h"

/* A name or a password.  RFC 4616 s2 asks for 255. */
enum { SASL_FIELD_MAX = 1024 };

/* Nothing keeps more than a name and a password apart. */
enum { SASL_KEEP = 2 };

struct sasl_server {
	const struct sasl_mechanism *mechanism;
	unsigned step; /* messages taken so far: the mechanism's own count */
	struct sasl_claim claim;
	struct slice kept[SASL_KEEP]; /* copies that claim points into */
	unsigned n_kept;
};

struct sasl_client {
	const struct sasl_mechanism *mechanism;
	const struct sasl_credentials *cred;
	unsigned step;
};

/* Copies `in` until sasl_server_free(); false: memory. */
bool sasl_server_keep(
    struct sasl_server *s, struct slice in, struct slice *copy_r) NODISCARD;

/* A field that may be sent and taken: some octets, not too many, no NUL,
 * UTF-8. */
bool sasl_is_field(struct slice s);

/* SASL_NOMEM unless it fits into `out`; else `then`. */
enum sasl_result sasl_say(
    struct buf *out, const void *p, size_t n, enum sasl_result then) NODISCARD;

extern const struct sasl_mechanism sasl_plain, sasl_login;

#endif
