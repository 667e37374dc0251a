/*
 * hashes_seen.h - what the stored hashes of some users serve for, together: what
 * can be offered, and what is said of a name that nobody has.
 */
#ifndef SERVER_USERS_HASHES_SEEN_H
#define SERVER_USERS_HASHES_SEEN_H

#include <stdint.h>

struct sasl_mechanism;

/* All zeroes: none was seen. */
struct hashes_seen {
	unsigned uses;          /* enum scheme_use, or-ed */
	uint32_t iterations[2]; /* of SCRAM-SHA-1, -256; 0: nobody has any */
};

/* hash: one that something can be checked against. */
void hashes_seen_note(struct hashes_seen *s, const char *hash);

/* The iterations of the first keys of this mechanism, or the least number. */
uint32_t hashes_seen_iterations(
    const struct hashes_seen *s, const struct sasl_mechanism *m);

#endif
