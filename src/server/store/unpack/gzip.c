/* Messages compressed by gzip and zlib, by zlib. */
#include <stdlib.h>
#define ZLIB_CONST
#include <zlib.h>

#include "server/store/unpack/packing.h"

enum { GZIP_ONLY = 16 }; /* added to the window's bits: as zlib.h says */

static void *
gzip_begin(void)
{
	z_stream *z = calloc(1, sizeof(*z));

	if (z != NULL && inflateInit2(z, MAX_WBITS + GZIP_ONLY) == Z_OK)
		return z;
	free(z);
	return NULL;
}

static enum err
gzip_step(void *state, struct unpack_io *io)
{
	z_stream *z = state;
	int r;

	z->next_in = io->in;
	z->avail_in = (unsigned)io->in_n;
	z->next_out = io->out;
	z->avail_out = (unsigned)io->out_n;
	r = inflate(z, Z_NO_FLUSH);
	io->in = z->next_in;
	io->in_n = z->avail_in;
	io->out = z->next_out;
	io->out_n = z->avail_out;
	io->ended = r == Z_STREAM_END;
	/* Z_BUF_ERROR: there was nothing to do. */
	if (r == Z_OK || r == Z_STREAM_END || r == Z_BUF_ERROR)
		return E_OK;
	return r == Z_MEM_ERROR ? E_NOMEM : E_FORMAT;
}

static void
gzip_end(void *state)
{
	inflateEnd(state);
	free(state);
}

const struct unpack_decoder unpack_gzip = { gzip_begin, gzip_step, gzip_end };
