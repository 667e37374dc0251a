#include "client/deliver/imap_conn.h"

#include <stdlib.h>
#include <string.h>

#include "base/i18n.h"
#include "base/str.h"

enum { HURRY = 5, WORDS = 160, OUT_MUCH = 48 * 1024 };
#define TICK 0.25 /* seconds */

static const char *
host_of(const struct imap_conn *c)
{
	return c->at->login.server;
}

/* The first reason counts. */
static void
conn_fail_as(struct imap_conn *c, enum err e, const char *words)
{
	if (c->failed == E_OK)
		c->failed = err_set(&c->why, e, "%s", words);
}

static void
conn_fail(struct imap_conn *c, enum err e, const char *words)
{
	struct errbuf why;

	err_set(&why, e, "%s: %s", host_of(c), words);
	conn_fail_as(c, e, why.text);
}

/* ---- hooks ---- */

static void
on_dialed(void *arg, enum err e, const char *words)
{
	struct imap_conn *c = arg;

	c->dialed = true;
	if (e == E_IO) /* the network's, not a disk's */
		e = E_AGAIN;
	if (e != E_OK) /* the words name the server already */
		conn_fail_as(c, e, words);
}

static void
on_nothing(void *arg)
{
}

/* From now on something has to happen within the timeout. */
void
imap_conn_expect(struct imap_conn *c)
{
	ev_now_update(c->loop);
	line_expect(&c->line, c->conf.timeout);
}

static void
on_came(void *arg)
{
	imap_conn_expect(arg);
}

static void
on_writable(void *arg)
{
	struct imap_conn *c = arg;

	line_flush(&c->line);
	imap_conn_expect(c);
}

/* It speaks, but not TLS. */
static bool
speaks_clear(const struct imap_conn *c)
{
	struct tls_found found;

	tls_client_found(&c->line.conn, &found);
	return found.fault == TLS_FAULT_NO_TLS || found.fault == TLS_FAULT_POP3;
}

static void
on_lost(void *arg, enum err e)
{
	struct imap_conn *c = arg;
	struct errbuf why;

	if (c->line.handshaking && speaks_clear(c))
		conn_fail(c, E_FORMAT,
		    _("what answers there does not begin TLS; \"imaps://\" "
		      "is for a port with TLS (993), \"imap://\" for one with "
		      "STARTTLS (143)"));
	else if (c->line.handshaking &&
		 tls_client_why(&c->line.conn, host_of(c), &why))
		conn_fail_as(c, E_FORMAT, why.text);
	else
		conn_fail(c, e == E_NOMEM ? e : E_CLOSED,
		    _("the connection was lost"));
}

static void
on_silent(void *arg, double seconds)
{
	struct imap_conn *c = arg;
	struct errbuf why;

	c->gave_up = true;
	err_set(&why, E_AGAIN, _("no answer within %.0f s"), seconds);
	conn_fail(c, E_AGAIN, why.text);
}

static void
on_overdue(void *arg)
{
	struct imap_conn *c = arg;

	c->gave_up = true;
	conn_fail(c, E_CLOSED, _("stopped"));
}

/* Whoever stops us has no other way to say so. */
static void
on_tick(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct imap_conn *c = w->data;

	if (!*c->conf.stopping || c->hurried)
		return;
	c->hurried = true;
	line_limit(&c->line, HURRY);
}

/* It has woken the loop: that is all. */
static void
on_nudge(struct ev_loop *loop, ev_async *w, int revents)
{
}

static const struct line_hooks hooks = {
	.dialed = on_dialed,
	.secured = on_nothing,
	.came = on_came,
	.writable = on_writable,
	.lost = on_lost,
	.silent = on_silent,
	.overdue = on_overdue,
	.idle = on_nothing,
};

/* ---- the line ---- */

enum err
imap_conn_dial(struct imap_conn *c, struct errbuf *eb)
{
	const struct account *a = &c->at->login;
	struct dial_conf conf = {
		.host = a->server,
		.port = a->port,
		.proxy = a->proxy,
		.timeout = c->conf.timeout,
	};
	enum err e;

	imap_client_init(&c->client);
	line_init(&c->line, c->loop, &hooks, c);
	c->failed = E_OK;
	c->dialed = c->hurried = c->settled = c->gave_up = false;
	e = line_dial(&c->line, c->dialer, &conf, eb);
	while (e == E_OK && !c->dialed)
		e = imap_conn_turn(c, eb);
	return e;
}

enum err
imap_conn_tls(struct imap_conn *c, struct errbuf *eb)
{
	const struct account *a = &c->at->login;
	const struct tls_client_conf conf = {
		.ca_file = a->ca_file,
		.fingerprint = a->fingerprint,
		.certificate = a->client_certificate,
		.key = a->client_key,
	};
	enum err e = line_start_tls(&c->line, &conf, a->server, eb);

	imap_conn_expect(c);
	if (e == E_OK && c->failed != E_OK)
		e = err_set(eb, c->failed, "%s", c->why.text);
	while (e == E_OK && !c->line.secure)
		e = imap_conn_turn(c, eb);
	return e;
}

/* ---- waiting ---- */

bool
imap_conn_is_full(struct imap_conn *c)
{
	if (c->line.out.len > OUT_MUCH)
		line_flush(&c->line);
	return c->line.out.len > OUT_MUCH;
}

static enum err
conn_turn(struct imap_conn *c, int how, struct errbuf *eb)
{
	line_flush(&c->line);
	ev_run(c->loop, how);
	return c->failed == E_OK ? E_OK
				 : err_set(eb, c->failed, "%s", c->why.text);
}

enum err
imap_conn_turn(struct imap_conn *c, struct errbuf *eb)
{
	return conn_turn(c, EVRUN_ONCE, eb);
}

void
imap_conn_nudge(struct imap_conn *c)
{
	ev_async_send(c->loop, &c->nudge);
}

static enum err
conn_look(struct imap_conn *c, struct imap_event *ev, struct errbuf *eb)
{
	imap_client_run(&c->client, &c->line.in, ev);
	if (ev->type == IMAP_EV_BROKEN)
		return err_set(eb, E_FORMAT, "%s: %s", host_of(c), ev->why);
	if (ev->type == IMAP_EV_BYE)
		return imap_conn_refused(c, E_CLOSED, &ev->response, eb);
	return E_OK;
}

enum err
imap_conn_poll(struct imap_conn *c, struct imap_event *ev, struct errbuf *eb)
{
	return conn_look(c, ev, eb);
}

/* What has come before the line was lost is still heard. */
enum err
imap_conn_next(struct imap_conn *c, struct imap_event *ev, struct errbuf *eb)
{
	bool looked = false, hurry;
	enum err e;

	imap_conn_expect(c);
	for (;;) {
		if ((e = conn_look(c, ev, eb)) != E_OK ||
		    ev->type != IMAP_EV_MORE)
			return e;
		if (c->failed != E_OK)
			return err_set(eb, c->failed, "%s", c->why.text);
		hurry = c->hurry != NULL && *c->hurry != 0;
		if (hurry && looked)
			return E_OK;
		looked = true;
		if (conn_turn(c, hurry ? EVRUN_NOWAIT : EVRUN_ONCE, eb) !=
			E_OK &&
		    c->line.in.len == 0)
			return c->failed;
	}
}

enum err
imap_conn_ask(struct imap_conn *c, enum err e, struct imap_event *ev,
    void (*data)(void *arg, const struct imap_response *r), void *arg,
    struct errbuf *eb)
{
	if (e != E_OK)
		return err_set(eb, e, _("%s: a command cannot be written: %s"),
		    host_of(c), err_str(e));
	while ((e = imap_conn_next(c, ev, eb)) == E_OK) {
		if (ev->type == IMAP_EV_DONE)
			return E_OK;
		if (ev->type == IMAP_EV_DATA && data != NULL)
			data(arg, &ev->response);
	}
	return e;
}

enum err
imap_conn_refused(const struct imap_conn *c, enum err e,
    const struct imap_response *r, struct errbuf *eb)
{
	char words[WORDS];

	return err_set(eb, e, _("%s says \"%s\""), host_of(c),
	    str_quote(words, sizeof(words), r->words.p, r->words.n));
}

/* ---- life ---- */

/* Its answer to LOGOUT is of no interest. */
void
imap_conn_close(struct imap_conn *c)
{
	if (!c->open)
		return;
	c->open = false;
	if (c->failed == E_OK && c->client.n_pending == 0 &&
	    imap_client_plain(&c->client, &c->line.out, IMAP_LOGOUT) == E_OK)
		line_flush(&c->line);
	line_close(&c->line);
}

bool
imap_conn_is_alive(struct imap_conn *c)
{
	struct imap_event ev = { .type = IMAP_EV_DATA };
	struct errbuf eb;

	if (!c->open)
		return false;
	line_expect(&c->line, 0);
	ev_run(c->loop, EVRUN_NOWAIT);
	while (ev.type != IMAP_EV_MORE)
		if (imap_conn_poll(c, &ev, &eb) != E_OK)
			return false;
	return c->failed == E_OK;
}

enum err
imap_conn_init(struct imap_conn *c, const struct destination *at,
    const struct imap_conn_conf *conf, struct errbuf *eb)
{
	*c = (struct imap_conn){ .at = at, .conf = *conf };
	c->loop = ev_loop_new(EVFLAG_AUTO);
	if (c->loop == NULL)
		return err_set(eb, E_NOMEM, "%s", _("out of memory"));
	ev_timer_init(&c->tick, on_tick, TICK, TICK);
	c->tick.data = c;
	ev_timer_start(c->loop, &c->tick);
	ev_async_init(&c->nudge, on_nudge);
	ev_async_start(c->loop, &c->nudge);
	return dialer_new(&c->dialer, c->loop, eb);
}

void
imap_conn_free(struct imap_conn *c)
{
	imap_conn_close(c);
	str_wipe(c->secret);
	dialer_free(c->dialer);
	if (c->loop != NULL) {
		ev_timer_stop(c->loop, &c->tick);
		ev_async_stop(c->loop, &c->nudge);
		ev_loop_destroy(c->loop);
	}
}
