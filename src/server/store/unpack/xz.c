/* Messages compressed by xz and lzma, by liblzma. */
#include <lzma.h>
#include <stdlib.h>

#include "server/store/unpack/packing.h"

enum { MEMORY_MAX = 80 << 20 }; /* xz -9 needs 65 MiB */

static void *
xz_begin(void)
{
	lzma_stream *z = calloc(1, sizeof(*z)); /* as LZMA_STREAM_INIT is */

	if (z != NULL && lzma_stream_decoder(z, MEMORY_MAX, 0) == LZMA_OK)
		return z;
	free(z);
	return NULL;
}

static enum err
xz_step(void *state, struct unpack_io *io)
{
	lzma_stream *z = state;
	lzma_ret r;

	z->next_in = io->in;
	z->avail_in = io->in_n;
	z->next_out = io->out;
	z->avail_out = io->out_n;
	r = lzma_code(z, LZMA_RUN);
	io->in = z->next_in;
	io->in_n = z->avail_in;
	io->out = z->next_out;
	io->out_n = z->avail_out;
	io->ended = r == LZMA_STREAM_END;
	/* LZMA_BUF_ERROR: there was nothing to do. */
	if (r == LZMA_OK || r == LZMA_STREAM_END || r == LZMA_BUF_ERROR)
		return E_OK;
	if (r == LZMA_MEMLIMIT_ERROR)
		return E_FULL;
	return r == LZMA_MEM_ERROR ? E_NOMEM : E_FORMAT;
}

static void
xz_end(void *state)
{
	lzma_end(state);
	free(state);
}

const struct unpack_decoder unpack_xz = { xz_begin, xz_step, xz_end };
