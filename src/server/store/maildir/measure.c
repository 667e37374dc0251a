#include "server/store/maildir/measure.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "pop3/wire.h"
#include "server/store/maildir/dir.h"
#include "server/store/unpack/unpack.h"

enum { PIECE = 64 * 1024 };

uint64_t
maildir_stamp(const struct stat *st, const struct obstacle *o)
{
	const uint64_t v[] = { (uint64_t)st->st_size,
		(uint64_t)st->st_mtim.tv_sec, (uint64_t)st->st_mtim.tv_nsec,
		(o->packed != NULL ? 1u : 0u) | (o->utf8 ? 2u : 0u) };

	return XXH3_64bits(v, sizeof(v));
}

static enum err
count_put(void *wire, const void *p, size_t n, struct errbuf *eb)
{
	pop3_wire_count(wire, p, n);
	return E_OK;
}

/* Of a file that is not compressed. */
static enum err
read_plain(int fd, uint64_t stored, surrogate_sink sink, void *arg,
    const struct unpack_format **packed_r, struct errbuf *eb)
{
	char buf[PIECE];
	uint64_t at = 0;
	ssize_t n;
	enum err e;

	*packed_r = NULL;
	while (at < stored) {
		uint64_t left = stored - at;

		n = pread(
		    fd, buf, left < PIECE ? (size_t)left : PIECE, (off_t)at);
		if (n < 0)
			return err_sys(eb, E_IO, "reading the message");
		if (n == 0)
			break; /* it has become shorter */
		if (at == 0 &&
		    (*packed_r = unpack_find(buf, (size_t)n)) != NULL)
			return E_OK;
		if ((e = sink(arg, buf, (size_t)n, eb)) != E_OK)
			return e;
		at += (uint64_t)n;
	}
	return E_OK;
}

enum err
maildir_transform(int fd, uint64_t stored, enum store_utf8 utf8,
    struct obstacle *o, surrogate_sink sink, void *arg, struct errbuf *eb)
{
	static const enum surrogate_how how[] = {
		[UTF8_CONVERT] = SURROGATE_FULL,
		[UTF8_SIMPLE] = SURROGATE_SIMPLE,
		[UTF8_REFUSE] = SURROGATE_NONE,
	};
	struct surrogate s;
	enum err e;

	if (utf8 != UTF8_PASS) {
		surrogate_begin(&s, how[utf8], sink, arg);
		sink = surrogate_put;
		arg = &s;
	}
	if (o->packed != NULL)
		e = unpack(o->packed, fd, stored, sink, arg, eb);
	else
		e = read_plain(fd, stored, sink, arg, &o->packed, eb);
	if (utf8 != UTF8_PASS) {
		e = surrogate_end(&s, e, eb);
		o->utf8 = s.needed;
	}
	return e;
}

static enum err
count(int fd, uint64_t stored, enum store_utf8 utf8, struct obstacle *o,
    uint64_t *wire_r, struct errbuf *eb)
{
	struct pop3_wire w;
	enum err e;

	pop3_wire_init(&w, POP3_ALL_LINES);
	e = maildir_transform(fd, stored, utf8, o, count_put, &w, eb);
	*wire_r = pop3_wire_size(&w);
	return e;
}

enum err
maildir_count(int fd, uint64_t stored, enum store_utf8 utf8, uint64_t *wire_r,
    struct obstacle *o_r, struct errbuf *eb)
{
	*o_r = (struct obstacle){ 0 };
	return count(fd, stored, utf8, o_r, wire_r, eb);
}

enum err
maildir_measure(int dir, const char *file, enum store_utf8 utf8,
    struct measure *m_r, struct errbuf *eb)
{
	struct obstacle o;
	struct stat st;
	uint64_t stored;
	enum err e;
	int fd;

	if ((e = maildir_file(dir, file, O_RDONLY, false, &fd, &st, eb)) !=
	    E_OK)
		return e;
	stored = (uint64_t)st.st_size;
	e = maildir_count(fd, stored, utf8, &m_r->wire, &o, eb);
	if (e == E_OK && o.packed != NULL)
		e = count(fd, stored, utf8, &o, &m_r->wire, eb);
	m_r->stamp = maildir_stamp(&st, &o);
	close(fd);
	return e;
}
