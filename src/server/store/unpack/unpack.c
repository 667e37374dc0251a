#include "server/store/unpack/unpack.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/store/unpack/packing.h"

enum { PIECE = 64 * 1024 };

struct unpack_format {
	const char *name, *magic;
	size_t magic_n;
	const struct unpack_decoder
	    *decoder; /* NULL: this build cannot read it */
};

/* A decoder, or NULL if its library was not there. */
#ifdef HAVE_BZIP2
#define BZIP2 &unpack_bzip2
#else
#define BZIP2 NULL
#endif
#ifdef HAVE_ZLIB
#define GZIP &unpack_gzip
#else
#define GZIP NULL
#endif
#ifdef HAVE_LZ4
#define LZ4 &unpack_lz4
#else
#define LZ4 NULL
#endif
#ifdef HAVE_LZMA
#define XZ &unpack_xz
#else
#define XZ NULL
#endif
#ifdef HAVE_ZSTD
#define ZSTD &unpack_zstd
#else
#define ZSTD NULL
#endif

#define MAGIC(text) text, sizeof(text) - 1

/* bzip2's fourth octet is the size of its blocks: is_format(). */
static const struct unpack_format format[] = {
	{ "gzip", MAGIC("\x1f\x8b"), GZIP },
	{ "bzip2", MAGIC("BZh"), BZIP2 },
	{ "xz", MAGIC("\xfd\x37zXZ\0"), XZ },
	{ "zstd", MAGIC("\x28\xb5\x2f\xfd"), ZSTD },
	{ "lz4", MAGIC("Dovecot-LZ4\x0d\x2a\x9b\xc5"), LZ4 },
	/* Encrypted, and only found here: its keys are not ours. */
	{ "Dovecot's mail_crypt", MAGIC("CRYPTED\x03\x07"), NULL },
};

/* "BZh" might begin a line of text: what follows it is compared as well, the
 * size of a block and the head of the first one, or of an end without any. */
static bool
is_bzip2(const uint8_t *p, size_t n)
{
	return n >= 10 && p[3] >= '1' && p[3] <= '9' &&
	       (memcmp(p + 4, "\x31\x41\x59\x26\x53\x59", 6) == 0 ||
		   memcmp(p + 4, "\x17\x72\x45\x38\x50\x90", 6) == 0);
}

static bool
is_format(const struct unpack_format *f, const uint8_t *p, size_t n)
{
	return n >= f->magic_n && memcmp(p, f->magic, f->magic_n) == 0 &&
	       (p[0] != 'B' || is_bzip2(p, n));
}

const struct unpack_format *
unpack_find(const void *p, size_t n)
{
	for (size_t i = 0; i < sizeof(format) / sizeof(format[0]); i++)
		if (is_format(&format[i], p, n))
			return &format[i];
	return NULL;
}

/* A file on its way. */
struct unpacking {
	const struct unpack_format *format;
	int fd;
	uint64_t stored, at; /* octets of the file, and of those read */
	uint64_t room;       /* octets that the message may still get */
	void *state;         /* of the decoder */
	struct unpack_io io;
	unpack_put put;
	void *arg;
	struct errbuf *eb;
	uint8_t in[PIECE], out[PIECE];
};

/* How large the message may become. */
static uint64_t
most_octets(uint64_t stored)
{
	if (stored > (UNPACK_MAX - UNPACK_FREE) / UNPACK_RATIO)
		return UNPACK_MAX;
	return UNPACK_FREE + stored * UNPACK_RATIO;
}

static enum err
fill(struct unpacking *u)
{
	uint64_t left = u->stored - u->at;
	ssize_t n;

	n = pread(
	    u->fd, u->in, left < PIECE ? (size_t)left : PIECE, (off_t)u->at);
	if (n < 0)
		return err_sys(u->eb, E_IO, "reading the message");
	if (n == 0)
		u->stored = u->at; /* it has become shorter */
	u->at += (uint64_t)n;
	u->io.in = u->in;
	u->io.in_n = (size_t)n;
	return E_OK;
}

/* What the decoder has put into u->out. */
static enum err
hand_over(struct unpacking *u, size_t n)
{
	if (n > u->room)
		return err_set(u->eb, E_FORMAT,
		    "%s: it would become too large when unpacked",
		    u->format->name);
	u->room -= n;
	return u->put(u->arg, u->out, n, u->eb);
}

static enum err
begin_stream(struct unpacking *u)
{
	if (u->state != NULL)
		u->format->decoder->end(u->state);
	u->io.ended = false;
	u->state = u->format->decoder->begin();
	return u->state != NULL ? E_OK : err_set(u->eb, E_NOMEM, "unpacking");
}

/* *idle_r: nothing was taken, and nothing made. */
static enum err
step(struct unpacking *u, bool *idle_r)
{
	size_t in_n = u->io.in_n, made;
	enum err e;

	u->io.out = u->out;
	u->io.out_n = sizeof(u->out);
	u->io.last = u->at == u->stored;
	e = u->format->decoder->step(u->state, &u->io);
	made = sizeof(u->out) - u->io.out_n;
	*idle_r = made == 0 && u->io.in_n == in_n && !u->io.ended;
	if (e == E_NOMEM)
		return err_set(u->eb, e, "unpacking");
	if (e != E_OK)
		return err_set(u->eb, E_FORMAT, "%s: %s", u->format->name,
		    e == E_FULL ? "it takes too much memory to unpack"
				: "damaged");
	return made != 0 ? hand_over(u, made) : E_OK;
}

/* Streams may follow one another, as gzip(1) and the like write them. */
static enum err
unpack_all(struct unpacking *u)
{
	bool idle = false;
	enum err e = begin_stream(u);

	while (e == E_OK) {
		if (u->io.in_n == 0 && u->at < u->stored &&
		    (e = fill(u)) != E_OK)
			break;
		if (u->io.ended && u->io.in_n == 0)
			return E_OK;
		if (u->io.ended && (e = begin_stream(u)) != E_OK)
			break;
		if ((e = step(u, &idle)) == E_OK && idle)
			e = err_set(u->eb, E_FORMAT, "%s: %s", u->format->name,
			    u->io.in_n == 0 ? "its end is missing" : "damaged");
	}
	return e;
}

enum err
unpack(const struct unpack_format *f, int fd, uint64_t stored, unpack_put put,
    void *arg, struct errbuf *eb)
{
	struct unpacking *u;
	enum err e;

	if (f->decoder == NULL)
		return err_set(eb, E_FORMAT,
		    "its format, %s, is one that this maloted cannot read",
		    f->name);
	if ((u = malloc(sizeof(*u))) == NULL)
		return err_set(eb, E_NOMEM, "unpacking");
	u->format = f;
	u->fd = fd;
	u->stored = stored;
	u->at = 0;
	u->room = most_octets(stored);
	u->state = NULL;
	u->io = (struct unpack_io){ .in_n = 0 };
	u->put = put;
	u->arg = arg;
	u->eb = eb;
	e = unpack_all(u);
	if (u->state != NULL)
		f->decoder->end(u->state);
	free(u);
	return e;
}
