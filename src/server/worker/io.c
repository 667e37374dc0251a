#include "server/worker/io.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include "base/clock.h"
#include "net/client_ca.h"
#include "server/ipc/tally.h"
#include "server/worker/reader.h"
#include "server/worker/traced.h"

enum err
session_offer(struct session *s, const char *p, size_t n, size_t *took_r)
{
	enum err e = conn_write(&s->conn, p, n, took_r);

	s->octets_out += *took_r;
	tally_add(TALLY_OCTETS_OUT, *took_r);
	if (s->dialogue != NULL)
		traced_octets(s, p, *took_r);
	if (*took_r != 0)
		s->progress = clock_ms();
	return e == E_AGAIN ? E_OK : e;
}

enum err
session_send(struct session *s, const char *p, size_t n)
{
	size_t done = 0;
	enum err e = E_OK;

	if (s->out.len == 0 && n >= OUT_MARK / 2 && !conn_is_blocked(&s->conn))
		e = session_offer(s, p, n, &done);
	return e == E_OK ? buf_put(&s->out, p + done, n - done) : e;
}

/* The first n octets of what is to be sent have been. */
static void
sent(struct session *s, size_t n)
{
	s->octets_out += n;
	tally_add(TALLY_OCTETS_OUT, n);
	if (s->dialogue != NULL)
		traced_octets(s, buf_data(&s->out), n);
	buf_consume(&s->out, n);
}

enum err
session_flush(struct session *s)
{
	enum err e = E_OK;
	size_t before = s->out.len + s->conn.sealed.len, n;

	while (s->out.len != 0 && e == E_OK) {
		e = conn_write(&s->conn, buf_data(&s->out), s->out.len, &n);
		sent(s, n);
		if (e == E_OK && s->conn.sealed.len != 0)
			e = conn_flush(&s->conn);
		if (e == E_OK && n == 0)
			e = E_AGAIN;
	}
	if (e == E_OK && s->conn.sealed.len != 0)
		e = conn_flush(&s->conn);
	if (s->out.len + s->conn.sealed.len < before)
		s->progress = clock_ms();
	return e;
}

enum err
session_flush_last(struct session *s)
{
	enum err e = E_OK;
	size_t n = 0;

	s->conn.last = true;
	/* What TLS takes is collected, not sent. */
	if (s->conn.ssl != NULL && !conn_is_blocked(&s->conn) &&
	    s->out.len != 0) {
		e = conn_write(&s->conn, buf_data(&s->out), s->out.len, &n);
		sent(s, n);
	}
	if (e != E_OK && e != E_AGAIN)
		return e;
	if (s->out.len == 0)
		conn_finish(&s->conn);
	return session_flush(s);
}

/* By way of the stack, as a command is short: while its answer is awaited it
 * takes the memory that it needs. */
enum err
session_fill(struct session *s)
{
	char piece[READ_PIECE];
	size_t n;
	enum err e = conn_read(&s->conn, piece, sizeof(piece), &n);

	if (n != 0 && buf_put(&s->in, piece, n) != E_OK)
		e = E_NOMEM;
	explicit_bzero(piece, n);
	if (n != 0)
		s->heard = clock_ms();
	s->octets_in += n;
	tally_add(TALLY_OCTETS_IN, n);
	return e == E_AGAIN ? E_OK : e;
}

bool
session_is_reading(const struct session *s)
{
	return s->disk != NULL && s->disk->state == READ_ASKED;
}

bool
session_has_read(const struct session *s)
{
	return s->disk != NULL && s->disk->state == READ_READY;
}

static ssize_t
read_now(int fd, uint64_t off, size_t len, char *to)
{
	struct iovec iov = { to, len };

	return preadv2(fd, &iov, 1, (off_t)off, RWF_NOWAIT);
}

bool
session_read_now(int fd, uint64_t off, size_t len, char *to)
{
	return read_now(fd, off, len, to) == (ssize_t)len;
}

enum go
session_read(struct session *s, int fd, uint64_t off, size_t len, bool whole,
    const char **p_r, size_t *n_r)
{
	struct worker *w = s->worker;
	struct read_job *job = s->disk;
	ssize_t n;

	if (job != NULL && job->state == READ_USED) {
		free(job);
		job = s->disk = NULL;
	}
	if (job != NULL && job->fd == fd && job->off == off) {
		job->state = READ_USED;
		*p_r = job->data;
		*n_r = job->got > 0 ? (size_t)job->got : 0;
		errno = job->got < 0 ? (int)-job->got : 0;
		return *n_r == 0 || (whole && *n_r < len) ? GO_FAIL : GO_ON;
	}
	n = read_now(fd, off, len, w->scratch);
	if (n > 0 && ((size_t)n == len || !whole)) {
		*p_r = w->scratch;
		*n_r = (size_t)n;
		return GO_ON;
	}
	if (n == 0)
		return GO_FAIL;
	/* Not in memory, or the file system cannot say. */
	free(s->disk);
	if ((s->disk = job = read_job_new(len)) == NULL)
		return GO_FAIL;
	job->done = w->read_done;
	job->arg = s;
	job->job.of = s->owner;
	job->fd = fd;
	job->off = off;
	reader_submit(w->readers, job);
	s->wait = WAIT_DISK;
	return GO_WAIT;
}

enum err
session_start_tls(struct session *s)
{
	const struct worker *w = s->worker;
	enum err e = conn_start_tls(&s->conn, s->listener->context);

	if (e == E_OK && s->listener->client_certificates &&
	    w->client_ca != NULL)
		e = client_ca_ask(w->client_ca, &s->conn);
	return e;
}
