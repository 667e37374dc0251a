#include "client/setup/knock.h"

#include <stdlib.h>
#include <string.h>

#include "net/line.h"

#define PATIENCE 8. /* seconds, for all */
#define GRACE    1. /* after the first answer */

enum { LINE_MAX = 1024 };

struct knock {
	struct knocks *all;
	struct offer offer;
	struct line line;
	bool asked; /* STLS was sent */
	bool over;
	enum knock_answer answer;
};

struct knocks {
	struct ev_loop *loop;
	knocks_done *done;
	void *arg;
	ev_timer timer;
	size_t n, n_over;
	struct knock v[KNOCKS_MAX];
};

/* ---- the end ---- */

static const struct knock *
best_of(const struct knocks *k)
{
	for (int answer = KNOCK_POP3; answer > KNOCK_NOTHING; answer--)
		for (size_t i = 0; i < k->n; i++)
			if (k->v[i].answer == (enum knock_answer)answer)
				return &k->v[i];
	return NULL;
}

static void
tell(struct knocks *k)
{
	const struct knock *best = best_of(k);

	ev_timer_stop(k->loop, &k->timer);
	k->done(k->arg, best != NULL ? best->answer : KNOCK_NOTHING,
	    best != NULL ? &best->offer : NULL); /* k may be gone now */
}

static void
on_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
	tell(w->data);
}

static void
set_timer(struct knocks *k, double after)
{
	ev_timer_stop(k->loop, &k->timer);
	ev_timer_set(&k->timer, after, 0);
	ev_timer_start(k->loop, &k->timer);
}

static void
knock_over(struct knock *o, enum knock_answer answer)
{
	struct knocks *k = o->all;

	if (o->over)
		return;
	o->over = true;
	o->answer = answer;
	line_close(&o->line);
	k->n_over++;
	/* Told from the timer: this may be within knocks_start(), or a hook of
	 * a line that the owner is going to free. */
	if (k->n_over == k->n)
		set_timer(k, 0);
	else if (answer == KNOCK_POP3 &&
		 ev_timer_remaining(k->loop, &k->timer) > GRACE)
		set_timer(k, GRACE);
}

/* ---- one server ---- */

static void
start_tls(struct knock *o)
{
	const struct tls_client_conf conf = { .ca_file = NULL };

	if (line_start_tls(&o->line, &conf, o->offer.server, NULL) != E_OK)
		knock_over(o, KNOCK_NOTHING);
}

static void
knock_dialed(void *arg, enum err e, const char *words)
{
	struct knock *o = arg;

	if (e != E_OK)
		knock_over(o, KNOCK_NOTHING);
	else if (o->offer.security == SECURITY_TLS)
		start_tls(o);
}

static void
knock_secured(void *arg)
{
	struct knock *o = arg;

	/* STLS was answered by a POP3 server; else its greeting is awaited. */
	if (o->offer.security == SECURITY_STARTTLS)
		knock_over(o, KNOCK_POP3);
}

static void
knock_came(void *arg)
{
	struct knock *o = arg;
	struct buf *in = &o->line.in;

	if (memchr(buf_data(in), '\n', in->len) == NULL) {
		if (in->len >= LINE_MAX)
			knock_over(o, KNOCK_NOTHING);
		return;
	}
	if (in->len < 3 || memcmp(buf_data(in), "+OK", 3) != 0) {
		knock_over(o, KNOCK_NOTHING);
	} else if (o->line.secure) {
		knock_over(o, KNOCK_POP3);
	} else if (o->asked) {
		buf_consume(in, in->len);
		start_tls(o);
	} else {
		buf_consume(in, in->len);
		o->asked = true;
		if (buf_put(&o->line.out, "STLS\r\n", 6) == E_OK)
			line_flush(&o->line);
		else
			knock_over(o, KNOCK_NOTHING);
	}
}

static void
knock_writable(void *arg)
{
	struct knock *o = arg;

	line_flush(&o->line);
}

static void
knock_lost(void *arg, enum err e)
{
	struct knock *o = arg;
	struct errbuf why;
	bool refused = o->line.handshaking && tls_client_heard(&o->line.conn) &&
		       tls_client_why(&o->line.conn, o->offer.server, &why);

	knock_over(o, refused ? KNOCK_UNVERIFIED : KNOCK_NOTHING);
}

static const struct line_hooks hooks = {
	.dialed = knock_dialed,
	.secured = knock_secured,
	.came = knock_came,
	.writable = knock_writable,
	.lost = knock_lost,
};

/* ---- all of them ---- */

struct knocks *
knocks_start(struct ev_loop *loop, struct dialer *dialer, const struct offer *v,
    size_t n, knocks_done *done, void *arg)
{
	struct knocks *k = calloc(1, sizeof(*k));

	if (k == NULL)
		return NULL;
	k->loop = loop;
	k->done = done;
	k->arg = arg;
	k->n = n < KNOCKS_MAX ? n : KNOCKS_MAX;
	ev_timer_init(&k->timer, on_timer, k->n != 0 ? PATIENCE : 0, 0);
	k->timer.data = k;
	ev_timer_start(loop, &k->timer);
	for (size_t i = 0; i < k->n; i++) {
		struct knock *o = &k->v[i];
		struct dial_conf to = { .host = o->offer.server,
			.port = v[i].port,
			.timeout = PATIENCE };

		o->all = k;
		o->offer = v[i];
		line_init(&o->line, loop, &hooks, o);
		if (line_dial(&o->line, dialer, &to, NULL) != E_OK)
			knock_over(o, KNOCK_NOTHING);
	}
	return k;
}

void
knocks_free(struct knocks *k)
{
	if (k == NULL)
		return;
	ev_timer_stop(k->loop, &k->timer);
	for (size_t i = 0; i < k->n; i++)
		line_close(&k->v[i].line);
	free(k);
}
