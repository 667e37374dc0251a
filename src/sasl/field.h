/*
 * field.h - what a mechanism does with the fields of its messages: puts, gets,
 * keeps, prepares and says them.
 */
#ifndef SASL_FIELD_H
#define SASL_FIELD_H

#include "sasl/sasl.h"

enum {
	SASL_FIELD_MAX = 1024, /* a name or a password; RFC 4616 s2: 255 */
	SASL_NONCE = 24,       /* printable octets, 144 bits */
	SASL_KEEP = 3,         /* nothing keeps more than names apart */
};

/* Wipes what was kept, and empties the claim. */
void sasl_server_forget(struct sasl_server *s);

/* Copies `in` until sasl_server_free(); false: memory. */
bool sasl_server_keep(
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

static inline struct slice
sasl_slice(const struct buf *b)
{
	return (struct slice){ b->len != 0 ? buf_data(b) : "", b->len };
}

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

/* Prepare what the client was given. */
enum sasl_result sasl_client_prep_name(
    struct sasl_client *c, struct buf *out, struct slice name) NODISCARD;
enum sasl_result sasl_client_prep_password(
    struct sasl_client *c, struct buf *out) NODISCARD;

/* The ends of a mechanism whose only message is one field, or nothing.  The
 * server's copies it to *field_r and answers `then`. */
enum sasl_result sasl_server_one_field(struct sasl_server *s,
    const struct slice *in, struct slice *field_r,
    enum sasl_result then) NODISCARD;
enum sasl_result sasl_client_one_field(
    struct sasl_client *c, struct slice field, struct buf *out) NODISCARD;

/* Remembers why and returns SASL_FAILED; fmt is translated already. */
enum sasl_result sasl_client_fail(struct sasl_client *c, const char *fmt, ...)
    PRINTF(2, 3) NODISCARD;
/* What the server said, to people. */
void sasl_client_server_said(struct sasl_client *c, struct slice words);

#endif
