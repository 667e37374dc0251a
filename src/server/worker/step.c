#include "server/worker/step.h"

#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/log.h"
#include "net/client_ca.h"
#include "server/ipc/proto.h"
#include "server/worker/io.h"
#include "server/worker/kerberized.h"
#include "server/worker/lookup.h"
#include "server/worker/proxied.h"
#include "server/worker/retrieve.h"
#include "server/worker/worker_tell.h"

/* How long a client may take to acknowledge what it has retrieved. */
enum { TAKE_MS = 60 * 1000 };

static enum go
sign_in_refuse(struct session *s, enum pop3_text t)
{
	pop3_server_refused(&s->pop3, &s->out, t, NULL);
	return GO_ON;
}

static const char *
sign_in_method(const struct session *s)
{
	switch (s->doing) {
	case POP3_WANT_PASS: return "USER";
	case POP3_WANT_APOP: return "APOP";
	default: return s->pop3.request.mechanism->name;
	}
}

static enum go
sign_in(struct session *s)
{
	struct ipc_chan *auth = s->worker->auth;

	if (auth == NULL)
		return sign_in_refuse(s, POP3_TEXT_SIGN_IN_DOWN);
	if (ipc_is_full(auth))
		return session_again(s, WAIT_QUEUE);
	if (s->doing != POP3_WANT_STEP && s->kpop == NULL)
		s->sign_in.method = sign_in_method(s);
	else if (s->sign_in.auth != s->worker->auths)
		return sign_in_refuse(s, POP3_TEXT_SIGN_IN_CUT);
	s->sign_in.auth = s->worker->auths;
	if (session_tell_sign_in(s, auth) != E_OK)
		return sign_in_refuse(s, POP3_TEXT_SIGN_IN_FULL);
	s->wait = WAIT_SIGN_IN;
	return GO_WAIT;
}

/* The maildrop must be free before the client hears of it. */
static void
release_at_once(struct session *s)
{
	struct ipc_chan *chan = s->store->chan;

	session_release(s);
	ipc_flush(chan);
}

/* What is removed because it was retrieved must be with the client first, whose
 * QUIT may have been sent ahead.  GO_ON: it is. */
static enum go
wait_for_client(struct session *s)
{
	enum err e = conn_delivered(&s->conn);

	if (e == E_OK && s->out.len == 0)
		return GO_ON;
	if (e == E_IO)
		return session_over(s, "lost");
	if (clock_ms() - s->active >= TAKE_MS)
		return session_over(s, "not-acknowledged");
	return session_again(s, WAIT_QUEUE);
}

static enum go
update_maildrop(struct session *s)
{
	uint32_t removed = s->pop3.marked + s->pop3.taken;
	enum go go;

	if (s->pop3.taken != 0 && (go = wait_for_client(s)) != GO_ON)
		return go;
	if (ipc_is_full(s->store->chan))
		return session_again(s, WAIT_QUEUE);
	retrieve_release(s);
	/* Of days the store wants to know that they were heard of. */
	if (removed == 0 && !retention_is_days(s->pop3.retention)) {
		release_at_once(s);
		pop3_server_updated(&s->pop3, &s->out, 0, 0);
		return GO_ON;
	}
	if (session_tell_commit(s) != E_OK) {
		session_tell(s->store->chan, IPC_RELEASE, s->sid);
		s->store = NULL;
		pop3_server_updated(&s->pop3, &s->out, 0, removed);
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

	if (s->in.len != 0 || conn_is_pending(&s->conn))
		return session_over(s, "stls-injection");
	e = session_flush(s);
	if (e == E_AGAIN) {
		s->wait = WAIT_ROOM;
		return GO_WAIT;
	}
	if (e != E_OK || session_start_tls(s) != E_OK)
		return session_over(s, "lost");
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
		    "ev=tls-failed sid=%u.%llx ip=%s%s why=\"%s\"",
		    s->worker->conf.role.index, (unsigned long long)s->sid,
		    s->peer, proxied_by(s), conn_tls_error());
		return session_over(s, "tls-failed");
	}
	if (s->listener->tls != LISTEN_TLS)
		pop3_server_tls(&s->pop3);
	else if (s->kpop == NULL)
		pop3_server_greet(&s->pop3, &s->out);
	s->pop3.bindable = conn_is_bindable(&s->conn);
	s->pop3.certified = s->listener->client_certificates &&
			    client_ca_certificate(&s->conn, s->worker->scratch,
				CLIENT_CERT_MAX) != 0;
	s->progress = clock_ms();
	return GO_ON;
}

/* Closing at once, with octets unread, would make the kernel throw away what
 * the client has not taken yet.  So the last reply leaves with shutdown(). */
static enum go
say_goodbye(struct session *s)
{
	bool quit = s->pop3.why != NULL && strcmp(s->pop3.why, "quit") == 0;
	enum err e = session_flush_last(s);

	if (s->why == NULL)
		s->why = s->pop3.why;
	session_release(s); /* the client may take its time from now on */
	if (e == E_AGAIN) {
		s->wait = WAIT_DRAIN;
		return GO_WAIT;
	}
	if (e != E_OK)
		return session_over(s, "lost");
	shutdown(s->conn.fd, SHUT_WR);
	if (quit && s->in.len == 0)
		return session_over(s, "lost");
	buf_free(&s->in);
	s->progress = clock_ms();
	s->wait = WAIT_LINGER;
	return GO_WAIT;
}

static enum go
run_protocol(struct session *s)
{
	bool stranger = s->pop3.state == POP3_AUTHORIZATION;
	size_t before = s->in.len;

	s->doing = pop3_server_run(
	    &s->pop3, &s->in, &s->out, stranger ? OUT_MARK_STRANGER : OUT_MARK);
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

bool
session_begin(struct session *s)
{
	const struct listener *l = s->listener;

	if (l->kpop && !kerberized_begin(s))
		return false;
	if (l->tls == LISTEN_TLS)
		s->wait = WAIT_TLS;
	else if (!l->kpop)
		pop3_server_greet(&s->pop3, &s->out);
	return l->tls != LISTEN_TLS || session_start_tls(s) == E_OK;
}

/* The proxy speaks, then its client. */
static enum go
hear_proxy(struct session *s)
{
	enum go go = proxied_read(s);

	return go == GO_ON && !session_begin(s)
		   ? session_over(s, "out-of-memory")
		   : go;
}

enum go
session_step(struct session *s)
{
	enum go go = GO_ON;

	if (s->wait == WAIT_PROXY)
		return hear_proxy(s);
	if (s->wait == WAIT_TLS)
		go = handshake(s);
	else if (s->doing == POP3_WANT_INPUT && kerberized_is_due(s))
		return kerberized_step(s);
	else
		switch (s->doing) {
		case POP3_WANT_INPUT:
		case POP3_WANT_FLUSH: return run_protocol(s);
		case POP3_WANT_PASS:
		case POP3_WANT_APOP:
		case POP3_WANT_SASL:
		case POP3_WANT_STEP: go = sign_in(s); break;
		case POP3_WANT_CANCEL: session_tell_end(s); break;
		case POP3_WANT_XCLIENT: go = proxied_xclient(s); break;
		case POP3_WANT_ENTRY: go = lookup_entry(s); break;
		case POP3_WANT_LISTING: go = lookup_listing(s); break;
		case POP3_WANT_MESSAGE: go = retrieve_go(s); break;
		case POP3_WANT_UPDATE: go = update_maildrop(s); break;
		case POP3_WANT_TLS: return start_tls(s);
		case POP3_WANT_CLOSE: return say_goodbye(s);
		}
	if (go == GO_ON) {
		s->doing = POP3_WANT_INPUT;
		s->wait = WAIT_NOTHING;
	}
	return go;
}
