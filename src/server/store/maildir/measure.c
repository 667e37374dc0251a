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
maildir_stamp(const struct stat *st, bool packed)
{
	const uint64_t v[] = { (uint64_t)st->st_size,
		(uint64_t)st->st_mtim.tv_sec, (uint64_t)st->st_mtim.tv_nsec,
		packed };

	return XXH3_64bits(v, sizeof(v));
}

enum err
maildir_count(int fd, uint64_t stored, uint64_t *wire_r,
    const struct unpack_format **packed_r, struct errbuf *eb)
{
	struct pop3_wire w;
	char buf[PIECE];
	uint64_t at = 0;
	ssize_t n;

	*packed_r = NULL;
	pop3_wire_init(&w, POP3_ALL_LINES);
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
		pop3_wire_count(&w, buf, (size_t)n);
		at += (uint64_t)n;
	}
	*wire_r = pop3_wire_size(&w);
	return E_OK;
}

static enum err
count_put(void *wire, const void *p, size_t n, struct errbuf *eb)
{
	pop3_wire_count(wire, p, n);
	return E_OK;
}

static enum err
count_packed(const struct unpack_format *packed, int fd, uint64_t stored,
    uint64_t *wire_r, struct errbuf *eb)
{
	struct pop3_wire w;
	enum err e;

	pop3_wire_init(&w, POP3_ALL_LINES);
	e = unpack(packed, fd, stored, count_put, &w, eb);
	*wire_r = pop3_wire_size(&w);
	return e;
}

enum err
maildir_measure(
    int dir, const char *file, struct measure *m_r, struct errbuf *eb)
{
	const struct unpack_format *packed;
	struct stat st;
	uint64_t stored;
	enum err e;
	int fd;

	if ((e = maildir_file(dir, file, O_RDONLY, false, &fd, &st, eb)) !=
	    E_OK)
		return e;
	stored = (uint64_t)st.st_size;
	e = maildir_count(fd, stored, &m_r->wire, &packed, eb);
	if (e == E_OK && packed != NULL)
		e = count_packed(packed, fd, stored, &m_r->wire, eb);
	m_r->stamp = maildir_stamp(&st, packed != NULL);
	close(fd);
	return e;
}
