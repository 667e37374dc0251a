/*
 * A message as it stands in an mbox: its From line, quoting, and the empty line
 * at its end; and how large that is.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "base/i18n.h"
#include "client/deliver/mbox.h"
#include "client/deliver/sender.h"

enum {
	PIECE = 32 * 1024,
	FROM_LINE = SENDER_SIZE + 64,
};

static const char from[] = "From ";

/* Lines of any number of ">" and "From " get one ">" more.  It does not matter
 * which, so that it can be put right before "From ". */
struct render {
	mbox_sink *sink;
	void *arg;
	struct errbuf *eb;
	bool inside;   /* of a line that is not to be quoted */
	size_t so_far; /* octets of "From " that were met, not yet put */
	char last;     /* octet that was put */
	size_t n;
	char out[PIECE];
};

static enum err
flush_render(struct render *r)
{
	enum err e = E_OK;

	if (r->n > 0)
		e = r->sink(r->arg, r->out, r->n, r->eb);
	r->n = 0;
	return e;
}

static enum err
put_octets(struct render *r, const char *p, size_t n)
{
	enum err e;

	while (n > 0) {
		size_t room = sizeof(r->out) - r->n;
		size_t some = n < room ? n : room;

		memcpy(r->out + r->n, p, some);
		r->n += some;
		r->last = p[some - 1];
		p += some;
		n -= some;
		if (r->n == sizeof(r->out) && (e = flush_render(r)) != E_OK)
			return e;
	}
	return E_OK;
}

/* The octet goes on with "From ", or shows that it is not. */
static enum err
at_start(struct render *r, char c)
{
	enum err e;

	if (r->so_far == 0 && c == '>')
		return put_octets(r, &c, 1);
	if (c == from[r->so_far]) {
		if (++r->so_far < sizeof(from) - 1)
			return E_OK;
		r->inside = true;
		r->so_far = 0;
		return put_octets(r, ">From ", 6);
	}
	e = put_octets(r, from, r->so_far);
	r->so_far = 0;
	r->inside = c != '\n';
	return e == E_OK ? put_octets(r, &c, 1) : e;
}

static enum err
put_quoted(struct render *r, const char *p, size_t n)
{
	enum err e = E_OK;

	while (n > 0 && e == E_OK) {
		const char *end;
		size_t some = 1;

		if (r->inside) {
			end = memchr(p, '\n', n);
			some = end != NULL ? (size_t)(end + 1 - p) : n;
			r->inside = end == NULL;
			e = put_octets(r, p, some);
		} else {
			e = at_start(r, *p);
		}
		p += some;
		n -= some;
	}
	return e;
}

static enum err
put_body(struct render *r, int file)
{
	char in[PIECE];
	off_t at = 0;
	ssize_t n;
	enum err e = E_OK;

	while (e == E_OK && (n = pread(file, in, sizeof(in), at)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(
			    r->eb, disk_err(), _("cannot read a new message"));
		e = put_quoted(r, in, (size_t)n);
		at += n;
	}
	if (e == E_OK)
		e = put_octets(r, from, r->so_far);
	if (e == E_OK && r->last != '\n')
		e = put_octets(r, "\n", 1);
	return e == E_OK ? put_octets(r, "\n", 1) : e;
}

/* "From ana@example.org Sat Nov 22 12:03:04 2025" */
static enum err
put_from(struct render *r, int file)
{
	char sender[SENDER_SIZE], line[FROM_LINE], date[32];
	struct stat st;
	struct tm tm;
	int n;

	if (fstat(file, &st) != 0 || gmtime_r(&st.st_mtime, &tm) == NULL ||
	    asctime_r(&tm, date) == NULL)
		return err_sys(
		    r->eb, disk_err(), _("cannot read a new message"));
	sender_read(file, sender);
	n = snprintf(line, sizeof(line), "From %s %s",
	    sender[0] != '\0' ? sender : "MAILER-DAEMON", date);
	return put_octets(r, line, (size_t)n);
}

enum err
mbox_render(
    int file, unsigned lead, mbox_sink *sink, void *arg, struct errbuf *eb)
{
	struct render *r = malloc(sizeof(*r));
	enum err e;

	if (r == NULL)
		return err_set(eb, E_NOMEM, "%s", _("out of memory"));
	r->sink = sink;
	r->arg = arg;
	r->eb = eb;
	r->inside = false;
	r->so_far = r->n = 0;
	if ((e = put_octets(r, "\n\n", lead)) == E_OK &&
	    (e = put_from(r, file)) == E_OK && (e = put_body(r, file)) == E_OK)
		e = flush_render(r);
	free(r);
	return e;
}

enum err
mbox_lead(struct mbox *m, uint64_t offset, unsigned *lead_r, struct errbuf *eb)
{
	size_t n = offset < 2 ? (size_t)offset : 2;
	char end[2] =
	    "\n\n"; /* the head of the file is as good as a line end */

	if (pread(m->fd, end + 2 - n, n, (off_t)(offset - n)) != (ssize_t)n)
		return err_sys(eb, disk_err(), _("cannot read %s"), m->where);
	*lead_r = end[1] != '\n' ? 2 : end[0] != '\n' ? 1 : 0;
	return E_OK;
}

/* ---- measuring ---- */

struct digesting {
	EVP_MD_CTX *ctx;
	uint64_t length;
};

static enum err
measure_some(void *arg, const char *p, size_t n, struct errbuf *eb)
{
	struct digesting *d = arg;

	d->length += n;
	if (EVP_DigestUpdate(d->ctx, p, n) != 1)
		return err_set(eb, E_NOMEM, "%s", _("out of memory"));
	return E_OK;
}

enum err
mbox_measure(int file, unsigned lead, struct measure *m_r, struct errbuf *eb)
{
	struct digesting d = { .ctx = EVP_MD_CTX_new() };
	unsigned char md[EVP_MAX_MD_SIZE];
	enum err e = E_NOMEM;

	if (d.ctx == NULL || EVP_DigestInit_ex(d.ctx, EVP_sha256(), NULL) != 1)
		err_set(eb, e, "%s", _("out of memory"));
	else
		e = mbox_render(file, lead, measure_some, &d, eb);
	if (e == E_OK && EVP_DigestFinal_ex(d.ctx, md, NULL) != 1)
		e = err_set(eb, E_NOMEM, "%s", _("out of memory"));
	EVP_MD_CTX_free(d.ctx);
	if (e != E_OK)
		return e;
	m_r->length = d.length;
	memcpy(m_r->content.v, md, DIGEST_SIZE);
	return E_OK;
}
