#include "server/store/made.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

/* A message may be made of many headers and lines: so many octets are written at
 * a time. */
enum { SMALL = 64 * 1024 };

/* Octets of all messages that are there. */
static _Atomic uint64_t in_use;

enum err
made_begin(struct made *m, struct errbuf *eb)
{
	m->octets = 0;
	pop3_wire_init(&m->wire, POP3_ALL_LINES);
	buf_init(&m->small, SMALL, false);
	m->fd = memfd_create("malote.message", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	return m->fd >= 0 ? E_OK : err_sys(eb, E_NOMEM, "memory");
}

static enum err
reserve(struct made *m, size_t n, struct errbuf *eb)
{
	if (atomic_fetch_add(&in_use, n) + n <= MADE_MAX) {
		m->octets += n;
		return E_OK;
	}
	atomic_fetch_sub(&in_use, n);
	return err_set(eb, E_NOMEM,
	    "too much memory is in use for messages that are made: other "
	    "sessions have not finished reading theirs");
}

static enum err
write_all(int fd, const char *p, size_t n, struct errbuf *eb)
{
	while (n > 0) {
		ssize_t done = write(fd, p, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return err_sys(eb, E_NOMEM, "memory");
		p += done;
		n -= (size_t)done;
	}
	return E_OK;
}

static enum err
flush(struct made *m, struct errbuf *eb)
{
	enum err e = E_OK;

	if (m->small.len != 0)
		e = write_all(m->fd, buf_data(&m->small), m->small.len, eb);
	buf_consume(&m->small, m->small.len);
	return e;
}

enum err
made_put(void *arg, const void *p, size_t n, struct errbuf *eb)
{
	struct made *m = arg;
	enum err e = reserve(m, n, eb);

	if (e != E_OK)
		return e;
	pop3_wire_count(&m->wire, p, n);
	if (n > SMALL - m->small.len && (e = flush(m, eb)) != E_OK)
		return e;
	if (n > SMALL)
		return write_all(m->fd, p, n, eb);
	e = buf_put(&m->small, p, n);
	return e == E_OK ? E_OK : err_set(eb, e, "memory");
}

enum err
made_end(struct made *m, struct errbuf *eb)
{
	enum err e = flush(m, eb);

	buf_free(&m->small);
	if (e == E_OK &&
	    fcntl(m->fd, F_ADD_SEALS,
		F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
		return err_sys(eb, E_NOMEM, "sealing a message");
	return e;
}

void
made_drop(struct made *m)
{
	buf_free(&m->small);
	if (m->fd >= 0)
		close(m->fd);
	m->fd = -1;
	made_return(m->octets);
	m->octets = 0;
}

void
made_return(uint64_t octets)
{
	atomic_fetch_sub(&in_use, octets);
}
