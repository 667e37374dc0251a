#include "server/worker/proxied.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/log.h"
#include "net/proxy_header.h"
#include "net/xclient.h"
#include "server/worker/admission.h"
#include "server/worker/io.h"

struct proxied {
	char by[ADDR_TEXT + 4]; /* of proxied_by() */
};

bool
proxied_begin(struct session *s)
{
	const struct listener *l = s->listener;

	if ((s->proxied = calloc(1, sizeof(*s->proxied))) == NULL)
		return false;
	if (l->proxy == PROXY_BY_HEADER) {
		s->wait = WAIT_PROXY;
		return true;
	}
	s->pop3.xclient = true;
	if (l->secured)
		pop3_server_secure(&s->pop3);
	return true;
}

void
proxied_free(struct session *s)
{
	free(s->proxied);
	s->proxied = NULL;
}

const char *
proxied_by(const struct session *s)
{
	return s->proxied != NULL ? s->proxied->by : "";
}

const char *
proxied_tls(const struct session *s)
{
	if (s->conn.ssl != NULL || !s->pop3.tls)
		return conn_tls_version(&s->conn);
	return s->listener->local ? "local" : "proxy";
}

/* ---- the client ---- */

/* What is not taken at once is not worth waiting for. */
static enum go
turn_away(struct session *s, enum pop3_text t, const char *why)
{
	if (s->listener->tls != LISTEN_TLS || s->conn.ssl != NULL) {
		pop3_server_turn_away(&s->out, t);
		(void)(session_flush(s) == E_OK);
	}
	return session_over(s, why);
}

/* The session is that client's from now on. */
static enum go
take_client(struct session *s, const struct sockaddr_storage *client)
{
	const char *why = admission_refusal(s->listener, client);

	snprintf(s->proxied->by, sizeof(s->proxied->by), " by=%s", s->peer);
	addr_text(s->peer, client);
	if (why != NULL)
		return session_over(s, why);
	if (!admission_enter(s->worker, client, &s->admission)) {
		why = pop3_text_words(POP3_TEXT_SAME_ADDRESS);
		admission_log(s->worker, s->peer, why);
		return turn_away(s, POP3_TEXT_SAME_ADDRESS, "limit");
	}
	return GO_ON;
}

static unsigned
port_of(const struct sockaddr_storage *a)
{
	const struct sockaddr_in *in4 = (const void *)a;
	const struct sockaddr_in6 *in6 = (const void *)a;

	return ntohs(a->ss_family == AF_INET ? in4->sin_port : in6->sin6_port);
}

/* ---- the header ---- */

static enum go
use_header(struct session *s, const struct proxy_header *h)
{
	static const char *const tls[] = { [PROXY_TLS_UNSAID] = "unsaid",
		[PROXY_TLS_NONE] = "none",
		[PROXY_TLS_SPOKEN] = "yes" };
	enum go go;

	/* Who looks whether we are well has no TLS that the proxy could have
	 * done. */
	if (s->listener->secured && !h->local && h->tls != PROXY_TLS_NONE)
		pop3_server_secure(&s->pop3);
	if (h->client.ss_family == AF_UNSPEC)
		return GO_ON;
	if ((go = take_client(s, &h->client)) != GO_ON)
		return go;
	log_line(LOG_EVENT, "ev=proxied sid=%u.%llx ip=%s%s port=%u tls=%s",
	    s->worker->conf.role.index, (unsigned long long)s->sid, s->peer,
	    s->proxied->by, port_of(&h->client),
	    h->tls_version[0] != '\0' ? h->tls_version : tls[h->tls]);
	return GO_ON;
}

/* Of what has come next, how many octets are the header's?  They are put behind
 * those that were there. */
static enum proxy_result
look(struct session *s, struct proxy_header *h, size_t *n_r)
{
	char piece[PROXY_HEADER_MAX];
	size_t before = s->in.len, used;
	ssize_t n =
	    recv(s->conn.fd, piece, sizeof(piece), MSG_PEEK | MSG_DONTWAIT);
	enum proxy_result r;

	h->why = n == 0 ? "closed" : "lost";
	if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
		*n_r = 0;
		return PROXY_MORE;
	}
	if (n <= 0 || buf_put(&s->in, piece, (size_t)n) != E_OK)
		return PROXY_BAD;
	r = proxy_header_read(h, buf_data(&s->in), s->in.len, &used);
	*n_r = r == PROXY_READ ? used - before : (size_t)n;
	return r;
}

enum go
proxied_read(struct session *s)
{
	char piece[PROXY_HEADER_MAX];
	struct proxy_header h;
	size_t n;
	enum proxy_result r = look(s, &h, &n);

	if (r == PROXY_BAD)
		return session_over(s, h.why);
	if (n != 0 && recv(s->conn.fd, piece, n, MSG_DONTWAIT) != (ssize_t)n)
		return session_over(s, "lost");
	s->octets_in += n;
	s->wait = WAIT_PROXY;
	if (r == PROXY_MORE)
		return GO_WAIT;
	s->wait = WAIT_NOTHING;
	buf_consume(&s->in, s->in.len);
	return use_header(s, &h);
}

/* ---- XCLIENT ---- */

static void
log_xclient(const struct session *s, const struct xclient *x)
{
	char session[2 * XCLIENT_SESSION_MAX];

	log_line(LOG_EVENT,
	    "ev=proxied sid=%u.%llx ip=%s%s port=%u session=%s ttl=%u",
	    s->worker->conf.role.index, (unsigned long long)s->sid, s->peer,
	    s->proxied->by, x->port,
	    str_escape(session, sizeof(session), x->session.p, x->session.n),
	    x->ttl);
}

enum go
proxied_xclient(struct session *s)
{
	struct xclient x;
	enum go go;

	if (!xclient_parse(&x, s->pop3.request.secret)) {
		pop3_server_proxied(&s->pop3, &s->out, false);
		return GO_ON;
	}
	/* Each proxy takes one away before it goes on. */
	if (x.ttl == 0)
		return turn_away(s, POP3_TEXT_LATER, "proxy-loop");
	if (x.client.ss_family != AF_UNSPEC &&
	    (go = take_client(s, &x.client)) != GO_ON)
		return go;
	log_xclient(s, &x);
	pop3_server_proxied(&s->pop3, &s->out, true);
	return GO_ON;
}
