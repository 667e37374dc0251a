/* The socket, TLS, deadlines. */
#include <stdio.h>
#include <string.h>

#include "base/i18n.h"
#include "client/session/session_impl.h"
#include "net/tls.h"

enum {
	READ_SIZE = 64 * 1024,
	IN_MAX = 2 * READ_SIZE,
	OUT_MAX = 96 * 1024, /* a token and its base64 */
	READS = 4, /* a wake-up, so that all accounts get their turn */
	REMEMBER = 30 * 24 * 3600, /* what a server cannot do */
	KEEP_ALIVE = 60,           /* seconds that only the disk is busy */
};

/* ---- deadlines ---- */

static void
deadline_passed(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct session *s = w->data;

	if (s->was_pipelined && s->pop3.n_pending > 1) {
		s->record->account.serial_until = (int64_t)ev_now(loop) + 86400;
		s->result.again = true;
	}
	session_break(s, OUTCOME_CONNECT,
	    _("no answer from %s within %.0f s (%s)"), s->conf.account->server,
	    w->repeat, _(s->step->name));
}

static void
limit_passed(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct session *s = w->data;

	session_break(s, OUTCOME_CONNECT,
	    _("the session took longer than %u s (session_timeout)"),
	    s->conf.account->session_timeout);
}

/* The disk takes long: the server should not think that we have gone. */
static void
idle_passed(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct session *s = w->data;

	if (s->pop3.n_pending == 0 &&
	    session_sent(s, pop3_client_send(&s->pop3, &s->out, POP3_CMD_NOOP)))
		session_flush(s);
}

void
session_deadline(struct session *s)
{
	bool waits = s->step != &step_retrieve || s->pop3.n_pending != 0 ||
		     s->out.len != 0;

	s->deadline.repeat =
	    (double)s->conf.account->timeout * s->step->patience;
	if (waits && s->deadline.repeat > 0)
		ev_timer_again(s->conf.loop, &s->deadline);
	else
		ev_timer_stop(s->conf.loop, &s->deadline);
	if (waits)
		ev_timer_stop(s->conf.loop, &s->idle);
	else
		ev_timer_again(s->conf.loop, &s->idle);
}

/* ---- writing ---- */

bool
session_sent(struct session *s, enum err e)
{
	if (e == E_OK)
		return true;
	if (e == E_FORMAT || e == E_FULL)
		session_fail(s, OUTCOME_CONFIG,
		    _("the name or password of account %s cannot be sent: too "
		      "long, or it has a line end"),
		    s->conf.account->name);
	else
		session_memory(s);
	session_finish(s);
	return false;
}

/* Another try: without CAPA, which some ancient servers cannot bear.  With those
 * that have served us before that was not it. */
static void
lost_at_capa(struct session *s)
{
	struct state_account *a = &s->record->account;

	if (a->collected_at == 0 || a->no_capa_until != 0)
		a->no_capa_until = (int64_t)ev_now(s->conf.loop) + REMEMBER;
	s->result.again = true;
}

/* A server that wants a certificate of ours says so behind the handshake. */
static void
lost(struct session *s, enum err e)
{
	bool tls = s->step == &step_handshake ||
		   (s->tls_on && e == E_IO && s->method == NULL);
	struct errbuf eb;

	/* Nothing hangs on this answer, and not all give it. */
	if (s->step == &step_quit && s->n_delete == 0) {
		s->quit_ok = true;
		session_finish(s);
		return;
	}
	s->result.again = s->plan != NULL || s->pop3.n_pending > 1;
	if (s->step == &step_capa)
		lost_at_capa(s);
	if (tls) {
		tls_client_why(&s->conn, s->conf.account->server, &eb);
		session_break(s, OUTCOME_TLS, "%s", eb.text);
	} else {
		session_break(s, OUTCOME_CONNECT,
		    _("%s closed the connection (%s)"), s->conf.account->server,
		    _(s->step->name));
	}
}

void
session_flush(struct session *s)
{
	enum err e = E_OK;
	size_t n;

	while (s->conn.fd >= 0 && e == E_OK && s->out.len != 0) {
		e = conn_write(&s->conn, buf_data(&s->out), s->out.len, &n);
		buf_consume(&s->out, n);
	}
	if (s->conn.fd < 0)
		return;
	if (e == E_OK)
		e = conn_flush(&s->conn);
	/* What the server said last may still be there to be read. */
	if ((e != E_OK && e != E_AGAIN) || !conn_is_blocked(&s->conn))
		ev_io_stop(s->conf.loop, &s->writing);
	else
		ev_io_start(s->conf.loop, &s->writing);
	session_deadline(s);
}

static void
writable(struct ev_loop *loop, ev_io *w, int revents)
{
	struct session *s = w->data;

	session_flush(s);
}

/* ---- reading ---- */

void
session_look(struct session *s)
{
	struct pop3_event ev;

	if (s->looking)
		return;
	s->looking = true;
	while (s->conn.fd >= 0 && s->step != &step_handshake) {
		pop3_client_run(&s->pop3, &s->in, &ev);
		if (ev.type == POP3_EV_MORE) {
			if (!s->entering)
				break;
			s->entering = false;
			if (s->step->enter != NULL)
				s->step->enter(s);
			continue;
		}
		if (ev.type != POP3_EV_BROKEN)
			s->step->take(s, &ev);
		else
			session_out_of_step(s, _(ev.why));
	}
	s->looking = false;
	if (s->conn.fd >= 0 && s->step->writable != NULL)
		s->step->writable(s);
	session_flush(s);
	session_doubt(s);
}

static void
handshake(struct session *s)
{
	enum err e = conn_handshake(&s->conn);

	if (e == E_AGAIN) {
		session_flush(s);
		return;
	}
	if (e != E_OK) {
		lost(s, e);
		return;
	}
	s->tls_on = true;
	snprintf(s->result.tls, sizeof(s->result.tls), "%s %s",
	    conn_tls_version(&s->conn), conn_tls_cipher(&s->conn));
	if (s->conf.account->security == SECURITY_TLS) {
		session_enter(s, &step_greeting);
	} else {
		pop3_client_tls(&s->pop3);
		session_enter(s, &step_capa);
	}
	session_look(s);
}

static void
readable(struct ev_loop *loop, ev_io *w, int revents)
{
	struct session *s = w->data;
	enum err e = E_OK;
	char *room;
	size_t n;

	for (int i = 0; i < READS && s->conn.fd >= 0 && e == E_OK; i++) {
		if (s->step == &step_handshake) {
			handshake(s);
			continue;
		}
		if ((room = buf_room(&s->in, READ_SIZE)) == NULL) {
			session_memory(s);
			session_finish(s);
			return;
		}
		e = conn_read(&s->conn, room, READ_SIZE, &n);
		if (e == E_OK) {
			buf_added(&s->in, n);
			session_look(s);
		}
	}
	if (s->conn.fd < 0)
		return;
	if (e != E_OK && e != E_AGAIN)
		lost(s, e);
	else if (e == E_OK && s->step != &step_handshake)
		ev_feed_event(loop, w, EV_READ);
}

/* ---- the connection ---- */

void
session_start_tls(struct session *s)
{
	const struct account *a = s->conf.account;
	struct tls_client_conf conf = {
		.ca_file = a->ca_file,
		.fingerprint = a->fingerprint,
		.certificate = a->client_certificate,
		.key = a->client_key,
	};
	struct errbuf eb;

	if (tls_client_context_new(&s->tls, &conf, &eb) != E_OK) {
		session_end(s, OUTCOME_CONFIG, "%s", eb.text);
	} else if (tls_client_start(&s->conn, s->tls, a->server) != E_OK) {
		session_memory(s);
		session_finish(s);
	} else {
		session_enter(s, &step_handshake);
		handshake(s);
	}
}

void
session_connected(void *arg, enum err e, int fd, const char *words)
{
	struct session *s = arg;

	s->dial = NULL;
	if (e != E_OK) {
		session_end(s, e == E_NOENT ? OUTCOME_NO_HOST : OUTCOME_CONNECT,
		    "%s", words);
		return;
	}
	conn_init(&s->conn, fd);
	ev_io_set(&s->reading, fd, EV_READ);
	ev_io_set(&s->writing, fd, EV_WRITE);
	ev_io_start(s->conf.loop, &s->reading);
	if (s->conf.account->security == SECURITY_TLS)
		session_start_tls(s);
	else
		session_enter(s, &step_greeting);
}

void
session_io_init(struct session *s)
{
	s->conn.fd = -1;
	buf_init(&s->in, IN_MAX, false);
	buf_init(&s->out, OUT_MAX, true);
	ev_init(&s->reading, readable);
	ev_init(&s->writing, writable);
	ev_init(&s->deadline, deadline_passed);
	ev_timer_init(&s->idle, idle_passed, 0, KEEP_ALIVE);
	ev_timer_init(
	    &s->limit, limit_passed, s->conf.account->session_timeout, 0);
	s->reading.data = s->writing.data = s->deadline.data = s->idle.data =
	    s->limit.data = s;
	ev_timer_start(s->conf.loop, &s->limit);
	session_doubt_init(s);
}

void
session_close(struct session *s)
{
	dial_cancel(s->dial);
	s->dial = NULL;
	session_forget_secret(s);
	ev_io_stop(s->conf.loop, &s->reading);
	ev_io_stop(s->conf.loop, &s->writing);
	ev_timer_stop(s->conf.loop, &s->deadline);
	ev_timer_stop(s->conf.loop, &s->idle);
	ev_timer_stop(s->conf.loop, &s->limit);
	ev_timer_stop(s->conf.loop, &s->doubt);
	if (s->conn.fd >= 0)
		conn_close(&s->conn);
	tls_context_free(s->tls);
	s->tls = NULL;
	buf_free(&s->in);
	buf_free(&s->out);
}
