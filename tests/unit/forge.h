/*
 * forge.h - a malote.index in which all sums are right, whatever it says.
 *
 * The numbers are the format's, as src/server/ipc/index.c draws it.
 */
#ifndef TESTS_FORGE_H
#define TESTS_FORGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <xxhash.h>

#include "server/ipc/index.h"

static inline uint32_t
forge_get32(const char *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline void
forge_put32(char *p, uint32_t v)
{
	memcpy(p, &v, sizeof(v));
}

static inline void
forge_sum(char *to, const char *p, size_t n, uint64_t seed, size_t octets)
{
	uint64_t sum = XXH3_64bits_withSeed(p, n, seed);

	memcpy(to, &sum, octets);
}

static inline void
forge_trailer(char *p)
{
	forge_sum(p + 88, p, 88, 0, 8);
}

/* Where the parts of a block begin: records, list, uidl, names, trailer, and
 * what is behind it; false if they do not fit into n octets. */
static inline bool
forge_parts(const char *p, size_t n, size_t at[6])
{
	if (n < INDEX_HEADER || memcmp(p, "MALOTEI", 7) != 0)
		return false;
	at[0] = INDEX_HEADER;
	at[1] = at[0] + (size_t)forge_get32(p + 12) * INDEX_RECORD;
	for (unsigned i = 0; i < 3; i++)
		at[2 + i] = at[1 + i] + forge_get32(p + 16 + 4 * i);
	at[5] = at[4] + INDEX_TRAILER;
	return at[5] <= n;
}

/* Puts the sums of one record right, as that of message msgno. */
static inline void
forge_record(char *r, uint32_t msgno, const char *p, const size_t at[6])
{
	for (unsigned i = 0; i < 2; i++) {
		size_t size = at[3 + i] - at[2 + i];
		uint32_t off = forge_get32(r + 16 + 4 * i);
		uint32_t len = forge_get32(r + 24) >> 16 * i & 0xffff;

		if (off <= size && len <= size - off)
			forge_sum(
			    r + 28 + 4 * i, p + at[2 + i] + off, len, 0, 4);
	}
	forge_sum(r + 36, r, 36, msgno, 4);
}

/* All blocks of a file, as far as they can be followed. */
static inline void
forge_mend(char *p, size_t n)
{
	size_t at[6];

	for (; forge_parts(p, n, at); p += at[5], n -= at[5]) {
		uint32_t first = forge_get32(p + 8);

		for (uint32_t i = 0; i < forge_get32(p + 12); i++)
			forge_record(p + at[0] + (size_t)i * INDEX_RECORD,
			    first + i, p, at);
		for (unsigned i = 0; i < 3; i++)
			forge_sum(p + 32 + 8 * i, p + at[1 + i],
			    at[2 + i] - at[1 + i], 0, 8);
		forge_sum(p + 88, p, 88, 0, 8);
		forge_trailer(p + at[4]);
	}
}

#endif
