/* Messages compressed by Zstandard, by libzstd. */
#include <zstd.h>
#include <zstd_errors.h>

#include "server/store/unpack/packing.h"

static void *
zstd_begin(void)
{
	return ZSTD_createDStream();
}

/* Its window, and so its memory, is at most 128 MiB: the library's own limit,
 * which no level of compression exceeds. */
static enum err
zstd_step(void *state, struct unpack_io *io)
{
	ZSTD_inBuffer in = { io->in, io->in_n, 0 };
	ZSTD_outBuffer out = { io->out, io->out_n, 0 };
	size_t r = ZSTD_decompressStream(state, &out, &in);

	switch (ZSTD_getErrorCode(r)) {
	case ZSTD_error_no_error: break;
	case ZSTD_error_memory_allocation: return E_NOMEM;
	case ZSTD_error_frameParameter_windowTooLarge: return E_FULL;
	default: return E_FORMAT;
	}
	io->in += in.pos;
	io->in_n -= in.pos;
	io->out += out.pos;
	io->out_n -= out.pos;
	io->ended = r == 0;
	return E_OK;
}

static void
zstd_end(void *state)
{
	ZSTD_freeDStream(state);
}

const struct unpack_decoder unpack_zstd = { zstd_begin, zstd_step, zstd_end };
