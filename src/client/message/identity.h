/*
 * identity.h - which message is this?
 *
 * A digest of the header fields that no server changes: From, To, Subject,
 * Date, Message-ID and all Received, in their order, each unfolded, white space
 * at both ends dropped, names in lower case.  It is the same whether it was
 * taken from TOP or from RETR, and whatever the ends of lines (CRs before an LF
 * are nothing).  The header ends at the first empty line (RFC 5322 s2.1).
 */
#ifndef CLIENT_MESSAGE_IDENTITY_H
#define CLIENT_MESSAGE_IDENTITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

enum {
	DIGEST_SIZE = 10, /* 80 bits */
	DIGEST_TEXT = 17, /* 16 characters a-z2-7 and a NUL */
};

struct digest {
	uint8_t v[DIGEST_SIZE];
};

/* A digest that a stranger cannot hope to meet: SHA-256, cut. */
struct digest digest_of(struct slice s);
struct digest digest_cut(const uint8_t sha256[32]); /* of such a sum */
char *digest_text(char out[DIGEST_TEXT], struct digest d);
bool digest_parse(struct slice text, struct digest *d_r);
bool digest_eq(struct digest a, struct digest b);

struct identity {
	struct digest header;
	bool strong; /* it has a Message-ID or a Received that says something */
};

/* Takes a message as it is stored, piece by piece; the body is ignored. */
struct identity_reader;
struct identity_reader *identity_reader_new(void); /* NULL: no memory */
void identity_reader_free(struct identity_reader *r);
/* For the next message; a new one needs none. */
void identity_reader_reset(struct identity_reader *r);
void identity_reader_add(struct identity_reader *r, const char *p, size_t n);
bool identity_reader_done(const struct identity_reader *r);
/* At the end of the message, or as soon as identity_reader_done(); once. */
struct identity identity_reader_end(struct identity_reader *r);

#endif
