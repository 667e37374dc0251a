#include "server/worker/worker_tell.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "net/client_ca.h"
#include "net/tls_binding.h"
#include "server/ipc/proto.h"

void
session_tell(struct ipc_chan *chan, uint16_t type, uint64_t sid)
{
	enum err e;

	ipc_begin(chan, type);
	ipc_put_u64(chan, sid);
	if ((e = ipc_end(chan)) == E_OK)
		return;
	/* The other end would keep what it has of the session for ever. */
	log_line(LOG_FAULT, "ev=queue error=\"%s\"", err_str(e));
	ipc_give_up(chan);
}

/* ---- auth ---- */

static void
put_slice(struct ipc_chan *c, struct slice v)
{
	ipc_put_bytes(c, v.n != 0 ? v.p : "", v.n);
}

static void
put_apop(struct session *s, struct ipc_chan *auth)
{
	char timestamp[300];
	size_t n =
	    pop3_server_timestamp(&s->pop3, timestamp, sizeof(timestamp));

	put_slice(auth, s->pop3.request.name);
	ipc_put_bytes(auth, timestamp, n);
}

/* Only what is offered may have been taken away by somebody in between. */
static bool
is_binding_offered(const struct session *s)
{
	const struct pop3_policy *policy = &s->listener->policy;

	for (size_t i = 0; i < policy->n_mechanisms; i++)
		if (policy->mechanisms[i].binds &&
		    !policy->mechanisms[i].withheld)
			return s->pop3.bindable;
	return false;
}

static void
put_bindings(const struct session *s, struct ipc_chan *auth)
{
	static const char *const names[] = { "tls-exporter", "tls-unique",
		"tls-server-end-point" };
	struct tls_binding b[BINDINGS_MAX];
	uint8_t n = 0;

	for (size_t i = 0; i < BINDINGS_MAX; i++)
		if (s->pop3.request.mechanism->binds &&
		    tls_binding_get(&s->conn, names[i], &b[n]) == E_OK)
			n++;
	ipc_put_u8(auth, n);
	for (uint8_t i = 0; i < n; i++) {
		ipc_put_str(auth, b[i].name);
		ipc_put_bytes(auth, b[i].data, b[i].n);
	}
}

static void
put_certificate(struct session *s, struct ipc_chan *auth)
{
	char *der = s->worker->scratch;
	size_t n = 0;

	if (s->pop3.request.mechanism->certificate)
		n = client_ca_certificate(&s->conn, der, CLIENT_CERT_MAX);
	ipc_put_bytes(auth, der, n);
}

static void
put_mechanism(struct session *s, struct ipc_chan *auth)
{
	ipc_put_str(auth, s->pop3.request.mechanism->name);
	ipc_put_u8(auth, is_binding_offered(s));
	put_bindings(s, auth);
	put_certificate(s, auth);
	ipc_put_u8(auth, s->pop3.request.has_secret);
}

/* The kernel is asked for chance once for many. */
static uint64_t
draw_token(struct worker *w)
{
	uint64_t token;

	if (w->n_tokens == 0) {
		arc4random_buf(w->tokens, sizeof(w->tokens));
		w->n_tokens = TOKENS;
	}
	w->n_tokens--;
	token = w->tokens[w->n_tokens];
	w->tokens[w->n_tokens] = 0;
	return token;
}

/* The connection itself says to auth from where the client comes. */
static void
begin_sign_in(struct session *s, struct ipc_chan *auth, uint16_t type)
{
	ipc_begin(auth, type);
	ipc_put_fd(auth, s->conn.fd, FD_STAYS);
	s->sign_in.token = draw_token(s->worker);
	ipc_put_u64(auth, s->sid);
	ipc_put_u64(auth, s->sign_in.token);
	ipc_put_str(auth, s->peer);
	ipc_put_u8(auth, (s->pop3.tls ? SESSION_TLS : 0) |
			     (s->pop3.utf8 ? SESSION_UTF8 : 0));
}

void
session_disconnect(struct session *s)
{
	struct ipc_chan *auth = s->worker->auth;
	int fd = conn_leave(&s->conn);

	if (auth == NULL || !ipc_leave_fd(auth, fd))
		close(fd);
}

static enum err
end_message(struct session *s, struct ipc_chan *auth)
{
	enum err e = ipc_end(auth);

	s->sign_in.is_open = s->sign_in.is_open || e == E_OK;
	return e;
}

enum err
session_tell_ticket(
    struct session *s, struct ipc_chan *auth, struct slice ap_req)
{
	begin_sign_in(s, auth, IPC_KPOP);
	put_slice(auth, ap_req);
	return end_message(s, auth);
}

/* The ticket has been shown: now whose mail it is to be. */
static enum err
tell_name(struct session *s, struct ipc_chan *auth)
{
	ipc_begin(auth, IPC_SASL_STEP);
	ipc_put_u64(auth, s->sid);
	put_slice(auth, s->pop3.request.name);
	return ipc_end(auth);
}

void
session_tell_end(struct session *s)
{
	struct ipc_chan *auth = s->worker->auth;

	if (s->sign_in.is_open && auth != NULL &&
	    s->sign_in.auth == s->worker->auths)
		session_tell(auth, IPC_SIGN_IN_END, s->sid);
	s->sign_in.is_open = false;
}

enum err
session_tell_sign_in(struct session *s, struct ipc_chan *auth)
{
	const struct pop3_request *r = &s->pop3.request;

	if (s->kpop != NULL)
		return tell_name(s, auth);
	switch (s->doing) {
	case POP3_WANT_PASS:
		begin_sign_in(s, auth, IPC_PASS);
		put_slice(auth, r->name);
		break;
	case POP3_WANT_APOP:
		begin_sign_in(s, auth, IPC_APOP);
		put_apop(s, auth);
		break;
	case POP3_WANT_SASL:
		begin_sign_in(s, auth, IPC_SASL);
		put_mechanism(s, auth);
		break;
	default: /* POP3_WANT_STEP */
		ipc_begin(auth, IPC_SASL_STEP);
		ipc_put_u64(auth, s->sid);
		break;
	}
	put_slice(auth, r->secret);
	return end_message(s, auth);
}

/* ---- the store ---- */

void
session_doubt(struct session *s, uint32_t msgno)
{
	struct ipc_chan *chan = s->store->chan;

	ipc_begin(chan, IPC_DOUBT);
	ipc_put_u64(chan, s->sid);
	ipc_put_u32(chan, msgno);
	(void)(ipc_end(chan) == E_OK); /* else the next session finds it out */
}

void
session_closed(struct session *s, uint64_t octets)
{
	struct ipc_chan *chan = s->store != NULL ? s->store->chan : NULL;

	if (chan == NULL)
		return; /* the store counts it no more */
	ipc_begin(chan, IPC_CLOSED);
	ipc_put_u64(chan, s->sid);
	ipc_put_u64(chan, octets);
	(void)(ipc_end(chan) == E_OK); /* else when the session ends */
}

static bool
is_all_zero(const uint8_t *p, size_t n)
{
	while (n > 0)
		if (p[--n] != 0)
			return false;
	return true;
}

static enum err
send_marks(struct session *s, enum mark_kind kind, const uint8_t *map)
{
	struct ipc_chan *chan = s->store->chan;
	size_t n = ((size_t)s->count + 7) / 8;
	enum err e = E_OK;

	for (size_t off = 0; off < n && e == E_OK; off += MARKS_CHUNK) {
		size_t part = n - off < MARKS_CHUNK ? n - off : MARKS_CHUNK;

		if (is_all_zero(map + off, part))
			continue;
		ipc_begin(chan, IPC_MARKS);
		ipc_put_u64(chan, s->sid);
		ipc_put_u8(chan, (uint8_t)kind);
		ipc_put_u32(chan, (uint32_t)(off * 8));
		ipc_put_bytes(chan, map + off, part);
		e = ipc_end(chan);
	}
	return e;
}

/* With mark_seen the store renames what was read, when the session is over. */
static enum err
send_seen(struct session *s)
{
	return s->seen != NULL ? send_marks(s, MARK_SEEN, s->seen) : E_OK;
}

static enum err
send_removed(struct session *s, enum mark_kind kind, const uint8_t *map)
{
	return map != NULL ? send_marks(s, kind, map) : E_OK;
}

enum err
session_tell_commit(struct session *s)
{
	struct ipc_chan *chan = s->store->chan;
	enum err e = send_seen(s);

	if (e == E_OK)
		e = send_removed(s, MARK_REMOVE, pop3_server_marks(&s->pop3));
	if (e == E_OK)
		e = send_removed(s, MARK_TAKEN, pop3_server_takes(&s->pop3));
	if (e != E_OK)
		return e;
	ipc_begin(chan, IPC_COMMIT);
	ipc_put_u64(chan, s->sid);
	return ipc_end(chan);
}

void
session_release(struct session *s)
{
	if (s->store == NULL)
		return;
	if (s->store->chan != NULL) {
		(void)(send_seen(s) == E_OK); /* what is lost stays unseen */
		session_tell(s->store->chan, IPC_RELEASE, s->sid);
	}
	s->store = NULL;
}
