/*
 * LZ4 as Dovecot writes it, which is not the format of lz4(1): after its magic
 * and the largest size of a chunk (4 octets, most significant first) come
 * chunks, each with its compressed length in 4 octets before it.  The file's
 * end, between two chunks, is the end.
 */
#include <lz4.h>
#include <stdlib.h>
#include <string.h>

#include "server/store/unpack/packing.h"
#include "server/store/unpack/unpack.h"

enum {
	LENGTH = 4,
	HEAD = UNPACK_MAGIC + LENGTH,
	CHUNK_MAX = 64 * 1024, /* as Dovecot writes and reads it */
	PACKED_MAX = LZ4_COMPRESSBOUND(CHUNK_MAX),
};

struct lz4 {
	size_t wanted;   /* octets of what comes next: head, length or chunk */
	size_t have;     /* of these */
	bool in_chunk;   /* what comes next is a chunk */
	size_t from, to; /* octets that are unpacked and not handed over yet */
	uint8_t in[PACKED_MAX], out[CHUNK_MAX];
};

static void *
lz4_begin(void)
{
	struct lz4 *z = malloc(sizeof(*z));

	if (z == NULL)
		return NULL;
	z->wanted = HEAD;
	z->have = z->from = z->to = 0;
	z->in_chunk = false;
	return z;
}

static size_t
length_at(const uint8_t *p)
{
	return (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 |
	       p[3];
}

/* All that was wanted is in z->in. */
static enum err
take_whole(struct lz4 *z)
{
	size_t n;
	int made;

	if (z->in_chunk) {
		made = LZ4_decompress_safe((const char *)z->in, (char *)z->out,
		    (int)z->have, CHUNK_MAX);
		if (made < 0)
			return E_FORMAT;
		z->from = 0;
		z->to = (size_t)made;
		n = LENGTH;
	} else if (z->wanted == HEAD) {
		if (length_at(z->in + UNPACK_MAGIC) > CHUNK_MAX)
			return E_FORMAT;
		n = LENGTH;
	} else if ((n = length_at(z->in)) == 0 || n > PACKED_MAX) {
		return E_FORMAT;
	}
	z->in_chunk = z->wanted == LENGTH && !z->in_chunk;
	z->wanted = n;
	z->have = 0;
	return E_OK;
}

static void
give_out(struct lz4 *z, struct unpack_io *io)
{
	size_t n = z->to - z->from < io->out_n ? z->to - z->from : io->out_n;

	memcpy(io->out, z->out + z->from, n);
	z->from += n;
	io->out += n;
	io->out_n -= n;
}

static bool
is_between_chunks(const struct lz4 *z)
{
	return z->wanted == LENGTH && z->have == 0 && !z->in_chunk;
}

static enum err
lz4_step(void *state, struct unpack_io *io)
{
	struct lz4 *z = state;
	enum err e = E_OK;

	give_out(z, io);
	while (e == E_OK && z->from == z->to && io->in_n != 0) {
		size_t n = z->wanted - z->have;

		if (n > io->in_n)
			n = io->in_n;
		memcpy(z->in + z->have, io->in, n);
		io->in += n;
		io->in_n -= n;
		if ((z->have += n) == z->wanted)
			e = take_whole(z);
		give_out(z, io);
	}
	io->ended = io->last && io->in_n == 0 && z->from == z->to &&
		    is_between_chunks(z);
	return e;
}

static void
lz4_end(void *state)
{
	free(state);
}

const struct unpack_decoder unpack_lz4 = { lz4_begin, lz4_step, lz4_end };
