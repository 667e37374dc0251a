/*
 * step.c - gives the protocol what it asks for.
 */
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/log.h"
#include "server/worker/session.h"

/* ---- what other processes are told ---- */

void
session_tell(struct ipc_chan *chan, uint16_t type, uint64_t sid)
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
static enum err
send_marks(struct session *s, enum mark_kind kind, const uint8_t *map)
{
	struct ipc_chan *chan = s->store->chan;
	size_t n = ((size_t)s->count + 7) / 8;

	for (size_t off = 0; off < n; off += MARKS_CHUNK) {
		size_t part = n - off < MARKS_CHUNK ? n - off : MARKS_CHUNK;
		bool any = false;
		enum err e;

		for (size_t i = 0; i < part && !any; i++)
			any = map[off + i] != 0;
		if (!any)
			continue;
		ipc_begin(chan, IPC_MARKS);
		ipc_put_u64(chan, s->sid);
		ipc_put_u8(chan, (uint8_t)kind);
		ipc_put_u32(chan, (uint32_t)(off * 8));
		ipc_put_bytes(chan, map + off, part);
		if ((e = ipc_end(chan)) != E_OK)
			return e;
	}
	return E_OK;
}

void
session_release(struct session *s)
{
	if (s->store == NULL)
		return;
	if (s->store->chan != NULL) {
		if (s->seen != NULL) /* what is lost stays unseen */
			(void)(send_marks(s, MARK_SEEN, s->seen) == E_OK);
		session_tell(s->store->chan, IPC_RELEASE, s->sid);
	}
	s->store = NULL;
}

/* ---- what the protocol asks for ---- */

static enum go
sign_in_refuse(struct session *s, enum pop3_text t)
{
	pop3_server_refused(&s->pop3, &s->out, t, NULL);
	return GO_ON;
}

static void
put_slice(struct ipc_chan *c, struct slice v)
{
	ipc_put_bytes(c, v.n != 0 ? v.p : "", v.n);
}

/* A channel is full: the same again in a moment. */
static enum go
wait_for_queue(struct session *s)
{
	s->progress = clock_ms();
	s->wait = WAIT_QUEUE;
	return GO_WAIT;
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
		return sign_in_refuse(s, POP3_TEXT_SIGN_IN_DOWN);
	if (ipc_is_full(auth))
		return wait_for_queue(s);
	if (s->doing == POP3_WANT_STEP && s->auth != s->worker->auths)
		return sign_in_refuse(s, POP3_TEXT_SIGN_IN_CUT);
	s->auth = s->worker->auths;
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
		return sign_in_refuse(s, POP3_TEXT_SIGN_IN_FULL);
	s->wait = WAIT_SIGN_IN;
	return GO_WAIT;
}

/* All of the marks, or nothing is removed. */
static enum err
send_commit(struct session *s)
{
	struct ipc_chan *chan = s->store->chan;
	enum err e = E_OK;

	if (s->seen != NULL)
		e = send_marks(s, MARK_SEEN, s->seen);
	if (e == E_OK)
		e = send_marks(s, MARK_REMOVE, pop3_server_marks(&s->pop3));
	if (e != E_OK)
		return e;
	ipc_begin(chan, IPC_COMMIT);
	ipc_put_u64(chan, s->sid);
	return ipc_end(chan);
}

static enum go
update(struct session *s)
{
	if (ipc_is_full(s->store->chan))
		return wait_for_queue(s);
	retrieve_release(s);
	if (s->pop3.marked == 0) {
		/* The maildrop must be free before the client hears of it. */
		struct ipc_chan *chan = s->store->chan;

		session_release(s);
		ipc_flush(chan);
		pop3_server_updated(&s->pop3, &s->out, 0, 0);
		return GO_ON;
	}
	if (send_commit(s) != E_OK) {
		session_tell(s->store->chan, IPC_RELEASE, s->sid);
		s->store = NULL;
		pop3_server_updated(&s->pop3, &s->out, 0, s->pop3.marked);
		return GO_ON;
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
	bool quit = s->pop3.why != NULL && strcmp(s->pop3.why, "quit") == 0;
	enum err e = session_flush_last(s);

	if (s->why == NULL)
		s->why = s->pop3.why;
	if (e == E_AGAIN) {
		s->wait = WAIT_DRAIN;
		return GO_WAIT;
	}
	if (e != E_OK || (quit && s->in.len == 0)) {
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

enum go
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
			if (s->worker->auth != NULL &&
			    s->auth == s->worker->auths)
				session_tell(
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
