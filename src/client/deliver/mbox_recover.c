/*
 * Is a message in the mbox?  Publishing appends, syncs, and removes the file
 * from the spool.  So if that has gone, the message was here, wherever the
 * person's mail program has put it since.  Else, in this order:
 *
 *	1. What is at its offset is the message: it is here.
 *	2. The mbox ends within it, and what is there is its head: it was being
 *	   written, and is written now.
 *	3. The mbox was rewritten.  A message with the same identity and the
 *	   same body is it.  (The body, as a torn one would have its header.)
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "base/clock.h"
#include "base/i18n.h"
#include "client/deliver/kind.h"
#include "client/deliver/mbox.h"

enum { PIECE = 32 * 1024 };

/* ---- a message's identity and body ---- */

/* Line ends at its end do not count: mail programs add and drop them. */
struct look {
	struct identity_reader *reader;
	EVP_MD_CTX *body;
	bool in_body, line_start, failed;
	uint64_t ends; /* LFs that nothing has followed so far */
};

struct looked {
	struct identity identity;
	struct digest body;
};

static bool
look_init(struct look *l)
{
	*l = (struct look){ .reader = identity_reader_new(),
		.body = EVP_MD_CTX_new() };
	return l->reader != NULL && l->body != NULL;
}

static void
look_clear(struct look *l)
{
	identity_reader_free(l->reader);
	EVP_MD_CTX_free(l->body);
}

static void
look_begin(void *arg)
{
	struct look *l = arg;

	identity_reader_reset(l->reader);
	l->in_body = l->failed = false;
	l->line_start = true;
	l->ends = 0;
	if (EVP_DigestInit_ex(l->body, EVP_sha256(), NULL) != 1)
		l->failed = true;
}

static void
digest_body(struct look *l, const char *p, size_t n)
{
	if (EVP_DigestUpdate(l->body, p, n) != 1)
		l->failed = true;
}

static void
look_body(struct look *l, const char *p, size_t n)
{
	while (n > 0) {
		size_t some = 0;

		while (some < n && p[some] == '\n')
			some++;
		l->ends += some;
		p += some;
		n -= some;
		if (n == 0)
			break;
		for (; l->ends > 0; l->ends--)
			digest_body(l, "\n", 1);
		for (some = 0; some < n && p[some] != '\n'; some++)
			;
		digest_body(l, p, some);
		p += some;
		n -= some;
	}
}

static void
look_octets(void *arg, const char *p, size_t n)
{
	struct look *l = arg;

	if (!identity_reader_done(l->reader))
		identity_reader_add(l->reader, p, n);
	while (n > 0 && !l->in_body) {
		const char *end = memchr(p, '\n', n);
		size_t some = end != NULL ? (size_t)(end + 1 - p) : n;

		l->in_body = l->line_start && end == p;
		l->line_start = end != NULL;
		p += some;
		n -= some;
	}
	look_body(l, p, n);
}

static bool
look_end(struct look *l, struct looked *is_r)
{
	unsigned char md[EVP_MAX_MD_SIZE];

	if (l->failed || EVP_DigestFinal_ex(l->body, md, NULL) != 1)
		return false;
	is_r->identity = identity_reader_end(l->reader);
	memcpy(is_r->body.v, md, DIGEST_SIZE);
	return true;
}

static enum err
look_at_file(struct look *l, int fd, struct looked *is_r, struct errbuf *eb)
{
	char in[PIECE];
	off_t at = 0;
	ssize_t n;

	look_begin(l);
	while ((n = pread(fd, in, sizeof(in), at)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(
			    eb, disk_err(), _("cannot read a new message"));
		look_octets(l, in, (size_t)n);
		at += n;
	}
	return look_end(l, is_r)
		   ? E_OK
		   : err_set(eb, E_NOMEM, "%s", _("out of memory"));
}

/* ---- 3. searching ---- */

struct search {
	struct look look; /* first: events are given to it */
	struct looked wanted;
	bool found, any_body;
};

static enum err
search_end(void *arg)
{
	struct search *s = arg;
	struct looked is;

	if (!look_end(&s->look, &is))
		return E_NOMEM;
	if (digest_eq(is.identity.header, s->wanted.identity.header) &&
	    (s->any_body || digest_eq(is.body, s->wanted.body)))
		s->found = true;
	return E_OK;
}

/* file: -1: its body is not known any more. */
static enum err
search_mbox(struct mbox *m, const struct parcel *in, int file, bool *found_r,
    struct errbuf *eb)
{
	static const struct mbox_events events = { look_begin, look_octets,
		search_end };
	struct search s = { .found = false, .any_body = file < 0 };
	enum err e = E_OK;

	s.wanted.identity = in->identity;
	if (!look_init(&s.look))
		e = err_set(eb, E_NOMEM, "%s", _("out of memory"));
	else if (file >= 0)
		e = look_at_file(&s.look, file, &s.wanted, eb);
	if (e == E_OK)
		e = mbox_read(m, &events, &s, eb);
	look_clear(&s.look);
	*found_r = s.found;
	return e;
}

/* ---- 1. and 2. comparing ---- */

struct compare {
	const struct mbox *m;
	uint64_t at, end; /* of the mbox */
	bool differs;
};

static enum err
compare_some(void *arg, const char *p, size_t n, struct errbuf *eb)
{
	struct compare *c = arg;
	char is[PIECE];

	while (n > 0 && c->at < c->end && !c->differs) {
		size_t some = n < sizeof(is) ? n : sizeof(is);
		ssize_t got;

		if (some > c->end - c->at)
			some = (size_t)(c->end - c->at);
		got = pread(c->m->fd, is, some, (off_t)c->at);
		if (got <= 0)
			return err_sys(
			    eb, disk_err(), _("cannot read %s"), c->m->where);
		c->differs = memcmp(p, is, (size_t)got) != 0;
		c->at += (uint64_t)got;
		p += got;
		n -= (size_t)got;
	}
	return E_OK;
}

static enum err
finish_append(struct mbox *m, int file, const struct parcel *in, bool *stored_r,
    struct errbuf *eb)
{
	enum err e;

	e = mbox_append(m, file, in->offset, in->length, eb);
	if (e == E_OK && fsync(m->fd) != 0)
		e = err_sys(eb, disk_err(), _("cannot sync %s"), m->where);
	*stored_r = e == E_OK;
	return e;
}

static enum err
look_at_offset(struct mbox *m, int file, const struct parcel *in,
    bool *stored_r, struct errbuf *eb)
{
	struct compare c = { .m = m, .at = in->offset };
	struct measure is;
	struct stat st;
	unsigned lead;
	enum err e;

	if (fstat(m->fd, &st) != 0)
		return err_sys(eb, disk_err(), _("cannot read %s"), m->where);
	c.end = (uint64_t)st.st_size;
	if (c.end < in->offset)
		return E_OK;
	if ((e = mbox_lead(m, in->offset, &lead, eb)) != E_OK ||
	    (e = mbox_measure(file, lead, &is, eb)) != E_OK)
		return e;
	/* What is before it has changed, or the file has. */
	if (is.length != in->length || !digest_eq(is.content, in->content))
		return E_OK;
	e = mbox_render(file, lead, compare_some, &c, eb);
	if (e != E_OK || c.differs)
		return e;
	if (c.at < in->offset + in->length)
		return finish_append(m, file, in, stored_r, eb);
	*stored_r = true;
	if (fsync(m->fd) != 0)
		return err_sys(eb, disk_err(), _("cannot sync %s"), m->where);
	return E_OK;
}

enum err
mbox_recover(struct delivery *d, const struct parcel *in, bool young,
    bool *stored_r, struct errbuf *eb)
{
	struct mbox *m = d->own;
	int file = -1;
	bool there;
	enum err e;

	if ((e = files_have(d, in->tmp, &there, eb)) != E_OK)
		return e;
	*stored_r = !there && young;
	if (*stored_r)
		return E_OK;
	if ((e = mbox_lock(m, false, eb)) != E_OK)
		return e == E_NOENT ? E_OK : e;
	if (there)
		e = parcel_open(d, in, &file, eb);
	if (e == E_OK && there)
		e = look_at_offset(m, file, in, stored_r, eb);
	if (e == E_OK && !*stored_r)
		e = search_mbox(m, in, file, stored_r, eb);
	if (file >= 0)
		close(file);
	mbox_unlock(m);
	return e;
}

/* ---- a state that was lost ---- */

struct scan {
	struct look look; /* first: events are given to it */
	enum err (*found)(void *arg, const struct delivery_found *f);
	void *arg;
	int64_t now;
};

static enum err
scan_end(void *arg)
{
	struct scan *s = arg;
	struct looked is;
	struct delivery_found f;

	if (!look_end(&s->look, &is))
		return E_NOMEM;
	f = (struct delivery_found){ .identity = is.identity,
		.stored_at = s->now };
	return s->found(s->arg, &f);
}

enum err
mbox_scan(struct delivery *d,
    enum err (*found)(void *arg, const struct delivery_found *f), void *arg,
    struct errbuf *eb)
{
	static const struct mbox_events events = { look_begin, look_octets,
		scan_end };
	struct scan s = { .found = found,
		.arg = arg,
		.now = (int64_t)(clock_unix_ms() / 1000) };
	struct mbox *m = d->own;
	enum err e;

	if ((e = mbox_lock(m, false, eb)) != E_OK)
		return e == E_NOENT ? E_OK : e;
	if (!look_init(&s.look))
		e = err_set(eb, E_NOMEM, "%s", _("out of memory"));
	else
		e = mbox_read(m, &events, &s, eb);
	look_clear(&s.look);
	mbox_unlock(m);
	return e;
}
