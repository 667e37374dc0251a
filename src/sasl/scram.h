/*
 * scram.h - what both ends of SCRAM share: keys and attributes.
 * RFC 5802 s2.2, s3, s5.1, s7.
 */
#ifndef SASL_SCRAM_H
#define SASL_SCRAM_H

#include "sasl/mechanism.h"

enum {
	SCRAM_MESSAGE_MAX = 8 * 1024, /* octets that are taken from a peer */
	SCRAM_AUTH_MAX = 24 * 1024,   /* octets of all together */
	SCRAM_NONCE_MAX = 1024,       /* of both ends */
};

/* One end's state. */
struct scram {
	struct buf auth;       /* AuthMessage, as far as it has been said */
	struct buf cbind;      /* what c= must be: gs2-header, binding; raw */
	struct buf nonce;      /* the client's, then the client's and ours */
	struct buf password;   /* client: prepared */
	struct sasl_keys keys; /* server */
	uint8_t signature[SASL_KEY_MAX]; /* client: what v= must be */
};

/* sasl_mechanism.begin and .end of a struct scram. */
void scram_begin(void *state);
void scram_end(void *state);

size_t scram_hash_size(const struct sasl_mechanism *m);

/* The mechanisms' two ends. */
enum sasl_result scram_server_step(
    struct sasl_server *s, const struct slice *in, struct buf *out);
enum sasl_result scram_client_step(
    struct sasl_client *c, struct slice in, struct buf *out);

/* Each is false when the library failed. */
bool scram_hash(const struct sasl_mechanism *m, const uint8_t *p,
    uint8_t out[SASL_KEY_MAX]) NODISCARD; /* of a key */
bool scram_hmac(const struct sasl_mechanism *m, const uint8_t *key,
    struct slice text, uint8_t out[SASL_KEY_MAX]) NODISCARD;
/* password: prepared. */
bool scram_salt(const struct sasl_mechanism *m, struct slice password,
    struct slice salt, uint32_t iterations,
    uint8_t out[SASL_KEY_MAX]) NODISCARD;
/* ClientKey, StoredKey, ServerKey of a SaltedPassword. */
bool scram_keys(const struct sasl_mechanism *m, const uint8_t *salted,
    uint8_t *client, uint8_t *stored, uint8_t *server) NODISCARD;

void scram_xor(uint8_t *to, const uint8_t *with, size_t n);

/* Cuts "name=value" off the front, with the comma behind it; false: something
 * else is there, or the value is empty, or nothing follows the comma. */
bool scram_cut(struct slice *rest, char name, struct slice *value_r) NODISCARD;
/* Extensions that nobody needs to know, or nothing. */
bool scram_is_extensions(struct slice rest);
/* Octets that a nonce may have. */
bool scram_is_nonce(struct slice s);
/* posit-number within the bounds for a client's iterations. */
bool scram_is_count(struct slice s, uint32_t *n_r);

#endif
