#include "net/line.h"

#include "base/i18n.h"
#include "net/tls.h"

enum {
	READ_SIZE = 64 * 1024,
	IN_MAX = 2 * READ_SIZE,
	OUT_MAX = 96 * 1024, /* a token and its base64 */
	READS = 4,       /* a wake-up, so that all accounts get their turn */
	KEEP_ALIVE = 60, /* seconds */
};

/* ---- time ---- */

static void
deadline_passed(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct line *l = w->data;

	l->hooks->silent(l->arg, w->repeat);
}

static void
limit_passed(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct line *l = w->data;

	l->hooks->overdue(l->arg);
}

static void
idle_passed(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct line *l = w->data;

	l->hooks->idle(l->arg);
}

void
line_expect(struct line *l, double seconds)
{
	ev_timer_stop(l->loop, &l->idle);
	l->deadline.repeat = seconds;
	ev_timer_again(l->loop, &l->deadline); /* stops it, if that is 0 */
}

void
line_rest(struct line *l)
{
	ev_timer_stop(l->loop, &l->deadline);
	ev_timer_again(l->loop, &l->idle);
}

void
line_limit(struct line *l, double seconds)
{
	ev_timer_stop(l->loop, &l->limit);
	ev_timer_set(&l->limit, seconds, 0);
	ev_timer_start(l->loop, &l->limit);
}

/* ---- writing ---- */

void
line_flush(struct line *l)
{
	enum err e = E_OK;
	size_t n;

	if (!line_is_open(l))
		return;
	while (e == E_OK && l->out.len != 0) {
		e = conn_write(&l->conn, buf_data(&l->out), l->out.len, &n);
		buf_consume(&l->out, n);
	}
	if (e == E_OK)
		e = conn_flush(&l->conn);
	/* Where that failed, reading tells: what the server said last may still
	 * be there. */
	if ((e != E_OK && e != E_AGAIN) || !conn_is_blocked(&l->conn))
		ev_io_stop(l->loop, &l->writing);
	else
		ev_io_start(l->loop, &l->writing);
}

static void
line_writable(struct ev_loop *loop, ev_io *w, int revents)
{
	struct line *l = w->data;

	l->hooks->writable(l->arg);
}

/* ---- reading ---- */

static void
go_on_with_handshake(struct line *l)
{
	enum err e = conn_handshake(&l->conn);

	if (e == E_AGAIN) {
		l->hooks->writable(l->arg);
		return;
	}
	if (e != E_OK) {
		l->hooks->lost(l->arg, e);
		return;
	}
	l->handshaking = false;
	l->secure = true;
	l->hooks->secured(l->arg);
}

static enum err
read_some(struct line *l)
{
	char *room = buf_room(&l->in, READ_SIZE);
	enum err e;
	size_t n;

	if (room == NULL)
		return E_NOMEM;
	e = conn_read(&l->conn, room, READ_SIZE, &n);
	if (e == E_OK) {
		buf_added(&l->in, n);
		l->hooks->came(l->arg);
	}
	return e;
}

static void
line_readable(struct ev_loop *loop, ev_io *w, int revents)
{
	struct line *l = w->data;
	enum err e = E_OK;

	for (int i = 0; i < READS && line_is_open(l) && e == E_OK; i++)
		if (l->handshaking)
			go_on_with_handshake(l);
		else
			e = read_some(l);
	if (!line_is_open(l))
		return;
	if (e != E_OK && e != E_AGAIN)
		l->hooks->lost(l->arg, e);
	else if (e == E_OK && !l->handshaking)
		ev_timer_start(loop, &l->more);
}

/* There may be more, of which the socket does not tell if TLS has it.  Only a turn of
 * the loop later: what is fed to it is called before it looks at anything else. */
static void
line_has_more(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct line *l = w->data;

	line_readable(loop, &l->reading, EV_READ);
}

/* ---- the connection ---- */

enum err
line_start_tls(struct line *l, const struct tls_client_conf *conf,
    const char *server, struct errbuf *eb)
{
	enum err e = tls_client_context_new(&l->tls, conf, eb);

	if (e != E_OK)
		return e;
	if (tls_client_start(&l->conn, l->tls, server) != E_OK)
		return err_set(eb, E_NOMEM, "%s", _("out of memory"));
	l->handshaking = true;
	go_on_with_handshake(l);
	return E_OK;
}

static void
line_connected(void *arg, enum err e, int fd, const char *words)
{
	struct line *l = arg;

	l->dial = NULL;
	if (e == E_OK) {
		conn_init(&l->conn, fd);
		ev_io_set(&l->reading, fd, EV_READ);
		ev_io_set(&l->writing, fd, EV_WRITE);
		ev_io_start(l->loop, &l->reading);
	}
	l->hooks->dialed(l->arg, e, words);
}

enum err
line_dial(struct line *l, struct dialer *dialer, const struct dial_conf *conf,
    struct errbuf *eb)
{
	return dial_start(&l->dial, dialer, conf, line_connected, l, eb);
}

void
line_init(struct line *l, struct ev_loop *loop, const struct line_hooks *hooks,
    void *arg)
{
	*l = (struct line){
		.conn.fd = -1,
		.loop = loop,
		.hooks = hooks,
		.arg = arg,
	};
	buf_init(&l->in, IN_MAX, false);
	buf_init(&l->out, OUT_MAX, true);
	ev_init(&l->reading, line_readable);
	ev_init(&l->writing, line_writable);
	ev_init(&l->deadline, deadline_passed);
	ev_init(&l->limit, limit_passed);
	ev_timer_init(&l->more, line_has_more, 0, 0);
	ev_timer_init(&l->idle, idle_passed, 0, KEEP_ALIVE);
	l->reading.data = l->writing.data = l;
	l->deadline.data = l->limit.data = l->idle.data = l->more.data = l;
}

void
line_close(struct line *l)
{
	dial_cancel(l->dial);
	l->dial = NULL;
	ev_io_stop(l->loop, &l->reading);
	ev_io_stop(l->loop, &l->writing);
	ev_timer_stop(l->loop, &l->deadline);
	ev_timer_stop(l->loop, &l->limit);
	ev_timer_stop(l->loop, &l->idle);
	ev_timer_stop(l->loop, &l->more);
	if (line_is_open(l))
		conn_close(&l->conn);
	l->handshaking = false;
	tls_context_free(l->tls);
	l->tls = NULL;
	buf_free(&l->in);
	buf_free(&l->out);
}
