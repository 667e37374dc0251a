/*
 * Delivery to a mailbox of an IMAP server (RFC 3501 s6.3.11, 4315, 7888).
 *
 * The messages of a batch are sent one behind the other, without waiting for the
 * answers where the server takes literals that are not waited for, and many in one
 * command where it has MULTIAPPEND: it stores all of them at once, or none, and
 * then each is sent alone.  Nor does a batch wait for the answers to those before
 * it: all are under way until they are settled.  A message was taken when the
 * APPEND that it was in was answered OK; one without an answer is asked for over a
 * new connection (imap_find.c), and if that cannot be had, by the next run.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/array.h"
#include "base/i18n.h"
#include "client/deliver/imap.h"

enum {
	ATTEMPTS = 2, /* connections that may be lost with one batch */
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
		.judged = env->judged,
		.ask_arg = env->ask_arg,
		.stopping = &d->stopping,
	};

	d->own = m;
	if (m != NULL)
		m->writing = NO_GROUP;
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
	free(m->v);
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
		&c->client, &c->line.out, command, imap_mailbox(m)),
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

/* ---- in doubt ---- */

bool
imap_any_is(const struct imap *m, enum sent how)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->v[i].how == how)
			return true;
	return false;
}

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
		struct sending *s = &m->v[i];

		if (s->how != SENT_IN_DOUBT)
			continue;
		e = remote_resolve(d, s->p, find_imap, &stored, eb);
		if (e != E_OK)
			break;
		s->how = stored ? SENT_SETTLED : SENT_NOT;
		if (stored)
			parcel_stored(d, s->p);
	}
	return e;
}

/* All that waits for an answer is in doubt now, whichever batch it is of.  What a
 * server that is slow does not have yet it may have in a moment: that is asked by
 * the next run. */
static void
lose_line(struct delivery *d, enum err e, const struct errbuf *why)
{
	struct imap *m = d->own;

	imap_conn_close(&m->conn);
	for (size_t i = 0; i < m->n; i++)
		if (m->v[i].how == SENT_WAITS)
			m->v[i].how = SENT_IN_DOUBT;
	m->why = *why;
	if (!m->conn.gave_up && ++m->lost < ATTEMPTS)
		return;
	m->given_up = true;
	delivery_fail(d, e, why);
}

/* ---- until they are settled ---- */

/* One step: what is in doubt, what is to be sent, or an answer.  Returns without
 * one when something else is to be done. */
static enum err
go_on(struct delivery *d, const atomic_uint *hurry, struct errbuf *eb)
{
	struct imap *m = d->own;
	bool go = false;
	enum err e = resolve(d, eb);

	if (e == E_OK && !imap_any_is(m, SENT_WAITS))
		e = ready(m, eb);
	if (e == E_OK)
		e = imap_append_rest(d, eb);
	if (e != E_OK || !imap_any_is(m, SENT_WAITS))
		return e;
	m->conn.hurry = hurry;
	e = imap_append_answers(d, true, &go, eb);
	m->conn.hurry = NULL;
	return e;
}

/* Nothing more is to be done about any of them. */
static bool
is_at_end(const struct delivery *d)
{
	const struct imap *m = d->own;

	return m->given_up || ((d->stopping || d->failed != E_OK) &&
				  !imap_any_is(m, SENT_WAITS) &&
				  !imap_any_is(m, SENT_IN_DOUBT));
}

static void
give_up(struct delivery *d)
{
	struct imap *m = d->own;

	for (size_t i = 0; i < m->n; i++) {
		struct sending *s = &m->v[i];

		if (s->how == SENT_IN_DOUBT)
			remote_leave_in_doubt(s->p, m->why.text);
		else if (s->how == SENT_NOT)
			parcel_is_late(d, s->p);
		s->how = SENT_SETTLED;
	}
}

static bool
are_settled(const struct imap *m, size_t from, size_t n)
{
	for (size_t i = from; i < from + n; i++)
		if (m->v[i].how != SENT_SETTLED)
			return false;
	return true;
}

/* False: not yet (see delivery_settle()). */
static bool
settle(struct delivery *d, size_t from, size_t n, const atomic_uint *hurry)
{
	struct imap *m = d->own;
	struct errbuf eb;
	enum err e;

	while (!are_settled(m, from, n)) {
		if (is_at_end(d))
			give_up(d);
		else if ((e = go_on(d, hurry, &eb)) != E_OK)
			lose_line(d, e, &eb);
		else if (hurry != NULL && *hurry != 0)
			return are_settled(m, from, n);
	}
	m->lost = 0;
	return true;
}

/* ---- a batch ---- */

/* Of two with the same octets the second is asked for only behind the UID of the
 * first (see imap_find()), so that one is not taken for both. */
static bool
has_twin(const struct imap *m, const struct parcel *p)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->v[i].how != SENT_SETTLED &&
		    digest_eq(m->v[i].p->content, p->content))
			return true;
	return false;
}

/* What cannot be sent is told at once, and is given no intent of use.  *twin_r: a
 * message under way is the same. */
static enum err
measure_all(struct delivery *d, struct parcel **v, size_t n, bool *twin_r,
    struct errbuf *eb)
{
	enum err e = E_OK;

	*twin_r = false;
	for (size_t i = 0; i < n && e == E_OK; i++) {
		e = remote_measure(d, v[i], eb);
		if (e == E_OK) {
			*twin_r |=
			    has_twin(d->own, v[i]) || remote_is_owned(d, v[i]);
		} else if (e == E_DENIED) {
			parcel_fail(v[i], e, "%s", eb->text);
			e = E_OK;
		}
	}
	return e;
}

/* While some are under way the connection is theirs: it is asked for nothing that
 * has another answer. */
static enum err
get_ready(struct delivery *d, bool twin, struct errbuf *eb)
{
	struct imap *m = d->own;
	struct errbuf why;
	bool go = false;
	enum err e = E_OK;

	if (imap_any_is(m, SENT_WAITS) &&
	    (e = imap_append_answers(d, false, &go, &why)) != E_OK)
		lose_line(d, e, &why);
	if (twin || m->epoch == 0 || !m->conn.open)
		settle(d, 0, m->n, NULL);
	if (twin) {
		m->epoch = 0; /* it may have told no numbers */
		remote_own_no_more(d);
	}
	if (d->failed != E_OK)
		return err_set(eb, d->failed, "%s", d->why.text);
	return imap_any_is(m, SENT_WAITS) ? E_OK : ready(m, eb);
}

static enum err
prepare_imap(struct delivery *d, struct parcel **v, size_t n, struct errbuf *eb)
{
	struct imap *m = d->own;
	bool twin;
	enum err e = measure_all(d, v, n, &twin, eb);

	if (e != E_OK || (e = get_ready(d, twin, eb)) != E_OK)
		return e;
	for (size_t i = 0; i < n; i++) {
		v[i]->offset = m->next;
		v[i]->epoch = v[i]->result == E_DENIED ? 0 : m->epoch;
		if (v[i]->epoch == 0 ||
		    v[i]->length <= m->conn.client.capability.append_limit)
			continue;
		parcel_fail(v[i], E_DENIED,
		    _("%s takes no message of that size"), m->at->login.server);
		v[i]->epoch = 0;
	}
	return E_OK;
}

/* False: memory. */
static bool
take_on(struct imap *m, struct parcel **v, size_t n)
{
	if (m->n == 0)
		m->claims.n = 0;
	for (size_t i = 0; i < n; i++) {
		struct sending *more =
		    array_room(m->v, m->n, &m->room, sizeof(*more));

		if (more == NULL)
			return false;
		m->v = more;
		more[m->n++] = (struct sending){ .p = v[i],
			.how = v[i]->result == E_DENIED ? SENT_SETTLED
							: SENT_NOT };
	}
	return true;
}

/* What has failed is settled by settle_imap(). */
static void
give_imap(struct delivery *d, struct parcel **v, size_t n)
{
	struct imap *m = d->own;
	size_t before = m->n;
	struct errbuf eb;
	enum err e;

	if (!take_on(m, v, n)) {
		m->n = before;
		err_set(&eb, E_NOMEM, "%s", _("out of memory"));
		delivery_fail(d, E_NOMEM, &eb);
		for (size_t i = 0; i < n; i++)
			if (v[i]->result != E_DENIED)
				parcel_is_late(d, v[i]);
	} else if (m->conn.open && (e = imap_append_rest(d, &eb)) != E_OK) {
		lose_line(d, e, &eb);
	}
}

static bool
settle_imap(
    struct delivery *d, struct parcel **v, size_t n, const atomic_uint *hurry)
{
	struct imap *m = d->own;
	size_t from = 0;

	while (from < m->n && m->v[from].p != v[0])
		from++;
	if (from == m->n)
		return true; /* there was no memory for them */
	if (!settle(d, from, n, hurry))
		return false;
	m->n -= n;
	memmove(&m->v[from], &m->v[from + n], (m->n - from) * sizeof(*m->v));
	return true;
}

static void
publish_imap(struct delivery *d, struct parcel **v, size_t n)
{
	give_imap(d, v, n);
	settle_imap(d, v, n, NULL);
}

static void
nudge_imap(struct delivery *d)
{
	struct imap *m = d->own;

	imap_conn_nudge(&m->conn);
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
		.give = give_imap, .settle = settle_imap, .nudge = nudge_imap, \
		.recover = recover_imap \
	}
const struct kind kind_imap = KIND, kind_imaps = KIND;
