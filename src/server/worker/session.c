#include "server/worker/session.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/close_later.h"
#include "base/log.h"
#include "server/ipc/addrcount.h"
#include "server/ipc/proto.h"
#include "server/ipc/tally.h"
#include "server/worker/admission.h"
#include "server/worker/io.h"
#include "server/worker/kerberized.h"
#include "server/worker/lookup.h"
#include "server/worker/proxied.h"
#include "server/worker/reader.h"
#include "server/worker/retrieve.h"
#include "server/worker/serving.h"
#include "server/worker/session_state.h"
#include "server/worker/step.h"
#include "server/worker/traced.h"
#include "server/worker/worker_tell.h"

enum {
	IN_AHEAD = 4096, /* commands read ahead while one is at work */
	ROUNDS = 16,     /* buffers sent before others have their turn */
	LINGER_MS = 2000,
	PROXY_MS = 5000,        /* for what a proxy says first */
	ANSWER_MS = 600 * 1000, /* other processes; their death shows earlier */
	QUEUE_RETRY_MS = 5,
};

/* ---- life ---- */

struct session *
session_find(struct worker *w, uint64_t sid)
{
	uint32_t slot = (uint32_t)(sid & ((1u << SID_SLOT_BITS) - 1));
	struct session *s;

	if (slot >= w->n_slots || (s = w->slots[slot]) == NULL)
		return NULL;
	return s->sid == sid && !s->ended ? s : NULL;
}

static void
session_free(struct session *s)
{
	struct worker *w = s->worker;

	w->free_slots[w->n_free++] =
	    (uint32_t)(s->sid & ((1u << SID_SLOT_BITS) - 1));
	w->n_sessions--;
	retrieve_close(s);
	lookup_close(s);
	kerberized_free(s);
	proxied_free(s);
	serving_leave(w, s->listener->serving);
	free(s->disk);
	free(s->seen);
	free(s->user);
	free(s);
}

/* A read that is under way needs its descriptor and its memory. */
void
session_free_dead(struct worker *w)
{
	struct session *s, *next;

	for (s = TAILQ_FIRST(&w->dead); s != NULL; s = next) {
		next = TAILQ_NEXT(s, link);
		if (session_is_reading(s))
			continue;
		TAILQ_REMOVE(&w->dead, s, link);
		session_free(s);
	}
}

static void
session_log(const struct session *s, const char *why)
{
	char user[NAME_MAX_OCTETS + 1];
	const char *name = s->user != NULL ? s->user : "";

	log_line(LOG_EVENT,
	    "ev=session sid=%u.%llx user=%s login=%s ip=%s%s tls=%s cipher=%s "
	    "in=%llu out=%llu retr=%u top=%u dele=%u left=%u left_out=%u "
	    "why=%s ms=%llu",
	    s->worker->conf.role.index, (unsigned long long)s->sid,
	    str_escape(user, sizeof(user), name, strlen(name)),
	    s->signed_in ? "yes" : "no", s->peer, proxied_by(s), proxied_tls(s),
	    conn_tls_cipher(&s->conn), (unsigned long long)s->octets_in,
	    (unsigned long long)s->octets_out, s->pop3.n_retr, s->pop3.n_top,
	    s->removed, s->count - s->removed, s->left_out, why,
	    (unsigned long long)(clock_ms() - s->started));
}

/* Without memory the line of the session's end only lacks the name. */
void
session_claimed(struct session *s, struct slice user)
{
	free(s->user);
	s->user = user.n != 0 ? strndup(user.p, user.n) : NULL;
	if (s->dialogue != NULL)
		traced_named(s, user);
}

/* The mail program was set up without TLS, which is what people who cannot sign
 * in complain of most. */
void
session_needs_tls(
    const struct pop3_server *p, const char *method, struct slice name)
{
	struct session *s =
	    (void *)((char *)p - offsetof(struct session, pop3));
	char user[NAME_MAX_OCTETS + 1];

	if (name.n > NAME_MAX_OCTETS)
		name.n = NAME_MAX_OCTETS;
	session_claimed(s, name);
	tally_sign_in(method, TALLY_NO_TLS);
	log_line(LOG_EVENT,
	    "ev=login-failed sid=%u.%llx user=%s ip=%s%s method=%s code=tls "
	    "why=no-tls",
	    s->worker->conf.role.index, (unsigned long long)s->sid,
	    str_escape(user, sizeof(user), name.p, name.n), s->peer,
	    proxied_by(s), method);
}

/* Has the client not had what it signed in for?  It broke before a message was
 * there, or it was not the client that ended it. */
static bool
is_in_vain(const struct session *s, const char *why)
{
	static const char *const broke[] = { "closed", "lost", "idle-timeout",
		"write-timeout" };

	for (size_t i = 0; i < sizeof(broke) / sizeof(broke[0]); i++)
		if (strcmp(why, broke[i]) == 0)
			return s->pop3.n_retr == 0;
	return strcmp(why, "quit") != 0;
}

static void
count_end(const struct session *s)
{
	tally_add(TALLY_ENDED, 1);
	if (!s->signed_in)
		return;
	tally_add(TALLY_SIGNED_OUT, 1);
	tally_add(TALLY_RETRIEVED, s->pop3.n_retr);
	tally_add(TALLY_LOOKED_INTO, s->pop3.n_top);
	tally_add(TALLY_REMOVED, s->removed);
}

void
session_end(struct session *s, const char *why)
{
	struct worker *w = s->worker;

	if (s->ended)
		return;
	s->ended = true;
	if (s->why != NULL)
		why = s->why;
	/* Auth wants to know what does not count for LOGIN-DELAY. */
	if (s->pop3.login_delay != 0 && is_in_vain(s, why))
		s->sign_in.is_open = true;
	session_tell_end(s);
	/* Whoever comes next must find the maildrop free. */
	session_release(s);
	session_log(s, why);
	count_end(s);
	if (s->dialogue != NULL)
		traced_end(s, why);
	ev_io_stop(w->loop, &s->io);
	ev_timer_stop(w->loop, &s->timer);
	admission_leave(w, &s->admission);
	pop3_server_clear(&s->pop3);
	session_disconnect(s);
	buf_free(&s->in);
	buf_free(&s->out);
	retrieve_release(s);
	w->slots[s->sid & ((1u << SID_SLOT_BITS) - 1)] = NULL;
	TAILQ_INSERT_TAIL(&w->dead, s, link);
}

/* ---- deadlines ---- */

/* By when what is waited for must have come, whoever the client is. */
static uint64_t
wait_deadline(const struct session *s)
{
	const struct worker_conf *conf = &s->listener->serving->conf;
	uint64_t write = s->progress + conf->write_timeout * 1000ull;

	switch (s->wait) {
	case WAIT_PROXY: return s->started + PROXY_MS;
	case WAIT_TLS: return s->progress + conf->tls_timeout * 1000ull;
	case WAIT_LINGER: return s->progress + LINGER_MS;
	case WAIT_QUEUE: return s->progress + QUEUE_RETRY_MS;
	case WAIT_CLOSES: return s->progress + CLOSE_LATER_MS;
	case WAIT_ROOM:
	case WAIT_DRAIN: return write;
	case WAIT_CLIENT:
		if (s->pop3.state == POP3_AUTHORIZATION)
			return UINT64_MAX; /* see login_deadline() */
		if (s->out.len != 0)
			return write;
		/* A long transfer is no idleness. */
		return (s->active > s->progress ? s->active : s->progress) +
		       conf->idle_timeout * 1000ull;
	default: return s->active + ANSWER_MS;
	}
}

/* Until the client has signed in, whatever is waited for from it ends with
 * login_timeout at the latest. */
static bool
is_before_login(const struct session *s)
{
	return s->pop3.state == POP3_AUTHORIZATION &&
	       (s->wait == WAIT_PROXY || s->wait == WAIT_TLS ||
		   s->wait == WAIT_ROOM || s->wait == WAIT_DRAIN ||
		   s->wait == WAIT_CLIENT);
}

static uint64_t
login_deadline(const struct session *s)
{
	return is_before_login(s)
		   ? s->started +
			 s->listener->serving->conf.login_timeout * 1000ull
		   : UINT64_MAX;
}

static uint64_t
session_deadline(const struct session *s)
{
	uint64_t at = wait_deadline(s), login = login_deadline(s);

	return at < login ? at : login;
}

static void
timer_set(struct session *s, uint64_t at, uint64_t now)
{
	s->timer_at = at;
	ev_timer_stop(s->worker->loop, &s->timer);
	ev_timer_set(
	    &s->timer, at > now ? (double)(at - now) / 1000.0 : 0., 0.);
	ev_timer_start(s->worker->loop, &s->timer);
}

/* Deadlines mostly move on; the timer catches up when it fires. */
static void
on_session_timer(struct ev_loop *loop, ev_timer *t, int revents)
{
	struct session *s = t->data;
	uint64_t now = clock_ms(), at = session_deadline(s);

	if (now < at) {
		timer_set(s, at, now);
		return;
	}
	if (now >= login_deadline(s)) {
		session_end(s, "login-timeout");
		return;
	}
	switch (s->wait) {
	case WAIT_QUEUE:
	case WAIT_CLOSES:
		s->wait = WAIT_NOTHING;
		s->timer_at = UINT64_MAX;
		session_go(s);
		break;
	case WAIT_PROXY: session_end(s, "proxy-timeout"); break;
	case WAIT_TLS: session_end(s, "tls-timeout"); break;
	case WAIT_LINGER: session_end(s, "closed"); break;
	case WAIT_ROOM:
	case WAIT_DRAIN: session_end(s, "write-timeout"); break;
	case WAIT_CLIENT:
		session_end(
		    s, s->out.len != 0 ? "write-timeout" : "idle-timeout");
		break;
	default: session_end(s, "no-answer"); break;
	}
}

/* ---- the turns of the loop ---- */

static void
watch_client(struct session *s, int events)
{
	struct ev_loop *loop = s->worker->loop;

	if (ev_is_active(&s->io) && s->io.events == events)
		return;
	ev_io_stop(loop, &s->io);
	ev_io_modify(&s->io, events);
	if (events != 0)
		ev_io_start(loop, &s->io);
}

/* Watches what is waited for. */
static void
session_settle(struct session *s)
{
	bool unsent = s->out.len != 0 || s->conn.sealed.len != 0;
	bool read = s->wait == WAIT_TLS || s->wait == WAIT_LINGER ||
		    (s->wait == WAIT_CLIENT && !unsent) || s->in.len < IN_AHEAD;
	int events = 0;
	uint64_t at;

	if (s->conn.ended && s->wait == WAIT_CLIENT && !unsent) {
		session_end(s, "closed");
		return;
	}
	buf_trim(&s->out);
	buf_trim(&s->in);
	/* WAIT_ROOM without octets to send: only the turn is over. */
	if (unsent || s->wait == WAIT_ROOM)
		events |= EV_WRITE;
	/* In these the request still borrows from the input. */
	if (read && !s->conn.ended && s->wait != WAIT_QUEUE &&
	    s->wait != WAIT_CLOSES)
		events |= EV_READ;
	watch_client(s, events);
	at = session_deadline(s);
	if (at < s->timer_at)
		timer_set(s, at, clock_ms());
}

/* What could not be sent is kept in memory of its own. */
static void
reclaim_lent(struct session *s)
{
	if (buf_reclaim(&s->out) != E_OK ||
	    buf_reclaim(&s->conn.sealed) != E_OK)
		session_end(s, "out-of-memory");
}

void
session_go(struct session *s)
{
	struct worker *w = s->worker;
	enum go go;
	enum err e;

	buf_lend(&s->out, w->out, sizeof(w->out));
	buf_lend(&s->conn.sealed, w->sealed, sizeof(w->sealed));
	s->looked = 0;
	for (int round = 0; round < ROUNDS && !s->ended; round++) {
		do
			go = session_step(s);
		while (go == GO_ON);
		if (go == GO_END)
			session_end(s, s->why);
		if (s->ended || s->wait == WAIT_LINGER)
			break;
		e = session_flush(s);
		if (e != E_OK && e != E_AGAIN) {
			session_end(s, "lost");
			break;
		}
		/* Sent: there is room again. */
		if (s->wait != WAIT_ROOM || e != E_OK)
			break;
	}
	if (!s->ended)
		reclaim_lent(s);
	if (!s->ended)
		session_settle(s);
}

void
session_read_done(struct read_job *job)
{
	struct session *s = job->arg;

	if (!s->ended)
		session_go(s);
}

static void
client_writable(struct session *s)
{
	enum err e = session_flush(s);

	if (e != E_OK && e != E_AGAIN)
		session_end(s, "lost");
	else if (e == E_OK && (s->wait == WAIT_ROOM || s->wait == WAIT_DRAIN ||
				  s->wait == WAIT_TLS))
		session_go(s);
	else
		session_settle(s);
}

static void
client_readable(struct session *s)
{
	enum err e;

	if (s->wait == WAIT_TLS || s->wait == WAIT_PROXY) {
		session_go(s);
		return;
	}
	e = session_fill(s);
	if (s->wait == WAIT_LINGER) {
		buf_consume(&s->in, s->in.len);
		if (e != E_OK)
			session_end(s, "closed");
		return;
	}
	if (e != E_OK && e != E_CLOSED)
		session_end(s, "lost");
	else if (s->wait == WAIT_CLIENT)
		session_go(s);
	else /* what was asked before the end is still done: QUIT, then FIN */
		session_settle(s);
}

/* What writing has led to may have put an end to reading. */
static void
on_client(struct ev_loop *loop, ev_io *io, int revents)
{
	struct session *s = io->data;

	if ((revents & EV_WRITE) != 0)
		client_writable(s);
	if ((revents & EV_READ) != 0 && !s->ended &&
	    (io->events & EV_READ) != 0)
		client_readable(s);
}

/* ---- beginning ---- */

static void
turn_away(struct conn *c, const struct listener *l, enum pop3_text t)
{
	struct buf out;
	size_t n;

	buf_init(&out, 1024, false);
	pop3_server_turn_away(&out, t);
	/* What is not taken at once is not worth waiting for. */
	if (l->tls != LISTEN_TLS && !l->kpop)
		(void)(conn_write(c, buf_data(&out), out.len, &n) == E_OK);
	buf_free(&out);
	conn_close(c);
}

static struct session *
session_alloc(struct worker *w)
{
	struct session *s = calloc(1, sizeof(*s));
	uint32_t slot;

	if (s == NULL)
		return NULL;
	slot = w->free_slots[--w->n_free];
	w->slots[slot] = s;
	w->n_sessions++;
	s->sid = w->serial++ << SID_SLOT_BITS | slot;
	s->worker = w;
	return s;
}

/* NULL: it was turned away, and conn is closed.  Connections of this machine, and
 * a proxy's own, are not counted: those of its clients are, when it has said whose
 * they are. */
static struct session *
admit(struct worker *w, struct conn *conn, const struct sockaddr_storage *addr,
    const struct listener *l)
{
	struct admission a = { 0 };
	bool few = l->local || admission_is_proxy(l, addr) ||
		   admission_enter(w, addr, &a);
	bool full = w->n_free == 0 || w->n_sessions >= w->conf.sessions_max;
	enum pop3_text t = !few   ? POP3_TEXT_SAME_ADDRESS
			   : full ? POP3_TEXT_CONNECTIONS
				  : POP3_NO_TEXT;
	struct session *s = t == POP3_NO_TEXT ? session_alloc(w) : NULL;
	char peer[ADDR_TEXT];

	if (s != NULL) {
		tally_add(TALLY_CONNECTIONS, 1);
		s->admission = a;
		return s;
	}
	tally_add(TALLY_TURNED_AWAY, 1);
	admission_leave(w, &a);
	admission_log(w, addr_text(peer, addr),
	    t != POP3_NO_TEXT ? pop3_text_words(t) : "out of memory");
	turn_away(conn, l, t != POP3_NO_TEXT ? t : POP3_TEXT_LATER);
	return NULL;
}

/* By a proxy, what that says comes first. */
static bool
begin(struct session *s, const struct sockaddr_storage *addr)
{
	if (s->listener->local)
		pop3_server_secure(&s->pop3);
	if (admission_is_proxy(s->listener, addr) && !proxied_begin(s))
		return false;
	return s->wait == WAIT_PROXY || session_begin(s);
}

void
session_new(struct worker *w, int fd, const struct sockaddr_storage *addr,
    const struct listener *l)
{
	struct conn conn;
	struct session *s;
	uint64_t salt[2] = { w->apop_half };

	conn_init(&conn, fd);
	if ((s = admit(w, &conn, addr, l)) == NULL)
		return;
	s->conn = conn;
	s->listener = l;
	l->serving->n_sessions++;
	s->started = s->active = s->progress = clock_ms();
	s->timer_at = UINT64_MAX;
	s->doing = POP3_WANT_INPUT;
	addr_text(s->peer, addr);
	buf_init(&s->in, l->in_max, true);
	buf_init(&s->out, OUT_MAX, false);
	ev_io_init(&s->io, on_client, fd, EV_READ);
	ev_init(&s->timer, on_session_timer);
	s->io.data = s->timer.data = s;
	if (l->policy.apop)
		arc4random_buf(&salt[1], sizeof(salt[1]));
	pop3_server_init(&s->pop3, &l->policy, l->tls == LISTEN_TLS, salt);
	if (w->n_traced != 0)
		traced_begin(s);
	if (!begin(s, addr))
		session_end(s, "out-of-memory");
	else
		session_go(s);
}
