/*
 * Delivery to a mailbox of an IMAP server (RFC 3501 s6.3.11, 4315, 7888).
 *
 * The messages of a batch are sent one behind the other, without waiting for the
 * answers where the server takes literals that are not waited for, and many in one
 * command where it has MULTIAPPEND: it stores all of them at once, or none, and
 * then each is sent alone.  A message was taken when the APPEND that it was in was
 * answered OK; one without an answer is asked for over a new connection
 * (imap_find.c), and if that cannot be had, by the next run.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/i18n.h"
#include "client/deliver/imap_conn.h"

enum {
	PIECE = 8 * 1024,
	ATTEMPTS = 2, /* connections for one batch */
	GROUP = 256,  /* messages in one command */
	GROUP_OCTETS = 8 << 20,
};

/* How far a message of a batch has come. */
struct sending {
	enum { SENT_NOT, SENT_WAITS, SENT_ANSWERED } how;
	size_t group; /* WAITS: the number of its command */
	bool alone;   /* it was refused together with others */
};

struct imap {
	struct imap_conn conn;
	const struct destination *at;
	char *mailbox;
	char *flags;          /* of new messages; or NULL */
	uint32_t epoch, next; /* of the mailbox, as of now; 0: not known */
	/* Of the batch. */
	struct parcel **v;
	struct sending *sent;
	size_t n;
	size_t groups; /* so far */
	struct imap_claims claims;
};

/* False: memory. */
static bool
set_flags(struct imap *m, bool seen)
{
	static const char flag[] = "\\Seen";
	const char *more = m->at->flags;

	if (more == NULL && !seen)
		return true;
	if (more == NULL || !seen || strstr(more, flag) != NULL)
		m->flags = strdup(more != NULL ? more : flag);
	else if (asprintf(&m->flags, "%s %s", flag, more) < 0)
		m->flags = NULL;
	return m->flags != NULL;
}

static enum err
open_imap(struct delivery *d, const struct dest *dest,
    const struct delivery_env *env, struct errbuf *eb)
{
	struct imap *m = calloc(1, sizeof(*m));
	const struct imap_conn_conf conf = {
		.timeout = env->timeout,
		.ask = env->ask,
		.ask_arg = env->ask_arg,
		.stopping = &d->stopping,
	};

	d->own = m;
	if (m == NULL || (m->mailbox = strdup(dest->mailbox)) == NULL)
		return err_set(eb, E_NOMEM, "%s", _("out of memory"));
	m->at = dest->at;
	if (!set_flags(m, env->seen))
		return err_set(eb, E_NOMEM, "%s", _("out of memory"));
	return imap_conn_init(&m->conn, dest->at, &conf, eb);
}

static void
close_imap(struct delivery *d)
{
	struct imap *m = d->own;

	imap_conn_free(&m->conn);
	free(m->mailbox);
	free(m->flags);
	free(m->claims.v);
	free(m);
}

/* Nobody knows any more how to sign in there. */
static bool
has_gone_imap(const struct dest *dest)
{
	return dest->at == NULL;
}

/* ---- the mailbox ---- */

static struct slice
mailbox_of(const struct imap *m)
{
	return (struct slice){ m->mailbox, strlen(m->mailbox) };
}

static void
on_status(void *arg, const struct imap_response *r)
{
	struct imap *m = arg;
	struct imap_mailbox said;

	if (!slice_caseeq(r->name, "STATUS") ||
	    !imap_status_read(r->rest, &said))
		return;
	m->epoch = said.uidvalidity;
	m->next = said.uidnext;
}

static enum err
ask_mailbox(struct imap *m, enum imap_command command, struct imap_event *ev,
    struct errbuf *eb)
{
	struct imap_conn *c = &m->conn;

	return imap_conn_ask(c,
	    imap_client_mailbox(
		&c->client, &c->line.out, command, mailbox_of(m)),
	    ev, on_status, m, eb);
}

static enum err
no_mailbox(
    const struct imap *m, const struct imap_response *r, struct errbuf *eb)
{
	char box[80], words[100];

	return err_set(eb, E_CONFIG,
	    _("%s has no mailbox \"%s\": it says \"%s\""), m->at->login.server,
	    str_quote(box, sizeof(box), m->mailbox, strlen(m->mailbox)),
	    str_quote(words, sizeof(words), r->words.p, r->words.n));
}

/* One that another session has just made has no numbers for a moment. */
static enum err
ask_numbers(struct imap *m, struct imap_event *ev, struct errbuf *eb)
{
	const struct timespec moment = { .tv_nsec = 500 * 1000 * 1000 };
	enum err e = ask_mailbox(m, IMAP_STATUS, ev, eb);

	if (e != E_OK || ev->response.status != IMAP_OK ||
	    (m->epoch != 0 && m->next != 0))
		return e;
	nanosleep(&moment, NULL);
	return ask_mailbox(m, IMAP_STATUS, ev, eb);
}

/* Learns the numbers of the mailbox, and makes it where the person wants that. */
static enum err
know_mailbox(struct imap *m, struct errbuf *eb)
{
	struct imap_event ev;
	enum err e;

	m->epoch = m->next = 0;
	e = ask_numbers(m, &ev, eb);
	if (e == E_OK && ev.response.status != IMAP_OK && m->at->creates) {
		if ((e = ask_mailbox(m, IMAP_CREATE, &ev, eb)) != E_OK)
			return e;
		if (ev.response.status != IMAP_OK)
			return no_mailbox(m, &ev.response, eb);
		e = ask_numbers(m, &ev, eb);
	}
	if (e != E_OK)
		return e;
	if (ev.response.status != IMAP_OK)
		return no_mailbox(m, &ev.response, eb);
	if (m->epoch == 0 || m->next == 0)
		return err_set(eb, E_AGAIN,
		    _("%s does not number its messages as IMAP does"),
		    m->at->login.server);
	return E_OK;
}

/* A connection that is signed in, to a mailbox that is known. */
static enum err
ready(struct imap *m, struct errbuf *eb)
{
	struct imap_conn *c = &m->conn;
	enum err e;

	if (c->open && !imap_conn_is_alive(c))
		imap_conn_close(c);
	if (!c->open) {
		m->epoch = 0;
		if ((e = imap_open(c, eb)) != E_OK)
			return e;
	}
	if (m->epoch != 0)
		return E_OK;
	if ((e = know_mailbox(m, eb)) != E_OK)
		imap_conn_close(c);
	return e;
}

static enum err
try_imap(struct delivery *d, struct errbuf *eb)
{
	return ready(d->own, eb);
}

/* ---- before any is sent ---- */

/* What cannot be sent is told at once, and is given no intent of use. */
static enum err
prepare_one(
    struct delivery *d, struct imap *m, struct parcel *p, struct errbuf *eb)
{
	enum err e = remote_measure(d, p, eb);

	p->epoch = m->epoch;
	p->offset = m->next;
	if (e == E_OK && p->length > m->conn.client.capability.append_limit)
		e = err_set(eb, E_DENIED, _("%s takes no message of that size"),
		    m->at->login.server);
	if (e != E_DENIED)
		return e;
	parcel_fail(p, e, "%s", eb->text);
	p->epoch = 0;
	return E_OK;
}

static enum err
prepare_imap(struct delivery *d, struct parcel **v, size_t n, struct errbuf *eb)
{
	enum err e = ready(d->own, eb);

	for (size_t i = 0; i < n && e == E_OK; i++)
		e = prepare_one(d, d->own, v[i], eb);
	return e;
}

/* ---- answers ---- */

/* Of "7", "7:9" or "7,9". */
static void
note_uids(struct imap *m, struct slice s)
{
	uint32_t first, last;

	while (imap_number_take(&s, &first)) {
		last = first;
		if (s.n != 0 && *s.p == ':') {
			s = (struct slice){ s.p + 1, s.n - 1 };
			if (!imap_number_take(&s, &last))
				return;
		}
		if (s.n != 0)
			s = (struct slice){ s.p + 1, s.n - 1 };
		/* No more than we have given it. */
		for (uint32_t n = 0; first <= last && n < m->n; n++, first++) {
			if (!imap_claim(&m->claims, first))
				return;
			if (first >= m->next)
				m->next = first + 1;
		}
	}
}

static void
note_number(struct imap *m, const struct imap_response *r)
{
	struct slice args = r->args;
	uint32_t epoch;

	if (r->code != IMAP_CODE_APPENDUID || !imap_number_take(&args, &epoch))
		return;
	if (epoch == m->epoch)
		note_uids(m, args);
	else
		m->epoch = 0; /* another mailbox of that name by now */
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
		n += m->sent[i].how == SENT_WAITS && m->sent[i].group == group;
	return n;
}

static void
append_answered(struct delivery *d, const struct imap_event *ev)
{
	const struct imap_response *r = &ev->response;
	struct imap *m = d->own;
	bool several = size_of(m, ev->item) > 1;

	if (r->status == IMAP_OK)
		note_number(m, r);
	for (size_t i = 0; i < m->n; i++) {
		struct sending *s = &m->sent[i];

		if (s->how != SENT_WAITS || s->group != ev->item)
			continue;
		s->how = SENT_ANSWERED;
		if (r->status == IMAP_OK) {
			parcel_stored(d, m->v[i]);
		} else if (several && !concerns_all(r->code)) {
			s->how = SENT_NOT;
			s->alone = true;
		} else {
			append_refused(d, m->v[i], r);
		}
	}
}

/* Takes what has come, and waits for the first if there is nothing. */
static enum err
take_answers(struct delivery *d, bool waits, bool *go_r, struct errbuf *eb)
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
			append_answered(d, &ev);
		else if (ev.type == IMAP_EV_GO)
			*go_r = true;
	} while (ev.type != IMAP_EV_MORE);
	return E_OK;
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
			e = take_answers(d, false, &go, eb);
	}
	if (e == E_OK && buf_put(&c->line.out, p, n) != E_OK)
		e = err_set(eb, E_NOMEM, "%s", _("out of memory"));
	return e;
}

/* The file cannot have changed since it was measured; if it has, the server is not
 * told that this is all. */
static enum err
send_file(struct delivery *d, const struct parcel *p, int fd, struct errbuf *eb)
{
	char in[PIECE], out[2 * PIECE];
	uint64_t left = p->length;
	ssize_t n;
	enum err e;

	if (lseek(fd, 0, SEEK_SET) != 0)
		return err_sys(eb, disk_err(),
		    _("cannot read a new message in %s"), d->where);
	while ((n = read(fd, in, sizeof(in))) != 0) {
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
	return left == 0 && n == 0
		   ? E_OK
		   : err_set(eb, E_IO, _("cannot read a new message in %s"),
			 d->where);
}

/* Until the server asks for it, or has refused it. */
static enum err
await_go(struct delivery *d, size_t i, bool *go_r, struct errbuf *eb)
{
	struct imap *m = d->own;
	enum err e = E_OK;

	*go_r = false;
	while (e == E_OK && !*go_r && m->sent[i].how == SENT_WAITS)
		e = take_answers(d, true, go_r, eb);
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
	const struct parcel *p = m->v[i];
	struct remote_head head;
	struct imap_append a = {
		.mailbox = mailbox_of(m),
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
	m->sent[i].how = SENT_WAITS;
	m->sent[i].group = g->number;
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

	if ((e = parcel_open(d, m->v[i], &fd, eb)) != E_OK)
		return e;
	e = send_open(d, g, i, fd, eb);
	close(fd);
	return e;
}

/* May this one follow in the same command? */
static bool
fits(const struct imap *m, const struct group *g, size_t i)
{
	const struct imap_append a = { .octets = m->v[i]->length };

	return m->conn.client.capability.multiappend && !m->sent[i].alone &&
	       g->n < GROUP && g->octets + a.octets <= GROUP_OCTETS &&
	       !imap_client_append_waits(&m->conn.client, &g->last) &&
	       !imap_client_append_waits(&m->conn.client, &a);
}

/* The message i, and those behind it that may go with it. */
static enum err
send_group(struct delivery *d, size_t i, struct errbuf *eb)
{
	struct imap *m = d->own;
	struct group g = { .number = m->groups++ };
	bool alone = m->sent[i].alone;
	enum err e = send_one(d, &g, i, eb);

	/* Nothing is put into a command that has been answered already. */
	for (i++; i < m->n && e == E_OK && !alone && size_of(m, g.number) != 0;
	     i++)
		if (m->sent[i].how == SENT_NOT && fits(m, &g, i))
			e = send_one(d, &g, i, eb);
	if (e == E_OK && !g.refused &&
	    imap_client_append_end(
		&m->conn.client, &m->conn.line.out, &g.last) != E_OK)
		e = err_set(eb, E_NOMEM, "%s", _("out of memory"));
	return e;
}

static bool
any_is(const struct imap *m, int how)
{
	for (size_t i = 0; i < m->n; i++)
		if ((int)m->sent[i].how == how)
			return true;
	return false;
}

/* Each message that has not been sent, and is to be. */
static enum err
send_rest(struct delivery *d, struct errbuf *eb)
{
	struct imap *m = d->own;
	bool go = false;
	enum err e = E_OK;

	for (size_t i = 0; i < m->n && e == E_OK; i++) {
		if (m->sent[i].how != SENT_NOT || d->stopping)
			continue;
		e = send_group(d, i, eb);
		while (
		    e == E_OK && m->conn.client.n_pending == IMAP_PENDING_MAX)
			e = take_answers(d, true, &go, eb);
		if (e == E_OK)
			e = take_answers(d, false, &go, eb);
	}
	return e;
}

/* With the answers; again, if some were refused together. */
static enum err
send_all(struct delivery *d, struct errbuf *eb)
{
	struct imap *m = d->own;
	bool go = false;
	enum err e = E_OK;

	while (e == E_OK && any_is(m, SENT_NOT) && !d->stopping &&
	       d->failed == E_OK) {
		e = send_rest(d, eb);
		while (e == E_OK && any_is(m, SENT_WAITS))
			e = take_answers(d, true, &go, eb);
	}
	return e;
}

/* ---- in doubt ---- */

static enum err
find_imap(struct delivery *d, const struct parcel *p, enum remote_answer *a_r,
    struct errbuf *eb)
{
	struct imap *m = d->own;
	struct remote_head head;
	enum err e;
	int fd;

	if ((e = ready(m, eb)) != E_OK ||
	    (e = parcel_open(d, p, &fd, eb)) != E_OK)
		return e;
	remote_head_read(fd, &head);
	close(fd);
	e = imap_find(
	    &m->conn, &m->claims, m->mailbox, p, head.message_id, a_r, eb);
	if (e != E_OK)
		imap_conn_close(&m->conn);
	return e;
}

/* Over a new connection.  What is not there is to be sent again. */
static enum err
resolve(struct delivery *d, struct errbuf *eb)
{
	struct imap *m = d->own;
	bool stored;
	enum err e = E_OK;

	for (size_t i = 0; i < m->n && e == E_OK; i++) {
		if (m->sent[i].how != SENT_WAITS)
			continue;
		e = remote_resolve(d, m->v[i], find_imap, &stored, eb);
		if (e != E_OK)
			break;
		m->sent[i].how = stored ? SENT_ANSWERED : SENT_NOT;
		if (stored)
			parcel_stored(d, m->v[i]);
	}
	return e;
}

static void
publish_imap(struct delivery *d, struct parcel **v, size_t n)
{
	struct imap *m = d->own;
	struct errbuf eb = { .text = "" };
	enum err e = E_CLOSED;

	m->v = v;
	m->n = n;
	m->claims.n = 0;
	m->sent = calloc(n, sizeof(*m->sent));
	for (size_t i = 0; i < n && m->sent != NULL; i++)
		if (v[i]->result == E_DENIED) /* by prepare_one() */
			m->sent[i].how = SENT_ANSWERED;
	/* What a server that is slow does not have yet it may have in a moment:
	 * that is asked by the next run. */
	for (unsigned k = 0;
	     k < ATTEMPTS && m->sent != NULL && e != E_OK && !m->conn.gave_up;
	     k++)
		if ((e = resolve(d, &eb)) == E_OK &&
		    (e = ready(m, &eb)) == E_OK &&
		    (e = send_all(d, &eb)) != E_OK)
			imap_conn_close(&m->conn);
	if (m->sent == NULL)
		e = err_set(&eb, E_NOMEM, "%s", _("out of memory"));
	if (e != E_OK)
		delivery_fail(d, e, &eb);
	for (size_t i = 0; i < n; i++) {
		if (m->sent != NULL && m->sent[i].how == SENT_WAITS)
			remote_leave_in_doubt(v[i], eb.text);
		else if (m->sent == NULL || m->sent[i].how == SENT_NOT)
			parcel_is_late(d, v[i]);
	}
	free(m->sent);
	m->sent = NULL;
}

static enum err
recover_imap(struct delivery *d, const struct parcel *intent, bool young,
    bool *stored_r, struct errbuf *eb)
{
	enum err e = remote_recover(d, intent, young, find_imap, stored_r, eb);

	/* It is the server that is out of order, and not our record. */
	return e == E_FORMAT ? E_AGAIN : e;
}

/* Both ways to TLS. */
#define KIND \
	{ \
		.open = open_imap, .close = close_imap, \
		.has_gone = has_gone_imap, .try = try_imap, \
		.prepare = prepare_imap, .publish = publish_imap, \
		.recover = recover_imap \
	}
const struct kind kind_imap = KIND, kind_imaps = KIND;
