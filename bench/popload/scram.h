/*
 * scram.h - what a client of SCRAM-SHA-256 says (RFC 5802, RFC 7677).
 *
 * The keys are made once for a salt, as real clients keep them: the time of the
 * load generator is not what is measured.
 */
#ifndef SCRAM_H
#define SCRAM_H

#include <stdbool.h>
#include <stdint.h>

enum { SCRAM_TEXT = 512 };

/* What tells one sign-in from all others. */
struct scram {
	unsigned user;
	uint64_t nonce;
};

/* Its first message in base64. */
void scram_first(const struct scram *s, char out[SCRAM_TEXT]);

/* The last one; reply: "+ " and what the server has said to the first.  False
 * if that makes no sense. */
bool scram_final(
    const struct scram *s, const char *reply, char out[SCRAM_TEXT]);

#endif
