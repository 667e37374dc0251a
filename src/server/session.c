#include "server/session.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "net/tls.h"
#include "server/addrcount.h"

enum {
	IN_MAX = 100 * 1024, /* the longest line of SASL, and then some */
	IN_AHEAD = 4096,     /* commands read ahead while one is at work */
	OUT_MAX = OUT_MARK + SCRATCH + 4096,
	READ_PIECE = 4096,
	ROUNDS = 16, /* buffers sent before others have their turn */
	LINGER_MS = 2000,
	ANSWER_MS = 600 * 1000, /* other processes; their death shows earlier */
	QUEUE_RETRY_MS = 5,
};

static void session_settle(struct session *s);

/* ---- life ---- */

struct session *
session_find(struct worker *w, uint64_t sid)
{
	uint32_t slot = (uint32_t)(sid & ((1u << SID_SLOT_BITS) - 1));
	struct session *s;

	if (slot >= w->conf.sessions_max || (s = w->slots[slot]) == NULL)
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
	if (s->index_fd >= 0)
		close(s->index_fd);
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
		next = TAILQ_NEXT(s, dead);
		if (s->disk != NULL && s->disk_state == DISK_ASKED)
			continue;
		TAILQ_REMOVE(&w->dead, s, dead);
		session_free(s);
	}
}

static void
session_log(const struct session *s, const char *why)
{
	char user[NAME_MAX_OCTETS + 1];
	const char *name = s->user != NULL ? s->user : "";

	log_line(LOG_EVENT,
	    "ev=session sid=%u.%llx user=%s ip=%s tls=%s cipher=%s in=%llu "
	    "out=%llu retr=%u top=%u dele=%u left=%u why=%s ms=%llu",
	    s->worker->conf.role.index, (unsigned long long)s->sid,
	    str_escape(user, sizeof(user), name, strlen(name)), s->peer,
	    conn_tls_version(&s->conn), conn_tls_cipher(&s->conn),
	    (unsigned long long)s->octets_in, (unsigned long long)s->octets_out,
	    s->pop3.n_retr, s->pop3.n_top, s->removed, s->count - s->removed,
	    why, (unsigned long long)(clock_ms() - s->started));
}

void
session_trace(const struct pop3_server *p, bool reply, struct slice line)
{
	const struct session *s =
	    (const void *)((const char *)p - offsetof(struct session, pop3));
	char text[600];

	log_line(LOG_DEBUGGING, "ev=trace sid=%u.%llx %s=\"%s\"",
	    s->worker->conf.role.index, (unsigned long long)s->sid,
	    reply ? "server" : "client",
	    str_quote(text, sizeof(text), line.p, line.n));
}

static void
send_sid(struct ipc_chan *chan, enum ipc_type type, uint64_t sid)
{
	enum err e;

	ipc_begin(chan, type);
	ipc_put_u64(chan, sid);
	e = ipc_end(chan);
	if (e != E_OK)
		log_line(LOG_FAULT, "ev=queue error=\"%s\"", err_str(e));
}

void
session_doubt(struct session *s, uint32_t msgno)
{
	struct ipc_chan *chan = s->store->chan;

	ipc_begin(chan, IPC_DOUBT);
	ipc_put_u64(chan, s->sid);
	ipc_put_u32(chan, msgno);
	(void)(ipc_end(chan) == E_OK); /* else the next session finds it out */
}

/* With mark_seen the store renames what was read, when the session is over. */
static void
send_bitmap(struct session *s, enum mark_kind kind, const uint8_t *map)
{
	struct ipc_chan *chan = s->store->chan;
	size_t n = (s->count + 7) / 8;

	for (size_t off = 0; off < n; off += MARKS_CHUNK) {
		size_t part = n - off < MARKS_CHUNK ? n - off : MARKS_CHUNK;
		bool any = false;

		for (size_t i = 0; i < part && !any; i++)
			any = map[off + i] != 0;
		if (!any)
			continue;
		ipc_begin(chan, IPC_MARKS);
		ipc_put_u64(chan, s->sid);
		ipc_put_u8(chan, (uint8_t)kind);
		ipc_put_u32(chan, (uint32_t)(off * 8));
		ipc_put_bytes(chan, map + off, part);
		if (ipc_end(chan) != E_OK)
			return; /* COMMIT will not fit either */
	}
}

static void
release_maildrop(struct session *s)
{
	if (s->store == NULL)
		return;
	if (s->store->chan != NULL) {
		if (s->seen != NULL)
			send_bitmap(s, MARK_SEEN, s->seen);
		send_sid(s->store->chan, IPC_RELEASE, s->sid);
	}
	s->store = NULL;
}

void
session_end(struct session *s, const char *why)
{
	struct worker *w = s->worker;

	if (s->ended)
		return;
	s->ended = true;
	if (s->wait == WAIT_SIGN_IN && w->auth != NULL)
		send_sid(w->auth, IPC_SIGN_IN_END, s->sid);
	/* Whoever comes next must find the maildrop free. */
	release_maildrop(s);
	session_log(s, s->why != NULL ? s->why : why);
	ev_io_stop(w->loop, &s->rd);
	ev_io_stop(w->loop, &s->wr);
	ev_timer_stop(w->loop, &s->timer);
	addrcount_leave(
	    &w->counts, w->conf.role.index, (const struct sockaddr *)&s->addr);
	pop3_server_clear(&s->pop3);
	conn_close(&s->conn);
	buf_free(&s->in);
	buf_free(&s->out);
	retrieve_release(s);
	w->slots[s->sid & ((1u << SID_SLOT_BITS) - 1)] = NULL;
	TAILQ_INSERT_TAIL(&w->dead, s, dead);
}

static uint64_t
session_deadline(const struct session *s)
{
	const struct pop3_conf *conf = &s->worker->conf;
	uint64_t login = s->started + conf->login_timeout * 1000ull;
	uint64_t write = s->progress + conf->write_timeout * 1000ull;
	uint64_t tls = s->progress + conf->tls_timeout * 1000ull;

	switch (s->wait) {
	case WAIT_TLS: return tls < login ? tls : login;
	case WAIT_LINGER: return s->progress + LINGER_MS;
	case WAIT_QUEUE: return s->progress + QUEUE_RETRY_MS;
	case WAIT_ROOM:
	case WAIT_DRAIN: return write;
	case WAIT_CLIENT:
		if (s->pop3.state == POP3_AUTHORIZATION)
			return login;
		if (s->out.len != 0)
			return write;
		/* A long transfer is no idleness. */
		return (s->active > s->progress ? s->active : s->progress) +
		       conf->idle_timeout * 1000ull;
	default: return s->active + ANSWER_MS;
	}
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
on_timer(struct ev_loop *loop, ev_timer *t, int revents)
{
	struct session *s = t->data;
	uint64_t now = clock_ms(), at = session_deadline(s);

	(void)loop;
	(void)revents;
	if (now < at) {
		timer_set(s, at, now);
		return;
	}
	switch (s->wait) {
	case WAIT_QUEUE:
		s->wait = WAIT_NOTHING;
		s->timer_at = UINT64_MAX;
		session_go(s);
		break;
	case WAIT_TLS: session_end(s, "tls-timeout"); break;
	case WAIT_LINGER: session_end(s, "closed"); break;
	case WAIT_ROOM:
	case WAIT_DRAIN: session_end(s, "write-timeout"); break;
	case WAIT_CLIENT:
		if (s->pop3.state == POP3_AUTHORIZATION)
			session_end(s, "login-timeout");
		else if (s->out.len != 0)
			session_end(s, "write-timeout");
		else
			session_end(s, "idle-timeout");
		break;
	default: session_end(s, "no-answer"); break;
	}
}

/* ---- octets ---- */

enum err
session_send(struct session *s, const char *p, size_t n)
{
	size_t done = 0;
	enum err e;

	if (s->out.len == 0 && n >= OUT_MARK / 2 &&
	    !conn_is_blocked(&s->conn)) {
		e = conn_write(&s->conn, p, n, &done);
		if (e != E_OK && e != E_AGAIN)
			return e;
		s->octets_out += done;
		s->progress = clock_ms();
	}
	return buf_put(&s->out, p + done, n - done);
}

/* Sends what there is.  E_OK: all of it is with the kernel. */
static enum err
session_flush(struct session *s)
{
	enum err e = E_OK;
	size_t before = s->out.len + s->conn.sealed.len, n;

	while (s->out.len != 0 && e == E_OK) {
		e = conn_write(&s->conn, buf_data(&s->out), s->out.len, &n);
		s->octets_out += n;
		buf_consume(&s->out, n);
		if (e == E_OK && s->conn.sealed.len != 0)
			e = conn_flush(&s->conn);
		if (e == E_OK && n == 0)
			e = E_AGAIN;
	}
	if (e == E_OK && s->conn.sealed.len != 0)
		e = conn_flush(&s->conn);
	if (s->out.len + s->conn.sealed.len < before)
		s->progress = clock_ms();
	return e;
}

/* E_OK if something was read or there is nothing now. */
static enum err
session_fill(struct session *s)
{
	size_t n;
	char *room = buf_room(&s->in, READ_PIECE);
	enum err e;

	if (room == NULL)
		return E_NOMEM;
	e = conn_read(&s->conn, room, READ_PIECE, &n);
	buf_added(&s->in, n);
	s->octets_in += n;
	return e == E_AGAIN ? E_OK : e;
}

static void
on_disk(struct read_job *job)
{
	struct session *s = job->arg;

	s->disk_state = DISK_READY;
	if (!s->ended)
		session_go(s);
}

enum go
session_read(struct session *s, int fd, uint64_t off, size_t len, bool whole,
    const char **p_r, size_t *n_r)
{
	struct worker *w = s->worker;
	struct iovec iov = { w->scratch, len };
	struct read_job *job = s->disk;
	ssize_t n;

	if (job != NULL && s->disk_state == DISK_USED) {
		free(job);
		job = s->disk = NULL;
	}
	if (job != NULL && job->fd == fd && job->off == off) {
		s->disk_state = DISK_USED;
		*p_r = job->data;
		*n_r = job->got > 0 ? (size_t)job->got : 0;
		errno = job->got < 0 ? (int)-job->got : 0;
		return *n_r == 0 || (whole && *n_r < len) ? GO_END : GO_ON;
	}
	n = preadv2(fd, &iov, 1, (off_t)off, RWF_NOWAIT);
	if (n > 0 && ((size_t)n == len || !whole)) {
		*p_r = w->scratch;
		*n_r = (size_t)n;
		return GO_ON;
	}
	if (n == 0)
		return GO_END;
	/* Not in memory, or the file system cannot say. */
	free(s->disk);
	if ((s->disk = job = read_job_new(len)) == NULL)
		return GO_END;
	s->disk_state = DISK_ASKED;
	job->done = on_disk;
	job->arg = s;
	job->fd = fd;
	job->off = off;
	reader_submit(w->reader, job);
	s->wait = WAIT_DISK;
	return GO_WAIT;
}

/* ---- what the protocol asks for ---- */

static enum go
sign_in_refuse(struct session *s, const char *text)
{
	pop3_server_refused(&s->pop3, &s->out, POP3_CODE_SYS_TEMP, text);
	return GO_ON;
}

static void
put_slice(struct ipc_chan *c, struct slice v)
{
	ipc_put_bytes(c, v.n != 0 ? v.p : "", v.n);
}

static enum go
sign_in(struct session *s)
{
	const struct pop3_request *r = &s->pop3.request;
	struct ipc_chan *auth = s->worker->auth;
	uint8_t flags = s->conn.ssl != NULL ? SIGN_IN_TLS : 0;
	char timestamp[300];
	size_t n;

	if (auth == NULL)
		return sign_in_refuse(s, "sign-in is not possible now");
	if (ipc_is_full(auth)) {
		s->wait = WAIT_QUEUE;
		return GO_WAIT;
	}
	if (s->doing == POP3_WANT_STEP) {
		ipc_begin(auth, IPC_SASL_STEP);
		ipc_put_u64(auth, s->sid);
		put_slice(auth, r->secret);
	} else {
		ipc_begin(auth, s->doing == POP3_WANT_PASS   ? IPC_PASS
				: s->doing == POP3_WANT_APOP ? IPC_APOP
							     : IPC_SASL);
		ipc_put_u64(auth, s->sid);
		ipc_put_u8(auth, flags);
		ipc_put_str(auth, s->peer);
		if (s->doing == POP3_WANT_SASL) {
			s->method = r->mechanism->name;
			ipc_put_str(auth, s->method);
			ipc_put_u8(auth, r->has_secret);
		} else {
			s->method =
			    s->doing == POP3_WANT_PASS ? "USER" : "APOP";
			put_slice(auth, r->name);
		}
		if (s->doing == POP3_WANT_APOP) {
			n = pop3_server_timestamp(
			    &s->pop3, timestamp, sizeof(timestamp));
			ipc_put_bytes(auth, timestamp, n);
		}
		put_slice(auth, r->secret);
	}
	if (ipc_end(auth) != E_OK)
		return sign_in_refuse(s, "too many sign-ins at once");
	s->wait = WAIT_SIGN_IN;
	return GO_WAIT;
}

static enum go
update(struct session *s)
{
	const uint8_t *marks = pop3_server_marks(&s->pop3);

	retrieve_release(s);
	if (s->pop3.marked == 0) {
		/* The maildrop must be free before the client hears of it. */
		struct ipc_chan *chan = s->store->chan;

		release_maildrop(s);
		ipc_flush(chan);
		pop3_server_updated(&s->pop3, &s->out, 0, 0);
		return GO_ON;
	}
	if (s->seen != NULL)
		send_bitmap(s, MARK_SEEN, s->seen);
	send_bitmap(s, MARK_REMOVE, marks);
	ipc_begin(s->store->chan, IPC_COMMIT);
	ipc_put_u64(s->store->chan, s->sid);
	if (ipc_end(s->store->chan) != E_OK) {
		session_committed(s, 0, s->pop3.marked);
		return GO_WAIT;
	}
	s->wait = WAIT_COMMIT;
	return GO_WAIT;
}

/* What comes behind STLS before the handshake was said by somebody else. */
static enum go
start_tls(struct session *s)
{
	enum err e;

	if (s->in.len != 0 || conn_is_pending(&s->conn)) {
		session_end(s, "stls-injection");
		return GO_END;
	}
	e = session_flush(s);
	if (e == E_AGAIN) {
		s->wait = WAIT_ROOM;
		return GO_WAIT;
	}
	if (e != E_OK || conn_start_tls(&s->conn, s->worker->tls) != E_OK) {
		session_end(s, "lost");
		return GO_END;
	}
	s->wait = WAIT_TLS;
	s->doing = POP3_WANT_INPUT;
	return GO_WAIT;
}

static enum go
handshake(struct session *s)
{
	enum err e = conn_handshake(&s->conn);

	if (e == E_AGAIN) {
		s->wait = WAIT_TLS;
		return GO_WAIT;
	}
	if (e != E_OK) {
		log_line(LOG_EVENT,
		    "ev=tls-failed sid=%u.%llx ip=%s why=\"%s\"",
		    s->worker->conf.role.index, (unsigned long long)s->sid,
		    s->peer, conn_tls_error());
		session_end(s, "tls-failed");
		return GO_END;
	}
	if (s->listener->tls == LISTEN_TLS)
		pop3_server_greet(&s->pop3, &s->out);
	else
		pop3_server_tls(&s->pop3);
	s->progress = clock_ms();
	return GO_ON;
}

/* Closing at once, with octets unread, would make the kernel throw away what
 * the client has not taken yet. */
static enum go
drain(struct session *s)
{
	bool orderly = s->in.len == 0 && strcmp(s->pop3.why, "quit") == 0;
	enum err e = session_flush(s);

	if (s->why == NULL)
		s->why = s->pop3.why;
	if (e == E_AGAIN) {
		s->wait = WAIT_DRAIN;
		return GO_WAIT;
	}
	if (e != E_OK || orderly) {
		session_end(s, "lost");
		return GO_END;
	}
	shutdown(s->conn.fd, SHUT_WR);
	buf_free(&s->in);
	s->progress = clock_ms();
	s->wait = WAIT_LINGER;
	return GO_WAIT;
}

static enum go
run(struct session *s)
{
	size_t before = s->in.len;

	s->doing = pop3_server_run(&s->pop3, &s->in, &s->out, OUT_MARK);
	if (s->in.len < before || s->doing != POP3_WANT_INPUT)
		s->active = clock_ms();
	if (s->doing == POP3_WANT_INPUT) {
		/* What OpenSSL has read already shows in no event. */
		before = s->in.len;
		if (conn_is_buffered(&s->conn) && session_fill(s) == E_OK &&
		    s->in.len > before)
			return GO_ON;
		s->wait = WAIT_CLIENT;
		return GO_WAIT;
	}
	if (s->doing == POP3_WANT_FLUSH) {
		s->wait = WAIT_ROOM;
		return GO_WAIT;
	}
	return GO_ON;
}

static enum go
session_step(struct session *s)
{
	enum go go = GO_ON;

	if (s->wait == WAIT_TLS)
		go = handshake(s);
	else
		switch (s->doing) {
		case POP3_WANT_INPUT:
		case POP3_WANT_FLUSH: return run(s);
		case POP3_WANT_PASS:
		case POP3_WANT_APOP:
		case POP3_WANT_SASL:
		case POP3_WANT_STEP: go = sign_in(s); break;
		case POP3_WANT_CANCEL:
			if (s->worker->auth != NULL)
				send_sid(
				    s->worker->auth, IPC_SIGN_IN_END, s->sid);
			break;
		case POP3_WANT_ENTRY: go = lookup_entry(s); break;
		case POP3_WANT_LISTING: go = lookup_listing(s); break;
		case POP3_WANT_MESSAGE: go = retrieve_go(s); break;
		case POP3_WANT_UPDATE: go = update(s); break;
		case POP3_WANT_TLS: return start_tls(s);
		case POP3_WANT_CLOSE: return drain(s);
		}
	if (go == GO_ON) {
		s->doing = POP3_WANT_INPUT;
		s->wait = WAIT_NOTHING;
	}
	return go;
}

void
session_go(struct session *s)
{
	enum go go;
	enum err e;

	for (int round = 0; round < ROUNDS && !s->ended; round++) {
		do
			go = session_step(s);
		while (go == GO_ON && !s->ended);
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
		session_settle(s);
}

/* Watches what is waited for. */
static void
session_settle(struct session *s)
{
	struct ev_loop *loop = s->worker->loop;
	bool unsent = s->out.len != 0 || s->conn.sealed.len != 0;
	bool read = s->wait == WAIT_TLS || s->wait == WAIT_LINGER ||
		    (s->wait == WAIT_CLIENT && !unsent) || s->in.len < IN_AHEAD;
	uint64_t at;

	if (s->conn.ended && s->wait == WAIT_CLIENT && !unsent) {
		session_end(s, "closed");
		return;
	}
	if (!unsent)
		buf_trim(&s->out);
	buf_trim(&s->in);
	/* WAIT_ROOM without octets to send: only the turn is over. */
	if (unsent || s->wait == WAIT_ROOM)
		ev_io_start(loop, &s->wr);
	else
		ev_io_stop(loop, &s->wr);
	/* In WAIT_QUEUE the request still borrows from the input. */
	if (read && !s->conn.ended && s->wait != WAIT_QUEUE)
		ev_io_start(loop, &s->rd);
	else
		ev_io_stop(loop, &s->rd);
	at = session_deadline(s);
	if (at < s->timer_at)
		timer_set(s, at, clock_ms());
}

static void
on_writable(struct ev_loop *loop, ev_io *w, int revents)
{
	struct session *s = w->data;
	enum err e = session_flush(s);

	(void)loop;
	(void)revents;
	if (e != E_OK && e != E_AGAIN)
		session_end(s, "lost");
	else if (s->wait == WAIT_ROOM || s->wait == WAIT_DRAIN ||
		 s->wait == WAIT_TLS)
		session_go(s);
	else
		session_settle(s);
}

static void
on_readable(struct ev_loop *loop, ev_io *w, int revents)
{
	struct session *s = w->data;
	enum err e;

	(void)loop;
	(void)revents;
	if (s->wait == WAIT_TLS) {
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

/* ---- beginning ---- */

static void
turn_away(struct conn *c, const struct listener *l, const char *text)
{
	struct buf out;
	size_t n;
	enum err e = E_OK;

	buf_init(&out, 1024, false);
	pop3_server_turn_away(&out, text);
	if (l->tls != LISTEN_TLS)
		e = conn_write(c, buf_data(&out), out.len, &n);
	(void)e; /* what is not taken at once is not worth waiting for */
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

void
session_new(struct worker *w, int fd, const struct sockaddr_storage *addr,
    const struct listener *l)
{
	struct conn conn;
	struct session *s;
	uint32_t same = addrcount_enter(
	    &w->counts, w->conf.role.index, (const struct sockaddr *)addr);
	uint64_t salt[2] = { 0, 0 };
	const char *refusal = NULL;

	conn_init(&conn, fd);
	if (w->conf.per_address_max != 0 && same > w->conf.per_address_max)
		refusal = "too many connections from your address";
	else if (w->n_free == 0)
		refusal = "too many connections";
	if (refusal != NULL || (s = session_alloc(w)) == NULL) {
		addrcount_leave(&w->counts, w->conf.role.index,
		    (const struct sockaddr *)addr);
		log_line(LOG_WARNING, "ev=turned-away why=\"%s\"",
		    refusal != NULL ? refusal : "out of memory");
		turn_away(&conn, l, refusal != NULL ? refusal : "try later");
		return;
	}
	s->conn = conn;
	s->listener = l;
	s->addr = *addr;
	s->index_fd = -1;
	s->pump.msg.fd = -1;
	s->started = s->active = s->progress = clock_ms();
	s->timer_at = UINT64_MAX;
	s->doing = POP3_WANT_INPUT;
	addr_text(s->peer, addr);
	buf_init(&s->in, IN_MAX, true);
	buf_init(&s->out, OUT_MAX, false);
	ev_io_init(&s->rd, on_readable, fd, EV_READ);
	ev_io_init(&s->wr, on_writable, fd, EV_WRITE);
	ev_init(&s->timer, on_timer);
	s->rd.data = s->wr.data = s->timer.data = s;
	if (l->policy.apop)
		arc4random_buf(salt, sizeof(salt));
	pop3_server_init(&s->pop3, &l->policy, l->tls == LISTEN_TLS, salt);
	if (l->tls == LISTEN_TLS) {
		if (conn_start_tls(&s->conn, w->tls) != E_OK) {
			session_end(s, "out-of-memory");
			return;
		}
		s->wait = WAIT_TLS;
	} else {
		pop3_server_greet(&s->pop3, &s->out);
	}
	session_go(s);
}

/* ---- answers ---- */

/* A reply is in the output: takes the next command. */
static void
answered(struct session *s)
{
	s->doing = POP3_WANT_INPUT;
	s->wait = WAIT_NOTHING;
	session_go(s);
}

void
session_challenged(struct session *s, struct slice data)
{
	if (s->wait != WAIT_SIGN_IN)
		return;
	pop3_server_challenge(&s->pop3, &s->out, data.p, data.n);
	answered(s);
}

void
session_refused(struct session *s, enum sign_in_code code, const char *text)
{
	static const struct {
		enum pop3_code code;
		const char *text;
	} says[SIGN_IN_CODES] = {
		[SIGN_IN_CREDENTIALS] = { POP3_CODE_AUTH,
		    "authentication failed" },
		[SIGN_IN_TEMPORARY] = { POP3_CODE_SYS_TEMP,
		    "not possible now, try again later" },
		[SIGN_IN_PERMANENT] = { POP3_CODE_SYS_PERM,
		    "your maildrop needs the postmaster" },
		[SIGN_IN_IN_USE] = { POP3_CODE_IN_USE, NULL },
		[SIGN_IN_MALFORMED] = { POP3_NO_CODE, "malformed response" },
	};

	if (s->wait != WAIT_SIGN_IN)
		return;
	pop3_server_refused(&s->pop3, &s->out, says[code].code,
	    says[code].text != NULL ? says[code].text : text);
	answered(s);
}

void
session_opened(struct session *s, struct store_link *store, const char *user,
    uint32_t count, uint64_t octets)
{
	char shown[NAME_MAX_OCTETS + 1];

	s->store = store;
	s->count = count;
	s->user = strdup(user);
	if (s->worker->conf.mark_seen)
		s->seen = calloc((count + 7) / 8 + 1, 1);
	if (s->user == NULL || (s->worker->conf.mark_seen && s->seen == NULL)) {
		session_end(s, "out-of-memory");
		return;
	}
	log_line(LOG_EVENT,
	    "ev=login sid=%u.%llx user=%s ip=%s method=%s tls=%s cipher=%s "
	    "messages=%u octets=%llu",
	    s->worker->conf.role.index, (unsigned long long)s->sid,
	    str_escape(shown, sizeof(shown), user, strlen(user)), s->peer,
	    s->method, conn_tls_version(&s->conn), conn_tls_cipher(&s->conn),
	    count, (unsigned long long)octets);
	pop3_server_opened(&s->pop3, &s->out, count, octets);
	answered(s);
}

void
session_committed(struct session *s, uint32_t removed, uint32_t failed)
{
	s->removed = removed;
	s->store = NULL; /* it has released the maildrop */
	pop3_server_updated(&s->pop3, &s->out, removed, failed);
	answered(s);
}

void
session_lost_auth(struct session *s)
{
	if (s->wait != WAIT_SIGN_IN)
		return;
	/* A store may have the sign-in already, and speak of it later: not to
	 * this session any more. */
	s->wait = WAIT_NOTHING;
	pop3_server_refused(&s->pop3, &s->out, POP3_CODE_SYS_TEMP,
	    "sign-in was interrupted, try again");
	s->why = "auth-died";
	s->doing = POP3_WANT_CLOSE;
	session_go(s);
}

void
session_lost_store(struct session *s, const struct store_link *store)
{
	if (s->wait == WAIT_SIGN_IN && s->worker->auth != NULL)
		send_sid(s->worker->auth, IPC_WHERE, s->sid);
	if (s->store != store)
		return;
	s->store = NULL;
	s->why = "store-died";
	if (s->wait == WAIT_COMMIT) {
		pop3_server_updated(&s->pop3, &s->out, 0, s->pop3.marked);
	} else if ((s->wait == WAIT_INDEX || s->wait == WAIT_MESSAGE) &&
		   !s->pump.begun) {
		pop3_server_failed(&s->pop3, &s->out, POP3_CODE_SYS_TEMP,
		    "the maildrop is not there now");
	} else {
		/* Unasked words would be taken for the next reply, and half a
		 * message must not look whole. */
		session_end(s, "store-died");
		return;
	}
	s->doing = POP3_WANT_CLOSE;
	s->wait = WAIT_NOTHING;
	session_go(s);
}

bool
session_yield(struct session *s, uint32_t seconds)
{
	if (s->wait != WAIT_CLIENT || s->out.len != 0 || s->in.len != 0 ||
	    clock_ms() - s->active < seconds * 1000ull)
		return false;
	session_end(s, "takeover");
	return true;
}
