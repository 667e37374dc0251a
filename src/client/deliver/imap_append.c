/* APPEND: messages that are sent, and what the server says of them. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/i18n.h"
#include "client/deliver/imap.h"

enum {
	PIECE = 8 * 1024,
	GROUP = 256, /* messages in one command */
	GROUP_OCTETS = 8 << 20,
};

struct slice
imap_mailbox(const struct imap *m)
{
	return (struct slice){ m->mailbox, strlen(m->mailbox) };
}

/* ---- answers ---- */

/* Of "7", "7:9" or "7,9"; returns how many. */
static size_t
note_uids(struct imap *m, struct slice s)
{
	uint32_t first, last;
	size_t noted = 0;

	while (imap_number_take(&s, &first)) {
		last = first;
		if (s.n != 0 && *s.p == ':') {
			s = (struct slice){ s.p + 1, s.n - 1 };
			if (!imap_number_take(&s, &last))
				return noted;
		}
		if (s.n != 0)
			s = (struct slice){ s.p + 1, s.n - 1 };
		/* No more than we have given it. */
		for (uint32_t n = 0; first <= last && n < m->n; n++, first++) {
			if (!imap_claim(&m->claims, first))
				return noted;
			if (first >= m->next)
				m->next = first + 1;
			noted++;
		}
	}
	return noted;
}

/* Of how many messages it has told the number. */
static size_t
note_number(struct imap *m, const struct imap_response *r)
{
	struct slice args = r->args;
	uint32_t epoch;

	if (r->code != IMAP_CODE_APPENDUID || !imap_number_take(&args, &epoch))
		return 0;
	if (epoch == m->epoch)
		return note_uids(m, args);
	m->epoch = 0; /* another mailbox of that name by now */
	return 0;
}

/* It concerns all messages, and may be over another time. */
static bool
concerns_all(enum imap_code code)
{
	return code == IMAP_CODE_TRYCREATE || code == IMAP_CODE_NONEXISTENT ||
	       code == IMAP_CODE_UNAVAILABLE;
}

static bool
may_be_over(enum imap_code code)
{
	return code == IMAP_CODE_OVERQUOTA || code == IMAP_CODE_INUSE ||
	       code == IMAP_CODE_SERVERBUG || concerns_all(code);
}

static void
append_refused(
    struct delivery *d, struct parcel *p, const struct imap_response *r)
{
	struct imap *m = d->own;
	enum err e = may_be_over(r->code) ? E_AGAIN : E_DENIED;
	struct errbuf eb;

	imap_conn_refused(&m->conn, e, r, &eb);
	parcel_fail(p, e, "%s", eb.text);
	if (concerns_all(r->code))
		delivery_fail(d, e, &eb);
}

static size_t
size_of(const struct imap *m, size_t group)
{
	size_t n = 0;

	for (size_t i = 0; i < m->n; i++)
		n += m->v[i].how == SENT_WAITS && m->v[i].group == group;
	return n;
}

/* A yes to what has not been sent yet is none. */
static enum err
append_answered(
    struct delivery *d, const struct imap_event *ev, struct errbuf *eb)
{
	const struct imap_response *r = &ev->response;
	struct imap *m = d->own;
	size_t n = size_of(m, ev->item);
	bool numbered = false;
	enum err e = E_OK;

	if (r->status == IMAP_OK && ev->item == m->writing)
		return err_set(eb, E_FORMAT,
		    _("%s says that it has a message before it was sent"),
		    m->at->login.server);
	if (r->status == IMAP_OK)
		numbered = note_number(m, r) >= n;
	for (size_t i = 0; i < m->n; i++) {
		struct sending *s = &m->v[i];

		if (s->how != SENT_WAITS || s->group != ev->item)
			continue;
		s->how = SENT_SETTLED;
		if (r->status == IMAP_OK) {
			parcel_stored(d, s->p);
			if (!numbered && e == E_OK)
				e = remote_own(d, s->p, eb);
		} else if (n > 1 && !concerns_all(r->code)) {
			s->how = SENT_NOT;
			s->alone = true;
		} else {
			append_refused(d, s->p, r);
		}
	}
	return e;
}

/* Takes what has come, and waits for the first if there is nothing. */
enum err
imap_append_answers(
    struct delivery *d, bool waits, bool *go_r, struct errbuf *eb)
{
	struct imap *m = d->own;
	struct imap_event ev;
	enum err e;

	do {
		e = waits ? imap_conn_next(&m->conn, &ev, eb)
			  : imap_conn_poll(&m->conn, &ev, eb);
		waits = false;
		if (e != E_OK)
			return e;
		if (ev.type == IMAP_EV_DONE && ev.command == IMAP_APPEND)
			e = append_answered(d, &ev, eb);
		else if (ev.type == IMAP_EV_GO)
			*go_r = true;
	} while (e == E_OK && ev.type != IMAP_EV_MORE);
	return e;
}

/* ---- sending ---- */

static enum err
send_octets(struct delivery *d, const char *p, size_t n, struct errbuf *eb)
{
	struct imap *m = d->own;
	struct imap_conn *c = &m->conn;
	bool go = false;
	enum err e = E_OK;

	while (e == E_OK && imap_conn_is_full(c)) {
		e = imap_conn_turn(c, eb);
		if (e == E_OK)
			e = imap_append_answers(d, false, &go, eb);
	}
	if (e == E_OK && buf_put(&c->line.out, p, n) != E_OK)
		e = err_set(eb, E_NOMEM, "%s", _("out of memory"));
	return e;
}

/* From its beginning.  The file cannot have changed since it was measured; if it
 * has, the server is not told that this is all. */
static enum err
send_file(struct delivery *d, const struct parcel *p, int fd, struct errbuf *eb)
{
	char in[PIECE], out[2 * PIECE];
	uint64_t left = p->length;
	ssize_t n;
	enum err e;

	while (left != 0 && (n = read(fd, in, sizeof(in))) != 0) {
		size_t made;

		if (n < 0 && errno == EINTR)
			continue;
		made = n > 0 ? remote_crlf(out, in, (size_t)n) : 0;
		if (n < 0 || made > left)
			break;
		left -= made;
		if ((e = send_octets(d, out, made, eb)) != E_OK)
			return e;
	}
	return left == 0 ? E_OK
			 : err_set(eb, E_IO,
			       _("cannot read a new message in %s"), d->where);
}

/* Until the server asks for it, or has refused it. */
static enum err
await_go(struct delivery *d, size_t i, bool *go_r, struct errbuf *eb)
{
	struct imap *m = d->own;
	enum err e = E_OK;

	*go_r = false;
	while (e == E_OK && !*go_r && m->v[i].how == SENT_WAITS)
		e = imap_append_answers(d, true, go_r, eb);
	return e;
}

/* Some messages in one command. */
struct group {
	size_t number, n;
	uint64_t octets;
	bool refused; /* before its octets were sent */
	struct imap_append last;
};

static enum err
write_head(struct imap *m, struct group *g, const struct imap_append *a)
{
	struct imap_client *client = &m->conn.client;
	struct buf *out = &m->conn.line.out;

	return g->n == 0 ? imap_client_append(client, out, a, g->number)
			 : imap_client_append_more(client, out, &g->last, a);
}

static enum err
send_open(
    struct delivery *d, struct group *g, size_t i, int fd, struct errbuf *eb)
{
	struct imap *m = d->own;
	const struct parcel *p = m->v[i].p;
	struct remote_head head;
	struct imap_append a = {
		.mailbox = imap_mailbox(m),
		.flags = m->flags,
		.octets = p->length,
	};
	bool go = true;
	enum err e;

	remote_head_read(fd, &head);
	a.date = head.arrived;
	a.is_utf8 = !head.is_ascii;
	if ((e = write_head(m, g, &a)) != E_OK)
		return err_set(eb, e, "%s", err_str(e));
	m->v[i].how = SENT_WAITS;
	m->v[i].group = g->number;
	g->last = a;
	g->n++;
	g->octets += p->length;
	if (imap_client_append_waits(&m->conn.client, &a) &&
	    (e = await_go(d, i, &go, eb)) != E_OK)
		return e;
	g->refused = !go;
	return go ? send_file(d, p, fd, eb) : E_OK;
}

static enum err
send_one(struct delivery *d, struct group *g, size_t i, struct errbuf *eb)
{
	struct imap *m = d->own;
	enum err e;
	int fd;

	if ((e = parcel_open(d, m->v[i].p, &fd, eb)) != E_OK)
		return e;
	e = send_open(d, g, i, fd, eb);
	close(fd);
	return e;
}

/* May this one follow in the same command? */
static bool
fits(const struct imap *m, const struct group *g, size_t i)
{
	const struct imap_append a = { .octets = m->v[i].p->length };

	return m->conn.client.capability.multiappend && !m->v[i].alone &&
	       g->n < GROUP && g->octets + a.octets <= GROUP_OCTETS &&
	       !imap_client_append_waits(&m->conn.client, &g->last) &&
	       !imap_client_append_waits(&m->conn.client, &a);
}

/* The message i, and those behind it that may go with it. */
static enum err
write_group(struct delivery *d, size_t i, struct errbuf *eb)
{
	struct imap *m = d->own;
	struct group g = { .number = m->groups++ };
	bool alone = m->v[i].alone;
	enum err e;

	m->writing = g.number;
	e = send_one(d, &g, i, eb);

	/* Nothing is put into a command that has been answered already. */
	for (i++; i < m->n && e == E_OK && !alone && size_of(m, g.number) != 0;
	     i++)
		if (m->v[i].how == SENT_NOT && fits(m, &g, i))
			e = send_one(d, &g, i, eb);
	if (e == E_OK && !g.refused &&
	    imap_client_append_end(
		&m->conn.client, &m->conn.line.out, &g.last) != E_OK)
		e = err_set(eb, E_NOMEM, "%s", _("out of memory"));
	return e;
}

static enum err
send_group(struct delivery *d, size_t i, struct errbuf *eb)
{
	struct imap *m = d->own;
	enum err e = write_group(d, i, eb);

	m->writing = NO_GROUP;
	return e;
}

/* Each message that has not been sent, and is to be. */
enum err
imap_append_rest(struct delivery *d, struct errbuf *eb)
{
	struct imap *m = d->own;
	bool go = false;
	enum err e = E_OK;

	for (size_t i = 0; i < m->n && e == E_OK; i++) {
		if (m->v[i].how != SENT_NOT || d->stopping || d->failed != E_OK)
			continue;
		e = send_group(d, i, eb);
		while (
		    e == E_OK && m->conn.client.n_pending == IMAP_PENDING_MAX)
			e = imap_append_answers(d, true, &go, eb);
		if (e == E_OK)
			e = imap_append_answers(d, false, &go, eb);
	}
	return e;
}
