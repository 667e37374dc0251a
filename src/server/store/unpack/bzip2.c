/* Messages compressed by bzip2, by libbz2. */
#include <bzlib.h>
#include <stdlib.h>

#include "server/store/unpack/packing.h"

static void *
bzip2_begin(void)
{
	bz_stream *z = calloc(1, sizeof(*z));

	if (z != NULL && BZ2_bzDecompressInit(z, 0, 0) == BZ_OK)
		return z;
	free(z);
	return NULL;
}

static enum err
bzip2_step(void *state, struct unpack_io *io)
{
	bz_stream *z = state;
	int r;

	z->next_in = (char *)(uintptr_t)io->in; /* it is only read */
	z->avail_in = (unsigned)io->in_n;
	z->next_out = (char *)io->out;
	z->avail_out = (unsigned)io->out_n;
	r = BZ2_bzDecompress(z);
	io->in += io->in_n - z->avail_in;
	io->in_n = z->avail_in;
	io->out += io->out_n - z->avail_out;
	io->out_n = z->avail_out;
	io->ended = r == BZ_STREAM_END;
	if (r == BZ_OK || r == BZ_STREAM_END)
		return E_OK;
	return r == BZ_MEM_ERROR ? E_NOMEM : E_FORMAT;
}

static void
bzip2_end(void *state)
{
	BZ2_bzDecompressEnd(state);
	free(state);
}

const struct unpack_decoder unpack_bzip2 = { bzip2_begin, bzip2_step,
	bzip2_end };
