/*
 * packing.h - what unpack() asks of a format.
 */
#ifndef SERVER_STORE_UNPACK_PACKING_H
#define SERVER_STORE_UNPACK_PACKING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* Octets that a decoder may take, and room that it may fill: it moves the
 * places and lowers the numbers. */
struct unpack_io {
	const uint8_t *in;
	size_t in_n;
	uint8_t *out;
	size_t out_n;
	bool last;  /* nothing comes behind the octets that are there */
	bool ended; /* the stream is complete; another one may follow */
};

struct unpack_decoder {
	void *(*begin)(void); /* the state for one stream; NULL: memory */
	/* Does what it can with the octets that are there.  E_FORMAT: they are
	 * damaged; E_FULL: it would take too much memory; E_NOMEM. */
	enum err (*step)(void *state, struct unpack_io *io);
	void (*end)(void *state);
};

/* Each is defined if its library was there. */
extern const struct unpack_decoder unpack_bzip2, unpack_gzip, unpack_lz4,
    unpack_xz, unpack_zstd;

#endif
